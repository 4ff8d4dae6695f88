//! A small model of launch, share, distribute, delete, restore, erase and crash, checked exhaustively.
//!
//! The model and the code use the same names, and the model decides with the functions of the code: the
//! ladder of `DeleteImage` is `calotype_core::delete_image::decide` itself. What is modelled is what lies
//! around the decisions: transactions that meet each other, groups that are released but not on disk yet,
//! answers that are lost, workers that claim, write, erase and record, leases that end, processes that die
//! at any step, regions that go away.
//!
//! Each world of `worlds` is checked in both forms of an installation: one process with its database in it
//! (turns and groups), and two processes that share one (locks of rows; leases must end by themselves, and
//! writes of a dead process may land late). Time is not counted: a lease or a grace period ends at any time.
//!
//! Bounds, in the short form: 2 images, 2 regions, 2 accounts, 2 workers, 2 to 5 calls of which up to 3 are
//! deletes, and 1 crash; beside it, each where it matters, 1 worker that stands still beyond its lease, 1
//! region that goes away, 1 attempt that fails, 1 fill that fails for good, 1 group whose commit fails: see
//! `worlds`. `CALOTYPE_MODEL=long` has up to 7 calls and more of these together, for minutes. Each test
//! prints how many states there are. Templates and delivery groups are not modelled apart: they begin like
//! launches.

#[path = "model/facts.rs"]
mod facts;
#[path = "model/failures.rs"]
mod failures;
#[path = "model/properties.rs"]
mod properties;
#[path = "model/rows.rs"]
mod rows;
#[path = "model/search.rs"]
mod search;
#[path = "model/state.rs"]
mod state;
#[path = "model/steps.rs"]
mod steps;
#[path = "model/transactions.rs"]
mod transactions;
#[path = "model/workers.rs"]
mod workers;
#[path = "model/world.rs"]
mod world;
#[path = "model/worlds.rs"]
mod worlds;

use properties::SOMETIMES;
use search::{every_run_ends, goes_wrong, holds, holds_for_one, is_reachable};
use world::Engine::{Embedded, Shared};
use world::Guard;
use worlds::{ENGINES, KINDS, Kind, Size, bytes, calls, copies, deletes, making, restores, small};

/// Checks a kind of world, for both forms of an installation.
fn all_hold(of: Kind) {
    let size = match std::env::var("CALOTYPE_MODEL").as_deref() {
        Ok("long") => Size::Long,
        Ok(_) | Err(_) => Size::Short,
    };
    for engine in ENGINES {
        holds(of(engine, size));
    }
}

#[test]
fn inv5_holds_when_deletes_meet() {
    all_hold(deletes);
}

#[test]
fn inv1_inv2_hold_when_calls_meet() {
    all_hold(calls);
}

#[test]
fn inv4_holds_when_bytes_are_copied_and_erased() {
    all_hold(bytes);
}

#[test]
fn inv4_holds_when_an_image_is_being_made() {
    all_hold(making);
}

#[test]
fn inv4_holds_when_an_image_is_made_of_another_one() {
    all_hold(copies);
}

#[test]
fn inv2_inv4_hold_when_a_delete_is_taken_back() {
    all_hold(restores);
}

/// Every run ends, so what holds in the end of each happens in every one.
#[test]
fn every_run_ends_in_every_world() {
    for of in KINDS {
        for engine in ENGINES {
            every_run_ends(small(of, engine, &[]));
        }
    }
}

/// The model is not empty: what the properties are about does happen.
#[test]
fn what_the_properties_are_about_happens() {
    for (of, looked_for) in SOMETIMES {
        assert!(is_reachable(of(Embedded, Size::Short), looked_for), "never: {}", looked_for.0);
    }
}

// Negative controls: without a guard, a counterexample.

#[test]
fn inv1_goes_wrong_without_the_fence() {
    for engine in [Embedded, Shared] {
        goes_wrong(calls, engine, &[Guard::Fence], "inv1_no_use_of_a_deleted_image");
    }
}

#[test]
fn inv1_goes_wrong_when_the_usage_is_not_written_with_the_instance() {
    goes_wrong(calls, Embedded, &[Guard::UsageWithInstance], "inv1_no_use_of_a_deleted_image");
}

#[test]
fn inv2_goes_wrong_when_the_answer_does_not_wait_for_the_commit() {
    goes_wrong(calls, Embedded, &[Guard::DurableAnswer], "inv2_acknowledged_is_kept");
}

#[test]
fn inv2_goes_wrong_when_a_refusal_does_not_wait_for_the_commit_of_what_it_saw() {
    goes_wrong(calls, Embedded, &[Guard::DurableRefusal], "inv2_answers_rest_on_what_is_durable");
}

#[test]
fn inv4_goes_wrong_when_a_claim_does_not_wait_for_the_commit() {
    goes_wrong(bytes, Embedded, &[Guard::DurableClaim], "inv4_bytes_of_live_images_are_there");
}

#[test]
fn inv4_goes_wrong_when_a_record_does_not_ask_for_the_attempt() {
    goes_wrong(bytes, Shared, &[Guard::Attempt], "inv4_bytes_of_live_images_are_there");
}

#[test]
fn inv4_goes_wrong_when_attempts_share_a_key() {
    goes_wrong(bytes, Shared, &[Guard::FreshKeys], "inv4_bytes_of_live_images_are_there");
}

#[test]
fn inv4_goes_wrong_when_the_last_key_only_is_erased() {
    goes_wrong(bytes, Shared, &[Guard::EveryKey, Guard::Repair], "inv4_deleted_is_erased_in_the_end");
}

#[test]
fn inv4_goes_wrong_when_bytes_do_not_outlive_their_copies() {
    goes_wrong(copies, Embedded, &[Guard::CopiesFirst], "inv4_copies_find_their_source");
}

#[test]
fn inv4_goes_wrong_when_the_tasks_are_not_written_with_the_delete() {
    goes_wrong(bytes, Embedded, &[Guard::TaskWithDelete], "inv4_deleted_is_erased_in_the_end");
}

#[test]
fn inv4_goes_wrong_when_a_dead_worker_keeps_its_lease() {
    goes_wrong(bytes, Shared, &[Guard::LeaseEnds], "inv4_deleted_is_erased_in_the_end");
}

#[test]
fn inv4_goes_wrong_without_a_repair_after_a_late_write() {
    goes_wrong(bytes, Shared, &[Guard::Repair], "inv4_deleted_is_erased_in_the_end");
}

/// The claim is the last of three lines: it holds where the plan and the statement name wrong replicas.
#[test]
fn inv4_goes_wrong_when_a_claim_does_not_ask_whether_the_image_is_deleted() {
    let bytes_are_there = "inv4_bytes_of_live_images_are_there";
    goes_wrong(copies, Embedded, &[Guard::OwnReplicas, Guard::OnlyDeleted], bytes_are_there);
    holds_for_one(copies, Embedded, &[Guard::OwnReplicas], bytes_are_there);
}

#[test]
fn inv4_goes_wrong_when_what_is_being_erased_is_restored() {
    goes_wrong(restores, Embedded, &[Guard::Untouched], "inv4_bytes_of_live_images_are_there");
}

#[test]
fn inv4_goes_wrong_when_bytes_that_were_never_whole_are_restored() {
    goes_wrong(restores, Embedded, &[Guard::WholeBytes], "inv4_bytes_of_live_images_are_there");
}

/// The statement repeats the decision: either of the two keeps one delete from being done twice.
#[test]
fn inv5_goes_wrong_without_the_fence_and_the_guard_of_the_statement() {
    let one_at_most = "inv5_one_delete_at_most";
    goes_wrong(deletes, Embedded, &[Guard::Fence, Guard::Statement], one_at_most);
    holds_for_one(deletes, Embedded, &[Guard::Fence], one_at_most);
    holds_for_one(deletes, Embedded, &[Guard::Statement], one_at_most);
}

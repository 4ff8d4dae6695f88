//! The deliberate faults, and that each of them is found within so many seeds.

use crate::ledger::Rule;
use crate::mutants::{Mutant, Rewrite, Sabotage};
use crate::run::{Case, run};
use crate::variable;

/// The seed that the search for each fault begins with, if nothing is said.
const FIRST_SEED: u64 = 1;

/// Runs seeds until the fault is found.
fn is_found(mutant: &'static Mutant) {
    let first = variable("CALOTYPE_SIM_SEED").unwrap_or(FIRST_SEED);
    for seed in first..first + mutant.seeds {
        if let Some(violation) = run(Case { mutant: Some(mutant), ..Case::of(seed) }).violation {
            let (rule, count) = (violation.rule, seed - first + 1);
            assert!(mutant.strikes() > 0, "found before it did anything: {violation:?}");
            assert!(mutant.breaks.contains(&rule), "found for another reason: {violation:?}");
            println!("found after {count} seeds of {}: {violation:?}", mutant.seeds);
            return;
        }
    }
    panic!("not found within {} seeds, in which it struck {} times", mutant.seeds, mutant.strikes());
}

static NO_FENCE: Mutant =
    Mutant::new(Sabotage::NoFence, &[Rule::Reference, Rule::Whole, Rule::Erasure, Rule::Once], 500);

#[test]
fn transactions_without_the_fence_are_found() {
    is_found(&NO_FENCE);
}

/// Whoever has lost a task records all the same that it is done.
static LEASE_IGNORED: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "UPDATE replicas SET state = 'available', size_bytes",
        from: "AND attempt = $2 AND lease_owner = $3 ",
        to: "",
    }]),
    &[Rule::Bytes, Rule::Erasure],
    600,
);

#[test]
fn a_lease_that_is_ignored_is_found() {
    is_found(&LEASE_IGNORED);
}

/// Whoever has lost a task records that it has failed, and frees it.
static LATE_FAILURE: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "UPDATE replicas SET last_error = $4, due_ms = $5",
        from: " AND attempt = $2 AND lease_owner = $3",
        to: "",
    }]),
    &[Rule::Stuck, Rule::Bytes, Rule::Erasure],
    900,
);

#[test]
fn a_failure_that_is_recorded_late_is_found() {
    is_found(&LATE_FAILURE);
}

/// Every attempt writes under the same key.
static KEY_REUSED: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "FROM replicas r LEFT JOIN replicas o ON r.source_kind = 'replica'",
        from: "r.region, r.writes, r.attempt",
        to: "r.region, 0, r.attempt",
    }]),
    &[Rule::Bytes, Rule::Erasure],
    300,
);

#[test]
fn a_key_that_is_used_again_is_found() {
    is_found(&KEY_REUSED);
}

static COMMIT_EARLY: Mutant =
    Mutant::new(Sabotage::CommitEarly(300), &[Rule::Acknowledged, Rule::Stuck], 200);

#[test]
fn an_answer_before_the_commit_is_durable_is_found() {
    is_found(&COMMIT_EARLY);
}

static ERASE_BEFORE_COMMIT: Mutant =
    Mutant::new(Sabotage::EraseBeforeCommit("UPDATE images SET deleted_ms = $2"), &[Rule::Bytes], 300);

#[test]
fn bytes_that_are_erased_before_the_commit_are_found() {
    is_found(&ERASE_BEFORE_COMMIT);
}

static ERASE_ONCE: Mutant = Mutant::new(Sabotage::EraseOnce, &[Rule::Stuck], 80);

#[test]
fn an_erasure_that_cannot_be_repeated_is_found() {
    is_found(&ERASE_ONCE);
}

static LYING_STORE: Mutant = Mutant::new(Sabotage::LieAboutErasures(100), &[Rule::Bytes, Rule::Check], 120);

#[test]
fn an_erasure_that_is_only_told_is_found() {
    is_found(&LYING_STORE);
}

static TEMPLATES_FIRST: Mutant =
    Mutant::new(Sabotage::TemplatesFirst, &[Rule::Whole, Rule::Acknowledged], 200);

#[test]
fn a_template_cascade_outside_the_transaction_is_found() {
    is_found(&TEMPLATES_FIRST);
}

static NONCE_NOT_SPENT: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "INSERT INTO nonces",
        from: "WHERE nonces.request = excluded.request",
        to: "",
    }]),
    &[Rule::Once],
    150,
);

#[test]
fn a_nonce_that_is_not_spent_is_found() {
    is_found(&NONCE_NOT_SPENT);
}

static TOKEN_IGNORED: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "SELECT id FROM instances WHERE owner = $1 AND kind = $2 AND REPLACE",
        from: "WHERE owner = $1",
        to: "WHERE 0 = 1 AND owner = $1",
    }]),
    &[Rule::Once],
    50,
);

#[test]
fn a_retry_that_is_not_idempotent_is_found() {
    is_found(&TOKEN_IGNORED);
}

static COPIES_FORGOTTEN: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "WHERE r.region = $3 AND r.state = 'erasing'",
        from: "AND NOT EXISTS (SELECT 1 FROM replicas c WHERE c.source = r.id AND c.state = 'copying') ",
        to: "",
    }]),
    &[Rule::Erasure],
    900,
);

#[test]
fn an_erasure_of_what_is_still_copied_is_found() {
    is_found(&COPIES_FORGOTTEN);
}

static NO_GRACE: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "UPDATE replicas SET state = 'erasing', tries = 0",
        from: "ELSE $2 END",
        to: "ELSE 0 * $2 END",
    }]),
    &[Rule::Erasure],
    80,
);

#[test]
fn an_erasure_within_the_grace_period_is_found() {
    is_found(&NO_GRACE);
}

static FAILED_FORGOTTEN: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "UPDATE replicas SET state = 'erasing', tries = 0",
        from: "NOT IN ('erasing', 'erased')",
        to: "NOT IN ('erasing', 'erased', 'failed')",
    }]),
    &[Rule::Reference, Rule::Erasure],
    250,
);

#[test]
fn a_replica_that_the_delete_forgets_is_found() {
    is_found(&FAILED_FORGOTTEN);
}

static COMPLETE_EARLY: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "UPDATE deletions SET completed_ms = $2",
        from: "(SELECT 1 FROM replicas r WHERE r.holder_id = $1 AND r.state <> 'erased')",
        to: "(SELECT 1 WHERE 0 = 1)",
    }]),
    &[Rule::Erasure],
    300,
);

#[test]
fn a_deletion_that_completes_early_is_found() {
    is_found(&COMPLETE_EARLY);
}

static SHARES_STAY: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: "DELETE FROM shares WHERE image_id = $1",
        from: "WHERE image_id = $1",
        to: "WHERE 0 = 1 AND image_id = $1",
    }]),
    &[Rule::Reference, Rule::Stuck],
    300,
);

#[test]
fn a_share_that_outlives_its_image_is_found() {
    is_found(&SHARES_STAY);
}

static DELETED_SHOWN: Mutant = Mutant::new(
    Sabotage::Rewrite(&[Rewrite {
        of: " ORDER BY created_ms DESC, id LIMIT",
        from: "AND i.deleted_ms IS NULL ",
        to: "",
    }]),
    &[Rule::Acknowledged],
    400,
);

#[test]
fn a_listing_that_shows_deleted_images_is_found() {
    is_found(&DELETED_SHOWN);
}

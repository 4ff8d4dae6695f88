//! A delete that meets an export: exactly one of them is accepted.

use std::collections::BTreeMap;

use super::arena::Arena;
use super::{CONTROL_ROUNDS_MAX, Call, both_have_won, delete, one_wins, rounds};
use crate::support::refusals::{IMAGE_STATUS, INVALID_IMAGE_ID};
use crate::support::{BUCKET, REGION, Setup, World};

fn export(image: &str) -> Call {
    let owned = |(name, value): (&'static str, &str)| (name, value.to_owned());
    let params = [("ImageId", image), ("OSSBucket", BUCKET), ("OSSRegionId", REGION)];
    ("ExportImage", params.map(owned).to_vec())
}

/// Exports of deleted images that are still to be written: there must never be any.
async fn violations(world: &World) -> i64 {
    let sql = "SELECT COUNT(*) FROM exports e JOIN images i ON i.id = e.image_id \
               WHERE e.state = 'exporting' AND i.deleted_ms IS NOT NULL";
    world.count(sql, &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d18_delete_against_export_image() {
    let arena = Arena::open(Setup::default(), rounds()).await;
    let mut won = BTreeMap::new();
    for (round, image) in arena.images.iter().enumerate() {
        let outcomes = arena.meet(vec![delete(image), export(image)], round).await;
        one_wins(&outcomes, [IMAGE_STATUS, INVALID_IMAGE_ID], &mut won);
    }
    both_have_won(&won);
    assert_eq!(violations(&arena.world).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d18_export_image_goes_wrong_without_the_fence() {
    let setup = Setup { unfenced: true, ..Setup::default() };
    let arena = Arena::open(setup, CONTROL_ROUNDS_MAX).await;
    for (round, image) in arena.images.iter().enumerate() {
        arena.meet(vec![delete(image), export(image)], round).await;
        if violations(&arena.world).await > 0 {
            return;
        }
    }
    panic!("{CONTROL_ROUNDS_MAX} rounds without the fence, and nothing went wrong");
}

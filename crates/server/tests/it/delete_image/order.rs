//! The order of checks: of two reasons that hold at once the earlier one is given.
//!
//! One pair cannot hold at once: an id is absent, or it is malformed.

use super::{UNKNOWN, refused};
use crate::support::caller::Caller;
use crate::support::refusals::{
    IMAGE_STATUS, INVALID_IMAGE_ID, MISSING_PARAMETER, NO_PERMISSION, NOT_EXIST, USED_TO_CREATE,
};
use crate::support::{ENS, OTHER, PUBLIC_IMAGE, Setup, World, disk};

#[tokio::test]
async fn d13_signature_before_parameters() {
    let world = World::new().await;
    let thief = Caller::with_secret(world.address, "owner", "not the secret", &world.clock);
    for params in [&[][..], &[("ImageId", "m a")]] {
        let answer = thief.call(ENS, "DeleteImage", params).await;
        assert_eq!((answer.status, answer.code()), (400, Some("SignatureDoesNotMatch")));
    }
}

#[tokio::test]
async fn d14_d19_parameters_before_ram() {
    let world = World::open(Setup::with_users(&[("nobody", "")])).await;
    let user = world.user("nobody");
    user.refused("DeleteImage", &[], MISSING_PARAMETER).await;
    user.refused("DeleteImage", &[("ImageId", "m a")], INVALID_IMAGE_ID).await;
}

/// A denied caller learns nothing: not what exists, nor whose it is, nor in which state.
#[tokio::test]
async fn d15_ram_before_existence_ownership_status_and_use() {
    let world = World::open(Setup::with_users(&[("nobody", "")])).await;
    let (gone, used, making) =
        (world.import().await, world.import().await, world.begin_import(&disk("x")).await);
    world.owner.ok("DeleteImage", &[("ImageId", &gone)]).await;
    world.owner.launch(&used).await;
    let user = world.user("nobody");
    let mut bodies = Vec::new();
    for image in [UNKNOWN, &gone, PUBLIC_IMAGE, &used, &making] {
        let body = user.denied("DeleteImage", &[("ImageId", image)], "ImplicitDeny").await;
        bodies.push(crate::support::print::redacted(&body));
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]));
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_json_snapshot!("d15_denied_by_ram", bodies[0]);
    });
}

#[tokio::test]
async fn d17b_existence_before_ownership() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    refused(&world, &world.other, &image, NO_PERMISSION).await;
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    refused(&world, &world.other, &image, NOT_EXIST).await;
}

#[tokio::test]
async fn d15_ownership_before_status() {
    let world = World::open_idle(Setup::default()).await;
    // The system image is not made yet, and neither is the one that is shared.
    refused(&world, &world.owner, PUBLIC_IMAGE, NO_PERMISSION).await;
    let image = world.begin_import(&disk("on its way")).await;
    world.owner.share(&image, OTHER).await;
    refused(&world, &world.other, &image, NO_PERMISSION).await;
    refused(&world, &world.owner, &image, IMAGE_STATUS).await;
}

#[tokio::test]
async fn d15_ownership_before_use() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    world.other.launch(&image).await;
    world.other.launch(PUBLIC_IMAGE).await;
    refused(&world, &world.other, &image, NO_PERMISSION).await;
    refused(&world, &world.other, PUBLIC_IMAGE, NO_PERMISSION).await;
}

#[tokio::test]
async fn d18_status_before_use() {
    let world = World::new().await;
    let (created, switched) = (world.import().await, world.import().await);
    let instance = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.launch(&created).await;
    world.owner.reinit(&instance, &switched).await;
    // No call brings a used image back into this state.
    let sql = "UPDATE images SET state = 'making', stage = 'copying' WHERE id IN ($1, $2)";
    assert_eq!(world.change(sql, &[(&created).into(), (&switched).into()]).await, 2);
    refused(&world, &world.owner, &created, IMAGE_STATUS).await;
    refused(&world, &world.owner, &switched, IMAGE_STATUS).await;
}

#[tokio::test]
async fn d16_created_use_before_switched_use() {
    let world = World::new().await;
    let image = world.import().await;
    let switched = world.owner.launch(PUBLIC_IMAGE).await;
    world.owner.reinit(&switched, &image).await;
    world.drain().await;
    let created = world.owner.launch(&image).await;
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    world.owner.release(&created).await;
    refused(&world, &world.owner, &image, crate::support::refusals::USED_OTHERWISE).await;
    world.owner.release(&switched).await;
    super::deleted(&world, &world.owner, &image).await;
}

//! Images in use: D16 and D17a, until the use is over.

use super::{deleted, refused};
use crate::support::refusals::{USED_OTHERWISE, USED_TO_CREATE};
use crate::support::{OTHER, Setup, World};

#[tokio::test]
async fn d16_created_use_blocks_until_released() {
    let world = World::open(Setup::with("[timing]\ninstance = '10s'\n")).await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    assert_eq!(world.owner.instance_status(&instance).await, "Pending");
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    world.pass(10);
    assert_eq!(world.owner.instance_status(&instance).await, "Running");
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    world.owner.ok("StopInstance", &[("InstanceId", &instance)]).await;
    world.pass(10);
    assert_eq!(world.owner.instance_status(&instance).await, "Stopped");
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    world.owner.release(&instance).await;
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d16_an_instance_of_another_account_blocks_too() {
    let world = World::new().await;
    let image = world.import().await;
    world.owner.share(&image, OTHER).await;
    let instance = world.other.launch_with(&image, &[("InstanceChargeType", "PrePaid")]).await;
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    // The share goes, the instance stays.
    let unshare = [("ImageId", image.as_str()), ("RemoveAccounts", OTHER)];
    world.owner.ok("ModifyImageSharePermission", &unshare).await;
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    world.other.ok("ReleasePrePaidInstance", &[("InstanceId", &instance)]).await;
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d16_every_instance_must_be_released() {
    let world = World::new().await;
    let image = world.import().await;
    let launched = [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small"), ("Amount", "3")];
    let body = world.owner.ok("RunInstances", &launched).await;
    for instance in body["InstanceIds"].as_array().unwrap() {
        refused(&world, &world.owner, &image, USED_TO_CREATE).await;
        world.owner.release(instance.as_str().unwrap()).await;
    }
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d17a_switched_use_blocks_from_acceptance_and_the_old_image_is_free_at_the_end() {
    let world = World::new().await;
    let (old, new) = (world.import().await, world.import().await);
    let instance = world.owner.launch(&old).await;
    world.owner.reinit(&instance, &new).await;
    // Nobody has drained: the switch is in progress.
    assert_eq!(world.owner.instance_status(&instance).await, "ReIniting");
    refused(&world, &world.owner, &new, USED_OTHERWISE).await;
    refused(&world, &world.owner, &old, USED_TO_CREATE).await;
    world.drain().await;
    assert_eq!(world.owner.instance(&instance).await["ImageId"], new.as_str());
    refused(&world, &world.owner, &new, USED_OTHERWISE).await;
    deleted(&world, &world.owner, &old).await;
    world.owner.release(&instance).await;
    deleted(&world, &world.owner, &new).await;
}

/// An instance that is set back to its own image was made from it until that is done, switched after.
#[tokio::test]
async fn d17a_a_reset_to_the_same_image_makes_a_created_use_a_switched_one() {
    let world = World::new().await;
    let image = world.import().await;
    let instance = world.owner.launch(&image).await;
    world.owner.reinit(&instance, &image).await;
    refused(&world, &world.owner, &image, USED_TO_CREATE).await;
    world.drain().await;
    refused(&world, &world.owner, &image, USED_OTHERWISE).await;
    world.owner.release(&instance).await;
    deleted(&world, &world.owner, &image).await;
}

#[tokio::test]
async fn d17a_a_release_during_the_switch_frees_both_images() {
    let world = World::new().await;
    let (old, new) = (world.import().await, world.import().await);
    let instance = world.owner.launch(&old).await;
    world.owner.reinit(&instance, &new).await;
    world.owner.release(&instance).await;
    deleted(&world, &world.owner, &new).await;
    deleted(&world, &world.owner, &old).await;
}

//! Requests to our own API.

use super::{Draft, Intent, Maker, Scene};
use crate::dice::Dice;

const VERSION: &str = "2026-11-21";

pub(super) const KINDS: &[(u64, Maker)] =
    &[(6, restore), (3, publish), (2, withdraw), (2, get_deletion), (1, explain)];

fn deleted(dice: &mut Dice, scene: &Scene<'_>) -> Option<(String, String)> {
    let sql = "SELECT id, owner FROM images WHERE deleted_ms IS NOT NULL ORDER BY deleted_ms, id";
    scene.one(dice, sql, &[])
}

fn restore(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = deleted(dice, scene)?;
    let params = [("ImageId", image.as_str())];
    let intent = Intent::Restore { image: image.clone() };
    Some(scene.draft(dice, &owner, (VERSION, "RestoreImage"), &params, intent))
}

fn publish(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, "appstreaming", false)?;
    let params = [("ImageId", image.as_str())];
    Some(scene.draft(dice, &owner, (VERSION, "PublishCommunityImage"), &params, Intent::Change))
}

fn withdraw(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, "appstreaming", false)?;
    Some(withdraw_one(dice, scene, &image, &owner))
}

pub(super) fn withdraw_one(dice: &mut Dice, scene: &Scene<'_>, image: &str, owner: &str) -> Draft {
    let params = [("ImageId", image)];
    scene.draft(dice, owner, (VERSION, "WithdrawCommunityImage"), &params, Intent::Change)
}

fn get_deletion(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = deleted(dice, scene)?;
    let params = [("ImageId", image.as_str())];
    Some(scene.draft(dice, &owner, (VERSION, "GetDeletion"), &params, Intent::Read))
}

fn explain(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, "ens", false)?;
    let params = [("ImageId", image.as_str())];
    Some(scene.draft(dice, &owner, (VERSION, "ExplainDeleteImage"), &params, Intent::Read))
}

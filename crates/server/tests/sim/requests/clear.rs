//! Requests that clear away what keeps an image from being deleted, and then delete it.

use super::{Draft, Intent, Scene, desktops, ens, own};
use crate::dice::Dice;

/// The next request on the way to the end of the image that most requests are about.
pub(super) fn towards_the_end(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let image = scene.focus;
    let found = |sql: &str| scene.ledger.rows(sql, &[image]).into_iter().next();
    let usage =
        "SELECT consumer_kind, consumer_id, consumer_owner FROM usages WHERE image_id = $1 ORDER BY 2";
    if let Some(row) = found(usage) {
        let [kind, consumer, owner]: [String; 3] = row.try_into().ok()?;
        // A copy that is begun now is still being made when its source goes.
        let copied_first = !scene.tidy && dice.permille(300);
        return match kind.as_str() {
            "instance" if copied_first => {
                Some(ens::create_image_of(dice, scene, "InstanceId", &consumer, &owner))
            }
            "workstation" if copied_first => Some(desktops::create_image_of(dice, scene, &consumer, &owner)),
            "instance" => Some(ens::release_one(dice, scene, &consumer, &owner)),
            "group" => Some(desktops::delete_one_group(dice, scene, &consumer, &owner)),
            _ => Some(desktops::delete_one_workstation(dice, scene, &consumer, &owner)),
        };
    }
    let child = "SELECT id, owner FROM images WHERE parent_id = $1 AND published_ms IS NOT NULL \
                 AND deleted_ms IS NULL ORDER BY id";
    if let Some(row) = found(child) {
        return Some(own::withdraw_one(dice, scene, &row[0], &row[1]));
    }
    if let (true, Some(row)) = (scene.tidy, found("SELECT id, owner FROM snapshots WHERE id = $1")) {
        return Some(ens::delete_one_snapshot(dice, scene, &row[0], &row[1]));
    }
    let row = found("SELECT product, owner FROM images WHERE id = $1 AND owner <> 'system'")?;
    let intent = Intent::Delete { images: vec![image.to_owned()] };
    if row[0] == "ens" {
        return Some(scene.draft(
            dice,
            &row[1],
            (ens::VERSION, "DeleteImage"),
            &[("ImageId", image)],
            intent,
        ));
    }
    if let Some(share) = found("SELECT account_id FROM shares WHERE image_id = $1 ORDER BY 1") {
        return Some(desktops::take_back(dice, scene, image, &row[1], &share[0]));
    }
    Some(scene.draft(dice, &row[1], (desktops::STREAMING, "DeleteImage"), &[("ImageId", image)], intent))
}

//! Requests to ENS.

use super::{Draft, IMAGES, INSTANCES, Intent, Maker, SNAPSHOTS, Scene, other_account};
use crate::dice::Dice;
use crate::disks::{BUCKET, DISKS, OUTBOX};
use crate::world::NODE;

pub(super) const VERSION: &str = "2017-11-10";
const PRODUCT: &str = "ens";

pub(super) const KINDS: &[(u64, Maker)] = &[
    (6, import_image),
    (8, run_instances),
    (6, release),
    (5, reinit),
    (4, share),
    (6, create_image),
    (5, create_snapshot),
    (4, delete_snapshot),
    (4, export_image),
    (3, list),
];

pub(super) fn delete_image(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let intent = Intent::Delete { images: vec![image.clone()] };
    Some(scene.draft(dice, &owner, (VERSION, "DeleteImage"), &[("ImageId", &image)], intent))
}

pub(super) fn import_image(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let object = if dice.permille(50) { "absent.qcow2" } else { dice.pick(&DISKS)? };
    let (owner, _) = *dice.pick(&super::ACCOUNTS)?;
    let (name, region) = (scene.name(), scene.region(dice).to_owned());
    let params = [
        ("Architecture", "x86_64"),
        ("ComputeType", "ens_vm"),
        ("ImageFormat", "qcow2"),
        ("ImageName", &name),
        ("OSType", "linux"),
        ("OSSBucket", BUCKET),
        ("OSSObject", object),
        ("TargetOSSRegionId", &region),
    ];
    let intent = Intent::Create { table: IMAGES, pointer: "/ImageId", name: name.clone() };
    Some(scene.draft(dice, owner, (VERSION, "ImportImage"), &params, intent))
}

pub(super) fn run_instances(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, true)?;
    let name = scene.name();
    let params = [("ImageId", image.as_str()), ("InstanceName", &name), ("EnsRegionId", NODE)];
    let intent = Intent::Create { table: INSTANCES, pointer: "/InstanceIds/0", name: name.clone() };
    Some(scene.draft(dice, &owner, (VERSION, "RunInstances"), &params, intent))
}

fn release(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (instance, owner) = scene.instance(dice, "instance")?;
    Some(release_one(dice, scene, &instance, &owner))
}

pub(super) fn release_one(dice: &mut Dice, scene: &Scene<'_>, instance: &str, owner: &str) -> Draft {
    let intent = Intent::Remove { id: instance.to_owned(), by_id: INSTANCES.by_id };
    let params = [("InstanceId", instance)];
    scene.draft(dice, owner, (VERSION, "ReleasePostPaidInstance"), &params, intent)
}

fn reinit(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (instance, owner) = scene.instance(dice, "instance")?;
    let (image, _) = scene.image(dice, PRODUCT, true)?;
    let params = [("InstanceId", instance.as_str()), ("ImageId", &image)];
    Some(scene.draft(dice, &owner, (VERSION, "ReinitInstance"), &params, Intent::Change))
}

fn share(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let (account, add) = (other_account(&owner), dice.permille(750));
    let which = if add { "AddAccounts" } else { "RemoveAccounts" };
    let params = [("ImageId", image.as_str()), (which, account)];
    let intent = Intent::Share { image: image.clone(), account: account.to_owned(), add };
    Some(scene.draft(dice, &owner, (VERSION, "ModifyImageSharePermission"), &params, intent))
}

/// Of an instance or of a snapshot.
fn create_image(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let snapshots = "SELECT id, owner FROM snapshots ORDER BY id";
    let (origin, (id, owner)) = if dice.permille(450) {
        ("SnapshotId", scene.one(dice, snapshots, &[])?)
    } else {
        ("InstanceId", scene.instance(dice, "instance")?)
    };
    Some(create_image_of(dice, scene, origin, &id, &owner))
}

pub(super) fn create_image_of(
    dice: &mut Dice,
    scene: &Scene<'_>,
    origin: &str,
    id: &str,
    owner: &str,
) -> Draft {
    let (name, region) = (scene.name(), scene.region(dice).to_owned());
    let params = [("ImageName", name.as_str()), (origin, id), ("TargetOSSRegionId", &region)];
    let intent = Intent::Create { table: IMAGES, pointer: "/ImageId", name: name.clone() };
    scene.draft(dice, owner, (VERSION, "CreateImage"), &params, intent)
}

fn create_snapshot(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let disks = "SELECT d.id, i.owner FROM disks d JOIN instances i ON i.id = d.instance_id \
                 WHERE i.kind = 'instance' ORDER BY d.id";
    let (disk, owner) = scene.one(dice, disks, &[])?;
    let name = scene.name();
    let params = [("DiskId", disk.as_str()), ("EnsRegionId", NODE), ("SnapshotName", &name)];
    let intent = Intent::Create { table: SNAPSHOTS, pointer: "/SnapShotId/0", name: name.clone() };
    Some(scene.draft(dice, &owner, (VERSION, "CreateSnapshot"), &params, intent))
}

fn delete_snapshot(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (snapshot, owner) = scene.one(dice, "SELECT id, owner FROM snapshots ORDER BY id", &[])?;
    Some(delete_one_snapshot(dice, scene, &snapshot, &owner))
}

pub(super) fn delete_one_snapshot(dice: &mut Dice, scene: &Scene<'_>, snapshot: &str, owner: &str) -> Draft {
    let intent = Intent::Remove { id: snapshot.to_owned(), by_id: SNAPSHOTS.by_id };
    scene.draft(dice, owner, (VERSION, "DeleteSnapshot"), &[("SnapshotId", snapshot)], intent)
}

fn export_image(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let region = scene.regions.first()?;
    let params = [("ImageId", image.as_str()), ("OSSBucket", OUTBOX), ("OSSRegionId", region)];
    Some(scene.draft(dice, &owner, (VERSION, "ExportImage"), &params, Intent::Change))
}

fn list(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (owner, _) = *dice.pick(&super::ACCOUNTS)?;
    Some(scene.draft(dice, owner, (VERSION, "DescribeSelfImages"), &[("PageSize", "50")], Intent::List))
}

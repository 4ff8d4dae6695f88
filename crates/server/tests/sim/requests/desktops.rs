//! Requests to App Streaming and ECD, which share their images.

use super::{BUNDLES, Draft, IMAGES, INSTANCES, Intent, Maker, Scene, TEMPLATES, other_account};
use crate::dice::Dice;

pub(super) const STREAMING: &str = "2021-09-01";
const DESKTOPS: &str = "2020-09-30";
const PRODUCT: &str = "appstreaming";

pub(super) const KINDS: &[(u64, Maker)] = &[
    (4, create_group),
    (4, delete_group),
    (3, update_group),
    (4, create_workstation),
    (4, delete_workstation),
    (2, update_workstation),
    (5, create_image),
    (9, distribute),
    (7, create_template),
    (2, modify_template),
    (2, delete_templates),
    (3, share),
    (3, create_bundle),
    (1, delete_bundles),
    (3, list),
];

pub(super) fn delete_image(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let intent = Intent::Delete { images: vec![image.clone()] };
    Some(scene.draft(dice, &owner, (STREAMING, "DeleteImage"), &[("ImageId", &image)], intent))
}

pub(super) fn delete_images(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let (another, _) = scene.image(dice, PRODUCT, false)?;
    let mut images = vec![image, another];
    images.dedup();
    let region = scene.region(dice).to_owned();
    let bundles = if dice.permille(600) { "true" } else { "false" };
    let named: Vec<String> = (1..=images.len()).map(|place| format!("ImageId.{place}")).collect();
    let mut params = vec![("RegionId", region.as_str()), ("DeleteCascadedBundle", bundles)];
    params.extend(named.iter().zip(&images).map(|(name, image)| (name.as_str(), image.as_str())));
    let intent = Intent::Delete { images: images.clone() };
    Some(scene.draft(dice, &owner, (DESKTOPS, "DeleteImages"), &params, intent))
}

fn create_group(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, true)?;
    let (name, region) = (scene.name(), scene.region(dice).to_owned());
    let params = [
        ("AppCenterImageId", image.as_str()),
        ("AppInstanceGroupName", &name),
        ("BizRegionId", &region),
        ("ChargeResourceMode", "Node"),
        ("ChargeType", "PostPaid"),
        ("NodePool", r#"{"NodeAmount":1,"NodeCapacity":2,"NodeInstanceType":"appstreaming.vgpu.4c8g.2g"}"#),
        ("Period", "1"),
        ("PeriodUnit", "Month"),
        ("ProductType", "CloudApp"),
        ("SessionTimeout", "15"),
    ];
    let pointer = "/AppInstanceGroupModel/AppInstanceGroupId";
    let intent = Intent::Create { table: INSTANCES, pointer, name: name.clone() };
    Some(scene.draft(dice, &owner, (STREAMING, "CreateAppInstanceGroup"), &params, intent))
}

fn delete_group(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (group, owner) = scene.instance(dice, "group")?;
    Some(delete_one_group(dice, scene, &group, &owner))
}

pub(super) fn delete_one_group(dice: &mut Dice, scene: &Scene<'_>, group: &str, owner: &str) -> Draft {
    let params = [("AppInstanceGroupId", group), ("ProductType", "CloudApp")];
    let intent = Intent::Remove { id: group.to_owned(), by_id: INSTANCES.by_id };
    scene.draft(dice, owner, (STREAMING, "DeleteAppInstanceGroup"), &params, intent)
}

fn update_group(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (group, owner) = scene.instance(dice, "group")?;
    let (image, _) = scene.image(dice, PRODUCT, true)?;
    let region = scene.ledger.column("SELECT region FROM instances WHERE id = $1", &[&group]).pop()?;
    let params = [
        ("AppCenterImageId", image.as_str()),
        ("AppInstanceGroupId", &group),
        ("BizRegionId", &region),
        ("ProductType", "CloudApp"),
    ];
    Some(scene.draft(dice, &owner, (STREAMING, "UpdateAppInstanceGroupImage"), &params, Intent::Change))
}

/// The name is the token too, so that whoever is not sure that it was made can ask again.
pub(super) fn create_workstation(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, true)?;
    let (name, region) = (scene.name(), scene.region(dice).to_owned());
    let params = [
        ("BizRegionId", region.as_str()),
        ("IdempotenceToken", &name),
        ("ImageId", &image),
        ("WuyingServerName", &name),
    ];
    let pointer = "/Data/WuyingServerIdList/0";
    let intent = Intent::Create { table: INSTANCES, pointer, name: name.clone() };
    Some(scene.draft(dice, &owner, (STREAMING, "CreateWuyingServer"), &params, intent))
}

fn delete_workstation(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (workstation, owner) = scene.instance(dice, "workstation")?;
    Some(delete_one_workstation(dice, scene, &workstation, &owner))
}

pub(super) fn delete_one_workstation(dice: &mut Dice, scene: &Scene<'_>, id: &str, owner: &str) -> Draft {
    let intent = Intent::Remove { id: id.to_owned(), by_id: INSTANCES.by_id };
    scene.draft(dice, owner, (STREAMING, "DeleteWuyingServer"), &[("WuyingServerId", id)], intent)
}

fn update_workstation(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (workstation, owner) = scene.instance(dice, "workstation")?;
    let (image, _) = scene.image(dice, PRODUCT, true)?;
    let params = [("ImageId", image.as_str()), ("WuyingServerId", &workstation)];
    Some(scene.draft(dice, &owner, (STREAMING, "UpdateWuyingServerImage"), &params, Intent::Change))
}

pub(super) fn create_image(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (workstation, owner) = scene.instance(dice, "workstation")?;
    Some(create_image_of(dice, scene, &workstation, &owner))
}

pub(super) fn create_image_of(dice: &mut Dice, scene: &Scene<'_>, id: &str, owner: &str) -> Draft {
    let name = scene.name();
    let params = [("ImageName", name.as_str()), ("InstanceId", id), ("InstanceType", "WuyingServer")];
    let intent = Intent::Create { table: IMAGES, pointer: "/Data/ImageId", name: name.clone() };
    scene.draft(dice, owner, (STREAMING, "CreateImageByInstance"), &params, intent)
}

fn distribute(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let region = scene.region(dice).to_owned();
    let params = [("ImageId", image.as_str()), ("DestinationRegionList.1", &region)];
    Some(scene.draft(dice, &owner, (STREAMING, "StartTaskForDistributeImage"), &params, Intent::Change))
}

fn create_template(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let name = scene.name();
    let params = [
        ("ImageId", image.as_str()),
        ("ProductType", "CloudDesktop"),
        ("SystemDiskSize", "80"),
        ("TemplateName", &name),
    ];
    let intent = Intent::Create { table: TEMPLATES, pointer: "/Data", name: name.clone() };
    Some(scene.draft(dice, &owner, (DESKTOPS, "CreateTemplate"), &params, intent))
}

fn template(dice: &mut Dice, scene: &Scene<'_>) -> Option<(String, String)> {
    scene.one(dice, "SELECT id, owner FROM templates ORDER BY id", &[])
}

fn modify_template(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (template, owner) = template(dice, scene)?;
    let (image, _) = scene.image(dice, PRODUCT, false)?;
    let params = [("TemplateId", template.as_str()), ("ImageId", &image)];
    Some(scene.draft(dice, &owner, (DESKTOPS, "ModifyTemplate"), &params, Intent::Change))
}

fn delete_templates(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (template, owner) = template(dice, scene)?;
    let intent = Intent::Remove { id: template.clone(), by_id: TEMPLATES.by_id };
    let params = [("TemplateIds.1", template.as_str())];
    Some(scene.draft(dice, &owner, (DESKTOPS, "DeleteTemplates"), &params, intent))
}

fn share(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let add = dice.permille(500);
    Some(share_one(dice, scene, &image, &owner, other_account(&owner), add))
}

/// Takes one share back.
pub(super) fn take_back(
    dice: &mut Dice,
    scene: &Scene<'_>,
    image: &str,
    owner: &str,
    account: &str,
) -> Draft {
    share_one(dice, scene, image, owner, account, false)
}

fn share_one(
    dice: &mut Dice,
    scene: &Scene<'_>,
    image: &str,
    owner: &str,
    account: &str,
    add: bool,
) -> Draft {
    let which = if add { "AddAccount.1" } else { "RemoveAccount.1" };
    let region = scene.region(dice).to_owned();
    let params = [("ImageId", image), ("RegionId", &region), (which, account)];
    let intent = Intent::Share { image: image.to_owned(), account: account.to_owned(), add };
    scene.draft(dice, owner, (DESKTOPS, "ModifyImagePermission"), &params, intent)
}

fn create_bundle(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (image, owner) = scene.image(dice, PRODUCT, false)?;
    let (name, region) = (scene.name(), scene.region(dice).to_owned());
    let params = [
        ("BundleName", name.as_str()),
        ("DesktopType", "eds.enterprise_office.2c4g"),
        ("ImageId", &image),
        ("RegionId", &region),
        ("RootDiskSizeGib", "80"),
        ("UserDiskSizeGib.1", "40"),
    ];
    let intent = Intent::Create { table: BUNDLES, pointer: "/BundleId", name: name.clone() };
    Some(scene.draft(dice, &owner, (DESKTOPS, "CreateBundle"), &params, intent))
}

fn delete_bundles(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (bundle, owner) = scene.one(dice, "SELECT id, owner FROM bundles ORDER BY id", &[])?;
    let region = scene.ledger.column("SELECT region FROM bundles WHERE id = $1", &[&bundle]).pop()?;
    let intent = Intent::Remove { id: bundle.clone(), by_id: BUNDLES.by_id };
    let params = [("BundleId.1", bundle.as_str()), ("RegionId", &region)];
    Some(scene.draft(dice, &owner, (DESKTOPS, "DeleteBundles"), &params, intent))
}

fn list(dice: &mut Dice, scene: &Scene<'_>) -> Option<Draft> {
    let (owner, _) = *dice.pick(&super::ACCOUNTS)?;
    Some(scene.draft(dice, owner, (STREAMING, "ListImage"), &[("PageSize", "50")], Intent::List))
}

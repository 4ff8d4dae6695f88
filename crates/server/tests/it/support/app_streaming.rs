//! Things of App Streaming and ECD, and their rows.

use serde_json::Value;

use super::World;

/// The version of App Streaming on the wire.
pub const AS: &str = "2021-09-01";
/// The version of ECD on the wire.
pub const ECD: &str = "2020-09-30";
/// The version of our own API on the wire.
pub const OWN: &str = "2026-11-21";
/// The system image that every world has.
pub const SYSTEM_IMAGE: &str = "desktopimage-windows-server-2022-64-asp";
/// The region that everything is made in.
pub const HOME: &str = "cn-hangzhou";

type Owned = Vec<(&'static str, String)>;

fn owned<const N: usize>(params: [(&'static str, &str); N]) -> Owned {
    params.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

async fn must(world: &World, version: &str, action: &str, params: &Owned) -> Value {
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.owner.must(version, action, &params).await
}

fn text(body: &Value, pointer: &str) -> String {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {body}")).to_owned()
}

/// Parameters of a delivery group in debug mode.
pub fn group_params(image: &str) -> Owned {
    owned([
        ("AppCenterImageId", image),
        ("AppInstanceGroupName", "group"),
        ("BizRegionId", HOME),
        ("ChargeResourceMode", "Node"),
        ("ChargeType", "PostPaid"),
        ("NodePool", r#"{"NodeAmount":1,"NodeCapacity":2,"NodeInstanceType":"appstreaming.vgpu.4c8g.2g"}"#),
        ("Period", "1"),
        ("PeriodUnit", "Month"),
        ("ProductType", "CloudApp"),
        ("RuntimePolicy", r#"{"DebugMode":"ON"}"#),
        ("SessionTimeout", "15"),
    ])
}

/// A delivery group of the owner's.
pub async fn group(world: &World, image: &str) -> String {
    let body = must(world, AS, "CreateAppInstanceGroup", &group_params(image)).await;
    text(&body, "/AppInstanceGroupModel/AppInstanceGroupId")
}

/// A workstation of the owner's.
pub async fn workstation(world: &World, image: &str) -> String {
    let params = owned([("ImageId", image), ("BizRegionId", HOME), ("WuyingServerName", "desk")]);
    text(&must(world, AS, "CreateWuyingServer", &params).await, "/Data/WuyingServerIdList/0")
}

/// An image of the owner's that is available in one region and that nothing uses.
pub async fn image(world: &World) -> String {
    image_of(world, SYSTEM_IMAGE, &[]).await
}

/// The same with a tag.
pub async fn tagged_image(world: &World) -> String {
    image_of(world, SYSTEM_IMAGE, &[("TagList.1.Key", "env"), ("TagList.1.Value", "test")]).await
}

/// An image derived from another one.
pub async fn image_of(world: &World, parent: &str, more: &[(&'static str, &str)]) -> String {
    let workstation = workstation(world, parent).await;
    let mut params =
        owned([("InstanceId", &workstation), ("InstanceType", "WuyingServer"), ("ImageName", "studio")]);
    params.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let body = must(world, AS, "CreateImageByInstance", &params).await;
    must(world, AS, "DeleteWuyingServer", &vec![("WuyingServerId", workstation)]).await;
    world.drain().await;
    text(&body, "/Data/ImageId")
}

/// Parameters of a template.
pub fn template_params(image: &str) -> Owned {
    owned([
        ("TemplateName", "template"),
        ("ImageId", image),
        ("ProductType", "CloudDesktop"),
        ("SystemDiskSize", "80"),
        ("DataDiskList.1.Size", "40"),
        ("RegionConfigList.1.RegionId", HOME),
        ("RegionConfigList.1.ResourceInstanceType", "eds.enterprise_office.2c4g"),
        ("ResourceTagList.1.Key", "env"),
        ("ResourceTagList.1.Value", "test"),
        ("SiteConfigList.1.SiteId", "site-1"),
    ])
}

/// A template of the owner's.
pub async fn template(world: &World, image: &str) -> String {
    text(&must(world, ECD, "CreateTemplate", &template_params(image)).await, "/Data")
}

/// Parameters of a bundle.
pub fn bundle_params(image: &str) -> Owned {
    owned([
        ("BundleName", "bundle"),
        ("DesktopType", "eds.enterprise_office.2c4g"),
        ("ImageId", image),
        ("RegionId", HOME),
        ("RootDiskSizeGib", "80"),
        ("UserDiskSizeGib.1", "40"),
    ])
}

/// A bundle of the owner's.
pub async fn bundle(world: &World, image: &str) -> String {
    text(&must(world, ECD, "CreateBundle", &bundle_params(image)).await, "/BundleId")
}

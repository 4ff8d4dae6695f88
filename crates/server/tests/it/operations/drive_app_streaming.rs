//! The same for App Streaming, ECD and our own API. Each call gets things of its own.

use calotype::products::Operation;

use super::drive::Owned;
use crate::support::app_streaming::{self, AS, ECD, HOME, SYSTEM_IMAGE};
use crate::support::{OTHER, World};

/// Parameters with which a call of the operation succeeds, once.
pub async fn params(world: &World, operation: &Operation) -> Owned {
    match operation.api.name {
        "appstreaming" => app_streaming_params(world, operation.name).await,
        "ecd" => ecd_params(world, operation.name).await,
        _ => own_params(world, operation.name).await,
    }
}

async fn app_streaming_params(world: &World, operation: &str) -> Owned {
    let image = || ("ImageId", SYSTEM_IMAGE.to_owned());
    let cloud_app = || ("ProductType", "CloudApp".to_owned());
    let workstation = async || app_streaming::workstation(world, SYSTEM_IMAGE).await;
    let group = async || ("AppInstanceGroupId", app_streaming::group(world, SYSTEM_IMAGE).await);
    match operation {
        "CreateAppInstanceGroup" => app_streaming::group_params(SYSTEM_IMAGE),
        "CreateImageByInstance" => vec![
            ("InstanceId", workstation().await),
            ("InstanceType", "WuyingServer".to_owned()),
            ("ImageName", "made-of-it".to_owned()),
        ],
        "CreateImageFromAppInstanceGroup" => {
            vec![("AppCenterImageName", "made-of-it".to_owned()), group().await, cloud_app()]
        }
        "CreateWuyingServer" => vec![image(), ("BizRegionId", HOME.to_owned())],
        "DeleteAppInstanceGroup" | "GetAppInstanceGroup" => vec![group().await, cloud_app()],
        "DeleteAppInstances" => {
            vec![group().await, cloud_app(), ("AppInstanceIds.1", "ai-1".to_owned())]
        }
        "DeleteImage" => vec![("ImageId", app_streaming::image(world).await)],
        "DeleteWuyingServer" | "DescribeWuyingServer" => vec![("WuyingServerId", workstation().await)],
        "ListAppInstanceGroup" => {
            group().await;
            vec![cloud_app()]
        }
        "ListAppInstances" => vec![group().await],
        "ListImage" => vec![("ImageId", app_streaming::tagged_image(world).await)],
        "ListRegions" => vec![],
        "StartTaskForDistributeImage" => vec![
            ("ImageId", app_streaming::image(world).await),
            ("DestinationRegionList.1", "cn-beijing".to_owned()),
        ],
        "StartWuyingServer" => {
            let id = workstation().await;
            world.owner.must(AS, "StopWuyingServer", &[("WuyingServerIdList.1", &id)]).await;
            vec![("WuyingServerIdList.1", id)]
        }
        "ListWuyingServer" | "StopWuyingServer" => vec![("WuyingServerIdList.1", workstation().await)],
        "UpdateAppInstanceGroupImage" => {
            let target = ("AppCenterImageId", app_streaming::image(world).await);
            vec![target, group().await, cloud_app(), ("BizRegionId", HOME.to_owned())]
        }
        "UpdateWuyingServerImage" => {
            vec![("ImageId", app_streaming::image(world).await), ("WuyingServerId", workstation().await)]
        }
        other => panic!("say here with which parameters {other} succeeds"),
    }
}

async fn ecd_params(world: &World, operation: &str) -> Owned {
    let region = || ("RegionId", HOME.to_owned());
    let image = async || ("ImageId", app_streaming::image(world).await);
    match operation {
        "CopyImage" => vec![
            image().await,
            region(),
            ("DestinationRegionId", "cn-beijing".to_owned()),
            ("DestinationImageName", "copied".to_owned()),
        ],
        "CreateBundle" => app_streaming::bundle_params(SYSTEM_IMAGE),
        "CreateTemplate" => app_streaming::template_params(SYSTEM_IMAGE),
        "DeleteBundles" => vec![("BundleId.1", app_streaming::bundle(world, SYSTEM_IMAGE).await), region()],
        "DeleteImages" => vec![("ImageId.1", image().await.1), region()],
        "DeleteTemplates" | "DescribeTemplates" => {
            vec![("TemplateIds.1", app_streaming::template(world, SYSTEM_IMAGE).await)]
        }
        "DescribeBundles" => {
            app_streaming::bundle(world, SYSTEM_IMAGE).await;
            vec![region()]
        }
        "DescribeImagePermission" => {
            let (_, id) = image().await;
            let share = [("ImageId", id.as_str()), ("RegionId", HOME), ("AddAccount.1", OTHER)];
            world.owner.must(ECD, "ModifyImagePermission", &share).await;
            vec![("ImageId", id), region()]
        }
        "DescribeImages" => vec![region()],
        "ModifyImageAttribute" => vec![image().await, region(), ("Name", "renamed".to_owned())],
        "ModifyImagePermission" => vec![image().await, region(), ("AddAccount.1", OTHER.to_owned())],
        "ModifyTemplate" => vec![
            ("TemplateId", app_streaming::template(world, SYSTEM_IMAGE).await),
            ("TemplateName", "renamed".to_owned()),
        ],
        other => panic!("say here with which parameters {other} succeeds"),
    }
}

async fn own_params(world: &World, operation: &str) -> Owned {
    let image = app_streaming::image(world).await;
    let params = [("ImageId", image.as_str())];
    match operation {
        "WithdrawCommunityImage" => {
            world.owner.must(app_streaming::OWN, "PublishCommunityImage", &params).await;
        }
        "GetDeletion" | "ListDeletions" | "RestoreImage" => {
            world.owner.must(AS, "DeleteImage", &params).await;
        }
        _ => {}
    }
    if operation == "ListDeletions" { vec![] } else { vec![("ImageId", image)] }
}

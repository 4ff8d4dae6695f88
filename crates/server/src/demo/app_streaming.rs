//! The App Streaming half of the story, with the templates and shares of ECD.

use serde_json::Value;

use super::{BOB_ACCOUNT, DATA_BYTES, Outcome, Story, ensure, say, step, text};
use crate::products::{appstream, calotype, ecd};

const SYSTEM_IMAGE: &str = "desktopimage-windows-server-2022-64-asp";
const HOME: &str = "cn-hangzhou";
const REGIONS: [&str; 3] = [HOME, "cn-shanghai", "cn-beijing"];
const IN_USE: &str = "The image cannot be deleted, because shared cloud computers already exist.";
const SHARED: &str = "The shared image is not allowed to be deleted.";

impl Story {
    pub(super) async fn tell_app_streaming(&self) -> Outcome {
        self.wait_for_regions(SYSTEM_IMAGE, 1).await?;
        let image = self.make_image().await?;
        self.distribute(&image).await?;
        self.refuse_shares(&image).await?;
        self.refuse_uses(&image).await?;
        self.refuse_community_parent(&image).await?;
        self.delete_everywhere(&image).await
    }

    async fn make_image(&self) -> Outcome<String> {
        step("App Streaming: Alice has a workstation, and makes an image of it.");
        let workstation = self.workstation(SYSTEM_IMAGE).await?;
        let params =
            [("InstanceId", workstation.as_str()), ("InstanceType", "WuyingServer"), ("ImageName", "studio")];
        let answer = self.done(&self.alice, &appstream::API, "CreateImageByInstance", &params).await?;
        let image = text(&answer, "/Data/ImageId")?;
        let creating = "Failed to operation the image, it is creating.";
        let code = "InvalidImageOperation.ImageIsCreating";
        self.refused(&self.alice, &appstream::API, &image, code, creating).await?;
        self.wait_for_regions(&image, 1).await?;
        self.release_workstation(&workstation).await?;
        Ok(image)
    }

    async fn distribute(&self, image: &str) -> Outcome {
        step("She distributes it to three regions: the bytes are copied from store to store.");
        let params = [
            ("ImageId", image),
            ("DestinationRegionList.1", REGIONS[0]),
            ("DestinationRegionList.2", REGIONS[1]),
            ("DestinationRegionList.3", REGIONS[2]),
        ];
        self.done(&self.alice, &appstream::API, "StartTaskForDistributeImage", &params).await?;
        let creating = "Failed to operation the image, it is creating.";
        let code = "InvalidImageOperation.ImageIsCreating";
        self.refused(&self.alice, &appstream::API, image, code, creating).await?;
        self.wait_for_regions(image, REGIONS.len()).await?;
        self.show_bytes().await?;
        Ok(())
    }

    async fn refuse_shares(&self, image: &str) -> Outcome {
        step("She shares it with Bob. Neither can delete it, each for a reason of his own.");
        let share = [("ImageId", image), ("RegionId", HOME), ("AddAccount.1", BOB_ACCOUNT)];
        self.done(&self.alice, &ecd::API, "ModifyImagePermission", &share).await?;
        let to_bob = "ImageDeleteFailed.NotAllowSharedImage";
        self.refused(&self.bob, &appstream::API, image, to_bob, SHARED).await?;
        let by_alice = "ImageDeleteFailed.HasSharedImage";
        self.refused(&self.alice, &appstream::API, image, by_alice, SHARED).await?;
        let unshare = [("ImageId", image), ("RegionId", HOME), ("RemoveAccount.1", BOB_ACCOUNT)];
        self.done(&self.alice, &ecd::API, "ModifyImagePermission", &unshare).await?;
        Ok(())
    }

    async fn refuse_uses(&self, image: &str) -> Outcome {
        step("A delivery group runs it. Every reason against a delete can be asked for.");
        let group = [
            ("AppCenterImageId", image),
            ("BizRegionId", HOME),
            ("ProductType", "CloudApp"),
            ("ChargeResourceMode", "Node"),
            ("ChargeType", "PostPaid"),
            ("Period", "1"),
            ("PeriodUnit", "Month"),
            ("SessionTimeout", "15"),
        ];
        let answer = self.done(&self.alice, &appstream::API, "CreateAppInstanceGroup", &group).await?;
        let group = text(&answer, "/AppInstanceGroupModel/AppInstanceGroupId")?;
        self.refused(&self.alice, &appstream::API, image, "ImageNotAllowDelete", IN_USE).await?;
        let explain = [("ImageId", image)];
        let answer = self.done(&self.alice, &calotype::API, "ExplainDeleteImage", &explain).await?;
        let blocker = text(&answer, "/Refusals/0/Blockers/0/Id")?;
        ensure(blocker == group, "the explanation names the group")?;
        say(&format!("ExplainDeleteImage: {blocker}: {}", text(&answer, "/Refusals/0/Clear")?));
        let delete = [("AppInstanceGroupId", group.as_str()), ("ProductType", "CloudApp")];
        self.done(&self.alice, &appstream::API, "DeleteAppInstanceGroup", &delete).await?;
        Ok(())
    }

    async fn refuse_community_parent(&self, image: &str) -> Outcome {
        step("An image derived from it is published for everybody: its parent must stay.");
        let workstation = self.workstation(image).await?;
        let params = [
            ("InstanceId", workstation.as_str()),
            ("InstanceType", "WuyingServer"),
            ("ImageName", "for-all"),
        ];
        let answer = self.done(&self.alice, &appstream::API, "CreateImageByInstance", &params).await?;
        let child = text(&answer, "/Data/ImageId")?;
        self.wait_for_regions(&child, 1).await?;
        self.release_workstation(&workstation).await?;
        let publish = [("ImageId", child.as_str())];
        self.done(&self.alice, &calotype::API, "PublishCommunityImage", &publish).await?;
        let code = "ImageDeleteFailed.NotAllowCommunityParent";
        let message = "The parent image of a community image is not allowed to be deleted.";
        self.refused(&self.alice, &appstream::API, image, code, message).await?;
        let forbidden = "The image is not allowed to be deleted.";
        self.refused(&self.bob, &appstream::API, &child, "ImageDeleteFailed.NotAllow", forbidden).await?;
        self.done(&self.alice, &appstream::API, "DeleteImage", &publish).await?;
        Ok(())
    }

    async fn delete_everywhere(&self, image: &str) -> Outcome {
        step("A cloud-desktop template references it, which does not keep it. Before the delete:");
        let template =
            [("TemplateName", "studio-desktop"), ("ImageId", image), ("ProductType", "CloudDesktop")];
        self.done(&self.alice, &ecd::API, "CreateTemplate", &template).await?;
        self.wait_for_erasures(|objects| objects == REGIONS.len()).await?;
        self.show_bytes().await?;
        self.done(&self.alice, &appstream::API, "DeleteImage", &[("ImageId", image)]).await?;
        let answer = self.done(&self.alice, &ecd::API, "DescribeTemplates", &[("ImageId", image)]).await?;
        ensure(answer.body["TotalCount"] == 0, "the template went with the image")?;
        say("the template went with it");
        let missing = "The image does not exist.";
        self.refused(&self.alice, &appstream::API, image, "Image.NotExist", missing).await?;
        step("The workers erase the bytes in every region. After the delete:");
        self.wait_for_erasures(|objects| objects == 0).await?;
        self.show_bytes().await?;
        Ok(())
    }

    async fn workstation(&self, image: &str) -> Outcome<String> {
        let params = [("ImageId", image), ("BizRegionId", HOME), ("WuyingServerName", "desk")];
        let answer = self.done(&self.alice, &appstream::API, "CreateWuyingServer", &params).await?;
        text(&answer, "/Data/WuyingServerIdList/0")
    }

    async fn release_workstation(&self, id: &str) -> Outcome {
        self.done(&self.alice, &appstream::API, "DeleteWuyingServer", &[("WuyingServerId", id)]).await?;
        Ok(())
    }

    async fn wait_for_regions(&self, image: &str, regions: usize) -> Outcome {
        self.wait(&format!("image {image} is in {regions} regions"), async || {
            let answer = self.done(&self.alice, &appstream::API, "ListImage", &[("ImageId", image)]).await?;
            let found = answer.body.pointer("/Data/0/ImageRegionList").and_then(Value::as_array);
            Ok(found.is_some_and(|found| found.len() >= regions))
        })
        .await
    }

    /// Waits until the stores hold so many copies of Alice's images; the system's are one in each region.
    async fn wait_for_erasures(&self, is_so: impl Fn(usize) -> bool) -> Outcome {
        self.wait("the bytes are erased", async || {
            let mut copies = 0;
            for objects in self.app.places.regions.values() {
                copies += objects.measure().await?.1 / DATA_BYTES;
            }
            let system = self.app.places.regions.len();
            Ok(is_so(usize::try_from(copies)?.saturating_sub(system)))
        })
        .await
    }
}

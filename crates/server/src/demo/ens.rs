//! The ENS half of the story.

use serde_json::Value;

use super::{BOB_ACCOUNT, BUCKET, DATA_BYTES, DISK_BYTES, OBJECT, Outcome, Story, ensure, say, step, text};
use crate::client::Client;
use crate::products::ens::API;

const PUBLIC_IMAGE: &str = "centos_6_08_64_20G_alibase_20171208";

impl Story {
    pub(super) async fn tell_ens(&self) -> Outcome {
        self.wait_for_image(&self.alice, "DescribeImages", PUBLIC_IMAGE).await?;
        let image = self.import().await?;
        self.refuse_stranger(&image).await?;
        self.refuse_created_use(&image).await?;
        self.refuse_switched_use(&image).await?;
        self.delete(&image).await
    }

    async fn import(&self) -> Outcome<String> {
        step("A qcow2 file lies in a bucket, and Alice imports it.");
        say(&format!("{BUCKET}/{OBJECT}: {DATA_BYTES} bytes of data, a disk of {} GiB", DISK_BYTES >> 30));
        let answer = self
            .done(
                &self.alice,
                &API,
                "ImportImage",
                &[
                    ("ImageName", "golden-image"),
                    ("OSSBucket", BUCKET),
                    ("OSSObject", OBJECT),
                    ("ImageFormat", "qcow2"),
                    ("Architecture", "x86_64"),
                    ("ComputeType", "ens_vm"),
                    ("OSType", "linux"),
                    ("Platform", "centos"),
                    ("TargetOSSRegionId", "cn-beijing"),
                ],
            )
            .await?;
        let image = text(&answer, "/ImageId")?;
        let creating = "The current status of the image does not support this operation.";
        self.refused(&self.alice, &API, &image, "IncorrectStatus.Image", creating).await?;
        self.wait_for_image(&self.alice, "DescribeSelfImages", &image).await?;
        say(&format!("{image} is Available; its bytes were checked, copied and hashed"));
        let stored = self.show_bytes().await?;
        ensure(stored >= DATA_BYTES, "the stores hold the bytes of the image")?;
        Ok(image)
    }

    async fn refuse_stranger(&self, image: &str) -> Outcome {
        step("Bob does not see the image, so he cannot delete it.");
        self.refused(&self.bob, &API, image, "Error.DeleteImage", "The image is not exist.").await?;
        step("Alice shares it with Bob. Now he sees it, but it is not his to delete.");
        let share = [("ImageId", image), ("AddAccounts", BOB_ACCOUNT)];
        self.done(&self.alice, &API, "ModifyImageSharePermission", &share).await?;
        self.wait_for_image(&self.bob, "DescribeImages", image).await?;
        self.refused(&self.bob, &API, image, "NoPermission", "Permission denied.").await
    }

    async fn refuse_created_use(&self, image: &str) -> Outcome {
        step("Bob launches an instance from it. Alice's delete is refused as long as it lives.");
        let answer =
            self.done(&self.bob, &API, "RunInstances", &[("ImageId", image), ("Amount", "1")]).await?;
        let instance = text(&answer, "/InstanceIds/0")?;
        let used = "The image cannot be deleted when used by instance.";
        self.refused(&self.alice, &API, image, "Forbidden.DelerrorteImage", used).await?;
        self.done(&self.bob, &API, "StopInstance", &[("InstanceId", &instance)]).await?;
        say("a stopped instance still uses its image");
        self.refused(&self.alice, &API, image, "Forbidden.DelerrorteImage", used).await?;
        self.done(&self.bob, &API, "ReleasePostPaidInstance", &[("InstanceId", &instance)]).await?;
        Ok(())
    }

    async fn refuse_switched_use(&self, image: &str) -> Outcome {
        step("Alice switches an instance of another image to it: that is a use as well, with its own code.");
        let answer = self.done(&self.alice, &API, "RunInstances", &[("ImageId", PUBLIC_IMAGE)]).await?;
        let instance = text(&answer, "/InstanceIds/0")?;
        let switch = [("InstanceId", instance.as_str()), ("ImageId", image)];
        self.done(&self.alice, &API, "ReinitInstance", &switch).await?;
        let used = "The image cannot be deleted when used by instance.";
        self.refused(&self.alice, &API, image, "Error.DeleteImage", used).await?;
        self.done(&self.alice, &API, "ReleasePostPaidInstance", &[("InstanceId", &instance)]).await?;
        Ok(())
    }

    async fn delete(&self, image: &str) -> Outcome {
        step("Nothing uses the image any more. Before the delete:");
        let before = self.show_bytes().await?;
        self.done(&self.alice, &API, "DeleteImage", &[("ImageId", image)]).await?;
        let answer = self.done(&self.alice, &API, "DescribeSelfImages", &[("ImageId", image)]).await?;
        ensure(answer.body.pointer("/Images/Image") == Some(&Value::Array(Vec::new())), "the image is gone")?;
        self.refused(&self.alice, &API, image, "Error.DeleteImage", "The image is not exist.").await?;
        step("The workers erase its bytes. After the delete:");
        self.wait("the bytes are erased", async || Ok(self.bytes().await? + DATA_BYTES <= before)).await?;
        self.show_bytes().await?;
        Ok(())
    }

    async fn wait_for_image(&self, client: &Client, action: &str, image: &str) -> Outcome {
        self.wait(&format!("image {image} is available"), async || {
            let answer = self.done(client, &API, action, &[("ImageId", image)]).await?;
            let found = answer.body.pointer("/Images/Image/0");
            // DescribeImages lists available images only, and says no status.
            Ok(found.is_some_and(|found| found.get("Status").is_none_or(|status| status == "Available")))
        })
        .await
    }
}

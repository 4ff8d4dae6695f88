//! The demonstration: a real server, signed requests over HTTP, and one image from its file to its last
//! byte. Every step checks what it says.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use calotype_core::qcow2;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::app::App;
use crate::client::{Answer, Client};
use crate::clock::Clock;
use crate::config::{Config, Overrides};
use crate::products::ens::API;
use crate::{http, workers};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Two accounts: the one that makes the image, and the one that it is shared with.
const CONFIG: &str = r#"
[[account]]
id = "1000000000000001"
[[account.access_key]]
id = "alice"
secret = "alice-secret"

[[account]]
id = "1000000000000002"
[[account.access_key]]
id = "bob"
secret = "bob-secret"
"#;

const BOB_ACCOUNT: &str = "1000000000000002";
const BUCKET: &str = "golden";
const OBJECT: &str = "golden.qcow2";
const PUBLIC_IMAGE: &str = "centos_6_08_64_20G_alibase_20171208";

/// The data in the image, in clusters of 64 KiB, and the size of its disk.
const DATA_CLUSTERS: u64 = 128;
const DISK_BYTES: u64 = 20 << 30;

/// How long the server may take to finish something.
const PATIENCE: Duration = Duration::from_secs(20);

struct Story {
    app: Arc<App>,
    alice: Client,
    bob: Client,
}

/// Tells the story; fails at the first step that does not do what it says.
///
/// # Errors
/// What went wrong, in words for the reader.
pub async fn run() -> Outcome {
    let folder = tempfile::Builder::new().prefix("calotype-demo-").tempdir()?;
    std::fs::create_dir_all(folder.path().join("buckets").join(BUCKET))?;
    let config_file = folder.path().join("config.toml");
    std::fs::write(&config_file, CONFIG)?;
    let overrides = Overrides {
        config: Some(config_file),
        data: Some(folder.path().to_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
    };
    let config = Config::load(&overrides, |_| None)?;
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    let app = App::open(config, Clock::System).await?;
    let working = workers::start(&app);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = http::serve(Arc::clone(&app), listener, async {
        // Either word means the same: the story is over.
        let _ = stopped.await;
    });

    println!("A server is up on http://{address}; every request below is signed and goes over HTTP.");
    let story = Story {
        alice: Client::new(address, "alice", "alice-secret", Clock::System),
        bob: Client::new(address, "bob", "bob-secret", Clock::System),
        app,
    };
    let telling = async {
        let outcome = story.tell(folder.path()).await;
        drop(stop);
        outcome
    };
    let ((), outcome) = tokio::join!(serving, telling);
    drop(working);
    outcome
}

impl Story {
    async fn tell(&self, folder: &Path) -> Outcome {
        self.wait_for_image(&self.alice, "DescribeImages", PUBLIC_IMAGE).await?;
        let image = self.import(folder).await?;
        self.refuse_stranger(&image).await?;
        self.refuse_created_use(&image).await?;
        self.refuse_switched_use(&image).await?;
        self.delete(&image).await?;
        println!("\nThat is the whole story: one image, used, refused, freed and gone.");
        Ok(())
    }

    async fn import(&self, folder: &Path) -> Outcome<String> {
        step("A qcow2 file comes into a bucket, and Alice imports it.");
        let pattern: Vec<u8> = (0..=u8::MAX).cycle().take(qcow2::CLUSTER_BYTES).collect();
        let clusters: Vec<(u64, &[u8])> =
            (0..DATA_CLUSTERS).map(|guest| (guest, pattern.as_slice())).collect();
        let file = qcow2::with_data(DISK_BYTES, &clusters);
        std::fs::write(folder.join("buckets").join(BUCKET).join(OBJECT), &file)?;
        say(&format!("{BUCKET}/{OBJECT}: {} bytes, a disk of {} GiB", file.len(), DISK_BYTES >> 30));
        let answer = self
            .done(
                &self.alice,
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
        self.wait_for_image(&self.alice, "DescribeSelfImages", &image).await?;
        say(&format!("{image} is Available; its bytes were checked, copied and hashed"));
        let stored = self.show_bytes().await?;
        ensure(stored >= file.len() as u64, "the stores hold the bytes of the image")?;
        Ok(image)
    }

    async fn refuse_stranger(&self, image: &str) -> Outcome {
        step("Bob does not see the image, so he cannot delete it.");
        let delete = [("ImageId", image)];
        self.refused(&self.bob, "DeleteImage", &delete, "Error.DeleteImage", "The image is not exist.")
            .await?;
        step("Alice shares it with Bob. Now he sees it, but it is not his to delete.");
        let share = [("ImageId", image), ("AddAccounts", BOB_ACCOUNT)];
        self.done(&self.alice, "ModifyImageSharePermission", &share).await?;
        self.wait_for_image(&self.bob, "DescribeImages", image).await?;
        self.refused(&self.bob, "DeleteImage", &delete, "NoPermission", "Permission denied.").await
    }

    async fn refuse_created_use(&self, image: &str) -> Outcome {
        step("Bob launches an instance from it. Alice's delete is refused as long as it lives.");
        let delete = [("ImageId", image)];
        let answer = self.done(&self.bob, "RunInstances", &[("ImageId", image), ("Amount", "1")]).await?;
        let instance = text(&answer, "/InstanceIds/0")?;
        let used = "The image cannot be deleted when used by instance.";
        self.refused(&self.alice, "DeleteImage", &delete, "Forbidden.DelerrorteImage", used).await?;
        self.done(&self.bob, "StopInstance", &[("InstanceId", &instance)]).await?;
        say("a stopped instance still uses its image");
        self.refused(&self.alice, "DeleteImage", &delete, "Forbidden.DelerrorteImage", used).await?;
        self.done(&self.bob, "ReleasePostPaidInstance", &[("InstanceId", &instance)]).await?;
        Ok(())
    }

    async fn refuse_switched_use(&self, image: &str) -> Outcome {
        step("Alice switches an instance of another image to it: that is a use as well, with its own code.");
        let answer = self.done(&self.alice, "RunInstances", &[("ImageId", PUBLIC_IMAGE)]).await?;
        let instance = text(&answer, "/InstanceIds/0")?;
        let switch = [("InstanceId", instance.as_str()), ("ImageId", image)];
        self.done(&self.alice, "ReinitInstance", &switch).await?;
        let used = "The image cannot be deleted when used by instance.";
        self.refused(&self.alice, "DeleteImage", &[("ImageId", image)], "Error.DeleteImage", used).await?;
        self.done(&self.alice, "ReleasePostPaidInstance", &[("InstanceId", &instance)]).await?;
        Ok(())
    }

    async fn delete(&self, image: &str) -> Outcome {
        step("Nothing uses the image any more. Before the delete:");
        let before = self.show_bytes().await?;
        self.done(&self.alice, "DeleteImage", &[("ImageId", image)]).await?;
        let answer = self.done(&self.alice, "DescribeSelfImages", &[("ImageId", image)]).await?;
        ensure(answer.body.pointer("/Images/Image") == Some(&Value::Array(Vec::new())), "the image is gone")?;
        let delete = [("ImageId", image)];
        self.refused(&self.alice, "DeleteImage", &delete, "Error.DeleteImage", "The image is not exist.")
            .await?;
        let launch = [("ImageId", image)];
        let invalid = "The specified field ImageId invalid. Please check it again.";
        self.refused(&self.bob, "RunInstances", &launch, "InvalidParameter.ImageId", invalid).await?;
        step("The workers erase its bytes. After the delete:");
        let gone = DATA_CLUSTERS * qcow2::CLUSTER_BYTES as u64;
        self.wait("the bytes are erased", async || Ok(self.bytes().await? + gone <= before)).await?;
        self.show_bytes().await?;
        Ok(())
    }

    /// Calls an operation that must succeed.
    async fn done(&self, client: &Client, action: &str, params: &[(&str, &str)]) -> Outcome<Answer> {
        let answer = client.call(API.version, action, params).await?;
        if answer.status != 200 {
            return Err(format!("{action} should have been done, but: {}", answer.body).into());
        }
        if !action.starts_with("Describe") {
            say(&format!("{action}: 200"));
        }
        Ok(answer)
    }

    /// Calls an operation that must be refused with this code and message.
    async fn refused(
        &self,
        client: &Client,
        action: &str,
        params: &[(&str, &str)],
        code: &str,
        message: &str,
    ) -> Outcome {
        let answer = client.call(API.version, action, params).await?;
        let as_documented =
            answer.status == 400 && answer.code() == Some(code) && answer.body["Message"] == message;
        if !as_documented {
            return Err(format!("{action} should have been refused with {code}, but: {}", answer.body).into());
        }
        say(&format!("{action}: 400 {code}: {message}"));
        Ok(())
    }

    async fn wait_for_image(&self, client: &Client, action: &str, image: &str) -> Outcome {
        self.wait(&format!("image {image} is available"), async || {
            let answer = self.done(client, action, &[("ImageId", image)]).await?;
            let found = answer.body.pointer("/Images/Image/0");
            // DescribeImages lists available images only, and says no status.
            Ok(found.is_some_and(|found| found.get("Status").is_none_or(|status| status == "Available")))
        })
        .await
    }

    async fn wait(&self, what: &str, mut is_so: impl AsyncFnMut() -> Outcome<bool>) -> Outcome {
        let waiting = async {
            while !is_so().await? {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("not so after {PATIENCE:?}: {what}").into()),
        }
    }

    async fn bytes(&self) -> Outcome<u64> {
        let mut sum = 0;
        for objects in self.app.places.regions.values() {
            sum += objects.measure().await?.1;
        }
        Ok(sum)
    }

    async fn show_bytes(&self) -> Outcome<u64> {
        for (region, objects) in &self.app.places.regions {
            let (count, bytes) = objects.measure().await?;
            println!("    {region:16} {count:2} objects {bytes:10} bytes");
        }
        self.bytes().await
    }
}

fn step(text: &str) {
    println!("\n{text}");
}

fn say(text: &str) {
    println!("  {text}");
}

fn ensure(is_so: bool, what: &str) -> Outcome {
    if is_so { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

fn text(answer: &Answer, pointer: &str) -> Outcome<String> {
    let found = answer.body.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| format!("the answer has no {pointer}").into())
}

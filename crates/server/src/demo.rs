//! The demonstration: a real server, signed requests over HTTP, and images from a file to their last byte.
//! Every step checks what it says.

mod app_streaming;
mod ens;

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
use crate::products::Api;
use crate::{http, workers};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Two accounts: the one that makes the image, and the one that it is shared with.
const CONFIG: &str = r#"
[timing]
image = "300ms"

[[public_image]]
id = "centos_6_08_64_20G_alibase_20171208"
api = "ens"

[[public_image]]
id = "desktopimage-windows-server-2022-64-asp"
api = "appstreaming"
source = "golden/golden.qcow2"

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

/// The data in the image, in clusters of 64 KiB, and the size of its disk.
const DATA_CLUSTERS: u64 = 128;
const DISK_BYTES: u64 = 20 << 30;

/// The bytes of the data alone, which every copy of the image has at least.
const DATA_BYTES: u64 = DATA_CLUSTERS * qcow2::CLUSTER_BYTES as u64;

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
    write_image(folder.path())?;
    let config_file = folder.path().join("config.toml");
    std::fs::write(&config_file, CONFIG)?;
    let overrides = Overrides {
        config: Some(config_file),
        data: Some(folder.path().to_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
        ..Overrides::default()
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
        let outcome = story.tell().await;
        drop(stop);
        outcome
    };
    let ((), outcome) = tokio::join!(serving, telling);
    drop(working);
    outcome
}

/// Puts a qcow2 file with a pattern on its disk into the bucket.
fn write_image(folder: &Path) -> Outcome {
    let bucket = folder.join("buckets").join(BUCKET);
    std::fs::create_dir_all(&bucket)?;
    let pattern: Vec<u8> = (0..=u8::MAX).cycle().take(qcow2::CLUSTER_BYTES).collect();
    let clusters: Vec<(u64, &[u8])> = (0..DATA_CLUSTERS).map(|guest| (guest, pattern.as_slice())).collect();
    std::fs::write(bucket.join(OBJECT), qcow2::with_data(DISK_BYTES, &clusters))?;
    Ok(())
}

impl Story {
    async fn tell(&self) -> Outcome {
        self.tell_ens().await?;
        self.tell_app_streaming().await?;
        println!("\nThat is the whole story: images used, refused, freed and gone.");
        Ok(())
    }

    /// Calls an operation that must succeed.
    async fn done(
        &self,
        client: &Client,
        api: &Api,
        action: &str,
        params: &[(&str, &str)],
    ) -> Outcome<Answer> {
        let answer = client.call(api.version, action, params).await?;
        if answer.status != 200 {
            return Err(format!("{action} should have been done, but: {}", answer.body).into());
        }
        if !["Describe", "List", "Explain"].iter().any(|read| action.starts_with(read)) {
            say(&format!("{action}: 200"));
        }
        Ok(answer)
    }

    /// Deletes an image, which must be refused with this code and message.
    async fn refused(&self, client: &Client, api: &Api, image: &str, code: &str, message: &str) -> Outcome {
        let action = "DeleteImage";
        let answer = client.call(api.version, action, &[("ImageId", image)]).await?;
        let as_documented =
            answer.status == 400 && answer.code() == Some(code) && answer.body["Message"] == message;
        if !as_documented {
            return Err(format!("{action} should have been refused with {code}, but: {}", answer.body).into());
        }
        say(&format!("{action}: 400 {code}: {message}"));
        Ok(())
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

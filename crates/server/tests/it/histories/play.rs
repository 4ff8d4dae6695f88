//! Images, and clients that call about them at random.

use std::sync::Arc;
use std::time::Duration;

use calotype::client::Client;
use calotype_core::image::Product;
use serde_json::Value;
use tokio::task::JoinSet;

use super::history::{Line, Stage};
use super::process::Process;
use super::spec::{By, Call, Op, Ret};
use super::wire;
use crate::support::app_streaming::{AS, HOME, SYSTEM_IMAGE};
use crate::support::{ENS, import_params};

/// Clients of each account that call about one image.
const CLIENTS_OF_EACH: usize = 2;

/// Calls of each client about one image, at most: a history is searched in the number of its orders.
const CALLS: usize = 4;

/// Chance from a seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The chance of this seed and this place, which has nothing to do with that of another place.
    pub fn new(seed: u64, place: usize) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (place as u64).wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// A number below `end`, by splitmix64.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}

/// Makes images that are there to be called about, half of them of each product.
pub async fn images(process: &Process, object: &str, count: usize) -> Vec<Arc<Stage>> {
    let owner = process.client(By::Owner);
    let mut stages = Vec::new();
    let workstation = workstation(&owner).await;
    for number in 0..count {
        if number % 2 == 0 {
            let image = must(&owner, ENS, "ImportImage", &import_params(object)).await;
            stages.push((Product::Ens, text(&image["ImageId"])));
        } else {
            let params = [
                ("InstanceId", workstation.as_str()),
                ("InstanceType", "WuyingServer"),
                ("ImageName", "studio"),
            ];
            let image = must(&owner, AS, "CreateImageByInstance", &params).await;
            stages.push((Product::AppStreaming, text(&image["Data"]["ImageId"])));
        }
    }
    for (product, image) in &stages {
        until_available(&owner, *product, image).await;
    }
    stages.into_iter().map(|(product, image)| Arc::new(Stage::new(product, image))).collect()
}

async fn workstation(owner: &Client) -> String {
    let params = [("ImageId", SYSTEM_IMAGE), ("BizRegionId", HOME), ("WuyingServerName", "desk")];
    for _ in 0..LOOKS_MAX {
        // Its image is made when the server begins.
        let answer = owner.call(AS, "CreateWuyingServer", &params).await.unwrap();
        if answer.status == 200 {
            return text(&answer.body["Data"]["WuyingServerIdList"][0]);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("there is never a workstation");
}

async fn until_available(owner: &Client, product: Product, image: &str) {
    for _ in 0..LOOKS_MAX {
        let status = match product {
            Product::Ens => {
                let body = must(owner, ENS, "DescribeSelfImages", &[("ImageId", image)]).await;
                body["Images"]["Image"][0]["Status"].clone()
            }
            Product::AppStreaming => {
                must(owner, AS, "ListImage", &[("ImageId", image)]).await["Data"][0]["Status"].clone()
            }
        };
        match status.as_str() {
            Some("Available" | "AVAILABLE") => return,
            Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            None => panic!("the image {image} is not there"),
        }
    }
    panic!("the image {image} is never available");
}

async fn must(client: &Client, version: &str, action: &str, params: &[(&str, &str)]) -> Value {
    let answer = client.call(version, action, params).await.unwrap();
    assert_eq!(answer.status, 200, "{action} {params:?}: {}", answer.body);
    answer.body
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// How often a thing that is being made is looked at, and how long is waited in between.
const LOOKS_MAX: usize = 4_000;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whether calls may stay without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The process lives: every call has its answer.
    Answered,
    /// The process may be killed: a client whose call has no answer stops.
    Killed,
}

/// Lets clients call about an image until each has done so often enough.
pub fn play(process: &Process, stage: &Arc<Stage>, life: u32, ending: Ending, seed: u64) -> JoinSet<()> {
    let mut playing = JoinSet::new();
    for place in 0..2 * CLIENTS_OF_EACH {
        let by = if place % 2 == 0 { By::Owner } else { By::Other };
        let (client, stage) = (process.client(by), Arc::clone(stage));
        // Whoever had no answer calls again as somebody else: the open call stays open.
        let line = place + 100 * life as usize;
        let mut chance = Chance::new(seed, line);
        playing.spawn(async move {
            for _ in 0..CALLS {
                let call = Call { by, op: choose(&stage, by, &mut chance), life };
                if ask(&client, &stage, line, call).await.is_none() {
                    assert_eq!(ending, Ending::Killed, "{call:?} has no answer");
                    return;
                }
            }
        });
    }
    playing
}

/// Makes one call; nothing if it has no answer.
pub async fn ask(client: &Client, stage: &Stage, line: Line, call: Call) -> Option<Ret> {
    let id = match call.op {
        Op::EndUse(token) | Op::EndTemplate(token) => stage.id(token),
        Op::Delete
        | Op::Use(_)
        | Op::Share
        | Op::Unshare
        | Op::Template(_)
        | Op::See
        | Op::Uses
        | Op::Templates
        | Op::Restart => String::new(),
    };
    let words = wire::words(stage.product, &stage.image, call.op, &id);
    stage.asked(line, call);
    let answer = wire::call(client, &words).await.ok()?;
    let (ret, made) = wire::understand(stage.product, call.op, &answer);
    stage.answered(line, call, ret.clone(), made);
    Some(ret)
}

/// What is asked next. Deletes are rare enough for something to stand in their way.
fn choose(stage: &Stage, by: By, chance: &mut Chance) -> Op {
    let templates = stage.product == Product::AppStreaming;
    match chance.below(100) {
        0..=19 => Op::Delete,
        20..=39 => Op::Use(stage.token()),
        40..=54 => match stage.made_by(by) {
            made if made.is_empty() => Op::See,
            made => {
                let (token, id) = &made[chance.below(made.len())];
                if id.starts_with("b-") { Op::EndTemplate(*token) } else { Op::EndUse(*token) }
            }
        },
        55..=66 => Op::Share,
        67..=78 => Op::Unshare,
        79..=86 => Op::See,
        87..=92 if templates => Op::Template(stage.token()),
        93..=95 if templates => Op::Templates,
        _ => Op::Uses,
    }
}

//! Holds: images, versions in regions, exports and instances kept in a state of transition until they are let go.

use std::collections::BTreeMap;
use std::sync::Mutex;

use calotype_core::ids::{ImageId, InstanceId};
use calotype_core::image::{Product, Stage};
use calotype_core::instance::Transition;
use calotype_core::reinit_instance;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};
use calotype_store::db::{Lock, Tx};
use calotype_store::holds::{self as held, HELD_UNTIL, Which};
use calotype_store::{images, instances, usages};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::routes::{Asked, Outcome, Problem, no_such_method};
use super::{clock, lock};
use crate::app::App;

/// Holds at once, at most.
const HOLDS_MAX: usize = 10_000;

/// Why something fails that was held.
const REASON: &str = "the lab has let it fail";

/// A hold as it is asked for and listed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    #[serde(skip_deserializing)]
    id: u64,
    /// The image; beside an instance, the one it is being switched to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    /// The region, if only the bytes there are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
    /// The version, if only its bytes are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// The image whose export is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) export: Option<String>,
    /// The instance, group or workstation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<String>,
    /// The state, as a vendor's API shows it.
    pub(super) state: String,
}

/// What is held, and in which state.
#[derive(Clone, Debug)]
enum Held {
    Image(ImageId, Stage, bool),
    Replicas(ImageId, bool),
    Export(ImageId),
    Power(InstanceId, Transition),
    Reinit(InstanceId, Option<ImageId>),
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Release,
    Fail,
}

/// The holds there are.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    holds: BTreeMap<u64, (Hold, Held)>,
}

impl Hold {
    /// An image that is held.
    pub(super) fn of_image(image: &ImageId, state: &str) -> Self {
        Self { image: Some(image.to_string()), ..Self::named(state) }
    }

    /// Whatever runs images, held.
    pub(super) fn of_instance(instance: &str, state: &str) -> Self {
        Self { instance: Some(instance.to_owned()), ..Self::named(state) }
    }

    fn named(state: &str) -> Self {
        let state = state.to_owned();
        Self { id: 0, image: None, region: None, version: None, export: None, instance: None, state }
    }

    fn which(&self) -> Which<'_> {
        Which { region: self.region.as_deref(), version: self.version.as_deref() }
    }

    /// What this says, if it says one thing.
    fn held(&self) -> Result<Held, Problem> {
        let state = self.state.to_ascii_lowercase();
        let image = |id: &String| ImageId::trusted(id.clone());
        let is_part = self.region.is_some() || self.version.is_some();
        let unknown = || Problem::bad(format!("{} is no state of transition of that", self.state));
        match (&self.image, &self.export, &self.instance) {
            (Some(id), None, None) if self.region.is_some() => match state.as_str() {
                "init" => Ok(Held::Replicas(image(id), false)),
                "creating" => Ok(Held::Replicas(image(id), true)),
                _ => Err(unknown()),
            },
            (Some(id), None, None) if !is_part => {
                let stage = match state.as_str() {
                    "init" | "creating" => Stage::Creating,
                    "packing" => Stage::Packing,
                    "uploading" => Stage::Uploading,
                    "copying" => Stage::Copying,
                    _ => return Err(unknown()),
                };
                Ok(Held::Image(image(id), stage, state != "init"))
            }
            (None, Some(id), None) if !is_part && state == "exporting" => Ok(Held::Export(image(id))),
            (target, None, Some(id)) if !is_part => {
                let id = InstanceId::trusted(id.clone());
                let transition = match state.as_str() {
                    "pending" | "deploying" => Transition::Pending,
                    "starting" => Transition::Starting,
                    "stopping" => Transition::Stopping,
                    "reiniting" | "updating" | "maintaining" => {
                        return Ok(Held::Reinit(id, target.as_ref().map(image)));
                    }
                    _ => return Err(unknown()),
                };
                if target.is_some() {
                    return Err(Problem::bad(
                        "an image belongs to the state ReIniting, UPDATING or MAINTAINING",
                    ));
                }
                Ok(Held::Power(id, transition))
            }
            (None, Some(_), None) => Err(unknown()),
            _ => Err(Problem::bad(
                "a hold has an image, perhaps with a region and a version, or an export, or an instance",
            )),
        }
    }
}

impl Holds {
    pub(super) fn len(&self) -> usize {
        lock(&self.0).holds.len()
    }

    pub(super) async fn answer(&self, app: &App, asked: &Asked<'_>, path: &[&str]) -> Outcome {
        match (asked.method, path) {
            ("GET", []) => {
                let holds: Vec<Hold> = lock(&self.0).holds.values().map(|(hold, _)| hold.clone()).collect();
                Ok(json!(holds))
            }
            ("POST", []) => Ok(json!(self.hold(app, asked.read()?).await?)),
            ("DELETE", [id]) | ("POST", [id, "release"]) => self.end(app, id, End::Release).await,
            ("POST", [id, "fail"]) => self.end(app, id, End::Fail).await,
            ("DELETE", []) => Ok(json!({ "released": self.release_all(app).await? })),
            _ => Err(no_such_method()),
        }
    }

    /// Holds something, and gives the hold as it will be listed.
    pub(super) async fn hold(&self, app: &App, mut hold: Hold) -> Result<Hold, Problem> {
        let what = hold.held()?;
        if self.len() >= HOLDS_MAX {
            return Err(Problem::full(format!("{HOLDS_MAX} things are held")));
        }
        let mut tx = app.db.begin().await?;
        match &what {
            Held::Image(id, stage, begun) => held::hold_image(&mut tx, id, *stage, *begun).await?,
            Held::Replicas(id, begun) => held::hold_replicas(&mut tx, id, hold.which(), *begun).await?,
            Held::Export(id) => held::hold_export(&mut tx, id).await?,
            Held::Power(id, transition) => held::hold_power(&mut tx, id, *transition).await?,
            Held::Reinit(id, target) => hold_reinit(app, &mut tx, id, target.as_ref()).await?,
        }
        tx.commit().await?;
        let mut state = lock(&self.0);
        state.last_id += 1;
        hold.id = state.last_id;
        state.holds.insert(hold.id, (hold.clone(), what));
        Ok(hold)
    }

    async fn end(&self, app: &App, id: &str, end: End) -> Outcome {
        let id: u64 = id.parse().map_err(|_| Problem::none("hold"))?;
        let found = lock(&self.0).holds.get(&id).cloned();
        let (hold, what) = found.ok_or_else(|| Problem::none("hold"))?;
        if let (Held::Power(_, Transition::Pending), End::Fail) = (&what, end) {
            return Err(Problem::not_now("no API documents a launch that fails afterwards"));
        }
        let now = app.clock.now();
        let which = hold.which();
        let mut tx = app.db.begin().await?;
        match (&what, end) {
            (Held::Image(id, ..) | Held::Replicas(id, _), End::Release) => {
                held::release_image(&mut tx, id, which, now).await?;
            }
            (Held::Image(id, ..) | Held::Replicas(id, _), End::Fail) => {
                held::fail_image(&mut tx, id, which, REASON).await?;
            }
            (Held::Export(id), End::Release) => held::end_export(&mut tx, id, None, now).await?,
            (Held::Export(id), End::Fail) => held::end_export(&mut tx, id, Some(REASON), now).await?,
            (Held::Power(id, _) | Held::Reinit(id, _), End::Release) => {
                held::release_instance(&mut tx, id, now).await?;
            }
            (Held::Power(id, _) | Held::Reinit(id, _), End::Fail) => {
                held::fail_instance(&mut tx, id, now).await?;
            }
        }
        tx.commit().await?;
        lock(&self.0).holds.remove(&id);
        clock::ring(app);
        Ok(json!(hold))
    }

    /// Forgets holds of what is gone.
    pub(super) async fn forget_gone(&self, app: &App) -> Result<(), Problem> {
        let all: Vec<(u64, Held)> =
            lock(&self.0).holds.iter().map(|(id, (_, what))| (*id, what.clone())).collect();
        let mut tx = app.db.read().await?;
        for (id, what) in all {
            let is_there = match &what {
                Held::Image(image, ..) | Held::Replicas(image, _) | Held::Export(image) => {
                    held::is_live(&mut tx, image).await?
                }
                Held::Power(instance, _) | Held::Reinit(instance, _) => {
                    held::consumer(&mut tx, instance).await?.is_some()
                }
            };
            if !is_there {
                lock(&self.0).holds.remove(&id);
            }
        }
        Ok(())
    }

    /// Lets everything go; gives how much that was.
    pub(super) async fn release_all(&self, app: &App) -> Result<usize, Problem> {
        let ids: Vec<u64> = lock(&self.0).holds.keys().copied().collect();
        for id in &ids {
            self.end(app, &id.to_string(), End::Release).await?;
        }
        Ok(ids.len())
    }
}

/// Holds an instance in being switched, which begins now if there is an image to switch it to.
async fn hold_reinit(
    app: &App,
    tx: &mut Tx,
    id: &InstanceId,
    target: Option<&ImageId>,
) -> Result<(), Problem> {
    let Some(target) = target else { return Ok(held::hold_reinit(tx, id).await?) };
    let now = app.clock.now();
    let found = held::consumer(tx, id).await?;
    let (kind, owner) = found.ok_or_else(|| Problem::none("instance"))?;
    images::lock(tx, target, Lock::Shared);
    let instance = instances::load(tx, kind, id, &owner).await?;
    let product = match kind {
        ConsumerKind::Instance => Product::Ens,
        ConsumerKind::DeliveryGroup | ConsumerKind::Workstation => Product::AppStreaming,
    };
    let view = tx.ask(images::load(product, target, &owner)).await?;
    let image = reinit_instance::decide(instance.as_ref(), view.as_ref(), now)
        .map_err(|refusal| Problem::not_now(refusal.to_string()))?;
    let usage = Usage {
        image: image.clone(),
        consumer_kind: kind,
        consumer: id.to_string(),
        consumer_owner: owner,
        origin: UsageOrigin::Switched,
        in_progress: true,
        since: now,
    };
    instances::begin_reinit(tx, id, &image, HELD_UNTIL).await?;
    usages::begin_switch(tx, &usage).await?;
    Ok(())
}

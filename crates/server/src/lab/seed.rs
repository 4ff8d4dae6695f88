//! Seeds: what a world has from the beginning, as somebody has written it down.
//!
//! Images are made as system images are; everything else is asked for by the operations themselves, so that nothing
//! comes about that could not.

mod calls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use calotype_core::ids::{AccountId, ImageId, RegionId, ReplicaId, VersionId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product, Stage};
use calotype_core::qcow2;
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::time::Timestamp;
use calotype_store::db::Tx;
use calotype_store::versions::Version;
use calotype_store::{images, replicas, shares, versions};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::holds::Hold;
use super::routes::{Outcome, Problem};
use super::{Lab, clock};
use crate::app::App;
use crate::config::AccessKeyEntry;
use crate::wire::encode;
use calls::makers;

/// Things in one seed, at most.
const THINGS_MAX: usize = 1_000;

/// The bucket that the bytes of seeds are read from.
const BUCKET: &str = "lab-seeds";

/// The largest disk of an image, in GiB.
const SIZE_GIB_MAX: u64 = 1_024;

/// How long images may take to be made.
const MAKING_TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A seed as it is written down. Things have names, by which others refer to them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Seed {
    images: Vec<SeedImage>,
    instances: Vec<Thing>,
    groups: Vec<Thing>,
    workstations: Vec<Thing>,
    templates: Vec<Thing>,
    bundles: Vec<Thing>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedImage {
    name: String,
    /// `ens` or `appstreaming`.
    #[serde(default = "ens")]
    api: String,
    /// Where its bytes are; the default region, if none is named. Images of ENS are in one.
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default = "two")]
    size_gib: u64,
    /// What its disk begins with.
    #[serde(default)]
    content: String,
    /// The name or id of the image it was derived from.
    #[serde(default)]
    parent: Option<String>,
    /// Whether everybody sees it, as a community image.
    #[serde(default)]
    published: bool,
    #[serde(default)]
    shared_with: Vec<String>,
    /// The state it is held in.
    #[serde(default)]
    state: Option<String>,
}

/// Something that uses or references an image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    /// The name or id of its image.
    image: String,
    /// Parameters of the operation that makes it, besides its name and its image.
    #[serde(default)]
    params: Map<String, Value>,
    /// The state it is held in.
    #[serde(default)]
    state: Option<String>,
}

fn ens() -> String {
    "ens".to_owned()
}

fn two() -> u64 {
    2
}

/// What is known while a seed is planted.
struct Planting<'a> {
    app: &'a App,
    lab: &'a Lab,
    account: &'a AccountId,
    key: AccessKeyEntry,
    ids: BTreeMap<String, String>,
}

/// Makes what a seed says, in the order of its kinds; gives the id of each thing by its name.
pub(super) async fn plant(app: &Arc<App>, lab: &Lab, account: &AccountId, seed: Seed) -> Outcome {
    let makers = makers(app);
    let [instance, group, workstation, template, bundle] = &makers;
    let kinds = [
        (instance, &seed.instances),
        (group, &seed.groups),
        (workstation, &seed.workstations),
        (template, &seed.templates),
        (bundle, &seed.bundles),
    ];
    let count = seed.images.len() + kinds.iter().map(|(_, things)| things.len()).sum::<usize>();
    if count > THINGS_MAX {
        return Err(Problem::full(format!("a seed has {THINGS_MAX} things at most")));
    }
    let key = lab.worlds.key(account).ok_or_else(|| Problem::none("world"))?;
    let mut planting = Planting { app, lab, account, key, ids: BTreeMap::new() };
    planting.images(&seed.images).await?;
    for (maker, things) in kinds {
        for thing in things {
            planting.thing(maker, thing).await?;
        }
    }
    for image in &seed.images {
        if let Some(state) = &image.state {
            let id = ImageId::trusted(planting.id(&image.name));
            lab.holds.hold(app, Hold::of_image(&id, state)).await?;
        }
    }
    Ok(json!(planting.ids))
}

impl Planting<'_> {
    /// The id of what has this name here, or the text itself.
    fn id(&self, name: &str) -> String {
        self.ids.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn named(&mut self, name: &str, id: String) -> Result<(), Problem> {
        match self.ids.insert(name.to_owned(), id) {
            None => Ok(()),
            Some(_) => Err(Problem::bad(format!("two things are called {name}"))),
        }
    }

    /// Makes the images, and waits until their bytes are there.
    async fn images(&mut self, seeds: &[SeedImage]) -> Result<(), Problem> {
        if seeds.is_empty() {
            return Ok(());
        }
        let now = self.app.clock.now();
        let mut made = Vec::with_capacity(seeds.len());
        let mut tx = self.app.db.begin().await?;
        for seed in seeds {
            let image = self.image(seed, now)?;
            let object = self.put(seed)?;
            insert(self.app, &mut tx, seed, &image, &object, now).await?;
            made.push(image.id.to_string());
            self.named(&seed.name, image.id.to_string())?;
        }
        tx.commit().await?;
        clock::ring(self.app);
        let made = async {
            for id in &made {
                while !is_made(self.app, self.account, id).await? {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            Ok(())
        };
        let late = |_| Problem::not_now("the images were not made in time; is a region away?");
        tokio::time::timeout(MAKING_TIMEOUT, made).await.map_err(late)?
    }

    fn image(&self, seed: &SeedImage, now: Timestamp) -> Result<Image, Problem> {
        let bad = |text: &str| Problem::bad(format!("image {}: {text}", seed.name));
        let product = match seed.api.as_str() {
            "ens" if seed.regions.len() > 1 => return Err(bad("images of ens are in one region")),
            "ens" => Product::Ens,
            "appstreaming" => Product::AppStreaming,
            _ => return Err(bad("api is ens or appstreaming")),
        };
        if seed.size_gib == 0 || seed.size_gib > SIZE_GIB_MAX {
            return Err(bad(&format!("size_gib is from 1 to {SIZE_GIB_MAX}")));
        }
        if let Some(region) = seed.regions.iter().find(|region| !self.has_region(region)) {
            return Err(bad(&format!("there is no region {region}")));
        }
        let chance = self.app.chance.id();
        let (id, platform, os_type, product_type) = match product {
            Product::Ens => (ImageId::fresh_ens(now, chance), "centos", "linux", ""),
            Product::AppStreaming => {
                let types = "CloudDesktop,CloudApp,WuyingServer";
                (ImageId::fresh_app_streaming(now, chance), "Ubuntu", "Linux", types)
            }
        };
        let region = seed.regions.first().map(RegionId::trusted);
        Ok(Image {
            id,
            product,
            owner: self.account.clone(),
            kind: ImageKind::Custom,
            state: ImageState::Making(Stage::Creating),
            name: seed.name.clone(),
            labels: ImageLabels {
                architecture: "x86_64".to_owned(),
                compute_type: "ens_vm".to_owned(),
                platform: platform.to_owned(),
                os_type: os_type.to_owned(),
                product_type: product_type.to_owned(),
                ..ImageLabels::default()
            },
            region: region.unwrap_or_else(|| self.app.default_region.clone()),
            virtual_size_bytes: None,
            stored_size_bytes: None,
            source_instance: None,
            source_snapshot: None,
            parent: seed.parent.as_deref().map(|parent| ImageId::trusted(self.id(parent))),
            base: None,
            published: seed.published.then_some(now),
            created: now,
            modified: now,
        })
    }

    fn has_region(&self, region: &str) -> bool {
        self.app.places.regions.contains_key(&RegionId::trusted(region))
    }

    /// Puts the bytes of an image where it is read from, and gives their key.
    fn put(&self, seed: &SeedImage) -> Result<String, Problem> {
        let bytes = qcow2::with_data(seed.size_gib << 30, &[(0, seed.content.as_bytes())]);
        let root = self.app.places.bucket_root.as_ref();
        let folder = root.ok_or_else(|| Problem::not_now("there is no folder of buckets"))?.join(BUCKET);
        let key = format!("{}.qcow2", encode::hex(&self.app.chance.bytes::<16>()));
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(&key), bytes)).map_err(
            |error| Problem::new(500, format!("the bytes of an image cannot be written: {error}")),
        )?;
        Ok(key)
    }
}

async fn insert(
    app: &App,
    tx: &mut Tx,
    seed: &SeedImage,
    image: &Image,
    object: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    images::insert(tx, image).await?;
    let version = (image.product == Product::AppStreaming)
        .then(|| Version { id: VersionId::fresh(now, app.chance.id()), name: "v1.0.0".to_owned() });
    if let Some(version) = &version {
        versions::insert(tx, &image.id, version, now).await?;
    }
    let named = seed.regions.iter().map(RegionId::trusted);
    let regions: Vec<RegionId> =
        if seed.regions.is_empty() { vec![image.region.clone()] } else { named.collect() };
    for region in regions {
        let replica = NewReplica {
            id: ReplicaId::fresh(now, app.chance.id()),
            holder: Holder::Image(image.id.clone()),
            version: version.as_ref().map(|version| version.id.clone()),
            region,
            source: Source::Bucket { bucket: BUCKET.to_owned(), object: object.to_owned() },
        };
        replicas::insert(tx, &replica, now).await?;
    }
    for account in &seed.shared_with {
        shares::add(tx, &image.id, &AccountId::trusted(account), now).await?;
    }
    Ok(())
}

/// Whether the bytes of an image are everywhere that they shall be.
async fn is_made(app: &App, account: &AccountId, id: &str) -> Result<bool, Problem> {
    let id = ImageId::trusted(id);
    let mut tx = app.db.read().await?;
    let entries = tx.ask(replicas::of_image(&id)).await?;
    if entries.iter().any(|entry| entry.state.is_making()) {
        return Ok(false);
    }
    for product in [Product::Ens, Product::AppStreaming] {
        if let Some(view) = tx.ask(images::load(product, &id, account)).await? {
            return match view.image.state {
                ImageState::Available => Ok(true),
                ImageState::Making(_) => Ok(false),
                ImageState::Failed { reason, .. } => Err(Problem::not_now(reason)),
                ImageState::Unavailable => Err(Problem::not_now("an image is unavailable")),
            };
        }
    }
    Err(Problem::none("image"))
}

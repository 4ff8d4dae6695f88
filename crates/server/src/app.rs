//! What every request and every worker share, and how it comes up.

mod credentials;
mod ground;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use calotype_core::ids::{AccountId, ImageId, RegionId, ReplicaId, VersionId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product, Stage};
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::time::Timestamp;
use calotype_store::db::{CommitMode, Db, Options, StoreError, Tx};
use calotype_store::objects::{ObjectError, Places};
use calotype_store::seam::MaybeSeam;
use calotype_store::stores::{self, ClaimError};
use calotype_store::versions::Version;
use calotype_store::{exports, images, nonces, replicas, versions};
use tokio::sync::Notify;

use crate::clock::{Chance, Clock};
use crate::config::{Config, ConfigError, EnsRegion, PublicImage, Settings};
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use crate::throttle::Throttle;
use crate::wire::encode::hex;
use crate::wire::nonces::{NONCES_MAX, Nonces};
use crate::wire::request::CLOCK_WINDOW_MS;
use credentials::default_identity;
use ground::{places, work_regions};

pub use credentials::CREDENTIALS_FILE;
pub use ground::{Command, hold, take_folder};

/// Everything that a server process holds.
#[derive(Debug)]
pub struct App {
    /// The metadata.
    pub db: Db,
    /// The stores of bytes.
    pub places: Places,
    /// What operations go by.
    pub settings: Settings,
    /// The edge nodes.
    pub ens_regions: Vec<EnsRegion>,
    /// The region for bytes that nobody chose one for.
    pub default_region: RegionId,
    /// The time.
    pub clock: Clock,
    /// Chance.
    pub chance: Chance,
    /// The nonces that were spent.
    pub nonces: Nonces,
    /// The temporary keys that were used last.
    pub sessions: Sessions,
    /// How much each account has called.
    pub throttle: Throttle,
    /// What is counted.
    pub metrics: Metrics,
    /// Wakes the workers.
    pub wake: Wake,
    /// The id that this process holds leases under; no other process ever has it.
    pub server_id: String,
    identity: RwLock<Arc<Identity>>,
    /// Held as long as the process uses the data folder.
    _lock: File,
}

/// What an App stands on: the machine, but in tests, simulations and the lab.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The time.
    pub clock: Clock,
    /// Chance.
    pub chance: Chance,
    /// What stands between the App and its stores.
    pub seam: MaybeSeam,
    /// Whether transactions are fenced. Always true but in negative controls.
    pub fence: bool,
    /// How transactions are made durable.
    pub commit: CommitMode,
    /// A database and stores that several servers of one process share, instead of those that the
    /// configuration names.
    pub shared: Option<(Db, Places)>,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            clock: Clock::System,
            chance: Chance::System,
            seam: None,
            fence: true,
            commit: CommitMode::Grouped,
            shared: None,
        }
    }
}

/// The bells of the workers. A bell that nobody hears rings when the worker listens next.
#[derive(Debug)]
pub struct Wake {
    /// There are replicas to fill.
    pub fills: Bells,
    /// There are replicas to erase.
    pub erasures: Bells,
    /// There are instances to reinitialise.
    pub reinits: Notify,
    /// There are images to export.
    pub exports: Notify,
}

/// One bell for each region that has work, or may have.
#[derive(Debug)]
pub struct Bells(BTreeMap<RegionId, Notify>);

impl Bells {
    fn new(regions: &BTreeSet<RegionId>) -> Self {
        Self(regions.iter().map(|region| (region.clone(), Notify::new())).collect())
    }

    /// Rings them all: whoever finds nothing to do goes back to sleep.
    pub fn ring(&self) {
        self.0.values().for_each(Notify::notify_one);
    }

    /// The regions.
    pub fn regions(&self) -> impl Iterator<Item = &RegionId> {
        self.0.keys()
    }

    /// Waits for the bell of a region; for ever if it has none.
    pub async fn heard(&self, region: &RegionId) {
        match self.0.get(region) {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// Why the server cannot come up. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder cannot be used.
    #[error("{what}")]
    Folder {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Another process uses the data folder.
    #[error("another process uses the data folder {0}")]
    InUse(String),
    /// Another command works on the data folder.
    #[error("another command (check, backup or restore) works on the data folder {0}")]
    CommandRuns(String),
    /// A store of objects cannot be opened.
    #[error("the objects of {what} cannot be opened")]
    Objects {
        /// Which bucket.
        what: String,
        /// Why it failed.
        #[source]
        source: ObjectError,
    },
    /// The store of a region that was never used cannot be.
    #[error("region {region} cannot be used")]
    Region {
        /// The region.
        region: RegionId,
        /// Why not.
        #[source]
        source: ClaimError,
    },
    /// The metadata cannot be opened.
    #[error("the metadata cannot be opened")]
    Store(#[from] StoreError),
}

impl App {
    /// Opens everything that the configuration names, and takes the data folder for this process.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, OpenError> {
        Self::open_on(config, Ground { clock, ..Ground::default() }).await
    }

    /// As [`App::open`], on other ground.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_on(config: Config, ground: Ground) -> Result<Arc<Self>, OpenError> {
        let lock = take_folder(&config.data)?;
        let Ground { clock, chance, seam, fence, commit, shared } = ground;
        let in_process = shared.is_some();
        let (db, places) = if let Some((db, places)) = shared {
            (db.behind(seam.clone()), places.behind(&seam))
        } else {
            let place = config.metadata.clone();
            let options = Options { seam: seam.clone(), fence, commit, ..Options::new(place) };
            let db = Db::open(&options).await?;
            let places = places(&config, &db, &hex(&chance.bytes::<16>())).await?.behind(&seam);
            (db, places)
        };
        let alone = !in_process && !db.is_shared();
        let identity = match config.identity {
            Some(identity) => identity,
            None => default_identity(&config.data)?,
        };
        let now = clock.now();
        let regions = work_regions(&db, &places).await?;
        let default_region = config.regions.first().map(|(id, _)| id.clone());
        let app = Self {
            nonces: restore_nonces(&db, now).await?,
            db,
            places,
            settings: config.settings,
            sessions: Sessions::default(),
            throttle: Throttle::new(config.throttling),
            ens_regions: config.ens_regions,
            default_region: default_region.ok_or_else(|| ConfigError::new("no region"))?,
            clock,
            metrics: Metrics::new(&regions),
            wake: Wake {
                fills: Bells::new(&regions),
                erasures: Bells::new(&regions),
                reinits: Notify::new(),
                exports: Notify::new(),
            },
            server_id: hex(&chance.bytes::<16>()),
            chance,
            identity: RwLock::new(Arc::new(identity)),
            _lock: lock,
        };
        if alone {
            app.take_over(now).await?;
        }
        // Another server that starts at the same time makes them, too; the second time they are there.
        match app.make_public_images(&config.public_images, now).await {
            Err(StoreError::Conflict) => app.make_public_images(&config.public_images, now).await?,
            made => made?,
        }
        Ok(Arc::new(app))
    }

    /// The identities as they are now.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other identities in the place of the ones that were read at the start.
    pub fn replace_identity(&self, identity: Identity) {
        self.throttle.keep(|account| identity.has_account(account));
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
    }

    /// Puts other identities in the place of the present ones, which they are made of.
    ///
    /// # Errors
    /// Those of `change`; then nothing is changed.
    pub fn change_identity<E>(&self, change: impl FnOnce(&Identity) -> Result<Identity, E>) -> Result<(), E> {
        let mut held = self.identity.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&held)?;
        self.throttle.keep(|account| changed.has_account(account));
        *held = Arc::new(changed);
        Ok(())
    }

    /// Frees what a process that used the folder before was doing when it ended.
    async fn take_over(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        replicas::release_leases(&mut tx, now).await?;
        exports::release_leases(&mut tx, now).await?;
        tx.commit().await
    }

    /// Begins to make the system images that are not there yet.
    async fn make_public_images(&self, public: &[PublicImage], now: Timestamp) -> Result<(), StoreError> {
        let owner = AccountId::trusted(images::SYSTEM_OWNER);
        let mut tx = self.db.begin().await?;
        for public in public {
            let id = ImageId::trusted(public.id.clone());
            if tx.ask(images::load(public.product, &id, &owner)).await?.is_none() {
                self.make_public_image(&mut tx, id, public, &owner, now).await?;
            }
        }
        tx.commit().await
    }

    /// ENS images lie in the region that their owner chose; App Streaming's are everywhere.
    async fn make_public_image(
        &self,
        tx: &mut Tx,
        id: ImageId,
        public: &PublicImage,
        owner: &AccountId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (regions, version) = match public.product {
            Product::Ens => (vec![&self.default_region], None),
            Product::AppStreaming => {
                let id = VersionId::fresh(now, self.chance.id());
                (self.places.regions.keys().collect(), Some(Version { id, name: "v1.0.0".to_owned() }))
            }
        };
        images::insert(tx, &public_image(id.clone(), public, owner, &self.default_region, now)).await?;
        if let Some(version) = &version {
            versions::insert(tx, &id, version, now).await?;
        }
        for region in regions {
            let replica = NewReplica {
                id: ReplicaId::fresh(now, self.chance.id()),
                holder: Holder::Image(id.clone()),
                version: version.as_ref().map(|version| version.id.clone()),
                region: region.clone(),
                source: match &public.source {
                    Some((bucket, object)) => {
                        Source::Bucket { bucket: bucket.clone(), object: object.clone() }
                    }
                    None => Source::Blank { size_gib: public.size_gib },
                },
            };
            replicas::insert(tx, &replica, now).await?;
        }
        Ok(())
    }
}

fn public_image(
    id: ImageId,
    public: &PublicImage,
    owner: &AccountId,
    region: &RegionId,
    now: Timestamp,
) -> Image {
    Image {
        id,
        product: public.product,
        owner: owner.clone(),
        kind: ImageKind::System,
        state: ImageState::Making(Stage::Creating),
        name: public.id.clone(),
        labels: ImageLabels {
            architecture: "x86_64".to_owned(),
            compute_type: "ens_vm".to_owned(),
            platform: public.platform.clone(),
            os_type: public.os_type.clone(),
            os_version: String::new(),
            product_type: public.product_type.clone(),
            details: public.details.clone(),
        },
        region: region.clone(),
        virtual_size_bytes: None,
        stored_size_bytes: None,
        source_instance: None,
        source_snapshot: None,
        parent: None,
        base: None,
        published: None,
        created: now,
        modified: now,
    }
}

async fn restore_nonces(db: &Db, now: Timestamp) -> Result<Nonces, StoreError> {
    let mut tx = db.begin().await?;
    nonces::forget_expired(&mut tx, now).await?;
    tx.commit().await?;
    let mut tx = db.read().await?;
    let nonces = Nonces::with_capacity_max(NONCES_MAX).refusing_before(stores::restored(&mut tx).await?);
    for spent in nonces::live(&mut tx, now).await? {
        nonces.restore(&spent.access_key_id, &spent.nonce, spent.expires.plus_millis(-CLOCK_WINDOW_MS));
    }
    Ok(nonces)
}

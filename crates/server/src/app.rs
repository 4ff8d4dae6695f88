//! What every request and every worker share, and how it comes up.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use calotype_core::ids::{AccountId, ImageId, RegionId, ReplicaId, VersionId};
use calotype_core::image::{Image, ImageKind, ImageLabels, ImageState, Product, Stage};
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_core::time::Timestamp;
use calotype_store::db::{Db, Faults, Options, StoreError, Tx};
use calotype_store::objects::{Bucket, ObjectError, Objects, Places};
use calotype_store::versions::Version;
use calotype_store::{images, nonces, replicas, versions};
use tokio::sync::Notify;

use crate::clock::{Clock, chance, id_chance};
use crate::config::{Config, ConfigError, EnsRegion, PublicImage, Settings};
use crate::identity::Identity;
use crate::wire::encode::hex;
use crate::wire::nonces::{NONCES_MAX, Nonces};
use crate::wire::request::CLOCK_WINDOW_MS;

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
    /// The nonces that were spent.
    pub nonces: Nonces,
    /// Wakes the workers.
    pub wake: Wake,
    /// The id that this process holds leases under; no other process ever has it.
    pub server_id: String,
    identity: RwLock<Arc<Identity>>,
    /// Held as long as the process uses the data folder.
    _lock: File,
}

/// One bell for each worker. A bell that nobody hears rings when the worker listens next.
#[derive(Debug, Default)]
pub struct Wake {
    /// There are replicas to fill.
    pub fills: Notify,
    /// There are replicas to erase.
    pub erasures: Notify,
    /// There are instances to reinitialise.
    pub reinits: Notify,
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
    /// A store of objects cannot be opened.
    #[error("the objects of {what} cannot be opened")]
    Objects {
        /// Which region or bucket.
        what: String,
        /// Why it failed.
        #[source]
        source: ObjectError,
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
        Self::open_with(config, clock, Faults::default(), true).await
    }

    /// As [`App::open`], for tests: with failures armed at the seam of the store, and without the fence
    /// in the negative control of the race tests.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_with(
        config: Config,
        clock: Clock,
        faults: Faults,
        fence: bool,
    ) -> Result<Arc<Self>, OpenError> {
        let lock = take_folder(&config.data)?;
        let places = places(&config)?;
        let identity = match config.identity {
            Some(identity) => identity,
            None => default_identity(&config.data)?,
        };
        let db = Db::open(&Options { path: config.metadata.clone(), faults, fence }).await?;
        let now = clock.now();
        let default_region = config.regions.first().map(|(id, _)| id.clone());
        let app = Self {
            nonces: restore_nonces(&db, now).await?,
            db,
            places,
            settings: config.settings,
            ens_regions: config.ens_regions,
            default_region: default_region.ok_or_else(|| ConfigError::new("no region"))?,
            clock,
            wake: Wake::default(),
            server_id: hex(&chance::<16>()),
            identity: RwLock::new(Arc::new(identity)),
            _lock: lock,
        };
        app.take_over(now).await?;
        app.make_public_images(&config.public_images, now).await?;
        Ok(Arc::new(app))
    }

    /// The identities as they are now.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other identities in the place of the ones that were read at the start.
    pub fn replace_identity(&self, identity: Identity) {
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
    }

    /// Frees what a process that used the folder before was doing when it ended.
    async fn take_over(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        replicas::release_leases(&mut tx, now).await?;
        nonces::forget_expired(&mut tx, now).await?;
        tx.commit().await
    }

    /// Begins to make the system images that are not there yet.
    async fn make_public_images(&self, public: &[PublicImage], now: Timestamp) -> Result<(), StoreError> {
        let owner = AccountId::trusted(images::SYSTEM_OWNER);
        let mut tx = self.db.begin().await?;
        for public in public {
            let id = ImageId::trusted(public.id.clone());
            if images::load(&mut tx, public.product, &id, &owner).await?.is_none() {
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
                let id = VersionId::fresh(now, id_chance());
                (self.places.regions.keys().collect(), Some(Version { id, name: "v1.0.0".to_owned() }))
            }
        };
        images::insert(tx, &public_image(id.clone(), public, owner, &self.default_region, now)).await?;
        if let Some(version) = &version {
            versions::insert(tx, &id, version, now).await?;
        }
        for region in regions {
            let replica = NewReplica {
                id: ReplicaId::fresh(now, id_chance()),
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

/// Makes the data folder and locks it: two processes must never use one.
fn take_folder(data: &Path) -> Result<File, OpenError> {
    let failed =
        |source| OpenError::Folder { what: format!("cannot use the data folder {}", data.display()), source };
    std::fs::create_dir_all(data).map_err(failed)?;
    let lock = File::create(data.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(data.display().to_string())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn places(config: &Config) -> Result<Places, OpenError> {
    let mut places = Places { bucket_root: Some(config.data.join("buckets")), ..Places::default() };
    for (id, location) in &config.regions {
        let objects = Objects::open(location)
            .map_err(|source| OpenError::Objects { what: format!("region {id}"), source })?;
        places.regions.insert(id.clone(), objects);
    }
    for (name, bucket) in &config.buckets {
        let objects = Objects::open(&bucket.location)
            .map_err(|source| OpenError::Objects { what: format!("bucket {name}"), source })?;
        places.buckets.insert(name.clone(), Bucket { region: Some(bucket.region.clone()), objects });
    }
    Ok(places)
}

async fn restore_nonces(db: &Db, now: Timestamp) -> Result<Nonces, StoreError> {
    let nonces = Nonces::with_capacity_max(NONCES_MAX);
    let mut tx = db.read().await?;
    for spent in nonces::live(&mut tx, now).await? {
        nonces.restore(&spent.access_key_id, &spent.nonce, spent.expires.plus_millis(-CLOCK_WINDOW_MS));
    }
    Ok(nonces)
}

/// The file in the data folder that the default account's key is kept in.
pub const CREDENTIALS_FILE: &str = "credentials.toml";

/// The default account's key: from the environment, or made on the first start and kept.
fn default_identity(data: &Path) -> Result<Identity, OpenError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(id), Some(secret)) =
        (variable("CALOTYPE_ACCESS_KEY_ID"), variable("CALOTYPE_ACCESS_KEY_SECRET"))
    {
        return Ok(Identity::default_account(&id, &secret));
    }
    let path = data.join(CREDENTIALS_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let (id, secret) = parse_credentials(&text)
                .ok_or_else(|| ConfigError::new(format!("{} is not a credentials file", path.display())))?;
            Ok(Identity::default_account(&id, &secret))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let (id, secret) = (format!("calo{}", hex(&chance::<8>())), hex(&chance::<16>()));
            write_credentials(&path, &id, &secret).map_err(|source| OpenError::Folder {
                what: format!("cannot write {}", path.display()),
                source,
            })?;
            Ok(Identity::default_account(&id, &secret))
        }
        Err(source) => Err(OpenError::Folder { what: format!("cannot read {}", path.display()), source }),
    }
}

fn parse_credentials(text: &str) -> Option<(String, String)> {
    let table: toml::Table = text.parse().ok()?;
    let text = |name| table.get(name)?.as_str().map(str::to_owned);
    Some((text("access_key_id")?, text("access_key_secret")?))
}

/// Writes the file whole or not at all, readable by its owner only.
fn write_credentials(path: &Path, id: &str, secret: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let unfinished = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "access_key_id = \"{id}\"\naccess_key_secret = \"{secret}\"")?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}

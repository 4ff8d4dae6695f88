//! A world for one test: an [`App`] over a folder of its own, a listener, and callers with keys.
//!
//! No worker runs: a test that wants work done says [`World::drain`]. The clock stands still until it
//! is moved.

pub mod app_streaming;
pub mod caller;
pub mod folders;
pub mod print;
pub mod raw;
pub mod refusals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use calotype::app::{App, Ground};
use calotype::clock::Clock;
use calotype::config::{Config, Overrides};
use calotype::throttle::Limits;
use calotype::workers::LEASE_MS;
use calotype::{http, workers};
use calotype_core::ids::RegionId;
use calotype_core::qcow2;
use calotype_core::time::Timestamp;
use calotype_store::db::{Row, Value as SqlValue};
use calotype_store::seam::{Faults, MaybeSeam};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::postgres;
use caller::Caller;
use folders::copy_folder;

/// The account that most tests act for.
pub const OWNER: &str = "1000000000000001";
/// Another account.
pub const OTHER: &str = "1000000000000002";
/// An account that has nothing to do with the two.
pub const THIRD: &str = "1000000000000003";
/// The time at which every world begins: that of the recorded requests.
pub const NOW: &str = "2026-03-27T08:09:10Z";
/// The version of ENS on the wire.
pub const ENS: &str = "2017-11-10";
/// The bucket that every world has.
pub const BUCKET: &str = "golden";
/// The first node.
pub const NODE: &str = "cn-chenzhou-telecom_unicom_cmcc";
/// The system image that every world has.
pub const PUBLIC_IMAGE: &str = "centos_6_08_64_20G_alibase_20171208";
/// The region that imports of these tests go to.
pub const REGION: &str = "cn-beijing";
/// A role that every world has, with no rights.
pub const STAGED_ROLE: &str = "staged";
/// The virtual size of the disks that are imported.
pub const DISK_GIB: u64 = 2;

/// What is special about a world.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Settings, as they stand in the configuration file.
    pub settings: String,
    /// RAM users of the owner: names and the statements of their policies; none without statements.
    pub users: Vec<(String, String)>,
    /// More of the owner's account, as it stands in the configuration file.
    pub more: String,
    /// Whether transactions go without the fence: for the negative control of the races only.
    pub unfenced: bool,
    /// Failures at the seam of the store, to be armed when they shall happen.
    pub faults: Faults,
    /// Another seam in the place of that one.
    pub seam: MaybeSeam,
    /// Whether the metadata is in a file, whatever that of the others is in.
    pub embedded: bool,
    /// The address of the metadata, if it is in PostgreSQL.
    pub metadata: Option<String>,
}

impl Setup {
    /// With these settings.
    pub fn with(settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..Self::default() }
    }

    /// With these RAM users.
    pub fn with_users(users: &[(&str, &str)]) -> Self {
        let owned = |(name, statements): &(&str, &str)| ((*name).to_owned(), (*statements).to_owned());
        Self { users: users.iter().map(owned).collect(), ..Self::default() }
    }

    fn toml(&self) -> String {
        let accounts = [(OTHER, "other"), (THIRD, "third"), (OWNER, "owner")].map(|(id, name)| {
            format!("[[account]]\nid = '{id}'\n[[account.access_key]]\n{}", Self::key(name))
        });
        // The key that the recorded requests are signed with.
        let recorded = "[[account.access_key]]\nid = 'testid'\nsecret = 'testsecret'\n";
        let users: Vec<String> =
            self.users.iter().map(|(name, statements)| Self::user(name, statements)).collect();
        let assumer = Self::user("assumer", r#"{"Effect":"Allow","Action":"sts:*","Resource":"*"}"#);
        let role = Self::role(STAGED_ROLE, "");
        let users = [assumer, users.concat(), role].concat();
        [self.settings.as_str(), &accounts.concat(), recorded, &users, &self.more].concat()
    }

    /// A role of the owner with a policy of these statements, or none; every user and role of its account may
    /// assume it.
    pub fn role(name: &str, statements: &str) -> String {
        let trust = format!(
            r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":"acs:ram::{OWNER}:root"}}}}"#
        );
        Self::role_trusting(name, statements, &trust)
    }

    /// A role of the owner whose trust policy has these statements.
    pub fn role_trusting(name: &str, statements: &str, trust: &str) -> String {
        let policies = Self::policies(statements);
        format!(
            "[[account.role]]\nname = '{name}'\ntrust = '{{\"Version\":\"1\",\"Statement\":[{trust}]}}'\n\
             policies = [ {policies} ]\n"
        )
    }

    fn policies(statements: &str) -> String {
        match statements {
            "" => String::new(),
            text => format!(r#"{{ name = 'only', document = '{{"Version":"1","Statement":[{text}]}}' }}"#),
        }
    }

    fn key(name: &str) -> String {
        format!("id = 'ak-{name}'\nsecret = 'secret-of-{name}'\n")
    }

    fn user(name: &str, statements: &str) -> String {
        let key = Self::key(name);
        let policies = Self::policies(statements);
        format!(
            "[[account.user]]\nname = '{name}'\nid = '2{name}'\npolicies = [ {policies} ]\n\
             [[account.user.access_key]]\n{key}"
        )
    }
}

/// An App that serves, and those who call it.
pub struct World {
    /// The App.
    pub app: Arc<App>,
    /// Its clock, and that of the callers.
    pub clock: Clock,
    /// Where it listens.
    pub address: SocketAddr,
    /// The account itself, as which most tests act.
    pub owner: Caller,
    /// Other accounts.
    pub other: Caller,
    pub third: Caller,
    /// A RAM user of the owner who may assume roles, which an account itself cannot.
    pub assumer: Caller,
    setup: Setup,
    folder: TempDir,
    serving: JoinSet<()>,
}

/// Connections of a world to its database: there are many worlds.
const CONNECTIONS: &str = "8";

static OBJECTS: AtomicU32 = AtomicU32::new(1);

impl World {
    /// A world without anything special.
    pub async fn new() -> Self {
        Self::open(Setup::default()).await
    }

    /// A world whose system image is there.
    pub async fn open(setup: Setup) -> Self {
        let world = Self::open_idle(setup).await;
        world.drain().await;
        world
    }

    /// A world in which no work was done yet.
    pub async fn open_idle(mut setup: Setup) -> Self {
        if let (Some(url), false, None) = (postgres::chosen(), setup.embedded, &setup.metadata) {
            setup.metadata = Some(postgres::schema(&url).await);
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/buckets").join(BUCKET)).unwrap();
        Self::start(setup, folder, Clock::manual(Timestamp::parse(NOW).unwrap())).await
    }

    async fn start(setup: Setup, folder: TempDir, clock: Clock) -> Self {
        let config = Self::config(&setup, &folder);
        let ground = Ground {
            clock: clock.clone(),
            seam: setup.seam.clone().or_else(|| setup.faults.seam()),
            fence: !setup.unfenced,
            ..Ground::default()
        };
        let app = App::open_on(config, ground).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(http::serve(Arc::clone(&app), listener, std::future::pending()));
        let caller = |name| Caller::new(address, name, &clock);
        let (owner, other, third) = (caller("owner"), caller("other"), caller("third"));
        let assumer = caller("assumer");
        Self { app, clock, address, owner, other, third, assumer, setup, folder, serving }
    }

    fn config(setup: &Setup, folder: &TempDir) -> Config {
        let path = folder.path().join("calotype.toml");
        std::fs::write(&path, setup.toml()).unwrap();
        let overrides =
            Overrides { config: Some(path), data: Some(folder.path().join("data")), ..Overrides::default() };
        let environment = |name: &str| match name {
            "CALOTYPE_METADATA_URL" => setup.metadata.clone(),
            "CALOTYPE_METADATA_CONNECTIONS" => setup.metadata.is_some().then(|| CONNECTIONS.to_owned()),
            _ => None,
        };
        let mut config = Config::load(&overrides, environment).unwrap();
        // The clock stands still, so what is taken from a bucket would never come back.
        if !setup.settings.contains("[throttling]") {
            config.throttling = Limits::NONE;
        }
        config
    }

    /// Ends as abruptly as a killed process, then opens the same folder again.
    pub async fn reopen(self) -> Self {
        let Self { app, clock, setup, folder, mut serving, .. } = self;
        serving.shutdown().await;
        // Connections are tasks of their own; each lets the App go when it learns that it has ended.
        for _ in 0..5_000 {
            if Arc::strong_count(&app) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(Arc::strong_count(&app), 1, "somebody still uses the App");
        drop(app);
        Self::start(setup, folder, clock).await
    }

    /// Opens a copy of the folder as it is now, as after a power cut. This world goes on. In PostgreSQL the metadata
    /// is that of both.
    pub async fn fork(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&self.path(""), &folder.path().join("data"));
        Self::start(self.setup.clone(), folder, self.clock.clone()).await
    }

    /// Puts other users in the place of those that the world began with.
    pub fn replace_users(&mut self, users: &[(&str, &str)]) {
        self.setup.users = Setup::with_users(users).users;
        self.reload();
    }

    /// Puts something else in the place of what more the owner's account had.
    pub fn replace_more(&mut self, more: &str) {
        more.clone_into(&mut self.setup.more);
        self.reload();
    }

    fn reload(&self) {
        let config = Self::config(&self.setup, &self.folder);
        self.app.replace_identity(config.identity.unwrap());
    }

    /// The failures that are armed at the seam of the store.
    pub fn faults(&self) -> &Faults {
        &self.setup.faults
    }

    /// A RAM user of the owner, or anybody else with a key of that name.
    pub fn user(&self, name: &str) -> Caller {
        Caller::new(self.address, name, &self.clock)
    }

    /// Does all the work that is due.
    pub async fn drain(&self) {
        workers::drain(&self.app).await.unwrap();
    }

    /// Starts the workers; they end when the set is dropped.
    pub fn work(&self) -> JoinSet<()> {
        workers::start(&self.app)
    }

    /// Lets the leases of a process that is dead end, where nobody can know that it is.
    pub fn outlive_leases(&self) {
        if self.app.db.is_shared() {
            self.clock.advance_millis(LEASE_MS);
        }
    }

    /// Moves the clock forward.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance_millis(seconds * 1_000);
    }

    /// A folder or file below the data folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("data").join(below)
    }

    /// Puts an object into the bucket, and gives its key.
    pub fn put(&self, bytes: &[u8]) -> String {
        let key = format!("disk-{}.qcow2", OBJECTS.fetch_add(1, Ordering::Relaxed));
        std::fs::write(self.path("buckets").join(BUCKET).join(&key), bytes).unwrap();
        key
    }

    /// Imports an image of the owner's that is available.
    pub async fn import(&self) -> String {
        self.import_disk(&disk("some content")).await
    }

    /// Imports these bytes as an image of the owner's that is available.
    pub async fn import_disk(&self, bytes: &[u8]) -> String {
        let image = self.begin_import(bytes).await;
        self.drain().await;
        image
    }

    /// Begins to import these bytes; nothing is done about it yet.
    pub async fn begin_import(&self, bytes: &[u8]) -> String {
        let key = self.put(bytes);
        let image = self.owner.ok("ImportImage", &import_params(&key)).await;
        image["ImageId"].as_str().unwrap().to_owned()
    }

    /// Rows of the database, from what is durable.
    pub async fn rows(&self, sql: &'static str, values: &[SqlValue<'_>]) -> Vec<Row> {
        self.app.db.read().await.unwrap().query(sql, values).await.unwrap()
    }

    /// The number in the first row.
    pub async fn count(&self, sql: &'static str, values: &[SqlValue<'_>]) -> i64 {
        self.rows(sql, values).await[0].integer(0).unwrap()
    }

    /// The text in the first row.
    pub async fn text(&self, sql: &'static str, values: &[SqlValue<'_>]) -> String {
        self.rows(sql, values).await[0].text(0).unwrap().to_owned()
    }

    /// Changes rows by hand, to what no call brings about.
    pub async fn change(&self, sql: &'static str, values: &[SqlValue<'_>]) -> u64 {
        let mut tx = self.app.db.begin().await.unwrap();
        let changed = tx.execute(sql, values).await.unwrap();
        tx.commit().await.unwrap();
        changed
    }

    /// The number of objects in a region, and their bytes.
    pub async fn measure(&self, region: &str) -> (u64, u64) {
        let region = self.app.places.region(&RegionId::trusted(region)).unwrap();
        region.measure().await.unwrap()
    }
}

/// A small valid qcow2 file whose disk holds this text.
pub fn disk(content: &str) -> Vec<u8> {
    qcow2::with_data(DISK_GIB << 30, &[(0, content.as_bytes())])
}

/// The parameters of an import of this object.
pub fn import_params(object: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("Architecture", "x86_64"),
        ("ComputeType", "ens_vm"),
        ("ImageFormat", "qcow2"),
        ("ImageName", "golden-image"),
        ("OSType", "linux"),
        ("OSVersion", "6.8"),
        ("Platform", "centos"),
        ("OSSBucket", BUCKET),
        ("OSSObject", object),
        ("OSSRegion", REGION),
        ("TargetOSSRegionId", REGION),
    ]
}

/// The parameters, with some in the place of those of the same name.
pub fn with<'a>(
    params: impl IntoIterator<Item = (&'static str, &'a str)>,
    changed: &[(&'static str, &'a str)],
) -> Vec<(&'static str, &'a str)> {
    let kept = params.into_iter().filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
    kept.chain(changed.iter().copied()).collect()
}

/// The parameters without those of this name.
pub fn without<'a>(params: &[(&'static str, &'a str)], name: &str) -> Vec<(&'static str, &'a str)> {
    params.iter().copied().filter(|(other, _)| *other != name).collect()
}

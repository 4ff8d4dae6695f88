//! A machine with a database, stores in several regions, and servers that share them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use calotype::app::{App, Ground, OpenError};
use calotype::clock::{Chance, Clock};
use calotype::config::{Config, Overrides};
use calotype_core::time::Timestamp;
use calotype_store::db::{CommitMode, Db, Options, StoreError};
use calotype_store::objects::Places;
use calotype_store::{exports, replicas};
use tempfile::TempDir;

use crate::dice::Dice;
use crate::disks::{self, BUCKET, DISKS};
use crate::gates::Gates;
use crate::judge::Raw;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::requests::{ACCOUNTS, VIEWER, secret};

/// The time at which every world begins.
pub const START: &str = "2026-03-27T08:09:10Z";

/// The system images, and the API that each belongs to.
const PUBLIC_IMAGES: [(&str, &str); 2] = [
    ("centos_6_08_64_20G_alibase_20171208", "ens"),
    ("desktopimage-windows-server-2022-64-asp", "appstreaming"),
];

/// The file of the database.
const DATABASE: &str = "metadata.db";

/// The only edge node.
pub const NODE: &str = "cn-chenzhou-telecom_unicom_cmcc";

/// A server: a process, or the place of one.
#[derive(Debug)]
pub struct Server {
    /// The process, if it is up.
    pub app: Option<Arc<App>>,
    /// Whether it is coming up.
    pub starting: bool,
    clock: Clock,
    chance: Chance,
    lives: u32,
}

/// Everything that there is.
#[derive(Debug)]
pub struct World {
    pub gates: Arc<Gates>,
    pub servers: Vec<Server>,
    places: Places,
    plan: Plan,
    fence: bool,
    passed_ms: i64,
    db: Option<Db>,
    folder: TempDir,
}

impl World {
    pub fn new(plan: &Plan, gates: Arc<Gates>, fence: bool, dice: &mut Dice) -> Self {
        let start_ms = start_ms();
        let server = |skew_ms: &i64| Server {
            app: None,
            starting: false,
            clock: Clock::manual(Timestamp::from_millis(start_ms + skew_ms)),
            chance: Chance::seeded(dice.next()),
            lives: 0,
        };
        let servers = plan.skews_ms.iter().map(server).collect();
        let mut state = gates.state();
        state.judge.now_ms = start_ms;
        state.judge.skew_ms_max = plan.skews_ms.iter().copied().max().unwrap_or(0);
        drop(state);
        let (places, folder) = (disks::places(&plan.regions), folder());
        std::fs::write(folder.path().join(DATABASE), empty_database()).expect("it can be written");
        std::fs::write(folder.path().join("calotype.toml"), configuration(plan)).expect("it can be written");
        Self { gates, servers, places, plan: plan.clone(), fence, passed_ms: 0, db: None, folder }
    }

    /// Opens the database, as after the machine was switched on.
    pub async fn switch_on(&mut self) {
        let path = self.folder.path().join(DATABASE);
        let mut options = Options { commit: CommitMode::Alone, shared: true, ..Options::new(path.clone()) };
        options.fence = self.fence;
        let db = Db::open(&options).await.expect("the database can be opened");
        let mut state = self.gates.state();
        state.judge.ledger = Some(Ledger::open(&path));
        state.judge.raw = Some(Raw { db: db.clone(), places: self.places.clone() });
        drop(state);
        self.db = Some(db);
    }

    /// Lets go of everything that does not outlive the machine. No actor may be left.
    pub fn switch_off(&mut self) {
        for server in &mut self.servers {
            server.app = None;
            server.starting = false;
        }
        let mut state = self.gates.state();
        state.judge.ledger = None;
        state.judge.raw = None;
        drop(state);
        self.db = None;
    }

    /// Starts a server, in a folder of its own: its last one may still be in use by what it left behind.
    pub fn start(&mut self, place: usize) -> impl Future<Output = Result<Arc<App>, OpenError>> + use<> {
        let server = &mut self.servers[place];
        server.starting = true;
        server.lives += 1;
        let data = self.folder.path().join(format!("server-{place}-{}", server.lives));
        let shared = self.db.clone().map(|db| (db, self.places.clone()));
        let ground = Ground {
            clock: server.clock.clone(),
            chance: server.chance.clone(),
            seam: Some(self.gates.seam()),
            fence: self.fence,
            commit: CommitMode::Alone,
            shared,
        };
        let opening = App::open_on(config(&self.plan, self.folder.path(), data), ground);
        let alone = self.servers.len() == 1;
        async move {
            let app = opening.await?;
            if alone {
                take_over(&app).await?;
            }
            Ok(app)
        }
    }

    /// Says how much time has passed since the beginning.
    pub fn passed(&mut self, passed_ms: i64) {
        let more_ms = passed_ms - self.passed_ms;
        self.passed_ms = passed_ms;
        for server in &self.servers {
            server.clock.advance_millis(more_ms);
        }
        self.gates.state().judge.now_ms += more_ms;
    }

    /// The servers that are up.
    pub fn up(&self) -> Vec<usize> {
        (0..self.servers.len()).filter(|place| self.servers[*place].app.is_some()).collect()
    }

    /// The servers that are neither up nor coming up.
    pub fn down(&self) -> Vec<usize> {
        let down = |place: &usize| self.servers[*place].app.is_none() && !self.servers[*place].starting;
        (0..self.servers.len()).filter(down).collect()
    }
}

/// A database that has its tables and nothing in them. To make them takes longer than all the rest of a
/// short run.
fn empty_database() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = std::thread::spawn(|| {
            let folder = folder();
            let path = folder.path().join(DATABASE);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
            let options = Options { commit: CommitMode::Alone, shared: true, ..Options::new(path.clone()) };
            drop(runtime.block_on(Db::open(&options)).expect("the database can be opened"));
            std::fs::read(path).expect("the database is there")
        });
        made.join().expect("an empty database can be made")
    })
}

/// What a server does as it opens a database that it shares with nobody.
async fn take_over(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    replicas::release_leases(&mut tx, now).await?;
    exports::release_leases(&mut tx, now).await?;
    tx.commit().await
}

/// The time at which every world begins, in milliseconds since the epoch.
pub fn start_ms() -> i64 {
    Timestamp::parse(START).expect("it is a time").as_millis()
}

/// A folder where syncing costs nothing, if there is one: what a crash loses is decided here and not by
/// the disk.
fn folder() -> TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a folder can be made")
}

/// The configuration of a server. Where its database and stores are does not matter: it shares them.
fn config(plan: &Plan, folder: &Path, data: PathBuf) -> Config {
    let path = folder.join("calotype.toml");
    let overrides = Overrides { config: Some(path), data: Some(data), ..Overrides::default() };
    let mut config = Config::load(&overrides, |_| None).expect("the configuration is good");
    config.settings.grace_ms = plan.grace_ms;
    config.settings.image_ms = plan.image_ms;
    config.settings.instance_ms = plan.instance_ms;
    config
}

/// What stands in the configuration file of all servers.
fn configuration(plan: &Plan) -> String {
    let region = |id: &String| format!("[[region]]\nid = '{id}'\nobjects = 'memory:'\n");
    let node = format!("[[ens_region]]\nid = '{NODE}'\n");
    let image = |(id, api): (&str, &str)| {
        let source = format!("{BUCKET}/{}", DISKS[0]);
        format!("[[public_image]]\nid = '{id}'\napi = '{api}'\nsource = '{source}'\n")
    };
    let key = |name: &str| format!("id = 'ak-{name}'\nsecret = '{}'\n", secret(name));
    let account = |(place, (id, name)): (usize, &(&str, &str))| {
        let text = format!("[[account]]\nid = '{id}'\n[[account.access_key]]\n{}", key(name));
        let user =
            format!("[[account.user]]\nname = '{VIEWER}'\n[[account.user.access_key]]\n{}", key(VIEWER));
        if place == 0 { text + &user } else { text }
    };
    let regions = plan.regions.iter().map(region);
    let images = PUBLIC_IMAGES.into_iter().map(image);
    let accounts = ACCOUNTS.iter().enumerate().map(account);
    regions.chain([node]).chain(images).chain(accounts).collect()
}

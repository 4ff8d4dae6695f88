//! Serves the APIs until it is asked to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use calotype::app::{App, CREDENTIALS_FILE, Ground};
use calotype::config::{Config, ConfigError, TlsSource};
use calotype::http::{self, Listener};
use calotype::lab::{self, Lab};
use calotype::operations::MaybeBetween;
use calotype::tls::{self, Tls, TlsError};
use calotype::workers;
use calotype_store::db::StoreError;
use calotype_store::stores;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::{Installation, Outcome};

#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    installation: Installation,
    /// The address to listen on.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Open the lab at this address of the machine itself: faults, states, worlds and time on demand, for tests.
    #[arg(long, value_name = "ADDR")]
    lab: Option<String>,
    #[command(flatten)]
    protection: Protection,
}

/// How what goes over the wire is protected.
#[derive(Args, Clone, Debug)]
struct Protection {
    /// The certificate to show, in PEM form, with those of the authorities in between.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Show a certificate of an authority of its own, which is kept in the data folder.
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self_signed: bool,
    /// Serve plain HTTP to other machines: everybody in between can read along, secrets included.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_self_signed"])]
    insecure_http: bool,
}

impl Serve {
    fn load(&self) -> Result<Config, ConfigError> {
        let Protection { tls_cert, tls_key, tls_self_signed, insecure_http } = self.protection.clone();
        let mut overrides = self.installation.overrides();
        overrides.listen.clone_from(&self.listen);
        overrides.lab.clone_from(&self.lab);
        (overrides.tls_cert, overrides.tls_key) = (tls_cert, tls_key);
        (overrides.tls_self_signed, overrides.insecure_http) = (tls_self_signed, insecure_http);
        Config::load(&overrides, |name| std::env::var(name).ok())
    }
}

pub(super) async fn serve(arguments: Serve) -> Outcome {
    let config = arguments.load()?;
    config.check_exposure()?;
    let (listen, data, source) = (config.listen, config.data.clone(), config.exposure.tls.clone());
    let has_accounts = config.identity.is_some();
    let lab = config.lab.map(|address| (address, Lab::new()));
    let ground = lab.as_ref().map_or_else(Ground::default, |(_, lab)| lab.ground());
    let app = App::open_on(config, ground).await?;
    let shown =
        source.as_ref().map(|source| tls::load(source, &data, listen, app.clock.now())).transpose()?;
    let tls = shown.map(|shown| Arc::new(Tls::new(shown)));
    let tcp =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    // Before anybody is told that the server is up: a signal may follow at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    println!("listening on http{}://{}", if tls.is_some() { "s" } else { "" }, tcp.local_addr()?);
    if let Some(TlsSource::SelfSigned { .. }) = source {
        let authority = tls::authority_file(&data);
        let authority = authority.canonicalize().unwrap_or(authority);
        println!("the certificate is signed by {}; clients are told so:", authority.display());
        print!("{}", tls::how_to_trust(&authority));
    }
    if has_accounts {
        println!("accounts are those of the configuration file");
    } else if std::env::var_os("CALOTYPE_ACCESS_KEY_ID").is_some() {
        println!("the access key is the one in CALOTYPE_ACCESS_KEY_ID");
    } else {
        println!("the access key is in {}", data.join(CREDENTIALS_FILE).display());
    }
    let (in_lab, between) = open_lab(&app, lab.as_ref()).await?;
    let told = stores::reloads(&mut app.db.read().await?).await?;
    let lab = lab.map(|(_, lab)| lab);
    let (shared, tls_shared) = (Arc::clone(&app), tls.clone());
    let mut reloading = Reloading { app: shared, tls: tls_shared, arguments, has_accounts, told, lab };
    let stop = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => reloading.reload_all().await,
                told = reloading.told_elsewhere() => {
                    reloading.told = told;
                    reloading.reload();
                }
            }
        }
    };
    let working = workers::start(&app);
    http::serve(app, Listener { tls, between, ..Listener::from(tcp) }, stop).await;
    drop((working, in_lab));
    Ok(())
}

/// Opens the lab, if there is to be one: its listener, and what stands between requests and operations.
async fn open_lab(
    app: &Arc<App>,
    lab: Option<&(SocketAddr, Arc<Lab>)>,
) -> Result<(JoinSet<()>, MaybeBetween), Box<dyn std::error::Error>> {
    let mut serving = JoinSet::new();
    let Some((address, lab)) = lab else { return Ok((serving, None)) };
    let door = TcpListener::bind(address).await;
    let door = door.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    println!("THE LAB IS ON at http://{}: for tests, never for anything else", door.local_addr()?);
    serving.spawn(lab::serve(Arc::clone(app), Arc::clone(lab), door));
    Ok((serving, lab.between()))
}

/// What is read again when a signal asks for it.
struct Reloading {
    app: Arc<App>,
    tls: Option<Arc<Tls>>,
    arguments: Serve,
    has_accounts: bool,
    /// How often servers were told to read their configurations again.
    told: i64,
    lab: Option<Arc<Lab>>,
}

/// The time between two looks whether another server tells to reload.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why nothing is taken of what was read again.
#[derive(Debug, thiserror::Error)]
enum NotReloaded {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("it names no accounts any more")]
    NoAccounts,
}

impl Reloading {
    /// Reloads, and tells the servers that use the same metadata to do so. A configuration that is refused here is
    /// read nowhere.
    async fn reload_all(&mut self) {
        if !self.reload() || !self.app.db.is_shared() {
            return;
        }
        let told = async {
            let mut tx = self.app.db.begin().await?;
            let told = stores::ask_to_reload(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(told)
        };
        match told.await {
            Ok(told) => self.told = told,
            Err(error) => tracing::error!(%error, "the other servers are not told to reload: try again"),
        }
    }

    /// Waits until another server tells to reload, which none does where there is only one.
    async fn told_elsewhere(&self) -> i64 {
        if !self.app.db.is_shared() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let told = async { stores::reloads(&mut self.app.db.read().await?).await };
            match told.await {
                Ok(told) if told != self.told => return told,
                // As long as the metadata is away nobody can tell anything.
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Takes the accounts and the certificate of a configuration that was read again: all of it, or nothing. Gives
    /// which.
    fn reload(&self) -> bool {
        match self.try_reload() {
            Ok(()) => {
                tracing::info!("configuration reloaded: accounts and certificate");
                true
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let told = "the configuration is refused; the old accounts stay, and the old certificate";
                tracing::error!(%error, cause, "{told}");
                false
            }
        }
    }

    fn try_reload(&self) -> Result<(), NotReloaded> {
        let config = self.arguments.load()?;
        if self.has_accounts && config.identity.is_none() {
            return Err(NotReloaded::NoAccounts);
        }
        let now = self.app.clock.now();
        let load = |source: &TlsSource| tls::load(source, &config.data, config.listen, now);
        match (&self.tls, &config.exposure.tls) {
            (Some(tls), Some(source)) => tls.replace(load(source)?),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                tracing::warn!("whether TLS is spoken changes at the next start");
            }
        }
        if let Some(identity) = config.identity {
            let identity = match &self.lab {
                Some(lab) => lab.with_worlds(identity)?,
                None => identity,
            };
            self.app.replace_identity(identity);
        }
        Ok(())
    }
}

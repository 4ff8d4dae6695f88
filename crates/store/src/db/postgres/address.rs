//! Where a PostgreSQL database is, and how to get there.

use std::str::FromStr;
use std::sync::Arc;

use tokio_postgres::config::{Host, SslMode};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A transaction that stands still that long, because its server does, is rolled back: nobody waits for its locks
/// any longer. A lock that is held by one at work is waited for so long, and then asked for anew: longer than the
/// database takes to notice a deadlock, so that only one of two is told to begin anew.
const SESSION: &str = "-c idle_in_transaction_session_timeout=10s -c lock_timeout=1500ms";

/// Connections of a server, if nothing else is said.
pub const CONNECTIONS: usize = 16;

/// Where a database is.
#[derive(Clone, Debug)]
pub struct Address {
    /// How to get to each host.
    pub(super) hosts: Vec<tokio_postgres::Config>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) connections: usize,
}

impl Address {
    /// Reads an address such as `postgres://user:password@host:5432/name`; `authorities` is the text of a PEM file
    /// with the certificates that the database's must be signed by.
    ///
    /// Without `sslmode` TLS is used, but to this machine. It is never a matter of what the other side likes.
    ///
    /// # Errors
    /// What cannot be used, in words that repeat no secret.
    pub fn parse(url: &str, authorities: Option<&str>, connections: Option<usize>) -> Result<Self, String> {
        let mut config = tokio_postgres::Config::from_str(url).map_err(|error| plain(&error))?;
        let tls = match (url.contains("sslmode="), config.get_ssl_mode()) {
            (true, SslMode::Disable) => false,
            (true, SslMode::Require) => true,
            (true, _) => return Err("sslmode must be disable or require".to_owned()),
            (false, _) => !config.get_hosts().iter().all(is_here),
        };
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        let options = [config.get_options().unwrap_or_default(), SESSION].join(" ");
        config.options(options.trim());
        if config.get_application_name().is_none() {
            config.application_name("calotype");
        }
        let tls = if tls {
            let authorities = authorities.ok_or("TLS needs metadata.ca, or say sslmode=disable")?;
            Some(Arc::new(trusting(authorities)?))
        } else {
            None
        };
        let hosts = (0..config.get_hosts().len()).map(|place| only(&config, place)).collect();
        Ok(Self { hosts, tls, connections: connections.unwrap_or(CONNECTIONS) })
    }
}

/// The address with one of its hosts only.
fn only(all: &tokio_postgres::Config, place: usize) -> tokio_postgres::Config {
    let mut one = tokio_postgres::Config::new();
    match all.get_hosts().get(place) {
        Some(Host::Tcp(name)) => one.host(name),
        Some(Host::Unix(path)) => one.host_path(path),
        None => &mut one,
    };
    // One port may be that of all.
    let ports = all.get_ports();
    if let Some(port) = ports.get(place).or(ports.first()) {
        one.port(*port);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(name) = all.get_dbname() {
        one.dbname(name);
    }
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    one.ssl_mode(all.get_ssl_mode());
    one.target_session_attrs(all.get_target_session_attrs());
    one.channel_binding(all.get_channel_binding());
    one.keepalives(all.get_keepalives()).keepalives_idle(all.get_keepalives_idle());
    one
}

fn trusting(authorities: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("metadata.ca: {error}"))?;
        roots.add(certificate).map_err(|error| format!("metadata.ca: {error}"))?;
    }
    if roots.is_empty() {
        return Err("metadata.ca has no certificate".to_owned());
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("metadata.ca: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// The error without what was parsed.
fn plain(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

//! TLS: the certificate that the server shows, from files or from an authority of its own.
//!
//! The authority is made once and kept in the data folder. What clients trust is its certificate; the server's
//! own is issued anew at each start, for the names that it is reached by at that time, and its key never
//! touches the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use calotype_core::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsSource;
use crate::wire::encode::hex;

/// The folder of the authority, in the data folder.
const FOLDER: &str = "tls";

/// The certificate of the authority, in that folder: what clients are to trust.
const AUTHORITY_FILE: &str = "ca.pem";

/// The key of the authority.
const AUTHORITY_KEY_FILE: &str = "ca-key.pem";

/// How long the authority is good, in months.
const AUTHORITY_MONTHS: i32 = 20 * 12;

/// How long a certificate of the server is good, in months: there are clients that take none for longer than 825
/// days.
const CERTIFICATE_MONTHS: i32 = 24;

/// The names by which a server on this machine is reached, whatever else.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why there is no certificate to show. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct TlsError {
    what: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl TlsError {
    fn new(what: String, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what, source: source.into() }
    }
}

/// What the server shows to whoever connects. May be replaced while it serves.
pub struct Tls(RwLock<TlsAcceptor>);

impl Tls {
    /// Shows this.
    #[must_use]
    pub fn new(shown: Arc<ServerConfig>) -> Self {
        Self(RwLock::new(shown.into()))
    }

    /// Shows something else from now on. Connections that are open stay as they are.
    pub fn replace(&self, shown: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shown.into();
    }

    /// What a connection that begins now is greeted with.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// Reads or issues what the configuration says that the server shows, at this address.
///
/// # Errors
/// [`TlsError`] if a file cannot be read or written, does not hold what it should, or key and certificate do not
/// belong together.
pub fn load(
    source: &TlsSource,
    data: &Path,
    listen: SocketAddr,
    now: Timestamp,
) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = match source {
        TlsSource::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
        TlsSource::SelfSigned { names } => issue(&data.join(FOLDER), names, listen.ip(), now)?,
    };
    let refused = |error| TlsError::new("the certificate cannot be used".to_owned(), error);
    let mut shown = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(refused)?;
    shown.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(shown))
}

/// The file that clients of a self-signed server are to trust.
#[must_use]
pub fn authority_file(data: &Path) -> PathBuf {
    data.join(FOLDER).join(AUTHORITY_FILE)
}

/// How each client is told to trust an authority.
#[must_use]
pub fn how_to_trust(authority: &Path) -> String {
    let file = authority.display();
    [
        ("Python SDK, new", format!("Config(ca=\"{file}\", protocol=\"https\", ...)")),
        ("Python SDK, old", format!("ALIBABA_CLOUD_CA_BUNDLE={file}")),
        ("Go SDKs, aliyun, Terraform", format!("SSL_CERT_FILE={file}")),
        ("JavaScript SDKs", format!("NODE_EXTRA_CA_CERTS={file}")),
        ("Java SDKs", format!("keytool -importcert -noprompt -alias calotype -file {file} -cacerts")),
        ("curl", format!("--cacert {file}")),
    ]
    .map(|(client, how)| format!("  {client:27} {how}\n"))
    .concat()
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::new(format!("no certificate in {}", path.display()), error);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
    let chain = chain.map_err(failed)?;
    if chain.is_empty() {
        return Err(TlsError::new(
            format!("no certificate in {}", path.display()),
            "it has none in PEM form",
        ));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // What the parser says about a key that it cannot read could show a part of it.
    let key = PrivateKeyDer::from_pem_file(path).map_err(|_| {
        let what = format!("no private key in {}", path.display());
        TlsError::new(what, "it cannot be read, or has none in PEM form")
    })?;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        tracing::warn!(file = %path.display(), "everybody may read the private key");
    }
    Ok(key)
}

/// Issues a certificate of the server, and the authority too if there is none yet.
fn issue(
    folder: &Path,
    names: &[String],
    listen: IpAddr,
    now: Timestamp,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let failed = |error: rcgen::Error| TlsError::new("no certificate can be issued".to_owned(), error);
    let authority_key = authority(folder, now)?;
    let mut all: Vec<String> = LOCAL_NAMES.iter().map(|name| (*name).to_owned()).collect();
    all.extend(names.iter().cloned());
    if !listen.is_unspecified() {
        all.push(listen.to_string());
    }
    all.sort();
    all.dedup();
    let mut params = CertificateParams::new(all).map_err(failed)?;
    params.distinguished_name = named("Calotype");
    limit(&mut params, now, CERTIFICATE_MONTHS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(failed)?;
    let authority = Issuer::new(authority_params(&authority_key, now), authority_key);
    let certificate = params.signed_by(&key, &authority).map_err(failed)?;
    let key = PrivateKeyDer::try_from(key.serialize_der());
    let key = key.map_err(|error| TlsError::new("no certificate can be issued".to_owned(), error))?;
    Ok((vec![certificate.der().clone()], key))
}

/// The key of the authority; makes it, and its certificate, the first time.
fn authority(folder: &Path, now: Timestamp) -> Result<KeyPair, TlsError> {
    let (file, key_file) = (folder.join(AUTHORITY_FILE), folder.join(AUTHORITY_KEY_FILE));
    let key = match fs::read_to_string(&key_file) {
        Ok(text) => KeyPair::from_pem(&text).map_err(|_| {
            TlsError::new(format!("no private key in {}", key_file.display()), "it is not as it was made")
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate();
            let key = key.map_err(|error| TlsError::new("no key can be made".to_owned(), error))?;
            write(&key_file, 0o600, &key.serialize_pem())?;
            key
        }
        Err(error) => return Err(TlsError::new(format!("cannot read {}", key_file.display()), error)),
    };
    if !is_of(&file, &key) {
        let certificate = authority_params(&key, now).self_signed(&key);
        let certificate = certificate
            .map_err(|error| TlsError::new("the authority cannot be certified".to_owned(), error))?;
        write(&file, 0o644, &certificate.pem())?;
    }
    Ok(key)
}

/// Whether a file holds the certificate of this key. One that does not would let no client in.
fn is_of(file: &Path, key: &KeyPair) -> bool {
    let public = key.public_key_raw();
    CertificateDer::from_pem_file(file)
        .is_ok_and(|found| found.windows(public.len()).any(|part| part == public))
}

/// What the authority certifies of itself. Its name is told from those of others by a part of its key.
fn authority_params(key: &KeyPair, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    let part: String = hex(key.public_key_raw()).chars().rev().take(8).collect();
    params.distinguished_name = named(&format!("Calotype authority {part}"));
    limit(&mut params, now, AUTHORITY_MONTHS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Good from the month before, so that clocks may differ, and for so many months.
fn limit(params: &mut CertificateParams, now: Timestamp, months: i32) {
    let text = now.to_string();
    let part = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|part| part.parse::<i32>().ok()).unwrap_or(1)
    };
    let this = part(0..4) * 12 + part(5..7) - 1;
    let first_of = |month: i32| {
        let month_of_year = u8::try_from(month.rem_euclid(12)).unwrap_or(0) + 1;
        date_time_ymd(month.div_euclid(12), month_of_year, 1)
    };
    (params.not_before, params.not_after) = (first_of(this - 1), first_of(this + months));
}

/// Writes a file whole or not at all.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    let unfinished = path.with_extension("new");
    let written = || -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let _ = fs::remove_file(&unfinished);
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    written().map_err(|error| TlsError::new(format!("cannot write {}", path.display()), error))
}

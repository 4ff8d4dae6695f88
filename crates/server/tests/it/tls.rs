//! TLS: who is greeted, with which certificate, and what policies see of it.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use calotype::config::{Config, Overrides, TlsSource};
use calotype::http::{self, Bounds, Listener};
use calotype::tls::{self, Tls};
use calotype_core::time::Timestamp;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::raw::{Signed, V1, exchange, exchange_over, fresh_nonce, try_exchange};
use crate::support::{ENS, Setup, World};

const SHORT: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(20);

/// A listener that speaks TLS, beside the plain one of a world.
struct Secured {
    address: SocketAddr,
    authority: PathBuf,
    tls: Arc<Tls>,
    _serving: JoinSet<()>,
}

impl Secured {
    async fn listen(world: &World, bounds: Bounds) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        // Certificates are good by the clock of their clients, which is not that of the world.
        let source = TlsSource::SelfSigned { names: vec!["images.example".to_owned()] };
        let shown = tls::load(&source, &world.path(""), address, today()).unwrap();
        let tls = Arc::new(Tls::new(shown));
        let listener = Listener { tls: Some(Arc::clone(&tls)), bounds, ..Listener::from(tcp) };
        let mut serving = JoinSet::new();
        serving.spawn(http::serve(Arc::clone(&world.app), listener, std::future::pending()));
        Self { address, authority: tls::authority_file(&world.path("")), tls, _serving: serving }
    }

    async fn connect(&self, name: &'static str) -> io::Result<TlsStream<TcpStream>> {
        connect(self.address, &self.authority, name).await
    }
}

fn today() -> Timestamp {
    calotype::clock::Clock::System.now()
}

/// Connects as a client that trusts this authority alone.
async fn connect(
    address: SocketAddr,
    authority: &Path,
    name: &'static str,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

/// A harmless call, as `testid`.
fn call(world: &World) -> Vec<u8> {
    V1 { method: "POST", in_form: true, format: "JSON" }.bytes(world, "DescribeEnsRegions", &[])
}

#[tokio::test]
async fn who_trusts_the_authority_is_served() {
    let world = World::new().await;
    let secured = Secured::listen(&world, Bounds::default()).await;
    for name in ["localhost", "127.0.0.1", "::1", "images.example"] {
        let reply = exchange_over(secured.connect(name).await.unwrap(), &call(&world)).await.unwrap();
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    }
    for name in ["example.com", "192.0.2.1", "a.localhost"] {
        assert!(secured.connect(name).await.is_err(), "{name}");
    }
    let other = World::new().await;
    let stranger = Secured::listen(&other, Bounds::default()).await;
    assert!(connect(secured.address, &stranger.authority, "localhost").await.is_err(), "another authority");
    assert!(exchange(world.address, &call(&world)).await.status == 200, "the plain listener is there too");
}

#[tokio::test]
async fn policies_see_whether_it_is_tls() {
    let when = |secure: bool| {
        let condition = format!(r#"{{"Bool":{{"acs:SecureTransport":"{secure}"}}}}"#);
        format!(r#"{{"Effect":"Allow","Action":"ens:*","Resource":"*","Condition":{condition}}}"#)
    };
    let users = [("secure", when(true)), ("plain", when(false))];
    let users: Vec<(&str, &str)> = users.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let world = World::open(Setup::with_users(&users)).await;
    let secured = Secured::listen(&world, Bounds::default()).await;
    for (user, over_tls, expected) in
        [("secure", true, 200), ("secure", false, 400), ("plain", true, 400), ("plain", false, 200)]
    {
        let secret = calotype::wire::signature::Secret::new(format!("secret-of-{user}"));
        let id = format!("ak-{user}");
        let key = calotype::wire::sign::Key { access_key_id: &id, secret: &secret, security_token: None };
        let nonce = fresh_nonce();
        let at = world.clock.now();
        let signed = Signed { key, version: ENS, action: "DescribeImages", params: &[], at, nonce: &nonce };
        let bytes = signed.v1(world.address);
        let reply = if over_tls {
            exchange_over(secured.connect("localhost").await.unwrap(), &bytes).await.unwrap()
        } else {
            exchange(world.address, &bytes).await
        };
        assert_eq!(reply.status, expected, "{user}, {over_tls}: {}", reply.body);
    }
}

/// What is trusted stays the same; what is shown need not.
#[tokio::test]
async fn the_authority_is_made_once() {
    let world = World::new().await;
    let secured = Secured::listen(&world, Bounds::default()).await;
    let shown = async |secured: &Secured| {
        let stream = secured.connect("localhost").await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let (authority, before) = (std::fs::read(&secured.authority).unwrap(), shown(&secured).await);
    let again = Secured::listen(&world, Bounds::default()).await;
    assert_eq!(std::fs::read(&again.authority).unwrap(), authority);
    let after = shown(&again).await;
    assert_ne!(after, before, "a key of its own for each start");

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let key = secured.authority.with_file_name("ca-key.pem");
    assert_eq!((mode(&key), mode(&secured.authority)), (0o600, 0o644));
    let files = std::fs::read_dir(secured.authority.parent().unwrap()).unwrap().count();
    assert_eq!(files, 2, "the key of the server is not among them");

    // A certificate that was lost is made again from the key, one of another key is replaced.
    for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&secured.authority, text).unwrap();
        let healed = Secured::listen(&world, Bounds::default()).await;
        shown(&healed).await;
    }
    std::fs::write(&key, "not a key").unwrap();
    let source = TlsSource::SelfSigned { names: Vec::new() };
    let error = tls::load(&source, &world.path(""), secured.address, today()).unwrap_err();
    assert!(error.to_string().contains("no private key in") && !error.to_string().contains("not a key"));
}

#[tokio::test]
async fn a_certificate_is_replaced_while_it_is_served() {
    let world = World::new().await;
    let secured = Secured::listen(&world, Bounds::default()).await;
    let mut open = secured.connect("localhost").await.unwrap();
    let other = World::new().await;
    let authority = tls::authority_file(&other.path(""));
    let source = TlsSource::SelfSigned { names: Vec::new() };
    secured.tls.replace(tls::load(&source, &other.path(""), secured.address, today()).unwrap());
    assert!(secured.connect("localhost").await.is_err(), "the old authority is none any more");
    let stream = connect(secured.address, &authority, "localhost").await.unwrap();
    assert_eq!(exchange_over(stream, &call(&world)).await.unwrap().status, 200);
    open.write_all(&call(&world)).await.unwrap();
    let mut received = [0; 4_096];
    let count = open.read(&mut received).await.unwrap();
    assert!(received[..count].starts_with(b"HTTP/1.1 200 "), "what was open stays so");
}

#[tokio::test]
async fn who_speaks_the_other_protocol_is_told_or_hung_up_on() {
    let world = World::new().await;
    let secured = Secured::listen(&world, Bounds::default()).await;
    let reply = exchange(secured.address, &call(&world)).await;
    let message = "Your request is denied as lack of ssl protect.";
    assert_eq!(
        (reply.status, &*reply.code(), &*reply.member("Message")),
        (400, "InvalidProtocol.NeedSsl", message)
    );
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    for address in [world.address, secured.address] {
        let reply = try_exchange(address, hello).await;
        assert!(reply.as_ref().is_none_or(|reply| reply.status == 400), "{reply:?}");
    }
    assert_eq!(exchange(world.address, &call(&world)).await.status, 200);
    let stream = secured.connect("localhost").await.unwrap();
    assert_eq!(exchange_over(stream, &call(&world)).await.unwrap().status, 200);
}

/// Who connects and agrees on nothing is hung up on, and keeps nobody out until then.
#[tokio::test]
async fn a_handshake_has_a_limit() {
    let world = World::new().await;
    let bounds = Bounds { handshake: SHORT, ..Bounds::default() };
    let secured = Secured::listen(&world, bounds).await;
    for said in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let since = Instant::now();
        let mut stream = TcpStream::connect(secured.address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut received = Vec::new();
        drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("it hangs up"));
        assert!(since.elapsed() >= SHORT, "{said:?}: after {:?}", since.elapsed());
    }

    let bounds = Bounds { connections: 8, handshake: PATIENCE * 10, ..Bounds::default() };
    let crowded = Secured::listen(&world, bounds).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(crowded.address).await.unwrap());
    }
    let since = Instant::now();
    let stream = crowded.connect("localhost").await.unwrap();
    assert_eq!(exchange_over(stream, &call(&world)).await.unwrap().status, 200);
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
}

/// A stop does not wait for who is still being greeted.
#[tokio::test]
async fn a_stop_hangs_up_on_who_is_still_being_greeted() {
    let world = World::new().await;
    let secured = Secured::listen(&world, Bounds::default()).await;
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener { tls: Some(Arc::clone(&secured.tls)), ..Listener::from(tcp) };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut serving = JoinSet::new();
    serving.spawn(http::serve(Arc::clone(&world.app), listener, async move { drop(stopped.await) }));
    let _silent = TcpStream::connect(address).await.unwrap();
    let idle = connect(address, &secured.authority, "localhost").await.unwrap();
    let since = Instant::now();
    drop(stop);
    serving.join_next().await.unwrap().unwrap();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    drop(idle);
}

/// A certificate with its key, in files.
fn files(folder: &TempDir, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) =
        (folder.path().join(format!("{name}.pem")), folder.path().join(format!("{name}-key.pem")));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

#[test]
fn files_must_hold_what_they_should() {
    let folder = tempfile::tempdir().unwrap();
    let ((cert, key), (other, _)) = (files(&folder, "one"), files(&folder, "other"));
    let junk = folder.path().join("junk.pem");
    std::fs::write(&junk, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\nbut not a key\n").unwrap();
    let missing = folder.path().join("missing.pem");
    let load = |cert: &Path, key: &Path| {
        let source = TlsSource::Files { cert: cert.to_owned(), key: key.to_owned() };
        let loaded = tls::load(&source, folder.path(), "127.0.0.1:0".parse().unwrap(), today());
        loaded.map(|_| ()).map_err(|error| format!("{error}: {}", std::error::Error::source(&error).unwrap()))
    };
    assert_eq!(load(&cert, &key), Ok(()));
    for (cert, key, told) in [
        (&other, &key, "the certificate cannot be used"),
        (&missing, &key, "no certificate in"),
        (&junk, &key, "no certificate in"),
        (&key, &key, "no certificate in"),
        (&cert, &missing, "no private key in"),
        (&cert, &cert, "no private key in"),
        (&cert, &junk, "no private key in"),
    ] {
        let error = load(cert, key).unwrap_err();
        assert!(error.starts_with(told), "{error}");
        assert!(!error.contains("c2VjcmV0") && !error.contains("but not"), "{error}");
    }
}

/// What the configuration says about reaching the server: the text of the file, and what is said on the command
/// line.
fn configured(text: &str, change: impl FnOnce(&mut Overrides)) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calotype.toml");
    std::fs::write(&path, text).unwrap();
    let mut overrides = Overrides { config: Some(path), ..Overrides::default() };
    change(&mut overrides);
    let config = Config::load(&overrides, |_| None).map_err(|error| error.to_string())?;
    config.check_exposure().map_err(|error| error.to_string())?;
    Ok(config)
}

#[test]
fn plain_http_is_for_this_machine_unless_it_is_said_otherwise() {
    let listening =
        |address: &str, more: &str| configured(&format!("listen = '{address}:8470'\n{more}"), |_| {});
    let (tls, insecure) = ("[tls]\nself_signed = true\n", "insecure_http = true\n");
    for local in ["127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
        assert!(listening(local, "").is_ok(), "{local}");
    }
    for reachable in ["0.0.0.0", "[::]", "192.0.2.1", "[2001:db8::1]", "[::ffff:192.0.2.1]"] {
        let error = listening(reachable, "").unwrap_err();
        assert!(error.contains("can be reached from other machines"), "{error}");
        assert!(error.contains("--tls-self-signed") && error.contains("--insecure-http"), "{error}");
        assert!(listening(reachable, tls).is_ok() && listening(reachable, insecure).is_ok(), "{reachable}");
        let said = |overrides: &mut Overrides| overrides.insecure_http = true;
        assert!(configured(&format!("listen = '{reachable}:8470'"), said).is_ok(), "{reachable}");
    }
}

#[test]
fn the_certificate_comes_from_one_place() {
    let source = |text: &str| configured(text, |_| {}).map(|config| config.exposure.tls);
    let files = |cert: &str, key: &str| TlsSource::Files { cert: cert.into(), key: key.into() };
    assert_eq!(source(""), Ok(None));
    assert_eq!(source("[tls]\ncert = 'c'\nkey = 'k'"), Ok(Some(files("c", "k"))));
    let names = vec!["a.example".to_owned()];
    let named = source("[tls]\nself_signed = true\nnames = ['a.example']");
    assert_eq!(named, Ok(Some(TlsSource::SelfSigned { names })));
    for (text, told) in [
        ("[tls]\ncert = 'c'", "tls.cert needs tls.key"),
        ("[tls]\nkey = 'k'", "tls.key needs tls.cert"),
        ("[tls]\ncert = 'c'\nkey = 'k'\nself_signed = true", "exclude each other"),
        ("insecure_http = true\n[tls]\nself_signed = true", "exclude each other"),
        ("[tls]\nnames = ['a.example']", "tls.names belong to tls.self_signed"),
        ("[tls]\nself_signed = 'yes'", "line 2"),
        ("insecure_http = 1", "line 1"),
        ("[tls]\ncertificate = 'c'", "line 2"),
    ] {
        let error = source(text).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
    // The command line goes before the file.
    let said = |change: fn(&mut Overrides)| {
        let file = "[tls]\nself_signed = true\nnames = ['a.example']";
        configured(file, change).map(|config| config.exposure.tls)
    };
    let cert = said(|overrides| {
        (overrides.tls_cert, overrides.tls_key) = (Some("c".into()), Some("k".into()));
    });
    assert_eq!(cert, Ok(Some(files("c", "k"))));
    assert!(said(|overrides| overrides.tls_cert = Some("c".into())).is_err());
}

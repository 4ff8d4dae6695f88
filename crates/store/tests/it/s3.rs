//! A real S3 server, which all tests of this program share.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use calotype_store::objects::{Location, Objects, S3Key, S3Settings};
use tempfile::TempDir;

const ID: &str = "testid";
pub const SECRET: &str = "testsecret-of-the-store";

/// Ends the server with whoever holds the other end of its input, however that one ends.
const KEEPER: &str = r#"
    folder=$(mktemp -d) && echo "$folder" && mkdir "$folder/drive" || exit 1
    "$1" server --quiet --address "127.0.0.1:$2" --certs-dir "$3" "$folder/drive" >"$folder/log" 2>&1 &
    cat >/dev/null
    kill $!; wait $!; rm -rf "$folder"
"#;

/// A server, as long as this program runs.
struct Server {
    port: u16,
    /// What it is reached by.
    scheme: &'static str,
    /// Where it keeps what it has: a folder for each bucket, with a folder for each object.
    drive: PathBuf,
}

/// A bucket of a server.
pub struct Bucket {
    name: String,
    pub port: u16,
    scheme: &'static str,
    /// The folder that the server keeps it in.
    pub folder: PathBuf,
}

/// The server that all tests share.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start("http", Path::new("/nonexistent")))
}

/// Starts a server, which speaks TLS if there are a key and a certificate in the folder.
fn start(scheme: &'static str, certs: &Path) -> Server {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let program = std::env::var_os("CALOTYPE_S3_SERVER").map(PathBuf::from);
    let port = free_port();
    #[expect(clippy::zombie_processes, reason = "it ends after this program, which has nobody to wait then")]
    let mut keeper = Command::new("sh")
        .args(["-c", KEEPER, "sh"])
        .arg(program.unwrap_or_else(|| newest(&own)))
        .arg(port.to_string())
        .arg(certs)
        .env("MINIO_ROOT_USER", ID)
        .env("MINIO_ROOT_PASSWORD", SECRET)
        .env("MINIO_BROWSER", "off")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut line = String::new();
    let mut out = BufReader::new(keeper.stdout.take().expect("it is piped"));
    out.read_line(&mut line).expect("it tells its folder");
    let folder = PathBuf::from(line.trim());
    for _ in 0..600 {
        if is_up(port) {
            // Its input stays open as long as this program runs.
            std::mem::forget(keeper);
            return Server { port, scheme, drive: folder.join("drive") };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("the S3 server did not start; `cargo xtask s3-server` builds it: {log}");
}

/// The server that was built.
fn newest(tools: &Path) -> PathBuf {
    let versions = std::fs::read_dir(tools).into_iter().flatten().flatten();
    let built = versions.map(|version| version.path().join("minio")).filter(|program| program.exists());
    built.max().expect("no S3 server: build it with `cargo xtask s3-server`")
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has an address").port()
}

/// Tells whether the server answers. One that speaks TLS answers this, too: with what it thinks of it.
fn is_up(port: u16) -> bool {
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        let head = "GET /minio/health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer.contains(" 200 ") || answer.contains(" 400 "))
    });
    asked.unwrap_or(false)
}

impl Bucket {
    /// Makes a bucket, which to this server is a folder. One for each test, because all of them share the server.
    pub fn new() -> Self {
        Self::of(server())
    }

    /// Makes a bucket of a server of its own that speaks TLS, and gives the certificate that it shows.
    pub fn with_tls(folder: &Path) -> (Self, PathBuf) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let certificate = folder.join("public.crt");
        std::fs::write(&certificate, made.cert.pem()).expect("it can be written");
        std::fs::write(folder.join("private.key"), made.signing_key.serialize_pem()).expect("so can its key");
        (Self::of(&start("https", folder)), certificate)
    }

    fn of(server: &Server) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("bucket-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = server.drive.join(&name);
        std::fs::create_dir(&folder).expect("a bucket can be made");
        Self { name, port: server.port, scheme: server.scheme, folder }
    }

    /// The bucket as it is configured.
    pub fn location(&self) -> Location {
        self.location_at(self.port, "", SECRET)
    }

    /// The same by way of another port, with a prefix, with another secret.
    pub fn location_at(&self, port: u16, prefix: &str, secret: &str) -> Location {
        self.location_with(port, prefix, secret, None)
    }

    /// The same where the certificates in a file are trusted and no others.
    pub fn location_trusting(&self, ca: &Path) -> Location {
        self.location_with(self.port, "", SECRET, Some(ca.to_owned()))
    }

    fn location_with(&self, port: u16, prefix: &str, secret: &str, ca: Option<PathBuf>) -> Location {
        let key = S3Key { id: ID.to_owned(), secret: secret.to_owned() };
        let settings = S3Settings { key: Some(key), ca, ..S3Settings::default() };
        let text = format!("s3://{}/{prefix}?endpoint={}://127.0.0.1:{port}", self.name, self.scheme);
        Location::parse(&text, &settings).expect("it is a location")
    }
}

/// A store of each kind, each empty.
pub fn one_of_each(folder: &TempDir) -> [Objects; 4] {
    let bucket = Bucket::new();
    [
        Location::File(folder.path().join("one-of-each")),
        Location::Memory,
        bucket.location(),
        bucket.location_at(bucket.port, "within/it", SECRET),
    ]
    .map(|location| Objects::open(&location).expect("it opens"))
}

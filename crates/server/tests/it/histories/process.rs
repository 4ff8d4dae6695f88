//! The real binary, in a folder of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use calotype::client::Client;
use calotype::clock::Clock;
use tempfile::TempDir;

use super::spec::By;
use crate::support::{BUCKET, OTHER, OWNER, PUBLIC_IMAGE};

/// A server process. It ends with this, in the way of `kill -9`.
pub struct Process {
    folder: TempDir,
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Process {
    /// Starts the binary over an empty folder, with one bucket that holds one object.
    pub fn start(object: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/buckets").join(BUCKET)).unwrap();
        std::fs::write(folder.path().join("data/buckets").join(BUCKET).join(object), bytes).unwrap();
        std::fs::write(folder.path().join("calotype.toml"), config()).unwrap();
        let (child, address) = spawn(&folder);
        Self { folder, child, address }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again over the same folder.
    pub fn start_again(&mut self) {
        (self.child, self.address) = spawn(&self.folder);
    }

    /// A client with the key of an account, and a connection of its own.
    pub fn client(&self, by: By) -> Client {
        let name = match by {
            By::Owner => "owner",
            By::Other => "other",
        };
        Client::new(self.address, &format!("ak-{name}"), &format!("secret-of-{name}"), Clock::System)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config() -> String {
    let account = |id: &str, name: &str| {
        format!(
            "[[account]]\nid = '{id}'\n[[account.access_key]]\nid = 'ak-{name}'\nsecret = 'secret-of-{name}'\n"
        )
    };
    let image = format!("[[public_image]]\nid = '{PUBLIC_IMAGE}'\napi = 'ens'\n");
    let desktop = crate::support::app_streaming::SYSTEM_IMAGE;
    let desktop = format!("[[public_image]]\nid = '{desktop}'\napi = 'appstreaming'\n");
    [image, desktop, account(OWNER, "owner"), account(OTHER, "other")].concat()
}

/// Starts the process and waits until it says where it listens.
fn spawn(folder: &TempDir) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calotype"));
    command.arg("serve").arg("--config").arg(folder.path().join("calotype.toml"));
    command.arg("--data").arg(folder.path().join("data")).args(["--listen", "127.0.0.1:0"]);
    // Settings of whoever runs the tests are not meant for it.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CALOTYPE_")) {
        command.env_remove(name);
    }
    let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    // The lines that follow are few enough for the pipe.
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    (child, address.unwrap_or_else(|| panic!("the server did not start: {line} {}", log())))
}

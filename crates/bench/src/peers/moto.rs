//! moto, which keeps everything in memory: `DeregisterImage` is the like of a delete.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::client::{ask_all, between, request};
use super::process::Process;
use super::python::Python;
use super::{Application, Peer};
use crate::Outcome;
use crate::installation::{Installation, failed};
use crate::load::Requests;
use crate::server::free_address;

const APPLICATION: &str = include_str!("../../peers/moto_app.py");

/// What it keeps is in one process.
const WORKERS: usize = 1;
const THREADS: usize = 8;

/// It reads the service from the signature and does not verify it.
const HEADERS: &str = "authorization: AWS4-HMAC-SHA256 Credential=benchmark/20260101/us-east-1/ec2/aws4_request, \
                       SignedHeaders=host, Signature=0\r\n\
                       content-type: application/x-www-form-urlencoded\r\n";

/// A running server.
#[derive(Debug)]
pub struct Moto {
    address: SocketAddr,
    version: String,
    made: Cell<u64>,
    server: Process,
    // Goes last.
    _folder: Installation,
}

impl Moto {
    /// Starts a server in an empty folder.
    ///
    /// # Errors
    /// A text.
    pub fn start(python: &Python, folder: Installation) -> Outcome<Self> {
        let file = folder.data.join("moto_app.py");
        fs::write(&file, APPLICATION).map_err(|error| failed(&file, &error))?;
        let application = Application {
            name: "moto_app:application",
            workers: WORKERS,
            threads: THREADS,
            environment: &[("PYTHONPATH", Path::new("."))],
        };
        let address = free_address()?;
        let server =
            application.start(python, address, &folder.data, &request("GET", "/moto-api/", "", b""))?;
        let packages = python.versions(&["moto", "gunicorn"])?;
        let version = format!("{packages}; {WORKERS} process of {THREADS} threads");
        Ok(Self { address, version, made: Cell::new(0), server, _folder: folder })
    }
}

impl Peer for Moto {
    fn name(&self) -> &'static str {
        "moto"
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.server.id()]
    }

    fn images(&self, count: u64) -> Outcome<Requests> {
        let first = self.made.replace(self.made.get() + count);
        let made = ask_all(self.address, count, 200, |number| {
            call(&format!("Action=RegisterImage&Version=2016-11-15&Name=image-{}", first + number))
        })?;
        let deletes = made.iter().map(|answer| {
            let id = between(answer, "<imageId>", "</imageId>")?;
            Ok((call(&format!("Action=DeregisterImage&Version=2016-11-15&ImageId={id}")), 200))
        });
        deletes.collect()
    }
}

fn call(parameters: &str) -> Vec<u8> {
    request("POST", "/", HEADERS, parameters.as_bytes())
}

//! OpenStack Glance with PostgreSQL and its file store. Keystone is not there: headers say who calls.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::client::{ask_all, between, request};
use super::postgres::Postgres;
use super::process::{Process, finish};
use super::python::Python;
use super::{Application, Peer};
use crate::Outcome;
use crate::installation::{Installation, failed};
use crate::load::Requests;
use crate::server::free_address;

const CONFIGURATION: &str = include_str!("../../peers/glance-api.conf");
const PIPELINE: &str = include_str!("../../peers/glance-paste.ini");

/// Of several numbers these gave the most deletes on two processors.
const WORKERS: usize = 2;
const THREADS: usize = 8;

/// What Keystone's filter would have added.
const HEADERS: &str = "x-identity-status: Confirmed\r\nx-user-id: benchmark\r\nx-project-id: benchmark\r\n\
                       x-roles: member,reader\r\n";

/// The bytes of every image.
pub const IMAGE_BYTES: usize = 64 << 10;

/// A running server, with its database.
#[derive(Debug)]
pub struct Glance {
    address: SocketAddr,
    version: String,
    server: Process,
    /// Its database.
    pub postgres: Postgres,
    // Goes last.
    _folder: Installation,
}

impl Glance {
    /// Starts a server in an empty folder.
    ///
    /// # Errors
    /// A text.
    pub fn start(python: &Python, folder: Installation) -> Outcome<Self> {
        let root = &folder.data;
        let postgres = Postgres::start(&root.join("postgres"))?;
        let address = free_address()?;
        let configuration = CONFIGURATION
            .replace("{root}", &root.to_string_lossy())
            .replace("{address}", &address.to_string())
            .replace("{database}", &postgres.url())
            .replace("{threads}", &THREADS.to_string());
        write(&root.join("glance-api.conf"), &configuration)?;
        write(&root.join("glance-paste.ini"), PIPELINE)?;
        for name in ["images", "staging", "tasks"] {
            let store = root.join(name);
            fs::create_dir(&store).map_err(|error| failed(&store, &error))?;
        }
        let mut tables = Command::new(python.program("glance-manage"));
        tables.arg("--config-file").arg(root.join("glance-api.conf")).arg("db_sync");
        finish(tables)?;
        let application = Application {
            name: "glance.wsgi.api:application",
            workers: WORKERS,
            threads: THREADS,
            environment: &[("OS_GLANCE_CONFIG_DIR", root)],
        };
        let server = application.start(python, address, root, &request("GET", "/v2/images", HEADERS, b""))?;
        let packages = python.versions(&["glance", "SQLAlchemy", "psycopg2-binary", "gunicorn"])?;
        let database = postgres.version()?;
        let version = format!("{packages}; {WORKERS} processes of {THREADS} threads; {database}");
        Ok(Self { address, version, server, postgres, _folder: folder })
    }
}

impl Peer for Glance {
    fn name(&self) -> &'static str {
        "Glance"
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.server.id(), self.postgres.id()]
    }

    fn images(&self, count: u64) -> Outcome<Requests> {
        let json = format!("{HEADERS}content-type: application/json\r\n");
        let made = ask_all(self.address, count, 201, |number| {
            let image = format!(
                "{{\"name\": \"image-{number}\", \"disk_format\": \"raw\", \"container_format\": \"bare\"}}"
            );
            request("POST", "/v2/images", &json, image.as_bytes())
        })?;
        let paths: Vec<String> = made
            .iter()
            .map(|answer| between(answer, "\"id\": \"", "\"").map(|id| format!("/v2/images/{id}")))
            .collect::<Outcome<_>>()?;
        let (octets, bytes) =
            (format!("{HEADERS}content-type: application/octet-stream\r\n"), vec![7; IMAGE_BYTES]);
        ask_all(self.address, count, 204, |number| {
            request("PUT", &format!("{}/file", paths[number as usize]), &octets, &bytes)
        })?;
        Ok(paths.iter().map(|path| (request("DELETE", path, HEADERS, b""), 204)).collect())
    }
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| failed(path, &error))
}

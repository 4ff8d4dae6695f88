//! What a world holds, in one text: two of them tell whether a call has changed anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use calotype_store::objects::MARKER;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::World;
use super::caller::is_upper_uuid;

/// Every table but that of the nonces.
const TABLES: [&str; 14] = [
    "SELECT 'images', t.* FROM images t ORDER BY t.id",
    "SELECT 'shares', t.* FROM shares t ORDER BY t.image_id, t.account_id",
    "SELECT 'usages', t.* FROM usages t ORDER BY t.image_id, t.consumer_id, t.origin",
    "SELECT 'replicas', t.* FROM replicas t ORDER BY t.id",
    "SELECT 'exports', t.* FROM exports t ORDER BY t.image_id",
    "SELECT 'deletions', t.* FROM deletions t ORDER BY t.id",
    "SELECT 'instances', t.* FROM instances t ORDER BY t.id",
    "SELECT 'versions', t.* FROM versions t ORDER BY t.id",
    "SELECT 'templates', t.* FROM templates t ORDER BY t.id",
    "SELECT 'bundles', t.* FROM bundles t ORDER BY t.id",
    "SELECT 'disks', t.* FROM disks t ORDER BY t.id",
    "SELECT 'tags', t.* FROM tags t ORDER BY t.resource_kind, t.resource_id, t.tag_key",
    "SELECT 'snapshots', t.* FROM snapshots t ORDER BY t.id",
    "SELECT 'sessions', t.* FROM sessions t ORDER BY t.access_key_id",
];

impl World {
    /// Every row and every file of the regions.
    pub async fn print(&self) -> String {
        let mut print = String::new();
        for table in TABLES {
            for row in self.rows(table, &[]).await {
                writeln!(print, "{row:?}").unwrap();
            }
        }
        for (file, sha256) in self.files() {
            writeln!(print, "{file} {sha256}").unwrap();
        }
        print
    }

    /// Every file in the stores of the regions but their markers, those that the stores hide included, with its
    /// SHA-256.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let root = self.path("objects");
        collect(&root, &root, &mut files);
        files
    }

    /// The files of an image or a snapshot in every region, with their SHA-256.
    pub async fn files_of(&self, holder: &str) -> BTreeMap<String, String> {
        let sql = "SELECT id FROM replicas WHERE holder_id = $1";
        let rows = self.rows(sql, &[holder.into()]).await;
        let ids: Vec<&str> = rows.iter().map(|row| row.text(0).unwrap()).collect();
        let mut files = self.files();
        files.retain(|file, _| ids.iter().any(|id| file.contains(id)));
        files
    }

    /// Checks that records and bytes agree: what is available is there with its length and hash, and
    /// nothing else lies around.
    pub async fn assert_sound(&self) {
        let rows = self
            .rows(
                "SELECT region, object_key, sha256, size_bytes FROM replicas WHERE state = 'available' \
                 OR (state = 'erasing' AND sha256 IS NOT NULL)",
                &[],
            )
            .await;
        let mut recorded = BTreeMap::new();
        for row in &rows {
            let file = format!("{}/{}", row.text(0).unwrap(), row.text(1).unwrap());
            let length = std::fs::metadata(self.path("objects").join(&file)).unwrap().len();
            assert_eq!(i64::try_from(length).unwrap(), row.integer(3).unwrap(), "{file}");
            recorded.insert(file, row.text(2).unwrap().to_owned());
        }
        assert_eq!(self.files(), recorded, "files on the left, records on the right");
    }

    /// Checks that nothing of a deleted image is left but the record of its deletion.
    pub async fn assert_erased(&self, image: &str) {
        let one = &[image.into()];
        let live = "SELECT COUNT(*) FROM images WHERE id = $1 AND deleted_ms IS NULL";
        assert_eq!(self.count(live, one).await, 0, "the image is gone");
        for sql in [
            "SELECT COUNT(*) FROM shares WHERE image_id = $1",
            "SELECT COUNT(*) FROM usages WHERE image_id = $1",
            "SELECT COUNT(*) FROM replicas WHERE holder_id = $1 AND state <> 'erased'",
        ] {
            assert_eq!(self.count(sql, one).await, 0, "{sql}");
        }
        let done = "SELECT COUNT(*) FROM deletions WHERE image_id = $1 AND completed_ms IS NOT NULL";
        assert_eq!(self.count(done, one).await, 1, "the deletion is complete");
        assert!(self.files_of(image).await.is_empty(), "its bytes are gone");
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.file_name().is_some_and(|name| name != MARKER) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            match std::fs::read(&path) {
                Ok(bytes) => drop(files.insert(name, sha256(&bytes))),
                // A worker has erased it since the folder was read.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}"),
            }
        }
    }
}

/// The SHA-256 of some bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    calotype::wire::encode::hex(&Sha256::digest(bytes))
}

/// The value without what differs from run to run: ids, and the address of the server.
pub fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let redacted = |(name, value): (&String, &Value)| (name.clone(), member(name, value));
            Value::Object(members.iter().map(redacted).collect())
        }
        Value::Array(items) => items.iter().map(redacted).collect(),
        Value::String(text) => Value::from(redacted_text(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn member(name: &str, value: &Value) -> Value {
    match name {
        "HostId" => "[host]".into(),
        "EncodedDiagnosticMessage" => "[diagnostic]".into(),
        "Recommend" => {
            let text = value.as_str().unwrap_or_default();
            let (advice, _) = text.split_once("requestId=").unwrap_or((text, ""));
            format!("{advice}requestId=[request]").into()
        }
        _ => redacted(value),
    }
}

fn redacted_text(text: &str) -> &str {
    const STEM: usize = 25;
    for (prefix, kind) in [("m-", "[image]"), ("i-", "[instance]"), ("d-", "[disk]"), ("s-", "[snapshot]")] {
        if text.strip_prefix(prefix).is_some_and(|stem| stem.len() == STEM) {
            return kind;
        }
    }
    if is_upper_uuid(text) { "[request]" } else { text }
}

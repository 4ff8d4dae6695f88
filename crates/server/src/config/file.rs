//! The configuration file as it is written.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::ConfigError;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub listen: Option<String>,
    pub lab: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub insecure_http: Option<String>,
    pub data: Option<String>,
    pub tls: Tls,
    pub throttling: Throttling,
    pub metadata: Metadata,
    pub s3: S3,
    pub deletion: Deletion,
    pub timing: Timing,
    pub region: Vec<Region>,
    pub bucket: Vec<Bucket>,
    pub ens_region: Vec<EnsRegionEntry>,
    pub public_image: Option<Vec<PublicImageEntry>>,
    pub account: Vec<AccountEntry>,
}

impl File {
    /// The single values, each with its environment variable.
    pub(super) fn scalars(&mut self) -> [(&'static str, &mut Option<String>); 21] {
        [
            ("CALOTYPE_LISTEN", &mut self.listen),
            ("CALOTYPE_LAB", &mut self.lab),
            ("CALOTYPE_INSECURE_HTTP", &mut self.insecure_http),
            ("CALOTYPE_TLS_CERT", &mut self.tls.cert),
            ("CALOTYPE_TLS_KEY", &mut self.tls.key),
            ("CALOTYPE_TLS_SELF_SIGNED", &mut self.tls.self_signed),
            ("CALOTYPE_THROTTLING_ACCOUNT_PER_SECOND", &mut self.throttling.account_per_second),
            ("CALOTYPE_THROTTLING_ACCOUNT_BURST", &mut self.throttling.account_burst),
            ("CALOTYPE_THROTTLING_OPERATION_PER_SECOND", &mut self.throttling.operation_per_second),
            ("CALOTYPE_THROTTLING_OPERATION_BURST", &mut self.throttling.operation_burst),
            ("CALOTYPE_DATA", &mut self.data),
            ("CALOTYPE_METADATA_URL", &mut self.metadata.url),
            ("CALOTYPE_METADATA_CA", &mut self.metadata.ca),
            ("CALOTYPE_METADATA_CONNECTIONS", &mut self.metadata.connections),
            ("CALOTYPE_S3_ACCESS_KEY_ID", &mut self.s3.access_key_id),
            ("CALOTYPE_S3_ACCESS_KEY_SECRET", &mut self.s3.access_key_secret),
            ("CALOTYPE_S3_REGION", &mut self.s3.region),
            ("CALOTYPE_S3_CA", &mut self.s3.ca),
            ("CALOTYPE_DELETION_GRACE", &mut self.deletion.grace),
            ("CALOTYPE_TIMING_IMAGE", &mut self.timing.image),
            ("CALOTYPE_TIMING_INSTANCE", &mut self.timing.instance),
        ]
    }
}

/// Takes `true` and `false`, kept as the text that the environment would have.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(bool::deserialize(deserializer)?.to_string()))
}

/// Takes a number that is not below zero.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(u64::deserialize(deserializer)?.to_string()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub cert: Option<String>,
    pub key: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub self_signed: Option<String>,
    pub names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Throttling {
    #[serde(deserialize_with = "number")]
    pub account_per_second: Option<String>,
    #[serde(deserialize_with = "number")]
    pub account_burst: Option<String>,
    #[serde(deserialize_with = "number")]
    pub operation_per_second: Option<String>,
    #[serde(deserialize_with = "number")]
    pub operation_burst: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metadata {
    pub url: Option<String>,
    pub ca: Option<String>,
    #[serde(deserialize_with = "number")]
    pub connections: Option<String>,
}

/// What holds for S3 stores that do not say otherwise. Has no `Debug` of its own that would show the secret.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct S3 {
    pub access_key_id: Option<String>,
    pub access_key_secret: Option<String>,
    pub region: Option<String>,
    pub ca: Option<String>,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The access key of one S3 store. Has no `Debug` of its own that would show the secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreKey {
    pub id: String,
    pub secret: String,
}

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deletion {
    pub grace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timing {
    pub image: Option<String>,
    pub instance: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    pub id: String,
    pub objects: Option<String>,
    pub access_key: Option<StoreKey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bucket {
    pub name: String,
    pub region: String,
    pub objects: String,
    pub access_key: Option<StoreKey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnsRegionEntry {
    pub id: String,
    pub area: Option<String>,
    pub name: Option<String>,
    pub en_name: Option<String>,
    pub province: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicImageEntry {
    pub id: String,
    pub api: String,
    pub source: Option<String>,
    pub platform: Option<String>,
    pub size_gib: Option<u64>,
    pub os_type: Option<String>,
    pub product_type: Option<String>,
    #[serde(default)]
    pub features: Vec<String>,
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

/// An account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    /// Its id.
    pub id: String,
    /// The keys of the account itself.
    #[serde(default)]
    pub access_key: Vec<AccessKeyEntry>,
    /// Its users.
    #[serde(default)]
    pub user: Vec<UserEntry>,
    /// Its roles.
    #[serde(default)]
    pub role: Vec<RoleEntry>,
}

/// An access key. Has no `Debug` of its own that would show the secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKeyEntry {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub active: bool,
}

impl std::fmt::Debug for AccessKeyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeyEntry").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A user of an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// Its name.
    pub name: String,
    /// Its id, as refusals show it; the name if absent.
    pub id: Option<String>,
    /// Its policies.
    #[serde(default)]
    pub policies: Vec<PolicyEntry>,
    /// Its keys.
    #[serde(default)]
    pub access_key: Vec<AccessKeyEntry>,
}

/// A role of an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    /// Its name.
    pub name: String,
    /// Who may assume it.
    pub trust: String,
    /// How long its sessions may last, such as `2h`; an hour if absent.
    pub max_session_duration: Option<String>,
    /// Its policies.
    #[serde(default)]
    pub policies: Vec<PolicyEntry>,
}

/// A policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// Its name.
    pub name: String,
    /// Its text.
    pub document: String,
}

fn yes() -> bool {
    true
}

/// Reads the file. The error names the line and the key, but never quotes the line.
pub(super) fn read(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::new(format!("cannot read {}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| {
        let before = |span: std::ops::Range<usize>| {
            text.as_bytes().iter().take(span.start).filter(|b| **b == b'\n').count()
        };
        let line = error.span().map_or(0, |span| before(span) + 1);
        ConfigError::new(format!("{}, line {line}: {}", path.display(), error.message()))
    })
}

pub(super) fn default_regions() -> Vec<Region> {
    ["cn-hangzhou", "cn-shanghai", "cn-beijing", "ap-southeast-1"]
        .map(|id| Region { id: id.to_owned(), objects: None, access_key: None })
        .into()
}

pub(super) fn default_ens_regions() -> Vec<EnsRegionEntry> {
    [
        ("cn-chenzhou-telecom_unicom_cmcc", "MiddleChina", "\u{90f4}\u{5dde}", "Chenzhou", "Hunan"),
        (
            "cn-dalian-unicom",
            "NorthEastChina",
            "\u{5927}\u{8fde}\u{8054}\u{901a}",
            "Dalian Unicom",
            "Liaoning",
        ),
    ]
    .map(|(id, area, name, en_name, province)| EnsRegionEntry {
        id: id.to_owned(),
        area: Some(area.to_owned()),
        name: Some(name.to_owned()),
        en_name: Some(en_name.to_owned()),
        province: Some(province.to_owned()),
    })
    .into()
}

pub(super) fn default_public_images() -> Vec<PublicImageEntry> {
    [
        ("centos_6_08_64_20G_alibase_20171208", "ens"),
        ("desktopimage-windows-server-2022-64-asp", "appstreaming"),
    ]
    .map(|(id, api)| PublicImageEntry {
        id: id.to_owned(),
        api: api.to_owned(),
        source: None,
        platform: None,
        size_gib: None,
        os_type: None,
        product_type: None,
        features: Vec::new(),
        details: BTreeMap::new(),
    })
    .into()
}

//! The configuration: a file, single values by environment variable, and defaults for everything.
//!
//! A configuration is read whole or not at all. Errors name the key and the line, never a value, which
//! may be a secret.

mod exposure;
mod file;
mod places;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use calotype_core::ids::RegionId;
use calotype_core::image::Product;
use calotype_store::db::Place;
use calotype_store::db::postgres::Address;
use calotype_store::objects::Location;
use jiff::SignedDuration;

use crate::identity::Identity;
use crate::throttle::Limits;

pub use exposure::{Exposure, TlsSource};

/// A configuration that can be served from.
#[derive(Debug)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address of the lab; `None`, and there is no lab.
    pub lab: Option<SocketAddr>,
    /// How what goes over the wire is protected.
    pub exposure: Exposure,
    /// How much an account may call.
    pub throttling: Limits,
    /// The folder of everything that has no other place.
    pub data: PathBuf,
    /// Where the metadata is.
    pub metadata: Place,
    /// The file of the authorities that sign the certificate of its database.
    pub metadata_ca: Option<String>,
    /// The regions, in the order of the file: the first is the default.
    pub regions: Vec<(RegionId, Location)>,
    /// The named buckets.
    pub buckets: BTreeMap<String, BucketConfig>,
    /// The edge nodes.
    pub ens_regions: Vec<EnsRegion>,
    /// The system images.
    pub public_images: Vec<PublicImage>,
    /// What operations go by.
    pub settings: Settings,
    /// The accounts; `None` if the file names none and the default account is used.
    pub identity: Option<Identity>,
}

/// A named bucket.
#[derive(Debug)]
pub struct BucketConfig {
    /// The region it is in.
    pub region: RegionId,
    /// Where its objects are.
    pub location: Location,
}

/// An edge node, as `DescribeEnsRegions` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsRegion {
    /// Its id.
    pub id: String,
    /// Its area, such as `NorthEastChina`.
    pub area: String,
    /// Its name.
    pub name: String,
    /// Its name in English.
    pub en_name: String,
    /// Its province.
    pub province: String,
}

/// A system image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicImage {
    /// The product it belongs to.
    pub product: Product,
    /// Its id, which is its name too.
    pub id: String,
    /// `centos`, `windows` and the like.
    pub platform: String,
    /// `linux` or `windows`.
    pub os_type: String,
    /// The bucket and object that it is read from; without it an empty disk is made.
    pub source: Option<(String, String)>,
    /// The size of the empty disk, in GiB.
    pub size_gib: u64,
    /// What it is for, joined by commas; empty for ENS.
    pub product_type: String,
    /// Further members that listings show.
    pub details: Vec<(String, String)>,
}

/// What operations go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long bytes outlive a delete, in milliseconds.
    pub grace_ms: i64,
    /// The least time that making an image takes, in milliseconds.
    pub image_ms: i64,
    /// The time that a transition of an instance takes, in milliseconds.
    pub instance_ms: i64,
}

/// Why a configuration cannot be used. The text may be shown to the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The data folder.
    pub data: Option<PathBuf>,
    /// The address to listen on.
    pub listen: Option<String>,
    /// The address of the lab.
    pub lab: Option<String>,
    /// The certificate to show.
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    pub tls_key: Option<PathBuf>,
    /// Whether to show a certificate of an authority of one's own.
    pub tls_self_signed: bool,
    /// Whether to serve plain HTTP to other machines.
    pub insecure_http: bool,
}

impl Config {
    /// Reads the configuration: the command line before the environment, that before the file, that
    /// before the defaults.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and, for the file, the line.
    pub fn load(
        overrides: &Overrides,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut file = match &overrides.config {
            Some(path) => file::read(path)?,
            None => file::File::default(),
        };
        for (name, slot) in file.scalars() {
            if let Some(value) = environment(name) {
                *slot = Some(value);
            }
        }
        if let Some(listen) = &overrides.listen {
            file.listen = Some(listen.clone());
        }
        if let Some(lab) = &overrides.lab {
            file.lab = Some(lab.clone());
        }
        if let Some(data) = &overrides.data {
            file.data = Some(data.to_string_lossy().into_owned());
        }
        exposure::overridden(&mut file, overrides);
        Self::of(file)
    }

    fn of(mut file: file::File) -> Result<Self, ConfigError> {
        let data = PathBuf::from(file.data.take().unwrap_or_else(|| "calotype-data".to_owned()));
        let s3 = places::s3(std::mem::take(&mut file.s3))?;
        let regions = places::regions(std::mem::take(&mut file.region), &data, &s3)?;
        Ok(Self {
            listen: parsed(
                file.listen.as_deref(),
                "listen",
                "127.0.0.1:8470",
                "an address such as 127.0.0.1:8470",
            )?,
            lab: exposure::lab(file.lab.as_deref())?,
            exposure: exposure::exposure(&mut file)?,
            throttling: exposure::throttling(&file.throttling)?,
            metadata: metadata(&file.metadata, &data)?,
            metadata_ca: file.metadata.ca.take(),
            buckets: places::buckets(std::mem::take(&mut file.bucket), &regions, &s3)?,
            ens_regions: ens_regions(std::mem::take(&mut file.ens_region)),
            public_images: public_images(file.public_image.take())?,
            settings: Settings {
                grace_ms: millis(file.deletion.grace.as_deref(), "deletion.grace")?,
                image_ms: millis(file.timing.image.as_deref(), "timing.image")?,
                instance_ms: millis(file.timing.instance.as_deref(), "timing.instance")?,
            },
            identity: match std::mem::take(&mut file.account) {
                accounts if accounts.is_empty() => None,
                accounts => Some(Identity::of(accounts)?),
            },
            regions,
            data,
        })
    }
}

/// The configuration file's own types, which identities are made of.
pub use file::{AccessKeyEntry, AccountEntry, PolicyEntry, RoleEntry, UserEntry};

fn parsed<T: FromStr>(
    value: Option<&str>,
    key: &str,
    default: &str,
    expected: &str,
) -> Result<T, ConfigError> {
    value.unwrap_or(default).parse().map_err(|_| ConfigError::new(format!("{key} must be {expected}")))
}

pub(crate) fn millis(value: Option<&str>, key: &str) -> Result<i64, ConfigError> {
    let duration: SignedDuration = parsed(value, key, "0s", "a duration such as 90s, 1500ms or 2h")?;
    i64::try_from(duration.as_millis())
        .ok()
        .filter(|millis| *millis >= 0)
        .ok_or_else(|| ConfigError::new(format!("{key} must be a duration of zero or more")))
}

fn metadata(file: &file::Metadata, data: &Path) -> Result<Place, ConfigError> {
    match file.url.as_deref().map(|url| (url, url.split_once(':'))) {
        None => Ok(Place::Sqlite(data.join("metadata.db"))),
        Some((url, _)) => place(url, file.ca.as_deref(), file.connections.as_deref()),
    }
}

/// Where a database is, by its URL.
///
/// # Errors
/// [`ConfigError`], which does not repeat the URL: it may have a password.
pub fn place(url: &str, ca: Option<&str>, connections: Option<&str>) -> Result<Place, ConfigError> {
    match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(Place::Sqlite(PathBuf::from(path))),
        Some(("postgres" | "postgresql", _)) => {
            let authorities = ca.map(std::fs::read_to_string).transpose();
            let authorities = authorities
                .map_err(|error| ConfigError::new(format!("metadata.ca cannot be read: {error}")))?;
            let connections = match connections {
                Some(text) => {
                    Some(text.parse().ok().filter(|count| (1..=CONNECTIONS_MAX).contains(count)).ok_or_else(
                        || ConfigError::new(format!("metadata.connections must be 1 to {CONNECTIONS_MAX}")),
                    )?)
                }
                None => None,
            };
            let address = Address::parse(url, authorities.as_deref(), connections);
            address
                .map(|address| Place::Postgres(Box::new(address)))
                .map_err(|why| ConfigError::new(format!("metadata.url: {why}")))
        }
        _ => Err(ConfigError::new("metadata.url must be sqlite:PATH or postgres://USER@HOST/NAME")),
    }
}

/// The most connections that one server keeps to its database.
const CONNECTIONS_MAX: usize = 1_000;

fn ens_regions(entries: Vec<file::EnsRegionEntry>) -> Vec<EnsRegion> {
    let entries = if entries.is_empty() { file::default_ens_regions() } else { entries };
    entries
        .into_iter()
        .map(|entry| EnsRegion {
            area: entry.area.unwrap_or_default(),
            name: entry.name.unwrap_or_else(|| entry.id.clone()),
            en_name: entry.en_name.unwrap_or_else(|| entry.id.clone()),
            province: entry.province.unwrap_or_default(),
            id: entry.id,
        })
        .collect()
}

fn public_images(entries: Option<Vec<file::PublicImageEntry>>) -> Result<Vec<PublicImage>, ConfigError> {
    let entries = entries.unwrap_or_else(file::default_public_images);
    entries.into_iter().map(public_image).collect()
}

/// Public ids speak: `centos_6_08_64_20G_alibase_20171208` tells the platform and the size.
fn public_image(entry: file::PublicImageEntry) -> Result<PublicImage, ConfigError> {
    let id = entry.id;
    if calotype_core::ids::ImageId::parse(&id).is_err() {
        return Err(ConfigError::new("public_image.id must be letters, digits, _, - and ."));
    }
    let product = match entry.api.as_str() {
        "ens" => Product::Ens,
        "appstreaming" => Product::AppStreaming,
        _ => return Err(ConfigError::new(format!("public_image {id}: api must be ens or appstreaming"))),
    };
    let source = match entry.source {
        Some(text) => match text.split_once('/') {
            Some((bucket, object)) => Some((bucket.to_owned(), object.to_owned())),
            None => return Err(ConfigError::new(format!("public_image {id}: source must be BUCKET/OBJECT"))),
        },
        None => None,
    };
    let windows = id.contains("win");
    let (os_type, platform, size_gib, product_type) = match product {
        Product::Ens => {
            let said_gib = id.split('_').find_map(|part| part.strip_suffix('G')?.parse().ok());
            let platform = id.split(['_', '-']).next().unwrap_or_default().to_owned();
            (if windows { "windows" } else { "linux" }, platform, said_gib.unwrap_or(20), "")
        }
        Product::AppStreaming if windows => {
            ("Windows", windows_platform(&id), 40, "CloudDesktop,CloudApp,WuyingServer")
        }
        Product::AppStreaming => ("Linux", "Ubuntu".to_owned(), 40, "CloudDesktop,CloudApp,WuyingServer"),
    };
    let features = entry.features.into_iter().map(|name| (format!("Feature.{name}"), "yes".to_owned()));
    let details = entry.details.into_iter().chain(features).collect();
    Ok(PublicImage {
        product,
        os_type: entry.os_type.unwrap_or_else(|| os_type.to_owned()),
        platform: entry.platform.unwrap_or(platform),
        size_gib: entry.size_gib.unwrap_or(size_gib),
        product_type: entry.product_type.unwrap_or_else(|| product_type.to_owned()),
        details,
        source,
        id,
    })
}

/// `desktopimage-windows-server-2022-64-asp` is of the platform `Windows Server 2022`.
fn windows_platform(id: &str) -> String {
    let kind = if id.contains("server") { "Windows Server" } else { "Windows" };
    let version = id.split('-').find(|part| part.len() >= 2 && part.bytes().all(|b| b.is_ascii_digit()));
    version.map_or_else(|| kind.to_owned(), |version| format!("{kind} {version}"))
}

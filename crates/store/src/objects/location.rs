//! Where a store keeps its objects, as the configuration says it.

use std::fmt;
use std::path::PathBuf;

use hyper::Uri;
use percent_encoding::percent_decode_str;

/// Where a store keeps its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    File(PathBuf),
    /// The memory of this process.
    Memory,
    /// A bucket of a store that speaks S3, or a part of one.
    S3(Box<S3Location>),
}

/// A bucket of a store that speaks S3, or a part of one, and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects begin with, without a slash at the end; may be empty.
    pub prefix: String,
    /// Where the bucket is: requests are for this address and the name of an object.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The key that requests are signed with.
    pub key: S3Key,
    /// The file of the authorities that the store's certificate is trusted by; those of the machine if absent.
    pub ca: Option<PathBuf>,
}

/// The bucket alone: the rest is in the configuration, and the key is nobody's business.
impl fmt::Debug for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// An access key of an S3 store. Has no `Debug` of its own that would show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for S3Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What holds for S3 stores that do not say otherwise.
#[derive(Clone, Debug, Default)]
pub struct S3Settings {
    /// The key.
    pub key: Option<S3Key>,
    /// The region that requests are signed for; `us-east-1` if absent.
    pub region: Option<String>,
    /// The file of the authorities that certificates are trusted by.
    pub ca: Option<PathBuf>,
}

/// Why a text is not a location. Never shows more of it than the names of its parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotALocation {
    /// It has none of the forms.
    #[error("must be file:PATH, memory: or s3://BUCKET/PREFIX?endpoint=URL")]
    Form,
    /// It has a parameter that means nothing, or has it twice.
    #[error("the parameter {0} is not known, or there twice")]
    Parameter(String),
    /// A parameter has a value that it cannot have.
    #[error("the parameter {0} must be {1}")]
    Value(&'static str, &'static str),
    /// Nothing says which key to sign with.
    #[error("an s3 store needs an access_key, of its own or of [s3]")]
    NoKey,
}

/// The region of stores that have none.
const REGION: &str = "us-east-1";

impl Location {
    /// Reads `file:PATH`, `memory:` or `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|virtual]`.
    ///
    /// # Errors
    /// [`NotALocation`].
    pub fn parse(text: &str, settings: &S3Settings) -> Result<Self, NotALocation> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("s3", rest)) => {
                let rest = rest.strip_prefix("//").ok_or(NotALocation::Form)?;
                S3Location::parse(rest, settings).map(|location| Self::S3(Box::new(location)))
            }
            _ => Err(NotALocation::Form),
        }
    }
}

impl S3Location {
    fn parse(text: &str, settings: &S3Settings) -> Result<Self, NotALocation> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_s3_bucket_name(bucket) || object_store::path::Path::parse(prefix).is_err() {
            return Err(NotALocation::Form);
        }
        let [mut endpoint, mut region, mut style] = [None, None, None];
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "endpoint" => &mut endpoint,
                "region" => &mut region,
                "style" => &mut style,
                _ => return Err(NotALocation::Parameter(name.to_owned())),
            };
            let value = percent_decode_str(value).decode_utf8().map_err(|_| NotALocation::Form)?.into_owned();
            if slot.replace(value).is_some() {
                return Err(NotALocation::Parameter(name.to_owned()));
            }
        }
        let region = region.or_else(|| settings.region.clone()).unwrap_or_else(|| REGION.to_owned());
        if region.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(NotALocation::Value("region", "letters, digits, - and _"));
        }
        let is_virtual = match style.as_deref() {
            None | Some("path") => false,
            Some("virtual") => true,
            Some(_) => return Err(NotALocation::Value("style", "path or virtual")),
        };
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        Ok(Self {
            url: bucket_url(&endpoint, bucket, is_virtual)?,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region,
            key: settings.key.clone().ok_or(NotALocation::NoKey)?,
            ca: settings.ca.clone(),
        })
    }

    /// Whether what is sent can be read on the way, and changed unless it is signed.
    pub(super) fn is_plain(&self) -> bool {
        self.url.starts_with("http:")
    }
}

/// Puts the bucket behind the endpoint or, with the style of virtual hosts, before it.
fn bucket_url(endpoint: &str, bucket: &str, is_virtual: bool) -> Result<String, NotALocation> {
    const EXPECTED: NotALocation =
        NotALocation::Value("endpoint", "an address such as http://127.0.0.1:3900 or https://host");
    let endpoint = endpoint.strip_suffix('/').unwrap_or(endpoint);
    let uri: Uri = endpoint.parse().map_err(|_| EXPECTED)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(EXPECTED) };
    // A name and a password before the host would end up in errors.
    let is_bare = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
    if !is_bare || !["http", "https"].contains(&scheme) {
        return Err(EXPECTED);
    }
    Ok(if is_virtual {
        format!("{scheme}://{bucket}.{authority}")
    } else {
        format!("{scheme}://{authority}/{bucket}")
    })
}

/// Old buckets may have dots, capitals and underscores in their names.
fn is_s3_bucket_name(name: &str) -> bool {
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (3..=255).contains(&name.len()) && name.bytes().all(is_good) && !name.contains("..")
}

//! Buckets of stores that speak S3.
//!
//! What `object_store` does not do is done here: an upload in parts that nobody ends or gives up keeps its
//! parts in the bucket, where no listing of objects shows them.

mod transport;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Request;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequestBody};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{ObjectError, S3Location};
use transport::Transport;

/// How often a request is sent again that failed quickly, and how often a read that breaks off goes on where it
/// was. A call that hung is not sent again: the workers try again, later and later.
const RETRIES_MAX: usize = 3;

/// Not a limit of its own: a read may break off long after it was begun.
const RETRY_WITHIN: Duration = Duration::from_hours(24);

/// The pauses before that.
const BACKOFF: BackoffConfig =
    BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(1), base: 2. };

/// An S3 store takes so many parts of an object; all but the last have five MiB at least.
const PARTS_OF_OBJECT_MAX: u64 = 10_000;
const PART_BYTES_MIN: u64 = 8 << 20;

/// The bytes of one part of an object that has so many.
pub(super) fn part_bytes(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(PARTS_OF_OBJECT_MAX).max(PART_BYTES_MIN)
}

/// Opens a bucket; nothing is sent yet.
pub(super) fn open(location: &S3Location) -> Result<(Arc<dyn ObjectStore>, Uploads), ObjectError> {
    let transport = Transport::new(location.ca.as_deref())?;
    let store = AmazonS3Builder::new()
        .with_bucket_name(&location.bucket)
        .with_region(&location.region)
        .with_access_key_id(&location.key.id)
        .with_secret_access_key(&location.key.secret)
        // The address has the bucket already, wherever it belongs.
        .with_endpoint(&location.url)
        .with_virtual_hosted_style_request(true)
        .with_allow_http(location.is_plain())
        // TLS protects what is sent; a second hash of all bytes would add nothing to that.
        .with_unsigned_payload(!location.is_plain())
        .with_retry(RetryConfig { backoff: BACKOFF, max_retries: RETRIES_MAX, retry_timeout: RETRY_WITHIN })
        .with_http_connector(transport.clone())
        .build()?;
    let objects: Arc<dyn ObjectStore> = if location.prefix.is_empty() {
        Arc::new(store.clone())
    } else {
        Arc::new(PrefixStore::new(store.clone(), location.prefix.as_str()))
    };
    Ok((objects, Uploads { location: location.clone(), store, client: HttpClient::new(transport) }))
}

/// The uploads in parts of a bucket that have not ended.
#[derive(Debug)]
pub(super) struct Uploads {
    location: S3Location,
    store: AmazonS3,
    client: HttpClient,
}

/// A page of a listing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    upload: Vec<Upload>,
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
}

/// An upload that has not ended.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
}

impl Uploads {
    /// The names of the objects that are being uploaded, or were and will never be, once for each upload.
    pub(super) async fn names(&self) -> Result<Vec<String>, ObjectError> {
        let below = self.name("");
        // MinIO lists the uploads of the whole bucket or of one object, and none for any other prefix.
        let uploads = self.list("").await?;
        let name = |upload: Upload| upload.key.strip_prefix(&below).map(str::to_owned);
        Ok(uploads.into_iter().filter_map(name).collect())
    }

    /// Gives up every upload of an object; tells how many there were.
    pub(super) async fn abort(&self, name: &str) -> Result<usize, ObjectError> {
        let uploads = self.of(name).await?;
        for upload in &uploads {
            let path = ObjectPath::from(upload.key.as_str());
            match self.store.abort_multipart(&path, &upload.upload_id).await {
                // Somebody else was faster.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(uploads.len())
    }

    /// Whether an object is being uploaded, or was and will never be.
    pub(super) async fn is_any(&self, name: &str) -> Result<bool, ObjectError> {
        Ok(!self.of(name).await?.is_empty())
    }

    async fn of(&self, name: &str) -> Result<Vec<Upload>, ObjectError> {
        let key = self.name(name);
        let mut uploads = self.list(&key).await?;
        uploads.retain(|upload| upload.key == key);
        Ok(uploads)
    }

    /// The name of an object within the bucket.
    fn name(&self, name: &str) -> String {
        let prefix = &self.location.prefix;
        if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Upload>, ObjectError> {
        let mut uploads = Vec::new();
        let (mut key, mut id) = (String::new(), String::new());
        loop {
            let page = self.page(prefix, &key, &id).await?;
            uploads.extend(page.upload);
            // A store that does not say where to go on is not asked for the same page for ever.
            if !page.is_truncated || (&page.next_key_marker, &page.next_upload_id_marker) == (&key, &id) {
                return Ok(uploads);
            }
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    async fn page(&self, prefix: &str, key: &str, id: &str) -> Result<Page, ObjectError> {
        let mut url = format!("{}/?uploads=", self.location.url);
        for (name, value) in [("prefix", prefix), ("key-marker", key), ("upload-id-marker", id)] {
            if !value.is_empty() {
                url.extend(["&", name, "="]);
                url.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
            }
        }
        let mut request = Request::get(url).body(HttpRequestBody::empty()).map_err(failed)?;
        let credential = AwsCredential {
            key_id: self.location.key.id.clone(),
            secret_key: self.location.key.secret.clone(),
            token: None,
        };
        AwsAuthorizer::new(&credential, "s3", &self.location.region).try_authorize(&mut request, None)?;
        let answer = self.client.execute(request).await.map_err(failed)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(failed)?.to_bytes();
        if !status.is_success() {
            return Err(failed(format!("{status}: {}", String::from_utf8_lossy(&body))));
        }
        quick_xml::de::from_reader(&*body).map_err(failed)
    }
}

pub(super) fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ObjectError {
    ObjectError::Failed(object_store::Error::Generic { store: "s3", source: source.into() })
}

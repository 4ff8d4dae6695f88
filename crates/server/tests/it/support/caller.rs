//! Somebody with an access key, and the calls that most tests make.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use calotype::client::{Client, NoAnswer};
use calotype::clock::Clock;
use serde_json::Value;

use super::refusals::{NO_PERMISSION, Row};
use super::{ENS, NODE};
use crate::met;

pub use calotype::client::Answer;

/// Parameters of a call, names with values.
pub type Params<'a> = [(&'a str, &'a str)];

/// Somebody with an access key.
pub struct Caller {
    client: Client,
    host: String,
}

impl Caller {
    /// The one whose key has this name.
    pub fn new(address: SocketAddr, name: &str, clock: &Clock) -> Self {
        Self::with_secret(address, name, &format!("secret-of-{name}"), clock)
    }

    /// One who knows the name of a key and tries this secret.
    pub fn with_secret(address: SocketAddr, name: &str, secret: &str, clock: &Clock) -> Self {
        let client = Client::new(address, &format!("ak-{name}"), secret, clock.clone());
        Self { client, host: address.to_string() }
    }

    /// One with a temporary key, as `AssumeRole` has answered it.
    pub fn temporary(address: SocketAddr, credentials: &Value, clock: &Clock) -> Self {
        let part = |name: &str| text(&credentials[name]);
        let client = Client::new(address, &part("AccessKeyId"), &part("AccessKeySecret"), clock.clone());
        Self { client: client.with_token(&part("SecurityToken")), host: address.to_string() }
    }

    /// Calls an operation of ENS, if there is somebody to answer.
    pub async fn try_call(&self, action: &str, params: &Params<'_>) -> Result<Answer, NoAnswer> {
        let answer = self.client.call(ENS, action, params).await;
        answer.inspect(|answer| met::note(ENS, action, answer))
    }

    /// Calls an operation of any API.
    pub async fn call(&self, version: &str, action: &str, params: &Params<'_>) -> Answer {
        let answer = self.client.call(version, action, params).await.unwrap();
        met::note(version, action, &answer);
        answer
    }

    /// Calls an operation of ENS that must succeed, and gives the body.
    pub async fn ok(&self, action: &str, params: &Params<'_>) -> Value {
        let answer = self.call(ENS, action, params).await;
        assert_eq!(answer.status, 200, "{action} {params:?}: {}", answer.body);
        assert!(is_request_id(&answer.body["RequestId"]), "{}", answer.body);
        answer.body
    }

    /// Calls an operation of any API that must succeed, and gives the body.
    pub async fn must(&self, version: &str, action: &str, params: &Params<'_>) -> Value {
        let answer = self.call(version, action, params).await;
        assert_eq!(answer.status, 200, "{action} {params:?}: {}", answer.body);
        answer.body
    }

    /// Calls an operation of ENS that must be refused in these words, and gives the body.
    pub async fn refused(&self, action: &str, params: &Params<'_>, row: Row) -> Value {
        let answer = self.call(ENS, action, params).await;
        assert_refused(&answer, row, &format!("{action} {params:?}"));
        assert_error_body(&answer.body, &self.host);
        answer.body
    }

    /// Calls an operation of ENS that a policy must refuse, and checks that it says which kind.
    pub async fn denied(&self, action: &str, params: &Params<'_>, kind: &str) -> Value {
        let body = self.refused(action, params, NO_PERMISSION).await;
        assert_denied(&body, &format!("ens:{action}"), kind);
        body
    }

    // Steps

    /// Launches an instance from an image.
    pub async fn launch(&self, image: &str) -> String {
        self.launch_with(image, &[]).await
    }

    /// Launches an instance with further parameters.
    pub async fn launch_with(&self, image: &str, more: &Params<'_>) -> String {
        let mut params = vec![("ImageId", image), ("InstanceType", "ens.sn1.small"), ("EnsRegionId", NODE)];
        params.extend(more);
        first(&self.ok("RunInstances", &params).await["InstanceIds"])
    }

    /// Releases an instance that is paid for by use.
    pub async fn release(&self, instance: &str) {
        self.ok("ReleasePostPaidInstance", &[("InstanceId", instance)]).await;
    }

    /// Begins to switch an instance to an image.
    pub async fn reinit(&self, instance: &str, image: &str) {
        self.ok("ReinitInstance", &[("InstanceId", instance), ("ImageId", image)]).await;
    }

    /// Shares an image with an account.
    pub async fn share(&self, image: &str, account: &str) {
        self.ok("ModifyImageSharePermission", &[("ImageId", image), ("AddAccounts", account)]).await;
    }

    /// Begins to make an image of an instance.
    pub async fn create_image(&self, instance: &str) -> String {
        let body = self.ok("CreateImage", &[("ImageName", "made-of-it"), ("InstanceId", instance)]).await;
        text(&body["ImageId"])
    }

    /// Begins to take a snapshot of the system disk of an instance.
    pub async fn create_snapshot(&self, instance: &str) -> String {
        let disk = text(&self.instance(instance).await["SystemDisk"]["DiskId"]);
        first(&self.ok("CreateSnapshot", &[("DiskId", &disk), ("EnsRegionId", NODE)]).await["SnapShotId"])
    }

    /// The instance as its owner lists it; null without one.
    pub async fn instance(&self, instance: &str) -> Value {
        let body = self.ok("DescribeInstances", &[("InstanceId", instance)]).await;
        body["Instances"]["Instance"][0].clone()
    }

    /// The image as the caller lists it among its own; null without one.
    pub async fn image(&self, image: &str) -> Value {
        let body = self.ok("DescribeSelfImages", &[("ImageId", image)]).await;
        body["Images"]["Image"][0].clone()
    }

    /// The snapshot as its owner lists it; null without one.
    pub async fn snapshot(&self, snapshot: &str) -> Value {
        let body = self.ok("DescribeSnapshots", &[("SnapshotId", snapshot)]).await;
        body["Snapshots"][0].clone()
    }

    /// The status of an image among the caller's own.
    pub async fn image_status(&self, image: &str) -> String {
        text(&self.image(image).await["Status"])
    }

    /// The status of an instance.
    pub async fn instance_status(&self, instance: &str) -> String {
        text(&self.instance(instance).await["Status"])
    }
}

/// Checks status, code and message.
pub fn assert_refused(answer: &Answer, row: Row, what: &str) {
    let (code, message) = (answer.body["Code"].as_str(), answer.body["Message"].as_str());
    assert_eq!((answer.status, code, message), (row.0, Some(row.1), Some(row.2)), "{what}: {}", answer.body);
}

/// Checks the shape of an error: exactly the members of the envelope, all of them texts.
pub fn assert_error_body(body: &Value, host: &str) {
    let members: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = BTreeSet::from(["RequestId", "HostId", "Code", "Message", "Recommend"]);
    if let Some(detail) = body.get("AccessDeniedDetail") {
        assert!(detail.as_object().unwrap().values().all(Value::is_string), "{body}");
        expected.insert("AccessDeniedDetail");
    }
    assert_eq!(members, expected, "{body}");
    assert!(is_request_id(&body["RequestId"]), "{body}");
    assert_eq!(body["HostId"], host);
    let advice = format!("q={}&product=Ens&requestId={}", text(&body["Code"]), text(&body["RequestId"]));
    assert_eq!(body["Recommend"], format!("https://api.aliyun.com/troubleshoot?{advice}"));
}

/// Checks which policy refused what.
pub fn assert_denied(body: &Value, action: &str, kind: &str) {
    let detail = &body["AccessDeniedDetail"];
    let told = |name: &str| text(&detail[name]);
    assert_eq!(told("PolicyType"), "AccountLevelIdentityBasedPolicy", "{body}");
    assert_eq!(
        (told("NoPermissionType"), told("AuthAction")),
        (kind.to_owned(), action.to_owned()),
        "{body}"
    );
    assert_eq!(
        (told("AuthPrincipalType"), told("AuthPrincipalOwnerId")),
        ("SubUser".into(), super::OWNER.into())
    );
    assert!(!told("AuthPrincipalDisplayName").is_empty() && !told("EncodedDiagnosticMessage").is_empty());
}

/// Whether this is a UUID in upper case (D11).
pub fn is_request_id(value: &Value) -> bool {
    value.as_str().is_some_and(is_upper_uuid)
}

/// Whether this text is a UUID in upper case.
pub fn is_upper_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
        && text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
}

/// The text of a JSON value that is one.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The only text of a JSON array.
pub fn first(value: &Value) -> String {
    let items = value.as_array().unwrap();
    assert_eq!(items.len(), 1, "{value}");
    text(&items[0])
}

/// What a listing says about each item under this name, in its order.
pub fn column(items: &Value, name: &str) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| text(&item[name])).collect()
}

//! The requests that are measured, with the statuses that they must get.

use calotype_core::ids::ImageId;

use crate::calls::Operation;
use crate::catalogue::{Set, image_id};

/// An operation and the status of its answer.
pub type Request = (Operation, u16);

/// The API that most requests are of.
const ENS: &str = "2017-11-10";

/// Every catalogue has as many used images as this, or fewer.
pub const USED: u64 = 1_000;

/// Verified and allowed, and then nothing.
#[must_use]
pub fn no_op(_number: u64) -> Request {
    (Operation::new("2026-11-21", "NoOp"), 200)
}

/// An accepted delete of an own image.
#[must_use]
pub fn delete(number: u64) -> Request {
    (image_call("DeleteImage", &image_id(Set::Own, number)), 200)
}

/// A delete that is refused because an instance uses the image.
#[must_use]
pub fn delete_used(number: u64) -> Request {
    (image_call("DeleteImage", &image_id(Set::Used, number % USED)), 400)
}

/// A delete that is refused because there is no such image.
#[must_use]
pub fn delete_missing(number: u64) -> Request {
    (image_call("DeleteImage", &image_id(Set::Nobody, number)), 400)
}

/// A launch of one instance from an own image.
#[must_use]
pub fn launch(number: u64) -> Request {
    let call = image_call("RunInstances", &image_id(Set::Used, number % USED)).with("Amount", "1");
    (call.with("InstanceType", "ens.sn1.small"), 200)
}

/// A description of one image.
#[must_use]
pub fn describe(number: u64) -> Request {
    (image_call("DescribeImages", &image_id(Set::Used, number % USED)), 200)
}

/// The first page of the images that the caller can use.
#[must_use]
pub fn list(_number: u64) -> Request {
    (Operation::new(ENS, "DescribeImages").with("PageSize", "50"), 200)
}

/// The first page of the caller's own images.
#[must_use]
pub fn list_own(_number: u64) -> Request {
    (Operation::new(ENS, "DescribeSelfImages").with("PageSize", "50"), 200)
}

/// Of ten: six descriptions, two pages, a launch and a delete.
#[must_use]
pub fn mixed(number: u64) -> Request {
    match number % 10 {
        0 | 2 | 4 | 5 | 7 | 9 => describe(number),
        1 | 6 => list(number),
        3 => launch(number),
        _ => delete(number / 10),
    }
}

/// An import of an object of a bucket.
#[must_use]
pub fn import(bucket: &str, object: &str) -> Request {
    let parameters = [
        ("Architecture", "x86_64"),
        ("ComputeType", "ens_vm"),
        ("ImageFormat", "qcow2"),
        ("ImageName", "imported"),
        ("OSType", "linux"),
        ("OSSBucket", bucket),
        ("OSSObject", object),
    ];
    let call = Operation::new(ENS, "ImportImage");
    (parameters.into_iter().fold(call, |call, (name, value)| call.with(name, value)), 200)
}

/// A copy of an App Streaming image to further regions.
#[must_use]
pub fn distribute(image: &ImageId, from: &str, to: &[&str]) -> Request {
    let call = Operation::new("2021-09-01", "StartTaskForDistributeImage").with("ImageId", image.as_str());
    let places = (1..).zip(to).map(|(number, region)| (format!("DestinationRegionList.{number}"), *region));
    (places.fold(call.with("SourceRegion", from), |call, (name, region)| call.with(&name, region)), 200)
}

fn image_call(action: &'static str, image: &ImageId) -> Operation {
    Operation::new(ENS, action).with("ImageId", image.as_str())
}

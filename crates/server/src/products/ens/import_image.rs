//! ImportImage: makes an image from an object of a bucket.

use calotype_core::image::ImageLabels;
use serde_json::{Value, json};

use super::error::EnsError;
use super::params::{required, required_name, target_region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::import_image::{ImportImage, import_image};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ImportImage",
    action: "ens:ImportImage",
    parameters: &[
        Parameter::required("Architecture", Kind::Text),
        Parameter::required("ComputeType", Kind::Text),
        Parameter::optional("DiskDeviceMapping", Kind::JsonList),
        Parameter::required("ImageFormat", Kind::Text),
        Parameter::required("ImageName", Kind::Text),
        Parameter::optional("LicenseType", Kind::Text),
        Parameter::optional("OSSBucket", Kind::Text),
        Parameter::optional("OSSObject", Kind::Text),
        Parameter::optional("OSSRegion", Kind::Text),
        Parameter::required("OSType", Kind::Text),
        Parameter::optional("OSVersion", Kind::Text),
        Parameter::optional("Platform", Kind::Text),
        Parameter::optional("TargetOSSRegionId", Kind::Text),
    ],
    summary: "Makes a custom image from a qcow2 object of a bucket.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

async fn handle(call: &Call<'_>) -> Result<Value, EnsError> {
    let params = call.params;
    let (bucket, object) = source(params)?;
    let command = ImportImage {
        name: required_name(params, "ImageName")?.to_owned(),
        labels: ImageLabels {
            architecture: one_of(params, "Architecture", &["x86_64"])?,
            compute_type: one_of(params, "ComputeType", &["ens_vm", "ens"])?,
            os_type: one_of(params, "OSType", &["linux"])?,
            os_version: bounded(params, "OSVersion")?,
            platform: bounded(params, "Platform")?,
            ..ImageLabels::default()
        },
        bucket,
        object,
        region: target_region(params)?,
    };
    one_of(params, "ImageFormat", &["qcow2"])?;
    if params.text("LicenseType").is_some_and(|license| !["Aliyun", "BYOL"].contains(&license)) {
        return Err(EnsError::invalid("LicenseType"));
    }
    let image = import_image(call.app, &call.caller, command, call.now).await?;
    Ok(json!({ "ImageId": image.as_str() }))
}

/// The object: named by itself, or as the only disk of a mapping. Images have one disk here.
fn source(params: &Params) -> Result<(String, String), EnsError> {
    let mappings = params.objects("DiskDeviceMapping")?;
    let named = match mappings.as_slice() {
        [] => params,
        [one] => one,
        _ => return Err(EnsError::invalid("DiskDeviceMapping")),
    };
    let bucket = required(named, "OSSBucket")?;
    let object = required(named, "OSSObject")?;
    if object.len() > OBJECT_KEY_BYTES_MAX {
        return Err(EnsError::invalid("OSSObject"));
    }
    Ok((bucket.to_owned(), object.to_owned()))
}

/// The longest key of an object, in bytes.
const OBJECT_KEY_BYTES_MAX: usize = 1_023;

/// The longest free text, in bytes.
const TEXT_BYTES_MAX: usize = 128;

fn one_of(params: &Params, name: &'static str, known: &[&str]) -> Result<String, EnsError> {
    let text = required(params, name)?;
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(text));
    found.map(|known| (*known).to_owned()).ok_or(EnsError::invalid(name))
}

fn bounded(params: &Params, name: &'static str) -> Result<String, EnsError> {
    let text = params.text(name).unwrap_or_default();
    if text.len() <= TEXT_BYTES_MAX { Ok(text.to_owned()) } else { Err(EnsError::invalid(name)) }
}

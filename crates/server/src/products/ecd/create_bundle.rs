//! CreateBundle: makes a bundle.

use calotype_core::name;
use calotype_core::template::{Details, SYSTEM_DISK_GIB};
use serde_json::{Value, json};

use super::bundle_render::{
    DATA_DISK_GIB, DATA_DISK_LEVEL, DESCRIPTION, DESKTOP_TYPE, LANGUAGE, SYSTEM_DISK_LEVEL,
};
use super::error::EcdError;
use super::params::{LANGUAGES, description, echoed, image_id, one_of, region};
use super::{API, answer};
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::create_bundle::{CreateBundle, create_bundle};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "CreateBundle",
    action: "ecd:CreateBundle",
    parameters: &[
        Parameter::optional("BundleName", Kind::Text),
        Parameter::optional("Description", Kind::Text),
        Parameter::required("DesktopType", Kind::Text),
        Parameter::required("ImageId", Kind::Text),
        Parameter::optional("Language", Kind::Text),
        Parameter::required("RegionId", Kind::Text),
        Parameter::optional("RootDiskPerformanceLevel", Kind::Text),
        Parameter::required("RootDiskSizeGib", Kind::Integer),
        Parameter::optional("UserDiskPerformanceLevel", Kind::Text),
        Parameter::required("UserDiskSizeGib", Kind::FlatList),
    ],
    summary: "Makes a bundle, the older kind of cloud-desktop template, bound to one region.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// The performance levels of disks.
const PERFORMANCE_LEVELS: [&str; 5] = ["AutoPL", "PL0", "PL1", "PL2", "PL3"];

/// The largest disk in GiB.
const DISK_GIB_MAX: i64 = 2040;

async fn handle(call: &Call<'_>) -> Result<Value, EcdError> {
    let params = call.params;
    let name = params.text("BundleName");
    if name.is_some_and(|name| !name::is_valid(name)) {
        return Err(EcdError::invalid("BundleName"));
    }
    let command = CreateBundle {
        name: name.map(str::to_owned),
        image: image_id(params)?,
        region: region(call)?.to_string(),
        details: details(params)?,
    };
    let created = create_bundle(call.app, &call.caller, command, call.now).await.map_err(EcdError::from);
    let bundle = created.map_err(|error| {
        // What templates call the system disk is the root disk here.
        let is_disk = matches!(&error, EcdError::InvalidParameter(name) if name == SYSTEM_DISK_GIB);
        if is_disk { EcdError::invalid("RootDiskSizeGib") } else { error }
    })?;
    Ok(json!({ "BundleId": bundle.as_str() }))
}

fn details(params: &Params) -> Result<Details, EcdError> {
    let root_level = one_of(params, "RootDiskPerformanceLevel", &PERFORMANCE_LEVELS)?;
    let user_level = one_of(params, "UserDiskPerformanceLevel", &PERFORMANCE_LEVELS)?;
    let desktop_type = echoed(params, "DesktopType")?.ok_or(EcdError::MissingParameter)?;
    let members = [
        (SYSTEM_DISK_GIB, json!(root_disk_gib(params)?)),
        (DATA_DISK_GIB, json!(user_disk_gib(params)?)),
        (SYSTEM_DISK_LEVEL, json!(root_level.unwrap_or_default())),
        (DATA_DISK_LEVEL, json!(user_level.unwrap_or_default())),
        (DESKTOP_TYPE, json!(desktop_type)),
        (DESCRIPTION, json!(description(params, "Description")?.unwrap_or_default())),
        (LANGUAGE, json!(one_of(params, "Language", &LANGUAGES)?.unwrap_or_default())),
    ];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn root_disk_gib(params: &Params) -> Result<i64, EcdError> {
    let size = params.integer("RootDiskSizeGib")?.ok_or(EcdError::MissingParameter)?;
    if (1..=DISK_GIB_MAX).contains(&size) { Ok(size) } else { Err(EcdError::invalid("RootDiskSizeGib")) }
}

/// The size of the one data disk; 0 for none.
fn user_disk_gib(params: &Params) -> Result<i64, EcdError> {
    let invalid = EcdError::invalid("UserDiskSizeGib");
    match params.list("UserDiskSizeGib").as_slice() {
        [] => Err(EcdError::MissingParameter),
        [size] => {
            let size = size.parse().ok();
            size.filter(|size| (0..=DISK_GIB_MAX).contains(size)).ok_or(invalid)
        }
        _ => Err(invalid),
    }
}

//! What an owner says about a template, as its details: named and typed as `DescribeTemplates` shows them.

use calotype_core::ids::ImageId;
use calotype_core::template::{Details, SYSTEM_DISK_GIB, is_name};
use serde_json::{Map, Value, json};

use super::error::EcdError;
use super::params::{LANGUAGES, description, echoed, one_of};
use crate::wire::params::Params;

/// Texts that are only given back.
const ECHOED: [&str; 5] = ["ChargeType", "InstanceName", "PolicyGroupId", "ResourceGroupId", "TimerGroupId"];

/// Switches that are only given back.
const SWITCHES: [&str; 3] = ["AutoPay", "AutoRenew", "PostPaidAfterUsedUp"];

/// The performance levels of disks.
const PERFORMANCE_LEVELS: [&str; 3] = ["AutoPL", "PL0", "PL1"];

/// Things in one list, at most.
const LIST_MAX: usize = 20;

/// Sizes of disks in GiB, and the step between them.
const SYSTEM_DISK_GIB_RANGE: std::ops::RangeInclusive<i64> = 40..=500;
const DATA_DISK_GIB_RANGE: std::ops::RangeInclusive<i64> = 40..=2040;
const DISK_GIB_STEP: i64 = 10;

/// The name of a template, if one is given.
pub(super) fn name(params: &Params) -> Result<Option<&str>, EcdError> {
    match params.text("TemplateName") {
        Some(text) if !is_name(text) => Err(EcdError::invalid("TemplateName")),
        text => Ok(text),
    }
}

/// The image that a template shall reference, if one is given.
pub(super) fn image(params: &Params) -> Result<Option<ImageId>, EcdError> {
    let parse = |text| ImageId::parse(text).map_err(|_| EcdError::invalid("ImageId"));
    params.text("ImageId").map(parse).transpose()
}

/// The details that are given. Each is bounded, and so are all of them together.
pub(super) fn details(params: &Params) -> Result<Details, EcdError> {
    let mut details = Details::new();
    for name in ECHOED {
        put(&mut details, name, echoed(params, name)?);
    }
    for name in SWITCHES {
        put(&mut details, name, params.boolean(name)?);
    }
    put(&mut details, "Description", description(params, "Description")?);
    put(&mut details, "DefaultLanguage", one_of(params, "DefaultLanguage", &LANGUAGES)?);
    let level = "SystemDiskPerformanceLevel";
    put(&mut details, level, one_of(params, level, &PERFORMANCE_LEVELS)?);
    let size = disk_gib(params.integer("SystemDiskSize")?, &SYSTEM_DISK_GIB_RANGE, "SystemDiskSize")?;
    put(&mut details, SYSTEM_DISK_GIB, size);
    put(&mut details, "PeriodUnit", one_of(params, "PeriodUnit", &["Month", "Year"])?);
    put(&mut details, "Period", period(params)?);
    put(&mut details, "UserDuration", user_duration(params)?);
    put(&mut details, "DataDiskList", list(params, "DataDiskList", data_disk)?);
    put(&mut details, "RegionConfigList", list(params, "RegionConfigList", region_config)?);
    put(&mut details, "ResourceTagList", list(params, "ResourceTagList", tag)?);
    put(&mut details, "SiteConfigList", list(params, "SiteConfigList", site_config)?);
    Ok(details)
}

fn put(details: &mut Details, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        details.insert(name.to_owned(), value.into());
    }
}

fn period(params: &Params) -> Result<Option<i64>, EcdError> {
    let known: &[i64] = match params.text("PeriodUnit") {
        Some("Month") => &[1, 2, 3, 6],
        Some("Year") => &[1, 2, 3, 4, 5],
        _ => &[1, 2, 3, 4, 5, 6],
    };
    match params.integer("Period")? {
        Some(period) if !known.contains(&period) => Err(EcdError::invalid("Period")),
        period => Ok(period),
    }
}

/// A number that listings show as a text.
fn user_duration(params: &Params) -> Result<Option<String>, EcdError> {
    match params.integer("UserDuration")? {
        Some(duration) if !(0..=i64::from(i32::MAX)).contains(&duration) => {
            Err(EcdError::invalid("UserDuration"))
        }
        duration => Ok(duration.map(|duration| duration.to_string())),
    }
}

fn disk_gib(
    size: Option<i64>,
    range: &std::ops::RangeInclusive<i64>,
    name: &'static str,
) -> Result<Option<i64>, EcdError> {
    match size {
        Some(gib) if !range.contains(&gib) || gib % DISK_GIB_STEP != 0 => Err(EcdError::invalid(name)),
        size => Ok(size),
    }
}

/// A list, if it has anything in it.
fn list(
    params: &Params,
    name: &'static str,
    item: fn(&Params) -> Result<Value, EcdError>,
) -> Result<Option<Vec<Value>>, EcdError> {
    let given = params.objects(name)?;
    if given.len() > LIST_MAX {
        return Err(EcdError::invalid(name));
    }
    // Whatever is wrong with a member is said of the list: members are no parameters of their own.
    let item = |params| {
        item(params).map_err(|error| {
            if let EcdError::InvalidParameter(member) = error {
                EcdError::InvalidParameter(format!("{name}.{member}").into())
            } else {
                error
            }
        })
    };
    let items = given.iter().map(item).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(items).filter(|items| !items.is_empty()))
}

fn data_disk(disk: &Params) -> Result<Value, EcdError> {
    let size = disk_gib(disk.integer("Size")?, &DATA_DISK_GIB_RANGE, "Size")?;
    let size = size.ok_or(EcdError::invalid("Size"))?;
    let level = one_of(disk, "PerformanceLevel", &PERFORMANCE_LEVELS)?.unwrap_or("AutoPL");
    Ok(json!({ "PerformanceLevel": level, "Size": size.to_string() }))
}

fn region_config(config: &Params) -> Result<Value, EcdError> {
    let mut members = texts(
        config,
        &[
            "OfficeSiteId",
            "RegionId",
            "ResourceInstanceType",
            "SnapshotPolicyId",
            "SubnetId",
            "VirtualNodePoolId",
            "VolumeEncryptionKey",
        ],
    )?;
    let encrypted = config.boolean("VolumeEncryptionEnable")?.unwrap_or(false);
    members.insert("VolumeEncryptionEnable".to_owned(), encrypted.into());
    // The catalogue of specifications is not part of an image service.
    members.insert("CpuCount".to_owned(), 0.into());
    members.insert("GpuSpec".to_owned(), "".into());
    members.insert("MemorySize".to_owned(), 0.into());
    Ok(members.into())
}

fn tag(tag: &Params) -> Result<Value, EcdError> {
    match tag.text("Key") {
        Some(_) => Ok(texts(tag, &["Key", "Value"])?.into()),
        None => Err(EcdError::invalid("Key")),
    }
}

fn site_config(site: &Params) -> Result<Value, EcdError> {
    Ok(texts(site, &["AppRuleId", "SiteId"])?.into())
}

/// Members that are only given back; those that are absent are empty.
fn texts(params: &Params, names: &[&'static str]) -> Result<Map<String, Value>, EcdError> {
    let text = |name: &&'static str| Ok(((*name).to_owned(), echoed(params, name)?.unwrap_or("").into()));
    names.iter().map(text).collect()
}

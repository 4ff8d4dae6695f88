//! Parameters of launches, which two operations read in the same way.

use calotype_core::name;

use super::error::EnsError;
use crate::products::Call;
use crate::wire::params::Params;

/// The most instances in one call.
const AMOUNT_MAX: i64 = 100;

/// The most data disks of an instance.
const DATA_DISKS_MAX: usize = 16;

/// The longest user data and other text, in bytes.
const USER_DATA_BYTES_MAX: usize = 22 * 1024;
const TEXT_BYTES_MAX: usize = 256;

/// The largest disk, in GiB.
const DISK_GIB_MAX: i64 = 32_768;

/// The category of a disk, if none is asked for.
pub(super) const CATEGORY_DEFAULT: &str = "cloud_efficiency";

/// The names of the instances, as many as the parameter `amount` says.
pub(super) fn names(
    params: &Params,
    amount: Option<i64>,
    parameter: &'static str,
) -> Result<Vec<Option<String>>, EnsError> {
    let amount = amount.unwrap_or(1);
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(EnsError::invalid(parameter));
    }
    let suffix = params.boolean("UniqueSuffix")?.unwrap_or(false);
    let name = params.text("InstanceName");
    let suffixed = |name: &str| if suffix { format!("{name}000") } else { name.to_owned() };
    if name.is_some_and(|name| !name::is_valid(&suffixed(name))) {
        return Err(EnsError::invalid("InstanceName"));
    }
    let named = |number| name.map(|name| if suffix { format!("{name}{number:03}") } else { name.to_owned() });
    Ok((1..=amount).map(named).collect())
}

/// The node of this id, which must be one that there is.
pub(super) fn node(call: &Call<'_>, id: &str) -> Result<String, EnsError> {
    let found = call.app.ens_regions.iter().find(|node| node.id == id);
    found.map(|node| node.id.clone()).ok_or(EnsError::invalid("EnsRegionId"))
}

/// The category of a disk; what is not known counts as not said.
pub(super) fn category(disk: &Params) -> String {
    let known = ["cloud_efficiency", "cloud_ssd", "local_hdd", "local_ssd"];
    let asked = disk.text("Category").filter(|category| known.contains(category));
    asked.unwrap_or(CATEGORY_DEFAULT).to_owned()
}

/// The size of a disk in GiB, if it is said.
pub(super) fn size_gib(disk: &Params, name: &'static str) -> Result<Option<i64>, EnsError> {
    let size = disk.integer("Size").map_err(|_| EnsError::invalid(name))?;
    match size {
        Some(size) if !(1..=DISK_GIB_MAX).contains(&size) => Err(EnsError::invalid(name)),
        size => Ok(size),
    }
}

/// The data disks: category and size in GiB.
pub(super) fn data_disks(params: &Params) -> Result<Vec<(String, i64)>, EnsError> {
    let disks = params.objects("DataDisk")?;
    if disks.len() > DATA_DISKS_MAX {
        return Err(EnsError::invalid("DataDisk"));
    }
    let disk = |disk: &Params| {
        let size = size_gib(disk, "DataDisk.Size")?.ok_or(EnsError::invalid("DataDisk.Size"))?;
        Ok((category(disk), size))
    };
    disks.iter().map(disk).collect()
}

/// Parameters that change nothing here and are given back as they came, so that a plan settles.
pub(super) fn echo(params: &Params, names: &[&'static str]) -> Result<Vec<(String, String)>, EnsError> {
    let mut echo = Vec::new();
    for name in names {
        if let Some(text) = bounded(params, name)? {
            echo.push(((*name).to_owned(), text.to_owned()));
        }
    }
    Ok(echo)
}

/// A text that is kept, and so is bounded.
pub(super) fn bounded<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, EnsError> {
    match params.text(name) {
        Some(text) if text.len() > TEXT_BYTES_MAX => Err(EnsError::invalid(name)),
        text => Ok(text),
    }
}

/// Checks the user data, which nothing runs here.
pub(super) fn check_user_data(params: &Params) -> Result<(), EnsError> {
    if params.text("UserData").is_some_and(|data| data.len() > USER_DATA_BYTES_MAX) {
        return Err(EnsError::invalid("UserData"));
    }
    Ok(())
}

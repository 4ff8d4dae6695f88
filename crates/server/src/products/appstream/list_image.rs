//! ListImage: the images that the caller sees.

use serde_json::{Value, json};

use super::error::AppStreamError;
use super::image_render::{self, FEATURE_SET};
use super::{API, answer};
use crate::products::paging::Paging;
use crate::products::{Call, Kind, Operation, Parameter};
use crate::service::describe_images::ImageFilter;
use crate::service::list_images::{DETAILS_IN_FILTER_MAX, TAGS_IN_FILTER_MAX, list_images};
use crate::wire::params::Params;

/// The operation.
pub const OPERATION: Operation = Operation {
    api: &API,
    name: "ListImage",
    action: "appstreaming:ListImage",
    parameters: &[
        Parameter::optional("BizRegionIdList", Kind::FlatList),
        Parameter::optional("BizType", Kind::Integer),
        Parameter::optional("BizTypeList", Kind::FlatList),
        Parameter::optional("Distro", Kind::Text),
        Parameter::optional("FeatureList", Kind::FlatList),
        Parameter::optional("FotaVersion", Kind::Text),
        Parameter::optional("ImageId", Kind::Text),
        Parameter::optional("ImageName", Kind::Text),
        Parameter::optional("ImageType", Kind::Text),
        Parameter::optional("LanguageType", Kind::Text),
        Parameter::optional("OsType", Kind::Text),
        Parameter::optional("PackageType", Kind::Text),
        Parameter::optional("PageNumber", Kind::Integer),
        Parameter::optional("PageSize", Kind::Integer),
        Parameter::optional("PlatformName", Kind::Text),
        Parameter::optional("PlatformNameList", Kind::FlatList),
        Parameter::optional("ProductType", Kind::Text),
        Parameter::optional("ProductTypeList", Kind::FlatList),
        Parameter::optional("ProtocolType", Kind::Text),
        Parameter::optional("ResourceInstanceType", Kind::Text),
        Parameter::optional("Status", Kind::Text),
        Parameter::optional("TagList", Kind::FlatList),
    ],
    summary: "Lists the images that the caller sees: its own, shared, system and community ones.",
    handler: |call| Box::pin(async move { answer(call, handle(call).await) }),
};

/// Things on a page, if nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 10;

/// The most images on a page.
const PAGE_SIZE_MAX: i64 = 100;

/// What images can be for.
const PRODUCT_TYPES: [&str; 3] = ["CloudDesktop", "CloudApp", "WuyingServer"];

/// Filters for details of an image, with the names that these are kept under.
const DETAILS: [(&str, &str); 6] = [
    ("Distro", "Distro"),
    ("FotaVersion", "FotaVersion"),
    ("LanguageType", "Language"),
    ("PackageType", "PackageType"),
    ("ProtocolType", "ProtocolType"),
    ("ResourceInstanceType", "ResourceInstanceType"),
];

async fn handle(call: &Call<'_>) -> Result<Value, AppStreamError> {
    let params = call.params;
    let paging = Paging::of(params, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?;
    let tags = params.objects("TagList")?;
    let features = params.list("FeatureList").into_iter().map(image_render::feature).collect::<Vec<_>>();
    let (state, begun) = state(params)?;
    let mut filter = ImageFilter {
        ids: params.text("ImageId").into_iter().collect(),
        name_part: params.text("ImageName"),
        state,
        begun,
        os_type: params.text("OsType"),
        platforms: one_or_list(params, "PlatformName", "PlatformNameList"),
        product_types: one_or_list(params, "ProductType", "ProductTypeList"),
        regions: params.list("BizRegionIdList"),
        details: details(params, &features)?,
        tags: tag_filter(&tags)?,
        ..ImageFilter::default()
    };
    let possible = narrow(&mut filter, params)?;
    let limit = if possible { paging.size } else { 0 };
    let page = list_images(call.app, &call.caller, &filter, paging.offset(), limit).await?;
    let images: Vec<_> = page.items.iter().map(image_render::image).collect();
    Ok(json!({
        "Code": "200",
        "Count": if possible { page.total } else { 0 },
        "Data": images,
        "Message": "success",
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "Success": true,
    }))
}

/// The state, and whether work must have begun.
fn state(params: &Params) -> Result<(Option<&'static str>, Option<bool>), AppStreamError> {
    match params.text("Status") {
        None => Ok((None, None)),
        Some("INIT") => Ok((Some("making"), Some(false))),
        Some("CREATING") => Ok((Some("making"), Some(true))),
        Some("AVAILABLE") => Ok((Some("available"), None)),
        Some("CREATE_FAILED") => Ok((Some("failed"), None)),
        Some(_) => Err(AppStreamError::invalid("Status")),
    }
}

/// A filter that has one value, or several of which one must match.
fn one_or_list<'a>(params: &'a Params, one: &str, several: &str) -> Vec<&'a str> {
    let mut values = params.list(several);
    values.extend(params.text(one));
    values
}

fn details<'a>(
    params: &'a Params,
    features: &'a [String],
) -> Result<Vec<(&'a str, &'a str)>, AppStreamError> {
    let mut details: Vec<(&'a str, &'a str)> =
        DETAILS.iter().filter_map(|(name, kept)| Some((*kept, params.text(name)?))).collect();
    details.extend(features.iter().map(|feature| (feature.as_str(), FEATURE_SET)));
    if details.len() > DETAILS_IN_FILTER_MAX {
        return Err(AppStreamError::invalid("FeatureList"));
    }
    Ok(details)
}

fn tag_filter(tags: &[Params]) -> Result<Vec<(&str, Option<&str>)>, AppStreamError> {
    if tags.len() > TAGS_IN_FILTER_MAX {
        return Err(AppStreamError::invalid("TagList"));
    }
    let tag = |tag| {
        Params::text(tag, "Key").map(|key| (key, tag.text("Value"))).ok_or(AppStreamError::invalid("TagList"))
    };
    tags.iter().map(tag).collect()
}

/// Chooses whose images are listed; `false` if none can match.
fn narrow(filter: &mut ImageFilter<'_>, params: &Params) -> Result<bool, AppStreamError> {
    let everything = params.text("ImageType").is_none();
    match params.text("ImageType") {
        None | Some("User" | "Shared" | "System" | "Community") => {}
        Some(_) => return Err(AppStreamError::invalid("ImageType")),
    }
    let asks_for = |kind| everything || params.text("ImageType") == Some(kind);
    filter.own = asks_for("User");
    filter.shared_in = asks_for("Shared");
    filter.public = asks_for("System");
    filter.community = asks_for("Community");
    filter.own_unpublished = !everything;
    // Business types other than the ordinary one are not made here.
    let business = params.list("BizTypeList");
    let ordinary = params.integer("BizType")?.is_none_or(|business| business == 1);
    // What is no product type at all matches nothing.
    let asked = filter.product_types.len();
    filter.product_types.retain(|kind| PRODUCT_TYPES.contains(kind));
    filter.product_types.sort_unstable();
    filter.product_types.dedup();
    let possible = asked == 0 || !filter.product_types.is_empty();
    Ok(possible && ordinary && (business.is_empty() || business.contains(&"1")))
}

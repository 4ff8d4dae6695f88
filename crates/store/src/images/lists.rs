//! Listings of images, a page each.

use calotype_core::ids::{AccountId, ImageId};
use calotype_core::image::{ImageView, Product, Standing};

use super::{load, product_to_text, state_to_text, view};
use crate::db::{Query, Result, Tx, Value};
use crate::members;
use crate::snapshots::comma_set;

/// Which images a listing asks for; absent filters let everything through.
#[expect(clippy::struct_excessive_bools, reason = "whose images are listed is a set of five")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Part of the id.
    pub id_part: Option<&'a str>,
    /// The whole ids; empty for all.
    pub ids: Vec<&'a str>,
    /// Part of the name.
    pub name_part: Option<&'a str>,
    /// The snapshot it was made from.
    pub snapshot: Option<&'a str>,
    /// The state: `making`, `available`, `unavailable` or `failed`.
    pub state: Option<&'a str>,
    /// Whether work on any of its replicas has begun.
    pub begun: Option<bool>,
    /// `linux`, `windows` and the like, in any case.
    pub os_type: Option<&'a str>,
    /// The platforms; empty for all.
    pub platforms: Vec<&'a str>,
    /// The product types, one of which it must be for; empty for all. The first
    /// [`PRODUCT_TYPES_IN_FILTER_MAX`] count.
    pub product_types: Vec<&'a str>,
    /// The regions that must have it; empty for any.
    pub regions: Vec<&'a str>,
    /// Details that it must have, names with values: the first [`DETAILS_IN_FILTER_MAX`] count.
    pub details: Vec<(&'a str, &'a str)>,
    /// Tags that it must have, each a key and, if given, a value: the first [`TAGS_IN_FILTER_MAX`] count.
    pub tags: Vec<(&'a str, Option<&'a str>)>,
    /// Whether system images are listed.
    pub public: bool,
    /// Whether the account's own images are listed.
    pub own: bool,
    /// Whether images shared to the account are listed.
    pub shared_in: bool,
    /// Whether the account's own images are listed only if they are not published.
    pub own_unpublished: bool,
    /// Whether community images are listed, the account's own included.
    pub community: bool,
}

/// How many product types a listing can be filtered by: there are no more.
pub const PRODUCT_TYPES_IN_FILTER_MAX: usize = 3;

/// How many details a listing can be filtered by.
pub const DETAILS_IN_FILTER_MAX: usize = 8;

/// How many tags a listing can be filtered by.
pub const TAGS_IN_FILTER_MAX: usize = 3;

impl Filter<'_> {
    /// Whose images are listed and in which state, without the rest.
    fn scope(&self) -> Self {
        Self {
            state: self.state,
            public: self.public,
            own: self.own,
            shared_in: self.shared_in,
            own_unpublished: self.own_unpublished,
            community: self.community,
            ..Self::default()
        }
    }

    /// Whether its scope holds an image.
    fn holds(&self, view: &ImageView) -> bool {
        let published = view.image.published.is_some();
        let is_listed = match view.standing {
            Standing::Public => self.public,
            Standing::Own => {
                (self.own && !(self.own_unpublished && published)) || (self.community && published)
            }
            Standing::SharedIn => self.shared_in || (self.community && published),
            Standing::Community => self.community,
            Standing::Hidden => false,
        };
        is_listed && self.state.is_none_or(|state| state == state_to_text(&view.image.state).0)
    }

    /// The values of a scope, as the statements number them.
    fn scope_values<'v>(&'v self, product: Product, account: &'v AccountId) -> Vec<Value<'v>> {
        vec![
            account.as_str().into(),
            product_to_text(product).into(),
            self.public.into(),
            self.own.into(),
            self.shared_in.into(),
            self.community.into(),
            self.own_unpublished.into(),
            self.state.into(),
        ]
    }
}

/// One page of images that `account` sees, an exact match of the id part first, then the newest, and
/// how many there are in all.
///
/// # Errors
/// Any [`StoreError`](crate::db::StoreError).
pub async fn list(
    tx: &mut Tx,
    product: Product,
    account: &AccountId,
    filter: &Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ImageView>, i64)> {
    let scope = filter.scope();
    if let [id] = filter.ids[..]
        && *filter == (Filter { ids: vec![id], ..scope.clone() })
    {
        let id = ImageId::trusted(id);
        let found = tx.ask(load(product, &id, account)).await?.filter(|view| scope.holds(view));
        let total = i64::from(found.is_some());
        return Ok((found.into_iter().filter(|_| offset == 0 && limit > 0).collect(), total));
    }
    let mut values = scope.scope_values(product, account);
    if *filter == scope {
        return page_and_total(tx, account, (PAGE, TOTAL), values, offset, limit).await;
    }
    let sets = [&filter.ids, &filter.platforms, &filter.regions].map(|set| comma_set(set));
    let [ids, platforms, regions] = &sets;
    let texts = [
        ids.as_deref(),
        filter.id_part,
        filter.name_part,
        filter.snapshot,
        filter.os_type,
        platforms.as_deref(),
    ];
    values.extend(texts.map(Value::from));
    let product_type = |place| Value::from(filter.product_types.get(place).copied());
    values.extend((0..PRODUCT_TYPES_IN_FILTER_MAX).map(product_type));
    values.push(regions.as_deref().into());
    let details: Vec<String> =
        filter.details.iter().map(|(name, value)| members::part(name, value)).collect();
    values
        .extend((0..DETAILS_IN_FILTER_MAX).map(|place| Value::from(details.get(place).map(String::as_str))));
    for place in 0..TAGS_IN_FILTER_MAX {
        let tag = filter.tags.get(place);
        values.push(tag.map(|(key, _)| *key).into());
        values.push(tag.and_then(|(_, value)| *value).into());
    }
    values.push(filter.begun.map(i64::from).into());
    page_and_total(tx, account, (FILTERED_PAGE, FILTERED_TOTAL), values, offset, limit).await
}

/// Asks for a page and for the total, which has the same values but the last two, limit and offset.
async fn page_and_total(
    tx: &mut Tx,
    account: &AccountId,
    (page, total): (&'static str, &'static str),
    mut values: Vec<Value<'_>>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ImageView>, i64)> {
    let total = Query::new(total, &values, |rows| rows.first().map_or(Ok(0), |row| row.integer(0)));
    values.extend([limit, offset].map(Value::from));
    let page = Query::new(page, &values, |rows| rows.iter().map(|row| view(row, account)).collect());
    tx.ask((page, total)).await
}

/// Each arm goes by an index: the owner's images, the system's, those shared in, and the published ones. An image that
/// is in two of them is in the earlier one only.
macro_rules! scope {
    ($columns:expr) => {
        scope!($columns, "(SELECT COUNT(*) FROM shares s WHERE s.image_id = i.id AND s.account_id = $1)")
    };
    ($columns:expr, $shared:expr) => {
        concat!(
            "SELECT ",
            $columns,
            ", 0 AS shared FROM images i WHERE i.owner = $1 AND i.product = $2 AND i.deleted_ms IS NULL \
             AND ((CAST($4 AS BIGINT) = 1 AND (CAST($7 AS BIGINT) = 0 OR i.published_ms IS NULL)) \
             OR (CAST($6 AS BIGINT) = 1 AND i.published_ms IS NOT NULL)) AND ($8 IS NULL OR i.state = $8) \
             UNION ALL SELECT ",
            $columns,
            ", 0 FROM images i WHERE CAST($3 AS BIGINT) = 1 AND i.owner = 'system' AND i.product = $2 \
             AND i.deleted_ms IS NULL AND ($8 IS NULL OR i.state = $8) \
             UNION ALL SELECT ",
            $columns,
            ", 1 FROM shares s JOIN images i ON i.id = s.image_id \
             WHERE CAST($5 AS BIGINT) = 1 AND s.account_id = $1 AND i.product = $2 AND i.owner <> $1 \
             AND i.owner <> 'system' AND i.deleted_ms IS NULL AND ($8 IS NULL OR i.state = $8) \
             UNION ALL SELECT ",
            $columns,
            ", ",
            $shared,
            " FROM images i WHERE CAST($6 AS BIGINT) = 1 AND i.published_ms IS NOT NULL AND i.product = $2 \
             AND i.owner <> $1 AND i.owner <> 'system' AND i.deleted_ms IS NULL AND ($8 IS NULL OR i.state = $8) \
             AND NOT EXISTS (SELECT 1 FROM shares s WHERE s.image_id = i.id AND s.account_id = $1 \
             AND CAST($5 AS BIGINT) = 1)"
        )
    };
}

/// What else is asked for; what is absent lets everything through.
macro_rules! filters {
    () => {
        "($9 IS NULL OR REPLACE($9, ',' || i.id || ',', '') <> $9) \
         AND ($10 IS NULL OR REPLACE(i.id, $10, '') <> i.id) \
         AND ($11 IS NULL OR REPLACE(i.name, $11, '') <> i.name) \
         AND ($12 IS NULL OR i.source_snapshot = $12) \
         AND ($13 IS NULL OR LOWER(i.os_type) = LOWER($13)) \
         AND ($14 IS NULL OR REPLACE($14, ',' || i.platform || ',', '') <> $14) \
         AND ($15 IS NULL \
         OR REPLACE(',' || i.product_type || ',', ',' || $15 || ',', '') <> ',' || i.product_type || ',' \
         OR REPLACE(',' || i.product_type || ',', ',' || $16 || ',', '') <> ',' || i.product_type || ',' \
         OR REPLACE(',' || i.product_type || ',', ',' || $17 || ',', '') <> ',' || i.product_type || ',') \
         AND ($18 IS NULL OR EXISTS (SELECT 1 FROM replicas r WHERE r.holder_id = i.id \
         AND r.state = 'available' AND REPLACE($18, ',' || r.region || ',', '') <> $18)) \
         AND ($19 IS NULL OR REPLACE(i.details, $19, '') <> i.details) \
         AND ($20 IS NULL OR REPLACE(i.details, $20, '') <> i.details) \
         AND ($21 IS NULL OR REPLACE(i.details, $21, '') <> i.details) \
         AND ($22 IS NULL OR REPLACE(i.details, $22, '') <> i.details) \
         AND ($23 IS NULL OR REPLACE(i.details, $23, '') <> i.details) \
         AND ($24 IS NULL OR REPLACE(i.details, $24, '') <> i.details) \
         AND ($25 IS NULL OR REPLACE(i.details, $25, '') <> i.details) \
         AND ($26 IS NULL OR REPLACE(i.details, $26, '') <> i.details) \
         AND ($27 IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.resource_kind = 'image' \
         AND t.resource_id = i.id AND t.tag_key = $27 AND ($28 IS NULL OR t.tag_value = $28))) \
         AND ($29 IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.resource_kind = 'image' \
         AND t.resource_id = i.id AND t.tag_key = $29 AND ($30 IS NULL OR t.tag_value = $30))) \
         AND ($31 IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.resource_kind = 'image' \
         AND t.resource_id = i.id AND t.tag_key = $31 AND ($32 IS NULL OR t.tag_value = $32))) \
         AND ($33 IS NULL OR $33 = (SELECT COUNT(*) FROM (SELECT 1 FROM replicas r WHERE r.holder_id = i.id \
         AND r.tries > 0 LIMIT 1) begun))"
    };
}

const PAGE: &str = concat!(scope!(columns!()), " ORDER BY created_ms DESC, id LIMIT $9 OFFSET $10");

/// Each arm counts its own, which an index tells.
const TOTAL: &str =
    concat!("SELECT CAST(SUM(counted) AS BIGINT) FROM (", scope!("COUNT(*) AS counted", "0"), ") arms");

const FILTERED_PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    ", shared FROM (",
    scope!("i.*"),
    ") i WHERE ",
    filters!(),
    " ORDER BY CASE WHEN i.id = $10 THEN 0 ELSE 1 END, i.created_ms DESC, i.id LIMIT $34 OFFSET $35"
);

const FILTERED_TOTAL: &str = concat!("SELECT COUNT(*) FROM (", scope!("i.*"), ") i WHERE ", filters!());

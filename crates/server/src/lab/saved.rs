//! Worlds that are saved, and loaded again under ids and keys of their own.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calotype_core::ids::AccountId;
use calotype_store::db::Cell;
use calotype_store::saved::{NotSaved, SavedAccount};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Lab;
use super::routes::{Outcome, Problem};
use super::worlds::People;
use crate::app::App;
use crate::wire::encode::hex;

/// What kind of document it is, and which version of it.
const FORM: &str = "calotype-world-1";

/// The digits of an id behind its prefix that tell its time. They stay, so that things keep their order.
const TIME_DIGITS: usize = 9;

/// The digits behind those.
const CHANCE_DIGITS: usize = 16;

/// A saved world: no secrets, and nothing that has been deleted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    form: String,
    account: String,
    pub(super) people: People,
    rows: BTreeMap<String, Vec<Vec<Value>>>,
    /// The bytes of replicas, in base64.
    objects: BTreeMap<String, String>,
}

impl From<NotSaved> for Problem {
    fn from(error: NotSaved) -> Self {
        match error {
            NotSaved::TooMuch(_) => Self::full(error.to_string()),
            NotSaved::Unfit(_) => Self::bad(error.to_string()),
            NotSaved::Store(error) => error.into(),
            NotSaved::Objects(error) => Self::not_now(error.to_string()),
        }
    }
}

/// Saves a world.
pub(super) async fn save(app: &App, lab: &Lab, account: &AccountId) -> Outcome {
    let people = lab.worlds.people(account).ok_or_else(|| Problem::none("world"))?;
    let saved = calotype_store::saved::save(&app.db, &app.places, account).await?;
    let cell = |cell: &Cell| match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => text.clone().into(),
        Cell::Integer(number) => (*number).into(),
    };
    let rows = |rows: &Vec<Vec<Cell>>| rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let saved = Saved {
        form: FORM.to_owned(),
        account: account.to_string(),
        people,
        rows: saved.rows.iter().map(|(table, found)| (table.clone(), rows(found))).collect(),
        objects: saved.objects.iter().map(|(id, bytes)| (id.clone(), STANDARD.encode(bytes))).collect(),
    };
    Ok(json!(saved))
}

/// Loads a saved world into the account, which is empty; gives the new id of each thing by its old one.
pub(super) async fn load(app: &App, account: &AccountId, saved: &Saved) -> Outcome {
    if saved.form != FORM {
        return Err(Problem::bad(format!("a saved world has the form {FORM}")));
    }
    let cell = |value: &Value| match value {
        Value::Null => Ok(Cell::Null),
        Value::String(text) => Ok(Cell::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Cell::Integer).ok_or(()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(()),
    };
    let rows = |rows: &Vec<Vec<Value>>| {
        let row = |row: &Vec<Value>| row.iter().map(cell).collect::<Result<Vec<_>, ()>>();
        rows.iter().map(row).collect::<Result<Vec<_>, ()>>()
    };
    let unfit = |()| Problem::bad("a saved world has rows of texts, numbers and nulls");
    let found = saved.rows.iter().map(|(table, found)| Ok((table.clone(), rows(found)?)));
    let objects =
        saved.objects.iter().map(|(id, text)| Ok((id.clone(), STANDARD.decode(text).map_err(|_| ())?)));
    let account_rows = SavedAccount {
        rows: found.collect::<Result<_, _>>().map_err(unfit)?,
        objects: objects.collect::<Result<_, _>>().map_err(unfit)?,
    };
    let ids = fresh_ids(app, account_rows.ids());
    let mut names = ids.clone();
    names.insert(saved.account.clone(), account.to_string());
    calotype_store::saved::load(&app.db, &app.places, account, &account_rows, &names, app.clock.now())
        .await?;
    super::clock::ring(app);
    Ok(json!(ids))
}

/// Another id for each, of the same kind and time, and in the same order.
fn fresh_ids(app: &App, mut old: Vec<&str>) -> BTreeMap<String, String> {
    let mut chances: Vec<String> =
        old.iter().map(|_| hex(&app.chance.bytes::<{ CHANCE_DIGITS / 2 }>())).collect();
    old.sort_unstable();
    chances.sort_unstable();
    let fresh = |(id, chance): (&str, String)| {
        let stem = id.rfind('-').map_or(0, |at| at + 1);
        let time: String = id.chars().skip(stem).take(TIME_DIGITS).collect();
        (id.to_owned(), format!("{}{time}{chance}", &id[..stem]))
    };
    old.into_iter().zip(chances).map(fresh).collect()
}

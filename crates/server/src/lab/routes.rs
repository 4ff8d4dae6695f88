//! What can be asked of the lab.

use std::sync::Arc;

use calotype_core::ids::{AccountId, RegionId};
use calotype_store::db::StoreError;
use calotype_store::holds as held;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::regions::Away;
use super::{Lab, clock, saved, seed};
use crate::app::App;
use crate::operations::OPERATIONS;
use crate::products::documented;
use crate::wire::params::Params;

/// A request to the lab.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
    pub(super) is_toml: bool,
}

/// Why the lab does not do it. Nothing is changed then.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(400, text)
    }

    pub(super) fn none(what: &str) -> Self {
        Self::new(404, format!("there is no such {what}"))
    }

    pub(super) fn not_now(text: impl Into<String>) -> Self {
        Self::new(409, text)
    }

    pub(super) fn full(text: impl Into<String>) -> Self {
        Self::new(413, text)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::not_now("it is in another state, or not there"),
            StoreError::Spent | StoreError::Unavailable(_) | StoreError::Corrupt(_) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the lab could not go on");
                Self::new(500, error.to_string())
            }
        }
    }
}

pub(super) type Outcome = Result<Value, Problem>;

impl Asked<'_> {
    /// The body, in JSON or TOML; without one, what an empty object says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.is_toml {
            let text = std::str::from_utf8(self.body).map_err(|_| Problem::bad("the body is no text"))?;
            return toml::from_str(text).map_err(|error| Problem::bad(error.message()));
        }
        let body = if self.body.is_empty() { b"{}" } else { self.body };
        serde_json::from_slice(body).map_err(|error| Problem::bad(error.to_string()))
    }

    fn query(&self, name: &str) -> Result<Option<String>, Problem> {
        let query = Params::parse(self.query).map_err(|_| Problem::bad("the query cannot be read"))?;
        Ok(query.text(name).map(str::to_owned))
    }
}

/// Answers a request to the lab.
pub(super) async fn answer(app: &Arc<App>, lab: &Lab, asked: &Asked<'_>) -> Outcome {
    let path: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    match *path.as_slice() {
        [] if asked.method == "GET" => Ok(overview(app, lab)),
        ["errors"] if asked.method == "GET" => errors(asked),
        ["reset"] if asked.method == "POST" => reset(app, lab).await,
        ["clock"] => match asked.method {
            "GET" => Ok(clock::show(app)),
            "POST" => clock::advance(app, &asked.read()?),
            _ => Err(no_such_method()),
        },
        ["faults", ref rest @ ..] => faults(lab, asked, rest),
        ["regions", ref rest @ ..] => regions(app, lab, asked, rest).await,
        ["holds", ref rest @ ..] => lab.holds.answer(app, asked, rest).await,
        ["worlds", ref rest @ ..] => worlds(app, lab, asked, rest).await,
        _ => Err(Problem::none("path; GET / tells what there is")),
    }
}

pub(super) fn no_such_method() -> Problem {
    Problem::new(405, "not by this method")
}

fn overview(app: &App, lab: &Lab) -> Value {
    json!({
        "calotype": env!("CARGO_PKG_VERSION"),
        "faults": lab.faults.list().len(),
        "holds": lab.holds.len(),
        "regions_away": lab.regions.taken(),
        "worlds": lab.worlds.len(),
        "clock": clock::show(app),
        "paths": ["/clock", "/errors", "/faults", "/holds", "/regions", "/reset", "/worlds"],
    })
}

/// The documented refusals of an API, or of all of them, and those of the gateway.
fn errors(asked: &Asked<'_>) -> Outcome {
    let wanted = asked.query("api")?;
    let mut apis: Vec<_> = OPERATIONS.iter().map(|operation| operation.api).collect();
    apis.dedup_by_key(|api| api.name);
    if let Some(wanted) = &wanted {
        apis.retain(|api| api.name == wanted);
        if apis.is_empty() {
            return Err(Problem::none("API"));
        }
    }
    let told = |api: &&crate::products::Api| {
        let rows = documented::refusals(api).into_iter().map(|refusal| {
            json!({
                "status": refusal.row.status,
                "error": refusal.row.code,
                "message": refusal.row.message,
                "when": refusal.when,
            })
        });
        (api.name.to_owned(), Value::from(rows.collect::<Vec<_>>()))
    };
    let gateway = documented::gateway_refusals().into_iter();
    let gateway = gateway
        .map(|row| json!({ "status": row.status, "error": row.code, "message": row.message }))
        .collect::<Vec<_>>();
    let told: serde_json::Map<String, Value> =
        apis.iter().map(told).chain([("gateway".to_owned(), gateway.into())]).collect();
    Ok(told.into())
}

fn faults(lab: &Lab, asked: &Asked<'_>, path: &[&str]) -> Outcome {
    let listed = |faults| serde_json::to_value(faults).unwrap_or_default();
    match (asked.method, path) {
        ("GET", []) => Ok(listed(lab.faults.list())),
        ("POST", []) => Ok(serde_json::to_value(lab.faults.arm(asked.read()?)?).unwrap_or_default()),
        ("DELETE", []) => Ok(json!({ "cleared": lab.faults.clear_all(asked.query("account")?.as_deref()) })),
        ("GET" | "DELETE", [id]) => {
            let id = id.parse().map_err(|_| Problem::none("fault"))?;
            let found = lab.faults.list().into_iter().find(|fault| fault.id() == id);
            let found = found.ok_or_else(|| Problem::none("fault"))?;
            if asked.method == "DELETE" {
                lab.faults.clear(id);
            }
            Ok(serde_json::to_value(found).unwrap_or_default())
        }
        _ => Err(no_such_method()),
    }
}

/// How a store is to behave.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Behaviour {
    store: Away,
}

async fn regions(app: &App, lab: &Lab, asked: &Asked<'_>, path: &[&str]) -> Outcome {
    let shown = |region: &RegionId| {
        let state = lab.regions.get(region.as_str()).map_or_else(|| json!("there"), |away| json!(away));
        json!({ "region": region.as_str(), "store": state })
    };
    match (asked.method, path) {
        ("GET", []) => Ok(app.places.regions.keys().map(shown).collect::<Vec<_>>().into()),
        (method, [region]) => {
            let region = RegionId::trusted(*region);
            if !app.places.regions.contains_key(&region) {
                return Err(Problem::none("region"));
            }
            match method {
                "GET" => {}
                "PUT" => lab.regions.set(region.as_str(), Some(asked.read::<Behaviour>()?.store)),
                "DELETE" => give_back(app, lab, region.as_str()).await?,
                _ => return Err(no_such_method()),
            }
            Ok(shown(&region))
        }
        _ => Err(no_such_method()),
    }
}

/// Gives a store back, and lets what failed meanwhile be tried now.
async fn give_back(app: &App, lab: &Lab, region: &str) -> Result<(), StoreError> {
    lab.regions.set(region, None);
    let mut tx = app.db.begin().await?;
    held::hurry(&mut tx, region, app.clock.now()).await?;
    tx.commit().await?;
    clock::ring(app);
    Ok(())
}

async fn worlds(app: &Arc<App>, lab: &Lab, asked: &Asked<'_>, path: &[&str]) -> Outcome {
    let Some((account, rest)) = path.split_first() else {
        return match asked.method {
            "GET" => Ok(lab.worlds.list()),
            "POST" => make_world(app, lab, asked.read()?).await,
            _ => Err(no_such_method()),
        };
    };
    let account = AccountId::trusted(*account);
    if !lab.worlds.has(&account) {
        return Err(Problem::none("world"));
    }
    match (asked.method, rest) {
        ("DELETE", []) => {
            remove_world(app, lab, &account).await?;
            Ok(json!({ "removed": account.as_str() }))
        }
        ("GET", ["saved"]) => saved::save(app, lab, &account).await,
        ("GET", ["record"]) => {
            let is_plain = match asked.query("form")?.as_deref() {
                None | Some("marked") => false,
                Some("plain") => true,
                Some(_) => return Err(Problem::bad("form is marked or plain")),
            };
            Ok(lab.records.show(&account, is_plain))
        }
        ("DELETE", ["record"]) => {
            lab.records.forget(&account);
            Ok(json!({}))
        }
        (_, [] | ["saved" | "record"]) => Err(no_such_method()),
        _ => Err(Problem::none("path below a world")),
    }
}

/// Makes a world, with all that is asked for or none of it.
async fn make_world(app: &Arc<App>, lab: &Lab, mut wanted: super::worlds::Wanted) -> Outcome {
    let (seed, saved) = (wanted.seed.take(), wanted.saved.take());
    let made = lab.worlds.make(app, wanted, saved.as_ref())?;
    let account = made.account.clone();
    let mut shown = made.shown;
    let filled = async {
        if let Some(saved) = saved {
            let ids = saved::load(app, &account, &saved).await?;
            shown["ids"] = ids;
        }
        if let Some(seed) = seed {
            shown["things"] = seed::plant(app, lab, &account, seed).await?;
        }
        Ok(())
    };
    if let Err(problem) = filled.await {
        remove_world(app, lab, &account).await?;
        return Err(problem);
    }
    Ok(shown)
}

async fn remove_world(app: &App, lab: &Lab, account: &AccountId) -> Result<(), Problem> {
    lab.faults.clear_all(Some(account.as_str()));
    lab.worlds.remove(app, account).await?;
    lab.records.forget(account);
    lab.holds.forget_gone(app).await
}

/// Takes everything back that was armed, taken or held. Worlds and the clock stay.
async fn reset(app: &Arc<App>, lab: &Lab) -> Outcome {
    let cleared = lab.faults.clear_all(None);
    let taken = lab.regions.taken();
    for region in &taken {
        give_back(app, lab, region).await?;
    }
    let released = lab.holds.release_all(app).await?;
    Ok(json!({ "faults": cleared, "regions": taken, "holds": released }))
}

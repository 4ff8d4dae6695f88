//! Plausible requests of several accounts on all products, about what there is.

mod clear;
mod desktops;
mod ens;
mod own;

use std::sync::Arc;

use calotype::wire::encode;
use calotype::wire::sign::{Key, sign_v1};
use calotype::wire::signature::Secret;
use calotype_core::time::Timestamp;

use crate::dice::Dice;
use crate::ledger::Ledger;

/// The accounts, with the names of their keys.
pub const ACCOUNTS: [(&str, &str); 2] = [("1000000000000001", "first"), ("1000000000000002", "second")];

/// The key of a user of the first account to whom no policy allows anything.
pub const VIEWER: &str = "viewer";

/// The secret of the key of this name.
pub fn secret(name: &str) -> String {
    format!("secret-of-{name}")
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The name of the key that it is signed with.
    pub key: &'static str,
    /// Whether whoever signs does not know the secret.
    pub forged: bool,
    pub version: &'static str,
    pub action: &'static str,
    pub params: Vec<(String, String)>,
    pub intent: Intent,
}

/// What a request is to bring about.
#[derive(Clone, Debug)]
pub enum Intent {
    /// Nothing.
    Read,
    /// Nothing; the answer shows images that there are.
    List,
    /// Something that is not looked after further.
    Change,
    /// A thing of this name, whose id stands in the answer.
    Create { table: Table, pointer: &'static str, name: String },
    /// That a thing is not there any more.
    Remove { id: String, by_id: &'static str },
    /// That an image is shared with an account, or not any more.
    Share { image: String, account: String, add: bool },
    /// That images are deleted.
    Delete { images: Vec<String> },
    /// That an image is there again.
    Restore { image: String },
}

/// Where things of a kind are found.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub by_id: &'static str,
    pub by_name: &'static str,
}

macro_rules! table {
    ($name:literal) => {
        Table {
            by_id: concat!("SELECT id FROM ", $name, " WHERE id = $1"),
            by_name: concat!("SELECT id FROM ", $name, " WHERE name = $1"),
        }
    };
}

pub const IMAGES: Table = table!("images");
pub const INSTANCES: Table = table!("instances");
pub const TEMPLATES: Table = table!("templates");
pub const BUNDLES: Table = table!("bundles");
pub const SNAPSHOTS: Table = table!("snapshots");

/// What a request can be about.
pub struct Scene<'a> {
    pub ledger: &'a Ledger,
    pub regions: &'a [String],
    /// The number of the request, which names what it makes.
    pub number: usize,
    /// The image that most requests are about at this time, so that they meet each other.
    pub focus: &'a str,
    /// Whether only owners ask, and only to delete.
    pub tidy: bool,
}

/// Makes a request of one kind; nothing if there is nothing that it could be about.
pub type Maker = fn(&mut Dice, &Scene<'_>) -> Option<Draft>;

/// The kinds of requests, in groups, each with how often it comes in its group.
const KINDS: [&[(u64, Maker)]; 4] = [ens::KINDS, desktops::KINDS, DELETES, own::KINDS];

const DELETES: &[(u64, Maker)] =
    &[(10, ens::delete_image), (10, desktops::delete_image), (4, desktops::delete_images)];

/// What leads to a world without images of accounts.
pub const LAST: Maker = clear::towards_the_end;

/// What a world begins with: these, one after the other.
pub const FIRST: &[Maker] = &[
    ens::import_image,
    desktops::create_workstation,
    desktops::create_image,
    ens::import_image,
    desktops::create_workstation,
    desktops::create_image,
    ens::run_instances,
];

/// Makes a request.
pub fn draft(dice: &mut Dice, scene: &Scene<'_>, by_kind: &[u64; 4]) -> Option<Draft> {
    if dice.permille(200) {
        return clear::towards_the_end(dice, scene);
    }
    let kinds = KINDS[dice.weighted(by_kind)?];
    let weights: Vec<u64> = kinds.iter().map(|(weight, _)| *weight).collect();
    let (_, maker) = kinds[dice.weighted(&weights)?];
    maker(dice, scene)
}

impl Draft {
    /// The body of the request, signed at `now` with this nonce.
    pub fn sign(&self, now: Timestamp, nonce: &str) -> Arc<[u8]> {
        let mut params = vec![
            ("Action".to_owned(), self.action.to_owned()),
            ("Version".to_owned(), self.version.to_owned()),
            ("Format".to_owned(), "JSON".to_owned()),
        ];
        params.extend(self.params.iter().cloned());
        let secret = Secret::new(if self.forged { "another".to_owned() } else { secret(self.key) });
        let id = format!("ak-{}", self.key);
        let key = Key { access_key_id: &id, secret: &secret, security_token: None };
        let signed = sign_v1(key, "POST", &params, now, nonce);
        let body = encode::query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        body.into_bytes().into()
    }
}

impl Scene<'_> {
    /// A request of the owner's of the thing, or now and then of somebody else's.
    fn draft(
        &self,
        dice: &mut Dice,
        owner: &str,
        (version, action): (&'static str, &'static str),
        params: &[(&str, &str)],
        intent: Intent,
    ) -> Draft {
        let stranger = *dice.pick(&[ACCOUNTS[0].1, ACCOUNTS[1].1, VIEWER]).unwrap_or(&VIEWER);
        let own = ACCOUNTS.iter().find(|(id, _)| *id == owner).map(|(_, key)| *key);
        let key = if !self.tidy && dice.permille(100) { stranger } else { own.unwrap_or(ACCOUNTS[0].1) };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let params = params.iter().map(owned).collect();
        Draft { key, forged: !self.tidy && dice.permille(15), version, action, params, intent }
    }

    /// The name of what the request makes.
    fn name(&self) -> String {
        format!("made-by-{}", self.number)
    }

    fn region(&self, dice: &mut Dice) -> &str {
        dice.pick(self.regions).map_or("", String::as_str)
    }

    /// Something of what the statement finds: id and owner. The newest comes most often, so that requests
    /// meet each other.
    fn one(&self, dice: &mut Dice, sql: &str, values: &[&str]) -> Option<(String, String)> {
        let mut rows = self.ledger.rows(sql, values);
        let place =
            if dice.permille(500) { rows.len().checked_sub(1)? } else { dice.place(rows.len().max(1)) };
        let mut row = (place < rows.len()).then(|| rows.swap_remove(place))?.into_iter();
        Some((row.next()?, row.next()?))
    }

    /// An image that is not deleted, or now and then one that is; system images only if they are wanted.
    fn image(&self, dice: &mut Dice, product: &str, system: bool) -> Option<(String, String)> {
        let live = "SELECT id, owner FROM images WHERE product = $1 AND deleted_ms IS NULL AND owner <> 'system' \
                    ORDER BY created_ms, id";
        let deleted =
            "SELECT id, owner FROM images WHERE product = $1 AND deleted_ms IS NOT NULL ORDER BY id";
        let public = "SELECT id, owner FROM images WHERE product = $1 AND owner = 'system' ORDER BY id";
        if dice.permille(650) {
            let focus = "SELECT id, owner FROM images WHERE product = $1 AND id = $2";
            if let Some(found) = self.one(dice, focus, &[product, self.focus]) {
                return Some(found);
            }
        }
        let sql = match dice.below(100) {
            0..6 => deleted,
            6..8 => public,
            8..40 if system => public,
            _ => live,
        };
        let found = self.one(dice, sql, &[product]);
        if system { found.or_else(|| self.one(dice, public, &[product])) } else { found }
    }

    fn instance(&self, dice: &mut Dice, kind: &str) -> Option<(String, String)> {
        self.one(dice, "SELECT id, owner FROM instances WHERE kind = $1 ORDER BY created_ms, id", &[kind])
    }
}

/// The account that is not this one.
fn other_account(owner: &str) -> &'static str {
    ACCOUNTS.iter().map(|(id, _)| *id).find(|id| *id != owner).unwrap_or_default()
}

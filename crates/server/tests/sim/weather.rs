//! How well the stores do: fine, failing now and then, slow, or away.

use std::collections::{BTreeMap, BTreeSet};

use calotype_store::seam::{Effect, ObjectAction};

use crate::dice::Dice;
use crate::gates::Taken;

/// How well one store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sky {
    /// Everything works.
    Fine,
    /// Some steps fail, and of some the answer is lost.
    Flaky,
    /// Some steps take their time.
    Slow,
    /// No step works.
    Away,
}

/// How well all stores do.
#[derive(Debug)]
pub struct Weather {
    database: Sky,
    places: BTreeMap<String, Sky>,
    /// The servers that cannot reach the database.
    cut_off: BTreeSet<usize>,
    dice: Dice,
}

/// How long a step may take in a slow store, in milliseconds: less than a second, longer than a worker
/// looks away, about as long as a lease, longer than everything.
const DELAYS_MS: [u64; 5] = [400, 3_000, 50_000, 70_000, 200_000];

impl Weather {
    pub fn fine(places: impl IntoIterator<Item = String>, dice: Dice) -> Self {
        let places = places.into_iter().map(|place| (place, Sky::Fine)).collect();
        Self { database: Sky::Fine, places, cut_off: BTreeSet::new(), dice }
    }

    /// Everything works from now on.
    pub fn clear_up(&mut self) {
        self.database = Sky::Fine;
        self.cut_off.clear();
        self.places.values_mut().for_each(|sky| *sky = Sky::Fine);
    }

    /// Changes one store, or the database; tells what is new.
    pub fn change(&mut self, dice: &mut Dice, servers: usize) -> String {
        let skies = [Sky::Fine, Sky::Flaky, Sky::Slow, Sky::Away];
        let choose =
            |dice: &mut Dice, weights: &[u64]| dice.weighted(weights).map_or(Sky::Fine, |at| skies[at]);
        if dice.permille(150) {
            let server = dice.place(servers);
            if !self.cut_off.remove(&server) {
                self.cut_off.insert(server);
            }
            return format!("servers {:?} cannot reach the database", self.cut_off);
        }
        if dice.permille(250) {
            self.database = choose(dice, &[6, 5, 0, 1]);
            return format!("the database is {:?}", self.database);
        }
        let names: Vec<String> = self.places.keys().cloned().collect();
        let Some(name) = dice.pick(&names) else { return String::new() };
        let sky = choose(dice, &[5, 4, 3, 3]);
        self.places.insert(name.clone(), sky);
        format!("{name} is {sky:?}")
    }

    /// What happens to a step of a server by itself.
    pub fn effect(&mut self, server: usize, step: &Taken) -> Effect {
        match step {
            Taken::Begin | Taken::Statement(_) | Taken::Commit if self.cut_off.contains(&server) => {
                Effect::Unavailable
            }
            Taken::Begin => self.database(40, 0),
            Taken::Statement(_) => self.database(10, 0),
            Taken::Commit => self.database(40, 60),
            Taken::Object { place, action, .. } => {
                let sky = self.places.get(place).copied().unwrap_or(Sky::Fine);
                self.object(sky, *action)
            }
        }
    }

    /// How long a step takes at least, in milliseconds.
    pub fn delay_ms(&mut self, step: &Taken) -> i64 {
        let Taken::Object { place, .. } = step else { return 0 };
        if self.places.get(place) != Some(&Sky::Slow) || !self.dice.permille(300) {
            return 0;
        }
        let bound = self.dice.pick(&DELAYS_MS).copied().unwrap_or(1);
        i64::try_from(self.dice.below(bound)).unwrap_or(0)
    }

    fn database(&mut self, fails_permille: u64, lost_permille: u64) -> Effect {
        match self.database {
            Sky::Away => Effect::Unavailable,
            Sky::Flaky if self.dice.permille(fails_permille) => {
                if self.dice.permille(50) {
                    Effect::Corrupt
                } else {
                    Effect::Unavailable
                }
            }
            Sky::Flaky if self.dice.permille(lost_permille) => Effect::AnswerLost,
            Sky::Fine | Sky::Slow | Sky::Flaky => Effect::Go,
        }
    }

    fn object(&mut self, sky: Sky, action: ObjectAction) -> Effect {
        let answers = matches!(action, ObjectAction::Finish | ObjectAction::Erase);
        match sky {
            Sky::Away => Effect::Unavailable,
            Sky::Flaky if self.dice.permille(150) => Effect::Unavailable,
            Sky::Flaky if answers && self.dice.permille(150) => Effect::AnswerLost,
            Sky::Fine | Sky::Slow | Sky::Flaky => Effect::Go,
        }
    }
}

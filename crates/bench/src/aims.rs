//! The figures that are to be reached.

use crate::measured::{Spread, number};

/// A figure and what it shall be.
#[derive(Debug)]
pub struct Aim {
    /// Its name in templates.
    pub key: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What follows the number.
    pub unit: &'static str,
    /// Whether it shall be at least so much, rather than at most.
    pub at_least: bool,
    /// What it must be.
    pub reach: f64,
    /// What it should be.
    pub wish: f64,
}

const fn at_most(key: &'static str, what: &'static str, unit: &'static str, reach: f64, wish: f64) -> Aim {
    Aim { key, what, unit, at_least: false, reach, wish }
}

const fn at_least(key: &'static str, what: &'static str, unit: &'static str, reach: f64, wish: f64) -> Aim {
    Aim { key, what, unit, at_least: true, reach, wish }
}

/// All of them. SQLite, durable, signed, 64 connections, unless something else is said.
pub const AIMS: &[Aim] = &[
    at_most("delete_cpu", "CPU of an accepted DeleteImage against the no-op", " times", 2.5, 1.8),
    at_least("delete_rate", "DeleteImage per second against the no-op rate, a core each", "", 0.4, 0.6),
    at_least("glance", "deletes per second against Glance with PostgreSQL, same run", " times", 200.0, 400.0),
    at_least("moto", "deletes per second against moto (not durable), same run", " times", 50.0, 100.0),
    at_most(
        "size_order",
        "CPU per delete, 1,000,000 images against 1,000, in order of age",
        " times",
        1.5,
        1.1,
    ),
    at_most("size_random", "CPU per delete, 1,000,000 images against 1,000, random", " times", 3.0, 1.5),
    at_most("written", "bytes written per delete at 1,000,000 images, in order of age", " KB", 12.0, 6.0),
    at_most("refused_cpu", "CPU of a refused DeleteImage (in use) against the no-op", " times", 1.4, 1.2),
    at_most("missing_cpu", "CPU of a refused DeleteImage (not found) against the no-op", " times", 1.4, 1.2),
    at_most(
        "list_cpu",
        "CPU of a page of 50, 10,000 own images beside 1,000,000 of others, against describing one",
        " times",
        5.0,
        3.0,
    ),
    at_least(
        "postgres",
        "PostgreSQL: deletes per second against single-row durable updates, 32 connections",
        "",
        0.4,
        0.6,
    ),
    at_most("erase", "erasing 1,000 images of 1 MiB against rm and sync", " times", 1.5, 1.1),
    at_most(
        "import",
        "importing 4 GiB against the slowest of reading, hashing, writing",
        " times",
        1.4,
        1.15,
    ),
    at_most("import_memory", "memory above idle during that import", " MiB", 64.0, 32.0),
    at_most("idle_memory", "resident memory, idle, 1,000,000 images", " MiB", 40.0, 25.0),
    at_most("start", "start with 1,000,000 images", " s", 0.3, 0.1),
    at_most("p99", "p99 of DeleteImage at half of the maximum rate against its median", " times", 10.0, 5.0),
];

/// How far a figure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As far as it should.
    Aim,
    /// As far as it must.
    Reach,
    /// Not so far.
    Missed,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Aim => "the aim",
            Self::Reach => "yes",
            Self::Missed => "**no**",
        }
    }
}

impl Aim {
    /// How far a figure has come: its median counts.
    #[must_use]
    pub fn standing(&self, figure: Spread) -> Standing {
        let good = |wanted| if self.at_least { figure.median >= wanted } else { figure.median <= wanted };
        match (good(self.wish), good(self.reach)) {
            (true, _) => Standing::Aim,
            (false, true) => Standing::Reach,
            (false, false) => Standing::Missed,
        }
    }

    /// A number with its unit.
    #[must_use]
    pub fn text(&self, value: f64) -> String {
        format!("{}{}", number(value), self.unit)
    }
}

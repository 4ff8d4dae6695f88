//! The command: a check in a process of its own, beside a server or alone.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use calotype_store::db::{CommitMode, Db};
use calotype_store::objects::{Location, Objects, Places};
use calotype_store::stores;
use tokio::task::JoinSet;

use super::{Options, Progress, look, repair};
use crate::app::{Command, hold};
use crate::clock::Clock;
use crate::config::Config;

/// What is asked for on the command line.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// Whether what can be repaired is repaired.
    pub repair: bool,
    /// Whether all bytes are read and hashed.
    pub deep: bool,
    /// Whether objects without any record are to be erased.
    pub erase_unknown: bool,
    /// Whether the report is one JSON object.
    pub json: bool,
}

/// How often a check that takes long tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Checks what the configuration names, prints the plan, and repairs if that is asked for. Gives the exit status.
///
/// # Errors
/// If the metadata cannot be read or written, or another command repairs or restores.
pub async fn check(config: &Config, arguments: Arguments) -> Result<u8, Box<dyn Error>> {
    let _held = hold(&config.data, if arguments.repair { Command::Repair } else { Command::Look })?;
    let options = calotype_store::db::Options {
        commit: CommitMode::Alone,
        ..calotype_store::db::Options::new(config.metadata.clone())
    };
    let db = Db::attach(&options).await?;
    let (places, options) = places(config, &db, arguments).await?;
    let now = Clock::System.now();
    let progress = Arc::new(Progress::default());
    let mut telling = JoinSet::new();
    telling.spawn(tell(Arc::clone(&progress)));
    let mut report = look(&db, &places, now, &options, &progress).await?;
    if !arguments.json {
        say(&report.plan_text());
    }
    if arguments.repair {
        repair(&db, &places, now, &mut report, &progress).await?;
    }
    drop(telling);
    say(&if arguments.json { format!("{:#}\n", report.to_json()) } else { report.end_text() });
    Ok(report.status())
}

/// Prints, unless nobody reads any more: what is begun is done all the same.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

async fn tell(progress: Arc<Progress>) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        eprintln!("{}", progress.text());
    }
}

/// The stores as the server knows them; nothing is made.
async fn places(config: &Config, db: &Db, arguments: Arguments) -> Result<(Places, Options), Box<dyn Error>> {
    let mut places = Places::default();
    let Arguments { deep, erase_unknown, .. } = arguments;
    let mut options = Options { deep, erase_unknown, ..Options::default() };
    for (region, location) in &config.regions {
        let token = stores::token(&mut db.read().await?, region).await?;
        match (location, token) {
            (Location::Memory, _) => {
                options.unseen.insert(region.clone(), "it is in the memory of the server");
            }
            (Location::File(_) | Location::S3(_), Some(token)) => {
                places.regions.insert(region.clone(), Objects::at(location).marked(&token));
            }
            (Location::File(_) | Location::S3(_), None) => {
                options.unseen.insert(region.clone(), "it was never used");
            }
        }
    }
    Ok((places, options))
}

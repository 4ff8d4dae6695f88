//! The whole run: every group of measurements, then the document.

use std::path::PathBuf;

use tokio::time::Instant;

use crate::Outcome;
use crate::catalogue::place;
use crate::installation::Catalogues;
use crate::machine::{self, database_version, processors};
use crate::report::Report;
use crate::server::keep_to;
use crate::workloads::{
    copy, erase, import, latency, list, peers, postgres, profile, requests, sizes, start,
};

/// Every group of measurements.
const GROUPS: &[&str] = &[
    "requests", "profile", "sizes", "list", "start", "latency", "import", "copy", "erase", "postgres",
    "peers",
];

/// A brief run sends one of so many requests.
const BRIEF: u64 = 20;

/// The processor of a server that has one to itself.
pub const OWN: &str = "0";

/// What a run is about.
#[derive(Debug)]
pub struct Context {
    /// The server.
    pub binary: PathBuf,
    /// Where data folders are made.
    pub folder: PathBuf,
    /// A database of PostgreSQL that is thrown away afterwards.
    pub postgres: Option<String>,
    /// Whether other programs are measured in the same run.
    pub peers: bool,
    /// Whether there is a catalogue of 10,000,000 images.
    pub huge: bool,
    /// Whether only a part of the requests is sent, to see that everything works.
    pub brief: bool,
    /// The catalogues.
    pub catalogues: Catalogues,
    /// How many processors there are.
    pub processors: usize,
    document: PathBuf,
    only: Option<String>,
}

impl Context {
    /// Reads the arguments of the command line.
    ///
    /// # Errors
    /// A text.
    pub fn parse(arguments: &[&str]) -> Outcome<Self> {
        let value = |name: &str| {
            let position = arguments.iter().position(|argument| *argument == name)?;
            arguments.get(position + 1).copied()
        };
        let path = |name: &str| {
            let path = value(name).ok_or_else(|| format!("{name} is missing"))?;
            std::path::absolute(path).map_err(|error| error.to_string())
        };
        let folder = path("--folder")?;
        Ok(Self {
            binary: path("--binary")?,
            postgres: value("--postgres").map(str::to_owned),
            peers: arguments.contains(&"--peers"),
            brief: arguments.contains(&"--brief"),
            huge: arguments.contains(&"--huge"),
            catalogues: Catalogues::below(&folder)?,
            processors: processors(),
            folder,
            document: path("--document")?,
            only: value("--only").map(str::to_owned),
        })
    }

    /// So many requests, or a part of them if the run is brief.
    #[must_use]
    pub fn count(&self, count: u64) -> u64 {
        if self.brief { count / BRIEF } else { count }
    }

    /// All processors.
    #[must_use]
    pub fn all(&self) -> String {
        format!("0-{}", self.processors - 1)
    }

    /// Lets load come from a processor that no pinned server has, if there is one.
    ///
    /// # Errors
    /// A text.
    pub fn load_alone(&self) -> Outcome {
        keep_to(if self.processors > 1 { "1" } else { OWN })
    }

    /// Lets load come from everywhere.
    ///
    /// # Errors
    /// A text.
    pub fn load_anywhere(&self) -> Outcome {
        keep_to(&self.all())
    }

    fn is_wanted(&self, group: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.split(',').any(|name| name == group))
    }
}

/// Measures everything and writes the document. A group that fails leaves its places empty.
///
/// # Errors
/// A text: which groups failed, after the document is written; or why it cannot be.
pub async fn run(context: &Context) -> Outcome {
    let mut report = Report::default();
    machine::describe(&mut report, &context.folder, context.processors);
    let databases = context.catalogues.empty("versions")?;
    report.value("sqlite", database_version(databases.data.join("any.db").into()).await);
    if let Some(url) = &context.postgres {
        report.value("postgresql", database_version(place(url, 1)?).await);
    }
    let only_huge = "10,000,000 images are measured with `--huge` only.";
    report.value("huge", if context.huge { "" } else { only_huge });
    let rough = "\n**This was a brief run, or one of a part: the figures are rough.**\n";
    report.value("rough", if context.brief || context.only.is_some() { rough } else { "" });
    let mut failures = Vec::new();
    for group in GROUPS.iter().filter(|group| context.is_wanted(group)) {
        println!("\n=== {group}");
        let began = Instant::now();
        context.load_alone()?;
        if let Err(text) = measure(group, context, &mut report).await {
            eprintln!("{group}: {text}");
            failures.push(format!("{group}: {text}"));
        }
        println!("=== {group}: {:.0} s", began.elapsed().as_secs_f64());
    }
    report.write(&context.document)?;
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

async fn measure(group: &str, context: &Context, report: &mut Report) -> Outcome {
    match group {
        "requests" => requests::measure(context, report).await,
        "profile" => profile::measure(context, report).await,
        "sizes" => sizes::measure(context, report).await,
        "list" => list::measure(context, report).await,
        "start" => start::measure(context, report).await,
        "latency" => latency::measure(context, report).await,
        "import" => import::measure(context, report).await,
        "copy" => copy::measure(context, report).await,
        "erase" => erase::measure(context, report).await,
        "postgres" => postgres::measure(context, report).await,
        "peers" if context.peers => peers::measure(context, report).await,
        "peers" => Ok(()),
        _ => Err("there is no such group".to_owned()),
    }
}

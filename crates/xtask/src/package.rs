//! The Debian package.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Outcome, cargo, postgres, root, run as carry_out};

const TOOL: &str = "cargo-deb";
const VERSION: &str = "3.8.0";

/// How often it is looked whether the server answers, and the time between two looks.
const LOOKS_MAX: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Builds the package. As root it is also installed, started as its unit does, removed and purged, and what it leaves
/// is looked at.
pub(crate) fn run() -> Outcome {
    cargo(&["build", "--release", "--package", "calotype"], &[])?;
    let package = build()?;
    eprintln!("{}", package.display());
    if postgres::is_root() { come_and_go(&package) } else { Ok(()) }
}

fn build() -> Result<PathBuf, String> {
    let tools = root().join("target/tools");
    let tool = tools.join("bin").join(TOOL);
    if !tool.exists() {
        let folder = tools.to_string_lossy().into_owned();
        cargo(&["install", TOOL, "--version", VERSION, "--locked", "--root", &folder], &[])?;
    }
    let package = root().join("target/debian/calotype.deb");
    carry_out(
        Command::new(tool)
            .args(["--no-build", "--package", "calotype", "--manifest-path"])
            .arg(root().join("crates/server/Cargo.toml"))
            .arg("--output")
            .arg(&package),
    )?;
    Ok(package)
}

fn come_and_go(package: &Path) -> Outcome {
    if Path::new("/usr/bin/calotype").exists() || Path::new("/var/lib/calotype").exists() {
        return Err("calotype is installed here, and is left alone".to_owned());
    }
    carry_out(Command::new("apt-get").args(["install", "--yes", "--quiet"]).arg(package))?;
    let served = serves();
    let removed = carry_out(Command::new("apt-get").args(["remove", "--yes", "--quiet", "calotype"]));
    served.and(removed)?;
    expect(Path::new("/etc/calotype/calotype.toml").exists(), "a removal keeps the configuration")?;
    expect(Path::new("/var/lib/calotype/metadata.db").exists(), "a removal keeps the images")?;
    carry_out(Command::new("apt-get").args(["purge", "--yes", "--quiet", "calotype"]))?;
    for gone in ["/etc/calotype", "/usr/bin/calotype", "/lib/systemd/system/calotype.service"] {
        expect(!Path::new(gone).exists(), &format!("{gone} is left after a purge"))?;
    }
    expect(Path::new("/var/lib/calotype/metadata.db").exists(), "a purge keeps the images")?;
    std::fs::remove_dir_all("/var/lib/calotype").map_err(|error| error.to_string())
}

/// Starts the server as its unit does, and looks whether it answers.
fn serves() -> Outcome {
    let unit =
        std::fs::read_to_string("/lib/systemd/system/calotype.service").map_err(|error| error.to_string())?;
    let line =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).ok_or("the unit starts nothing")?;
    let verified = Command::new("systemd-analyze").args(["verify", "calotype.service"]).status();
    // Where there is no systemd nobody can look at it.
    expect(verified.map_or(true, |status| status.success()), "systemd does not take the unit")?;
    let mut server = Command::new("setpriv")
        .args(["--reuid=calotype", "--regid=calotype", "--clear-groups", "--pdeathsig=KILL"])
        .args(line.split_whitespace())
        .current_dir("/var/lib/calotype")
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let answers = || std::net::TcpStream::connect("127.0.0.1:8470").is_ok();
    let up = (0..LOOKS_MAX).any(|_| {
        std::thread::sleep(PAUSE);
        answers()
    });
    let stopped = Command::new("kill").arg(server.id().to_string()).status();
    let ended = server.wait().map_err(|error| error.to_string())?;
    expect(
        up && stopped.is_ok() && ended.success(),
        "the installed server does not serve, or does not end well",
    )
}

fn expect(holds: bool, otherwise: &str) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

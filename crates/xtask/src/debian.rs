//! Debian's packages with programs that the tests run by themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::{Outcome, run};

/// Whom packages ask whether they may start what they bring.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const NOTHING_STARTS: &str = "#!/bin/sh\nexit 101\n";

/// Installs the packages whose programs are not there.
///
/// Their own services are not started: the tests start what they need, on loopback.
pub(crate) fn install(programs: &[(&str, &str)]) -> Outcome {
    let missing = programs.iter().filter(|(program, _)| !Path::new(program).exists());
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let explain = |error| format!("the tests need Debian's {}: {error}", packages.join(", "));
    without_services(|| {
        let install = || run(apt().args(["install", "--no-install-recommends"]).args(&packages));
        // The lists may be missing, or too old.
        install().or_else(|_| run(apt().arg("update")).and_then(|()| install()))
    })
    .map_err(explain)
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["--yes", "--quiet"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn without_services(work: impl Fn() -> Outcome) -> Outcome {
    if Path::new(POLICY).exists() {
        // Somebody has decided already.
        return work();
    }
    let allow = || fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755));
    fs::write(POLICY, NOTHING_STARTS).and_then(|()| allow()).map_err(|error| format!("{POLICY}: {error}"))?;
    let done = work();
    fs::remove_file(POLICY).map_err(|error| format!("{POLICY}: {error}"))?;
    done
}

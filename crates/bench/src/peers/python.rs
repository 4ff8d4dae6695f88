//! The virtual environment of the peers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::finish;
use crate::Outcome;
use crate::installation::{failed, remove};

/// Every package, with its version.
const REQUIREMENTS: &str = include_str!("../../peers/requirements.txt");

/// A virtual environment that has all packages.
#[derive(Debug)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// The environment below this folder, which is made unless the same packages are there already.
    ///
    /// # Errors
    /// A text.
    pub fn below(folder: &Path) -> Outcome<Self> {
        let folder = folder.join("peers-venv");
        let (wanted, installed) = (folder.join("wanted.txt"), folder.join("installed.txt"));
        if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
            return Ok(Self { folder });
        }
        println!("installing the peers");
        remove(&folder)?;
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&folder);
        finish(make)?;
        fs::write(&wanted, REQUIREMENTS).map_err(|error| failed(&wanted, &error))?;
        let python = Self { folder };
        let mut install = Command::new(python.program("pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&wanted);
        finish(install)?;
        fs::rename(&wanted, &installed).map_err(|error| failed(&installed, &error))?;
        Ok(python)
    }

    /// A program of the environment.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Packages with their versions, and the version of the interpreter.
    ///
    /// # Errors
    /// A text.
    pub fn versions(&self, packages: &[&str]) -> Outcome<String> {
        let mut interpreter = Command::new(self.program("python"));
        interpreter.arg("--version");
        let mut versions: Vec<String> = packages.iter().filter_map(|package| version(package)).collect();
        versions.push(finish(interpreter)?);
        Ok(versions.join(", "))
    }
}

/// A package and its version, as they are wanted.
fn version(package: &str) -> Option<String> {
    let pins = REQUIREMENTS.lines().filter_map(|line| line.split_once("=="));
    let mut pin = pins.filter(|(name, _)| *name == package);
    pin.next().map(|(name, version)| format!("{name} {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_one_version() {
        for line in REQUIREMENTS.lines() {
            assert!(line.split_once("==").is_some_and(|(_, version)| !version.contains("==")), "{line}");
        }
        for package in ["glance", "gunicorn", "moto", "psycopg2-binary", "SQLAlchemy"] {
            assert!(version(package).is_some(), "{package}");
        }
        assert_eq!(version("missing"), None);
    }
}

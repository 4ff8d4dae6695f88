//! How the server may be reached, and how often.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::file::{File, Throttling};
use super::{Config, ConfigError, Overrides, parsed};
use crate::throttle::{self, Limits, RATE_MAX, Rate};

/// How what goes over the wire is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// The certificate that the server shows; `None` for plain HTTP.
    pub tls: Option<TlsSource>,
    /// Whether plain HTTP may be served to other machines.
    pub insecure_http: bool,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// Files in PEM form.
    Files {
        /// The certificate, and those of the authorities between it and the one that clients trust.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// An authority of the server's own, in the data folder.
    SelfSigned {
        /// Names of this server, besides those of this machine and the address that it listens on.
        names: Vec<String>,
    },
}

impl Config {
    /// Checks that nobody reads along by accident: what goes to other machines goes over TLS, or the operator
    /// has said that it need not. And that nobody serves others from a lab, where whoever is on this machine can
    /// take anything away.
    ///
    /// # Errors
    /// [`ConfigError`], which says what can be done.
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        if let Some(lab) = self.lab {
            if !is_local(lab) {
                return Err(ConfigError::new(format!("lab: {lab} can be reached from other machines")));
            }
            if !is_local(self.listen) {
                let text = format!("lab: not while other machines can reach the server at {}", self.listen);
                return Err(ConfigError::new(text));
            }
        }
        let plain = self.exposure.tls.is_none() && !self.exposure.insecure_http;
        if plain && !is_local(self.listen) {
            return Err(ConfigError::new(format!(
                "{} can be reached from other machines, and without TLS everybody in between can read along, \
                 temporary secrets included: give --tls-cert and --tls-key, or --tls-self-signed, or say that it shall \
                 be so with --insecure-http",
                self.listen
            )));
        }
        Ok(())
    }
}

fn is_local(listen: SocketAddr) -> bool {
    listen.ip().to_canonical().is_loopback()
}

/// The address of the lab, if there is to be one.
pub(super) fn lab(text: Option<&str>) -> Result<Option<SocketAddr>, ConfigError> {
    text.filter(|text| !text.is_empty())
        .map(|text| parsed(Some(text), "lab", "", "an address such as 127.0.0.1:8471"))
        .transpose()
}

/// Puts what the command line says in the place of what file and environment say. It names another source of the
/// certificate, or none.
pub(super) fn overridden(file: &mut File, overrides: &Overrides) {
    let named = |path: &PathBuf| path.to_string_lossy().into_owned();
    if overrides.tls_cert.is_some() || overrides.tls_key.is_some() || overrides.tls_self_signed {
        file.tls.cert = overrides.tls_cert.as_ref().map(named);
        file.tls.key = overrides.tls_key.as_ref().map(named);
        file.tls.self_signed = overrides.tls_self_signed.then(|| true.to_string());
        if !overrides.tls_self_signed {
            file.tls.names.clear();
        }
    }
    if overrides.insecure_http {
        file.insecure_http = Some(true.to_string());
    }
}

pub(super) fn exposure(file: &mut File) -> Result<Exposure, ConfigError> {
    let flag = |value: Option<&str>, key: &str| parsed::<bool>(value, key, "false", "true or false");
    let insecure_http = flag(file.insecure_http.as_deref(), "insecure_http")?;
    let self_signed = flag(file.tls.self_signed.as_deref(), "tls.self_signed")?;
    let names = std::mem::take(&mut file.tls.names);
    if !names.is_empty() && !self_signed {
        return Err(ConfigError::new("tls.names belong to tls.self_signed"));
    }
    let tls = match (file.tls.cert.take(), file.tls.key.take(), self_signed) {
        (None, None, false) => None,
        (None, None, true) => Some(TlsSource::SelfSigned { names }),
        (Some(cert), Some(key), false) => Some(TlsSource::Files { cert: cert.into(), key: key.into() }),
        (Some(_), None, _) => return Err(ConfigError::new("tls.cert needs tls.key")),
        (None, Some(_), _) => return Err(ConfigError::new("tls.key needs tls.cert")),
        (Some(_), Some(_), true) => {
            return Err(ConfigError::new("tls.self_signed and tls.cert exclude each other"));
        }
    };
    if tls.is_some() && insecure_http {
        return Err(ConfigError::new("insecure_http and tls exclude each other"));
    }
    Ok(Exposure { tls, insecure_http })
}

pub(super) fn throttling(file: &Throttling) -> Result<Limits, ConfigError> {
    let rate = |(value, key, default): (&Option<String>, &str, u32)| {
        let key = format!("throttling.{key}");
        let expected = format!("a whole number from 0 to {RATE_MAX}");
        let number: u32 = parsed(value.as_deref(), &key, &default.to_string(), &expected)?;
        if number > RATE_MAX {
            Err(ConfigError::new(format!("{key} must be {expected}")))
        } else {
            Ok(number)
        }
    };
    let account = Rate::of(
        rate((&file.account_per_second, "account_per_second", throttle::ACCOUNT_PER_SECOND))?,
        rate((&file.account_burst, "account_burst", throttle::ACCOUNT_BURST))?,
    );
    let operation = Rate::of(
        rate((&file.operation_per_second, "operation_per_second", throttle::OPERATION_PER_SECOND))?,
        rate((&file.operation_burst, "operation_burst", throttle::OPERATION_BURST))?,
    );
    Ok(Limits { account, operation })
}

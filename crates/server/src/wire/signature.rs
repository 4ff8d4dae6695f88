//! Proof of who sent a request.
//!
//! [`verify`] recomputes the signature of a [`Claim`] with the secret that the caller of this module looked
//! up. Two ways of signing exist: [`v1`] over the parameters, [`acs3`] over the request with its headers.
//! Their canonical texts are made in one place for the verifier and for [`super::sign`]. Signatures are
//! compared in constant time, and no secret ever appears in an error, a log or `Debug` output.

use std::fmt;

use hmac::{KeyInit, Mac};
use subtle::ConstantTimeEq;

use super::fault::GatewayError;
use super::request::{Claim, Proof};

pub mod acs3;
pub mod v1;

/// The secret half of an access key. It does not show itself.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, to sign with it or to hand it to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether somebody knows the secret, in constant time.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        same(self.0.as_bytes(), presented.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Verifies that the holder of `secret` signed the request of `claim`.
///
/// After this, the nonce of the claim is to be spent, and not before.
///
/// # Errors
/// [`GatewayError::SignatureDoesNotMatch`] or its ACS3 form, with what the server signed.
///
/// Source: protocol, V1 signature and ACS3 signature.
pub fn verify(claim: &Claim<'_>, secret: &Secret) -> Result<(), GatewayError> {
    match claim.proof {
        Proof::V1 { method, params, signature } => v1::verify(method, params, signature, secret),
        Proof::Acs3(presented) => presented.verify(secret),
    }
}

/// Whether two texts are the same, in a time that depends on their lengths only.
fn same(one: &[u8], other: &[u8]) -> bool {
    bool::from(one.ct_eq(other))
}

/// The HMAC of a text.
fn mac<H: Mac + KeyInit>(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <H as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("testsecret")), "Secret(..)");
    }

    #[test]
    fn a_secret_matches_itself_only() {
        let secret = Secret::new("testsecret");
        assert!(secret.matches("testsecret"));
        for other in ["", "testsecre", "testsecret ", "Testsecret"] {
            assert!(!secret.matches(other), "{other}");
        }
    }
}

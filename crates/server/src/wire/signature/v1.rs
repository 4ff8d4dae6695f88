//! RPC signature 1.0: HMAC-SHA1 over the method and all parameters.
//!
//! Host, path and headers are not signed, so nothing that matters may be read from them when a request is
//! signed in this way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use sha1::Sha1;

use super::{Secret, mac, same};
use crate::wire::encode;
use crate::wire::fault::GatewayError;
use crate::wire::params::Params;

/// The only method of signing that goes with version 1.0 here.
pub const SIGNATURE_METHOD: &str = "HMAC-SHA1";

/// The version of the signature.
pub const SIGNATURE_VERSION: &str = "1.0";

/// Which of the parameters with an empty value are part of the string to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Empty {
    Signed,
    LeftOut,
}

/// Writes what a client signs: method, path and the encoded canonical query, `Signature` left out.
///
/// Source: protocol, V1 signature, steps 1 to 5.
#[must_use]
pub fn string_to_sign(method: &str, params: &Params) -> String {
    write(method, params, Empty::Signed)
}

/// Signs: the key is the secret and an ampersand, the result is Base64.
///
/// Source: protocol, V1 signature, step 6.
#[must_use]
pub fn sign(string_to_sign: &str, secret: &Secret) -> String {
    let key = [secret.expose().as_bytes(), b"&"].concat();
    STANDARD.encode(mac::<Hmac<Sha1>>(&key, string_to_sign))
}

/// Compares the signature with the one computed here.
///
/// One client leaves its empty values out of what it signs but sends them all the same, so a mismatch is
/// looked at once more without them. The error always shows the standard text.
pub(super) fn verify(
    method: &str,
    params: &Params,
    signature: &str,
    secret: &Secret,
) -> Result<(), GatewayError> {
    let matches = |text: &str| same(sign(text, secret).as_bytes(), signature.as_bytes());
    let standard = string_to_sign(method, params);
    if matches(&standard) {
        return Ok(());
    }
    let has_empty = params.iter().any(|(_, value)| value.is_empty());
    if has_empty && matches(&write(method, params, Empty::LeftOut)) {
        return Ok(());
    }
    Err(GatewayError::SignatureDoesNotMatch { string_to_sign: standard })
}

/// The canonical query is encoded once more as a whole. Here each part is encoded twice at once, and the
/// `=` and `&` between them stand as what they become.
fn write(method: &str, params: &Params, empty: Empty) -> String {
    let signed = params
        .iter()
        .filter(|(name, _)| *name != "Signature")
        .filter(|(_, value)| empty == Empty::Signed || !value.is_empty());
    let mut out = String::with_capacity(1024);
    out.push_str(method);
    out.push_str("&%2F&");
    let mut separator = "";
    for (name, value) in signed {
        out.push_str(separator);
        encode::push_twice(&mut out, name);
        out.push_str("%3D");
        encode::push_twice(&mut out, value);
        separator = "%26";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the vendor's manual.
    const MANUAL: &str = "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML%26\
        SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf%26\
        SignatureVersion%3D1.0%26Timestamp%3D2016-02-23T12%253A46%253A24Z%26Version%3D2014-05-26";

    fn manual() -> Params {
        Params::parse(
            "Version=2014-05-26&Timestamp=2016-02-23T12:46:24Z&SignatureVersion=1.0&Format=XML\
             &SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&SignatureMethod=HMAC-SHA1\
             &Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D&AccessKeyId=testid&Action=DescribeRegions",
        )
        .unwrap()
    }

    #[test]
    fn the_manual_is_reproduced() {
        let secret = Secret::new("testsecret");
        assert_eq!(string_to_sign("GET", &manual()), MANUAL);
        assert_eq!(sign(MANUAL, &secret), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
        assert_eq!(verify("GET", &manual(), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=", &secret), Ok(()));
    }

    #[test]
    fn a_mismatch_tells_what_the_server_signed() {
        let error = GatewayError::SignatureDoesNotMatch { string_to_sign: MANUAL.to_owned() };
        for signature in ["", "OLeaidS1JvxuMvnyHOwuJ+uX5qy=", "OLeaidS1JvxuMvnyHOwuJ+uX5qY"] {
            let refused = verify("GET", &manual(), signature, &Secret::new("testsecret"));
            assert_eq!(refused, Err(error.clone()), "{signature}");
        }
        let post = verify("POST", &manual(), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=", &Secret::new("testsecret"));
        assert!(post.is_err());
    }

    #[test]
    fn empty_values_may_be_signed_or_left_out_but_the_text_shows_them() {
        let secret = Secret::new("testsecret");
        let full = Params::parse("A=1&B=").unwrap();
        let standard = "GET&%2F&A%3D1%26B%3D";
        for text in [standard, "GET&%2F&A%3D1"] {
            assert_eq!(verify("GET", &full, &sign(text, &secret), &secret), Ok(()), "{text}");
        }
        let error = GatewayError::SignatureDoesNotMatch { string_to_sign: standard.to_owned() };
        assert_eq!(verify("GET", &full, "x", &secret), Err(error));
    }
}

//! The `Authorization` header of ACS3.

/// Its parts as they stand there; a part that is absent or empty is `None`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) algorithm: &'a str,
    pub(super) credential: Option<&'a str>,
    pub(super) signed_headers: Option<&'a str>,
    pub(super) signature: Option<&'a str>,
}

impl<'a> Authorization<'a> {
    /// Parses `ALGORITHM Credential=ID,SignedHeaders=a;b;c,Signature=HEX`.
    ///
    /// The parts are told apart by name, since one client writes them in another order. Blanks around them
    /// are allowed, and parts with other names are ignored.
    pub(super) fn parse(header: &'a str) -> Self {
        let (algorithm, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let mut parsed = Self { algorithm, credential: None, signed_headers: None, signature: None };
        for part in rest.split(',') {
            let Some((name, value)) = part.trim().split_once('=') else { continue };
            let value = Some(value).filter(|value| !value.is_empty());
            match name {
                "Credential" => parsed.credential = value,
                "SignedHeaders" => parsed.signed_headers = value,
                "Signature" => parsed.signature = value,
                _ => {}
            }
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> Authorization<'static> {
        Authorization {
            algorithm: "ACS3-HMAC-SHA256",
            credential: Some("id"),
            signed_headers: Some("host;x-acs-date"),
            signature: Some("00ff"),
        }
    }

    #[test]
    fn parts_are_told_apart_by_name() {
        for header in [
            "ACS3-HMAC-SHA256 Credential=id,SignedHeaders=host;x-acs-date,Signature=00ff",
            "ACS3-HMAC-SHA256 Credential=id,Signature=00ff,SignedHeaders=host;x-acs-date",
            "ACS3-HMAC-SHA256  Signature=00ff, New=part ,  SignedHeaders=host;x-acs-date, Credential=id ",
        ] {
            assert_eq!(Authorization::parse(header), complete(), "{header}");
        }
    }

    #[test]
    fn values_end_at_commas_and_start_at_the_first_equals_sign() {
        let parsed = Authorization::parse("A Credential=a=b,Signature=");
        assert_eq!((parsed.credential, parsed.signature), (Some("a=b"), None));
    }

    #[test]
    fn nothing_is_needed() {
        for header in ["", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 ,,=,"] {
            assert_eq!(Authorization::parse(header).credential, None, "{header}");
        }
    }
}

use super::*;

/// The gateway's table, in its order, as the vendor documents it.
#[test]
fn rows_say_what_the_vendor_documents() {
    use GatewayError as G;
    let text = || "GET&%2F&".to_owned();
    let soon = 5;
    let table = [
        (G::Missing { name: "Action" }, 400, "MissingAction", "Action is mandatory for this action."),
        (
            G::MissingParameter,
            400,
            "MissingParameter",
            "The input parameters that is mandatory for processing this request is not supplied.",
        ),
        (
            G::InvalidTimeStampFormat,
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        ),
        (
            G::InvalidTimeStampExpired,
            400,
            "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired.",
        ),
        (G::SignatureNonceUsed, 400, "SignatureNonceUsed", "Specified signature nonce was used already."),
        (
            G::SignatureDoesNotMatch { string_to_sign: text() },
            400,
            "SignatureDoesNotMatch",
            "Specified signature is not matched with our calculation. server string to sign is:GET&%2F&",
        ),
        (
            G::SignatureDoesNotMatchAcs3 {
                string_to_sign: "ACS3-HMAC-SHA256\n00".to_owned(),
                canonical_request: "GET\n/".to_owned(),
            },
            400,
            "SignatureDoesNotMatch",
            "Specified signature does not match our calculation. \
             server StringToSign is [ACS3-HMAC-SHA256\n00] server CanonicalRequest is [GET\n/]",
        ),
        (
            G::IncompleteSignature { string_to_sign: text() },
            400,
            "IncompleteSignature",
            "The request signature does not conform to Aliyun standards. server string to sign is:GET&%2F&",
        ),
        (
            G::InvalidParameter { name: "PageSize".to_owned() },
            400,
            "InvalidPageSize",
            "Specified parameter PageSize is not valid.",
        ),
        (
            G::ThrottlingUser { retry_after_ms: soon },
            400,
            "Throttling.User",
            "Request was denied due to user flow control.",
        ),
        (G::NoPermission, 403, "NoPermission", "You are not authorized to do this action."),
        (G::NoPermissionEns, 400, "NoPermission", "Permission denied."),
    ];
    for (error, status, code, message) in table {
        let row = error.row();
        assert_eq!((row.status, &*row.code, &*row.message), (status, code, message));
    }
}

#[test]
fn statuses_that_are_not_400() {
    use GatewayError as G;
    for (error, status) in [
        (G::InvalidAccessKeyIdNotFound, 404),
        (G::InvalidActionNotFound, 404),
        (G::InvalidProductNotFound, 404),
        (G::UnsupportedHttpMethod, 403),
        (G::ForbiddenRam, 403),
        (G::InternalError, 500),
        (G::ServiceUnavailable, 503),
    ] {
        assert_eq!(error.row().status, status, "{error}");
    }
}

#[test]
fn display_is_for_logs_and_repeats_nothing_of_the_request() {
    let error = GatewayError::SignatureDoesNotMatch { string_to_sign: "SecurityToken".to_owned() };
    assert_eq!(error.to_string(), "the gateway refuses with SignatureDoesNotMatch");
}

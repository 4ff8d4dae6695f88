//! What may come back: whole HTTP answers one after the other, none of them the server's own failure.

use serde_json::Value;

/// Checks all that came back over a connection, and gives the status of each answer. The last one may have been
/// cut off.
///
/// # Errors
/// What is wrong, in words.
pub fn check(received: &[u8], to_tls: bool) -> Result<Vec<u16>, String> {
    let mut statuses = Vec::new();
    if to_tls && received.first().is_some_and(|kind| (0x14..0x18).contains(kind)) {
        // An alert, before anything was agreed on.
        return Ok(statuses);
    }
    let mut rest = received;
    while !rest.is_empty() {
        rest = one(rest, &mut statuses)?;
    }
    Ok(statuses)
}

/// Checks one answer and gives what follows it.
fn one<'b>(bytes: &'b [u8], statuses: &mut Vec<u16>) -> Result<&'b [u8], String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let beginning = &bytes[..bytes.len().min(9)];
        return if b"HTTP/1.1 ".starts_with(beginning) || beginning.starts_with(b"HTTP/1.") {
            Ok(&[])
        } else {
            Err("no HTTP".to_owned())
        };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is no text".to_owned())?;
    let status: u16 = head
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| head.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| format!("no status line: {head}"))?;
    if !(100..500).contains(&status) {
        return Err(format!("answered with {status}"));
    }
    statuses.push(status);
    let rest = &bytes[end + 4..];
    if status == 100 {
        return Ok(rest);
    }
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next_back()
    };
    let length: usize = header("content-length")
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| format!("no length: {head}"))?;
    // An answer to HEAD has a length and no body.
    let is_next = rest.starts_with(b"HTTP/1.");
    if rest.len() < length || is_next {
        return Ok(if is_next { rest } else { &[] });
    }
    let (body, rest) = rest.split_at(length);
    body_of(status, header("content-type"), body)?;
    Ok(rest)
}

fn body_of(status: u16, kind: Option<&str>, body: &[u8]) -> Result<(), String> {
    match kind {
        // What cannot be read at all is refused before anybody could say in which words.
        None if body.is_empty() && status >= 400 => Ok(()),
        Some("application/json;charset=utf-8") => {
            let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
            let refused = body["Code"].as_str().is_some_and(|code| !code.is_empty());
            if body["RequestId"].is_string() && (status < 400 || refused) {
                Ok(())
            } else {
                Err(format!("no envelope: {body}"))
            }
        }
        Some("text/xml;charset=utf-8") => {
            let text = std::str::from_utf8(body).map_err(|_| "XML that is no text".to_owned())?;
            if text.contains("<RequestId>") { Ok(()) } else { Err(format!("no envelope: {text}")) }
        }
        Some("text/plain;charset=utf-8") if body == b"ok\n" => Ok(()),
        Some(kind) if kind.starts_with("application/openmetrics-text") => Ok(()),
        other => Err(format!("a body of the type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The judge can find fault.
    #[test]
    fn what_must_not_come_back_is_noticed() {
        let json = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json;charset=utf-8\r\n";
        let good = format!("{json}content-length: 30\r\n\r\n{{\"RequestId\":\"x\",\"Code\":\"Bad\"}}");
        assert_eq!(check(good.as_bytes(), false), Ok(vec![400]));
        assert_eq!(check(good.repeat(2).as_bytes(), false), Ok(vec![400, 400]));
        assert_eq!(check(&good.as_bytes()[..good.len() - 1], false), Ok(vec![400]), "cut off");
        assert_eq!(check(b"\x15\x03\x03\x00\x02\x02\x2f", true), Ok(Vec::new()));
        for bad in [
            &good.replace("400", "500"),
            &good.replace("400", "503"),
            &good.replace("Bad\"", "\"   "),
            &good.replace("RequestId", "requestId"),
            &good.replace("content-length", "content-lengths"),
            &good.replace("json", "text"),
            &format!("{good}x"),
            "\u{15}\u{3}\u{3}",
            "HTTP/2 200\r\n\r\n",
        ] {
            assert!(check(bad.as_bytes(), false).is_err(), "{bad}");
        }
    }
}

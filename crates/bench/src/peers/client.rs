//! A client that makes images at the peers: simple, outside of all that is measured.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::Outcome;

/// Connections that are used at once.
const CONNECTIONS: usize = 8;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A request with a body, or with none.
#[must_use]
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}{length}\r\n");
    [head.as_bytes(), body].concat()
}

/// Sends so many requests, each of which must get this status, and gives the bodies of the answers in order.
///
/// # Errors
/// A text.
pub fn ask_all(
    server: SocketAddr,
    count: u64,
    status: u16,
    make: impl Fn(u64) -> Vec<u8> + Sync,
) -> Outcome<Vec<String>> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut connection = None;
        let mut answers = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(answers);
            }
            let (told, answer) = exchange(server, &mut connection, &make(number))?;
            if told != status {
                return Err(format!("not {status} but {told}: {answer}"));
            }
            answers.push((number, answer));
        }
    };
    let parts: Vec<Outcome<Vec<_>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|answers| answers.unwrap_or_else(|_| Err("a thread has panicked".to_owned()))).collect()
    });
    let mut answers = parts.into_iter().collect::<Outcome<Vec<_>>>()?.concat();
    answers.sort_unstable();
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// One request over a connection of its own; gives the status of the answer.
///
/// # Errors
/// A text.
pub fn status(server: SocketAddr, request: &[u8]) -> Outcome<u16> {
    exchange(server, &mut None, request).map(|(status, _)| status)
}

/// Sends a request and reads its answer, over a connection that is opened if there is none.
fn exchange(
    server: SocketAddr,
    connection: &mut Option<BufReader<TcpStream>>,
    request: &[u8],
) -> Outcome<(u16, String)> {
    let failed = |error: std::io::Error| format!("{server}: {error}");
    let mut open = match connection.take() {
        Some(open) => open,
        None => BufReader::new(TcpStream::connect(server).map_err(failed)?),
    };
    open.get_ref().set_nodelay(true).map_err(failed)?;
    open.get_ref().set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    open.get_mut().write_all(request).map_err(failed)?;
    let mut head = Vec::new();
    while head.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        if open.read_line(&mut line).map_err(failed)? == 0 {
            return Err(format!("{server}: no whole answer: {head:?}"));
        }
        head.push(line);
    }
    let status = head[0].split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    open.read_exact(&mut body).map_err(failed)?;
    if header(&head, "connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
        *connection = Some(open);
    }
    let status = status.ok_or_else(|| format!("{server}: no status: {head:?}"))?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let mut headers = head.iter().filter_map(|line| line.split_once(':'));
    headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// What stands between two texts.
///
/// # Errors
/// A text, if it is not there.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Outcome<&'a str> {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.map(|(found, _)| found).ok_or_else(|| format!("no {before} in {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_length_of_their_body() {
        let sent = |body: &[u8]| String::from_utf8(request("PUT", "/a", "x: y\r\n", body)).unwrap();
        assert_eq!(
            sent(b"abc"),
            "PUT /a HTTP/1.1\r\nhost: 127.0.0.1\r\nx: y\r\ncontent-length: 3\r\n\r\nabc"
        );
        assert_eq!(sent(b""), "PUT /a HTTP/1.1\r\nhost: 127.0.0.1\r\nx: y\r\n\r\n");
    }

    #[test]
    fn ids_are_found_in_answers() {
        assert_eq!(between("{\"id\": \"a-1\", \"b\": 2}", "\"id\": \"", "\""), Ok("a-1"));
        assert!(between("<imageId>a", "<imageId>", "<").is_err());
    }
}

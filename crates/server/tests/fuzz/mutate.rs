//! What can go wrong with a request on its way, or be done to it on purpose.

use calotype::clock::Chance;

use crate::make::Dice as _;

/// Pieces of requests that mean something in the wrong place.
const PIECES: [&[u8]; 36] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"%",
    b"%zz",
    b"%00",
    b"%ff",
    b"&",
    b"=",
    b"&&==&",
    b"+",
    b" ",
    b"\t",
    b":",
    b"content-length: 5\r\n",
    b"content-length: -1\r\n",
    b"content-length: 18446744073709551616\r\n",
    b"content-length: 99999999999\r\n",
    b"transfer-encoding: chunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n",
    b"transfer-encoding: identity\r\n",
    b"expect: 100-continue\r\n",
    b"connection: upgrade\r\nupgrade: h2c\r\n",
    b"x-acs-signature-nonce: x\r\n",
    b"authorization: ACS3-HMAC-SHA256 Credential=ak-fuzz,SignedHeaders=,Signature=\r\n",
    b"x-acs-security-token: x\r\n",
    b"&Signature=AAAA",
    b"&SecurityToken=AAAA",
    b"&SignatureNonce=",
    b" HTTP/1.0\r\n",
    b"\r\n folded: line\r\n",
];

/// Sizes of chunks that are none, or none that anybody would send.
const SIZES: [&[u8]; 9] = [
    b"ffffffffffffffff",
    b"fffffffffffffffff",
    b"-1",
    b"0x10",
    b"5;name=value",
    b"",
    b" 5",
    b"g",
    b"00000000000000000000000000000005",
];

/// Spoils some bytes, in one way or several.
pub fn spoil(bytes: &mut Vec<u8>, dice: &Chance) {
    for _ in 0..=dice.below(4) {
        match dice.below(13) {
            0 => flip(bytes, dice),
            1 | 2 => insert(bytes, dice.one::<&[u8]>(&PIECES), dice),
            3 => bytes.truncate(dice.below(bytes.len() + 1)),
            4 => remove(bytes, dice),
            5 => repeat(bytes, dice),
            6 => swap_lines(bytes, dice),
            7 => repeat_line(bytes, dice),
            8 => resize_chunk(bytes, dice),
            9 => lengthen(bytes, dice),
            10 => many_lines(bytes, dice),
            11 => change_case(bytes, dice),
            _ => numbers(bytes, dice),
        }
    }
}

fn flip(bytes: &mut [u8], dice: &Chance) {
    for _ in 0..=dice.below(8) {
        let place = dice.below(bytes.len());
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << dice.below(8);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, piece: &[u8], dice: &Chance) {
    let place = dice.below(bytes.len() + 1);
    bytes.splice(place..place, piece.iter().copied());
}

/// A part of the bytes, of any length but more often a short one.
fn part(bytes: &[u8], dice: &Chance) -> std::ops::Range<usize> {
    let start = dice.below(bytes.len() + 1);
    let longest = bytes.len() - start;
    let length = if dice.once_in(2) { dice.below(longest.min(20) + 1) } else { dice.below(longest + 1) };
    start..start + length
}

fn remove(bytes: &mut Vec<u8>, dice: &Chance) {
    bytes.drain(part(bytes, dice));
}

fn repeat(bytes: &mut Vec<u8>, dice: &Chance) {
    let piece = bytes[part(bytes, dice)].to_vec();
    if piece.len() < 10_000 {
        insert(bytes, &piece.repeat(1 + dice.below(5)), dice);
    }
}

/// The lines of the head with their ends, and the rest.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn swap_lines(bytes: &mut Vec<u8>, dice: &Chance) {
    let mut all = lines(bytes);
    if all.len() > 1 {
        let (one, other) = (dice.below(all.len()), dice.below(all.len()));
        all.swap(one, other);
        *bytes = all.concat();
    }
}

fn repeat_line(bytes: &mut Vec<u8>, dice: &Chance) {
    let mut all = lines(bytes);
    if !all.is_empty() {
        let line = dice.one(&all).clone();
        if line.len() < 10_000 {
            all.insert(dice.below(all.len() + 1), line);
        }
        *bytes = all.concat();
    }
}

/// Puts something else in the place of what stands before the end of a line.
fn resize_chunk(bytes: &mut Vec<u8>, dice: &Chance) {
    let ends: Vec<usize> =
        bytes.windows(2).enumerate().filter(|(_, two)| two == b"\r\n").map(|(place, _)| place).collect();
    if ends.is_empty() {
        return;
    }
    let end = *dice.one(&ends);
    let start = bytes[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    bytes.splice(start..end, dice.one(&SIZES).iter().copied());
}

/// A line that goes on and on.
fn lengthen(bytes: &mut Vec<u8>, dice: &Chance) {
    let length = *dice.one(&[200, 5_000, 70_000, 300_000]);
    let piece = vec![*dice.one(b"x%&=;,\r \xff0"); length];
    insert(bytes, &piece, dice);
}

fn many_lines(bytes: &mut Vec<u8>, dice: &Chance) {
    let count = *dice.one(&[50, 120, 2_000]);
    let first_end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let piece = dice.one(&[&b"a: b\r\n"[..], b"x-acs-date: x\r\n", b"host: y\r\n", b":\r\n"]).repeat(count);
    bytes.splice(first_end..first_end, piece);
}

fn change_case(bytes: &mut [u8], dice: &Chance) {
    let range = part(bytes, dice);
    for byte in &mut bytes[range] {
        *byte = if dice.once_in(2) { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
    }
}

/// Other digits in the place of digits.
fn numbers(bytes: &mut [u8], dice: &Chance) {
    for byte in bytes.iter_mut().filter(|byte| byte.is_ascii_digit()) {
        if dice.once_in(6) {
            *byte = b'0' + u8::try_from(dice.below(10)).unwrap();
        }
    }
}

//! Skips comments, strings and characters in a text.

/// The end of a comment, a string or a character that starts here. For a lifetime, the place behind its quote.
pub fn opaque_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[at] {
        b'/' if bytes[at..].starts_with(b"//") => Some(line_end(bytes, at)),
        b'/' if bytes[at..].starts_with(b"/*") => Some(comment_end(bytes, at)),
        b'"' => Some(string_end(bytes, at)),
        b'r' if !is_word(bytes, at) => raw_string_end(bytes, at),
        b'\'' => Some(character_end(bytes, at)),
        _ => None,
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end)
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Whether the byte before belongs to a word that goes on here; `b` and `c` may stand before a raw string.
fn is_word(bytes: &[u8], at: usize) -> bool {
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    match at.checked_sub(1).map(|before| bytes[before]) {
        Some(b'b' | b'c') => at >= 2 && is_part(bytes[at - 2]),
        Some(byte) => is_part(byte),
        None => false,
    }
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let found = bytes[open + 1..].windows(close.len()).position(|window| window == close);
    Some(found.map_or(bytes.len(), |found| open + 1 + found + close.len()))
}

/// The end of a character, or just behind the quote of a lifetime.
fn character_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at + 1) {
        Some(b'\\') => {
            let close = bytes[at + 3..].iter().take(12).position(|byte| *byte == b'\'');
            close.map_or(at + 2, |close| at + 4 + close)
        }
        Some(_) => {
            let close = bytes[at + 2..].iter().take(4).position(|byte| *byte == b'\'');
            let is_one = close.is_some_and(|close| {
                std::str::from_utf8(&bytes[at + 1..at + 2 + close]).is_ok_and(|text| text.chars().count() == 1)
            });
            if is_one { at + 3 + close.unwrap_or_default() } else { at + 1 }
        }
        None => at + 1,
    }
}

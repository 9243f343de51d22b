//! Cuts a large file into items that are parsed one by one, so that its syntax tree is never in memory as a whole.

use std::ops::Range;

use crate::skip::opaque_end;

/// A larger file is cut.
const WHOLE: usize = 256 << 10;
/// A larger item is not parsed.
pub const MAX_PIECE: usize = 1 << 20;

/// The parts of a file that can be parsed by themselves.
pub fn pieces(text: &str) -> Vec<Range<usize>> {
    if text.len() <= WHOLE {
        return std::iter::once(0..text.len()).collect();
    }
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in item_ends(text) {
        match pieces.last_mut() {
            Some(last) if last.len() + end - start < WHOLE => last.end = end,
            _ => pieces.push(start..end),
        }
        start = end;
    }
    if !text[start..].trim().is_empty() {
        pieces.push(start..text.len());
    }
    pieces
}

/// Where items end: at a `;` outside of all brackets, or at a `}` that nothing continues.
fn item_ends(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut ends = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = opaque_end(bytes, at) {
            at = end;
            continue;
        }
        at = match bytes[at] {
            b'(' | b'[' | b'{' => {
                depth += 1;
                at + 1
            }
            b')' | b']' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && begins_item(text, at + 1) {
                    ends.push(at + 1);
                }
                at + 1
            }
            b';' if depth == 0 => {
                ends.push(at + 1);
                at + 1
            }
            _ => at + 1,
        };
    }
    ends
}

/// Whether what comes next starts an item, and does not go on with the expression or the type before it.
fn begins_item(text: &str, at: usize) -> bool {
    let mut rest = text[at..].trim_start();
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match rest.chars().next() {
        None | Some('#' | '/') => true,
        Some(_) => !word.is_empty() && word != "as" && word != "else",
    }
}

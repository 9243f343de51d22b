//! Empties the bodies of functions in a text: they say nothing about names, so most of a source need not be parsed.

use crate::skip::opaque_end;

/// The inside of a bracket.
struct Level {
    close: u8,
    /// Whether the next brace is the body of a function.
    in_function: bool,
    /// Whether it is what a macro takes, which is kept as it is.
    of_macro: bool,
}

/// The text with spaces in place of the bodies of functions, so that places stay right; `None` if its brackets do not match. The
/// arguments of macros are kept.
pub fn without_bodies(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut result = String::with_capacity(text.len());
    let mut kept = 0;
    let mut levels = vec![Level { close: 0, in_function: false, of_macro: false }];
    let mut after_bang = false;
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = opaque_end(bytes, at) {
            if end > bytes.len() {
                return None;
            }
            at = end;
            continue;
        }
        let byte = bytes[at];
        let level = levels.last_mut()?;
        if is_word(byte) {
            let length = bytes[at..].iter().position(|byte| !is_word(*byte)).unwrap_or(bytes.len() - at);
            let word = &bytes[at..at + length];
            // `fn name`; `fn(` is a type.
            let is_named = || text[at + length..].trim_start().starts_with(|c: char| c == '_' || c.is_alphanumeric());
            level.in_function |= word == b"fn" && (at == 0 || bytes[at - 1] != b'#') && is_named();
            // Goes on at the `r` of `br"..."`, where the string is recognised.
            let is_prefix = length == 2 && word[1] == b'r' && matches!(bytes.get(at + 2), Some(b'"' | b'#'));
            at += if is_prefix { 1 } else { length };
            continue;
        }
        match byte {
            b'{' if level.in_function && !level.of_macro && !after_bang => {
                level.in_function = false;
                let end = block_end(bytes, at)?;
                result.push_str(&text[kept..=at]);
                result.extend(text[at + 1..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
                kept = end;
                at = end;
            }
            b'(' | b'[' | b'{' => {
                let of_macro = level.of_macro || after_bang;
                // The body of `fn f() -> ! { .. }` looks like the braces of a macro.
                level.in_function &= byte != b'{';
                levels.push(Level { close: closing(byte), in_function: false, of_macro });
            }
            b')' | b']' | b'}' => {
                let level = levels.pop()?;
                if level.close != byte {
                    return None;
                }
            }
            b';' => level.in_function = false,
            _ => {}
        }
        // A word does not change it, so it is still set at the brace of `macro_rules! name {`.
        after_bang = byte == b'!' && bytes.get(at + 1) != Some(&b'=') || after_bang && byte.is_ascii_whitespace();
        at += 1;
    }
    result.push_str(&text[kept..]);
    (levels.len() == 1).then_some(result)
}

/// Where the brace that closes the one here is.
fn block_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut at = start;
    while at < bytes.len() {
        if let Some(end) = opaque_end(bytes, at) {
            at = end;
            continue;
        }
        match bytes[at] {
            byte @ (b'(' | b'[' | b'{') => open.push(closing(byte)),
            byte @ (b')' | b']' | b'}') => {
                if open.pop()? != byte {
                    return None;
                }
                if open.is_empty() {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

const fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

const fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_spaces_and_all_else_is_kept() {
        let same = |text: &str| assert_eq!(without_bodies(text).as_deref(), Some(text));
        let emptied = |text: &str, expected: &str| assert_eq!(without_bodies(text).as_deref(), Some(expected));
        emptied("fn f() { a }\nconst A: u8 = 1;", "fn f() {   }\nconst A: u8 = 1;");
        emptied(
            "fn f<A, B: C<D = E>>(a: fn()) -> F where A: B, { '}' }",
            "fn f<A, B: C<D = E>>(a: fn()) -> F where A: B, {     }",
        );
        emptied(
            "impl A { fn f() { \"}\n\" /* } */ } const B: u8 = { 1 }; }",
            "impl A { fn f() {   \n          } const B: u8 = { 1 }; }",
        );
        emptied("fn f() { br\"\\\"; } mod a { }", "fn f() {        } mod a { }");
        same("struct A { f: fn(u8) -> u8, g: [u8; { 1 }] } impl B for fn() { const C: u8 = 1; }");
        same("fn f() -> ! { a } mod b { const C: u8 = 1; }");
        same("macro_rules! m { () => { fn f() { a } } } m! { fn g() { b } } m!(fn h() { c });");
        same("const A: &[u8] = br\"\\\"; const B: char = '{'; fn r#fn();");
        for bad in ["fn f() { ( }", "fn f() { (] }", "fn f() {", "}", "fn f() { \" }"] {
            assert_eq!(without_bodies(bad), None, "{bad}");
        }
    }
}

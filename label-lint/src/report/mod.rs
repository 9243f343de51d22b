//! The formats.

mod github;
mod human;
mod json;
mod rustc;
mod sarif;

use std::borrow::Cow;

use crate::finding::Finding;

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the compiler does.
    Human,
    /// One object a line.
    Json,
    /// The compiler's own JSON, which editors show.
    Rustc,
    /// Workflow commands of GitHub Actions.
    Github,
    /// SARIF 2.1.0.
    Sarif,
}

impl Format {
    /// The formats and their names.
    pub const ALL: &[(&str, Self)] = &[
        ("human", Self::Human),
        ("json", Self::Json),
        ("rustc", Self::Rustc),
        ("github", Self::Github),
        ("sarif", Self::Sarif),
    ];

    /// The format of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The findings in this format.
    pub fn render(self, findings: &[Finding], color: bool) -> String {
        match self {
            Self::Human => human::render(findings, color),
            Self::Json => escaped(&json::render(findings)),
            Self::Rustc => escaped(&rustc::render(findings)),
            Self::Github => github::render(findings),
            Self::Sarif => escaped(&sarif::render(findings)),
        }
    }
}

/// Whether a terminal may take a character for a command, or lay out what is around it anew.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text of a file's name or of a source as it may be shown: control characters as Rust writes them.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let show = |c: char| if is_harmful(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(show).collect())
}

/// JSON whose texts have no control characters but as escapes.
pub fn escaped(json: &str) -> String {
    let show = |c: char| {
        if c != '\n' && is_harmful(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
    };
    if json.contains(|c| c != '\n' && is_harmful(c)) { json.chars().map(show).collect() } else { json.to_owned() }
}

//! The formats.

mod github;
mod human;
mod json;
mod sarif;

use crate::finding::Finding;

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the compiler does.
    Human,
    /// One object a line.
    Json,
    /// Workflow commands of GitHub Actions.
    Github,
    /// SARIF 2.1.0.
    Sarif,
}

impl Format {
    /// The formats and their names.
    pub const ALL: &[(&str, Self)] =
        &[("human", Self::Human), ("json", Self::Json), ("github", Self::Github), ("sarif", Self::Sarif)];

    /// The format of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The findings in this format.
    pub fn render(self, findings: &[Finding], color: bool) -> String {
        match self {
            Self::Human => human::render(findings, color),
            Self::Json => json::render(findings),
            Self::Github => github::render(findings),
            Self::Sarif => sarif::render(findings),
        }
    }
}

//! Where the metrics are served, and to whom.
//!
//! A service does not keep the token but two digests of it, under random keys that are never shown. So the time of a refusal tells
//! nothing about the token or its length, and a dump of the process does not show the token either.

use std::{
    fmt,
    fs::File,
    hash::{BuildHasher, RandomState},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    Config, TOKEN_FILE_VARIABLE,
    error::{ConfigError, Source, shown},
};

/// Longer than any token, and shorter than a header may be.
const LONGEST_TOKEN: usize = 4_096;
/// What is read of a file: enough to see that a token is too long.
const READ: u64 = 8_192;
const ACCEPTED_TOKENS: &str = "1 to 4096 visible ASCII characters without white space between them";

/// What a service knows of the place where it is scraped.
pub(crate) struct Endpoint {
    pub(crate) path: Box<str>,
    pub(crate) access: Access,
}

/// Who may scrape.
pub(crate) enum Access {
    Anybody,
    /// Who shows this token.
    Token(TokenDigest),
    /// The file of the token cannot be read, and monitoring is off.
    Nobody,
}

/// Where a token comes from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum TokenSource {
    Text(String),
    /// The file that the variable names.
    File(PathBuf),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("(not shown)"),
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
        }
    }
}

impl Endpoint {
    /// Without a token.
    pub(crate) fn open(path: &str) -> Self {
        Self { path: path.into(), access: Access::Anybody }
    }
}

impl Config {
    /// The endpoint, with the token that is in its file now. A file that cannot be read is an error, and while monitoring is
    /// off a line in the log: then nobody is let in, and the application goes on.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, ConfigError> {
        let access = match self.bearer_token.as_ref().map(TokenSource::read) {
            None => Access::Anybody,
            Some(Ok(token)) => Access::Token(token),
            Some(Err(error)) if self.enabled => return Err(error),
            Some(Err(error)) => {
                tracing::warn!(%error, "Nobody may scrape: there is no token to compare with");
                Access::Nobody
            }
        };
        Ok(Endpoint { path: self.path.as_str().into(), access })
    }
}

impl TokenSource {
    fn read(&self) -> Result<TokenDigest, ConfigError> {
        let error = |source, problem| ConfigError { source, problem, accepted: ACCEPTED_TOKENS.to_owned() };
        match self {
            // What it is stays out of the message.
            Self::Text(text) => check(text.as_bytes())
                .map_err(|fault| error(Source::Field("bearer_token"), format!("the token {fault}")))
                .map(TokenDigest::of),
            Self::File(file) => {
                let fault = |fault| {
                    let file = shown(&file.to_string_lossy());
                    error(Source::Variable(TOKEN_FILE_VARIABLE), format!("the file `{file}` {fault}"))
                };
                let bytes = content(file).map_err(|error| fault(format!("cannot be read: {error}")))?;
                // Editors and `echo` end a file with a line break, which no header can hold.
                check(bytes.trim_ascii()).map_err(|text| fault(text.to_owned())).map(TokenDigest::of)
            }
        }
    }
}

fn content(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a token cannot stand in a header.
fn check(token: &[u8]) -> Result<&[u8], &'static str> {
    if token.is_empty() {
        Err("is empty")
    } else if token.len() > LONGEST_TOKEN {
        Err("is too long")
    } else if !token.iter().all(u8::is_ascii_graphic) {
        Err("has white space or a character that is not visible ASCII")
    } else {
        Ok(token)
    }
}

/// What is kept of a token.
pub(crate) struct TokenDigest {
    keys: [RandomState; 2],
    digest: [u64; 2],
}

impl TokenDigest {
    fn of(token: &[u8]) -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        let digest = keys.each_ref().map(|key| key.hash_one(token));
        Self { keys, digest }
    }

    /// Whether this is the token.
    pub(crate) fn is_of(&self, given: &[u8]) -> bool {
        self.keys.each_ref().map(|key| key.hash_one(given)) == self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(config: &Config) -> String {
        config.endpoint().err().expect("refused").to_string()
    }

    #[test]
    fn a_token_is_one_word_of_visible_ascii_and_never_in_a_message() {
        let secret = "s3cret-".repeat(600);
        for (token, fault) in [
            ("", "the token is empty"),
            ("s3cret two", "the token has white space or a character that is not visible ASCII"),
            (" s3cret", "the token has white space"),
            ("s3cret\n", "the token has white space"),
            ("s3cr\u{e9}t", "the token has white space or a character that is not visible ASCII"),
            (&secret, "the token is too long"),
        ] {
            let error = error_of(&Config::default().enabled(true).bearer_token(token));
            assert!(error.starts_with(&format!("monitoring configuration, bearer_token: {fault}")), "{error}");
            assert!(error.contains("; accepted: 1 to 4096 visible ASCII") && !error.contains("s3cr"), "{error}");
        }
        for token in ["a", "AbC-._~+/==", "{\"x\":1}", &"x".repeat(4_096)] {
            let Access::Token(kept) = Config::default().bearer_token(token).endpoint().expect("taken").access else {
                panic!("a token")
            };
            assert!(kept.is_of(token.as_bytes()));
            for other in ["", "b", &token[..token.len() - 1], &format!("{token}x"), &format!("{token}\0")] {
                assert!(!kept.is_of(other.as_bytes()), "{other}");
            }
        }
    }

    #[test]
    fn a_file_is_read_at_the_start_without_its_line_break() {
        let file = std::env::temp_dir().join(format!("compozy-token-{}", std::process::id()));
        let config = |enabled| {
            let vars = [(TOKEN_FILE_VARIABLE.into(), file.clone().into_os_string())];
            Config::default().enabled(enabled).bearer_token("code").override_from(vars.into_iter()).unwrap()
        };
        for content in ["s3cret", "s3cret\n", "s3cret\r\n", "\n  s3cret \n\n"] {
            std::fs::write(&file, content).unwrap();
            let Access::Token(kept) = config(true).endpoint().unwrap().access else { panic!("a token") };
            // The variable wins.
            assert!(kept.is_of(b"s3cret") && !kept.is_of(b"code"), "{content:?}");
        }
        let long = "s".repeat(100_000);
        for (content, fault) in [
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("s3cret\ns3cret2\n", "has white space"),
            ("\u{feff}s3cret", "has white space or a character that is not visible ASCII"),
            (&long, "is too long"),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = error_of(&config(true));
            let start =
                format!("environment variable MONITORING_BEARER_TOKEN_FILE: the file `{}` {fault}", file.display());
            assert!(error.starts_with(&start) && !error.contains("s3cret") && error.len() < 400, "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        let error = error_of(&config(true));
        assert!(error.contains("cannot be read: No such file") && error.contains("; accepted: "), "{error}");
        // A setting of monitoring that is off stops nothing, and opens nothing.
        assert!(matches!(config(false).endpoint().unwrap().access, Access::Nobody));
    }

    #[test]
    fn the_token_is_not_in_what_a_configuration_shows() {
        let config = Config::default().bearer_token("s3cret");
        assert!(!format!("{config:?} {config:#?}").contains("s3cret"));
        assert!(!serde_json::to_string(&config).unwrap().contains("s3cret"));
        assert!(serde_json::from_str::<Config>(r#"{"bearer_token": "x"}"#).is_err());
        assert_ne!(config, Config::default().bearer_token("other"));
    }
}

//! The rules: their names, their levels, and what `--explain` says.

/// The level of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not reported.
    Off,
    /// Reported, and never fails the run.
    Note,
    /// Fails the run with `--deny-warnings`.
    Warning,
    /// Fails the run.
    Error,
}

impl Level {
    /// The levels and their names.
    pub const ALL: &[(&str, Self)] =
        &[("off", Self::Off), ("note", Self::Note), ("warning", Self::Warning), ("error", Self::Error)];

    /// The word that the formats use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of this name, or the message that there is none.
    pub fn by_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, level)| *level).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("`{name}` is no level, there are: {}", names.join(", "))
        })
    }
}

macro_rules! rules {
    ($($variant:ident, $name:literal, $level:ident, $summary:literal;)*) => {
        /// The rule that a finding breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $summary] $variant,)*
        }

        impl Rule {
            /// Every rule, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, as in `[name]` of a diagnostic, `allow(name)` and `--explain name`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The level, unless the settings say otherwise.
            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)* }
            }

            /// The rule in one sentence.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }

            /// Why, a bad example, and a good one.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("explain/", $name, ".md")),)* }
            }
        }
    };
}

rules! {
    DisallowedLabel, "disallowed-label", Error, "A label is not on the list of its family's category.";
    ReservedLabel, "reserved-label", Error, "A label is called `le`, `quantile` or `__*`.";
    DuplicateLabel, "duplicate-label", Error, "One metric has two labels of one name.";
    FamilyName, "family-name", Error, "A `compozy_*` name is not lower-case words joined by single `_`.";
    CounterSuffix, "counter-suffix", Error, "A `compozy_*` counter does not end in `_total`.";
    HistogramSuffix, "histogram-suffix", Error, "A `compozy_*` histogram has neither a unit in its name nor buckets of its own.";
    HistogramBuckets, "histogram-buckets", Error, "The buckets of a declaration are not 1 to 30 finite numbers that rise.";
    GaugeSuffix, "gauge-suffix", Error, "A `compozy_*` gauge ends in `_total`.";
    DuplicateFamily, "duplicate-family", Error, "`families!` declares one name twice in one crate.";
    TwoMetricsVersions, "two-metrics-versions", Error, "`Cargo.lock` holds more than one version of `metrics`.";
    UnresolvedName, "unresolved-name", Warning, "The name of a metric is computed, so it cannot be checked.";
    UnresolvedLabel, "unresolved-label", Warning, "The name of a label is computed, so it cannot be checked.";
    ForeignLabel, "foreign-label", Warning, "A label of `prometheus`, OpenTelemetry or `prometheus-client` is not on the list.";
    UnreadMacro, "unread-macro", Warning, "A macro of a package outside the tree is called as if it recorded a metric.";
    UnreadSource, "unread-source", Note, "A file is included that only the build knows.";
    SuspiciousValue, "suspicious-value", Warning, "A label value looks like an id, an email, a token or a raw path.";
    UnusedAllow, "unused-allow", Warning, "An `allow` comment suppresses nothing.";
    AllowWithoutReason, "allow-without-reason", Warning, "An `allow` comment gives no reason.";
    MalformedAllow, "malformed-allow", Error, "A `label-lint:` comment cannot be read.";
    UnreadableFile, "unreadable-file", Error, "A file cannot be read, or is not UTF-8.";
    FileTooLarge, "file-too-large", Error, "A file is larger than the limit, so it was not checked.";
    NestingTooDeep, "nesting-too-deep", Error, "A file is nested too deeply to be parsed, so it was not checked.";
    ParseError, "parse-error", Error, "A file is not Rust (or a `Cargo.lock` not TOML), so it was not checked.";
}

impl Rule {
    /// The rule of this name, or the message that there is none.
    pub fn by_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|rule| rule.name() == name);
        found.ok_or_else(|| format!("`{name}` is no rule, there are: {}", Self::names()))
    }

    /// All names, for messages.
    pub fn names() -> String {
        Self::ALL.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ")
    }
}

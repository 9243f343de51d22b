//! Reads the `monitoring:` section of a `compozy.yaml`. Other sections are ignored.
//!
//! The file is read into a tree whose nodes know their lines (`saphyr`), because a message that says which line to mend
//! is worth more here than a derived deserializer.

use std::path::Path;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::{
    Config,
    error::{ConfigError, Source, shown},
    rules::{ACCEPTED_LABELS, ACCEPTED_PATHS, check_constant_label, check_path},
};

const SECTION: &str = "monitoring";
const KNOWN_KEYS: &str = "enabled, labels, path";

impl Config {
    /// Reads the `monitoring:` section of a project file.
    ///
    /// Other sections may hold anything, as long as the file is valid YAML. A section or a value that is missing or
    /// null is the default. If the file has several documents, only one of them may have the section.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let file = std::env::temp_dir().join(format!("compozy-doc-{}.yaml", std::process::id()));
    /// std::fs::write(&file, "name: my-project\nmonitoring:\n  enabled: true\n")?;
    /// let config = compozy_monitoring::Config::from_project_file(&file)?;
    /// assert!(config.enabled);
    /// # std::fs::remove_file(&file)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, is missing, or is not YAML; the section is there twice; it has an unknown key or a
    /// value of the wrong kind; the path cannot be an endpoint. The error names the file, the line and the key.
    pub fn from_project_file(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = file.as_ref();
        let name = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|error| {
            problem(&name, None, None, &format!("cannot be read: {error}"), "a project file in YAML")
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = valid.filter(|b| **b == b'\n').count().saturating_add(1);
            problem(&name, Some(line), None, "is not UTF-8", "a project file in YAML, encoded as UTF-8")
        })?;
        parse(&name, text.strip_prefix('\u{feff}').unwrap_or(&text))
    }

    /// Reads the project file and the environment. The environment wins.
    ///
    /// # Errors
    /// As [`Config::from_project_file`] and [`Config::override_from_env`]. A missing file is an error.
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::from_project_file(file)?.override_from_env()
    }
}

fn problem(file: &str, line: Option<usize>, key: Option<&str>, text: &str, accepted: &str) -> ConfigError {
    ConfigError {
        source: Source::File { file: file.to_owned(), line, key: key.map(str::to_owned) },
        problem: text.to_owned(),
        accepted: accepted.to_owned(),
    }
}

fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let line = error.marker().line();
        problem(file, Some(line), None, &format!("is not valid YAML: {}", error.info()), "a project file in YAML")
    })?;
    let mut config = Config::default();
    // A section is in one of the documents, whichever; and each document is one of sections.
    let mut found: Option<&MarkedYaml<'_>> = None;
    for document in &documents {
        let top = match &untagged(document).data {
            YamlData::Mapping(_) => entries(file, document)?,
            YamlData::Value(Scalar::Null) => continue,
            _ => {
                let line = Some(document.span.start.line());
                return Err(problem(file, line, None, "is not a mapping of sections", "a project file in YAML"));
            }
        };
        for (key, section) in top {
            if untagged(key).data.as_str() != Some(SECTION) {
                continue;
            }
            if let Some(first) = found.replace(section) {
                let text = format!("is there twice, first on line {}", first.span.start.line());
                let line = Some(key.span.start.line());
                return Err(problem(file, line, Some(SECTION), &text, "one such section in the whole file"));
            }
        }
    }
    let Some(section) = found else { return Ok(config) };
    let keys = match &untagged(section).data {
        YamlData::Mapping(_) => entries(file, section)?,
        YamlData::Value(Scalar::Null) => return Ok(config),
        other => {
            let line = Some(section.span.start.line());
            let text = format!("{} is not a mapping", display(other));
            return Err(problem(file, line, Some(SECTION), &text, &format!("a mapping with the keys {KNOWN_KEYS}")));
        }
    };
    for (key, value) in keys {
        let name = key.data.as_str().map_or_else(|| display(&key.data), shown);
        let line = Some(value.span.start.line());
        let at = format!("{SECTION}.{name}");
        let data = &value.data;
        match name.as_str() {
            "enabled" | "labels" | "path" if matches!(data, YamlData::Value(Scalar::Null)) => {}
            "enabled" => match data {
                YamlData::Value(Scalar::Boolean(enabled)) => config.enabled = *enabled,
                other => {
                    let text = format!("{} is not a boolean", display(other));
                    return Err(problem(file, line, Some(&at), &text, "true, false (without quotes)"));
                }
            },
            "labels" => {
                if !matches!(untagged(value).data, YamlData::Mapping(_)) {
                    let text = format!("{} is not a mapping", display(data));
                    return Err(problem(file, line, Some(&at), &text, "a mapping of label names and texts"));
                }
                for (name, text) in entries(file, value)? {
                    let line = Some(name.span.start.line());
                    let (Some(name), YamlData::Value(Scalar::String(text))) = (name.data.as_str(), &text.data) else {
                        let text = format!("{} of {} is not text", display(&text.data), display(&name.data));
                        return Err(problem(file, line, Some(&at), &text, "text (numbers in quotes)"));
                    };
                    if let Err(why) = check_constant_label(name, text) {
                        return Err(problem(file, line, Some(&at), &why, ACCEPTED_LABELS));
                    }
                    config.constant_labels.insert(name.to_owned(), text.clone().into_owned());
                }
            }
            "path" => match data {
                YamlData::Value(Scalar::String(path)) => {
                    if let Err(why) = check_path(path) {
                        return Err(problem(
                            file,
                            line,
                            Some(&at),
                            &format!("`{}` {why}", shown(path)),
                            ACCEPTED_PATHS,
                        ));
                    }
                    config.path = path.clone().into_owned();
                }
                other => {
                    let text = format!("{} is not text", display(other));
                    return Err(problem(file, line, Some(&at), &text, ACCEPTED_PATHS));
                }
            },
            _ => {
                let line = Some(key.span.start.line());
                return Err(problem(file, line, Some(&at), "is not a known key", KNOWN_KEYS));
            }
        }
    }
    Ok(config)
}

/// A key and its value.
type Entry<'a, 'input> = (&'a MarkedYaml<'input>, &'a MarkedYaml<'input>);

/// The keys and values of a mapping, with those that it merges (`<<`) and does not have itself: as the other programs that
/// read the file have it.
fn entries<'a, 'input>(file: &str, node: &'a MarkedYaml<'input>) -> Result<Vec<Entry<'a, 'input>>, ConfigError> {
    let YamlData::Mapping(mapping) = &untagged(node).data else {
        let text = format!("{} is not a mapping", display(&node.data));
        let line = Some(node.span.start.line());
        return Err(problem(file, line, Some("<<"), &text, "a mapping, or a sequence of mappings"));
    };
    let is_merge = |key: &MarkedYaml<'_>| key.data.as_str() == Some("<<");
    let mut all: Vec<_> = mapping.iter().filter(|(key, _)| !is_merge(key)).collect();
    for (_, merged) in mapping.iter().filter(|(key, _)| is_merge(key)) {
        let several = match &untagged(merged).data {
            YamlData::Sequence(several) => several.as_slice(),
            _ => std::slice::from_ref(merged),
        };
        for merged in several {
            for (key, value) in entries(file, merged)? {
                if !all.iter().any(|(known, _)| known.data == key.data) {
                    all.push((key, value));
                }
            }
        }
    }
    Ok(all)
}

/// The node below a tag on a collection (`!!map`); a tag says nothing about the keys in it.
fn untagged<'a, 'input>(node: &'a MarkedYaml<'input>) -> &'a MarkedYaml<'input> {
    match &node.data {
        YamlData::Tagged(_, inner) => inner,
        _ => node,
    }
}

/// A node in a message: scalars as they are, anything else by its kind.
fn display<'input>(data: &YamlData<'input, MarkedYaml<'input>>) -> String {
    match data {
        YamlData::Value(Scalar::Null) => "null".to_owned(),
        YamlData::Value(Scalar::Boolean(value)) => format!("`{value}`"),
        YamlData::Value(Scalar::Integer(value)) => format!("`{value}`"),
        YamlData::Value(Scalar::FloatingPoint(value)) => format!("`{value}`"),
        YamlData::Value(Scalar::String(value)) => format!("the text `{}`", shown(value)),
        YamlData::Sequence(_) => "a sequence".to_owned(),
        YamlData::Mapping(_) => "a mapping".to_owned(),
        _ => "this value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's example project, section 11.2.
    const PROJECT: &str = "name: my-monitored-project\nversion: 0.1.0\n\nworkflows:\n    - source: ./workflow.yaml\n\n\
                           monitoring:\n    enabled: true\n    path: /internal/metrics\n\nruntime:\n    permissions:\n    \
                           \x20   - --allow-read\n";

    fn error(text: &str) -> String {
        parse("compozy.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn only_the_monitoring_section_of_a_whole_project_is_read() {
        assert_eq!(parse("p", PROJECT).unwrap(), Config::default().enabled(true).path("/internal/metrics"));
    }

    #[test]
    fn a_missing_a_null_and_an_empty_section_are_the_default() {
        for text in ["", "\n# nothing\n", "name: x\n", "monitoring:\n", "monitoring: ~\n", "monitoring: {}\n", "--- \n"]
        {
            assert_eq!(parse("p", text).unwrap(), Config::default(), "{text:?}");
        }
        assert_eq!(parse("p", "monitoring:\n  enabled:\n  path: null\n").unwrap(), Config::default());
    }

    #[test]
    fn other_sections_may_hold_anything() {
        let text = "x: !include other.yaml\ny: &a [1, {enabled: maybe}]\nz: *a\nnested:\n  monitoring: 5\n? [1, 2]\n: \
                    pair\nenabled: 9\nmonitoring: {enabled: true}\n";
        assert_eq!(parse("p", text).unwrap(), Config::default().enabled(true));
    }

    #[test]
    fn an_alias_and_a_tagged_mapping_are_read_like_the_mapping_they_are() {
        let text = "base: &m {enabled: true, path: /m}\nmonitoring: *m\n";
        assert_eq!(parse("p", text).unwrap(), Config::default().enabled(true).path("/m"));
        assert!(parse("p", "monitoring: !!map {enabled: true}\n").unwrap().enabled);
    }

    #[test]
    fn the_section_is_found_in_whichever_document_it_is() {
        let on = Config::default().enabled(true);
        for text in [
            "name: x\n---\nmonitoring:\n  enabled: true\n",
            "---\n---\nmonitoring:\n  enabled: true\n",
            "# nothing\n---\n# nothing\n---\nmonitoring: {enabled: true}\n...\n",
            "monitoring: {enabled: true}\n---\nname: x\n--- ~\n",
            "%YAML 1.2\n---\nname: x\n...\n%YAML 1.2\n---\nmonitoring: {enabled: true}\n",
            "\u{feff}---\r\nname: x\r\n---\r\nmonitoring:\r\n  enabled: true\r\n",
            "---\n\"monitoring\": {'enabled': true}\n",
            "? monitoring\n: enabled: true\n",
            "!!str monitoring: {enabled: true}\n",
        ] {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            assert_eq!(parse("p", text), Ok(on.clone()), "{text:?}");
        }
        for text in ["---\n", "---\n---\n", "# nothing\n---\n# nothing\n", "...\n", "%YAML 1.2\n---\n"] {
            assert_eq!(parse("p", text), Ok(Config::default()), "{text:?}");
        }
    }

    #[test]
    fn what_is_merged_is_a_mapping() {
        for (text, line, what) in [
            ("<<: 3\nmonitoring:\n  enabled: true\n", 1, "`3` is not a mapping"),
            ("x: &x [1]\nmonitoring:\n  <<: *x\n", 1, "`1` is not a mapping"),
            ("monitoring:\n  <<: on\n", 2, "the text `on` is not a mapping"),
            ("monitoring:\n  <<:\n", 2, "null is not a mapping"),
            ("monitoring:\n  <<: [{enabled: true}, [{}]]\n", 2, "a sequence is not a mapping"),
        ] {
            let error = parse("compozy.yaml", text).unwrap_err().to_string();
            let expected =
                format!("compozy.yaml, line {line}, key <<: {what}; accepted: a mapping, or a sequence of mappings");
            assert_eq!(error, expected, "{text}");
        }
    }

    #[test]
    fn what_is_merged_counts_where_the_mapping_itself_says_nothing() {
        let on = Config::default().enabled(true);
        for (text, expected) in [
            ("base: &b {monitoring: {enabled: true}}\n<<: *b\n", on.clone()),
            ("x: &x {enabled: true}\nmonitoring:\n  <<: *x\n", on.clone()),
            ("x: &x {enabled: false, path: /m}\nmonitoring:\n  <<: *x\n  enabled: true\n", on.clone().path("/m")),
            ("x: &x {enabled: true}\ny: &y {enabled: false, path: /m}\nmonitoring:\n  <<: [*x, *y]\n", on.path("/m")),
        ] {
            assert_eq!(parse("p", text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn two_sections_are_an_error_that_names_both() {
        let message = error("monitoring:\n  enabled: true\n---\nname: x\nmonitoring:\n  enabled: false\n");
        let expected = "compozy.yaml, line 5, key monitoring: is there twice, first on line 2; accepted: one such section \
                        in the whole file";
        assert_eq!(message, expected);
        for text in [
            "monitoring: {enabled: true}\nmonitoring: {enabled: false}\n",
            "monitoring: {enabled: true, enabled: false}\n",
            "monitoring: {enabled: true}\n\"monitoring\": {enabled: false}\n",
        ] {
            let message = error(text);
            assert!(
                message.starts_with("compozy.yaml, line 1") || message.starts_with("compozy.yaml, line 2"),
                "{message}"
            );
        }
        let message = error("name: x\n---\n- a\n");
        assert!(message.starts_with("compozy.yaml, line 3: is not a mapping of sections"), "{message}");
        let message = error("name: x\n---\nmonitoring: *elsewhere\n");
        assert!(message.starts_with("compozy.yaml, line 3: is not valid YAML"), "{message}");
        let message = error("name: x\n---\nmonitoring:\n\tenabled: true\n");
        assert!(message.starts_with("compozy.yaml, line 4: is not valid YAML"), "{message}");
    }

    #[test]
    fn an_error_names_file_line_and_key() {
        let message = error("name: x\nmonitoring:\n  enabled: \"true\"\n");
        assert_eq!(
            message,
            "compozy.yaml, line 3, key monitoring.enabled: the text `true` is not a boolean; accepted: true, false \
             (without quotes)"
        );
        for (value, part) in [("yes", "`yes`"), ("1", "`1`"), ("[true]", "a sequence"), ("1.5", "`1.5`")] {
            let message = error(&format!("monitoring:\n  enabled: {value}\n"));
            assert!(message.contains("line 2, key monitoring.enabled") && message.contains(part), "{message}");
        }
        let message = error("monitoring:\n  enabled: true\n  path: metrics\n");
        assert!(
            message.starts_with("compozy.yaml, line 3, key monitoring.path: `metrics` is not absolute"),
            "{message}"
        );
        let message = error("monitoring:\n  path: 5\n");
        assert!(message.starts_with("compozy.yaml, line 2, key monitoring.path: `5` is not text"), "{message}");
        let message = error("\nmonitoring: on\n");
        assert!(
            message.starts_with("compozy.yaml, line 2, key monitoring: the text `on` is not a mapping"),
            "{message}"
        );
    }

    #[test]
    fn labels_are_a_mapping_of_texts() {
        let config = Config::default().constant_labels([("region", "eu"), ("zone", "1")]);
        assert_eq!(parse("p", "monitoring:\n  labels:\n    zone: \"1\"\n    region: eu\n").unwrap(), config);
        assert_eq!(parse("p", "x: &x {region: eu, zone: '1'}\nmonitoring: {labels: *x}\n").unwrap(), config);
        for empty in ["labels:", "labels: {}", "labels: ~"] {
            assert_eq!(parse("p", &format!("monitoring:\n  {empty}\n")).unwrap(), Config::default());
        }
        for (text, message) in [
            ("labels: [a]", "compozy.yaml, line 2, key monitoring.labels: a sequence is not a mapping"),
            (
                "labels:\n    a: x\n    zone: 1",
                "compozy.yaml, line 4, key monitoring.labels: `1` of the text `zone` is not text",
            ),
            (
                "labels:\n    zone: yes\n    path: x",
                "compozy.yaml, line 4, key monitoring.labels: `path` is a label of families",
            ),
            ("labels: {user_id: x}", "compozy.yaml, line 2, key monitoring.labels: `user_id` speaks of a person"),
        ] {
            let said = error(&format!("monitoring:\n  {text}\n"));
            assert!(said.starts_with(message) && said.contains("; accepted: "), "{said}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_that_lists_the_known_ones() {
        let message = error("monitoring:\n  enabled: true\n  pth: /m\n");
        assert_eq!(
            message,
            "compozy.yaml, line 3, key monitoring.pth: is not a known key; accepted: enabled, labels, path"
        );
    }

    #[test]
    fn a_file_that_is_not_yaml_names_the_line() {
        let message = error("name: x\nmonitoring: {enabled: true\nother: ]\n");
        assert!(message.starts_with("compozy.yaml, line ") && message.contains("not valid YAML"), "{message}");
        assert!(error("- a\n- b\n").contains("not a mapping of sections"));
    }

    #[test]
    fn a_missing_file_and_one_that_is_not_utf8_are_errors_that_name_the_file() {
        let folder = std::env::temp_dir().join(format!("compozy-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let missing = Config::from_project_file(folder.join("none.yaml")).unwrap_err().to_string();
        assert!(missing.contains("none.yaml: cannot be read"), "{missing}");
        let latin = folder.join("latin.yaml");
        std::fs::write(&latin, b"name: x\nmonitoring: \xff\n").unwrap();
        let message = Config::load(&latin).unwrap_err().to_string();
        assert!(message.contains("latin.yaml, line 2: is not UTF-8"), "{message}");
        let marked = folder.join("bom.yaml");
        std::fs::write(&marked, "\u{feff}monitoring: {enabled: true}\n").unwrap();
        assert!(Config::from_project_file(&marked).unwrap().enabled);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

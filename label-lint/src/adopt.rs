//! Adoption in a tree that has findings already: leaves out those of a baseline, and those on lines that did not change.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    finding::Finding,
    lint::{Outcome, Request},
};

/// A finding in the baseline: file, rule and message. Without the line, which moves.
type Entry = (String, String, String);

/// Drops the findings that the request leaves out, or writes a baseline.
pub fn apply(
    request: &Request,
    baseline: Option<&Path>,
    paths: &HashMap<Arc<str>, PathBuf>,
    outcome: &mut Outcome,
) -> Result<(), String> {
    if request.write_baseline {
        let file =
            baseline.ok_or("`--write-baseline` needs the file: `--baseline FILE`, or `baseline` in the settings")?;
        let text = written(&outcome.findings, file, paths);
        std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        outcome.known = outcome.findings.len();
        outcome.findings.clear();
        return Ok(());
    }
    if let Some(file) = baseline {
        let mut known = read(file)?;
        let before = outcome.findings.len();
        outcome.findings.retain(|finding| match known.get_mut(&entry(finding, file, paths)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        outcome.known = before - outcome.findings.len();
        outcome.gone = usize::try_from(known.values().sum::<u64>()).unwrap_or(usize::MAX);
    }
    if let Some(revision) = &request.since {
        let changes = Changes::since(revision, &request.paths)?;
        let before = outcome.findings.len();
        outcome.findings.retain(|finding| changes.touch(finding, paths));
        outcome.unchanged = before - outcome.findings.len();
    }
    Ok(())
}

fn entry(finding: &Finding, baseline: &Path, paths: &HashMap<Arc<str>, PathBuf>) -> Entry {
    let directory = baseline.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = paths.get(&finding.file);
    let below = directory
        .canonicalize()
        .ok()
        .zip(path)
        .and_then(|(directory, path)| path.strip_prefix(directory).ok().map(Path::to_owned));
    let file = below.map_or_else(|| finding.file.to_string(), |below| below.to_string_lossy().replace('\\', "/"));
    (file, finding.rule.name().to_owned(), finding.message.clone())
}

fn written(findings: &[Finding], baseline: &Path, paths: &HashMap<Arc<str>, PathBuf>) -> String {
    let mut counts: BTreeMap<Entry, u64> = BTreeMap::new();
    for finding in findings {
        *counts.entry(entry(finding, baseline, paths)).or_default() += 1;
    }
    let line = |((file, rule, message), count): (&Entry, &u64)| {
        format!("{}\n", json!({ "file": file, "rule": rule, "message": message, "count": count }))
    };
    crate::report::escaped(&counts.iter().map(line).collect::<String>())
}

fn read(file: &Path) -> Result<HashMap<Entry, u64>, String> {
    let at = crate::report::visible(&file.to_string_lossy()).into_owned();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{at}: {error}"))?;
    let mut known = HashMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad =
            || format!("{at}:{}: this is no line of a baseline; write it anew with `--write-baseline`", number + 1);
        let value: Value = serde_json::from_str(line).map_err(|_| bad())?;
        let text = |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(bad);
        let count = value["count"].as_u64().ok_or_else(bad)?;
        *known.entry((text("file")?, text("rule")?, text("message")?)).or_default() += count;
    }
    Ok(known)
}

/// The lines that differ from a revision.
struct Changes {
    /// By the path without links; `None` if the file is new.
    files: HashMap<PathBuf, Option<Vec<Range<usize>>>>,
}

impl Changes {
    fn since(revision: &str, paths: &[PathBuf]) -> Result<Self, String> {
        if revision.starts_with('-') || revision.is_empty() {
            return Err(format!("`{revision}` is no revision"));
        }
        let mut files = HashMap::new();
        for path in paths {
            let directory = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(path) };
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let top = git(directory, &["rev-parse", "--show-toplevel"])?;
            let top = PathBuf::from(top.trim_end_matches('\n'));
            let commit = git(
                directory,
                &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")],
            )
            .map_err(|_| format!("git knows no revision `{revision}`"))?;
            let diff = git(
                &top,
                &[
                    "-c",
                    "core.quotePath=false",
                    "diff",
                    "--unified=0",
                    "--no-color",
                    "--no-ext-diff",
                    "--no-renames",
                    "--src-prefix=a/",
                    "--dst-prefix=b/",
                    commit.trim(),
                    "--",
                ],
            )?;
            for (file, lines) in changed(&diff) {
                let path = top.join(file);
                files.insert(path.canonicalize().unwrap_or(path), Some(lines));
            }
            let new = git(&top, &["ls-files", "--others", "--exclude-standard", "-z"])?;
            for file in new.split('\0').filter(|file| !file.is_empty()) {
                let path = top.join(file);
                files.insert(path.canonicalize().unwrap_or(path), None);
            }
        }
        Ok(Self { files })
    }

    fn touch(&self, finding: &Finding, paths: &HashMap<Arc<str>, PathBuf>) -> bool {
        let Some(path) = paths.get(&finding.file) else { return true };
        match (self.files.get(path), &finding.place) {
            (None, _) => false,
            (Some(None), _) | (_, None) => true,
            (Some(Some(lines)), Some(place)) => {
                lines.iter().any(|range| range.start <= place.end_line && place.line < range.end)
            }
        }
    }
}

/// The new lines in a diff without context, by file.
fn changed(diff: &str) -> HashMap<String, Vec<Range<usize>>> {
    let mut files: HashMap<String, Vec<Range<usize>>> = HashMap::new();
    let mut file = None;
    let mut in_head = false;
    for line in diff.lines() {
        if line.starts_with("diff --git ") {
            (file, in_head) = (None, true);
        } else if in_head && let Some(name) = line.strip_prefix("+++ ") {
            file = unquoted(name).strip_prefix("b/").map(str::to_owned);
        } else if let (Some(file), Some(hunk)) = (&file, line.strip_prefix("@@ -")) {
            in_head = false;
            let new = hunk.split_whitespace().nth(1).and_then(|part| part.strip_prefix('+'));
            let (start, count) = new.map_or(("", "1"), |new| new.split_once(',').unwrap_or((new, "1")));
            if let (Ok(start), Ok(count)) = (start.parse::<usize>(), count.parse::<usize>()) {
                files.entry(file.clone()).or_default().push(start..start + count);
            }
        }
    }
    files
}

/// A name as git writes it: in quotes, with escapes, where it has special characters.
fn unquoted(name: &str) -> String {
    let name = name.trim_end_matches('\t');
    let Some(inner) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut bytes = Vec::new();
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'v') => 11,
            Some(digit @ b'0'..=b'3') => {
                let mut next = || rest.next().map_or(0, |digit| digit.wrapping_sub(b'0') & 7);
                ((digit - b'0') << 6) | (next() << 3) | next()
            }
            Some(other) => other,
            None => break,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn git(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .output()
        .map_err(|error| format!("`--since` needs git: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("git: {}", crate::report::visible(text.lines().next().unwrap_or("failed"))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

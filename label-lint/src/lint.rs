//! One run: first what every file says about names, then the files that have something to check.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
    path::PathBuf,
    sync::Arc,
};

use crate::{
    adopt, allow,
    check::{self, Checked, Context},
    finding::{Finding, Text},
    lock,
    names::Names,
    pieces, pool,
    read::{self, Reader},
    rules::Level,
    settings, source,
    tree::{self, Tree},
};

/// What a run looks at, and what it tells.
pub struct Request {
    pub paths: Vec<PathBuf>,
    pub max_bytes: u64,
    pub levels: settings::Levels,
    pub baseline: Option<PathBuf>,
    pub write_baseline: bool,
    pub since: Option<String>,
}

impl Request {
    /// Everything below the paths, by the settings.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            max_bytes: source::DEFAULT_MAX_BYTES,
            levels: settings::Levels::default(),
            baseline: None,
            write_baseline: false,
            since: None,
        }
    }
}

/// What a run found.
#[derive(Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub files: usize,
    pub lines: usize,
    pub metrics: usize,
    pub labels: usize,
    pub excluded: usize,
    /// Findings that are left out: those of the baseline, and those on lines that did not change.
    pub known: usize,
    pub unchanged: usize,
    /// Entries of the baseline that are no longer found.
    pub gone: usize,
    pub not_looked_at: BTreeSet<&'static str>,
    /// What a reader has to know about the settings.
    pub notes: Vec<String>,
}

/// Why a run could not be made.
pub enum Error {
    Tree(tree::Error),
    Io(io::Error),
    Adopt(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tree(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Adopt(error) => error.fmt(f),
        }
    }
}

/// Checks what is below the paths. `progress` gets how many files were read, and how many there are.
pub fn run(request: &Request, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Outcome, Error> {
    let mut tree = Tree::find(&request.paths).map_err(Error::Tree)?;
    let mut reader = Reader::new(request.max_bytes, progress);
    let checked = loop {
        let names = reader.names(&mut tree).map_err(Error::Io)?;
        let checked = check_all(&tree, &names, &reader, request.max_bytes).map_err(Error::Io)?;
        let asked_for = names.asked_for();
        if asked_for.is_empty() {
            break checked;
        }
        reader.give_back(names, asked_for);
    };

    let mut outcome = Outcome { excluded: tree.excluded, ..Outcome::default() };
    let mut findings = std::mem::take(&mut tree.findings);
    for (_, read) in tree.files.iter().zip(&mut reader.reads).filter(|(file, _)| file.is_target) {
        findings.append(&mut read.findings);
        outcome.files += 1;
        outcome.lines += read.lines;
    }
    findings.extend(gathered(checked, &mut outcome));
    for (path, display) in &tree.locks {
        findings.extend(lock::check(path, display));
    }
    findings.sort_by_cached_key(Finding::sort_key);
    findings.dedup_by(|a, b| a.sort_key() == b.sort_key() && a.message == b.message);
    set_levels(&tree, request, &mut findings);
    outcome.findings = findings;
    for settings in &tree.settings {
        outcome.notes.extend(settings.notes.iter().cloned());
    }
    outcome.notes.dedup();
    let baseline = request.baseline.clone().or_else(|| tree.settings.iter().find_map(|one| one.baseline.clone()));
    adopt::apply(request, baseline.as_deref(), &paths(&tree), &mut outcome).map_err(Error::Adopt)?;
    Ok(outcome)
}

/// The path of each file that is shown, without links.
fn paths(tree: &Tree) -> HashMap<Arc<str>, PathBuf> {
    let files = tree.files.iter().map(|file| (file.display.clone(), file.path.clone()));
    files.chain(tree.locks.iter().map(|(path, display)| (display.clone(), path.clone()))).collect()
}

/// Gives each finding the level that the settings and the command line say, and drops what is off.
fn set_levels(tree: &Tree, request: &Request, findings: &mut Vec<Finding>) {
    let by_display: HashMap<&str, (usize, &PathBuf)> =
        tree.files.iter().map(|file| (&*file.display, (file.settings, &file.path))).collect();
    for finding in findings.iter_mut() {
        let (settings, path) = match by_display.get(&*finding.file) {
            Some((settings, path)) => (*settings, Some(*path)),
            None => (0, None),
        };
        if let Some(settings) = tree.settings.get(settings) {
            finding.level = settings.level(finding, path.map(PathBuf::as_path));
        }
        if let Some(level) = request.levels.of(finding.rule) {
            finding.level = level;
        }
    }
    findings.retain(|finding| finding.level != Level::Off);
}

/// Checks the files that have something to check.
fn check_all(tree: &Tree, names: &Names, reader: &Reader<'_>, max_bytes: u64) -> io::Result<Vec<Checked>> {
    let displays: Vec<Arc<str>> = tree.files.iter().map(|file| file.display.clone()).collect();
    let targets: Vec<usize> = (0..tree.files.len())
        .filter(|index| tree.files[*index].is_target && reader.reads[*index].is_relevant)
        .collect();
    pool::map(&targets, |index| {
        let file = &tree.files[*index];
        let mut checked = Checked::default();
        let Ok(text) = source::read(&file.path, max_bytes) else { return checked };
        let lines = Text::new(&text);
        let settings = &tree.settings[file.settings];
        for piece in pieces::pieces(&text).into_iter().filter(|piece| piece.len() <= pieces::MAX_PIECE) {
            let context = Context {
                names,
                file: *index,
                display: file.display.clone(),
                displays: &displays,
                extension: &settings.extension,
                namespace: settings.namespace(),
                words: &reader.words,
                base: piece.start,
            };
            match source::parse(&text[piece.clone()], file.is_fragment) {
                Ok(items) => {
                    for module in &names.places[*index] {
                        check::check(&context, *module, &lines, &items, &mut checked);
                    }
                }
                Err(problem) if reader.reads[*index].findings.is_empty() => {
                    checked.findings.push(read::finding(file, &text, problem, piece.start));
                }
                Err(_) => {}
            }
        }
        checked.findings = allow::apply(&lines, &file.display, std::mem::take(&mut checked.findings));
        checked
    })
}

/// The findings of all files without those that are left out, and counts of what was looked at.
fn gathered(checked: Vec<Checked>, outcome: &mut Outcome) -> Vec<Finding> {
    let expanded: HashSet<check::MacroId> = checked.iter().flat_map(|one| one.expanded.iter().copied()).collect();
    let mut findings = Vec::new();
    for one in checked {
        outcome.metrics += one.metrics;
        outcome.labels += one.labels;
        outcome.not_looked_at.extend(one.not_looked_at);
        let is_told = |finding: &Finding| finding.until_expanded.is_none_or(|id| !expanded.contains(&id));
        findings.extend(one.findings.into_iter().filter(is_told));
    }
    findings
}

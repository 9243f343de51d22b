//! One run: first what every file says about names, then the files that have something to check.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aho_corasick::AhoCorasick;

use crate::{
    adopt, allow,
    check::{self, Checked, Context},
    finding::{Finding, Place, Text},
    lock,
    names::{Names, Source},
    pieces, pool,
    rules::{Level, Rule},
    scope::{self, Facts},
    settings,
    source::{self, Problem},
    tree::{self, File, Tree},
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
    /// Findings that are not told: of the baseline, and on lines that did not change.
    pub known: usize,
    pub unchanged: usize,
    /// Entries of the baseline that are no longer found.
    pub gone: usize,
    pub not_looked_at: BTreeSet<&'static str>,
    /// What a reader has to know of the settings.
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

/// What reading a file gave.
#[derive(Default)]
struct Read {
    facts: Facts,
    lines: usize,
    /// Whether one of [`check::WORDS`] is in it.
    has_words: bool,
    is_read: bool,
    findings: Vec<Finding>,
}

/// Checks what is below the paths. `progress` is told how many files were read, of how many.
pub fn run(request: &Request, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Outcome, Error> {
    let mut tree = Tree::find(&request.paths).map_err(Error::Tree)?;
    let words = AhoCorasick::new(check::WORDS).map_err(|error| Error::Io(io::Error::other(error)))?;
    let mut reads: Vec<Read> = Vec::new();
    let names = loop {
        let done = AtomicUsize::new(reads.len());
        let total = tree.files.len();
        let more = pool::map(&tree.files[reads.len()..], |file| {
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            read(file, request.max_bytes, &words)
        });
        reads.extend(more.map_err(Error::Io)?);
        let mut facts = Some(reads.iter_mut().map(|read| std::mem::take(&mut read.facts)).collect::<Vec<_>>());
        let sources: Vec<Source<'_>> =
            tree.files.iter().zip(&reads).map(|(file, read)| source_of(file, read)).collect();
        let facts = std::sync::Mutex::new(facts.take());
        let linked = pool::map(&[()], |()| {
            let facts = facts.lock().ok().and_then(|mut facts| facts.take()).unwrap_or_default();
            Names::new(&sources, facts)
        });
        let Some(mut names) = linked.map_err(Error::Io)?.pop() else { return Ok(Outcome::default()) };
        let wanted = std::mem::take(&mut names.wanted);
        if !tree.add_wanted(wanted) {
            break names;
        }
        for (read, facts) in reads.iter_mut().zip(names.into_facts()) {
            read.facts = facts;
        }
    };

    let mut outcome = Outcome { excluded: tree.excluded, ..Outcome::default() };
    let mut findings = std::mem::take(&mut tree.findings);
    for (file, read) in tree.files.iter().zip(&mut reads).filter(|(file, _)| file.is_target) {
        findings.append(&mut read.findings);
        outcome.files += 1;
        outcome.lines += read.lines;
        let _ = file;
    }
    findings.extend(check_all(&tree, &names, &reads, request.max_bytes, &mut outcome)?);
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

fn source_of<'a>(file: &'a File, read: &Read) -> Source<'a> {
    Source { path: &file.path, package: file.package.clone(), is_read: read.is_read, is_fragment: file.is_fragment }
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

fn read(file: &File, max_bytes: u64, words: &AhoCorasick) -> Read {
    let text = match source::read(&file.path, max_bytes) {
        Ok(text) => text,
        Err(problem) => return Read { findings: vec![finding(file, "", problem, 0)], ..Read::default() },
    };
    let mut all =
        Read { lines: text.lines().count(), has_words: words.is_match(&text), is_read: true, ..Read::default() };
    for piece in pieces::pieces(&text) {
        let base = piece.start;
        let part = &text[piece];
        let has_words = part.len() == text.len() && all.has_words || words.is_match(part);
        if part.len() > pieces::MAX_PIECE {
            all.facts.scope.is_open = true;
            if has_words {
                all.findings.push(finding(file, &text, source::too_large(part), base));
            }
            continue;
        }
        match source::parse_outline(part, file.is_fragment) {
            Ok(items) => all.facts.add(scope::collect(&items, part), base, text[..base].matches('\n').count()),
            Err(problem) => {
                all.facts.scope.is_open = true;
                all.findings.push(finding(file, &text, problem, base));
            }
        }
    }
    all.facts.scope.body_includes = source::included_by_bodies(&text);
    for range in std::mem::take(&mut all.facts.unread_includes) {
        let message = "this includes a file that only the build knows: not looked at".to_owned();
        let problem = Problem { rule: Rule::UnreadSource, message, range: Some(range), help: String::new() };
        all.findings.push(finding(file, &text, problem, 0));
    }
    all
}

fn finding(file: &File, text: &str, problem: Problem, base: usize) -> Finding {
    let place = problem.range.map(|range| Place::new(&Text::new(text), range.start + base..range.end + base));
    let help = if problem.help.is_empty() { Vec::new() } else { vec![problem.help] };
    Finding { place, help, ..Finding::of_file(problem.rule, file.display.clone(), problem.message) }
}

/// What checking one file gave: its findings, and whether it could be parsed.
fn check_all(
    tree: &Tree,
    names: &Names,
    reads: &[Read],
    max_bytes: u64,
    outcome: &mut Outcome,
) -> Result<Vec<Finding>, Error> {
    let words = names.words();
    let more: Vec<&String> =
        words.iter().filter(|word| !check::WORDS.iter().any(|known| word.contains(known))).collect();
    let more = (!more.is_empty())
        .then(|| AhoCorasick::new(&more).map_err(|error| Error::Io(io::Error::other(error))))
        .transpose()?;
    let displays: Vec<Arc<str>> = tree.files.iter().map(|file| file.display.clone()).collect();
    let targets: Vec<usize> = (0..tree.files.len())
        .filter(|index| tree.files[*index].is_target && (reads[*index].has_words || more.is_some()))
        .collect();
    let checked = pool::map(&targets, |index| {
        let file = &tree.files[*index];
        let mut checked = Checked::default();
        let Ok(text) = source::read(&file.path, max_bytes) else { return checked };
        if !reads[*index].has_words && !more.as_ref().is_some_and(|more| more.is_match(&text)) {
            return checked;
        }
        let lines = Text::new(&text);
        let settings = &tree.settings[file.settings];
        for piece in pieces::pieces(&text).into_iter().filter(|piece| piece.len() <= pieces::MAX_PIECE) {
            let context = Context {
                names,
                file: *index,
                display: file.display.clone(),
                displays: &displays,
                extension: &settings.extension,
                words: &words,
                base: piece.start,
            };
            match source::parse(&text[piece.clone()], file.is_fragment) {
                Ok(items) => {
                    for module in &names.places[*index] {
                        check::check(&context, *module, &lines, &items, &mut checked);
                    }
                }
                Err(problem) if reads[*index].findings.is_empty() => {
                    checked.findings.push(finding(file, &text, problem, piece.start));
                }
                Err(_) => {}
            }
        }
        checked.findings = allow::apply(&lines, &file.display, std::mem::take(&mut checked.findings));
        checked
    });
    let checked = checked.map_err(Error::Io)?;
    let expanded: HashSet<check::MacroId> = checked.iter().flat_map(|one| one.expanded.iter().copied()).collect();
    let mut findings = Vec::new();
    for one in checked {
        outcome.metrics += one.metrics;
        outcome.labels += one.labels;
        outcome.not_looked_at.extend(one.not_looked_at);
        let is_told = |finding: &Finding| finding.until_expanded.is_none_or(|id| !expanded.contains(&id));
        findings.extend(one.findings.into_iter().filter(is_told));
    }
    Ok(findings)
}

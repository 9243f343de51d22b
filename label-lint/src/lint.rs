//! One run: first what every file says about names, then the files that have something to check.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aho_corasick::AhoCorasick;

use crate::{
    allow,
    check::{self, Context},
    finding::{Finding, Place, Text},
    lock,
    names::{self, Def, Facts, Names},
    pool,
    source::{self, Problem},
    tree::{self, File, Tree},
};

/// What a run found.
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub files: usize,
    pub lines: usize,
    pub excluded: usize,
}

/// Why a run could not be made.
pub enum Error {
    Tree(tree::Error),
    Io(io::Error),
}

/// What reading a file gave.
#[derive(Default)]
struct Read {
    facts: Facts,
    lines: usize,
    /// Whether one of [`check::WORDS`] is in it.
    has_words: bool,
    finding: Option<Finding>,
}

/// Checks what is below the paths. `progress` is told how many files were read, of how many.
pub fn run(paths: &[PathBuf], max_bytes: u64, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Outcome, Error> {
    let mut tree = Tree::find(paths).map_err(Error::Tree)?;
    let words = AhoCorasick::new(check::WORDS).map_err(|error| Error::Io(io::Error::other(error)))?;
    let (done, total) = (AtomicUsize::new(0), tree.files.len());
    let reads = pool::map(&tree.files, |file| {
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        read(file, max_bytes, &words)
    });
    let mut reads = reads.map_err(Error::Io)?;

    let mut findings = std::mem::take(&mut tree.findings);
    let mut names = Names { units: std::mem::take(&mut tree.units), libraries: std::mem::take(&mut tree.libraries) };
    let mut more_words = BTreeSet::new();
    for (index, (file, read)) in tree.files.iter().zip(&mut reads).enumerate() {
        let facts = std::mem::take(&mut read.facts);
        more_words.extend(words_of(&facts));
        names.units[file.unit].add(facts, &file.root, index);
        findings.extend(read.finding.take().filter(|_| file.is_target));
    }
    findings.extend(check_all(&tree, &names, &reads, &more_words, max_bytes)?);
    for (path, display) in &tree.locks {
        findings.extend(lock::check(path, display));
    }
    findings.sort_by_cached_key(Finding::sort_key);
    let targets = || tree.files.iter().zip(&reads).filter(|(file, _)| file.is_target);
    Ok(Outcome {
        findings,
        files: targets().count(),
        lines: targets().map(|(_, read)| read.lines).sum(),
        excluded: tree.excluded,
    })
}

fn read(file: &File, max_bytes: u64, words: &AhoCorasick) -> Read {
    let text = match source::read(&file.path, max_bytes) {
        Ok(text) => text,
        Err(problem) => return Read { finding: Some(finding(file, "", problem)), ..Read::default() },
    };
    let lines = text.lines().count();
    let has_words = words.is_match(&text);
    match source::parse(&text) {
        Ok(parsed) => Read { facts: names::collect(&parsed, &file.module), lines, has_words, finding: None },
        Err(problem) => {
            Read { facts: Facts::default(), lines, has_words: false, finding: Some(finding(file, &text, problem)) }
        }
    }
}

fn finding(file: &File, text: &str, problem: Problem) -> Finding {
    Finding {
        rule: problem.rule,
        file: file.display.clone(),
        place: problem.range.map(|range| Place::new(&Text::new(text), range)),
        message: problem.message,
        caption: String::new(),
        help: vec![problem.help],
        label: None,
    }
}

/// Names that make a file worth a check although it has none of the usual words: renamed re-exports and families.
fn words_of(facts: &Facts) -> Vec<String> {
    let is_word = |name: &str| check::WORDS.iter().any(|word| name.contains(word));
    let renamed = facts.items.iter().filter(|(_, name, def)| match def {
        Def::Alias(path) => !is_word(name) && path.last().is_some_and(|last| is_word(last)),
        Def::Family => true,
        Def::Value(_) | Def::Other => false,
    });
    renamed.map(|(_, name, _)| name.clone()).collect()
}

fn check_all(
    tree: &Tree,
    names: &Names,
    reads: &[Read],
    more_words: &BTreeSet<String>,
    max_bytes: u64,
) -> Result<Vec<Finding>, Error> {
    let more = (!more_words.is_empty())
        .then(|| AhoCorasick::new(more_words).map_err(|error| Error::Io(io::Error::other(error))))
        .transpose()?;
    let displays: Vec<Arc<str>> = tree.files.iter().map(|file| file.display.clone()).collect();
    let targets: Vec<usize> = (0..tree.files.len())
        .filter(|index| tree.files[*index].is_target && (reads[*index].has_words || more.is_some()))
        .collect();
    let checked = pool::map(&targets, |index| {
        let file = &tree.files[*index];
        let Ok(text) = source::read(&file.path, max_bytes) else { return Vec::new() };
        if !reads[*index].has_words && !more.as_ref().is_some_and(|more| more.is_match(&text)) {
            return Vec::new();
        }
        let Ok(parsed) = source::parse(&text) else { return Vec::new() };
        let context = Context {
            names,
            unit: file.unit,
            module: file.module.clone(),
            file: *index,
            root: &file.root,
            display: file.display.clone(),
            displays: &displays,
            extension: &tree.settings[file.settings].extension,
            aliases: more_words,
        };
        let text = Text::new(&text);
        allow::apply(&text, &file.display, check::check(&context, &text, &parsed))
    });
    Ok(checked.map_err(Error::Io)?.concat())
}

//! Reads files in outline, and keeps what they say about names where that is needed.
//!
//! The facts of a package are loaded if one of its files has something to check, or if such a file leads to it. All
//! others are read once, for what is wrong with them, and forgotten.

use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    finding::{Finding, Place, Text},
    mention::{self, Mentions, Reach},
    names::{self, Names, Source},
    pieces, pool,
    rules::Rule,
    scope::{self, Facts},
    source::{self, Problem},
    tree::{File, Tree},
};

/// What reading a file gave.
#[derive(Default)]
pub struct Read {
    pub lines: usize,
    pub is_read: bool,
    pub findings: Vec<Finding>,
    /// Whether it has something to check.
    pub is_relevant: bool,
    mentions: Mentions,
    /// Whether it includes others.
    includes: bool,
    /// None unless they are needed.
    facts: Option<Facts>,
}

/// The files of a run that were read, in the order of the tree.
pub struct Reader<'a> {
    pub reads: Vec<Read>,
    /// Names that may lead to a label.
    pub words: HashSet<String>,
    max_bytes: u64,
    progress: &'a (dyn Fn(usize, usize) + Sync),
    reach: Reach,
    /// The directories of the packages whose facts are kept.
    loaded: HashSet<PathBuf>,
}

impl<'a> Reader<'a> {
    pub fn new(max_bytes: u64, progress: &'a (dyn Fn(usize, usize) + Sync)) -> Self {
        let reach = Reach::default();
        Self { reads: Vec::new(), words: HashSet::new(), max_bytes, progress, reach, loaded: HashSet::new() }
    }

    /// Reads what is needed of the tree, puts it in its place and looks for more until nothing is missing.
    pub fn names(&mut self, tree: &mut Tree) -> io::Result<Names> {
        loop {
            self.read_new(tree)?;
            self.load(tree)?;
            let names = self.link(tree)?;
            let asked_for = names.asked_for();
            let wants_files = tree.add_wanted(names.wanted.clone());
            if asked_for.is_empty() && !wants_files {
                return Ok(names);
            }
            self.give_back(names, asked_for);
        }
    }

    /// Takes the facts back, to link them again with those of more packages.
    pub fn give_back(&mut self, names: Names, more: impl IntoIterator<Item = PathBuf>) {
        self.loaded.extend(more);
        for (read, facts) in self.reads.iter_mut().zip(names.into_facts()) {
            read.facts = facts;
        }
    }

    fn read_new(&mut self, tree: &Tree) -> io::Result<()> {
        let new = &tree.files[self.reads.len()..];
        if new.is_empty() {
            return Ok(());
        }
        if self.reads.is_empty() {
            self.reach = Reach::of(tree.files.iter().filter_map(|file| file.package.as_ref()));
        }
        let done = AtomicUsize::new(self.reads.len());
        let more = pool::map(new, |file| {
            (self.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, tree.files.len());
            read(file, self.max_bytes, self.reach.has(file.package.as_ref()))
        });
        self.reads.extend(more?);
        Ok(())
    }

    fn is_loaded(&self, file: &File) -> bool {
        file.package.as_ref().is_none_or(|package| self.loaded.contains(&package.directory))
    }

    /// Finds the files that have something to check, and loads their packages. A word may lead to other words, and these
    /// to more files.
    fn load(&mut self, tree: &Tree) -> io::Result<()> {
        loop {
            for (file, read) in tree.files.iter().zip(&mut self.reads) {
                let mentions = read.mentions;
                let in_reach = self.reach.has(file.package.as_ref());
                read.is_relevant |= mentions.is_certain || mentions.is_possible && in_reach;
                if let Some(package) = file.package.as_ref().filter(|_| read.is_relevant || read.includes) {
                    self.loaded.insert(package.directory.clone());
                    if read.is_relevant {
                        self.reach.add(package);
                    }
                }
            }
            let missing: Vec<usize> = (0..self.reads.len())
                .filter(|index| self.reads[*index].facts.is_none() && self.is_loaded(&tree.files[*index]))
                .collect();
            let found = pool::map(&missing, |index| read(&tree.files[*index], self.max_bytes, true).facts)?;
            for (index, facts) in missing.into_iter().zip(found) {
                self.reads[index].facts = Some(facts.unwrap_or_default());
            }
            self.words = names::words(self.reads.iter().filter_map(|read| read.facts.as_ref()));
            let fields = self.reads.iter().filter_map(|read| read.facts.as_ref()).flat_map(|facts| &facts.label_fields);
            let words: HashSet<String> = self.words.iter().chain(fields).cloned().collect();
            let others: Vec<usize> = (0..self.reads.len())
                .filter(|index| !self.reads[*index].is_relevant && self.reads[*index].is_read)
                .filter(|index| self.reach.has(tree.files[*index].package.as_ref()))
                .collect();
            let found = pool::map(&others, |index| {
                let text = source::read(&tree.files[*index].path, self.max_bytes);
                text.is_ok_and(|text| mention::has_any(&text, &words))
            })?;
            let found: Vec<usize> = others.into_iter().zip(found).filter(|(_, has)| *has).map(|(at, _)| at).collect();
            if found.is_empty() {
                break;
            }
            found.into_iter().for_each(|index| self.reads[index].is_relevant = true);
        }
        for (index, file) in tree.files.iter().enumerate() {
            if !self.is_loaded(file) {
                self.reads[index].facts = None;
            }
        }
        Ok(())
    }

    fn link(&mut self, tree: &Tree) -> io::Result<Names> {
        let facts: Vec<Option<Facts>> = self.reads.iter_mut().map(|read| read.facts.take()).collect();
        let sources: Vec<Source<'_>> = tree
            .files
            .iter()
            .zip(&self.reads)
            .map(|(file, read)| Source {
                path: &file.path,
                package: file.package.clone(),
                is_read: read.is_read,
                is_fragment: file.is_fragment,
                is_loaded: self.is_loaded(file),
            })
            .collect();
        let facts = std::sync::Mutex::new(Some(facts));
        let linked = pool::map(&[()], |()| {
            let facts = facts.lock().ok().and_then(|mut facts| facts.take()).unwrap_or_default();
            Names::new(&sources, facts)
        });
        linked?.pop().ok_or_else(|| io::Error::other("nothing was linked"))
    }
}

fn read(file: &File, max_bytes: u64, keeps_facts: bool) -> Read {
    let text = match source::read(&file.path, max_bytes) {
        Ok(text) => text,
        Err(problem) => return Read { findings: vec![finding(file, "", problem, 0)], ..Read::default() },
    };
    let mentions = Mentions::of(&text);
    let mut all = Read { lines: text.lines().count(), mentions, is_read: true, ..Read::default() };
    let mut facts = Facts::default();
    for piece in pieces::pieces(&text) {
        let base = piece.start;
        let part = &text[piece];
        if part.len() > pieces::MAX_PIECE {
            facts.scope.is_open = true;
            let mentions = Mentions::of(part);
            if mentions.is_certain || mentions.is_possible && keeps_facts {
                all.findings.push(finding(file, &text, source::too_large(part), base));
            }
            continue;
        }
        match source::parse_outline(part, file.is_fragment) {
            Ok(items) => facts.add(scope::collect(&items, part), base, text[..base].matches('\n').count()),
            Err(problem) => {
                facts.scope.is_open = true;
                all.findings.push(finding(file, &text, problem, base));
            }
        }
    }
    facts.scope.body_includes = source::included_by_bodies(&text);
    for range in std::mem::take(&mut facts.unread_includes) {
        let message = "this includes a file that only the build knows: not looked at".to_owned();
        let problem = Problem { rule: Rule::UnreadSource, message, range: Some(range), help: String::new() };
        all.findings.push(finding(file, &text, problem, 0));
    }
    all.includes = facts.includes();
    all.facts = keeps_facts.then_some(facts);
    all
}

/// What is wrong with a piece of a file that starts at this byte.
pub fn finding(file: &File, text: &str, problem: Problem, base: usize) -> Finding {
    let place = problem.range.map(|range| Place::new(&Text::new(text), range.start + base..range.end + base));
    let help = if problem.help.is_empty() { Vec::new() } else { vec![problem.help] };
    Finding { place, help, ..Finding::of_file(problem.rule, file.display.clone(), problem.message) }
}

//! The map of the house in CONTRIBUTING.md is true: each layer of `src` imports only what its row allows, and no files import
//! each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Layers by folder, with the folders that each may import.
type Layers = BTreeMap<String, Vec<String>>;

/// The rows `| `src/…/` | what it is for | what it may import |` of the map.
fn layers(map: &str) -> Layers {
    let folders = |cell: &str| -> Vec<String> {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(|name| name.trim_start_matches("src/").trim_end_matches('/').to_owned()).collect()
    };
    let mut layers = Layers::new();
    for row in map.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, layer, _, imports, _] = cells[..] else { continue };
        layers.insert(folders(layer).remove(0), folders(imports));
    }
    layers
}

/// One source: its module path, and the paths that it names from `crate` on.
struct Source {
    module: Vec<String>,
    paths: BTreeSet<Vec<String>>,
}

/// The modules of `src`, by their path.
fn sources(folder: &Path, module: &[String], all: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut module = module.to_vec();
        if path.is_dir() {
            module.push(name);
            sources(&path, &module, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            let is_root = path.ends_with("mod.rs") || path.ends_with("lib.rs");
            all.push(Source { paths: paths(&std::fs::read_to_string(&path).expect("text"), &module, is_root), module });
        }
    }
}

/// What a source names, without its comments and its tests.
fn paths(text: &str, module: &[String], is_root: bool) -> BTreeSet<Vec<String>> {
    let tests = ["\nmod tests {", "\npub(crate) mod tests {"];
    let end = tests.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    let code: Vec<&str> = text[..end].lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let parent = if is_root { module } else { &module[..module.len().saturating_sub(1)] };
    let mut all = BTreeSet::new();
    for (word, base) in [("crate::", &[][..]), ("super::", parent), ("self::", module)] {
        for (at, _) in code.match_indices(word) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            // Not `$crate::`, not `super::super::`, and `super::` of a module inside the file is the file.
            let is_inner = code[..at].rfind('\n').map_or(at, |line| at - line) > 4 && code[..at].ends_with("    use ");
            if before.is_alphanumeric() || "$:_".contains(before) || word != "crate::" && is_inner {
                continue;
            }
            tree(&code[at + word.len()..], base, &mut all);
        }
    }
    all
}

/// The paths of `a::{b, c::d}`; what follows it.
fn tree<'a>(text: &'a str, base: &[String], all: &mut BTreeSet<Vec<String>>) -> &'a str {
    let mut text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        text = inside.trim_start();
        while !text.starts_with('}') && !text.is_empty() {
            text = tree(text, base, all).trim_start();
            text = text.strip_prefix(',').unwrap_or(text).trim_start();
            if !text.starts_with(|c: char| c.is_alphabetic() || "_{}".contains(c)) {
                return text;
            }
        }
        return text.strip_prefix('}').unwrap_or(text);
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = base.to_vec();
    match name {
        "" | "self" => {}
        "super" => drop(path.pop()),
        name => path.push(name.to_owned()),
    }
    match rest.strip_prefix("::") {
        Some(rest) => tree(rest, &path, all),
        None => {
            all.insert(path);
            rest
        }
    }
}

/// What is wrong with these sources under these layers.
fn faults(layers: &Layers, all: &[Source]) -> Vec<String> {
    let name = |module: &[String]| module.join("/");
    let modules: BTreeSet<_> = all.iter().map(|source| source.module.clone()).collect();
    // `crate::Name` is what `lib.rs` exports under that name.
    let root = all.iter().find(|source| source.module.is_empty());
    let exports: BTreeMap<_, _> =
        root.into_iter().flat_map(|root| &root.paths).filter_map(|path| Some((path.last()?, path))).collect();
    let module_of = |path: &[String]| -> Option<Vec<String>> {
        (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|start| modules.contains(start))
    };
    let resolve = |path: &Vec<String>| module_of(path).or_else(|| module_of(exports.get(path.first()?)?));
    let layer_of =
        |module: &[String]| layers.keys().filter(|layer| name(module).starts_with(*layer)).max_by_key(|l| l.len());

    let mut faults = Vec::new();
    let mut imports: BTreeMap<&[String], BTreeSet<Vec<String>>> = BTreeMap::new();
    for source in all {
        // The root and what lies beside the folders may import all.
        if source.module.len() < 2 && layer_of(&source.module).is_none() {
            continue;
        }
        let Some(layer) = layer_of(&source.module) else {
            faults.push(format!("{} is in no layer", name(&source.module)));
            continue;
        };
        for target in source.paths.iter().filter_map(resolve) {
            match layer_of(&target) {
                Some(other) if other == layer || layers[layer].contains(other) => {}
                Some(_) => faults.push(format!("{} imports {}", name(&source.module), name(&target))),
                None => {}
            }
            // A folder's own `mod.rs` names its files; a file may use what it exports.
            let is_own_folder = source.module.starts_with(&target) || target.starts_with(&source.module);
            if !is_own_folder {
                imports.entry(&source.module).or_default().insert(target);
            }
        }
    }
    // In a circle is what can be reached from itself.
    let reached = |from: &[String]| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Vec<String>> = imports.get(from).into_iter().flatten().collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(imports.get(module.as_slice()).into_iter().flatten());
            }
        }
        reached
    };
    for (module, targets) in &imports {
        let circle = targets.iter().filter(|target| reached(target).contains(&module.to_vec()));
        let circle: Vec<_> = circle.map(|target| name(target)).collect();
        if !circle.is_empty() {
            faults.push(format!("circle: {} imports {}", name(module), circle.join(", ")));
        }
    }
    faults
}

#[test]
fn no_layer_imports_what_its_row_does_not_allow_and_no_files_form_a_circle() {
    let map = std::fs::read_to_string(Path::new(ROOT).join("CONTRIBUTING.md")).expect("the map");
    let layers = layers(&map);
    assert_eq!(layers.len(), 14, "{layers:?}");
    let mut all = Vec::new();
    sources(&Path::new(ROOT).join("src"), &[], &mut all);
    assert!(all.len() > 60);
    let known: usize = all.iter().map(|source| source.paths.len()).sum();
    assert!(known > 300, "{known} paths");
    let faults = faults(&layers, &all);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_upward_import_and_a_circle_are_found() {
    let layers = layers("| `src/low/` | first | - |\n| `src/high/` | second | `low/` |\n");
    let source = |module: &str, text: &str| {
        let module: Vec<String> = module.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Source { paths: paths(text, &module, false), module }
    };
    let all = [
        source("", "pub use crate::high::a::Shown;"),
        source("low/a", "use crate::{Shown, low::b::{self, X}}; // crate::high::a"),
        source("low/b", "use super::a;\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::high::a;\n}\n"),
        source("high/a", "use crate::low::{a::A, b::B};"),
        source("high/b", "fn f() { crate::high::a::run() }"),
    ];
    assert_eq!(
        faults(&layers, &all),
        [
            "low/a imports high/a",
            "circle: high/a imports low/a, low/b",
            "circle: low/a imports high/a, low/b",
            "circle: low/b imports low/a",
        ]
    );
}

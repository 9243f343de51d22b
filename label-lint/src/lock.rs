//! Finds two versions of `metrics` in one `Cargo.lock`: what is recorded by the other one is silently lost.

use std::{ops::Range, path::Path, sync::Arc};

use toml::de::DeTable;

use crate::{
    finding::{Finding, Place, Text},
    manifest::METRICS,
    rules::Rule,
};

/// The findings of one `Cargo.lock`.
pub fn check(path: &Path, display: &Arc<str>) -> Vec<Finding> {
    let finding = |rule, place, message: String, caption: &str, help| Finding {
        place,
        caption: caption.to_owned(),
        help,
        ..Finding::of_file(rule, display.clone(), message)
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("this file cannot be read: {error}");
            return vec![finding(Rule::UnreadableFile, None, message, "", Vec::new())];
        }
    };
    let lock = match DeTable::parse(&text) {
        Ok(lock) => lock.into_inner(),
        Err(error) => {
            let message = format!("this file is not TOML: {}", error.message());
            let place = Place::new(&Text::new(&text), error.span().unwrap_or(0..0));
            return vec![finding(Rule::ParseError, Some(place), message, "", Vec::new())];
        }
    };
    let packages = packages(&lock);
    let versions: Vec<&Package<'_>> =
        packages.iter().filter(|package| package.name == METRICS && package.is_elsewhere).collect();
    let [_, others @ ..] = versions.as_slice() else { return Vec::new() };
    let Some(second) = others.first() else { return Vec::new() };
    let all = versions.iter().map(|package| format!("`{}`", package.version)).collect::<Vec<_>>().join(" and ");
    let mut help: Vec<String> = versions
        .iter()
        .map(|version| {
            format!("`metrics` {} is pulled in by {}", version.version, dependents(&packages, version.version))
        })
        .collect();
    help.push(format!(
        "bring all of them to one version: upgrade the packages above (`cargo tree --invert metrics@{}` shows the way to \
         them), or use `compozy_monitoring::metrics`",
        second.version
    ));
    let message = format!(
        "`metrics` is there in {} versions, {all}: what is recorded with one is lost to the other",
        versions.len()
    );
    vec![finding(
        Rule::TwoMetricsVersions,
        Some(Place::new(&Text::new(&text), second.range.clone())),
        message,
        "the other version",
        help,
    )]
}

struct Package<'a> {
    name: &'a str,
    version: &'a str,
    /// Whether it comes from a registry or a repository. A package of the tree may have any name.
    is_elsewhere: bool,
    range: Range<usize>,
    dependencies: Vec<&'a str>,
}

fn packages<'a>(lock: &'a DeTable<'_>) -> Vec<Package<'a>> {
    let all = lock.get("package").and_then(|package| package.get_ref().as_array());
    all.into_iter().flatten().filter_map(|entry| package(entry.get_ref().as_table()?)).collect()
}

fn package<'a>(table: &'a DeTable<'_>) -> Option<Package<'a>> {
    let version = table.get("version")?;
    let dependencies = table.get("dependencies").and_then(|list| list.get_ref().as_array());
    Some(Package {
        name: table.get("name")?.get_ref().as_str()?,
        version: version.get_ref().as_str()?,
        is_elsewhere: table.contains_key("source"),
        range: version.span(),
        dependencies: dependencies.into_iter().flatten().filter_map(|one| one.get_ref().as_str()).collect(),
    })
}

/// The packages that depend on this version of `metrics`.
fn dependents(packages: &[Package<'_>], version: &str) -> String {
    let wanted = format!("{METRICS} {version}");
    let is_wanted = |one: &str| one.strip_prefix(&wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let depends = |package: &&Package<'_>| package.dependencies.iter().any(|one| is_wanted(one));
    let names: Vec<String> =
        packages.iter().filter(depends).map(|package| format!("`{} {}`", package.name, package.version)).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

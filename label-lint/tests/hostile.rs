//! Sources made to exhaust the stack of a parser are a finding, never an abort.

mod common;

use common::Sandbox;

/// Ways to nest: what comes first, what is repeated, what is in the middle, what closes each, what comes last.
const WAYS: &[(&str, [&str; 5])] = &[
    ("parentheses", ["const X: u8 = ", "(", "1", ")", ";"]),
    ("arrays", ["const X: u8 = ", "[", "1", "]", ";"]),
    ("blocks", ["fn f() { ", "{", "", "}", " }"]),
    ("calls", ["const X: u8 = ", "f(1,", "1", ")", ";"]),
    ("not", ["const X: bool = ", "!", "true", "", ";"]),
    ("minus", ["const X: i8 = ", "- ", "1", "", ";"]),
    ("references", ["const X: u8 = ", "& ", "1", "", ";"]),
    ("sums", ["const X: u8 = 1", " + 1", "", "", ";"]),
    ("assignments", ["fn f() { ", "a = ", "1", "", "; }"]),
    ("methods", ["const X: u8 = x", ".f()", "", "", ";"]),
    ("fields", ["const X: u8 = x", ".f", "", "", ";"]),
    ("tries", ["const X: u8 = x", "?", "", "", ";"]),
    ("casts", ["const X: u8 = 1", " as u8", "", "", ";"]),
    ("else if", ["fn f() { ", "if a {} else ", "{}", "", " }"]),
    ("block operators", ["fn f() -> u8 { x = ", "{1} - ", "1", "", " }"]),
    ("closures", ["fn f() { x = ", "|a, b| ", "1", "", "; }"]),
    ("returns", ["fn f() { ", "return ", "1", "", "; }"]),
    ("reference types", ["type X = ", "&", "u8", "", ";"]),
    ("generics", ["type X = ", "A<", "u8", ">", ";"]),
    ("generics with commas", ["type X = ", "A<u8, ", "u8", ">", ";"]),
    ("function types", ["type X = ", "fn() -> ", "u8", "", ";"]),
    ("pointer types", ["type X = ", "*const ", "u8", "", ";"]),
    ("patterns", ["fn f() { let ", "&", "x", "", " = 1; }"]),
    ("or patterns", ["fn f() { match x { ", "1 | ", "1", "", " => 1 } }"]),
    ("modules", ["", "mod a { ", "", "} ", ""]),
    ("functions", ["", "fn a() { ", "", "} ", ""]),
    ("macro arguments", ["m!(", "(", "", ")", ");"]),
    ("metrics in metrics", ["fn f() { ", "metrics::counter!(\"a\", \"b\" => ", "1", ")", " }"]),
    ("imports", ["use ", "a::{", "b", "}", ";"]),
    ("attributes", ["", "#[a(", "", ")]", " fn f() {}"]),
    ("matches", ["fn f() { ", "match x { _ => ", "1", " }", " }"]),
    ("async", ["fn f() { x = ", "async move { ", "1", " }", " }"]),
    ("labels", ["fn f() { ", "'a: loop { ", "", " }", " }"]),
    ("ranges", ["fn f() { x = ", ".. ", "1", "", "; }"]),
    ("let chains", ["fn f() { if a", " && let A = b", "", "", " {} }"]),
    ("bounds", ["fn f() -> ", "impl A<", "u8", ">", " {}"]),
    ("qualified paths", ["type X = ", "<", "u8", " as A>::B", ";"]),
    ("strings", ["const X: &str = \";\"", " + \";\"", "", "", ";"]),
];

fn nested(way: [&str; 5], times: usize) -> String {
    let [first, open, middle, close, last] = way;
    [first, &open.repeat(times), middle, &close.repeat(times), last].concat()
}

#[test]
fn no_nesting_aborts_the_linter() {
    let sandbox = Sandbox::new();
    // Around the limit, whatever a repetition costs, and far beyond it.
    for times in [800, 1_100, 3_300, 4_900, 9_900, 60_000] {
        for (name, way) in WAYS {
            // Functions are parsed only in a file that has something to check.
            let source = format!("// counter!\n{}", nested(*way, times));
            sandbox.write(&format!("{times}/{}.rs", name.replace(' ', "_")), source);
        }
        let run = sandbox.lint(&["--format", "json", &times.to_string()]);
        assert!(run.code == 0 || run.code == 1, "{times} times: {}", run.stderr);
        let stray = |line: &&str| {
            ["nesting-too-deep", "parse-error", "disallowed-label", "file-too-large"]
                .iter()
                .all(|rule| !line.contains(rule))
        };
        assert_eq!(run.stdout.lines().find(stray), None, "{times} times");
        if times == 60_000 {
            let deep = run.stdout.lines().filter(|line| line.contains("nesting-too-deep")).count();
            assert!(deep >= WAYS.len() - 1, "{deep} of {}:\n{}", WAYS.len(), run.stdout);
        }
    }
}

#[test]
fn long_and_flat_is_not_deep() {
    let sandbox = Sandbox::new();
    let table: String = (0..30_000).map(|i| format!("    ({i}, 1 << 3, \"a\"),\n")).collect();
    let functions: String = (0..20_000).map(|i| format!("fn f{i}() {{ if a {{ b(); }} c = d; }}\n")).collect();
    sandbox.write("table.rs", format!("const T: &[(u32, u32, &str)] = &[\n{table}];\n{functions}"));
    let run = sandbox.lint(&["--deny-warnings", "table.rs"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
}

//! Any text as a source, a manifest, a lock file or settings: the linter reports, and does not panic or hang.

use std::fs;

/// Lints a tree of one package whose files the bytes spell; parts are separated by a byte that no text has.
pub fn linter(data: &[u8]) {
    let root = crate::scratch();
    let files = ["src/lib.rs", "src/other.rs", "Cargo.toml", ".cargo/config.toml", "Cargo.lock"];
    let Some((&kind, rest)) = data.split_first() else { return };
    let _ = fs::remove_dir_all(&root);
    for folder in ["src", ".cargo"] {
        fs::create_dir_all(root.join(folder)).expect("the folder for temporary files can be written");
    }
    let put = |file: &str, content: &[u8]| fs::write(root.join(file), content).expect("as above");
    put("Cargo.toml", b"[workspace]\n[package]\nname = \"a\"\n[dependencies]\nmetrics = \"0.24\"\n");
    if kind.is_multiple_of(4) {
        // The more interesting files first.
        for (file, part) in files
            .iter()
            .cycle()
            .skip(usize::from(kind / 4) % files.len())
            .zip(rest.split(|b| *b == 0xff))
            .take(files.len())
        {
            put(file, part);
        }
    } else {
        put("src/lib.rs", rest);
    }
    match label_lint::everything(&root) {
        Ok(formats) => {
            for (name, text) in formats {
                match name {
                    "json" => text.lines().for_each(|line| drop(json(line))),
                    "sarif" => drop(json(&text)),
                    _ => {}
                }
            }
        }
        Err(message) => {
            assert!(!message.contains("panicked"), "{message}");
            assert!(!message.is_empty());
        }
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

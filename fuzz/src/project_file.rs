//! Any bytes as a project file, and well-formed ones whose meaning is known.

use std::fs;

use arbitrary::{Result, Unstructured};
use compozy_monitoring::{Config, MonitoringService};

/// Reads a configuration from a file of any content.
pub fn project_file(data: &[u8]) {
    let _ = run(data);
}

fn run(data: &[u8]) -> Result<()> {
    let Some((&kind, rest)) = data.split_first() else { return Ok(()) };
    if kind % 2 == 0 {
        any(rest);
        return Ok(());
    }
    known(&mut Unstructured::new(rest))
}

fn read(content: &[u8]) -> std::result::Result<Config, compozy_monitoring::ConfigError> {
    let file = crate::scratch().with_extension("yaml");
    fs::write(&file, content).expect("the folder for temporary files can be written");
    let read = Config::from_project_file(&file);
    if let Err(error) = &read {
        crate::assert_readable(&error.to_string(), &file.display().to_string());
    }
    read
}

fn any(content: &[u8]) {
    let Ok(read) = read(content) else { return };
    crate::configuration::assert_servable(&read.path);
    assert_eq!(read.clone().enabled(false).path("/metrics"), Config::default(), "nothing else comes from a file");
    assert!(std::str::from_utf8(content).is_ok(), "a file that is not UTF-8 was read");
}

fn known(u: &mut Unstructured<'_>) -> Result<()> {
    let (mut content, mut expected) = (String::new(), Some(Config::default()));
    let path: &str = u.arbitrary()?;
    if u.arbitrary()? {
        content += "name: other\nlist: [1, {monitoring: 2}]\n";
    }
    content += "monitoring:\n";
    match u.int_in_range(0..=5)? {
        0 => content += "  enabled: true\n",
        1 => content += "  enabled: false\n",
        2 => content += "  # nothing\n",
        3 => content += "  enabled: ~\n",
        4 => content += "  enabled: 'true'\n",
        _ => content += "  enabled: yes\n",
    }
    if content.ends_with("enabled: true\n") {
        expected = expected.map(|config| config.enabled(true));
    } else if content.ends_with("'true'\n") || content.ends_with("yes\n") {
        expected = None;
    }
    match u.int_in_range(0..=3)? {
        0 => {}
        1 => content += "  path: null\n",
        2 => {
            content += "  surprise: 1\n";
            expected = None;
        }
        _ => {
            content += "  path: \"";
            for c in path.chars() {
                match c {
                    '"' | '\\' => content.extend(['\\', c]),
                    ' '..='~' => content.push(c),
                    _ => content += &format!("\\U{:08X}", u32::from(c)),
                }
            }
            content += "\"\n";
            let is_good = MonitoringService::new(Config::default().path(path)).is_ok();
            expected = expected.filter(|_| is_good).map(|config| config.path(path));
        }
    }
    match (read(content.as_bytes()), expected) {
        (Ok(read), Some(expected)) => assert_eq!(read, expected, "{content}"),
        (Err(_), None) => {}
        (read, expected) => panic!("{read:?}, but expected {expected:?}:\n{content}"),
    }
    Ok(())
}

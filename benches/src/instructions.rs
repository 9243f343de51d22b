//! Instructions, counted by callgrind: each side of a row in a process of its own, and only what its loop takes.

use std::{
    env,
    process::{Command, Stdio},
};

use crate::report::Row;

/// The argument that makes this program run one side of one row: its name, the side and how often follow.
pub(crate) const COUNT: &str = "--count";

/// A row that is to be counted.
#[derive(Debug)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) most: Option<f64>,
    pub(crate) times: usize,
}

/// Whether valgrind can be run here.
pub(crate) fn is_there() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Counts a row, so many times.
pub(crate) fn row(count: &Count, counts: usize) -> Result<Row, String> {
    let mut row = Row::exact(&count.name, &count.unit, count.most);
    for _ in 0..counts {
        // What is done once around the loop falls out.
        let side = |side: usize| {
            let once = run(&count.name, side, count.times)?;
            Ok::<f64, String>((run(&count.name, side, 2 * count.times)? - once) / count.times as f64)
        };
        if count.unit == "instructions" {
            let (with, without) = (side(0)?, side(1)?);
            row.add(with - without, [with, without], [0.0; 2]);
        } else {
            let (ours, peer) = (side(0)? - side(1)?, side(2)? - side(3)?);
            row.add(ours / peer, [ours, peer], [0.0; 2]);
        }
    }
    Ok(row)
}

fn run(row: &str, side: usize, times: usize) -> Result<f64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(this);
    command.args([COUNT, row, &side.to_string(), &times.to_string()]);
    callgrind(&["--toggle-collect=*compozy_monitoring_benches*collected*"], &command)
}

/// The instructions that a program takes from start to end.
///
/// # Errors
/// No valgrind, or a program that does not end well.
pub fn count_process(command: &Command) -> Result<f64, String> {
    callgrind(&[], command)
}

fn callgrind(options: &[&str], command: &Command) -> Result<f64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(options)
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.filter(|_| output.status.success()).ok_or_else(|| format!("callgrind counted nothing:\n{said}"))
}

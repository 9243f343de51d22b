//! `label-lint PATH...`

use std::process::ExitCode;

fn main() -> ExitCode {
    label_lint::main(std::env::args_os())
}

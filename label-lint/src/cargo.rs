//! `cargo label-lint PATH...`: Cargo passes the word `label-lint` on as the first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().enumerate().filter(|(at, word)| *at != 1 || word != "label-lint");
    label_lint::main(arguments.map(|(_, word)| word))
}

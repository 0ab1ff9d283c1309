//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    beltline::cli::app::main()
}

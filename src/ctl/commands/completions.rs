//! `completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Args;
use crate::failure::Failure;
use crate::out::Out;

pub(crate) fn run(shell: Shell, out: &mut Out) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tetherctl", &mut script);
    out.text(&String::from_utf8_lossy(&script))
}

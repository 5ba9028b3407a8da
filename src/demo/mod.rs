//! Everything at once, in time lapse, against the simulator.

use crate::config::args::DemoArgs;
use crate::exit::ExitCode;

/// Runs the demonstration.
pub async fn run(_args: DemoArgs) -> ExitCode {
    ExitCode::Software
}

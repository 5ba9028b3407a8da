//! The daemon.

fn main() -> std::process::ExitCode {
    tetherd::daemon::process::main()
}

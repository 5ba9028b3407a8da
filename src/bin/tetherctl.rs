//! The command line of the daemon. All of it is in `tetherd::ctl`.

fn main() -> std::process::ExitCode {
    tetherd::ctl::main()
}

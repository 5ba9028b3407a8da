//! The command line of the daemon. All of it is in the crate `tetherctl`.

fn main() -> std::process::ExitCode {
    tetherctl::main()
}

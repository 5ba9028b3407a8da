//! The HTTP front of tetherd.

fn main() -> std::process::ExitCode {
    tether_web::process::main()
}

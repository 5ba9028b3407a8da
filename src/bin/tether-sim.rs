//! The simulator of the WhatsApp Web server, the phone and the recipients.

fn main() -> std::process::ExitCode {
    tether_sim::cli::main()
}

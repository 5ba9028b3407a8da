//! Measures the real programs, with the simulator as the server: `measure WHAT`, after
//! `cargo build --release --features sim --bins --example measure`. Prints tables; asserts no
//! times. Each figure comes with its limit, measured in the same run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a measurement ends by panicking, waits, and reads the clock"
)]

mod enqueue;
mod fleet;
mod growth;
mod idle;
mod lab;
mod load;
mod procfs;
mod rpc;
mod sending;
mod start;
mod svg;
mod table;

use std::path::Path;

const USAGE: &str = "measure enqueue | idle | start | sending COUNT [FOLDER] | \
                     growth COUNT [FOLDER] | fleet COUNT";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((what, rest)) = arguments.split_first() else { panic!("{USAGE}") };
    let count = |usual| rest.first().map_or(usual, |count| count.parse().unwrap());
    let pictures = rest.get(1).map(Path::new);
    match what.as_str() {
        "client" => load::client(rest),
        "enqueue" => enqueue::run(),
        "idle" => idle::run(),
        "start" => start::run(),
        "sending" => sending::run(count(5_000), pictures),
        "growth" => growth::run(count(10_000), pictures),
        "fleet" => fleet::run(count(200)),
        _ => panic!("{USAGE}"),
    }
}

//! The commands that the README shows exist.

use clap::Parser as _;
use tetherctl::cli::Args;

use super::words;

#[test]
fn every_command_in_the_readme_is_one() {
    let mut commands = 0;
    for line in include_str!("../../README.md").lines() {
        let blocks = line
            .split(['|', ';'])
            .map(|part| part.trim().trim_start_matches("./target/release/").to_owned());
        for part in blocks.filter(|part| part.starts_with("tetherctl ")) {
            if line.starts_with('|') || part.contains("COMMAND") || part.contains('`') {
                continue;
            }
            Args::try_parse_from(words(&part)).unwrap();
            commands += 1;
        }
    }
    assert!(commands >= 14, "{commands}");
}

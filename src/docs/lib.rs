//! The man pages, and the comments behind the configuration's keys: made from the definitions,
//! committed in contrib/, and compared with what is committed. Says nothing of its own that a
//! definition says already. All of it is tests: it is built and shipped with nothing.
//!
//! Everything is written anew by `UPDATE_EXPECT=1 cargo test -p tetherd-docs`.
//!
//! - `man`: Markdown -> roff; clap's definitions -> roff, by clap's generator.
//! - `commands`: the definitions of both programs. `completions`: they load in bash.
//! - `keys`: the key table -> contrib/tetherd.toml, and -> Markdown.
//! - `contract`: the contract's types -> the OpenRPC document -> Markdown.
//! - `pages`: what the pages consist of; *.md here: what no definition says.

#![cfg(test)]

mod commands;
mod completions;
mod contract;
mod keys;
mod man;
mod packaging;
mod pages;
mod readme;

/// The words of a line of a shell script, without its comment.
pub(crate) fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap();
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

//! A page: text with a few marks of Markdown, set in roff.
//!
//! `# X` and `## X` are headings; `- x` is an item; lines that begin with `: ` say what
//! the lines before them name; lines that begin with four spaces are shown as they are;
//! an empty line ends a paragraph. `x` between backticks is bold. `@x` on a line of its
//! own is where something made from the code is put in.

use roff::{Inline, Roff, bold, roman};

/// How the pages are called together.
const MANUAL: &str = "tetherd manual";

/// The page of this name, made of this text. `part` makes what `@name` stands for.
pub(crate) fn page(name: &str, text: &str, part: impl Fn(&str, &mut Roff)) -> String {
    let (title, section) = name.rsplit_once('.').unwrap();
    let mut roff = Roff::new();
    // No date: the page is the same whenever it is made.
    let source = concat!("tetherd ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [&title.to_uppercase(), section, "\"\"", source, MANUAL]);
    // Words are not cut, lines are not stretched: names stay findable.
    roff.control("nh", []).control("ad", ["l"]);
    set(&mut roff, text, &part);
    let note = format!(".\\\" Made from the code: src/docs says how. {name}\n");
    note + &without_empty_paragraphs(&roff.render())
}

/// A paragraph begins with a heading; beginning one after it is an error in the NAME that
/// whatis(1) reads.
fn without_empty_paragraphs(roff: &str) -> String {
    let mut made = String::new();
    let mut below_heading = false;
    for line in roff.lines() {
        if !(below_heading && line == ".PP") {
            made.push_str(line);
            made.push('\n');
        }
        below_heading = line.starts_with(".SH ") || line.starts_with(".SS ");
    }
    made
}

/// Sets text in roff.
pub(super) fn set(roff: &mut Roff, text: &str, part: &dyn Fn(&str, &mut Roff)) {
    for block in blocks(text) {
        let first = block[0];
        if let Some(heading) = first.strip_prefix("# ") {
            roff.control("SH", [heading]);
        } else if let Some(heading) = first.strip_prefix("## ") {
            roff.control("SS", [heading]);
        } else if let Some(name) = first.strip_prefix('@') {
            part(name, roff);
        } else if first.starts_with("    ") {
            shown(roff, &block);
        } else if first.starts_with("- ") {
            items(roff, &block);
        } else if let Some(at) = block.iter().position(|line| line.starts_with(": ")) {
            term(roff, &block[..at]);
            let said: Vec<&str> = block[at..].iter().map(|line| line[2..].trim()).collect();
            sentences(roff, &said.join(" "));
        } else {
            roff.control("PP", []);
            sentences(roff, &block.join(" "));
        }
    }
}

/// What stands between empty lines; a heading or a part is a block of its own.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        let alone = line.starts_with(['#', '@']);
        if line.is_empty() || alone {
            blocks.push(Vec::new());
        }
        if !line.is_empty() {
            blocks.last_mut().unwrap().push(line);
        }
        if alone {
            blocks.push(Vec::new());
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Lines as they are, indented.
fn shown(roff: &mut Roff, lines: &[&str]) {
    roff.control("PP", []).control("RS", ["4"]).control("nf", []);
    for line in lines {
        roff.text([roman(&line[4..])]);
    }
    roff.control("fi", []).control("RE", []);
}

fn items(roff: &mut Roff, lines: &[&str]) {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match line.strip_prefix("- ") {
            Some(text) => texts.push(text.to_owned()),
            None => {
                let text = texts.last_mut().unwrap();
                text.push(' ');
                text.push_str(line.trim_start());
            }
        }
    }
    for text in texts {
        roff.control("IP", ["\\(bu", "2"]);
        sentences(roff, &text);
    }
}

/// One or more names of what is explained after them.
pub(super) fn term(roff: &mut Roff, names: &[impl AsRef<str>]) {
    for (at, name) in names.iter().enumerate() {
        roff.control(if at == 0 { "TP" } else { "TQ" }, []);
        roff.text(inlines(name.as_ref()));
    }
}

/// A paragraph, a line for each sentence: roff spaces them alike then.
pub(super) fn sentences(roff: &mut Roff, text: &str) {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.match_indices(". ").map(|(at, _)| at + 1).find(|at| begins(&rest[*at..]));
        let (sentence, tail) = rest.split_at(end.unwrap_or(rest.len()));
        roff.text(inlines(sentence));
        rest = tail.trim_start();
    }
}

/// Whether a sentence begins here, rather than that an abbreviation has ended.
fn begins(text: &str) -> bool {
    !text.trim_start().starts_with(|c: char| c.is_ascii_lowercase())
}

/// A line, with what is between backticks in bold.
pub(super) fn inlines(text: &str) -> Vec<Inline> {
    assert!(text.matches('`').count().is_multiple_of(2), "a backtick is alone: {text}");
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

#[test]
fn marks_become_roff_and_nothing_else_does() {
    let text = "# ONE\nFirst. Second `--x`,\nand more.\n\n`a`\n`b`\n: What\n  they are.\n\n\
                - item\n  goes on\n- next\n\n    .shown 'as is'\n@part\n";
    let mut roff = Roff::new();
    set(&mut roff, text, &|name, roff| {
        roff.text([roman(format!("<{name}>"))]);
    });
    let set = roff.to_roff();
    assert_eq!(
        set,
        ".SH ONE\n.PP\nFirst.\nSecond \\fB\\-\\-x\\fR, and more.\n.TP\n\\fBa\\fR\n.TQ\n\\fBb\\fR\n\
         What they are.\n.IP \\(bu 2\nitem goes on\n.IP \\(bu 2\nnext\n.PP\n.RS 4\n.nf\n\
         \\&.shown 'as is'\n.fi\n.RE\n<part>\n"
    );
}

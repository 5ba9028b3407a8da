//! The page's source, line by line: plain text with backticks in, roff out.

use roff::{Inline, Roff, bold, roman};

pub(super) struct Sheet {
    roff: Roff,
    /// Nothing stands below the heading yet.
    fresh: bool,
}

impl Sheet {
    pub(super) fn new() -> Sheet {
        Sheet { roff: Roff::new(), fresh: true }
    }

    pub(super) fn title(&mut self, name: &str, section: &str, source: &str) {
        // Words stay whole: names are to be found by searching.
        self.roff.control("nr", ["HY", "0"]);
        // No date: the source is the same on every day.
        self.roff.control("TH", [name, section, "\"\"", source, "tetherd"]);
        self.roff.control("ad", ["l"]).control("nh", []);
    }

    pub(super) fn section(&mut self, heading: &str) {
        self.roff.control("SH", [heading]);
        self.fresh = true;
    }

    pub(super) fn subsection(&mut self, heading: &str) {
        self.roff.control("SS", [heading]);
        self.fresh = true;
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        if !self.fresh {
            self.roff.control("PP", []);
        }
        self.fresh = false;
        self.roff.text(inlines(text));
    }

    /// Paragraphs, headings (`## `) and lists (`- `).
    pub(super) fn prose(&mut self, text: &str) {
        for block in text.split("\n\n") {
            if let Some(heading) = block.strip_prefix("## ") {
                self.subsection(heading);
                continue;
            }
            for line in block.lines() {
                match line.strip_prefix("- ") {
                    Some(item) => {
                        self.roff.control("IP", ["\\(bu", "2"]).text(inlines(item));
                        self.fresh = false;
                    }
                    None => self.paragraph(line),
                }
            }
        }
    }

    /// A name, what goes with it in brackets, and what is said of it.
    pub(super) fn entry(&mut self, name: &str, aside: &str, about: &str) {
        self.roff.control("TP", []);
        let mut title = vec![bold(name)];
        if !aside.is_empty() {
            title.push(roman(format!(" ({aside})")));
        }
        self.roff.text(title);
        for (n, paragraph) in about.split("\n\n").enumerate() {
            if n > 0 {
                self.roff.control("IP", []);
            }
            self.roff.text(inlines(&paragraph.replace('\n', " ")));
        }
        self.fresh = false;
    }

    /// Lines as they are.
    pub(super) fn code(&mut self, text: &str) {
        self.roff.control("PP", []).control("RS", ["2"]).control("EX", []);
        for line in text.lines() {
            self.roff.text([roman(line)]);
        }
        self.roff.control("EE", []).control("RE", []);
        self.fresh = false;
    }

    pub(super) fn render(&self) -> String {
        self.roff.render()
    }
}

/// What stands in backticks is bold.
fn inlines(text: &str) -> Vec<Inline> {
    assert!(text.matches('`').count().is_multiple_of(2), "a backtick is alone: {text}");
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(n, part)| if n % 2 == 0 { roman(part) } else { bold(part) }).collect()
}

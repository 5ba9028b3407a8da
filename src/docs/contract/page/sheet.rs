//! The page as it grows, in the marks that the manual's pages are written in.

use crate::page;

/// Shown after an indentation that the marks know.
const AS_IT_IS: &str = "    ";

#[derive(Default)]
pub(super) struct Sheet(String);

impl Sheet {
    pub(super) fn section(&mut self, heading: &str) {
        self.block(&format!("# {heading}"));
    }

    pub(super) fn subsection(&mut self, heading: &str) {
        self.block(&format!("## {heading}"));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.block(&text.replace('\n', " "));
    }

    /// Paragraphs, one a line, headings (`## `) and lists (`- `).
    pub(super) fn prose(&mut self, text: &str) {
        for block in text.split("\n\n") {
            if block.starts_with("- ") || block.starts_with("## ") {
                self.block(block);
            } else {
                block.lines().for_each(|line| self.paragraph(line));
            }
        }
    }

    /// A name, what goes with it in brackets, and what is said of it.
    pub(super) fn entry(&mut self, name: &str, aside: &str, about: &str) {
        let aside = if aside.is_empty() { String::new() } else { format!(" ({aside})") };
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        self.block(&format!("`{name}`{aside}\n: {about}"));
    }

    /// Lines as they are.
    pub(super) fn code(&mut self, text: &str) {
        let lines: Vec<String> = text.lines().map(|line| format!("{AS_IT_IS}{line}")).collect();
        self.block(&lines.join("\n"));
    }

    fn block(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\n\n");
    }

    /// The source of the page of this name.
    pub(super) fn render(&self, name: &str) -> String {
        page::page(name, &self.0, |part, _| panic!("nothing is called {part}"))
    }
}

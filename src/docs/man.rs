//! Man pages: Markdown, and clap's definitions by clap's own generator, as roff. Owns no text.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what Markdown has and the pages do not use ends the test"
)]

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// What all pages belong to.
const MANUAL: &str = "tetherd manual";
/// Lines before what the crate `roff` renders: how an apostrophe is written.
const PREAMBLE_LINES: usize = 2;

/// A page from its Markdown. `made` is the roff for a comment such as `<!-- options -->`.
pub(crate) fn page(name: &str, text: &str, made: impl Fn(&str) -> String) -> String {
    let (title, section) = name.rsplit_once('.').unwrap();
    let mut head = Roff::new();
    // No date: the page is the same whenever it is made.
    let source = concat!("tetherd ", env!("CARGO_PKG_VERSION"));
    head.control("TH", [&title.to_uppercase(), section, "\"\"", source, MANUAL]);
    // No hyphenation, no justified lines, one space between sentences: names can be searched for.
    head.control("nh", []).control("ad", ["l"]).control("ss", ["12", "0"]);
    let head = head.render();
    format!(".\\\" Made from the code: see src/docs. {name}\n{head}{}", markdown(text, made))
}

/// Markdown as roff, without a page's head.
pub(crate) fn markdown(text: &str, made: impl Fn(&str) -> String) -> String {
    let mut setter = Setter::default();
    for event in Parser::new_ext(text, Options::ENABLE_DEFINITION_LIST) {
        match event {
            Event::Html(comment) => {
                let name = comment.trim().trim_start_matches("<!--").trim_end_matches("-->");
                let part = made(name.trim());
                setter.put(part);
            }
            event => setter.set(event),
        }
    }
    setter.end()
}

#[derive(Default)]
struct Setter {
    done: String,
    roff: Roff,
    line: Vec<Inline>,
    /// A heading, a term or a bullet stands right before: no paragraph begins.
    begun: bool,
    /// In a list's item or a term's definition, whose paragraphs hang.
    hanging: bool,
    /// Several terms, a line each, may have one definition.
    term: bool,
    code: bool,
    /// The number of the next item, in a numbered list.
    number: Option<u64>,
}

impl Setter {
    fn set(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) if self.code => {
                text.lines().for_each(|line| _ = self.roff.text([roman(line)]));
            }
            Event::Text(text) => self.line.push(roman(&*text)),
            Event::Code(text) => self.line.push(bold(&*text)),
            Event::SoftBreak => {
                self.flush();
                if self.term {
                    self.control("TQ", &[]);
                }
            }
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.finish(tag),
            other => panic!("the pages have no use for {other:?}"),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.begun => {}
            Tag::Paragraph if self.hanging => self.control("IP", &[]),
            Tag::Paragraph => self.control("PP", &[]),
            Tag::CodeBlock(_) => {
                if !self.begun {
                    self.control("PP", &[]);
                }
                self.control("RS", &["4"]);
                self.control("nf", &[]);
                self.code = true;
            }
            Tag::List(first) => self.number = first,
            Tag::Item => {
                let label = self.number.map_or("\\(bu".into(), |number| format!("{number}."));
                let width = if self.number.is_some() { "3" } else { "2" };
                self.number = self.number.map(|number| number + 1);
                self.control("IP", &[&label, width]);
                self.hang();
            }
            Tag::DefinitionListTitle => {
                self.control("TP", &[]);
                self.term = true;
            }
            Tag::DefinitionListDefinition => self.hang(),
            Tag::Heading { .. } | Tag::HtmlBlock | Tag::DefinitionList => {}
            other => panic!("the pages have no use for {other:?}"),
        }
    }

    fn finish(&mut self, tag: TagEnd) {
        if let TagEnd::Heading(level) = tag {
            let heading: String = self.line.drain(..).map(text_of).collect();
            let name = if level == HeadingLevel::H1 { "SH" } else { "SS" };
            self.control(name, &[&heading]);
            self.begun = true;
        }
        self.flush();
        match tag {
            TagEnd::CodeBlock => {
                self.control("fi", &[]);
                self.control("RE", &[]);
                self.code = false;
            }
            TagEnd::Paragraph => self.begun = false,
            TagEnd::DefinitionListTitle => self.term = false,
            TagEnd::Item | TagEnd::DefinitionListDefinition => {
                (self.hanging, self.begun) = (false, false);
            }
            _ => {}
        }
    }

    fn hang(&mut self) {
        (self.hanging, self.begun) = (true, true);
    }

    fn control(&mut self, name: &str, arguments: &[&str]) {
        self.roff.control(name, arguments.iter().copied());
        self.begun = false;
    }

    /// Ends a line of text.
    fn flush(&mut self) {
        if !self.line.is_empty() {
            self.roff.text(std::mem::take(&mut self.line));
        }
    }

    /// Puts roff that was made elsewhere here.
    fn put(&mut self, made: String) {
        self.done.push_str(&source(&std::mem::take(&mut self.roff)));
        self.done.push_str(&made);
        self.begun = false;
    }

    fn end(mut self) -> String {
        self.put(String::new());
        self.done
    }
}

fn text_of(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".into(),
    }
}

fn source(roff: &Roff) -> String {
    without_preamble(&roff.render())
}

fn without_preamble(roff: &str) -> String {
    roff.split_inclusive('\n').skip(PREAMBLE_LINES).collect()
}

/// Which parts of a command's page are wanted of clap's generator.
type Section = fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>;

/// NAME and SYNOPSIS of a program.
pub(crate) fn name_and_synopsis(program: &Command) -> String {
    section(program, Man::render_name_section) + &section(program, Man::render_synopsis_section)
}

/// The sections with a command's options.
pub(crate) fn options(command: &Command) -> String {
    section(command, Man::render_options_section)
}

/// Each command and its own commands, below a heading of its own. The options that `elsewhere`
/// holds of are in another section.
pub(crate) fn commands(program: &Command, elsewhere: &dyn Fn(&clap::Arg) -> bool) -> String {
    let mut made = String::new();
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    for command in program.get_subcommands().filter(shown) {
        let own = command.clone().mut_args(|arg| {
            let hidden = arg.is_global_set() || matches!(arg.get_id().as_str(), "help");
            arg.hide(hidden)
        });
        let described = own.clone().mut_args(|arg| {
            let hidden = arg.is_hide_set() || elsewhere(&arg);
            arg.hide(hidden)
        });
        made.push_str(&format!(".SS {}\n", command.get_bin_name().unwrap_or_default()));
        made.push_str(&without_heading(&section(&own, Man::render_synopsis_section)));
        made.push_str(".PP\n");
        made.push_str(&without_heading(&section(&described, Man::render_description_section)));
        made.push_str(&without_heading(&options(&described)));
        made.push_str(&commands(&own, elsewhere));
    }
    made
}

fn section(command: &Command, render: Section) -> String {
    let mut made = Vec::new();
    render(&Man::new(command.clone()), &mut made).unwrap();
    let made = without_preamble(&String::from_utf8(made).unwrap());
    // Help has paragraphs and marks names with backticks, which clap leaves as they are.
    let parts = made.split('`').enumerate();
    let parts: String = parts.map(|(at, part)| marked(at, part)).collect();
    parts.replace("\n\n", "\n.IP\n")
}

fn marked(at: usize, part: &str) -> String {
    if at % 2 == 1 { format!("\\fB{part}\\fR") } else { part.to_owned() }
}

/// What stands below a section's heading.
pub(crate) fn without_heading(section: &str) -> String {
    section.split_inclusive('\n').filter(|line| !line.starts_with(".SH ")).collect()
}

#[test]
fn markdown_becomes_roff() {
    let text = "# ONE\nFirst `--x`,\nand more.\n\nSecond.\n\n`a`\n`b`\n: What\n  they are.\n\n  More.\n\n\
                - item\n  goes on\n- next\n\nLast.\n\n```\n.shown 'as is'\n\nand `this`\n```\n<!-- part -->\n";
    assert_eq!(
        markdown(text, |name| format!("<{name}>\n")),
        ".SH ONE\nFirst \\fB\\-\\-x\\fR,\nand more.\n.PP\nSecond.\n.TP\n\\fBa\\fR\n.TQ\n\\fBb\\fR\n\
         What\nthey are.\n.IP\nMore.\n.IP \\(bu 2\nitem\ngoes on\n.IP \\(bu 2\nnext\n.PP\nLast.\n.PP\n.RS 4\n.nf\n\
         \\&.shown \\*(Aqas is\\*(Aq\n\nand `this`\n.fi\n.RE\n<part>\n"
    );
}

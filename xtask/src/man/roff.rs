//! Writes the blocks of a page as roff.
//!
//! In scope: macros of man(7) that groff and mandoc render alike, in ASCII. Out of scope: what the
//! sections say.

use std::fmt::Write as _;

use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::markdown::Block;

/// Renders an apostrophe as typed, whichever program shows the page. The roff crate puts these lines
/// before everything it renders, but a page needs them only once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// A page in the making.
pub struct RoffWriter {
    /// What is finished, without the preamble.
    text: String,
    roff: Roff,
    /// Whether the next paragraph is the first of its section.
    is_first: bool,
}

impl RoffWriter {
    /// Begins a page with sections that `clap_mangen` rendered.
    pub fn new(head: &str) -> Self {
        let mut writer = Self {
            text: String::new(),
            roff: Roff::new(),
            is_first: true,
        };
        writer.sections(head);
        writer
    }

    /// Adds sections that are roff already.
    pub fn sections(&mut self, text: &str) {
        self.flush();
        self.text.push_str(text);
    }

    fn flush(&mut self) {
        let roff = std::mem::take(&mut self.roff);
        self.text.push_str(without_preamble(&roff.render()));
    }

    /// The whole page.
    pub fn finish(mut self) -> String {
        self.flush();
        PREAMBLE.to_owned() + &portable(&self.text)
    }

    /// Adds a block of a page in `docs/man`.
    pub fn block(&mut self, block: &Block) {
        match block {
            Block::Section(title) => self.heading("SH", &title.to_uppercase()),
            Block::Subsection(title) => self.heading("SS", title),
            Block::Paragraph(inlines) => {
                if !self.is_first {
                    self.roff.control("PP", []);
                }
                self.roff.text(inlines.clone());
                self.is_first = false;
            }
            Block::Item(inlines) => {
                self.roff
                    .control("IP", ["\\(bu", "2"])
                    .text(inlines.clone());
                self.is_first = false;
            }
            Block::Definition(term, paragraphs) => {
                self.definition(term.clone(), paragraphs.iter().cloned());
            }
            Block::Code { lines, .. } => self.code(lines),
            Block::ExitCodes(exits) => {
                for exit in exits {
                    let code = vec![bold(exit.code().to_string())];
                    self.definition(code, [vec![roman(exit.meaning())]]);
                }
            }
            Block::Options => {}
        }
    }

    fn heading(&mut self, control: &str, title: &str) {
        self.roff.control(control, [title]);
        self.is_first = true;
    }

    fn definition(&mut self, term: Vec<Inline>, paragraphs: impl IntoIterator<Item = Vec<Inline>>) {
        let term = term.into_iter().map(|inline| match inline {
            Inline::Roman(text) => bold(text),
            other => other,
        });
        self.roff
            .control("TP", [])
            .text(term.collect::<Vec<Inline>>());
        for (position, paragraph) in paragraphs.into_iter().enumerate() {
            if position > 0 {
                self.roff.control("IP", []);
            }
            self.roff.text(paragraph);
        }
        self.is_first = false;
    }

    fn code(&mut self, lines: &[String]) {
        self.roff
            .control("PP", [])
            .control("RS", ["4"])
            .control("nf", []);
        for line in lines {
            self.roff.text([roman(line)]);
        }
        self.roff.control("fi", []).control("RE", []);
        self.is_first = false;
    }
}

/// The roff without the lines that a page needs only once.
pub fn without_preamble(text: &str) -> &str {
    text.strip_prefix(PREAMBLE).unwrap_or(text)
}

/// Replaces what roff implementations render differently: blank lines and letters that are not ASCII.
fn portable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if line.is_empty() {
            out.push_str(".sp");
        }
        for letter in line.trim_end().chars() {
            match letter {
                '…' => out.push_str("..."),
                letter if letter.is_ascii() => out.push(letter),
                letter => {
                    let _ = write!(out, "\\[u{:04X}]", u32::from(letter));
                }
            }
        }
        out.push('\n');
    }
    out
}

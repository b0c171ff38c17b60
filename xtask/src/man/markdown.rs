//! The subset of Markdown that the man pages use.
//!
//! In scope: headings, paragraphs, bullet lists, definition lists, fenced code blocks, emphasis, code,
//! links to other pages, and the two comments that [`super`] describes. Out of scope: everything else is
//! an error, so that nothing is lost on the way to roff.

use std::iter::Peekable;
use std::ops::Range;

use clap_mangen::roff::{Inline, bold, italic, roman};
use etcdwatch::exit::Exit;
use pulldown_cmark::{
    CodeBlockKind, Event, HeadingLevel, OffsetIter, Options, Parser, Tag, TagEnd,
};

use crate::error::Error;

/// The widest line of a code block: 80 columns, less the 11 by which `man` indents it.
const CODE_WIDTH: usize = 80 - 11;

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// `## Heading`.
    Section(String),
    /// `### Heading`.
    Subsection(String),
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// An item of a bullet list.
    Item(Vec<Inline>),
    /// A term of a definition list, and the paragraphs of its definition.
    Definition(Vec<Inline>, Vec<Vec<Inline>>),
    /// A fenced code block.
    Code {
        /// The word after the fence. Command lines have `sh`.
        language: String,
        /// The lines, unchanged.
        lines: Vec<String>,
    },
    /// `<!-- options -->`.
    Options,
    /// `<!-- exit-codes … -->`.
    ExitCodes(Vec<Exit>),
}

/// Parses the page `name`. It may link to the pages `known`.
///
/// # Errors
/// If the page has something that is out of scope, a code block is too wide, a link leads nowhere, or
/// the title or `<!-- options -->` is missing.
pub fn parse(name: &str, text: &str, known: &[String]) -> Result<Vec<Block>, Error> {
    let options = Options::ENABLE_DEFINITION_LIST;
    let mut reader = Reader {
        name,
        text,
        known,
        events: Parser::new_ext(text, options).into_offset_iter().peekable(),
    };
    reader.title()?;
    let mut blocks = Vec::new();
    while let Some((event, range)) = reader.events.next() {
        blocks.extend(reader.block(event, &range)?);
    }
    if !blocks.contains(&Block::Options) {
        return Err(reader.error(&(0..0), "the page has no <!-- options -->"));
    }
    Ok(blocks)
}

struct Reader<'t> {
    name: &'t str,
    text: &'t str,
    known: &'t [String],
    events: Peekable<OffsetIter<'t>>,
}

impl Reader<'_> {
    fn error(&self, range: &Range<usize>, problem: impl Into<String>) -> Error {
        let before = self.text.get(..range.start).unwrap_or_default();
        Error::Page {
            page: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            problem: problem.into(),
        }
    }

    /// Reads `# NAME(1)`.
    fn title(&mut self) -> Result<(), Error> {
        let expected = format!("{}(1)", self.name);
        let first = self.events.next().map(|(event, _)| event);
        let is_title = matches!(
            first,
            Some(Event::Start(Tag::Heading {
                level: HeadingLevel::H1,
                ..
            }))
        );
        if is_title && plain(&self.inlines()?) == expected {
            self.events.next();
            return Ok(());
        }
        Err(self.error(&(0..0), format!("the page must begin with '# {expected}'")))
    }

    /// Reads the block that begins with `event`. There is none between the items of a list and its borders.
    fn block(&mut self, event: Event<'_>, range: &Range<usize>) -> Result<Option<Block>, Error> {
        let block = match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let text = plain(&self.inlines()?);
                match level {
                    HeadingLevel::H2 => Block::Section(text),
                    HeadingLevel::H3 => Block::Subsection(text),
                    _ => return Err(self.error(range, "this level of heading is not supported")),
                }
            }
            Event::Start(Tag::Paragraph) => Block::Paragraph(self.inlines()?),
            Event::Start(Tag::Item) => Block::Item(self.inlines()?),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                self.code(language.to_string(), range)?
            }
            Event::Start(Tag::DefinitionListTitle) => return self.definition(range).map(Some),
            Event::Start(Tag::HtmlBlock) => self.comment(range)?,
            Event::Start(Tag::DefinitionList | Tag::List(None))
            | Event::End(TagEnd::DefinitionList | TagEnd::List(false)) => return Ok(None),
            other => return Err(self.error(range, format!("not supported: {other:?}"))),
        };
        self.end(range)?;
        Ok(Some(block))
    }

    /// Reads the end of the present block.
    fn end(&mut self, range: &Range<usize>) -> Result<(), Error> {
        match self.events.next() {
            Some((Event::End(_), _)) => Ok(()),
            Some((other, range)) => Err(self.error(&range, format!("not supported: {other:?}"))),
            None => Err(self.error(range, "the block does not end")),
        }
    }

    fn definition(&mut self, range: &Range<usize>) -> Result<Block, Error> {
        let term = self.inlines()?;
        self.end(range)?;
        match self.events.next() {
            Some((Event::Start(Tag::DefinitionListDefinition), _)) => {}
            _ => return Err(self.error(range, "the term has no definition")),
        }
        let mut paragraphs = Vec::new();
        loop {
            match self.events.peek() {
                Some((Event::End(TagEnd::DefinitionListDefinition), _)) => break,
                // The only paragraph of a definition comes without its borders.
                Some((Event::Start(Tag::Paragraph), _)) => {
                    self.events.next();
                    paragraphs.push(self.inlines()?);
                    self.end(range)?;
                }
                _ if paragraphs.is_empty() => paragraphs.push(self.inlines()?),
                _ => return Err(self.error(range, "a definition may only have paragraphs")),
            }
        }
        self.end(range)?;
        Ok(Block::Definition(term, paragraphs))
    }

    fn code(&mut self, language: String, range: &Range<usize>) -> Result<Block, Error> {
        let lines: Vec<String> = self.raw().lines().map(str::to_owned).collect();
        if let Some(wide) = lines.iter().find(|line| line.chars().count() > CODE_WIDTH) {
            let problem = format!("wider than {CODE_WIDTH} columns: {wide}");
            return Err(self.error(range, problem));
        }
        Ok(Block::Code { language, lines })
    }

    fn comment(&mut self, range: &Range<usize>) -> Result<Block, Error> {
        let html = self.raw();
        let comment = html.trim().strip_prefix("<!--");
        let comment = comment
            .and_then(|text| text.strip_suffix("-->"))
            .unwrap_or_default();
        let mut words = comment.split_whitespace();
        match words.next() {
            Some("options") => Ok(Block::Options),
            Some("exit-codes") => {
                let codes = words.map(|word| {
                    let known = |exit: &Exit| exit.code().to_string() == word;
                    let exit = Exit::ALL.into_iter().find(known);
                    exit.ok_or_else(|| self.error(range, format!("{word} is not an exit code")))
                });
                let codes = codes.collect::<Result<Vec<Exit>, Error>>()?;
                let is_all = codes.is_empty();
                Ok(Block::ExitCodes(if is_all {
                    Exit::ALL.to_vec()
                } else {
                    codes
                }))
            }
            _ => Err(self.error(range, format!("not supported: {}", html.trim()))),
        }
    }

    /// Reads the text of a code block or of HTML.
    fn raw(&mut self) -> String {
        let mut raw = String::new();
        while let Some((event, _)) = self
            .events
            .next_if(|(event, _)| matches!(event, Event::Text(_) | Event::Html(_)))
        {
            if let Event::Text(text) | Event::Html(text) = event {
                raw.push_str(&text);
            }
        }
        raw
    }

    /// Reads text up to the first event that is not part of a line.
    fn inlines(&mut self) -> Result<Vec<Inline>, Error> {
        let mut inlines = Vec::new();
        let mut style: fn(String) -> Inline = roman;
        while let Some((event, range)) = self.events.next_if(|(event, _)| is_inline(event)) {
            match event {
                Event::Text(text) => inlines.push(style(text.into_string())),
                Event::Code(text) => inlines.push(bold(text.into_string())),
                Event::SoftBreak => inlines.push(roman(" ")),
                Event::Start(Tag::Emphasis) => style = italic,
                Event::Start(Tag::Strong) => style = bold,
                Event::Start(Tag::Link { dest_url, .. }) => {
                    inlines.extend(self.link(&dest_url, &range)?);
                }
                _ => style = roman,
            }
        }
        Ok(inlines)
    }

    /// Reads `[NAME(1)](NAME.md)`.
    fn link(&mut self, target: &str, range: &Range<usize>) -> Result<[Inline; 2], Error> {
        let text = self.raw();
        self.end(range)?;
        let name = target.strip_suffix(".md").unwrap_or_default();
        if !self.known.iter().any(|known| known == name) {
            return Err(self.error(range, format!("{target} is not a page")));
        }
        if text != format!("{name}(1)") {
            return Err(self.error(range, format!("the text of this link must be {name}(1)")));
        }
        Ok([bold(name), roman("(1)")])
    }
}

fn is_inline(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Text(_)
            | Event::Code(_)
            | Event::SoftBreak
            | Event::Start(Tag::Emphasis | Tag::Strong | Tag::Link { .. })
            | Event::End(TagEnd::Emphasis | TagEnd::Strong)
    )
}

/// The text alone.
pub fn plain(inlines: &[Inline]) -> String {
    let text = |inline: &Inline| match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.clone(),
        Inline::LineBreak => String::new(),
    };
    inlines.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: &str = "# x(1)\n\n<!-- options -->\n\n";

    fn parsed(text: &str) -> Result<Vec<Block>, String> {
        let text = format!("{TITLE}{text}");
        let blocks = parse("x", &text, &["y".to_owned()]).map_err(|error| error.to_string())?;
        Ok(blocks.into_iter().skip(1).collect())
    }

    #[test]
    fn the_supported_subset_is_parsed_without_loss() {
        let text = "## One *two*\n\nRun `-v` on\n**all** *KEY*s, see [y(1)](y.md).\n\n- Item\n\n\
                    term\n: First.\n\n  Second.\n\n```sh\na \\\n  b\n```\n";
        let paragraph = vec![
            roman("Run "),
            bold("-v"),
            roman(" on"),
            roman(" "),
            bold("all"),
            roman(" "),
            italic("KEY"),
            roman("s, see "),
            bold("y"),
            roman("(1)"),
            roman("."),
        ];
        let expected = [
            Block::Section("One two".to_owned()),
            Block::Paragraph(paragraph),
            Block::Item(vec![roman("Item")]),
            Block::Definition(
                vec![roman("term")],
                vec![vec![roman("First.")], vec![roman("Second.")]],
            ),
            Block::Code {
                language: "sh".to_owned(),
                lines: vec!["a \\".to_owned(), "  b".to_owned()],
            },
        ];
        assert_eq!(parsed(text).unwrap(), expected);
    }

    #[test]
    fn a_tight_definition_list_has_one_paragraph_each() {
        let expected =
            ["a", "c"].map(|term| Block::Definition(vec![roman(term)], vec![vec![roman("b")]]));
        assert_eq!(parsed("a\n: b\n\nc\n: b\n").unwrap(), expected);
    }

    #[test]
    fn exit_codes_are_those_named_or_all() {
        let named = parsed("<!-- exit-codes 0 7 -->\n").unwrap();
        assert_eq!(named, [Block::ExitCodes(vec![Exit::Done, Exit::Unknown])]);
        let all = parsed("<!-- exit-codes -->\n").unwrap();
        assert_eq!(all, [Block::ExitCodes(Exit::ALL.to_vec())]);
    }

    #[test]
    fn anything_else_is_an_error_with_its_line() {
        for (text, problem) in [
            ("1. a list\n", "not supported"),
            ("> a quote\n", "not supported"),
            ("a <KEY> in a paragraph\n", "not supported"),
            ("#### Deep\n", "level of heading"),
            ("![](image.png)\n", "not supported"),
            ("[z(1)](z.md)\n", "z.md is not a page"),
            ("[this page](y.md)\n", "must be y(1)"),
            ("<!-- exit-codes 99 -->\n", "99 is not an exit code"),
            ("<!-- other -->\n", "not supported: <!-- other -->"),
            (
                &format!("```text\n{}\n```\n", "x".repeat(70)),
                "wider than 69 columns",
            ),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with("docs/man/x.md:5: "), "{error}");
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_page_has_its_title_and_its_options() {
        let error = |text| parse("x", text, &[]).unwrap_err().to_string();
        assert!(error("# y(1)\n\n<!-- options -->\n").contains("must begin with '# x(1)'"));
        assert!(error("# x(1)\n\nText.\n").contains("no <!-- options -->"));
    }
}

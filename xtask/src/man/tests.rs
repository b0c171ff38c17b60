//! What the pages say must agree with the program.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Parser as _;
use clap_mangen::roff::Inline;
use etcdwatch::cli::Cli;
use etcdwatch::config::{self, Surroundings};

use super::markdown::{Block, plain};
use super::{Page, shell};

/// Options of etcd itself that the pages mention.
const OF_ETCD: [&str; 2] = [
    "--enable-v2",
    "--experimental-watch-progress-notify-interval",
];

fn pages() -> Vec<Page> {
    super::pages().unwrap_or_else(|error| panic!("{error}"))
}

fn main_page() -> Page {
    pages().remove(0)
}

impl Page {
    /// The blocks of a section.
    fn section(&self, title: &str) -> impl Iterator<Item = &Block> {
        self.blocks
            .iter()
            .skip_while(move |block| !matches!(block, Block::Section(text) if text == title))
            .skip(1)
            .take_while(|block| !matches!(block, Block::Section(_)))
    }

    /// All text outside of code blocks.
    fn inlines(&self) -> impl Iterator<Item = &Inline> {
        let texts = self.blocks.iter().flat_map(|block| match block {
            Block::Paragraph(text) | Block::Item(text) => vec![text],
            Block::Definition(term, paragraphs) => [term].into_iter().chain(paragraphs).collect(),
            _ => Vec::new(),
        });
        texts.flatten()
    }

    /// The code blocks with command lines.
    fn scripts(&self) -> impl Iterator<Item = String> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Code { language, lines } if language == "sh" => Some(lines.join("\n")),
            _ => None,
        })
    }

    /// The long options of the command, with their aliases.
    fn options(&self) -> BTreeSet<String> {
        let names = self.command.get_arguments().flat_map(|arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long().into_iter().chain(aliases)
        });
        names.map(|name| format!("--{name}")).collect()
    }
}

#[test]
fn every_example_is_an_accepted_command_line() {
    for page in pages() {
        assert!(page.section("Examples").count() > 0, "{}", page.name);
        for script in page.scripts() {
            let mut runs = shell::commands(&script);
            runs.retain(|command| command.words[0] == "etcdwatch");
            assert!(!runs.is_empty(), "this does not run etcdwatch: {script}");
            for run in runs {
                accepts(&run).unwrap_or_else(|error| panic!("{script}: {error}"));
            }
        }
    }
}

fn accepts(run: &shell::ShellCommand) -> Result<(), String> {
    let cli = Cli::try_parse_from(&run.words).map_err(|error| error.to_string())?;
    let surroundings = Surroundings {
        variable: &|name| run.variables.get(name).map(OsString::from),
        ask: &|user| Ok(format!("password of {user}")),
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        stdout_is_pipe: false,
    };
    match config::resolve(&cli, surroundings) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_environment_section_lists_the_variables_that_are_read() {
    let page = main_page();
    let terms = page.section("Environment").filter_map(|block| match block {
        Block::Definition(term, _) => Some(plain(term)),
        _ => None,
    });
    let listed: Vec<String> = terms
        .flat_map(|term| term.split(", ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let read: BTreeSet<&str> = config::VARIABLES.into_iter().collect();
    assert_eq!(
        listed.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        read
    );
}

#[test]
fn options_in_the_text_are_options_of_etcdwatch() {
    let pages = pages();
    let mut known: BTreeSet<String> = pages.iter().flat_map(Page::options).collect();
    known.extend(OF_ETCD.map(str::to_owned));
    for page in &pages {
        for inline in page.inlines() {
            let Inline::Bold(text) = inline else { continue };
            let mut options = text
                .split_whitespace()
                .filter(|word| word.len() > 2 && word.starts_with("--"));
            let unknown = options.find(|option| !known.contains(*option));
            assert_eq!(unknown, None, "docs/man/{}.md", page.name);
        }
    }
}

#[test]
fn every_option_and_every_alias_is_on_the_page() {
    for page in pages() {
        let rendered = page.render().unwrap().replace("\\-", "-");
        for option in page.options() {
            assert!(rendered.contains(&option), "{option}: {}", page.name);
        }
    }
}

#[test]
fn every_page_lists_exit_codes_and_the_main_page_lists_all() {
    for page in pages() {
        let lists = |block: &&Block| matches!(block, Block::ExitCodes(_));
        assert_eq!(
            page.section("Exit status").filter(lists).count(),
            1,
            "{}",
            page.name
        );
    }
    let page = main_page();
    let all = Block::ExitCodes(etcdwatch::exit::Exit::ALL.to_vec());
    assert!(page.section("Exit status").any(|block| *block == all));
}

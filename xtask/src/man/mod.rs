//! The man pages in `man/`.
//!
//! A page has two sources. clap's definition of the command gives NAME, SYNOPSIS, OPTIONS and COMMANDS
//! ([`from_clap`]). `docs/man/NAME.md` gives everything else ([`markdown`]), and says with a comment where
//! the generated parts belong:
//!
//! - `<!-- options -->`: the sections ARGUMENTS, OPTIONS, and GLOBAL OPTIONS or COMMANDS.
//! - `<!-- exit-codes 0 1 2 -->`: a list of these exit codes with their meanings, from
//!   [`etcdwatch::exit::Exit`]. Without numbers, it lists all of them.

mod from_clap;
mod markdown;
mod roff;
#[cfg(test)]
mod shell;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use etcdwatch::cli::Cli;

use crate::error::Error;
use crate::files::{Files, root};
use markdown::Block;
use roff::RoffWriter;

/// A man page: a command, and what `docs/man` says about it.
struct Page {
    /// The name of the page, such as `etcdwatch-get`.
    name: String,
    /// The clap definition, built.
    command: Command,
    /// The version of etcdwatch.
    version: String,
    /// The content of the file in `docs/man`.
    blocks: Vec<Block>,
}

/// Renders every page, under its file name in `man/`.
pub fn render() -> Result<Files, Error> {
    pages()?
        .iter()
        .map(|page| Ok((format!("{}.1", page.name), page.render()?.into_bytes())))
        .collect()
}

/// Reads the pages of `etcdwatch` and of all its subcommands, in the order of the help.
fn pages() -> Result<Vec<Page>, Error> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let mut commands = vec![cli.clone()];
    commands.extend(cli.get_subcommands().cloned());
    let names: Vec<String> = commands.iter().map(name).collect();
    let directory = root().join("docs/man");
    for file in files(&directory)? {
        if !names.iter().any(|name| file == format!("{name}.md")) {
            return Err(Error::UnknownPage(file));
        }
    }
    commands
        .into_iter()
        .zip(&names)
        .map(|(command, name)| {
            let path = directory.join(format!("{name}.md"));
            let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
            Ok(Page {
                name: name.clone(),
                version: cli.get_version().unwrap_or_default().to_owned(),
                command,
                blocks: markdown::parse(name, &text, &names)?,
            })
        })
        .collect()
}

fn files(directory: &Path) -> Result<Vec<String>, Error> {
    let path = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let entries = fs::read_dir(directory).map_err(Error::io(directory))?;
    entries
        .map(|entry| entry.map(path).map_err(Error::io(directory)))
        .collect()
}

/// The name of a command's page: the words of the command, joined by hyphens.
fn name(command: &Command) -> String {
    let words = command.get_bin_name().unwrap_or(command.get_name());
    words.replace(' ', "-")
}

impl Page {
    /// Whether this is the page of `etcdwatch` itself, not of a subcommand.
    fn is_main(&self) -> bool {
        self.command.has_subcommands()
    }

    fn render(&self) -> Result<String, Error> {
        let mut out = RoffWriter::new(&from_clap::head(self)?);
        for block in &self.blocks {
            match block {
                Block::Options => out.sections(&from_clap::options(self)?),
                block => out.block(block),
            }
        }
        Ok(out.finish())
    }
}

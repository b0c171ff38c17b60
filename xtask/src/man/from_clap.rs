//! The parts of a page that clap's definition of the command gives, rendered by `clap_mangen`.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Page;
use super::roff::without_preamble;
use crate::error::Error;

/// Stops roff from breaking options and names of variables at the end of a line.
const NO_HYPHENS: &str = ".nh\n.ad l\n";

/// The title line, NAME and SYNOPSIS.
pub fn head(page: &Page) -> Result<String, Error> {
    let command = definition(page);
    let title = section(page, &command, Man::render_title)?;
    let name = section(page, &command, Man::render_name_section)?;
    let synopsis = section(page, &command, Man::render_synopsis_section)?;
    Ok(title + NO_HYPHENS + &name + &synopsis)
}

/// ARGUMENTS, OPTIONS and COMMANDS; for a subcommand GLOBAL OPTIONS, which refer to the main page.
pub fn options(page: &Page) -> Result<String, Error> {
    let command = definition(page);
    let options = |wanted: &dyn Fn(&Arg) -> bool| {
        let command = only(&command, wanted);
        section(page, &command, Man::render_options_section).map(|text| tighten(&text))
    };
    let arguments = options(&Arg::is_positional)?;
    let is_own = |arg: &Arg| !arg.is_positional() && (page.is_main() || !is_global(arg));
    let rest = if page.is_main() {
        section(page, &command, Man::render_subcommands_section)?
    } else {
        global_options(page)
    };
    Ok(arguments + &options(&is_own)? + &rest)
}

/// The definition in the form of the page: headings that `clap_mangen` sorts by, and a NAME in lower
/// case.
fn definition(page: &Page) -> Command {
    let mut command = page.command.clone();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let about = command.get_about().map(ToString::to_string);
    command
        .override_usage(usage)
        .about(lowercase_first(&about.unwrap_or_default()))
        .subcommand_help_heading("COMMANDS")
        .mut_args(|arg| {
            let heading = arg.is_positional().then_some("Arguments");
            arg.help_heading(heading)
        })
}

/// The command with only those arguments.
fn only(command: &Command, wanted: &dyn Fn(&Arg) -> bool) -> Command {
    command.clone().mut_args(|arg| {
        let hidden = !wanted(&arg);
        arg.hide(hidden)
    })
}

/// Whether every command accepts the option. Those that clap adds are not marked as global.
fn is_global(arg: &Arg) -> bool {
    arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version")
}

type Section = fn(&Man, &mut dyn io::Write) -> io::Result<()>;

fn section(page: &Page, command: &Command, render: Section) -> Result<String, Error> {
    let man = Man::new(command.clone())
        .title(page.name.to_uppercase())
        // An empty argument of .TH would vanish without the quotes.
        .date("\"\"")
        .source(format!("etcdwatch {}", page.version))
        .manual("User Commands");
    let mut text = Vec::new();
    render(&man, &mut text).map_err(Error::Mangen)?;
    Ok(without_preamble(&String::from_utf8_lossy(&text)).to_owned())
}

/// Removes the blank lines around and in the lists of possible values, and indents them once.
/// `clap_mangen` uses `.RS` only for these lists.
fn tighten(options: &str) -> String {
    options
        .replace(".br\n\n.br\n", "\n")
        .replace(".RS 14\n", ".RS 7\n.PD 0\n")
        .replace(".RE\n", ".PD\n.RE\n")
}

fn global_options(page: &Page) -> String {
    let mut text = vec![
        roman("The global options of "),
        bold("etcdwatch"),
        roman("(1) are accepted before or after the command: "),
    ];
    let options = page.command.get_arguments().filter(|arg| is_global(arg));
    for (position, long) in options.filter_map(Arg::get_long).enumerate() {
        if position > 0 {
            text.push(roman(", "));
        }
        text.push(bold(format!("--{long}")));
    }
    text.push(roman(
        ". They and the environment variables are described there.",
    ));
    let mut roff = Roff::new();
    roff.control("SH", ["GLOBAL OPTIONS"]).text(text);
    without_preamble(&roff.render()).to_owned()
}

fn lowercase_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

//! A man page: what clap knows of a command, and what was written by hand.
//!
//! In scope: the order of the sections, and roff. Out of scope: the words (`pages`).

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use etcdwatch::cli::Cli;
use etcdwatch::exit::Exit;

use crate::pages::{Block, ENVIRONMENT, PAGES, Page, Section};

/// Renders a page.
pub fn render(page: &Page) -> String {
    let command = definition(page);
    let mut out = of_clap(&command, page, Man::render_title);
    out += NO_HYPHENS;
    out += &of_clap(&command, page, Man::render_name_section);
    out += &of_clap(&command, page, Man::render_synopsis_section);

    let mut roff = Roff::new();
    blocks(&mut roff, "DESCRIPTION", page.description);
    out += &body(&roff);

    out += &of_clap(&only(&command, Arg::is_positional), page, options);
    let own = |arg: &Arg| !arg.is_positional() && (page.command.is_none() || !is_global(arg));
    out += &of_clap(&only(&command, own), page, options);

    let mut roff = Roff::new();
    if page.command.is_some() {
        global_options(&mut roff, &command, page);
    } else {
        out += &of_clap(&command, page, Man::render_subcommands_section);
    }
    for Section {
        title,
        blocks: text,
    } in page.sections
    {
        blocks(&mut roff, title, text);
    }
    exit_status(&mut roff, page);
    if page.command.is_none() {
        roff.control("SH", ["ENVIRONMENT"]);
        list(&mut roff, ENVIRONMENT);
    }
    examples(&mut roff, page);
    see_also(&mut roff, page);
    out += &body(&roff);
    PREAMBLE.to_owned() + &portable(&out)
}

/// Renders one entry of a list as it stands in a page.
pub fn render_entry(term: &str, text: &str) -> String {
    let mut roff = Roff::new();
    entry(&mut roff, term, text);
    portable(&body(&roff))
}

/// Makes apostrophes look as typed wherever the page is shown; roff puts it before all that it
/// renders, a page needs it once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Options and names of variables are not to be broken at the end of a line.
const NO_HYPHENS: &str = ".nh\n.ad l\n";

fn body(roff: &Roff) -> String {
    let text = roff.render();
    text.strip_prefix(PREAMBLE).unwrap_or(&text).to_owned()
}

/// Text in ASCII, and without blank lines, of which roff implementations make different
/// things.
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

/// The lists of possible values, without the empty lines that `clap_mangen` puts between
/// values, and indented once instead of twice.
fn tighten(text: &str) -> String {
    text.replace(".br\n\n.br\n", "\n")
        .split(".RS 14\n")
        .enumerate()
        .map(|(position, part)| match position {
            0 => part.to_owned(),
            _ => format!(".RS 7\n.PD 0\n{}", part.replacen(".RE\n", ".PD\n.RE\n", 1)),
        })
        .collect()
}

/// The command as the page shows it.
fn definition(page: &Page) -> Command {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let mut command = match page.command {
        Some(name) => cli.find_subcommand(name).expect("a command").clone(),
        None => cli,
    };
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let about = command.get_about().expect("an about").to_string();
    command
        .override_usage(usage)
        .about(lowercase_first(&about))
        .subcommand_help_heading("COMMANDS")
        .mut_args(|arg| {
            if arg.is_positional() {
                arg.help_heading("Arguments")
            } else {
                arg.help_heading(None)
            }
        })
}

/// Those arguments alone.
fn only(command: &Command, wanted: impl Fn(&Arg) -> bool) -> Command {
    command.clone().mut_args(|arg| {
        let hidden = !wanted(&arg);
        arg.hide(hidden)
    })
}

/// Whether every command has it, the ones that clap adds included.
fn is_global(arg: &Arg) -> bool {
    arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version")
}

type Render = fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>;

fn options(man: &Man, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    man.render_options_section(out)
}

fn of_clap(command: &Command, page: &Page, section: Render) -> String {
    // Written as two quotes: an argument of .TH that is empty would otherwise vanish.
    let man = Man::new(command.clone())
        .title(page.name().to_uppercase())
        .date("\"\"")
        .source(format!("etcdwatch {}", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    section(&man, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    tighten(text.strip_prefix(PREAMBLE).unwrap_or(&text))
}

fn global_options(roff: &mut Roff, command: &Command, page: &Page) {
    let names: Vec<String> = command
        .get_arguments()
        .filter(|arg| is_global(arg))
        .filter_map(|arg| Some(format!("`--{}`", arg.get_long()?)))
        .collect();
    let names = names.join(", ");
    let text = match page.command {
        Some("completions") => {
            format!("The options of `etcdwatch`(1) are accepted and have no effect: {names}.")
        }
        _ => format!(
            "The options of `etcdwatch`(1) apply, before or after the command: {names}. So do the \
             variables in its ENVIRONMENT section."
        ),
    };
    roff.control("SH", ["GLOBAL OPTIONS"]);
    roff.text(inlines(&text));
}

fn exit_status(roff: &mut Roff, page: &Page) {
    roff.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        if page.command.is_none() || page.exits.contains(&exit) {
            entry(roff, &exit.code().to_string(), exit.meaning());
        }
    }
    if page.command.is_some() {
        roff.control("PP", []);
        roff.text(inlines("The other codes are in `etcdwatch`(1)."));
    }
}

fn examples(roff: &mut Roff, page: &Page) {
    roff.control("SH", ["EXAMPLES"]);
    for (position, example) in page.examples.iter().enumerate() {
        if position > 0 {
            roff.control("PP", []);
        }
        roff.text(inlines(example.explanation));
        literal(roff, example.lines);
    }
}

fn see_also(roff: &mut Roff, page: &Page) {
    roff.control("SH", ["SEE ALSO"]);
    let others = PAGES.iter().filter(|other| other.command != page.command);
    let mut names: Vec<String> = others
        .map(|other| format!("`{}`(1)", other.name()))
        .collect();
    names.extend(page.see_also.iter().map(|&name| name.to_owned()));
    roff.text(inlines(&names.join(", ")));
}

fn blocks(roff: &mut Roff, title: &str, blocks: &[Block]) {
    roff.control("SH", [title]);
    let mut follows_text = false;
    for block in blocks {
        match block {
            Block::Text(text) => {
                if follows_text {
                    roff.control("PP", []);
                }
                roff.text(inlines(text));
            }
            Block::List(entries) => list(roff, entries),
            Block::Lines(lines) => literal(roff, lines),
        }
        follows_text = true;
    }
}

fn list(roff: &mut Roff, entries: &[(&str, &str)]) {
    for (term, text) in entries {
        entry(roff, term, text);
    }
}

fn entry(roff: &mut Roff, term: &str, text: &str) {
    roff.control("TP", []);
    roff.text([bold(term)]);
    roff.text(inlines(text));
}

/// Lines as they are, indented.
fn literal(roff: &mut Roff, lines: &[&str]) {
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(*line)]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

/// Reads the little markup of the texts: `` `as typed` `` is bold, `*a placeholder*` italic.
fn inlines(text: &str) -> Vec<Inline> {
    let mut inlines = Vec::new();
    for (position, part) in text.split('`').enumerate() {
        if position % 2 == 1 {
            inlines.push(bold(part));
            continue;
        }
        for (position, part) in part.split('*').enumerate() {
            match (part, position % 2) {
                ("", _) => {}
                (part, 1) => inlines.push(italic(part)),
                (part, _) => inlines.push(roman(part)),
            }
        }
    }
    inlines
}

fn lowercase_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

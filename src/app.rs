//! Wiring: from what was typed to an exit code, and the one place where an error is reported.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use colored::Colorize as _;

use crate::cli::{Cli, Command, Output};
use crate::commands;
use crate::error::Error;
use crate::exit::Exit;
use crate::inbox::Stop;
use crate::print::{escape, json};
use crate::settings::{Settings, Surroundings};

/// Runs the program with these arguments, the first of which is its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return explain(&error, &arguments).into(),
    };
    let exit = match dispatch(&cli) {
        Ok(()) => Exit::Done,
        Err(Stop::Quiet(exit)) => exit,
        Err(Stop::Error(error)) => {
            report(&error, &cli);
            error.exit()
        }
    };
    exit.into()
}

/// Shows help, the version, or what was wrong with the arguments.
fn explain(error: &clap::Error, arguments: &[OsString]) -> Exit {
    // Help and version are on standard output and no error; a reader that went away is none
    // either.
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    if asks_for_json(arguments) {
        let text = error.to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text);
        let usage = Error::Usage(message.lines().next().unwrap_or_default().to_owned());
        let _ = writeln!(io::stderr(), "{}", json::error(&usage));
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

/// Whether `-o json` is among arguments that could not be parsed.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let pairs = arguments.windows(2);
    arguments
        .iter()
        .any(|one| one == "-ojson" || one == "-o=json" || one == "--output=json")
        || pairs.into_iter().any(|pair| {
            matches!(pair, [option, value] if (option == "-o" || option == "--output") && value == "json")
        })
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

fn dispatch(cli: &Cli) -> Result<(), Stop> {
    if let Command::Completions(typed) = &cli.command {
        return commands::completions::run(typed).map_err(Stop::from_output);
    }
    let settings = Settings::resolve(cli, Surroundings::of_process())?;
    colored::control::set_override(settings.color);
    match &cli.command {
        Command::Get(typed) => commands::get::run(typed, &settings),
        Command::Set(typed) => commands::set::run(typed, &settings),
        Command::Rm(typed) => commands::rm::run(typed, &settings),
        Command::Watch(typed) => commands::watch::run(typed, &settings),
        Command::Replay(typed) => commands::replay::run(typed, &settings),
        Command::Completions(_) => Ok(()),
    }
}

fn report(error: &Error, cli: &Cli) {
    if cli.global.output == Output::Json {
        let _ = writeln!(io::stderr(), "{}", json::error(error));
        return;
    }
    let around = Surroundings::of_process();
    colored::control::set_override(around.color(cli.global.color, around.stderr_is_terminal));
    let message = escape::message(&error.to_string());
    let mut text = format!("{}: {message}", "etcdwatch".red().bold());
    if let Some(hint) = error.hint() {
        text = format!("{text}\n  {} {}", "try:".cyan(), escape::message(&hint));
    }
    let _ = writeln!(io::stderr(), "{text}");
}

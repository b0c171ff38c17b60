//! Parses the arguments, runs the command, and reports its error.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};
use colored::Colorize as _;

use crate::cli::{Cli, Command, Output};
use crate::commands;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::json;
use crate::run::stop::Stop;
use etcdwatch_engine::escape;

use crate::config::{self, Surroundings};

/// Runs the program. The first argument is its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = Cli::command().color(clap_color(&arguments));
    let parsed = command
        .try_get_matches_from_mut(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return print_parse_result(&error, &arguments).into(),
    };
    let exit = match dispatch(&cli) {
        Ok(()) => Exit::Done,
        Err(Stop::Quiet(exit)) => exit,
        Err(Stop::Error(error)) => {
            report(&error, &cli);
            error.exit()
        }
        Err(Stop::Errors(errors)) => errors.iter().fold(Exit::Done, |_, error| {
            report(error, &cli);
            error.exit()
        }),
    };
    exit.into()
}

/// Prints help, the version or a usage error.
fn print_parse_result(error: &clap::Error, arguments: &[OsString]) -> Exit {
    // Help and version go to standard output. It is no error if its reader is gone.
    if !error.use_stderr() {
        return match error.print().and_then(|()| io::stdout().flush()) {
            Ok(()) => Exit::Done,
            Err(error) => match Stop::from_output(error) {
                Stop::Quiet(exit) => exit,
                Stop::Error(error) => error.exit(),
                Stop::Errors(errors) => errors.last().map_or(Exit::Done, Error::exit),
            },
        };
    }
    let around = Surroundings::of_process();
    let has_control = |argument: &OsString| argument.to_string_lossy().contains(char::is_control);
    if value_of(arguments, Some('o'), "--output").is_some_and(|form| form == "json") {
        let text = error.to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text);
        // The usage line after the first empty line is left out.
        let lines: Vec<&str> = message
            .lines()
            .map(str::trim)
            .take_while(|line| !line.is_empty())
            .collect();
        let message = lines.join(" ");
        print_json(&json::error(&Error::Usage(message)), around);
    } else if arguments.iter().any(has_control) {
        // clap quotes the arguments without escaping them.
        let _ = write!(io::stderr(), "{}", escape::message(&error.to_string()));
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

/// The value of an option in arguments that may be invalid. `short` is its letter, which may follow flags in
/// one argument. Arguments after `--` are not options.
fn value_of(arguments: &[OsString], short: Option<char>, long: &str) -> Option<String> {
    let arguments = arguments.iter().map(|one| one.to_string_lossy());
    let mut arguments = arguments.take_while(|one| one != "--");
    while let Some(argument) = arguments.next() {
        let attached = match argument.strip_prefix(long) {
            Some(rest) => Some(rest),
            None => argument
                .strip_prefix('-')
                .filter(|letters| letters.starts_with(char::is_alphabetic))
                .zip(short)
                .and_then(|(letters, short)| letters.split_once(short))
                .filter(|(flags, _)| flags.chars().all(char::is_alphabetic))
                .map(|(_, rest)| rest),
        };
        match attached {
            Some("") => return arguments.next().map(std::borrow::Cow::into_owned),
            Some(rest) if rest.starts_with('=') || !argument.starts_with("--") => {
                return Some(rest.trim_start_matches('=').to_owned());
            }
            _ => {}
        }
    }
    None
}

/// The colours of help and usage errors, which are printed before the settings are resolved.
fn clap_color(arguments: &[OsString]) -> ColorChoice {
    match value_of(arguments, None, "--color").as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

fn print_json(value: &serde_json::Value, around: Surroundings<'_>) {
    let mut line = value.to_string();
    if around.stderr_is_terminal {
        let plain = std::mem::take(&mut line);
        escape::json_for_terminal(&plain, &mut line);
    }
    let _ = writeln!(io::stderr(), "{line}");
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
    let settings = config::resolve(cli, Surroundings::of_process())?;
    colored::control::set_override(settings.color);
    match &cli.command {
        Command::Get(typed) => commands::get::run(typed, &settings),
        Command::Set(typed) => commands::set::run(typed, &settings),
        Command::Rm(typed) => commands::rm::run(typed, &settings),
        Command::Watch(typed) => commands::watch::run(typed, &settings),
        Command::Replay(typed) => commands::replay::run(typed, &settings),
        Command::Doctor(typed) => commands::doctor::run(typed, &settings),
        Command::Check(typed) => commands::check::run(typed, &settings),
        Command::Completions(_) => Ok(()),
    }
}

fn report(error: &Error, cli: &Cli) {
    let around = Surroundings::of_process();
    if cli.global.output == Output::Json {
        print_json(&json::error(error), around);
        return;
    }
    colored::control::set_override(around.color(cli.global.color, around.stderr_is_terminal));
    let message = escape::message(&error.to_string());
    let mut text = format!("{}: {message}", "etcdwatch".red().bold());
    if let Some(hint) = error.hint() {
        text = format!("{text}\n  {} {}", "hint:".cyan(), escape::message(&hint));
    }
    let _ = writeln!(io::stderr(), "{text}");
}

//! The command `check`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::cli;
use crate::desired::{self, Desired};
use crate::drift::Expectation;
use crate::error::Error;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::run::watching;
use crate::settings::{Settings, WatchedKeys};
use crate::sink::drifts::{CheckMode, DriftPrinter};
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::Plan;

/// Compares a subtree with a file and prints the differences.
///
/// # Errors
/// If something differs, the file is invalid, or the state cannot be read.
pub fn run(typed: &cli::Check, settings: &Settings) -> Result<(), Stop> {
    let mut inbox = Inbox::new(settings, "checking", &typed.key)?;
    let desired = read_in_time(typed, settings, &mut inbox)?;
    let watched = WatchedKeys {
        keys: vec![typed.key.clone()],
        recursive: true,
        prefix: false,
    };
    let scopes = watched.scopes(settings.api)?;
    let expectation = |scope: &Scope| {
        let keys = desired.keys(scope);
        let expected = Expectation {
            wanted: keys.map_err(|wrong| refused(&typed.file, &wrong))?,
            ignored: typed.ignore.clone(),
            subset: typed.subset,
        };
        Ok((scope.clone(), expected))
    };
    let expected = scopes
        .iter()
        .map(expectation)
        .collect::<Result<_, Error>>()?;
    let mode = match (typed.wait, typed.watch) {
        (true, _) => CheckMode::UntilEqual,
        (_, true) => CheckMode::Always,
        _ => CheckMode::Once,
    };
    let goes_on = mode != CheckMode::Once;
    if goes_on {
        inbox.heed_reader();
    }
    let plan_of = |scope| Plan {
        stream: goes_on,
        snapshot: true,
        ..watching::plan(scope, settings)
    };
    let mut printer = DriftPrinter::new(expected, mode, settings);
    watching::run(scopes, plan_of, settings, &mut inbox, &mut printer)
}

fn refused(file: &Path, why: &impl std::fmt::Display) -> Error {
    Error::Usage(format!("'{}': {why}", file.display()))
}

/// Reads the file on another thread, because a FIFO without a writer blocks, and signals and the deadline
/// must still end the run.
fn read_in_time(
    typed: &cli::Check,
    settings: &Settings,
    inbox: &mut Inbox,
) -> Result<Desired, Stop> {
    let (file, max) = (typed.file.clone(), settings.client.max_event);
    Ok(inbox.wait_for(move || read(&file, max))??)
}

fn read(file: &Path, max: usize) -> Result<Desired, Error> {
    let mut bytes = Vec::new();
    let limit = max as u64 + 1;
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|open| open.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|source| Error::Input {
        what: format!("'{}'", file.display()),
        source,
    })?;
    if bytes.len() > max {
        let why = format!("it is longer than {max} bytes; raise the limit with --max-event");
        return Err(refused(file, &why));
    }
    let text = desired::text(bytes).map_err(|wrong| refused(file, &wrong))?;
    let extension = file.extension().and_then(|extension| extension.to_str());
    Desired::parse(&text, extension).map_err(|wrong| refused(file, &wrong))
}

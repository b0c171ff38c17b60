//! `check`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::cli;
use crate::desired::{self, Desired, Keys};
use crate::drift::{Comparison, Drift, Drifts};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{drift, json, text};
use crate::run::api::Watched;
use crate::run::inbox::{Inbox, Stop};
use crate::run::watching;
use crate::settings::{OutputFormat, Settings};
use crate::sink::{Flow, Sink};
use etcdwatch_engine::model::{Index, Scope};
use etcdwatch_engine::watch::mirror::Mirror;
use etcdwatch_engine::watch::{Held, Plan, Update};

/// Compares a subtree with a file and prints what differs.
///
/// # Errors
/// Where something does, or it can't be compared.
pub fn run(typed: &cli::Check, settings: &Settings) -> Result<(), Stop> {
    let mut inbox = Inbox::new(settings, "checking", &typed.key)?;
    let desired = wait_for(typed, settings, &mut inbox)?;
    let watched = Watched {
        keys: vec![typed.key.clone()],
        recursive: true,
        prefix: false,
    };
    let scopes = watched.scopes(settings.api)?;
    let wanted = |scope: &Scope| {
        let keys = desired
            .keys(scope)
            .map_err(|wrong| refused(&typed.file, &wrong));
        keys.map(|keys| (scope.clone(), keys))
    };
    let wanted = scopes.iter().map(wanted).collect::<Result<_, Error>>()?;
    let goes_on = typed.wait || typed.watch;
    if goes_on {
        inbox.heed_reader();
    }
    let plan_of = |scope| Plan {
        stream: goes_on,
        snapshot: true,
        ..watching::plan(scope, settings)
    };
    let mut checker = Checker {
        typed,
        settings,
        wanted,
        comparison: Comparison::default(),
        scope: None,
        mirror: None,
        drifts: Drifts::new(),
        index: Index::ZERO,
        out: Vec::new(),
    };
    let ended = watching::run(scopes, plan_of, settings, &mut inbox, &mut checker);
    inbox.screen.clear();
    match ended {
        Ok(()) if !typed.wait && !checker.drifts.is_empty() => Err(Stop::Quiet(Exit::No)),
        Err(Stop::Error(error @ Error::TimedOut(_))) if typed.wait => {
            // What it was that did not come to be.
            checker.print_all();
            inbox.screen.print(&mut checker.out)?;
            Err(error.into())
        }
        ended => ended,
    }
}

fn refused(file: &Path, why: &impl std::fmt::Display) -> Error {
    Error::Usage(format!("'{}': {why}", file.display()))
}

/// What the file wants. A FIFO may have nobody who writes to it: that holds up neither signals nor
/// the deadline.
fn wait_for(typed: &cli::Check, settings: &Settings, inbox: &mut Inbox) -> Result<Desired, Stop> {
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
        let why = format!("it is longer than {max} bytes: raise the limit with --max-event");
        return Err(refused(file, &why));
    }
    let text = desired::text(bytes).map_err(|wrong| refused(file, &wrong))?;
    let extension = file.extension().and_then(|extension| extension.to_str());
    Desired::parse(&text, extension).map_err(|wrong| refused(file, &wrong))
}

struct Checker<'c> {
    typed: &'c cli::Check,
    settings: &'c Settings,
    /// What is wanted, by each API that may be spoken.
    wanted: Vec<(Scope, Keys)>,
    comparison: Comparison,
    scope: Option<Scope>,
    /// What is there; nothing before the state was read.
    mirror: Option<Mirror>,
    /// What differs, as it was told.
    drifts: Drifts,
    index: Index,
    out: Vec<u8>,
}

impl Sink for Checker<'_> {
    fn begin(&mut self, scope: &Scope) {
        let wanted = self.wanted.iter().find(|(of, _)| of == scope);
        self.comparison = Comparison {
            wanted: wanted.map(|(_, keys)| keys.clone()).unwrap_or_default(),
            ignored: self.typed.ignore.clone(),
            subset: self.typed.subset,
        };
        self.scope = Some(scope.clone());
    }

    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop> {
        let mut is_over = false;
        match update {
            Update::State { index, nodes, .. } => {
                if let Some(scope) = &self.scope {
                    self.mirror = Some(Mirror::new(scope.clone(), nodes, index));
                }
            }
            Update::Synced(index) => {
                self.index = index;
                self.compare_all();
                if self.typed.watch {
                    let count = self.drifts.len();
                    let plural = if count == 1 { " differs" } else { "s differ" };
                    let message = format!("compared at index {index}: {count} key{plural}");
                    inbox.screen.notice("compared", &message);
                }
                is_over = !self.typed.watch && (!self.typed.wait || self.drifts.is_empty());
            }
            Update::Events(events) => {
                for held in events.iter().flat_map(Held::by_index) {
                    self.compare(&held);
                    is_over |= self.typed.wait && self.drifts.is_empty();
                    if is_over {
                        break;
                    }
                }
                inbox.heard();
            }
            Update::Gap(gap) if self.typed.watch => {
                // What differed in it, and does no longer, is not known.
                let name = self.scope.as_ref().map_or_else(String::new, Scope::name);
                let line = text::gap(&gap, &name, text::Style::default());
                match self.settings.output {
                    OutputFormat::Json => self.push(&json::gap(&gap)),
                    OutputFormat::Text => self.out.extend_from_slice(line.as_bytes()),
                }
            }
            _ => {}
        }
        if !self.out.is_empty() {
            inbox.screen.print(&mut self.out)?;
        }
        Ok(if is_over { Flow::Done } else { Flow::GoesOn })
    }
}

impl Checker<'_> {
    /// Compares everything, and tells what differs now and did not, or the other way round.
    fn compare_all(&mut self) {
        let nodes = self.mirror.iter().flat_map(Mirror::nodes);
        let there = nodes.filter_map(|node| Some((node.key.as_slice(), node.value.as_deref()?)));
        let now = self.comparison.all(there);
        let before = std::mem::take(&mut self.drifts);
        let keys = before.keys().chain(now.keys()).cloned();
        let keys: std::collections::BTreeSet<Vec<u8>> = keys.collect();
        for key in keys {
            if before.get(&key) != now.get(&key) {
                self.tell(&key, now.get(&key));
            }
        }
        self.drifts = now;
    }

    /// Compares what was touched.
    fn compare(&mut self, held: &Held) {
        let Some(mirror) = &mut self.mirror else {
            return;
        };
        let gone = mirror.apply(held);
        let mut touched: Vec<Vec<u8>> = gone.into_iter().map(|node| node.key).collect();
        for event in held.events() {
            touched.push(event.node().key().to_vec());
            self.index = event.index();
        }
        for key in touched {
            let node = self.mirror.as_ref().and_then(|mirror| mirror.get(&key));
            let value = node.and_then(|node| node.value.as_deref());
            let drift = self.comparison.of(&key, value);
            if self.drifts.get(&key) == drift.as_ref() {
                continue;
            }
            self.tell(&key, drift.as_ref());
            match drift {
                Some(drift) => self.drifts.insert(key, drift),
                None => self.drifts.remove(&key),
            };
        }
    }

    /// Prints what differs, unless it is only waited for.
    fn tell(&mut self, key: &[u8], drift: Option<&Drift>) {
        if !self.typed.wait {
            self.print(key, drift);
        }
    }

    fn print_all(&mut self) {
        for (key, drift) in std::mem::take(&mut self.drifts) {
            self.print(&key, Some(&drift));
        }
    }

    fn print(&mut self, key: &[u8], drift: Option<&Drift>) {
        match self.settings.output {
            OutputFormat::Json => self.push(&drift::record(self.index, key, drift)),
            OutputFormat::Text => drift::line(key, drift, self.settings.color, &mut self.out),
        }
    }

    fn push(&mut self, record: &serde_json::Value) {
        let is_terminal = self.settings.stdout_is_terminal;
        json::push_line(record.to_string().as_bytes(), is_terminal, &mut self.out);
    }
}

//! `check`: how a subtree differs from what a file says, once or as it changes.

use std::collections::BTreeSet;

use super::{Flow, Sink};
use crate::drift::{Drift, Drifts, Expectation};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::own::OwnRecord;
use crate::render::{drift, json, text};
use crate::run::inbox::{Inbox, Stop};
use crate::settings::{OutputFormat, Settings};
use etcdwatch_engine::model::{Index, Scope};
use etcdwatch_engine::watch::mirror::Mirror;
use etcdwatch_engine::watch::{HeldEvents, Update};

/// How long a comparison lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// The state is compared once.
    Once,
    /// Until nothing differs.
    UntilEqual,
    /// As long as the run lasts, and what changes is printed.
    Always,
}

/// Prints what differs from what is expected.
#[derive(Debug)]
pub struct DriftPrinter<'s> {
    settings: &'s Settings,
    duty: Duty,
    /// What is expected, with each API that may be used.
    expected: Vec<(Scope, Expectation)>,
    /// What is watched, with the API in use, and what is expected of that.
    watched: Option<(Scope, Expectation)>,
    /// What is there; nothing before the state was read.
    mirror: Option<Mirror>,
    /// What differs, as it was printed.
    drifts: Drifts,
    index: Index,
    gathered: Vec<u8>,
}

impl<'s> DriftPrinter<'s> {
    /// Compares with one of `expected`, the one for the API in use.
    #[must_use]
    pub fn new(expected: Vec<(Scope, Expectation)>, duty: Duty, settings: &'s Settings) -> Self {
        Self {
            settings,
            duty,
            expected,
            watched: None,
            mirror: None,
            drifts: Drifts::new(),
            index: Index::ZERO,
            gathered: Vec::new(),
        }
    }

    /// How a key differs that has this value, or none.
    fn compare(&self, key: &[u8], value: Option<&[u8]>) -> Option<Drift> {
        let (_, expected) = self.watched.as_ref()?;
        expected.drift(key, value)
    }

    /// Compares everything, and prints what differs now and did not, or the other way round.
    fn compare_all(&mut self) {
        let Some((_, expected)) = &self.watched else {
            return;
        };
        let nodes = self.mirror.iter().flat_map(Mirror::nodes);
        let there = nodes.filter_map(|node| Some((node.key.as_slice(), node.value.as_deref()?)));
        let now = expected.drifts(there);
        let before = std::mem::take(&mut self.drifts);
        let keys: BTreeSet<&Vec<u8>> = before.keys().chain(now.keys()).collect();
        for key in keys {
            if before.get(key) != now.get(key) {
                self.report(key, now.get(key));
            }
        }
        self.drifts = now;
    }

    /// Compares the keys that were touched at one index.
    fn compare_touched(&mut self, held: &HeldEvents) {
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
            let drift = self.compare(&key, node.and_then(|node| node.value.as_deref()));
            if self.drifts.get(&key) == drift.as_ref() {
                continue;
            }
            self.report(&key, drift.as_ref());
            match drift {
                Some(drift) => self.drifts.insert(key, drift),
                None => self.drifts.remove(&key),
            };
        }
    }

    /// Prints how a key differs, unless only the end is waited for.
    fn report(&mut self, key: &[u8], drift: Option<&Drift>) {
        if self.duty != Duty::UntilEqual {
            self.print(key, drift);
        }
    }

    fn print(&mut self, key: &[u8], drift: Option<&Drift>) {
        match self.settings.output {
            OutputFormat::Json => self.push(&drift::record(self.index, key, drift)),
            OutputFormat::Text => drift::line(key, drift, self.settings.color, &mut self.gathered),
        }
    }

    fn push(&mut self, record: &serde_json::Value) {
        let is_terminal = self.settings.stdout_is_terminal;
        let record = record.to_string();
        json::push_line(record.as_bytes(), is_terminal, &mut self.gathered);
    }

    fn print_gap(&mut self, update: &Update) {
        let name = self.watched.as_ref().map(|(scope, _)| scope.name());
        let name = name.unwrap_or_default();
        let Some(gap) = OwnRecord::of(update, &name, |_| "") else {
            return;
        };
        match self.settings.output {
            OutputFormat::Json => self.push(&json::own(&gap, None)),
            OutputFormat::Text => {
                let mut line = String::new();
                text::own(&gap, text::Style::default(), &mut line);
                self.gathered.extend_from_slice(line.as_bytes());
            }
        }
    }
}

impl Sink for DriftPrinter<'_> {
    fn begin(&mut self, scope: &Scope) {
        let expected = self.expected.iter().find(|(of, _)| of == scope);
        self.watched = expected.cloned();
    }

    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop> {
        let mut is_over = false;
        match update {
            Update::State { index, nodes, .. } => {
                if let Some((scope, _)) = &self.watched {
                    self.mirror = Some(Mirror::new(scope.clone(), nodes, index));
                }
            }
            Update::Synced(index) => {
                self.index = index;
                self.compare_all();
                if self.duty == Duty::Always {
                    let count = self.drifts.len();
                    let plural = if count == 1 { " differs" } else { "s differ" };
                    let message = format!("compared at index {index}: {count} key{plural}");
                    inbox.screen.notice("compared", &message);
                }
                is_over = match self.duty {
                    Duty::Once => true,
                    Duty::UntilEqual => self.drifts.is_empty(),
                    Duty::Always => false,
                };
            }
            Update::Events(events) => {
                for held in events.iter().flat_map(HeldEvents::by_index) {
                    self.compare_touched(&held);
                    is_over = self.duty == Duty::UntilEqual && self.drifts.is_empty();
                    if is_over {
                        break;
                    }
                }
                inbox.heard();
            }
            // What differed in it, and does no longer, is not known.
            Update::Gap(_) if self.duty == Duty::Always => self.print_gap(&update),
            _ => {}
        }
        if !self.gathered.is_empty() {
            inbox.screen.print(&mut self.gathered)?;
        }
        Ok(Flow::done_if(is_over))
    }

    fn finish(&mut self, ended: Result<(), Stop>, inbox: &mut Inbox) -> Result<(), Stop> {
        inbox.screen.clear();
        match ended {
            Ok(()) if self.duty != Duty::UntilEqual && !self.drifts.is_empty() => {
                Err(Stop::Quiet(Exit::No))
            }
            Err(Stop::Error(error @ Error::TimedOut(_))) if self.duty == Duty::UntilEqual => {
                // What it was that did not come to be.
                for (key, drift) in std::mem::take(&mut self.drifts) {
                    self.print(&key, Some(&drift));
                }
                inbox.screen.print(&mut self.gathered)?;
                Err(error.into())
            }
            ended => ended,
        }
    }
}

//! `check`: prints how a subtree differs from the desired state.

use std::collections::BTreeSet;

use super::{Flow, Sink};
use crate::drift::{Drift, Drifts, Expectation};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::control::ControlRecord;
use crate::render::{drift, json, text};
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::settings::{OutputFormat, Settings};
use etcdwatch_engine::model::{Index, Scope};
use etcdwatch_engine::watch::mirror::Mirror;
use etcdwatch_engine::watch::{HeldEvents, Update};

/// The end of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckMode {
    /// It ends after one comparison.
    Once,
    /// It ends once there are no differences (`--wait`).
    UntilEqual,
    /// It does not end, and prints each change (`--watch`).
    Always,
}

/// Prints the differences between the state and the desired state.
#[derive(Debug)]
pub struct DriftPrinter<'s> {
    settings: &'s Settings,
    mode: CheckMode,
    /// The desired state with each API that may be used.
    expected: Vec<(Scope, Expectation)>,
    /// The scope of the watch and its desired state.
    watched: Option<(Scope, Expectation)>,
    /// The present state; `None` until it was read.
    mirror: Option<Mirror>,
    /// The differences at the last comparison.
    drifts: Drifts,
    index: Index,
    gathered: Vec<u8>,
}

impl<'s> DriftPrinter<'s> {
    /// Compares with the entry of `expected` that has the scope of the watch.
    #[must_use]
    pub fn new(
        expected: Vec<(Scope, Expectation)>,
        mode: CheckMode,
        settings: &'s Settings,
    ) -> Self {
        Self {
            settings,
            mode,
            expected,
            watched: None,
            mirror: None,
            drifts: Drifts::new(),
            index: Index::ZERO,
            gathered: Vec::new(),
        }
    }

    /// The difference of a key with this value; `value` is `None` if the key does not exist.
    fn compare(&self, key: &[u8], value: Option<&[u8]>) -> Option<Drift> {
        let (_, expected) = self.watched.as_ref()?;
        expected.drift(key, value)
    }

    /// Compares all keys, and prints the differences that appeared or disappeared.
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

    /// Compares the keys of the events of one index.
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

    /// Prints the difference of a key, except with `--wait`.
    fn report(&mut self, key: &[u8], drift: Option<&Drift>) {
        if self.mode != CheckMode::UntilEqual {
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
        let Some(gap) = ControlRecord::of(update, &name, |_| "") else {
            return;
        };
        match self.settings.output {
            OutputFormat::Json => self.push(&json::control(&gap, None)),
            OutputFormat::Text => {
                let mut line = String::new();
                text::control(&gap, text::Style::default(), &mut line);
                self.gathered.extend_from_slice(line.as_bytes());
            }
        }
    }
}

impl Sink for DriftPrinter<'_> {
    fn begin(&mut self, scope: &Scope) {
        let expected = self.expected.iter().find(|(wanted, _)| wanted == scope);
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
                if self.mode == CheckMode::Always {
                    let count = self.drifts.len();
                    let plural = if count == 1 { " differs" } else { "s differ" };
                    let message = format!("compared at index {index}: {count} key{plural}");
                    inbox.screen.notice("compared", &message);
                }
                is_over = match self.mode {
                    CheckMode::Once => true,
                    CheckMode::UntilEqual => self.drifts.is_empty(),
                    CheckMode::Always => false,
                };
            }
            Update::Events(events) => {
                for (_, held) in events.iter().flat_map(HeldEvents::by_index) {
                    self.compare_touched(&held);
                    is_over = self.mode == CheckMode::UntilEqual && self.drifts.is_empty();
                    if is_over {
                        break;
                    }
                }
                inbox.heard();
            }
            // Differences may have come and gone within the gap.
            Update::Gap(_) if self.mode == CheckMode::Always => self.print_gap(&update),
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
            Ok(()) if self.mode != CheckMode::UntilEqual && !self.drifts.is_empty() => {
                Err(Stop::Quiet(Exit::No))
            }
            Err(Stop::Error(error @ Error::TimedOut(_))) if self.mode == CheckMode::UntilEqual => {
                // The differences that remain.
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

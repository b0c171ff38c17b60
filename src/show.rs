//! A watch as it is shown: the session's reports become records, in order.

use crate::cli;
use crate::error::{Error, describe_failure, none_answered};
use crate::http::Http;
use crate::inbox::{Inbox, Stop};
use crate::model::{Index, Scope};
use crate::print::{json, text};
use crate::protocol::v2;
use crate::settings::Settings;
use crate::watch::driver::{self, Means, Report};
use crate::watch::{Budget, Held, Notice, OnGap, Outcome, Plan, Start, Until, Update};

/// How many bytes of events may wait for the reader of the output.
const BUFFER: usize = 64 << 20;
/// A buffer that once held a large record is given back.
const KEPT_BUFFER: usize = 1 << 20;

/// What is watched, and what of it is shown.
#[derive(Clone, Debug)]
pub struct Show {
    /// The key, or all below it.
    pub scope: Scope,
    /// Where it begins.
    pub start: Start,
    /// Where it ends.
    pub until: Until,
    /// Whether many events are expected.
    pub stream: bool,
    /// What is done when events were lost.
    pub on_gap: OnGap,
    /// Ends after so many events.
    pub count: Option<u64>,
    /// With the previous value, in text.
    pub previous: bool,
}

/// Runs a watch to its end and prints its records.
///
/// # Errors
/// Where it can't go on; what ends a run from outside.
pub fn run(show: Show, settings: &Settings) -> Result<(), Stop> {
    let doing = match show.until {
        Until::Forever => "watching",
        Until::Present { .. } => "replaying",
    };
    let mut inbox = Inbox::new(settings, doing, &show.scope.key)?;
    let http = Http::new(settings, inbox.log(settings))?;
    let plan = Plan {
        scope: show.scope.clone(),
        start: show.start,
        until: show.until,
        stream: show.stream,
        on_gap: show.on_gap,
        endpoints: settings.endpoints.len(),
        history: v2::HISTORY,
        seed: seed(),
        budget: Budget::new(BUFFER),
    };
    let means = Means {
        http,
        endpoints: settings.endpoints.clone(),
        max_event: settings.max_event,
    };
    driver::start(plan, means, inbox.delivery());
    let mut viewer = Viewer {
        left: show.count,
        out: Vec::new(),
        line: String::new(),
        show,
        settings,
    };
    let ended = viewer.follow(&mut inbox);
    inbox.screen.clear();
    ended
}

/// Different for each run, so that many clients don't come back together.
fn seed() -> u64 {
    fastrand::u64(..)
}

struct Viewer<'s> {
    show: Show,
    settings: &'s Settings,
    /// How many events are still wanted.
    left: Option<u64>,
    out: Vec<u8>,
    line: String,
}

impl Viewer<'_> {
    fn follow(&mut self, inbox: &mut Inbox<Report>) -> Result<(), Stop> {
        loop {
            match inbox.receive()? {
                Report::Update(update) => self.show(update, inbox)?,
                Report::Finished(outcome) => return self.finish(outcome),
            }
            if self.left == Some(0) {
                return Ok(());
            }
        }
    }

    fn show(&mut self, update: Update, inbox: &mut Inbox<Report>) -> Result<(), Stop> {
        match update {
            Update::Events(events) => return self.show_events(&events, inbox),
            Update::Gap(gap) => {
                match self.settings.output {
                    cli::Output::Json => {
                        let record = json::gap(&gap).to_string();
                        let is_terminal = self.settings.stdout_is_terminal;
                        json::push_line(record.as_bytes(), is_terminal, &mut self.out);
                    }
                    cli::Output::Text => {
                        let key = self.show.scope.key.as_str();
                        text::gap(&gap, key, self.style(), &mut self.line);
                        self.take_line();
                    }
                }
                return self.flush(inbox);
            }
            Update::Position(index) => inbox.screen.progress.reach(index),
            Update::Target { from, to } => inbox.screen.progress.set_range(Some((from, to))),
            Update::Following => inbox.screen.progress.set_range(None),
            Update::Notice(notice) => {
                let (kind, message) = self.describe(&notice);
                inbox.screen.notice(kind, &message);
            }
        }
        Ok(())
    }

    fn show_events(&mut self, events: &[Held], inbox: &mut Inbox<Report>) -> Result<(), Stop> {
        let mut shown = 0;
        for event in events.iter().filter_map(Held::event) {
            if self.left.is_some_and(|left| shown == left) {
                break;
            }
            shown += 1;
            match self.settings.output {
                cli::Output::Json => {
                    json::event(&event, self.settings.stdout_is_terminal, &mut self.out);
                }
                cli::Output::Text => {
                    text::event(&event, self.style(), &mut self.line);
                    self.take_line();
                }
            }
        }
        self.left = self.left.map(|left| left - shown);
        inbox.screen.progress.count(shown);
        self.flush(inbox)
    }

    fn take_line(&mut self) {
        self.out.extend_from_slice(self.line.as_bytes());
        self.line.clear();
    }

    fn flush(&mut self, inbox: &Inbox<Report>) -> Result<(), Stop> {
        let printed = inbox.screen.print(&self.out);
        self.out.clear();
        self.out.shrink_to(KEPT_BUFFER);
        self.line.shrink_to(KEPT_BUFFER);
        printed
    }

    fn style(&self) -> text::Style {
        text::Style {
            aligned: self.settings.stdout_is_terminal,
            colored: self.settings.color,
            previous: self.show.previous,
        }
    }

    fn finish(&self, outcome: Outcome) -> Result<(), Stop> {
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Lost { gap, oldest } => Err(Error::Lost { gap, oldest }.into()),
            Outcome::Failed(attempts) => {
                let attempts = attempts
                    .into_iter()
                    .map(|(endpoint, failure)| (self.url(endpoint), failure))
                    .collect();
                Err(none_answered(attempts).into())
            }
        }
    }

    fn describe(&self, notice: &Notice) -> (&'static str, String) {
        match notice {
            Notice::Ahead { from, index } => ("ahead", self.describe_ahead(*from, *index)),
            Notice::Lost { endpoint, failure } => (
                "connectionLost",
                format!(
                    "{} {}; trying again",
                    self.url(*endpoint),
                    describe_failure(failure)
                ),
            ),
            Notice::Back { endpoint } => (
                "connected",
                format!("connected to {} again", self.url(*endpoint)),
            ),
            Notice::OtherCluster { endpoint } => (
                "otherCluster",
                format!(
                    "{} belongs to another cluster and is left out",
                    self.url(*endpoint)
                ),
            ),
        }
    }

    fn describe_ahead(&self, from: Index, index: Index) -> String {
        let waits = match self.show.until {
            Until::Forever | Until::Present { follow: true, .. } => "waiting for it",
            Until::Present { .. } => "there is nothing to replay",
        };
        format!("index {from} lies ahead: the store is at {index}; {waits}")
    }

    fn url(&self, endpoint: usize) -> String {
        self.settings
            .endpoints
            .get(endpoint)
            .map(|endpoint| endpoint.url().to_owned())
            .unwrap_or_default()
    }
}

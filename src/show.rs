//! A watch as it is shown: the session's reports become records, in order, and a checkpoint
//! says how far they were written.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::apis::{self, Watched};
use crate::checkpoint::{Begun, Checkpoint, Store};
use crate::cli;
use crate::error::{Error, describe_failure, none_answered};
use crate::http::Http;
use crate::inbox::{Inbox, Stop};
use crate::model::{Fingerprint, Index, Record, Scope};
use crate::print::{json, text};
use crate::protocol::v2;
use crate::settings::Settings;
use crate::watch::driver::{self, Means, Report};
use crate::watch::{
    Budget, Held, Notice, OnGap, Outcome, Plan, Start, StateOfWatch, Status, Until, Update,
};

/// A buffer that once held a large record is given back.
const KEPT_BUFFER: usize = 1 << 20;
/// A checkpoint is written at most this often, and at the end.
const CHECKPOINT_PACE: Duration = Duration::from_millis(200);

/// What is watched, and what of it is shown.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Show {
    /// The key, or all below it.
    pub watched: Watched,
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
    /// The present state first.
    pub snapshot: bool,
    /// With the keys that a removed directory took with it.
    pub expand: bool,
    /// With records of the watch's own state.
    pub status: bool,
    /// Where an earlier run left off, and this one will.
    pub checkpoint: Option<PathBuf>,
    /// How many bytes of events may wait for the reader of the output.
    pub buffer: usize,
    /// For how long it may be unknown whether what is known is fresh.
    pub stale_after: Duration,
}

impl From<cli::OnGap> for OnGap {
    fn from(typed: cli::OnGap) -> Self {
        match typed {
            cli::OnGap::Resync => Self::Resync,
            cli::OnGap::Diff => Self::Diff,
            cli::OnGap::Continue => Self::Continue,
            cli::OnGap::Fail => Self::Fail,
        }
    }
}

/// Runs a watch to its end and prints its records.
///
/// # Errors
/// Where it can't go on; what ends a run from outside.
pub fn run(mut show: Show, settings: &Settings) -> Result<(), Stop> {
    let doing = match show.until {
        Until::Forever => "watching",
        Until::Present { .. } => "replaying",
    };
    let mut scopes = show.watched.scopes(settings.api)?;
    let opened = show
        .checkpoint
        .as_deref()
        .map(|path| Store::open(path, &scopes))
        .transpose()?;
    let (store, earlier) = opened.map_or((None, None), |(store, earlier)| (Some(store), earlier));
    let earlier = earlier.map(|(earlier, place)| {
        // Where it stopped wins over where it was told to begin, and by which API.
        scopes = vec![scopes.swap_remove(place)];
        show.start = Start::At(earlier.index.next());
        show.snapshot = false;
        earlier
    });
    let mut inbox = Inbox::new(settings, doing, &show.watched.key)?;
    inbox.heed_reader();
    let log = inbox.log(settings);
    let http = Http::new(settings, log.clone())?;
    let mut viewer = Viewer {
        left: show.count,
        out: Vec::new(),
        line: String::new(),
        progress: Reached {
            store,
            cluster: earlier.as_ref().map(|earlier| earlier.cluster.clone()),
            index: earlier.as_ref().map(|earlier| earlier.index),
            begun: earlier.as_ref().and_then(|earlier| earlier.begun),
            last: earlier.and_then(|earlier| earlier.last),
            written: None,
            is_behind: false,
        },
        scope: None,
        show,
        settings,
    };
    let mut ended = Ok(Ended::Elsewhere);
    let mut scopes = scopes.into_iter().peekable();
    while let (Ok(Ended::Elsewhere), Some(scope)) = (&ended, scopes.next()) {
        if let Some(log) = &log {
            log(format!("* by etcd's {} API", apis::name(&scope)));
        }
        ended = viewer.watch(scope, scopes.peek(), &http, &mut inbox);
    }
    inbox.screen.clear();
    // What was printed counts, however the run ended.
    let saved = viewer.save();
    ended.map(drop).and(saved)
}

/// What arrives while a watch runs.
enum Arrival {
    /// Something of the watch of this API's place.
    Report(usize, Report),
    /// Whether it is another API that holds what is watched.
    Checked(bool),
}

/// How a watch ended.
enum Ended {
    /// As it should.
    Done,
    /// What is watched is had by another API.
    Elsewhere,
}

/// How far records were written, and the checkpoint that says so.
struct Reached {
    store: Option<Store>,
    cluster: Option<String>,
    index: Option<Index>,
    last: Option<Fingerprint>,
    /// A transaction after that, of which a part was written: `--count` ended in the middle of it.
    begun: Option<Begun>,
    written: Option<Instant>,
    /// The file does not say it yet.
    is_behind: bool,
}

struct Viewer<'s> {
    show: Show,
    /// What is watched, by the API that is spoken.
    scope: Option<Scope>,
    settings: &'s Settings,
    /// How many events are still wanted.
    left: Option<u64>,
    out: Vec<u8>,
    line: String,
    progress: Reached,
}

impl Viewer<'_> {
    /// Watches `scope`, unless it turns out that `other` is where something is.
    fn watch(
        &mut self,
        scope: Scope,
        other: Option<&Scope>,
        http: &Http,
        inbox: &mut Inbox<Arrival>,
    ) -> Result<Ended, Stop> {
        let place = usize::from(other.is_none());
        if !scope.key.is_path() && self.settings.authorization.is_some() {
            let why = "with v3 a user is not supported in this version";
            return Err(Error::Usage(why.to_owned()).into());
        }
        let running = self.start(scope.clone(), http, inbox, place);
        let mut waiting = None;
        if let Some(other) = other.filter(|_| self.settings.authorization.is_none()) {
            // While that is found out, what arrives waits.
            waiting = Some(VecDeque::new());
            let (deliver, http) = (inbox.delivery(), http.clone());
            let (endpoints, other) = (self.settings.endpoints.clone(), other.clone());
            let key = scope.key.clone();
            thread::spawn(move || {
                let is_elsewhere = apis::is_elsewhere(&http, &endpoints, &key, &other);
                deliver(Arrival::Checked(is_elsewhere))
            });
        }
        self.scope = Some(scope);
        loop {
            let due = self.save_due();
            match inbox.receive_until(due)? {
                Some(Arrival::Report(of, report)) if of == place => match &mut waiting {
                    Some(waiting) => waiting.push_back(report),
                    None => {
                        if let Some(ended) = self.take(report, other.is_some(), inbox)? {
                            return Ok(ended);
                        }
                    }
                },
                Some(Arrival::Checked(true)) if waiting.is_some() => {
                    running.give_up();
                    let key = &self.show.watched.key;
                    let notice = format!(
                        "v2 has nothing at {key}: v3 is watched instead; --api v3 says so at once"
                    );
                    inbox.screen.notice("api", &notice);
                    return Ok(Ended::Elsewhere);
                }
                Some(Arrival::Checked(_)) => {
                    for report in waiting.take().into_iter().flatten() {
                        if let Some(ended) = self.take(report, other.is_some(), inbox)? {
                            return Ok(ended);
                        }
                    }
                }
                Some(Arrival::Report(..)) | None => {}
            }
            if self.save_due().is_some_and(|due| due <= Instant::now()) {
                self.save()?;
            }
        }
    }

    fn start(
        &self,
        scope: Scope,
        http: &Http,
        inbox: &Inbox<Arrival>,
        place: usize,
    ) -> driver::Running {
        let show = &self.show;
        let plan = Plan {
            start: show.start,
            until: show.until,
            stream: show.stream,
            previous: show.previous || self.settings.output == cli::Output::Json,
            on_gap: show.on_gap,
            snapshot: show.snapshot,
            // Where there are no directories, each key that goes has an event of its own.
            expand: show.expand && scope.key.is_path(),
            scope,
            stale_after: show.stale_after,
            cluster: self.progress.cluster.clone(),
            last: self.progress.last.clone(),
            endpoints: self.settings.endpoints.len(),
            history: v2::HISTORY,
            snapshot_behind: v2::SNAPSHOT_BEHIND,
            seed: fastrand::u64(..),
            budget: Budget::new(show.buffer),
        };
        let means = Means {
            http: http.clone(),
            endpoints: self.settings.endpoints.clone(),
            max_event: self.settings.max_event,
        };
        let deliver = inbox.delivery();
        driver::start(plan, means, move |report| {
            deliver(Arrival::Report(place, report))
        })
    }

    /// Shows what is reported; how the watch ended, if it did.
    fn take(
        &mut self,
        report: Report,
        has_other: bool,
        inbox: &mut Inbox<Arrival>,
    ) -> Result<Option<Ended>, Stop> {
        match report {
            Report::Update(update) => self.show(update, inbox)?,
            Report::Moved(position) => self.show(Update::Position(position.take()), inbox)?,
            Report::Finished(outcome) => {
                return match self.finish(outcome) {
                    Ok(()) => Ok(Some(Ended::Done)),
                    Err(Stop::Error(error)) if has_other && error.is_api_off() => {
                        Ok(Some(Ended::Elsewhere))
                    }
                    Err(stop) => Err(stop),
                };
            }
        }
        Ok((self.left == Some(0)).then_some(Ended::Done))
    }

    fn show(&mut self, update: Update, inbox: &mut Inbox<Arrival>) -> Result<(), Stop> {
        match update {
            Update::Events(events) => self.show_events(&events, inbox)?,
            Update::Gap(gap) => {
                self.progress.begun = None;
                let line = text::gap(&gap, self.key(), self.style());
                self.show_own(&json::gap(&gap), &line);
                self.flush(inbox)?;
            }
            Update::Reset(index) => {
                self.show_own(&json::own("reset", index), &self.own_line(index, "reset"));
                self.flush(inbox)?;
            }
            Update::Synced(index) => {
                self.show_own(&json::own("synced", index), &self.own_line(index, "synced"));
                self.flush(inbox)?;
            }
            Update::State { index, nodes, .. } => {
                for node in &nodes {
                    self.render(&Record::State(index, node));
                }
                self.flush(inbox)?;
            }
            Update::Changes { index, changes, .. } => {
                for change in &changes {
                    self.render(&Record::Change(index, change));
                }
                self.flush(inbox)?;
            }
            Update::Below { index, nodes } => {
                for node in &nodes {
                    self.render(&Record::Below(index, node));
                }
                self.flush(inbox)?;
            }
            Update::Position(index) => {
                inbox.screen.progress.reach(index);
                self.progress.index = Some(index);
                self.progress.is_behind = true;
            }
            Update::Last(last) => {
                if last.is_none() {
                    // Only a position that comes after it is one of this store.
                    self.progress.index = None;
                }
                self.progress.last = last;
            }
            Update::Cluster(cluster) => {
                if self.progress.cluster.as_ref() != Some(&cluster) {
                    self.progress.begun = None;
                }
                self.progress.index = None;
                self.progress.cluster = Some(cluster);
            }
            Update::Target { from, to } => inbox.screen.progress.set_range(Some((from, to))),
            Update::Following => inbox.screen.progress.set_range(None),
            Update::Status(status) => self.show_status(&status, inbox)?,
            Update::Notice(notice) => {
                let (kind, message) = self.describe(&notice);
                inbox.screen.notice(kind, &message);
            }
        }
        Ok(())
    }

    fn show_events(&mut self, events: &[Held], inbox: &mut Inbox<Arrival>) -> Result<(), Stop> {
        let mut shown = 0;
        let mut last = None;
        let mut stopped = None;
        let is_v3 = self
            .scope
            .as_ref()
            .is_some_and(|scope| !scope.key.is_path());
        'all: for held in events {
            let index = held.events().next().map(|event| event.index());
            let begun = self.progress.begun.take();
            let begun = begun.filter(|begun| Some(begun.index) == index);
            let written = begun.map_or(0, |begun| begun.events);
            for (place, event) in held.events().enumerate().skip(written) {
                if self.left.is_some_and(|left| shown == left) {
                    // In the middle of a transaction, or before it.
                    stopped = Some(Begun {
                        index: event.index(),
                        events: place,
                    });
                    break 'all;
                }
                shown += 1;
                self.render(&Record::Event(event));
            }
            for event in held.events() {
                let before = last.take().map(|(_, before)| before);
                let before = before.or(self.progress.last.clone()).filter(|_| is_v3);
                let last_one = match before {
                    Some(before) => before.and_then(&event),
                    None => Fingerprint::of(&event),
                };
                last = Some((event.index(), last_one));
            }
        }
        self.left = self.left.map(|left| left - shown);
        inbox.screen.progress.count(shown);
        self.flush(inbox)?;
        if stopped.is_some() {
            self.progress.begun = stopped;
            self.progress.is_behind = true;
        }
        if let Some((index, fingerprint)) = last {
            // Only what was printed: --count may have stopped in the middle.
            self.progress.index = Some(index);
            self.progress.last = Some(fingerprint);
            self.progress.is_behind = true;
        }
        Ok(())
    }

    fn render(&mut self, record: &Record<'_>) {
        match self.settings.output {
            cli::Output::Json => {
                json::record(record, self.settings.stdout_is_terminal, &mut self.out);
            }
            cli::Output::Text => {
                text::record(record, self.style(), &mut self.line);
                self.take_line();
            }
        }
    }

    fn show_status(&mut self, status: &Status, inbox: &Inbox<Arrival>) -> Result<(), Stop> {
        let endpoint = self.url(status.endpoint);
        let cause = status.cause.as_ref().map(describe_failure);
        if status.notable {
            let message = match (status.state, &cause) {
                (StateOfWatch::Live, _) => format!("live again, with {endpoint}"),
                (StateOfWatch::Stale, None) => format!(
                    "stale: it can't be told whether something happened; {endpoint} has not \
                     confirmed anything for {}",
                    humantime::format_duration(self.show.stale_after)
                ),
                (StateOfWatch::Stale, Some(cause)) => format!(
                    "stale: it can't be told whether something happened; {endpoint} {cause}"
                ),
                (StateOfWatch::Reconnecting, cause) => format!(
                    "{endpoint} {}; trying again",
                    cause.as_deref().unwrap_or("is gone")
                ),
            };
            inbox.screen.notice(status.state.name(), &message);
        }
        if self.show.status {
            let cause = cause.unwrap_or_default();
            let record = json::status(status, &endpoint, &cause);
            let line = text::status(status, &endpoint, &cause, self.style());
            self.show_own(&record, &line);
            self.flush(inbox)?;
        }
        Ok(())
    }

    /// Takes a record of our own in the form that is asked for.
    fn show_own(&mut self, record: &serde_json::Value, line: &str) {
        match self.settings.output {
            cli::Output::Json => {
                let is_terminal = self.settings.stdout_is_terminal;
                json::push_line(record.to_string().as_bytes(), is_terminal, &mut self.out);
            }
            cli::Output::Text => self.out.extend_from_slice(line.as_bytes()),
        }
    }

    fn own_line(&self, index: Index, action: &str) -> String {
        text::own(index, action, self.key(), self.style())
    }

    /// The key that is watched.
    fn key(&self) -> &str {
        self.scope.as_ref().map_or("", |scope| scope.key.as_str())
    }

    fn take_line(&mut self) {
        self.out.extend_from_slice(self.line.as_bytes());
        self.line.clear();
    }

    fn flush(&mut self, inbox: &Inbox<Arrival>) -> Result<(), Stop> {
        let printed = inbox.screen.print(&mut self.out);
        self.out.shrink_to(KEPT_BUFFER);
        self.line.shrink_to(KEPT_BUFFER);
        printed
    }

    /// When the checkpoint is to be written.
    fn save_due(&self) -> Option<Instant> {
        if self.progress.store.is_none() || !self.progress.is_behind {
            return None;
        }
        let written = self.progress.written;
        Some(written.map_or_else(Instant::now, |written| written + CHECKPOINT_PACE))
    }

    fn save(&mut self) -> Result<(), Stop> {
        let reached = &mut self.progress;
        let (Some(store), Some(scope), Some(cluster), Some(index), true) = (
            &reached.store,
            &self.scope,
            &reached.cluster,
            reached.index,
            reached.is_behind,
        ) else {
            return Ok(());
        };
        let last = reached.last.clone();
        let mut checkpoint = Checkpoint::new(scope, cluster.clone(), index, last);
        checkpoint.begun = reached.begun.filter(|begun| begun.events > 0);
        store.write(&checkpoint)?;
        reached.written = Some(Instant::now());
        reached.is_behind = false;
        Ok(())
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
            Notice::Ahead { from, index } => {
                let waits = match self.show.until {
                    Until::Forever | Until::Present { follow: true, .. } => "waiting for it",
                    Until::Present { .. } => "there is nothing to replay",
                };
                let message = format!("index {from} lies ahead: the store is at {index}; {waits}");
                ("ahead", message)
            }
            Notice::BeforeOldest { oldest, to } => (
                "beforeOldest",
                format!("history begins at {oldest}: nothing up to {to} can be had"),
            ),
            Notice::HalfClose { endpoint } => (
                "halfClose",
                format!(
                    "something before {} ends a connection as soon as one side of it is closed; \
                     where history stays silent for 2s, it is taken for empty",
                    self.url(*endpoint)
                ),
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

    fn url(&self, endpoint: usize) -> String {
        self.settings
            .endpoints
            .get(endpoint)
            .map(|endpoint| endpoint.url().to_owned())
            .unwrap_or_default()
    }
}

//! A watch as it is shown: what it tells becomes records, in order, and a checkpoint says how far
//! they were written.

mod form;
mod reached;
pub mod runner;

use std::sync::Arc;
use std::time::Instant;

use crate::checkpoint::Store;
use crate::cli;
use crate::error::Error;
use crate::exec::child::Told;
use crate::exec::queue::{Mode, OnFailure};
use crate::filter::Filter;
use crate::render::{json, text};
use crate::run::api::Watched;
use crate::run::inbox::{Inbox, Stop};
use crate::run::watching;
use crate::settings::{OutputFormat, Settings};
use crate::wait::{Condition, Wait};
use etcdwatch_engine::model::{Index, Record, Scope, StateNode};
use etcdwatch_engine::watch::mirror::Mirror;
use etcdwatch_engine::watch::{Budget, Held, OnGap, Permit, Plan, Start, Until, Update};

use form::Form;
use reached::Reached;
use runner::{Runner, Work};

/// A buffer that once held a large record is given back.
const KEPT_BUFFER: usize = 1 << 20;
/// So much is written at once, though more has come meanwhile.
const WRITTEN_AT_ONCE: usize = 128 << 10;
/// Lines of events that are as they came, and have so many bytes, are written from where they are; fewer
/// are gathered.
const NOT_GATHERED: usize = 32 << 10;

/// Whether a watch goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    GoesOn,
    /// Nothing more is wanted.
    Done,
}

/// Takes the updates of a watch.
pub trait Sink {
    /// The watch is on this scope, with the API that the scope is of.
    fn begin(&mut self, scope: &Scope);

    /// Takes an update.
    ///
    /// # Errors
    /// What ends the run.
    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop>;

    /// When the sink wants to be woken though no update has come; `None` for never.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Updates have come, or the time is [`Sink::due`].
    ///
    /// # Errors
    /// What ends the run.
    fn wake(&mut self, _inbox: &mut Inbox) -> Result<Flow, Stop> {
        Ok(Flow::GoesOn)
    }
}

/// What is watched, and what of it is shown.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Show {
    /// The keys, or all below them.
    pub watched: Watched,
    /// Where it begins.
    pub start: Start,
    /// Where it ends.
    pub until: Until,
    /// Whether many events are expected.
    pub stream: bool,
    /// Ends after so many events.
    pub count: Option<u64>,
    /// Ends once this is so.
    pub condition: Option<Condition>,
    /// How records look.
    pub reading: cli::Reading,
    /// A command that is run instead of printing.
    pub exec: Option<runner::Plan>,
    /// The present state first.
    pub snapshot: bool,
    /// What is done when events were lost.
    pub on_gap: OnGap,
    /// What every watch can be told.
    pub watching: cli::Watching,
}

impl From<cli::ExecMode> for Mode {
    fn from(typed: cli::ExecMode) -> Self {
        match typed {
            cli::ExecMode::Each => Self::Each,
            cli::ExecMode::Latest => Self::Latest,
            cli::ExecMode::Restart => Self::Restart,
        }
    }
}

impl From<cli::OnExecFailure> for OnFailure {
    fn from(typed: cli::OnExecFailure) -> Self {
        match typed {
            cli::OnExecFailure::Stop => Self::Stop,
            cli::OnExecFailure::Continue => Self::Continue,
            cli::OnExecFailure::Retry => Self::Retry,
        }
    }
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

impl From<&cli::Watching> for Filter {
    fn from(typed: &cli::Watching) -> Self {
        Self {
            only: typed.only.clone(),
            patterns: typed.patterns.clone(),
            changed: typed.changed,
        }
    }
}

/// Runs a watch to its end and prints its records.
///
/// # Errors
/// Where it can't go on; what ends a run from outside.
pub fn run(mut show: Show, settings: &Settings) -> Result<(), Stop> {
    let doing = match show.until {
        Until::Forever if show.condition.is_some() => "waiting",
        Until::Forever => "watching",
        Until::Present { .. } => "replaying",
    };
    let mut scopes = show.watched.scopes(settings.api)?;
    let wanted = scopes.clone();
    if matches!(show.condition, Some(Condition::Exists)) {
        // By v2 a directory comes to be with a key below it, and nothing tells of it alone.
        scopes = scopes.into_iter().map(Scope::with_directories).collect();
    }
    let form = Form::new(&show.reading, settings);
    if settings.output == OutputFormat::Json && (show.reading.diff || show.reading.format.is_some())
    {
        let why = "--diff and --format are for text: leave out -o json";
        return Err(Error::Usage(why.to_owned()).into());
    }
    let runner = show.exec.clone().map(Runner::new).transpose()?;
    let path = show.watching.checkpoint.as_deref();
    let opened = path.map(|path| Store::open(path, &scopes)).transpose()?;
    let (store, earlier) = opened.map_or((None, None), |(store, earlier)| (Some(store), earlier));
    let earlier = earlier.map(|(earlier, place)| {
        // Where it stopped wins over where it was told to begin, and by which API.
        scopes = vec![scopes.swap_remove(place)];
        show.start = Start::At(earlier.index.next());
        show.snapshot = false;
        earlier
    });
    let mut inbox = Inbox::new(settings, doing, &show.watched.name())?;
    inbox.heed_reader();
    if runner.is_some() {
        // The command may write to the same terminal.
        inbox.screen.progress.hide();
    }
    inbox.end_when_idle(show.watching.idle_timeout);
    let reached = Reached::new(store, earlier);
    // A command is told of what was before as JSON.
    let previous = form.shows_previous() || show.watching.changed || show.exec.is_some();
    let (asked, cluster, last) = (
        show.clone(),
        reached.cluster().cloned(),
        reached.last().cloned(),
    );
    let plan_of = |scope| Plan {
        start: asked.start,
        until: asked.until,
        stream: asked.stream || asked.condition.is_some(),
        previous,
        on_gap: asked.on_gap,
        snapshot: asked.snapshot || asked.condition.is_some(),
        expand: asked.watching.expand,
        stale_after: asked.watching.stale_after,
        cluster: cluster.clone(),
        last: last.clone(),
        budget: Budget::new(asked.watching.buffer),
        ..watching::plan(scope, settings)
    };
    let mut shown = Shown {
        left: show.count,
        filter: Filter::from(&show.watching),
        wait: None,
        wanted,
        part: None,
        is_begun: false,
        is_over: false,
        due: None,
        form,
        runner,
        out: Vec::new(),
        is_cut: false,
        reached,
        scope: None,
        show,
        settings,
    };
    let ended = watching::run(scopes, plan_of, settings, &mut inbox, &mut shown);
    // Whatever ended it: what was received before is written.
    let ended = match (ended, shown.flush(&inbox)) {
        (Ok(()), Err(stop)) => Err(stop),
        (ended, _) => ended,
    };
    inbox.screen.clear();
    if let Some(runner) = &mut shown.runner
        && let reached @ Some(_) = runner.end(&ended, &inbox)
    {
        shown.reached.settle(reached);
    }
    if let (Err(Stop::Error(Error::TimedOut(_) | Error::Idle(_))), Some(wait)) =
        (&ended, &shown.wait)
    {
        let missing = wait.missing().join("; ");
        inbox
            .screen
            .notice("until", &format!("it did not come to be so: {missing}"));
    }
    // What was printed counts, however the run ended.
    let saved = shown.save();
    match (ended, saved) {
        // Who stopped it is told nothing else.
        (Err(Stop::Quiet(_)), Err(unsaved)) => Err(unsaved),
        (ended, saved) => ended.and(saved),
    }
}

struct Shown<'s> {
    show: Show,
    filter: Filter,
    /// What is waited for, and what is known of it.
    wait: Option<Wait>,
    /// What is shown, by each API: a wait may watch more.
    wanted: Vec<Scope>,
    /// What of all that is watched is shown, where that is not all.
    part: Option<Scope>,
    /// The state at the start was told, or there is none.
    is_begun: bool,
    /// Nothing more is wanted.
    is_over: bool,
    /// When the runner wants to be woken.
    due: Option<Instant>,
    /// What is watched, by the API that is spoken.
    scope: Option<Scope>,
    settings: &'s Settings,
    /// How many events are still wanted.
    left: Option<u64>,
    form: Form,
    runner: Option<Runner>,
    out: Vec<u8>,
    /// Something could not be written, or not all of it: what was taken is not done with.
    is_cut: bool,
    reached: Reached,
}

impl Sink for Shown<'_> {
    fn begin(&mut self, scope: &Scope) {
        let condition = self.show.condition.clone();
        self.wait = condition.map(|condition| Wait::new(condition, scope.clone()));
        let of_this_api = |shown: &&Scope| shown.key == scope.key;
        let shown = self.wanted.iter().find(of_this_api);
        self.part = shown.filter(|shown| *shown != scope).cloned();
        self.scope = Some(scope.clone());
    }

    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop> {
        if self.is_over {
            return Ok(Flow::GoesOn);
        }
        match update {
            Update::Events(events) => self.take_events(&events, inbox)?,
            Update::Gap(gap) => {
                self.reached.lose();
                let name = self.name();
                let line = |style| text::gap(&gap, &name, style);
                if self.shows_all() {
                    self.own(gap.index, "gap", &json::gap(&gap), line);
                }
                if self.runner.is_some() || !self.shows_all() {
                    let message = line(text::Style::default());
                    let message = message.trim_end().replace('\t', " ");
                    inbox.screen.notice("gap", &message);
                }
            }
            Update::Reset(index) if self.shows_all() => self.plain("reset", index),
            Update::State {
                index,
                nodes,
                unread,
            } => {
                if self.shows_state() {
                    let unread = Arc::new(unread);
                    for node in &nodes {
                        self.read(&Record::State(index, node), Some(&unread));
                    }
                    // Of a state there is one at a time.
                    self.flush(inbox)?;
                }
                if let (Some(wait), Some(scope)) = (&mut self.wait, &self.scope) {
                    wait.begin(Mirror::new(scope.clone(), nodes, index));
                }
            }
            Update::Changes {
                index,
                changes,
                unread,
            } => {
                if self.shows_all() {
                    let unread = Arc::new(unread);
                    for change in &changes {
                        self.read(&Record::Change(index, change), Some(&unread));
                    }
                    self.flush(inbox)?;
                }
                if let Some(wait) = &mut self.wait {
                    wait.change(&changes);
                }
            }
            Update::Below { index, nodes } if self.shows_all() => {
                for node in &nodes {
                    self.read(&Record::Below(index, node), None);
                }
            }
            Update::Synced(index) => self.take_synced(index),
            Update::Position(position) => self.reached.reach(position),
            Update::Status(status) if self.show.watching.status && status.is_new => {
                let (endpoint, cause) = watching::of_status(&status, self.settings);
                let record = json::status(&status, &endpoint, &cause);
                let line = |style| text::status(&status, &endpoint, &cause, style);
                self.own(status.index, "status", &record, line);
            }
            _ => {}
        }
        if self.out.len() >= WRITTEN_AT_ONCE {
            self.flush(inbox)?;
        }
        if let Some(runner) = &mut self.runner
            && runner.mark(self.reached.at())
        {
            self.reached.settle(None);
        }
        self.is_over |= self.left == Some(0);
        Ok(self.flow())
    }

    fn due(&self) -> Option<Instant> {
        [self.reached.due(), self.due].into_iter().flatten().min()
    }

    fn wake(&mut self, inbox: &mut Inbox) -> Result<Flow, Stop> {
        // What has come meanwhile is written along; nothing waits for what has not come.
        if !inbox.has_next() {
            self.flush(inbox)?;
        }
        if let Some(runner) = &mut self.runner {
            let (reached, due) = runner.step(inbox)?;
            self.due = due;
            // While a command runs, that nothing comes is no idleness.
            inbox.hold_idle(!runner.is_idle());
            if reached.is_some() {
                self.reached.settle(reached);
            }
        }
        if self.reached.due().is_some_and(|due| due <= Instant::now()) {
            self.save()?;
        }
        Ok(self.flow())
    }
}

impl Shown<'_> {
    fn flow(&self) -> Flow {
        let is_idle = self.runner.as_ref().is_none_or(Runner::is_idle);
        if self.is_over && is_idle {
            Flow::Done
        } else {
            Flow::GoesOn
        }
    }

    fn is_v3(&self) -> bool {
        let scope = self.scope.as_ref();
        scope.is_some_and(|scope| !scope.key.is_path())
    }

    /// Whether everything that is told is shown, and not only what is waited for.
    fn shows_all(&self) -> bool {
        self.wait.is_none() || self.show.stream
    }

    /// Whether a record is shown among all others.
    fn is_wanted(&self, record: &Record<'_>) -> bool {
        let removes_directory = || record.action().removes() && record.is_dir();
        let is_shown = self
            .part
            .as_ref()
            .is_none_or(|part| part.covers(record.key(), removes_directory()));
        is_shown && self.filter.passes(record)
    }

    /// Whether a state is shown: not the one that a wait begins with.
    fn shows_state(&self) -> bool {
        let is_first = self.wait.is_some() && !self.is_begun;
        self.shows_all() && (self.show.snapshot || !is_first)
    }

    fn take_events(&mut self, events: &[Held], inbox: &mut Inbox) -> Result<(), Stop> {
        let mut shown = 0;
        // What is done after each event, or asked of it, takes one index after the other.
        let is_plain = self.runner.is_none() && self.wait.is_none() && !self.is_v3();
        for held in events {
            let goes_on = if is_plain {
                self.take_run(held, &mut shown, inbox)?
            } else {
                held.by_index().all(|held| self.take_one(&held, &mut shown))
            };
            if !goes_on {
                break;
            }
        }
        self.left = self.left.map(|left| left - shown);
        if shown > 0 {
            inbox.screen.progress.count(shown);
            inbox.heard();
        }
        Ok(())
    }

    /// Shows events of v2, each of which is all that happened at its index, and counts them; whether
    /// more are wanted.
    fn take_run(&mut self, held: &Held, shown: &mut u64, inbox: &Inbox) -> Result<bool, Stop> {
        let left = self.left.map_or(u64::MAX, |left| left - *shown);
        let count = held
            .places
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let batch = held.parcel.batch();
        let places = held.places.start..held.places.start + count;
        let is_as_sent = self.form.is_as_sent() && self.part.is_none() && self.filter.passes_all();
        if is_as_sent && let Some(lines) = batch.lines(places.clone()) {
            self.pass_on(lines, inbox)?;
            *shown += count as u64;
            if let Some(last) = batch.event(places.end - 1) {
                self.reached.pass(&last);
            }
            return Ok(self.left != Some(*shown));
        }
        let mut last = None;
        for event in held.events() {
            if self.left == Some(*shown) {
                break;
            }
            last = Some(event);
            let record = Record::Event(event);
            if self.is_wanted(&record) {
                *shown += 1;
                let received = held.parcel.received();
                self.form.record(&record, received, &mut self.out);
            }
        }
        if let Some(last) = last {
            self.reached.pass(&last);
        }
        Ok(self.left != Some(*shown))
    }

    /// Shows what happened at one index, or has a command run for each event of it, and counts them;
    /// whether more are wanted.
    fn take_one(&mut self, held: &Held, shown: &mut u64) -> bool {
        let is_v3 = self.is_v3();
        if let Some(wait) = &mut self.wait {
            wait.apply(held);
            self.is_over = wait.is_over();
        }
        let index = held.events().next().map(|event| event.index());
        let written = self.reached.take_begun(index);
        let count = held.events().count();
        for (place, event) in held.events().enumerate().skip(written) {
            if self.left == Some(*shown) {
                // In the middle of a transaction, or before it.
                self.reached.begin(event.index(), place);
                return false;
            }
            if place + 1 < count {
                self.reached.begin(event.index(), place + 1);
            } else if is_v3 {
                self.reached.pass_revision(held);
            } else {
                self.reached.pass(&event);
            }
            let record = Record::Event(event);
            if self.is_over || self.shows_all() && self.is_wanted(&record) {
                *shown += 1;
                let work = || Work::Event(Arc::clone(&held.parcel), held.places.start + place);
                self.record(&record, held.parcel.received(), work);
            }
        }
        !self.is_over
    }

    /// A state, or the differences to it, are complete.
    fn take_synced(&mut self, index: Index) {
        let is_shown = self.shows_state();
        self.is_begun = true;
        if is_shown {
            self.plain("synced", index);
        }
        let Some(wait) = self.wait.as_ref().filter(|wait| wait.is_over()) else {
            return;
        };
        self.is_over = true;
        if is_shown {
            return;
        }
        let evidence: Vec<StateNode> = wait.evidence().into_iter().cloned().collect();
        for node in &evidence {
            self.form
                .record(&Record::State(index, node), Instant::now(), &mut self.out);
        }
        if evidence.is_empty() {
            self.plain("synced", index);
        }
    }

    /// Takes what was read, if it is wanted.
    fn read(&mut self, record: &Record<'_>, unread: Option<&Arc<Permit>>) {
        if self.is_wanted(record) {
            let work = || Work::State(runner::tell(record), unread.cloned());
            self.record(record, Instant::now(), work);
        }
    }

    /// Prints a record, or has a command run for it.
    fn record(&mut self, record: &Record<'_>, received: Instant, work: impl FnOnce() -> Work) {
        match &mut self.runner {
            None => self.form.record(record, received, &mut self.out),
            Some(runner) => runner.push(work(), self.reached.at().clone()),
        }
    }

    /// Takes a record of our own that has an action and a position, and nothing else.
    fn plain(&mut self, action: &str, index: Index) {
        let name = self.name();
        let line = |style| text::own(index, action, &name, style);
        self.own(index, action, &json::own(action, index), line);
    }

    /// Takes a record of our own.
    fn own(
        &mut self,
        index: Index,
        action: &str,
        record: &serde_json::Value,
        line: impl Fn(text::Style) -> String,
    ) {
        let name = self.name();
        match &mut self.runner {
            None => self.form.own(record, line, Instant::now(), &mut self.out),
            Some(runner) => {
                let mut json = Vec::new();
                json::push_line(record.to_string().as_bytes(), false, &mut json);
                let told = Told::new(index, action.as_bytes(), name.as_bytes(), b"", json);
                runner.push(Work::Own(told), self.reached.at().clone());
            }
        }
    }

    /// The keys that are watched.
    fn name(&self) -> String {
        self.scope.as_ref().map_or_else(String::new, Scope::name)
    }

    /// Writes what there is to be written. Then all that was taken is done with, unless commands run
    /// for it.
    fn flush(&mut self, inbox: &Inbox) -> Result<(), Stop> {
        if self.is_cut {
            return Ok(());
        }
        if !self.out.is_empty() {
            // Where that fails, how much of it was written is not known.
            self.is_cut = true;
            inbox.screen.print(&mut self.out)?;
            self.is_cut = false;
            self.out.shrink_to(KEPT_BUFFER);
        }
        if self.runner.is_none() {
            self.reached.settle(None);
        }
        Ok(())
    }

    /// Writes lines as they are, or with what comes next.
    fn pass_on(&mut self, lines: &[u8], inbox: &Inbox) -> Result<(), Stop> {
        if lines.len() < NOT_GATHERED {
            self.out.extend_from_slice(lines);
            return Ok(());
        }
        self.flush(inbox)?;
        self.is_cut = true;
        inbox.screen.pass_on(lines)?;
        self.is_cut = false;
        Ok(())
    }

    fn save(&mut self) -> Result<(), Stop> {
        Ok(self.reached.save(self.scope.as_ref())?)
    }
}

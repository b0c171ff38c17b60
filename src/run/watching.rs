//! Runs a watch, with the API that has the watched keys.
//!
//! In scope: the session's plan, the notices beside the records, and the error that ends a watch. Out of
//! scope: the handling of updates (a [`Sink`]).

use std::time::Duration;

use crate::error::{Error, none_answered};
use crate::render::notice;
use crate::run::api::{self, Found};
use crate::run::inbox::{Inbox, Task};
use crate::run::stop::Stop;
use crate::run::trace;
use crate::settings::Settings;
use crate::sink::{Flow, Sink};
use etcdwatch_client::driver::{self, Servers};
use etcdwatch_client::transport::http::Http;
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::v2;
use etcdwatch_engine::watch::{Budget, OnGap, Outcome, Plan, PlannedEnd, Start, Update};

/// The default of `--buffer`: the number of bytes of events that may wait for a sink.
const BUFFER: usize = 64 << 20;
/// The default of `--stale-after`.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// The plan of a watch on `scope` with the defaults: every event from now on, and a resync after a gap.
#[must_use]
pub fn plan(scope: Scope, settings: &Settings) -> Plan {
    Plan {
        scope,
        start: Start::Now,
        planned_end: PlannedEnd::Forever,
        stream: true,
        previous: false,
        on_gap: OnGap::Resync,
        snapshot: false,
        expand: false,
        stale_after: STALE_AFTER,
        cluster: None,
        last: None,
        endpoints: settings.client.endpoints.len(),
        history: v2::HISTORY,
        raft_jump: v2::RAFT_JUMP,
        seed: fastrand::u64(..),
        budget: Budget::new(BUFFER),
    }
}

/// The result of a watch with one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The watch is complete, or the sink wants nothing more.
    Done,
    /// The watched keys exist with the other API only.
    Elsewhere,
}

/// Watches the first of `scopes` that has a key, and passes the updates to `sink` until the end. Each scope
/// is for another API. `plan_of` makes the plan of a scope.
///
/// # Errors
/// The reason why the run ends, as `sink` reports it: a failure, a signal or a deadline.
pub fn run(
    scopes: Vec<Scope>,
    plan_of: impl Fn(Scope) -> Plan,
    settings: &Settings,
    inbox: &mut Inbox,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let ended = watch_each(scopes, plan_of, settings, inbox, sink);
    sink.finish(ended, inbox)
}

fn watch_each(
    scopes: Vec<Scope>,
    plan_of: impl Fn(Scope) -> Plan,
    settings: &Settings,
    inbox: &mut Inbox,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let log = inbox.log(settings);
    if let Some(log) = log.clone().filter(|_| settings.trace) {
        trace::start(log);
    }
    let http = Http::new(&settings.client, log.clone()).map_err(Error::from)?;
    let mut ended = Ended::Elsewhere;
    let mut scopes = scopes.into_iter().peekable();
    while let (Ended::Elsewhere, Some(scope)) = (ended, scopes.next()) {
        if let Some(log) = &log {
            log(format!("* using the {} API", scope.api().name()));
        }
        let plan = plan_of(scope);
        let mut run = WatchRun {
            planned_end: plan.planned_end,
            stale_after: plan.stale_after,
            settings,
            http: &http,
            sink,
        };
        let watched = run.watch(plan, scopes.peek(), inbox);
        inbox.write_log();
        ended = watched?;
    }
    Ok(())
}

struct WatchRun<'r> {
    planned_end: PlannedEnd,
    stale_after: Duration,
    settings: &'r Settings,
    http: &'r Http,
    sink: &'r mut dyn Sink,
}

impl WatchRun<'_> {
    /// Carries `plan` out, unless only `other` has a key.
    fn watch(
        &mut self,
        plan: Plan,
        other: Option<&Scope>,
        inbox: &mut Inbox,
    ) -> Result<Ended, Stop> {
        let scope = plan.scope.clone();
        let servers = Servers {
            http: self.http.clone(),
            endpoints: self.settings.client.endpoints.clone(),
            max_event: self.settings.client.max_event,
        };
        let waker = inbox.waker();
        let running = driver::start(plan, servers, move || waker.wake());
        let lookup = other.map(|other| {
            let (http, endpoints) = (self.http.clone(), self.settings.client.endpoints.clone());
            let (scope, other) = (scope.clone(), other.clone());
            inbox.start(move || api::find(&http, &endpoints, &scope, &other))
        });
        self.sink.begin(&scope);
        let ended = self.follow(&scope, &running, lookup, inbox);
        // The next watch does not use its connections.
        running.give_up();
        ended
    }

    /// Passes on the updates of a watch on `scope` until it is over. Updates wait while `lookup` finds out
    /// whether the other API has the watched keys.
    fn follow(
        &mut self,
        scope: &Scope,
        running: &driver::RunningWatch,
        mut lookup: Option<Task<Found>>,
        inbox: &mut Inbox,
    ) -> Result<Ended, Stop> {
        let has_other = lookup.is_some();
        loop {
            inbox.wait(self.sink.due())?;
            if let Some(found) = lookup.as_ref().and_then(Task::result) {
                lookup = None;
                let name = scope.name();
                match found {
                    Found::First => {}
                    Found::Other => {
                        let notice = format!(
                            "v2 has nothing at {name}, so etcdwatch uses v3; use --api v3 to skip the \
                             check"
                        );
                        inbox.screen.notice("api", &notice);
                        return Ok(Ended::Elsewhere);
                    }
                    Found::Unknown(why) => {
                        let notice =
                            format!("v2 has nothing at {name}, and v3 cannot be read: {why}");
                        inbox.screen.notice("api", &notice);
                    }
                }
            }
            if lookup.is_none() {
                for update in running.take() {
                    if let Some(ended) = self.take(update, has_other, inbox)? {
                        return Ok(ended);
                    }
                }
            }
            if self.sink.wake(inbox)? == Flow::Done {
                return Ok(Ended::Done);
            }
        }
    }

    /// Passes an update on to the sink. Returns how the watch ended, if it did.
    fn take(
        &mut self,
        update: Update,
        has_other: bool,
        inbox: &mut Inbox,
    ) -> Result<Option<Ended>, Stop> {
        if let Update::Finished(outcome) = update {
            return match self.finish(outcome) {
                Ok(()) => Ok(Some(Ended::Done)),
                Err(Stop::Error(error)) if has_other && error.is_api_off() => {
                    Ok(Some(Ended::Elsewhere))
                }
                Err(stop) => Err(stop),
            };
        }
        self.notify(&update, inbox);
        let flow = self.sink.take(update, inbox)?;
        Ok((flow == Flow::Done).then_some(Ended::Done))
    }

    /// Prints the notice of an update, if it has one, and updates the progress display.
    fn notify(&self, update: &Update, inbox: &mut Inbox) {
        let progress = &mut inbox.screen.progress;
        match update {
            Update::Position(position) => position.index.iter().for_each(|at| progress.reach(*at)),
            Update::Target { from, to } => progress.set_range(Some((*from, *to))),
            Update::Following => progress.set_range(None),
            Update::Notice(notice) => {
                let (kind, message) = notice::of_watch(notice, self.planned_end, self.settings);
                inbox.screen.notice(kind, &message);
            }
            Update::Status(status) if status.notable => {
                let message = notice::of_status(status, self.stale_after, self.settings);
                inbox.screen.notice(status.state.name(), &message);
            }
            _ => {}
        }
    }

    fn finish(&self, outcome: Outcome) -> Result<(), Stop> {
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Lost { gap, oldest } => Err(Error::Lost { gap, oldest }.into()),
            Outcome::Failed(attempts) => {
                let attempts = attempts
                    .into_iter()
                    .map(|(endpoint, failure)| (self.settings.url(endpoint).to_owned(), failure))
                    .collect();
                Err(none_answered(attempts).into())
            }
        }
    }
}

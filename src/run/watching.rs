//! A watch as a command runs it: by whichever API has what is watched.
//!
//! In scope: from a key to the session's plan, what a person is told beside the records, and the
//! error that a watch ends with. Out of scope: what is done with what it tells (a [`Viewer`]).

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use crate::desired::Desired;
use crate::doctor::facts::Facts;
use crate::doctor::findings::History;
use crate::error::{Error, none_answered};
use crate::run::api::{self, Place};
use crate::run::inbox::{Inbox, Stop};
use crate::settings::Settings;
use etcdwatch_client::driver::{self, Means, Report};
use etcdwatch_client::transport::http::Http;
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::v2;
use etcdwatch_engine::watch::{
    Budget, NoProof, Notice, OnGap, Outcome, Plan, Start, StateOfWatch, Status, Until, Update,
};

/// So many bytes of events may wait for a viewer, unless it is told otherwise.
const BUFFER: usize = 64 << 20;
/// For so long it may be unknown whether what is known is fresh, unless told otherwise.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// A watch on `scope` as most are: of all that happens from now on, with the state told anew after
/// a gap.
#[must_use]
pub fn plan(scope: Scope, settings: &Settings) -> Plan {
    Plan {
        scope,
        start: Start::Now,
        until: Until::Forever,
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
        snapshot_behind: v2::SNAPSHOT_BEHIND,
        seed: fastrand::u64(..),
        budget: Budget::new(BUFFER),
    }
}

/// Whether a watch goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    GoesOn,
    /// What was to be done is done.
    Done,
}

/// What takes what a watch tells.
pub trait Viewer {
    /// The watch is on this, by the API that it is of.
    fn begin(&mut self, scope: &Scope);

    /// Takes something.
    ///
    /// # Errors
    /// What ends the run.
    fn take(&mut self, update: Update, inbox: &mut Inbox<Arrival>) -> Result<Flow, Stop>;

    /// A command that it has started has ended.
    fn child_ended(&mut self, _number: u64) {}

    /// When it wants to be woken, though nothing comes; never, unless it says so.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// It was woken, or something came.
    ///
    /// # Errors
    /// What ends the run.
    fn wake(&mut self, _inbox: &mut Inbox<Arrival>) -> Result<Flow, Stop> {
        Ok(Flow::GoesOn)
    }
}

/// What arrives while a watch runs.
pub enum Arrival {
    /// What the watch of this API's place says at a time.
    Reports(usize, Vec<Report>),
    /// By which API what is watched is to be had.
    Found(Place),
    /// The command of that number has ended.
    Child(u64),
    /// What the endpoints say of themselves.
    Facts(Vec<Facts>),
    /// What a file wants to be so.
    Desired(Result<Desired, Error>),
    /// How the histories stand.
    Histories(Vec<History>),
}

/// How a watch by one API ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// As it should.
    Done,
    /// What is watched is had by another API.
    Elsewhere,
}

/// Watches the first of `scopes`, each by another API, that has something, as `plan_of` it says, and
/// shows it to `viewer` until the end.
///
/// # Errors
/// Where it can't go on; what ends a run from outside.
pub fn run(
    scopes: Vec<Scope>,
    plan_of: impl Fn(Scope) -> Plan,
    settings: &Settings,
    inbox: &mut Inbox<Arrival>,
    viewer: &mut dyn Viewer,
) -> Result<(), Stop> {
    let log = inbox.log(settings);
    let http = Http::new(&settings.client, log.clone()).map_err(Error::from)?;
    let mut ended = Ended::Elsewhere;
    let mut scopes = scopes.into_iter().peekable();
    while let (Ended::Elsewhere, Some(scope)) = (ended, scopes.next()) {
        if let Some(log) = &log {
            log(format!("* by etcd's {} API", scope.api().name()));
        }
        let plan = plan_of(scope);
        let mut run = Run {
            until: plan.until,
            stale_after: plan.stale_after,
            settings,
            http: &http,
            viewer,
        };
        ended = run.watch(plan, scopes.peek(), inbox)?;
    }
    Ok(())
}

struct Run<'r> {
    until: Until,
    stale_after: Duration,
    settings: &'r Settings,
    http: &'r Http,
    viewer: &'r mut dyn Viewer,
}

impl Run<'_> {
    /// Carries `plan` out, unless it turns out that `other` is where something is.
    fn watch(
        &mut self,
        plan: Plan,
        other: Option<&Scope>,
        inbox: &mut Inbox<Arrival>,
    ) -> Result<Ended, Stop> {
        let scope = plan.scope.clone();
        let place = usize::from(other.is_none());
        let running = self.start(plan, inbox, place);
        if let Some(other) = other {
            let (deliver, http) = (inbox.delivery(), self.http.clone());
            let (endpoints, other) = (self.settings.client.endpoints.clone(), other.clone());
            let scope = scope.clone();
            thread::spawn(move || {
                let place = api::find(&http, &endpoints, &scope, &other);
                deliver(Arrival::Found(place))
            });
        }
        self.viewer.begin(&scope);
        // While that is found out, what arrives waits.
        let waiting = other.map(|_| VecDeque::new());
        let ended = self.follow(&scope, place, waiting, inbox);
        // Its connections are of no use to what comes after it.
        running.give_up();
        ended
    }

    /// Takes what arrives of the watch at `place`, until it is over.
    fn follow(
        &mut self,
        scope: &Scope,
        place: usize,
        mut waiting: Option<VecDeque<Report>>,
        inbox: &mut Inbox<Arrival>,
    ) -> Result<Ended, Stop> {
        let has_other = place == 0;
        loop {
            let due = self.viewer.due();
            match inbox.receive_until(due)? {
                Some(Arrival::Reports(of, reports)) if of == place => match &mut waiting {
                    Some(waiting) => waiting.extend(reports),
                    None => {
                        for report in reports {
                            if let Some(ended) = self.take(report, has_other, inbox)? {
                                return Ok(ended);
                            }
                        }
                    }
                },
                Some(Arrival::Found(Place::Elsewhere)) if waiting.is_some() => {
                    let notice = format!(
                        "v2 has nothing at {}: v3 is watched instead; --api v3 says so at once",
                        scope.name()
                    );
                    inbox.screen.notice("api", &notice);
                    return Ok(Ended::Elsewhere);
                }
                Some(Arrival::Found(place)) => {
                    if let Place::Hidden(why) = place {
                        let name = scope.name();
                        let notice =
                            format!("v2 has nothing at {name}, and v3 can't be asked: {why}");
                        inbox.screen.notice("api", &notice);
                    }
                    for report in waiting.take().into_iter().flatten() {
                        if let Some(ended) = self.take(report, has_other, inbox)? {
                            return Ok(ended);
                        }
                    }
                }
                Some(Arrival::Child(number)) => self.viewer.child_ended(number),
                Some(
                    Arrival::Reports(..)
                    | Arrival::Facts(_)
                    | Arrival::Desired(_)
                    | Arrival::Histories(_),
                )
                | None => {}
            }
            if self.viewer.wake(inbox)? == Flow::Done {
                return Ok(Ended::Done);
            }
        }
    }

    fn start(&self, plan: Plan, inbox: &Inbox<Arrival>, place: usize) -> driver::Running {
        let means = Means {
            http: self.http.clone(),
            endpoints: self.settings.client.endpoints.clone(),
            max_event: self.settings.client.max_event,
        };
        let deliver = inbox.delivery();
        driver::start(plan, means, move |reports| {
            deliver(Arrival::Reports(place, reports))
        })
    }

    /// Shows what is reported; how the watch ended, if it did.
    fn take(
        &mut self,
        report: Report,
        has_other: bool,
        inbox: &mut Inbox<Arrival>,
    ) -> Result<Option<Ended>, Stop> {
        let update = match report {
            Report::Update(update) => update,
            Report::Moved(position) => Update::Position(position.take()),
            Report::Finished(outcome) => {
                return match self.finish(outcome) {
                    Ok(()) => Ok(Some(Ended::Done)),
                    Err(Stop::Error(error)) if has_other && error.is_api_off() => {
                        Ok(Some(Ended::Elsewhere))
                    }
                    Err(stop) => Err(stop),
                };
            }
        };
        self.tell(&update, inbox);
        let flow = self.viewer.take(update, inbox)?;
        Ok((flow == Flow::Done).then_some(Ended::Done))
    }

    /// Tells a person what is of interest beside the records.
    fn tell(&self, update: &Update, inbox: &mut Inbox<Arrival>) {
        let progress = &mut inbox.screen.progress;
        match update {
            Update::Position(index) => progress.reach(*index),
            Update::Target { from, to } => progress.set_range(Some((*from, *to))),
            Update::Following => progress.set_range(None),
            Update::Notice(notice) => {
                let (kind, message) = self.describe(notice);
                inbox.screen.notice(kind, &message);
            }
            Update::Status(status) if status.notable => {
                let message = self.describe_status(status);
                inbox.screen.notice(status.state.name(), &message);
            }
            _ => {}
        }
    }

    fn describe_status(&self, status: &Status) -> String {
        let (endpoint, cause) = of_status(status, self.settings);
        match (status.state, cause.as_str()) {
            (StateOfWatch::Live, _) => format!("live again, with {endpoint}"),
            (StateOfWatch::Stale, "") => format!(
                "stale: it can't be told whether something happened; {endpoint} has not \
                 confirmed anything for {}",
                humantime::format_duration(self.stale_after)
            ),
            (StateOfWatch::Stale, cause) => {
                format!("stale: it can't be told whether something happened; {endpoint} {cause}")
            }
            (StateOfWatch::Reconnecting, "") => format!("{endpoint} is gone; trying again"),
            (StateOfWatch::Reconnecting, cause) => format!("{endpoint} {cause}; trying again"),
        }
    }

    fn finish(&self, outcome: Outcome) -> Result<(), Stop> {
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Lost { gap, oldest } => Err(Error::Lost { gap, oldest }.into()),
            Outcome::Failed(attempts) => {
                let attempts = attempts
                    .into_iter()
                    .map(|(endpoint, failure)| (url(self.settings, endpoint), failure))
                    .collect();
                Err(none_answered(attempts).into())
            }
        }
    }

    fn describe(&self, notice: &Notice) -> (&'static str, String) {
        match notice {
            Notice::Ahead { from, index } => {
                let waits = match self.until {
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
                    "half-closing a connection to {} breaks it or does nothing; etcdwatch reads \
                     the history of the whole store instead to prove that no event is missing",
                    url(self.settings, *endpoint)
                ),
            ),
            Notice::Unproven(why) => {
                let why = match why {
                    NoProof::WholeStoreRefused => {
                        "this user may not read the whole store, whose next event would prove it"
                    }
                    NoProof::TooLong => {
                        "an event elsewhere in the store, which would prove it, is larger than \
                         --max-event"
                    }
                    NoProof::NoNextEvent => {
                        "the store shows no event at the end of the replay or after it, and no wait \
                         can be ended by half-closing its connection"
                    }
                };
                let message = format!("the end of the replay can't be proven: {why}");
                ("unproven", message)
            }
            Notice::OtherCluster { endpoint } => (
                "otherCluster",
                format!(
                    "{} belongs to another cluster and is left out",
                    url(self.settings, *endpoint)
                ),
            ),
        }
    }
}

/// The endpoint that a status speaks of, and its cause in words, empty where it has none.
#[must_use]
pub fn of_status(status: &Status, settings: &Settings) -> (String, String) {
    let cause = status.cause.as_ref().map(ToString::to_string);
    (url(settings, status.endpoint), cause.unwrap_or_default())
}

fn url(settings: &Settings, endpoint: usize) -> String {
    let endpoint = settings.client.endpoints.get(endpoint);
    endpoint.map_or_else(String::new, |endpoint| endpoint.url().to_owned())
}

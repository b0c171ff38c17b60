//! Sends a request to the endpoints in turn until one answers, with the v2 or the v3 API.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, none_answered};
use crate::exit::Exit;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::settings::{ApiChoice, Settings};
use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::{Connection, Http, Limits, PATIENCE};
use etcdwatch_engine::model::{Index, Key};
use etcdwatch_engine::protocol::{Api, Failure, Head, Malformed, Precondition, Request};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::{v2, v3};

/// A complete answer, and the endpoint that gave it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The endpoint that answered.
    pub endpoint: Endpoint,
    /// Status and headers.
    pub head: Head,
    /// The body, at most `--max-event` bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The error for a malformed answer to a read.
    #[must_use]
    pub fn malformed(&self, malformed: Malformed) -> Error {
        Error::Failed {
            endpoint: self.endpoint.url().to_owned(),
            failure: Failure::Malformed(malformed),
        }
    }

    /// The error for a malformed answer to a write, which may have been carried out.
    #[must_use]
    pub fn malformed_after_write(&self, malformed: Malformed) -> Error {
        let why = Failure::Malformed(malformed);
        Error::OutcomeUnknown {
            endpoint: self.endpoint.url().to_owned(),
            why: format!("it {why}"),
        }
    }
}

/// Sends requests to the endpoints in turn, and chooses the API.
#[derive(Clone, Debug)]
pub struct Requester {
    http: Http,
    endpoints: Vec<Endpoint>,
    /// The time that an endpoint has to answer before etcdwatch tries the next one.
    share: Limits,
    max_reply: usize,
    api: ApiChoice,
    /// Whether requests are sent as a user.
    has_user: bool,
    /// Notices to print at the end.
    notices: Arc<Mutex<Vec<String>>>,
    /// The connection in use for a write. It knows whether anything was sent, which decides the exit code
    /// when time runs out.
    writing: Arc<Mutex<Option<(Endpoint, Connection)>>>,
}

impl Requester {
    fn new(http: Http, settings: &Settings) -> Self {
        let share = settings.timeout.map_or(PATIENCE, |timeout| {
            let count = u32::try_from(settings.client.endpoints.len()).unwrap_or(u32::MAX);
            (timeout / count.max(1)).clamp(Duration::from_millis(1), PATIENCE)
        });
        Self {
            http,
            endpoints: settings.client.endpoints.clone(),
            share: Limits {
                head: Some(share),
                idle: Some(share),
            },
            max_reply: settings.client.max_event,
            api: settings.api,
            has_user: settings.client.credentials.is_some(),
            notices: Arc::default(),
            writing: Arc::default(),
        }
    }

    /// Sends a request. A failed read is sent to the next endpoint, unless that one would give the same
    /// answer. A failed write is sent to the next endpoint only if nothing of it was sent.
    ///
    /// # Errors
    /// The error that etcd answered with, or the failure of every endpoint.
    pub fn send(&self, request: &Request) -> Result<Answer, Error> {
        self.try_each(request.writes, |connection, endpoint, limits| {
            let reply = connection.send(endpoint, request, limits)?;
            Ok(Answer {
                endpoint: endpoint.clone(),
                head: reply.head.clone(),
                body: reply.read_whole(self.max_reply)?,
            })
        })
    }

    /// Reads keys over v3, and tries the next endpoint as [`Requester::send`] does. The body of the answer
    /// is empty, because the reply holds its contents.
    ///
    /// # Errors
    /// The error that etcd answered with, or the failure of every endpoint.
    pub fn read(&self, ranges: &v3::Ranges) -> Result<(Answer, v3::KvReply), Error> {
        self.try_each(false, |connection, endpoint, limits| {
            let (head, reply) = connection.read(endpoint, ranges, limits, self.max_reply)?;
            let answer = Answer {
                endpoint: endpoint.clone(),
                head,
                body: Vec::new(),
            };
            Ok((answer, reply))
        })
    }

    fn try_each<T>(
        &self,
        writes: bool,
        attempt: impl Fn(&Connection, &Endpoint, Limits) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut failures = Vec::new();
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            let is_last = number + 1 == self.endpoints.len();
            let connection = self.http.connection();
            if writes {
                self.note_write(Some((endpoint.clone(), connection.clone())));
            }
            let limits = if writes || is_last {
                Limits::NONE
            } else {
                self.share
            };
            let failure = match attempt(&connection, endpoint, limits) {
                Ok(answer) => {
                    self.note_write(None);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            if writes && connection.has_sent() {
                return Err(write_failure(endpoint, failure));
            }
            if is_final(&failure) {
                let endpoint = endpoint.url().to_owned();
                return Err(Error::Failed { endpoint, failure });
            }
            failures.push((endpoint.url().to_owned(), failure));
        }
        Err(none_answered(failures))
    }

    /// Calls `v2` or `v3`, as `--api` says. With `auto`, calls `v2` first, and `v3` if the v2 API is off
    /// or does not have the key.
    ///
    /// # Errors
    /// The error of the API that was used.
    pub fn with_either<T>(
        &self,
        v2: impl FnOnce() -> Result<T, Error>,
        v3: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.api {
            ApiChoice::V2 => v2(),
            ApiChoice::V3 => self.with_v3("--api v3", v3),
            ApiChoice::Auto => match v2() {
                Err(error) if error.is_api_off() => self.with_v3("v2 is off", v3),
                Err(error) if error.is_not_found() => {
                    let answer = v3();
                    let is_silent = |answer: &Error| match answer.exit() {
                        Exit::No => answer.is_not_found(),
                        // The write may have been carried out.
                        Exit::Unknown => false,
                        // A user must learn that the password is wrong.
                        Exit::Refused => !(self.has_user && answer.is_unauthorized()),
                        _ => true,
                    };
                    if answer.as_ref().is_err_and(is_silent) {
                        return Err(error);
                    }
                    self.note_elsewhere();
                    answer
                }
                other => other,
            },
        }
    }

    /// Does `work`, which needs v3. `reason` is the option that needs it, for the message.
    ///
    /// # Errors
    /// If `--api v2` is set, or `work` fails.
    pub fn with_v3<T>(
        &self,
        reason: &str,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.api == ApiChoice::V2 {
            return Err(Error::Usage(format!("{reason} needs --api v3")));
        }
        work()
    }

    /// Adds to the error for a missing key whether the other API has it, if `--api` named one.
    #[must_use]
    pub fn look_elsewhere(&self, key: &str, error: Error) -> Error {
        if !error.is_not_found() {
            return error;
        }
        let found = match self.api {
            ApiChoice::V2 => self.has_with_v3(key).then_some(Api::V3),
            ApiChoice::V3 => self.read_with_v2(key).is_ok().then_some(Api::V2),
            ApiChoice::Auto => None,
        };
        match found {
            Some(api) => Error::Elsewhere {
                error: Box::new(error),
                api,
            },
            None => error,
        }
    }

    /// Like [`Requester::with_either`], for a write that requires that the key does not exist. With `--api
    /// auto`, the key must not exist with either API, so both are read first.
    ///
    /// # Errors
    /// The error of the API that was used.
    pub fn create_with_either<T>(
        &self,
        key: &str,
        v2: impl FnOnce() -> Result<T, Error>,
        v3: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.api != ApiChoice::Auto {
            return self.with_either(v2, v3);
        }
        match self.read_with_v2(key) {
            Err(error) if error.is_api_off() => self.with_v3("v2 is off", v3),
            Err(error) if error.is_not_found() && self.has_with_v3(key) => {
                self.note_elsewhere();
                v3()
            }
            _ => v2(),
        }
    }

    fn has_with_v3(&self, key: &str) -> bool {
        if key.is_empty() {
            return false;
        }
        let found = self.read(&v3::read_one(key.as_bytes(), true));
        found.is_ok_and(|(_, reply)| !reply.pairs.is_empty())
    }

    fn read_with_v2(&self, key: &str) -> Result<Answer, Error> {
        self.send(&v2::read(&parse_key(key)?, v2::ReadOptions::default()))
    }

    fn note_elsewhere(&self) {
        self.note("v2 does not have the key, so etcdwatch uses v3; use --api v3 to skip the check");
    }

    /// Adds a notice to print at the end.
    pub fn note(&self, notice: &str) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push(notice.to_owned());
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *notices)
    }

    /// The error for `--timeout`. If a write was sent, its outcome is unknown.
    #[must_use]
    pub fn timed_out(&self, timeout: Duration) -> Error {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match &*writing {
            Some((endpoint, connection)) if connection.has_sent() => Error::OutcomeUnknown {
                endpoint: endpoint.url().to_owned(),
                why: format!("no answer within {}", humantime::format_duration(timeout)),
            },
            _ => Error::TimedOut(timeout),
        }
    }

    fn note_write(&self, write: Option<(Endpoint, Connection)>) {
        *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = write;
    }
}

/// Whether another endpoint would give the same answer.
fn is_final(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refusal) => {
            !fault::is_passing(refusal.fault.code) && refusal.head.status != 503
        }
        Failure::TooLong(_) | Failure::Unsendable(_) => true,
        _ => false,
    }
}

/// The error for a write that was sent but failed.
fn write_failure(endpoint: &Endpoint, failure: Failure) -> Error {
    let endpoint = endpoint.url().to_owned();
    let is_unknown = match &failure {
        // The members may still agree on the write (fact 12).
        Failure::Refused(refusal) => refusal.fault.code == fault::RAFT_INTERNAL,
        Failure::Cut(_)
        | Failure::Silent(_)
        | Failure::Unreachable(_)
        | Failure::BadGateway(_)
        | Failure::TooLong(_) => true,
        _ => false,
    };
    if is_unknown {
        let why = failure.to_string();
        Error::OutcomeUnknown {
            why: format!("it {why}"),
            endpoint,
        }
    } else {
        Error::Failed { endpoint, failure }
    }
}

/// Parses a key of the v2 API.
///
/// # Errors
/// If it is not a valid key.
pub fn parse_key(typed: &str) -> Result<Key, Error> {
    Key::parse(typed).map_err(|error| Error::Usage(format!("key '{typed}': {error}")))
}

/// Checks a key of the v3 API, which is used literally.
///
/// # Errors
/// If it is not a valid key.
pub fn parse_literal(typed: &str) -> Result<&[u8], Error> {
    Key::literal(typed)
        .map(|_| typed.as_bytes())
        .map_err(|error| Error::Usage(format!("key '{typed}': {error}")))
}

/// The precondition that the options make. The bytes of the value are unchanged.
#[must_use]
pub fn precondition(
    exists: Option<bool>,
    value: Option<OsString>,
    index: Option<u64>,
) -> Precondition {
    Precondition {
        exists,
        value: value.map(OsString::into_vec),
        index: index.map(Index),
    }
}

/// The output of a command that sends requests.
#[derive(Debug)]
pub struct Rendered {
    /// The bytes for standard output.
    pub records: Vec<u8>,
    /// The errors of the keys that failed. The last one decides the exit code.
    pub errors: Vec<Error>,
}

impl From<Vec<u8>> for Rendered {
    fn from(records: Vec<u8>) -> Self {
        Self {
            records,
            errors: Vec::new(),
        }
    }
}

/// Runs `work` with a requester and prints what it returns. `doing` and `key` are for the spinner.
///
/// # Errors
/// The errors of `work`, a signal, or the deadline.
pub fn run<P: Into<Rendered> + Send + 'static>(
    settings: &Settings,
    doing: &'static str,
    key: &str,
    work: impl FnOnce(&Requester) -> Result<P, Error> + Send + 'static,
) -> Result<(), Stop> {
    let mut inbox = Inbox::new(settings, doing, key)?;
    let http = Http::new(&settings.client, inbox.log(settings)).map_err(Error::from)?;
    let requester = Requester::new(http, settings);
    let worker = requester.clone();
    let done = inbox.wait_for(move || work(&worker));
    inbox.screen.clear();
    for notice in requester.notices() {
        inbox.screen.notice("api", &notice);
    }
    let mut rendered: Rendered = match done {
        Ok(rendered) => rendered?.into(),
        Err(Stop::Error(Error::TimedOut(timeout))) => {
            return Err(requester.timed_out(timeout).into());
        }
        Err(stop) => return Err(stop),
    };
    inbox.screen.print(&mut rendered.records)?;
    if rendered.errors.is_empty() {
        return Ok(());
    }
    Err(Stop::Errors(rendered.errors))
}

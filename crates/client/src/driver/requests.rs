//! The requests that answer what a session asks, and how their replies are read.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::transport::http::{AGREED, Connection, Limits, PATIENCE, PATIENT};
use etcdwatch_engine::model::{Key, Scope};
use etcdwatch_engine::protocol::Request;
use etcdwatch_engine::v3::Ranges;
use etcdwatch_engine::watch::{Ask, Ticket};
use etcdwatch_engine::{v2, v3};

/// How a reply is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// The events of a stream.
    Stream,
    /// The event that ends a long poll.
    Events,
    /// Only its head.
    Index,
    /// The key, or a directory with its children.
    State {
        /// All descendants rather than the children.
        recursive: bool,
    },
    /// The messages of a watch (v3).
    Messages,
}

/// What a worker asks its endpoint.
pub(super) enum Question {
    /// One request.
    Request(Request, Reads),
    /// Reads ranges only for the store's revision (v3).
    Revision(Ranges),
    /// Reads ranges for the revision and the keys (v3).
    Pairs(Ranges),
}

/// A request on its way to a worker thread.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) endpoint: Endpoint,
    pub(super) question: Question,
    pub(super) limits: Limits,
    pub(super) connection: Connection,
}

/// The limits of a long poll or stream: etcd sends its head at once, and a body perhaps never.
const fn patient(idle: Option<Duration>) -> Limits {
    Limits {
        head: Some(PATIENCE),
        idle,
    }
}

pub(super) fn v2_question(scope: &Scope, ask: &Ask) -> (Question, Limits) {
    let (request, reads, limits) = match ask {
        Ask::Stream => (v2::stream(scope), Reads::Stream, patient(None)),
        Ask::Wait { from, hangs, .. } => {
            let idle = (!hangs).then_some(PATIENCE);
            (v2::wait(scope, *from), Reads::Events, patient(idle))
        }
        // A session of the v2 API asks none of the last four.
        Ask::Index
        | Ask::Revisions { .. }
        | Ask::Kept { .. }
        | Ask::Reach(_)
        | Ask::Since { .. } => (read_index(scope), Reads::Index, AGREED),
        Ask::State => {
            let how = v2::Read {
                recursive: scope.recursive,
                sorted: false,
                quorum: true,
            };
            let recursive = scope.recursive;
            (
                v2::read(&scope.key, how),
                Reads::State { recursive },
                AGREED,
            )
        }
        Ask::Look(key) => {
            let key = event_key(key, scope);
            let reads = Reads::State { recursive: false };
            (read_agreed(&key), reads, AGREED)
        }
        Ask::Next { key, from, hangs } => {
            let idle = (!hangs).then_some(PATIENCE);
            let scope = Scope::new(event_key(key, scope), false);
            let request = v2::wait(&scope, Some(*from));
            (request, Reads::Events, patient(idle))
        }
        Ask::Alarm => (v2::wait_anywhere(None), Reads::Events, patient(None)),
        Ask::Walk { from, hangs } => {
            let idle = (!hangs).then_some(PATIENCE);
            let request = v2::wait_anywhere(Some(*from));
            (request, Reads::Events, patient(idle))
        }
    };
    (Question::Request(request, reads), limits)
}

pub(super) fn v3_question(scope: &Scope, previous: bool, ask: &Ask) -> (Question, Limits) {
    match ask {
        Ask::Revisions {
            from,
            whole_store,
            in_fragments,
        } => {
            let request = v3::watch(
                scope,
                v3::WatchOptions {
                    from: *from,
                    whole_store: *whole_store,
                    previous,
                    in_fragments: *in_fragments,
                },
            );
            let question = Question::Request(request, Reads::Messages);
            (question, patient(None))
        }
        Ask::State => (Question::Pairs(v3::state(scope)), AGREED),
        Ask::Since { after, is_awaited } => {
            let limits = if *is_awaited { PATIENT } else { AGREED };
            (Question::Pairs(v3::since(scope, *after)), limits)
        }
        Ask::Look(key) => (Question::Pairs(v3::read_at(key, None)), AGREED),
        Ask::Kept { key, at } => (Question::Pairs(v3::read_at(key, Some(*at))), AGREED),
        Ask::Reach(at) => {
            let key = scope.key.as_str().as_bytes();
            (Question::Revision(v3::read_at(key, Some(*at))), AGREED)
        }
        // A session of the v3 API asks none of the others.
        Ask::Index
        | Ask::Stream
        | Ask::Wait { .. }
        | Ask::Next { .. }
        | Ask::Alarm
        | Ask::Walk { .. } => (Question::Revision(v3::revision(scope)), AGREED),
    }
}

/// The key of an event as the key of a request. If it is not valid as one, the scope's key, which
/// covers it.
fn event_key(key: &[u8], scope: &Scope) -> Key {
    let parsed = std::str::from_utf8(key)
        .ok()
        .and_then(|key| Key::parse(key).ok());
    parsed.unwrap_or_else(|| scope.key.clone())
}

/// Reads the index. Reading a directory would send all keys in it, so this reads a key below it that
/// does not exist: the error has the same head, and a user who may watch the directory may read it.
fn read_index(scope: &Scope) -> Request {
    let missing = Key::parse(&format!("{}/_etcdwatch", scope.key.as_str()));
    match missing {
        Ok(key) if scope.recursive => read_agreed(&key),
        _ => read_agreed(&scope.key),
    }
}

fn read_agreed(key: &Key) -> Request {
    v2::read(
        key,
        v2::Read {
            quorum: true,
            ..v2::Read::default()
        },
    )
}

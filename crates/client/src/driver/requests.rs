//! Turns the requests of a session into HTTP requests, and says how their replies are read.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::transport::http::{AGREED, Connection, Limits, PATIENCE, PATIENT};
use etcdwatch_engine::model::{Index, Key, Scope};
use etcdwatch_engine::protocol::Request;
use etcdwatch_engine::v2::V2Request;
use etcdwatch_engine::v3::Ranges;
use etcdwatch_engine::v3::V3Request;
use etcdwatch_engine::watch::RequestId;
use etcdwatch_engine::{v2, v3};

/// The part of a reply that is passed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// The events of a stream.
    Stream,
    /// The event that ends a long poll.
    Events,
    /// The head alone, for the index.
    Index,
    /// The key, or a directory with its children.
    State {
        /// All descendants rather than the children.
        recursive: bool,
    },
    /// The messages of a watch (v3).
    Messages,
}

/// The HTTP requests for one request of the session.
pub(super) enum Call {
    /// One request.
    Request(Request, Reads),
    /// Reads ranges only for the store's revision (v3).
    Revision(Ranges),
    /// Reads ranges for the revision and the keys (v3).
    Pairs(Ranges),
}

/// A request on its way to a worker thread.
pub(super) struct Job {
    pub(super) id: RequestId,
    pub(super) endpoint: Endpoint,
    pub(super) call: Call,
    pub(super) limits: Limits,
    pub(super) connection: Connection,
}

/// The limits of a long poll or stream. etcd sends the head at once, and may never send a body.
const fn patient(idle: Option<Duration>) -> Limits {
    Limits {
        head: Some(PATIENCE),
        idle,
    }
}

pub(super) fn v2_call(scope: &Scope, request: &V2Request) -> (Call, Limits) {
    let wait = |request, may_hang: bool| {
        let idle = (!may_hang).then_some(PATIENCE);
        (request, Reads::Events, patient(idle))
    };
    let (request, reads, limits) = match request {
        V2Request::Stream => (v2::stream(scope), Reads::Stream, patient(None)),
        V2Request::Probe { after } => wait(v2::wait(scope, after.map(Index::next)), true),
        V2Request::Question {
            after,
            whole_store: true,
            ..
        }
        | V2Request::Verify {
            after,
            whole_store: true,
            ..
        } => wait(v2::wait_anywhere(Some(after.next())), true),
        V2Request::Question {
            after, may_hang, ..
        }
        | V2Request::Verify {
            after, may_hang, ..
        } => wait(v2::wait(scope, Some(after.next())), *may_hang),
        V2Request::Walk { after, may_hang } => {
            wait(v2::wait_anywhere(Some(after.next())), *may_hang)
        }
        V2Request::Alarm => wait(v2::wait_anywhere(None), true),
        V2Request::Next {
            key,
            after,
            may_hang,
        } => {
            let scope = Scope::new(event_key(key, scope), false);
            wait(v2::wait(&scope, Some(after.next())), *may_hang)
        }
        V2Request::End | V2Request::Rewind | V2Request::Fresh => {
            (read_index(scope), Reads::Index, AGREED)
        }
        V2Request::State => {
            let recursive = scope.recursive;
            let options = v2::ReadOptions {
                recursive,
                sorted: false,
                quorum: true,
            };
            let reads = Reads::State { recursive };
            (v2::read(&scope.key, options), reads, AGREED)
        }
        V2Request::ReadKey { key } => {
            let reads = Reads::State { recursive: false };
            (read_agreed(&event_key(key, scope)), reads, AGREED)
        }
    };
    (Call::Request(request, reads), limits)
}

pub(super) fn v3_call(scope: &Scope, previous: bool, request: &V3Request) -> (Call, Limits) {
    let watch = |from: Option<Index>, whole_store, in_fragments| {
        let watch = v3::WatchOptions {
            from,
            whole_store,
            previous,
            in_fragments,
        };
        let call = Call::Request(v3::watch(scope, watch), Reads::Messages);
        (call, patient(None))
    };
    match request {
        V3Request::Stream {
            after,
            whole_store,
            in_fragments,
        } => watch(*after, *whole_store, *in_fragments),
        V3Request::Compaction {
            after,
            in_fragments,
        } => watch(Some(*after), false, *in_fragments),
        V3Request::State => (Call::Pairs(v3::state(scope)), AGREED),
        V3Request::Fresh {
            scan_after: Some(after),
        } => (Call::Pairs(v3::since(scope, *after)), AGREED),
        V3Request::Owed { after } => (Call::Pairs(v3::since(scope, *after)), PATIENT),
        V3Request::ReadKey { key } => (Call::Pairs(v3::read_at(key, None)), AGREED),
        V3Request::Verify { key, at } | V3Request::Unchanged { key, at } => {
            (Call::Pairs(v3::read_at(key, Some(*at))), AGREED)
        }
        V3Request::Whole { at } => {
            let key = scope.key.as_str().as_bytes();
            (Call::Revision(v3::read_at(key, Some(*at))), AGREED)
        }
        V3Request::End
        | V3Request::Rewind
        | V3Request::Backlog
        | V3Request::Fresh { scan_after: None } => (Call::Revision(v3::revision(scope)), AGREED),
    }
}

/// Converts the key of an event to that of a request. Falls back to the key of the scope, which covers it,
/// if etcd would refuse the key of the event.
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
        v2::ReadOptions {
            quorum: true,
            ..v2::ReadOptions::default()
        },
    )
}

//! What is sent for what a session asks, and what is read of the reply.

use std::time::Duration;

use crate::transport::http::{AGREED, Limits, PATIENCE, PATIENT};
use etcdwatch_engine::model::{Index, Key, Scope};
use etcdwatch_engine::protocol::Request;
use etcdwatch_engine::v2::V2Request;
use etcdwatch_engine::v3::Ranges;
use etcdwatch_engine::v3::V3Request;
use etcdwatch_engine::{v2, v3};

/// What is read of a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Events, one after the other.
    Stream,
    /// An event.
    Events,
    /// Its head alone.
    Index,
    /// The state; all below the key too, or not.
    State {
        /// All below it too.
        recursive: bool,
    },
    /// The messages of a watch (v3).
    Messages,
}

/// What a lane asks its endpoint.
pub(super) enum Question {
    /// One request, and how its reply is read.
    Request(Request, Reads),
    /// Ranges that are read for the store's revision alone (v3).
    Revision(Ranges),
    /// Ranges that are read for the revision and for the keys (v3).
    Pairs(Ranges),
}

/// A request that is answered at once, and then perhaps never again.
const fn patient(idle: Option<Duration>) -> Limits {
    Limits {
        head: Some(PATIENCE),
        idle,
    }
}

pub(super) fn by_v2(scope: &Scope, request: &V2Request) -> (Question, Limits) {
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
            let how = v2::Read {
                recursive,
                sorted: false,
                quorum: true,
            };
            let reads = Reads::State { recursive };
            (v2::read(&scope.key, how), reads, AGREED)
        }
        V2Request::Look { key } => {
            let reads = Reads::State { recursive: false };
            (read_agreed(&event_key(key, scope)), reads, AGREED)
        }
    };
    (Question::Request(request, reads), limits)
}

pub(super) fn by_v3(scope: &Scope, previous: bool, request: &V3Request) -> (Question, Limits) {
    let watch = |from: Option<Index>, whole_store, in_fragments| {
        let watch = v3::Watch {
            from,
            whole_store,
            previous,
            in_fragments,
        };
        let question = Question::Request(v3::watch(scope, watch), Reads::Messages);
        (question, patient(None))
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
        V3Request::State => (Question::Pairs(v3::state(scope)), AGREED),
        V3Request::Fresh {
            look_after: Some(after),
        } => (Question::Pairs(v3::since(scope, *after)), AGREED),
        V3Request::Owed { after } => (Question::Pairs(v3::since(scope, *after)), PATIENT),
        V3Request::Look { key } => (Question::Pairs(v3::read_at(key, None)), AGREED),
        V3Request::Verify { key, at } | V3Request::Unchanged { key, at } => {
            (Question::Pairs(v3::read_at(key, Some(*at))), AGREED)
        }
        V3Request::Whole { at } => {
            let key = scope.key.as_str().as_bytes();
            (Question::Revision(v3::read_at(key, Some(*at))), AGREED)
        }
        V3Request::End
        | V3Request::Rewind
        | V3Request::Backlog
        | V3Request::Fresh { look_after: None } => {
            (Question::Revision(v3::revision(scope)), AGREED)
        }
    }
}

/// The key of an event is one that can be asked for.
fn event_key(key: &[u8], scope: &Scope) -> Key {
    let parsed = std::str::from_utf8(key)
        .ok()
        .and_then(|key| Key::parse(key).ok());
    parsed.unwrap_or_else(|| scope.key.clone())
}

/// Reads the index. A directory would come with all keys in it; a key below it that nobody has is an
/// error with the same head, and who may watch the directory may read it.
fn read_index(scope: &Scope) -> Request {
    let nobodys = Key::parse(&format!("{}/_etcdwatch", scope.key.as_str()));
    match nobodys {
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

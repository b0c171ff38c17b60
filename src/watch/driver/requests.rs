//! What is sent for what a session asks, and what is read of the reply.

use std::time::Duration;

use crate::http::{AGREED, Limits, PATIENCE, PATIENT};
use crate::model::{Key, Scope};
use crate::protocol::{Request, v2, v3};
use crate::watch::Ask;

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
    /// The store's revision (v3).
    Revision,
    /// That, and keys with their values (v3).
    Pairs,
}

/// A request that is answered at once, and then perhaps never again.
const fn patient(idle: Option<Duration>) -> Limits {
    Limits {
        head: Some(PATIENCE),
        idle,
    }
}

pub(super) fn by_v2(scope: &Scope, ask: &Ask) -> (Request, Reads, Limits) {
    match ask {
        Ask::Stream => (v2::stream(scope), Reads::Stream, patient(None)),
        Ask::Wait { from, hangs, .. } => {
            let idle = (!hangs).then_some(PATIENCE);
            (v2::wait(scope, *from), Reads::Events, patient(idle))
        }
        // A session that speaks v2 asks none of the last four.
        Ask::Index
        | Ask::Revisions { .. }
        | Ask::Kept { .. }
        | Ask::Reach(_)
        | Ask::Since { .. } => (read_index(&scope.key), Reads::Index, AGREED),
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
            (read_index(&key), Reads::State { recursive: false }, AGREED)
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
    }
}

pub(super) fn by_v3(scope: &Scope, previous: bool, ask: &Ask) -> (Request, Reads, Limits) {
    let watch = |request| (request, Reads::Messages, patient(None));
    match ask {
        Ask::Revisions {
            from,
            whole_store,
            in_fragments,
        } => watch(v3::watch(
            scope,
            v3::Watch {
                from: *from,
                whole_store: *whole_store,
                previous,
                in_fragments: *in_fragments,
            },
        )),
        Ask::State => (v3::state(scope), Reads::Pairs, AGREED),
        Ask::Since { after, is_awaited } => {
            let limits = if *is_awaited { PATIENT } else { AGREED };
            (v3::since(scope, *after), Reads::Pairs, limits)
        }
        Ask::Look(key) => (v3::read_at(key, None), Reads::Pairs, AGREED),
        Ask::Kept { key, at } => (v3::read_at(key, Some(*at)), Reads::Pairs, AGREED),
        Ask::Reach(at) => {
            let key = scope.key.as_str().as_bytes();
            (v3::read_at(key, Some(*at)), Reads::Revision, AGREED)
        }
        // A session by v3 asks none of the others.
        Ask::Index
        | Ask::Stream
        | Ask::Wait { .. }
        | Ask::Next { .. }
        | Ask::Alarm
        | Ask::Walk { .. } => (v3::revision(scope), Reads::Revision, AGREED),
    }
}

/// The key of an event is one that can be asked for.
fn event_key(key: &[u8], scope: &Scope) -> Key {
    let parsed = std::str::from_utf8(key)
        .ok()
        .and_then(|key| Key::parse(key).ok());
    parsed.unwrap_or_else(|| scope.key.clone())
}

fn read_index(key: &Key) -> Request {
    v2::read(
        key,
        v2::Read {
            quorum: true,
            ..v2::Read::default()
        },
    )
}

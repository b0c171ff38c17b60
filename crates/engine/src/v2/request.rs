//! Requests of the v2 API as data.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::model::{Index, Key, Scope};
use crate::protocol::{Body, Method, Precondition, Request};

/// The characters that are not escaped in a query or a form.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The characters that are not escaped in a path: those of a query, and `/`.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// How long a key lives, in seconds. Never 0: etcd would delete it at once (fact 21).
pub type Expiry = std::num::NonZeroU64;

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key, or the directory if `in_order` is set.
    pub key: Key,
    /// The value; `None` makes a directory.
    pub value: Option<Vec<u8>>,
    /// The time to live.
    pub ttl: Option<Expiry>,
    /// On what condition.
    pub condition: Precondition,
    /// Under a name that etcd chooses, each later than the one before.
    pub in_order: bool,
}

/// The options of a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Include all descendants.
    pub recursive: bool,
    /// Sort the children by key.
    pub sorted: bool,
    /// Read what a majority has agreed on, rather than this member's state.
    pub quorum: bool,
}

/// Reads a key or a directory.
#[must_use]
pub fn read(key: &Key, how: ReadOptions) -> Request {
    let mut query = Query::default();
    query.flag("recursive", how.recursive);
    query.flag("sorted", how.sorted);
    query.flag("quorum", how.quorum);
    get(key, &query)
}

/// Waits for one event at or after `from`; without `from`, for the next one.
#[must_use]
pub fn wait(scope: &Scope, from: Option<Index>) -> Request {
    let mut query = Query::default();
    query.flag("wait", true);
    query.flag("recursive", scope.recursive);
    if let Some(from) = from {
        query.pair("waitIndex", from.to_string().as_bytes());
    }
    get(&scope.key, &query)
}

/// Waits for one event in the whole store at or after `from`; without `from`, for the next one.
#[must_use]
pub fn wait_anywhere(from: Option<Index>) -> Request {
    let from = from.map_or_else(String::new, |from| format!("&waitIndex={from}"));
    Request {
        method: Method::Get,
        target: format!("/v2/keys/?wait=true&recursive=true{from}"),
        body: None,
        writes: false,
        needs_leader: false,
    }
}

/// Streams events from now on.
///
/// It never has a `waitIndex`: etcd would send an event from history, and nothing after it (fact 2).
#[must_use]
pub fn stream(scope: &Scope) -> Request {
    let mut query = Query::default();
    query.flag("wait", true);
    query.flag("stream", true);
    query.flag("recursive", scope.recursive);
    get(&scope.key, &query)
}

/// Writes a value or makes a directory.
#[must_use]
pub fn write(write: &Write) -> Request {
    // The value goes into a form, because a URL is limited in length.
    let mut form = conditions(&write.condition);
    if let Some(value) = &write.value {
        form.pair("value", value);
    }
    form.flag("dir", write.value.is_none());
    if let Some(ttl) = write.ttl {
        form.pair("ttl", ttl.to_string().as_bytes());
    }
    Request {
        method: if write.in_order {
            Method::Post
        } else {
            Method::Put
        },
        target: target(&write.key, &Query::default()),
        body: Some(Body::Form(form.0.into_bytes())),
        writes: true,
        needs_leader: false,
    }
}

/// Removes a key; a directory if `dir` is set, with its descendants if `recursive` is set.
#[must_use]
pub fn delete(key: &Key, recursive: bool, dir: bool, condition: &Precondition) -> Request {
    let mut query = conditions(condition);
    query.flag("recursive", recursive);
    query.flag("dir", dir);
    Request {
        method: Method::Delete,
        target: target(key, &query),
        body: None,
        writes: true,
        needs_leader: false,
    }
}

fn get(key: &Key, query: &Query) -> Request {
    Request {
        method: Method::Get,
        target: target(key, query),
        body: None,
        writes: false,
        needs_leader: false,
    }
}

fn conditions(condition: &Precondition) -> Query {
    let mut query = Query::default();
    if let Some(exists) = condition.exists {
        query.pair("prevExist", if exists { b"true" } else { b"false" });
    }
    if let Some(value) = &condition.value {
        query.pair("prevValue", value);
    }
    if let Some(index) = condition.index {
        query.pair("prevIndex", index.to_string().as_bytes());
    }
    query
}

fn target(key: &Key, query: &Query) -> String {
    let path = percent_encode(key.as_str().as_bytes(), PATH);
    let mut target = format!("/v2/keys{path}");
    if !query.0.is_empty() {
        target.push('?');
        target.push_str(&query.0);
    }
    target
}

/// Joins pairs for a query or a form.
#[derive(Default)]
struct Query(String);

impl Query {
    fn pair(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(percent_encode(value, QUERY));
    }

    fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.pair(name, b"true");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    #[test]
    fn a_key_with_every_awkward_character_is_one_path() {
        let request = read(&key("/a b/%41/?#/é\n"), ReadOptions::default());
        assert_eq!(
            request.target, "/v2/keys/a%20b/%2541/%3F%23/%C3%A9%0A",
            "nothing of a key is taken for a query, a fragment or an escape"
        );
    }

    #[test]
    fn the_root_keeps_its_slash() {
        assert_eq!(read(&key("/"), ReadOptions::default()).target, "/v2/keys/");
    }

    #[test]
    fn a_stream_never_names_an_index() {
        let scope = Scope::new(key("/a"), true);
        assert_eq!(
            stream(&scope).target,
            "/v2/keys/a?wait=true&stream=true&recursive=true"
        );
    }

    #[test]
    fn a_wait_names_the_index_it_wants() {
        let scope = Scope::new(key("/a"), false);
        assert_eq!(
            wait(&scope, Some(Index(7))).target,
            "/v2/keys/a?wait=true&waitIndex=7"
        );
        assert_eq!(wait(&scope, None).target, "/v2/keys/a?wait=true");
    }

    #[test]
    fn every_byte_of_a_value_arrives_as_it_is() {
        let request = write(&Write {
            key: key("/a"),
            value: Some(b"a b&c=\xff\n+".to_vec()),
            ttl: Expiry::new(30),
            condition: Precondition {
                exists: Some(false),
                ..Precondition::default()
            },
            in_order: false,
        });
        assert_eq!(request.method, Method::Put);
        assert_eq!(request.target, "/v2/keys/a");
        assert_eq!(
            request.body.unwrap().bytes(),
            b"prevExist=false&value=a%20b%26c%3D%FF%0A%2B&ttl=30"
        );
    }

    #[test]
    fn an_empty_value_is_sent_as_one() {
        let request = write(&Write {
            key: key("/a"),
            value: Some(Vec::new()),
            ttl: None,
            condition: Precondition::default(),
            in_order: false,
        });
        assert_eq!(request.body.unwrap().bytes(), b"value=");
    }

    #[test]
    fn a_removal_carries_its_conditions() {
        let condition = Precondition {
            value: Some(b"v&".to_vec()),
            index: Some(Index(9)),
            ..Precondition::default()
        };
        assert_eq!(
            delete(&key("/a"), true, false, &condition).target,
            "/v2/keys/a?prevValue=v%26&prevIndex=9&recursive=true"
        );
    }
}

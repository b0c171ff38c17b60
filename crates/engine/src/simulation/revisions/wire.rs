//! Connections to the model server, and the messages on them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::store::{V3Store, Value, is_in_range, name, scope};
use crate::model::Index;
use crate::protocol::{Failure, Whole};
use crate::testing;
use crate::v3::{Assembler, MessageEnd, V3Request, WatchItem};
use crate::watch::{AnyRequest, Budget, Input, ReceivedBatch, ReplyEnd, RequestId};

/// The watcher of a stream.
#[derive(Clone, Debug)]
pub(super) struct ModelWatcher {
    /// The revision that it needs next.
    pub(super) next: u64,
    pub(super) is_synced: bool,
    /// The watcher receives the events of the whole store.
    pub(super) whole_store: bool,
    /// The last message did not bring all of history.
    pub(super) left_more: bool,
}

impl ModelWatcher {
    /// Whether the watcher receives events at a key.
    pub(super) fn covers(&self, key: u8) -> bool {
        self.whole_store || is_in_range(key)
    }
}

/// A request as the model server receives it, without its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum V3Call {
    Revisions {
        from: Option<Index>,
        whole_store: bool,
        in_fragments: bool,
    },
    Index,
    State,
    ReadKey(Vec<u8>),
    Kept {
        key: Vec<u8>,
        at: Index,
    },
    Reach(Index),
    Since {
        after: Index,
        is_awaited: bool,
    },
}

impl From<AnyRequest> for V3Call {
    fn from(request: AnyRequest) -> Self {
        let AnyRequest::V3(request) = request else {
            panic!("a session of the v3 API sends {request:?}");
        };
        match request {
            V3Request::Stream {
                after,
                whole_store,
                in_fragments,
            } => Self::Revisions {
                from: after,
                whole_store,
                in_fragments,
            },
            V3Request::Compaction {
                after,
                in_fragments,
            } => Self::Revisions {
                from: Some(after),
                whole_store: false,
                in_fragments,
            },
            V3Request::End
            | V3Request::Rewind
            | V3Request::Backlog
            | V3Request::Fresh { scan_after: None } => Self::Index,
            V3Request::Fresh {
                scan_after: Some(after),
            } => Self::Since {
                after,
                is_awaited: false,
            },
            V3Request::Owed { after } => Self::Since {
                after,
                is_awaited: true,
            },
            V3Request::State => Self::State,
            V3Request::ReadKey { key } => Self::ReadKey(key),
            V3Request::Verify { key, at } | V3Request::Unchanged { key, at } => {
                Self::Kept { key, at }
            }
            V3Request::Whole { at } => Self::Reach(at),
        }
    }
}

/// A connection to the model server.
pub(super) struct V3Wire {
    pub(super) call: V3Call,
    /// The store that it was opened to.
    pub(super) era: usize,
    pub(super) watchers: Vec<ModelWatcher>,
    /// The inputs in transit, with their times of arrival.
    pub(super) queue: VecDeque<(Instant, Input)>,
}

impl V3Wire {
    pub(super) fn say(&mut self, at: Instant, input: Input) {
        let last = self.queue.back().map(|(at, _)| *at);
        self.queue
            .push_back((last.map_or(at, |last| last.max(at)), input));
    }

    /// Answers `look` after `at`. Fails after `patience` if that is shorter, because the driver then gives
    /// the request up.
    pub(super) fn answer_after(
        &mut self,
        id: RequestId,
        at: Instant,
        look: Duration,
        patience: Duration,
        answer: [Input; 2],
    ) {
        if look > patience {
            let failure = Failure::Silent("it goes through all keys".to_owned());
            return self.end(id, at + patience, ReplyEnd::Failed(failure));
        }
        for input in answer {
            self.say(at + look, input);
        }
        self.end(id, at + look, clean());
    }

    pub(super) fn end(&mut self, id: RequestId, at: Instant, end: ReplyEnd) {
        self.watchers.clear();
        self.say(at, Input::Ended { id, end });
    }
}

/// A reply that was read to its end.
pub(super) fn clean() -> ReplyEnd {
    ReplyEnd::Clean(Whole::received())
}

/// The content of a message.
pub(super) struct Sent<'m> {
    pub(super) revisions: &'m [u64],
    pub(super) store_at: u64,
    pub(super) is_full: bool,
    /// The driver passes each revision on as soon as it is complete.
    pub(super) splits: bool,
}

/// A message as the driver passes it on.
pub(super) fn message(
    id: RequestId,
    store: &V3Store,
    watcher: &ModelWatcher,
    sent: &Sent<'_>,
    budget: &Budget,
) -> Vec<Input> {
    let mut assembler = if sent.splits {
        Assembler::eager(scope())
    } else {
        Assembler::new(scope())
    };
    let mut items = Vec::new();
    let mut is_empty = true;
    for revision in sent.revisions {
        let before = store.at(revision - 1);
        for (key, value) in store.left(*revision) {
            if !watcher.covers(key) {
                continue;
            }
            is_empty = false;
            let text = event(key, *revision, value, before.get(&key));
            items.extend(
                assembler
                    .event(text.as_bytes())
                    .unwrap()
                    .map(WatchItem::Events),
            );
        }
    }
    if is_empty {
        return Vec::new();
    }
    let end = format!(
        r#"{{"result":{{"header":{{"revision":"{}"}},"events":[]}}}}"#,
        sent.store_at
    );
    items.extend(assembler.message(end.as_bytes()).unwrap());
    let input = |item| match item {
        WatchItem::Events(portion) => Input::Revisions {
            id,
            received: ReceivedBatch::new(portion.batch, testing::now(), budget),
            begins: portion.begins,
            is_past: portion.is_past,
        },
        WatchItem::MessageEnd(end) => Input::MessageEnd {
            id,
            end: MessageEnd {
                is_full: sent.is_full,
                ..end
            },
        },
        other => panic!("{other:?}"),
    };
    items.into_iter().map(input).collect()
}

pub(super) fn event(
    key: u8,
    revision: u64,
    value: Option<Value>,
    before: Option<&Value>,
) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    let pair = |value: &Value| {
        format!(
            r#"{{"key":"{}","create_revision":"{}","mod_revision":"{}","version":"{}","value":"{}"}}"#,
            encode(&name(key)),
            value.created,
            value.modified,
            value.version,
            encode(&value.number.to_string()),
        )
    };
    let mut text = match &value {
        Some(value) => format!(r#"{{"kv":{}"#, pair(value)),
        None => format!(
            r#"{{"type":"DELETE","kv":{{"key":"{}","mod_revision":"{revision}"}}"#,
            encode(&name(key))
        ),
    };
    if let Some(before) = before {
        write!(text, r#","prev_kv":{}"#, pair(before)).unwrap();
    }
    text + "}"
}

//! Assembles the events of a v3 watch from its messages.
//!
//! The server sends the past in messages of up to [`BATCH_REVISIONS`] revisions, each in one or more fragments,
//! and a live transaction in a message of its own. Events are passed on in whole revisions, so that a
//! broken connection can't split a transaction.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::element;
use super::wire::{Events, number, shape};
use super::{cluster_name, fault};
use crate::model::{Action, Batch, Index, Scope};
use crate::protocol::{Fault, Malformed};

/// How many revisions of the past the server puts into a message (etcd's `watchBatchMaxRevs`). A
/// message with as many may leave more for the next one.
const BATCH_REVISIONS: u64 = 1000;
/// How many bytes of events are collected before they are passed on in the middle of a message.
const PORTION: usize = 64 * 1024;

/// What the messages of a watch say.
#[derive(Debug)]
pub enum WatchItem {
    /// The watch is created.
    Created {
        /// The store's revision at that time.
        revision: Index,
        /// The ID of the cluster.
        cluster: String,
    },
    /// Events of the current message.
    Events(Portion),
    /// The current message has ended.
    MessageEnd(MessageEnd),
    /// The watch is canceled, because its start is compacted up to this revision.
    Compacted(Index),
    /// The watch is canceled for another reason.
    Refused(Fault),
}

/// What the end of a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageEnd {
    /// All events up to this revision were sent. With events it is the revision of the last one,
    /// because the header of such a message may be ahead of events that follow in the next one. A
    /// progress notification has no events, and its header says it.
    pub sent_upto: Index,
    /// The store's revision when the server assembled the message.
    pub store_at: Index,
    /// The message has as many revisions as the server puts into one.
    pub is_full: bool,
    /// The message is a progress notification, which has no events.
    pub is_progress: bool,
}

/// Events of whole revisions.
#[derive(Debug)]
pub struct Portion {
    /// The events in order, without those that are out of scope.
    pub batch: Batch,
    /// The first revision of the message, if these are its first events.
    pub begins: Option<Index>,
    /// The message has more than one revision, so it is about the past.
    pub is_past: bool,
}

/// Assembles the messages of one watch.
#[derive(Debug)]
pub struct Assembler {
    /// The keys whose events are passed on. The watch may cover more ([`super::watch`]).
    scope: Scope,
    /// How many bytes of events are collected before they are passed on in the middle of a message.
    portion: usize,
    pending: PendingMessage,
}

/// The current message so far.
#[derive(Debug, Default)]
struct PendingMessage {
    events: Events,
    /// The revision of the last event. More events of it may follow.
    revision: Option<Index>,
    /// The first revision of the message, if none of its events was passed on yet.
    first: Option<Index>,
    /// The number of revisions so far.
    revisions: u64,
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow)]
    result: Option<WireResult<'a>>,
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireResult<'a> {
    #[serde(default)]
    header: WireHeader,
    #[serde(default, deserialize_with = "number")]
    watch_id: i64,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    canceled: bool,
    #[serde(default, deserialize_with = "number")]
    compact_revision: u64,
    #[serde(default, borrow)]
    cancel_reason: Cow<'a, str>,
    #[serde(default)]
    fragment: bool,
    /// Empty, because the elements of the list were split off before.
    #[serde(default)]
    events: Vec<IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct WireHeader {
    #[serde(default, deserialize_with = "number")]
    cluster_id: u64,
    #[serde(default, deserialize_with = "number")]
    revision: u64,
}

/// An error in the stream. Gateways before 3.6 name the code `grpc_code`.
#[derive(Deserialize)]
struct WireError {
    #[serde(alias = "grpc_code", default)]
    code: u32,
    #[serde(default)]
    message: String,
}

impl Assembler {
    /// Assembles the messages of a watch on `scope`.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            portion: PORTION,
            pending: PendingMessage::default(),
        }
    }

    /// As [`Assembler::new`], but passes each revision on as soon as the next one begins.
    #[cfg(test)]
    pub(crate) fn eager(scope: Scope) -> Self {
        Self {
            portion: 0,
            ..Self::new(scope)
        }
    }

    /// How many bytes of events are held: at least all of the last revision.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.pending.events.weight()
    }

    /// Takes an event of the current message. Returns events that can be passed on.
    ///
    /// # Errors
    /// If it is not an event, or its revision is lower than that of the event before.
    pub fn event(&mut self, text: &[u8]) -> Result<Option<Portion>, Malformed> {
        let event = match element::read(text) {
            Some(event) => event,
            None => shape(text)?,
        };
        let revision = Index(event.kv.modified);
        let pending = &mut self.pending;
        let mut portion = None;
        if pending.revision != Some(revision) {
            if pending.revision > Some(revision) || revision == Index::ZERO {
                let what = format!("an event at {revision} comes after others");
                return Err(Malformed::Shape(what));
            }
            // The previous revision is complete, and the message has more than one.
            if pending.events.weight() >= self.portion {
                portion = pending.pass_on(true);
            }
            if pending.revision.is_none() {
                pending.first = Some(revision);
            }
            pending.revision = Some(revision);
            pending.revisions += 1;
        }
        let action = match &*event.kind {
            "" | "PUT" => Action::Set,
            "DELETE" => Action::Delete,
            other => return Err(Malformed::Shape(format!("an event of the type {other}"))),
        };
        let scope = &self.scope;
        pending
            .events
            .decode(action, &event.kv, event.prev_kv.as_ref(), |key| {
                scope.covers(key, false)
            })?;
        Ok(portion)
    }

    /// Takes a message without its events, and returns what it says.
    ///
    /// # Errors
    /// If it is not a message of a watch.
    pub fn message(&mut self, text: &[u8]) -> Result<Vec<WatchItem>, Malformed> {
        let message: WireMessage<'_> = shape(text)?;
        if let Some(WireError { code, message }) = message.error {
            return Ok(vec![WatchItem::Refused(fault::read(code, message))]);
        }
        let Some(result) = message.result else {
            return Err(Malformed::Shape("neither a result nor an error".to_owned()));
        };
        if !result.events.is_empty() {
            return Err(Malformed::Shape("an event that is no object".to_owned()));
        }
        if result.canceled {
            return Ok(vec![match result.compact_revision {
                0 => WatchItem::Refused(fault::read_reason(&result.cancel_reason)),
                revision => WatchItem::Compacted(Index(revision)),
            }]);
        }
        let revision = Index(result.header.revision);
        if result.created {
            let header = &result.header;
            if header.revision == 0 || header.cluster_id == 0 {
                let what = "a watch begins, and nobody says at which revision of which cluster";
                return Err(Malformed::Shape(what.to_owned()));
            }
            return Ok(vec![WatchItem::Created {
                revision,
                cluster: cluster_name(result.header.cluster_id),
            }]);
        }
        if result.fragment {
            return Ok(Vec::new());
        }
        let mut pending = std::mem::take(&mut self.pending);
        let rest = pending.pass_on(pending.revisions > 1);
        if pending.revision.is_none() && result.watch_id < 0 {
            // It answers a progress request that was not made here. 3.4.23 answers it before the events
            // of an unsynced watcher.
            return Ok(Vec::new());
        }
        let end = WatchItem::MessageEnd(MessageEnd {
            sent_upto: pending.revision.unwrap_or(revision),
            store_at: revision,
            is_full: pending.revisions >= BATCH_REVISIONS,
            is_progress: pending.revision.is_none(),
        });
        Ok(rest
            .map(WatchItem::Events)
            .into_iter()
            .chain([end])
            .collect())
    }
}

impl PendingMessage {
    /// Takes all events so far.
    fn pass_on(&mut self, is_past: bool) -> Option<Portion> {
        let begins = self.first.take();
        if self.events.is_empty() && begins.is_none() {
            return None;
        }
        Some(Portion {
            batch: std::mem::take(&mut self.events).into_batch(),
            begins,
            is_past,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Key;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn assembler() -> Assembler {
        Assembler::new(Scope::new(Key::literal("/a").unwrap(), true))
    }

    fn put(key: &str, revision: u64, value: &str) -> String {
        let encode = |text: &str| STANDARD.encode(text);
        format!(
            r#"{{"kv":{{"key":"{}","create_revision":"1","mod_revision":"{revision}","version":"1","value":"{}"}}}}"#,
            encode(key),
            encode(value),
        )
    }

    fn over(revision: u64) -> Vec<u8> {
        format!(r#"{{"result":{{"header":{{"cluster_id":"255","revision":"{revision}"}},"events":[]}}}}"#)
            .into_bytes()
    }

    /// The indexes of the events, with `|` after each portion and `.` after the end of a message.
    fn render(items: impl IntoIterator<Item = WatchItem>) -> String {
        let mut out = String::new();
        for items in items {
            let text = match items {
                WatchItem::Events(portion) => {
                    let indexes = portion.batch.iter().map(|event| event.index().to_string());
                    indexes.collect::<Vec<_>>().join(" ") + "|"
                }
                WatchItem::MessageEnd(MessageEnd {
                    sent_upto, is_full, ..
                }) => {
                    format!("{sent_upto}{}", if is_full { "…" } else { "." })
                }
                other => format!("{other:?}"),
            };
            out.push_str(&text);
        }
        out
    }

    #[test]
    fn a_message_tells_how_far_it_reaches() {
        let mut assembler = assembler();
        for (key, revision) in [("/a", 3), ("/a/b", 3), ("/a", 5)] {
            assert!(
                assembler
                    .event(put(key, revision, "v").as_bytes())
                    .unwrap()
                    .is_none()
            );
        }
        let items = assembler.message(&over(9)).unwrap();
        let [_, WatchItem::MessageEnd(end)] = items[..] else {
            panic!("{items:?}");
        };
        assert_eq!((end.sent_upto, end.store_at), (Index(5), Index(9)));
        assert!(!end.is_progress);
        assert_eq!(render(items), "3 3 5|5.");
        let items = assembler.message(&over(12)).unwrap();
        let [WatchItem::MessageEnd(end)] = items[..] else {
            panic!("{items:?}");
        };
        assert_eq!((end.sent_upto, end.is_progress), (Index(12), true));
    }

    #[test]
    fn an_answer_to_a_progress_request_proves_nothing() {
        let text = r#"{"result":{"header":{"revision":"9"},"watch_id":"-1"}}"#;
        assert!(assembler().message(text.as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn events_out_of_scope_move_the_revision_and_are_dropped() {
        let mut assembler = assembler();
        for (key, revision) in [("/ax", 3), ("/a/b", 4), ("/a!", 4)] {
            assembler.event(put(key, revision, "v").as_bytes()).unwrap();
        }
        let items = assembler.message(&over(4)).unwrap();
        assert!(
            matches!(&items[0], WatchItem::Events(portion) if portion.begins == Some(Index(3)))
        );
        assert_eq!(render(items), "4|4.");
        assembler.event(put("/ax", 5, "v").as_bytes()).unwrap();
        assert_eq!(render(assembler.message(&over(5)).unwrap()), "|5.");
    }

    #[test]
    fn fragments_are_one_message_and_no_transaction_is_halved() {
        let mut assembler = assembler();
        let fragment = br#"{"result":{"header":{"revision":"9"},"fragment":true,"events":[]}}"#;
        assembler.event(put("/a", 3, "v").as_bytes()).unwrap();
        assert!(assembler.message(fragment).unwrap().is_empty());
        assembler.event(put("/a/b", 3, "v").as_bytes()).unwrap();
        let items = assembler.message(&over(9)).unwrap();
        assert!(
            matches!(&items[0], WatchItem::Events(portion) if portion.begins == Some(Index(3)) && !portion.is_past)
        );
        assert_eq!(render(items), "3 3|3.");
    }

    #[test]
    fn a_long_message_is_passed_on_in_whole_revisions() {
        let mut assembler = assembler();
        let value = "v".repeat(PORTION);
        for key in ["/a", "/a/b"] {
            assert!(
                assembler
                    .event(put(key, 3, &value).as_bytes())
                    .unwrap()
                    .is_none()
            );
        }
        let first = assembler
            .event(put("/a", 4, &value).as_bytes())
            .unwrap()
            .unwrap();
        assert!(first.begins == Some(Index(3)) && first.is_past);
        assert_eq!(first.batch.len(), 2);
        let items = assembler.message(&over(9)).unwrap();
        assert!(
            matches!(&items[0], WatchItem::Events(portion) if portion.begins.is_none() && portion.is_past)
        );
        assert_eq!(render(items), "4|4.");
    }

    #[test]
    fn a_full_message_proves_nothing_beyond_its_events() {
        let mut assembler = assembler();
        for revision in 1..=BATCH_REVISIONS {
            assembler
                .event(put("/a", revision, "v").as_bytes())
                .unwrap();
        }
        assert!(render(assembler.message(&over(5000)).unwrap()).ends_with("1000|1000…"));
    }

    #[test]
    fn a_delete_has_no_value_and_what_was_before_it_has() {
        let mut assembler = assembler();
        let event = br#"{"type":"DELETE","kv":{"key":"L2E=","mod_revision":"7"},"prev_kv":{"key":"L2E=","create_revision":"2","mod_revision":"3","version":"2","value":"/w==","lease":"-4"}}"#;
        assembler.event(event).unwrap();
        let items = assembler.message(&over(7)).unwrap();
        let WatchItem::Events(Portion { batch, .. }) = &items[0] else {
            panic!("{items:?}");
        };
        let event = batch.event(0).unwrap();
        assert_eq!(
            (event.action(), event.node().value()),
            (Action::Delete, None)
        );
        assert_eq!(event.node().created(), Index::ZERO);
        let previous = event.previous().unwrap();
        assert_eq!(previous.value(), Some(&b"\xff"[..]));
        assert_eq!((previous.created(), previous.lease()), (Index(2), -4));
    }

    #[test]
    fn the_start_and_the_end_of_a_watch_are_reported() {
        let mut assembler = assembler();
        let mut render_message = |text: &str| render(assembler.message(text.as_bytes()).unwrap());
        let created = r#"{"result":{"header":{"cluster_id":"255","revision":"9"},"created":true}}"#;
        assert_eq!(
            render_message(created),
            r#"Created { revision: Index(9), cluster: "ff" }"#
        );
        let compacted = r#"{"result":{"header":{},"canceled":true,"compact_revision":"100"}}"#;
        assert_eq!(render_message(compacted), "Compacted(Index(100))");
        let refused =
            r#"{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}"#;
        assert!(render_message(refused).contains("no leader"));
    }

    #[test]
    fn malformed_messages_and_events_are_refused() {
        for text in [
            "null",
            "{}",
            r#"{"result":{"events":[1]}}"#,
            r#"{"result":{"header":{"revision":"x"}}}"#,
        ] {
            assert!(assembler().message(text.as_bytes()).is_err(), "{text}");
        }
        for text in [
            "null",
            "{}",
            r#"{"kv":{"key":"L2E="}}"#,
            r#"{"kv":{"key":"!","mod_revision":"1"}}"#,
            r#"{"type":"MOVE","kv":{"key":"L2E=","mod_revision":"1"}}"#,
            // Nobody looks at that value.
            r#"{"type":"DELETE","kv":{"key":"L2E=","mod_revision":"1","value":"\ud800"}}"#,
            "{\"type\":\"DELETE\",\"kv\":{\"key\":\"L2E=\",\"mod_revision\":\"1\",\"value\":\"\u{1}\"}}",
        ] {
            assert!(assembler().event(text.as_bytes()).is_err(), "{text}");
        }
        let mut assembler = assembler();
        assembler.event(put("/a", 4, "v").as_bytes()).unwrap();
        assert!(
            assembler.event(put("/a", 3, "v").as_bytes()).is_err(),
            "it goes back"
        );
    }
}

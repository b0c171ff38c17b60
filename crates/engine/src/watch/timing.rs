//! Every duration that a session goes by, and the fact that each rests on.
//!
//! A duration decides when etcdwatch asks, asks again, or gives a connection up. It never decides
//! what is true: what moves a cursor is in [`super::evidence`], which knows no clock.

use std::time::Duration;

// Both APIs.

/// The first delay after a failure, and the longest, before jitter: it doubles each time.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(4), Duration::from_secs(10));
/// A majority is asked whether what is known is fresh after this part of the time after which the watch
/// is stale: at the earliest and at the latest. A slow answer still comes in time, and many watches that
/// began together do not ask together.
pub const FRESHNESS_ASKED: (f64, f64) = (0.5, 0.67);
/// After this long without an answered request in flight, the store may have been replaced. A server
/// cannot be replaced faster.
pub const UNWATCHED: Duration = Duration::from_millis(100);
/// How often a session looks whether the reader of the output has caught up.
pub const READER_POLL: Duration = Duration::from_millis(20);
/// A wait that lasts this many times as long as the backoff before it has proved its connection.
pub const PROVEN_BY: u32 = 8;
/// The shortest and the longest time that proves a connection so.
pub const PROVEN_WITHIN: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(5));
/// The raft index of an endpoint is remembered for this long after a failover.
pub const RAFT_INDEX_REMEMBERED: Duration = Duration::from_mins(1);

// With the v2 API.

/// The probe is sent again no more often than this: while the stream delivers a burst, the probe
/// need not answer for each event of it.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(20);
/// The long poll on the whole store is sent again no more often than this. Even the fastest store
/// does not write its history over in that time.
pub const ALARM_INTERVAL: Duration = Duration::from_millis(50);
/// A stream that has not delivered an event for this long, though the event is known from history,
/// is stalled (etcd-facts.md, facts 2 and 4).
pub const STREAM_CATCH_UP: Duration = Duration::from_secs(1);
/// The same in a burst, in which history would be written over before a second has passed.
pub const STREAM_CATCH_UP_IN_BURST: Duration = Duration::from_millis(15);
/// A question without an answer this long after its head is asked a second time. Two questions
/// prove something together only by their order, not by this time.
pub const SECOND_QUESTION: Duration = Duration::from_millis(100);
/// The same where waits cannot be ended, and a connection may be dead.
pub const SECOND_QUESTION_UNENDED: Duration = Duration::from_secs(1);
/// History answers within this time after the head, as a rule.
pub const HISTORY_ANSWERS: Duration = Duration::from_millis(5);
/// A position is renewed this often where no long poll may watch the whole store: few stores write
/// their history over in that time.
pub const RENEWAL_WITHOUT_ALARM: Duration = Duration::from_millis(250);
/// A probe that lasted this long after a failure shows that the endpoint works again.
pub const PROBE_STEADY: Duration = Duration::from_secs(1);

/// A wait is half-closed this long after its head, or later. A server that was stalled before it
/// looked for the event ends the wait though history has one: 14 in 40,000 at 20 ms under a load of
/// 25, 2 at 50 ms, none at 100 ms (fact 17). For the same reason two waits are needed for a proof.
pub const HALF_CLOSE_AFTER: Duration = Duration::from_millis(200);
/// A wait is half-closed this many times as long after its head as history ever took to answer: a
/// server that is slow to answer is slow to look.
pub const HALF_CLOSE_FACTOR: u32 = 10;
/// The same where the server has answered a later question meanwhile and a probe waits for the same
/// events: the probe is never half-closed, so that an event that was overlooked still comes. The
/// busiest store writes its history over in 70 ms.
pub const HALF_CLOSE_BACKED: Duration = Duration::from_millis(20);
/// A wait is half-closed no later than this after its head.
pub const HALF_CLOSE_LATEST: Duration = Duration::from_secs(2);
/// Where half-closing breaks connections, as behind some proxies, a wait is left alone for this
/// long. Then it is half-closed to be rid of a connection that may be dead.
pub const SILENT_WAIT: Duration = Duration::from_secs(5);
/// The same after several waits in a row were silent: the time doubles up to this.
pub const SILENT_WAIT_LONGEST: Duration = Duration::from_mins(1);
/// A wait that has not ended this long after it was half-closed is given up.
pub const HALF_CLOSE_IGNORED: Duration = Duration::from_secs(5);
/// Connections that break within this time of each other break for one reason.
pub const ONE_REASON: Duration = Duration::from_millis(20);

/// How often the position of a quiet watch is renewed at most, and at least.
pub const RENEWAL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(5));
/// When it is renewed first: how fast the store is written to is not known yet.
pub const RENEWAL_FIRST: Duration = Duration::from_millis(30);
/// How soon it is renewed after the first write since a calm.
pub const RENEWAL_AFTER_CALM: Duration = Duration::from_millis(15);
/// A position that is renewed this rarely needs a long poll on the whole store: the fastest store
/// writes its history over between two renewals.
pub const RENEWAL_NEEDS_ALARM: Duration = Duration::from_millis(60);
/// A store whose positions need no renewal for this long is calm.
pub const RENEWAL_CALM: Duration = Duration::from_millis(200);
/// How long other members are tried before the history of one that took a snapshot is a gap.
pub const OTHER_MEMBERS: Duration = Duration::from_secs(5);

// With the v3 API.

/// A watch that the server has not registered this long after it was sent is given up.
pub const WATCH_REGISTERED: Duration = Duration::from_secs(15);
/// A stream that is up to date, and does not deliver an event for this long though a linearizable
/// read has reported it, is stalled.
pub const STREAM_STALLED: Duration = Duration::from_secs(10);
/// The same for a stream that still delivers history. 3.4.23 took 40 s to make one message of
/// 200,000 events with their previous values. The time doubles with each stream that is given up.
pub const HISTORY_STALLED: Duration = Duration::from_mins(1);
/// The longest that [`HISTORY_STALLED`] grows to.
pub const HISTORY_STALLED_LONGEST: Duration = Duration::from_mins(10);
/// A server cancels a watch on compacted history within 100 ms. After this long it will not.
pub const COMPACTION_REPORTED: Duration = Duration::from_secs(2);
/// Scans of the keys in scope take at most one part in this many of the time, since a
/// server may have to go through all of its keys.
pub const SCAN_PART: u32 = 100;
/// How long after a stream may have fallen behind, and has caught up, it is opened anew: no message
/// says that the server has looked up all that the stream missed.
pub const BACKLOG_CALM: Duration = Duration::from_secs(2);
/// A replay asks what the stream has still to deliver after it was quiet for this long: a server
/// looks history up every 100 ms.
pub const REPLAY_QUIET: Duration = Duration::from_millis(150);
/// Where the end of a replay cannot be proven, late events are waited for this long before the gap
/// is declared.
pub const REPLAY_LAST_EVENTS: Duration = Duration::from_secs(2);
/// A replay that receives nothing for this long asks whether a majority answers, and whether history is
/// still whole.
pub const REPLAY_SILENCE: Duration = Duration::from_secs(5);

//! The time limits on the head and the body of a reply.

use std::time::Duration;

use etcdwatch_engine::v3::Ranges;

/// The time limit on the head of a reply that needs no majority. etcd sends the head of a wait at once
/// (etcd-facts.md, fact 1).
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The time limit on a read that needs a majority. Without a majority etcd answers after 7 s with the
/// reason (fact 12).
pub const QUORUM_PATIENCE: Duration = Duration::from_secs(9);

/// The limits of a request that needs a majority.
pub const AGREED: Limits = Limits {
    head: Some(QUORUM_PATIENCE),
    idle: Some(PATIENCE),
};

/// The limits of a read for which the server may have to scan all of its keys. On an idle machine 3.4.23
/// took 2.1 s and 3.5.30 took 2.7 s for a million keys of 100 bytes; on a busy one 3.5.30 took 14 s for
/// 400,000 keys of 1 kB.
pub const PATIENT: Limits = Limits {
    head: Some(Duration::from_mins(10)),
    idle: Some(PATIENCE),
};

/// The time that each further range adds to the limit on the heads of a read. It is a round trip on a slow
/// link.
const FURTHER: Duration = Duration::from_millis(250);

/// The time limits on one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The limit until the head is complete; `None` for no limit.
    pub head: Option<Duration>,
    /// The limit between two reads of the body; `None` for no limit. If `head` is longer, `head` applies
    /// instead.
    pub idle: Option<Duration>,
}

impl Limits {
    /// No limits: the caller has its own.
    pub const NONE: Self = Self {
        head: None,
        idle: None,
    };
}

impl Limits {
    /// The limit on the heads of all replies to a read together.
    #[must_use]
    pub fn head_of(self, ranges: &Ranges) -> Option<Duration> {
        let further = u32::try_from(ranges.count().saturating_sub(1)).unwrap_or(u32::MAX);
        self.head
            .map(|head| head.saturating_add(FURTHER.saturating_mul(further)))
    }
}

//! How long the head and the body of a reply may take.

use std::time::Duration;

use etcdwatch_engine::v3::Ranges;

/// How long a server may take to send the head of a reply that needs no majority: etcd sends that of a
/// wait at once (etcd-facts.md, fact 1).
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long a read that needs a majority may take. Without a majority etcd answers after 7 s with the
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

/// What each further range adds to the limit on the heads of a read: a round trip on a slow link.
const FURTHER: Duration = Duration::from_millis(250);

/// How long a reply may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the head is complete; none is unlimited.
    pub head: Option<Duration>,
    /// Between two reads of the body; none is unlimited. If `head` is longer, `head` applies instead.
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
    /// How long the heads of all replies to a read may take together.
    #[must_use]
    pub fn head_of(self, ranges: &Ranges) -> Option<Duration> {
        let further = u32::try_from(ranges.count().saturating_sub(1)).unwrap_or(u32::MAX);
        self.head
            .map(|head| head.saturating_add(FURTHER.saturating_mul(further)))
    }
}

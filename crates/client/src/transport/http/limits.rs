//! How long the head and the body of a reply may take.

use std::time::Duration;

use etcdwatch_engine::v3::Ranges;

/// A server that has taken a request answers its head within this, or it is given up: etcd
/// registers a wait at once (etcd-facts.md, fact 1).
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Reads that need a majority fail after 7 s without one (fact 12): its reason is worth
/// waiting for.
pub const QUORUM_PATIENCE: Duration = Duration::from_secs(9);

/// For what needs a majority.
pub const AGREED: Limits = Limits {
    head: Some(QUORUM_PATIENCE),
    idle: Some(PATIENCE),
};

/// For a read for which a server may have to go through all of its keys. With nothing else to do,
/// 3.4.23 took 2.1 s and 3.5.30 2.7 s for a million keys of 100 bytes; on a busy machine 3.5.30 took 14 s
/// for 400,000 of 1 kB.
pub const PATIENT: Limits = Limits {
    head: Some(Duration::from_mins(10)),
    idle: Some(PATIENCE),
};

/// How much longer the heads of all replies may take for each further range: a round trip on a slow link.
const FURTHER: Duration = Duration::from_millis(250);

/// How long a reply may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until its head is there; none for ever.
    pub head: Option<Duration>,
    /// Until the next bytes of its body are; none for ever. Where `head` is longer, it is that instead.
    pub idle: Option<Duration>,
}

impl Limits {
    /// None: somebody else watches the clock.
    pub const NONE: Self = Self {
        head: None,
        idle: None,
    };
}

impl Limits {
    /// How long the heads of all replies to a read may be waited for.
    #[must_use]
    pub fn head_of(self, ranges: &Ranges) -> Option<Duration> {
        let further = u32::try_from(ranges.count().saturating_sub(1)).unwrap_or(u32::MAX);
        self.head
            .map(|head| head.saturating_add(FURTHER.saturating_mul(further)))
    }
}

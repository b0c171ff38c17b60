//! The faults.
//!
//! In scope: the faults, and where and for how long each is injected. Everything is drawn from a
//! seed beforehand, so that all watchers and every repetition get the same. Out of scope: how a
//! fault is brought about (`testbed`).

use fastrand::Rng;

use crate::support::proxy::Cut;

/// A fault. The names are rows of the tables in docs/fault-testing.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Connections are reset.
    Reset,
    /// Connections are closed, at any point of a reply.
    Close,
    /// A connection is reset or closed after a certain byte.
    CutAfter,
    /// Connections stay open, and nothing passes.
    HalfOpen,
    /// Replies arrive byte by byte.
    Trickle,
    /// Waits end with an empty 200, and new requests are answered with nothing.
    EmptyEnd,
    /// Everything is delayed.
    Delay,
    /// Few bytes per second pass.
    Bandwidth,
    /// Connections are refused.
    Refuse,
    /// A server gets SIGKILL.
    Kill,
    /// A server gets SIGTERM.
    Terminate,
    /// A server gets SIGSTOP.
    PauseServer,
    /// The watchers get SIGSTOP.
    PauseTool,
    /// Connections are refused while more is written elsewhere than history holds, or while history
    /// is compacted (v3).
    Outage,
    /// Two of three members are stopped or killed.
    LossOfQuorum,
    /// The leader hands over, is stopped or is killed.
    LeaderChange,
    /// Every address leads to all members in turn, and one of them falls behind.
    Spread,
}

impl Fault {
    /// The faults that a single server can have.
    pub const ANYWHERE: [Self; 14] = [
        Self::Reset,
        Self::Close,
        Self::CutAfter,
        Self::HalfOpen,
        Self::Trickle,
        Self::EmptyEnd,
        Self::Delay,
        Self::Bandwidth,
        Self::Refuse,
        Self::Kill,
        Self::Terminate,
        Self::PauseServer,
        Self::PauseTool,
        Self::Outage,
    ];

    /// The faults that need several members.
    pub const OF_A_CLUSTER: [Self; 3] = [Self::LossOfQuorum, Self::LeaderChange, Self::Spread];

    /// All faults that this many servers can have.
    pub fn on(servers: usize) -> Vec<Self> {
        let of_a_cluster = Self::OF_A_CLUSTER.iter().filter(|_| servers > 1);
        Self::ANYWHERE.iter().chain(of_a_cluster).copied().collect()
    }
}

/// A fault with its place and its duration.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    /// Which fault it is.
    pub fault: Fault,
    /// The member that fails, or whose network fails.
    pub node: usize,
    /// Whether a network fault is before all members instead of one.
    pub all: bool,
    /// How a connection ends.
    pub cut: Cut,
    /// Which of up to three variants it is.
    pub way: usize,
    /// How long it lasts, in milliseconds.
    pub moment: u64,
    /// The number of bytes that pass before a cut, or that scale a delay or a bandwidth.
    pub bytes: u64,
    /// How long there is no fault afterwards, in milliseconds.
    pub rest: u64,
}

impl Injection {
    /// Draws one of `faults`, on one of this many servers. With `has_time`, one in eight lasts
    /// long.
    pub fn draw(faults: &[Fault], servers: usize, has_time: bool, random: &mut Rng) -> Self {
        let fault = faults[random.usize(..faults.len())];
        let (short, long) = (random.u64(20..400), random.u64(400..2_500));
        let is_long = random.u8(..8) == 0 && has_time;
        Self {
            fault,
            node: random.usize(..servers),
            all: random.bool(),
            cut: if random.bool() {
                Cut::Reset
            } else {
                Cut::Close
            },
            way: random.usize(..3),
            moment: if is_long { long } else { short },
            bytes: random.u64(1..5_000),
            rest: random.u64(20..200),
        }
    }
}

//! What goes wrong.
//!
//! In scope: the faults, and where and for how long one strikes, all drawn from a seed before
//! anything happens, so that every watcher and every repetition gets the same. Out of scope:
//! how a fault is brought about (`testbed`).

use fastrand::Rng;

use crate::support::proxy::Cut;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Connections are reset.
    Reset,
    /// Connections are closed, wherever a reply stands.
    Close,
    /// A connection is reset or closed after a certain byte.
    CutAfter,
    /// Connections stay, and nothing comes through.
    HalfOpen,
    /// Replies come byte by byte.
    Trickle,
    /// Waits end as if they had nothing to tell, and new requests are answered with nothing.
    EmptyEnd,
    /// Everything takes its time on the way.
    Delay,
    /// Little gets through a second.
    Bandwidth,
    /// Nobody listens.
    Refuse,
    /// SIGKILL to a server.
    Kill,
    /// SIGTERM to a server.
    Terminate,
    /// SIGSTOP to a server.
    PauseServer,
    /// SIGSTOP to the watchers.
    PauseTool,
    /// Refused while more is written elsewhere than history holds.
    Outage,
    /// Two of three members are stopped or killed.
    LossOfQuorum,
    /// The leader hands over, is stopped or is killed.
    LeaderChange,
    /// Every address leads to all members in turn, of which one falls behind.
    Spread,
}

impl Fault {
    /// Those that a single server can have.
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

    /// Those that take several.
    pub const OF_A_CLUSTER: [Self; 3] = [Self::LossOfQuorum, Self::LeaderChange, Self::Spread];

    /// All that so many servers can have.
    pub fn on(servers: usize) -> Vec<Self> {
        let of_a_cluster = Self::OF_A_CLUSTER.iter().filter(|_| servers > 1);
        Self::ANYWHERE.iter().chain(of_a_cluster).copied().collect()
    }
}

/// A fault as it strikes.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    /// Which.
    pub fault: Fault,
    /// The member that it strikes, or whose network.
    pub node: usize,
    /// Where the network fails, it fails before that member or before all.
    pub all: bool,
    /// How a connection ends.
    pub cut: Cut,
    /// Which of up to three ways it takes.
    pub way: usize,
    /// How long it lasts, in milliseconds.
    pub moment: u64,
    /// After how many bytes.
    pub bytes: u64,
    /// How long all is well afterwards, in milliseconds.
    pub rest: u64,
}

impl Injection {
    /// One of `faults`, on one of so many servers. Now and then it lasts long, where time is
    /// no matter.
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

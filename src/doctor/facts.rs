//! What each endpoint says of itself.

use std::thread;
use std::time::{Duration, Instant};

use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::{Connection, Http, Limits, PATIENCE, QUORUM_PATIENCE};
use etcdwatch_engine::model::{Index, Key, Scope};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Head, Request, member};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::{v2, v3};

/// How long an answer may take.
const LIMITS: Limits = Limits {
    head: Some(PATIENCE),
    idle: Some(PATIENCE),
};
/// Likewise, where a majority must agree.
const AGREED: Limits = Limits {
    head: Some(QUORUM_PATIENCE),
    idle: Some(PATIENCE),
};
/// None of the answers is longer.
const MAX_REPLY: usize = 1 << 20;
/// So often the round trip is timed; the shortest counts.
const TRIPS: usize = 3;

/// What an API says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiFacts {
    /// It is served.
    On(Side),
    /// It is not.
    Off,
    /// That can't be told: why.
    Failed(String),
}

impl ApiFacts {
    /// What it says, where it is served.
    #[must_use]
    pub fn side(&self) -> Option<&Side> {
        match self {
            Self::On(side) => Some(side),
            _ => None,
        }
    }
}

/// What is known by one API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The cluster's id.
    pub cluster: Option<String>,
    /// The member's id.
    pub member: Option<String>,
    /// The leader's id, where it knows of one.
    pub leader: Option<String>,
    /// Its store's index, or revision.
    pub index: Index,
    /// It has no vote yet.
    pub is_learner: bool,
    /// What it complains of.
    pub alarms: Vec<String>,
}

/// What is known of an endpoint that answers.
#[derive(Clone, Debug)]
pub struct Known {
    /// The server's version, where it is etcd.
    pub version: Option<String>,
    /// How long an answer takes.
    pub round_trip: Duration,
    /// v2.
    pub v2: ApiFacts,
    /// v3.
    pub v3: ApiFacts,
    /// How long it takes to read what a majority agrees on, or why that can't be had.
    pub quorum: Result<Duration, String>,
    /// Whether v2 asks who one is, where that is known.
    pub v2_auth: Option<bool>,
    /// Whether v3 does.
    pub v3_auth: Option<bool>,
}

/// An endpoint, and what is known of it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its URL.
    pub endpoint: String,
    /// What is known, or why it can't be reached.
    pub known: Result<Known, String>,
}

/// Asks all endpoints at once.
#[must_use]
pub fn ask_all(http: &Http, endpoints: &[Endpoint]) -> Vec<Facts> {
    thread::scope(|scope| {
        let asked: Vec<_> = endpoints
            .iter()
            .map(|endpoint| scope.spawn(move || ask(http, endpoint)))
            .collect();
        let answers = asked.into_iter().zip(endpoints);
        answers
            .map(|(asked, endpoint)| Facts {
                endpoint: endpoint.url().to_owned(),
                known: asked
                    .join()
                    .unwrap_or_else(|_| Err("it could not be asked".to_owned())),
            })
            .collect()
    })
}

fn ask(http: &Http, endpoint: &Endpoint) -> Result<Known, String> {
    let asked = Asked {
        connection: http.connection(),
        endpoint,
    };
    let mut version = None;
    let mut trips = Vec::new();
    for _ in 0..TRIPS {
        let began = Instant::now();
        match asked.read(&member::version(), LIMITS) {
            Ok((_, body)) => version = member::parse_version(&body),
            Err(failure) if failure.is_unreachable() => return Err(failure.to_string()),
            Err(_) => {}
        }
        trips.push(began.elapsed());
    }
    let v2 = asked.v2();
    let v3 = asked.v3();
    let began = Instant::now();
    let quorum = asked.quorum(v3.side().is_some());
    let took = began.elapsed();
    let v2_auth = match &v2 {
        ApiFacts::On(_) => asked
            .read(&member::auth_of_v2(), LIMITS)
            .ok()
            .and_then(|(_, body)| member::parse_auth(&body)),
        _ => None,
    };
    let v3_auth = v3.side().and_then(|_| asked.v3_auth());
    Ok(Known {
        version,
        // The first one is the connection's, too.
        round_trip: trips.into_iter().skip(1).min().unwrap_or_default(),
        v2,
        v3,
        quorum: quorum.map(|()| took),
        v2_auth,
        v3_auth,
    })
}

struct Asked<'a> {
    connection: Connection,
    endpoint: &'a Endpoint,
}

impl Asked<'_> {
    fn read(&self, request: &Request, limits: Limits) -> Result<(Head, Vec<u8>), Failure> {
        let patience = self
            .connection
            .break_off_after(limits.head.unwrap_or(PATIENCE));
        let sent = self.connection.send(self.endpoint, request, limits);
        patience.judge(sent.and_then(|reply| {
            let head = reply.head.clone();
            Ok((head, reply.read_whole(MAX_REPLY)?))
        }))
    }

    fn read_ranges(&self, ranges: &v3::Ranges) -> Result<(), Failure> {
        let patience = self
            .connection
            .break_off_after(AGREED.head.unwrap_or(PATIENCE));
        let read = self
            .connection
            .read(self.endpoint, ranges, AGREED, MAX_REPLY);
        patience.judge(read).map(drop)
    }

    fn v2(&self) -> ApiFacts {
        let root = Key::root();
        let _patience = self.connection.break_off_after(PATIENCE);
        let head =
            match self
                .connection
                .send(self.endpoint, &v2::read(&root, v2::Read::default()), LIMITS)
            {
                Ok(reply) => {
                    let head = reply.head.clone();
                    // The keys at the top are of no interest.
                    let _ = reply.read_whole(MAX_REPLY);
                    head
                }
                Err(Failure::Refused(refusal)) => refusal.head,
                Err(Failure::ApiOff { .. }) => return ApiFacts::Off,
                Err(failure) => return ApiFacts::Failed(failure.to_string()),
            };
        if head.index.is_none() && head.cluster.is_none() {
            return ApiFacts::Failed("what answers is not etcd".to_owned());
        }
        let status = self.read(&member::of_v2(), LIMITS).ok();
        let status = status.and_then(|(_, body)| member::parse_v2(&body));
        let status = status.unwrap_or_default();
        ApiFacts::On(Side {
            cluster: head.cluster,
            member: Some(status.member).filter(|id| !id.is_empty()),
            leader: status.leader,
            index: head.index.unwrap_or_default(),
            ..Side::default()
        })
    }

    fn v3(&self) -> ApiFacts {
        match self.read(&member::of_v3(), LIMITS) {
            Ok((_, body)) => match member::parse_v3(&body) {
                Some(status) => ApiFacts::On(Side {
                    cluster: status.cluster,
                    member: Some(status.member),
                    leader: status.leader,
                    index: status.revision,
                    is_learner: status.is_learner,
                    alarms: status.alarms,
                }),
                None => ApiFacts::Failed("its status is not what etcd sends".to_owned()),
            },
            Err(Failure::ApiOff { .. }) => ApiFacts::Off,
            Err(failure) => ApiFacts::Failed(failure.to_string()),
        }
    }

    /// Whether v3 asks who one is: where it does not, it says so to whoever tells, even nobody.
    fn v3_auth(&self) -> Option<bool> {
        match self.read(&v3::authenticate("", ""), LIMITS) {
            Err(Failure::Refused(refusal)) => Some(!v3::fault::is_auth_off(&refusal.fault)),
            _ => None,
        }
    }

    /// Whether a majority can be asked.
    fn quorum(&self, by_v3: bool) -> Result<(), String> {
        let read = if by_v3 {
            self.read_ranges(&v3::revision(&Scope::new(Key::prefix("/"), false)))
        } else {
            let how = v2::Read {
                quorum: true,
                ..v2::Read::default()
            };
            self.read(&v2::read(&Key::root(), how), AGREED).map(drop)
        };
        match read {
            Ok(()) | Err(Failure::TooLong(_)) => Ok(()),
            // That one may not read it is an answer, too.
            Err(Failure::Refused(refusal)) if refusal.fault.code == fault::UNAUTHORIZED => Ok(()),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// The oldest revision that is not compacted, as `endpoint` has it; none where that can't be told.
#[must_use]
pub fn oldest_revision(http: &Http, endpoint: &Endpoint, newest: Index) -> Option<Index> {
    let asked = Asked {
        connection: http.connection(),
        endpoint,
    };
    let is_there = |revision: u64| match asked
        .read_ranges(&v3::read_at(b"/", Some(Index(revision))))
    {
        Ok(()) => Some(true),
        Err(Failure::Refused(refusal)) if refusal.fault.code == fault::INDEX_CLEARED => Some(false),
        Err(_) => None,
    };
    let (mut first, mut last) = (1, newest.0.max(1));
    while first < last {
        let middle = first + (last - first) / 2;
        if is_there(middle)? {
            last = middle;
        } else {
            first = middle + 1;
        }
    }
    Some(Index(first))
}

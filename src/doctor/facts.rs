//! What each endpoint reports about itself.

use std::thread;
use std::time::{Duration, Instant};

use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::{Connection, Http, Limits, PATIENCE, QUORUM_PATIENCE};
use etcdwatch_engine::model::{Index, Key, Scope};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Head, Request, member};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::{v2, v3};

/// How long an answer of one member may take.
const LIMITS: Limits = Limits {
    head: Some(PATIENCE),
    idle: Some(PATIENCE),
};
/// How long an answer may take that a majority must agree on.
const QUORUM_LIMITS: Limits = Limits {
    head: Some(QUORUM_PATIENCE),
    idle: Some(PATIENCE),
};
/// The largest answer that is read, in bytes.
const MAX_REPLY: usize = 1 << 20;
/// How often the round trip is measured. The shortest one is reported.
const ROUND_TRIPS: usize = 3;

/// The answer of one API of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiFacts {
    /// The API is on.
    On(MemberFacts),
    /// The API is off.
    Off,
    /// The request failed. The text follows the URL of the endpoint.
    Failed(String),
}

impl ApiFacts {
    /// The facts, if the API is on.
    #[must_use]
    pub fn member(&self) -> Option<&MemberFacts> {
        match self {
            Self::On(member) => Some(member),
            _ => None,
        }
    }
}

/// What one API reports about a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberFacts {
    /// The cluster's id.
    pub cluster: Option<String>,
    /// The member's id.
    pub member: Option<String>,
    /// The leader's id, if the member has a leader.
    pub leader: Option<String>,
    /// The index of the store with the v2 API, or its revision over v3.
    pub index: Index,
    /// Whether the member is a learner, which has no vote.
    pub is_learner: bool,
    /// The names of the active alarms, such as `NOSPACE`.
    pub alarms: Vec<String>,
}

/// What an endpoint that answers reports.
#[derive(Clone, Debug)]
pub struct EndpointFacts {
    /// The server's version, if it is etcd.
    pub version: Option<String>,
    /// The shortest round trip.
    pub round_trip: Duration,
    /// The v2 API.
    pub v2: ApiFacts,
    /// The v3 API.
    pub v3: ApiFacts,
    /// How long a linearizable read takes, or why it failed.
    pub quorum: Result<Duration, String>,
    /// Whether authentication is enabled with the v2 API; `None` if unknown.
    pub v2_auth: Option<bool>,
    /// Whether authentication is enabled over v3; `None` if unknown.
    pub v3_auth: Option<bool>,
}

/// An endpoint and its answers.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its URL.
    pub endpoint: String,
    /// The facts, or why the endpoint could not be reached.
    pub known: Result<EndpointFacts, String>,
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
                    .unwrap_or_else(|_| Err("could not be asked".to_owned())),
            })
            .collect()
    })
}

fn ask(http: &Http, endpoint: &Endpoint) -> Result<EndpointFacts, String> {
    let asked = Asked {
        connection: http.connection(),
        endpoint,
    };
    let mut version = None;
    let mut trips = Vec::new();
    for _ in 0..ROUND_TRIPS {
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
    let quorum = asked.quorum(v3.member().is_some() || v2.member().is_none());
    let took = began.elapsed();
    let v2_auth = match &v2 {
        ApiFacts::On(_) => asked
            .read(&member::auth_of_v2(), LIMITS)
            .ok()
            .and_then(|(_, body)| member::parse_auth(&body)),
        _ => None,
    };
    let v3_auth = v3.member().and_then(|_| asked.v3_auth());
    Ok(EndpointFacts {
        version,
        // The first one includes the time to connect.
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
            .break_off_after(QUORUM_LIMITS.head.unwrap_or(PATIENCE));
        let read = self
            .connection
            .read(self.endpoint, ranges, QUORUM_LIMITS, MAX_REPLY);
        patience.judge(read).map(drop)
    }

    fn v2(&self) -> ApiFacts {
        let root = Key::root();
        let _patience = self.connection.break_off_after(PATIENCE);
        let head = match self.connection.send(
            self.endpoint,
            &v2::read(&root, v2::ReadOptions::default()),
            LIMITS,
        ) {
            Ok(reply) => {
                let head = reply.head.clone();
                // Only the head is of interest, not the keys.
                let _ = reply.read_whole(MAX_REPLY);
                head
            }
            Err(Failure::Refused(refusal)) => refusal.head,
            Err(Failure::ApiOff { .. }) => return ApiFacts::Off,
            Err(failure) => return ApiFacts::Failed(failure.to_string()),
        };
        if head.index.is_none() && head.cluster.is_none() {
            return ApiFacts::Failed("is not etcd".to_owned());
        }
        let status = self.read(&member::of_v2(), LIMITS).ok();
        let status = status.and_then(|(_, body)| member::parse_v2(&body));
        let status = status.unwrap_or_default();
        ApiFacts::On(MemberFacts {
            cluster: head.cluster,
            member: Some(status.member).filter(|id| !id.is_empty()),
            leader: status.leader,
            index: head.index.unwrap_or_default(),
            ..MemberFacts::default()
        })
    }

    fn v3(&self) -> ApiFacts {
        match self.read(&member::of_v3(), LIMITS) {
            Ok((_, body)) => match member::parse_v3(&body) {
                Some(status) => ApiFacts::On(MemberFacts {
                    cluster: status.cluster,
                    member: Some(status.member),
                    leader: status.leader,
                    index: status.revision,
                    is_learner: status.is_learner,
                    alarms: status.alarms,
                }),
                None => ApiFacts::Failed("sent a status that etcd does not send".to_owned()),
            },
            Err(Failure::ApiOff { .. }) => ApiFacts::Off,
            Err(failure) => ApiFacts::Failed(failure.to_string()),
        }
    }

    /// Whether authentication is enabled over v3. A login fails with its own error if it is not.
    fn v3_auth(&self) -> Option<bool> {
        match self.read(&v3::authenticate("", ""), LIMITS) {
            Err(Failure::Refused(refusal)) => Some(!v3::fault::is_auth_off(&refusal.fault)),
            _ => None,
        }
    }

    /// Does a linearizable read.
    fn quorum(&self, uses_v3: bool) -> Result<(), String> {
        let read = if uses_v3 {
            self.read_ranges(&v3::revision(&Scope::new(Key::prefix("/"), false)))
        } else {
            let how = v2::ReadOptions {
                quorum: true,
                ..v2::ReadOptions::default()
            };
            self.read(&v2::read(&Key::root(), how), QUORUM_LIMITS)
                .map(drop)
        };
        match read {
            Ok(()) | Err(Failure::TooLong(_)) => Ok(()),
            // A refusal is an answer, too.
            Err(Failure::Refused(refusal)) if refusal.fault.code == fault::UNAUTHORIZED => Ok(()),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// The oldest revision that is not compacted, by binary search up to `newest`; `None` if a read fails.
#[must_use]
pub fn oldest_revision(http: &Http, endpoint: &Endpoint, newest: Index) -> Option<Index> {
    let asked = Asked {
        connection: http.connection(),
        endpoint,
    };
    let exists = |revision: u64| match asked.read_ranges(&v3::read_at(b"/", Some(Index(revision))))
    {
        Ok(()) => Some(true),
        Err(Failure::Refused(refusal)) if refusal.fault.code == fault::INDEX_CLEARED => Some(false),
        Err(_) => None,
    };
    let (mut first, mut last) = (1, newest.0.max(1));
    while first < last {
        let middle = first + (last - first) / 2;
        if exists(middle)? {
            last = middle;
        } else {
            first = middle + 1;
        }
    }
    Some(Index(first))
}

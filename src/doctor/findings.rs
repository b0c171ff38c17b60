//! The problems of a cluster, each with its remedy.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{ApiFacts, EndpointFacts, Facts, MemberFacts};
use etcdwatch_engine::model::{self, Index};

/// A history that reaches back less than this is a problem, because an outage easily lasts longer.
const SHORT_HISTORY: Duration = Duration::from_secs(10);

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A watch is not reliable, or soon will not be.
    Problem,
    /// Worth knowing, but a watch is reliable.
    Advice,
}

/// A problem or a note in the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub weight: Weight,
    /// The `kind` in JSON, which scripts rely on.
    pub kind: &'static str,
    /// The URL of the endpoint; `None` if it is about the cluster.
    pub endpoint: Option<String>,
    /// The problem, as a clause.
    pub what: String,
    /// The remedy, as a phrase that begins with a verb.
    pub advice: String,
}

/// How far the history of one API reaches back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// The API.
    pub api: model::Api,
    /// The number of indexes in it.
    pub length: u64,
    /// Whether it begins with the first revision.
    pub is_whole: bool,
    /// Writes per second.
    pub rate: f64,
}

impl History {
    /// The time it covers at this rate; `None` if nothing is written, or nothing was compacted.
    #[must_use]
    pub fn reach(&self) -> Option<Duration> {
        #[allow(
            clippy::cast_precision_loss,
            reason = "the time is an estimate, and an f64 is exact up to 2^53"
        )]
        let seconds = self.length as f64 / self.rate;
        (self.rate > 0.0 && !self.is_whole).then(|| Duration::from_secs_f64(seconds.min(1e9)))
    }
}

/// Selects the facts of one API.
pub type Selected = fn(&EndpointFacts) -> &ApiFacts;

/// The id of the cluster that an endpoint belongs to.
#[must_use]
pub fn cluster(known: &EndpointFacts) -> Option<&String> {
    let members = [known.v3.member(), known.v2.member()];
    members
        .into_iter()
        .flatten()
        .find_map(|member| member.cluster.as_ref())
}

/// The id of the cluster that a watch would use: that of the first endpoint that answers.
#[must_use]
pub fn own_cluster(facts: &[Facts]) -> Option<&String> {
    let known = facts.iter().filter_map(|facts| facts.known.as_ref().ok());
    known.into_iter().find_map(cluster)
}

/// How many indexes an endpoint is behind the highest index that any endpoint had before the sample.
#[must_use]
pub fn lag(before: &[Facts], after: &Facts, select: Selected) -> u64 {
    let own = after.known.as_ref().ok().and_then(|known| {
        let of = cluster(known);
        select(known).member().map(|member| (member.index, of))
    });
    let Some((index, of)) = own else { return 0 };
    let others = before.iter().filter_map(|facts| facts.known.as_ref().ok());
    let others = others.filter(|known| cluster(known) == of);
    let highest = others
        .filter_map(|known| select(known).member())
        .map(|member| member.index)
        .max();
    highest.unwrap_or(Index::ZERO).since(index)
}

/// The findings about the answers `before` and `after` the sample, for the APIs in `asked`.
#[must_use]
pub fn of(
    before: &[Facts],
    after: &[Facts],
    histories: &[History],
    asked: &[model::Api],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_own =
        |known: &EndpointFacts| cluster(known).is_none() || cluster(known) == own_cluster(after);
    let any = |matches: &dyn Fn(&EndpointFacts) -> bool| {
        let known = after.iter().filter_map(|facts| facts.known.as_ref().ok());
        known.filter(|known| is_own(known)).any(matches)
    };
    let is_asked = |api| asked.contains(&api);
    let has_v2 = is_asked(model::Api::V2) && any(&|known| matches!(known.v2, ApiFacts::On(_)));
    let has_v3 = is_asked(model::Api::V3) && any(&|known| matches!(known.v3, ApiFacts::On(_)));
    for facts in after {
        let mut tell = |weight, kind, what: String, advice: &str| {
            found.push(Finding {
                weight,
                kind,
                endpoint: Some(facts.endpoint.clone()),
                what,
                advice: advice.to_owned(),
            });
        };
        let known = match &facts.known {
            Ok(known) => known,
            Err(why) => {
                let advice = "start etcd there, or remove it from --endpoints";
                tell(Weight::Problem, "unreachable", why.clone(), advice);
                continue;
            }
        };
        if known.version.is_none() && known.v2.member().is_none() && known.v3.member().is_none() {
            let what = "the server is not etcd".to_owned();
            tell(
                Weight::Problem,
                "notEtcd",
                what,
                "use the URL of etcd's client port, usually 2379",
            );
            continue;
        }
        if !is_own(known) {
            let own = own_cluster(after).cloned().unwrap_or_default();
            let what = format!(
                "it belongs to cluster {}, the others to {own}; a watch does not use it",
                cluster(known).cloned().unwrap_or_default()
            );
            tell(
                Weight::Problem,
                "otherCluster",
                what,
                "remove it from --endpoints",
            );
            continue;
        }
        if known.v2 == ApiFacts::Off && has_v2 {
            let what =
                "the v2 API is off here but on elsewhere; a v2 watch cannot use this endpoint"
                    .to_owned();
            let advice = "start etcd with --enable-v2=true, or use --api v3";
            tell(Weight::Problem, "v2Off", what, advice);
        }
        if known.v3 == ApiFacts::Off && has_v3 {
            let what = "the JSON gateway is off here but on elsewhere; a v3 watch cannot use this endpoint";
            let advice = "start it without --enable-grpc-gateway=false";
            tell(Weight::Problem, "v3Off", what.to_owned(), advice);
        }
        if known.v2 == ApiFacts::Off && known.v3 == ApiFacts::Off {
            let what = "the v2 API and the JSON gateway are off".to_owned();
            let advice = "start it without --enable-grpc-gateway=false";
            tell(Weight::Problem, "noApi", what, advice);
        }
        of_failed_apis(known, &mut tell);
        of_member(known, &mut tell);
        let behind = [
            ("v2", lag(before, facts, |known| &known.v2)),
            ("v3", lag(before, facts, |known| &known.v3)),
        ];
        if let Some((api, behind)) = behind.into_iter().max_by_key(|(_, behind)| *behind)
            && behind > 0
        {
            let what = format!("it is {behind} indexes behind the others ({api})");
            let advice = "check its connection to the other peer URLs, and the speed of its disk";
            tell(Weight::Problem, "lagging", what, advice);
        }
        if let Err(why) = &known.quorum {
            let what = format!("a linearizable read failed: it {why}");
            let advice = "check that a majority of the members runs and is reachable";
            tell(Weight::Problem, "noQuorum", what, advice);
        }
    }
    let histories = histories.iter().filter(|history| is_asked(history.api));
    of_histories(histories, &mut found);
    of_versions(after, &mut found);
    found
}

fn of_failed_apis(
    known: &EndpointFacts,
    tell: &mut impl FnMut(Weight, &'static str, String, &str),
) {
    for (api, facts) in [("v2", &known.v2), ("v3", &known.v3)] {
        if let ApiFacts::Failed(why) = facts {
            let advice = if why.contains("user name is empty") {
                "use --user to authenticate"
            } else {
                "read the log of the server"
            };
            let what = format!("with {api} it {why}");
            tell(Weight::Problem, "failed", what, advice);
        }
    }
}

fn of_member(known: &EndpointFacts, tell: &mut impl FnMut(Weight, &'static str, String, &str)) {
    let members: Vec<&MemberFacts> = [known.v3.member(), known.v2.member()]
        .into_iter()
        .flatten()
        .collect();
    // With the v2 API, a member keeps naming the leader that it has lost.
    if members
        .first()
        .is_some_and(|member| member.leader.is_none())
    {
        let what = "it has no leader".to_owned();
        let advice = "check its connection to the peer URLs of a majority of the members";
        tell(Weight::Problem, "noLeader", what, advice);
    }
    for alarm in members.iter().flat_map(|member| &member.alarms) {
        let advice = "run 'etcdctl alarm list' for the member that raised it";
        tell(
            Weight::Problem,
            "alarm",
            format!("the alarm {alarm} is active"),
            advice,
        );
    }
    if members.iter().any(|member| member.is_learner) {
        let what = "it is a learner, which serves serializable reads only".to_owned();
        tell(
            Weight::Problem,
            "learner",
            what,
            "remove it from --endpoints, or promote it",
        );
    }
}

fn of_histories<'h>(histories: impl Iterator<Item = &'h History>, found: &mut Vec<Finding>) {
    for history in histories {
        let Some(reach) = history.reach().filter(|reach| *reach < SHORT_HISTORY) else {
            continue;
        };
        let advice = match history.api {
            model::Api::V2 => "write less often, or use v3; an outage that lasts longer is a gap",
            model::Api::V3 => "compact less often; an outage that lasts longer is a gap",
        };
        found.push(Finding {
            weight: Weight::Problem,
            kind: "shortHistory",
            endpoint: None,
            what: format!(
                "the {} history covers only {:.1} s at the present rate of writes",
                history.api.name(),
                reach.as_secs_f64()
            ),
            advice: advice.to_owned(),
        });
    }
}

fn of_versions(facts: &[Facts], found: &mut Vec<Finding>) {
    let mut versions: BTreeMap<&String, usize> = BTreeMap::new();
    let own = own_cluster(facts);
    let known = facts.iter().filter_map(|facts| facts.known.as_ref().ok());
    for known in known.filter(|known| cluster(known) == own) {
        if let Some(version) = &known.version {
            *versions.entry(version).or_default() += 1;
        }
    }
    if versions.len() > 1 {
        let versions: Vec<&str> = versions.keys().map(|version| version.as_str()).collect();
        found.push(Finding {
            weight: Weight::Advice,
            kind: "versions",
            endpoint: None,
            what: format!(
                "the members run different versions: {}",
                versions.join(", ")
            ),
            advice: "finish the upgrade, so that all members run the same version".to_owned(),
        });
    }
}

/// A finding for each API that has authentication enabled, for a run without a user.
#[must_use]
pub fn missing_user(facts: &[Facts], asked: &[model::Api]) -> Vec<Finding> {
    let known = || facts.iter().filter_map(|facts| facts.known.as_ref().ok());
    let asks = |api| match api {
        model::Api::V2 => known().any(|known| known.v2_auth == Some(true)),
        model::Api::V3 => known().any(|known| known.v3_auth == Some(true)),
    };
    let finding = |api: &model::Api| Finding {
        weight: Weight::Advice,
        kind: "noUser",
        endpoint: None,
        what: format!(
            "authentication is enabled ({}), but no user is given: {}",
            api.name(),
            match api {
                model::Api::V2 => "only what guests may read is visible",
                model::Api::V3 => "nothing can be read",
            }
        ),
        advice: "use --user or ETCDCTL_USER".to_owned(),
    };
    let asked = asked.iter().filter(|api| asks(**api));
    asked.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [model::Api; 2] = model::Api::ALL;

    fn member(index: u64) -> MemberFacts {
        MemberFacts {
            cluster: Some("c".to_owned()),
            member: Some("m".to_owned()),
            leader: Some("m".to_owned()),
            index: Index(index),
            ..MemberFacts::default()
        }
    }

    fn facts(endpoint: &str, v2: ApiFacts, v3: ApiFacts) -> Facts {
        Facts {
            endpoint: endpoint.to_owned(),
            known: Ok(EndpointFacts {
                version: Some("3.5.1".to_owned()),
                round_trip: Duration::from_millis(1),
                v2,
                v3,
                quorum: Ok(Duration::from_millis(2)),
                v2_auth: Some(false),
                v3_auth: Some(false),
            }),
        }
    }

    fn kinds(before: &[Facts], after: &[Facts]) -> Vec<(&'static str, String)> {
        let found = of(before, after, &[], &BOTH);
        let brief = |finding: Finding| (finding.kind, finding.endpoint.unwrap_or_default());
        found.into_iter().map(brief).collect()
    }

    fn one(kind: &'static str, endpoint: &str) -> Vec<(&'static str, String)> {
        vec![(kind, endpoint.to_owned())]
    }

    #[test]
    fn a_healthy_cluster_has_no_findings() {
        let all =
            ["a", "b"].map(|name| facts(name, ApiFacts::On(member(7)), ApiFacts::On(member(3))));
        assert_eq!(kinds(&all, &all), []);
        let v3 = ["a", "b"].map(|name| facts(name, ApiFacts::Off, ApiFacts::On(member(3))));
        assert_eq!(kinds(&v3, &v3), []);
    }

    #[test]
    fn each_problem_is_reported_with_its_endpoint() {
        let well = facts("a", ApiFacts::On(member(7)), ApiFacts::On(member(3)));
        let gone = Facts {
            endpoint: "b".to_owned(),
            known: Err("could not be reached".to_owned()),
        };
        let found = |other: Facts| {
            let all = [well.clone(), other];
            kinds(&all, &all)
        };
        assert_eq!(found(gone), one("unreachable", "b"));
        let off = facts("b", ApiFacts::Off, ApiFacts::On(member(3)));
        assert_eq!(found(off), one("v2Off", "b"));
        let off = facts("b", ApiFacts::On(member(7)), ApiFacts::Off);
        assert_eq!(found(off), one("v3Off", "b"));
        let other = MemberFacts {
            cluster: Some("d".to_owned()),
            ..member(900)
        };
        let foreign = facts("b", ApiFacts::Off, ApiFacts::On(other));
        assert_eq!(found(foreign), one("otherCluster", "b"));
        let lost = MemberFacts {
            leader: None,
            ..member(7)
        };
        let lost = facts(
            "b",
            ApiFacts::On(lost.clone()),
            ApiFacts::On(MemberFacts {
                index: Index(3),
                ..lost
            }),
        );
        assert_eq!(found(lost), one("noLeader", "b"));
    }

    #[test]
    fn a_member_that_catches_up_during_the_sample_does_not_lag() {
        let before = ["a", "b"].map(|name| {
            let index = if name == "a" { 100 } else { 90 };
            facts(name, ApiFacts::On(member(index)), ApiFacts::Off)
        });
        let after = |index| {
            [110, index].map(|index| facts("b", ApiFacts::On(member(index)), ApiFacts::Off))
        };
        assert_eq!(kinds(&before, &after(100)), []);
        assert_eq!(kinds(&before, &after(99)), one("lagging", "b"));
    }

    #[test]
    fn a_short_history_is_reported() {
        let history = |rate| History {
            api: model::Api::V2,
            length: 1000,
            is_whole: false,
            rate,
        };
        assert_eq!(of(&[], &[], &[history(0.0), history(99.0)], &BOTH), []);
        assert_eq!(
            of(&[], &[], &[history(500.0)], &BOTH[1..]),
            [],
            "only v3 is in use"
        );
        let found = of(&[], &[], &[history(500.0)], &BOTH);
        assert!(found[0].what.contains("2.0 s"), "{found:?}");
        assert_eq!(history(0.0).reach(), None);
        let whole = History {
            is_whole: true,
            ..history(500.0)
        };
        assert_eq!(of(&[], &[], &[whole], &BOTH), []);
    }
}

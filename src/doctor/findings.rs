//! What is wrong, in words, and what to do about it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{ApiFacts, Facts, Known, Side};
use etcdwatch_engine::model::{self, Index};

/// History that reaches back less than this is soon outlived by an outage.
const SHORT: Duration = Duration::from_secs(10);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A watch can't be trusted, or soon can't.
    Problem,
    /// Worth to know.
    Advice,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// A name for scripts.
    pub kind: &'static str,
    /// The endpoint that it is about; all where there is none.
    pub endpoint: Option<String>,
    /// What.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// How history stands by one API, as it was sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// Of which API.
    pub api: model::Api,
    /// How many indexes it has.
    pub length: u64,
    /// Nothing of it was ever lost.
    pub is_whole: bool,
    /// How many writes there are in a second.
    pub rate: f64,
}

impl History {
    /// How long it reaches back at that rate; none where nothing is written, or lost.
    #[must_use]
    pub fn reach(&self) -> Option<Duration> {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a length of 2^53 indexes needs no last digit"
        )]
        let seconds = self.length as f64 / self.rate;
        // Longer than anybody cares about.
        (self.rate > 0.0 && !self.is_whole).then(|| Duration::from_secs_f64(seconds.min(1e9)))
    }
}

/// What is known by one of the APIs.
pub type Of = fn(&Known) -> &ApiFacts;

/// The cluster that an endpoint is of.
#[must_use]
pub fn cluster(known: &Known) -> Option<&String> {
    let sides = [known.v3.side(), known.v2.side()];
    sides
        .into_iter()
        .flatten()
        .find_map(|side| side.cluster.as_ref())
}

/// The cluster of the first endpoint that answers, which a watch takes for the right one.
#[must_use]
pub fn own_cluster(facts: &[Facts]) -> Option<&String> {
    let known = facts.iter().filter_map(|facts| facts.known.as_ref().ok());
    known.into_iter().find_map(cluster)
}

/// How far an endpoint's index is behind the highest that was known before it was asked.
#[must_use]
pub fn lag(before: &[Facts], after: &Facts, side: Of) -> u64 {
    let own = after.known.as_ref().ok().and_then(|known| {
        let of = cluster(known);
        side(known).side().map(|side| (side.index, of))
    });
    let Some((index, of)) = own else { return 0 };
    let others = before.iter().filter_map(|facts| facts.known.as_ref().ok());
    let others = others.filter(|known| cluster(known) == of);
    let highest = others
        .filter_map(|known| side(known).side())
        .map(|side| side.index)
        .max();
    highest.unwrap_or(Index::ZERO).since(index)
}

/// What is wrong with what was found `before` a sample was taken, and `after` it; for whom speaks the
/// APIs `asked` for.
#[must_use]
pub fn of(
    before: &[Facts],
    after: &[Facts],
    histories: &[History],
    asked: &[model::Api],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_own = |known: &Known| cluster(known).is_none() || cluster(known) == own_cluster(after);
    let any = |is_so: &dyn Fn(&Known) -> bool| {
        let known = after.iter().filter_map(|facts| facts.known.as_ref().ok());
        known.filter(|known| is_own(known)).any(is_so)
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
                let advice = "start etcd there, or take it off --endpoints";
                tell(Weight::Problem, "unreachable", why.clone(), advice);
                continue;
            }
        };
        if known.version.is_none() && known.v2.side().is_none() && known.v3.side().is_none() {
            let what = "what answers is not etcd".to_owned();
            tell(Weight::Problem, "notEtcd", what, "name etcd's client URL");
            continue;
        }
        if !is_own(known) {
            let own = own_cluster(after).cloned().unwrap_or_default();
            let what = format!(
                "it is of the cluster {}, and the others of {own}: a watch leaves it out",
                cluster(known).cloned().unwrap_or_default()
            );
            tell(
                Weight::Problem,
                "otherCluster",
                what,
                "take it off --endpoints",
            );
            continue;
        }
        if known.v2 == ApiFacts::Off && has_v2 {
            let what = "v2 is off here and on elsewhere: a watch by v2 can't go on here".to_owned();
            let advice = "start it with --enable-v2=true, or use --api v3";
            tell(Weight::Problem, "v2Off", what, advice);
        }
        if known.v3 == ApiFacts::Off && has_v3 {
            let what = "v3's gateway is off here and on elsewhere: a watch by v3 can't go on here";
            let advice = "start it without --enable-grpc-gateway=false";
            tell(Weight::Problem, "v3Off", what.to_owned(), advice);
        }
        if known.v2 == ApiFacts::Off && known.v3 == ApiFacts::Off {
            let what = "neither v2 nor v3's gateway is on".to_owned();
            let advice = "start it without --enable-grpc-gateway=false";
            tell(Weight::Problem, "noApi", what, advice);
        }
        for (api, side) in [("v2", &known.v2), ("v3", &known.v3)] {
            if let ApiFacts::Failed(why) = side {
                let advice = "see its log";
                tell(Weight::Problem, "failed", format!("{api}: {why}"), advice);
            }
        }
        of_member(known, &mut tell);
        let behind = [
            ("v2", lag(before, facts, |known| &known.v2)),
            ("v3", lag(before, facts, |known| &known.v3)),
        ];
        if let Some((api, behind)) = behind.into_iter().max_by_key(|(_, behind)| *behind)
            && behind > 0
        {
            let what = format!(
                "it is behind: {behind} by {api} of what others knew when the sample began"
            );
            let advice =
                "see that it reaches the others on their peer URLs, and has a disk that keeps up";
            tell(Weight::Problem, "lagging", what, advice);
        }
        if let Err(why) = &known.quorum {
            let what = format!("a majority can't be asked through it: {why}");
            let advice = "a watch can't tell here whether it is up to date: see its peers";
            tell(Weight::Problem, "noQuorum", what, advice);
        }
    }
    let histories = histories.iter().filter(|history| is_asked(history.api));
    of_histories(histories, &mut found);
    of_versions(after, &mut found);
    found
}

fn of_member(known: &Known, tell: &mut impl FnMut(Weight, &'static str, String, &str)) {
    let sides: Vec<&Side> = [known.v3.side(), known.v2.side()]
        .into_iter()
        .flatten()
        .collect();
    // By v2 a member goes on to name the leader that it had.
    if sides.first().is_some_and(|side| side.leader.is_none()) {
        let what = "it knows of no leader".to_owned();
        let advice = "see that it reaches a majority of the cluster on their peer URLs";
        tell(Weight::Problem, "noLeader", what, advice);
    }
    for alarm in sides.iter().flat_map(|side| &side.alarms) {
        let advice = "etcdctl alarm list says more";
        tell(
            Weight::Problem,
            "alarm",
            format!("it complains: {alarm}"),
            advice,
        );
    }
    if sides.iter().any(|side| side.is_learner) {
        let what = "it is a learner: it serves no reads but its own".to_owned();
        tell(
            Weight::Problem,
            "learner",
            what,
            "take it off --endpoints, or promote it",
        );
    }
}

fn of_histories<'h>(histories: impl Iterator<Item = &'h History>, found: &mut Vec<Finding>) {
    for history in histories {
        let Some(reach) = history.reach().filter(|reach| *reach < SHORT) else {
            continue;
        };
        let advice = match history.api {
            model::Api::V2 => "an outage that is longer is a gap: write less, or use v3",
            model::Api::V3 => "an outage that is longer is a gap: compact less often",
        };
        found.push(Finding {
            weight: Weight::Problem,
            kind: "shortHistory",
            endpoint: None,
            what: format!(
                "the history of {} reaches back {:.1} s at the present rate of writes",
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
            what: format!("the members have several versions: {}", versions.join(", ")),
            advice: "finish the upgrade".to_owned(),
        });
    }
}

/// A finding for each API that has authentication enabled, where no user is named.
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
            "{} asks who one is, and no user is named: {}",
            api.name(),
            match api {
                model::Api::V2 => "what guests may not read is not seen",
                model::Api::V3 => "nothing can be read",
            }
        ),
        advice: "--user NAME, or ETCDCTL_USER".to_owned(),
    };
    let asked = asked.iter().filter(|api| asks(**api));
    asked.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [model::Api; 2] = model::Api::ALL;

    fn side(index: u64) -> Side {
        Side {
            cluster: Some("c".to_owned()),
            member: Some("m".to_owned()),
            leader: Some("m".to_owned()),
            index: Index(index),
            ..Side::default()
        }
    }

    fn facts(endpoint: &str, v2: ApiFacts, v3: ApiFacts) -> Facts {
        Facts {
            endpoint: endpoint.to_owned(),
            known: Ok(Known {
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
    fn a_cluster_that_is_well_has_no_findings() {
        let all = ["a", "b"].map(|name| facts(name, ApiFacts::On(side(7)), ApiFacts::On(side(3))));
        assert_eq!(kinds(&all, &all), []);
        let v3 = ["a", "b"].map(|name| facts(name, ApiFacts::Off, ApiFacts::On(side(3))));
        assert_eq!(kinds(&v3, &v3), []);
    }

    #[test]
    fn each_fault_is_named_with_its_endpoint() {
        let well = facts("a", ApiFacts::On(side(7)), ApiFacts::On(side(3)));
        let gone = Facts {
            endpoint: "b".to_owned(),
            known: Err("could not be reached".to_owned()),
        };
        let found = |other: Facts| {
            let all = [well.clone(), other];
            kinds(&all, &all)
        };
        assert_eq!(found(gone), one("unreachable", "b"));
        let off = facts("b", ApiFacts::Off, ApiFacts::On(side(3)));
        assert_eq!(found(off), one("v2Off", "b"));
        let off = facts("b", ApiFacts::On(side(7)), ApiFacts::Off);
        assert_eq!(found(off), one("v3Off", "b"));
        let other = Side {
            cluster: Some("d".to_owned()),
            ..side(900)
        };
        let foreign = facts("b", ApiFacts::Off, ApiFacts::On(other));
        assert_eq!(found(foreign), one("otherCluster", "b"));
        let lost = Side {
            leader: None,
            ..side(7)
        };
        let lost = facts(
            "b",
            ApiFacts::On(lost.clone()),
            ApiFacts::On(Side {
                index: Index(3),
                ..lost
            }),
        );
        assert_eq!(found(lost), one("noLeader", "b"));
    }

    #[test]
    fn one_that_catches_up_while_the_sample_is_taken_does_not_lag() {
        let before = ["a", "b"].map(|name| {
            let index = if name == "a" { 100 } else { 90 };
            facts(name, ApiFacts::On(side(index)), ApiFacts::Off)
        });
        let after =
            |index| [110, index].map(|index| facts("b", ApiFacts::On(side(index)), ApiFacts::Off));
        assert_eq!(kinds(&before, &after(100)), []);
        assert_eq!(kinds(&before, &after(99)), one("lagging", "b"));
    }

    #[test]
    fn history_that_is_soon_over_is_told() {
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
            "who speaks v3 alone"
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

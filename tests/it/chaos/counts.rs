//! The counts of a run and their table, and the strict comparison beside them.
//!
//! In scope: one store, or several one after the other, each with events of its own. Out of scope:
//! the states that are printed after a gap, which the consumer's final state shows (`testbed`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::writers::History;
use crate::support::oracle::{self, Gaps};
use crate::support::v2::Truth;

/// The number of indexes that etcd's v2 history holds. A smaller gap is never necessary.
const HISTORY: u64 = 1000;

/// The counts of one or more runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of runs.
    pub runs: usize,
    /// The number of faults in them.
    pub faults: usize,
    /// The number of events that were written in scope.
    pub events: usize,
    /// Events that were neither printed nor in a gap that was declared before any later event.
    pub lost: usize,
    /// Events that were printed again.
    pub duplicated: usize,
    /// Events that were printed after a later one.
    pub disordered: usize,
    /// Printed events that no writer made.
    pub invented: usize,
    /// Declared gaps.
    pub gaps: usize,
    /// Runs of lost events that no gap declared.
    pub missed: usize,
    /// Gaps that were declared as certain although nothing happened in them.
    pub false_certain: usize,
}

/// A range of indexes in the store with that number.
type Range = (usize, RangeInclusive<u64>);

/// The events of all stores in their order, and how many of them are accounted for.
struct Walk<'a> {
    due: Vec<(usize, &'a Truth)>,
    places: BTreeMap<(u64, &'a str, &'a str, Option<&'a str>), usize>,
    declared: Vec<Range>,
    next: usize,
}

impl<'a> Walk<'a> {
    fn new(histories: &'a [History]) -> Self {
        let due: Vec<(usize, &Truth)> = histories
            .iter()
            .enumerate()
            .flat_map(|(store, history)| history.events.iter().map(move |one| (store, one)))
            .collect();
        let places = due.iter().enumerate();
        Self {
            places: places.map(|(at, (_, one))| (identity(one), at)).collect(),
            due,
            declared: Vec::new(),
            next: 0,
        }
    }

    fn place(&self, event: &Truth) -> Option<usize> {
        self.places.get(&identity(event)).copied()
    }

    /// Moves on to `upto`, and returns how many events before it were neither printed nor declared.
    fn pass(&mut self, upto: usize, printed: &BTreeSet<usize>) -> usize {
        let begin = self.next.min(upto);
        self.next = self.next.max(upto);
        let is_lost = |at: &usize| {
            let (store, one) = self.due[*at];
            !printed.contains(at) && !is_in(&self.declared, store, one.index)
        };
        (begin..upto).filter(is_lost).count()
    }
}

fn identity(truth: &Truth) -> (u64, &str, &str, Option<&str>) {
    (
        truth.index,
        &truth.action,
        &truth.key,
        truth.value.as_deref(),
    )
}

fn is_in(ranges: &[Range], store: usize, index: u64) -> bool {
    ranges
        .iter()
        .any(|(of, range)| *of == store && range.contains(&index))
}

impl Counts {
    /// Counts what is wrong with `records`, if `histories` happened in one store after the other.
    pub fn of(histories: &[History], records: &[Value], faults: usize) -> Self {
        let mut walk = Walk::new(histories);
        let mut counted = Self {
            runs: 1,
            faults,
            events: walk.due.len(),
            ..Self::default()
        };
        let events = oracle::events(records);
        let known: BTreeSet<usize> = events.iter().filter_map(|one| walk.place(one)).collect();
        let mut past = BTreeSet::new();
        let mut store = 0;
        for record in records {
            if record["action"] == "gap" {
                counted.gaps += 1;
                let is_replacing_store =
                    record["lost"]["to"].is_null() && store + 1 < histories.len();
                let covered = cover(record, store, is_replacing_store);
                // Everything in the old store is gone with it.
                let gone = is_replacing_store.then_some((store, 0..=u64::MAX));
                let changed: Vec<Range> = covered.iter().cloned().chain(gone).collect();
                let mut due = walk.due.iter();
                let is_empty = !due.any(|(store, one)| is_in(&changed, *store, one.index))
                    && !histories.iter().any(|history| history.has_loose_ends);
                counted.false_certain += usize::from(record["certain"] == true && is_empty);
                walk.declared.extend(covered);
                store += usize::from(is_replacing_store);
            } else if let Some(event) = oracle::events(std::slice::from_ref(record)).first() {
                let Some(at) = walk.place(event) else {
                    counted.invented += 1;
                    continue;
                };
                store = store.max(walk.due[at].0);
                let is_last = past.last().is_none_or(|last| *last < at);
                if !past.insert(at) {
                    counted.duplicated += 1;
                } else if !is_last {
                    counted.disordered += 1;
                }
                counted.count_lost(walk.pass(at, &known));
            }
        }
        counted.count_lost(walk.pass(walk.due.len(), &known));
        counted
    }

    fn count_lost(&mut self, lost: usize) {
        self.lost += lost;
        self.missed += usize::from(lost > 0);
    }

    /// Returns whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        let wrong = [
            self.lost,
            self.duplicated,
            self.disordered,
            self.invented,
            self.missed,
            self.false_certain,
        ];
        wrong.iter().all(|count| *count == 0)
    }

    /// The sum of both.
    pub fn and(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            faults: self.faults + other.faults,
            events: self.events + other.events,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
            disordered: self.disordered + other.disordered,
            invented: self.invented + other.invented,
            gaps: self.gaps + other.gaps,
            missed: self.missed + other.missed,
            false_certain: self.false_certain + other.false_certain,
        }
    }

    /// The head of the table.
    pub const COLUMNS: &'static str = "| fault | runs | faults | events | lost | duplicated | \
         out of order | invented | gaps declared | gaps missed | false certain |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

    /// The columns that also apply to programs that declare no gaps.
    pub fn in_short(&self) -> String {
        format!("{} | {} | {}", self.lost, self.duplicated, self.disordered)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(
            formatter,
            "{} | {} | {} | {} | {} | {} | {} | {} | {} | {}",
            self.runs,
            self.faults,
            self.events,
            self.lost,
            self.duplicated,
            self.disordered,
            self.invented,
            self.gaps,
            self.missed,
            self.false_certain
        )
    }
}

/// The indexes that a gap covers. A gap without an end covers the rest of the old store, and of the
/// new store everything up to the state that is printed next.
fn cover(gap: &Value, store: usize, is_replacing_store: bool) -> Vec<Range> {
    let from = gap["lost"]["from"].as_u64().expect("a first index");
    let index = gap["index"].as_u64().expect("a position");
    let to = gap["lost"]["to"].as_u64();
    if is_replacing_store {
        return vec![(store, from..=u64::MAX), (store + 1, 0..=index)];
    }
    vec![(store, from..=to.unwrap_or(index))]
}

/// The first difference between what happened in one store after the other and the tool's records.
pub fn compare(histories: &[History], records: &[Value]) -> Result<(), String> {
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    for record in records {
        if let Some(needless) = find_needless(record) {
            return Err(needless);
        }
        parts.last_mut().expect("a part").push(record.clone());
        if record["action"] == "gap" && record["lost"]["to"].is_null() {
            let covered = json!({"from": 0, "to": record["index"]});
            parts.push(vec![json!({"action": "gap", "lost": covered})]);
        }
    }
    if parts.len() != histories.len() {
        let gaps = records.iter().filter(|record| record["action"] == "gap");
        let gaps: Vec<String> = gaps.map(Value::to_string).collect();
        return Err(format!(
            "the server had {} stores, and the records show {}\n{}",
            histories.len(),
            parts.len(),
            gaps.join("\n")
        ));
    }
    for (history, part) in histories.iter().zip(&parts) {
        oracle::compare(&history.events, part, Gaps::Declared)?;
    }
    Ok(())
}

/// A gap that is smaller than history, whose events could still be read.
fn find_needless(record: &Value) -> Option<String> {
    let lost = (record["cause"] == "historyCleared").then_some(&record["lost"])?;
    let (from, to) = (lost["from"].as_u64()?, lost["to"].as_u64()?);
    (to + 1 < from + HISTORY).then(|| format!("history held this: {record}"))
}

fn write(index: u64) -> Truth {
    Truth {
        index,
        action: "set".to_owned(),
        key: "/k".to_owned(),
        value: Some(index.to_string()),
    }
}

fn event(index: u64) -> Value {
    json!({
        "action": "set",
        "node": {"key": "/k", "value": index.to_string(), "modifiedIndex": index},
    })
}

fn history(indexes: &[u64]) -> History {
    History {
        events: indexes.iter().copied().map(write).collect(),
        has_loose_ends: false,
    }
}

fn gap(from: u64, to: impl Into<Value>, index: u64) -> Value {
    json!({
        "action": "gap",
        "lost": {"from": from, "to": to.into()},
        "certain": true,
        "index": index,
    })
}

#[test]
fn counts_include_lost_duplicated_misplaced_and_invented_events() {
    let truth = [history(&[1, 2, 3, 4, 6, 7, 9, 10])];
    // Event 3 is lost, 2 is repeated, 4 is late, 5 was never written, and the gap before 9 is
    // declared.
    let records = [
        event(1),
        event(2),
        event(2),
        event(6),
        event(4),
        event(5),
        gap(7, 8, 8),
        event(9),
        event(10),
    ];
    let counts = Counts::of(&truth, &records, 3);
    let expected = Counts {
        runs: 1,
        faults: 3,
        events: 8,
        lost: 1,
        duplicated: 1,
        disordered: 1,
        invented: 1,
        gaps: 1,
        missed: 1,
        false_certain: 0,
    };
    assert_eq!(counts, expected);
    assert!(!counts.is_clean());
    // A gap after a later event covers nothing.
    let counts = Counts::of(
        &[history(&[7, 9, 10])],
        &[event(9), gap(7, 8, 8), event(10)],
        1,
    );
    assert_eq!((counts.lost, counts.missed), (1, 1), "{counts:?}");
    // A gap in which nothing happened is not certain, unless it is unknown what happened.
    let mut truth = [history(&[9])];
    let records = [gap(5, 5, 5), event(9)];
    assert_eq!(Counts::of(&truth, &records, 1).false_certain, 1);
    truth[0].has_loose_ends = true;
    assert!(Counts::of(&truth, &records, 1).is_clean());
    // A program without any output has lost everything in one run.
    let counts = Counts::of(&[history(&[1, 2, 3])], &[], 1);
    assert_eq!((counts.lost, counts.missed), (3, 1));
}

#[test]
fn counts_distinguish_the_old_store_from_its_replacement() {
    let mut truth = [history(&[4, 5, 6]), history(&[2, 3, 7])];
    for one in &mut truth[1].events {
        one.value = Some(format!("new {}", one.index));
    }
    let new = |index: u64| {
        let mut event = event(index);
        event["node"]["value"] = format!("new {index}").into();
        event
    };
    let declared = [event(4), gap(5, Value::Null, 3), new(7)];
    assert!(Counts::of(&truth, &declared, 1).is_clean());
    assert_eq!(compare(&truth, &declared), Ok(()));
    // Printed events of the old store are gone too, however early the new store was seen.
    let early = [event(4), event(5), event(6), gap(7, Value::Null, 1)];
    let counts = Counts::of(&truth, &early, 1);
    assert_eq!((counts.lost, counts.false_certain), (3, 0), "{counts:?}");
    let nothing = [history(&[]), history(&[7])];
    let counts = Counts::of(&nothing, &[gap(1, Value::Null, 3), event(7)], 1);
    assert_eq!((counts.lost, counts.false_certain), (0, 1), "{counts:?}");
    // Without a gap, the rest of the old store and the beginning of the new one are lost.
    let silent = [event(4), new(7)];
    let counts = Counts::of(&truth, &silent, 1);
    assert_eq!((counts.lost, counts.missed), (4, 1), "{counts:?}");
    assert!(compare(&truth, &silent).is_err());
    // A gap without an end in a store that goes on does not excuse a later loss.
    let truth = [history(&[4, 5, 6, 7])];
    let records = [event(4), gap(5, Value::Null, 5), event(7)];
    let counts = Counts::of(&truth, &records, 1);
    assert_eq!((counts.lost, counts.missed), (1, 1), "{counts:?}");
    assert!(compare(&truth, &records).is_err());
}

#[test]
fn compare_rejects_a_gap_that_history_still_covers() {
    let mut cleared = gap(2, 1001, 1001);
    cleared["cause"] = "historyCleared".into();
    let truth = [history(&[1, 5, 1002])];
    assert_eq!(
        compare(&truth, &[event(1), cleared.clone(), event(1002)]),
        Ok(())
    );
    cleared["lost"]["to"] = 1000.into();
    let difference = compare(&truth, &[event(1), cleared, event(1002)]).unwrap_err();
    assert!(difference.contains("history held this"), "{difference}");
}

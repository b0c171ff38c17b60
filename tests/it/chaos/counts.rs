//! What came of a run, counted and in a table; and the strict comparison beside it.
//!
//! In scope: one store or several one after the other, each with events of its own. Out of
//! scope: the states that are told after a gap; the consumer's end state shows those (`testbed`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::writers::History;
use crate::support::oracle::{self, Gaps};
use crate::support::v2::Truth;

/// How many indexes history holds: no smaller gap has to be.
const HISTORY: u64 = 1000;

/// What came of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many.
    pub runs: usize,
    /// How many faults there were in them.
    pub faults: usize,
    /// What was written in scope.
    pub events: usize,
    /// Neither told nor in a gap that was declared before anything later.
    pub lost: usize,
    /// Told again.
    pub duplicated: usize,
    /// Told after something later.
    pub disordered: usize,
    /// Told though it was never so.
    pub invented: usize,
    /// Gaps that were declared.
    pub gaps: usize,
    /// Losses in a row that were not.
    pub missed: usize,
    /// Gaps declared as certain in which nothing happened.
    pub false_certain: usize,
}

/// A range of indexes in the store with that number.
type Range = (usize, RangeInclusive<u64>);

/// The events of all stores in their order, and how far they are accounted for.
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

    /// Goes on to `upto`; how many before it are neither `printed` nor declared.
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
    /// Counts what is wrong with `records`, where `histories` happened in one store after the
    /// other.
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
                let begins_anew = record["lost"]["to"].is_null() && store + 1 < histories.len();
                let covered = cover(record, store, begins_anew);
                // A store that is gone took all with it that it held.
                let gone = begins_anew.then_some((store, 0..=u64::MAX));
                let changed: Vec<Range> = covered.iter().cloned().chain(gone).collect();
                let mut due = walk.due.iter();
                let is_empty = !due.any(|(store, one)| is_in(&changed, *store, one.index))
                    && !histories.iter().any(|history| history.has_loose_ends);
                counted.false_certain += usize::from(record["certain"] == true && is_empty);
                walk.declared.extend(covered);
                store += usize::from(begins_anew);
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

    /// Whether nothing is wrong.
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

    /// Both.
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

    /// The head of a table of these.
    pub const COLUMNS: &'static str = "| fault | runs | faults | events | lost | duplicated | \
         out of order | never so | gaps declared | gaps missed | false certain |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

    /// What can be said of those who declare nothing, too.
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

/// What a gap covers. One without an end covers the rest of a store only where another one
/// followed; and of that what the state has that is told next.
fn cover(gap: &Value, store: usize, begins_anew: bool) -> Vec<Range> {
    let from = gap["lost"]["from"].as_u64().expect("a first index");
    let index = gap["index"].as_u64().expect("a position");
    let to = gap["lost"]["to"].as_u64();
    if begins_anew {
        return vec![(store, from..=u64::MAX), (store + 1, 0..=index)];
    }
    vec![(store, from..=to.unwrap_or(index))]
}

/// The first difference between what happened, in one store after the other, and the tool's
/// records.
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
            "{} stores were there, and {} were told\n{}",
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

/// A history that was cleared too soon: what it still holds is no gap.
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
    // 3 is lost, 2 comes twice, 4 too late, 5 never was, and the gap before 9 is declared.
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
    // A gap that comes after what is later covers nothing.
    let counts = Counts::of(
        &[history(&[7, 9, 10])],
        &[event(9), gap(7, 8, 8), event(10)],
        1,
    );
    assert_eq!((counts.lost, counts.missed), (1, 1), "{counts:?}");
    // One in which nothing happened is not certain, unless nobody knows.
    let mut truth = [history(&[9])];
    let records = [gap(5, 5, 5), event(9)];
    assert_eq!(Counts::of(&truth, &records, 1).false_certain, 1);
    truth[0].has_loose_ends = true;
    assert!(Counts::of(&truth, &records, 1).is_clean());
    // Who says nothing loses all at once.
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
    // What was told of the old store is gone too, however early the new one was seen.
    let early = [event(4), event(5), event(6), gap(7, Value::Null, 1)];
    let counts = Counts::of(&truth, &early, 1);
    assert_eq!((counts.lost, counts.false_certain), (3, 0), "{counts:?}");
    let nothing = [history(&[]), history(&[7])];
    let counts = Counts::of(&nothing, &[gap(1, Value::Null, 3), event(7)], 1);
    assert_eq!((counts.lost, counts.false_certain), (0, 1), "{counts:?}");
    // Undeclared, the rest of the old store is lost, and the beginning of the new one.
    let silent = [event(4), new(7)];
    let counts = Counts::of(&truth, &silent, 1);
    assert_eq!((counts.lost, counts.missed), (4, 1), "{counts:?}");
    assert!(compare(&truth, &silent).is_err());
    // An end that was no end does not excuse what is lost later.
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

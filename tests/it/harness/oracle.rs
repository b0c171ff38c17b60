//! Tests of the comparison between printed events and the truth.

use serde_json::{Value, json};

use super::panic_message;
use crate::support::oracle::{self, Gaps};
use crate::support::v2::Truth;

/// Sets of `/k` at the indexes 10 to 19, and their records.
fn truth_and_records() -> (Vec<Truth>, Vec<Value>) {
    let truth: Vec<_> = (10..20)
        .map(|index| Truth {
            index,
            action: "set".to_owned(),
            key: "/k".to_owned(),
            value: Some(format!("v{index}")),
        })
        .collect();
    let records = truth
        .iter()
        .map(|one| {
            json!({"action": one.action, "node": {
                "key": one.key, "value": one.value,
                "modifiedIndex": one.index, "createdIndex": one.index,
            }})
        })
        .collect();
    (truth, records)
}

#[test]
fn the_oracle_accepts_each_event_once_among_other_records() {
    let (truth, mut records) = truth_and_records();
    records.insert(0, json!({"action": "status", "state": "live", "index": 9}));
    records.insert(
        0,
        json!({"action": "get", "origin": "snapshot", "index": 9, "node": {}}),
    );
    oracle::assert_every_event_once(&truth, &records);
    assert_eq!(oracle::events(&records), truth);
}

#[test]
fn the_oracle_finds_lost_duplicated_swapped_and_invented_events() {
    type Change = fn(&mut Vec<Value>);
    let changes: [(&str, Change); 7] = [
        ("lost: a later event", |records| drop(records.remove(4))),
        ("lost: the records end", |records| drop(records.pop())),
        ("duplicated", |records| {
            records.insert(5, records[4].clone());
        }),
        ("duplicated", |records| records.push(records[9].clone())),
        ("swapped", |records| records.swap(4, 5)),
        ("invented: it was never", |records| {
            records[4]["node"]["value"] = json!("x");
        }),
        ("invented: nothing more", |records| {
            let mut late = records[9].clone();
            late["node"]["modifiedIndex"] = json!(99);
            records.push(late);
        }),
    ];
    for (expected, change) in changes {
        let (truth, mut records) = truth_and_records();
        change(&mut records);
        for gaps in [Gaps::Forbidden, Gaps::Declared] {
            let found = oracle::compare(&truth, &records, gaps).unwrap_err();
            assert!(found.starts_with(expected), "{expected}: {found}");
        }
    }
    let (truth, mut records) = truth_and_records();
    records.swap(4, 5);
    let message = panic_message(|| oracle::assert_every_event_once(&truth, &records));
    assert!(message.contains("> #4 14 set /k \"v14\""), "{message}");
}

#[test]
fn the_oracle_accepts_a_loss_only_within_a_gap_declared_before() {
    let gap = json!({"action": "gap", "lost": {"from": 13, "to": 15}, "index": 15});
    let (truth, mut records) = truth_and_records();
    records.splice(3..6, [gap.clone()]);
    oracle::assert_nothing_lost_silently(&truth, &records);
    let found = oracle::compare(&truth, &records, Gaps::Forbidden).unwrap_err();
    assert!(found.starts_with("a gap"), "{found}");

    // One more event is missing than was declared.
    let mut too_much = records.clone();
    too_much.remove(4);
    assert!(oracle::compare(&truth, &too_much, Gaps::Declared).is_err());

    // The gap comes after a later event.
    let mut too_late = records;
    too_late.swap(3, 4);
    let message = panic_message(|| oracle::assert_nothing_lost_silently(&truth, &too_late));
    assert!(message.starts_with("lost"), "{message}");
}

//! Compares the tool's records with what happened.
//!
//! In scope: every event once and in order, or a declared gap in place of a missing one. Out of
//! scope: the states that the tool reads (snapshots, resyncs). They are not events and are skipped
//! here.

use std::fmt::Write;

use serde_json::Value;

use super::v2::Truth;

/// The number of events that are shown before and after the first difference.
const CONTEXT: usize = 3;

/// Whether events may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// Every event must be there, and no gap may be declared.
    Forbidden,
    /// Events may be missing from a gap that was declared before any later event.
    Declared,
}

/// Panics unless `records` (the tool's JSON lines) are every event of `truth`, once and in order.
#[track_caller]
pub fn assert_every_event_once(truth: &[Truth], records: &[Value]) {
    if let Err(difference) = compare(truth, records, Gaps::Forbidden) {
        panic!("{difference}");
    }
}

/// Panics like [`assert_every_event_once`], except for events in a gap that was declared first.
#[track_caller]
pub fn assert_nothing_lost_silently(truth: &[Truth], records: &[Value]) {
    if let Err(difference) = compare(truth, records, Gaps::Declared) {
        panic!("{difference}");
    }
}

/// The events among the tool's records, without its own records (gap, reset, synced, status) and
/// the states that it read.
pub fn events(records: &[Value]) -> Vec<Truth> {
    records
        .iter()
        .filter(|record| !is_own(record))
        .map(|record| {
            Truth::parse(record).unwrap_or_else(|| panic!("neither an event nor known: {record}"))
        })
        .collect()
}

/// The first difference between truth and records.
pub fn compare(truth: &[Truth], records: &[Value], gaps: Gaps) -> Result<(), String> {
    let printed = events(records);
    let mut due = 0;
    let mut seen = 0;
    let mut lost = Vec::new();
    let differs = |what: &str, due, seen| Err(report(what, truth, due, &printed, seen));
    for record in records {
        if record["action"] == "gap" {
            if gaps == Gaps::Forbidden {
                return differs(&format!("a gap: {record}"), due, seen);
            }
            lost.push(lost_range(record));
        }
        if is_own(record) {
            continue;
        }
        let event = &printed[seen];
        // Only events within a declared gap may be missing.
        while due < truth.len() && truth[due] != *event && covered(&lost, truth[due].index) {
            due += 1;
        }
        if truth.get(due) != Some(event) {
            return differs(&name_difference(truth, due, &printed, seen), due, seen);
        }
        due += 1;
        seen += 1;
    }
    while due < truth.len() && covered(&lost, truth[due].index) {
        due += 1;
    }
    if due < truth.len() {
        return differs("lost: the records end before it", due, seen);
    }
    Ok(())
}

fn is_own(record: &Value) -> bool {
    matches!(
        record["action"].as_str(),
        Some("gap" | "reset" | "synced" | "status")
    ) || record["origin"].is_string()
}

/// The first and the last lost index of a gap. After `clusterChanged` and `indexRewound` there is
/// no last one.
fn lost_range(gap: &Value) -> (u64, u64) {
    let from = gap["lost"]["from"].as_u64();
    let to = gap["lost"]["to"].as_u64();
    (
        from.unwrap_or_else(|| panic!("a gap without its beginning: {gap}")),
        to.unwrap_or(u64::MAX),
    )
}

fn covered(lost: &[(u64, u64)], index: u64) -> bool {
    lost.iter().any(|(from, to)| (*from..=*to).contains(&index))
}

/// Describes what is wrong with the event `printed[seen]`, if `truth[due]` was due.
fn name_difference(truth: &[Truth], due: usize, printed: &[Truth], seen: usize) -> String {
    let event = &printed[seen];
    if truth[..due].contains(event) {
        return "duplicated: it was printed before, or belongs before".to_owned();
    }
    let Some(next) = truth.get(due) else {
        return "invented: nothing more was written".to_owned();
    };
    if !truth[due..].contains(event) {
        return "invented: it was never written".to_owned();
    }
    if printed[seen..].contains(next) {
        return "swapped: an event came before one that precedes it".to_owned();
    }
    "lost: a later event came instead".to_owned()
}

fn report(what: &str, truth: &[Truth], due: usize, printed: &[Truth], seen: usize) -> String {
    let mut text = format!(
        "{what}\n({} events were written, {} were printed)\n",
        truth.len(),
        printed.len()
    );
    for (title, list, at) in [("written", truth, due), ("printed", printed, seen)] {
        writeln!(text, "{title}:").expect("a string takes everything");
        let begin = at.saturating_sub(CONTEXT);
        let end = list.len().min(at + CONTEXT + 1);
        for (number, event) in list.iter().enumerate().take(end).skip(begin) {
            let mark = if number == at { '>' } else { ' ' };
            let mut value = event.value.clone().unwrap_or_default();
            if let Some((cut, _)) = value.char_indices().nth(60) {
                value.truncate(cut);
                value.push('…');
            }
            writeln!(
                text,
                "{mark} #{number} {} {} {} {value:?}",
                event.index, event.action, event.key
            )
            .expect("a string takes everything");
        }
        if at >= list.len() {
            writeln!(text, "> (the end)").expect("a string takes everything");
        }
    }
    text
}

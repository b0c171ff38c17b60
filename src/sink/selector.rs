//! Selects the records that a sink passes on, and moves the cursor past the others, too.

use super::cursor::{Cursor, Delivery};
use crate::filter::Filter;
use etcdwatch_engine::model::{Event, Record, Scope};
use etcdwatch_engine::watch::{HeldEvents, Update};

/// The filter of a watch, and the number of events that are still wanted.
#[derive(Debug)]
pub struct Selector {
    filter: Filter,
    /// The number of events that are still wanted; `None` for any number.
    left: Option<u64>,
    /// The part of the scope that is passed on; `None` for all of it.
    part: Option<Scope>,
    /// Whether the cursor moves with every event, and not only once per batch.
    is_exact: bool,
}

impl Selector {
    /// Passes on the records that `filter` lets pass, but at most `left` events.
    #[must_use]
    pub fn new(filter: Filter, left: Option<u64>) -> Self {
        Self {
            filter,
            left,
            part: None,
            is_exact: false,
        }
    }

    /// Moves the cursor with every event that is passed on.
    #[must_use]
    pub fn exact(self) -> Self {
        Self {
            is_exact: true,
            ..self
        }
    }

    /// Passes on only records in `part`.
    pub fn narrow(&mut self, part: Option<Scope>) {
        self.part = part;
    }

    /// The number of the first `count` events that are passed on, if no event needs to be examined; otherwise
    /// `None`.
    #[must_use]
    pub fn unseen(&self, count: usize) -> Option<usize> {
        let left = self.left.map(usize::try_from).and_then(Result::ok);
        let is_any = self.part.is_none() && self.filter.passes_all();
        is_any.then_some(left.map_or(count, |left| left.min(count)))
    }

    /// Counts events that were passed on without being examined.
    pub fn pass_unseen(&mut self, count: usize) {
        self.left = self.left.map(|left| left.saturating_sub(count as u64));
    }

    /// Whether the last wanted event was passed on.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether a record is passed on.
    #[must_use]
    pub fn wants(&self, record: &Record<'_>) -> bool {
        let removes_directory = || record.action().removes() && record.is_dir();
        let is_in_part = self
            .part
            .as_ref()
            .is_none_or(|part| part.covers(record.key(), removes_directory()));
        is_in_part && self.filter.passes(record)
    }

    /// Passes on the wanted events and moves the cursor. Calls `pass` with the event, its place in the batch
    /// and the cursor after it. Returns the number of events that were passed on.
    pub fn events(
        &mut self,
        held: &HeldEvents,
        delivery: &mut Delivery,
        mut pass: impl FnMut(Event<'_>, usize, &Cursor),
    ) -> u64 {
        let index = held.events().next().map(|event| event.index());
        let begun = delivery.take_begun(index);
        let (mut taken, mut noted, mut passed) = (begun, begun, 0);
        for (place, event) in held.places.clone().zip(held.events()).skip(begun) {
            if self.is_done() {
                // This may be in the middle of a transaction.
                break;
            }
            taken += 1;
            if !self.wants(&Record::Event(event)) {
                continue;
            }
            self.left = self.left.map(|left| left - 1);
            passed += 1;
            if self.is_exact {
                delivery.advance(held, taken);
                noted = taken;
            }
            pass(event, place, delivery.cursor());
        }
        if noted < taken {
            delivery.advance(held, taken);
        }
        passed
    }
}

/// The records of keys in an update that has no events.
#[must_use]
pub fn records(update: &Update) -> Box<dyn Iterator<Item = Record<'_>> + '_> {
    match update {
        Update::State { index, nodes, .. } => {
            Box::new(nodes.iter().map(|node| Record::State(*index, node)))
        }
        Update::Changes { index, changes, .. } => {
            Box::new(changes.iter().map(|change| Record::Change(*index, change)))
        }
        Update::Below { index, nodes } => {
            Box::new(nodes.iter().map(|node| Record::Below(*index, node)))
        }
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdwatch_engine::model::{Action, Batch, EventSpans, Index, Key, NodeSpans, Span};
    use etcdwatch_engine::watch::{Budget, ReceivedBatch};
    use std::sync::Arc;
    use std::time::Instant;

    /// Events at these indexes, all in one batch.
    fn held(indexes: &[u64]) -> HeldEvents {
        let event = |index: &u64| EventSpans {
            action: Action::Set,
            raw: None,
            node: NodeSpans {
                key: Span { start: 0, end: 2 },
                value: None,
                dir: false,
                modified: Index(*index),
                created: Index(1),
                version: 0,
                lease: 0,
            },
            previous: None,
        };
        let batch = Batch::new(b"/a".to_vec(), indexes.iter().map(event).collect());
        HeldEvents {
            places: 0..batch.len(),
            received: Arc::new(ReceivedBatch::new(
                batch,
                Instant::now(),
                &Budget::new(1 << 20),
            )),
        }
    }

    fn delivery(key: Key) -> Delivery {
        let mut delivery = Delivery::default();
        delivery.begin(&Scope::new(key, true));
        delivery
    }

    fn passed(selector: &mut Selector, delivery: &mut Delivery, held: &HeldEvents) -> Vec<u64> {
        let mut passed = Vec::new();
        let count = selector.events(held, delivery, |event, _, _| passed.push(event.index().0));
        assert_eq!(count, passed.len() as u64);
        passed
    }

    #[test]
    fn a_count_ends_a_batch_and_the_cursor_is_at_the_last_passed_event() {
        let mut delivery = delivery(Key::parse("/a").unwrap());
        let mut selector = Selector::new(Filter::default(), Some(2));
        let run = held(&[7, 8, 9]);
        assert_eq!(passed(&mut selector, &mut delivery, &run), [7, 8]);
        assert!(selector.is_done());
        assert_eq!(delivery.last().unwrap().index, Index(8));
    }

    #[test]
    fn a_transaction_cut_by_a_count_is_resumed_at_the_cut() {
        let mut delivery = delivery(Key::literal("/a").unwrap());
        let transaction = held(&[7, 7, 7]);
        let mut first = Selector::new(Filter::default(), Some(2));
        assert_eq!(passed(&mut first, &mut delivery, &transaction), [7, 7]);
        assert_eq!(delivery.last(), None, "it is not done");
        let mut second = Selector::new(Filter::default(), None);
        assert_eq!(passed(&mut second, &mut delivery, &transaction), [7]);
        assert_eq!(delivery.last().unwrap().index, Index(7));
    }

    #[test]
    fn the_cursor_moves_past_events_that_the_filter_rejects() {
        let mut delivery = delivery(Key::parse("/a").unwrap());
        let filter = Filter {
            only: vec![Action::Delete],
            ..Filter::default()
        };
        let mut selector = Selector::new(filter, Some(1)).exact();
        assert_eq!(passed(&mut selector, &mut delivery, &held(&[7, 8])), [0; 0]);
        assert!(!selector.is_done());
        assert_eq!(delivery.last().unwrap().index, Index(8));
    }
}

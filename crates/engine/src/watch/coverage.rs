//! Which indexes beyond the cursor are proven, and which are unknown.
//!
//! In scope: the *proven* ranges, in which every event of the watch is held here or nothing happened;
//! and the release of events in order, once everything before them is proven. Out of scope: how a
//! session obtains a proof (`session`).
//!
//! A range is proven by a [`Proof`], or by two independent [`EndedWait`]s. Both are made from a
//! server's messages alone ([`super::evidence`]). A held event proves its own index, because an index
//! names at most one event (v2) or one transaction, whose events arrive together (v3).

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::ReceivedBatch;
use super::evidence::{EndedWait, Proof, WaitSpan};
use crate::model::{Cause, Event, Index};

/// Events that are held until everything before them is proven. With the v2 API these are one event,
/// or several with consecutive indexes; with the v3 API all events of one transaction.
#[derive(Clone, Debug)]
pub struct HeldEvents {
    /// The batch with the events.
    pub received: Arc<ReceivedBatch>,
    /// The positions of the events in the batch, counted from 0.
    pub places: Range<usize>,
}

impl HeldEvents {
    /// The events in order.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = Event<'_>> {
        let batch = self.received.batch();
        self.places.clone().filter_map(|place| batch.event(place))
    }

    /// Splits these events by index.
    pub fn by_index(&self) -> impl Iterator<Item = (Index, Self)> {
        let mut left = self.places.clone();
        let index_at = |place| Some(self.received.batch().event(place)?.index());
        std::iter::from_fn(move || {
            let start = left.next()?;
            let index = index_at(start)?;
            while left.start < left.end && index_at(left.start) == Some(index) {
                left.start += 1;
            }
            let held = Self {
                received: Arc::clone(&self.received),
                places: start..left.start,
            };
            Some((index, held))
        })
    }
}

/// What the cursor has passed: events, or a range that is lost.
#[derive(Clone, Debug)]
pub enum Released {
    /// Events, the last of which has this index.
    Events(Index, HeldEvents),
    /// The events in `(after, upto]` are lost.
    Lost {
        /// The reason.
        cause: Cause,
        /// The last index before the range.
        after: Index,
        /// The last index of the range.
        upto: Index,
    },
}

impl Released {
    /// The first index of the events or of the range.
    #[must_use]
    pub fn first(&self) -> Index {
        match self {
            Self::Events(upto, held) => held.events().next().map_or(*upto, |event| event.index()),
            Self::Lost { after, .. } => after.next(),
        }
    }

    /// The last index of the events or of the range.
    #[must_use]
    pub const fn upto(&self) -> Index {
        match self {
            Self::Events(upto, _) | Self::Lost { upto, .. } => *upto,
        }
    }

    /// The part beyond `index`; `None` if there is none.
    #[must_use]
    pub fn beyond(self, index: Index) -> Option<Self> {
        if self.upto() <= index {
            return None;
        }
        Some(match self {
            Self::Events(upto, mut held) => {
                let before = held.events().take_while(|event| event.index() <= index);
                held.places.start += before.count();
                Self::Events(upto, held)
            }
            Self::Lost { cause, after, upto } => Self::Lost {
                cause,
                after: after.max(index),
                upto,
            },
        })
    }
}

/// A range of indexes nothing is known about yet: `(after, upto]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRange {
    /// The last index before the range.
    pub after: Index,
    /// The last index of the range.
    pub upto: Index,
}

impl UnknownRange {
    /// The number of indexes in the range.
    #[must_use]
    pub const fn width(&self) -> u64 {
        self.upto.since(self.after)
    }
}

/// Ranges of indexes, each `(start, end]`: disjoint, never adjacent, in order.
#[derive(Clone, Debug, Default)]
struct IndexRanges(BTreeMap<Index, Index>);

impl IndexRanges {
    fn insert(&mut self, mut start: Index, mut end: Index) {
        if start >= end {
            return;
        }
        if let Some((&earlier, &earlier_end)) = self.0.range(..=start).next_back()
            && earlier_end >= start
        {
            start = earlier;
            end = end.max(earlier_end);
        }
        while let Some((&later, &later_end)) = self.0.range(start..=end).next() {
            end = end.max(later_end);
            self.0.remove(&later);
        }
        self.0.insert(start, end);
    }

    /// Removes everything up to `cursor`.
    fn remove_upto(&mut self, cursor: Index) {
        while let Some((&start, &end)) = self.0.first_key_value()
            && start < cursor
        {
            self.0.remove(&start);
            if end > cursor {
                self.0.insert(cursor, end);
            }
        }
    }
}

/// The proven ranges and the held events beyond a cursor.
#[derive(Clone, Debug)]
pub struct Coverage {
    cursor: Index,
    /// Up to here the cursor moved for another reason than ended waits, and cannot go back.
    floor: Index,
    /// The proven ranges beyond the cursor.
    proven: IndexRanges,
    /// The waits that ended without an event and speak about indexes beyond the cursor.
    ended_waits: Vec<EndedWait>,
    /// The held events and lost ranges beyond the cursor, by the first index of each.
    pending: BTreeMap<Index, Released>,
}

impl Coverage {
    /// Begins after `cursor`, with nothing known beyond it.
    #[must_use]
    pub fn new(cursor: Index) -> Self {
        Self {
            cursor,
            floor: cursor,
            proven: IndexRanges::default(),
            ended_waits: Vec::new(),
            pending: BTreeMap::new(),
        }
    }

    /// The cursor: everything up to here was released.
    #[must_use]
    pub fn cursor(&self) -> Index {
        self.cursor
    }

    /// Moves the cursor forward, because a state at `cursor` replaces the events before it. Events that
    /// are held beyond `cursor` stay.
    pub fn skip_to(&mut self, cursor: Index) {
        if cursor <= self.cursor {
            return;
        }
        self.cursor = cursor;
        self.floor = cursor;
        let beyond = self.pending.split_off(&cursor.next());
        let before = std::mem::replace(&mut self.pending, beyond);
        let straddling = before.into_values().next_back();
        if let Some(rest) = straddling.and_then(|passed| passed.beyond(cursor)) {
            self.pending.insert(cursor.next(), rest);
        }
        self.proven.remove_upto(cursor);
        self.forget_ended_waits();
    }

    /// Forgets everything beyond the cursor.
    pub fn forget_beyond(&mut self) {
        *self = Self {
            floor: self.floor,
            ..Self::new(self.cursor)
        };
    }

    /// Moves the cursor back to before `index`, where two ended waits have overlooked an event. Returns
    /// false, and changes nothing, if the cursor is not beyond `index`, or if something at or after
    /// `index` was released.
    pub fn go_back(&mut self, index: Index) -> bool {
        let is_overlooked = index <= self.cursor && index > self.floor;
        if is_overlooked {
            self.cursor = index.previous();
        }
        is_overlooked
    }

    /// Holds events, of which there is one at each of `indexes`, or several at a single index. Events at
    /// an index that is held, released or lost already change nothing.
    pub fn hold(&mut self, indexes: RangeInclusive<Index>, held: HeldEvents) {
        let (first, last) = indexes.into_inner();
        // A wait that overlooked an event proves nothing else either.
        self.ended_waits.retain(|wait| {
            let said = wait.span();
            last <= said.after || first > said.upto
        });
        let before = self.pending.range(..=last).next_back();
        let is_known = before.is_some_and(|(_, passed)| passed.upto() >= first);
        if first > self.cursor && !is_known {
            self.pending.insert(first, Released::Events(last, held));
            self.cover(first.previous(), last);
        } else if first < last {
            for (index, held) in held.by_index() {
                self.hold(index..=index, held);
            }
        }
    }

    /// Forgets everything beyond the cursor if another event is held at this event's index: one of the
    /// two comes from another store.
    pub fn forget_if_contradicted(&mut self, event: &Event) {
        if self.contradicts(event) {
            self.forget_beyond();
        }
    }

    fn contradicts(&self, event: &Event) -> bool {
        let before = self.pending.range(..=event.index()).next_back();
        let Some((_, Released::Events(_, held))) = before else {
            return false;
        };
        let mut held = held.events();
        let at_index = held.find(|held| held.index() == event.index());
        at_index.is_some_and(|held| !held.may_be(event))
    }

    /// Adds a proof that nothing is missing in a range.
    pub fn prove(&mut self, proof: Proof) {
        self.cover(proof.after(), proof.upto());
    }

    /// Adds a wait that ended without an event. Where an earlier one agrees with it, both are a proof.
    pub fn add_ended_wait(&mut self, wait: EndedWait) {
        let earlier = self.ended_waits.iter();
        let proofs: Vec<Proof> = earlier.filter_map(|other| wait.agrees(*other)).collect();
        for proof in proofs {
            self.prove(proof);
        }
        let said = wait.span();
        if said.upto > said.after.max(self.cursor) {
            self.ended_waits.push(wait);
        }
    }

    fn forget_ended_waits(&mut self) {
        let cursor = self.cursor;
        self.ended_waits.retain(|wait| wait.span().upto > cursor);
    }

    fn cover(&mut self, after: Index, upto: Index) {
        self.proven.insert(after.max(self.cursor), upto);
    }

    /// The ranges of the waits that ended without an event.
    pub fn ended_waits(&self) -> impl Iterator<Item = WaitSpan> {
        self.ended_waits.iter().map(|wait| wait.span())
    }

    /// Declares every unknown range up to `upto` lost.
    pub fn lose(&mut self, upto: Index, cause: Cause) {
        let lost: Vec<UnknownRange> = self.unknown(upto).collect();
        for UnknownRange { after, upto } in lost {
            let passed = Released::Lost { cause, after, upto };
            self.pending.insert(after.next(), passed);
            self.cover(after, upto);
        }
    }

    /// The unknown ranges in `(cursor, upto]`, in order.
    pub fn unknown(&self, upto: Index) -> impl Iterator<Item = UnknownRange> {
        let starts = std::iter::once(self.cursor).chain(self.proven.0.values().copied());
        let ends = self.proven.0.keys().copied().chain(std::iter::once(upto));
        starts
            .zip(ends)
            .map(move |(after, end)| UnknownRange {
                after,
                upto: end.min(upto),
            })
            .filter(|range| range.after < range.upto)
    }

    /// Whether [`Coverage::advance`] would move the cursor.
    #[must_use]
    pub fn can_advance(&self) -> bool {
        let first = self.proven.0.keys().next();
        first.is_some_and(|start| *start <= self.cursor)
    }

    /// Moves the cursor up to the first unknown range, and returns what it passed, in order.
    pub fn advance(&mut self) -> Vec<Released> {
        // Intervals never touch, so the first one is all that can begin at the cursor.
        let Some((&start, &end)) = self.proven.0.first_key_value() else {
            return Vec::new();
        };
        if start > self.cursor {
            return Vec::new();
        }
        self.proven.0.pop_first();
        self.cursor = end;
        self.forget_ended_waits();
        let beyond = match end {
            Index(u64::MAX) => BTreeMap::new(),
            end => self.pending.split_off(&end.next()),
        };
        let passed: Vec<Released> = std::mem::replace(&mut self.pending, beyond)
            .into_values()
            .collect();
        if let Some(last) = passed.last() {
            self.floor = last.upto();
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Budget;
    use proptest::prelude::*;

    /// Each is asked when the one before had ended.
    fn wait(after: Index, upto: Index) -> EndedWait {
        thread_local!(static ASKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
        let asked = ASKED.get() + 1;
        ASKED.set(asked);
        EndedWait::made_up(after, upto, asked, asked)
    }

    /// Sets of that value, one at each index.
    fn sets(value: &str, indexes: Range<u64>) -> HeldEvents {
        let line = |index: u64| {
            format!(
                "{{\"action\":\"set\",\"node\":{{\"key\":\"/a\",\"value\":\"{value}\",\
                 \"modifiedIndex\":{index},\"createdIndex\":{index}}}}}\n"
            )
        };
        let lines: Vec<String> = indexes.clone().map(line).collect();
        let batch = crate::v2::parse_events(lines.concat().into_bytes()).unwrap();
        let now = crate::testing::now();
        HeldEvents {
            received: Arc::new(ReceivedBatch::new(batch, now, &Budget::new(1))),
            places: 0..indexes.count(),
        }
    }

    fn hold_one(coverage: &mut Coverage, at: u64) {
        coverage.hold(Index(at)..=Index(at), sets("v", at..at + 1));
    }

    /// A set of that value at index 15.
    fn set(value: &str) -> HeldEvents {
        sets(value, 15..16)
    }

    #[test]
    fn held_events_that_are_passed_in_part_keep_their_others() {
        let mut coverage = Coverage::new(Index(10));
        coverage.hold(Index(11)..=Index(13), sets("v", 11..14));
        coverage.skip_to(Index(11));
        let passed = coverage.advance();
        let [Released::Events(upto, held)] = passed.as_slice() else {
            panic!("{passed:?}");
        };
        let indexes: Vec<u64> = held.events().map(|event| event.index().0).collect();
        assert_eq!((upto.0, indexes), (13, vec![12, 13]));
    }

    #[test]
    fn a_contradiction_at_a_held_index_forgets_all_held_events() {
        let mut coverage = Coverage::new(Index(10));
        coverage.hold(Index(15)..=Index(15), set("old"));
        coverage.forget_if_contradicted(&set("old").events().next().unwrap());
        assert_eq!(unknown(&coverage, 20), [(10, 14), (15, 20)]);
        coverage.forget_if_contradicted(&set("new").events().next().unwrap());
        assert_eq!(unknown(&coverage, 20), [(10, 20)]);
    }

    fn unknown(coverage: &Coverage, upto: u64) -> Vec<(u64, u64)> {
        coverage
            .unknown(Index(upto))
            .map(|range| (range.after.0, range.upto.0))
            .collect()
    }

    #[test]
    fn an_event_is_released_only_when_all_before_it_is_proven() {
        let mut coverage = Coverage::new(Index(10));
        hold_one(&mut coverage, 13);
        assert!(!coverage.can_advance() && coverage.advance().is_empty());
        assert_eq!(unknown(&coverage, 13), [(10, 12)]);
        coverage.prove(Proof::made_up(Index(10), Index(12)));
        assert!(coverage.can_advance());
        assert_eq!(coverage.advance().len(), 1);
        assert_eq!(coverage.cursor(), Index(13));
    }

    #[test]
    fn the_event_that_follows_the_cursor_needs_no_other_proof() {
        let mut coverage = Coverage::new(Index(10));
        hold_one(&mut coverage, 11);
        hold_one(&mut coverage, 12);
        assert_eq!(coverage.advance().len(), 2);
    }

    #[test]
    fn events_with_consecutive_indexes_are_released_as_one_and_none_of_them_again() {
        let mut coverage = Coverage::new(Index(10));
        coverage.hold(Index(11)..=Index(20), sets("v", 11..21));
        hold_one(&mut coverage, 15);
        hold_one(&mut coverage, 21);
        let ends: Vec<u64> = coverage.advance().iter().map(|one| one.upto().0).collect();
        assert_eq!(ends, [20, 21]);
        assert!(!coverage.go_back(Index(15)), "it was released");
    }

    #[test]
    fn of_events_of_which_one_is_held_the_others_are_held_too() {
        let mut coverage = Coverage::new(Index(10));
        hold_one(&mut coverage, 12);
        coverage.hold(Index(10)..=Index(13), sets("v", 10..14));
        let ends: Vec<u64> = coverage.advance().iter().map(|one| one.upto().0).collect();
        assert_eq!(ends, [11, 12, 13]);
    }

    #[test]
    fn an_event_that_comes_twice_is_released_once() {
        let mut coverage = Coverage::new(Index(10));
        hold_one(&mut coverage, 11);
        hold_one(&mut coverage, 11);
        assert_eq!(coverage.advance().len(), 1);
        hold_one(&mut coverage, 11);
        assert!(coverage.advance().is_empty());
    }

    #[test]
    fn only_unproven_indexes_are_lost() {
        let mut coverage = Coverage::new(Index(10));
        hold_one(&mut coverage, 15);
        coverage.lose(Index(20), Cause::HistoryCleared);
        let passed = coverage.advance();
        let ranges: Vec<_> = passed
            .iter()
            .filter_map(|passed| match passed {
                Released::Lost { after, upto, .. } => Some((after.0, upto.0)),
                Released::Events(..) => None,
            })
            .collect();
        assert_eq!(ranges, [(10, 14), (15, 20)]);
        assert!(matches!(passed[1], Released::Events(..)), "in its order");
    }

    #[test]
    fn skipping_ahead_keeps_what_is_held_beyond() {
        let mut coverage = Coverage::new(Index(10));
        for index in [12, 15, 16, 17] {
            hold_one(&mut coverage, index);
        }
        coverage.skip_to(Index(15));
        assert_eq!(coverage.cursor(), Index(15));
        let indexes: Vec<u64> = coverage
            .advance()
            .iter()
            .map(|passed| match passed {
                Released::Events(index, _) => index.0,
                Released::Lost { .. } => 0,
            })
            .collect();
        assert_eq!(indexes, [16, 17]);
    }

    #[test]
    fn two_ended_waits_prove_their_common_range() {
        let mut coverage = Coverage::new(Index(10));
        coverage.add_ended_wait(wait(Index(10), Index(15)));
        assert!(coverage.advance().is_empty());
        assert_eq!(coverage.cursor(), Index(10));
        coverage.add_ended_wait(wait(Index(10), Index(20)));
        coverage.advance();
        assert_eq!(coverage.cursor(), Index(15));
        // The second of the first two was one of these.
        coverage.add_ended_wait(wait(Index(15), Index(25)));
        coverage.advance();
        assert_eq!(coverage.cursor(), Index(20));
        assert_eq!(unknown(&coverage, 25), [(20, 25)]);
    }

    #[test]
    fn an_event_that_was_overlooked_is_released_late() {
        let mut coverage = Coverage::new(Index(10));
        hold_one(&mut coverage, 11);
        coverage.prove(Proof::made_up(Index(11), Index(20)));
        assert_eq!(coverage.advance().len(), 1);
        assert!(!coverage.go_back(Index(11)), "it was released");
        assert!(!coverage.go_back(Index(21)), "it lies beyond the cursor");
        assert!(coverage.go_back(Index(15)));
        hold_one(&mut coverage, 15);
        assert_eq!(coverage.advance().len(), 1);
        assert_eq!(coverage.cursor(), Index(15), "all after it is asked anew");
    }

    #[test]
    fn a_lost_index_is_not_released_later() {
        let mut coverage = Coverage::new(Index(10));
        coverage.lose(Index(20), Cause::Compacted);
        hold_one(&mut coverage, 15);
        hold_one(&mut coverage, 21);
        let ends: Vec<u64> = coverage.advance().iter().map(|one| one.upto().0).collect();
        assert_eq!(ends, [20, 21]);
    }

    #[test]
    fn nothing_is_released_behind_what_was() {
        let mut coverage = Coverage::new(Index(10));
        coverage.prove(Proof::made_up(Index(10), Index(14)));
        hold_one(&mut coverage, 15);
        coverage.advance();
        assert!(!coverage.go_back(Index(12)));
        coverage.prove(Proof::made_up(Index(15), Index(18)));
        coverage.advance();
        coverage.skip_to(Index(30));
        assert!(!coverage.go_back(Index(17)));
        coverage.prove(Proof::made_up(Index(30), Index(40)));
        coverage.advance();
        coverage.forget_beyond();
        assert!(coverage.go_back(Index(35)));
    }

    #[derive(Clone, Debug)]
    enum Act {
        Hold(u64),
        HoldRun(u64, u64),
        Prove(u64, u64),
        EndedWait(u64, u64),
        Lose(u64),
        SkipTo(u64),
        GoBack(u64),
        ForgetBeyond,
        Advance,
    }

    fn act() -> impl Strategy<Value = Act> {
        let place = 0u64..40;
        prop_oneof![
            3 => place.clone().prop_map(Act::Hold),
            2 => (place.clone(), 1u64..5).prop_map(|(at, count)| Act::HoldRun(at, count)),
            2 => (place.clone(), place.clone()).prop_map(|(a, b)| Act::Prove(a, b)),
            2 => (place.clone(), place.clone()).prop_map(|(a, b)| Act::EndedWait(a, b)),
            1 => place.clone().prop_map(Act::Lose),
            1 => place.clone().prop_map(Act::SkipTo),
            1 => place.prop_map(Act::GoBack),
            1 => Just(Act::ForgetBeyond),
            3 => Just(Act::Advance),
        ]
    }

    /// The simplest coverage: what it knows of each index beyond the cursor by itself.
    struct Model {
        cursor: u64,
        floor: u64,
        /// `Some(true)` for an event, `Some(false)` for a lost index, `None` for an index without an event.
        proven: BTreeMap<u64, Option<bool>>,
        ended_waits: Vec<(u64, u64)>,
    }

    impl Model {
        fn prove(&mut self, indexes: impl Iterator<Item = u64>, what: Option<bool>) {
            for index in indexes.filter(|index| *index > self.cursor) {
                let known = self.proven.entry(index).or_insert(what);
                *known = known.or(what);
            }
        }

        fn hold(&mut self, at: u64) {
            self.ended_waits.retain(|(a, b)| at <= *a || at > *b);
            self.prove(at..=at, Some(true));
        }

        fn forget_ended_waits(&mut self) {
            let cursor = self.cursor;
            self.ended_waits.retain(|(_, upto)| *upto > cursor);
        }

        fn unknown(&self, upto: u64) -> impl Iterator<Item = u64> {
            (self.cursor + 1..=upto).filter(|index| !self.proven.contains_key(index))
        }

        /// What is released, in order.
        fn act(&mut self, act: &Act) -> Vec<(u64, bool)> {
            match *act {
                Act::Hold(at) => self.hold(at),
                Act::HoldRun(at, count) => (at..at + count).for_each(|at| self.hold(at)),
                Act::Prove(a, b) => self.prove(a + 1..=b, None),
                Act::EndedWait(a, b) => {
                    let ended_waits = self.ended_waits.clone();
                    let is_said = |at: &u64| ended_waits.iter().any(|(a, b)| at > a && at <= b);
                    self.prove((a + 1..=b).filter(is_said), None);
                    if b > a.max(self.cursor) {
                        self.ended_waits.push((a, b));
                    }
                }
                Act::Lose(upto) => {
                    let unknown: Vec<u64> = self.unknown(upto).collect();
                    self.prove(unknown.into_iter(), Some(false));
                }
                Act::SkipTo(at) if at > self.cursor => {
                    (self.cursor, self.floor) = (at, at);
                    self.proven = self.proven.split_off(&(at + 1));
                    self.forget_ended_waits();
                }
                Act::SkipTo(_) => {}
                Act::GoBack(at) => {
                    if at > self.floor && at <= self.cursor {
                        self.cursor = at - 1;
                    }
                }
                Act::ForgetBeyond => {
                    self.proven.clear();
                    self.ended_waits.clear();
                }
                Act::Advance => return self.advance(),
            }
            Vec::new()
        }

        fn advance(&mut self) -> Vec<(u64, bool)> {
            let mut released = Vec::new();
            while let Some(what) = self.proven.remove(&(self.cursor + 1)) {
                self.cursor += 1;
                released.extend(what.map(|happened| (self.cursor, happened)));
            }
            self.forget_ended_waits();
            self.floor = released.last().map_or(self.floor, |(index, _)| *index);
            released
        }
    }

    fn act_on(coverage: &mut Coverage, act: &Act) -> Vec<(u64, bool)> {
        match *act {
            Act::Hold(at) => hold_one(coverage, at),
            Act::HoldRun(at, count) => {
                let run = sets("v", at..at + count);
                coverage.hold(Index(at)..=Index(at + count - 1), run);
            }
            Act::Prove(a, b) => coverage.prove(Proof::made_up(Index(a), Index(b))),
            Act::EndedWait(a, b) => coverage.add_ended_wait(wait(Index(a), Index(b))),
            Act::Lose(upto) => coverage.lose(Index(upto), Cause::HistoryCleared),
            Act::SkipTo(at) => coverage.skip_to(Index(at)),
            Act::GoBack(at) => drop(coverage.go_back(Index(at))),
            Act::ForgetBeyond => coverage.forget_beyond(),
            Act::Advance => {
                let passed = coverage.advance();
                let released = passed.iter().flat_map(|passed| match passed {
                    Released::Events(_, held) => {
                        held.events().map(|event| (event.index().0, true)).collect()
                    }
                    Released::Lost { after, upto, .. } => (after.0 + 1..=upto.0)
                        .map(|index| (index, false))
                        .collect::<Vec<_>>(),
                });
                return released.collect();
            }
        }
        Vec::new()
    }

    proptest! {
        /// Against the simplest model: the same is released, and the same is unknown.
        #[test]
        fn the_cursor_and_the_unknown_ranges_match_a_simple_model(
            acts in proptest::collection::vec(act(), 0..60)
        ) {
            let mut coverage = Coverage::new(Index(5));
            let mut model = Model {
                cursor: 5,
                floor: 5,
                proven: BTreeMap::new(),
                ended_waits: Vec::new(),
            };
            for act in acts {
                let released = act_on(&mut coverage, &act);
                prop_assert_eq!(released, model.act(&act), "{:?}", act);
                prop_assert_eq!(coverage.cursor(), Index(model.cursor));
                let unknown_indexes: Vec<u64> = coverage
                    .unknown(Index(45))
                    .flat_map(|range| range.after.0 + 1..=range.upto.0)
                    .collect();
                let unknown: Vec<u64> = model.unknown(45).collect();
                prop_assert_eq!(unknown_indexes, unknown);
            }
        }
    }
}

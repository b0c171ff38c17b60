//! Whether the store is still the one that was watched.
//!
//! After each failure another store may answer with the same cluster id: one that was wiped and
//! rebuilt, or restored from a backup. It has another event where the last reported one was. That
//! event is compared before anything else is asked. How, each API knows for itself
//! ([`crate::v2::session`], [`crate::v3::session`]).

use std::time::{Duration, Instant};

use crate::model::{Event, Fingerprint, StateNode};

/// The last event that was reported, or a key of the state that was reported since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// What identifies it.
    pub(crate) event: Fingerprint,
    /// Whether its key was there afterwards; none where that is not known.
    pub(crate) stays: Option<bool>,
}

impl Last {
    /// That event of the v2 API.
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            event: Fingerprint::of(event),
            stays: Some(!event.action().removes()),
        }
    }

    /// The event of the v3 API that identifies most of what was reported
    /// ([`Fingerprint::of_revisions`]).
    pub(crate) fn of_revisions<'b>(
        before: Option<Self>,
        events: impl Iterator<Item = Event<'b>>,
    ) -> Option<Self> {
        let event = Fingerprint::of_revisions(before.map(|before| before.event), events)?;
        Some(Self { event, stays: None })
    }

    /// The key of a state that was changed last.
    pub(crate) fn of_state(nodes: &[StateNode]) -> Option<Self> {
        Fingerprint::of_state(nodes).map(Self::earlier)
    }

    /// The event of an earlier run, of which less is known.
    pub(crate) fn earlier(event: Fingerprint) -> Self {
        // A key that is removed was created before, and is in no state.
        let is_there = event.created == event.index || event.of_state;
        Self {
            stays: is_there.then_some(true),
            event,
        }
    }
}

/// A comparison under way.
#[derive(Clone, Debug)]
pub(crate) struct Comparison<S> {
    /// The event that is compared.
    pub(crate) last: Last,
    /// What is asked for next.
    pub(crate) stage: S,
    /// How often another event was found.
    pub(crate) mismatches: u32,
}

/// What is known of the store's identity.
#[derive(Debug)]
pub(crate) struct StoreIdentity<S> {
    /// The last event that was reported.
    pub(crate) last: Option<Last>,
    /// Whether there is a last event, and connections were lost since it was compared.
    pub(crate) is_unverified: bool,
    pub(crate) comparison: Option<Comparison<S>>,
    /// Since when no request is answered that would break with the store.
    unanswered_since: Option<Instant>,
}

impl<S> StoreIdentity<S> {
    /// That of a watch that goes on after the last event of an earlier run.
    pub(crate) fn new(last: Option<Fingerprint>) -> Self {
        Self {
            is_unverified: last.is_some(),
            last: last.map(Last::earlier),
            comparison: None,
            unanswered_since: None,
        }
    }

    /// Another store has taken the place of the one that was watched.
    pub(crate) fn forget(&mut self) {
        self.replace_last(None);
        self.comparison = None;
    }

    /// A gap, or a state, comes after the last event: `last` is what can be compared from now on.
    pub(crate) fn replace_last(&mut self, last: Option<Last>) {
        self.is_unverified &= last.is_some();
        self.last = last;
    }

    /// What identifies the last event.
    pub(crate) fn last_fingerprint(&self) -> Option<Fingerprint> {
        self.last.as_ref().map(|last| last.event.clone())
    }

    /// The store has answered.
    pub(crate) fn note_reply(&mut self) {
        self.unanswered_since = None;
    }

    /// Notes whether a request in flight is answered already.
    pub(crate) fn note_answered(&mut self, is_answered: bool, now: Instant) {
        self.unanswered_since = (!is_answered).then_some(self.unanswered_since.unwrap_or(now));
    }

    /// Whether no request was answered for so long.
    pub(crate) fn is_unanswered_since(&self, now: Instant, duration: Duration) -> bool {
        self.unanswered_since.is_some_and(|at| at + duration <= now)
    }
}

//! The state of a resync: why the state is read, and what waits for it.
//!
//! While the state is read, history goes on: what is known beyond the state is *staged*, and reported
//! after it. A large state takes longer to arrive than a busy store takes to write its history over.

use super::Budget;
use super::coverage::Released;
use crate::model::{Cause, Index};

/// Why the state is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// To begin with.
    Start,
    /// Events after the cursor are lost, up to an index where that is known.
    Gap(Cause, Option<Index>),
}

/// What history brings while the state at an index is read.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Everything up to here was reported before.
    pub(crate) reported: Option<Index>,
    /// What is known beyond the state, in order.
    pub(crate) released: Vec<Released>,
    /// Whether history has moved past it all the same.
    pub(crate) is_behind: bool,
}

impl Staged {
    pub(crate) const fn new(reported: Option<Index>) -> Self {
        Self {
            reported,
            released: Vec::new(),
            is_behind: false,
        }
    }
}

/// The state that is being read, and what waits for it.
#[derive(Debug)]
pub(crate) struct Resync {
    /// Why the state is read; none where it is not.
    pub(crate) reading: Option<Reading>,
    pub(crate) staged: Option<Staged>,
    /// What was staged for a state that has been reported since.
    pub(crate) released: Option<Vec<Released>>,
    /// Spent while a state is reported and not printed yet.
    pub(crate) states: Budget,
    /// Where a state was reported, or positions begin anew: earlier positions are reported no more.
    pub(crate) reported_from: Index,
}

impl Resync {
    pub(crate) fn new(reading: Option<Reading>) -> Self {
        Self {
            reading,
            staged: None,
            released: None,
            states: Budget::new(1),
            reported_from: Index::ZERO,
        }
    }

    /// Whether the state is read to begin with.
    pub(crate) fn is_reading_start(&self) -> bool {
        self.reading == Some(Reading::Start)
    }

    /// Whether history is kept up with while the state is read.
    pub(crate) fn is_staged(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| !staged.is_behind)
    }

    /// From now on, what history brings is kept until the state is reported.
    pub(crate) fn stage(&mut self, reported: Option<Index>) {
        self.staged = Some(Staged::new(reported));
    }
}

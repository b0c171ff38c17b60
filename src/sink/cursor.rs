//! How far a watch has come, how far its records were written or its commands run, and the checkpoint
//! that says so.

use std::time::{Duration, Instant};

use crate::checkpoint::{Begun, Checkpoint, CheckpointFile};
use crate::error::Error;
use crate::run::inbox::Stop;
use etcdwatch_engine::model::{Fingerprint, Index, Scope};
use etcdwatch_engine::watch::{HeldEvents, Position};

/// A checkpoint is written at most this often, and at the end.
const PACE: Duration = Duration::from_millis(200);

/// How far a watch has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    position: Position,
    /// The transaction that comes next, where a part of its events is done.
    begun: Option<Begun>,
}

/// How far a watch has come, how much of that was delivered, and the file that says so.
#[derive(Debug, Default)]
pub struct Delivery {
    store: Option<CheckpointFile>,
    cursor: Cursor,
    /// Everything up to here was written, or its command has ended.
    settled: Cursor,
    /// What is watched, with the API in use.
    scope: Option<Scope>,
    is_v3: bool,
    written: Option<Instant>,
    /// Whether the file says less than was delivered.
    is_behind: bool,
}

impl Delivery {
    /// Begins with what an earlier run left, if there was one.
    #[must_use]
    pub fn new(store: Option<CheckpointFile>, earlier: Option<Checkpoint>) -> Self {
        let earlier = earlier.map(|earlier| Cursor {
            position: Position {
                cluster: Some(earlier.cluster),
                index: Some(earlier.index),
                last: earlier.last,
            },
            begun: earlier.begun,
        });
        let cursor = earlier.unwrap_or_default();
        Self {
            store,
            settled: cursor.clone(),
            cursor,
            ..Self::default()
        }
    }

    /// The watch is on `scope`.
    pub fn begin(&mut self, scope: &Scope) {
        self.is_v3 = !scope.key.is_path();
        self.scope = Some(scope.clone());
    }

    /// The keys that are watched, for a person.
    #[must_use]
    pub fn name(&self) -> String {
        self.scope.as_ref().map_or_else(String::new, Scope::name)
    }

    /// Writes the checkpoint, where it is due.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn save_if_due(&mut self) -> Result<(), Error> {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.save()?;
        }
        Ok(())
    }

    /// Writes the checkpoint at the end of a run. What was printed counts, however the run ended.
    ///
    /// # Errors
    /// What ended the run, or that the checkpoint can't be written.
    pub fn save_at_end(&mut self, ended: Result<(), Stop>) -> Result<(), Stop> {
        match (ended, self.save()) {
            // Who stopped it is told nothing else.
            (Err(Stop::Quiet(_)), Err(unsaved)) => Err(unsaved.into()),
            (ended, saved) => ended.and(saved.map_err(Stop::from)),
        }
    }

    /// The cluster, once it is known.
    #[must_use]
    pub fn cluster(&self) -> Option<&String> {
        self.cursor.position.cluster.as_ref()
    }

    /// The fingerprint of the last event.
    #[must_use]
    pub fn last(&self) -> Option<&Fingerprint> {
        self.cursor.position.last.as_ref()
    }

    /// How far the watch has come.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// How many events at `index` an earlier run delivered. They come next, or are lost.
    pub fn take_begun(&mut self, index: Option<Index>) -> usize {
        let begun = self.cursor.begun.take();
        let begun = begun.filter(|begun| Some(begun.index) == index);
        begun.map_or(0, |begun| begun.events)
    }

    /// Events were lost: what comes next is not the rest of a transaction.
    pub fn lose(&mut self) {
        self.cursor.begun = None;
    }

    /// Everything up to this position was reported.
    pub fn reach(&mut self, position: Position) {
        if self.cursor.position.cluster != position.cluster {
            self.cursor.begun = None;
        }
        self.cursor.position = position;
    }

    /// Moves past the first `count` events of `held`. With the v3 API the fingerprint counts transactions as
    /// a whole.
    pub fn advance(&mut self, held: &HeldEvents, count: usize) {
        let Cursor { position, begun } = &mut self.cursor;
        let last = count
            .checked_sub(1)
            .and_then(|last| held.events().nth(last));
        let Some(last) = last.or_else(|| held.events().next()) else {
            return;
        };
        let index = last.index();
        if !self.is_v3 {
            if count > 0 {
                *begun = None;
                position.index = Some(index);
                position.last = Some(Fingerprint::of(&last));
            }
        } else if count < held.places.len() {
            let events = count;
            *begun = Some(Begun { index, events });
        } else {
            *begun = None;
            position.index = Some(index);
            position.last = Fingerprint::of_revisions(position.last.take(), held.events());
        }
    }

    /// Everything up to `cursor` was delivered.
    pub fn settle(&mut self, cursor: Cursor) {
        if self.settled != cursor {
            self.settled = cursor;
            self.is_behind = true;
        }
    }

    /// Everything up to the cursor was delivered.
    pub fn settle_all(&mut self) {
        if self.settled != self.cursor {
            self.settle(self.cursor.clone());
        }
    }

    /// When the checkpoint is due to be written.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        if self.store.is_none() || !self.is_behind {
            return None;
        }
        let written = self.written;
        Some(written.map_or_else(Instant::now, |written| written + PACE))
    }

    /// Writes the checkpoint, where there is one and it says something new.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn save(&mut self) -> Result<(), Error> {
        let Cursor { position, begun } = &self.settled;
        let Position {
            cluster,
            index,
            last,
        } = position;
        let (Some(store), Some(scope), Some(cluster), Some(index), true) =
            (&self.store, &self.scope, cluster, index, self.is_behind)
        else {
            return Ok(());
        };
        let mut checkpoint = Checkpoint::new(scope, cluster.clone(), *index, last.clone());
        checkpoint.begun = begun.filter(|begun| begun.events > 0);
        store.write(&checkpoint)?;
        self.written = Some(Instant::now());
        self.is_behind = false;
        Ok(())
    }
}

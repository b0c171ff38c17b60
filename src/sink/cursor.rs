//! The cursor of a watch, the events that were delivered beyond it, and the time to write the checkpoint.

use std::time::{Duration, Instant};

use crate::checkpoint::{Begun, Checkpoint, CheckpointFile};
use crate::error::Error;
use crate::run::stop::Stop;
use etcdwatch_engine::model::{Fingerprint, Index, Scope};
use etcdwatch_engine::watch::{HeldEvents, Position};

/// The shortest time between two writes of the checkpoint. It is also written at the end.
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// Everything up to here was delivered or declared lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    position: Position,
    /// The next transaction, if some of its events were delivered.
    begun: Option<Begun>,
}

/// The cursor of a watch, the events that were delivered beyond it, and the checkpoint.
#[derive(Debug, Default)]
pub struct Delivery {
    file: Option<CheckpointFile>,
    cursor: Cursor,
    /// The cursor that the checkpoint may have: everything up to here was written, or its command ended.
    settled: Cursor,
    /// The scope of the watch.
    scope: Option<Scope>,
    is_v3: bool,
    written: Option<Instant>,
    /// Whether the checkpoint is older than `settled`.
    is_behind: bool,
}

impl Delivery {
    /// Starts at the checkpoint of an earlier run, if there is one.
    #[must_use]
    pub fn new(file: Option<CheckpointFile>, earlier: Option<Checkpoint>) -> Self {
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
            file,
            settled: cursor.clone(),
            cursor,
            ..Self::default()
        }
    }

    /// Sets the scope of the watch.
    pub fn begin(&mut self, scope: &Scope) {
        self.is_v3 = !scope.key.is_path();
        self.scope = Some(scope.clone());
    }

    /// The watched keys, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        self.scope.as_ref().map_or_else(String::new, Scope::name)
    }

    /// Writes the checkpoint if it is due.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_if_due(&mut self) -> Result<(), Error> {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.save()?;
        }
        Ok(())
    }

    /// Writes the checkpoint at the end of a run, however the run ended.
    ///
    /// # Errors
    /// The reason why the run ended, or that the checkpoint cannot be written.
    pub fn save_at_end(&mut self, ended: Result<(), Stop>) -> Result<(), Stop> {
        match (ended, self.save()) {
            // A run that was stopped has no other message.
            (Err(Stop::Quiet(_)), Err(unsaved)) => Err(unsaved.into()),
            (ended, saved) => ended.and(saved.map_err(Stop::from)),
        }
    }

    /// The id of the cluster; `None` until it is known.
    #[must_use]
    pub fn cluster(&self) -> Option<&String> {
        self.cursor.position.cluster.as_ref()
    }

    /// The fingerprint of the last delivered event.
    #[must_use]
    pub fn last(&self) -> Option<&Fingerprint> {
        self.cursor.position.last.as_ref()
    }

    /// The cursor of the watch.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Returns the number of events at `index` that an earlier run has delivered, and forgets it.
    pub fn take_begun(&mut self, index: Option<Index>) -> usize {
        let begun = self.cursor.begun.take();
        let begun = begun.filter(|begun| Some(begun.index) == index);
        begun.map_or(0, |begun| begun.events)
    }

    /// Notes a gap, after which the next events are not the rest of a transaction.
    pub fn lose(&mut self) {
        self.cursor.begun = None;
    }

    /// Moves the cursor to `position`.
    pub fn reach(&mut self, position: Position) {
        if self.cursor.position.cluster != position.cluster {
            self.cursor.begun = None;
        }
        self.cursor.position = position;
    }

    /// Moves the cursor past the first `count` events of `held`. Over v3 the fingerprint is one of whole
    /// transactions.
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

    /// Notes that everything up to `cursor` was delivered.
    pub fn settle(&mut self, cursor: Cursor) {
        if self.settled != cursor {
            self.settled = cursor;
            self.is_behind = true;
        }
    }

    /// Notes that everything up to the cursor was delivered.
    pub fn settle_all(&mut self) {
        if self.settled != self.cursor {
            self.settle(self.cursor.clone());
        }
    }

    /// The time to write the checkpoint; `None` if there is nothing to write.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        if self.file.is_none() || !self.is_behind {
            return None;
        }
        let written = self.written;
        Some(written.map_or_else(Instant::now, |written| written + SAVE_INTERVAL))
    }

    /// Writes the checkpoint, if there is one and it has changed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&mut self) -> Result<(), Error> {
        let Cursor { position, begun } = &self.settled;
        let Position {
            cluster,
            index,
            last,
        } = position;
        let (Some(file), Some(scope), Some(cluster), Some(index), true) =
            (&self.file, &self.scope, cluster, index, self.is_behind)
        else {
            return Ok(());
        };
        let mut checkpoint = Checkpoint::new(scope, cluster.clone(), *index, last.clone());
        checkpoint.begun = begun.filter(|begun| begun.events > 0);
        file.write(&checkpoint)?;
        self.written = Some(Instant::now());
        self.is_behind = false;
        Ok(())
    }
}

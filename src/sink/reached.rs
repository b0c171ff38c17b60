//! How far records were written, or commands run, and the checkpoint that says so.

use std::time::{Duration, Instant};

use crate::checkpoint::{Begun, Checkpoint, Store};
use crate::error::Error;
use etcdwatch_engine::model::{Event, Fingerprint, Index, Scope};
use etcdwatch_engine::watch::{Held, Position};

/// A checkpoint is written at most this often, and at the end.
const PACE: Duration = Duration::from_millis(200);

/// How far a watch has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    position: Position,
    /// A transaction after that, of which a part is done.
    begun: Option<Begun>,
}

/// How far a watch has come, and how much of that is done with.
#[derive(Debug, Default)]
pub struct Reached {
    store: Option<Store>,
    at: At,
    settled: At,
    written: Option<Instant>,
    /// The file does not say it yet.
    is_behind: bool,
}

impl Reached {
    /// Nowhere yet, or where an earlier run was.
    #[must_use]
    pub fn new(store: Option<Store>, earlier: Option<Checkpoint>) -> Self {
        let earlier = earlier.map(|earlier| At {
            position: Position {
                cluster: Some(earlier.cluster),
                index: Some(earlier.index),
                last: earlier.last,
            },
            begun: earlier.begun,
        });
        let at = earlier.unwrap_or_default();
        Self {
            store,
            settled: at.clone(),
            at,
            ..Self::default()
        }
    }

    /// The cluster, where it is known.
    #[must_use]
    pub fn cluster(&self) -> Option<&String> {
        self.at.position.cluster.as_ref()
    }

    /// The last event.
    #[must_use]
    pub fn last(&self) -> Option<&Fingerprint> {
        self.at.position.last.as_ref()
    }

    /// How far it has come.
    #[must_use]
    pub fn at(&self) -> &At {
        &self.at
    }

    /// How many events at `index` were done with by an earlier run. What comes next is that, or it
    /// was lost.
    pub fn take_begun(&mut self, index: Option<Index>) -> usize {
        let begun = self.at.begun.take();
        let begun = begun.filter(|begun| Some(begun.index) == index);
        begun.map_or(0, |begun| begun.events)
    }

    /// Of the transaction at `index`, which comes next, so many events are done.
    pub fn begin(&mut self, index: Index, events: usize) {
        self.at.begun = Some(Begun { index, events });
    }

    /// Events were lost: what comes next is no part of what was begun.
    pub fn lose(&mut self) {
        self.at.begun = None;
    }

    /// Nothing was missed up to here.
    pub fn reach(&mut self, position: Position) {
        if self.at.position.cluster != position.cluster {
            self.at.begun = None;
        }
        self.at.position = position;
    }

    /// All up to this event of v2 is done.
    pub fn pass(&mut self, event: &Event<'_>) {
        self.at.position.last = Some(Fingerprint::of(event));
        self.at.position.index = Some(event.index());
        self.at.begun = None;
    }

    /// All of this transaction of v3 is done. What it tells of the store is added to what is known.
    pub fn pass_revision(&mut self, held: &Held) {
        let position = &mut self.at.position;
        position.last = Fingerprint::of_revisions(position.last.take(), held.events());
        if let Some(event) = held.events().next() {
            position.index = Some(event.index());
        }
        self.at.begun = None;
    }

    /// All up to here is done with.
    pub fn settle(&mut self, at: Option<At>) {
        let at = at.unwrap_or_else(|| self.at.clone());
        if self.settled != at {
            self.settled = at;
            self.is_behind = true;
        }
    }

    /// When the checkpoint is to be written.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        if self.store.is_none() || !self.is_behind {
            return None;
        }
        let written = self.written;
        Some(written.map_or_else(Instant::now, |written| written + PACE))
    }

    /// Writes it, where there is one and something to say.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn save(&mut self, scope: Option<&Scope>) -> Result<(), Error> {
        let At { position, begun } = &self.settled;
        let Position {
            cluster,
            index,
            last,
        } = position;
        let (Some(store), Some(scope), Some(cluster), Some(index), true) =
            (&self.store, scope, cluster, index, self.is_behind)
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

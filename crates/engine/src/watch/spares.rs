//! Buffers of batches that are done with, to be filled again.
//!
//! In a burst a buffer is filled every few hundred microseconds. To have each from the system anew,
//! and to give it back, takes longer than to read what comes into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Batch, EventSpans};

/// Smaller ones are not worth it, and larger ones would be kept for nothing.
const WORTH: std::ops::Range<usize> = 32 << 10..512 << 10;
/// As many as are on their way at a time.
const MOST: usize = 16;

/// What those who read take buffers from, and where [`super::Parcel`]s leave theirs.
#[derive(Clone, Debug, Default)]
pub struct Spares(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<Vec<u8>>,
    events: Vec<Vec<EventSpans>>,
}

impl Spares {
    /// A buffer for bytes, with others in it; none where there is none.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.kept().bytes.pop()
    }

    /// A buffer for events, with others in it; one without room where there is none.
    #[must_use]
    pub fn events(&self) -> Vec<EventSpans> {
        self.kept().events.pop().unwrap_or_default()
    }

    /// Keeps the buffers of a batch that is done with, where that is worth it.
    pub fn keep(&self, batch: Batch) {
        if !WORTH.contains(&batch.weight()) {
            return;
        }
        let (bytes, events) = batch.into_buffers();
        let mut kept = self.kept();
        if kept.bytes.len() < MOST {
            kept.bytes.push(bytes);
        }
        if kept.events.len() < MOST {
            kept.events.push(events);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

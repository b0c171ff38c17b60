//! Buffers of batches that are done with, to be filled again.
//!
//! In a burst a buffer is filled every few hundred microseconds. To have each from the system anew,
//! and to give it back, takes longer than to read what comes into it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Batch;

/// Smaller ones are not worth it, and larger ones would be kept for nothing.
const WORTH: std::ops::Range<usize> = 64 << 10..1 << 20;
/// As many as are on their way at a time.
const MOST: usize = 4;

/// What the reader of a connection takes buffers from, and where [`super::Parcel`]s leave theirs.
#[derive(Clone, Debug, Default)]
pub struct Spares(Arc<Mutex<Vec<Batch>>>);

impl Spares {
    /// A batch whose buffers can be used.
    #[must_use]
    pub fn take(&self) -> Option<Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Puts a batch there that is done with, where that is worth it.
    pub fn put(&self, batch: Batch) {
        if WORTH.contains(&batch.weight()) {
            let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if batches.len() < MOST {
                batches.push(batch);
            }
        }
    }
}

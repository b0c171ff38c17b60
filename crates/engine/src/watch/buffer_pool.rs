//! Reuses the buffers of batches that were printed.
//!
//! In a burst a buffer is filled every few hundred microseconds, and the kernel has to clear the pages of
//! each new one. Measured (benches/README.md): without the pool, and with smaller buffers too, a burst
//! takes 1.4 times as long and 1.7 times the CPU.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Batch, EventSpans};

/// The weight of the batches whose buffers are kept, in bytes. Smaller ones are cheap to allocate, and
/// larger ones would hold memory that is rarely needed.
const KEPT_WEIGHTS: std::ops::Range<usize> = 32 << 10..512 << 10;
/// How many buffers of each kind are kept: as many as are in use at a time.
const MAX_KEPT: usize = 16;

/// The buffers that readers take, and [`super::ReceivedBatch`]s return.
#[derive(Clone, Debug, Default)]
pub struct BufferPool(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<Vec<u8>>,
    events: Vec<Vec<EventSpans>>,
}

impl BufferPool {
    /// A buffer with old bytes in it, if there is one.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.kept().bytes.pop()
    }

    /// A buffer with old events in it, or a new one.
    #[must_use]
    pub fn events(&self) -> Vec<EventSpans> {
        self.kept().events.pop().unwrap_or_default()
    }

    /// Keeps the buffers of a batch, unless it is too small or too large.
    pub fn keep(&self, batch: Batch) {
        if !KEPT_WEIGHTS.contains(&batch.weight()) {
            return;
        }
        let (bytes, events) = batch.into_buffers();
        let mut kept = self.kept();
        if kept.bytes.len() < MAX_KEPT {
            kept.bytes.push(bytes);
        }
        if kept.events.len() < MAX_KEPT {
            kept.events.push(events);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

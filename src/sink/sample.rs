//! Counts the writes to each key during the sample of `doctor`.

use std::collections::HashMap;
use std::time::Instant;

use super::{Flow, Sink};
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use etcdwatch_engine::model::{Api, Scope};
use etcdwatch_engine::watch::{HeldEvents, Update};

/// The largest number of different keys that are counted.
const MAX_KEYS: usize = 100_000;

/// Counts writes until the sample ends.
#[derive(Debug)]
pub struct Sample {
    end: Instant,
    keys: HashMap<Vec<u8>, u64>,
    /// The number of events.
    pub writes: u64,
    /// The API of the watch.
    pub counted_by: Option<Api>,
}

impl Sample {
    /// A sample that ends at `end`.
    #[must_use]
    pub fn until(end: Instant) -> Self {
        Self {
            end,
            keys: HashMap::new(),
            writes: 0,
            counted_by: None,
        }
    }

    /// The `count` keys with the most writes, and the number of writes, in descending order.
    #[must_use]
    pub fn busiest(self, count: usize) -> Vec<(Vec<u8>, u64)> {
        let mut keys: Vec<(Vec<u8>, u64)> = self.keys.into_iter().collect();
        keys.sort_by(|(a, count_a), (b, count_b)| count_b.cmp(count_a).then_with(|| a.cmp(b)));
        keys.truncate(count);
        keys
    }
}

impl Sink for Sample {
    fn begin(&mut self, scope: &Scope) {
        self.counted_by = Some(scope.api());
    }

    fn take(&mut self, update: Update, _: &mut Inbox) -> Result<Flow, Stop> {
        if let Update::Events(events) = update {
            for event in events.iter().flat_map(HeldEvents::events) {
                self.writes += 1;
                let key = event.node().key();
                if let Some(count) = self.keys.get_mut(key) {
                    *count += 1;
                } else if self.keys.len() < MAX_KEYS {
                    self.keys.insert(key.to_vec(), 1);
                }
            }
        }
        Ok(Flow::GoesOn)
    }

    fn due(&self) -> Option<Instant> {
        Some(self.end)
    }

    fn wake(&mut self, _: &mut Inbox) -> Result<Flow, Stop> {
        Ok(Flow::done_if(self.end <= Instant::now()))
    }
}

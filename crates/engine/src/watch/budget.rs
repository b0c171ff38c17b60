//! How much may lie between those who receive and those who print.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// So many bytes lie between reading and printing where both go as fast as they can: enough that
/// nobody waits for the other, and no more.
pub const READ_AHEAD: usize = 1 << 20;

/// Bytes that were received and not printed yet, and how many there may be.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Shared {
    used: AtomicUsize,
    /// Somebody waits until less is used.
    is_awaited: AtomicBool,
    turn: Mutex<()>,
    freed: Condvar,
}

impl Shared {
    fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }
}

impl Budget {
    /// One of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            shared: Arc::default(),
            limit,
        }
    }

    /// Counts `bytes` until the permit is dropped.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Permit {
        self.shared.used.fetch_add(bytes, Ordering::SeqCst);
        Permit {
            shared: Arc::clone(&self.shared),
            resume: self.ahead() / 4 * 3,
            bytes,
        }
    }

    /// Whether as much waits as may.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.shared.used() >= self.limit
    }

    /// How many of `most` answers of `size` bytes each find room in half of what may wait: one in any
    /// case.
    #[must_use]
    pub fn room_for(&self, size: usize, most: usize) -> usize {
        (self.limit / 2 / size.max(1)).clamp(1, most)
    }

    /// Waits, for so long at most, until those who take what waits have caught up by a quarter.
    pub fn ease(&self, limit: Duration) {
        let shared = &*self.shared;
        if shared.used() < self.ahead() {
            return;
        }
        let turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever gives something back either sees this, or has done so before `used` is read again.
        shared.is_awaited.store(true, Ordering::SeqCst);
        let goal = self.ahead() / 4 * 3;
        drop(
            shared
                .freed
                .wait_timeout_while(turn, limit, |()| shared.used() > goal),
        );
        shared.is_awaited.store(false, Ordering::SeqCst);
    }

    /// With so much waiting, those who take it are behind: [`READ_AHEAD`], or half of what may.
    fn ahead(&self) -> usize {
        READ_AHEAD.min(self.limit / 2)
    }
}

/// Counts against a [`Budget`] while it lives.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    bytes: usize,
    /// Whoever waits goes on with no more than this.
    resume: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let shared = &*self.shared;
        let used = shared.used.fetch_sub(self.bytes, Ordering::SeqCst) - self.bytes;
        if used <= self.resume && shared.is_awaited.load(Ordering::SeqCst) {
            // Whoever is about to wait holds this until it does.
            drop(shared.turn.lock().unwrap_or_else(PoisonError::into_inner));
            shared.freed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    /// Longer than any test takes.
    const EVER: Duration = Duration::from_mins(10);

    #[test]
    fn who_is_ahead_goes_on_once_enough_was_taken() {
        let budget = Budget::new(4 * READ_AHEAD);
        let (first, second) = (budget.take(READ_AHEAD / 2), budget.take(READ_AHEAD / 2));
        let (tell, told) = mpsc::channel();
        let ahead = budget.clone();
        thread::spawn(move || {
            ahead.ease(EVER);
            tell.send(()).unwrap();
        });
        while !budget.shared.is_awaited.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        assert!(told.try_recv().is_err());
        drop(first);
        told.recv_timeout(EVER).unwrap();
        drop(second);
    }

    #[test]
    fn as_much_is_asked_as_there_is_room_for() {
        let budget = Budget::new(1000);
        assert_eq!(budget.room_for(0, 15), 15);
        assert_eq!(budget.room_for(100, 15), 5);
        assert_eq!(budget.room_for(5000, 15), 1);
    }

    #[test]
    fn who_is_not_ahead_does_not_wait() {
        let budget = Budget::new(4 * READ_AHEAD);
        let _permit = budget.take(READ_AHEAD - 1);
        budget.ease(EVER);
    }

    #[test]
    fn nobody_waits_for_longer_than_is_said() {
        let budget = Budget::new(2);
        let _permit = budget.take(2);
        budget.ease(Duration::from_millis(1));
        assert!(budget.is_spent());
    }
}

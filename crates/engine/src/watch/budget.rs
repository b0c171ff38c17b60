//! The limit on the events that were received and not printed yet.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How many bytes may be read ahead of printing before the readers slow down. In a burst this is enough
/// to keep both busy: with 512 KiB a million events take 5 to 10 % longer, with 256 KiB half as long
/// again.
pub const READ_AHEAD: usize = 1 << 20;

/// Counts the bytes that were received and not printed yet, against a limit.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<BudgetState>,
    limit: usize,
}

#[derive(Debug, Default)]
struct BudgetState {
    used: AtomicUsize,
    /// A thread is in [`Budget::wait_for_output`].
    is_awaited: AtomicBool,
    turn: Mutex<()>,
    freed: Condvar,
}

impl BudgetState {
    fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }
}

impl Budget {
    /// A budget of `limit` bytes.
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

    /// Whether the limit is reached.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.shared.used() >= self.limit
    }

    /// How many replies of `size` bytes each fit into half of the limit: at least 1, at most `most`.
    #[must_use]
    pub fn room_for(&self, size: usize, most: usize) -> usize {
        (self.limit / 2 / size.max(1)).clamp(1, most)
    }

    /// If more than `READ_AHEAD` bytes wait to be printed, waits until a quarter of them is printed, for
    /// `limit` at most.
    pub fn wait_for_output(&self, limit: Duration) {
        let shared = &*self.shared;
        if shared.used() < self.ahead() {
            return;
        }
        let turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // A permit that is dropped either sees this, or was counted before `used` is read again.
        shared.is_awaited.store(true, Ordering::SeqCst);
        let goal = self.ahead() / 4 * 3;
        drop(
            shared
                .freed
                .wait_timeout_while(turn, limit, |()| shared.used() > goal),
        );
        shared.is_awaited.store(false, Ordering::SeqCst);
    }

    /// The number of waiting bytes from which on readers slow down.
    fn ahead(&self) -> usize {
        READ_AHEAD.min(self.limit / 2)
    }
}

/// Counts bytes against a [`Budget`] until it is dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<BudgetState>,
    bytes: usize,
    /// A reader that waits continues once no more bytes than this are used.
    resume: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let shared = &*self.shared;
        let used = shared.used.fetch_sub(self.bytes, Ordering::SeqCst) - self.bytes;
        if used <= self.resume && shared.is_awaited.load(Ordering::SeqCst) {
            // A thread that is about to wait holds the lock until it does.
            drop(shared.turn.lock().unwrap_or_else(PoisonError::into_inner));
            shared.freed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Longer than any test takes.
    const EVER: Duration = Duration::from_mins(10);

    #[test]
    fn a_reader_that_is_ahead_continues_once_enough_is_printed() {
        let budget = Budget::new(4 * READ_AHEAD);
        let (first, second) = (budget.take(READ_AHEAD / 2), budget.take(READ_AHEAD / 2));
        let (sender, receiver) = mpsc::channel();
        let ahead = budget.clone();
        crate::testing::spawn(move || {
            ahead.wait_for_output(EVER);
            sender.send(()).unwrap();
        });
        crate::testing::wait_until(|| budget.shared.is_awaited.load(Ordering::SeqCst));
        assert!(receiver.try_recv().is_err());
        drop(first);
        receiver.recv_timeout(EVER).unwrap();
        drop(second);
    }

    #[test]
    fn as_many_replies_are_requested_as_fit() {
        let budget = Budget::new(1000);
        assert_eq!(budget.room_for(0, 15), 15);
        assert_eq!(budget.room_for(100, 15), 5);
        assert_eq!(budget.room_for(5000, 15), 1);
    }

    #[test]
    fn a_reader_that_is_not_ahead_does_not_wait() {
        let budget = Budget::new(4 * READ_AHEAD);
        let _permit = budget.take(READ_AHEAD - 1);
        budget.wait_for_output(EVER);
    }

    #[test]
    fn no_reader_waits_longer_than_its_limit() {
        let budget = Budget::new(2);
        let _permit = budget.take(2);
        budget.wait_for_output(Duration::from_millis(1));
        assert!(budget.is_spent());
    }
}

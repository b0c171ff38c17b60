//! The memory that unfinished lines and messages may take on all connections together.
//!
//! In scope: whether a connection may hold more of something that has not arrived completely. Out of
//! scope: the limit on one line or message (`decode`), and complete events (the engine's `Budget`).
//!
//! Each connection may hold [`FREE`] bytes at any time, so that ordinary events are never refused. One
//! connection alone may hold as much as its own limit allows. If several hold more than [`FREE`],
//! together they may hold `--max-event` bytes: the connection that would exceed that is cut, and
//! the session sends its request again. No connection waits for another one, because the session may need
//! both replies to make progress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The unfinished bytes that every connection may hold in any case. An ordinary event is smaller.
const FREE: usize = 256 << 10;

/// The memory for unfinished bytes that the connections of a watch share.
#[derive(Clone)]
pub struct Memory {
    /// The unfinished bytes of all connections that hold more than [`FREE`].
    used: Arc<Mutex<usize>>,
    limit: usize,
}

/// The unfinished bytes of one reply.
pub struct Hold {
    memory: Memory,
    /// The bytes that are counted in [`Memory::used`].
    counted: usize,
}

/// The error of a connection that would exceed the shared limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded;

impl Memory {
    /// Allows several connections to hold `limit` bytes together.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// Returns the account of a new reply, which holds nothing yet.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold {
            memory: self.clone(),
            counted: 0,
        }
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Sets the number of unfinished bytes that this reply holds. The caller does so before every read.
    ///
    /// # Errors
    /// If the other connections hold too much.
    pub fn set(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        if bytes <= FREE && self.counted == 0 {
            return Ok(());
        }
        let mut used = self.memory.used();
        let others = *used - self.counted;
        let counted = if bytes <= FREE { 0 } else { bytes };
        if counted > 0 && others > 0 && others.saturating_add(counted) > self.memory.limit {
            return Err(LimitExceeded);
        }
        *used = others + counted;
        self.counted = counted;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *self.memory.used() -= self.counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 64 << 20;

    #[test]
    fn small_holds_are_never_refused() {
        let memory = Memory::new(LIMIT);
        let mut large = memory.hold();
        large.set(LIMIT).unwrap();
        memory.hold().set(FREE).unwrap();
    }

    #[test]
    fn one_connection_alone_may_hold_more_than_the_limit() {
        let memory = Memory::new(LIMIT);
        memory.hold().set(2 * LIMIT).unwrap();
    }

    #[test]
    fn the_connection_that_would_exceed_the_limit_is_refused_and_the_other_goes_on() {
        let memory = Memory::new(LIMIT);
        let (mut first, mut second) = (memory.hold(), memory.hold());
        first.set(LIMIT / 2).unwrap();
        second.set(LIMIT / 2).unwrap();
        assert_eq!(second.set(LIMIT / 2 + 1), Err(LimitExceeded));
        drop(second);
        first.set(LIMIT).unwrap();
    }

    #[test]
    fn a_connection_that_needs_less_memory_leaves_it_to_others() {
        let memory = Memory::new(LIMIT);
        let (mut first, mut second) = (memory.hold(), memory.hold());
        first.set(LIMIT).unwrap();
        assert_eq!(second.set(FREE + 1), Err(LimitExceeded));
        first.set(0).unwrap();
        second.set(LIMIT).unwrap();
    }
}

//! The memory that unfinished lines and messages may take on all connections together.
//!
//! In scope: whether a connection may hold more of something that has not arrived completely. Out of
//! scope: how long one line or message may become (`decode`), and what is complete (the engine's
//! `Budget`).
//!
//! Each connection may hold [`FREE`] bytes at any time, so that ordinary events are never refused. One
//! connection alone may hold as much as its own limit allows. Where several hold more than [`FREE`],
//! together they may hold one event of `--max-event`: the connection that would exceed that is cut, and
//! the session sends its request again. No connection waits for another one, because the session may need
//! the reply of the one before it can take that of the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What every connection may hold of something unfinished, in bytes: more than an ordinary event has.
const FREE: usize = 256 << 10;

/// What all connections of a watch share.
#[derive(Clone)]
pub struct Memory {
    /// What the connections hold that hold more than [`FREE`].
    used: Arc<Mutex<usize>>,
    limit: usize,
}

/// What one reply holds.
pub struct Hold {
    memory: Memory,
    /// The bytes that are counted in [`Memory::used`].
    counted: usize,
}

/// The other connections hold too much for this one to hold more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Memory {
    /// Memory of which several connections together may take `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// For a reply of which nothing is held yet.
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
    /// Says how many bytes of something unfinished this reply holds. To be called before every read.
    ///
    /// # Errors
    /// Where the other connections hold too much.
    pub fn set(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes <= FREE && self.counted == 0 {
            return Ok(());
        }
        let mut used = self.memory.used();
        let others = *used - self.counted;
        let counted = if bytes <= FREE { 0 } else { bytes };
        if counted > 0 && others > 0 && others.saturating_add(counted) > self.memory.limit {
            return Err(NoRoom);
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
        assert_eq!(second.set(LIMIT / 2 + 1), Err(NoRoom));
        drop(second);
        first.set(LIMIT).unwrap();
    }

    #[test]
    fn a_hold_that_is_small_again_leaves_its_room_to_others() {
        let memory = Memory::new(LIMIT);
        let (mut first, mut second) = (memory.hold(), memory.hold());
        first.set(LIMIT).unwrap();
        assert_eq!(second.set(FREE + 1), Err(NoRoom));
        first.set(0).unwrap();
        second.set(LIMIT).unwrap();
    }
}

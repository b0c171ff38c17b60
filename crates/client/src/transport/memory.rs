//! The memory that unfinished lines, messages and replies may take on all connections together.
//!
//! In scope: who may hold more than a little of something that has not arrived completely. Out of
//! scope: how long that may become (`decode`), and what is complete (the engine's `Budget`).
//!
//! Each connection may hold [`FREE`] bytes at any time, so that ordinary events never wait. Beyond
//! that a connection needs the turn, of which there is one: so all unfinished data together is at
//! most one event of `--max-event` and [`FREE`] for every other connection. The others do not read on
//! until they get the turn, and the kernel slows their senders down. Nothing is lost and nothing is
//! cut, with one exception: the connection that has the turn is broken off if nothing arrives on it
//! for [`STALLED`] while another one waits. Its request fails like any other that is cut, and the
//! session sends it again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What every connection may hold of something unfinished, in bytes: more than an ordinary event has.
const FREE: usize = 256 << 10;
/// How long the connection with the turn may be silent while another one waits for it.
const STALLED: Duration = Duration::from_secs(5);
/// How often a connection that waits checks whether it was given up, or the other has stalled.
const POLL: Duration = Duration::from_millis(20);

/// A connection as seen from the threads of others.
pub trait Interrupt: Send + Sync {
    /// Breaks it off, so that a thread that reads from it gets an error.
    fn interrupt(&self);

    /// Whether nobody needs what it brings any more.
    fn is_given_up(&self) -> bool;
}

/// What all connections of a watch share.
#[derive(Clone, Default)]
pub struct Memory(Arc<MemoryState>);

#[derive(Default)]
struct MemoryState {
    turn: Mutex<Option<Turn>>,
    released: Condvar,
}

/// A connection holds more than [`FREE`].
struct Turn {
    connection: Arc<dyn Interrupt>,
    /// When something last arrived on it.
    progress: Instant,
}

/// What one reply holds.
pub struct Hold {
    memory: Memory,
    connection: Arc<dyn Interrupt>,
    has_turn: bool,
}

/// The connection was given up while it waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp;

impl Memory {
    /// For a reply on `connection`, of which nothing is held yet.
    pub fn hold(&self, connection: Arc<dyn Interrupt>) -> Hold {
        Hold {
            memory: self.clone(),
            connection,
            has_turn: false,
        }
    }
}

impl MemoryState {
    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// To be called before every read, with the number of bytes that are held by then. Where that is
    /// more than a little, it waits for the turn.
    pub fn set(&mut self, bytes: usize) -> Result<(), GivenUp> {
        if bytes <= FREE {
            self.release();
            return Ok(());
        }
        let shared = &*self.memory.0;
        let mut turn = shared.turn();
        loop {
            let now = Instant::now();
            match &mut *turn {
                Some(turn) if self.has_turn => {
                    turn.progress = now;
                    return Ok(());
                }
                Some(other) => {
                    if now.duration_since(other.progress) >= STALLED {
                        other.connection.interrupt();
                    }
                }
                None => {
                    *turn = Some(Turn {
                        connection: Arc::clone(&self.connection),
                        progress: now,
                    });
                    self.has_turn = true;
                    return Ok(());
                }
            }
            if self.connection.is_given_up() {
                return Err(GivenUp);
            }
            let waited = shared.released.wait_timeout(turn, POLL);
            (turn, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.has_turn) {
            *self.memory.0.turn() = None;
            self.memory.0.released.notify_one();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::thread;

    #[derive(Default)]
    struct TestConnection {
        is_interrupted: AtomicBool,
        is_given_up: AtomicBool,
    }

    impl Interrupt for TestConnection {
        fn interrupt(&self) {
            self.is_interrupted.store(true, Ordering::SeqCst);
        }

        fn is_given_up(&self) -> bool {
            self.is_given_up.load(Ordering::SeqCst)
        }
    }

    fn two() -> (Hold, Hold, Arc<TestConnection>, Arc<TestConnection>) {
        let memory = Memory::default();
        let connections = [(); 2].map(|()| Arc::new(TestConnection::default()));
        let [one, two] = &connections;
        let holds = (memory.hold(one.clone()), memory.hold(two.clone()));
        let [first, second] = connections;
        (holds.0, holds.1, first, second)
    }

    /// Whether a hold of many bytes is granted, told on a channel.
    fn set_on_a_thread(mut hold: Hold) -> mpsc::Receiver<Result<(), GivenUp>> {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(hold.set(FREE + 1)));
        told
    }

    #[test]
    fn small_holds_never_wait() {
        let (mut first, mut second, ..) = two();
        first.set(FREE + 1).unwrap();
        second.set(FREE).unwrap();
    }

    #[test]
    fn a_second_large_hold_waits_until_the_first_is_small_again() {
        let (mut first, second, ..) = two();
        first.set(FREE + 1).unwrap();
        let told = set_on_a_thread(second);
        assert!(told.recv_timeout(3 * POLL).is_err());
        first.set(FREE).unwrap();
        assert_eq!(told.recv().unwrap(), Ok(()));
    }

    #[test]
    fn a_second_large_hold_waits_until_the_first_is_dropped() {
        let (mut first, second, ..) = two();
        first.set(FREE + 1).unwrap();
        let told = set_on_a_thread(second);
        drop(first);
        assert_eq!(told.recv().unwrap(), Ok(()));
    }

    #[test]
    fn a_connection_that_is_given_up_waits_no_longer() {
        let (mut first, second, _, waiting) = two();
        first.set(FREE + 1).unwrap();
        let told = set_on_a_thread(second);
        waiting.is_given_up.store(true, Ordering::SeqCst);
        assert_eq!(told.recv().unwrap(), Err(GivenUp));
    }

    #[test]
    fn a_connection_that_stalls_with_the_turn_is_broken_off() {
        let (mut first, second, stalled, _) = two();
        first.set(FREE + 1).unwrap();
        let memory = first.memory.clone();
        let early = Instant::now().checked_sub(STALLED).unwrap();
        memory.0.turn().as_mut().unwrap().progress = early;
        let told = set_on_a_thread(second);
        while !stalled.is_interrupted.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        assert!(told.try_recv().is_err(), "it has not let go yet");
        drop(first);
        assert_eq!(told.recv().unwrap(), Ok(()));
    }
}

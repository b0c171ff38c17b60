//! One direction of one connection: a thread that reads, a queue, and a thread that writes.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::http::{Framing, Heads, as_http_1_0};
use super::{Cut, HalfClose, Link, NOTICE, Shared, is_temporary};

/// The most bytes that a direction holds back, without and with a delay. Without one it is little,
/// so that a slow reader slows the sender down. With one it is as much as a fast connection has in
/// transit.
const QUEUE: usize = 64 << 10;
const QUEUE_DELAYED: usize = 64 << 20;

/// The pause between single bytes, so that each is read separately.
const TRICKLE: Duration = Duration::from_micros(50);

/// One direction of one connection.
pub(super) struct Pump {
    direction: Direction,
    queue: Mutex<Queue>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

/// The result of one read, and when it is due.
struct Piece {
    due: Instant,
    what: What,
}

enum What {
    Bytes(Vec<u8>),
    /// The sender has closed its side.
    End,
    /// The sender has reset the connection.
    Reset,
    /// The reply must end here.
    Enough,
}

impl Pump {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            queue: Mutex::new(Queue::default()),
        }
    }

    pub(super) fn read(&self, shared: &Shared, link: &Link) {
        let mut source = match self.direction {
            Direction::Up => &link.client,
            Direction::Down => &link.server,
        };
        let mut buffer = vec![0; 64 << 10];
        let mut heads = Heads::default();
        loop {
            if !self.wait_for_room(shared, link) {
                return;
            }
            let what = match source.read(&mut buffer) {
                Ok(0) => What::End,
                Ok(size) => What::Bytes(buffer[..size].to_vec()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => What::Reset,
            };
            if link.is_cut() {
                return;
            }
            let (half_close, is_of_http_1_0) = {
                let controls = shared.controls();
                (controls.half_close, controls.is_of_http_1_0)
            };
            let what = match (self.direction, what, half_close) {
                (Direction::Up, What::Bytes(bytes), _) if is_of_http_1_0 => {
                    What::Bytes(as_http_1_0(&bytes))
                }
                (Direction::Up, What::End, HalfClose::Cuts(cut)) => {
                    link.end(cut);
                    shared.wake();
                    return;
                }
                (Direction::Up, What::End, HalfClose::KeepsToItself) => return,
                (_, what, _) => what,
            };
            let delay = shared.controls().delay;
            let due = Instant::now() + delay;
            let mut queue = self.queue.lock().unwrap();
            let goes_on = if let What::Bytes(bytes) = &what {
                if self.direction == Direction::Up {
                    heads.note(bytes, &shared.requests);
                }
                queue.bytes += bytes.len();
                true
            } else {
                false
            };
            queue.pieces.push_back(Piece { due, what });
            drop(queue);
            shared.wake();
            if !goes_on {
                return;
            }
        }
    }

    /// Waits while the connection is stalled or its queue is full. Returns false if it was cut.
    fn wait_for_room(&self, shared: &Shared, link: &Link) -> bool {
        let mut controls = shared.controls();
        loop {
            if link.is_cut() {
                return false;
            }
            let room = if controls.delay.is_zero() {
                QUEUE
            } else {
                QUEUE_DELAYED
            };
            if !controls.stalled && self.queue.lock().unwrap().bytes < room {
                return true;
            }
            controls = shared.changed.wait_timeout(controls, NOTICE).unwrap().0;
        }
    }

    pub(super) fn write(&self, shared: &Shared, link: &Link) {
        let mut sink = match self.direction {
            Direction::Up => &link.server,
            Direction::Down => &link.client,
        };
        let mut framing = Framing::default();
        while let Some(what) = self.next(shared, link, &framing) {
            let bytes = match what {
                What::Bytes(bytes) => bytes,
                What::End => {
                    let _ = sink.shutdown(Shutdown::Write);
                    return;
                }
                What::Reset => {
                    link.end(Cut::Reset);
                    shared.wake();
                    return;
                }
                What::Enough => {
                    let _ = sink.write_all(b"0\r\n\r\n");
                    link.end(Cut::Close);
                    shared.wake();
                    return;
                }
            };
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let Some(mut step) = self.step(rest.len(), shared, link) else {
                    return;
                };
                let body_delay = shared.controls().body_delay;
                if self.direction == Direction::Down
                    && !body_delay.is_zero()
                    && framing.is_in_head()
                {
                    let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
                    if let Some(end) = end.filter(|end| end + 4 <= step.bytes) {
                        step.bytes = end + 4;
                        step.pause = body_delay;
                    }
                }
                match sink.write(&rest[..step.bytes]) {
                    Ok(size) => {
                        if self.direction == Direction::Down {
                            framing.note(&rest[..size]);
                        }
                        rest = &rest[size..];
                        self.count(size, shared, link);
                    }
                    Err(error) if is_temporary(&error) => continue,
                    Err(_) => {
                        link.end(Cut::Reset);
                        shared.wake();
                        return;
                    }
                }
                let until = Instant::now() + step.pause;
                while Instant::now() < until && !link.is_cut() {
                    thread::sleep((until - Instant::now()).min(NOTICE));
                }
            }
            self.queue.lock().unwrap().bytes -= bytes.len();
            shared.wake();
        }
    }

    /// The next piece when it is due and the connection is not stalled. `None` if it was cut.
    fn next(&self, shared: &Shared, link: &Link, framing: &Framing) -> Option<What> {
        let mut controls = shared.controls();
        loop {
            if link.is_cut() {
                return None;
            }
            if framing.may_end() && link.finish.load(Ordering::SeqCst) && !controls.stalled {
                return Some(What::Enough);
            }
            let mut patience = NOTICE;
            if !controls.stalled {
                let mut queue = self.queue.lock().unwrap();
                if let Some(piece) = queue.pieces.front() {
                    let now = Instant::now();
                    if piece.due <= now {
                        return queue.pieces.pop_front().map(|piece| piece.what);
                    }
                    patience = patience.min(piece.due - now);
                }
            }
            controls = shared.changed.wait_timeout(controls, patience).unwrap().0;
        }
    }

    /// How many of the remaining bytes may be written now, and the pause after them. `None` if the
    /// connection was cut, or is cut here after its last byte.
    fn step(&self, left: usize, shared: &Shared, link: &Link) -> Option<Step> {
        let mut controls = shared.controls();
        while controls.stalled && !link.is_cut() {
            controls = shared.changed.wait_timeout(controls, NOTICE).unwrap().0;
        }
        if link.is_cut() {
            return None;
        }
        let mut step = Step {
            bytes: left,
            pause: Duration::ZERO,
        };
        if let Some(bandwidth) = controls.bandwidth {
            // A hundred steps a second are smooth enough.
            let most = usize::try_from(bandwidth / 100).unwrap_or(usize::MAX);
            step.bytes = step.bytes.min(most.max(1));
            step.pause = Duration::from_secs(1) * u32::try_from(step.bytes).expect("a piece")
                / u32::try_from(bandwidth).expect("below 4 GB/s");
        }
        if self.direction == Direction::Down {
            if controls.trickle {
                step.bytes = 1;
                step.pause = step.pause.max(TRICKLE);
            }
            if let Some((budget, _)) = controls.cut_after {
                step.bytes = step
                    .bytes
                    .min(usize::try_from(budget).unwrap_or(usize::MAX));
            }
        }
        Some(step)
    }

    fn count(&self, size: usize, shared: &Shared, link: &Link) {
        let size = size as u64;
        if self.direction == Direction::Up {
            shared.up.fetch_add(size, Ordering::SeqCst);
            return;
        }
        shared.down.fetch_add(size, Ordering::SeqCst);
        let mut controls = shared.controls();
        if let Some((budget, how)) = controls.cut_after {
            let budget = budget.saturating_sub(size);
            controls.cut_after = (budget > 0).then_some((budget, how));
            if budget == 0 {
                link.end(how);
                shared.changed.notify_all();
            }
        }
    }
}

struct Step {
    bytes: usize,
    pause: Duration,
}

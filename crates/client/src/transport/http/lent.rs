//! A connection that ureq gives back once the head of a reply was read, so that a long body is read
//! from it without a detour.
//!
//! ureq undoes one chunk of a body at a time, and a stream of etcd's has a chunk for each event. It
//! has no way of handing out the connection of a reply; but it drops the one whose body nobody reads,
//! and this one goes to whoever has asked for it.

use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use etcdwatch_engine::decode::Chunks;

/// Where a connection is given back.
#[derive(Debug, Default)]
pub(super) struct Desk(Mutex<Option<Wanted>>);

/// A connection is wanted back; there it is, once it was given.
#[derive(Debug, Default)]
struct Wanted(Option<Box<dyn Transport>>);

impl Desk {
    /// The connection of a reply, its body not read yet; none where it has been closed.
    pub fn take_back(&self, body: ureq::Body) -> Option<Box<dyn Transport>> {
        *self.lock() = Some(Wanted::default());
        drop(body);
        self.lock().take()?.0
    }

    fn lock(&self) -> MutexGuard<'_, Option<Wanted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is given back when it is dropped, where somebody wants it.
#[derive(Debug)]
pub(super) struct Lent {
    transport: Box<dyn Transport>,
    desk: Arc<Desk>,
}

impl Lent {
    pub fn new(transport: impl Transport, desk: &Arc<Desk>) -> Self {
        Self {
            transport: Box::new(transport),
            desk: Arc::clone(desk),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(Wanted(place @ None)) = &mut *self.desk.lock() {
            // What stays is none, and nobody uses it any more.
            *place = Some(std::mem::replace(&mut self.transport, Box::new(())));
        }
    }
}

impl Transport for Lent {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.transport.transmit_output(amount, timeout)
    }

    fn maybe_await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.transport.maybe_await_input(timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

/// A body in chunks, read from the connection itself.
pub(super) struct Chunked {
    transport: Box<dyn Transport>,
    chunks: Chunks,
    /// How long it may take until the next bytes are there; none for ever.
    idle: Option<Duration>,
}

impl Chunked {
    pub fn new(transport: Box<dyn Transport>, idle: Option<Duration>) -> Self {
        Self {
            transport,
            chunks: Chunks::default(),
            idle,
        }
    }
}

impl Read for Chunked {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while !self.chunks.is_over() && !room.is_empty() {
            let buffers = self.transport.buffers();
            let decoded = self.chunks.decode(buffers.input(), room);
            let (used, written) =
                decoded.map_err(|bad| io::Error::new(ErrorKind::InvalidData, bad))?;
            buffers.input_consume(used);
            if written > 0 {
                return Ok(written);
            }
            if self.chunks.is_over() {
                break;
            }
            let timeout = NextTimeout {
                per_read: self.idle.map(Into::into),
                ..NextTimeout::default()
            };
            let came = self.transport.await_input(timeout);
            if !came.map_err(ureq::Error::into_io)? {
                let why = "the connection ended in the middle of a reply";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
            }
        }
        Ok(0)
    }
}

//! A transport that ureq returns once the head of a reply is read, so that a stream's body is decoded
//! here.
//!
//! ureq decodes one chunk of a body per read, and etcd sends each event of a stream as a chunk. Measured
//! with a million events (benches/README.md), ureq's decoder takes 1.45 times as long. ureq can't hand
//! out the connection of a reply, but it drops the transport of a body that is not read; this transport
//! then goes to the [`ReturnSlot`].

use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use etcdwatch_engine::decode::Chunks;

/// The slot to which the transport of a connection is returned on request.
#[derive(Debug, Default)]
pub(super) struct ReturnSlot(Mutex<Option<Wanted>>);

/// A request for the transport, which is here once ureq has dropped it.
#[derive(Debug, Default)]
struct Wanted(Option<Box<dyn Transport>>);

impl ReturnSlot {
    /// The transport of a reply whose body was not read yet; `None` if ureq has closed it.
    pub fn claim(&self, body: ureq::Body) -> Option<Box<dyn Transport>> {
        *self.lock() = Some(Wanted::default());
        drop(body);
        self.lock().take()?.0
    }

    fn lock(&self) -> MutexGuard<'_, Option<Wanted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transport that moves to its slot when ureq drops it, if the slot has a request for it.
#[derive(Debug)]
pub(super) struct ReturningTransport {
    transport: Box<dyn Transport>,
    return_slot: Arc<ReturnSlot>,
}

impl ReturningTransport {
    pub fn new(transport: impl Transport, return_slot: &Arc<ReturnSlot>) -> Self {
        Self {
            transport: Box::new(transport),
            return_slot: Arc::clone(return_slot),
        }
    }
}

impl Drop for ReturningTransport {
    fn drop(&mut self) {
        if let Some(Wanted(place @ None)) = &mut *self.return_slot.lock() {
            // The unit type is ureq's transport that does nothing.
            *place = Some(std::mem::replace(&mut self.transport, Box::new(())));
        }
    }
}

impl Transport for ReturningTransport {
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

/// Reads a chunked body from its transport.
pub(super) struct ChunkedReader {
    transport: Box<dyn Transport>,
    chunks: Chunks,
    /// The time limit on the next bytes; `None` for no limit.
    idle: Option<Duration>,
}

impl ChunkedReader {
    pub fn new(transport: Box<dyn Transport>, idle: Option<Duration>) -> Self {
        Self {
            transport,
            chunks: Chunks::default(),
            idle,
        }
    }
}

impl Read for ChunkedReader {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while !self.chunks.is_over() && !output.is_empty() {
            let buffers = self.transport.buffers();
            let decoded = self.chunks.decode(buffers.input(), output);
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
            let has_input = self.transport.await_input(timeout);
            if !has_input.map_err(ureq::Error::into_io)? {
                let why = "the connection ended in the middle of a reply";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
            }
        }
        Ok(0)
    }
}

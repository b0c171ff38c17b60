//! TCP connections for ureq that another thread can half-close and break off, and that remember
//! whether they have sent anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, ShutdownHandle, Transport,
};

use super::buffers::Room;
use super::lent::{Desk, Lent};
use crate::transport::memory::Interrupt;

/// Keep-alive probes find a peer that went away without a word.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Resolves names, but takes an address as it is: no thread, no lookup.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    names: DefaultResolver,
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let address = uri
            .authority()
            .and_then(|authority| authority.as_str().parse::<SocketAddr>().ok());
        if let Some(address) = address {
            let mut resolved = self.empty();
            resolved.push(address);
            return Ok(resolved);
        }
        self.names.resolve(uri, config, timeout)
    }
}

/// The socket of a connection, within reach of other threads.
#[derive(Debug, Default)]
pub(super) struct Socket {
    stream: Mutex<Weak<TcpStream>>,
    /// The server is reached: what is sent from now on is a request, and nothing that a proxy
    /// is told to reach it.
    ready: AtomicBool,
    /// Something of a request was sent.
    pub sent: AtomicBool,
    /// That request is one for a token, and not yet the one that needs it.
    pub is_for_token: AtomicBool,
    /// What is sent next is the head of a request, and its body comes at once.
    pub body_follows: AtomicBool,
    /// It was broken off from here.
    pub shut_down: AtomicBool,
    /// The server has asked for a certificate of the client.
    pub was_asked: AtomicBool,
    /// It may still refuse the client for that: by TLS 1.3 also after the handshake, until something
    /// was heard. Nothing that was sent by then has been heeded.
    pub may_refuse: AtomicBool,
    /// When a connection that is being made must be there.
    deadline: Mutex<Option<Instant>>,
    /// Where it is given back.
    pub desk: Arc<Desk>,
}

impl Socket {
    /// What is left of `timeout` for a connection, of which a part was spent on reaching it.
    pub fn time_to_connect(&self, timeout: NextTimeout) -> NextTimeout {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        match deadline {
            Some(deadline) => NextTimeout {
                after: deadline.saturating_duration_since(Instant::now()).into(),
                ..timeout
            },
            None => timeout,
        }
    }

    /// Whether what is to be sent goes with what comes next: by one packet, and to a server that is
    /// woken once.
    pub fn can_wait(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && self.body_follows.swap(false, Ordering::Relaxed)
    }

    /// Whether nothing is there to be read; none where the end is.
    pub fn is_quiet(&self) -> Option<bool> {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = stream.upgrade()?;
        is_quiet(&stream)
    }

    pub fn shutdown(&self, how: Shutdown) {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = stream.upgrade() {
            // An error means that it is closed already.
            let _ = stream.shutdown(how);
        }
    }
}

impl Interrupt for Socket {
    fn interrupt(&self) {
        self.shutdown(Shutdown::Both);
    }

    fn is_given_up(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }
}

/// Whether nothing is there to be read; none where the end is.
fn is_quiet(stream: &TcpStream) -> Option<bool> {
    stream.set_nonblocking(true).ok()?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).ok()?;
    match peeked {
        Ok(1..) => Some(false),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(true),
        _ => None,
    }
}

/// Breaks a socket off when its agent is shut down.
#[derive(Debug)]
struct BreakOff(Arc<TcpStream>);

impl ShutdownHandle for BreakOff {
    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Opens TCP connections that stay within reach, with keep-alive on.
#[derive(Debug)]
pub(super) struct Tcp {
    pub socket: Arc<Socket>,
}

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, Wire>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        self.socket.ready.store(false, Ordering::Relaxed);
        self.socket.was_asked.store(false, Ordering::Relaxed);
        self.socket.may_refuse.store(true, Ordering::Relaxed);
        let deadline = details
            .timeout
            .not_zero()
            .map(|left| Instant::now() + *left);
        *self
            .socket
            .deadline
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = deadline;
        let stream = open(details, deadline)?;
        stream.set_nodelay(true)?;
        let keep_alive = socket2::TcpKeepalive::new()
            .with_time(KEEP_ALIVE)
            .with_interval(KEEP_ALIVE);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;

        let stream = Arc::new(stream);
        *self
            .socket
            .stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&stream);
        let break_off = Arc::new(BreakOff(Arc::clone(&stream)));
        let weak: Weak<BreakOff> = Arc::downgrade(&break_off);
        (details.register_shutdown)(weak)?;
        Ok(Some(Either::B(Wire {
            stream,
            buffers: Room::default(),
            read_limit: None,
            write_limit: None,
            socket: Arc::clone(&self.socket),
            _break_off: break_off,
        })))
    }
}

/// The last of the connectors: the server is reached, and ureq may use the connection.
#[derive(Debug)]
pub(super) struct Ready {
    pub socket: Arc<Socket>,
    /// A connection without the proxy in its configuration is the one to the proxy itself.
    pub by_proxy: bool,
}

impl<In: Transport> Connector<In> for Ready {
    type Out = Lent;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Lent>, ureq::Error> {
        let is_reached = details.config.proxy().is_some() == self.by_proxy;
        self.socket.ready.store(is_reached, Ordering::Relaxed);
        Ok(chained.map(|transport| Lent::new(transport, &self.socket.desk)))
    }
}

/// Tries the addresses in turn, each with a fair share of the time that is left.
fn open(
    details: &ConnectionDetails<'_>,
    deadline: Option<Instant>,
) -> Result<TcpStream, ureq::Error> {
    let mut last = None;
    let count = details.addrs.len();
    for (tried, address) in details.addrs.iter().enumerate() {
        let opened = match deadline {
            None => TcpStream::connect(address),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let share = left / u32::try_from(count - tried).unwrap_or(1);
                TcpStream::connect_timeout(address, share.max(Duration::from_millis(1)))
            }
        };
        match opened {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            ureq::Error::Timeout(ureq::Timeout::Connect)
        }
        Some(error) => ureq::Error::Io(error),
        None => ureq::Error::HostNotFound,
    })
}

/// A TCP transport that remembers whether it has sent anything.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    buffers: Room,
    /// The limits that the socket has, so that only a change costs a system call.
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
    socket: Arc<Socket>,
    /// Lives as long as the connection; the agent keeps a weak reference.
    _break_off: Arc<BreakOff>,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.socket.can_wait() {
            self.buffers.keep(amount);
            return Ok(());
        }
        let timeout = timeout.for_write();
        let limit = time_left(timeout)?;
        if limit != self.write_limit {
            self.stream.set_write_timeout(limit)?;
            self.write_limit = limit;
        }
        if amount > 0 && self.socket.ready.load(Ordering::Relaxed) {
            self.socket.sent.store(true, Ordering::Relaxed);
        }
        (&*self.stream)
            .write_all(self.buffers.take(amount))
            .map_err(|error| timed_out(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        let limit = time_left(timeout)?;
        if limit != self.read_limit {
            self.stream.set_read_timeout(limit)?;
            self.read_limit = limit;
        }
        let room = self.buffers.input_append_buf();
        let read = loop {
            match (&*self.stream).read(room) {
                // A signal: its handler has said what it has to say elsewhere.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = read.map_err(|error| timed_out(error, timeout))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // Nothing was asked, so that anything to be read, the end too, is the server's doing.
        self.buffers.input().is_empty() && is_quiet(&self.stream) == Some(true)
    }
}

/// What is left of a limit; none where there is no limit.
fn time_left(timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    if timeout.after.is_zero() {
        return Err(ureq::Error::Timeout(timeout.reason));
    }
    Ok(timeout.not_zero().map(|left| *left))
}

/// A socket's own limit shows as `WouldBlock` on Linux, as `TimedOut` elsewhere.
fn timed_out(error: std::io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(error),
    }
}

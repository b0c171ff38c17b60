//! TCP connections for ureq that another thread can half-close and shut down, and that remember
//! whether they have sent a part of a request.

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

use super::buffers::LazyBuffers;
use super::returning::{ReturnSlot, ReturningTransport};

/// The idle time before TCP keep-alive probes, which find a peer that is gone, and their interval.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Resolves names. An IP address needs no lookup, and no thread for it.
#[derive(Debug, Default)]
pub(super) struct AddressResolver {
    names: DefaultResolver,
}

impl Resolver for AddressResolver {
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

/// The state of a connection that other threads can reach.
#[derive(Debug, Default)]
pub(super) struct Socket {
    stream: Mutex<Weak<TcpStream>>,
    /// The connection to the server is complete. Before that, only a proxy is written to.
    ready: AtomicBool,
    /// A part of the request was sent.
    pub sent: AtomicBool,
    /// The request in progress is for a token, which another request needs.
    pub is_for_token: AtomicBool,
    /// The next output is the head of a request whose body follows at once.
    pub body_follows: AtomicBool,
    /// The connection was shut down by this process.
    pub shut_down: AtomicBool,
    /// The server has requested a client certificate.
    pub was_asked: AtomicBool,
    /// The server may still refuse the client's certificate: with TLS 1.3 until it has sent something
    /// after the handshake. Until then it has processed nothing that was sent.
    pub may_refuse: AtomicBool,
    /// The time by which the connection must be complete.
    deadline: Mutex<Option<Instant>>,
    /// The slot to which ureq's transport is returned.
    pub return_slot: Arc<ReturnSlot>,
}

impl Socket {
    /// The remaining time to connect, after a part of `timeout` was spent.
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

    /// Whether output may wait for the next one, because it is the head of a request with a body. Both
    /// then go out in one packet, and wake the server once.
    pub fn can_wait(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && self.body_follows.swap(false, Ordering::Relaxed)
    }

    /// Whether nothing can be read; `None` at the end of the connection.
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

/// Whether nothing can be read; `None` at the end of the connection.
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

/// Shuts a socket down with its agent.
#[derive(Debug)]
struct BreakOff(Arc<TcpStream>);

impl ShutdownHandle for BreakOff {
    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Opens TCP connections with keep-alive, and stores them in their [`Socket`].
#[derive(Debug)]
pub(super) struct TcpConnector {
    pub socket: Arc<Socket>,
}

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, TcpTransport>;

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
        Ok(Some(Either::B(TcpTransport {
            stream,
            buffers: LazyBuffers::default(),
            read_limit: None,
            write_limit: None,
            socket: Arc::clone(&self.socket),
            _break_off: break_off,
        })))
    }
}

/// The last connector of the chain: notes that the server is reached.
#[derive(Debug)]
pub(super) struct LastConnector {
    pub socket: Arc<Socket>,
    /// Whether a proxy is used. ureq runs the connectors for the proxy itself first, with a configuration
    /// that has no proxy.
    pub by_proxy: bool,
}

impl<In: Transport> Connector<In> for LastConnector {
    type Out = ReturningTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<ReturningTransport>, ureq::Error> {
        let is_reached = details.config.proxy().is_some() == self.by_proxy;
        self.socket.ready.store(is_reached, Ordering::Relaxed);
        Ok(chained.map(|transport| ReturningTransport::new(transport, &self.socket.return_slot)))
    }
}

/// Tries the addresses in turn, each with an equal share of the remaining time.
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

/// A TCP connection as ureq uses it.
#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    /// The time limits that are set on the socket. Only a change costs a system call.
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
    socket: Arc<Socket>,
    /// The agent keeps a weak reference to it.
    _break_off: Arc<BreakOff>,
}

impl Transport for TcpTransport {
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
        let free = self.buffers.input_append_buf();
        let read = loop {
            match (&*self.stream).read(free) {
                // A signal handler has run.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = read.map_err(|error| timed_out(error, timeout))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // No request is in flight. Data would be unexpected, and the end means that the server closed it.
        self.buffers.input().is_empty() && is_quiet(&self.stream) == Some(true)
    }
}

/// The remaining time; `None` for no limit.
fn time_left(timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    if timeout.after.is_zero() {
        return Err(ureq::Error::Timeout(timeout.reason));
    }
    Ok(timeout.not_zero().map(|left| *left))
}

/// An expired limit of a socket is `WouldBlock` on Linux, and `TimedOut` elsewhere.
fn timed_out(error: std::io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(error),
    }
}

//! A network between tool and server that fails as networks do.
//!
//! In scope: connections that are cut, refused, stalled, delayed, limited in bandwidth or split
//! into single bytes, one address for several servers, and replies that end early. Out of scope:
//! the contents of the traffic. Only request lines are recorded.
//!
//! Each connection has two directions with two threads each. One reads and queues what it read with
//! the time at which it is due, and the other waits for that time and writes. A delay therefore
//! does not limit the bandwidth.

// The benchmarks include this file with `path`, and rustc then looks for its modules beside it.
#[path = "proxy/accept.rs"]
mod accept;
#[path = "proxy/http.rs"]
mod http;
#[path = "proxy/pump.rs"]
mod pump;

use std::io::ErrorKind;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::{ports, wait};

/// How long a blocked thread may take to notice a change that cannot wake it.
const NOTICE: Duration = Duration::from_millis(20);

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// With RST: the reader sees "connection reset".
    Reset,
    /// With FIN: the reader sees the end of the stream, at any point of a reply.
    Close,
}

/// A proxy before one server. Dropping it cuts all its connections and ends its threads.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    /// New connections go to these in turn.
    targets: Mutex<Vec<SocketAddr>>,
    controls: Mutex<Controls>,
    /// Signaled when a control or a queue changes.
    changed: Condvar,
    accepted: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    requests: Mutex<Vec<String>>,
}

#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
struct Controls {
    ended: bool,
    refusing: bool,
    answering: bool,
    listening: bool,
    stalled: bool,
    trickle: bool,
    half_close: HalfClose,
    is_of_http_1_0: bool,
    delay: Duration,
    body_delay: Duration,
    bandwidth: Option<u64>,
    cut_after: Option<(u64, Cut)>,
    links: Vec<Arc<Link>>,
}

/// What the proxy does if the client half-closes a connection.
#[derive(Clone, Copy, Default)]
enum HalfClose {
    /// Forwards the half-close.
    #[default]
    PassesOn,
    /// Ends the connection.
    Cuts(Cut),
    /// Ignores the half-close.
    KeepsToItself,
}

/// One connection through the proxy.
struct Link {
    client: TcpStream,
    server: TcpStream,
    cut: AtomicBool,
    /// Whether the wait on it should end as if nothing had happened.
    finish: AtomicBool,
}

impl Proxy {
    /// A proxy before the server at `url`.
    pub fn to(url: &str) -> Self {
        let (listener, port) = ports::listener();
        let shared = Arc::new(Shared {
            targets: Mutex::new(vec![address(url)]),
            controls: Mutex::new(Controls {
                listening: true,
                ..Controls::default()
            }),
            changed: Condvar::new(),
            accepted: AtomicU64::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            requests: Mutex::new(Vec::new()),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(listener, port)
        });
        Self {
            port,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The URL for clients: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Cuts all present connections and loses data in transit. New connections work.
    pub fn cut_all(&self, how: Cut) {
        for link in &self.shared.controls().links {
            link.end(how);
        }
        self.shared.wake();
        // The last thread that drops a connection closes it.
        wait::until(wait::LONG, "the cut connections to end", || {
            self.shared.forget_ended();
            let controls = self.shared.controls();
            controls.links.iter().all(|link| !link.is_cut())
        });
    }

    /// Cuts a connection after the reply byte of this number, counted from now over all
    /// connections. This happens once.
    pub fn cut_after(&self, bytes: u64, how: Cut) {
        assert!(bytes > 0, "cut_all cuts at once");
        self.change(|controls| controls.cut_after = Some((bytes, how)));
    }

    /// Forwards nothing more in either direction and reads nothing from either side, as if a cable
    /// were unplugged. Present and new connections stay open.
    pub fn half_open(&self) {
        self.change(|controls| controls.stalled = true);
    }

    /// Sends replies as single bytes, each in its own packet.
    pub fn one_byte_at_a_time(&self) {
        self.change(|controls| controls.trickle = true);
    }

    /// Delays everything by half of `round_trip` in each direction, without limiting the bandwidth.
    pub fn delay(&self, round_trip: Duration) {
        self.change(|controls| controls.delay = round_trip / 2);
    }

    /// Delays the body of each reply, but not its head.
    pub fn delay_bodies(&self, delay: Duration) {
        self.change(|controls| controls.body_delay = delay);
    }

    /// Closes a connection if the client half-closes it, as nginx does.
    pub fn cut_half_closed(&self) {
        self.change(|controls| controls.half_close = HalfClose::Cuts(Cut::Reset));
    }

    /// Does not forward a half-close of the client.
    pub fn ignore_half_closed(&self) {
        self.change(|controls| controls.half_close = HalfClose::KeepsToItself);
    }

    /// Speaks HTTP/1.0 to the server, so that a reply ends with its connection, and closes a
    /// connection that the client half-closes.
    pub fn speak_http_1_0(&self) {
        self.change(|controls| {
            controls.is_of_http_1_0 = true;
            controls.half_close = HalfClose::Cuts(Cut::Close);
        });
    }

    /// Limits each direction of each connection to this many bytes per second.
    pub fn bandwidth(&self, bytes_per_second: u64) {
        self.change(|controls| controls.bandwidth = Some(bytes_per_second));
    }

    /// Ends all network faults, and sends what was held back.
    pub fn resume(&self) {
        self.change(|controls| {
            controls.stalled = false;
            controls.trickle = false;
            controls.delay = Duration::ZERO;
            controls.bandwidth = None;
            controls.cut_after = None;
            controls.answering = false;
        });
    }

    /// Refuses new connections, as a port without a listener does. Present connections stay open.
    pub fn refuse(&self, refusing: bool) {
        self.change(|controls| controls.refusing = refusing);
        wait::until(wait::LONG, "the proxy to open or close its port", || {
            self.shared.controls().listening != refusing
        });
    }

    /// Forwards new connections to another server.
    pub fn lead_to(&self, url: &str) {
        self.spread_over(&[url]);
    }

    /// Forwards new connections to these servers in turn.
    pub fn spread_over<S: AsRef<str>>(&self, urls: &[S]) {
        let targets = urls.iter().map(|url| address(url.as_ref())).collect();
        *self.shared.targets.lock().unwrap() = targets;
    }

    /// Ends chunked replies in progress with the terminal chunk, and then their connections: a wait
    /// ends without an event and without an error.
    pub fn end_waits(&self) {
        for link in &self.shared.controls().links {
            link.finish.store(true, Ordering::SeqCst);
        }
        self.shared.wake();
    }

    /// Answers all requests on new connections with an empty 200. These connections end when it is
    /// turned off.
    pub fn answer_empty(&self, answering: bool) {
        self.change(|controls| controls.answering = answering);
    }

    /// The number of connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// The number of bytes sent to the server so far.
    pub fn bytes_up(&self) -> u64 {
        self.shared.up.load(Ordering::SeqCst)
    }

    /// The number of bytes sent to clients so far.
    pub fn bytes_down(&self) -> u64 {
        self.shared.down.load(Ordering::SeqCst)
    }

    /// The requests so far, each as `METHOD path?query`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    fn change(&self, change: impl FnOnce(&mut Controls)) {
        change(&mut self.shared.controls());
        self.shared.wake();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|controls| controls.ended = true);
        // The accepting thread ends all connections, and ends after their threads.
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Link {
    /// Wakes the threads, which drop the sockets. The last one closes them.
    fn end(&self, how: Cut) {
        if how == Cut::Reset {
            // A socket with a linger time of zero sends RST when it is closed.
            let _ = SockRef::from(&self.client).set_linger(Some(Duration::ZERO));
            let _ = SockRef::from(&self.server).set_linger(Some(Duration::ZERO));
        }
        self.cut.store(true, Ordering::SeqCst);
        // This wakes a blocked read, and sends nothing.
        let _ = self.client.shutdown(Shutdown::Read);
        let _ = self.server.shutdown(Shutdown::Read);
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn controls(&self) -> MutexGuard<'_, Controls> {
        self.controls.lock().unwrap()
    }

    /// Wakes every thread that waits for a change. It holds the lock, so that a thread about to
    /// wait does not miss the change.
    fn wake(&self) {
        let _controls = self.controls();
        self.changed.notify_all();
    }

    /// Drops the links whose threads have all ended.
    fn forget_ended(&self) {
        self.controls()
            .links
            .retain(|link| Arc::strong_count(link) > 1);
    }
}

fn is_temporary(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// The address that the server at `url` listens on.
fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://")
        .trim_start_matches("https://")
        .parse()
        .unwrap_or_else(|error| panic!("{url}: {error}"))
}

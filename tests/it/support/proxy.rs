//! A network between tool and server that fails as networks do.
//!
//! In scope: connections that are cut, refused, stalled, delayed, limited in bandwidth or split
//! into single bytes, one address for several servers, and replies that end early. Out of scope:
//! the contents of the traffic. Only request lines are recorded.
//!
//! Each connection has two directions with two threads each. One reads and queues what it read with
//! the time at which it is due, and the other waits for that time and writes. A delay therefore
//! does not limit the bandwidth.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use super::{ports, wait};

/// How long a blocked thread may take to notice a change that cannot wake it.
const NOTICE: Duration = Duration::from_millis(20);

/// The most bytes that a direction holds back, without and with a delay. Without one it is little,
/// so that a slow reader slows the sender down. With one it is as much as a fast connection has in
/// transit.
const QUEUE: usize = 64 << 10;
const QUEUE_DELAYED: usize = 64 << 20;

/// The pause between single bytes, so that each is read separately.
const TRICKLE: Duration = Duration::from_micros(50);

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

/// Reserves the port without listening, so that no other process gets it. `None` if another process
/// has it now.
fn reserve(port: u16) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an address");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    socket.bind(&address.into()).ok()?;
    Some(socket)
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

    fn accept(self: &Arc<Self>, listener: TcpListener, port: u16) {
        let (mut listener, mut reserved) = (Some(listener), None);
        let mut pumps: Vec<JoinHandle<()>> = Vec::new();
        loop {
            let (ended, refusing) = {
                let controls = self.controls();
                (controls.ended, controls.refusing)
            };
            if ended {
                break;
            }
            if refusing {
                listener = None;
                reserved = reserved.or_else(|| reserve(port));
            } else if listener.is_none() {
                listener = match reserved.take() {
                    Some(socket) => socket.listen(128).map(|()| socket.into()).ok(),
                    None => TcpListener::bind(("127.0.0.1", port)).ok(),
                };
            }
            self.controls().listening = listener.is_some();
            match &listener {
                Some(listener) if is_readable(listener) => {
                    let (client, _) = listener.accept().expect("a client");
                    let number = self.accepted.fetch_add(1, Ordering::SeqCst);
                    if self.controls().answering {
                        let shared = Arc::clone(self);
                        pumps.push(thread::spawn(move || shared.answer_nothing(&client)));
                    } else {
                        pumps.extend(self.connect(client, number));
                    }
                }
                Some(_) => {}
                None => thread::sleep(NOTICE / 10),
            }
            pumps.retain(|pump| !pump.is_finished());
            self.forget_ended();
        }
        for link in &self.controls().links {
            link.end(Cut::Reset);
        }
        self.wake();
        for pump in pumps {
            let _ = pump.join();
        }
    }

    /// Answers each request with an empty reply while that is turned on.
    fn answer_nothing(&self, mut client: &TcpStream) {
        client.set_read_timeout(Some(NOTICE)).expect("a timeout");
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while self.controls().answering && !self.controls().ended {
            match client.read(&mut buffer) {
                Ok(size) if size > 0 => asked.extend_from_slice(&buffer[..size]),
                Err(error) if is_temporary(&error) => {}
                _ => return,
            }
            while let Some(end) = asked.windows(4).position(|four| four == b"\r\n\r\n") {
                asked.drain(..end + 4);
                let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                if client.write_all(reply).is_err() {
                    return;
                }
            }
        }
    }

    /// Connects the client to the server with that number, modulo their count. Returns the threads
    /// between them.
    fn connect(self: &Arc<Self>, client: TcpStream, number: u64) -> Vec<JoinHandle<()>> {
        let target = {
            let targets = self.targets.lock().unwrap();
            targets[usize::try_from(number).expect("few connections") % targets.len()]
        };
        let Ok(server) = TcpStream::connect(target) else {
            // The server is gone, and the client must see that.
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
            return Vec::new();
        };
        for socket in [&client, &server] {
            socket.set_nodelay(true).expect("a TCP socket");
            // A blocked write checks now and then whether its connection was cut.
            socket.set_write_timeout(Some(NOTICE)).expect("a timeout");
        }
        let link = Arc::new(Link {
            client,
            server,
            cut: AtomicBool::new(false),
            finish: AtomicBool::new(false),
        });
        self.controls().links.push(Arc::clone(&link));
        [Direction::Up, Direction::Down]
            .into_iter()
            .flat_map(|direction| {
                let pump = Arc::new(Pump {
                    direction,
                    queue: Mutex::new(Queue::default()),
                });
                let reader = {
                    let (shared, link, pump) =
                        (Arc::clone(self), Arc::clone(&link), Arc::clone(&pump));
                    thread::spawn(move || pump.read(&shared, &link))
                };
                let writer = {
                    let (shared, link) = (Arc::clone(self), Arc::clone(&link));
                    thread::spawn(move || pump.write(&shared, &link))
                };
                [reader, writer]
            })
            .collect()
    }
}

/// Rewrites requests to HTTP/1.0. Each request is read in one piece.
fn as_http_1_0(requests: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(requests);
    text.replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n").into_bytes()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// One direction of one connection.
struct Pump {
    direction: Direction,
    queue: Mutex<Queue>,
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
    fn read(&self, shared: &Shared, link: &Link) {
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

    fn write(&self, shared: &Shared, link: &Link) {
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

/// Tracks the position in the replies of a connection, however they are split.
#[derive(Default)]
struct Framing {
    at: Place,
    line: Vec<u8>,
    chunked: bool,
    length: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// In the lines of a head.
    #[default]
    Head,
    /// In the line with the size of a chunk.
    Size,
    /// With this many bytes before the next chunk size or head.
    Data(usize),
    /// After the last chunk.
    Trailer,
}

impl Framing {
    /// Returns whether the next byte belongs to a head.
    fn is_in_head(&self) -> bool {
        self.at == Place::Head
    }

    /// Returns whether a chunked body could end here.
    fn may_end(&self) -> bool {
        self.at == Place::Size && self.line.is_empty()
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if let Place::Data(left) = self.at {
                let step = left.min(bytes.len());
                bytes = &bytes[step..];
                self.at = match (left - step, self.chunked) {
                    (0, true) => Place::Size,
                    (0, false) => Place::Head,
                    (left, _) => Place::Data(left),
                };
                continue;
            }
            self.line.push(*byte);
            bytes = &bytes[1..];
            if *byte == b'\n' {
                let line = String::from_utf8_lossy(&self.line).trim().to_lowercase();
                self.line.clear();
                self.note_line(&line);
            }
        }
    }

    fn note_line(&mut self, line: &str) {
        match self.at {
            Place::Head if line.is_empty() => {
                let length = std::mem::take(&mut self.length);
                self.at = match (self.chunked, length) {
                    (true, _) => Place::Size,
                    (false, 0) => Place::Head,
                    (false, length) => Place::Data(length),
                };
            }
            Place::Head => {
                if line.starts_with("http/") {
                    self.chunked = false;
                }
                if let Some((name, value)) = line.split_once(':') {
                    let value = value.trim();
                    self.chunked |= name == "transfer-encoding" && value == "chunked";
                    if name == "content-length" {
                        self.length = value.parse().unwrap_or(0);
                    }
                }
            }
            Place::Size => {
                // The chunk's own line end follows its data.
                let size = usize::from_str_radix(line, 16).unwrap_or(0);
                self.at = if size == 0 {
                    Place::Trailer
                } else {
                    Place::Data(size + 2)
                };
            }
            Place::Trailer if line.is_empty() => self.at = Place::Head,
            Place::Trailer | Place::Data(_) => {}
        }
    }
}

/// Finds the request lines in the traffic to the server, however it is split.
#[derive(Default)]
struct Heads {
    line: Vec<u8>,
}

impl Heads {
    fn note(&mut self, bytes: &[u8], requests: &Mutex<Vec<String>>) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            if let Some(head) = self.line.strip_suffix(b" HTTP/1.1\r") {
                // A body without a newline may precede it.
                let head = String::from_utf8_lossy(head).into_owned();
                let begin = ["GET ", "PUT ", "POST ", "DELETE "]
                    .iter()
                    .filter_map(|method| head.rfind(method))
                    .max()
                    .unwrap_or(0);
                requests.lock().unwrap().push(head[begin..].to_owned());
            }
            self.line.clear();
        }
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

/// Waits a moment for a client.
fn is_readable(listener: &TcpListener) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let limit = Timespec::try_from(NOTICE).expect("a short time");
    poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
}

//! HTTP/1.1 to one server at a time: the only user of ureq.
//!
//! In scope: connections that can be half-closed and broken off from another thread, limits
//! on time and size, and what a reply's head means. Out of scope: what is asked, and of whom.
//!
//! ureq reads `HTTP_PROXY` even for 127.0.0.1, follows redirects and turns statuses into
//! errors unless told otherwise; here it is told otherwise.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ureq::SendBody;
use ureq::config::Config;
use ureq::http::{HeaderMap, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    ShutdownHandle, Transport,
};

use crate::error::{Error, describe_failure};
use crate::model::Index;
use crate::protocol::v2::fault;
use crate::protocol::v3;
use crate::protocol::{Api, Head, Refusal, Request};
use crate::settings::{Endpoint, Settings, without_password};
use crate::watch::Failure;

/// A head is never longer than this.
const MAX_HEAD: usize = 64 * 1024;
/// A server that has taken a request answers its head within this, or it is given up: etcd
/// registers a wait at once (etcd-facts.md, fact 1).
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Reads that need a majority fail after 7 s without one (fact 12): its reason is worth
/// waiting for.
pub const QUORUM_PATIENCE: Duration = Duration::from_secs(9);
/// Keep-alive probes find a peer that went away without a word.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The gateway passes it on to etcd, which then breaks a watch off where its member has no leader.
const NEEDS_LEADER: (&str, &str) = ("Grpc-Metadata-hasleader", "true");

/// These have the gateway under [`v3::BETA_ROOT`].
const BETA_VERSION: &str = "3.3.";

/// Where lines for `--verbose` go.
pub type Log = Arc<dyn Fn(String) + Send + Sync>;

/// How long a reply may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until its head is there; none for ever.
    pub head: Option<Duration>,
    /// Until the next bytes of its body are; none for ever.
    pub idle: Option<Duration>,
}

impl Limits {
    /// None: somebody else watches the clock.
    pub const NONE: Self = Self {
        head: None,
        idle: None,
    };
}

/// What every connection is made with.
#[derive(Clone)]
pub struct Http {
    config: Config,
    authorization: Option<(String, String)>,
    /// As it may be shown.
    proxy: Option<String>,
    /// The largest body of an error: etcd repeats values in it.
    max_error: u64,
    /// The server is one of 3.3, where the gateway has another name.
    is_beta: Arc<AtomicBool>,
    log: Option<Log>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// Connections as the settings ask for them.
    ///
    /// # Errors
    /// Where `--proxy` is no URL of a proxy.
    pub fn new(settings: &Settings, log: Option<Log>) -> Result<Self, Error> {
        let proxy = settings
            .proxy
            .as_deref()
            .map(|url| {
                // What ureq was built without it would leave out without a word.
                if url.contains("://") && !url.starts_with("http://") {
                    let url = without_password(url);
                    let why = "only proxies with http:// are supported";
                    return Err(Error::Usage(format!("--proxy '{url}': {why}")));
                }
                ureq::Proxy::new(url).map_err(|error| {
                    Error::Usage(format!("--proxy '{}': {error}", without_password(url)))
                })
            })
            .transpose()?;
        let config = Config::builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("")
            .user_agent(concat!("etcdwatch/", env!("CARGO_PKG_VERSION")))
            .max_response_header_size(MAX_HEAD)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .build();
        Ok(Self {
            config,
            authorization: settings
                .authorization
                .as_ref()
                .map(|known| (known.user.clone(), known.header().to_owned())),
            proxy: settings.proxy.as_deref().map(without_password),
            max_error: settings.max_event as u64,
            is_beta: Arc::default(),
            log,
        })
    }

    /// A connection that is not open yet.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let socket = Arc::new(Socket::default());
        let connector = ()
            .chain(ConnectProxyConnector::default())
            .chain(Tcp {
                socket: Arc::clone(&socket),
            })
            .chain(Ready {
                socket: Arc::clone(&socket),
                by_proxy: self.config.proxy().is_some(),
            });
        Connection {
            agent: ureq::Agent::with_parts(self.config.clone(), connector, Addresses::default()),
            socket,
            http: self.clone(),
        }
    }
}

/// One connection, kept alive between requests, which another thread can half-close or break
/// off. One agent a connection, since ureq shuts down all that belongs to an agent.
#[derive(Clone, Debug)]
pub struct Connection {
    agent: ureq::Agent,
    socket: Arc<Socket>,
    http: Http,
}

impl Connection {
    /// Sends a request and reads the head of its reply. An error's body is read too, and is
    /// part of the failure.
    ///
    /// # Errors
    /// Where no reply came, or one that says no.
    pub fn send(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        self.socket.sent.store(false, Ordering::Relaxed);
        self.log(|| self.render_curl(endpoint, request));
        let mut answer = self.attempt(endpoint, request, limits);
        if let Err(Failure::ApiOff {
            api: Api::V3,
            version,
        }) = &answer
        {
            let is_beta = version.starts_with(BETA_VERSION);
            if self.http.is_beta.swap(is_beta, Ordering::Relaxed) != is_beta {
                self.log(|| self.render_curl(endpoint, request));
                answer = self.attempt(endpoint, request, limits);
            }
        }
        if let Err(failure) = &answer {
            self.log(|| format!("! {} {}", endpoint.url(), describe_failure(failure)));
        }
        answer
    }

    fn attempt(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        match self.exchange(endpoint, request, limits)? {
            reply if (200..300).contains(&reply.head.status) => Ok(reply),
            reply => Err(self.refusal(endpoint, request, reply)),
        }
    }

    /// Path and query as this server has them.
    fn target<'r>(&self, request: &'r Request) -> Cow<'r, str> {
        match request.target.strip_prefix(v3::ROOT) {
            Some(path) if self.http.is_beta.load(Ordering::Relaxed) => {
                Cow::Owned(format!("{}{path}", v3::BETA_ROOT))
            }
            _ => Cow::Borrowed(&request.target),
        }
    }

    /// Whether anything of the last request was sent.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.socket.sent.load(Ordering::Relaxed)
    }

    /// Tells the server that nothing more comes from here.
    pub fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write);
    }

    /// Breaks the connection off, also where another thread is blocked in it. Not usable
    /// afterwards.
    pub fn shut_down(&self) {
        self.socket.shut_down.store(true, Ordering::Relaxed);
        self.agent.clone().shutdown();
    }

    /// Whether it was broken off from here.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.socket.shut_down.load(Ordering::Relaxed)
    }

    fn exchange(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method.name())
            .uri(format!("{}{}", endpoint.url(), self.target(request)));
        if let Some((_, header)) = &self.http.authorization {
            builder = builder.header("authorization", header);
        }
        if let Some(body) = &request.body {
            builder = builder.header("content-type", body.content_type());
        }
        if request.needs_leader {
            builder = builder.header(NEEDS_LEADER.0, NEEDS_LEADER.1);
        }
        let unusable = |error: ureq::http::Error| Failure::Unsendable(error.to_string());
        let reply = if let (Some(body), Some(pause)) = (&request.body, request.pause) {
            let lines = SendBody::from_owned_reader(Spaced::new(body.bytes(), pause));
            let request = builder.body(lines).map_err(unusable)?;
            self.agent.run(self.limited(request, limits))
        } else if let Some(body) = &request.body {
            let request = builder.body(body.bytes()).map_err(unusable)?;
            self.agent.run(self.limited(request, limits))
        } else {
            let request = builder.body(()).map_err(unusable)?;
            self.agent.run(self.limited(request, limits))
        };
        let reply = reply.map_err(|error| self.failure(&error))?;
        let head = read_head(reply.status().as_u16(), reply.headers());
        self.log(|| match head.index {
            Some(index) => format!("< {} index {index} from {}", head.status, endpoint.url()),
            None => format!("< {} from {}", head.status, endpoint.url()),
        });
        let location = header(reply.headers(), "location").map(str::to_owned);
        Ok(Reply {
            head,
            location,
            body: reply.into_body(),
        })
    }

    fn limited<B: ureq::AsSendBody>(
        &self,
        request: ureq::http::Request<B>,
        limits: Limits,
    ) -> ureq::http::Request<B> {
        self.agent
            .configure_request(request)
            .timeout_recv_response(limits.head)
            .timeout_per_read(limits.idle)
            .build()
    }

    fn failure(&self, error: &ureq::Error) -> Failure {
        if !self.has_sent() {
            let why = render_error(error);
            return Failure::Unreachable(match &self.http.proxy {
                Some(proxy) => format!("by the proxy {proxy}: {why}"),
                None => why,
            });
        }
        match error {
            ureq::Error::Timeout(_) => Failure::Silent(render_error(error)),
            ureq::Error::Io(_) => Failure::Cut(render_error(error)),
            _ => Failure::NotEtcd(render_error(error)),
        }
    }

    /// What a reply that is not 2xx means.
    fn refusal(&self, endpoint: &Endpoint, request: &Request, reply: Reply) -> Failure {
        let Reply {
            mut head,
            location,
            body,
        } = reply;
        let status = head.status;
        if let Some(location) = location.filter(|_| (300..400).contains(&status)) {
            return Failure::NotEtcd(format!(
                "it redirects ({status}) to {location}, which is not followed"
            ));
        }
        let mut text = Vec::new();
        if let Err(error) = body
            .into_reader()
            .take(self.http.max_error)
            .read_to_end(&mut text)
        {
            return Failure::Cut(error.to_string());
        }
        if let Some(fault) = fault::parse(&text) {
            head.index = head.index.filter(|_| fault::tells_index(fault.code));
            return Failure::Refused(Box::new(Refusal { fault, head }));
        }
        if let Some(fault) = v3::fault::parse(&text) {
            return Failure::Refused(Box::new(Refusal { fault, head }));
        }
        if let Some(fault) = fault::parse_message(&text).filter(|_| head.cluster.is_some()) {
            head.index = None;
            return Failure::Refused(Box::new(Refusal { fault, head }));
        }
        if status == 404
            && let Some(version) = self.version(endpoint)
        {
            let api = if request.target.starts_with(v3::ROOT) {
                Api::V3
            } else {
                Api::V2
            };
            return Failure::ApiOff { api, version };
        }
        let text = String::from_utf8_lossy(&text);
        let first = text.lines().next().unwrap_or_default();
        let first: String = first.chars().take(80).collect();
        let what = match first.as_str() {
            "" => format!("HTTP {status}"),
            first => format!("HTTP {status}: {first}"),
        };
        if status >= 500 {
            Failure::BadGateway(what)
        } else {
            Failure::NotEtcd(what)
        }
    }

    /// The server's version, where it says so as etcd does.
    fn version(&self, endpoint: &Endpoint) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Version {
            etcdserver: String,
        }
        let request = Request {
            method: crate::protocol::Method::Get,
            target: "/version".to_owned(),
            body: None,
            writes: false,
            needs_leader: false,
            pause: None,
        };
        let limits = Limits {
            head: Some(PATIENCE),
            idle: Some(PATIENCE),
        };
        let reply = self.exchange(endpoint, &request, limits).ok()?;
        let body = reply.read_whole(4096).ok()?;
        let version: Version = serde_json::from_slice(&body).ok()?;
        Some(version.etcdserver)
    }

    fn log(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &self.http.log {
            log(line());
        }
    }

    /// The request as a curl command that reproduces it, credentials replaced.
    fn render_curl(&self, endpoint: &Endpoint, request: &Request) -> String {
        use std::fmt::Write as _;
        let mut line = "curl -sS".to_owned();
        if request.target.contains("wait=true") || request.needs_leader {
            line.push('N');
        }
        if request.method != crate::protocol::Method::Get {
            let _ = write!(line, " -X {}", request.method.name());
        }
        if let Some(proxy) = &self.http.proxy {
            let _ = write!(line, " -p -x {}", quote(proxy));
        }
        if request.needs_leader {
            let _ = write!(line, " -H '{}: {}'", NEEDS_LEADER.0, NEEDS_LEADER.1);
        }
        if let Some((user, _)) = &self.http.authorization {
            let _ = write!(line, " -u {}", quote(&format!("{user}:PASSWORD")));
        }
        if let Some(body) = &request.body {
            // Percent-encoded, or base64 in JSON, and so printable.
            let _ = write!(
                line,
                " -d {}",
                quote(&String::from_utf8_lossy(body.bytes()))
            );
        }
        let _ = write!(
            line,
            " {}",
            quote(&format!("{}{}", endpoint.url(), self.target(request)))
        );
        line
    }
}

/// Quotes a word for the shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A reply, its body still to be read.
#[derive(Debug)]
pub struct Reply {
    /// What its head tells.
    pub head: Head,
    location: Option<String>,
    body: ureq::Body,
}

impl Reply {
    /// The body as it comes, chunks undone. A cut or a time-out is an error of its reader.
    #[must_use]
    pub fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// The whole body.
    ///
    /// # Errors
    /// Where it breaks off, or is longer than `limit` bytes.
    pub fn read_whole(self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let mut reader = self.body.into_reader().take(limit as u64 + 1);
        reader
            .read_to_end(&mut body)
            .map_err(|error| read_failure(&error))?;
        if body.len() > limit {
            return Err(Failure::TooLong(limit));
        }
        Ok(body)
    }
}

/// What an error in the middle of a body means.
#[must_use]
pub fn read_failure(error: &std::io::Error) -> Failure {
    // ureq passes a time-out on as the source of an `io::Error` of the kind Other.
    let inner = error
        .get_ref()
        .and_then(|source| source.downcast_ref::<ureq::Error>());
    match inner {
        Some(error @ ureq::Error::Timeout(_)) => Failure::Silent(render_error(error)),
        Some(error @ ureq::Error::Protocol(_)) => Failure::Cut(render_error(error)),
        _ => Failure::Cut(error.to_string()),
    }
}

fn read_head(status: u16, headers: &HeaderMap) -> Head {
    Head {
        status,
        index: header(headers, "x-etcd-index")
            .and_then(|index| index.parse().ok())
            .filter(|index| *index > 0)
            .map(Index),
        cluster: header(headers, "x-etcd-cluster-id").map(str::to_owned),
        raft: header(headers, "x-raft-index").and_then(|text| text.parse().ok()),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// An error in words that name the cause and not the library.
fn render_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve) => "its name was not resolved in time".into(),
        ureq::Error::Timeout(ureq::Timeout::Connect) => "no connection in time".into(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "its name is not known".into(),
        ureq::Error::Io(error) => {
            // "Connection refused (os error 111)": the number says nothing more.
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            text.to_lowercase()
        }
        other => other.to_string(),
    }
}

/// The lines of a body, with a pause before each but the first.
struct Spaced {
    lines: VecDeque<Vec<u8>>,
    pause: Duration,
    /// What is left of the line.
    line: Vec<u8>,
    is_first: bool,
}

impl Spaced {
    fn new(body: &[u8], pause: Duration) -> Self {
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        Self {
            lines: lines.map(<[u8]>::to_vec).collect(),
            pause,
            line: Vec::new(),
            is_first: true,
        }
    }
}

impl Read for Spaced {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() {
            let Some(line) = self.lines.pop_front() else {
                return Ok(0);
            };
            if !std::mem::replace(&mut self.is_first, false) {
                std::thread::sleep(self.pause);
            }
            self.line = line;
        }
        let count = self.line.len().min(room.len());
        let (part, rest) = self.line.split_at(count);
        room.get_mut(..count)
            .unwrap_or_default()
            .copy_from_slice(part);
        self.line = rest.to_vec();
        Ok(count)
    }
}

/// Resolves names, but takes an address as it is: no thread, no lookup.
#[derive(Debug, Default)]
struct Addresses {
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
struct Socket {
    stream: Mutex<Weak<TcpStream>>,
    /// The server is reached: what is sent from now on is a request, and nothing that a proxy
    /// is told to reach it.
    ready: AtomicBool,
    /// Something of the request was sent.
    sent: AtomicBool,
    /// It was broken off from here.
    shut_down: AtomicBool,
}

impl Socket {
    fn shutdown(&self, how: Shutdown) {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = stream.upgrade() {
            // An error means that it is closed already.
            let _ = stream.shutdown(how);
        }
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
struct Tcp {
    socket: Arc<Socket>,
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
        let stream = open(details)?;
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
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            read_limit: None,
            write_limit: None,
            socket: Arc::clone(&self.socket),
            _break_off: break_off,
        })))
    }
}

/// The last of the connectors: the server is reached.
#[derive(Debug)]
struct Ready {
    socket: Arc<Socket>,
    /// A connection without the proxy in its configuration is the one to the proxy itself.
    by_proxy: bool,
}

impl<In: Transport> Connector<In> for Ready {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        let is_reached = details.config.proxy().is_some() == self.by_proxy;
        self.socket.ready.store(is_reached, Ordering::Relaxed);
        Ok(chained)
    }
}

/// Tries the addresses in turn, each with a fair share of the time that is left.
fn open(details: &ConnectionDetails<'_>) -> Result<TcpStream, ureq::Error> {
    let deadline = details
        .timeout
        .not_zero()
        .map(|left| Instant::now() + *left);
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
struct Wire {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
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
        let timeout = timeout.for_write();
        let limit = time_left(timeout)?;
        if limit != self.write_limit {
            self.stream.set_write_timeout(limit)?;
            self.write_limit = limit;
        }
        if amount > 0 && self.socket.ready.load(Ordering::Relaxed) {
            self.socket.sent.store(true, Ordering::Relaxed);
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        (&*self.stream)
            .write_all(output)
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
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        // Nothing was asked, so that anything to be read, the end too, is the server's doing.
        let quiet = matches!(
            (&*self.stream).read(&mut [0]),
            Err(error) if error.kind() == ErrorKind::WouldBlock
        );
        quiet && self.stream.set_nonblocking(false).is_ok()
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

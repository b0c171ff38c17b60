//! HTTP/1.1 to one server at a time: the only user of ureq.
//!
//! In scope: connections that can be half-closed and broken off from another thread (`socket`),
//! limits on time and size, and what a reply's head means. Out of scope: what is asked, and of whom.
//!
//! ureq reads `HTTP_PROXY` even for 127.0.0.1, follows redirects and turns statuses into
//! errors unless told otherwise; here it is told otherwise.

mod socket;
mod spaced;

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::SendBody;
use ureq::config::Config;
use ureq::http::HeaderMap;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};

use self::socket::{Addresses, Ready, Socket, Tcp};
use self::spaced::Spaced;
use crate::error::{Error, describe_failure};
use crate::model::Index;
use crate::protocol::v2::fault;
use crate::protocol::{Api, Head, Refusal, Request};
use crate::protocol::{member, v3};
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
        let limits = Limits {
            head: Some(PATIENCE),
            idle: Some(PATIENCE),
        };
        let reply = self.exchange(endpoint, &member::version(), limits).ok()?;
        member::parse_version(&reply.read_whole(4096).ok()?)
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

//! One connection, which sends requests and reads the heads of their replies.

use std::borrow::Cow;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::HeaderValue;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};

use super::client::Http;
use super::curl;
use super::failure::{refused, request_failure, status_failure};
use super::limits::{Limits, PATIENCE, QUORUM_PATIENCE};
use super::reply::{Reply, is_chunked, is_delimited, read_head};
use super::socket::{AddressResolver, LastConnector, Socket, TcpConnector};
use super::tls::TlsConnector;
use super::tokens::AuthToken;
use crate::credentials::{Credentials, Secret};
use crate::endpoint::Endpoint;
use etcdwatch_engine::protocol::{Api, Failure, Request, member};
use etcdwatch_engine::{v2, v3};

/// The gateway passes this header on to etcd, which then ends a watch whose member has no leader.
const NEEDS_LEADER: (&str, &str) = ("Grpc-Metadata-hasleader", "true");

/// The versions that have the gateway under [`v3::BETA_ROOT`].
const BETA_VERSION: &str = "3.3.";

/// The limit on the reply with a token, in bytes: a JWT contains a signature.
const MAX_TOKEN: usize = 64 * 1024;

impl Http {
    /// Returns a connection, which its first request opens.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let socket = Arc::new(Socket::default());
        let connector = ()
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector {
                socket: Arc::clone(&socket),
            })
            .chain(TlsConnector {
                socket: Arc::clone(&socket),
                trust: self.trust.clone(),
            })
            .chain(LastConnector {
                socket: Arc::clone(&socket),
                by_proxy: self.agent.proxy().is_some(),
            });
        Connection {
            agent: ureq::Agent::with_parts(
                self.agent.clone(),
                connector,
                AddressResolver::default(),
            ),
            socket,
            http: self.clone(),
        }
    }
}

/// Shuts a connection down when a time limit ends, unless it is dropped before.
#[derive(Debug)]
pub struct TimeLimit {
    until: Instant,
    _held: Sender<()>,
}

impl TimeLimit {
    /// Returns `result`, or a failure about the time limit if the limit ended the request.
    ///
    /// # Errors
    /// Those of `result`.
    pub fn judge<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| {
            if self.until <= Instant::now() {
                Failure::Silent("no complete answer in time".to_owned())
            } else {
                failure
            }
        })
    }
}

/// A connection, kept alive between requests, that another thread can half-close or shut down. It has a
/// ureq agent of its own, because ureq shuts down all connections of an agent together.
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
    /// If no reply came, or its status is not 2xx.
    pub fn send(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        let mut answer = self.attempt(endpoint, request, limits);
        if let Err(Failure::ApiOff {
            api: Api::V3,
            version,
        }) = &answer
        {
            let is_beta = version.starts_with(BETA_VERSION);
            if self.http.is_beta.swap(is_beta, Ordering::Relaxed) != is_beta {
                answer = self.attempt(endpoint, request, limits);
            }
        }
        if let Err(failure) = &answer {
            self.log(|| format!("! {} {}", endpoint.url(), failure));
        }
        answer
    }

    fn attempt(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        self.socket.sent.store(false, Ordering::Relaxed);
        let token = self.token(endpoint, request, limits)?;
        let answer = self.ask(endpoint, request, token.as_ref(), limits);
        match (answer, token) {
            (Err(Failure::Refused(refusal)), Some(token))
                if v3::fault::is_about_token(&refusal.fault) =>
            {
                // The token has expired, or the server has restarted. It did not carry the request out.
                self.http.tokens.forget(&token);
                let token = self.token(endpoint, request, limits)?;
                self.ask(endpoint, request, token.as_ref(), limits)
            }
            (answer, _) => answer,
        }
    }

    /// The token for a v3 request; `None` for other requests, and without a user.
    fn token(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        limits: Limits,
    ) -> Result<Option<AuthToken>, Failure> {
        let by_v3 = request.target.starts_with(v3::ROOT);
        let Some(credentials) = self.http.credentials.as_ref().filter(|_| by_v3) else {
            return Ok(None);
        };
        let socket = &self.socket;
        socket.is_for_token.store(true, Ordering::Relaxed);
        let token = self.http.tokens.get(|| {
            if self.is_shut_down() {
                // It was shut down while another connection requested the token.
                return Err(Failure::Cut("given up".to_owned()));
            }
            self.authenticate(endpoint, credentials, limits)
        });
        socket.sent.store(false, Ordering::Relaxed);
        socket.is_for_token.store(false, Ordering::Relaxed);
        token.map(Some)
    }

    /// Requests a token.
    fn authenticate(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
        limits: Limits,
    ) -> Result<AuthToken, Failure> {
        let user = &credentials.user;
        let request = v3::authenticate(user, credentials.password.reveal());
        self.log(|| self.render_curl(endpoint, &v3::authenticate(user, "PASSWORD"), None));
        // It must not take longer than the request that needs the token.
        let limit = limits.head.unwrap_or(QUORUM_PATIENCE).min(QUORUM_PATIENCE);
        let limits = Limits {
            head: Some(limit),
            idle: Some(limit),
        };
        let patience = self.break_off_after(limit);
        let answer = self
            .answer(endpoint, &request, None, limits)
            .and_then(|reply| reply.read_whole(MAX_TOKEN));
        match patience.judge(answer) {
            Ok(body) => {
                let token = v3::parse_token(&body).map_err(Failure::Malformed)?;
                Ok(AuthToken::Token(Arc::new(Secret::new(token))))
            }
            Err(Failure::Refused(refusal)) if v3::fault::is_auth_off(&refusal.fault) => {
                Ok(AuthToken::NotNeeded)
            }
            Err(failure) => Err(failure),
        }
    }

    fn ask(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        token: Option<&AuthToken>,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        self.log(|| self.render_curl(endpoint, request, token));
        self.answer(endpoint, request, token, limits)
    }

    fn answer(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        token: Option<&AuthToken>,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        match self.exchange(endpoint, request, token, limits)? {
            reply if (200..300).contains(&reply.head.status) => Ok(reply),
            reply => {
                // A wait may last, but the body of an error may not.
                let patience = limits.head.map(|limit| self.break_off_after(limit));
                let refusal = self.refusal(endpoint, request, reply);
                match patience {
                    Some(patience) => patience.judge(Err(refusal)),
                    None => Err(refusal),
                }
            }
        }
    }

    /// Shuts the connection down after `limit`, unless the returned value is dropped before. A server
    /// that sends a single byte from time to time never exceeds the limit between two reads.
    #[must_use]
    pub fn break_off_after(&self, limit: Duration) -> TimeLimit {
        let until = Instant::now() + limit;
        let (patience, ended) = mpsc::channel();
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                socket.shutdown(Shutdown::Both);
            }
        });
        TimeLimit {
            until,
            _held: patience,
        }
    }

    /// Forgets the token that a request was sent with, because the reply refused it. Returns whether there
    /// was one.
    #[must_use]
    pub fn forget(&self, token: Option<&AuthToken>) -> bool {
        token
            .inspect(|token| self.http.tokens.forget(token))
            .is_some()
    }

    /// The path and query in the form of this version of the server.
    fn target<'r>(&self, request: &'r Request) -> Cow<'r, str> {
        match request.target.strip_prefix(v3::ROOT) {
            Some(path) if self.http.is_beta.load(Ordering::Relaxed) => {
                Cow::Owned(format!("{}{path}", v3::BETA_ROOT))
            }
            _ => Cow::Borrowed(&request.target),
        }
    }

    /// Whether a part of the last request was sent.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        let is_for_token = self.socket.is_for_token.load(Ordering::Relaxed);
        !is_for_token && self.socket.sent.load(Ordering::Relaxed)
    }

    /// Half-closes the connection: the server sees its end, and can still reply.
    pub fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write);
    }

    /// Shuts the connection down, also while another thread is blocked in it. It can't be used again.
    pub fn shut_down(&self) {
        self.socket.shut_down.store(true, Ordering::Relaxed);
        self.agent.clone().shutdown();
    }

    /// Whether [`Connection::shut_down`] was called.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.socket.shut_down.load(Ordering::Relaxed)
    }

    fn exchange(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        token: Option<&AuthToken>,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method.name())
            .uri(format!("{}{}", endpoint.url(), self.target(request)));
        if let Some(secret) = self.authorization(request, token) {
            let mut value = HeaderValue::from_str(secret.reveal())
                .map_err(|_| Failure::NotEtcd("its token is not valid in a header".to_owned()))?;
            value.set_sensitive(true);
            builder = builder.header("authorization", value);
        }
        if let Some(body) = &request.body {
            builder = builder.header("content-type", body.content_type());
        }
        if request.needs_leader {
            builder = builder.header(NEEDS_LEADER.0, NEEDS_LEADER.1);
        }
        let writes = request.writes;
        let unusable = |error: ureq::http::Error| Failure::Unsendable(error.to_string());
        let body = request.body.as_ref();
        let has_body = body.is_some_and(|body| !body.bytes().is_empty());
        self.socket.body_follows.store(has_body, Ordering::Relaxed);
        let reply = if let Some(body) = body {
            let request = builder.body(body.bytes()).map_err(unusable)?;
            self.agent.run(self.limited(request, limits))
        } else {
            let request = builder.body(()).map_err(unusable)?;
            self.agent.run(self.limited(request, limits))
        };
        let reply = reply.map_err(|error| {
            let trust = self.http.trust.as_deref();
            let trust = trust.filter(|_| endpoint.is_encrypted());
            let proxy = self.http.proxy.as_deref();
            request_failure(&error, &self.socket, trust, proxy, writes)
        })?;
        let head = read_head(reply.status().as_u16(), reply.headers());
        self.log(|| match head.index {
            Some(index) => format!("< {} index {index} from {}", head.status, endpoint.url()),
            None => format!("< {} from {}", head.status, endpoint.url()),
        });
        // It can be any bytes, and is used in a message only.
        let location = reply.headers().get("location");
        let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let is_chunked = is_chunked(reply.headers());
        Ok(Reply {
            head,
            location,
            token: token.cloned(),
            is_delimited: is_delimited(reply.headers()),
            return_slot: is_chunked.then(|| Arc::clone(&self.socket.return_slot)),
            idle: limits.idle,
            body: reply.into_body(),
            hold: self.http.memory.hold(),
        })
    }

    /// The failure for a reply with a status other than 2xx.
    fn refusal(&self, endpoint: &Endpoint, request: &Request, reply: Reply) -> Failure {
        let head = reply.head.clone();
        let status = head.status;
        if (300..400).contains(&status) {
            let to = match reply.location.as_deref() {
                None | Some("") => "and does not say where to".to_owned(),
                Some(location) => format!("to {location}, which is not followed"),
            };
            return Failure::NotEtcd(format!("it redirects ({status}) {to}"));
        }
        let text = match reply.into_body().read_up_to(self.http.max_error, true) {
            Ok(text) => text,
            Err(failure) => return failure,
        };
        if let Some(failure) = refused(&head, &text) {
            return failure;
        }
        if head.status == 404
            && let Some(version) = self.version(endpoint)
        {
            let api = if request.target.starts_with(v3::ROOT) {
                Api::V3
            } else {
                Api::V2
            };
            return Failure::ApiOff { api, version };
        }
        status_failure(head.status, &text)
    }

    /// The value of a request's `Authorization` header.
    fn authorization(&self, request: &Request, token: Option<&AuthToken>) -> Option<Secret> {
        match token {
            Some(AuthToken::Token(token)) => Some(Secret::clone(token)),
            Some(AuthToken::NotNeeded) => None,
            // The v2 API uses basic authentication.
            None => {
                let credentials = self.http.credentials.as_ref()?;
                let by_v2 = request.target.starts_with(v2::ROOT);
                by_v2.then(|| credentials.basic())
            }
        }
    }

    fn limited<B: ureq::AsSendBody>(
        &self,
        request: ureq::http::Request<B>,
        limits: Limits,
    ) -> ureq::http::Request<B> {
        // ureq applies it while it waits for the head as well.
        let per_read = limits
            .idle
            .map(|idle| idle.max(limits.head.unwrap_or_default()));
        self.agent
            .configure_request(request)
            .timeout_recv_response(limits.head)
            .timeout_per_read(per_read)
            .build()
    }

    /// The server's version, if it is etcd.
    fn version(&self, endpoint: &Endpoint) -> Option<String> {
        let limits = Limits {
            head: Some(PATIENCE),
            idle: Some(PATIENCE),
        };
        let reply = self
            .exchange(endpoint, &member::version(), None, limits)
            .ok()?;
        member::parse_version(&reply.read_whole(4096).ok()?)
    }

    fn log(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &self.http.log {
            log(line());
        }
    }

    /// The curl command that reproduces the request, without its credentials.
    fn render_curl(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        token: Option<&AuthToken>,
    ) -> String {
        let mut headers = Vec::new();
        if request.needs_leader {
            headers.push(NEEDS_LEADER);
        }
        if let Some(AuthToken::Token(_)) = token {
            headers.push(("Authorization", "TOKEN"));
        }
        let credentials = self.http.credentials.as_ref();
        let by_v2 = request.target.starts_with(v2::ROOT);
        let shown = curl::ShownRequest {
            url: &format!("{}{}", endpoint.url(), self.target(request)),
            headers: &headers,
            user: credentials
                .filter(|_| by_v2)
                .map(|credentials| credentials.user.as_str()),
            proxy: self.http.proxy.as_deref(),
            tls: self
                .http
                .trust
                .as_ref()
                .filter(|_| endpoint.is_encrypted())
                .map(|trust| trust.settings()),
        };
        curl::render(request, &shown)
    }
}

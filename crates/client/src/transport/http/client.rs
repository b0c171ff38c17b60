//! The settings, the token and the certificates that all connections of a run share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::tokens::TokenCache;
use super::trust::Trust;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::endpoint::{Endpoint, without_password};
use crate::error::Unusable;
use crate::transport::memory::Memory;

/// The limit on the head of a reply, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Takes the lines that `--verbose` prints.
pub type Log = Arc<dyn Fn(String) + Send + Sync>;

/// Makes connections, and holds what all of them share.
#[derive(Clone)]
pub struct Http {
    pub(super) agent: ureq::config::Config,
    pub(super) credentials: Option<Credentials>,
    pub(super) tokens: Arc<TokenCache>,
    /// The configuration of TLS; `None` if no endpoint uses it.
    pub(super) trust: Option<Arc<Trust>>,
    /// The URL of the proxy without its password, for messages.
    pub(super) proxy: Option<String>,
    /// The limit on the body of an error, in bytes: etcd repeats values in it.
    pub(super) max_error: usize,
    /// Whether the last server was etcd 3.3, where the gateway has another path.
    pub(super) is_beta: Arc<AtomicBool>,
    pub(super) memory: Memory,
    pub(super) log: Option<Log>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// Reads certificates if an endpoint uses TLS.
    ///
    /// # Errors
    /// If `--proxy` is not a URL that can be used, or a certificate file is not valid.
    pub fn new(config: &Config, log: Option<Log>) -> Result<Self, Unusable> {
        let proxy = config
            .proxy
            .as_deref()
            .map(|url| {
                // ureq is built without SOCKS and would ignore such a proxy silently.
                if url.contains("://") && !url.starts_with("http://") {
                    let url = without_password(url);
                    let why = "only proxies with http:// are supported";
                    return Err(Unusable(format!("--proxy '{url}': {why}")));
                }
                if url.contains(['#', '?']) {
                    // The URL is not shown, because what precedes the sign may be a part of a password.
                    let why = "--proxy: it is named by host and port, and has no '#' and no '?'";
                    return Err(Unusable(why.to_owned()));
                }
                ureq::Proxy::new(url).map_err(|error| {
                    Unusable(format!("--proxy '{}': {error}", without_password(url)))
                })
            })
            .transpose()?;
        // Reading the system's certificate authorities takes some milliseconds.
        let has_tls = config.endpoints.iter().any(Endpoint::is_encrypted);
        let trust = has_tls.then(|| Trust::load(&config.tls)).transpose()?;
        let agent = ureq::config::Config::builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("")
            .user_agent(concat!("etcdwatch/", env!("CARGO_PKG_VERSION")))
            .max_response_header_size(MAX_HEAD)
            .timeout_resolve(Some(config.connect_timeout))
            .timeout_connect(Some(config.connect_timeout))
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .build();
        Ok(Self {
            agent,
            credentials: config.credentials.clone(),
            tokens: Arc::default(),
            trust: trust.map(Arc::new),
            proxy: config.proxy.as_deref().map(without_password),
            max_error: config.max_event,
            is_beta: Arc::default(),
            memory: Memory::new(config.max_event),
            log,
        })
    }

    /// Whether requests authenticate as a user.
    #[must_use]
    pub fn has_user(&self) -> bool {
        self.credentials.is_some()
    }
}

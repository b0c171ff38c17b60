//! What went wrong, in words that name the cause and not the library.

use std::sync::atomic::Ordering;

use super::{Connection, tls};
use crate::endpoint::Endpoint;
use etcdwatch_engine::decode::BadFrame;
use etcdwatch_engine::protocol::Failure;

impl Connection {
    /// What an error that came instead of a reply means.
    pub(super) fn failure(
        &self,
        endpoint: &Endpoint,
        writes: bool,
        error: &ureq::Error,
    ) -> Failure {
        let trust = self.http.trust.as_ref().filter(|_| endpoint.is_encrypted());
        let socket = &self.socket;
        if let (Some(trust), ureq::Error::Io(error)) = (trust, error)
            && socket.may_refuse.load(Ordering::Relaxed)
        {
            let told = tls::of_tls(error).and_then(|error| tls::explain(error, trust));
            if let Some(failure) = told {
                return failure;
            }
            // A connection that breaks has another reason now and then: of a write that was sent,
            // it is not known.
            let may_be_done = writes && socket.sent.load(Ordering::Relaxed);
            let lacks = trust.certificate().is_none() && socket.was_asked.load(Ordering::Relaxed);
            if lacks && !may_be_done {
                return Failure::CertificateRefused(tls::ASKS.to_owned());
            }
        }
        if !self.socket.sent.load(Ordering::Relaxed) {
            let why = match error {
                ureq::Error::Io(error) if trust.is_some() && is_broken(error) => {
                    "it ended the connection: does it speak TLS?".to_owned()
                }
                error => render_error(error),
            };
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
}

/// What an error in the middle of a body means.
#[must_use]
pub fn read_failure(error: &std::io::Error) -> Failure {
    let inner = error.get_ref();
    if let Some(bad) = inner.and_then(|source| source.downcast_ref::<BadFrame>()) {
        return Failure::BadGateway(bad.to_string());
    }
    // ureq passes a time-out on as the source of an `io::Error` of the kind Other.
    match inner.and_then(|source| source.downcast_ref::<ureq::Error>()) {
        Some(error @ ureq::Error::Timeout(_)) => Failure::Silent(render_error(error)),
        // What was done of what was asked for is not known.
        Some(error @ ureq::Error::Protocol(_)) => Failure::BadGateway(render_error(error)),
        _ => Failure::Cut(render_io(error)),
    }
}

/// An error in words that name the cause and not the library.
fn render_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve) => "its name was not resolved in time".into(),
        ureq::Error::Timeout(ureq::Timeout::Connect) => "no connection in time".into(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "its name is not known".into(),
        ureq::Error::Io(error) => render_io(error),
        other => other.to_string(),
    }
}

fn render_io(error: &std::io::Error) -> String {
    if let Some(error) = tls::of_tls(error) {
        return tls::render(error);
    }
    if is_end(error) {
        return "the connection ended".to_owned();
    }
    // "Connection refused (os error 111)": the number says nothing more.
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

fn is_end(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::UnexpectedEof
}

/// Whether a connection that was there has broken.
fn is_broken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    is_end(error) || matches!(error.kind(), BrokenPipe | ConnectionReset)
}

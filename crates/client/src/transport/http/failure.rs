//! Turns errors of ureq and rustls into failures that name the cause and not the library.

use std::sync::atomic::Ordering;

use super::socket::Socket;
use super::tls;
use super::trust::Trust;
use etcdwatch_engine::decode::BadFrame;
use etcdwatch_engine::protocol::{Failure, Head, Refusal};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::v3;

/// The failure for an error without a reply. `trust` is set for a TLS connection, and `proxy` is
/// the URL of the proxy that was used.
pub(super) fn request_failure(
    error: &ureq::Error,
    socket: &Socket,
    trust: Option<&Trust>,
    proxy: Option<&str>,
    writes: bool,
) -> Failure {
    let is_sent = socket.sent.load(Ordering::Relaxed);
    if let (Some(trust), ureq::Error::Io(error)) = (trust, error)
        && socket.may_refuse.load(Ordering::Relaxed)
    {
        let explained = tls::of_tls(error).and_then(|error| tls::explain(error, trust));
        if let Some(failure) = explained {
            return failure;
        }
        // The connection may have broken for another reason, and the server may have carried a write out.
        let may_be_done = writes && is_sent;
        let lacks = trust.certificate().is_none() && socket.was_asked.load(Ordering::Relaxed);
        if lacks && !may_be_done {
            return Failure::CertificateRefused(tls::CERTIFICATE_REQUIRED.to_owned());
        }
    }
    if !is_sent {
        let why = match error {
            ureq::Error::Io(error) if trust.is_some() && is_broken(error) => {
                "the server closed the connection during the TLS handshake; perhaps it does not use TLS".to_owned()
            }
            error => render_error(error),
        };
        return Failure::Unreachable(match proxy {
            Some(proxy) => format!("through the proxy {proxy}: {why}"),
            None => why,
        });
    }
    match error {
        ureq::Error::Timeout(_) => Failure::Silent(render_error(error)),
        ureq::Error::Io(_) => Failure::Cut(render_error(error)),
        _ => Failure::NotEtcd(render_error(error)),
    }
}

/// The error that etcd sent with a status that is not 2xx; `None` if `body` is not from etcd.
pub(super) fn refused(head: &Head, body: &[u8]) -> Option<Failure> {
    let mut head = head.clone();
    let fault = if let Some(fault) = fault::parse(body) {
        head.index = head.index.filter(|_| fault::tells_index(fault.code));
        fault
    } else if let Some(fault) = v3::fault::parse(body) {
        fault
    } else {
        let fault = fault::parse_message(body).filter(|_| head.cluster.is_some())?;
        head.index = None;
        fault
    };
    Some(Failure::Refused(Box::new(Refusal { fault, head })))
}

/// The failure for a status that is not 2xx and that etcd did not send.
pub(super) fn status_failure(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
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

/// The failure for an error in the middle of a body.
pub(super) fn read_failure(error: &std::io::Error) -> Failure {
    let inner = error.get_ref();
    if let Some(bad) = inner.and_then(|source| source.downcast_ref::<BadFrame>()) {
        return Failure::BadGateway(bad.to_string());
    }
    // ureq passes a time-out on as the source of an `io::Error` of the kind Other.
    match inner.and_then(|source| source.downcast_ref::<ureq::Error>()) {
        Some(error @ ureq::Error::Timeout(_)) => Failure::Silent(render_error(error)),
        // The server may have carried the request out, in part or in full.
        Some(error @ ureq::Error::Protocol(_)) => Failure::BadGateway(render_error(error)),
        _ => Failure::Cut(render_io(error)),
    }
}

/// The text of an error, which names the cause and not the library.
fn render_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve) => "name resolution timed out".into(),
        ureq::Error::Timeout(ureq::Timeout::Connect) => "the connection timed out".into(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "unknown host name".into(),
        ureq::Error::Io(error) => render_io(error),
        other => other.to_string(),
    }
}

fn render_io(error: &std::io::Error) -> String {
    if let Some(error) = tls::of_tls(error) {
        return tls::render(error);
    }
    if is_end(error) {
        return "unexpected end of the connection".to_owned();
    }
    // "Connection refused (os error 111)": the number says nothing more.
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

fn is_end(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::UnexpectedEof
}

/// Whether an open connection has broken.
fn is_broken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    is_end(error) || matches!(error.kind(), BrokenPipe | ConnectionReset)
}

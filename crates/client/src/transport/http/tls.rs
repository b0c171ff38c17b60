//! TLS connections, and the failures for their errors.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConnection, ProtocolVersion, StreamOwned};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport, TransportAdapter,
};

use super::buffers::LazyBuffers;
use super::socket::Socket;
use super::trust::{Trust, note_asking};
use etcdwatch_engine::protocol::{Distrust, Failure};

/// The time limit on the alert that says why a server has closed a connection.
const ALERT_WAIT: Duration = Duration::from_millis(100);

/// Encrypts connections to `https://` endpoints.
#[derive(Debug)]
pub(super) struct TlsConnector {
    pub socket: Arc<Socket>,
    pub trust: Option<Arc<Trust>>,
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        let (true, Some(trust)) = (details.needs_tls() && !transport.is_tls(), &self.trust) else {
            return Ok(Some(Either::A(transport)));
        };
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::Tls("its name is not valid in a certificate"))?;
        let connection = ClientConnection::new(trust.config(), name).map_err(into_io)?;
        let mut wire = TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        wire.set_timeout(self.socket.time_to_connect(details.timeout));
        let mut stream = StreamOwned::new(connection, wire);
        let (done, was_asked) = note_asking(|| stream.conn.complete_io(&mut stream.sock));
        self.socket.was_asked.store(was_asked, Ordering::Relaxed);
        if let Err(error) = done {
            let why = closing_alert(&mut stream, details.timeout);
            return Err(why.unwrap_or_else(|| error.into()));
        }
        let refuses_late = stream.conn.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        self.socket
            .may_refuse
            .store(refuses_late, Ordering::Relaxed);
        Ok(Some(Either::B(TlsTransport {
            stream,
            buffers: LazyBuffers::default(),
            socket: Arc::clone(&self.socket),
        })))
    }
}

fn into_io(error: rustls::Error) -> ureq::Error {
    ureq::Error::Io(std::io::Error::other(error))
}

/// A TLS connection as ureq uses it.
pub(super) struct TlsTransport {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: LazyBuffers,
    socket: Arc<Socket>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

/// The alert that says why a server has closed a connection, if it sent one. The error of a write does
/// not say why.
fn closing_alert(
    stream: &mut StreamOwned<ClientConnection, TransportAdapter>,
    timeout: NextTimeout,
) -> Option<ureq::Error> {
    let StreamOwned { conn, sock } = stream;
    let after = ALERT_WAIT.into();
    sock.set_timeout(NextTimeout { after, ..timeout });
    while matches!(conn.read_tls(sock), Ok(1..)) {
        if let Err(error) = conn.process_new_packets() {
            return Some(into_io(error));
        }
    }
    None
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.socket.can_wait() {
            self.buffers.keep(amount);
            return Ok(());
        }
        self.stream.get_mut().set_timeout(timeout);
        let written = self.stream.write_all(self.buffers.take(amount));
        let written = written.and_then(|()| self.stream.flush());
        written.map_err(|error| {
            closing_alert(&mut self.stream, timeout).unwrap_or_else(|| error.into())
        })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let count = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        self.socket.may_refuse.store(false, Ordering::Relaxed);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        if !self.buffers.input().is_empty() {
            return false;
        }
        // rustls may have decrypted more than the caller has read.
        match self.stream.conn.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() == 0 => {}
            _ => return false,
        }
        // Between requests a server sends session tickets, or the end of the connection.
        loop {
            let wire = self.stream.get_mut().get_mut();
            if wire.buffers().input().is_empty() {
                match self.socket.is_quiet() {
                    Some(true) => return true,
                    Some(false) => {}
                    None => return false,
                }
            }
            let StreamOwned { conn, sock } = &mut self.stream;
            if !matches!(conn.read_tls(sock), Ok(1..)) {
                return false;
            }
            match conn.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                _ => return false,
            }
        }
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// The failure of a server that requires a client certificate when none is configured.
pub(super) const CERTIFICATE_REQUIRED: &str = "requires a client certificate";

/// The TLS error inside an I/O error.
pub(super) fn of_tls(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The failure for a TLS error while the server may still refuse the client's certificate. Until then the
/// server has processed nothing that was sent after the handshake.
pub(super) fn explain(error: &rustls::Error, trust: &Trust) -> Option<Failure> {
    match error {
        rustls::Error::InvalidCertificate(error) => {
            Some(Failure::Untrusted(distrust(error, trust)))
        }
        rustls::Error::AlertReceived(alert) => {
            let why = complaint(*alert)?;
            Some(Failure::CertificateRefused(match trust.certificate() {
                Some(file) => format!(
                    "does not accept the client certificate '{}': {why}",
                    file.display()
                ),
                None => CERTIFICATE_REQUIRED.to_owned(),
            }))
        }
        _ => None,
    }
}

/// The text of a TLS error.
pub(super) fn render(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "the server does not use TLS".to_owned(),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
            | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the server does not support TLS 1.2 or 1.3".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the server sent the TLS alert {alert:?}"),
        error => format!("TLS failed: {error}"),
    }
}

/// The reason in the server's alert about the client's certificate.
fn complaint(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired => "it requires another one",
        AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::DecryptError => "it is not valid",
        AlertDescription::UnsupportedCertificate => "it is not a client certificate",
        AlertDescription::CertificateRevoked => "it is revoked",
        AlertDescription::CertificateExpired => "it has expired",
        AlertDescription::CertificateUnknown => "it is not acceptable",
        AlertDescription::UnknownCA => "its issuer is unknown to the server",
        AlertDescription::AccessDenied => "access denied",
        _ => return None,
    })
}

/// The reason why the server's certificate is not trusted.
fn distrust(error: &CertificateError, trust: &Trust) -> Distrust {
    let (why, advice) = match error {
        CertificateError::ExpiredContext { not_after, .. } => (
            format!("its certificate expired on {}", render_time(*not_after)),
            "renew the certificate, or check the clock of this machine",
        ),
        CertificateError::NotValidYetContext { not_before, .. } => (
            format!(
                "its certificate is not valid before {}",
                render_time(*not_before)
            ),
            "check the clock of this machine",
        ),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            let why = match render_names(presented) {
                names if names.is_empty() => format!(
                    "its certificate is not for {expected}, and has no DNS names (subjectAltName)"
                ),
                names => format!("its certificate is for {names}, not for {expected}"),
            };
            (
                why,
                "use an endpoint with a name or an address from the certificate",
            )
        }
        CertificateError::InvalidPurposeContext { .. } => (
            "its certificate is not a server certificate".to_owned(),
            "use a server certificate with the extended key usage serverAuth",
        ),
        CertificateError::BadSignature => (
            "its certificate is not signed by the authority that it names".to_owned(),
            "check that --cacert has the right authority, and not another one of the same name",
        ),
        CertificateError::UnknownIssuer => (
            format!(
                "the issuer of its certificate is not among the trusted authorities, {}",
                trust.authorities()
            ),
            "use --cacert to trust its authority",
        ),
        CertificateError::Other(other)
            if let Some(webpki::Error::CaUsedAsEndEntity) = other.0.downcast_ref() =>
        {
            let why = "its certificate is that of an authority (CA:TRUE), not of a server";
            (why.to_owned(), "issue a certificate for the server")
        }
        error => (
            format!("its certificate is not valid: {error}"),
            DEFAULT_ADVICE,
        ),
    };
    Distrust { why, advice }
}

/// The advice if there is nothing more specific.
const DEFAULT_ADVICE: &str = "run 'openssl s_client -showcerts -connect HOST:PORT' to inspect it";

/// The number of names of a certificate in a message.
const MAX_NAMES: usize = 10;

/// The first names in a certificate.
fn render_names(names: &[String]) -> String {
    let mut shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    if names.len() > MAX_NAMES {
        shown.push("…");
    }
    shown.join(", ")
}

fn render_time(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}

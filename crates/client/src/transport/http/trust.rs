//! The servers that a TLS connection trusts, and the certificate that it presents.
//!
//! In scope: certificates and keys from files or from the system, which are read at the start if an
//! endpoint uses TLS, and again when a file was replaced. Out of scope: connections (`tls`).

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::config::{NamedFile, TlsConfig, is_named_fifo};
use crate::error::Unusable;

/// The limit on a file with certificates, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The TLS configuration of all connections.
#[derive(Debug)]
pub(super) struct Trust {
    settings: TlsConfig,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    config: Arc<ClientConfig>,
    stamps: Vec<Stamp>,
}

/// The properties of a file that change when it is replaced or written: inode, length, and time in s and ns.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Trust {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// If a file is not valid. The error names the file and the reason.
    pub fn load(settings: &TlsConfig) -> Result<Self, Unusable> {
        let loaded = Loaded::read(settings)?;
        Ok(Self {
            settings: settings.clone(),
            loaded: Mutex::new(loaded),
        })
    }

    /// The configuration of the next connection. A watch may outlive its certificates, so files that have
    /// changed are read again. If they are not valid (yet), the last configuration stays.
    pub fn config(&self) -> Arc<ClientConfig> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.stamps != stamps(&self.settings)
            && let Ok(anew) = Loaded::read(&self.settings)
        {
            *loaded = anew;
        }
        Arc::clone(&loaded.config)
    }

    /// The settings that it was read from.
    pub fn settings(&self) -> &TlsConfig {
        &self.settings
    }

    /// The file with the client's certificate.
    pub fn certificate(&self) -> Option<&Path> {
        Some(self.settings.certificate.as_ref()?.path.as_path())
    }

    /// The trusted authorities, for messages.
    pub fn authorities(&self) -> String {
        match &self.settings.authorities {
            Some(file) => format!("those in '{}'", file.path.display()),
            None => "those of this system".to_owned(),
        }
    }
}

fn stamps(settings: &TlsConfig) -> Vec<Stamp> {
    let stamp = |path: &Path| -> Stamp {
        // A pipe can only be read once.
        let file = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
    };
    settings.files().map(|file| stamp(&file.path)).collect()
}

impl Loaded {
    fn read(settings: &TlsConfig) -> Result<Self, Unusable> {
        // This is read before the files, so that a later change is noticed.
        let stamps = stamps(settings);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: rustls::Error| Unusable(format!("cannot set up TLS: {error}"));
        let web_rules = if settings.is_unverified {
            None
        } else {
            let roots = Arc::new(authorities(settings.authorities.as_ref())?);
            let rules = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            let rules = rules.build();
            Some(rules.map_err(|error| Unusable(format!("cannot set up TLS: {error}")))?)
        };
        let verifier = Verifier {
            web_rules,
            algorithms: provider.signature_verification_algorithms,
        };
        let shown = settings.certificate.as_ref().map(|certificate| {
            let key = settings.key.as_ref().unwrap_or(certificate);
            certified(certificate, key, &provider).map(Arc::new)
        });
        if let (None, Some(key)) = (&shown, &settings.key) {
            let why = "a key needs a certificate; add --cert";
            return Err(refused(key, why));
        }
        let identity = ClientCertificate {
            shown: shown.transpose()?,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(identity));
        // A server must not choose HTTP/2.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            stamps,
        })
    }
}

fn refused(file: &NamedFile, why: &str) -> Unusable {
    Unusable(format!("{} '{}': {why}", file.by, file.path.display()))
}

fn read(file: &NamedFile) -> Result<Vec<u8>, Unusable> {
    let failed = |error: std::io::Error| refused(file, &error.to_string());
    let metadata = fs::metadata(&file.path).map_err(failed)?;
    if is_named_fifo(&metadata, &file.path) {
        return Err(refused(file, "the file is a FIFO"));
    }
    if metadata.len() > MAX_FILE {
        return Err(refused(file, "the file is too large for certificates"));
    }
    fs::read(&file.path).map_err(failed)
}

/// The certificates in a file, at least one.
fn certificates(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let text = read(file)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read {
        Ok(found) if found.is_empty() => {
            Err(refused(file, "the file has no certificate in PEM format"))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(refused(
            file,
            &format!("the file is not valid PEM: {error}"),
        )),
    }
}

fn authorities(named: Option<&NamedFile>) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = named {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| {
                refused(
                    file,
                    &format!("the file has an invalid certificate: {error}"),
                )
            })?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(
            || "this system has no trusted authorities".to_owned(),
            |error| format!("cannot read the trusted authorities of this system: {error}"),
        );
        return Err(Unusable(format!("{why}; use --cacert")));
    }
    Ok(roots)
}

/// A certificate chain with its key.
fn certified(
    certificate: &NamedFile,
    key: &NamedFile,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Unusable> {
    let chain = certificates(certificate)?;
    let text = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let is_locked = text.windows(9).any(|word| word == b"ENCRYPTED");
        refused(
            key,
            if is_locked {
                "the key is protected by a passphrase, which is not supported; remove it with \
                 'openssl pkey'"
            } else {
                "the file has no key in PEM format (PKCS#8, PKCS#1 or SEC1)"
            },
        )
    })?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let certificate = certificate.path.display();
            let why = format!("the key does not match the certificate in '{certificate}'");
            refused(key, &why)
        }
        rustls::Error::InvalidCertificate(error) => {
            refused(certificate, &format!("the certificate is invalid: {error}"))
        }
        error => refused(key, &format!("the key is not usable: {error}")),
    })
}

/// Authenticates with the client's certificate, if there is one, to any server that requests it.
#[derive(Debug)]
struct ClientCertificate {
    shown: Option<Arc<CertifiedKey>>,
}

thread_local! {
    /// Whether the server requested a certificate in the handshake on this thread.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Does a handshake. Returns whether the server requested a client certificate as well.
pub(super) fn note_asking<T>(handshake: impl FnOnce() -> T) -> (T, bool) {
    ASKED.set(false);
    let done = handshake();
    (done, ASKED.get())
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        ASKED.set(true);
        self.shown.clone()
    }

    fn has_certs(&self) -> bool {
        self.shown.is_some()
    }
}

/// Checks certificates by the web's rules. An error about the name has the certificate's DNS names as
/// they are, while rustls prints the `Debug` text of all names.
#[derive(Debug)]
struct Verifier {
    /// None accepts any certificate, for `--insecure-skip-tls-verify`.
    web_rules: Option<Arc<WebPkiServerVerifier>>,
    /// For the signatures of the handshake, which are always checked.
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(rules) = &self.web_rules else {
            return Ok(ServerCertVerified::assertion());
        };
        let checked = rules.verify_server_cert(certificate, intermediates, name, ocsp, now);
        checked.map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                expected,
                ..
            }) => CertificateError::NotValidForNameContext {
                expected,
                presented: dns_names(certificate),
            }
            .into(),
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The DNS names that a certificate is for.
fn dns_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let parsed = webpki::EndEntityCert::try_from(certificate);
    parsed.map_or_else(
        |_| Vec::new(),
        |parsed| parsed.valid_dns_names().map(str::to_owned).collect(),
    )
}

//! The configuration of connections.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;

pub use crate::error::Unusable;

/// The configuration of all connections.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers. Certificates are read only if one of them uses TLS.
    pub endpoints: Vec<Endpoint>,
    /// The user and password, if requests authenticate.
    pub credentials: Option<Credentials>,
    /// The certificates of both sides.
    pub tls: TlsConfig,
    /// The URL of an HTTP proxy.
    pub proxy: Option<String>,
    /// The time limit on resolving a name. Connecting, with TLS, has the same limit.
    pub connect_timeout: Duration,
    /// The limit on an event or a reply, in bytes.
    pub max_event: usize,
}

/// The configuration of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The trusted authorities; `None` for those of the system.
    pub authorities: Option<NamedFile>,
    /// The client's certificate chain.
    pub certificate: Option<NamedFile>,
    /// The client's key; `None` if it is in the file of the certificate.
    pub key: Option<NamedFile>,
    /// Whether to accept any certificate of the server.
    pub is_unverified: bool,
}

/// A file, and the option or variable that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The option or the variable.
    pub by: &'static str,
    /// The path.
    pub path: PathBuf,
}

impl TlsConfig {
    /// All files that are named.
    pub fn files(&self) -> impl Iterator<Item = &NamedFile> {
        let files = [&self.authorities, &self.certificate, &self.key];
        files.into_iter().flatten()
    }
}

/// Whether a file is a FIFO, which blocks when it is opened. The pipes of a shell's `<(…)` are open
/// already.
#[must_use]
pub fn is_named_fifo(metadata: &fs::Metadata, path: &Path) -> bool {
    let is_open = path.starts_with("/dev") || path.starts_with("/proc");
    metadata.file_type().is_fifo() && !is_open
}

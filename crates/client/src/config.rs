//! What connections are made with.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;

pub use crate::error::Unusable;

/// What every connection is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers that may be asked. What is needed for TLS is read where one of them speaks it.
    pub endpoints: Vec<Endpoint>,
    /// The user; none where requests are sent without one.
    pub credentials: Option<Credentials>,
    /// The certificates of both sides.
    pub tls: TlsConfig,
    /// The URL of an HTTP proxy.
    pub proxy: Option<String>,
    /// How long resolving a name may take, and then connecting with TLS.
    pub connect_timeout: Duration,
    /// The largest event or reply, in bytes.
    pub max_event: usize,
}

/// What was said of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificates of the authorities to trust; those of the system where it is none.
    pub authorities: Option<NamedFile>,
    /// The client's certificate, with what leads from it to its authority.
    pub certificate: Option<NamedFile>,
    /// Its key; where it is none, it stands beside the certificate.
    pub key: Option<NamedFile>,
    /// The server's certificate is not checked.
    pub is_unverified: bool,
}

/// A file, and what named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// An option or a variable.
    pub by: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

impl TlsConfig {
    /// The files that are named.
    pub fn files(&self) -> impl Iterator<Item = &NamedFile> {
        let files = [&self.authorities, &self.certificate, &self.key];
        files.into_iter().flatten()
    }
}

/// Whether it is a FIFO that whoever opens it may wait at for ever; the pipes that a shell makes of
/// `<(…)` are open already.
#[must_use]
pub fn is_named_fifo(metadata: &fs::Metadata, path: &Path) -> bool {
    let is_open = path.starts_with("/dev") || path.starts_with("/proc");
    metadata.file_type().is_fifo() && !is_open
}

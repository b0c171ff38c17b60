//! TLS against real etcd servers: trust, client certificates, and errors of both.

mod client_certificates;
mod connections;
mod files;
mod handshake;
mod trust;
mod tunnel;

use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;

use rustls::{ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::support::certificates::{Authority, Issued, write};
use crate::support::etcd::{Etcd, Version};
use crate::support::ports;
use crate::support::tool::{Output, tool};

/// The files of an authority, a server and a client.
struct Files {
    directory: TempDir,
    authority: Authority,
}

const OWN: [&str; 2] = ["127.0.0.1", "localhost"];

impl Files {
    fn new() -> Self {
        let files = Self {
            directory: tempfile::tempdir().expect("a directory"),
            authority: Authority::new("the authority of the tests"),
        };
        files.write("ca.pem", files.authority.pem());
        files.write_issued("server", &files.authority.issue(&OWN));
        files.write_issued("client", &files.authority.issue(&["client"]));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn named(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = write(self.directory.path(), name, text);
        path.display().to_string()
    }

    fn write_issued(&self, name: &str, issued: &Issued) {
        self.write(&format!("{name}.pem"), &issued.certificate);
        self.write(&format!("{name}.key"), &issued.key.serialize_pem());
    }

    fn server(&self, version: Version) -> Etcd {
        Etcd::builder(version)
            .tls(&self.path("server.pem"), &self.path("server.key"))
            .start()
    }

    /// A server that requires a client certificate.
    fn server_requiring_certificates(&self, version: Version) -> Etcd {
        Etcd::builder(version)
            .tls(&self.path("server.pem"), &self.path("server.key"))
            .requires_client_certificates(&self.path("ca.pem"))
            .start()
    }

    fn ca_options(&self) -> [String; 2] {
        ["--cacert".to_owned(), self.named("ca.pem")]
    }

    fn client_options(&self) -> [String; 6] {
        let [cacert, authority] = self.ca_options();
        [
            cacert,
            authority,
            "--cert".to_owned(),
            self.named("client.pem"),
            "--key".to_owned(),
            self.named("client.key"),
        ]
    }
}

/// Runs the tool against an endpoint.
#[track_caller]
fn at(url: &str, options: &[String], command: &[&str]) -> Output {
    let mut arguments = vec!["--endpoints", url];
    arguments.extend(options.iter().map(String::as_str));
    arguments.extend(command);
    tool(&arguments)
}

/// A server that requests an optional client certificate, and serves each connection with `serve`.
fn server_that(
    files: &Files,
    serve: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Clone + Send + 'static,
) -> String {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::server::WebPkiClientVerifier;
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(files.path("ca.pem")).expect("an authority");
    roots.add(authority).expect("an authority");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()
        .expect("a verifier");
    let certificate = CertificateDer::from_pem_file(files.path("server.pem")).expect("its own");
    let key = PrivateKeyDer::from_pem_file(files.path("server.key")).expect("its key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .expect("a server");
    let config = std::sync::Arc::new(config);
    let (listener, port) = ports::listener();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream.expect("a client"));
            let serve = serve.clone();
            thread::spawn(move || serve(&mut stream));
        }
    });
    format!("https://127.0.0.1:{port}")
}

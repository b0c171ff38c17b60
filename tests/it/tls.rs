//! TLS against real etcd servers: trust, client certificates, and errors of both.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::certificates::{Authority, BOTH, Issued, Validity, pem, sec1, write};
use crate::support::etcd::{Etcd, Version};
use crate::support::follow;
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Response, Scripted};
use crate::support::tool::{Output, Program, tool};
use crate::support::{ports, v2, v3, wait};

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

#[track_caller]
fn assert_fails(output: &Output, code: i32, parts: &[&str]) {
    assert_eq!(output.code, code, "{output:?}");
    for part in parts {
        assert!(output.stderr.contains(part), "no '{part}' in {output:?}");
    }
}

#[test]
fn every_command_works_over_tls_with_both_apis() {
    let files = Files::new();
    for version in Version::ALL {
        let etcd = files.server(version);
        for api in ["v2", "v3"] {
            let url = etcd.tls_url();
            let run = |command: &[&str]| {
                let output = at(
                    &url,
                    &files.ca_options(),
                    &[&["--api", api], command].concat(),
                );
                assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
                output
            };
            run(&["set", "/k", "v"]);
            assert_eq!(run(&["get", "/k"]).stdout, "v\n");
            // With the v2 API, the end of the replay is proven by half-closing a connection.
            let replayed = run(&["replay", "-r", "/", "--from-index", "oldest", "-o", "json"]);
            let last = replayed.json().pop().expect("an event");
            assert_eq!(last["node"]["value"], "v");
            let waited = run(&[
                "watch",
                "--stream",
                "/k",
                "--until",
                "value=v",
                "--timeout",
                "9s",
            ]);
            assert_eq!(waited.code, 0);
            run(&["rm", "/k"]);
        }
    }
}

#[test]
fn a_tls_stream_resumes_after_disconnects() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    for api in ["v2", "v3"] {
        let proxy = Proxy::to(&etcd.tls_url());
        let url = proxy.url().replace("http:", "https:");
        let [cacert, authority] = files.ca_options();
        let running = follow::live(&url, &["--api", api, &cacert, &authority, "-r", "/"]);
        for number in 0..3 {
            let value = format!("{api} {number}");
            if api == "v2" {
                v2::put(&etcd.url(), "/cut", &value);
            } else {
                v3::put(&etcd.url(), "/cut", value.as_bytes());
            }
            let records = follow::wait_for_value(&running, "/cut", &value);
            assert!(records.iter().all(|record| record["action"] != "gap"));
            proxy.cut_all(Cut::Reset);
        }
        let records = follow::without_status(running.json());
        let values: Vec<_> = records
            .iter()
            .map(|record| record["node"]["value"].as_str().expect("an event"))
            .collect();
        assert_eq!(values, [0, 1, 2].map(|number| format!("{api} {number}")));
    }
}

#[test]
fn tls_connections_are_reused() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    v2::write_elsewhere(&etcd.url(), 300);
    let proxy = Proxy::to(&etcd.tls_url());
    let url = proxy.url().replace("http:", "https:");
    let replay = ["--api", "v2", "replay", "-r", "/", "--from-index", "oldest"];
    let output = at(&url, &files.ca_options(), &replay);
    assert_eq!(output.code, 0, "{output:?}");
    let asked = output.stdout.lines().count();
    assert!(asked >= 300, "{asked}");
    // A server sends session tickets unasked, which must not end a connection.
    assert!(
        proxy.connections() < 60,
        "{} connections",
        proxy.connections()
    );
}

#[test]
fn doctor_reports_whether_every_endpoint_uses_tls() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let says = |endpoints: &str| {
        let doctor = ["-o", "json", "doctor", "--for", "100ms"];
        let output = at(endpoints, &files.ca_options(), &doctor);
        output.json()[0]["tls"].clone()
    };
    let (encrypted, clear) = (etcd.tls_url(), etcd.url());
    assert_eq!(says(&encrypted), true);
    assert_eq!(says(&clear), false);
    assert_eq!(says(&format!("{encrypted},{clear}")), false);
}

#[test]
fn an_untrusted_certificate_exits_3_with_the_reason_before_any_request() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let url = etcd.tls_url();
    let other = Authority::new("another authority");
    files.write("other.pem", other.pem());
    let put = |issued: &Issued| files.write_issued("server", issued);
    let by = |names: &[&str], purposes: &[_], validity| {
        files.authority.issue_for(names, purposes, validity)
    };
    let is_refused = |api: &str, authority: &str, parts: &[&str]| {
        let options = ["--cacert".to_owned(), files.named(authority)];
        let output = at(&url, &options, &["--api", api, "set", "/k", "v"]);
        assert_fails(&output, 3, parts);
        assert!(output.stderr.contains(&url), "{output:?}");
    };
    let issuer = "the issuer of its certificate";
    is_refused("v2", "other.pem", &[issuer, "other.pem", "--cacert"]);
    let output = at(&url, &[], &["get", "/k"]);
    assert_fails(&output, 3, &[issuer, "of this system", "--cacert"]);

    // etcd reads its certificate again for each connection.
    put(&by(&OWN, &BOTH, Validity::Expired));
    is_refused(
        "v2",
        "ca.pem",
        &["certificate expired on 2021-01-01T00:00:00Z"],
    );
    is_refused(
        "v3",
        "ca.pem",
        &["certificate expired on 2021-01-01T00:00:00Z"],
    );
    put(&by(&OWN, &BOTH, Validity::Future));
    is_refused(
        "v2",
        "ca.pem",
        &["not valid before 2119-01-01T00:00:00Z", "clock"],
    );
    put(&by(&["etcd-1", "10.0.0.1"], &BOTH, Validity::Now));
    is_refused("v2", "ca.pem", &["is for etcd-1, not for 127.0.0.1"]);
    put(&by(&[], &BOTH, Validity::Now));
    is_refused("v2", "ca.pem", &["no DNS names", "127.0.0.1"]);
    put(&by(
        &OWN,
        &[ExtendedKeyUsagePurpose::ClientAuth],
        Validity::Now,
    ));
    is_refused("v2", "ca.pem", &["not a server certificate"]);
    // Another authority with the same name and another key.
    files.write(
        "other.pem",
        Authority::new("the authority of the tests").pem(),
    );
    put(&files.authority.issue(&OWN));
    is_refused(
        "v2",
        "other.pem",
        &["not signed by the authority that it names"],
    );
    assert_eq!(
        v2::request("GET", &etcd.url(), "/v2/keys/k", &[]).status,
        404
    );
    assert_eq!(
        at(
            &url,
            &files.ca_options(),
            &["--api", "v2", "set", "/k", "v"]
        )
        .code,
        0
    );
}

#[test]
fn an_untrusted_endpoint_is_skipped_and_reported_if_no_other_answers() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let other = Files::new();
    let stranger = other.server(Version::V3_5);
    let both = format!("{},{}", stranger.tls_url(), etcd.tls_url());
    let set = ["--api", "v2", "set", "/k", "v"];
    assert_eq!(at(&both, &files.ca_options(), &set).code, 0);
    let output = at(&both, &[], &["-o", "json", "set", "/k", "v"]);
    let error: Value = serde_json::from_str(&output.stderr).expect("JSON");
    assert_eq!(error["error"]["kind"], "untrusted", "{output:?}");
    assert_eq!(error["error"]["exit"], 3);
}

#[test]
fn insecure_skip_tls_verify_prints_a_warning_on_every_run() {
    let files = Files::new();
    let etcd = files.server(Version::V3_4);
    let flag = ["--insecure-skip-tls-verify".to_owned()];
    for quiet in [&[][..], &["-q"]] {
        let output = at(
            &etcd.tls_url(),
            &flag,
            &[quiet, &["--api", "v2", "set", "/k", "v"]].concat(),
        );
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stderr.contains("man-in-the-middle"), "{output:?}");
    }
    let output = at(&etcd.tls_url(), &flag, &["-o", "json", "get", "/k"]);
    let notice: Value = serde_json::from_str(&output.stderr).expect("JSON");
    assert_eq!(notice["notice"]["kind"], "unverified");
    // The option has no effect without TLS.
    let output = at(&etcd.url(), &flag, &["get", "/k"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn a_client_certificate_is_presented_if_the_server_requests_it() {
    let files = Files::new();
    let rsa =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/rsa.pem"));
    let rsa = rsa.expect("a key of RSA");
    for version in Version::ALL {
        let etcd = files.server_requiring_certificates(version);
        let url = etcd.tls_url();
        for api in ["v2", "v3"] {
            let set = ["--api", api, "set", "/k", "v"];
            assert_eq!(at(&url, &files.client_options(), &set).code, 0);
        }
        let asks = "requires a client certificate";
        for api in ["v2", "v3"] {
            for command in [
                &["get", "/k"][..],
                &["set", "/k", "x"],
                &["watch", "--stream", "/k"],
            ] {
                let command = [&["--api", api], command].concat();
                let output = at(&url, &files.ca_options(), &command);
                if output.code == 7 && command.contains(&"set") {
                    // With TLS 1.3 the connection may break before the alert is read. Then the
                    // outcome of a write that was sent is unknown.
                    continue;
                }
                assert_fails(&output, 4, &[asks, "--cert"]);
            }
        }
        let stranger = Authority::new("a stranger").issue(&["client"]);
        files.write_issued("stranger", &stranger);
        let shown = |certificate: &str, key: &str, command: &[&str]| {
            let mut options = files.ca_options().to_vec();
            options.extend(["--cert".to_owned(), files.named(certificate)]);
            options.extend(["--key".to_owned(), files.named(key)]);
            at(&url, &options, command)
        };
        for _ in 0..5 {
            let output = shown("stranger.pem", "stranger.key", &["set", "/k", "x"]);
            assert_fails(&output, 4, &["does not accept", "stranger.pem"]);
        }
    }
    // A key is accepted in each format.
    let etcd = files.server_requiring_certificates(Version::V3_5);
    let get = ["--api", "v2", "get", "/"];
    let client = files.authority.issue(&["client"]);
    files.write("sec1.pem", &client.certificate);
    files.write("sec1.key", &sec1(&client.key));
    files.write(
        "both.pem",
        &format!("{}{}", client.certificate, client.key.serialize_pem()),
    );
    let pkcs8 = in_pkcs8(&rsa);
    let key = KeyPair::from_pem(&pkcs8).expect("a key of RSA");
    let client = files
        .authority
        .issue_to(key, &["client"], &BOTH, Validity::Now);
    files.write("rsa.pem", &client.certificate);
    files.write("pkcs1.key", &rsa);
    files.write("pkcs8.key", &pkcs8);
    for (certificate, key) in [
        ("sec1.pem", Some("sec1.key")),
        ("rsa.pem", Some("pkcs1.key")),
        ("rsa.pem", Some("pkcs8.key")),
        ("both.pem", None),
    ] {
        let mut options = files.ca_options().to_vec();
        options.extend(["--cert".to_owned(), files.named(certificate)]);
        let key = key.map(|key| ["--key".to_owned(), files.named(key)]);
        options.extend(key.into_iter().flatten());
        let output = at(&etcd.tls_url(), &options, &get);
        assert_eq!(output.code, 0, "{options:?} {output:?}");
    }
}

/// A server that requests an optional client certificate, reads a request, and closes the
/// connection.
fn server_that_hangs_up(files: &Files) -> String {
    server_that(files, |stream| {
        let _ = stream.read(&mut [0; 4096]);
    })
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

/// A v2 reply to a read of `key`, with a head that is padded to this total size.
fn reply_of_size(size: usize, key: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"action":"get","node":{{"key":"{key}","value":"of {key}","modifiedIndex":5,"createdIndex":5}}}}"#
    );
    let reply = |fill: usize| {
        let (length, fill) = (body.len(), "x".repeat(fill));
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Etcd-Index: 7\r\nX-Fill: {fill}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    reply(size - reply(0).len()).into_bytes()
}

#[test]
fn a_connection_with_unsolicited_bytes_is_not_reused() {
    // The size of the first read buffer, and more.
    for size in [8 << 10, 9 << 10] {
        let files = Files::new();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&connections);
        let url = server_that(&files, move |stream| {
            let mut questions = 0;
            let mut room = [0; 4096];
            while let Ok(1..) = stream.read(&mut room) {
                questions += 1;
                let mut answer = reply_of_size(size, "/a");
                answer.extend(reply_of_size(300, "/unasked"));
                if stream.write_all(&answer).is_err() {
                    break;
                }
            }
            asked.lock().unwrap().push(questions);
        });
        let command = ["watch", "--stream", "--snapshot", "/a", "--timeout", "2s"];
        let command = [&["--api", "v2"], &command[..]].concat();
        at(&url, &files.ca_options(), &command);
        let closed = || connections.lock().unwrap().len() > 2;
        wait::until(wait::LONG, "connections", closed);
        let questions = connections.lock().unwrap().clone();
        assert!(
            questions.iter().all(|asked| *asked < 2),
            "{size}: {questions:?}"
        );
    }
}

#[test]
fn an_unanswered_write_over_tls_exits_7() {
    let files = Files::new();
    let url = server_that_hangs_up(&files);
    for api in ["v2", "v3"] {
        let output = at(&url, &files.ca_options(), &["--api", api, "set", "/k", "v"]);
        assert_fails(&output, 7, &["outcome is unknown"]);
    }
}

#[test]
fn a_certificate_request_of_one_server_does_not_affect_errors_of_another() {
    let files = Files::new();
    let both = format!("{},https://127.0.0.1:1", server_that_hangs_up(&files));
    let output = at(&both, &files.ca_options(), &["--api", "v2", "get", "/k"]);
    // The first server may have wanted a certificate. Nothing is known of the second one.
    assert_fails(&output, 4, &["requires a client certificate"]);
    let turned = format!("https://127.0.0.1:1,{}", server_that_hangs_up(&files));
    let output = at(
        &turned,
        &files.ca_options(),
        &["--api", "v2", "-v", "get", "/k"],
    );
    let refused = "! https://127.0.0.1:1 could not be reached: connection refused";
    assert!(output.stderr.contains(refused), "{output:?}");
}

/// Converts an RSA key from PKCS#1 to PKCS#8.
fn in_pkcs8(pkcs1: &str) -> String {
    use base64::Engine as _;
    let body: String = pkcs1
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let inner = base64::engine::general_purpose::STANDARD
        .decode(body)
        .expect("base64");
    let with_head = |kind: u8, inner: &[u8]| {
        let length = u16::try_from(inner.len()).expect("a short key");
        [&[kind, 0x82], &length.to_be_bytes()[..], inner].concat()
    };
    // Version 0, and the algorithm rsaEncryption without parameters.
    let algorithm = b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let whole = with_head(0x30, &[algorithm, &with_head(0x04, &inner)[..]].concat());
    pem("PRIVATE KEY", &whole)
}

#[test]
fn invalid_certificate_and_key_files_are_named_with_the_reason() {
    let files = Files::new();
    files.write("empty.pem", "");
    files.write("text.pem", "my notes\n");
    files.write_issued("other", &files.authority.issue(&["other"]));
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    files.write("locked.key", locked);
    let (client, missing) = (files.named("client.pem"), files.named("missing"));
    let name = |name: &str| files.named(name);
    for (options, parts) in [
        (vec!["--cacert", &missing], ["--cacert", "missing"]),
        (
            vec!["--cacert", &name("empty.pem")],
            ["empty.pem", "no certificate"],
        ),
        (
            vec!["--cacert", &name("text.pem")],
            ["text.pem", "no certificate"],
        ),
        (
            vec!["--cert", &client, "--key", &name("other.key")],
            ["other.key", "does not match"],
        ),
        (
            vec!["--cert", &client, "--key", &name("text.pem")],
            ["text.pem", "no key"],
        ),
        (vec!["--cert", &client], ["client.pem", "no key"]),
        (
            vec!["--cert", &client, "--key", &name("locked.key")],
            ["locked.key", "passphrase"],
        ),
        (vec!["--key", &name("client.key")], ["--key", "--cert"]),
    ] {
        let url = "https://127.0.0.1:1";
        let output = tool(&[&["--endpoints", url, "get", "/k"], &options[..]].concat());
        assert_fails(&output, 2, &parts);
    }
    // Variables may be meant for another cluster, so that an endpoint without TLS ignores them.
    let etcd = Etcd::start(Version::V3_5);
    let get = ["--api", "v2", "--endpoints", &etcd.url(), "get", "/"];
    let output = Program::tool(&get).env("ETCDCTL_CACERT", missing).run();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn certificates_come_from_the_etcdctl_environment() {
    let files = Files::new();
    let etcd = files.server_requiring_certificates(Version::V3_5);
    let address = etcd.tls_url().replace("https://", "");
    for names in [
        ["ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY"],
        ["ETCDCTL_CA_FILE", "ETCDCTL_CERT_FILE", "ETCDCTL_KEY_FILE"],
    ] {
        let mut program = Program::tool(&["set", "/k", "v"]).env("ETCDCTL_ENDPOINTS", &address);
        for (name, file) in names
            .into_iter()
            .zip(["ca.pem", "client.pem", "client.key"])
        {
            program = program.env(name, files.named(file));
        }
        let output = program.run();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    }
}

#[test]
fn replaced_certificates_are_read_again() {
    let files = Files::new();
    let etcd = files.server_requiring_certificates(Version::V3_5);
    let url = etcd.tls_url();
    let options = files.client_options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let watch = [&["--api", "v2", "-r", "/"], &options[..]].concat();
    let running = follow::live(&url, &watch);
    v2::put(&etcd.url(), "/k", "before");
    follow::wait_for_value(&running, "/k", "before");
    // Another authority replaces the old one, whose certificates are no longer accepted.
    let next = Authority::new("the next authority");
    files.write("ca.pem", next.pem());
    files.write_issued("client", &next.issue(&["client"]));
    files.write_issued("server", &next.issue(&OWN));
    etcd.restart();
    v2::put(&etcd.url(), "/k", "after");
    let records = follow::wait_for_value(&running, "/k", "after");
    assert!(
        records.iter().all(|record| record["action"] != "gap"),
        "{records:?}"
    );
}

#[test]
fn http_to_a_tls_port_and_https_to_a_plain_port_are_reported() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let plain = etcd.tls_url().replace("https:", "http:");
    let output = at(&plain, &[], &["get", "/k"]);
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("https://"), "{output:?}");
    let encrypted = etcd.url().replace("http:", "https:");
    let output = at(&encrypted, &[], &["get", "/k"]);
    assert_fails(&output, 3, &["perhaps it does not use TLS"]);
}

/// A server that answers the first bytes on each connection with these, and is silent after that.
fn answering(bytes: &'static [u8]) -> String {
    let (listener, port) = ports::listener();
    thread::spawn(move || {
        // The thread ends with the process.
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    format!("https://127.0.0.1:{port}")
}

#[test]
fn a_plaintext_answer_to_a_tls_handshake_is_an_error() {
    let url = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let output = at(&url, &[], &["get", "/k"]);
    assert_fails(&output, 3, &["does not use TLS"]);
}

#[test]
fn a_server_older_than_tls_1_2_is_rejected() {
    // The alert protocol_version.
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    // A ServerHello of TLS 1.1.
    let hello = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x0200000000000000000000000000000000\x00\x00\x2f\x00";
    for bytes in [&alert[..], hello] {
        let output = at(&answering(bytes), &[], &["get", "/k"]);
        assert_fails(&output, 3, &["1.2"]);
    }
}

#[test]
fn a_stalled_tls_handshake_exits_3_after_the_connect_timeout() {
    let options = ["--connect-timeout".to_owned(), "300ms".to_owned()];
    let output = at(&answering(b""), &options, &["get", "/k"]);
    assert_fails(&output, 3, &["the connection timed out"]);
}

#[test]
fn requests_to_a_tls_endpoint_are_not_sent_to_a_plaintext_one() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let plain = Scripted::serve(|_| Response::etcd(200, 7, "{}"));
    // Only the listed endpoints are used, and a notice says that one is not encrypted.
    let both = format!("{},{}", etcd.tls_url(), plain.url());
    let options = [
        &files.ca_options()[..],
        &["--user".to_owned(), "me:hunter2".to_owned()],
    ]
    .concat();
    let output = at(&both, &options, &["--api", "v2", "set", "/k", "v"]);
    assert_eq!(output.code, 0, "{output:?}");
    let printed = format!("{} is not encrypted", plain.url());
    assert!(output.stderr.contains(&printed), "{output:?}");
    assert_eq!(plain.requests().len(), 0);
}

#[test]
fn the_curl_command_reproduces_a_tls_request() {
    let files = Files::new();
    let etcd = files.server_requiring_certificates(Version::V3_5);
    let get = ["--api", "v2", "-v", "get", "/"];
    let output = at(&etcd.tls_url(), &files.client_options(), &get);
    let shown = output.stderr.lines().find(|line| line.starts_with("curl "));
    let shown = shown.unwrap_or_else(|| panic!("{output:?}"));
    let repeated = Program::new("sh", &["-c", shown]).run();
    assert!(
        repeated.stdout.contains(r#""action":"get""#),
        "{shown} {repeated:?}"
    );
}

#[test]
fn tls_works_through_a_proxy_tunnel() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let proxy = Tunnel::start();
    let with_password = proxy.url.replace("http://", "http://me:hunter2@");
    let options = [
        &files.ca_options()[..],
        &["--proxy".to_owned(), with_password],
    ]
    .concat();
    let output = at(
        &etcd.tls_url(),
        &options,
        &["--api", "v2", "-v", "set", "/k", "v"],
    );
    assert_eq!(output.code, 0, "{output:?}");
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
    let asked = proxy.asked();
    assert!(asked.starts_with("CONNECT 127.0.0.1:"), "{asked}");
    // base64 of me:hunter2
    assert!(asked.contains("Basic bWU6aHVudGVyMg=="), "{asked}");
    let output = at(&etcd.tls_url(), &options[2..], &["get", "/k"]);
    assert_fails(&output, 3, &["is not trusted"]);
}

/// A proxy that opens tunnels to any address.
struct Tunnel {
    url: String,
    asked: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Tunnel {
    fn start() -> Self {
        let (listener, port) = ports::listener();
        let asked = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let note = std::sync::Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.expect("a client");
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).expect("a head") > 0 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).expect("text");
                let address = head.split(' ').nth(1).expect("an address").to_owned();
                *note.lock().expect("a note") = head;
                let server = std::net::TcpStream::connect(address).expect("the server");
                client
                    .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    .expect("an answer");
                let ways = [(&client, &server), (&server, &client)];
                for (from, to) in ways {
                    let (mut from, mut to) = (
                        from.try_clone().expect("a copy"),
                        to.try_clone().expect("a copy"),
                    );
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self {
            url: format!("http://127.0.0.1:{port}"),
            asked,
        }
    }

    fn asked(&self) -> String {
        self.asked.lock().expect("a note").clone()
    }
}

#[test]
fn a_plaintext_connection_does_not_load_authorities() {
    let etcd = Etcd::start(Version::V3_5);
    // Authorities would be loaded from there.
    let get = ["--api", "v2", "--endpoints", &etcd.url(), "get", "/"];
    let output = Program::tool(&get)
        .env("SSL_CERT_FILE", "/nowhere")
        .env("SSL_CERT_DIR", "/nowhere")
        .run();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let https = ["--endpoints", "https://127.0.0.1:1", "get", "/"];
    let output = Program::tool(&https)
        .env("SSL_CERT_FILE", "/nowhere")
        .env("SSL_CERT_DIR", "/nowhere")
        .run();
    assert_fails(&output, 2, &["--cacert"]);
}

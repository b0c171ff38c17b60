//! Client certificates: servers that require one, and the formats of keys.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rcgen::KeyPair;

use super::{Files, at, server_that};
use crate::support::certificates::{Authority, BOTH, Validity, pem, sec1};
use crate::support::etcd::Version;
use crate::support::tool::assert_ends;

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
                assert_ends(&output, 4, &[asks, "--cert"]);
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
            assert_ends(&output, 4, &["does not accept", "stranger.pem"]);
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

/// A server that requests an optional client certificate, reads a request, and closes the
/// connection.
fn server_that_hangs_up(files: &Files) -> String {
    server_that(files, |stream| {
        let _ = stream.read(&mut [0; 4096]);
    })
}

#[test]
fn an_unanswered_write_over_tls_exits_7() {
    let files = Files::new();
    let url = server_that_hangs_up(&files);
    for api in ["v2", "v3"] {
        let output = at(&url, &files.ca_options(), &["--api", api, "set", "/k", "v"]);
        assert_ends(&output, 7, &["outcome is unknown"]);
    }
}

#[test]
fn a_certificate_request_of_one_server_does_not_affect_errors_of_another() {
    let files = Files::new();
    let both = format!("{},https://127.0.0.1:1", server_that_hangs_up(&files));
    let output = at(&both, &files.ca_options(), &["--api", "v2", "get", "/k"]);
    // The first server may have wanted a certificate. Nothing is known of the second one.
    assert_ends(&output, 4, &["requires a client certificate"]);
    let turned = format!("https://127.0.0.1:1,{}", server_that_hangs_up(&files));
    let output = at(
        &turned,
        &files.ca_options(),
        &["--api", "v2", "-v", "get", "/k"],
    );
    let refused = "! https://127.0.0.1:1 could not be reached: connection refused";
    assert!(output.stderr.contains(refused), "{output:?}");
}

//! Handshakes that fail: without TLS, with an old version of it, or without an answer.

use std::io::{Read as _, Write as _};
use std::thread;

use super::{Files, at};
use crate::support::etcd::Version;
use crate::support::ports;
use crate::support::tool::assert_ends;

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
    assert_ends(&output, 3, &["perhaps it does not use TLS"]);
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
    assert_ends(&output, 3, &["does not use TLS"]);
}

#[test]
fn a_server_older_than_tls_1_2_is_rejected() {
    // The alert protocol_version.
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    // A ServerHello of TLS 1.1.
    let hello = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x0200000000000000000000000000000000\x00\x00\x2f\x00";
    for bytes in [&alert[..], hello] {
        let output = at(&answering(bytes), &[], &["get", "/k"]);
        assert_ends(&output, 3, &["1.2"]);
    }
}

#[test]
fn a_stalled_tls_handshake_exits_3_after_the_connect_timeout() {
    let options = ["--connect-timeout".to_owned(), "300ms".to_owned()];
    let output = at(&answering(b""), &options, &["get", "/k"]);
    assert_ends(&output, 3, &["the connection timed out"]);
}

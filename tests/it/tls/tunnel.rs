//! TLS through a proxy that opens a tunnel.

use std::io::{Read as _, Write as _};
use std::thread;

use super::{Files, at};
use crate::support::etcd::Version;
use crate::support::ports;
use crate::support::tool::assert_ends;

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
    assert_ends(&output, 3, &["is not trusted"]);
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

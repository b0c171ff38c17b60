//! What works over TLS as it does without: commands, streams, and reused connections.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use super::{Files, at, server_that};
use crate::support::etcd::Version;
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Response, Scripted};
use crate::support::tool::Program;
use crate::support::{follow, v2, v3, wait};

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

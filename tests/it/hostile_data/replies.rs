//! Control characters in the errors, headers and events of a server never reach a terminal.
#![allow(clippy::too_many_lines, reason = "a table is as long as it is")]

use std::fs;
use std::thread;

use serde_json::json;

use super::{assert_harmless, control_characters, is_control};
use crate::support::follow::one_event;
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::Program;
use crate::support::wait;

fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Response {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    Response::raw(head).bytes(body)
}

type Server = Box<dyn Fn(&Request) -> Response + Send + Sync>;

const INDEX: &str = "X-Etcd-Cluster-Id: 7\r\nX-Etcd-Index: 10\r\n";

#[test]
fn control_characters_in_server_replies_never_reach_a_terminal() {
    // A message must not start a line of its own either.
    let text = String::from_utf8(control_characters()).unwrap() + "\r\netcdwatch: all is well\n";
    let fault = json!({"errorCode": 999, "message": text, "cause": text, "index": 7}).to_string();
    let error = json!({"error": text, "message": text, "code": 3}).to_string();
    let version = json!({"etcdserver": text, "etcdcluster": text}).to_string();
    let event = json!({"action": text, "node": {"key": "/k", "value": text, "modifiedIndex": 11}, "prevNode": {"key": "/k", "value": text, "modifiedIndex": 7}}).to_string() + "\n";
    let stats = json!({"id": text, "leaderInfo": {"leader": text}}).to_string();
    let member = json!({"header": {"cluster_id": "7", "member_id": "8", "revision": "9"}, "leader": "8", "errors": [text]}).to_string();
    let reason = json!({"result": {"header": {"cluster_id": "7", "revision": "9"}, "created": true, "canceled": true, "cancel_reason": text}}).to_string();
    // The characters that HTTP allows in a header.
    let header: String = text
        .chars()
        .filter(|letter| !letter.is_ascii_control())
        .collect();
    let headers =
        format!("X-Etcd-Cluster-Id: {header}\r\nX-Etcd-Index: 10\r\nLocation: http://{header}\r\n");
    let raw_headers = [
        b"X-Etcd-Cluster-Id: \x80\x9b2J\xff\r\nX-Etcd-Index: \x9b9\r\nLocation: \x9b2J\xff\r\n"
            .to_vec(),
    ];
    let servers: Vec<(&str, Server)> = vec![
        ("a fault", {
            let fault = fault.clone();
            Box::new(move |_| reply("400 Bad", INDEX, &fault))
        }),
        (
            "an error of v3",
            Box::new(move |_| reply("400 Bad", "", &error)),
        ),
        ("a page", {
            let text = text.clone();
            Box::new(move |_| reply("500 Oops", "", &text))
        }),
        ("a text", {
            let text = text.clone();
            Box::new(move |_| reply("200 OK", INDEX, &text))
        }),
        (
            "a reason phrase",
            Box::new(|_| {
                Response::raw("HTTP/1.1 500 \u{9b}2J\u{202e}\r\nContent-Length: 0\r\n\r\n")
            }),
        ),
        (
            "an ESC in a header",
            Box::new(|_| reply("200 OK", "X-Etcd-Cluster-Id: \u{1b}]0;x\u{7}\r\n", "{}")),
        ),
        ("a redirect", {
            let headers = headers.clone();
            Box::new(move |_| reply("302 Found", &headers, ""))
        }),
        (
            "a redirect that is not UTF-8",
            Box::new(move |_| {
                Response::raw(b"HTTP/1.1 302 Found\r\n")
                    .bytes(&raw_headers[0])
                    .bytes("Content-Length: 0\r\n\r\n")
            }),
        ),
        ("a version", {
            let headers = headers.clone();
            Box::new(move |request| match request.path.as_str() {
                "/version" => reply("200 OK", "", &version),
                "/v2/stats/self" => reply("200 OK", &headers, &stats),
                "/v3/maintenance/status" => reply("200 OK", "", &member),
                "/v3/watch" => reply("200 OK", "", &reason),
                path if path.starts_with("/v3") => reply("404 Not Found", "", "404"),
                "/v2/auth/enable" => reply("200 OK", "", "{\"enabled\":true}"),
                _ => reply("404 Not Found", &headers, &fault),
            })
        }),
        (
            "events",
            Box::new(move |request| match request.parameter("wait") {
                Some(_) => Response::raw(format!(
                    "HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
                ))
                .chunk(&event)
                .hold(),
                None => reply(
                    "200 OK",
                    &headers,
                    r#"{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":7}}"#,
                ),
            }),
        ),
    ];
    thread::scope(|scope| {
        for (name, server) in servers {
            scope.spawn(move || show_what_is_said(name, server));
        }
    });
}

/// Runs commands against a server whose text must not reach the terminal unescaped.
fn show_what_is_said(name: &str, server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("checkpoint").display().to_string();
    let server = Scripted::serve(server);
    let url = server.url();
    let watch = one_event("400ms");
    for (command, forms) in [
        (&["get", "/k"][..], &[&["-v"][..], &["-o", "json"]][..]),
        (&["set", "/k", "v"], &[&["-v", "--color", "always"]]),
        (&["--api", "v3", "get", "/k"], &[&["-v"], &["-o", "json"]]),
        (
            &watch,
            &[&["-v", "--prev", "--checkpoint", &file], &["-o", "json"]],
        ),
        (
            &["--api", "v3", "watch", "/k", "--timeout", "400ms"],
            &[&["-v"]],
        ),
        (&["doctor", "--for", "50ms"], &[&["-v"], &["-o", "json"]]),
    ] {
        for form in forms {
            let what = [&["--endpoints", &url], *form, command].concat();
            let terminal = Program::tool(&what).on_terminal(40, 500);
            terminal.wait(wait::LONG);
            let what = [&[name], &what[..]].concat();
            assert_harmless(&terminal, &what);
            let sent = String::from_utf8(terminal.raw()).unwrap();
            assert!(
                !sent.contains("\netcdwatch: all is well"),
                "{what:?}: {sent:?}"
            );
        }
    }
    // People also look at the checkpoint.
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(!kept.trim_end().contains(is_control), "{name}: {kept:?}");
}

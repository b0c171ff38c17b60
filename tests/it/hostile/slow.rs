//! Servers that send single bytes slowly, to keep a client waiting.

use std::time::Duration;

use super::{Case, End, GET, ONE_EVENT, SET, assert_all, reply, two};
use crate::support::scripted::{Request, Response};

const NODE: &str =
    r#"{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}"#;
const LIMIT: Duration = Duration::from_secs(9);

/// Sends these bytes one by one, never slowly enough to count as silent.
fn trickle(begun: Response, bytes: &str) -> Response {
    let step = |all: Response, byte: &u8| all.pause(Duration::from_millis(300)).bytes([*byte]);
    bytes.as_bytes().iter().fold(begun, step)
}

fn slow_head() -> Response {
    trickle(
        Response::default(),
        &format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(200)),
    )
}

fn slow_body(status: &str) -> Response {
    let head = format!("HTTP/1.1 {status}\r\nX-Etcd-Index: 10\r\nContent-Length: 5000\r\n\r\n");
    trickle(Response::raw(head), &" ".repeat(300))
}

fn stuck_body(status: &str) -> Response {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 5000\r\n\r\n");
    Response::raw(head).hold()
}

#[test]
fn a_trickling_reply_ends_at_the_timeout() {
    let timeout = |command: &[&'static str]| [&["--timeout", "1s"], command].concat();
    let soon = Duration::from_secs(4);
    let mut cases = Vec::new();
    for (name, response) in [
        ("a head", slow_head()),
        ("a body", slow_body("200 OK")),
        ("an error", slow_body("500 Oops")),
        ("a refusal", slow_body("400 Bad Request")),
        ("an error that is stuck", stuck_body("500 Oops")),
    ] {
        let commands = [
            GET,
            &["watch", "--stream", "/k"],
            &["doctor", "--for", "100ms"],
            &["--api", "v3", "watch", "--stream", "/k"],
            &["check", "-", "/k"],
        ];
        let [one, other] = two(&cases, &commands);
        for (command, code) in [(one, 124), (other, 124), (SET, 7)] {
            let response = response.clone();
            let server = move |_: &Request| response.clone();
            cases.push(
                Case::new(name, &timeout(command), server, End::With(code, "1s")).within(soon),
            );
        }
    }
    // doctor finds the oldest revision with many requests.
    let status = r#"{"header":{"cluster_id":"7","member_id":"8","revision":"9"},"leader":"8"}"#;
    let server = move |request: &Request| {
        match request.path.as_str() {
        "/version" => reply("200 OK", "", r#"{"etcdserver":"3.5.1"}"#),
        "/v3/maintenance/status" => reply("200 OK", "", status),
        "/v3/watch" => Response::stream(10)
            .chunk("{\"result\":{\"header\":{\"cluster_id\":\"7\",\"revision\":\"9\"},\"created\":true}}\n")
            .hold(),
        // A read at a revision.
        "/v3/kv/range" if String::from_utf8_lossy(&request.body).contains("\"revision\"") => {
            Response::default().hold()
        }
        _ => reply("200 OK", "", r#"{"header":{"cluster_id":"7","revision":"9"}}"#),
    }
    };
    let doctor = timeout(&["--api", "v3", "doctor", "--for", "100ms"]);
    cases.push(Case::new("questions", &doctor, server, End::With(124, "1s")).within(soon));
    assert_all(cases);
}

#[test]
fn a_trickling_reply_is_abandoned_without_a_timeout() {
    let mut cases = Vec::new();
    for (name, response) in [
        ("a head", slow_head()),
        ("an error", slow_body("500 Oops")),
        ("a page", slow_body("404 Not Found")),
        ("an error that is stuck", stuck_body("500 Oops")),
    ] {
        let commands = [
            &["--api", "v2", "watch", "--stream", "/k"][..],
            &["--api", "v3", "watch", "--stream", "/k"],
            &["--api", "v2", "watch", "/k"],
        ];
        for command in two(&cases, &commands) {
            let response = response.clone();
            let server = move |_: &Request| response.clone();
            cases.push(
                Case::new(name, command, server, End::With(3, "does not answer")).within(LIMIT),
            );
        }
    }
    let doctor = ["doctor", "--for", "100ms"];
    let end = End::Finds(1, "does not answer");
    cases.push(Case::new("doctor", &doctor, |_| slow_body("200 OK"), end).within(LIMIT));
    // api auto reads from v3 to give a hint, and that read must not delay events.
    let watch = ["watch", "--stream", "/k", "--count", "1"];
    let server = |request: &Request| {
        if request.parameter("wait").is_none() {
            return slow_body("200 OK");
        }
        let event = "{\"action\":\"set\",\"node\":{\"key\":\"/k\",\"modifiedIndex\":11}}\n";
        Response::stream(10).chunk(event).hold()
    };
    cases.push(Case::new("a hint", &watch, server, End::Survived("11\tset\t/k\t\n")).within(LIMIT));
    assert_all(cases);
}

#[test]
fn an_event_that_arrives_byte_by_byte_is_printed() {
    let line = r#"{"action":"set","node":{"key":"/k","modifiedIndex":11}}"#;
    let server = move |request: &Request| {
        if request.parameter("wait").is_none() {
            return reply("200 OK", "", NODE);
        }
        if request.parameter("stream").is_none() {
            return Response::stream(10).hold();
        }
        let step = |all: Response, byte: &u8| all.pause(Duration::from_millis(20)).chunk([*byte]);
        let bytes = [line.as_bytes(), b"\n"].concat();
        bytes.iter().fold(Response::stream(10), step).hold()
    };
    assert_all(vec![Case::new(
        "slow",
        ONE_EVENT,
        server,
        End::Survived("11\tset\t/k\t\n"),
    )]);
}

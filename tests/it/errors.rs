//! Errors: each exit code, and a message that says what failed and where.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::etcd::{Etcd, Version};
use crate::support::scripted::{Request, Response, Script, Scripted};
use crate::support::tool::{Output, Program, assert_fails, tool};
use crate::support::{ports, shared};

/// An address without a listener.
fn unused_address() -> String {
    format!("http://127.0.0.1:{}", ports::free())
}

/// Runs the tool against `url`, once for each command.
fn against(url: &str, commands: &[&[&str]]) -> Vec<Output> {
    commands
        .iter()
        .map(|command| tool(&[&["--endpoints", url], *command].concat()))
        .collect()
}

const EVERY: [&[&str]; 6] = [
    &["get", "/k"],
    &["set", "/k", "v"],
    &["rm", "/k"],
    &["watch", "/k"],
    &["watch", "--stream", "-r", "/k"],
    &["replay", "/k", "--from-index", "1"],
];

// --- exit code 3

#[test]
fn a_refused_connection_exits_3_and_names_every_endpoint() {
    let (one, two) = (unused_address(), unused_address());
    for output in against(&one, &EVERY) {
        assert_fails(&output, 3, &[&one, "refused", "--endpoints"]);
    }
    for output in against(&format!("{one},{two}"), &EVERY) {
        assert_fails(&output, 3, &[&one, &two]);
    }
    let output = tool(&["-o", "json", "--endpoints", &one, "get", "/k"]);
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "unreachable");
    assert!(error["error"]["message"].as_str().unwrap().contains(&one));
}

#[test]
fn an_unresolvable_host_exits_3_and_is_named() {
    let one = unused_address();
    let list = format!("http://no-such-host.invalid:2379,{one}");
    for command in [&["get", "/k"][..], &["set", "/k", "v"], &["watch", "/k"]] {
        let begin = Instant::now();
        let options = ["--connect-timeout", "1s", "--endpoints", &list];
        let output = tool(&[&options, command].concat());
        assert_fails(&output, 3, &["no-such-host.invalid", &one]);
        assert!(begin.elapsed() < Duration::from_secs(4), "{output:?}");
    }
}

#[test]
fn a_connection_that_is_never_accepted_exits_3_after_the_connect_timeout() {
    let full = ports::full();
    for command in [&["get", "/k"][..], &["set", "/k", "v"], &["watch", "/k"]] {
        let begin = Instant::now();
        let options = ["--connect-timeout", "200ms", "--endpoints", &full.url()];
        let output = tool(&[&options, command].concat());
        assert_fails(&output, 3, &[&full.url()]);
        assert!(begin.elapsed() < Duration::from_millis(1500), "{output:?}");
    }
}

// --- exit code 4

#[test]
fn a_server_without_the_v2_api_exits_4_and_the_hint_names_the_flag() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version).v2(false).start();
        for command in EVERY {
            let output = tool(&[&["--api", "v2", "--endpoints", &etcd.url()], command].concat());
            assert_fails(&output, 4, &[&etcd.url(), "--enable-v2", version.number()]);
        }
        let get = ["--api", "v2", "get", "/k"];
        let output = tool(&[&["-o", "json", "--endpoints", &etcd.url()][..], &get].concat());
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["exit"], 4);
        assert!(
            error["error"]["message"]
                .as_str()
                .unwrap()
                .contains("--enable-v2")
        );
    }
}

#[test]
fn a_request_the_server_refuses_exits_4_with_its_reason() {
    let fault = |code: u32, message: &str, cause: &str| {
        format!(r#"{{"errorCode":{code},"message":"{message}","cause":"{cause}","index":0}}"#)
    };
    for (status, body, parts) in [
        (
            401,
            fault(
                110,
                "The request requires user authentication",
                "Insufficient credentials",
            ),
            &["Insufficient credentials", "--user"][..],
        ),
        (
            403,
            fault(110, "The request requires user authentication", "/k"),
            &["authentication"],
        ),
        (
            500,
            fault(300, "Raft Internal Error", "etcdserver: request timed out"),
            &["request timed out", "quorum"],
        ),
        (
            500,
            fault(301, "During Leader Election", ""),
            &["Leader Election"],
        ),
        (
            400,
            fault(209, "Invalid field", "x"),
            &["Invalid field", "209"],
        ),
        (
            418,
            fault(999, "Something new", "cause"),
            &["Something new", "999"],
        ),
        (
            503,
            r#"{"message":"etcdserver: no leader"}"#.to_owned(),
            &["no leader"],
        ),
        (
            401,
            r#"{"message":"Insufficient credentials"}"#.to_owned(),
            &["Insufficient credentials", "--user"],
        ),
    ] {
        let server = Scripted::serve(move |_| Response::etcd(status, 0, &body));
        let output = tool(&["--endpoints", &server.url(), "get", "/k"]);
        assert_fails(&output, 4, parts);
        assert!(output.stderr.contains(&server.url()), "{output:?}");
    }
}

#[test]
fn a_key_in_place_of_a_directory_or_the_reverse_exits_4() {
    for subtree in shared::each() {
        let file = subtree.key("file");
        subtree.put(&file, "v");
        let below = format!("{file}/below");
        // etcd reports a read below a key as not found, and rejects a write there.
        let output = subtree.tool(&["get", &below]);
        assert!([1, 4].contains(&output.code), "{output:?}");
        assert_fails(&subtree.tool(&["set", &below, "v"]), 4, &[&subtree.url()]);
        assert_fails(&subtree.tool(&["set", subtree.root(), "v"]), 4, &["rm"]);
        assert_fails(&subtree.tool(&["rm", subtree.root()]), 4, &["rm -r"]);
        let in_order = ["set", "--in-order", &file, "v"];
        assert_fails(&subtree.tool(&in_order), 4, &[&subtree.url()]);
        assert_eq!(subtree.value(&file).as_deref(), Some("v"));
    }
}

// --- exit code 6

/// A page of an ordinary web server.
fn page(status: &str) -> Response {
    let body = "<!DOCTYPE html><html><body>It works!</body></html>\n";
    Response::raw(format!(
        "HTTP/1.1 {status}\r\nServer: web\r\nContent-Type: text/html\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn a_web_server_exits_6() {
    for status in [
        "200 OK",
        "404 Not Found",
        "403 Forbidden",
        "405 Method Not Allowed",
    ] {
        let server = Scripted::serve(move |_| page(status));
        for command in [
            &["get", "/k"][..],
            &["get", "-r", "/k", "-o", "json"],
            &["watch", "/k"],
            &["watch", "--stream", "-r", "/k"],
            &["replay", "/k", "--from-index", "1"],
        ] {
            let output = tool(&[&["--endpoints", &server.url()], command].concat());
            assert_fails(&output, 6, &[&server.url()]);
        }
    }
    // It is unknown whether a write that such a server answers was carried out.
    let server = Scripted::serve(|_| page("404 Not Found"));
    for output in against(&server.url(), &[&["set", "/k", "v"], &["rm", "/k"]]) {
        assert!([6, 7].contains(&output.code), "{output:?}");
    }
}

#[test]
fn a_server_that_does_not_speak_http_exits_6() {
    let server = Scripted::serve(|_| Response::raw("220 mail ESMTP\r\n").close());
    for output in against(&server.url(), &[&["get", "/k"], &["watch", "/k"]]) {
        assert_fails(&output, 6, &[&server.url()]);
    }
}

#[test]
fn a_redirect_exits_6_and_is_not_followed() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent",
    ] {
        let target = Scripted::serve(|_| page("200 OK"));
        let location = format!("{}/v2/keys/elsewhere", target.url());
        let server = {
            let location = location.clone();
            Scripted::serve(move |_| {
                Response::raw(format!(
                    "HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                ))
            })
        };
        for command in EVERY {
            let options = ["--user", "root:hunter2", "--endpoints", &server.url()];
            let output = tool(&[&options, command].concat());
            assert_fails(&output, 6, &[&server.url(), &location]);
        }
        assert_eq!(target.connections(), 0, "{status}");
    }
}

#[test]
fn a_truncated_or_malformed_reply_exits_6() {
    for body in [
        r#"{"action":"get","node":{"key":"/k","val"#,
        "",
        "null",
        "[]",
        "{}",
        r#"{"action":"get"}"#,
        r#"{"action":"get","node":"x"}"#,
        r#"{"action":"get","node":{"key":"/k","value":"v"}}{"#,
        "\u{feff}{}",
    ] {
        let server = Scripted::serve(move |_| Response::etcd(200, 7, body));
        for command in [
            &["get", "/k"][..],
            &["get", "-r", "/k"],
            &["-o", "json", "get", "/k"],
        ] {
            let output = tool(&[&["--endpoints", &server.url()], command].concat());
            assert_fails(&output, 6, &[&server.url()]);
        }
    }
    let server = Scripted::serve(|_| Response::etcd(200, 7, b"{\"node\":{\"key\":\"\xff\"}}"));
    assert_fails(&tool(&["--endpoints", &server.url(), "get", "/k"]), 6, &[]);
}

#[test]
fn a_reply_over_the_size_limit_exits_6_and_names_max_event() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, &"x".repeat(10_000));
    for command in [
        &["get", &key][..],
        &["get", "-r", subtree.root(), "-o", "json"],
    ] {
        let output = subtree.tool(&[&["--max-event", "1KiB"], command].concat());
        assert_fails(&output, 6, &["--max-event", &subtree.url()]);
        let output = subtree.tool(&[&["--max-event", "16KiB"], command].concat());
        assert_eq!(output.code, 0, "{output:?}");
    }
}

#[test]
fn an_endless_reply_exits_6_at_the_size_limit() {
    let server = Scripted::serve(|_| {
        let chunk = vec![b' '; 1 << 20];
        (0..80).fold(Response::stream(7), |reply, _| reply.chunk(&chunk))
    });
    let output = tool(&["--endpoints", &server.url(), "get", "/k"]);
    assert_fails(&output, 6, &["--max-event"]);
}

// --- exit code 7

/// Asserts that the write was sent once, to this server only.
#[track_caller]
fn assert_sent_once(server: &Scripted, other: &Scripted, method: &str) {
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].method, method);
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_write_whose_connection_breaks_exits_7_and_is_not_retried() {
    let endings: [fn() -> Response; 3] = [
        || Response::default().reset(),
        || Response::default().close(),
        || Response::raw("HTTP/1.1 200 OK\r\nContent-Le").reset(),
    ];
    for (command, method) in [
        (&["set", "/k", "v"][..], "PUT"),
        (&["set", "/k", "v", "--in-order"], "POST"),
        (&["set", "/k", "v", "--prev-index", "3"], "PUT"),
        (&["rm", "/k"], "DELETE"),
    ] {
        for ending in endings {
            let server = Scripted::serve(move |_| ending());
            let other = Scripted::serve(|_| page("200 OK"));
            let list = format!("{},{}", server.url(), other.url());
            let output = tool(&[&["--endpoints", &list], command].concat());
            assert_fails(&output, 7, &[&server.url(), "outcome is unknown"]);
            assert_sent_once(&server, &other, method);
        }
    }
}

#[test]
fn a_write_with_a_truncated_reply_exits_7() {
    let server = Scripted::serve(|_| {
        let head = "HTTP/1.1 201 Created\r\nX-Etcd-Index: 7\r\nContent-Length: 100\r\n\r\n";
        Response::raw(head).bytes("{\"action\":").close()
    });
    let other = Scripted::serve(|_| page("200 OK"));
    let list = format!("{},{}", server.url(), other.url());
    let output = tool(&["--endpoints", &list, "-o", "json", "set", "/k", "v"]);
    assert_fails(&output, 7, &[]);
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["exit"], 7);
    assert_eq!(error["error"]["kind"], "outcomeUnknown");
    assert_sent_once(&server, &other, "PUT");
}

#[test]
fn a_write_without_an_answer_exits_7_on_timeout() {
    for (command, method) in [(&["set", "/k", "v"][..], "PUT"), (&["rm", "/k"], "DELETE")] {
        let server = Scripted::serve(|_| Response::default().hold());
        let other = Scripted::serve(|_| page("200 OK"));
        let list = format!("{},{}", server.url(), other.url());
        let begin = Instant::now();
        let options = ["--timeout", "400ms", "--endpoints", &list];
        let output = tool(&[&options, command].concat());
        assert_fails(&output, 7, &[&server.url(), "400ms"]);
        assert!(begin.elapsed() >= Duration::from_millis(400));
        assert!(begin.elapsed() < Duration::from_secs(3), "{output:?}");
        assert_sent_once(&server, &other, method);
    }
}

#[test]
fn a_write_that_timed_out_in_raft_exits_7() {
    let body = r#"{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: request timed out","index":0}"#;
    let server = Script::new().reply(Response::etcd(500, 0, body)).start();
    let other = Scripted::serve(|_| page("200 OK"));
    let list = format!("{},{}", server.url(), other.url());
    let output = tool(&["--endpoints", &list, "set", "/k", "v"]);
    assert_fails(&output, 7, &[&server.url(), "request timed out"]);
    assert_sent_once(&server, &other, "PUT");
}

#[test]
fn a_failed_read_before_a_conditional_write_does_not_exit_7() {
    // The read before a comparison with the empty value fails, so that nothing was written.
    let server = Scripted::serve(|_| Response::default().reset());
    let set = ["set", "/k", "v", "--prev-value", "", "--endpoints"];
    let output = tool(&[&set[..], &[&server.url()]].concat());
    assert_ne!(output.code, 7, "{output:?}");
    assert_ne!(output.code, 0, "{output:?}");
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
}

// --- exit code 124

#[test]
fn a_read_from_a_silent_server_exits_124() {
    for command in [&["get", "/k"][..], &["get", "-r", "/", "--quorum"]] {
        let server = Scripted::serve(|_| Response::default().hold());
        let begin = Instant::now();
        let options = ["--timeout", "400ms", "--endpoints", &server.url()];
        let output = tool(&[&options, command].concat());
        assert_fails(&output, 124, &["400ms"]);
        assert!(begin.elapsed() >= Duration::from_millis(400));
        assert!(begin.elapsed() < Duration::from_secs(3), "{output:?}");
    }
}

#[test]
fn a_read_whose_reply_stalls_exits_124() {
    let server = Scripted::serve(|_| Response::stream(7).chunk("{\"action\":\"get\",").hold());
    let begin = Instant::now();
    let get = ["--timeout", "400ms", "get", "/k", "--endpoints"];
    let output = tool(&[&get[..], &[&server.url()]].concat());
    assert_fails(&output, 124, &[]);
    assert!(begin.elapsed() < Duration::from_secs(3), "{output:?}");
}

#[test]
fn a_read_without_timeout_exits_124_after_5_s() {
    let server = Scripted::serve(|_| Response::default().hold());
    let begin = Instant::now();
    let output = tool(&["--endpoints", &server.url(), "get", "/k"]);
    assert_fails(&output, 124, &["5s"]);
    assert!(begin.elapsed() >= Duration::from_millis(4900), "{output:?}");
    assert!(begin.elapsed() < Duration::from_secs(8), "{output:?}");
}

#[test]
fn a_watch_exits_124_on_timeout() {
    let subtree = shared::any();
    for flags in [&[][..], &["--stream", "-r"]] {
        let begin = Instant::now();
        let watch = ["watch", subtree.root(), "--timeout", "400ms"];
        let output = subtree.tool(&[&watch[..], flags].concat());
        assert_fails(&output, 124, &["400ms"]);
        assert!(begin.elapsed() < Duration::from_secs(3), "{output:?}");
    }
    let output = subtree.tool(&["-o", "json", "watch", subtree.root(), "--timeout", "50ms"]);
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "timeout");
    assert_eq!(error["error"]["exit"], 124);
}

#[test]
fn a_write_that_was_never_sent_exits_124_and_not_7() {
    // The timeout comes while the tool connects. Nothing was sent, so that the outcome is known.
    let full = ports::full();
    let set = [
        "set",
        "/k",
        "v",
        "--timeout",
        "300ms",
        "--connect-timeout",
        "60s",
    ];
    let output = tool(&[&["--endpoints", &full.url()], &set[..]].concat());
    assert_fails(&output, 124, &["300ms"]);
}

// --- credentials

fn note(request: &Request) -> Response {
    let body = r#"{"errorCode":110,"message":"The request requires user authentication","cause":"Insufficient credentials","index":0}"#;
    let right = request.header("Authorization") == Some("Basic cm9vdDpodW50ZXIyOng=");
    let status = if right { 403 } else { 401 };
    Response::etcd(status, 0, body)
}

#[test]
fn credentials_are_sent_but_never_printed() {
    // The password contains a colon. Only the first colon separates it from the user.
    let user = "root:hunter2:x";
    for command in [
        &["-v", "get", "/k"][..],
        &["-v", "-o", "json", "set", "/k", "v"],
        &["-v", "watch", "--stream", "/k"],
        &["-v", "replay", "/k", "--from-index", "1"],
    ] {
        let server = Scripted::serve(note);
        let url = server.url();
        let options = ["--endpoints", &url, "--user", user];
        let output = tool(&[&options, command].concat());
        assert_fails(&output, 4, &["curl", "root"]);
        let requests = server.requests();
        assert!(!requests.is_empty());
        for request in requests {
            assert_eq!(
                request.header("Authorization"),
                Some("Basic cm9vdDpodW50ZXIyOng="),
                "{command:?}"
            );
        }
        for secret in ["hunter2", "cm9vdDpodW50ZXIyOng"] {
            assert!(!output.stderr.contains(secret), "{output:?}");
        }
    }
    let output = Program::tool(&["get", "/k", "--user", user, "--proxy", "nonsense://x"]).run();
    assert_fails(&output, 2, &[]);
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
}

#[test]
fn the_proxy_password_is_never_printed() {
    let proxy = unused_address().replace("http://", "http://me:hunter2@");
    let output = tool(&[
        "-v",
        "get",
        "/k",
        "--endpoints",
        &unused_address(),
        "--proxy",
        &proxy,
    ]);
    assert_ne!(output.code, 0);
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
    let bad = "nonsense://me:hunter2@127.0.0.1:1";
    let output = tool(&[
        "-v",
        "get",
        "/k",
        "--endpoints",
        &unused_address(),
        "--proxy",
        bad,
    ]);
    assert_fails(&output, 2, &["--proxy"]);
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
}

#[test]
fn a_real_server_with_authentication_requires_and_accepts_the_password() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let administer = |path: &str, body: &str| {
        let address = format!("{url}/v2/auth/{path}");
        let user = ["-u", "root:hunter2", "-X", "PUT"];
        let json = ["-H", "Content-Type: application/json", "-d", body];
        let arguments = [&["-fsS"], &user[..], &json, &[&address]].concat();
        let output = Program::new("curl", &arguments).run();
        assert_eq!(output.code, 0, "{output:?}");
    };
    administer("users/root", r#"{"user":"root","password":"hunter2"}"#);
    administer("enable", "");
    // A guest may do everything by default.
    let revoked = r#"{"kv":{"read":["/*"],"write":["/*"]}}"#;
    administer(
        "roles/guest",
        &format!(r#"{{"role":"guest","revoke":{revoked}}}"#),
    );

    let set = ["--endpoints", &url, "set", "/k", "v"];
    assert_fails(&tool(&set), 4, &["--user"]);
    let wrong = [&set[..], &["--user", "root:wrong"]].concat();
    assert_fails(&tool(&wrong), 4, &["--user"]);
    let right = [&set[..], &["--user", "root:hunter2"]].concat();
    assert_eq!(tool(&right).code, 0);
    assert_fails(&tool(&["--endpoints", &url, "get", "/k"]), 4, &["--user"]);
    let output = tool(&["--endpoints", &url, "get", "/k", "--user", "root:hunter2"]);
    assert_eq!(output.stdout, "v\n", "{output:?}");
}

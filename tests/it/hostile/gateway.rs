//! Replies of the v3 gateway.

use serde_json::{Value, json};

use super::{Case, End, assert_all, malformed, two};
use crate::support::scripted::{Request, Response};
use crate::support::v3::encode;

const GET: &[&str] = &["--api", "v3", "get", "/k"];
const LIST: &[&str] = &["--api", "v3", "get", "-r", "/k"];
const SET: &[&str] = &["--api", "v3", "set", "/k", "v"];
const RM: &[&str] = &["--api", "v3", "rm", "/k"];
const SNAPSHOT: &[&str] = &["--api", "v3", "watch", "--stream", "--snapshot", "/k"];
const CHECK: &[&str] = &["--api", "v3", "check", "-", "/k"];
const ONE: &[&str] = &["--api", "v3", "watch", "/k"];
const STREAM: &[&str] = &[
    "--api", "v3", "-o", "json", "watch", "--stream", "/k", "--count", "1",
];

fn http(status: &str, body: impl AsRef<[u8]>) -> Response {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Response::raw(head).bytes(body)
}

fn header(revision: u64) -> Value {
    json!({"cluster_id": "7", "member_id": "1", "revision": revision.to_string(), "raft_term": "2"})
}

fn pair(revision: &str) -> Value {
    json!({
        "key": encode("/k"), "value": encode("v"), "create_revision": "2",
        "mod_revision": revision, "version": "1",
    })
}

/// A reply whose only key-value pair has this field.
fn with(field: &str, value: Value) -> String {
    let mut pair = pair("3");
    pair[field] = value;
    range(&pair).to_string()
}

fn range(pair: &Value) -> Value {
    json!({"header": header(9), "succeeded": true, "kvs": [pair], "responses": [{"response_range": {"kvs": [pair]}}]})
}

fn begin() -> Response {
    Response::raw(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
}

fn created(revision: u64) -> String {
    json!({"result": {"header": header(revision), "created": true}}).to_string() + "\n"
}

fn message(revision: u64, events: &[Value]) -> String {
    json!({"result": {"header": header(revision), "events": events}}).to_string() + "\n"
}

fn put(revision: &str) -> Value {
    json!({"kv": pair(revision)})
}

/// A server at revision 3 whose watch sends these lines after its first message.
fn sending(lines: impl Into<Vec<u8>>) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let lines: Vec<u8> = lines.into();
    move |request| match request.path.as_str() {
        "/v3/watch" => begin().chunk(created(3)).chunk(&lines).hold(),
        _ => http("200 OK", json!({"header": header(3)}).to_string()),
    }
}

#[test]
fn an_invalid_v3_reply_is_malformed() {
    let mut cases = Vec::new();
    let header = |name: &str, value: Value| {
        let mut body = range(&pair("3"));
        body["header"][name] = value;
        body.to_string()
    };
    for (name, body, part) in [
        ("nothing", String::new(), ""),
        ("null", "null".to_owned(), "null"),
        ("a list", "[]".to_owned(), ""),
        ("nothing in it", "{}".to_owned(), "header"),
        ("a web page", "<html>".to_owned(), "<html>"),
        ("no header", json!({"kvs": []}).to_string(), "header"),
        ("a header that is null", json!({"header": null}).to_string(), ""),
        ("no revision", json!({"header": {"cluster_id": "7"}}).to_string(), "revision"),
        ("a revision beyond 64 bits", header("revision", json!("18446744073709551616")), ""),
        ("a negative revision", header("revision", json!("-1")), ""),
        ("a revision that is a number", header("revision", json!(9)), ""),
        ("a revision that is null", header("revision", json!(null)), ""),
        ("a cluster that is a word", header("cluster_id", json!("mine")), ""),
        ("pairs that are null", json!({"header": {"revision": "9"}, "kvs": null, "responses": null}).to_string(), ""),
        ("pairs of nothing", json!({"header": {"revision": "9"}, "kvs": [{}], "responses": [{"response_range": {"kvs": [{}]}}]}).to_string(), "key"),
        ("a key that is not base64", with("key", json!("!!!")), ""),
        ("a key of half a byte", with("key", json!("L")), ""),
        ("a key that is a number", with("key", json!(7)), ""),
        ("a value that is not base64", with("value", json!("\u{1b}[2J")), ""),
        ("a value that is null", with("value", json!(null)), ""),
        ("a modification beyond 64 bits", with("mod_revision", json!("99999999999999999999")), ""),
        ("a negative modification", with("mod_revision", json!("-3")), ""),
        ("a fraction of one", with("mod_revision", json!("3.5")), ""),
        ("a lease beyond 64 bits", with("lease", json!("9223372036854775808")), ""),
        ("two headers", r#"{"header":{"revision":"9"},"header":{"revision":"9"}}"#.to_owned(), "duplicate"),
        ("cut short", range(&pair("3")).to_string()[..70].to_owned(), ""),
        ("two replies", range(&pair("3")).to_string().repeat(2), "trailing"),
        ("deep", format!("{}{}", r#"{"header":"#.repeat(10_000), "}".repeat(10_000)), ""),
    ] {
        for command in two(&cases, &[GET, SET, LIST, RM, SNAPSHOT, CHECK]) {
            let body = body.clone();
            let server = move |request: &Request| match request.path.as_str() {
                "/v3/watch" => begin().chunk(created(9)).hold(),
                _ => http("200 OK", &body),
            };
            cases.push(Case::new(name, command, server, malformed(command, part)));
        }
    }
    assert_all(cases);
}

#[test]
fn an_invalid_v3_watch_message_ends_the_watch() {
    let event = |event: Value| message(4, &[event]);
    let kv = |field: &str, value: Value| {
        let mut put = put("4");
        put["kv"][field] = value;
        message(4, &[put])
    };
    let result = |result: Value| json!({ "result": result }).to_string() + "\n";
    let mut cases = Vec::new();
    for (name, line, part) in [
        ("a web page", "<html>\n".to_owned(), "<html>"),
        ("null", "null\n".to_owned(), "null"),
        ("a list", "[]\n".to_owned(), ""),
        ("nothing in it", "{}\n".to_owned(), ""),
        (
            "a result that is null",
            "{\"result\":null}\n".to_owned(),
            "",
        ),
        ("a NUL", "\0\n".to_owned(), ""),
        (
            "brackets, deep",
            format!("{}{}\n", "[".repeat(10_000), "]".repeat(10_000)),
            "",
        ),
        (
            "objects, deep",
            r#"{"result":"#.repeat(10_000) + &"}".repeat(10_000),
            "",
        ),
        (
            "a revision beyond 64 bits",
            result(json!({"header": {"revision": "99999999999999999999"}})),
            "",
        ),
        (
            "a negative revision",
            result(json!({"header": {"revision": "-4"}})),
            "",
        ),
        ("a header that is null", result(json!({"header": null})), ""),
        (
            "events that are null",
            result(json!({"header": header(4), "events": null})),
            "",
        ),
        (
            "events that are numbers",
            result(json!({"header": header(4), "events": [1, 2]})),
            "",
        ),
        ("an event of nothing", event(json!({})), "kv"),
        ("an event whose key is null", event(json!({"kv": null})), ""),
        (
            "an event without revision",
            event(json!({"kv": {"key": encode("/k")}})),
            "",
        ),
        ("an event at 0", kv("mod_revision", json!("0")), ""),
        (
            "an event beyond 64 bits",
            kv("mod_revision", json!("18446744073709551616")),
            "",
        ),
        (
            "an event at a negative one",
            kv("mod_revision", json!("-4")),
            "",
        ),
        ("an event at a number", kv("mod_revision", json!(4)), ""),
        ("a negative version", kv("version", json!("-1")), ""),
        (
            "a key that is not base64",
            kv("key", json!("\u{9b}31m")),
            "",
        ),
        ("a value that is not base64", kv("value", json!("=A=")), ""),
        (
            "an unknown type",
            event(json!({"type": "gap\u{1b}\netcdwatch: all is well", "kv": pair("4")})),
            "of the type gap",
        ),
        (
            "a value before that is none",
            event(json!({"kv": pair("4"), "prev_kv": []})),
            "",
        ),
        (
            "a revision that goes back",
            message(9, &[put("8"), put("4")]),
            "comes after",
        ),
        (
            "two results",
            "{\"result\":{},\"result\":{}}\n".to_owned(),
            "duplicate",
        ),
    ] {
        let [command, _] = two(&cases, &[STREAM, ONE]);
        cases.push(Case::new(
            name,
            command,
            sending(line.clone()),
            End::With(6, part),
        ));
    }
    for (name, error, code, part) in [
        (
            "an error of lines",
            json!({"grpc_code": 3, "http_code": 400, "message": "no\netcdwatch: all is well"}),
            4,
            r"no\netcdwatch",
        ),
        ("an error of nothing", json!({}), 4, "refused"),
        (
            "an error beyond 32 bits",
            json!({"code": 99_999_999_999_u64}),
            6,
            "",
        ),
        (
            "a long error",
            json!({"code": 3, "message": "x".repeat(1 << 20)}),
            4,
            "xxx",
        ),
    ] {
        let line = json!({ "error": error }).to_string() + "\n";
        cases.push(Case::new(name, ONE, sending(line), End::With(code, part)));
    }
    let reason = json!({"header": header(3), "canceled": true, "cancel_reason": "no\nmore\u{9b}"});
    cases.push(Case::new(
        "a reason of lines",
        ONE,
        sending(result(reason)),
        End::With(4, r"no\nmore\u{9b}"),
    ));
    assert_all(cases);
}

#[test]
fn unusual_but_valid_v3_messages_are_accepted() {
    let mut other = put("4");
    other["kv"]["key"] = encode("/kk").into();
    let mut more = put("4");
    more["action"] = "gap".into();
    more["origin"] = "snapshot".into();
    let good = message(5, &[put("5")]);
    let mut cases = vec![
        Case::new(
            "an event out of scope",
            STREAM,
            sending(message(4, &[other]) + &good),
            End::Survived("\"modifiedIndex\":5,"),
        ),
        Case::new(
            "more fields",
            STREAM,
            sending(message(4, &[more])),
            End::Survived("{\"action\":\"set\",\"node\""),
        ),
        Case::new(
            "blank lines",
            STREAM,
            sending(" \r\n".repeat(200_000) + &good),
            End::Survived("\"modifiedIndex\":5,"),
        ),
        Case::new(
            "messages of nothing",
            STREAM,
            sending(message(3, &[]).repeat(2_000) + &good),
            End::Survived("\"modifiedIndex\":5,"),
        ),
        Case::new(
            "begun again and again",
            STREAM,
            sending(created(3).repeat(2_000) + &good),
            End::Survived("\"modifiedIndex\":5,"),
        ),
        Case::new(
            "no line breaks",
            STREAM,
            sending(good.trim_end()),
            End::Survived("\"modifiedIndex\":5,"),
        ),
        Case::new(
            "the last revision there is",
            STREAM,
            sending(message(u64::MAX, &[put("18446744073709551615")])),
            End::Survived("18446744073709551615"),
        ),
    ];
    let fail = [STREAM, &["--on-gap", "fail", "--from-index", "2"]].concat();
    let foreign = |lines: &str| lines.replace("\"cluster_id\":\"7\"", "\"cluster_id\":\"8\"");
    // The stream breaks, and another cluster answers after that.
    let first = begin()
        .chunk(created(3))
        .chunk(message(3, &[put("3")]))
        .end();
    let second = begin().chunk(foreign(&created(9))).hold();
    let server = move |request: &Request| {
        let body = String::from_utf8_lossy(&request.body);
        match request.path.as_str() {
            "/v3/watch" if body.contains("\"start_revision\":\"1\"") => first.clone(),
            "/v3/watch" => second.clone(),
            _ => http("200 OK", range(&pair("3")).to_string()),
        }
    };
    let fail = fail
        .iter()
        .map(|word| if *word == "1" { "9" } else { word })
        .collect::<Vec<_>>();
    let printed = "{\"action\":\"set\",\"node\":{\"key\":\"/k\",\"value\":\"v\",\"modifiedIndex\":3,\"createdIndex\":2,\"version\":1}}\n";
    cases.push(Case::new(
        "another cluster",
        &fail,
        server,
        End::Ends(5, printed, "clusterChanged"),
    ));
    // A compaction beyond every revision that was ever written.
    let canceled = json!({"result": {"header": header(3), "canceled": true, "compact_revision": "18446744073709551615"}});
    let command = [STREAM, &["--timeout", "1s"]].concat();
    cases.push(Case::new(
        "compacted to the end",
        &command,
        sending(canceled.to_string() + "\n"),
        End::With(124, ""),
    ));
    let no_header = move |request: &Request| match request.path.as_str() {
        "/v3/watch" => begin().chunk("{\"result\":{\"created\":true}}\n").hold(),
        _ => http("200 OK", json!({"header": header(3)}).to_string()),
    };
    cases.push(Case::new(
        "begun by nobody",
        &command,
        no_header,
        End::With(6, ""),
    ));
    assert_all(cases);
}

#[test]
fn an_endless_v3_reply_ends_at_the_size_limit() {
    // The timeout must not come before the size limit is reached on a busy machine.
    let small =
        |command: &[&'static str]| [&["--max-event", "1MiB", "--timeout", "60s"], command].concat();
    let piece = "x".repeat(1 << 20);
    let endless = move |begun: Response| (0..64).fold(begun, |all, _| all.chunk(&piece)).hold();
    let mut cases = Vec::new();
    for command in [GET, LIST] {
        let endless = endless.clone();
        let server = move |_: &Request| endless(begin().chunk("{\"header\":{\"revision\":\""));
        cases.push(Case::new(
            "a reply",
            &small(command),
            server,
            End::With(6, "--max-event"),
        ));
    }
    for command in [SNAPSHOT, CHECK] {
        let endless = endless.clone();
        let server = move |request: &Request| match request.path.as_str() {
            "/v3/watch" => begin().chunk(created(9)).hold(),
            _ => endless(begin().chunk("{\"header\":{\"revision\":\"")),
        };
        cases.push(
            Case::new(
                "a state",
                &small(command),
                server,
                End::With(6, "--max-event"),
            )
            .adds(64),
        );
    }
    let of_nothing = format!(
        r#"{{"header":{{"revision":"9"}},"kvs":[{}1]}}"#,
        "{\"key\":\"\"},".repeat(80_000)
    );
    let server = move |_: &Request| http("200 OK", &of_nothing);
    cases.push(Case::new(
        "pairs of nothing",
        &small(LIST),
        server,
        End::With(6, "mod_revision"),
    ));
    for (name, begun) in [
        ("an event", r#"{"result":{"events":[{"kv":{"key":""#),
        ("a header", r#"{"result":{"header":{"revision":""#),
        ("a name", r#"{""#),
    ] {
        let endless = endless.clone();
        let server = move |request: &Request| match request.path.as_str() {
            "/v3/watch" => endless(begin().chunk(created(3)).chunk(begun)),
            _ => http("200 OK", json!({"header": header(3)}).to_string()),
        };
        cases.push(Case::new(
            name,
            &small(STREAM),
            server,
            End::With(6, "--max-event"),
        ));
    }
    let large = |command: &[&'static str]| [&["--max-event", "24MiB"], command].concat();
    let server = move |request: &Request| match request.path.as_str() {
        "/v3/watch" => {
            let begun = begin()
                .chunk(created(3))
                .chunk(r#"{"result":{"events":[{"kv":{"key":""#);
            endless(begun)
        }
        _ => http("200 OK", json!({"header": header(3)}).to_string()),
    };
    let end = End::With(6, "--max-event");
    cases.push(Case::new("an event of 24 MiB", &large(STREAM), server, end).adds(24));
    // Small events, all of one transaction.
    let events = format!("{},", put("4")).repeat(5_000);
    let server = move |request: &Request| match request.path.as_str() {
        "/v3/watch" => {
            let begun = begin()
                .chunk(created(3))
                .chunk(r#"{"result":{"header":{},"events":["#);
            (0..64).fold(begun, |all, _| all.chunk(&events)).hold()
        }
        _ => http("200 OK", json!({"header": header(3)}).to_string()),
    };
    cases.push(
        Case::new(
            "a transaction",
            &small(STREAM),
            server,
            End::With(6, "--max-event"),
        )
        .adds(64),
    );
    assert_all(cases);
}

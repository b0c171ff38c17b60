//! Complete v2 replies with contents that etcd does not send.

use serde_json::json;

use super::{
    Case, End, GET, GET_V3, LIST, LIST_JSON, REPLAY, RM, SET, STREAM, STREAM_V3, assert_all,
    malformed, page, reply, two,
};
use crate::support::scripted::Response;

/// A reply with a key and this text as its index.
fn key(index: &str) -> String {
    format!(r#"{{"action":"get","node":{{"key":"/k","value":"v","modifiedIndex":{index}}}}}"#)
}

/// Ten thousand nested directories.
fn deep() -> String {
    let open = r#"{"key":"/k","dir":true,"nodes":["#.repeat(10_000);
    format!(r#"{{"action":"get","node":{open}{}}}"#, "]}".repeat(10_000))
}

fn nodes(nodes: &str) -> String {
    format!(r#"{{"action":"get","node":{{"key":"/k","dir":true,"nodes":[{nodes}]}}}}"#)
}

#[test]
fn an_invalid_v2_reply_to_a_read_is_malformed() {
    let mut cases = Vec::new();
    let texts: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", b"".to_vec(), "empty"),
        ("blanks", b" \n ".to_vec(), "empty"),
        ("null", b"null".to_vec(), ""),
        ("a number", b"7".to_vec(), ""),
        ("a list", b"[]".to_vec(), ""),
        (
            "a list of what is due",
            br#"["get",{"key":"/k"},null,1,1,1,1,1]"#.to_vec(),
            "not a JSON object",
        ),
        ("an empty object", b"{}".to_vec(), "missing"),
        ("no node", br#"{"action":"get"}"#.to_vec(), "node"),
        (
            "a node that is null",
            br#"{"action":"get","node":null}"#.to_vec(),
            "",
        ),
        (
            "a node that is a list",
            br#"{"action":"get","node":[]}"#.to_vec(),
            "",
        ),
        (
            "two nodes",
            br#"{"node":{"key":"/k"},"node":{"key":"/k"}}"#.to_vec(),
            "duplicate",
        ),
        ("two texts", (key("7") + &key("8")).into_bytes(), "trailing"),
        (
            "cut short",
            br#"{"action":"get","node":{"key":"/k","val"#.to_vec(),
            "",
        ),
        ("a web page", b"<!DOCTYPE html><html>".to_vec(), "<!DOCTYPE"),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", key("7").as_bytes()].concat(),
            "",
        ),
        (
            "a key that is not UTF-8",
            br#"{"node":{"key":"/k"#.iter().copied().chain(*b"\xff\"}}").collect(),
            "UTF-8",
        ),
        (
            "C1 that is not UTF-8",
            br#"{"node":{"key":""#.iter().copied().chain(*b"\x9b31m\"}}").collect(),
            "UTF-8",
        ),
        ("a NUL between", b"{\"node\":\0{}}".to_vec(), ""),
        (
            "an error",
            br#"{"errorCode":100,"message":"Key not found","cause":"/k","index":7}"#.to_vec(),
            "missing",
        ),
        (
            "a gap of ours",
            br#"{"action":"gap","node":{"key":"/k","value":"v"}}"#.to_vec(),
            "imitates",
        ),
        (
            "a state of ours",
            br#"{"action":"get","origin":"snapshot","node":{"key":"/k","value":"v"}}"#.to_vec(),
            "imitates",
        ),
        (
            "a position of ours",
            br#"{"action":"get","index":null,"node":{"key":"/k","value":"v"}}"#.to_vec(),
            "imitates",
        ),
    ];
    for (name, text, part) in texts {
        for command in two(&cases, &[GET, LIST_JSON, LIST, LIST_JSON]) {
            let text = text.clone();
            let server = move |_: &_| reply("200 OK", "", &text);
            cases.push(Case::new(name, command, server, End::With(6, part)));
        }
    }
    // The node is parsed only if it is printed field by field.
    let of_node = [
        ("a deep one", deep(), "deep"),
        ("an index beyond 64 bits", key("99999999999999999999"), ""),
        ("an index with a fraction", key("1.5"), ""),
        ("an index without end", key("1e999"), ""),
        ("a negative index", key("-1"), ""),
        ("an index in words", key("\"7\""), ""),
        (
            "a key that is a number",
            r#"{"node":{"key":7}}"#.to_owned(),
            "",
        ),
        (
            "a value that is an object",
            r#"{"node":{"key":"/k","value":{}}}"#.to_owned(),
            "",
        ),
        (
            "a directory perhaps",
            r#"{"node":{"key":"/k","dir":"yes"}}"#.to_owned(),
            "",
        ),
        (
            "two keys",
            r#"{"node":{"key":"/k","key":"/l"}}"#.to_owned(),
            "duplicate",
        ),
        (
            "two values",
            r#"{"node":{"key":"/k","value":"a","value":"b"}}"#.to_owned(),
            "duplicate",
        ),
        (
            "half a character",
            r#"{"node":{"key":"/k","value":"\ud800"}}"#.to_owned(),
            "",
        ),
        ("nodes that are none", nodes("1,2,3"), ""),
        ("nodes without keys", nodes("{},{},{}"), "key"),
    ];
    for (name, text, part) in of_node {
        for command in [GET, LIST] {
            let text = text.clone();
            let server = move |_: &_| reply("200 OK", "", &text);
            cases.push(Case::new(name, command, server, End::With(6, part)));
        }
    }
    let deep = deep();
    let server = move |_: &_| reply("200 OK", "", &deep);
    cases.push(Case::new(
        "a deep one",
        LIST_JSON,
        server,
        End::Survived("]}]}]}"),
    ));
    let server = |_: &_| {
        reply(
            "200 OK",
            "",
            nodes(r#"{"key":"/k/\u0000\u001b","value":"\u0000","modifiedIndex":7}"#),
        )
    };
    cases.push(Case::new(
        "a NUL in a value",
        LIST,
        server,
        End::Survived("/k/\\x00\\x1b\t\\x00\n"),
    ));
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xabV*I-.Q\xb2R\0\0";
    for command in [GET, LIST_JSON, STREAM, SET] {
        let server = move |_: &_| reply("200 OK", "Content-Encoding: gzip\r\n", gzip);
        cases.push(Case::new(
            "compressed",
            command,
            server,
            malformed(command, "gzip"),
        ));
    }
    assert_all(cases);
}

#[test]
fn a_large_v2_reply_ends_at_the_size_limit() {
    let small = |command: &[&'static str]| [&["--max-event", "1MiB"], command].concat();
    let piece = "x".repeat(1 << 20);
    let endless = move |_: &_| {
        (0..40)
            .fold(Response::stream(10), |all, _| all.chunk(&piece))
            .hold()
    };
    let whole = |text: String| move |_: &_| reply("200 OK", "", &text);
    let mut cases = Vec::new();
    for command in [GET, LIST, LIST_JSON] {
        let end = End::With(6, "--max-event");
        cases.push(Case::new(
            "without end",
            &small(command),
            endless.clone(),
            end,
        ));
        let text = whole(nodes(&format!("{}1", "{},".repeat(300_000))));
        let end = End::With(6, "");
        if command == LIST_JSON {
            continue;
        }
        cases.push(Case::new("of nothing", &small(command), text, end));
    }
    for command in [SET, RM] {
        let end = End::With(7, "outcome is unknown");
        cases.push(Case::new(
            "without end",
            &small(command),
            endless.clone(),
            end,
        ));
    }
    let snapshot = small(&["watch", "--stream", "--snapshot", "/k"]);
    let end = End::With(6, "--max-event");
    cases.push(Case::new("a state without end", &snapshot, endless.clone(), end).adds(64));
    for api in ["v2", "v3"] {
        let check = small(&["--api", api, "check", "-", "/k"]);
        cases.push(Case::new("a state without end", &check, endless.clone(), end).adds(64));
    }
    assert_all(cases);
}

#[test]
fn an_error_page_is_reported_by_its_status() {
    let mut cases = Vec::new();
    for (status, part, write) in [
        ("400 Bad Request", "400", 6),
        ("401 Unauthorized", "401", 6),
        ("403 Forbidden", "403", 6),
        ("404 Not Found", "404", 6),
        ("407 Proxy Authentication Required", "407", 6),
        ("429 Too Many Requests", "429", 6),
        ("500 Internal Server Error", "500", 7),
        ("502 Bad Gateway", "502", 7),
        ("503 Service Unavailable", "503", 7),
    ] {
        let [one, other] = two(&cases, &[GET, STREAM, LIST_JSON, REPLAY, LIST]);
        let [change, _] = two(&cases, &[SET, RM]);
        for (command, code) in [(one, 6), (other, 6), (change, write)] {
            cases.push(Case::new(
                status,
                command,
                move |_| page(status),
                End::With(code, part),
            ));
        }
    }
    cases.push(Case::new(
        "a page",
        SET,
        |_| page("200 OK"),
        malformed(SET, "<!DOCTYPE"),
    ));
    assert_all(cases);
}

#[test]
fn an_unusual_etcd_error_is_one_line() {
    let long = "x".repeat(1 << 20);
    let mut cases = Vec::new();
    for (name, body, code, part) in [
        (
            "a negative code",
            json!({"errorCode": -1, "message": "m", "cause": "c", "index": 7}),
            4,
            "m",
        ),
        (
            "a code beyond 32 bits",
            json!({"errorCode": 99_999_999_999_u64, "message": "m"}),
            4,
            "m",
        ),
        (
            "a code in words",
            json!({"errorCode": "100", "message": "m", "cause": "/k"}),
            4,
            "m",
        ),
        ("no message", json!({"errorCode": 100}), 6, "400"),
        (
            "a message that is none",
            json!({"errorCode": 100, "message": {}}),
            6,
            "400",
        ),
        (
            "a long message",
            json!({"errorCode": 999, "message": long, "cause": long}),
            4,
            "999",
        ),
        (
            "a message of lines",
            json!({"errorCode": 999, "message": "no\netcdwatch: all is well", "cause": "a\r\nroot# "}),
            4,
            r"no\netcdwatch: all is well",
        ),
        (
            "a negative index",
            json!({"errorCode": 999, "message": "m", "cause": "", "index": -7}),
            4,
            "m",
        ),
        (
            "one of v3",
            json!({"error": "no\nsuch\u{1b}thing", "code": 3}),
            4,
            r"no\nsuch\x1bthing",
        ),
    ] {
        let body = body.to_string();
        for command in two(&cases, &[GET, STREAM, SET]) {
            let body = body.clone();
            let server = move |_: &_| reply("400 Bad Request", "", &body);
            cases.push(Case::new(name, command, server, End::With(code, part)));
        }
    }
    for (name, version) in [
        ("of lines", "3.5\n  hint: root".to_owned()),
        ("long", "3".repeat(4_000)),
    ] {
        let body = json!({"etcdserver": version, "etcdcluster": "3.5.0"}).to_string();
        let server = move |request: &crate::support::scripted::Request| match request.path.as_str()
        {
            "/version" => reply("200 OK", "", &body),
            _ => reply("404 Not Found", "", "404 page not found\n"),
        };
        let name = format!("a version that is {name}");
        cases.push(Case::new(
            name,
            &["--api", "v2", "get", "/k"],
            server,
            End::With(4, "--enable-v2"),
        ));
    }
    assert_all(cases);
}

#[test]
fn a_redirect_is_never_followed() {
    let mut cases = Vec::new();
    for (name, location, part) in [
        (
            "",
            "Location: http://elsewhere.invalid/x\r\n".to_owned(),
            "http://elsewhere.invalid/x",
        ),
        (
            "in other letters",
            "Location: http://\u{e9}.invalid/\u{202e}\u{9b}31m\r\n".to_owned(),
            r"http://é.invalid/\u{202e}\u{9b}31m",
        ),
        ("to nowhere", String::new(), "does not say where"),
        (
            "to nothing",
            "Location: \r\n".to_owned(),
            "does not say where",
        ),
        (
            "far away",
            format!("Location: http://x/{}\r\n", "y".repeat(40_000)),
            "http://x/yyy",
        ),
        (
            "relative",
            "Location: /v2/keys/elsewhere\r\n".to_owned(),
            "/v2/keys/elsewhere",
        ),
        (
            "twice",
            "Location: http://one.invalid/\r\nLocation: http://two.invalid/\r\n".to_owned(),
            "http://one.invalid/",
        ),
    ] {
        let commands = [
            GET,
            &["--api", "v2", "check", "-", "/k"],
            SET,
            STREAM_V3,
            &["--api", "v3", "set", "/k", "v"],
            RM,
            STREAM,
            &["--api", "v3", "check", "-", "/k"],
            REPLAY,
            GET_V3,
        ];
        // Every command must reject a redirect that is hard to recognize.
        let is_easy = location.is_ascii() && !location.is_empty();
        let some = two(&cases, &commands);
        for command in if is_easy { &some[..] } else { &commands } {
            let location = location.clone();
            // The body that etcd sends for a missing key.
            let body = r#"{"errorCode":100,"message":"Key not found","cause":"/k","index":7}"#;
            let server = move |_: &_| reply("301 Moved Permanently", &location, body);
            let name = format!("a redirect {name}");
            cases.push(Case::new(name, command, server, End::With(6, part)));
        }
    }
    assert_all(cases);
}

#[test]
fn an_invalid_v2_reply_to_a_write_is_malformed() {
    let mut cases = Vec::new();
    let event =
        r#"{"action":"set","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}"#;
    for (name, body, part) in [
        ("nothing", String::new(), "empty"),
        ("null", "null".to_owned(), ""),
        ("two", format!("{event}\n{event}"), "trailing"),
        (
            "a gap of ours",
            event.replace("\"set\"", "\"gap\""),
            "imitates",
        ),
        (
            "a drift of ours",
            event.replace("\"set\"", "\"drift\""),
            "imitates",
        ),
        (
            "a difference of ours",
            event.replace("\"set\"", "\"set\",\"origin\":\"resync\""),
            "imitates",
        ),
        (
            "an index beyond 64 bits",
            event.replace("Index\":7", "Index\":99999999999999999999"),
            "",
        ),
        (
            "a value before that is none",
            event.replace("}}", r#"},"prevNode":[]}"#),
            "",
        ),
    ] {
        for command in two(&cases, &[SET, RM, &["-o", "json", "set", "/k", "v"]]) {
            let body = body.clone();
            let server = move |_: &_| reply("200 OK", "", &body);
            cases.push(Case::new(name, command, server, malformed(command, part)));
        }
    }
    assert_all(cases);
}

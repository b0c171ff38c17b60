//! Events of v2 waits and streams.

use std::time::Duration;

use super::{Case, End, ONE_EVENT, assert_all, reply, two};
use crate::support::follow::one_event;
use crate::support::scripted::{Request, Response};

fn event(index: &str, value: &str) -> String {
    format!(
        r#"{{"action":"set","node":{{"key":"/k","value":"{value}","modifiedIndex":{index},"createdIndex":1}}}}"#
    )
}

/// A server at index 10 whose stream sends `lines` and then a valid event.
fn streaming(lines: impl Into<Vec<u8>>) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let lines: Vec<u8> = lines.into();
    move |request| {
        let head = Response::stream(10);
        if request.parameter("wait").is_none() {
            return Response::etcd(200, 10, NODE);
        }
        if request.parameter("stream").is_none() {
            return head.hold();
        }
        let good = event("11", "good") + "\n";
        head.chunk(&lines).chunk(b"\n").chunk(good).hold()
    }
}

const NODE: &str =
    r#"{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":2,"createdIndex":2}}"#;
const STREAM: &[&str] = &[
    "-o",
    "json",
    "watch",
    "--stream",
    "/k",
    "--count",
    "1",
    "--timeout",
    "20s",
];

#[test]
fn an_invalid_v2_event_ends_the_watch() {
    let with = |field: &str| event("11", "v").replacen('{', &format!("{{{field},"), 1);
    let acts = |action: &str| event("11", "v").replace("\"set\"", &format!("\"{action}\""));
    let mut cases = Vec::new();
    for (name, line, part) in [
        ("a web page", "<html>".to_owned(), "<html>"),
        ("null", "null".to_owned(), ""),
        ("nothing in it", "{}".to_owned(), ""),
        ("a list", "[]".to_owned(), ""),
        (
            "a list of what is due",
            r#"["set",["/k","v",false,11,11],null]"#.to_owned(),
            "not a JSON object",
        ),
        (
            "a node that is a list",
            r#"{"action":"set","node":["/k","v",false,11,11]}"#.to_owned(),
            "object",
        ),
        (
            "a node before that is a list",
            event("11", "v").replace("}}", r#"},"prevNode":["/k","v",false,11,11]}"#),
            "object",
        ),
        ("brackets, deep", "[".repeat(10_000), ""),
        (
            "an index beyond 64 bits",
            event("99999999999999999999", "v"),
            "",
        ),
        ("a negative index", event("-1", "v"), ""),
        ("an index with a fraction", event("11.5", "v"), ""),
        ("an index in words", event("\"11\"", "v"), ""),
        (
            "no index",
            r#"{"action":"set","node":{"key":"/k"}}"#.to_owned(),
            "modifiedIndex",
        ),
        ("two actions", with("\"action\":\"set\""), "duplicate"),
        (
            "two actions, one in disguise",
            with(r#""\u0061ction":"set""#),
            "duplicate",
        ),
        ("two nodes", with("\"node\":{}"), ""),
        ("a NUL", event("11", "a\0b"), ""),
        ("an escape that is none", event("11", "\\x41"), ""),
        ("half a character", event("11", "\\ud800"), ""),
        ("a control in a value", event("11", "\x1b[2J"), ""),
        (
            "two events in a line",
            event("11", "a") + &event("12", "b"),
            "trailing",
        ),
        ("an event and more", event("11", "a") + "x", "trailing"),
        ("a gap of ours", acts("gap"), "imitates"),
        ("a reset of ours", acts("reset"), "imitates"),
        ("a synced of ours", acts("synced"), "imitates"),
        ("a status of ours", acts("status"), "imitates"),
        ("a drift of ours", acts("drift"), "imitates"),
        ("a gap of ours, in disguise", acts("g\\u0061p"), "imitates"),
        ("an origin", with("\"origin\":\"snapshot\""), "imitates"),
        (
            "an origin that is null",
            with("\"origin\":null"),
            "imitates",
        ),
        ("a position", with("\"index\":11"), "imitates"),
        (
            "a position that is null",
            with("\"index\":null"),
            "imitates",
        ),
        ("a loss", with("\"lost\":{}"), "imitates"),
        ("a state", with("\"state\":\"live\""), "imitates"),
        ("when it came", with("\"receivedAt\":\"now\""), "imitates"),
    ] {
        let [command, _] = two(&cases, &[STREAM, ONE_EVENT]);
        let server = streaming(line.clone());
        cases.push(Case::new(name, command, server, End::With(6, part)));
    }
    for (name, bytes) in [
        ("a value that is not UTF-8", &b"\xff"[..]),
        ("C1 that is not UTF-8", b"\x9b2J"),
        ("an overlong NUL", b"\xc0\x80"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("half a character", b"\xe2\x80"),
    ] {
        let text = event("11", "@");
        let (before, after) = text.split_once('@').unwrap();
        let line = [before.as_bytes(), bytes, after.as_bytes()].concat();
        cases.push(Case::new(
            name,
            STREAM,
            streaming(line),
            End::With(6, "UTF-8"),
        ));
    }
    assert_all(cases);
}

#[test]
fn unusual_but_valid_v2_events_are_accepted() {
    let other = event("11", "other").replace("/k", "/kk");
    let mut cases = vec![
        Case::new(
            "an unknown action",
            STREAM,
            streaming(event("11", "v").replace("set", "transmogrify")),
            End::Survived("\"transmogrify\""),
        ),
        Case::new(
            "an event out of scope",
            STREAM,
            streaming(other),
            End::Survived("good"),
        ),
        Case::new(
            "an index that goes back",
            STREAM,
            streaming(event("9", "old")),
            End::Survived("good"),
        ),
        Case::new(
            "index 0",
            STREAM,
            streaming(event("0", "old")),
            End::Survived("good"),
        ),
        Case::new(
            "blank lines",
            STREAM,
            streaming(" \r\n".repeat(200_000)),
            End::Survived("good"),
        ),
        Case::new(
            "more fields",
            STREAM,
            streaming(event("11", "v").replacen('{', r#"{"more":[{"origin":1}],"#, 1)),
            End::Survived("\"more\""),
        ),
        Case::new(
            "a deep field",
            ONE_EVENT,
            streaming(event("11", "v").replacen(
                '{',
                &format!("{{\"x\":{}{},", "[".repeat(100), "]".repeat(100)),
                1,
            )),
            End::Survived("11\tset\t/k\tv\n"),
        ),
        Case::new(
            "a field deeper than readers of JSON take",
            STREAM,
            streaming(event("11", "v").replacen(
                '{',
                &format!("{{\"x\":{}{},", "[".repeat(10_000), "]".repeat(10_000)),
                1,
            )),
            End::With(6, "recursion limit"),
        ),
        Case::new(
            "TAB and CR between",
            STREAM,
            streaming(event("11", "v").replace(',', ",\t\r")),
            End::Survived("\"set\",  \"node\""),
        ),
        Case::new(
            "TAB and CR around",
            ONE_EVENT,
            streaming(format!("\r\t{}\t\r", event("11", "v"))),
            End::Survived("11\tset\t/k\tv\n"),
        ),
        Case::new(
            "an escaped key",
            ONE_EVENT,
            streaming(event("11", "v").replace("/k", r"\u002fk")),
            End::Survived("11\tset\t/k\tv\n"),
        ),
    ];
    let far = event("18446744073709551615", "far");
    cases.push(Case::new(
        "the last index there is",
        STREAM,
        streaming(far),
        End::Survived("good"),
    ));
    assert_all(cases);
}

#[test]
fn an_endless_v2_line_ends_at_the_size_limit() {
    let piece = "x".repeat(1 << 20);
    let endless = move |request: &Request| {
        if request.parameter("stream").is_none()
            && request.parameter("wait").is_some()
            && request.parameter("waitIndex").is_none()
        {
            return Response::stream(10).hold();
        }
        let begun = Response::stream(10).chunk(r#"{"action":"set","node":{"key":"/k","value":""#);
        (0..40).fold(begun, |all, _| all.chunk(&piece)).hold()
    };
    let limit = ["--max-event", "1MiB"];
    let mut cases = Vec::new();
    for command in [
        STREAM,
        ONE_EVENT,
        &["watch", "/k"],
        &["replay", "/k", "--from-index", "1"],
    ] {
        let command = [&limit[..], command].concat();
        let end = End::With(6, "--max-event");
        cases.push(Case::new("without end", &command, endless.clone(), end));
    }
    // Each line is below the limit, but none can be printed because of an unknown range before it.
    let held = event("900", &"x".repeat(500_000)) + "\n";
    let server = move |request: &Request| {
        if request.parameter("stream").is_none() {
            return Response::stream(10).hold();
        }
        (0..100)
            .fold(Response::stream(10), |all, _| all.chunk(&held))
            .hold()
    };
    let command = [
        "--max-event",
        "1MiB",
        "watch",
        "--stream",
        "/k",
        "--buffer",
        "4MiB",
        "--timeout",
        "1s",
    ];
    cases.push(
        Case::new(
            "events beyond a hole",
            &command,
            server,
            End::With(124, "timed out"),
        )
        .adds(24),
    );
    assert_all(cases);
}

/// The limit is one for the watch: its stream and its two long polls may not each take as much. What
/// goes beyond it is the short beginnings that every connection may hold.
#[test]
fn endless_lines_on_several_connections_share_one_limit() {
    const LIMIT: u64 = 32;
    let piece = "x".repeat(1 << 20);
    let endless = move |request: &Request| {
        if request.parameter("wait").is_none() {
            return Response::etcd(200, 10, NODE);
        }
        let begun = Response::stream(10).chunk(r#"{"action":"set","node":{"key":"/k","value":""#);
        (0..=LIMIT).fold(begun, |all, _| all.chunk(&piece)).hold()
    };
    let command = [&["--max-event", "32MiB"], STREAM].concat();
    let end = End::With(6, "--max-event");
    assert_all(vec![
        Case::new("on each connection", &command, endless, end).adds(LIMIT),
    ]);
}

/// A server that holds back the rest of a long line on one connection does not keep the same event
/// from arriving on another.
#[test]
fn a_long_line_that_stalls_gives_way_to_the_one_on_another_connection() {
    let whole = event("11", &"x".repeat(2 << 20)) + "\n";
    let server = move |request: &Request| {
        if request.parameter("wait").is_none() {
            return Response::etcd(200, 10, NODE);
        }
        if request.parameter("stream").is_some() {
            let (begun, _) = whole.split_at(1 << 20);
            return Response::stream(10).chunk(begun).hold();
        }
        Response::stream(10)
            .pause(Duration::from_millis(500))
            .chunk(&whole)
            .end()
    };
    let command = one_event("40s");
    assert_all(vec![Case::new(
        "the stream stalls",
        &command,
        server,
        End::Survived("11\tset\t/k\txxx"),
    )]);
}

/// Events of nearly the limit arrive, also where all connections bring them at once.
#[test]
fn a_long_event_arrives_on_all_connections_at_once() {
    let whole = event("11", &"x".repeat(7 << 20)) + "\n";
    let server = move |request: &Request| {
        if request.parameter("wait").is_none() {
            return Response::etcd(200, 10, NODE);
        }
        let begun = Response::stream(10);
        let pieces = whole.as_bytes().chunks(64 << 10);
        let sent = pieces.fold(begun, |all, piece| {
            all.chunk(piece).pause(Duration::from_millis(2))
        });
        if request.parameter("stream").is_some() {
            sent.hold()
        } else {
            sent.end()
        }
    };
    let command = [&["--max-event", "8MiB"], ONE_EVENT].concat();
    let end = End::Survived("11\tset\t/k\txxx");
    assert_all(vec![
        Case::new("at once", &command, server, end).adds(5 * 8),
    ]);
}

#[test]
fn a_store_replaced_during_a_watch_exits_5() {
    let command = [
        "watch",
        "--stream",
        "/k",
        "--from-index",
        "5",
        "--on-gap",
        "fail",
        "--timeout",
        "20s",
    ];
    let mut cases = Vec::new();
    // The first answer is correct.
    let server = |request: &Request| {
        if request.parameter("waitIndex") == Some("5") {
            return reply("200 OK", "", event("9", "v"));
        }
        if request.parameter("waitIndex").is_none() {
            return Response::stream(10).hold();
        }
        let head = "HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: 1\r\nX-Etcd-Index: 10\r\nTransfer-Encoding: chunked\r\n\r\n";
        Response::raw(head).hold()
    };
    cases.push(Case::new(
        "another cluster",
        &command,
        server,
        End::Ends(5, "9\tset\t/k\tv\n", "clusterChanged"),
    ));
    let server = move |request: &Request| {
        if request.parameter("waitIndex") == Some("5") {
            return reply("200 OK", "", event("9", "v"));
        }
        if request.parameter("wait").is_some() {
            return Response::stream(3).hold();
        }
        Response::etcd(200, 3, NODE)
    };
    cases.push(Case::new(
        "an index that went back",
        &command,
        server,
        End::Ends(5, "9\tset\t/k\tv\n", "indexRewound"),
    ));
    // History that was cleared up to an absurd index.
    for cause in [
        "[18446744073709551615/5]",
        "[0/5]",
        "[99999999999999999999/5]",
        "",
        "[x/y]",
        "[900/5]",
    ] {
        let fault = serde_json::json!({"errorCode": 401, "message": "cleared", "cause": cause, "index": 10}).to_string();
        let server = move |request: &Request| {
            if request.parameter("waitIndex").is_some() {
                return Response::etcd(400, 10, &fault);
            }
            if request.parameter("wait").is_some() {
                return Response::stream(10).hold();
            }
            Response::etcd(200, 10, NODE)
        };
        let command = [
            "-o",
            "json",
            "watch",
            "--stream",
            "/k",
            "--from-index",
            "5",
            "--timeout",
            "1s",
        ];
        cases.push(Case::new(
            format!("cleared {cause}"),
            &command,
            server,
            End::With(124, "timed out"),
        ));
    }
    assert_all(cases);
}

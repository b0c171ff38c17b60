//! Replies that real etcd servers do not send: events in pieces, and lines that are not events.

use std::time::Duration;

use serde_json::Value;

use crate::support::scripted::{Response, Scripted};
use crate::support::tool::{Output, assert_ends, parse_lines, tool};

fn event(index: u64, value: &str) -> String {
    let value = Value::from(value);
    format!(
        r#"{{"action":"set","node":{{"key":"/a","value":{value},"modifiedIndex":{index},"createdIndex":{index}}}}}"#
    )
}

/// A server at index 10 that answers a stream with `body`, and every other wait with nothing.
fn streaming(body: impl Fn(Response) -> Response + Send + Sync + 'static) -> Scripted {
    Scripted::serve(move |request| {
        let head = Response::stream(10);
        if request.parameter("stream").is_some() {
            body(head).hold()
        } else {
            head.hold()
        }
    })
}

fn watch(server: &Scripted, arguments: &[&str]) -> Output {
    let url = server.url();
    let watch = ["--endpoints", &url, "-o", "json", "watch", "--stream", "/a"];
    tool(&[&watch[..], arguments].concat())
}

fn values(output: &Output) -> Vec<String> {
    assert_eq!(output.code, 0, "{}", output.stderr);
    parse_lines(&output.stdout.lines().map(str::to_owned).collect::<Vec<_>>())
        .iter()
        .map(|record| record["node"]["value"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_event_split_across_chunks_is_one_record() {
    let server = streaming(|head| {
        let line = format!("{}\n", event(11, "é漢🦀"));
        // Each byte is a chunk, so that characters are split too.
        line.as_bytes().chunks(1).fold(head, Response::chunk)
    });
    assert_eq!(values(&watch(&server, &["--count", "1"])), ["é漢🦀"]);
}

#[test]
fn many_events_in_one_chunk_are_separate_records() {
    let server = streaming(|head| {
        let lines: String = (11..61).map(|index| event(index, "v") + "\n").collect();
        head.chunk(lines)
    });
    assert_eq!(values(&watch(&server, &["--count", "50"])).len(), 50);
}

#[test]
fn a_repeated_event_is_printed_once() {
    let server = streaming(|head| {
        let twice = [event(11, "one"), event(11, "one"), event(12, "two")].join("\n");
        head.chunk(twice + "\n")
    });
    assert_eq!(values(&watch(&server, &["--count", "2"])), ["one", "two"]);
}

#[test]
fn an_event_over_the_size_limit_exits_6_and_names_max_event() {
    let server = streaming(|head| head.chunk(event(11, &"x".repeat(70_000)) + "\n"));
    let output = watch(&server, &["--max-event", "64KiB"]);
    assert_ends(&output, 6, &["--max-event"]);
    assert_eq!(watch(&server, &["--count", "1"]).code, 0);
}

#[test]
fn an_endless_line_exits_6_at_the_size_limit() {
    let server = streaming(|head| {
        let piece = "x".repeat(60_000);
        (0..40).fold(head, |response, _| response.chunk(&piece))
    });
    let url = server.url();
    let arguments = [
        "--endpoints",
        &url,
        "watch",
        "--stream",
        "/a",
        "--max-event",
        "1MiB",
    ];
    let output = tool(&arguments);
    assert_eq!(output.code, 6, "{}", output.stderr);
}

#[test]
fn a_line_that_is_not_an_event_exits_6() {
    for body in [
        "<html>",
        "null",
        "{}",
        r#"{"action":"set"}"#,
        r#"{"action":"gap","node":{"key":"/a","modifiedIndex":11,"createdIndex":11}}"#,
        r#"{"action":"set","origin":"snapshot","node":{"key":"/a","modifiedIndex":11,"createdIndex":11}}"#,
    ] {
        let line = format!("{body}\n");
        let server = streaming(move |head| head.chunk(&line));
        let output = watch(&server, &["--count", "1"]);
        assert_eq!((output.code, output.stdout.as_str()), (6, ""), "{body}");
    }
}

#[test]
fn an_unknown_action_is_printed_unchanged() {
    let line = event(11, "v").replace("\"set\"", "\"transmogrify\"");
    let server = streaming(move |head| head.chunk(format!("{line}\n")));
    let output = watch(&server, &["--count", "1"]);
    assert!(
        output.stdout.contains(r#""action":"transmogrify""#),
        "{}",
        output.stdout
    );
}

#[test]
fn an_event_on_another_key_is_not_printed() {
    let other = event(11, "other").replace("\"/a\"", "\"/b\"");
    let server = streaming(move |head| head.chunk(format!("{other}\n{}\n", event(12, "ours"))));
    assert_eq!(values(&watch(&server, &["--count", "1"])), ["ours"]);
}

#[test]
fn the_action_get_in_a_stream_is_printed_unchanged() {
    let line = event(11, "v").replace("\"set\"", "\"get\"");
    let server = streaming(move |head| head.chunk(format!("{line}\n")));
    let output = watch(&server, &["--count", "1"]);
    assert!(
        output.stdout.starts_with(r#"{"action":"get""#),
        "{}",
        output.stdout
    );
}

#[test]
fn events_before_an_invalid_one_are_printed() {
    let server = Scripted::serve(|request| {
        if request.parameter("stream").is_none() {
            // The store has advanced by the time of these requests.
            return Response::stream(11).hold();
        }
        Response::stream(10)
            .chunk(format!("{}\n", event(11, "good")))
            .pause(Duration::from_millis(200))
            .chunk("bad\n")
            .hold()
    });
    let output = watch(&server, &[]);
    assert_eq!(output.code, 6);
    assert!(output.stdout.contains("good"));
}

//! Response heads and body framing.

use super::{Case, End, GET_V3, SET, STREAM, assert_all};
use crate::support::scripted::Response;

const BODY: &str =
    r#"{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}"#;

/// The exit codes of a read, a watch and a write.
struct Ends(i32, i32, i32);

/// The server does not speak HTTP, or not as etcd does.
const NOT_ETCD: Ends = Ends(6, 6, 6);
/// The server began to answer. The outcome of a write is unknown, and a watch asks again.
const GARBLED: Ends = Ends(6, 124, 7);
/// The connection broke before the head was complete.
const CUT: Ends = Ends(3, 3, 7);
/// The connection broke in the body.
const CUT_IN_BODY: Ends = Ends(3, 124, 7);

fn status(line: &str) -> Response {
    Response::raw(format!("{line}\r\nContent-Length: 0\r\n\r\n"))
}

fn header(lines: &str) -> Response {
    let head = format!("HTTP/1.1 200 OK\r\nX-Etcd-Index: 10\r\n{lines}\r\n\r\n");
    Response::raw(head).bytes(BODY).close()
}

fn chunked(body: impl AsRef<[u8]>) -> Response {
    Response::stream(10).bytes(body).close()
}

fn flood(lines: &str) -> Response {
    Response::raw(lines.repeat(20_000)).close()
}

fn endless(begin: &str) -> Response {
    Response::raw(begin).bytes("x".repeat(1 << 20)).hold()
}

fn table() -> Vec<(&'static str, Response, Ends, &'static str)> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let long = "x".repeat(1 << 20);
    vec![
        (
            "TLS",
            Response::raw("\x16\x03\x01\x02\0\x01\0\x01\n\n").close(),
            NOT_ETCD,
            "",
        ),
        ("noughts", Response::raw([0; 4096]).close(), NOT_ETCD, ""),
        ("HTTP/0.9", Response::raw(BODY).close(), NOT_ETCD, ""),
        (
            "HTTP/2",
            Response::raw(b"\0\0\x12\x04\0\0\0\0\0").close(),
            NOT_ETCD,
            "",
        ),
        ("no status", status("HTTP/1.1"), NOT_ETCD, ""),
        (
            "a status that is none",
            status("HTTP/1.1 abc OK"),
            NOT_ETCD,
            "",
        ),
        (
            "a status below all",
            status("HTTP/1.1 099 Low"),
            NOT_ETCD,
            "",
        ),
        (
            "a status beyond all",
            status("HTTP/1.1 999 High"),
            Ends(6, 6, 7),
            "999",
        ),
        ("another version", status("HTTP/9.9 200 OK"), NOT_ETCD, ""),
        (
            "other protocols",
            status("HTTP/1.1 101 Switching Protocols"),
            NOT_ETCD,
            "",
        ),
        (
            "no content",
            status("HTTP/1.1 204 No Content"),
            Ends(6, 6, 7),
            "",
        ),
        (
            "not modified",
            status("HTTP/1.1 304 Not Modified"),
            NOT_ETCD,
            "304",
        ),
        (
            "endless status line",
            endless("HTTP/1.1 200 "),
            NOT_ETCD,
            "",
        ),
        (
            "endless header",
            endless("HTTP/1.1 200 OK\r\nX: "),
            NOT_ETCD,
            "",
        ),
        ("endless name", endless(ok), NOT_ETCD, ""),
        (
            "endless headers",
            Response::raw(ok).bytes("X: y\r\n".repeat(200_000)),
            NOT_ETCD,
            "",
        ),
        (
            "a flood of 100s",
            flood("HTTP/1.1 100 Continue\r\n\r\n"),
            NOT_ETCD,
            "",
        ),
        (
            "a flood of 103s",
            flood("HTTP/1.1 103 Early Hints\r\n\r\n"),
            NOT_ETCD,
            "",
        ),
        ("a header without colon", header("nonsense"), NOT_ETCD, ""),
        ("a NUL in a header", header("X: a\0b"), NOT_ETCD, ""),
        (
            "an ESC in a header",
            header("X: \x1b]0;owned\x07"),
            NOT_ETCD,
            "",
        ),
        ("a folded header", header("X: a\r\n b"), NOT_ETCD, ""),
        (
            "negative length",
            header("Content-Length: -1"),
            NOT_ETCD,
            "",
        ),
        (
            "length beyond 64 bits",
            header("Content-Length: 99999999999999999999"),
            NOT_ETCD,
            "",
        ),
        (
            "length that is none",
            header("Content-Length: ten"),
            NOT_ETCD,
            "",
        ),
        (
            "two lengths",
            header("Content-Length: 1\r\nContent-Length: 83"),
            NOT_ETCD,
            "",
        ),
        (
            "huge length",
            header("Content-Length: 9223372036854775807"),
            CUT_IN_BODY,
            "",
        ),
        ("chunk size that is none", chunked("zz\r\n"), GARBLED, ""),
        ("negative chunk size", chunked("-5\r\n"), GARBLED, ""),
        (
            "chunk size beyond 64 bits",
            chunked("fffffffffffffffff\r\n"),
            GARBLED,
            "",
        ),
        (
            "huge chunk",
            chunked("7fffffffffffffff\r\n{"),
            CUT_IN_BODY,
            "",
        ),
        (
            "endless chunk size",
            chunked("0".repeat(1 << 20)),
            CUT_IN_BODY,
            "",
        ),
        (
            "endless chunk extension",
            chunked(format!("1;{long}")),
            CUT_IN_BODY,
            "",
        ),
        (
            "endless trailer",
            chunked(format!("0\r\nX: {long}")),
            CUT_IN_BODY,
            "",
        ),
        ("chunk without its end", chunked("1\r\n{}\r\n"), GARBLED, ""),
        ("cut at once", Response::default().close(), CUT, ""),
        (
            "cut in the status",
            Response::raw("HTTP/1.1 2").close(),
            CUT,
            "",
        ),
        (
            "cut in a header",
            Response::raw("HTTP/1.1 200 OK\r\nConte").close(),
            CUT,
            "",
        ),
        (
            "cut in the body",
            header("Content-Length: 500").close(),
            CUT_IN_BODY,
            "",
        ),
        ("cut in a chunk size", chunked("1"), CUT_IN_BODY, ""),
        (
            "cut in a chunk",
            chunked("50\r\n{\"action\":"),
            CUT_IN_BODY,
            "",
        ),
        ("cut between chunks", chunked("1\r\n{\r\n"), CUT_IN_BODY, ""),
    ]
}

#[test]
fn an_invalid_head_or_framing_is_an_error_without_a_hang() {
    let mut cases = Vec::new();
    for (name, response, Ends(read, watch, write), part) in table() {
        for (command, code) in [(GET_V3, read), (STREAM, watch), (SET, write)] {
            let timeout = if code == 124 { "300ms" } else { "20s" };
            let command = [&["--timeout", timeout], command].concat();
            let part = if code == 124 { "timed out" } else { part };
            let response = response.clone();
            let end = End::With(code, part);
            cases.push(Case::new(name, &command, move |_| response.clone(), end));
        }
    }
    assert_all(cases);
}

//! Hostile data: no key, value, error or header controls a terminal or forges a line, and a command
//! gets exactly the data that was written.
#![allow(clippy::too_many_lines, reason = "a table is as long as it is")]

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::scripted::{Request, Response, Scripted};
use crate::support::shared::{self, Subtree};
use crate::support::tool::{Program, Signal, Terminal};
use crate::support::v2::Writer;
use crate::support::v3::{self, encode};
use crate::support::{v2, wait};

// --- control characters

/// Every C0 and C1 control, DEL, every bidi control and line separator, and escape sequences, some
/// of them incomplete.
fn control_characters() -> Vec<u8> {
    let c0 = (0..=0x1f_u8).chain([0x7f]).map(char::from);
    let c1 = ('\u{80}'..='\u{9f}').collect::<Vec<_>>();
    let bidi = "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                \u{2066}\u{2067}\u{2068}\u{2069}";
    let sequences = "\u{1b}]0;title\u{7}\u{1b}]52;c;cm0=\u{1b}\\\u{9d}8;;http://x\u{9c}\
                     \u{1b}[77A\u{1b}[2J\u{1b}[6n\u{1b}[38;5;177m\u{9b}77B\u{1b}P$q\"p\u{1b}\\\
                     \u{1b}c\u{1b}#8\u{1b}(0\u{1b}[?1049h\u{1b}]";
    let text: String = c0.chain(c1).chain(bidi.chars()).collect();
    [text.as_bytes(), sequences.as_bytes()].concat()
}

/// The same, with bytes that are not UTF-8 and that only v3 can store.
fn control_bytes() -> Vec<u8> {
    let raw: Vec<u8> = (0x80..=0xff).collect();
    [&control_characters()[..], &raw, b"\x9b2J\xc2"].concat()
}

/// The same without NUL, which cannot be in an argument.
fn control_text() -> String {
    let text = String::from_utf8(control_characters()).unwrap();
    text.replace('\0', "")
}

/// The output to a terminal without the tool's own line ends, colors and spinner sequences.
fn without_own(sent: &str) -> String {
    let mut rest = sent;
    let mut left = String::new();
    while let Some(letter) = rest.chars().next() {
        let own = rest.strip_prefix("\u{1b}[").and_then(|sequence| {
            let end = sequence.find(|letter: char| letter.is_ascii_alphabetic())?;
            let (parameters, after) = sequence.split_at(end);
            let is_own = match after.as_bytes().first()? {
                b'm' => parameters.split(';').all(is_plain_style),
                b'K' => matches!(parameters, "" | "2"),
                b'A' | b'B' => matches!(parameters, "1"),
                b'G' => matches!(parameters, "" | "1"),
                b'h' | b'l' => parameters == "?25",
                _ => false,
            };
            is_own.then(|| &after[1..])
        });
        rest = own.unwrap_or_else(|| {
            left.push(letter);
            &rest[letter.len_utf8()..]
        });
    }
    left
}

/// Returns whether a style is bold, dim, underlined or one of the eight colors, and so hides no
/// text.
fn is_plain_style(parameter: &str) -> bool {
    match parameter.parse::<u8>() {
        Ok(number) => matches!(number, 0..=2 | 4 | 22 | 24 | 30..=37 | 39),
        Err(_) => parameter.is_empty(),
    }
}

fn is_control(letter: char) -> bool {
    let is_bidi = matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    letter.is_control() && !matches!(letter, '\r' | '\n') || is_bidi
}

#[track_caller]
fn assert_harmless(terminal: &Terminal, what: &[&str]) {
    let sent = String::from_utf8(terminal.raw())
        .unwrap_or_else(|error| panic!("{what:?} sent what is not UTF-8: {error}"));
    let mut left = without_own(&sent);
    if what.iter().any(|word| ["get", "check"].contains(word)) {
        // A tab separates two fields there.
        left = left.replace('\t', " ");
    }
    let seen: String = left
        .rsplit(is_control)
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect();
    assert!(
        !left.contains(is_control),
        "{what:?}: a control character before {seen:?}"
    );
    // A line feed without a carriage return does not come from the tool.
    assert!(
        !left.replace("\r\n", "").contains('\n'),
        "{what:?}: {left:?}"
    );
}

/// Runs the program on a terminal wide enough for every line.
#[track_caller]
fn show(program: Program, what: &[&str], code: i32) {
    let terminal = program.on_terminal(40, 500);
    assert_eq!(
        terminal.wait(wait::LONG),
        code,
        "{what:?}: {}",
        terminal.screen()
    );
    assert_harmless(&terminal, what);
}

#[test]
fn control_characters_in_keys_and_values_never_reach_a_terminal() {
    let subtree = shared::any();
    let url = subtree.url();
    let part = subtree.root();
    let key = [subtree.key("k").as_bytes(), &control_bytes()].concat();
    let put = |value: &[u8]| {
        let body = json!({"key": encode(&key), "value": encode(value)});
        v3::revision(&v2::v3(&url, "/v3/kv/put", &body)).to_string()
    };
    let from = put(&control_bytes());
    let lines = [
        &control_characters()[..],
        b"\none\ntwo\n",
        &control_characters(),
    ]
    .concat();
    put(&lines);
    put(&[&lines[..], b"three\n"].concat());
    put(&control_bytes());
    let replay = ["replay", "-r", part, "--from-index", &from];
    for command in [
        &["get", "-r", part][..],
        &["get", part],
        &["get", "--prefix", part],
        &replay,
        &[&replay[..], &["--prev"]].concat(),
        &[&replay[..], &["--diff"]].concat(),
        &[&replay[..], &["--timestamps", "--color", "always"]].concat(),
        &[
            &replay[..],
            &["--format", "{index} {action} {key} {value} {prev}"],
        ]
        .concat(),
        &[&replay[..], &["--format", "{key}\\0{value}\\0{prev}\\0"]].concat(),
        &["watch", "-r", part, "--from-index", &from],
        &[
            "watch",
            "--stream",
            "-r",
            part,
            "--snapshot",
            "--idle-timeout",
            "100ms",
        ],
    ] {
        for form in [&[][..], &["-v"], &["-o", "json"]] {
            if form == ["-o", "json"]
                && command
                    .iter()
                    .any(|word| ["--prev", "--diff", "--format"].contains(word))
            {
                continue;
            }
            let what = [&["--api", "v3"], form, command].concat();
            let code = if command.contains(&"--idle-timeout") {
                124
            } else {
                0
            };
            show(subtree.program(&what), &what, code);
        }
    }
    for form in ["text", "json"] {
        let what = ["--api", "v3", "-o", form, "check", "-", part];
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{\"other\":\"\\u001b[2J\\u202e\\u009b\"}").unwrap();
        let path = file.path().display().to_string();
        let what = what.map(|word| if word == "-" { path.as_str() } else { word });
        show(subtree.program(&what), &what, 1);
    }
}

#[test]
fn control_characters_in_arguments_never_reach_a_terminal() {
    let subtree = shared::any();
    let text = control_text();
    let key = subtree.key(&text);
    for command in [
        &["set", &key, &text][..],
        &["get", &key],
        &["set", &key, "v", "--prev-value", &format!("not{text}")],
        &["rm", &key, "--prev-value", "other"],
        &["rm", &key],
        &["get", &key],
        &[
            "watch",
            &key,
            "--from-index",
            "9999999",
            "--timeout",
            "400ms",
        ],
        &["watch", &text, "--until", "value=x", "--timeout", "400ms"],
        &["watch", "/k", "--format", &text],
        &["watch", "/k", "--match", &text, "--timeout", "100ms"],
        &["get", "/k", "--user", &text],
        &["get", "/k", "--proxy", &text],
        &["check", &text, "/k"],
        &[&text],
    ] {
        for (api, form) in [("v2", &["-v"][..]), ("v3", &["-o", "json"])] {
            let what = [&["--api", api], form, command].concat();
            let terminal = subtree.program(&what).on_terminal(40, 500);
            // Other tests check how that ends.
            let code = terminal.wait(wait::LONG);
            assert!([0, 1, 2, 4, 124].contains(&code), "{what:?}: {code}");
            assert_harmless(&terminal, &what);
        }
    }
}

// --- errors and headers

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
    let watch = [
        "watch",
        "--stream",
        "/k",
        "--count",
        "1",
        "--timeout",
        "400ms",
    ];
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

// --- one line for each record

/// A deterministic pseudorandom generator.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// At most `most` bytes, half of which are control characters, separators or quotes.
    fn bytes(&mut self, most: u64) -> Vec<u8> {
        const TROUBLE: &[u8] = b"\n\r\t\\\"\0\x1b\x7f\x85\xc2\xe2\x80\xa8\xff{},\x0b\x0c/";
        let length = self.next() % (most + 1);
        (0..length)
            .map(|_| {
                let number = self.next();
                let [byte, ..] = number.to_be_bytes();
                if number.is_multiple_of(2) {
                    byte
                } else {
                    TROUBLE[usize::from(byte) % TROUBLE.len()]
                }
            })
            .collect()
    }
}

/// The bytes that an escaped field stands for.
fn unescape(field: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some(place) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..place]);
        rest = &rest[place + 1..];
        let (sign, after) = rest.split_at(1);
        rest = after;
        match sign {
            "\\" => bytes.push(b'\\'),
            "t" => bytes.push(b'\t'),
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "x" => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "u" => {
                let (number, after) = rest[1..].split_once('}').unwrap();
                let letter = char::from_u32(u32::from_str_radix(number, 16).unwrap()).unwrap();
                bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            other => panic!("\\{other} in {field:?}"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn field_of(node: &Value, name: &str) -> Vec<u8> {
    match node[name].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD
            .decode(node[format!("{name}Base64")].as_str().unwrap())
            .unwrap(),
    }
}

const EVENTS: usize = 10_000;

/// Writes random keys and values, and returns them with the first revision.
fn write_noise(subtree: &Subtree) -> (BTreeMap<Vec<u8>, Vec<u8>>, String) {
    let mut noise = Noise(0x5eed);
    let mut written = BTreeMap::new();
    while written.len() < EVENTS {
        let key = [subtree.key("").as_bytes(), &noise.bytes(24)].concat();
        written.insert(key, noise.bytes(80));
    }
    let mut writer = Writer::connect(&subtree.url());
    let mut from = None;
    let all: Vec<_> = written.iter().collect();
    for some in all.chunks(100) {
        let puts = some.iter().map(
            |(key, value)| json!({"request_put": {"key": encode(key), "value": encode(value)}}),
        );
        let body = json!({"success": puts.collect::<Vec<_>>()});
        let reply = writer.try_json("/v3/kv/txn", &body).unwrap();
        from.get_or_insert(v3::revision(&reply.json()));
    }
    (written, from.unwrap().to_string())
}

#[test]
fn ten_thousand_events_of_random_bytes_are_one_exact_line_each() {
    let subtree = shared::any();
    let (written, from) = write_noise(&subtree);
    let replay = |options: &[&str]| {
        let replay = [
            "--api",
            "v3",
            "replay",
            "-r",
            subtree.root(),
            "--from-index",
            &from,
        ];
        let output = subtree.tool(&[&replay[..], options].concat());
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (0, ""),
            "{options:?}"
        );
        String::from_utf8(output.stdout_bytes).expect("UTF-8")
    };
    let json = replay(&["-o", "json"]);
    assert_eq!(json.matches('\n').count(), EVENTS);
    let printed: BTreeMap<_, _> = json
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            (
                field_of(&record["node"], "key"),
                field_of(&record["node"], "value"),
            )
        })
        .collect();
    assert!(printed == written, "as JSON");
    for (options, key_at) in [(&[][..], 2), (&["--format", "{key}\\t{value}"], 0)] {
        let text = replay(options);
        assert!(!text.contains(|letter: char| letter != '\n'
            && letter != '\t'
            && is_control(letter)
            || letter == '\r'));
        assert_eq!(text.matches('\n').count(), EVENTS, "{options:?}");
        let printed: BTreeMap<_, _> = text
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                assert_eq!(fields.len(), key_at + 2, "{line}");
                (unescape(fields[key_at]), unescape(fields[key_at + 1]))
            })
            .collect();
        assert!(printed == written, "{options:?}");
    }
    // With a format that ends in NUL, there is one NUL for each event.
    let output = subtree.tool(&[
        "--api",
        "v3",
        "replay",
        "-r",
        subtree.root(),
        "--from-index",
        &from,
        "--format",
        "{index}\\0",
    ]);
    assert_eq!(
        output.stdout_bytes.split(|byte| *byte == 0).count(),
        EVENTS + 1
    );
}

// --- commands

#[test]
fn an_event_cannot_forge_a_variable_or_a_message() {
    let subtree = shared::any();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("environment").display().to_string();
    let values: [&[u8]; 6] = [
        b"x\nETCD_WATCH_KEY=/fake\nPATH=/fake",
        b"() { :;}; echo owned",
        b"$(touch owned)`touch owned`",
        b"\xff\xfe=\x9b2J",
        b"=",
        b"-n",
    ];
    let script = "env -0 >>\"$0\"; exit 3";
    let watch = [
        "--api",
        "v3",
        "-v",
        "watch",
        "--stream",
        "-r",
        subtree.root(),
        "--on-exec-failure",
        "continue",
        "--count",
        "6",
        "--",
        "sh",
        "-c",
        script,
        &file,
    ];
    let running = subtree.program(&watch).start();
    running.wait_for_stderr("< 200", wait::LONG);
    let mut expected = Vec::new();
    for (number, value) in values.iter().enumerate() {
        let key = [
            subtree.key("").as_bytes(),
            b"a\nETCD_WATCH_VALUE=fake\netcdwatch: all is well\n",
            &[b'0' + u8::try_from(number).unwrap()],
        ]
        .concat();
        let body = json!({"key": encode(&key), "value": encode(value)});
        v2::v3(&subtree.url(), "/v3/kv/put", &body);
        expected.push([
            b"ETCD_WATCH_ACTION=set".to_vec(),
            [b"ETCD_WATCH_KEY=", &key[..]].concat(),
            [b"ETCD_WATCH_VALUE=", *value].concat(),
        ]);
    }
    let output = running.wait(wait::LONG);
    assert_eq!(output.code, 0, "{output:?}");
    let lines: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.contains("all is well"))
        .collect();
    assert_eq!(lines.len(), 6, "{output:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("etcdwatch: the command for ")),
        "{lines:?}"
    );
    let environment = fs::read(&file).unwrap();
    let mut printed: Vec<&[u8]> = environment
        .split(|byte| *byte == 0)
        .filter(|variable| {
            variable.starts_with(b"ETCD_WATCH_")
                && !variable.starts_with(b"ETCD_WATCH_MODIFIED_INDEX=")
        })
        .collect();
    for mut expected in expected {
        let mut one: Vec<&[u8]> = printed.drain(..3).collect();
        one.sort_unstable();
        expected.sort();
        assert_eq!(one, expected);
    }
    assert!(printed.is_empty());
    assert!(!directory.path().join("owned").exists());
}

#[test]
fn the_spinner_escapes_control_characters_in_the_key() {
    let subtree = shared::any();
    for api in ["v2", "v3"] {
        let key = subtree.key(&control_text());
        let watch = ["--api", api, "watch", "--stream", &key];
        let terminal = subtree.program(&watch).on_terminal(24, 900);
        wait::until(wait::LONG, "the spinner", || {
            String::from_utf8_lossy(&terminal.raw()).contains("0 events")
        });
        terminal.signal(Signal::INT);
        assert_eq!(terminal.wait(wait::LONG), 130);
        assert_harmless(&terminal, &watch);
    }
}

//! Output on a terminal: the spinner, the progress bar, columns, colors, and escaping.

use std::time::Duration;

use serde_json::Value;

use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Program, Signal, Terminal};
use crate::support::{v2, wait};

/// The time limit for an immediate exit.
const SOON: Duration = Duration::from_secs(2);

/// Waits until the first record and the spinner are on the screen.
#[track_caller]
fn wait_for_record_and_spinner(terminal: &Terminal) {
    let are_there = |screen: &str| screen.contains("watching") && rows(screen).len() > 1;
    terminal.wait_for_screen(are_there, wait::LONG);
}

/// The rows that are not empty, without the terminal's echo of Ctrl-C.
fn rows(screen: &str) -> Vec<String> {
    screen
        .lines()
        .map(|row| row.replace("^C", "").trim_end().to_owned())
        .filter(|row| !row.is_empty())
        .collect()
}

fn contains(terminal: &Terminal, part: &[u8]) -> bool {
    terminal.raw().windows(part.len()).any(|have| have == part)
}

/// Returns whether the output sets a color: `ESC [ … m`.
fn is_colored(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic());
        // Zero resets the color.
        end.is_some_and(|end| rest[end..].starts_with('m') && !["", "0"].contains(&&rest[..end]))
    })
}

// --- the spinner

#[test]
fn the_spinner_shows_the_elapsed_time_the_event_count_and_the_index() {
    for subtree in shared::each() {
        let (program, index) = subtree.stream_with_first_event(&[]);
        let terminal = program.on_terminal(24, 100);
        let part = subtree.root().to_owned();
        let shows = move |screen: &str, elapsed: &str, events: &str, index: u64| {
            let spinner = rows(screen).pop().unwrap_or_default();
            // Other tests write too, so that the index advances.
            let reached = spinner
                .split("index ")
                .nth(1)
                .and_then(|rest| rest.split(':').next()?.parse::<u64>().ok());
            let parts = [part.as_str(), elapsed, events];
            parts.iter().all(|part| spinner.contains(part))
                && reached.is_some_and(|reached| reached >= index)
        };
        terminal.wait_for_screen(|screen| shows(screen, "0s", "1 event", index), wait::LONG);
        // It is updated while nothing happens.
        terminal.wait_for_screen(|screen| shows(screen, "1s", "1 event", index), wait::LONG);
        let index = subtree.put(&subtree.key("second"), "2");
        terminal.wait_for_screen(|screen| shows(screen, "s", "2 events", index), wait::LONG);
        terminal.send(b"\x03");
        assert_eq!(terminal.wait(SOON), 130);
    }
}

#[test]
fn records_are_not_garbled_by_the_spinner() {
    let subtree = shared::any();
    let (program, _) = subtree.stream_with_first_event(&["--color", "never"]);
    let terminal = program.on_terminal(50, 100);
    let mut written = vec!["first".to_owned()];
    for number in 0..30 {
        // The spinner is drawn between some of the records.
        if number % 10 == 0 {
            let drawn = terminal.raw().len();
            terminal.wait_for_screen(|screen| screen.contains("watching"), wait::LONG);
            wait::until(wait::LONG, "the spinner to turn", || {
                terminal.raw().len() > drawn
            });
        }
        let name = format!("k{number}");
        subtree.put(&subtree.key(&name), "v");
        written.push(name);
    }
    let last = subtree.key("k29");
    terminal.wait_for_screen(|screen| screen.contains(&last), wait::LONG);
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait(SOON), 130);
    let rows = rows(&terminal.screen());
    let keys: Vec<_> = rows
        .iter()
        .map(|row| {
            let fields: Vec<_> = row.split_whitespace().collect();
            assert_eq!(fields.len(), 4, "a garbled row: {row:?}");
            assert!(fields[0].parse::<u64>().is_ok(), "{row:?}");
            assert_eq!(fields[1], "set", "{row:?}");
            fields[2].to_owned()
        })
        .collect();
    let expected: Vec<_> = written.iter().map(|name| subtree.key(name)).collect();
    assert_eq!(keys, expected);
}

#[test]
fn every_exit_clears_the_spinner_and_shows_the_cursor() {
    let subtree = shared::any();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (program, _) = subtree.stream_with_first_event(&[]);
        let terminal = program.on_terminal(24, 100);
        wait_for_record_and_spinner(&terminal);
        terminal.signal(signal);
        assert_eq!(terminal.wait(SOON), code);
        assert_eq!(rows(&terminal.screen()).len(), 1, "{}", terminal.screen());
        let raw = terminal.raw();
        let text = String::from_utf8_lossy(&raw);
        let (hidden, shown) = (text.rfind("\u{1b}[?25l"), text.rfind("\u{1b}[?25h"));
        assert!(
            hidden.is_none() || hidden < shown,
            "the cursor stays hidden"
        );
    }
    let (program, _) = subtree.stream_with_first_event(&["--timeout", "2s"]);
    let terminal = program.on_terminal(24, 100);
    wait_for_record_and_spinner(&terminal);
    assert_eq!(terminal.wait(wait::LONG), 124);
    let rows = rows(&terminal.screen());
    assert!(rows[1].contains("timed out"), "{rows:?}");
    assert!(!rows.iter().any(|row| row.contains("watching")), "{rows:?}");
}

#[test]
fn a_typed_ctrl_c_leaves_no_trace_of_the_spinner() {
    // The terminal echoes ^C at the cursor, which must not wrap the line there.
    let subtree = shared::any();
    for columns in [60, 100] {
        let (program, _) = subtree.stream_with_first_event(&[]);
        let terminal = program.on_terminal(24, columns);
        wait_for_record_and_spinner(&terminal);
        terminal.send(b"\x03");
        assert_eq!(terminal.wait(SOON), 130);
        let rows = rows(&terminal.screen());
        assert!(
            !rows.iter().any(|row| row.contains("watching")),
            "{rows:#?}"
        );
        assert_eq!(rows.len(), 1, "{rows:#?}");
    }
}

#[test]
fn a_notice_is_not_garbled_by_the_spinner() {
    let subtree = shared::any();
    let proxy = Proxy::to(&subtree.url());
    let (_, index) = subtree.stream_with_first_event(&[]);
    let from = index.to_string();
    let watch = subtree.stream_from(&from);
    let url = proxy.url();
    let watch = [&watch[..], &["--endpoints", &url]].concat();
    let terminal = Program::tool(&watch).on_terminal(24, 120);
    terminal.wait_for_screen(|screen| screen.contains("watching"), wait::LONG);
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    terminal.wait_for_screen(|screen| screen.contains(&url), wait::LONG);
    subtree.put(&subtree.key("second"), "2");
    proxy.refuse(false);
    let second = subtree.key("second");
    terminal.wait_for_screen(|screen| screen.contains(&second), wait::LONG);
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait(SOON), 130);
    for row in rows(&terminal.screen()) {
        let is_record = row
            .trim_start()
            .starts_with(|letter: char| letter.is_ascii_digit());
        assert!(is_record || row.starts_with("etcdwatch: "), "{row:?}");
    }
}

#[test]
fn only_a_slow_request_shows_a_spinner() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "v");
    let proxy = Proxy::to(&subtree.url());
    proxy.half_open();
    let get = ["get", &key, "--timeout", "60s", "--endpoints", &proxy.url()];
    let terminal = Terminal::start(&get, 24, 100);
    terminal.wait_for_screen(|screen| screen.contains("reading"), wait::LONG);
    proxy.resume();
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert_eq!(rows(&terminal.screen()), ["v"]);

    let terminal = subtree.on_terminal(&["get", &key]);
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert_eq!(terminal.raw(), b"v\r\n");
}

#[test]
fn quiet_hides_the_spinner() {
    let subtree = shared::any();
    let (program, _) = subtree.stream_with_first_event(&["-q", "--timeout", "700ms"]);
    let terminal = program.on_terminal(24, 100);
    // Longer than the spinner takes to appear, by the tool's own clock.
    assert_eq!(terminal.wait(wait::LONG), 124);
    assert!(!contains(&terminal, b"watching"));
    let (program, _) = subtree.stream_with_first_event(&["--timeout", "2s"]);
    let terminal = program.on_terminal(24, 100);
    assert_eq!(terminal.wait(wait::LONG), 124);
    assert!(contains(&terminal, b"watching"));
}

#[test]
fn the_spinner_is_cleared_on_a_narrow_or_shrunk_terminal() {
    let subtree = shared::any();
    let (program, _) = subtree.stream_with_first_event(&[]);
    let terminal = program.on_terminal(24, 40);
    terminal.wait_for_screen(|screen| screen.contains("watching"), wait::LONG);
    // A line that is drawn for a terminal that has just shrunk is wrapped.
    terminal.signal(Signal::STOP);
    terminal.resize(24, 30);
    terminal.signal(Signal::CONT);
    let drawn = terminal.raw().len();
    wait::until(wait::LONG, "the spinner to turn", || {
        terminal.raw().len() > drawn + 100
    });
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait(SOON), 130);
    let rows = rows(&terminal.screen());
    assert!(!rows.iter().any(|row| row.contains("watching")), "{rows:?}");
}

#[test]
fn the_spinner_is_drawn_while_stdout_is_a_file() {
    let subtree = shared::any();
    let index = subtree.put(&subtree.key("first"), "1");
    let from = index.to_string();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("records");
    let script = format!(r#"exec "$0" "$@" >'{}'"#, path.display());
    let watch = subtree.stream_from(&from);
    let terminal = subtree.shell(&script, &watch).on_terminal(24, 100);
    terminal.wait_for_screen(|screen| screen.contains("1 event"), wait::LONG);
    let second = subtree.put(&subtree.key("second"), "2\t3");
    terminal.wait_for_screen(|screen| screen.contains("2 events"), wait::LONG);
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait(SOON), 130);
    let expected = format!(
        "{index}\tset\t{}\t1\n{second}\tset\t{}\t2\\t3\n",
        subtree.key("first"),
        subtree.key("second")
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(rows(&terminal.screen()), Vec::<String>::new());
}

#[test]
fn no_spinner_is_drawn_if_stdout_is_a_pipe() {
    let subtree = shared::any();
    let watch = ["watch", "-r", subtree.root(), "--timeout", "700ms"];
    let script = r#""$0" "$@" | cat"#;
    let terminal = subtree.shell(script, &watch).on_terminal(24, 100);
    // Longer than the spinner takes to appear, by the tool's own clock.
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert!(contains(&terminal, b"700ms"));
    assert!(!contains(&terminal, b"watching"));
}

#[test]
fn no_spinner_is_drawn_while_commands_are_run() {
    let subtree = shared::any();
    let watch = [
        "watch",
        "--stream",
        "-r",
        subtree.root(),
        "--timeout",
        "700ms",
    ];
    let command = ["--", "true"];
    let terminal = subtree.on_terminal(&[&watch[..], &command].concat());
    // Longer than the spinner takes to appear, by the tool's own clock.
    assert_eq!(terminal.wait(wait::LONG), 124);
    assert!(!contains(&terminal, b"watching"));
}

#[test]
fn no_spinner_is_drawn_if_stderr_is_a_file() {
    let subtree = shared::any();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors");
    let script = format!(r#"exec "$0" "$@" 2>'{}'"#, path.display());
    let from = subtree.put(&subtree.key("first"), "1").to_string();
    let watch = subtree.stream_from(&from);
    let watch = [&watch[..], &["--timeout", "700ms"]].concat();
    let terminal = subtree.shell(&script, &watch).on_terminal(24, 100);
    assert_eq!(terminal.wait(wait::LONG), 124);
    assert_eq!(rows(&terminal.screen()).len(), 1);
    let errors = std::fs::read_to_string(&path).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors:?}");
    assert!(errors.contains("timed out"), "{errors:?}");
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
}

// --- the progress bar

/// Asserts that a replay of 301 events over a network that `slow` has slowed down shows a progress
/// bar and clears it. The records go to a file.
#[track_caller]
fn assert_shows_a_bar(slow: impl Fn(&Proxy)) {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("first"), "1").to_string();
    let value = "x".repeat(2_000);
    v2::burst(&subtree.url(), 300, |number| {
        (subtree.key(&format!("k{number}")), value.clone())
    });
    let proxy = Proxy::to(&subtree.url());
    slow(&proxy);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("records");
    let script = format!(r#"exec "$0" "$@" >'{}'"#, path.display());
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let url = proxy.url();
    let replay = [&replay[..], &["--endpoints", &url]].concat();
    let terminal = Program::shell(&script, &replay).on_terminal(24, 100);
    let shows_bar = |screen: &str| {
        let row = rows(screen).pop().unwrap_or_default();
        let percent = row
            .split('%')
            .next()
            .and_then(|left| left.split_whitespace().last());
        row.contains("replaying") && percent.is_some_and(|part| part.parse::<u8>().is_ok())
    };
    terminal.wait_for_screen(shows_bar, wait::LONG);
    proxy.resume();
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert_eq!(rows(&terminal.screen()), Vec::<String>::new());
    let records = std::fs::read_to_string(&path).unwrap();
    assert_eq!(records.lines().count(), 301);
}

#[test]
fn replay_over_a_slow_network_shows_and_clears_a_progress_bar() {
    assert_shows_a_bar(|proxy| proxy.delay(Duration::from_millis(500)));
}

#[test]
fn replay_of_a_steady_trickle_shows_and_clears_a_progress_bar() {
    // Events arrive steadily, never 100 ms apart.
    assert_shows_a_bar(|proxy| proxy.bandwidth(100_000));
}

// --- columns and colors

#[test]
fn columns_are_aligned_on_a_terminal() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("a"), "VALUE").to_string();
    subtree.put(&subtree.key("longer"), "VALUE");
    subtree.put(&subtree.key("漢字"), "VALUE");
    let path = format!("/v2/keys{}", subtree.key("new"));
    let created = v2::request(
        "PUT",
        &subtree.url(),
        &path,
        &[("value", "VALUE"), ("prevExist", "false")],
    );
    assert_eq!(created.status, 201);
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let terminal = subtree.on_terminal(&replay);
    assert_eq!(terminal.wait(wait::LONG), 0);
    let rows = rows(&terminal.screen());
    assert_eq!(rows.len(), 4, "{rows:?}");
    let column = |row: &String, part: &str| {
        let before = row.split(part).next().unwrap();
        assert_ne!(before, row, "no {part} in {row:?}");
        unicode_width::UnicodeWidthStr::width(before)
    };
    for part in [subtree.root(), "VALUE"] {
        let columns: Vec<_> = rows.iter().map(|row| column(row, part)).collect();
        assert!(columns.iter().all(|one| *one == columns[0]), "{rows:?}");
    }
    assert!(!terminal.raw().contains(&b'\t'), "columns, not tabs");
}

#[test]
fn records_are_colored_on_a_terminal_unless_disabled() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("k"), "v").to_string();
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let raw = |options: &[&str], variable: Option<(&str, &str)>| {
        let program = subtree.program(&[&replay[..], options].concat());
        let program = match variable {
            Some((name, value)) => program.env(name, value),
            None => program,
        };
        let terminal = program.on_terminal(24, 100);
        assert_eq!(terminal.wait(wait::LONG), 0);
        assert_eq!(rows(&terminal.screen()).len(), 1);
        terminal.raw()
    };
    let no_color = Some(("NO_COLOR", "1"));
    assert!(is_colored(&raw(&[], None)));
    assert!(is_colored(&raw(&["--color", "auto"], None)));
    assert!(is_colored(&raw(&["--color", "always"], no_color)));
    assert!(is_colored(&raw(
        &["--color", "always"],
        Some(("TERM", "dumb"))
    )));
    assert!(!is_colored(&raw(&[], no_color)));
    assert!(!is_colored(&raw(&["--color", "never"], None)));
    // An empty NO_COLOR is ignored.
    assert!(is_colored(&raw(&[], Some(("NO_COLOR", "")))));
}

#[test]
fn errors_are_colored_on_a_terminal_unless_disabled() {
    let subtree = shared::any();
    let key = subtree.key("none");
    let raw = |options: &[&str]| {
        let terminal = subtree.on_terminal(&[&["get", &key], options].concat());
        assert_eq!(terminal.wait(wait::LONG), 1);
        terminal.raw()
    };
    assert!(is_colored(&raw(&[])));
    assert!(!is_colored(&raw(&["--color", "never"])));
    // stderr is the terminal and stdout is not. The error is colored nevertheless.
    let script = r#"exec "$0" "$@" >/dev/null"#;
    let terminal = subtree.shell(script, &["get", &key]).on_terminal(24, 100);
    assert_eq!(terminal.wait(wait::LONG), 1);
    assert!(is_colored(&terminal.raw()));
}

#[test]
fn help_and_usage_errors_obey_the_color_option() {
    for (arguments, code) in [
        (&["--color", "never", "--help"][..], 0),
        (&["get", "--color", "never"], 2),
    ] {
        let terminal = Terminal::start(arguments, 60, 100);
        assert_eq!(terminal.wait(wait::LONG), code);
        assert!(!is_colored(&terminal.raw()), "{arguments:?}");
    }
    let terminal = Program::tool(&["--help"])
        .env("NO_COLOR", "1")
        .on_terminal(60, 100);
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert!(!is_colored(&terminal.raw()));
}

// --- hostile data

/// Sequences that clear the screen, set the title, ring the bell, request reports or reverse text,
/// and a C1 control.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[6n\u{202e}\u{9b}31m\u{2028}\u{7f}\u{8}é";

/// Asserts that no such sequence reached the terminal.
#[track_caller]
fn assert_harmless(terminal: &Terminal, what: &[&str]) {
    let raw = terminal.raw();
    let text = String::from_utf8(raw).expect("UTF-8");
    for bad in [
        "\u{1b}]",
        "\u{1b}[2J",
        "\u{1b}[6n",
        "\u{7}",
        "\u{8}",
        "\u{7f}",
        "\u{9b}",
        "\u{202e}",
        "\u{2028}",
    ] {
        assert!(
            !text.contains(bad),
            "{bad:?} came through {what:?}: {text:?}"
        );
    }
}

/// Runs commands on hostile keys and values, each with each set of options.
fn show_hostile_data(options: &[&[&str]]) {
    let subtree = shared::any();
    let key = subtree.key(HOSTILE);
    let from = subtree.put(&key, HOSTILE).to_string();
    subtree.put(&key, HOSTILE);
    let none = subtree.key(&format!("none{HOSTILE}"));
    for (arguments, code) in [
        (&["get", &key][..], 0),
        (&["get", subtree.root()], 0),
        (&["get", "-r", subtree.root()], 0),
        (&["set", &key, HOSTILE], 0),
        (&["watch", &key, "--from-index", &from, "--prev"], 0),
        (
            &[
                "replay",
                "-r",
                subtree.root(),
                "--from-index",
                &from,
                "--prev",
            ],
            0,
        ),
        (&["get", &none], 1),
        (&["rm", &key, "--prev-value", "other"], 1),
        (
            &[
                "set",
                &key,
                "x",
                "--prev-value",
                HOSTILE,
                "--prev-index",
                "1",
            ],
            1,
        ),
        (&["get", &format!("{key}/../x")], 2),
        (&["get", "/k", "--endpoints", HOSTILE], 2),
        (&["rm", &key], 0),
    ] {
        for options in options {
            if arguments == ["rm", &key] {
                subtree.put(&key, "v");
            }
            let arguments = [options, arguments].concat();
            let terminal = if arguments.contains(&"--endpoints") {
                Terminal::start(&arguments, 24, 100)
            } else {
                subtree.on_terminal(&arguments)
            };
            assert_eq!(terminal.wait(wait::LONG), code, "{arguments:?}");
            assert_harmless(&terminal, &arguments);
        }
    }
}

#[test]
fn control_characters_in_data_are_escaped_in_text_output() {
    show_hostile_data(&[&[], &["-v"], &["--color", "always"]]);
}

#[test]
fn control_characters_in_data_are_escaped_in_json_output() {
    show_hostile_data(&[&["-o", "json"]]);
}

#[test]
fn control_characters_in_the_key_are_escaped_in_the_spinner() {
    let subtree = shared::any();
    let key = subtree.key(HOSTILE);
    // The terminal is wide enough for the whole key.
    let watch = subtree.program(&["watch", "--stream", &key]);
    let terminal = watch.on_terminal(24, 200);
    wait::until(wait::LONG, "the spinner", || {
        contains(&terminal, b"0 events")
    });
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait(SOON), 130);
    assert_harmless(&terminal, &["watch"]);
}

#[test]
fn json_on_a_terminal_parses_to_the_same_value_as_in_a_pipe() {
    let subtree = shared::any();
    let key = subtree.key(HOSTILE);
    subtree.put(&key, HOSTILE);
    let piped = subtree.tool(&["-o", "json", "get", &key]);
    let piped: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!(piped["node"]["value"], HOSTILE);
    // The terminal is wide enough that no line is wrapped.
    let terminal = subtree
        .program(&["-o", "json", "get", &key])
        .on_terminal(5, 1000);
    assert_eq!(terminal.wait(wait::LONG), 0);
    let shown: Value = serde_json::from_slice(&terminal.raw()).unwrap();
    assert_eq!(shown, piped);
}

/// Runs commands against servers that send hostile replies.
fn show_hostile_replies(options: &[&[&str]]) {
    let fault = serde_json::json!({
        "errorCode": 999, "message": HOSTILE, "cause": HOSTILE, "index": 7,
    })
    .to_string();
    let length = HOSTILE.len();
    let page = format!("HTTP/1.1 500 Oops\r\nContent-Length: {length}\r\n\r\n{HOSTILE}");
    let location = "http://x/\u{9b}31m\u{202e}";
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let unknown = serde_json::json!({
        "action": HOSTILE,
        "node": {"key": "/k", "value": HOSTILE, "modifiedIndex": 7, "createdIndex": 7},
    })
    .to_string();
    for (reply, is_event) in [
        (Response::etcd(400, 7, fault), false),
        (Response::raw(page).close(), false),
        (Response::raw(redirect).close(), false),
        (Response::etcd(200, 7, HOSTILE), false),
        (Response::etcd(200, 7, format!("{unknown}\n")), true),
    ] {
        let server = Scripted::serve(move |_| reply.clone());
        let url = server.url();
        for command in [
            &["get", "/k"][..],
            &["set", "/k", "v"],
            &["watch", "/k", "--from-index", "7", "--timeout", "1s"],
        ] {
            for options in options {
                let arguments = [&["--endpoints", &url], *options, command].concat();
                let terminal = Terminal::start(&arguments, 24, 100);
                let code = terminal.wait(wait::LONG);
                assert!(
                    is_event || code != 0,
                    "{arguments:?}: {}",
                    terminal.screen()
                );
                assert_harmless(&terminal, &arguments);
            }
        }
    }
}

#[test]
fn control_characters_in_replies_are_escaped_in_text_output() {
    show_hostile_replies(&[&[], &["-v"]]);
}

#[test]
fn control_characters_in_replies_are_escaped_in_json_output() {
    show_hostile_replies(&[&["-o", "json"]]);
}

//! The spinner and the progress bar.

use std::time::Duration;

use super::{SOON, contains, rows, wait_for_record_and_spinner};
use crate::support::proxy::{Cut, Proxy};
use crate::support::shared;
use crate::support::tool::{Program, Signal, Terminal};
use crate::support::{v2, wait};

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

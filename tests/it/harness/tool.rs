//! Tests of running programs: to their end, in the background, and on a terminal.

use std::time::Duration;

use serde_json::json;

use super::panic_message;
use crate::support::tool::{Program, Running, Signal, Terminal, tool, tool_with_stdin};
use crate::support::wait;

#[test]
fn the_tool_runs_in_each_way_and_prints_its_version() {
    let output = tool(&["--version"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.starts_with("etcdwatch "), "{}", output.stdout);
    assert_eq!(
        tool_with_stdin(&["--version"], b"unread").stdout,
        output.stdout
    );
    let running = Running::start(&["--version"]);
    assert_eq!(
        running.wait_for_lines(1, wait::LONG),
        [output.stdout.trim_end()]
    );
    assert_eq!(running.wait(wait::LONG).code, 0);
    let terminal = Terminal::start(&["--version"], 10, 80);
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert!(terminal.screen().contains(output.stdout.trim_end()));
}

#[test]
fn a_program_gets_only_the_given_environment() {
    let output = Program::new("env", &[] as &[&str])
        .env("ETCDCTL_API", "2")
        .run();
    let names: Vec<_> = output
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| {
            !matches!(
                *name,
                "PATH" | "TMPDIR" | "LLVM_PROFILE_FILE" | "RUST_BACKTRACE"
            )
        })
        .collect();
    assert_eq!(names, ["ETCDCTL_API"]);
}

#[test]
fn run_returns_stdout_bytes_and_the_exit_code() {
    let output = sh("cat; echo oops >&2; exit 7").stdin(b"\xff\0x").run();
    assert_eq!((output.code, output.stderr.as_str()), (7, "oops\n"));
    assert_eq!(output.stdout_bytes, b"\xff\0x");
    assert_eq!(sh("kill -9 $$").run().code, -9);
}

#[test]
fn a_running_program_can_be_awaited_line_by_line() {
    let running = sh(
        r#"echo '{"a":1}'; echo ready >&2; trap 'printf end; exit 3' TERM
                        while :; do sleep 0.01; done"#,
    )
    .start();
    assert_eq!(running.wait_for_lines(1, wait::LONG), [r#"{"a":1}"#]);
    assert_eq!(running.json(), [json!({"a": 1})]);
    running.wait_for_stderr("ready", wait::LONG);
    assert_eq!(running.stderr(), "ready\n");
    assert!(running.peak_memory_kib() > 100);
    assert!(!running.has_ended());
    running.signal(Signal::TERM);
    let output = running.wait(wait::LONG);
    assert_eq!((output.code, output.stdout.as_str()), (3, "{\"a\":1}\nend"));
}

#[test]
fn a_program_past_its_deadline_is_killed_and_its_output_shown() {
    let running = sh("echo was here; exec sleep 60").start();
    running.wait_for_lines(1, wait::LONG);
    let message = panic_message(|| running.wait(Duration::from_millis(20)));
    assert!(message.contains("was here"), "{message}");
    let late = || sh("echo was here; exec sleep 60").run_within(Duration::from_millis(500));
    let message = panic_message(late);
    assert!(message.contains("was here"), "{message}");
    assert!(message.contains("has not ended after 500ms"), "{message}");
    let starving = sh("echo one; exec sleep 60").start();
    let message = panic_message(|| starving.wait_for_lines(2, Duration::from_millis(20)));
    assert!(message.contains("1 of 2 lines"), "{message}");
}

#[test]
fn stdout_can_be_read_late_or_closed() {
    let slow = sh("exec seq 100000").unread().start();
    wait::never(Duration::from_millis(50), "it ended unread", || {
        slow.has_ended()
    });
    slow.read_stdout();
    assert_eq!(slow.wait(wait::LONG).stdout.lines().count(), 100_000);
    let gone = sh("exec seq 100000").unread().start();
    gone.close_stdout();
    assert_ne!(gone.wait(wait::LONG).code, 0);
}

#[test]
fn a_terminal_shows_output_takes_input_and_resizes() {
    let script = "stty -echo; stty size; while read line; do printf '\\033[31m<%s>\\033[0m ' \
                  \"$line\"; stty size; done";
    let terminal = sh(script).on_terminal(20, 70);
    terminal.wait_for_screen(|screen| screen.contains("20 70"), wait::LONG);
    terminal.resize(30, 90);
    terminal.send(b"hello\n");
    terminal.wait_for_screen(|screen| screen.contains("<hello> 30 90"), wait::LONG);
    assert!(terminal.raw().windows(5).any(|part| part == b"\x1b[31m"));
    // Ctrl-D ends the input.
    terminal.send(b"\x04");
    assert_eq!(terminal.wait(wait::LONG), 0);

    let ended = sh("exec sleep 60").on_terminal(5, 20);
    ended.signal(Signal::TERM);
    assert_eq!(ended.wait(wait::LONG), -15);
}

fn sh(script: &str) -> Program {
    Program::new("sh", &["-c", script])
}

//! SIGINT, SIGTERM and SIGHUP end every command with the right exit code, whatever it waits for.

use std::time::Duration;

use crate::support::proxy::Proxy;
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Program, Signal};
use crate::support::{v2, wait};

/// The time limit for an immediate exit. Other tests measure how fast it is.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn a_signal_ends_a_live_watch_with_its_exit_code_after_all_records() {
    let subtree = shared::any();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for output in ["text", "json"] {
            let (program, _) = subtree.stream_with_first_event(&["-o", output]);
            let running = program.start();
            running.wait_for_lines(1, wait::LONG);
            // Some of these events are in flight when the signal comes. Printed lines must be
            // complete.
            for number in 0..20 {
                subtree.put(&subtree.key("k"), &number.to_string());
            }
            running.wait_for_lines(21, wait::LONG);
            running.signal(signal);
            let output = running.wait(SOON);
            assert_eq!((output.code, output.stderr.as_str()), (code, ""));
            assert_eq!(output.stdout.lines().count(), 21);
            assert!(output.stdout.ends_with('\n'));
        }
    }
}

#[test]
fn records_before_a_signal_are_printed_completely_under_load() {
    let subtree = shared::any();
    let (program, _) = subtree.stream_with_first_event(&["-o", "json"]);
    let running = program.start();
    running.wait_for_lines(1, wait::LONG);
    let url = subtree.url();
    let key = subtree.key("k");
    let written = std::thread::scope(|scope| {
        let writer =
            scope.spawn(|| v2::burst(&url, 300, |number| (key.clone(), number.to_string())));
        running.wait_for_lines(50, wait::LONG);
        running.signal(Signal::INT);
        let output = running.wait(SOON);
        assert_eq!((output.code, output.stderr.as_str()), (130, ""));
        assert!(output.stdout.ends_with('\n'));
        let lines: Vec<_> = output.stdout.lines().map(str::to_owned).collect();
        let records = crate::support::tool::parse_lines(&lines);
        (writer.join().unwrap(), records)
    });
    let (truth, records) = written;
    let seen: Vec<_> = records[1..]
        .iter()
        .map(|record| record["node"]["modifiedIndex"].as_u64().unwrap())
        .collect();
    let expected: Vec<_> = truth.iter().map(|one| one.index).take(seen.len()).collect();
    assert_eq!(seen, expected, "in order, and none missing before the last");
}

#[test]
fn a_signal_ends_a_watch_during_backoff() {
    let subtree = shared::any();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let proxy = Proxy::to(&subtree.url());
        let from = subtree.put(&subtree.key("first"), "1").to_string();
        let watch = subtree.stream_from(&from);
        let running = Program::tool(&[&watch[..], &["--endpoints", &proxy.url()]].concat()).start();
        running.wait_for_lines(1, wait::LONG);
        proxy.refuse(true);
        proxy.cut_all(crate::support::proxy::Cut::Close);
        running.wait_for_stderr(&proxy.url(), wait::LONG);
        running.signal(signal);
        let output = running.wait(SOON);
        assert_eq!(output.code, code, "{output:?}");
        assert_eq!(output.stdout.lines().count(), 1);
    }
}

#[test]
fn a_signal_ends_a_command_while_it_connects() {
    let full = crate::support::ports::full();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for command in [
            &["watch", "--stream", "-r", "/"][..],
            &["get", "/k"],
            &["set", "/k", "v"],
            &["replay", "/", "--from-index", "1"],
        ] {
            let options = ["-v", "--timeout", "60s", "--connect-timeout", "60s"];
            let endpoint = ["--endpoints", &full.url()];
            let running = Program::tool(&[&options[..], &endpoint, command].concat()).start();
            // The request is printed when the tool begins to connect.
            running.wait_for_stderr("curl", wait::LONG);
            running.signal(signal);
            let output = running.wait(SOON);
            assert_eq!(output.code, code, "{output:?}");
        }
    }
}

#[test]
fn a_signal_ends_an_unanswered_request() {
    for (command, signal, code) in [
        (&["get", "/k"][..], Signal::INT, 130),
        (&["set", "/k", "v"], Signal::TERM, 143),
        (&["watch", "--api", "v2", "/k"], Signal::HUP, 129),
    ] {
        let server = Scripted::serve(|_| Response::default().hold());
        let options = ["--timeout", "60s", "--endpoints", &server.url()];
        let running = Program::tool(&[&options, command].concat()).start();
        wait::until(wait::LONG, "the request", || !server.requests().is_empty());
        running.signal(signal);
        assert_eq!(running.wait(SOON).code, code);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_signal_ends_a_set_that_reads_stdin() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("fifo");
    let path = path.to_str().unwrap();
    assert_eq!(Program::new("mkfifo", &[path]).run().code, 0);
    // A FIFO that is opened for reading and writing never ends.
    let script = format!(r#"exec 3<>'{path}'; exec "$0" "$@" <&3"#);
    let running = subtree
        .shell(&script, &["set", &key, "-", "--timeout", "60s"])
        .start();
    // The shell has no handler for the signal, so that a handler means that the tool is running.
    wait::until(wait::LONG, "the handler", || running.catches(Signal::TERM));
    running.signal(Signal::TERM);
    let output = running.wait(SOON);
    assert_eq!(output.code, 143, "{output:?}");
    assert_eq!(subtree.value(&key), None);
}

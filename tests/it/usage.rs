//! What is typed, before any server is asked.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, is_match, starts_with};
use serde_json::Value;

fn etcdwatch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etcdwatch"));
    command.env_clear().args(arguments);
    command
}

#[test]
fn help_and_version_are_on_standard_output() {
    etcdwatch(&["--help"])
        .assert()
        .success()
        .stdout(contains("Usage: etcdwatch").and(contains("Global options")))
        .stderr(is_empty());
    etcdwatch(&["--version"])
        .assert()
        .success()
        .stdout(is_match(r"^etcdwatch \d+\.\d+\.\d+\n$").unwrap());
    for command in ["get", "set", "rm", "watch", "replay", "completions"] {
        etcdwatch(&[command, "--help"])
            .assert()
            .success()
            .stdout(contains(format!("Usage: etcdwatch {command}")));
    }
}

#[test]
fn without_a_command_there_is_help_and_exit_2() {
    etcdwatch(&[]).assert().code(2).stderr(contains("Usage:"));
    etcdwatch(&["wach"])
        .assert()
        .code(2)
        .stderr(contains("a similar subcommand exists: 'watch'"));
}

#[test]
fn a_usage_error_is_json_where_json_was_asked_for() {
    for arguments in [
        &["-o", "json", "set", "/a"][..],
        &["replay", "/a", "--output=json"],
        &["watch", "/a", "--from-index", "abc", "-ojson"],
        &["get", "", "-o", "json"],
    ] {
        let output = etcdwatch(arguments).assert().code(2).stdout(is_empty());
        let stderr = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        let error: Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(error["error"]["kind"], "usage", "{arguments:?}");
        assert_eq!(error["error"]["exit"], 2);
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for (shell, beginning) in [
        ("bash", "_etcdwatch()"),
        ("zsh", "#compdef etcdwatch"),
        ("fish", "# Print an optspec"),
        ("elvish", "\nuse builtin"),
        ("powershell", "\nusing namespace"),
    ] {
        etcdwatch(&["completions", shell])
            .assert()
            .success()
            .stdout(starts_with(beginning));
    }
}

//! Command-line usage, without a server.

use serde_json::Value;

use crate::support::tool::{Output, tool};

#[track_caller]
fn assert_prints(output: &Output, parts: &[&str]) {
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    for part in parts {
        assert!(output.stdout.contains(part), "{part:?}: {}", output.stdout);
    }
}

#[test]
fn help_and_version_are_printed_to_stdout() {
    let help = tool(&["--help"]);
    assert_prints(&help, &["Usage: etcdwatch", "Global options"]);
    let version = tool(&["--version"]);
    let expected = concat!("etcdwatch ", env!("CARGO_PKG_VERSION"), "\n");
    assert_prints(&version, &[]);
    assert_eq!(version.stdout, expected);
    for command in ["get", "set", "rm", "watch", "replay", "completions"] {
        let usage = format!("Usage: etcdwatch {command}");
        assert_prints(&tool(&[command, "--help"]), &[&usage]);
    }
}

#[test]
fn a_missing_or_unknown_command_exits_2_with_help() {
    for (arguments, part) in [
        (&[][..], "Usage:"),
        (&["wach"], "a similar subcommand exists: 'watch'"),
    ] {
        let output = tool(arguments);
        assert_eq!(output.code, 2, "{arguments:?}");
        assert!(output.stderr.contains(part), "{}", output.stderr);
    }
}

#[test]
fn a_usage_error_is_json_with_json_output() {
    for arguments in [
        &["-o", "json", "set", "/a"][..],
        &["replay", "/a", "--output=json"],
        &["watch", "/a", "--from-index", "abc", "-ojson"],
        &["get", "", "-o", "json"],
    ] {
        let output = tool(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""));
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
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
        let output = tool(&["completions", shell]);
        assert_prints(&output, &[]);
        assert!(output.stdout.starts_with(beginning), "{shell}");
    }
}

//! Where the password comes from: the prompt, a file, the environment, and the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{PASSWORD, Root, USER, as_v3_user, server};
use crate::support::certificates::write;
use crate::support::etcd::Version;
use crate::support::tool::{Program, Terminal, assert_ends, tool};
use crate::support::wait;

#[test]
fn the_password_prompt_does_not_echo() {
    let etcd = server(Version::V3_5).start();
    let _root = Root::of_v3(&etcd);
    let url = etcd.url();
    let ask = |typed: &[u8]| {
        let set = as_v3_user(&url, USER, &["set", "/app/k", "v"]);
        let terminal = Terminal::start(&set, 24, 100);
        terminal.wait_for_screen(|screen| screen.contains("Password for app:"), wait::LONG);
        terminal.send(typed);
        let code = terminal.wait(wait::LONG);
        assert!(
            !terminal.screen().contains("hunter2"),
            "{}",
            terminal.screen()
        );
        (code, terminal.screen())
    };
    let (code, screen) = ask(b"hunter2:x\r");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(ask(b"wrong\r").0, 4);
    let (code, screen) = ask(b"\r");
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("--password-file"), "{screen}");
    let interrupted = ask(b"hunter2:x\x03").0;
    assert!([130, -2].contains(&interrupted), "{interrupted}");
}

#[test]
fn a_missing_password_without_a_terminal_is_a_usage_error() {
    let get = [
        "--user",
        "app",
        "--endpoints",
        "http://127.0.0.1:1",
        "get",
        "/k",
    ];
    // A process in a new session has no terminal for a prompt.
    let arguments = [&["-w", env!("CARGO_BIN_EXE_etcdwatch")], &get[..]].concat();
    let output = Program::new("setsid", &arguments).run();
    assert_ends(&output, 2, &["app", "--password-file", "ETCDCTL_PASSWORD"]);
}

#[test]
fn the_password_comes_from_a_private_file_or_the_environment() {
    let etcd = server(Version::V3_5).start();
    let _root = Root::of_v3(&etcd);
    let directory = tempfile::tempdir().expect("a directory");
    let path = write(directory.path(), "password", "hunter2:x\n");
    let file = path.display().to_string();
    let url = etcd.url();
    let get = as_v3_user(&url, USER, &["get", "/app/k"]);
    let by_file = [&get[..], &["--password-file", &file]].concat();
    assert_ends(&tool(&by_file), 1, &["key not found"]);
    let output = Program::tool(&get).env("ETCDCTL_PASSWORD", PASSWORD).run();
    assert_ends(&output, 1, &["key not found"]);
    let output = Program::tool(&["--api", "v3", "--endpoints", &url, "get", "/app/k"])
        .env("ETCDCTL_USER", format!("{USER}:{PASSWORD}"))
        .run();
    assert_ends(&output, 1, &["key not found"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its owner's");
    assert_ends(&tool(&by_file), 2, &["password", "can read the file"]);
}

#[test]
fn a_password_on_the_command_line_causes_a_warning() {
    let etcd = server(Version::V3_5).start();
    let url = etcd.url();
    let get = [
        "--api",
        "v2",
        "--endpoints",
        &url,
        "--user",
        "app:hunter2:x",
        "get",
        "/",
    ];
    let output = tool(&get);
    assert_ends(
        &output,
        0,
        &["password on the command line", "--password-file"],
    );
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
    let output = tool(&[&get[..], &["-o", "json"]].concat());
    let notice: Value = serde_json::from_str(&output.stderr).expect("JSON");
    assert_eq!(notice["notice"]["kind"], "passwordInArguments");
}

#[test]
fn a_fifo_as_a_password_or_ca_file_is_a_usage_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("fifo");
    let file = path.display().to_string();
    let made = Program::new("mkfifo", &["-m", "600", &file]).run();
    assert_eq!(made.code, 0, "{made:?}");
    let url = "https://127.0.0.1:1";
    let get = ["--endpoints", url, "--user", USER, "get", "/k"];
    let by_fifo = [&get[..], &["--password-file", &file]].concat();
    assert_ends(&tool(&by_fifo), 2, &["FIFO"]);
    let trusting = ["--endpoints", url, "--cacert", &file, "get", "/k"];
    assert_ends(&tool(&trusting), 2, &["FIFO"]);
}

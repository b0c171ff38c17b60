//! The scripts in `examples/`, run as their users run them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::shared::{self, Subtree};
use crate::support::tool::{Program, Signal};
use crate::support::v3;
use crate::support::wait;

const APIS: [&str; 2] = ["2", "3"];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// A script that will run against a server through that API, with fake programs first on the PATH.
fn recipe(
    subtree: &Subtree,
    api: &str,
    name: &str,
    programs: &Path,
    arguments: &[&str],
) -> Program {
    let tool = Path::new(env!("CARGO_BIN_EXE_etcdwatch")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", programs.display(), tool.display());
    Program::new(example(name), arguments)
        .env("PATH", path)
        .env("ETCDCTL_ENDPOINTS", subtree.url())
        .env("ETCDCTL_API", api)
}

#[track_caller]
fn set(subtree: &Subtree, api: &str, key: &str, value: &str) {
    let output = subtree.tool(&["--api", api, "set", key, value]);
    assert_eq!(output.code, 0, "{output:?}");
}

fn program(directory: &TempDir, name: &str, script: &str) {
    let path = directory.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn read(path: &Path) -> Option<String> {
    fs::read(path)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn reload_nginx_reloads_once_per_burst_and_only_with_a_valid_file() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let file = path("site.conf").display().to_string();
        program(
            &directory,
            "nginx",
            &format!(
                "cd '{}'; echo \"$*\" >>calls; case $1 in -t) ! grep -q bad site.conf;; esac",
                directory.path().display()
            ),
        );
        let key = subtree.key(&format!("nginx{api}"));
        set(subtree, api, &key, "first\n");
        let running = recipe(
            subtree,
            api,
            "reload-nginx.sh",
            directory.path(),
            &[&key, &file],
        )
        .start();
        let reloads = || {
            let calls = read(&path("calls")).unwrap_or_default();
            calls.matches("reload").count()
        };
        wait::until(wait::LONG, "the first reload", || reloads() == 1);
        assert_eq!(read(&path("site.conf")).unwrap(), "first\n");
        for number in 0..20 {
            set(subtree, api, &key, &format!("{number}\n"));
        }
        wait::until(wait::LONG, "the last of the burst", || {
            read(&path("site.conf")).is_some_and(|text| text == "19\n")
        });
        wait::until(wait::LONG, "its reload", || reloads() > 1);
        set(subtree, api, &key, "bad\n");
        running.wait_for_stderr("does not take", wait::LONG);
        assert_eq!(read(&path("site.conf")).unwrap(), "19\n");
        set(subtree, api, &key, "good\n");
        wait::until(wait::LONG, "the good one", || {
            read(&path("site.conf")).is_some_and(|text| text == "good\n")
        });
        running.signal(Signal::TERM);
        assert_eq!(running.wait(wait::LONG).code, 143);
        assert!(reloads() < 10, "{:?}", read(&path("calls")));
    }
}

#[test]
fn wait_for_leader_prints_the_leader() {
    let nowhere = tempfile::tempdir().unwrap();
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let key = subtree.key(&format!("leader{api}"));
        let leader = |timeout: &str| {
            recipe(
                subtree,
                api,
                "wait-for-leader.sh",
                nowhere.path(),
                &[&key, timeout],
            )
        };
        assert_eq!(leader("200ms").run().code, 124);
        let running = leader("30s").start();
        set(subtree, api, &key, "10.0.0.7:80");
        let output = running.wait(wait::LONG);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (0, "10.0.0.7:80\n"),
            "{output:?}"
        );
        assert_eq!(leader("30s").run().stdout, "10.0.0.7:80\n");
    }
}

#[test]
fn gate_deployment_runs_the_command_once_the_configuration_matches() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wanted.yaml");
    fs::write(&file, "db:\n  host: h\n  port: 5432\n").unwrap();
    let file = file.display().to_string();
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let app = subtree.key(&format!("app{api}"));
        let gate = |timeout: &str| {
            let arguments = [&file, &app, timeout, "echo", "deployed"];
            recipe(
                subtree,
                api,
                "gate-deployment.sh",
                directory.path(),
                &arguments,
            )
        };
        set(subtree, api, &format!("{app}/db/port"), "5432");
        set(subtree, api, &format!("{app}/other"), "x");
        let late = gate("200ms").run();
        let missing = format!("-\t{app}/db/host\th\n");
        assert_eq!((late.code, late.stdout), (124, missing));
        let running = gate("30s").start();
        set(subtree, api, &format!("{app}/db/host"), "h");
        let output = running.wait(wait::LONG);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (0, "deployed\n"),
            "{output:?}"
        );
    }
}

#[test]
fn mirror_to_directory_mirrors_a_subtree_to_files() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("mirror");
        let app = subtree.key(&format!("app{api}"));
        let mirror = || {
            let arguments = [&app, &root.display().to_string()];
            let arguments = arguments.map(String::as_str);
            recipe(
                subtree,
                api,
                "mirror-to-directory.sh",
                directory.path(),
                &arguments,
            )
            .start()
        };
        let is = |name: &str, value: Option<&str>| read(&root.join(name)).as_deref() == value;
        let key = |name: &str| format!("{app}/{name}");
        set(subtree, api, &key("a"), "1\n2");
        set(subtree, api, &key("d/b c"), "'$HOME'");
        let running = mirror();
        wait::until(wait::LONG, "the state", || is("d/b c", Some("'$HOME'")));
        assert!(is("a", Some("1\n2")));
        set(subtree, api, &key("a"), "");
        set(subtree, api, &key("e/f/g"), "x");
        wait::until(wait::LONG, "what came", || {
            is("a", Some("")) && is("e/f/g", Some("x"))
        });
        let gone = subtree.tool(&["--api", api, "rm", "-r", &key("d")]);
        assert_eq!(gone.code, 0, "{gone:?}");
        wait::until(wait::LONG, "what went", || is("d/b c", None));
        running.signal(Signal::INT);
        assert_eq!(running.wait(wait::LONG).code, 130);
        // Changes while it does not run are caught up on.
        set(subtree, api, &key("e/f/g"), "y");
        set(subtree, api, &key("h"), "z");
        if api == "3" {
            v3::put(&subtree.url(), &key("bytes"), b"\xff\0\n");
        }
        let running = mirror();
        wait::until(wait::LONG, "what came meanwhile", || {
            is("e/f/g", Some("y")) && is("h", Some("z"))
        });
        if api == "3" {
            wait::until(wait::LONG, "the bytes", || {
                fs::read(root.join("bytes")).is_ok_and(|bytes| bytes == b"\xff\0\n")
            });
            // No key leads out of the directory.
            v3::put(&subtree.url(), &key("../out"), b"x");
            let output = running.wait(wait::LONG);
            assert_eq!(output.code, 123, "{output:?}");
            assert!(!directory.path().join("out").exists());
        } else {
            running.signal(Signal::INT);
            assert_eq!(running.wait(wait::LONG).code, 130);
        }
    }
}

#[test]
fn stream_into_jq_prints_one_line_for_each_change() {
    let nowhere = tempfile::tempdir().unwrap();
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let app = subtree.key(&format!("app{api}"));
        let key = format!("{app}/k");
        let first = subtree.tool(&["--api", api, "-o", "json", "set", &key, "1"]);
        let from = first.json()[0]["node"]["modifiedIndex"].to_string();
        set(subtree, api, &key, "2\n");
        assert_eq!(subtree.tool(&["--api", api, "rm", &key]).code, 0);
        let arguments = [&app, "--from-index", &from, "--count", "3"];
        let output = recipe(
            subtree,
            api,
            "stream-into-jq.sh",
            nowhere.path(),
            &arguments,
        )
        .run();
        let expected = format!(
            "{key}: nothing -> \"1\"\n{key}: \"1\" -> \"2\\n\"\n{key}: \"2\\n\" -> nothing\n"
        );
        assert_eq!(
            (output.code, output.stdout),
            (0, expected),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn examples_without_arguments_print_their_usage() {
    let subtree = shared::any();
    let nowhere = tempfile::tempdir().unwrap();
    for name in [
        "reload-nginx.sh",
        "wait-for-leader.sh",
        "gate-deployment.sh",
        "mirror-to-directory.sh",
        "stream-into-jq.sh",
    ] {
        let output = recipe(&subtree, "2", name, nowhere.path(), &[]).run();
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(
            output.stderr.contains(&format!("examples/{name}")),
            "{output:?}"
        );
    }
}

/// Returns a recipe of `docs/json.md`: the lines of code that follow `comment`.
fn recipe_in_docs(comment: &str) -> String {
    let text = include_str!("../../docs/json.md");
    let (_, rest) = text.split_once(comment).unwrap();
    let (_, lines) = rest.split_once('\n').unwrap();
    let lines = lines.lines();
    let lines = lines.take_while(|line| !line.is_empty() && !line.starts_with("```"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_jq_recipes_in_the_docs_mirror_a_subtree_with_both_apis() {
    let nowhere = tempfile::tempdir().unwrap();
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let app = subtree.key(&format!("app{api}"));
        let key = |name: &str| format!("{app}/{name}");
        let script = |comment: &str| recipe_in_docs(comment).replace(" /app", &format!(" {app}"));
        let run = |script: &str| {
            let bash = ["-c", script];
            let path = recipe(subtree, api, "none", nowhere.path(), &[]);
            path.replace("bash", &bash)
        };
        set(subtree, api, &key("b"), "3");
        set(subtree, api, &key("c/d"), "4");
        if api == "3" {
            v3::put(&subtree.url(), &key("c"), b"of its own");
        }
        let mirror = script("# mirror a subtree").replace("--snapshot", "--snapshot --count 3");
        let running = run(&mirror).start();
        running.wait_for_lines(1, wait::LONG);
        set(subtree, api, &key("e"), "5");
        let (gone, left) = match api {
            "2" => (key("c"), vec!["b", "e"]),
            _ => (key("c"), vec!["b", "c/d", "e"]),
        };
        assert_eq!(
            subtree
                .tool(&[
                    "--api",
                    if api == "2" { "v2" } else { "v3" },
                    "rm",
                    if api == "2" { "-r" } else { "-q" },
                    &gone
                ])
                .code,
            0
        );
        set(subtree, api, &key("b"), "6");
        let output = running.wait(wait::LONG);
        assert_eq!(output.code, 0, "{output:?}");
        let last = output.json().pop().unwrap();
        let keys: Vec<&String> = last.as_object().unwrap().keys().collect();
        let expected: Vec<String> = left.iter().map(|name| key(name)).collect();
        assert_eq!(keys, expected.iter().collect::<Vec<_>>());
        assert_eq!(last[key("b")], "6");
        let flat = run(&script("# a whole subtree as flat JSON")).run();
        let flat: serde_json::Value = serde_json::from_str(&flat.stdout).unwrap();
        assert_eq!(flat, last);
    }
}

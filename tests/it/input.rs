//! Input: unusual keys, the position of options, the environment, and what is rejected.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Output, Program, tool};

const VALUE: &str =
    r#"{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}"#;

/// A server that answers every read with the same value.
fn answering() -> Scripted {
    Scripted::serve(|_| Response::etcd(200, 7, VALUE))
}

/// A server that accepts every request and answers none.
fn silent() -> Scripted {
    Scripted::serve(|_| Response::default().hold())
}

#[track_caller]
fn assert_usage(output: &Output) {
    assert_eq!(output.code, 2, "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    assert_ne!(output.stderr, "", "{output:?}");
}

// --- keys

/// Names as typed, and as stored by the server.
const KEYS: [(&str, &str); 17] = [
    ("a b", "a b"),
    ("a%41%", "a%41%"),
    ("a?b=c", "a?b=c"),
    ("a#b", "a#b"),
    ("a+b&c;d", "a+b&c;d"),
    ("x//y", "x/y"),
    ("trailing/", "trailing"),
    ("//both///ends//", "both/ends"),
    ("é漢🦀", "é漢🦀"),
    ("e\u{301}", "e\u{301}"),
    ("new\nline\r", "new\nline\r"),
    ("es\u{1b}[31mc", "es\u{1b}[31mc"),
    ("quote'\"\\`$(x)", "quote'\"\\`$(x)"),
    ("...", "..."),
    (".a", ".a"),
    ("-dash", "-dash"),
    ("*[a]{b}|<c>", "*[a]{b}|<c>"),
];

#[test]
fn unusual_keys_are_written_read_and_removed() {
    for subtree in shared::each() {
        for (typed, name) in KEYS {
            let typed = subtree.key(typed);
            let key = subtree.key(name);
            let json = |arguments: &[&str]| {
                let output = subtree.tool(&[&["-o", "json"], arguments].concat());
                assert_eq!(output.code, 0, "{typed:?}: {output:?}");
                serde_json::from_str::<Value>(&output.stdout).unwrap()
            };
            assert_eq!(json(&["set", &typed, "v"])["node"]["key"], key);
            assert_eq!(subtree.value(&key).as_deref(), Some("v"), "{typed:?}");
            assert_eq!(json(&["get", &typed])["node"]["key"], key);
            assert_eq!(subtree.tool(&["get", &typed]).stdout, "v\n");
            assert_eq!(json(&["rm", &typed])["node"]["key"], key);
            assert_eq!(subtree.value(&key), None, "{typed:?}");
            assert_eq!(subtree.tool(&["get", &typed]).code, 1, "{typed:?}");
        }
    }
}

#[test]
fn a_missing_leading_slash_is_added_to_a_v2_key() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let typed = &key[1..];
        let output = subtree.tool(&["set", typed, "v"]);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stdout.contains(&format!("\t{key}\t")), "{output:?}");
        assert_eq!(subtree.tool(&["get", typed]).stdout, "v\n");
        assert_eq!(subtree.tool(&["rm", typed]).code, 0);
        assert_eq!(subtree.value(&key), None);
    }
}

#[test]
fn a_record_of_a_key_with_control_characters_is_one_line() {
    let subtree = shared::any();
    let output = subtree.tool(&["set", &subtree.key("a\n\u{1b}\t\u{202e}\\b"), "v"]);
    let line = output.stdout.strip_suffix('\n').unwrap();
    let fields: Vec<_> = line.split('\t').collect();
    let key = subtree.key(r"a\n\x1b\t\u{202e}\\b");
    assert_eq!(fields[1..], ["set", &key, "v"], "{output:?}");
}

#[test]
fn dot_segments_and_an_empty_key_are_usage_errors_before_any_request() {
    let server = answering();
    for key in ["", ".", "..", "/.", "/a/../b", "/a/./b", "../a", "/a/.."] {
        for command in [
            &["get", key][..],
            &["set", key, "v"],
            &["rm", "-r", key],
            &["watch", key],
            &["replay", key, "--from-index", "1"],
        ] {
            assert_usage(&tool(&[&["--endpoints", &server.url()], command].concat()));
        }
    }
    assert_eq!(server.connections(), 0);
}

// --- positions of options

#[test]
fn global_options_work_before_and_after_the_subcommand() {
    let server = answering();
    let url = server.url();
    let expected = format!("{VALUE}\n");
    for arguments in [
        &["--endpoints", &url, "-o", "json", "get", "/k"][..],
        &["get", "--endpoints", &url, "-o", "json", "/k"],
        &["get", "/k", "--endpoints", &url, "-o", "json"],
        &["-o", "json", "get", "/k", "--endpoints", &url],
        &["-ojson", "get", "/k", &format!("--endpoints={url}")],
        &["--output=json", "get", "--endpoints", &url, "--", "/k"],
    ] {
        let output = tool(arguments);
        assert_eq!(
            (output.code, &output.stdout),
            (0, &expected),
            "{arguments:?}"
        );
    }
}

#[test]
fn help_and_version_exit_0() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["--version"],
        &["watch", "--help"],
    ] {
        let output = tool(arguments);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        assert!(output.stdout.contains("etcdwatch"), "{output:?}");
    }
    let output = tool(&[]);
    assert_usage(&output);
    assert!(output.stderr.contains("Usage"), "{output:?}");
}

// --- the environment

#[test]
fn the_endpoints_option_overrides_the_environment() {
    let (first, second) = (answering(), answering());
    let listed = format!("{},{}", first.url(), second.url());
    let run = |arguments: &[&str]| {
        Program::tool(arguments)
            .env("ETCDCTL_ENDPOINTS", &listed)
            .run()
    };
    assert_eq!(run(&["get", "/k"]).stdout, "v\n");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 0));
    assert_eq!(run(&["get", "/k", "--endpoints", &second.url()]).code, 0);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    // etcdctl accepts endpoints without a scheme, and ignores an empty variable.
    let bare = first.url().replace("http://", "");
    let output = Program::tool(&["get", "/k"])
        .env("ETCDCTL_ENDPOINTS", &bare)
        .run();
    assert_eq!(output.stdout, "v\n", "{output:?}");
    assert_eq!(first.requests().len(), 2);
}

#[test]
fn the_timeout_option_overrides_the_environment() {
    let server = silent();
    let get = ["--endpoints", &server.url(), "get", "/k"].map(str::to_owned);
    let run = |program: Program, limit: Duration| {
        let begin = Instant::now();
        let output = program.run();
        assert_eq!(output.code, 124, "{output:?}");
        assert!(begin.elapsed() < limit, "{:?}", begin.elapsed());
        begin.elapsed()
    };
    let name = "ETCDCTL_COMMAND_TIMEOUT";
    // The default would be 5 s.
    let limit = Duration::from_secs(3);
    run(Program::tool(&get).env(name, "200ms"), limit);
    let flag = [&get[..], &["--timeout", "200ms"].map(str::to_owned)].concat();
    run(Program::tool(&flag).env(name, "60s"), limit);
}

#[test]
fn durations_in_the_environment_use_go_syntax() {
    // etcdctl reads them with Go's parser: its users write 1.5s and 1m0s.
    let server = answering();
    for name in ["ETCDCTL_COMMAND_TIMEOUT", "ETCDCTL_DIAL_TIMEOUT"] {
        for value in ["5s", "1m0s", "1.5s", "1500ms", "2h45m", "0.5m"] {
            let output = Program::tool(&["--endpoints", &server.url(), "get", "/k"])
                .env(name, value)
                .run();
            assert_eq!(output.code, 0, "{name}={value}: {output:?}");
        }
        let output = Program::tool(&["--endpoints", &server.url(), "get", "/k"])
            .env(name, "soon")
            .run();
        assert_usage(&output);
        assert!(output.stderr.contains(name), "{output:?}");
    }
}

#[test]
fn the_user_option_overrides_the_environment() {
    // base64 of root:pw, and of flag:wins
    for (arguments, variables, expected) in [
        (&[][..], &[("ETCDCTL_USER", "root:pw")][..], "cm9vdDpwdw=="),
        (
            &[],
            &[("ETCDCTL_USERNAME", "root"), ("ETCDCTL_PASSWORD", "pw")],
            "cm9vdDpwdw==",
        ),
        (
            &[],
            &[("ETCDCTL_USER", "root"), ("ETCDCTL_PASSWORD", "pw")],
            "cm9vdDpwdw==",
        ),
        (
            &["--user", "flag:wins"],
            &[("ETCDCTL_USER", "root:pw"), ("ETCDCTL_PASSWORD", "x")],
            "ZmxhZzp3aW5z",
        ),
    ] {
        let server = answering();
        let url = server.url();
        let get = [&["--endpoints", &url, "get", "/k"][..], arguments].concat();
        let program = variables
            .iter()
            .fold(Program::tool(&get), |program, (name, value)| {
                program.env(*name, *value)
            });
        assert_eq!(program.run().code, 0);
        let request = server.requests().remove(0);
        let expected = format!("Basic {expected}");
        assert_eq!(request.header("Authorization"), Some(expected.as_str()));
    }
    let server = answering();
    assert_eq!(tool(&["--endpoints", &server.url(), "get", "/k"]).code, 0);
    assert_eq!(server.requests()[0].header("Authorization"), None);
}

#[test]
fn the_api_option_overrides_the_environment() {
    let server = answering();
    let get = ["--endpoints", &server.url(), "get", "/k"].map(str::to_owned);
    let api = |arguments: &[&str], value: &str| {
        let arguments: Vec<_> = arguments.iter().map(|one| (*one).to_owned()).collect();
        Program::tool(&[&get[..], &arguments].concat())
            .env("ETCDCTL_API", value)
            .run()
    };
    assert_eq!(api(&[], "2").code, 0);
    assert_eq!(api(&[], "").code, 0);
    assert_eq!(api(&["--api", "v2"], "3").code, 0);
    assert_eq!(api(&["--api", "auto"], "3").code, 0);
    let asked = server.requests().len();
    assert_usage(&api(&[], "4"));
    assert_eq!(server.requests().len(), asked);
    // This server does not speak v3.
    assert_eq!(api(&[], "3").code, 6);
    assert_eq!(api(&["--api", "v3"], "2").code, 6);
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .skip(asked)
            .all(|request| request.path.starts_with("/v3/")),
        "{requests:?}"
    );
}

#[test]
fn certificates_in_the_environment_are_read_only_for_https() {
    let server = answering();
    let bare = server.url().replace("http://", "");
    for name in [
        "ETCDCTL_CACERT",
        "ETCDCTL_CERT",
        "ETCDCTL_KEY",
        "ETCDCTL_CA_FILE",
        "ETCDCTL_CERT_FILE",
        "ETCDCTL_KEY_FILE",
    ] {
        let run = |endpoint: &str| {
            Program::tool(&["--endpoints", endpoint, "get", "/k"])
                .env(name, "/etc/ssl/x.pem")
                .run()
        };
        assert_eq!(run(&server.url()).code, 0, "{name}");
        let output = run(&bare);
        assert_usage(&output);
        assert!(output.stderr.contains(name), "{output:?}");
    }
}

// --- invalid options

#[test]
fn an_invalid_option_is_a_usage_error_that_names_it() {
    let server = answering();
    let url = server.url();
    for (arguments, named) in [
        (&["watch", "/k", "--from-index", "abc"][..], "--from-index"),
        (&["watch", "--prefix", "/k", "--api", "v2"], "--prefix"),
        (&["get", "/k", "--password-file", "f"], "--password-file"),
        (
            &["get", "/k", "--user", "a", "--password-file", "/nowhere/f"],
            "/nowhere/f",
        ),
        (&["watch", "/k", "--from-index", "0"], "--from-index"),
        (&["watch", "/k", "--from-index=-1"], "--from-index"),
        (&["watch", "/k", "--from-index", "1.5"], "--from-index"),
        (&["watch", "/k", "--from-index", ""], "--from-index"),
        (
            &["watch", "/k", "--from-index", "18446744073709551616"],
            "--from-index",
        ),
        (&["watch", "/k", "--rev", "0"], "--from-index"),
        (&["watch", "/k", "--after-index", "x"], "--after-index"),
        (
            &["watch", "/k", "--after-index", "1", "--from-index", "1"],
            "--from-index",
        ),
        (&["watch", "--stream", "/k", "--count", "0"], "--count"),
        (&["watch", "--stream", "/k", "--count", "x"], "--count"),
        (&["replay", "/k"], "--from-index"),
        (&["replay", "/k", "--from-index", "0"], "--from-index"),
        (&["replay", "/k", "--from-index", "newest"], "--from-index"),
        (
            &["replay", "/k", "--from-index", "9", "--to-index", "8"],
            "--to-index",
        ),
        (
            &["replay", "/k", "--from-index", "1", "--to-index", "0"],
            "--to-index",
        ),
        (&["get", "/k", "--no-such-option"], "--no-such-option"),
        (&["set", "/k", "v", "/extra"], "/extra"),
        (&["get"], "KEY"),
        (&["frobnicate", "/k"], "frobnicate"),
        (&["get", "/k", "--timeout", "abc"], "--timeout"),
        (&["get", "/k", "--timeout", "0s"], "--timeout"),
        (&["get", "/k", "--timeout=-1s"], "--timeout"),
        (&["get", "/k", "--timeout", "5 parsecs"], "--timeout"),
        (
            &["get", "/k", "--connect-timeout", "0ms"],
            "--connect-timeout",
        ),
        (&["get", "/k", "--connect-timeout", ""], "--connect-timeout"),
        (&["get", "/k", "--max-event", "0"], "--max-event"),
        (&["get", "/k", "--max-event", "lots"], "--max-event"),
        (&["get", "/k", "-o", "yaml"], "--output"),
        (&["get", "/k", "--color", "blue"], "--color"),
        (&["get", "/k", "--api", "v1"], "--api"),
        (
            &["watch", "--stream", "/k", "--on-gap", "shrug"],
            "--on-gap",
        ),
        (&["get", "/k", "--proxy", "nonsense://x"], "--proxy"),
        (&["completions", "tcsh"], "tcsh"),
    ] {
        let output = tool(&[&["--endpoints", &url], arguments].concat());
        assert_usage(&output);
        assert!(output.stderr.contains(named), "{arguments:?}: {output:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn an_invalid_endpoint_is_a_usage_error_that_names_it() {
    for endpoint in [
        "http://127.0.0.1:2379/v2/keys",
        "127.0.0.1:2379/x",
        "http://127.0.0.1:2379?x=1",
        "http://127.0.0.1:2379#x",
        "ftp://127.0.0.1:2379",
        "unix:///var/run/etcd.sock",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:http",
        "127.0.0.1:",
        "http://",
        "http://:2379",
        "ho st:2379",
    ] {
        for list in [endpoint.to_owned(), format!("127.0.0.1:1,{endpoint}")] {
            let output = tool(&["--endpoints", &list, "get", "/k"]);
            assert_usage(&output);
            assert!(output.stderr.contains(endpoint), "{list}: {output:?}");
        }
        let output = Program::tool(&["get", "/k"])
            .env("ETCDCTL_ENDPOINTS", endpoint)
            .run();
        assert_usage(&output);
    }
    for empty in ["", ",", " "] {
        assert_usage(&tool(&["--endpoints", empty, "get", "/k"]));
    }
}

#[test]
fn a_password_in_an_endpoint_is_rejected_and_not_printed() {
    let endpoint = "http://root:hunter2@127.0.0.1:2379";
    for output in [
        tool(&["--endpoints", endpoint, "get", "/k"]),
        tool(&["-v", "-o", "json", "--endpoints", endpoint, "get", "/k"]),
        Program::tool(&["get", "/k"])
            .env("ETCDCTL_ENDPOINTS", endpoint)
            .run(),
    ] {
        assert_usage(&output);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
}

#[test]
fn a_usage_error_with_json_output_is_one_object() {
    for arguments in [
        &["-o", "json", "get", "/k", "--cacert", "f"][..],
        &["-o", "json", "get", ""],
        &["-o", "json", "--endpoints", "http://h/path", "get", "/k"],
        // This includes errors found while the arguments are parsed.
        &["-o", "json", "set", "/k"],
        &["get", "/k", "--no-such-option", "-o", "json"],
        &["watch", "/k", "-ojson", "--from-index", "abc"],
        &["--output=json", "frobnicate"],
        &["-vo", "json", "get"],
        &["get", "-rvojson", "--bogus"],
    ] {
        let output = tool(arguments);
        assert_usage(&output);
        let error: Value = serde_json::from_str(&output.stderr)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
        assert_eq!(error["error"]["kind"], "usage", "{error}");
        assert_eq!(error["error"]["exit"], 2, "{error}");
        assert!(error["error"]["message"].is_string(), "{error}");
    }
    // These are arguments of the command, or the value of another option.
    for arguments in [
        &["watch", "--bogus", "/k", "--", "cmd", "-o", "json"][..],
        &["--outputs=json", "get", "/k"],
        &["get", "--no", "json"],
    ] {
        let output = tool(arguments);
        assert_usage(&output);
        assert!(!output.stderr.starts_with('{'), "{arguments:?}: {output:?}");
    }
}

#[test]
fn set_with_a_usage_error_writes_nothing() {
    let subtree = shared::any();
    let key = subtree.key("k");
    for arguments in [
        &["set", &key][..],
        &["set", &key, "v", "--api", "v4"],
        &["set", &key, "v", "--password-file", "f"],
        &["set", &key, "v", "w"],
        &["set", "/x/../y", "v"],
        &["set", &key, "v", "--timeout", "never"],
    ] {
        assert_usage(&subtree.tool(arguments));
    }
    // Not even the test's own directory was created.
    assert_eq!(subtree.read(subtree.root(), "quorum=true").status, 404);
}

#[test]
fn values_with_form_syntax_are_written_exactly() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for value in [
            "a=b&value=c",
            "%41+%2B",
            "@/etc/passwd",
            " lead and trail ",
            "\u{feff}é\u{0301}漢",
            "ttl=1;dir=true",
            "\\",
            "'\"",
        ] {
            let output = subtree.tool(&["set", &key, value]);
            assert_eq!(output.code, 0, "{output:?}");
            assert_eq!(subtree.value(&key).as_deref(), Some(value));
        }
        assert_eq!(subtree.read(&key, "").json()["node"]["ttl"], Value::Null);
    }
}

#[test]
fn the_connect_timeout_comes_from_the_environment() {
    let full = crate::support::ports::full();
    let begin = Instant::now();
    let output = Program::tool(&["--endpoints", &full.url(), "--timeout", "60s", "get", "/k"])
        .env("ETCDCTL_DIAL_TIMEOUT", "200ms")
        .run();
    assert_eq!(output.code, 3, "{output:?}");
    // The default would be 2 s.
    assert!(begin.elapsed() < Duration::from_millis(1900), "{output:?}");
}

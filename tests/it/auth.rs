//! Authentication with both APIs, against real etcd servers that require it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::certificates::write;
use crate::support::etcd::{Builder, Etcd, Version};
use crate::support::follow;
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::{Output, Program, Terminal, tool};
use crate::support::{v2, v3, wait};

/// A user with read and write permission on everything below `/app`, and on nothing else.
const USER: &str = "app";
const PASSWORD: &str = "hunter2:x";

#[track_caller]
fn assert_ends(output: &Output, code: i32, parts: &[&str]) {
    assert_eq!(output.code, code, "{output:?}");
    for part in parts {
        assert!(output.stderr.contains(part), "no '{part}' in {output:?}");
    }
}

/// A server with a cheap password hash.
fn server(version: Version) -> Builder {
    Etcd::builder(version).arg("--bcrypt-cost=4")
}

/// The root user, who writes over v3.
struct Root {
    url: String,
}

impl Root {
    /// Enables authentication over v3.
    fn of_v3(etcd: &Etcd) -> Self {
        let url = etcd.url();
        let post = |path: &str, body: Value| {
            let reply = v2::v3(&url, &format!("/v3/auth/{path}"), &body);
            assert!(reply["error"].is_null(), "{path}: {reply}");
        };
        post("user/add", json!({"name": "root", "password": "root"}));
        post("user/add", json!({"name": USER, "password": PASSWORD}));
        post("role/add", json!({"name": "root"}));
        post("role/add", json!({"name": "app"}));
        let span = json!({"permType": "READWRITE", "key": v3::encode("/app"), "range_end": v3::encode("/apq")});
        post("role/grant", json!({"name": "app", "perm": span}));
        post("user/grant", json!({"user": "root", "role": "root"}));
        post("user/grant", json!({"user": USER, "role": "app"}));
        post("enable", json!({}));
        Self { url }
    }

    /// Sets a key without the tool.
    fn put(&self, key: &str, value: &str) {
        let token = token(&self.url, "root", "root");
        let body = json!({"key": v3::encode(key), "value": v3::encode(value)}).to_string();
        let header = format!("Authorization: {token}");
        let put = format!("{}/v3/kv/put", self.url);
        let arguments = ["-sf", "-H", &header, "-d", &body, &put];
        let output = Program::new("curl", &arguments).run();
        assert_eq!(output.code, 0, "{output:?}");
    }
}

fn token(url: &str, user: &str, password: &str) -> String {
    let body = json!({"name": user, "password": password});
    let reply = v2::v3(url, "/v3/auth/authenticate", &body);
    reply["token"].as_str().expect("a token").to_owned()
}

/// Returns whether the server rejects a token.
fn is_over(url: &str, token: &str) -> bool {
    let body = json!({"key": v3::encode("/app/k")}).to_string();
    let header = format!("Authorization: {token}");
    let get = [
        "-s",
        "-H",
        &header,
        "-d",
        &body,
        &format!("{url}/v3/kv/range"),
    ];
    Program::new("curl", &get)
        .run()
        .stdout
        .contains("invalid auth token")
}

const USER_AND_PASSWORD: &str = "app:hunter2:x";

/// The arguments of a command as the user.
fn as_user<'a>(url: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let options = ["-q", "--endpoints", url, "--user", USER_AND_PASSWORD];
    [&options[..], command].concat()
}

/// A replay over v3 as the user who may read `/app` only.
fn replay_of_a_part(url: &str, options: &[&str]) -> Output {
    let who = ["--endpoints", url, "--user", USER_AND_PASSWORD];
    let replay = ["--api", "v3", "replay", "-r", "/app"];
    tool(&[&who[..], &replay, options].concat())
}

#[test]
fn a_v3_user_reads_and_watches_only_the_permitted_subtree() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let _root = Root::of_v3(&etcd);
        let url = etcd.url();
        let by = |command: &[&str]| tool(&as_user(&url, &[&["--api", "v3"], command].concat()));
        assert_ends(&by(&["set", "/app/k", "v"]), 0, &[]);
        assert_eq!(by(&["get", "/app/k"]).stdout, "v\n");
        assert_eq!(by(&["get", "-r", "/app"]).stdout, "/app/k\tv\n");
        assert_eq!(
            by(&["watch", "/app/k", "--from-index", "1"]).stdout,
            "2\tset\t/app/k\tv\n"
        );
        let replay = by(&["replay", "-r", "/app", "--from-index", "1"]);
        assert_ends(&replay, 0, &[]);
        assert_eq!(replay.stdout, "2\tset\t/app/k\tv\n");
        let until = [
            "watch",
            "--stream",
            "/app/k",
            "--until",
            "value=v",
            "--timeout",
            "9s",
        ];
        assert_ends(&by(&until), 0, &[]);
        for command in [
            &["get", "/other"][..],
            &["set", "/other", "v"],
            &["watch", "/other"],
            &["watch", "--stream", "-r", "/"],
            &["replay", "-r", "/", "--from-index", "1"],
        ] {
            assert_ends(&by(command), 4, &["permission denied", "--user"]);
        }
        let nobody = [
            "--api",
            "v3",
            "--endpoints",
            &url,
            "watch",
            "--stream",
            "/app/k",
        ];
        assert_ends(&tool(&nobody), 4, &["--user"]);
        let wrong = [
            "--user",
            "app:wrong",
            "--api",
            "v3",
            "--endpoints",
            &url,
            "get",
            "/app/k",
        ];
        assert_ends(&tool(&wrong), 4, &["invalid user ID or password"]);
    }
}

/// The keys below a key are read only if the key itself does not exist.
#[test]
fn get_of_an_existing_v3_key_needs_no_permission_below_it() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let url = etcd.url();
        v3::put(&url, "/one/k", b"v");
        let span = json!({"permType": "READ", "key": v3::encode("/one/k")});
        for (path, body) in [
            ("user/add", json!({"name": "one", "password": "x"})),
            ("role/add", json!({"name": "one"})),
            ("role/grant", json!({"name": "one", "perm": span})),
            ("user/grant", json!({"user": "one", "role": "one"})),
        ] {
            v2::v3(&url, &format!("/v3/auth/{path}"), &body);
        }
        let _root = Root::of_v3(&etcd);
        let by_one = ["-q", "--endpoints", &url, "--user", "one:x", "--api", "v3"];
        let get = |key: &[&str]| tool(&[&by_one[..], &["get"], key].concat());
        let output = get(&["/one/k"]);
        assert_eq!((output.code, &*output.stdout), (0, "v\n"), "{output:?}");
        assert_ends(&get(&["-r", "/one/k"]), 4, &["permission"]);
    }
}

#[test]
fn replay_reports_an_unproven_end_without_read_permission_on_the_whole_store() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let root = Root::of_v3(&etcd);
        root.put("/app/k", "v");
        for number in 0..3 {
            root.put("/elsewhere", &number.to_string());
        }
        let url = etcd.url();
        let directory = tempfile::tempdir().unwrap();
        let checkpoint = directory.path().join("checkpoint");
        let checkpoint = ["--checkpoint", checkpoint.to_str().unwrap()];
        let run = |more: &[&str]| {
            let from = ["--from-index", "2"];
            replay_of_a_part(&url, &[&from, &checkpoint, more].concat())
        };
        let output = run(&[]);
        assert_ends(
            &output,
            5,
            &["no read permission on the whole keyspace", "unproven"],
        );
        assert_eq!(
            output.stdout,
            "2\tset\t/app/k\tv\n5\tgap\t/app\t3-5\tpossible\tunproven\n"
        );
        // The checkpoint stays at what is proven, so that the next run asks again.
        let output = run(&["--on-gap", "continue", "-o", "json"]);
        assert_ends(&output, 0, &["no read permission on the whole keyspace"]);
        let gap: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(
            gap,
            json!({
                "action": "gap", "lost": {"from": 3, "to": 5}, "certain": false,
                "cause": "unproven", "index": 5,
            })
        );
        // A state that was read is proof too, and the checkpoint records it.
        let another = directory.path().join("another");
        let another = ["--checkpoint", another.to_str().unwrap()];
        let from = ["--from-index", "3", "--on-gap", "resync"];
        let output = replay_of_a_part(&url, &[&from, &another[..]].concat());
        assert_ends(&output, 0, &["no read permission on the whole keyspace"]);
        let gap = "5\tgap\t/app\t3-5\tpossible\tunproven\n";
        let state = "5\treset\t/app\n5\tget\t/app/k\tv\n5\tsynced\t/app\n";
        assert_eq!(output.stdout, format!("{gap}{state}"));
        let output = replay_of_a_part(&url, &[&from, &another[..]].concat());
        assert_ends(&output, 0, &[]);
        assert_eq!(output.stdout, "");
        // An event at the end proves that nothing is missing.
        root.put("/app/k", "w");
        let output = run(&[]);
        assert_ends(&output, 0, &[]);
        assert_eq!(output.stdout, "6\tset\t/app/k\tw\n");
    }
}

/// A server reads the whole history before it sends the first event, and is silent meanwhile.
#[test]
fn replay_without_full_permission_waits_for_all_of_a_long_history() {
    for version in Version::ALL {
        let etcd = server(version).arg("--max-txn-ops=1000").start();
        let keys: Vec<String> = (0..1000).map(|key| format!("/app/{key:03}")).collect();
        let mut writer = v2::Writer::connect(&etcd.url());
        for _ in 0..20 {
            let operations = keys.iter().map(|key| (key.as_str(), Some("v")));
            v3::transaction_with(&mut writer, operations);
        }
        v3::put(&etcd.url(), "/elsewhere", b"v");
        Root::of_v3(&etcd);
        let output = replay_of_a_part(&etcd.url(), &["--from-index", "1"]);
        assert_ends(&output, 5, &["unproven"]);
        let gap = "22\tgap\t/app\t22-22\tpossible\tunproven";
        assert_eq!(output.stdout.lines().last(), Some(gap));
        assert_eq!(output.stdout.lines().count(), 20_001);
    }
}

#[test]
fn with_api_auto_a_wrong_password_is_reported() {
    let etcd = server(Version::V3_5).start();
    let root = Root::of_v3(&etcd);
    root.put("/app/k", "v");
    let url = etcd.url();
    let by = |user: &str, command: &[&str]| {
        tool(&[&["--endpoints", url.as_str(), "--user", user], command].concat())
    };
    let right = format!("{USER}:{PASSWORD}");
    assert_eq!(by(&right, &["get", "/app/k"]).stdout, "v\n");
    assert_ends(
        &by("app:wrong", &["get", "/app/k"]),
        4,
        &["invalid user ID or password"],
    );
    let seen = by(&right, &["watch", "/app/k", "--from-index", "1"]);
    assert_eq!(seen.stdout, "2\tset\t/app/k\tv\n", "{seen:?}");
    let watch = ["watch", "--stream", "/app/k", "--timeout", "500ms"];
    let output = by("app:wrong", &watch);
    assert_ends(
        &output,
        124,
        &["v3 cannot be read", "invalid user ID or password"],
    );
}

#[test]
fn credentials_are_ignored_if_authentication_is_disabled() {
    let etcd = server(Version::V3_4).start();
    let url = etcd.url();
    for api in ["v2", "v3"] {
        let set = as_user(&url, &["--api", api, "set", "/app/k", "v"]);
        assert_ends(&tool(&set), 0, &[]);
    }
}

/// A server with JWT tokens signed with ES256, which expire even while they are used.
fn by_signed_tokens(version: Version, seconds: u32) -> (Etcd, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let key = rcgen::KeyPair::generate().expect("a key");
    let private = write(directory.path(), "private.pem", &key.serialize_pem());
    let public = write(directory.path(), "public.pem", &key.public_key_pem());
    let etcd = server(version)
        .arg("--auth-token")
        .arg(format!(
            "jwt,pub-key={},priv-key={},sign-method=ES256,ttl={seconds}s",
            public.display(),
            private.display()
        ))
        .start();
    (etcd, directory)
}

#[test]
fn a_token_that_expires_during_a_stream_causes_no_gap() {
    for version in Version::ALL {
        let (etcd, _keys) = by_signed_tokens(version, 2);
        let root = Root::of_v3(&etcd);
        let proxy = Proxy::to(&etcd.url());
        let url = proxy.url();
        let watch = ["--api", "v3", "-v", "--user", "app:hunter2:x", "-r", "/app"];
        let running = follow::live(&url, &watch);
        root.put("/app/k", "before");
        follow::wait_for_value(&running, "/app/k", "before");
        // This token was issued later than the tool's.
        let later = token(&etcd.url(), USER, PASSWORD);
        wait::until(wait::LONG, "the token to expire", || {
            is_over(&etcd.url(), &later)
        });
        // A watch that was permitted continues after its token expires.
        root.put("/app/k", "meanwhile");
        follow::wait_for_value(&running, "/app/k", "meanwhile");
        proxy.cut_all(Cut::Reset);
        root.put("/app/k", "after");
        follow::wait_for_value(&running, "/app/k", "after");
        let records = follow::without_status(running.json());
        let values: Vec<_> = records.iter().map(|one| &one["node"]["value"]).collect();
        assert_eq!(
            values,
            ["before", "meanwhile", "after"],
            "{}",
            running.stderr()
        );
        let asked = running.stderr().matches("/v3/auth/authenticate").count();
        assert!(asked >= 2, "asked for {asked} tokens");
        assert!(!running.stderr().contains("hunter2"));
    }
}

#[test]
fn a_server_that_forgets_the_token_causes_no_gap() {
    for version in Version::ALL {
        // Its log is short, so that a restart does not replay the tokens.
        let etcd = server(version).snapshot_count(5).start();
        let root = Root::of_v3(&etcd);
        let url = etcd.url();
        let watch = ["--api", "v3", "--user", "app:hunter2:x", "-r", "/app"];
        let running = follow::live(&url, &watch);
        // This token was issued later than the tool's.
        let given = token(&url, USER, PASSWORD);
        for number in 0..20 {
            root.put("/app/k", &number.to_string());
        }
        follow::wait_for_value(&running, "/app/k", "19");
        etcd.restart();
        assert!(is_over(&url, &given), "it still knows the token");
        root.put("/app/k", "after");
        let records = follow::without_status(follow::wait_for_value(&running, "/app/k", "after"));
        assert_eq!(records.len(), 21, "{records:?} {}", running.stderr());
    }
}

#[test]
fn a_v2_user_reads_and_watches_only_the_permitted_subtree() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let url = etcd.url();
        let put = |path: &str, body: Value| {
            let body = body.to_string();
            let address = format!("{url}/v2/auth/{path}");
            let curl = [
                "-sSf",
                "-u",
                "root:root",
                "-X",
                "PUT",
                "-d",
                &body,
                &address,
            ];
            let output = Program::new("curl", &curl).run();
            assert_eq!(output.code, 0, "{output:?}");
        };
        let all = json!({"kv": {"read": ["/app*"], "write": ["/app*"]}});
        put("users/root", json!({"user": "root", "password": "root"}));
        put("roles/app", json!({"role": "app", "permissions": all}));
        put(
            "users/app",
            json!({"user": USER, "password": PASSWORD, "roles": ["app"]}),
        );
        put("enable", Value::Null);
        let revoked = json!({"kv": {"read": ["/*"], "write": ["/*"]}});
        put("roles/guest", json!({"role": "guest", "revoke": revoked}));
        let by = |command: &[&str]| tool(&as_user(&url, &[&["--api", "v2"], command].concat()));
        assert_ends(&by(&["set", "/app/k", "v"]), 0, &[]);
        assert_eq!(by(&["get", "/app/k"]).stdout, "v\n");
        let replay = by(&["replay", "-r", "/app", "--from-index", "oldest"]);
        assert_ends(&replay, 0, &[]);
        assert!(replay.stdout.ends_with("set\t/app/k\tv\n"), "{replay:?}");
        let running = follow::live(
            &url,
            &["--api", "v2", "--user", "app:hunter2:x", "-r", "/app"],
        );
        by(&["set", "/app/k", "live"]);
        follow::wait_for_value(&running, "/app/k", "live");
        for command in [
            &["get", "/other"][..],
            &["set", "/other", "v"],
            &["watch", "/other"],
        ] {
            assert_ends(&by(command), 4, &["Insufficient credentials"]);
        }
    }
}

#[test]
fn the_password_prompt_does_not_echo() {
    let etcd = server(Version::V3_5).start();
    let _root = Root::of_v3(&etcd);
    let url = etcd.url();
    let ask = |typed: &[u8]| {
        let set = [
            "--api",
            "v3",
            "--endpoints",
            &url,
            "--user",
            USER,
            "set",
            "/app/k",
            "v",
        ];
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
    let get = [
        "--api",
        "v3",
        "--endpoints",
        &url,
        "--user",
        USER,
        "get",
        "/app/k",
    ];
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

/// A gateway that issues a token, and answers everything else with `answer`.
fn gateway(answer: fn(&Request) -> Response) -> Scripted {
    Scripted::serve(move |request| {
        if request.path == "/v3/auth/authenticate" {
            return Response::etcd(200, 0, r#"{"header":{},"token":"t0ken.7"}"#);
        }
        answer(request)
    })
}

#[test]
fn v3_credentials_are_sent_only_to_the_server_and_never_printed() {
    let elsewhere = Scripted::serve(|_| Response::etcd(200, 0, "{}"));
    let answers: [fn(&Request) -> Response; 4] = [
        |_| {
            Response::raw(
                "HTTP/1.1 307 See there\r\nLocation: /v3/elsewhere\r\nContent-Length: 0\r\n\r\n",
            )
        },
        |_| {
            Response::etcd(
                401,
                0,
                r#"{"error":"etcdserver: invalid auth token","code":16}"#,
            )
        },
        |_| Response::etcd(200, 0, "<html>"),
        |_| Response::default().reset(),
    ];
    for answer in answers {
        for command in [
            &["get", "/k"][..],
            &["set", "/k", "v"],
            &["-o", "json", "watch", "--stream", "/k"],
            &["replay", "/k", "--from-index", "1"],
            &["doctor", "--for", "10ms"],
        ] {
            let server = gateway(answer);
            let directory = tempfile::tempdir().expect("a directory");
            let checkpoint = directory.path().join("checkpoint").display().to_string();
            let url = server.url();
            let mut arguments = vec!["-v", "--api", "v3", "--endpoints", &url];
            arguments.extend(["--user", "app:hunter2", "--timeout", "1s"]);
            arguments.extend(command);
            if command.contains(&"--stream") {
                arguments.extend(["--checkpoint", &checkpoint]);
            }
            let output = tool(&arguments);
            assert_ne!(output.code, 0, "{output:?}");
            for secret in ["hunter2", "t0ken"] {
                assert!(!output.stderr.contains(secret), "{output:?}");
                assert!(!output.stdout.contains(secret), "{output:?}");
                let kept = fs::read_to_string(&checkpoint).unwrap_or_default();
                assert!(!kept.contains(secret), "{kept}");
            }
            for request in server.requests() {
                let is_login = request.path == "/v3/auth/authenticate";
                let body = String::from_utf8_lossy(&request.body).into_owned();
                assert_eq!(body.contains("hunter2"), is_login, "{request:?}");
                if request.path.starts_with("/v3/") && !is_login {
                    assert_eq!(
                        request.header("Authorization"),
                        Some("t0ken.7"),
                        "{request:?}"
                    );
                }
                assert!(request.path != "/v3/elsewhere", "a redirect was followed");
            }
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_token_that_is_always_rejected_is_renewed_only_once() {
    let server = gateway(|_| {
        Response::etcd(
            401,
            0,
            r#"{"error":"etcdserver: invalid auth token","code":16}"#,
        )
    });
    let url = server.url();
    let get = [
        "--api",
        "v3",
        "--endpoints",
        &url,
        "--user",
        "app:hunter2",
        "get",
        "/k",
    ];
    assert_ends(&tool(&get), 4, &["invalid auth token"]);
    assert_eq!(server.requests().len(), 4, "a token and a question, twice");
}

#[test]
fn a_token_with_control_characters_is_rejected() {
    for token in [r"a\r\nX-Evil: 1", r"\u0000", r"\u001b[31m", "é\u{202e}"] {
        let body = format!(r#"{{"token":"{token}"}}"#);
        let server = Scripted::serve(move |request| {
            if request.path == "/v3/auth/authenticate" {
                return Response::etcd(200, 0, &body);
            }
            Response::etcd(200, 0, "{}")
        });
        let url = server.url();
        let get = [
            "--api",
            "v3",
            "--endpoints",
            &url,
            "--user",
            "app:hunter2",
            "get",
            "/k",
        ];
        let output = tool(&get);
        assert_ends(&output, 6, &["token"]);
        let requests = server.requests();
        assert!(
            requests
                .iter()
                .all(|request| request.header("X-Evil").is_none())
        );
    }
}

#[test]
fn set_times_out_if_the_login_is_not_answered() {
    let server = Scripted::serve(|request| {
        if request.path == "/v3/auth/authenticate" {
            return Response::default().hold();
        }
        Response::etcd(200, 0, "{}")
    });
    let url = server.url();
    let set = [
        "--api",
        "v3",
        "--endpoints",
        &url,
        "--user",
        "app:x",
        "set",
        "/k",
        "v",
    ];
    // The write was not sent.
    let output = tool(&[&set[..], &["--timeout", "300ms"]].concat());
    assert_eq!(output.code, 124, "{output:?}");
}

#[test]
fn an_endpoint_that_does_not_answer_the_login_is_skipped() {
    let silent = Scripted::serve(|_| Response::default().hold());
    let etcd = server(Version::V3_5).start();
    let root = Root::of_v3(&etcd);
    root.put("/app/k", "v");
    let both = format!("{},{}", silent.url(), etcd.url());
    let get = as_user(&both, &["--api", "v3", "--timeout", "3s", "get", "/app/k"]);
    assert_eq!(tool(&get).stdout, "v\n");
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

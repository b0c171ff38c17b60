//! Logins that are rejected, unnecessary or unanswered, and where credentials are sent.

use std::fs;

use super::{PASSWORD, Root, USER, as_user, as_v3_user, gateway, invalid_token, server};
use crate::support::etcd::Version;
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::{assert_ends, tool};

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

#[test]
fn v3_credentials_are_sent_only_to_the_server_and_never_printed() {
    let elsewhere = Scripted::serve(|_| Response::etcd(200, 0, "{}"));
    let answers: [fn(&Request) -> Response; 4] = [
        |_| {
            Response::raw(
                "HTTP/1.1 307 See there\r\nLocation: /v3/elsewhere\r\nContent-Length: 0\r\n\r\n",
            )
        },
        |_| invalid_token(),
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
fn set_times_out_if_the_login_is_not_answered() {
    let server = Scripted::serve(|request| {
        if request.path == "/v3/auth/authenticate" {
            return Response::default().hold();
        }
        Response::etcd(200, 0, "{}")
    });
    let url = server.url();
    let set = as_v3_user(&url, "app:x", &["set", "/k", "v"]);
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

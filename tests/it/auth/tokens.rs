//! The tokens of the v3 API: expired, forgotten, rejected, and malformed ones.

use serde_json::json;
use tempfile::TempDir;

use super::{PASSWORD, Root, USER, as_v3_user, gateway, invalid_token, server, token};
use crate::support::certificates::write;
use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Response, Scripted};
use crate::support::tool::{Program, assert_ends, tool};
use crate::support::{follow, v3, wait};

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
fn a_token_that_is_always_rejected_is_renewed_only_once() {
    let server = gateway(|_| invalid_token());
    let url = server.url();
    let get = as_v3_user(&url, "app:hunter2", &["get", "/k"]);
    assert_ends(&tool(&get), 4, &["invalid auth token"]);
    assert_eq!(server.requests().len(), 4, "a login and a request, twice");
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
        let get = as_v3_user(&url, "app:hunter2", &["get", "/k"]);
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

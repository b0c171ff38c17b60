//! Authentication with both APIs, against real etcd servers that require it.

mod login;
mod passwords;
mod permissions;
mod tokens;

use serde_json::{Value, json};

use crate::support::etcd::{Builder, Etcd, Version};
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::Program;
use crate::support::{v2, v3};

/// A user with read and write permission on everything below `/app`, and on nothing else.
const USER: &str = "app";

const PASSWORD: &str = "hunter2:x";

const USER_AND_PASSWORD: &str = "app:hunter2:x";

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

/// The arguments of a command as the user.
fn as_user<'a>(url: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let options = ["-q", "--endpoints", url, "--user", USER_AND_PASSWORD];
    [&options[..], command].concat()
}

/// The arguments of a command with the v3 API as this user, who may be given with a password.
fn as_v3_user<'a>(url: &'a str, user: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let options = ["--api", "v3", "--endpoints", url, "--user", user];
    [&options[..], command].concat()
}

/// The reply of a gateway to a request with a token that the server does not know.
fn invalid_token() -> Response {
    let body = r#"{"error":"etcdserver: invalid auth token","code":16}"#;
    Response::etcd(401, 0, body)
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

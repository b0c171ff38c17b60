//! `-v` prints requests as curl commands, and `-vv` the decisions of a watch as well.

use serde_json::Value;

use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Output, Program, tool};

/// The curl commands that were printed.
fn curls(output: &Output) -> Vec<String> {
    let lines = output.stderr.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.find("curl ").map(|at| line[at..].to_owned()))
        .collect()
}

#[track_caller]
fn run_shell(command: &str) -> Output {
    Program::new("sh", &["-c", command]).run()
}

#[test]
fn the_curl_command_of_a_read_reproduces_the_reply() {
    for subtree in shared::each() {
        for name in [
            "it's a \"k\" $HOME `x` \\",
            "[1-3]{a,b}?#%&",
            "é\n漢",
            "!*~",
        ] {
            let key = subtree.key(name);
            subtree.put(&key, "v 'w'\n");
            for arguments in [
                &["get", &key][..],
                &["get", "-r", "--sort", subtree.root()],
                &["get", "--quorum", &key],
            ] {
                let options = ["-v", "-o", "json"];
                let output = subtree.tool(&[&options, arguments].concat());
                assert_eq!(output.code, 0, "{output:?}");
                let curls = curls(&output);
                assert_eq!(curls.len(), 1, "{output:?}");
                let again = run_shell(&curls[0]);
                assert_eq!(again.code, 0, "{}: {again:?}", curls[0]);
                assert_eq!(again.stdout.trim_end(), output.stdout.trim_end());
            }
        }
    }
}

#[test]
fn the_curl_command_of_a_write_reproduces_the_write() {
    for subtree in shared::each() {
        let key = subtree.key("it's a \"key\" & more");
        let value = "it's $HOME & \"%41\" + é\n@x";
        let set = ["-v", "-o", "json", "set", &key, value, "--ttl", "500"];
        let output = subtree.tool(&set);
        assert_eq!(output.code, 0, "{output:?}");
        let first: Value = serde_json::from_str(&output.stdout).unwrap();
        let again = run_shell(&curls(&output)[0]);
        let second: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(second["action"], "set");
        assert_eq!(second["node"]["value"], value);
        assert_eq!(second["node"]["key"], key);
        assert!(second["node"]["ttl"].is_u64(), "{second}");
        let prev = &second["prevNode"]["modifiedIndex"];
        assert_eq!(*prev, first["node"]["modifiedIndex"]);

        let index = second["node"]["modifiedIndex"].to_string();
        let condition = ["--prev-index", &index, "--prev-value", value];
        let output = subtree.tool(&[&["-v", "rm", &key], &condition[..]].concat());
        assert_eq!(output.code, 0, "{output:?}");
        let again = run_shell(&curls(&output)[0]);
        let refused: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(refused["errorCode"], 100, "{refused}");

        let queue = subtree.key("queue");
        let output = subtree.tool(&["-v", "set", "--in-order", &queue, "x"]);
        let again = run_shell(&curls(&output)[0]);
        let created: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(created["action"], "create");
        let children = subtree.read(&queue, "").json();
        assert_eq!(children["node"]["nodes"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_curl_command_of_a_watch_reproduces_the_event() {
    let subtree = shared::any();
    let key = subtree.key("k k");
    let from = subtree.put(&key, "v").to_string();
    let watch = ["-v", "-o", "json", "watch", &key, "--from-index", &from];
    let output = subtree.tool(&watch);
    assert_eq!(output.code, 0, "{output:?}");
    let waits: Vec<_> = curls(&output)
        .into_iter()
        .filter(|curl| curl.contains("waitIndex"))
        .collect();
    assert!(!waits.is_empty(), "{output:?}");
    let again = run_shell(&waits[0]);
    assert_eq!(again.stdout, output.stdout);
}

#[test]
fn the_curl_command_includes_the_proxy() {
    let proxy = Scripted::serve(|request| {
        if request.method == "CONNECT" {
            return Response::raw("HTTP/1.1 200 Connection established\r\n\r\n");
        }
        let node = r#"{"key":"/k","value":"through","modifiedIndex":7,"createdIndex":7}"#;
        Response::etcd(200, 7, format!(r#"{{"action":"get","node":{node}}}"#))
    });
    let get = ["-v", "-o", "json", "get", "/k", "--proxy", &proxy.url()];
    let output = tool(&[&get[..], &["--endpoints", "http://etcd.invalid:2379"]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    let again = run_shell(&curls(&output)[0]);
    assert_eq!(
        again.stdout.trim_end(),
        output.stdout.trim_end(),
        "{again:?}"
    );
}

#[test]
fn verbose_prints_each_endpoint_that_was_tried() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "v");
    let dead = format!("http://127.0.0.1:{}", crate::support::ports::free());
    let list = format!("{dead},{}", subtree.url());
    let output = tool(&["-v", "get", &key, "--endpoints", &list]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "v\n"));
    let curls = curls(&output);
    assert_eq!(curls.len(), 2, "{output:?}");
    assert!(curls[0].contains(&dead) && curls[1].contains(&subtree.url()));
    // The result of each request is printed too.
    assert!(output.stderr.contains("refused"), "{output:?}");
}

#[test]
fn vv_prints_the_decisions_of_a_watch_and_v_only_requests() {
    let subtree = shared::any();
    let key = subtree.key("verbose");
    for api in ["v2", "v3"] {
        let set = subtree.tool(&["--api", api, "set", &key, "1"]);
        assert_eq!(set.code, 0, "{set:?}");
        let watch = |verbose| {
            let until = ["watch", &key, "--until", "exists"];
            let output = subtree.tool(&[&["--api", api, verbose], &until[..]].concat());
            assert_eq!(output.code, 0, "{output:?}");
            output.stderr
        };
        let (requests, decisions) = (watch("-v"), watch("-vv"));
        for stderr in [&requests, &decisions] {
            assert!(stderr.contains("curl -sS"), "{stderr}");
        }
        let is_decision = |line: &&str| line.starts_with("* 0.");
        assert_eq!(requests.lines().find(is_decision), None);
        for what in [" phase now=", " send id=1 request=", " head id="] {
            let mut lines = decisions.lines().filter(is_decision);
            assert!(lines.any(|line| line.contains(what)), "{what}: {decisions}");
        }
    }
}

//! Several endpoints, and proxies: which endpoint is used, in which order, and over which proxy.

use std::time::{Duration, Instant};

use crate::support::etcd::{Etcd, Version};
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::{Output, Program, Running, assert_ends, tool};
use crate::support::{ports, shared, v2, wait};

/// An address without a listener.
fn unused_address() -> String {
    format!("http://127.0.0.1:{}", ports::free())
}

/// A server that answers every request with the value `name`.
fn answering(name: &'static str) -> Scripted {
    Scripted::serve(move |request| {
        let action = if request.method == "GET" {
            "get"
        } else {
            "set"
        };
        let node = format!(r#"{{"key":"/k","value":"{name}","modifiedIndex":7,"createdIndex":7}}"#);
        Response::etcd(200, 7, format!(r#"{{"action":"{action}","node":{node}}}"#))
    })
}

fn silent() -> Scripted {
    Scripted::serve(|_| Response::default().hold())
}

fn bad_gateway(_: &Request) -> Response {
    let body = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    Response::raw(format!(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[track_caller]
fn assert_prints(output: &Output, stdout: &str) {
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.stdout, stdout, "{output:?}");
}

fn list(urls: &[&str]) -> String {
    urls.join(",")
}

// --- endpoints

#[test]
fn every_command_uses_the_second_endpoint_if_the_first_refuses() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let endpoints = list(&[&unused_address(), &subtree.url()]);
        let run = |arguments: &[&str]| tool(&[&["--endpoints", &endpoints], arguments].concat());
        let output = run(&["set", &key, "v"]);
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(subtree.value(&key).as_deref(), Some("v"));
        assert_prints(&run(&["get", &key]), "v\n");
        let index = subtree.put(&key, "w");
        let from = index.to_string();
        let record = format!("{index}\tset\t{key}\tw\n");
        assert_prints(&run(&["watch", &key, "--from-index", &from]), &record);
        assert_prints(&run(&["replay", &key, "--from-index", &from]), &record);
        let stream = [
            "watch",
            "--stream",
            &key,
            "--from-index",
            &from,
            "--count",
            "1",
        ];
        assert_prints(&run(&stream), &record);
        assert_eq!(run(&["rm", &key]).code, 0);
        assert_eq!(subtree.value(&key), None);
    }
}

#[test]
fn a_watch_through_the_second_endpoint_prints_new_events() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let endpoints = list(&[&unused_address(), &subtree.url()]);
    let watch = ["watch", "--stream", &key, "--count", "1", "--endpoints"];
    let running = Running::start(&[&watch[..], &[&endpoints]].concat());
    // It is unknown when the watch is live, so that writes are repeated until it has seen one.
    let mut number = 0;
    wait::until(wait::LONG, "the watch to see a write", || {
        number += 1;
        subtree.put(&key, &number.to_string());
        running.has_ended()
    });
    let output = running.wait(wait::LONG);
    assert_eq!((output.code, output.stdout.lines().count()), (0, 1));
    assert!(output.stdout.contains(&key), "{output:?}");
}

#[test]
fn endpoints_are_tried_in_order_until_one_answers() {
    let servers = [answering("a"), answering("b"), answering("c")];
    let urls = servers.each_ref().map(Scripted::url);
    for (order, first) in [([0, 1, 2], "a\n"), ([2, 0, 1], "c\n"), ([1, 2, 0], "b\n")] {
        let endpoints = list(&order.map(|number| urls[number].as_str()));
        assert_prints(&tool(&["--endpoints", &endpoints, "get", "/k"]), first);
    }
    let after_two_dead = list(&[&unused_address(), &unused_address(), &urls[1], &urls[0]]);
    assert_prints(&tool(&["--endpoints", &after_two_dead, "get", "/k"]), "b\n");
    let asked = servers.each_ref().map(|server| server.requests().len());
    assert_eq!(asked, [1, 2, 1]);
}

#[test]
fn a_key_not_found_reply_is_not_retried_elsewhere() {
    let first = Scripted::serve(|_| {
        let body = r#"{"errorCode":100,"message":"Key not found","cause":"/k","index":7}"#;
        Response::etcd(404, 7, body)
    });
    let second = answering("b");
    let endpoints = list(&[&first.url(), &second.url()]);
    let output = tool(&["--endpoints", &endpoints, "get", "/k"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(second.connections(), 0);
}

#[test]
fn a_read_fails_over_from_a_silent_endpoint() {
    let (first, second) = (silent(), answering("b"));
    let endpoints = list(&[&first.url(), &second.url()]);
    let begin = Instant::now();
    let get = ["--endpoints", &endpoints, "--timeout", "4s", "get", "/k"];
    assert_prints(&tool(&get), "b\n");
    assert!(begin.elapsed() < Duration::from_secs(4));
    assert_eq!(first.requests().len(), 1);
}

#[test]
fn a_read_fails_over_from_a_paused_server() {
    let stopped = Etcd::start(Version::V3_4);
    stopped.pause();
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "v");
    let endpoints = list(&[&stopped.url(), &subtree.url()]);
    let output = tool(&["--endpoints", &endpoints, "--timeout", "2s", "get", &key]);
    assert_prints(&output, "v\n");
}

#[test]
fn a_read_exits_124_if_all_endpoints_are_silent() {
    let (first, second) = (silent(), silent());
    let endpoints = list(&[&first.url(), &second.url()]);
    for _ in 0..3 {
        let output = tool(&["--endpoints", &endpoints, "--timeout", "300ms", "get", "/k"]);
        assert_eq!(output.code, 124, "{output:?}");
    }
}

#[test]
fn a_read_fails_over_from_a_broken_connection() {
    let endings: [fn(&Request) -> Response; 4] = [
        |_| Response::default().reset(),
        |_| Response::default().close(),
        |_| Response::raw("HTTP/1.1 200 OK\r\nX-Et").close(),
        |_| Response::raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"act").close(),
    ];
    for ending in endings {
        let (first, second) = (Scripted::serve(ending), answering("b"));
        let endpoints = list(&[&first.url(), &second.url()]);
        assert_prints(&tool(&["--endpoints", &endpoints, "get", "/k"]), "b\n");
        assert_eq!(first.requests().len(), 1);
    }
}

#[test]
fn a_read_fails_over_from_a_502() {
    let (first, second) = (Scripted::serve(bad_gateway), answering("b"));
    let endpoints = list(&[&first.url(), &second.url()]);
    assert_prints(&tool(&["--endpoints", &endpoints, "get", "/k"]), "b\n");

    let subtree = shared::any();
    let key = subtree.key("k");
    let index = subtree.put(&key, "v");
    let endpoints = list(&[&first.url(), &subtree.url()]);
    let from = index.to_string();
    let watch = [
        "--endpoints",
        &endpoints,
        "watch",
        &key,
        "--from-index",
        &from,
    ];
    assert_prints(&tool(&watch), &format!("{index}\tset\t{key}\tv\n"));
}

#[test]
fn a_read_fails_over_from_a_member_without_a_leader() {
    for (status, body) in [
        (503, r#"{"message":"etcdserver: no leader"}"#),
        (
            500,
            r#"{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: request timed out","index":0}"#,
        ),
        (
            500,
            r#"{"errorCode":301,"message":"During Leader Election","cause":"","index":0}"#,
        ),
    ] {
        let first = Scripted::serve(move |_| Response::etcd(status, 0, body));
        let second = answering("b");
        let endpoints = list(&[&first.url(), &second.url()]);
        let get = ["--endpoints", &endpoints, "get", "/k", "--quorum"];
        assert_prints(&tool(&get), "b\n");
    }
}

#[test]
fn a_write_fails_over_only_if_nothing_was_sent() {
    let server = answering("b");
    // The connection is refused, so that nothing was sent.
    let endpoints = list(&[&unused_address(), &server.url()]);
    for command in [&["set", "/k", "v"][..], &["rm", "/k"]] {
        let output = tool(&[&["--endpoints", &endpoints], command].concat());
        assert_eq!(output.code, 0, "{output:?}");
    }
    assert_eq!(server.requests().len(), 2);

    // The connection is never accepted, so that nothing was sent.
    let full = ports::full();
    let endpoints = list(&[&full.url(), &server.url()]);
    let options = ["--connect-timeout", "200ms", "--endpoints", &endpoints];
    let output = tool(&[&options[..], &["set", "/k", "v"]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(server.requests().len(), 3);

    // The write is sent and a gateway answers, so that etcd may have it.
    let gateway = Scripted::serve(bad_gateway);
    let endpoints = list(&[&gateway.url(), &server.url()]);
    for command in [&["set", "/k", "v"][..], &["rm", "/k"]] {
        let output = tool(&[&["--endpoints", &endpoints], command].concat());
        assert_ends(&output, 7, &["502"]);
    }
    assert_eq!(gateway.requests().len(), 2);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn an_endpoint_listed_twice_is_asked_once() {
    let server = Scripted::serve(|_| Response::default().reset());
    let endpoints = list(&[&server.url(), &server.url(), &format!("{}/", server.url())]);
    let output = tool(&["--endpoints", &endpoints, "get", "/k"]);
    assert_eq!(output.code, 3, "{output:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn every_member_of_a_cluster_serves_writes_and_reads() {
    let cluster = Etcd::builder(Version::V3_5).cluster(3);
    let leader = cluster.leader();
    let urls: Vec<_> = cluster.nodes.iter().map(Etcd::url).collect();
    for url in &urls {
        assert_eq!(tool(&["--endpoints", url, "set", "/k", url]).code, 0);
    }
    for url in &urls {
        let get = ["--endpoints", url, "get", "--quorum", "/k"];
        assert_prints(&tool(&get), &format!("{}\n", urls[2]));
    }
    // The other members elect a new leader meanwhile, and the killed one refuses connections.
    cluster.nodes[leader].kill();
    cluster.leader();
    let mut order = vec![urls[leader].as_str()];
    order.extend(
        urls.iter()
            .filter(|url| **url != urls[leader])
            .map(String::as_str),
    );
    let endpoints = list(&order);
    let output = tool(&["--endpoints", &endpoints, "set", "/k", "after"]);
    assert_eq!(output.code, 0, "{output:?}");
    let get = ["--endpoints", &endpoints, "get", "--quorum", "/k"];
    assert_prints(&tool(&get), "after\n");
    let rest = (leader + 1) % 3;
    assert_eq!(
        v2::request("GET", &urls[rest], "/v2/keys/k", &[]).status,
        200
    );
}

// --- proxies

#[test]
fn proxies_in_the_environment_are_ignored() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let index = subtree.put(&key, "v");
    let proxy = answering("from the proxy");
    let from = index.to_string();
    for command in [
        &["get", &key][..],
        &["set", &key, "v"],
        &["watch", &key, "--from-index", &from],
        &["replay", &key, "--from-index", &from],
    ] {
        let program = [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ]
        .iter()
        .fold(subtree.program(command), |program, name| {
            program.env(*name, proxy.url())
        });
        let output = program.run();
        assert_eq!(output.code, 0, "{output:?}");
    }
    assert_eq!(proxy.connections(), 0);
}

/// A proxy whose tunnel leads to itself: it answers the requests in the tunnel.
fn tunnel() -> Scripted {
    Scripted::serve(|request| {
        if request.method == "CONNECT" {
            return Response::raw("HTTP/1.1 200 Connection established\r\n\r\n");
        }
        let node = r#"{"key":"/k","value":"through","modifiedIndex":7,"createdIndex":7}"#;
        Response::etcd(200, 7, format!(r#"{{"action":"get","node":{node}}}"#))
    })
}

#[test]
fn the_proxy_option_is_used() {
    let proxy = tunnel();
    let target = unused_address();
    for authority in [target.as_str(), "http://etcd.invalid:2379"] {
        let get = [
            "get",
            "/k",
            "--endpoints",
            authority,
            "--proxy",
            &proxy.url(),
        ];
        assert_prints(&tool(&get), "through\n");
    }
    let requests = proxy.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request.method.as_str(), request.path.as_str()))
        .collect();
    let address = target.replace("http://", "");
    assert_eq!(
        seen,
        [
            ("CONNECT", address.as_str()),
            ("GET", "/v2/keys/k"),
            ("CONNECT", "etcd.invalid:2379"),
            ("GET", "/v2/keys/k"),
        ]
    );
}

#[test]
fn the_proxy_option_overrides_no_proxy() {
    let proxy = tunnel();
    let get = ["get", "/k", "--endpoints", "http://etcd.invalid:2379"];
    let url = proxy.url();
    let get = [&get[..], &["--proxy", &url]].concat();
    let output = Program::tool(&get)
        .env("NO_PROXY", "*")
        .env("no_proxy", "etcd.invalid")
        .run();
    assert_prints(&output, "through\n");
}

#[test]
fn the_etcd_password_is_not_sent_to_the_proxy() {
    let proxy = tunnel();
    let user = ["--user", "root:hunter2", "--proxy", &proxy.url()];
    let get = ["get", "/k", "--endpoints", "http://etcd.invalid:2379"];
    assert_prints(&tool(&[&get[..], &user].concat()), "through\n");
    let requests = proxy.requests();
    assert_eq!(requests[0].method, "CONNECT");
    assert_eq!(requests[0].header("Authorization"), None);
    assert_eq!(requests[0].header("Proxy-Authorization"), None);
    assert!(requests[1].header("Authorization").is_some());
}

#[test]
fn a_write_the_proxy_rejects_does_not_exit_7() {
    type Ending = fn(&Request) -> Response;
    let endings: [(Ending, &[i32]); 3] = [
        (|_| Response::default().reset(), &[3]),
        (|_| Response::default().close(), &[3]),
        // The proxy sends this. The exit code may be that of an unreachable server or of one that
        // is not etcd, but etcd does not have the write.
        (bad_gateway, &[3, 6]),
    ];
    for (ending, codes) in endings {
        let refusing = Scripted::serve(ending);
        let set = ["set", "/k", "v", "--endpoints", "http://etcd.invalid:2379"];
        let output = tool(&[&set[..], &["--proxy", &refusing.url()]].concat());
        assert!(codes.contains(&output.code), "{output:?}");
        let requests = refusing.requests();
        assert!(requests.iter().all(|request| request.method == "CONNECT"));
    }
    let set = ["set", "/k", "v", "--endpoints", "http://etcd.invalid:2379"];
    let output = tool(&[&set[..], &["--proxy", &unused_address()]].concat());
    assert_eq!(output.code, 3, "{output:?}");
}

#[test]
fn a_write_the_proxy_rejects_fails_over_to_the_next_endpoint() {
    let endings: [fn(&Request) -> Response; 2] = [bad_gateway, |_| Response::default().close()];
    for ending in endings {
        let proxy = Scripted::serve(move |request| {
            if request.method == "CONNECT" && request.path.starts_with("first.invalid") {
                return ending(request);
            }
            if request.method == "CONNECT" {
                return Response::raw("HTTP/1.1 200 Connection established\r\n\r\n");
            }
            let node = r#"{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}"#;
            Response::etcd(200, 7, format!(r#"{{"action":"set","node":{node}}}"#))
        });
        let endpoints = "http://first.invalid:2379,http://second.invalid:2379";
        let set = ["set", "/k", "v", "--endpoints", endpoints];
        let output = tool(&[&set[..], &["--proxy", &proxy.url()]].concat());
        assert_prints(&output, "7\tset\t/k\tv\n");
    }
}

#[test]
fn a_proxy_tunnel_that_never_opens_times_out() {
    let proxy = silent();
    let get = ["get", "/k", "--endpoints", "http://etcd.invalid:2379"];
    let options = ["--timeout", "400ms", "--proxy", &proxy.url()];
    let begin = Instant::now();
    let output = Program::tool(&[&get[..], &options].concat()).run();
    assert!([3, 124].contains(&output.code), "{output:?}");
    assert!(begin.elapsed() < Duration::from_secs(3), "{output:?}");
}

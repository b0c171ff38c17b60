//! `doctor`: the problems of each endpoint.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Output, Program};
use crate::support::v2::{self, Writer};
use crate::support::v3;

#[track_caller]
fn doctor(endpoints: &str, options: &[&str]) -> Output {
    let doctor = ["--endpoints", endpoints, "doctor", "--for", "300ms"];
    Program::tool(&[&doctor[..], options].concat()).run()
}

#[track_caller]
fn report(output: &Output) -> Value {
    output.json().remove(0)
}

/// The kind and the endpoint of each problem.
fn problems(report: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let problems = findings.filter(|finding| finding["weight"] == "problem");
    problems
        .map(|finding| (text(&finding["kind"]), text(&finding["endpoint"])))
        .collect()
}

#[test]
fn a_healthy_cluster_has_no_findings() {
    for version in Version::ALL {
        let cluster = Cluster::start(version, 3);
        let output = doctor(&cluster.endpoints(), &["-o", "json"]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        let report = report(&output);
        assert_eq!(
            (&report["well"], problems(&report)),
            (&true.into(), BTreeSet::new())
        );
        let endpoints = report["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 3);
        let leaders: BTreeSet<&str> = endpoints
            .iter()
            .map(|one| one["v3"]["leader"].as_str().unwrap())
            .collect();
        assert_eq!(leaders.len(), 1);
        for one in endpoints {
            assert_eq!(one["version"], version.number());
            assert_eq!(one["v2"]["member"], one["v3"]["member"]);
            assert_eq!(one["v2"]["cluster"], one["v3"]["cluster"]);
            assert!(one["quorumSeconds"].as_f64().unwrap() > 0.0);
        }
        let text = doctor(&cluster.endpoints(), &[]);
        assert!(text.stdout.contains("No problems found."), "{text:?}");
        assert_eq!(text.stdout.matches(" leader").count(), 1, "{text:?}");
    }
}

/// A member of the same cluster as `etcd` that is behind and stays behind.
fn behind(etcd: &Etcd) -> Scripted {
    let status = v2::v3(
        &etcd.url(),
        "/v3/maintenance/status",
        &serde_json::json!({}),
    );
    let mut old = status.clone();
    old["header"]["revision"] = "1".into();
    old["header"]["member_id"] = "7".into();
    let cluster: u64 = status["header"]["cluster_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    Scripted::serve(move |request| {
        let reply = |body: &str| {
            let length = body.len();
            Response::raw(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Etcd-Cluster-Id: {cluster:x}\r\n\
                 X-Etcd-Index: 1\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
        };
        match request.path.as_str() {
            "/version" => reply(r#"{"etcdserver":"3.5.1","etcdcluster":"3.5.0"}"#),
            "/v2/stats/self" => reply(r#"{"id":"7","leaderInfo":{"leader":"8"}}"#),
            "/v2/auth/enable" => reply(r#"{"enabled":false}"#),
            "/v3/maintenance/status" => reply(&old.to_string()),
            path if path.starts_with("/v3/") => reply(&format!(
                r#"{{"header":{{"cluster_id":"{cluster}","revision":"1"}}}}"#
            )),
            _ => reply(r#"{"action":"get","node":{"dir":true}}"#),
        }
    })
}

#[test]
fn each_problem_is_reported_with_its_endpoint() {
    let cluster = Etcd::builder(Version::V3_5).without_v2_on(2).cluster(3);
    let url = cluster.nodes[0].url();
    v3::put(&url, "/k", b"v");
    v2::put(&url, "/k", "v");
    v2::put(&url, "/k", "w");
    cluster.nodes[1].terminate();
    let foreign = Etcd::start(Version::V3_4);
    let behind = behind(&cluster.nodes[0]);
    let endpoints = format!("{},{},{}", cluster.endpoints(), foreign.url(), behind.url());
    let output = doctor(&endpoints, &["-o", "json"]);
    assert_eq!(output.code, 1, "{output:?}");
    let expected = [
        ("unreachable", cluster.nodes[1].url()),
        ("v2Off", cluster.nodes[2].url()),
        ("otherCluster", foreign.url()),
        ("lagging", behind.url()),
    ];
    let expected = expected.map(|(kind, url)| (kind.to_owned(), url));
    assert_eq!(problems(&report(&output)), expected.into(), "{output:?}");
    let text = doctor(&endpoints, &[]);
    assert_eq!(text.code, 1, "{text:?}");
    for part in [
        "problem: ",
        "--enable-v2=true",
        "remove it from --endpoints",
    ] {
        assert!(text.stdout.contains(part), "no {part:?} in {text:?}");
    }
}

#[test]
fn a_member_without_quorum_is_reported() {
    let cluster = Cluster::start(Version::V3_5, 3);
    cluster.nodes[1].kill();
    cluster.nodes[2].kill();
    // Wait until the member knows.
    let url = cluster.nodes[0].url();
    crate::support::wait::until(crate::support::wait::LONG, "the leader to be gone", || {
        let status = v2::v3(&url, "/v3/maintenance/status", &serde_json::json!({}));
        !status["leader"].is_string()
    });
    let output = doctor(&url, &["-o", "json", "--timeout", "60s"]);
    assert_eq!(output.code, 1, "{output:?}");
    let kinds: Vec<String> = problems(&report(&output))
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    for kind in ["noLeader", "noQuorum"] {
        assert!(
            kinds.iter().any(|one| one == kind),
            "no {kind} in {output:?}"
        );
    }
}

#[test]
fn writes_in_scope_are_counted_with_both_apis() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| ["v2", "v3"].map(|api| (subtree, api)))
    {
        let (often, seldom) = (subtree.key("often"), subtree.key("seldom"));
        let report = thread::scope(|scope| {
            let writes = scope.spawn(|| {
                let mut writer = Writer::connect(&subtree.url());
                for round in 0..60 {
                    let mut write = |key: &str| match api {
                        "v2" => drop(writer.put(key, "v")),
                        _ => drop(v3::put_with(&mut writer, key, "v")),
                    };
                    write(&often);
                    if round % 4 == 0 {
                        write(&seldom);
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            });
            let options = ["--api", api, "-o", "json", "--for", "800ms", subtree.root()];
            let doctor = ["--endpoints", &subtree.url(), "doctor"];
            let output = Program::tool(&[&doctor[..], &options].concat()).run();
            writes.join().unwrap();
            report(&output)
        });
        let busiest = report["busiest"].as_array().unwrap();
        let count = |place: usize| busiest[place]["writes"].as_u64().unwrap();
        assert_eq!(busiest.len(), 2, "{report}");
        assert_eq!(busiest[0]["key"], often.as_str());
        assert!(count(0) > count(1) && count(1) > 0, "{report}");
        assert_eq!(report["writes"], count(0) + count(1));
        let history = report["history"].as_array().unwrap();
        let own = history.iter().find(|one| one["api"] == api).unwrap();
        assert!(own["writesPerSecond"].as_f64().unwrap() > 1.0, "{report}");
    }
}

#[test]
fn an_unreachable_endpoint_and_a_server_other_than_etcd_are_reported() {
    let output = doctor("http://127.0.0.1:1", &["-o", "json"]);
    assert_eq!(output.code, 1, "{output:?}");
    let expected = [("unreachable".to_owned(), "http://127.0.0.1:1".to_owned())];
    assert_eq!(problems(&report(&output)), expected.into());
    let server =
        Scripted::serve(|_| Response::raw("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"));
    let output = doctor(&server.url(), &["-o", "json"]);
    assert_eq!(output.code, 1, "{output:?}");
    let kinds = problems(&report(&output));
    assert!(
        kinds.contains(&("notEtcd".to_owned(), server.url())),
        "{output:?}"
    );
}

#[test]
fn a_missing_user_is_reported_if_v2_requires_authentication() {
    let etcd = Etcd::start(Version::V3_5);
    let put = |path: &str, body: &str| {
        let curl = ["-sf", "-X", "PUT", "-d", body];
        let url = format!("{}{path}", etcd.url());
        let output = Program::new("curl", &[&curl[..], &[&url]].concat()).run();
        assert_eq!(output.code, 0, "{output:?}");
    };
    put("/v2/auth/users/root", r#"{"user":"root","password":"pw"}"#);
    put("/v2/auth/enable", "");
    let kinds = |options: &[&str]| -> Vec<String> {
        let output = doctor(
            &etcd.url(),
            &[&["-o", "json", "--api", "v2"], options].concat(),
        );
        let report = report(&output);
        let findings = report["findings"].as_array().unwrap().iter();
        findings
            .map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(kinds(&[]).contains(&"noUser".to_owned()));
    assert!(!kinds(&["--user", "root:pw"]).contains(&"noUser".to_owned()));
}

//! Tests of the harness in `support`.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::oracle::{self, Gaps};
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Response, Script, Scripted};
use crate::support::tool::{Program, Running, Signal, Terminal, tool, tool_with_stdin};
use crate::support::v2::{self, Truth, Writer};
use crate::support::wait;

// --- etcd

#[test]
fn each_etcd_version_starts_writes_and_keeps_its_data_through_a_restart() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let answer = v2::request("GET", &etcd.url(), "/version", &[]).text();
        assert!(answer.contains(version.number()), "{answer}");
        let written = v2::put(&etcd.url(), "/a", "1");
        assert_eq!(
            (written.action.as_str(), written.key.as_str()),
            ("set", "/a")
        );
        assert_eq!(written.value.as_deref(), Some("1"));
        let (pid, port) = (etcd.pid(), etcd.port());

        etcd.restart();

        assert_ne!(etcd.pid(), pid);
        assert_eq!(etcd.port(), port);
        let read = v2::request("GET", &etcd.url(), "/v2/keys/a", &[]).json();
        assert_eq!(read["node"]["modifiedIndex"], written.index);
    }
}

#[test]
fn a_wiped_server_starts_empty() {
    let etcd = Etcd::start(Version::V3_5);
    for number in 0..20 {
        v2::put(&etcd.url(), "/a", &number.to_string());
    }
    let before = v2::index(&etcd.url());
    etcd.wipe_and_restart();
    assert!(v2::index(&etcd.url()) < before);
    assert_eq!(
        v2::request("GET", &etcd.url(), "/v2/keys/a", &[]).status,
        404
    );
}

#[test]
fn a_paused_server_is_silent_until_resumed() {
    let etcd = Etcd::start(Version::V3_5);
    let ask = || {
        let patience = Duration::from_millis(200);
        v2::try_request("GET", &etcd.url(), "/v2/keys/", &[], patience)
    };
    etcd.pause();
    assert!(ask().is_err());
    etcd.resume();
    wait::until(wait::LONG, "an answer", || ask().is_ok());
}

#[test]
fn a_terminated_or_killed_server_is_gone() {
    let etcd = Etcd::start(Version::V3_5);
    etcd.terminate();
    assert_eq!(etcd.pid(), None);
    assert!(TcpStream::connect(("127.0.0.1", etcd.port())).is_err());
    etcd.restart();
    etcd.kill();
    assert_eq!(etcd.pid(), None);
    assert!(TcpStream::connect(("127.0.0.1", etcd.port())).is_err());
}

#[test]
fn a_server_without_v2_serves_v3() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version).v2(false).start();
        assert_eq!(
            v2::request("GET", &etcd.url(), "/v2/keys/", &[]).status,
            404
        );
        v2::v3(
            &etcd.url(),
            "/v3/kv/put",
            &json!({"key": "YQ==", "value": "MQ=="}),
        );
        let read = v2::v3(&etcd.url(), "/v3/kv/range", &json!({"key": "YQ=="}));
        assert_eq!(read["kvs"][0]["value"], "MQ==");
    }
}

#[test]
fn an_etcd_that_fails_to_start_panics_with_its_log() {
    let start = || Etcd::builder(Version::V3_5).arg("--no-such-flag").start();
    let message = panic_message(start);
    assert!(message.contains("no-such-flag"), "{message}");
}

#[test]
fn a_cluster_elects_a_new_leader_after_the_old_one_is_killed() {
    for version in Version::ALL {
        let cluster = Cluster::start(version, 3);
        assert_eq!(cluster.endpoints().split(',').count(), 3);
        let first = cluster.leader();
        let written = v2::put(&cluster.nodes[(first + 1) % 3].url(), "/a", "1");

        cluster.nodes[first].kill();

        let second = cluster.leader();
        assert_ne!(first, second);
        let after = v2::index(&cluster.nodes[second].url());
        assert!(after >= written.index);
        cluster.nodes[first].restart();
        assert!(v2::index(&cluster.nodes[first].url()) >= after);
    }
}

#[test]
fn a_killed_member_catches_up_after_a_restart() {
    let cluster = Etcd::builder(Version::V3_5).cluster(3);
    let lagging = (cluster.leader() + 1) % 3;
    let other = &cluster.nodes[(lagging + 1) % 3];
    cluster.nodes[lagging].kill();
    let written = v2::burst(&other.url(), 300, |number| {
        (format!("/a/{number}"), "v".to_owned())
    });
    cluster.nodes[lagging].restart();
    let caught_up = v2::index(&cluster.nodes[lagging].url());
    assert!(caught_up >= written.last().unwrap().index);
}

// --- v2

#[test]
fn a_burst_returns_every_change_that_history_has() {
    let etcd = Etcd::start(Version::V3_5);
    let written = v2::burst(&etcd.url(), 500, |number| {
        (format!("/burst/{number}"), format!("v{number}"))
    });
    assert_eq!(written.len(), 500);
    let mut writer = Writer::connect(&etcd.url());
    for truth in &written {
        let wait = format!(
            "/v2/keys/burst?wait=true&recursive=true&waitIndex={}",
            truth.index
        );
        let event = writer.request("GET", &wait, &[]).truth();
        assert_eq!(event, *truth);
    }
    let last = writer.put("/burst/0", "again");
    assert_eq!(last.index, written.last().unwrap().index + 1);
}

#[test]
fn a_writer_accepts_any_key_and_value() {
    let etcd = Etcd::start(Version::V3_4);
    let key = "/a b/ü%2F?#&+\n";
    let written = v2::put(&etcd.url(), key, "x=y&z %\u{1b}ß");
    assert_eq!(written.key, key);
    assert_eq!(written.value.as_deref(), Some("x=y&z %\u{1b}ß"));
    let in_order = v2::post(&etcd.url(), "/queue", "1");
    assert_eq!(in_order.action, "create");
    assert!(in_order.key.starts_with("/queue/"), "{}", in_order.key);
    let deleted = v2::delete(&etcd.url(), "/queue", "recursive=true");
    assert_eq!((deleted.action.as_str(), deleted.value), ("delete", None));
}

// --- proxy

/// A server that answers each request with as many bytes as its path says: `/1000`.
fn sized_replies() -> Scripted {
    Scripted::serve(|request| {
        let count = request.path.trim_start_matches('/').parse().unwrap();
        Response::etcd(200, 7, vec![b'x'; count])
    })
}

#[test]
fn a_proxy_forwards_and_counts() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    let reply = v2::request("GET", &proxy.url(), "/100000?a=b", &[]);
    assert_eq!((reply.body.len(), reply.etcd_index()), (100_000, 7));
    v2::request(
        "PUT",
        &proxy.url(),
        "/1",
        &[("value", "a body without a newline")],
    );
    assert_eq!(proxy.requests(), ["GET /100000?a=b", "PUT /1"]);
    assert_eq!(proxy.connections(), 2);
    assert!(proxy.bytes_down() > 100_000 && proxy.bytes_up() > 40);
}

#[test]
fn a_delay_adds_latency_without_limiting_bandwidth() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    proxy.delay(Duration::from_millis(200));
    let begin = Instant::now();
    let reply = v2::request("GET", &proxy.url(), "/20000000", &[]);
    let took = begin.elapsed();
    assert_eq!(reply.body.len(), 20_000_000);
    assert!(took >= Duration::from_millis(200), "{took:?}");
    // If each piece of 64 KiB waited for the one before, this would take half a minute.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_bandwidth_limit_slows_a_reply_down() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    proxy.bandwidth(1_000_000);
    let begin = Instant::now();
    v2::request("GET", &proxy.url(), "/300000", &[]);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(290), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn cut_all_resets_or_closes_connections() {
    let server = Scripted::serve(|_| Response::stream(7).chunk("{").hold());
    let proxy = Proxy::to(&server.url());
    for (how, expected) in [
        (Cut::Reset, Err(ErrorKind::ConnectionReset)),
        (Cut::Close, Ok(0)),
    ] {
        let mut client = open_and_read_to(&proxy, "{\r\n");
        proxy.cut_all(how);
        let outcome = client.read(&mut [0; 100]).map_err(|error| error.kind());
        assert_eq!(outcome, expected, "{how:?}");
    }
    open_and_read_to(&proxy, "{\r\n");
}

#[test]
fn cut_after_cuts_after_exactly_that_many_bytes() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    proxy.cut_after(1234, Cut::Close);
    let mut client = open(&proxy);
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 1234);
    // This happens once.
    assert_eq!(
        v2::request("GET", &proxy.url(), "/9999", &[]).body.len(),
        9999
    );
}

#[test]
fn a_half_open_connection_is_silent_and_loses_nothing_after_resume() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    proxy.half_open();
    let client = open(&proxy);
    client
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    wait::never(Duration::from_millis(150), "a stalled line spoke", || {
        (&client).read(&mut [0; 100]).is_ok()
    });
    proxy.resume();
    client.set_read_timeout(Some(wait::LONG)).unwrap();
    assert!((&client).read(&mut [0; 100]).unwrap() > 0);
}

#[test]
fn one_byte_at_a_time_delivers_single_bytes() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    proxy.one_byte_at_a_time();
    let mut client = open(&proxy);
    let mut reads = 0;
    let mut received = 0;
    while received < 400 {
        received += client.read(&mut [0; 1000]).unwrap();
        reads += 1;
    }
    assert!(reads > 100, "{received} bytes in {reads} reads");
}

#[test]
fn a_refused_connection_fails_at_once_and_a_later_one_succeeds() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    let ask = || v2::try_request("GET", &proxy.url(), "/1", &[], wait::LONG);
    proxy.refuse(true);
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.refuse(false);
    assert_eq!(ask().unwrap().status, 200);
}

/// Sends a wait through the proxy, and runs `then` once its head has arrived.
fn wait_and(proxy: &Proxy, path: &str, then: impl FnOnce(u64)) -> v2::Reply {
    let url = proxy.url();
    let before = proxy.bytes_down();
    thread::scope(|scope| {
        let waits = scope.spawn(|| v2::request("GET", &url, path, &[]));
        wait::until(wait::LONG, "the head", || proxy.bytes_down() > before);
        then(proxy.bytes_down());
        waits.join().unwrap()
    })
}

#[test]
fn end_waits_ends_a_long_poll_without_an_event_or_an_error() {
    let etcd = Etcd::start(Version::V3_4);
    let proxy = Proxy::to(&etcd.url());
    for path in ["/v2/keys/k?wait=true", "/v2/keys/k?wait=true&stream=true"] {
        let reply = wait_and(&proxy, path, |_| proxy.end_waits());
        assert_eq!((reply.status, reply.text().as_str()), (200, ""));
        assert!(reply.header("X-Etcd-Index").is_some());
    }
    // An event in flight is not truncated, and nothing follows it.
    let value = "v".repeat(300_000);
    proxy.bandwidth(3_000_000);
    let reply = wait_and(&proxy, "/v2/keys/k?wait=true&stream=true", |begin| {
        v2::put(&etcd.url(), "/k", &value);
        wait::until(wait::LONG, "the event", || proxy.bytes_down() > begin);
        proxy.end_waits();
    });
    assert_eq!(reply.json()["node"]["value"], value);
}

#[test]
fn answer_empty_answers_with_an_empty_body() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    proxy.answer_empty(true);
    let mut writer = v2::Writer::connect(&proxy.url());
    for _ in 0..2 {
        let reply = writer.request("GET", "/5", &[]);
        assert_eq!((reply.status, reply.body.len()), (200, 0));
        assert_eq!(reply.header("X-Etcd-Index"), None);
    }
    proxy.answer_empty(false);
    wait::until(wait::LONG, "that connection to end", || {
        writer.try_request("GET", "/5", &[]).is_err()
    });
    let reply = v2::request("GET", &proxy.url(), "/5", &[]);
    assert_eq!(reply.body.len(), 5);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn spread_over_forwards_to_several_servers_in_turn() {
    let servers = [sized_replies(), sized_replies(), sized_replies()];
    let urls = servers.each_ref().map(Scripted::url);
    let proxy = Proxy::to(&urls[0]);
    proxy.spread_over(&urls);
    for _ in 0..6 {
        v2::request("GET", &proxy.url(), "/5", &[]);
    }
    let asked = servers.each_ref().map(|server| server.requests().len());
    assert_eq!(asked, [2, 2, 2]);
    proxy.lead_to(&urls[1]);
    v2::request("GET", &proxy.url(), "/5", &[]);
    assert_eq!(servers[1].requests().len(), 3);
}

#[test]
fn a_proxy_without_a_server_resets_connections() {
    let server = sized_replies();
    let proxy = Proxy::to(&server.url());
    drop(server);
    let patience = Duration::from_secs(5);
    assert!(v2::try_request("GET", &proxy.url(), "/1", &[], patience).is_err());
    assert_eq!(proxy.connections(), 1);
}

/// A connection through the proxy that has asked for 9999 bytes.
fn open(proxy: &Proxy) -> TcpStream {
    let mut client = TcpStream::connect(proxy.url().trim_start_matches("http://")).unwrap();
    client.set_read_timeout(Some(wait::LONG)).unwrap();
    client.write_all(b"GET /9999 HTTP/1.1\r\n\r\n").unwrap();
    client
}

/// A connection through the proxy that was read up to the end of a text.
fn open_and_read_to(proxy: &Proxy, text: &str) -> TcpStream {
    let mut client = open(proxy);
    let mut received = Vec::new();
    while !received.ends_with(text.as_bytes()) {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        received.extend_from_slice(&byte);
    }
    client
}

// --- scripted

#[test]
fn a_script_is_followed_across_connections_and_recorded() {
    let server = Script::new()
        .reply(Response::etcd(404, 3, "{}"))
        .answer(|request| {
            assert_eq!(request.parameter("wait"), Some("true"));
            Response::stream(4).chunk("ab").chunk("c").end()
        })
        .reply(Response::raw("HTTP/1.1 204 Nothing\r\n\r\n"))
        .start();
    let mut writer = Writer::connect(&server.url());
    assert_eq!(writer.request("GET", "/a", &[]).status, 404);
    let reply = writer.request("GET", "/b?x=1&wait=true", &[]);
    assert_eq!((reply.text().as_str(), reply.etcd_index()), ("abc", 4));
    assert_eq!(
        v2::request("PUT", &server.url(), "/c", &[("value", "é")]).status,
        204
    );

    let requests = server.requests();
    let connections: Vec<_> = requests.iter().map(|one| one.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
    assert_eq!(server.connections(), 2);
    assert_eq!(requests[1].query, "x=1&wait=true");
    assert!(requests[1].at >= requests[0].at);
    assert_eq!(
        (requests[2].method.as_str(), requests[2].path.as_str()),
        ("PUT", "/c")
    );
    assert_eq!(requests[2].body, b"value=%C3%A9");
    assert!(requests[2].header("content-length").is_some());
}

#[test]
fn an_unfinished_script_fails_the_test() {
    let unused = || Script::new().reply(Response::etcd(200, 1, "{}")).start();
    let message = panic_message(|| drop(unused()));
    assert!(
        message.contains("1 exchanges of the script were not used"),
        "{message}"
    );
    drop(Script::new().reply(Response::default()).lenient().start());
}

#[test]
fn an_answer_that_panics_fails_the_test() {
    let server = Script::new().answer(|_| panic!("not this request")).start();
    let url = server.url();
    assert!(v2::try_request("GET", &url, "/a", &[], wait::LONG).is_err());
    let message = panic_message(|| drop(server));
    assert!(
        message.contains("an answer of the scripted server panicked"),
        "{message}"
    );
}

#[test]
fn a_scripted_server_pauses_closes_and_resets() {
    let pause = Duration::from_millis(100);
    let server = Script::new()
        .reply(
            Response::raw("HTTP/1.1 200 OK\r\n")
                .pause(pause)
                .bytes("\r\nab")
                .close(),
        )
        .reply(Response::stream(1).chunk("{").reset())
        .start();
    let ask = || v2::try_request("GET", &server.url(), "/", &[], wait::LONG);
    let begin = Instant::now();
    assert_eq!(ask().unwrap().body, b"ab");
    assert!(begin.elapsed() >= pause);
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::ConnectionReset);
    // The script is finished, so that a further request is rejected.
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

// --- tool

#[test]
fn the_tool_runs_in_each_way_and_prints_its_version() {
    let output = tool(&["--version"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.starts_with("etcdwatch "), "{}", output.stdout);
    assert_eq!(
        tool_with_stdin(&["--version"], b"unread").stdout,
        output.stdout
    );
    let running = Running::start(&["--version"]);
    assert_eq!(
        running.wait_for_lines(1, wait::LONG),
        [output.stdout.trim_end()]
    );
    assert_eq!(running.wait(wait::LONG).code, 0);
    let terminal = Terminal::start(&["--version"], 10, 80);
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert!(terminal.screen().contains(output.stdout.trim_end()));
}

#[test]
fn a_program_gets_only_the_given_environment() {
    let output = Program::new("env", &[] as &[&str])
        .env("ETCDCTL_API", "2")
        .run();
    let names: Vec<_> = output
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| {
            !matches!(
                *name,
                "PATH" | "TMPDIR" | "LLVM_PROFILE_FILE" | "RUST_BACKTRACE"
            )
        })
        .collect();
    assert_eq!(names, ["ETCDCTL_API"]);
}

#[test]
fn run_returns_stdout_bytes_and_the_exit_code() {
    let output = sh("cat; echo oops >&2; exit 7").stdin(b"\xff\0x").run();
    assert_eq!((output.code, output.stderr.as_str()), (7, "oops\n"));
    assert_eq!(output.stdout_bytes, b"\xff\0x");
    assert_eq!(sh("kill -9 $$").run().code, -9);
}

#[test]
fn a_running_program_can_be_awaited_line_by_line() {
    let running = sh(
        r#"echo '{"a":1}'; echo ready >&2; trap 'printf end; exit 3' TERM
                        while :; do sleep 0.01; done"#,
    )
    .start();
    assert_eq!(running.wait_for_lines(1, wait::LONG), [r#"{"a":1}"#]);
    assert_eq!(running.json(), [json!({"a": 1})]);
    running.wait_for_stderr("ready", wait::LONG);
    assert_eq!(running.stderr(), "ready\n");
    assert!(running.peak_memory_kib() > 100);
    assert!(!running.has_ended());
    running.signal(Signal::TERM);
    let output = running.wait(wait::LONG);
    assert_eq!((output.code, output.stdout.as_str()), (3, "{\"a\":1}\nend"));
}

#[test]
fn a_program_past_its_deadline_is_killed_and_its_output_shown() {
    let running = sh("echo was here; exec sleep 60").start();
    running.wait_for_lines(1, wait::LONG);
    let message = panic_message(|| running.wait(Duration::from_millis(20)));
    assert!(message.contains("was here"), "{message}");
    let late = || sh("echo was here; exec sleep 60").run_within(Duration::from_millis(500));
    let message = panic_message(late);
    assert!(message.contains("was here"), "{message}");
    assert!(message.contains("has not ended after 500ms"), "{message}");
    let starving = sh("echo one; exec sleep 60").start();
    let message = panic_message(|| starving.wait_for_lines(2, Duration::from_millis(20)));
    assert!(message.contains("1 of 2 lines"), "{message}");
}

#[test]
fn stdout_can_be_read_late_or_closed() {
    let slow = sh("exec seq 100000").unread().start();
    wait::never(Duration::from_millis(50), "it ended unread", || {
        slow.has_ended()
    });
    slow.read_stdout();
    assert_eq!(slow.wait(wait::LONG).stdout.lines().count(), 100_000);
    let gone = sh("exec seq 100000").unread().start();
    gone.close_stdout();
    assert_ne!(gone.wait(wait::LONG).code, 0);
}

#[test]
fn a_terminal_shows_output_takes_input_and_resizes() {
    let script = "stty -echo; stty size; while read line; do printf '\\033[31m<%s>\\033[0m ' \
                  \"$line\"; stty size; done";
    let terminal = sh(script).on_terminal(20, 70);
    terminal.wait_for_screen(|screen| screen.contains("20 70"), wait::LONG);
    terminal.resize(30, 90);
    terminal.send(b"hello\n");
    terminal.wait_for_screen(|screen| screen.contains("<hello> 30 90"), wait::LONG);
    assert!(terminal.raw().windows(5).any(|part| part == b"\x1b[31m"));
    // Ctrl-D ends the input.
    terminal.send(b"\x04");
    assert_eq!(terminal.wait(wait::LONG), 0);

    let ended = sh("exec sleep 60").on_terminal(5, 20);
    ended.signal(Signal::TERM);
    assert_eq!(ended.wait(wait::LONG), -15);
}

fn sh(script: &str) -> Program {
    Program::new("sh", &["-c", script])
}

// --- oracle

/// Sets of `/k` at the indexes 10 to 19, and their records.
fn truth_and_records() -> (Vec<Truth>, Vec<Value>) {
    let truth: Vec<_> = (10..20)
        .map(|index| Truth {
            index,
            action: "set".to_owned(),
            key: "/k".to_owned(),
            value: Some(format!("v{index}")),
        })
        .collect();
    let records = truth
        .iter()
        .map(|one| {
            json!({"action": one.action, "node": {
                "key": one.key, "value": one.value,
                "modifiedIndex": one.index, "createdIndex": one.index,
            }})
        })
        .collect();
    (truth, records)
}

#[test]
fn the_oracle_accepts_each_event_once_among_other_records() {
    let (truth, mut records) = truth_and_records();
    records.insert(0, json!({"action": "status", "state": "live", "index": 9}));
    records.insert(
        0,
        json!({"action": "get", "origin": "snapshot", "index": 9, "node": {}}),
    );
    oracle::assert_every_event_once(&truth, &records);
    assert_eq!(oracle::events(&records), truth);
}

#[test]
fn the_oracle_finds_lost_duplicated_swapped_and_invented_events() {
    type Change = fn(&mut Vec<Value>);
    let changes: [(&str, Change); 7] = [
        ("lost: a later event", |records| drop(records.remove(4))),
        ("lost: the records end", |records| drop(records.pop())),
        ("duplicated", |records| {
            records.insert(5, records[4].clone());
        }),
        ("duplicated", |records| records.push(records[9].clone())),
        ("swapped", |records| records.swap(4, 5)),
        ("invented: it was never", |records| {
            records[4]["node"]["value"] = json!("x");
        }),
        ("invented: nothing more", |records| {
            let mut late = records[9].clone();
            late["node"]["modifiedIndex"] = json!(99);
            records.push(late);
        }),
    ];
    for (expected, change) in changes {
        let (truth, mut records) = truth_and_records();
        change(&mut records);
        for gaps in [Gaps::Forbidden, Gaps::Declared] {
            let found = oracle::compare(&truth, &records, gaps).unwrap_err();
            assert!(found.starts_with(expected), "{expected}: {found}");
        }
    }
    let (truth, mut records) = truth_and_records();
    records.swap(4, 5);
    let message = panic_message(|| oracle::assert_every_event_once(&truth, &records));
    assert!(message.contains("> #4 14 set /k \"v14\""), "{message}");
}

#[test]
fn the_oracle_accepts_a_loss_only_within_a_gap_declared_before() {
    let gap = json!({"action": "gap", "lost": {"from": 13, "to": 15}, "index": 15});
    let (truth, mut records) = truth_and_records();
    records.splice(3..6, [gap.clone()]);
    oracle::assert_nothing_lost_silently(&truth, &records);
    let found = oracle::compare(&truth, &records, Gaps::Forbidden).unwrap_err();
    assert!(found.starts_with("a gap"), "{found}");

    // One more event is missing than was declared.
    let mut too_much = records.clone();
    too_much.remove(4);
    assert!(oracle::compare(&truth, &too_much, Gaps::Declared).is_err());

    // The gap comes after a later event.
    let mut too_late = records;
    too_late.swap(3, 4);
    let message = panic_message(|| oracle::assert_nothing_lost_silently(&truth, &too_late));
    assert!(message.starts_with("lost"), "{message}");
}

// --- wait

#[test]
fn a_wait_that_times_out_names_its_condition() {
    let limit = Duration::from_millis(10);
    let message = panic_message(|| wait::until(limit, "the moon", || false));
    assert!(message.contains("the moon"), "{message}");
    let message = panic_message(|| wait::never(limit, "it rang", || true));
    assert!(message.contains("it rang"), "{message}");
}

/// The message of the panic that `action` must cause.
fn panic_message<T>(action: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(action)) else {
        panic!("it should have panicked");
    };
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        })
        .expect("a message")
}

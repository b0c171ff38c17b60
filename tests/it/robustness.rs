//! Servers that answer without progress, and readers that do not read: requests are rare, no answer
//! is lost, and every run can be ended.

use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::etcd::{Etcd, Version};
use crate::support::oracle;
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Program, Running, assert_ends, parse_lines, tool};
use crate::support::v2;
use crate::support::wait;

const LIMIT: Duration = Duration::from_secs(30);
/// How long the servers are observed.
const SPAN: Duration = Duration::from_secs(3);
/// The limit of requests in that time. Without a backoff there would be tens of thousands.
const FEW: usize = 40;

fn event(index: u64) -> String {
    format!(
        "{{\"action\":\"set\",\"node\":{{\"key\":\"/a\",\"value\":\"v\",\"modifiedIndex\":{index},\
         \"createdIndex\":{index}}}}}\n"
    )
}

fn is_stream(request: &Request) -> bool {
    request.parameter("stream").is_some()
}

type Handler = fn(&Request) -> Response;

#[test]
fn a_server_that_answers_without_progress_is_asked_rarely() {
    let empty = |_: &Request| Response::stream(10).end();
    let head_then_cut = |_: &Request| Response::stream(10).reset();
    let only_streams_end = |request: &Request| {
        if is_stream(request) {
            Response::stream(10).end()
        } else {
            Response::stream(10).hold()
        }
    };
    let always_too_early = |request: &Request| {
        if is_stream(request) {
            Response::stream(10).hold()
        } else {
            Response::stream(10).chunk(event(3)).end()
        }
    };
    let cleared_but_not = |request: &Request| {
        if is_stream(request) {
            return Response::stream(10).hold();
        }
        let fault = r#"{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"the requested history has been cleared [5/10]","index":10}"#;
        Response::etcd(400, 10, fault)
    };
    let handlers: [(&str, Handler); 5] = [
        ("an empty 200", empty),
        ("a head and a cut", head_then_cut),
        ("streams that end", only_streams_end),
        ("events from before", always_too_early),
        ("a cleared history that is not", cleared_but_not),
    ];
    thread::scope(|scope| {
        for (name, handler) in handlers {
            for count in [1, 2] {
                scope.spawn(move || {
                    let servers: Vec<Scripted> =
                        (0..count).map(|_| Scripted::serve(handler)).collect();
                    let urls: Vec<String> = servers.iter().map(Scripted::url).collect();
                    let endpoints = urls.join(",");
                    let watch = ["watch", "--stream", "/a", "--from-index", "10"];
                    let running =
                        Running::start(&[&["--endpoints", &endpoints], &watch[..]].concat());
                    let asked = || {
                        servers
                            .iter()
                            .map(|server| server.requests().len())
                            .sum::<usize>()
                    };
                    wait::never(SPAN, name, || asked() > FEW);
                    assert!(asked() > 0 && !running.has_ended(), "{name}");
                });
            }
        }
    });
}

#[test]
fn a_future_index_is_reached_without_a_gap_while_others_write() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let ahead = (v2::put(&url, "/other/k", "v").index + 50).to_string();
    let modes = [&[][..], &["--stream", "--count", "1"]];
    let watches = modes.map(|mode| {
        let watch = [
            "--endpoints",
            &url,
            "-o",
            "json",
            "watch",
            "/quiet",
            "--from-index",
            &ahead,
        ];
        let running = Running::start(&[&watch[..], mode].concat());
        running.wait_for_stderr("ahead", LIMIT);
        running
    });
    let mut writer = v2::Writer::connect(&url);
    for number in 0..2000 {
        writer.put("/other/k", &number.to_string());
    }
    let truth = [writer.put("/quiet", "now")];
    for running in watches {
        let output = running.wait(LIMIT);
        assert_eq!(output.code, 0, "{}", output.stderr);
        let lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
        oracle::assert_every_event_once(&truth, &parse_lines(&lines));
    }
}

#[test]
fn set_writes_even_if_stdout_is_closed() {
    let subtree = shared::any();
    let key = subtree.key("late");
    let script = format!("(sleep 1; printf late) | \"$0\" \"$@\" set {key} - | true");
    let output = subtree.shell(&script, &[]).run();
    assert_eq!(output.stderr, "");
    wait::until(LIMIT, "the value", || {
        subtree.value(&key).as_deref() == Some("late")
    });
}

#[test]
fn a_blocked_stdout_does_not_delay_signals_or_the_timeout() {
    let subtree = shared::any();
    let value = "x".repeat(2000);
    for number in 0..300 {
        subtree.put(&subtree.key(&format!("k{number}")), &value);
    }
    let from = (v2::index(&subtree.url()) - 299).to_string();
    let stream = subtree.stream_from(&from);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let running = subtree.program(&stream).unread().start();
        // It is not visible from outside that the tool is blocked. A signal that comes earlier ends
        // it too.
        wait::until(LIMIT, "its handler", || running.catches(signal));
        running.signal(signal);
        assert_eq!(running.wait(Duration::from_secs(5)).code, code);
    }
    let timed = [&stream[..], &["--timeout", "1s"]].concat();
    let output = subtree
        .program(&timed)
        .unread()
        .start()
        .wait(Duration::from_secs(5));
    assert_eq!(output.code, 124, "{}", output.stderr);
}

#[test]
fn a_slow_stdout_reader_does_not_delay_signals() {
    let subtree = shared::any();
    let value = "x".repeat(20_000);
    for output in ["text", "json"] {
        let stream = ["watch", "--stream", "-r", subtree.root(), "-o", output];
        let stream = [&stream[..], &["--api", "v2", "-v"]].concat();
        let running = subtree.program(&stream).unread().start();
        let mut stdout = running.take_stdout();
        // The reader takes 200 kB per second, so that everything would take 20 seconds.
        thread::spawn(move || {
            let mut room = [0; 8 << 10];
            while let Ok(1..) = stdout.read(&mut room) {
                thread::sleep(Duration::from_millis(40));
            }
        });
        running.wait_for_stderr("< 200 index", LIMIT);
        for number in 0..200 {
            subtree.put(&subtree.key(&format!("k{number}")), &value);
        }
        running.signal(Signal::TERM);
        assert_eq!(running.wait(Duration::from_secs(5)).code, 143, "{output}");
    }
}

#[test]
fn conditions_on_large_values_work() {
    let subtree = shared::any();
    let key = subtree.key("large");
    let large = "{".repeat(70_000);
    subtree.put(&key, &large);
    let wrong = subtree.tool(&["set", &key, "new", "--prev-value", "wrong"]);
    assert_eq!(
        wrong.code,
        1,
        "{}",
        &wrong.stderr[..200.min(wrong.stderr.len())]
    );
    let right = subtree.tool(&["set", &key, &large, "--prev-value", &large]);
    assert_eq!(
        right.code,
        0,
        "{}",
        &right.stderr[..200.min(right.stderr.len())]
    );
    let wrong = subtree.tool(&["rm", &key, "--prev-value", "wrong"]);
    assert_eq!(wrong.code, 1);
    let right = subtree.tool(&["rm", &key, "--prev-value", &large]);
    assert_eq!(
        right.code,
        0,
        "{}",
        &right.stderr[..200.min(right.stderr.len())]
    );
    assert_eq!(subtree.value(&key), None);
}

#[test]
fn replay_ends_behind_a_proxy_that_closes_on_half_close() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("other"), "v").to_string();
    // When the tool half-closes a connection, this proxy closes it completely.
    let script = r"
import socket,threading,sys
s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True)
def pipe(a,b):
    try:
        while True:
            d=a.recv(65536)
            if not d: break
            b.sendall(d)
    except OSError: pass
    for x in (a,b):
        try: x.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(c):
    u=socket.create_connection((sys.argv[1],int(sys.argv[2])))
    threading.Thread(target=pipe,args=(c,u),daemon=True).start()
    pipe(u,c)
while True:
    c,_=s.accept(); threading.Thread(target=serve,args=(c,),daemon=True).start()
";
    let port = subtree.url().rsplit(':').next().unwrap().to_owned();
    let proxy = Program::new("python3", &["-c", script, "127.0.0.1", &port]).start();
    let listens = proxy.wait_for_lines(1, LIMIT)[0].clone();
    let url = format!("http://127.0.0.1:{listens}");
    let replay = [
        "--endpoints",
        &url,
        "replay",
        &subtree.key("quiet"),
        "--from-index",
        &from,
    ];
    let output = tool(&replay);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (0, ""),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("half-closing a connection"),
        "{}",
        output.stderr
    );
}

#[test]
fn invalid_durations_and_variables_are_usage_errors() {
    for arguments in [
        &["get", "/a", "--timeout", "18446744073709551615s"][..],
        &["get", "/a", "--connect-timeout", "500000000000y"],
        &["watch", "/a", "--timeout", "3"],
    ] {
        assert_eq!(tool(arguments).code, 2, "{arguments:?}");
    }
    let odd = std::ffi::OsString::from_vec(b"http://\xff:1".to_vec());
    let output = Program::tool(&["get", "/a"])
        .env("ETCDCTL_ENDPOINTS", odd)
        .run();
    assert_ends(&output, 2, &["ETCDCTL_ENDPOINTS"]);
}

//! Tests of the proxy and its faults.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Response, Scripted};
use crate::support::{v2, wait};

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

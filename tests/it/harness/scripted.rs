//! Tests of the scripted server.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::panic_message;
use crate::support::scripted::{Response, Script};
use crate::support::v2::{self, Writer};
use crate::support::wait;

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

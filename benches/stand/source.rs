//! A server that tells of a million events as fast as they are taken.
//!
//! In scope: what etcd's v2 API answers to a client that opens a stream: the head, then events with
//! consecutive indexes, one a chunk. For curl the body ends with the last of them; for any other
//! client it stays open, as etcd's does. Other waits hang until the client has had enough, and reads
//! are answered at the index reached. Out of scope: everything that a real etcd can be asked for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The index at which every stream is registered.
const HEAD: u64 = 1000;
/// So many bytes are written at once: many events, as where a client comes too late for each.
const PIECE: usize = 256 << 10;

/// Serves `count` events until the process is ended.
pub fn serve(listener: &TcpListener, count: u64) {
    let body = Arc::new(body(count));
    let reached = Arc::new(AtomicU64::new(HEAD));
    for client in listener.incoming().flatten() {
        let (body, reached) = (Arc::clone(&body), Arc::clone(&reached));
        thread::spawn(move || {
            // A client that goes away is no concern.
            let _ = answer(&client, &body, HEAD + count, &reached);
        });
    }
}

/// The chunks, each an event of about 300 bytes.
fn body(count: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for index in HEAD + 1..=HEAD + count {
        let key = format!("/app/services/web-{:05}/address", index % 10_000);
        let before = index.saturating_sub(10_000).max(1);
        let event = format!(
            "{{\"action\":\"set\",\"node\":{{\"key\":\"{key}\",\"value\":\"10.0.{}.{}:8080 of \
             {index}\",\"modifiedIndex\":{index},\"createdIndex\":{index}}},\"prevNode\":{{\"key\":\
             \"{key}\",\"value\":\"10.0.{}.{}:8080 of {before}\",\"modifiedIndex\":{before},\
             \"createdIndex\":{before}}}}}\n",
            index % 200,
            index % 250,
            before % 200,
            before % 250,
        );
        let _ = write!(body, "{:x}\r\n{event}\r\n", event.len());
    }
    body
}

fn answer(client: &TcpStream, body: &[u8], last: u64, reached: &AtomicU64) -> std::io::Result<()> {
    let mut requests = BufReader::new(client);
    let mut client = client;
    loop {
        let mut target = String::new();
        let mut is_curl = false;
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if target.is_empty() {
                line.split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .clone_into(&mut target);
            }
            is_curl |= line.to_ascii_lowercase().starts_with("user-agent: curl");
        }
        if !target.starts_with("/v2/keys") {
            let version = "{\"etcdserver\":\"3.5.1\",\"etcdcluster\":\"3.5.0\"}";
            plain(client, HEAD, version)?;
        } else if target.contains("stream=true") {
            reached.store(HEAD, Ordering::Relaxed);
            chunked(client, HEAD)?;
            for piece in body.chunks(PIECE) {
                client.write_all(piece)?;
            }
            reached.store(last, Ordering::Relaxed);
            if is_curl {
                client.write_all(b"0\r\n\r\n")?;
                continue;
            }
            return requests.read_to_end(&mut Vec::new()).map(drop);
        } else if target.contains("wait=true") {
            chunked(client, reached.load(Ordering::Relaxed))?;
            requests.read_to_end(&mut Vec::new())?;
            return client.write_all(b"0\r\n\r\n");
        } else {
            let directory = "{\"action\":\"get\",\"node\":{\"key\":\"/app\",\"dir\":true,\
                             \"modifiedIndex\":1,\"createdIndex\":1}}";
            plain(client, reached.load(Ordering::Relaxed), directory)?;
        }
    }
}

fn chunked(mut client: &TcpStream, index: u64) -> std::io::Result<()> {
    let head = head(index);
    client.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes())
}

fn plain(mut client: &TcpStream, index: u64, body: &str) -> std::io::Result<()> {
    let (head, length) = (head(index), body.len());
    client.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())
}

fn head(index: u64) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Etcd-Cluster-Id: cdf818194e3a8c32\r\n\
         X-Etcd-Index: {index}\r\nX-Raft-Index: {index}\r\nX-Raft-Term: 2\r\n"
    )
}

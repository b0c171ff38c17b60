//! A server that sends a million events as fast as the client reads them.
//!
//! In scope: the v2 API's answers to a single client that opens a stream: the head, and then events
//! with consecutive indexes, one per chunk. For curl the body ends after the last event. For other
//! clients it stays open, as with etcd, and begins once the client has opened its other wait. Reads
//! are answered at the index reached. Other waits find nothing, because only the stream is
//! measured. Out of scope: everything else that etcd can be asked for.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The index at which every stream is registered.
const HEAD: u64 = 1000;

/// The number of bytes written at once. They contain many events, as for a client that is behind.
const PIECE: usize = 256 << 10;

/// How long a stream waits for its client's other wait.
const PATIENCE: Duration = Duration::from_millis(500);

/// Serves `count` events until the process is ended.
pub fn serve(listener: &TcpListener, count: u64) {
    let source = Source {
        pieces: pieces(count),
        reached: AtomicU64::new(HEAD),
        waits: Mutex::new(0),
        one_more: Condvar::new(),
    };
    let source = &source;
    thread::scope(|scope| {
        for client in listener.incoming().flatten() {
            scope.spawn(move || {
                // A client may disconnect at any time.
                let _ = source.answer(&client);
            });
        }
    });
}

struct Source {
    pieces: Vec<Piece>,
    /// The highest index that the stream has sent or is about to send.
    reached: AtomicU64,
    /// The number of waits since the last stream.
    waits: Mutex<u32>,
    one_more: Condvar,
}

/// Chunks with one event each, and the last index.
struct Piece {
    chunks: Vec<u8>,
    last: u64,
}

fn pieces(count: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chunks = String::new();
    for index in HEAD + 1..=HEAD + count {
        chunk(index, &mut chunks);
        if chunks.len() >= PIECE || index == HEAD + count {
            pieces.push(Piece {
                chunks: std::mem::take(&mut chunks).into_bytes(),
                last: index,
            });
        }
    }
    pieces
}

/// An event of about 300 bytes.
fn chunk(index: u64, into: &mut String) {
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
    let _ = write!(into, "{:x}\r\n{event}\r\n", event.len());
}

/// What is asked for, as far as it makes a difference.
#[derive(Default)]
struct Request {
    target: String,
    is_curl: bool,
}

impl Request {
    /// The next one on the connection; `None` where it has ended.
    fn read(from: &mut BufReader<&TcpStream>) -> io::Result<Option<Self>> {
        let mut request = Self::default();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end();
            if line.is_empty() {
                return Ok(Some(request));
            }
            if request.target.is_empty() {
                let target = line.split(' ').nth(1);
                target.unwrap_or_default().clone_into(&mut request.target);
            }
            request.is_curl |= line.to_ascii_lowercase().starts_with("user-agent: curl");
        }
    }

    fn wait_index(&self) -> Option<u64> {
        let (_, value) = self.target.split_once("waitIndex=")?;
        value.split('&').next()?.parse().ok()
    }
}

impl Source {
    fn reached(&self) -> u64 {
        self.reached.load(Ordering::SeqCst)
    }

    fn waits(&self) -> MutexGuard<'_, u32> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, client: &TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(client);
        while let Some(request) = Request::read(&mut requests)? {
            if !request.target.starts_with("/v2/keys") {
                let version = "{\"etcdserver\":\"3.5.1\",\"etcdcluster\":\"3.5.0\"}";
                plain(client, self.reached(), version)?;
            } else if request.target.contains("stream=true") {
                let streamed = self.stream(&request, client, &mut requests);
                self.reached.store(HEAD, Ordering::SeqCst);
                *self.waits() = 0;
                streamed?;
            } else if request.target.contains("wait=true") {
                self.wait(&request, client, &mut requests)?;
            } else {
                let directory = "{\"action\":\"get\",\"node\":{\"key\":\"/app\",\"dir\":true,\
                                 \"modifiedIndex\":1,\"createdIndex\":1,\"nodes\":[{\"key\":\
                                 \"/app/services\",\"dir\":true,\"modifiedIndex\":1,\
                                 \"createdIndex\":1}]}}";
                plain(client, self.reached(), directory)?;
            }
        }
        Ok(())
    }

    fn stream(
        &self,
        request: &Request,
        mut client: &TcpStream,
        requests: &mut BufReader<&TcpStream>,
    ) -> io::Result<()> {
        chunked(client, HEAD)?;
        if !request.is_curl {
            drop(
                self.one_more
                    .wait_timeout_while(self.waits(), PATIENCE, |waits| *waits == 0),
            );
        }
        for piece in &self.pieces {
            // A client that has an event must not get a reply from before that event.
            self.reached.store(piece.last, Ordering::SeqCst);
            client.write_all(&piece.chunks)?;
        }
        if request.is_curl {
            return client.write_all(b"0\r\n\r\n");
        }
        requests.read_to_end(&mut Vec::new()).map(drop)
    }

    fn wait(
        &self,
        request: &Request,
        mut client: &TcpStream,
        requests: &mut BufReader<&TcpStream>,
    ) -> io::Result<()> {
        // The wait is answered as if it were registered before what follows happened.
        let wanted = request.wait_index().unwrap_or_default();
        chunked(client, wanted.saturating_sub(1).max(HEAD))?;
        *self.waits() += 1;
        self.one_more.notify_all();
        requests.read_to_end(&mut Vec::new())?;
        client.write_all(b"0\r\n\r\n")
    }
}

fn chunked(mut client: &TcpStream, index: u64) -> io::Result<()> {
    let head = head(index);
    client.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes())
}

fn plain(mut client: &TcpStream, index: u64, body: &str) -> io::Result<()> {
    let (head, length) = (head(index), body.len());
    client.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())
}

fn head(index: u64) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Etcd-Cluster-Id: cdf818194e3a8c32\r\n\
         X-Etcd-Index: {index}\r\nX-Raft-Index: {index}\r\nX-Raft-Term: 2\r\n"
    )
}

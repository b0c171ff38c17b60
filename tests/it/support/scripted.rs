//! A server with replies that real servers rarely send: malformed, truncated, late or none.
//!
//! In scope: any bytes at any time in answer to a request, and a record of every request. Out of
//! scope: behaving like etcd. Each test is responsible for what it sends.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::{ports, v2};

/// How long a blocked thread may take to notice that the server ends.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The path, still escaped.
    pub path: String,
    /// The query after the `?`, still escaped, or empty.
    pub query: String,
    /// The headers in order, with their names unchanged.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When the request was complete.
    pub at: Instant,
    /// The number of its connection, from 0.
    pub connection: usize,
}

impl Request {
    /// The value of a query parameter, still escaped.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| {
            let (have, value) = pair.split_once('=')?;
            (have == name).then_some(value)
        })
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The steps in answer to one request. After the last step the connection waits for its next
/// request.
#[derive(Clone, Debug, Default)]
pub struct Response {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Pause(Duration),
    Hold,
    Close,
    Reset,
}

impl Response {
    /// Sends these bytes, which include the head.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::default().bytes(bytes)
    }

    /// Sends a complete reply of etcd's v2 API with that `X-Etcd-Index`.
    pub fn etcd(status: u16, index: u64, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!(
            "{}Content-Length: {}\r\n\r\n",
            head(status, index),
            body.len()
        );
        Self::raw(head).bytes(body)
    }

    /// Sends the head that etcd's v2 API sends at the start of a wait, before any event. Follow it
    /// with [`chunk`](Self::chunk).
    pub fn stream(index: u64) -> Self {
        Self::raw(format!(
            "{}Transfer-Encoding: chunked\r\n\r\n",
            head(200, index)
        ))
    }

    /// Then sends these bytes unchanged.
    pub fn bytes(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Bytes(bytes.as_ref().to_owned()))
    }

    /// Then sends these bytes as one HTTP chunk.
    pub fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.bytes(chunk)
    }

    /// Then sends the terminal chunk.
    pub fn end(self) -> Self {
        self.bytes("0\r\n\r\n")
    }

    /// Then sends nothing for this long.
    pub fn pause(self, span: Duration) -> Self {
        self.then(Step::Pause(span))
    }

    /// Then sends nothing more. The connection stays open, even if the client half-closes it.
    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    /// Then closes the connection with FIN.
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Then closes the connection with RST.
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

fn head(status: u16, index: u64) -> String {
    let reason = match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        412 => "Precondition Failed",
        500 => "Internal Server Error",
        _ => "Other",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n\
         X-Etcd-Cluster-Id: 7e27652122e8b2ae\r\nX-Etcd-Index: {index}\r\n"
    )
}

type Answer = Box<dyn FnOnce(&Request) -> Response + Send>;

/// The exchanges that a scripted server expects, in the order of the requests over all connections.
#[derive(Default)]
pub struct Script {
    answers: VecDeque<Answer>,
    lenient: bool,
}

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the next request with this response.
    pub fn reply(self, response: Response) -> Self {
        self.answer(move |_| response)
    }

    /// Answers the next request with the result of `answer`. If `answer` panics because of an
    /// unexpected request, the test fails when it drops the server.
    pub fn answer(mut self, answer: impl FnOnce(&Request) -> Response + Send + 'static) -> Self {
        self.answers.push_back(Box::new(answer));
        self
    }

    /// Allows the script to end early.
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Starts the server.
    pub fn start(self) -> Scripted {
        let answers = Mutex::new(self.answers);
        let left = Arc::new(Mutex::new(answers.lock().unwrap().len()));
        let strict = (!self.lenient).then(|| Arc::clone(&left));
        let handler = move |request: &Request| {
            let answer = answers.lock().unwrap().pop_front();
            let Some(answer) = answer else {
                // Requests beyond the script are recorded and rejected.
                return Response::default().close();
            };
            *left.lock().unwrap() -= 1;
            answer(request)
        };
        Scripted::begin(Arc::new(handler), strict)
    }
}

type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// A scripted server. Dropping it fails the test if the script was not finished or an answer
/// panicked.
pub struct Scripted {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    /// The number of exchanges left in a strict script.
    left: Option<Arc<Mutex<usize>>>,
}

struct Shared {
    ended: AtomicBool,
    panicked: AtomicBool,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    handler: Handler,
}

impl Scripted {
    /// A server that answers every request with `handler`, for tests without a fixed order.
    pub fn serve(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::begin(Arc::new(handler), None)
    }

    fn begin(handler: Handler, left: Option<Arc<Mutex<usize>>>) -> Self {
        let (listener, port) = ports::listener();
        let shared = Arc::new(Shared {
            ended: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            requests: Mutex::new(Vec::new()),
            connections: AtomicUsize::new(0),
            handler,
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self {
            port,
            shared,
            acceptor: Some(acceptor),
            left,
        }
    }

    /// The URL for clients: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // This wakes the accepting thread.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        if thread::panicking() {
            return;
        }
        assert!(
            !self.shared.panicked.load(Ordering::SeqCst),
            "an answer of the scripted server panicked (see above) after {:#?}",
            self.requests().last()
        );
        let left = self.left.as_ref().map_or(0, |left| *left.lock().unwrap());
        assert!(
            left == 0,
            "{left} exchanges of the script were not used; the requests were {:#?}",
            self.requests()
                .iter()
                .map(|request| format!("{} {}?{}", request.method, request.path, request.query))
                .collect::<Vec<_>>()
        );
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut threads = Vec::new();
        loop {
            let (stream, _) = listener.accept().expect("a client");
            if self.ended() {
                break;
            }
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            let shared = Arc::clone(self);
            threads.push(thread::spawn(move || {
                shared.serve_connection(&stream, number);
            }));
        }
        for thread in threads {
            if thread.join().is_err() {
                self.panicked.store(true, Ordering::SeqCst);
            }
        }
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Answers the requests of one connection until either side ends it.
    fn serve_connection(&self, stream: &TcpStream, connection: usize) {
        stream.set_nodelay(true).expect("a TCP socket");
        stream
            .set_read_timeout(Some(POLL_INTERVAL))
            .expect("a timeout");
        stream
            .set_write_timeout(Some(POLL_INTERVAL))
            .expect("a timeout");
        let mut reader = BufReader::new(Patient {
            stream,
            shared: self,
        });
        while let Some(request) = read_request(&mut reader, connection) {
            self.requests.lock().unwrap().push(request.clone());
            let response = (self.handler)(&request);
            for step in response.steps {
                if !self.take(step, stream) {
                    return;
                }
            }
        }
    }

    /// Performs a step. Returns false if the connection has ended.
    fn take(&self, step: Step, stream: &TcpStream) -> bool {
        match step {
            Step::Bytes(bytes) => self.send(&bytes, stream),
            Step::Pause(span) => {
                let end = Instant::now() + span;
                while !self.ended() && Instant::now() < end {
                    thread::sleep(POLL_INTERVAL.min(end - Instant::now()));
                }
                true
            }
            Step::Hold => {
                while !self.ended() {
                    thread::sleep(POLL_INTERVAL);
                }
                false
            }
            Step::Close => {
                let _ = stream.shutdown(Shutdown::Both);
                false
            }
            Step::Reset => {
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                false
            }
        }
    }

    /// Sends bytes to a client that may be slow. Returns false if it has gone.
    fn send(&self, mut bytes: &[u8], mut stream: &TcpStream) -> bool {
        while !bytes.is_empty() && !self.ended() {
            match stream.write(bytes) {
                Ok(size) => bytes = &bytes[size..],
                Err(error) if is_temporary(&error) => {}
                Err(_) => return false,
            }
        }
        bytes.is_empty()
    }
}

/// Reads without a time limit until the server ends.
struct Patient<'a> {
    stream: &'a TcpStream,
    shared: &'a Shared,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if is_temporary(&error) && !self.shared.ended() => {}
                result => return result,
            }
        }
    }
}

fn is_temporary(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Reads the next request. `None` if there are no more.
fn read_request(reader: &mut impl BufRead, connection: usize) -> Option<Request> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let method = words.next()?.to_owned();
    let target = words.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        at: Instant::now(),
        connection,
    };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        request
            .headers
            .push((name.to_owned(), value.trim().to_owned()));
    }
    if let Some(length) = request.header("Content-Length") {
        request.body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut request.body).ok()?;
    } else if request.header("Transfer-Encoding") == Some("chunked") {
        request.body = v2::read_chunked(reader).ok()?;
    }
    request.at = Instant::now();
    Some(request)
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    v2::read_line(reader).ok()
}

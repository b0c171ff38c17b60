//! A server that answers what real ones rarely do: malformed, torn, late, never.
//!
//! In scope: any bytes at any moment in answer to a request, and a note of every request.
//! Out of scope: being etcd. What is sent is the test's own claim.

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

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The path, still escaped.
    pub path: String,
    /// What follows the `?`, still escaped; empty where there is none.
    pub query: String,
    /// Names and values as they came.
    pub headers: Vec<(String, String)>,
    /// The body, by its Content-Length.
    pub body: Vec<u8>,
    /// When the whole request was there.
    pub at: Instant,
    /// The number of the connection that it came on, from 0.
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

    /// The first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What is done in answer to one request, step by step. After the last step the connection
/// waits for its next request.
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
    /// These bytes as they are, head and all.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::default().bytes(bytes)
    }

    /// A whole reply as etcd's v2 API makes it, with that `X-Etcd-Index`.
    pub fn etcd(status: u16, index: u64, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!(
            "{}Content-Length: {}\r\n\r\n",
            head(status, index),
            body.len()
        );
        Self::raw(head).bytes(body)
    }

    /// The head of a wait as etcd's v2 API sends it at once, before any event. What follows
    /// is sent by [`chunk`](Self::chunk).
    pub fn stream(index: u64) -> Self {
        Self::raw(format!(
            "{}Transfer-Encoding: chunked\r\n\r\n",
            head(200, index)
        ))
    }

    /// Then these bytes, as they are.
    pub fn bytes(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Bytes(bytes.as_ref().to_owned()))
    }

    /// Then these bytes as one HTTP chunk.
    pub fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.bytes(chunk)
    }

    /// Then the terminal chunk: the body is at its end.
    pub fn end(self) -> Self {
        self.bytes("0\r\n\r\n")
    }

    /// Then nothing, for that long.
    pub fn pause(self, span: Duration) -> Self {
        self.then(Step::Pause(span))
    }

    /// Then nothing more, for ever: the connection stays open, also to a client that has
    /// closed its own side.
    pub fn hold(self) -> Self {
        self.then(Step::Hold)
    }

    /// Then FIN.
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Then RST.
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

/// The exchanges that a scripted server is to have, in the order in which requests come,
/// whichever connection they come on.
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

    /// The next request gets this response, whatever it is.
    pub fn reply(self, response: Response) -> Self {
        self.answer(move |_| response)
    }

    /// The next request gets what `answer` makes of it. Where `answer` panics (a request that
    /// should not have come), the test that drops the server does.
    pub fn answer(mut self, answer: impl FnOnce(&Request) -> Response + Send + 'static) -> Self {
        self.answers.push_back(Box::new(answer));
        self
    }

    /// The script need not be used to its end.
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
                // More requests than the script has: they are noted, and turned away.
                return Response::default().close();
            };
            *left.lock().unwrap() -= 1;
            answer(request)
        };
        Scripted::begin(Arc::new(handler), strict)
    }
}

type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// The server. When it is dropped, the test fails where a script was not used to its end or
/// an answer panicked.
pub struct Scripted {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    /// How much of a strict script is left.
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
    /// A server that answers every request by `handler`, for tests with no fixed order.
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

    /// Where clients connect: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
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

    /// Answers the requests of one connection, until either side has enough.
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

    /// False where the connection is at its end.
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

    /// Sends to a client that may be slow; false where it has gone.
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

/// Reads without a limit of time, but ends when the server does.
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

/// The next request, or `None` where none comes any more.
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

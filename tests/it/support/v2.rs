//! etcd's v2 API for tests: the writer whose acknowledged writes are the truth.
//!
//! In scope: requests over plain TCP, one by one or as fast as the server takes them. Out of scope:
//! any code of the tool under test, so that the same mistake cannot hide in both.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The time limit of one answer. A test that expects none uses [`try_request`].
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of connections that a [`burst`] writes through.
const CLIENTS: usize = 16;

/// A change as etcd acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The index that the change took (`modifiedIndex`).
    pub index: u64,
    /// `set`, `create`, `update`, `delete`, `compareAndSwap`, …
    pub action: String,
    /// The key, with its leading slash.
    pub key: String,
    /// The value. A directory and a deleted key have none.
    pub value: Option<String>,
}

impl Truth {
    /// Parses the change from etcd's v2 JSON: the reply to a write, or an event.
    pub fn parse(json: &Value) -> Option<Self> {
        let node = &json["node"];
        Some(Self {
            index: node["modifiedIndex"].as_u64()?,
            action: json["action"].as_str()?.to_owned(),
            key: node["key"].as_str()?.to_owned(),
            value: node["value"].as_str().map(str::to_owned),
        })
    }
}

/// A complete HTTP reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers in order, with their names unchanged.
    pub headers: Vec<(String, String)>,
    /// The body without chunked framing.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// `X-Etcd-Index`: the store's index when the reply was made.
    pub fn etcd_index(&self) -> u64 {
        self.header("X-Etcd-Index")
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("a reply without X-Etcd-Index: {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Panics with the text if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the reply {}: {}", self.status, self.text()))
    }

    /// The change that the reply acknowledges. Panics with the text if it is an error.
    pub fn truth(&self) -> Truth {
        assert!(
            self.status == 200 || self.status == 201,
            "etcd refused: {} {}",
            self.status,
            self.text()
        );
        Truth::parse(&self.json()).unwrap_or_else(|| panic!("no change in {}", self.text()))
    }
}

/// Sends one request on a new connection. `path_and_query` is sent unchanged, and a nonempty form
/// urlencoded, as the v2 API expects it.
#[track_caller]
pub fn request(method: &str, url: &str, path_and_query: &str, form: &[(&str, &str)]) -> Reply {
    try_request(method, url, path_and_query, form, PATIENCE)
        .unwrap_or_else(|error| panic!("{method} {url}{path_and_query}: {error}"))
}

/// Sends one request to a server that may not exist or may not answer within `patience`.
pub fn try_request(
    method: &str,
    url: &str,
    path_and_query: &str,
    form: &[(&str, &str)],
    patience: Duration,
) -> io::Result<Reply> {
    let mut connection = Connection::open(url, patience)?;
    connection.exchange(
        method,
        path_and_query,
        "application/x-www-form-urlencoded",
        render_form(form).as_bytes(),
    )
}

/// Sends a JSON body to the v3 gateway: `v3(url, "/v3/kv/put", &json!({…}))`.
#[track_caller]
pub fn v3(url: &str, path: &str, body: &Value) -> Value {
    try_v3(url, path, body, PATIENCE).unwrap_or_else(|error| panic!("POST {url}{path}: {error}"))
}

/// Sends a JSON body to a gateway that may not exist or may not answer within `patience`.
pub fn try_v3(url: &str, path: &str, body: &Value, patience: Duration) -> io::Result<Value> {
    let body = body.to_string();
    let reply = Connection::open(url, patience)?.exchange(
        "POST",
        path,
        "application/json",
        body.as_bytes(),
    )?;
    serde_json::from_slice(&reply.body).map_err(io::Error::from)
}

/// Sets a key.
#[track_caller]
pub fn put(url: &str, key: &str, value: &str) -> Truth {
    request("PUT", url, &key_path(key), &[("value", value)]).truth()
}

/// Creates a key with a name of etcd's choice in the directory `key`.
#[track_caller]
pub fn post(url: &str, key: &str, value: &str) -> Truth {
    request("POST", url, &key_path(key), &[("value", value)]).truth()
}

/// Deletes a key. `query` is empty or, for example, `recursive=true`.
#[track_caller]
pub fn delete(url: &str, key: &str, query: &str) -> Truth {
    request("DELETE", url, &format!("{}?{query}", key_path(key)), &[]).truth()
}

/// The present index of the store, read with quorum.
#[track_caller]
pub fn index(url: &str) -> u64 {
    request("GET", url, "/v2/keys/?quorum=true", &[]).etcd_index()
}

/// A keep-alive connection for many writes one after the other.
pub struct Writer {
    connection: Connection,
}

impl Writer {
    /// Connects to the server at `url`.
    #[track_caller]
    pub fn connect(url: &str) -> Self {
        let connection = Connection::open(url, PATIENCE)
            .unwrap_or_else(|error| panic!("connecting to {url}: {error}"));
        Self { connection }
    }

    /// Connects to a server that may not exist or may not answer within `patience`.
    pub fn try_connect(url: &str, patience: Duration) -> io::Result<Self> {
        let connection = Connection::open(url, patience)?;
        Ok(Self { connection })
    }

    /// Sends any request to a server that may not answer. After an error its outcome is unknown,
    /// and the connection is unusable.
    pub fn try_request(
        &mut self,
        method: &str,
        path_and_query: &str,
        form: &[(&str, &str)],
    ) -> io::Result<Reply> {
        self.connection.exchange(
            method,
            path_and_query,
            "application/x-www-form-urlencoded",
            render_form(form).as_bytes(),
        )
    }

    /// Sends a v3 request to a server that may not answer.
    pub fn try_json(&mut self, path: &str, body: &Value) -> io::Result<Reply> {
        let body = body.to_string();
        self.connection
            .exchange("POST", path, "application/json", body.as_bytes())
    }

    /// Sets a key.
    #[track_caller]
    pub fn put(&mut self, key: &str, value: &str) -> Truth {
        self.request("PUT", &key_path(key), &[("value", value)])
            .truth()
    }

    /// Sends any request.
    #[track_caller]
    pub fn request(&mut self, method: &str, path_and_query: &str, form: &[(&str, &str)]) -> Reply {
        self.try_request(method, path_and_query, form)
            .unwrap_or_else(|error| panic!("{method} {path_and_query}: {error}"))
    }
}

/// Writes `count` times to a key that no test watches.
pub fn write_elsewhere(url: &str, count: usize) {
    burst(url, count, |number| {
        ("/other".to_owned(), number.to_string())
    });
}

/// Sets `count` keys as fast as the server takes them, over several connections. `pair` returns the
/// key and the value of each. The server decides the order of their indexes. Returns every change
/// in the order of its index.
#[track_caller]
pub fn burst(
    url: &str,
    count: usize,
    pair: impl Fn(usize) -> (String, String) + Sync,
) -> Vec<Truth> {
    let pair = &pair;
    let mut truths: Vec<Truth> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS.min(count))
            .map(|client| {
                scope.spawn(move || {
                    let mut writer = Writer::connect(url);
                    (client..count)
                        .step_by(CLIENTS)
                        .map(|number| {
                            let (key, value) = pair(number);
                            writer.put(&key, &value)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client of the burst"))
            .collect()
    });
    truths.sort_by_key(|truth| truth.index);
    truths
}

/// The path of a key: `/v2/keys` and the escaped key.
pub fn key_path(key: &str) -> String {
    format!("/v2/keys{}", escape(key, b"/-_.~"))
}

/// A connection that stays open between exchanges.
struct Connection {
    host: String,
    reader: BufReader<TcpStream>,
}

impl Connection {
    fn open(url: &str, patience: Duration) -> io::Result<Self> {
        let host = url
            .strip_prefix("http://")
            .unwrap_or_else(|| panic!("{url} does not begin with http://"))
            .trim_end_matches('/')
            .to_owned();
        let address: SocketAddr = host
            .parse()
            .unwrap_or_else(|_| panic!("{host} is no address with a port"));
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let reader = BufReader::with_capacity(1 << 16, stream);
        Ok(Self { host, reader })
    }

    fn exchange(
        &mut self,
        method: &str,
        path_and_query: &str,
        content_type: &str,
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut request = format!(
            "{method} {path_and_query} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n",
            self.host,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.reader.get_mut().write_all(&request)?;
        read_reply(&mut self.reader)
    }
}

/// Reads a complete reply: the head, and the body in the framing that the head names.
fn read_reply(reader: &mut impl BufRead) -> io::Result<Reply> {
    let status_line = read_line(reader)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| malformed(&format!("status line {status_line:?}")))?;
    let mut reply = Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed(&format!("header {line:?}")))?;
        reply
            .headers
            .push((name.to_owned(), value.trim().to_owned()));
    }
    if reply.header("Transfer-Encoding") == Some("chunked") {
        reply.body = read_chunked(reader)?;
    } else if let Some(length) = reply.header("Content-Length") {
        let length = length
            .parse()
            .map_err(|_| malformed(&format!("Content-Length {length:?}")))?;
        reply.body.resize(length, 0);
        reader.read_exact(&mut reply.body)?;
    } else if status != 204 {
        reader.read_to_end(&mut reply.body)?;
    }
    Ok(reply)
}

/// Reads a chunked body, including its terminal chunk.
pub fn read_chunked(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = read_line(reader)?;
        let size = usize::from_str_radix(&size, 16)
            .map_err(|_| malformed(&format!("chunk size {size:?}")))?;
        let begin = body.len();
        body.resize(begin + size, 0);
        reader.read_exact(&mut body[begin..])?;
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Reads a line of an HTTP head, without CR LF.
pub fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not HTTP: {what}"))
}

fn render_form(form: &[(&str, &str)]) -> String {
    form.iter()
        .map(|(name, value)| format!("{name}={}", escape(value, b"-_.~")))
        .collect::<Vec<_>>()
        .join("&")
}

/// Percent-escapes every byte that is neither alphanumeric nor in `plain`.
fn escape(text: &str, plain: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a string takes everything");
        }
    }
    escaped
}

//! etcd's v2 API as a test needs it: the writer whose acknowledged writes are the truth.
//!
//! In scope: requests over plain TCP, single or as fast as the server takes them.
//! Out of scope: anything of the tool under test. Nothing is shared with it, so that one
//! mistake can't hide another.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long one answer may take. A test that expects none asks with [`try_request`].
const PATIENCE: Duration = Duration::from_secs(20);

/// How many connections a [`burst`] writes through.
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
    /// The value; none for a directory and for what was deleted.
    pub value: Option<String>,
}

impl Truth {
    /// Reads the change out of etcd's v2 JSON: the reply to a write, or an event.
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

/// A whole HTTP reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names as they came, in order.
    pub headers: Vec<(String, String)>,
    /// The body, with any chunked framing taken off.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name, in whatever case.
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

    /// The body as JSON; panics with the text where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the reply {}: {}", self.status, self.text()))
    }

    /// The change that the reply acknowledges; panics with the text where it is a refusal.
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

/// Sends one request on a connection of its own. `path_and_query` goes out as it is; a form
/// that isn't empty is sent urlencoded, as etcd's v2 API wants it.
#[track_caller]
pub fn request(method: &str, url: &str, path_and_query: &str, form: &[(&str, &str)]) -> Reply {
    try_request(method, url, path_and_query, form, PATIENCE)
        .unwrap_or_else(|error| panic!("{method} {url}{path_and_query}: {error}"))
}

/// The same, for a server that may not be there, may not answer, or only within `patience`.
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

/// Sends a JSON body, as etcd's v3 gateway wants it: `v3(url, "/v3/kv/put", &json!({…}))`.
#[track_caller]
pub fn v3(url: &str, path: &str, body: &Value) -> Value {
    try_v3(url, path, body, PATIENCE).unwrap_or_else(|error| panic!("POST {url}{path}: {error}"))
}

/// The same, for a server that may not be there or may not answer within `patience`.
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

/// Creates a key of etcd's own making in the directory `key`.
#[track_caller]
pub fn post(url: &str, key: &str, value: &str) -> Truth {
    request("POST", url, &key_path(key), &[("value", value)]).truth()
}

/// Deletes a key; `query` is empty or such as `recursive=true`.
#[track_caller]
pub fn delete(url: &str, key: &str, query: &str) -> Truth {
    request("DELETE", url, &format!("{}?{query}", key_path(key)), &[]).truth()
}

/// The store's index now, as a read with quorum gives it.
#[track_caller]
pub fn index(url: &str) -> u64 {
    request("GET", url, "/v2/keys/?quorum=true", &[]).etcd_index()
}

/// One kept-alive connection, for many writes one after the other.
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

    /// The same, to a server that may not be there, or may not answer within `patience`.
    pub fn try_connect(url: &str, patience: Duration) -> io::Result<Self> {
        let connection = Connection::open(url, patience)?;
        Ok(Self { connection })
    }

    /// Any request to such a server. After an error what became of it is not known, and the
    /// connection is of no more use.
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

    /// Any request of v3 to such a server.
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

    /// Any request.
    #[track_caller]
    pub fn request(&mut self, method: &str, path_and_query: &str, form: &[(&str, &str)]) -> Reply {
        self.try_request(method, path_and_query, form)
            .unwrap_or_else(|error| panic!("{method} {path_and_query}: {error}"))
    }
}

/// Writes so often to a key that no test watches.
pub fn write_elsewhere(url: &str, count: usize) {
    burst(url, count, |number| {
        ("/other".to_owned(), number.to_string())
    });
}

/// Sets `count` keys as fast as the server takes them, through several connections at once.
/// `pair` gives key and value of each; the order in which they get their indexes is the
/// server's. Returns every change in the order of its index.
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
            .flat_map(|client| client.join().expect("a lane of the burst"))
            .collect()
    });
    truths.sort_by_key(|truth| truth.index);
    truths
}

/// The path of a key: `/v2/keys` and the key, each byte that needs it escaped.
pub fn key_path(key: &str) -> String {
    format!("/v2/keys{}", escape(key, b"/-_.~"))
}

/// A connection that is kept open between exchanges.
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

/// One whole reply: the head, and the body by whichever framing the head names.
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

/// A chunked body up to and with its terminal chunk.
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

/// A line of an HTTP head without its CR LF.
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

/// Percent-escapes every byte that is neither alphanumeric nor among `plain`.
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

//! Hostile servers: each reply ends the run with the right exit code and an actionable message, or
//! is accepted. Nothing panics, hangs, or exceeds its memory limit.
//!
//! A case is a row of a table: the command, the server's answer, and the expected end. Hostile data
//! in valid replies is in `hostile_data`.

#![allow(clippy::too_many_lines, reason = "a table is as long as it is")]

mod bodies;
mod gateway;
mod heads;
mod slow;
mod streams;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::follow::one_event;
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::{Output, Program};
use crate::support::wait;

/// The number of cases that run concurrently. They mostly wait.
const AT_ONCE: usize = 12;
/// The memory limit of a run that does next to nothing, in KiB (measured: 14 MiB).
const PLAIN: u64 = 24 << 10;
/// The default memory limit for a reply on top of that, in KiB: some buffers of 64 KiB.
const ADDED: u64 = 8 << 10;
/// The limit of requests in a case: a server that answers nonsense at once must not be asked as
/// fast as it answers.
const MOST_REQUESTS: usize = 60;

type Server = Box<dyn Fn(&Request) -> Response + Send + Sync>;

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// This exit code, nothing on stdout, and this text on stderr.
    With(i32, &'static str),
    /// This exit code, exactly this on stdout, and this text on stderr.
    Ends(i32, &'static str, &'static str),
    /// This exit code, and this text on stdout.
    Finds(i32, &'static str),
    /// Exit code 0, and this text on stdout.
    Survived(&'static str),
}

struct Case {
    name: String,
    command: Vec<&'static str>,
    server: Server,
    end: End,
    /// The time limit.
    within: Duration,
    /// The memory limit on top of that of a plain run, in KiB.
    added: u64,
}

/// How a command ends if a reply with a success status is not from etcd. A write may have been
/// carried out.
fn malformed(command: &[&str], part: &'static str) -> End {
    let writes = ["set", "rm"].iter().any(|one| command.contains(one));
    End::With(if writes { 7 } else { 6 }, part)
}

impl Case {
    fn new(
        name: impl Into<String>,
        command: &[&'static str],
        server: impl Fn(&Request) -> Response + Send + Sync + 'static,
        end: End,
    ) -> Self {
        Self {
            name: name.into(),
            command: command.to_vec(),
            server: Box::new(server),
            end,
            within: wait::LONG,
            added: ADDED,
        }
    }

    fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    fn adds(mut self, mebibytes: u64) -> Self {
        self.added = mebibytes << 10;
        self
    }

    /// Runs the case, and describes what is wrong.
    fn run(self) -> Option<String> {
        let server = Scripted::serve(self.server);
        let url = server.url();
        let arguments = [&["--endpoints", &url], &self.command[..]].concat();
        let begun = Instant::now();
        let running = Program::tool(&arguments).stdin(b"{}").start();
        let (output, peak) = running.wait_and_measure_memory(wait::LONG);
        let took = begun.elapsed();
        let mut wrong = wrong_with(&output, self.end);
        if took > self.within {
            let _ = write!(wrong, " it took {took:?};");
        }
        if peak > PLAIN + self.added {
            let _ = write!(wrong, " it held {peak} KiB;");
        }
        let requests = server.requests().len();
        if requests > MOST_REQUESTS {
            let _ = write!(wrong, " it asked {requests} times;");
        }
        if !output.stderr.contains(&url) && matches!(self.end, End::With(3 | 4 | 6 | 7, _)) {
            wrong.push_str(" the endpoint is not named;");
        }
        let command = self.command.join(" ");
        let name = self.name;
        (!wrong.is_empty()).then(|| format!("{name}: {command}:{wrong}\n    {}", brief(&output)))
    }
}

fn wrong_with(output: &Output, end: End) -> String {
    let mut wrong = String::new();
    let is_as_said = match end {
        End::With(code, part) => {
            output.code == code && output.stdout.is_empty() && output.stderr.contains(part)
        }
        End::Ends(code, out, part) => {
            output.code == code && output.stdout == out && output.stderr.contains(part)
        }
        End::Finds(code, part) => output.code == code && output.stdout.contains(part),
        End::Survived(part) => output.code == 0 && output.stdout.contains(part),
    };
    if !is_as_said {
        let _ = write!(wrong, " not {end:?};");
    }
    if output.stderr.contains("panicked at") {
        wrong.push_str(" it panicked;");
    }
    // JSON output escapes control characters beyond ASCII for terminals only.
    let is_json = |text: &str| text.starts_with('{');
    let has_control = |text: &str| {
        text.contains(|letter: char| {
            let counts = letter.is_ascii() || !is_json(text);
            counts && letter.is_control() && letter != '\n' && letter != '\t'
        })
    };
    if has_control(&output.stdout) || has_control(&output.stderr) {
        wrong.push_str(" a control came through;");
    }
    if output.stderr.len() > 8 << 10 {
        wrong.push_str(" that is no message;");
    }
    let is_ours = |line: &str| {
        ["etcdwatch: ", "  hint: ", "{"]
            .iter()
            .any(|own| line.starts_with(own))
    };
    if !output.stderr.lines().all(is_ours) {
        wrong.push_str(" a line is not ours;");
    }
    wrong
}

fn brief(output: &Output) -> String {
    let cut = |text: &str| text.chars().take(400).collect::<String>();
    let (out, err) = (cut(&output.stdout), cut(&output.stderr));
    format!("exit {}, stdout {out:?}, stderr {err:?}", output.code)
}

/// Runs all cases, and panics with everything that is wrong.
#[track_caller]
fn assert_all(cases: Vec<Case>) {
    let left = Mutex::new(cases);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().pop() else {
                        return;
                    };
                    if let Some(what) = case.run() {
                        wrong.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// --- replies

/// A reply with this status, these additional headers, and this body.
fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Response {
    let body = body.as_ref();
    Response::raw(format!(
        "HTTP/1.1 {status}\r\nX-Etcd-Cluster-Id: 7e27652122e8b2ae\r\nX-Etcd-Index: 10\r\n\
         {headers}Content-Length: {}\r\n\r\n",
        body.len()
    ))
    .bytes(body)
}

/// A reply of a server that is not etcd.
fn page(status: &str) -> Response {
    let body = "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n";
    Response::raw(format!(
        "HTTP/1.1 {status}\r\nServer: web\r\nContent-Type: text/html\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Two of the commands. Each row of a table gets the next ones, so that every command gets many
/// rows.
fn two<'c>(cases: &[Case], commands: &[&'c [&'static str]]) -> [&'c [&'static str]; 2] {
    [cases.len(), cases.len() + 1].map(|place| commands[place % commands.len()])
}

const GET: &[&str] = &["get", "/k"];
const LIST: &[&str] = &["get", "-r", "/k"];
const LIST_JSON: &[&str] = &["get", "-r", "/k", "-o", "json"];
const SET: &[&str] = &["set", "/k", "v"];
const RM: &[&str] = &["rm", "/k"];
const STREAM: &[&str] = &["watch", "--stream", "/k"];
/// A stream that ends after its first event.
const ONE_EVENT: &[&str] = &one_event("20s");
const REPLAY: &[&str] = &["replay", "/k", "--from-index", "1"];
const GET_V3: &[&str] = &["--api", "v3", "get", "/k"];
const STREAM_V3: &[&str] = &["--api", "v3", "watch", "--stream", "/k"];

//! etcdwatch and `curl` on the same stream: each line that they print, and its time.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cost;
use crate::support::v2;

/// Longer than a line ever takes, where one comes at all.
const LONG: Duration = Duration::from_secs(20);

/// A program that watches everything below `/app` and prints a line for each event. Dropping it
/// stops it.
pub struct Client {
    child: Child,
    lines: Receiver<Line>,
}

/// A printed line.
pub struct Line {
    /// The time just after it was read.
    pub at: Instant,
    /// Its text, without the line break.
    pub text: String,
}

impl Client {
    /// The tool, as a user types it.
    pub fn tool(tool: &str, url: &str) -> Outcome<Self> {
        let arguments = ["--endpoints", url, "watch", "--stream", "-r", "/app"];
        Self::start(Command::new(tool).args(arguments))
    }

    /// A bare `curl` that holds nothing back.
    pub fn curl(url: &str) -> Outcome<Self> {
        let stream = format!("{url}/v2/keys/app?wait=true&recursive=true&stream=true");
        Self::start(Command::new("curl").args(["-sN", &stream]))
    }

    fn start(command: &mut Command) -> Outcome<Self> {
        let command = command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                let at = Instant::now();
                if sender.send(Line { at, text }).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The next line; an error where none comes.
    pub fn line(&self) -> Outcome<Line> {
        Ok(self.lines.recv_timeout(LONG)?)
    }

    /// The next line, which must be of the event that set this value.
    pub fn line_of(&self, value: &str) -> Outcome<Line> {
        let line = self.line()?;
        // The value is the last field of a text record, and a separate field of a JSON record.
        let as_text = line.text.rsplit('\t').next() == Some(value);
        if as_text || line.text.contains(&format!("\"value\":\"{value}\"")) {
            return Ok(line);
        }
        Err(format!("{} instead of the event that set {value}", line.text).into())
    }

    /// The next line within `patience`.
    pub fn line_within(&self, patience: Duration) -> Option<Line> {
        self.lines.recv_timeout(patience).ok()
    }

    /// The CPU time that it has taken so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        cost::cpu(self.child.id())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes in scope until each client has printed an event and is idle.
pub fn register(clients: &[&Client], url: &str) -> Outcome<()> {
    let patience = Duration::from_millis(500);
    for number in 0..20 {
        v2::put(url, "/app/begin", &number.to_string());
        let has_printed = |client: &&Client| client.line_within(patience).is_some();
        if clients.iter().filter(|client| has_printed(client)).count() == clients.len() {
            for client in clients {
                while client.line_within(patience).is_some() {}
            }
            return Ok(());
        }
    }
    Err("a client printed no event".into())
}

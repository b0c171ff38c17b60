//! Programs on a terminal: the bytes that they send, and the screen that a person sees.

use std::io::{ErrorKind, Read as _, Write as _};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::Pty;

use super::output::code;
use super::process::Process;
use super::{Program, Signal};
use crate::support::wait;

/// A program on a terminal: the bytes that it sends, and the screen that a person sees. Dropping
/// it kills the program.
pub struct Terminal {
    process: Process,
    pty: Arc<Pty>,
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    raw: Vec<u8>,
    parser: vt100::Parser,
    ended: bool,
}

impl Terminal {
    /// A child on a terminal of this size, whose output a thread reads.
    pub(super) fn new(child: Child, label: String, pty: Pty, rows: u16, columns: u16) -> Self {
        let pty = Arc::new(pty);
        let shown = Arc::new(Mutex::new(Shown {
            raw: Vec::new(),
            parser: vt100::Parser::new(rows, columns, 0),
            ended: false,
        }));
        thread::spawn({
            let (pty, shown) = (Arc::clone(&pty), Arc::clone(&shown));
            move || collect_screen(&pty, &shown)
        });
        Self {
            pty,
            shown,
            process: Process::new(child, label),
        }
    }

    /// Starts the tool with these arguments on a terminal of this size.
    #[track_caller]
    pub fn start(arguments: &[&str], rows: u16, columns: u16) -> Self {
        Program::tool(arguments).on_terminal(rows, columns)
    }

    /// The text on the screen, one line for each row, without colours.
    pub fn screen(&self) -> String {
        self.shown.lock().unwrap().parser.screen().contents()
    }

    /// Every byte that it has sent to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.shown.lock().unwrap().raw.clone()
    }

    /// Types these bytes. `\x03` is Ctrl-C.
    pub fn send(&self, bytes: &[u8]) {
        (&*self.pty).write_all(bytes).expect("the terminal");
    }

    /// Changes the terminal's size, as dragging the window's corner does.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut shown = self.shown.lock().unwrap();
        shown.parser.screen_mut().set_size(rows, columns);
        self.pty
            .resize(Size::new(rows, columns))
            .expect("the terminal's size");
    }

    /// Waits until the screen satisfies `condition`. Panics with the screen if the limit passes or
    /// the program ends first.
    #[track_caller]
    pub fn wait_for_screen(&self, condition: impl Fn(&str) -> bool, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.shown.lock().unwrap().ended;
            let screen = self.screen();
            if condition(&screen) {
                return;
            }
            assert!(
                !ended && Instant::now() < deadline,
                "$ {}\n{}, and the screen shows\n{screen}",
                self.process.label,
                if ended {
                    "it has ended".to_owned()
                } else {
                    format!("{limit:?} have passed")
                }
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end and the end of its output, and returns its exit code. After the limit it
    /// is killed, and the panic shows the screen.
    #[track_caller]
    pub fn wait(&self, limit: Duration) -> i32 {
        let Some(status) = self.process.wait(limit) else {
            panic!(
                "$ {}\nhas not ended after {limit:?}; the screen shows\n{}",
                self.process.label,
                self.screen()
            );
        };
        wait::until(wait::LONG, "the end of the terminal's output", || {
            self.shown.lock().unwrap().ended
        });
        code(status)
    }
}

/// Updates the screen until no process holds the terminal any more.
fn collect_screen(mut pty: &Pty, shown: &Mutex<Shown>) {
    let mut buffer = vec![0; 1 << 12];
    loop {
        match pty.read(&mut buffer) {
            Ok(size) if size > 0 => {
                let mut shown = shown.lock().unwrap();
                shown.raw.extend_from_slice(&buffer[..size]);
                shown.parser.process(&buffer[..size]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Linux reports EIO once no process holds the terminal.
            _ => break,
        }
    }
    shown.lock().unwrap().ended = true;
}

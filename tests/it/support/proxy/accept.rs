//! The thread that accepts connections, and connects them to a server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use super::pump::{Direction, Pump};
use super::{Cut, Link, NOTICE, Shared, is_temporary};

impl Shared {
    /// Accepts connections until the proxy is dropped, and then ends them.
    pub(super) fn accept(self: &Arc<Self>, listener: TcpListener, port: u16) {
        let (mut listener, mut reserved) = (Some(listener), None);
        let mut pumps: Vec<JoinHandle<()>> = Vec::new();
        loop {
            let (ended, refusing) = {
                let controls = self.controls();
                (controls.ended, controls.refusing)
            };
            if ended {
                break;
            }
            if refusing {
                listener = None;
                reserved = reserved.or_else(|| reserve(port));
            } else if listener.is_none() {
                listener = match reserved.take() {
                    Some(socket) => socket.listen(128).map(|()| socket.into()).ok(),
                    None => TcpListener::bind(("127.0.0.1", port)).ok(),
                };
            }
            self.controls().listening = listener.is_some();
            match &listener {
                Some(listener) if is_readable(listener) => {
                    let (client, _) = listener.accept().expect("a client");
                    let number = self.accepted.fetch_add(1, Ordering::SeqCst);
                    if self.controls().answering {
                        let shared = Arc::clone(self);
                        pumps.push(thread::spawn(move || shared.answer_nothing(&client)));
                    } else {
                        pumps.extend(self.connect(client, number));
                    }
                }
                Some(_) => {}
                None => thread::sleep(NOTICE / 10),
            }
            pumps.retain(|pump| !pump.is_finished());
            self.forget_ended();
        }
        for link in &self.controls().links {
            link.end(Cut::Reset);
        }
        self.wake();
        for pump in pumps {
            let _ = pump.join();
        }
    }

    /// Answers each request with an empty reply while that is turned on.
    fn answer_nothing(&self, mut client: &TcpStream) {
        client.set_read_timeout(Some(NOTICE)).expect("a timeout");
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while self.controls().answering && !self.controls().ended {
            match client.read(&mut buffer) {
                Ok(size) if size > 0 => asked.extend_from_slice(&buffer[..size]),
                Err(error) if is_temporary(&error) => {}
                _ => return,
            }
            while let Some(end) = asked.windows(4).position(|four| four == b"\r\n\r\n") {
                asked.drain(..end + 4);
                let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                if client.write_all(reply).is_err() {
                    return;
                }
            }
        }
    }

    /// Connects the client to the server with that number, modulo their count. Returns the threads
    /// between them.
    fn connect(self: &Arc<Self>, client: TcpStream, number: u64) -> Vec<JoinHandle<()>> {
        let target = {
            let targets = self.targets.lock().unwrap();
            targets[usize::try_from(number).expect("few connections") % targets.len()]
        };
        let Ok(server) = TcpStream::connect(target) else {
            // The server is gone, and the client must see that.
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
            return Vec::new();
        };
        for socket in [&client, &server] {
            socket.set_nodelay(true).expect("a TCP socket");
            // A blocked write checks now and then whether its connection was cut.
            socket.set_write_timeout(Some(NOTICE)).expect("a timeout");
        }
        let link = Arc::new(Link {
            client,
            server,
            cut: AtomicBool::new(false),
            finish: AtomicBool::new(false),
        });
        self.controls().links.push(Arc::clone(&link));
        [Direction::Up, Direction::Down]
            .into_iter()
            .flat_map(|direction| {
                let pump = Arc::new(Pump::new(direction));
                let reader = {
                    let (shared, link, pump) =
                        (Arc::clone(self), Arc::clone(&link), Arc::clone(&pump));
                    thread::spawn(move || pump.read(&shared, &link))
                };
                let writer = {
                    let (shared, link) = (Arc::clone(self), Arc::clone(&link));
                    thread::spawn(move || pump.write(&shared, &link))
                };
                [reader, writer]
            })
            .collect()
    }
}

/// Reserves the port without listening, so that no other process gets it. `None` if another process
/// has it now.
fn reserve(port: u16) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an address");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    socket.bind(&address.into()).ok()?;
    Some(socket)
}

/// Waits a moment for a client.
fn is_readable(listener: &TcpListener) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let limit = Timespec::try_from(NOTICE).expect("a short time");
    poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready > 0)
}

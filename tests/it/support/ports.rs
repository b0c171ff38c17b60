//! TCP ports that no one else takes.
//!
//! A stopped server must come back on its own port. Ports that the system assigns (bind to 0) come
//! from the range of outgoing connections, so that a connection could take the port meanwhile.
//! These ports are therefore below that range.

use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use socket2::{Domain, Type};

/// The first port, and the number of ports: below Linux's ephemeral range (32768…).
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;
/// The ports that a process reserves at once.
const BLOCK: u16 = 100;

/// The ports that this process has reserved. Another suite does not take them, not even while the server
/// on one of them is stopped.
struct Reserved {
    /// A socket for each block. Its abstract name can be taken once in a network namespace, until the
    /// process ends, and leaves nothing behind.
    names: Vec<UnixListener>,
    next: u16,
    left: u16,
}

static RESERVED: Mutex<Reserved> = Mutex::new(Reserved {
    names: Vec::new(),
    next: 0,
    left: 0,
});

impl Reserved {
    /// The next port that this process has not handed out before.
    fn port(&mut self) -> u16 {
        if self.left == 0 {
            self.next = self.block();
            self.left = BLOCK;
        }
        let port = self.next;
        self.next += 1;
        self.left -= 1;
        port
    }

    /// Reserves a block, and returns its first port.
    fn block(&mut self) -> u16 {
        for first in (FIRST..FIRST + COUNT).step_by(BLOCK.into()) {
            let name = format!("etcdwatch-test-ports-{first}");
            let name = UnixAddr::from_abstract_name(name).expect("a name");
            if let Ok(taken) = UnixListener::bind_addr(&name) {
                self.names.push(taken);
                return first;
            }
        }
        panic!("other processes have reserved all ports from {FIRST} on");
    }
}

/// A free port that this process has not handed out before. A process that is no suite could still take
/// it, and the caller then tries another one.
pub fn free() -> u16 {
    listener().1
}

/// A listener on a free port, and the port.
pub fn listener() -> (TcpListener, u16) {
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = reserved.port();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return (listener, port);
        }
    }
}

/// A port whose accept queue is full: a client waits forever, as behind a firewall that drops
/// packets.
pub struct Full {
    listener: socket2::Socket,
    _waiting: Vec<socket2::Socket>,
}

/// Opens a port with a full accept queue.
pub fn full() -> Full {
    let socket = || socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let listener = socket();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).expect("a port");
    listener.listen(0).expect("a listener");
    let address = listener.local_addr().expect("its address");
    // The queue has room for one or two connections. After that the kernel does not answer.
    let waiting = (0..4)
        .map(|_| {
            let client = socket();
            client.set_nonblocking(true).expect("a socket");
            let _ = client.connect(&address);
            client
        })
        .collect();
    Full {
        listener,
        _waiting: waiting,
    }
}

impl Full {
    /// The URL that a client would connect to: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        let address = self.listener.local_addr().expect("its address");
        let port = address.as_socket().expect("an IP address").port();
        format!("http://127.0.0.1:{port}")
    }
}

//! TCP ports that no one else takes.
//!
//! A stopped server must come back on its own port. Ports that the system assigns (bind to 0) come
//! from the range of outgoing connections, so that a connection could take the port meanwhile.
//! These ports are therefore below that range.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Domain, Type};

/// The first port, and the number of ports: below Linux's ephemeral range (32768…).
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// The number of ports that this process has handed out.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A free port that this process has not handed out before. Another process could still take it,
/// and the caller then tries another one.
pub fn free() -> u16 {
    listener().1
}

/// A listener on a free port, and the port.
pub fn listener() -> (TcpListener, u16) {
    // Every process starts at another port, so that several suites can run at the same time.
    let begin = u16::try_from(std::process::id() % u32::from(COUNT)).expect("below COUNT");
    for _ in 0..COUNT {
        let step = TAKEN.fetch_add(1, Ordering::Relaxed);
        let offset = (u32::from(begin) * 37 + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("below COUNT");
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return (listener, port);
        }
    }
    panic!("no free TCP port on 127.0.0.1 from {FIRST} on");
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

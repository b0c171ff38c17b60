//! TCP ports that stay one's own.
//!
//! A server that is stopped must come back on the port that it had. Ports that the system
//! hands out (bind to 0) come from the range that outgoing connections use too, and one of
//! those may sit on the port meanwhile; so these are taken from below that range.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Domain, Type};

/// The first port used, and how many from there: below Linux's ephemeral range (32768…).
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// How many ports this process has handed out.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A free port, not handed out before by this process. Another process could take it before
/// it is used: whoever binds it tries again with another.
pub fn free() -> u16 {
    listener().1
}

/// A listener on a free port, and the port.
pub fn listener() -> (TcpListener, u16) {
    // Every process begins elsewhere, so that several suites can run at a time.
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

/// A port on which somebody listens and nobody is let in: who connects waits for ever, as
/// behind a firewall that drops packets.
pub struct Full {
    listener: socket2::Socket,
    _waiting: Vec<socket2::Socket>,
}

/// Such a port.
pub fn full() -> Full {
    let socket = || socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let listener = socket();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).expect("a port");
    listener.listen(0).expect("a listener");
    let address = listener.local_addr().expect("its address");
    // The queue takes one or two; then the kernel answers no more.
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
    /// Where clients would connect: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        let address = self.listener.local_addr().expect("its address");
        let port = address.as_socket().expect("an IP address").port();
        format!("http://127.0.0.1:{port}")
    }
}

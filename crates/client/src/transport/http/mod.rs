//! HTTP/1.1 to one server at a time: the only user of ureq.
//!
//! In scope: connections that another thread can half-close and shut down (`socket`), limits on time and
//! size, and the meaning of a reply's head. Out of scope: the choice of requests and servers.
//!
//! By default ureq reads `HTTP_PROXY` even for 127.0.0.1, follows redirects, and turns statuses into
//! errors. `client` switches all three off.

mod buffers;
mod client;
mod connection;
mod curl;
mod failure;
mod limits;
mod ranges;
mod reply;
mod returning;
mod socket;
mod tls;
mod tokens;
mod trust;

pub use self::client::{Http, Log};
pub use self::connection::{Connection, TimeLimit};
pub use self::limits::{AGREED, Limits, PATIENCE, PATIENT, QUORUM_PATIENCE};
pub use self::reply::{Reply, ReplyBody};
pub use self::tokens::AuthToken;

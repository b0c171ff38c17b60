//! HTTP/1.1 to one server at a time: the only user of ureq.
//!
//! In scope: connections that can be half-closed and broken off from another thread (`socket`),
//! limits on time and size, and what a reply's head means. Out of scope: what is asked, and of whom.
//!
//! ureq reads `HTTP_PROXY` even for 127.0.0.1, follows redirects and turns statuses into
//! errors unless told otherwise; here it is told otherwise.

mod buffers;
mod client;
mod connection;
mod curl;
mod failure;
mod lent;
mod limits;
mod ranges;
mod reply;
mod socket;
mod tls;
mod tokens;
mod trust;

pub use self::client::{Http, Log};
pub use self::connection::{Connection, Patience};
pub use self::limits::{AGREED, Limits, PATIENCE, PATIENT, QUORUM_PATIENCE};
pub use self::reply::{Body, Reply};
pub use self::tokens::Pass;

//! The servers that a watch connects to.

use crate::endpoint::Endpoint;
use crate::transport::http::Http;

/// The servers that a watch connects to, and how it connects.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Makes the connections.
    pub http: Http,
    /// The endpoints, in the order in which the plan counts them.
    pub endpoints: Vec<Endpoint>,
    /// The limit on an event, in bytes.
    pub max_event: usize,
}

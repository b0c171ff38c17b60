//! The connections of a watch.

use crate::endpoint::Endpoint;
use crate::transport::http::Http;

/// What a watch needs to make connections.
#[derive(Clone, Debug)]
pub struct Means {
    /// Makes the connections.
    pub http: Http,
    /// The endpoints, in the order in which the plan counts them.
    pub endpoints: Vec<Endpoint>,
    /// The limit on an event, in bytes.
    pub max_event: usize,
}

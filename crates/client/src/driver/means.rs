//! What a watch needs for its connections.

use crate::endpoint::Endpoint;
use crate::transport::http::Http;

/// What the driver needs beside the plan.
#[derive(Clone, Debug)]
pub struct Means {
    /// How connections are made.
    pub http: Http,
    /// The endpoints, in the order in which the plan counts them.
    pub endpoints: Vec<Endpoint>,
    /// The largest event, in bytes.
    pub max_event: usize,
}

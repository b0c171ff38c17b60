//! Why a request failed, as a fragment that follows the endpoint's name.

use std::fmt;

use super::{Malformed, Refusal};
use crate::escape::said;
use crate::model::{Api, Index};

/// Why a server's certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// What is wrong with the certificate, as a clause.
    pub why: String,
    /// What the user can do about it.
    pub advice: &'static str,
}

/// Why a request failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The request can't be sent: the key or a condition is too long for a URL.
    Unsendable(String),
    /// Nothing was sent: the name was not resolved, or no connection was made.
    Unreachable(String),
    /// The server's certificate is not trusted, and nothing was sent.
    Untrusted(Distrust),
    /// The server requires a client certificate, or does not accept the one it got.
    CertificateRefused(String),
    /// The connection broke after the request was sent.
    Cut(String),
    /// Nothing arrived within the limit.
    Silent(String),
    /// The member lags behind an index that another one has shown.
    Behind {
        /// The index of this member.
        index: Index,
        /// The index that it should have.
        wanted: Index,
    },
    /// The history of this member may be incomplete up to this index, because it installed a snapshot
    /// (etcd-facts.md, fact 16).
    Doubtful(Index),
    /// The history that was requested is compacted up to this revision (v3).
    Compacted(Index),
    /// The server is etcd with this API disabled.
    ApiOff {
        /// The API that was used.
        api: Api,
        /// The server's version.
        version: String,
    },
    /// etcd replied with an error.
    Refused(Box<Refusal>),
    /// The reply is not from etcd, or not from its key-value API.
    NotEtcd(String),
    /// Something in front of etcd replied with a server error, so the effect of the request is unknown.
    BadGateway(String),
    /// The body of a reply is not one that etcd sends.
    Malformed(Malformed),
    /// An event or a reply is longer than this limit, in bytes.
    TooLong(usize),
    /// No endpoint belongs to the cluster that an earlier run watched.
    OtherCluster,
}

impl Failure {
    /// Whether the server gave no reply that counts.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Cut(_) | Self::Silent(_) | Self::Behind { .. }
        )
    }
}

/// A fragment that follows the endpoint's name: `could not be reached: connection refused`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unreachable(why) => format!("could not be reached: {why}"),
            Self::Untrusted(distrust) => format!("is not trusted: {}", distrust.why),
            Self::CertificateRefused(why) => why.clone(),
            Self::Unsendable(why) => {
                format!("cannot be sent the request: the key or a condition is too long: {why}")
            }
            Self::Cut(why) => format!("dropped the connection: {why}"),
            Self::Silent(why) => format!("does not answer: {why}"),
            Self::Behind { index, wanted } => {
                format!("is behind: it is at index {index}, the cluster at {wanted}")
            }
            Self::Doubtful(upto) => {
                format!(
                    "caught up from a raft snapshot: its history up to index {upto} may be incomplete"
                )
            }
            Self::Compacted(upto) => format!("has compacted its history up to revision {upto}"),
            Self::ApiOff { api, version } => match api {
                Api::V2 => format!("is etcd {} with the v2 API off", said(version)),
                Api::V3 => format!("is etcd {} with the JSON gateway off", said(version)),
            },
            Self::Refused(refusal) => {
                let Refusal { fault, head } = &**refusal;
                let message = said(&fault.message);
                match (fault.cause.as_str(), fault.code) {
                    (_, 0) => format!("refused the request: {message} (HTTP {})", head.status),
                    ("", code) => format!("refused the request: {message} (error {code})"),
                    (cause, code) => {
                        let cause = said(cause);
                        format!("refused the request: {message}: {cause} (error {code})")
                    }
                }
            }
            Self::BadGateway(what) | Self::NotEtcd(what) => {
                format!("did not answer like etcd: {}", said(what))
            }
            Self::Malformed(what) => {
                format!("sent a malformed reply: {}", said(&what.to_string()))
            }
            Self::OtherCluster => "belongs to another cluster than the checkpoint".to_owned(),
            Self::TooLong(limit) => format!("sent an event or a reply longer than {limit} bytes"),
        };
        f.write_str(&text)
    }
}

//! Why a request failed, in the words that follow an endpoint's name.

use std::fmt;

use super::{Malformed, Refusal};
use crate::escape::said;
use crate::model::{Api, Index};

/// Why a server's certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// What is wrong with it.
    pub why: String,
    /// What can be done about it.
    pub advice: &'static str,
}

/// Why a request failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// No such request can be sent: the key or a condition is too long for an URL.
    Unsendable(String),
    /// Nothing was sent: no name, no connection.
    Unreachable(String),
    /// The server is not the one that it should be, by its certificate; nothing was sent.
    Untrusted(Distrust),
    /// The server asks for another certificate of the client, or for one at all.
    CertificateRefused(String),
    /// The connection broke.
    Cut(String),
    /// Nothing came for too long.
    Silent(String),
    /// A member answered that does not know yet what another one told.
    Behind {
        /// Its index.
        index: Index,
        /// What was to be known.
        wanted: Index,
    },
    /// A member whose history may lie up to this index: it took a snapshot (etcd-facts.md,
    /// fact 16).
    Doubtful(Index),
    /// What was asked for was compacted, up to this revision (v3).
    Compacted(Index),
    /// The server is etcd, and does not serve this API.
    ApiOff {
        /// Which.
        api: Api,
        /// The server's version.
        version: String,
    },
    /// etcd answered with an error.
    Refused(Box<Refusal>),
    /// Something answered that is not etcd, or not its keys API.
    NotEtcd(String),
    /// Something before etcd answered with a server error: what etcd did is not known.
    BadGateway(String),
    /// A body that is not what etcd sends.
    Malformed(Malformed),
    /// An event longer than the limit.
    TooLong(usize),
    /// No endpoint belongs to the cluster that an earlier run watched.
    OtherCluster,
}

impl Failure {
    /// Whether nobody answered.
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
                format!("can't be asked: the key or a condition is too long ({why})")
            }
            Self::Cut(why) => format!("broke the connection off: {why}"),
            Self::Silent(why) => format!("does not answer: {why}"),
            Self::Behind { index, wanted } => {
                format!("lags behind: it is at index {index}, and the cluster at {wanted}")
            }
            Self::Doubtful(upto) => {
                format!("took a snapshot: its history up to index {upto} may lie")
            }
            Self::Compacted(upto) => format!("has compacted its history up to {upto}"),
            Self::ApiOff { api, version } => match api {
                Api::V2 => format!("is etcd {} with its v2 API off", said(version)),
                Api::V3 => format!("is etcd {} with its JSON gateway off", said(version)),
            },
            Self::Refused(refusal) => {
                let Refusal { fault, head } = &**refusal;
                let message = said(&fault.message);
                match (fault.cause.as_str(), fault.code) {
                    (_, 0) => format!("refused ({}): {message}", head.status),
                    ("", code) => format!("refused ({code}): {message}"),
                    (cause, code) => format!("refused ({code}): {message} ({})", said(cause)),
                }
            }
            Self::BadGateway(what) | Self::NotEtcd(what) => {
                format!("does not answer as etcd does: {}", said(what))
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

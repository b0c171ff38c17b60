//! What can go wrong, said so that a person knows what to do.

use crate::exit::Exit;
use etcdwatch_client::config::Unusable;
use etcdwatch_engine::escape::said;
use etcdwatch_engine::model::{Cause, Gap, Index};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Api, Fault};
use etcdwatch_engine::v2::fault;

/// An error that ends the run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option or argument that can't be used.
    #[error("{0}")]
    Usage(String),
    /// A request failed.
    #[error("{}", describe(endpoint, failure))]
    Failed {
        /// The endpoint's URL.
        endpoint: String,
        /// Why.
        failure: Failure,
    },
    /// A request failed at every endpoint.
    #[error("no endpoint could be reached: {}", describe_attempts(attempts))]
    Unreachable {
        /// The URL of each endpoint, and why.
        attempts: Vec<(String, Failure)>,
    },
    /// A key is not there by the API that was asked for, and is by the other.
    #[error("{error}")]
    Elsewhere {
        /// What the one said.
        error: Box<Error>,
        /// The other.
        api: Api,
    },
    /// A write was sent and not answered.
    #[error("the write was sent to {endpoint}, and its outcome is unknown: {why}")]
    OutcomeUnknown {
        /// The endpoint's URL.
        endpoint: String,
        /// What happened instead of an answer.
        why: String,
    },
    /// Events were lost.
    #[error("{}", describe_loss(gap))]
    Lost {
        /// What.
        gap: Gap,
        /// The oldest index that is to be had.
        oldest: Option<Index>,
    },
    /// `--timeout` ran out.
    #[error("timed out after {}", humantime::format_duration(*.0))]
    TimedOut(std::time::Duration),
    /// `--idle-timeout` ran out.
    #[error("no event for {}", humantime::format_duration(*.0))]
    Idle(std::time::Duration),
    /// A command failed.
    #[error("the command {0}")]
    CommandFailed(String),
    /// A command can't be run.
    #[error("the command '{program}' can't be run: {source}")]
    Unrunnable {
        /// Its program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Standard output could not be written.
    #[error("standard output could not be written: {0}")]
    Output(std::io::Error),
    /// The checkpoint could not be written.
    #[error("the checkpoint '{path}' could not be written: {source}")]
    Checkpoint {
        /// Its file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file or standard input could not be read.
    #[error("{what} could not be read: {source}")]
    Input {
        /// Which.
        what: String,
        /// Why.
        source: std::io::Error,
    },
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        Self::Usage(unusable.0)
    }
}

impl Error {
    /// How the process ends for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Input { .. } => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Failed { failure, .. } => failure_exit(failure),
            Self::Elsewhere { error, .. } => error.exit(),
            Self::OutcomeUnknown { .. } => Exit::Unknown,
            Self::Lost { .. } => Exit::Lost,
            Self::TimedOut(_) | Self::Idle(_) => Exit::TimedOut,
            Self::CommandFailed(_) => Exit::CommandFailed,
            Self::Unrunnable { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => Exit::CommandNotFound,
                _ => Exit::CommandUnrunnable,
            },
            Self::Output(_) | Self::Checkpoint { .. } => Exit::Output,
        }
    }

    /// A name for scripts: the `kind` of a JSON error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Input { .. } => "input",
            Self::Unreachable { .. } => "unreachable",
            Self::Elsewhere { error, .. } => error.kind(),
            Self::OutcomeUnknown { .. } => "outcomeUnknown",
            Self::Lost { gap, .. } if gap.cause == Cause::Unproven => "unproven",
            Self::Lost { .. } => "eventsLost",
            Self::TimedOut(_) => "timeout",
            Self::Idle(_) => "idleTimeout",
            Self::CommandFailed(_) => "commandFailed",
            Self::Unrunnable { .. } => "commandUnrunnable",
            Self::Output(_) => "output",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Failed { failure, .. } => match failure {
                Failure::Unsendable(_) => "usage",
                Failure::Unreachable(_) => "unreachable",
                Failure::Untrusted(_) => "untrusted",
                Failure::CertificateRefused(_) => "certificateRefused",
                Failure::Cut(_) | Failure::Silent(_) | Failure::Behind { .. } => "connectionLost",
                Failure::Doubtful(_) => "memberUntrusted",
                Failure::Compacted(_) => "compacted",
                Failure::ApiOff { api: Api::V2, .. } => "v2Disabled",
                Failure::ApiOff { api: Api::V3, .. } => "v3Disabled",
                Failure::Refused(refusal) => fault::name(refusal.fault.code),
                Failure::NotEtcd(_) | Failure::BadGateway(_) => "notEtcd",
                Failure::Malformed(_) => "malformed",
                Failure::TooLong(_) => "tooLarge",
                Failure::OtherCluster => "otherCluster",
            },
        }
    }

    /// Whether the server does not serve the API that it was asked by.
    #[must_use]
    pub fn is_api_off(&self) -> bool {
        let failure = match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        };
        matches!(failure, Some(Failure::ApiOff { .. }))
    }

    /// Whether the key is not there, though it could be.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.fault()
            .is_some_and(|fault| fault.code == fault::KEY_NOT_FOUND)
    }

    /// Whether the user may not do that, or is not known.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.fault()
            .is_some_and(|fault| fault.code == fault::UNAUTHORIZED)
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { attempts } if attempts.iter().any(may_speak_tls) => {
                "does it speak TLS? Then write https://. Name others with --endpoints or \
                 ETCDCTL_ENDPOINTS"
            }
            Self::Unreachable { .. } => {
                "is etcd running there? Name others with --endpoints or ETCDCTL_ENDPOINTS"
            }
            Self::Elsewhere { api: Api::V2, .. } => "v2 has it: --api v2",
            Self::Elsewhere { api: Api::V3, .. } => "v3 has it: --api v3",
            Self::OutcomeUnknown { .. } => {
                "read the key to see whether it was carried out; it was not sent again"
            }
            Self::Lost { gap, .. } if gap.cause == Cause::Unproven => {
                "use --on-gap continue to accept that and end with 0"
            }
            Self::Lost {
                oldest: Some(oldest),
                ..
            } => {
                return Some(format!(
                    "the oldest that can be had is --from-index {oldest} (or 'oldest'), which counts \
                     only without a checkpoint; --on-gap continue declares the gap and goes on"
                ));
            }
            Self::Lost { .. } => {
                "read the state anew, then watch from now: --on-gap resync does both"
            }
            Self::Failed { failure, .. } => return failure_hint(failure),
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// What etcd itself said, where it said something.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Failed {
                failure: Failure::Refused(refusal),
                ..
            } => Some(&refusal.fault),
            Self::Elsewhere { error, .. } => error.fault(),
            _ => None,
        }
    }
}

/// The error when none of the attempts had an answer, given as URL and failure: that of the
/// endpoint that says most, or all of them where nobody answered.
#[must_use]
pub fn none_answered(mut attempts: Vec<(String, Failure)>) -> Error {
    let telling = attempts
        .iter()
        .position(|(_, failure)| !failure.is_unreachable());
    if let Some(position) = telling {
        let (endpoint, failure) = attempts.swap_remove(position);
        return Error::Failed { endpoint, failure };
    }
    Error::Unreachable { attempts }
}

/// A server that speaks TLS ends a connection in which it hears nothing of it.
fn may_speak_tls((endpoint, failure): &(String, Failure)) -> bool {
    endpoint.starts_with("http:") && matches!(failure, Failure::Cut(_))
}

fn describe_attempts(attempts: &[(String, Failure)]) -> String {
    let fragments = attempts
        .iter()
        .map(|(endpoint, failure)| format!("{endpoint} {failure}"));
    fragments.collect::<Vec<_>>().join("; ")
}

fn describe(endpoint: &str, failure: &Failure) -> String {
    // The answer no is about the key, not about who gave it.
    if let Failure::Refused(refusal) = failure
        && failure_exit(failure) == Exit::No
    {
        let fault = &refusal.fault;
        let message = said(&fault.message.to_lowercase());
        return match fault.cause.as_str() {
            "" => message,
            cause => format!("{message}: {}", said(cause)),
        };
    }
    format!("{endpoint} {failure}")
}

fn describe_loss(gap: &Gap) -> String {
    let cause = gap.cause.name();
    match gap.to {
        Some(to) if gap.cause == Cause::Unproven => format!(
            "events from {} to {to} may be missing: that there are none could not be proven \
             ({cause})",
            gap.from
        ),
        Some(to) => format!("events from {} to {to} are lost ({cause})", gap.from),
        None => format!(
            "events from {} on are lost: positions begin anew at {} ({cause})",
            gap.from, gap.index
        ),
    }
}

fn failure_exit(failure: &Failure) -> Exit {
    match failure {
        Failure::Unsendable(_) => Exit::Usage,
        Failure::Untrusted(_) => Exit::Unreachable,
        failure if failure.is_unreachable() => Exit::Unreachable,
        Failure::Refused(refusal) => match refusal.fault.code {
            fault::KEY_NOT_FOUND | fault::COMPARE_FAILED | fault::KEY_EXISTS => Exit::No,
            _ => Exit::Refused,
        },
        Failure::ApiOff { .. } | Failure::CertificateRefused(_) => Exit::Refused,
        _ => Exit::NotEtcd,
    }
}

fn failure_hint(failure: &Failure) -> Option<String> {
    let hint = match failure {
        Failure::ApiOff { api: Api::V2, .. } => {
            "etcd 3.4 and 3.5 serve the v2 API only when started with --enable-v2=true; 3.6 has \
             none"
        }
        Failure::ApiOff { api: Api::V3, .. } => {
            "etcd serves the gateway from 3.3 on, unless it is started with \
             --enable-grpc-gateway=false"
        }
        Failure::NotEtcd(_) => "check the endpoint: the client port of etcd is usually 2379",
        Failure::Untrusted(distrust) => distrust.advice,
        Failure::CertificateRefused(_) => {
            "name a certificate that is known there: --cert and --key"
        }
        Failure::TooLong(_) => "raise the limit with --max-event",
        Failure::Refused(refusal) => match (refusal.fault.code, refusal.head.status) {
            (fault::NOT_A_FILE, _) => {
                "it is a directory: list it with 'get', remove it with 'rm -r' (or 'rm --dir' \
                 where it is empty)"
            }
            (fault::NOT_A_DIRECTORY, _) => "a key on the way to it holds a value",
            (fault::DIRECTORY_NOT_EMPTY, _) => "remove it with all below it by 'rm -r'",
            (fault::UNAUTHORIZED, _) | (_, 401) => "name a user who may do that: --user NAME",
            (fault::RAFT_INTERNAL | fault::LEADER_ELECT, _) | (_, 503) => {
                "the cluster has no leader or no quorum for now"
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(hint.to_owned())
}

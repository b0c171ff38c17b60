//! The errors that end a run: their messages, exit codes, JSON kinds and hints.

use crate::exit::Exit;
use etcdwatch_client::config::Unusable;
use etcdwatch_engine::escape::said;
use etcdwatch_engine::model::{Cause, Gap, Index};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Api, Fault};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::v3;

/// An error that ends the run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option, an argument or a file that the user named is invalid.
    #[error("{0}")]
    Usage(String),
    /// A request to one endpoint failed.
    #[error("{}", describe(endpoint, failure))]
    Failed {
        /// The endpoint's URL.
        endpoint: String,
        /// The reason.
        failure: Failure,
    },
    /// A request failed at every endpoint.
    #[error("no endpoint could be reached: {}", describe_attempts(attempts))]
    Unreachable {
        /// The URL of each endpoint, with the reason.
        attempts: Vec<(String, Failure)>,
    },
    /// The key does not exist with the API that the user chose, but does with the other one.
    #[error("{error}")]
    Elsewhere {
        /// The answer of the API that the user chose.
        error: Box<Error>,
        /// The API that has the key.
        api: Api,
    },
    /// A write was sent, but no answer says whether it was carried out.
    #[error("the write was sent to {endpoint}, but its outcome is unknown: {why}")]
    OutcomeUnknown {
        /// The endpoint's URL.
        endpoint: String,
        /// What came instead of an answer.
        why: String,
    },
    /// Events were lost, or may have been, and the run was to fail on a gap.
    #[error("{}", describe_loss(gap))]
    Lost {
        /// The range that was lost.
        gap: Gap,
        /// The oldest index that the server still has.
        oldest: Option<Index>,
    },
    /// `--timeout` ran out.
    #[error("timed out after {}", humantime::format_duration(*.0))]
    TimedOut(std::time::Duration),
    /// `--idle-timeout` ran out.
    #[error("no event for {}", humantime::format_duration(*.0))]
    Idle(std::time::Duration),
    /// A command that was run for an event failed. The text follows "the command".
    #[error("the command {0}")]
    CommandFailed(String),
    /// A command to run for an event could not be started.
    #[error("cannot run the command '{program}': {source}")]
    Unrunnable {
        /// The program, as the user typed it.
        program: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(std::io::Error),
    /// The checkpoint could not be written.
    #[error("cannot write the checkpoint '{path}': {source}")]
    Checkpoint {
        /// The path of its file.
        path: String,
        /// The error of the write.
        source: std::io::Error,
    },
    /// A file or standard input could not be read.
    #[error("cannot read {what}: {source}")]
    Input {
        /// The file, or standard input.
        what: String,
        /// The error of the read.
        source: std::io::Error,
    },
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        Self::Usage(unusable.0)
    }
}

impl Error {
    /// The exit code of the process.
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

    /// The `kind` of a JSON error, which scripts rely on.
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

    /// Whether the server has the requested API turned off.
    #[must_use]
    pub fn is_api_off(&self) -> bool {
        let failure = match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        };
        matches!(failure, Some(Failure::ApiOff { .. }))
    }

    /// Whether etcd answered that the key does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.fault()
            .is_some_and(|fault| fault.code == fault::KEY_NOT_FOUND)
    }

    /// Whether etcd refused the request because of its user: unknown, wrong password or no permission.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.fault()
            .is_some_and(|fault| fault.code == fault::UNAUTHORIZED)
    }

    /// What the user can do about it, as a phrase that begins with a verb.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { attempts } if attempts.iter().any(may_use_tls) => {
                "write https:// if the server uses TLS, or name other endpoints with --endpoints \
                 or ETCDCTL_ENDPOINTS"
            }
            Self::Unreachable { attempts } if attempts.iter().any(may_not_use_tls) => {
                "write http:// if the server does not use TLS, or name other endpoints with \
                 --endpoints or ETCDCTL_ENDPOINTS"
            }
            Self::Unreachable { .. } => {
                "check that etcd is running there, or name other endpoints with --endpoints or \
                 ETCDCTL_ENDPOINTS"
            }
            Self::Elsewhere { api: Api::V2, .. } => "use --api v2, where the key exists",
            Self::Elsewhere { api: Api::V3, .. } => "use --api v3, where the key exists",
            Self::OutcomeUnknown { .. } => {
                "read the key to see whether the write was carried out; etcdwatch does not send it \
                 again"
            }
            Self::Lost { gap, .. } if gap.cause == Cause::Unproven => {
                "use --on-gap continue to accept this and exit with 0"
            }
            Self::Lost {
                oldest: Some(oldest),
                ..
            } => {
                return Some(format!(
                    "use --from-index {oldest}, without a checkpoint, to start with the oldest event \
                     that the server has, or --on-gap continue to declare the gap and continue"
                ));
            }
            Self::Lost { .. } => "use --on-gap resync to read the state again and continue",
            Self::Failed { failure, .. } => return failure_hint(failure),
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The error that etcd answered with, if it answered.
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

/// The error of a request that failed at every endpoint: the first failure that came with an answer,
/// or all of them if no endpoint answered. An attempt is the URL of an endpoint and its failure.
#[must_use]
pub fn none_answered(mut attempts: Vec<(String, Failure)>) -> Error {
    let answered = attempts
        .iter()
        .position(|(_, failure)| !failure.is_unreachable());
    if let Some(position) = answered {
        let (endpoint, failure) = attempts.swap_remove(position);
        return Error::Failed { endpoint, failure };
    }
    Error::Unreachable { attempts }
}

/// A server that uses TLS closes a connection on which it receives plain HTTP.
fn may_use_tls((endpoint, failure): &(String, Failure)) -> bool {
    endpoint.starts_with("http:") && matches!(failure, Failure::Cut(_))
}

/// A server without TLS closes the connection during the handshake, or answers in plain text.
fn may_not_use_tls((endpoint, failure): &(String, Failure)) -> bool {
    let mentions_tls = |why: &String| why.contains("does not use TLS");
    endpoint.starts_with("https:")
        && matches!(failure, Failure::Unreachable(why) if mentions_tls(why))
}

fn describe_attempts(attempts: &[(String, Failure)]) -> String {
    let fragments = attempts.iter().map(|(endpoint, failure)| match failure {
        Failure::Unreachable(why) => format!("{endpoint}: {why}"),
        failure => format!("{endpoint} {failure}"),
    });
    fragments.collect::<Vec<_>>().join("; ")
}

fn describe(endpoint: &str, failure: &Failure) -> String {
    // A negative answer is about the key, so the endpoint is left out.
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
    let (from, cause) = (gap.from, gap.cause.name());
    let why = match gap.cause {
        Cause::HistoryCleared => "the server no longer has them in its history",
        Cause::Compacted => "the server compacted them",
        Cause::ClusterChanged => "the endpoint now belongs to another cluster",
        Cause::IndexRewound => "the server's index went back",
        Cause::MemberUntrusted => "the member caught up from a raft snapshot and may not have them",
        Cause::Unproven => "etcdwatch cannot prove that there were none",
    };
    match gap.to {
        Some(to) if gap.cause == Cause::Unproven => {
            format!("events from {from} to {to} may be missing: {why} ({cause})")
        }
        Some(to) => format!("events from {from} to {to} are lost: {why} ({cause})"),
        None => format!(
            "events from {from} on are lost: {why}, and indexes start again at {} ({cause})",
            gap.index
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
            "use --api v3, or start etcd 3.4 or 3.5 with --enable-v2=true; etcd 3.6 has no v2 API"
        }
        Failure::ApiOff { api: Api::V3, .. } => {
            "start etcd without --enable-grpc-gateway=false; etcd has the gateway from 3.3 on"
        }
        Failure::NotEtcd(_) => "check the endpoint: etcd's client port is usually 2379",
        Failure::Untrusted(distrust) => distrust.advice,
        Failure::CertificateRefused(_) => {
            "use --cert and --key to present a certificate that the server accepts"
        }
        Failure::TooLong(_) => "raise the limit with --max-event",
        Failure::Refused(refusal) => match (refusal.fault.code, refusal.head.status) {
            (fault::NOT_A_FILE, _) => {
                "use 'get' to list the directory, 'rm -r' to remove it, or 'rm --dir' if it is empty"
            }
            (fault::NOT_A_DIRECTORY, _) => "choose another key: a key above this one holds a value",
            (fault::DIRECTORY_NOT_EMPTY, _) => {
                "use 'rm -r' to remove the directory and everything below it"
            }
            (fault::UNAUTHORIZED, _) | (_, 401) => authentication_hint(&refusal.fault),
            (fault::RAFT_INTERNAL | fault::LEADER_ELECT, _) | (_, 503) => {
                "run 'etcdwatch doctor' to see whether the cluster has a leader and a quorum"
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The hint for a refusal because of the user. Over v3 etcd says which of three things is wrong. The v2
/// API answers the same to a wrong password and to a missing permission.
fn authentication_hint(fault: &Fault) -> &'static str {
    if v3::fault::is_authentication_failure(fault) {
        "check the user name and the password of --user, --password-file or ETCDCTL_PASSWORD"
    } else if v3::fault::is_user_missing(fault) {
        "use --user to authenticate"
    } else if v3::fault::is_about_token(fault) {
        "run the command again: the server no longer accepts the token that it gave"
    } else if v3::fault::is_permission_denied(fault) {
        "use --user to authenticate as a user with that permission"
    } else {
        "use --user to authenticate as a user with that permission; the v2 API answers the same to \
         a wrong password"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdwatch_engine::protocol::{Head, Refusal};

    fn refused(code: u32, message: &str) -> Error {
        let fault = Fault {
            code,
            message: message.to_owned(),
            cause: String::new(),
            index: Index::ZERO,
        };
        let head = Head {
            status: 401,
            index: None,
            cluster: None,
            raft: None,
        };
        Error::Failed {
            endpoint: "http://etcd:2379".to_owned(),
            failure: Failure::Refused(Box::new(Refusal { fault, head })),
        }
    }

    #[test]
    fn a_wrong_password_and_a_missing_permission_have_different_hints() {
        let wrong = "etcdserver: authentication failed, invalid user ID or password";
        let hint = |message| refused(fault::UNAUTHORIZED, message).hint().unwrap();
        assert!(hint(wrong).contains("password of"));
        assert_eq!(
            hint("etcdserver: permission denied"),
            "use --user to authenticate as a user with that permission"
        );
        assert_eq!(
            hint("etcdserver: user name is empty"),
            "use --user to authenticate"
        );
        let v2 = hint("The request requires user authentication");
        assert!(v2.contains("permission") && v2.contains("a wrong password"));
    }
}

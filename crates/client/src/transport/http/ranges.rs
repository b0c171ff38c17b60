//! Reads of keys with the v3 API: one request for each range, on one connection.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::limits::Limits;
use crate::endpoint::Endpoint;
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Head, Malformed, Request};
use etcdwatch_engine::v2::fault::{INDEX_CLEARED, UNAUTHORIZED};
use etcdwatch_engine::v3::{self, Pair, Ranges};

/// The number of attempts to read the ranges at one revision. If the revision is compacted each time, one
/// larger range is read instead.
const ATTEMPTS: usize = 3;

/// The result of reading all ranges.
enum RangesRead {
    All(Head, v3::KvReply),
    /// The revision of the first reply is not available for the other ranges.
    Torn(Failure),
}

impl Connection {
    /// Reads keys. The head is that of the first reply, with the revision and the cluster from its
    /// body. `most` is the limit on the bodies of all replies with keys together, in bytes.
    ///
    /// # Errors
    /// If a range can't be read.
    pub fn read(
        &self,
        endpoint: &Endpoint,
        ranges: &Ranges,
        limits: Limits,
        most: usize,
    ) -> Result<(Head, v3::KvReply), Failure> {
        let mut reading = RangesReader {
            connection: self,
            endpoint,
            limits,
            time_left: limits.head_of(ranges),
            bytes_left: most,
            most,
        };
        let mut torn = None;
        for _ in 0..ATTEMPTS {
            reading.bytes_left = most;
            match reading.read_all(ranges)? {
                RangesRead::All(head, reply) => return Ok((head, reply)),
                RangesRead::Torn(failure) => torn = Some(failure),
            }
        }
        reading.bytes_left = most;
        let covering = ranges.covering().filter(|_| ranges.are_of_one_moment());
        match (covering.map(|request| reading.read_range(&request)), torn) {
            (Some(Ok((head, mut reply))), _) => {
                reply.pairs = ranges.pick(&reply.pairs);
                Ok((head, reply))
            }
            // A user without permission on the wider range gets the error of the ranges that it requested.
            (Some(Err(Failure::Refused(refusal))), Some(torn))
                if refusal.fault.code == UNAUTHORIZED =>
            {
                Err(torn)
            }
            (Some(Err(failure)), _) | (None, Some(failure)) => Err(failure),
            (None, None) => Err(Failure::Malformed(Malformed::Empty)),
        }
    }
}

/// A read in progress.
struct RangesReader<'r> {
    connection: &'r Connection,
    endpoint: &'r Endpoint,
    limits: Limits,
    /// The remaining time for heads.
    time_left: Option<Duration>,
    /// The remaining bytes for bodies with keys.
    bytes_left: usize,
    most: usize,
}

impl RangesReader<'_> {
    fn read_all(&mut self, ranges: &Ranges) -> Result<RangesRead, Failure> {
        let mut whole: Option<(Head, v3::KvReply)> = None;
        let mut may_try_again = true;
        for number in 0.. {
            let so_far = whole.as_ref().map(|(_, reply)| reply);
            let Some(request) = ranges.request(number, so_far) else {
                break;
            };
            let mut result = self.read_range(&request);
            if matches!(result, Err(Failure::Cut(_) | Failure::Unreachable(_)))
                && number > 0
                && std::mem::take(&mut may_try_again)
            {
                // Some servers close the connection after each reply.
                result = self.read_range(&request);
            }
            let Some((first_head, first)) = &mut whole else {
                whole = Some(result?);
                continue;
            };
            let (_, reply) = match result {
                Err(failure) if ranges.are_of_one_moment() && is_about_moment(&failure) => {
                    return Ok(RangesRead::Torn(failure));
                }
                result => result?,
            };
            if reply.cluster != first.cluster {
                let why = "it answered for one cluster and then for another".to_owned();
                return Ok(RangesRead::Torn(Failure::Cut(why)));
            }
            if ranges.are_of_one_moment() {
                let is_later = |pair: &Pair| pair.modified > first.revision.0;
                if reply.revision < first.revision || reply.pairs.iter().any(is_later) {
                    let what = "keys of another revision than requested".to_owned();
                    return Err(Failure::Malformed(Malformed::Shape(what)));
                }
            } else {
                first.revision = first.revision.min(reply.revision);
                first_head.index = Some(first.revision);
            }
            first.pairs.extend(reply.pairs);
        }
        match whole {
            Some((head, reply)) => Ok(RangesRead::All(head, reply)),
            None => Err(Failure::Malformed(Malformed::Empty)),
        }
    }

    fn read_range(&mut self, request: &Request) -> Result<(Head, v3::KvReply), Failure> {
        let limits = Limits {
            head: self.time_left.min(self.limits.head),
            idle: self.limits.idle,
        };
        if limits.head.is_some_and(|head| head.is_zero()) {
            let why = "no complete answer in time".to_owned();
            return Err(Failure::Silent(why));
        }
        let sent_at = Instant::now();
        let sent = self.connection.send(self.endpoint, request, limits);
        self.time_left = self
            .time_left
            .map(|left| left.saturating_sub(sent_at.elapsed()));
        let reply = sent?;
        let head = reply.head.clone();
        let body = reply
            .read_whole(self.bytes_left)
            .map_err(|failure| match failure {
                Failure::TooLong(_) => Failure::TooLong(self.most),
                other => other,
            })?;
        if body.trim_ascii().is_empty() {
            return Err(Failure::Malformed(Malformed::Empty));
        }
        let reply = v3::parse_reply(&body).map_err(Failure::Malformed)?;
        if reply.revision.0 == 0 {
            // In the next request, revision 0 would mean the present.
            let what = "a store without a revision".to_owned();
            return Err(Failure::Malformed(Malformed::Shape(what)));
        }
        if !reply.pairs.is_empty() {
            self.bytes_left = self.bytes_left.saturating_sub(body.len());
        }
        let head = Head {
            index: Some(reply.revision),
            cluster: Some(reply.cluster.clone()),
            ..head
        };
        Ok((head, reply))
    }
}

/// Whether a failure says that the requested revision is compacted, or not reached yet.
fn is_about_moment(failure: &Failure) -> bool {
    let codes = [INDEX_CLEARED, v3::fault::FUTURE];
    matches!(failure, Failure::Refused(refusal) if codes.contains(&refusal.fault.code))
}

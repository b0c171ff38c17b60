//! Keys by v3, read range by range over one connection.

use super::{Connection, Limits};
use crate::protocol::Head;
use crate::protocol::v2::fault::INDEX_CLEARED;
use crate::protocol::v3::{self, Ranges};
use crate::settings::Endpoint;
use crate::watch::Failure;

/// How often a read begins again, before it is given up: history must have been compacted each time,
/// up to where the store was a moment before.
const ATTEMPTS: usize = 5;

impl Connection {
    /// Reads keys as they are at one moment. The head is that of the first reply, with the revision
    /// and the cluster that its body tells; `limits` are those of each request, and `most` the bytes
    /// of all bodies together.
    ///
    /// # Errors
    /// Where a range can't be read.
    pub fn read(
        &self,
        endpoint: &Endpoint,
        ranges: &Ranges,
        limits: Limits,
        most: usize,
    ) -> Result<(Head, v3::Reply), Failure> {
        for _ in 0..ATTEMPTS {
            if let Some(whole) = self.read_once(endpoint, ranges, limits, most)? {
                return Ok(whole);
            }
        }
        let why = "it lost the moment that was being read, again and again".to_owned();
        Err(Failure::Cut(why))
    }

    /// None where the moment of the first range can't be had for another.
    fn read_once(
        &self,
        endpoint: &Endpoint,
        ranges: &Ranges,
        limits: Limits,
        most: usize,
    ) -> Result<Option<(Head, v3::Reply)>, Failure> {
        let mut whole: Option<(Head, v3::Reply)> = None;
        let mut room = most;
        for number in 0.. {
            let so_far = whole.as_ref().map(|(_, reply)| reply);
            let Some(request) = ranges.request(number, so_far) else {
                break;
            };
            let body = match self.send(endpoint, &request, limits) {
                Ok(reply) => {
                    let head = reply.head.clone();
                    let body = reply.read_whole(room).map_err(|failure| match failure {
                        Failure::TooLong(_) => Failure::TooLong(most),
                        other => other,
                    })?;
                    (head, body)
                }
                Err(Failure::Refused(refusal))
                    if whole.is_some()
                        && [INDEX_CLEARED, v3::fault::FUTURE].contains(&refusal.fault.code) =>
                {
                    return Ok(None);
                }
                Err(failure) => return Err(failure),
            };
            let (head, body) = body;
            room -= body.len();
            let reply = parse(&body)?;
            match &mut whole {
                None => {
                    let head = Head {
                        index: Some(reply.revision),
                        cluster: Some(reply.cluster.clone()),
                        ..head
                    };
                    whole = Some((head, reply));
                }
                Some((_, first)) if first.cluster != reply.cluster => return Ok(None),
                Some((_, first)) => first.pairs.extend(reply.pairs),
            }
        }
        Ok(whole)
    }
}

fn parse(body: &[u8]) -> Result<v3::Reply, Failure> {
    match body.trim_ascii() {
        // A proxy that has nothing to say.
        [] => Err(Failure::Cut(
            "it ended the reply with nothing in it".to_owned(),
        )),
        body => v3::parse_reply(body).map_err(Failure::Malformed),
    }
}

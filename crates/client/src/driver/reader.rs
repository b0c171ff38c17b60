//! Turns replies into inputs of the session.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::message::{UnparsedLines, WorkerMessage};
use super::requests::{Call, Job, Reads};
use crate::transport::http::{Reply, ReplyBody};
use etcdwatch_engine::decode::{Lines, Messages, Part, TooLong};
use etcdwatch_engine::model::{Scope, StateNode};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Head, Malformed, Refusal, Request, Whole};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::v3::{Portion, Ranges, WatchItem};
use etcdwatch_engine::watch::{Budget, BufferPool, Input, ReceivedBatch, ReplyEnd, RequestId};
use etcdwatch_engine::{v2, v3};

/// The size of one read of a v3 watch, in bytes.
const READ_SIZE: usize = 64 * 1024;

/// The interval at which the session gets an input while a long message is still arriving.
const HEARD_INTERVAL: Duration = Duration::from_millis(500);

/// The limit on a state or a transaction, in bytes and in events of the largest size.
const MAX_WHOLE: usize = 1 << 30;
const MAX_WHOLE_EVENTS: usize = 16;

/// The longest time that one read waits for the output to catch up. In a burst this bounds the memory in
/// use. It is limited because a blocked output must not keep the stream from being read.
const MAX_BACKPRESSURE: Duration = Duration::from_millis(2);

/// The interval at which a v3 watch checks whether the output has caught up.
const BACKPRESSURE_POLL: Duration = Duration::from_millis(5);

/// The part of a worker that sends requests and reads the replies.
pub(super) struct ReplyReader {
    pub(super) scope: Scope,
    pub(super) messages: SyncSender<WorkerMessage>,
    pub(super) buffers: BufferPool,
    pub(super) budget: Budget,
    pub(super) max_event: usize,
}

impl ReplyReader {
    /// Sends a request and passes on its reply; `None` once the session is gone.
    pub(super) fn carry_out(&self, job: &Job) -> Option<()> {
        let id = job.id;
        let passed = match &job.call {
            Call::Request(request, reads) => self.exchange(job, request, *reads),
            Call::Revision(ranges) => self.pass_read(job, ranges, false),
            Call::Pairs(ranges) => self.pass_read(job, ranges, true),
        };
        let end = match passed {
            Some(Ok(())) => ReplyEnd::Clean(Whole::received()),
            Some(Err(failure)) => ReplyEnd::Failed(failure),
            None => return None,
        };
        self.pass(Input::Ended { id, end })
    }

    /// The limit on a state or a transaction, in bytes.
    fn max_whole(&self) -> usize {
        let limit = self.max_event.saturating_mul(MAX_WHOLE_EVENTS);
        limit.min(MAX_WHOLE).max(self.max_event)
    }

    fn exchange(&self, job: &Job, request: &Request, reads: Reads) -> Option<Result<(), Failure>> {
        let sent = job.connection.send(&job.endpoint, request, job.limits);
        let reply = match sent {
            Ok(reply) => reply,
            Err(failure) => {
                return match (reads, failure) {
                    // The error for a missing key carries the store's index as well.
                    (Reads::Index | Reads::State { .. }, Failure::Refused(refusal))
                        if fault::is_absent(refusal.fault.code) =>
                    {
                        self.pass_head(job.id, refusal.head)?;
                        if reads != Reads::Index {
                            self.pass_state(job.id, Vec::new())?;
                        }
                        Some(Ok(()))
                    }
                    (_, failure) => Some(Err(failure)),
                };
            }
        };
        // With the v3 API, index and cluster are in the body.
        if reads != Reads::Messages {
            self.pass_head(job.id, reply.head.clone())?;
        }
        match reads {
            Reads::Messages => self.pass_watch(job, request, reply),
            // The caller needs only the head.
            Reads::Index => Some(reply.discard(self.max_event)),
            Reads::Events => {
                let is_delimited = reply.is_delimited;
                let passed = self.pass_events(job.id, reply.into_body())?;
                // With HTTP/1.0, and behind proxies that remove the chunks, the closing of the connection
                // does not prove that the wait has ended.
                Some(passed.and_then(|()| {
                    let why = || {
                        Failure::Cut(
                            "it closed the connection before the end of the reply".to_owned(),
                        )
                    };
                    is_delimited.then_some(()).ok_or_else(why)
                }))
            }
            Reads::Stream => self.pass_stream(job.id, reply.into_stream()),
            Reads::State { recursive } => {
                let state = reply
                    .read_whole(self.max_whole())
                    .and_then(|body| v2::parse_state(&body).map_err(Failure::Malformed));
                match state {
                    Ok(state) => {
                        self.pass_state(job.id, state.node.flatten(recursive))?;
                        Some(Ok(()))
                    }
                    Err(failure) => Some(Err(failure)),
                }
            }
        }
    }

    /// Reads ranges (v3), and passes on their revision, and their keys if `has_state`.
    fn pass_read(
        &self,
        job: &Job,
        ranges: &Ranges,
        has_state: bool,
    ) -> Option<Result<(), Failure>> {
        let read = job
            .connection
            .read(&job.endpoint, ranges, job.limits, self.max_whole());
        let (head, reply) = match read {
            Ok(read) => read,
            // Some proxies send an empty reply when their server is gone.
            Err(Failure::Malformed(Malformed::Empty)) => {
                let why = "it sent an empty reply".to_owned();
                return Some(Err(Failure::Cut(why)));
            }
            Err(failure) => return Some(Err(failure)),
        };
        self.pass_head(job.id, head)?;
        if has_state {
            let nodes = reply.pairs.into_iter().map(StateNode::from).collect();
            self.pass_state(job.id, nodes)?;
        }
        Some(Ok(()))
    }

    /// Passes on the messages of a v3 watch. If etcd refuses the watch, the token may have expired, which
    /// 3.5 reports as a lack of permission. Therefore the worker opens the watch once more with a new token.
    fn pass_watch(
        &self,
        job: &Job,
        request: &Request,
        reply: Reply,
    ) -> Option<Result<(), Failure>> {
        let token = reply.token.clone();
        let mut is_registered = false;
        let passed = self.pass_messages(job, reply, &mut is_registered)?;
        let is_refused = matches!(
            &passed,
            Err(Failure::Refused(refusal)) if refusal.fault.code == fault::UNAUTHORIZED
        );
        if !is_refused || is_registered || !job.connection.forget(token.as_ref()) {
            return Some(passed);
        }
        let sent = job.connection.send(&job.endpoint, request, job.limits);
        match sent {
            Ok(reply) => self.pass_messages(job, reply, &mut is_registered),
            Err(failure) => Some(Err(failure)),
        }
    }

    fn pass_messages(
        &self,
        job: &Job,
        reply: Reply,
        is_registered: &mut bool,
    ) -> Option<Result<(), Failure>> {
        let head = &reply.head.clone();
        let mut body = reply.into_stream();
        let mut messages = Messages::new(self.max_event);
        let mut assembler = v3::Assembler::new(self.scope.clone());
        let mut buffer = vec![0; READ_SIZE];
        let mut heard_at = Instant::now();
        loop {
            let unfinished = messages.unfinished() + assembler.weight();
            let count = match body.read(unfinished, &mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(failure) => return Some(Err(failure)),
            };
            let mut bytes = buffer.get(..count).unwrap_or_default();
            loop {
                let items = match messages.next(&mut bytes) {
                    Ok(None) => break,
                    Ok(Some(Part::Element(text))) => assembler
                        .event(text)
                        .map(|portion| portion.map(WatchItem::Events).into_iter().collect()),
                    Ok(Some(Part::Message(text))) => assembler.message(text),
                    Err(TooLong { limit }) => return Some(Err(Failure::TooLong(limit))),
                };
                if assembler.weight() > self.max_whole() {
                    return Some(Err(Failure::TooLong(self.max_whole())));
                }
                let items: Vec<WatchItem> = match items {
                    Ok(items) => items,
                    Err(malformed) => return Some(Err(Failure::Malformed(malformed))),
                };
                for item in items {
                    heard_at = Instant::now();
                    *is_registered |= matches!(item, WatchItem::Created { .. });
                    if !*is_registered
                        && matches!(item, WatchItem::Events(_) | WatchItem::MessageEnd(_))
                    {
                        let what = "events before the watch was created".to_owned();
                        return Some(Err(Failure::Malformed(Malformed::Shape(what))));
                    }
                    if let Err(failure) = self.pass_item(job, head, item)? {
                        return Some(Err(failure));
                    }
                }
            }
            if heard_at.elapsed() >= HEARD_INTERVAL {
                heard_at = Instant::now();
                self.pass(Input::PartReceived { id: job.id })?;
            }
        }
        if messages.is_broken_off() {
            let why = "the reply broke off in the middle of a message".to_owned();
            return Some(Err(Failure::Cut(why)));
        }
        Some(Ok(()))
    }

    fn pass_item(&self, job: &Job, head: &Head, item: WatchItem) -> Option<Result<(), Failure>> {
        let id = job.id;
        let input = match item {
            WatchItem::Created { revision, cluster } => Input::Head {
                id,
                head: Head {
                    index: Some(revision),
                    cluster: Some(cluster),
                    ..head.clone()
                },
            },
            WatchItem::Events(Portion {
                batch,
                begins,
                is_past,
            }) => {
                // Reading later loses nothing: the server waits, and keeps its history meanwhile.
                while self.budget.is_spent() && !job.connection.is_shut_down() {
                    thread::sleep(BACKPRESSURE_POLL);
                }
                Input::Revisions {
                    id,
                    received: ReceivedBatch::new(batch, Instant::now(), &self.budget),
                    begins,
                    is_past,
                }
            }
            WatchItem::MessageEnd(end) => Input::MessageEnd { id, end },
            WatchItem::Compacted(upto) => return Some(Err(Failure::Compacted(upto))),
            WatchItem::Refused(fault) => {
                let refusal = Refusal {
                    fault,
                    head: head.clone(),
                };
                return Some(Err(Failure::Refused(Box::new(refusal))));
            }
        };
        self.pass(input).map(Ok)
    }

    fn pass_state(&self, id: RequestId, nodes: Vec<StateNode>) -> Option<()> {
        self.pass(Input::State { id, nodes })
    }

    fn pass_head(&self, id: RequestId, head: Head) -> Option<()> {
        self.pass(Input::Head { id, head })
    }

    /// Passes on the event that ends a long poll.
    fn pass_events(&self, id: RequestId, body: ReplyBody) -> Option<Result<(), Failure>> {
        self.pass_lines(id, body, |block| self.pass_block(id, block))
    }

    /// Passes on the lines of a stream unparsed; the session's thread parses them.
    fn pass_stream(&self, id: RequestId, body: ReplyBody) -> Option<Result<(), Failure>> {
        self.pass_lines(id, body, |block| {
            let permit = self.budget.take(block.capacity());
            let lines = UnparsedLines {
                id,
                block,
                received: Instant::now(),
                permit,
            };
            self.messages.send(WorkerMessage::Lines(lines)).ok()?;
            self.budget.wait_for_output(MAX_BACKPRESSURE);
            Some(Ok(()))
        })
    }

    fn pass_lines(
        &self,
        id: RequestId,
        mut body: ReplyBody,
        pass: impl Fn(Vec<u8>) -> Option<Result<(), Failure>>,
    ) -> Option<Result<(), Failure>> {
        let mut lines = Lines::new(self.max_event);
        loop {
            let count = match body.read(lines.unfinished(), lines.unfilled()) {
                Ok(0) => break,
                Ok(count) => count,
                Err(failure) => return Some(Err(failure)),
            };
            lines.advance(count);
            match lines.block() {
                Ok(None) => {}
                Ok(Some(block)) => {
                    if let Err(failure) = pass(block)? {
                        return Some(Err(failure));
                    }
                    if let Some(spare) = self.buffers.bytes() {
                        lines.refill(spare);
                    }
                }
                Err(too_long) => return Some(Err(Failure::TooLong(too_long.limit))),
            }
        }
        // The last line may lack its newline.
        let rest = lines.rest();
        if rest.is_empty() {
            return Some(Ok(()));
        }
        let is_begun = rest.trim_ascii_start().starts_with(b"{");
        match self.pass_block(id, rest)? {
            Err(Failure::Malformed(Malformed::Shape(_))) if is_begun => {
                let why = "the reply broke off in the middle of an event".to_owned();
                Some(Err(Failure::Cut(why)))
            }
            other => Some(other),
        }
    }

    fn pass_block(&self, id: RequestId, block: Vec<u8>) -> Option<Result<(), Failure>> {
        match v2::parse_events(block) {
            Ok(batch) if batch.is_empty() => Some(Ok(())),
            Ok(batch) => {
                let received = ReceivedBatch::new(batch, Instant::now(), &self.budget);
                self.pass(Input::Events { id, received }).map(Ok)
            }
            Err(malformed) => Some(Err(Failure::Malformed(malformed))),
        }
    }

    /// Passes on an input of the session; `None` once the session is gone.
    fn pass(&self, input: Input) -> Option<()> {
        self.messages.send(input.into()).ok()
    }
}

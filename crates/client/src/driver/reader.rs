//! Turns replies into inputs of the session.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::message::{UnparsedLines, WorkerMessage};
use super::requests::{Job, Question, Reads};
use crate::transport::http::{Body, Reply};
use etcdwatch_engine::decode::{Lines, Messages, Part, TooLong};
use etcdwatch_engine::model::{Scope, StateNode};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Head, Malformed, Refusal, Request, Whole};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::v3::{Portion, Ranges, Told};
use etcdwatch_engine::watch::{Budget, End, Input, Parcel, Spares, Ticket};
use etcdwatch_engine::{v2, v3};

/// How much of a watch by v3 is read at once.
const BUFFER: usize = 64 * 1024;

/// So often it is told that a message is on its way that takes long.
const HEARD: Duration = Duration::from_millis(500);

/// A state, or what one transaction did, is never larger than this, and than so many events.
const MAX_WHOLE: usize = 1 << 30;
const EVENTS: usize = 16;

/// A burst is read no faster than it is printed, as long as that is a matter of moments: more memory
/// would make nothing faster. One who does not read on keeps each read waiting for no longer than this.
const EASE: Duration = Duration::from_millis(2);

/// How soon it is looked again whether the reader of the output has caught up.
const PRESSURE_POLL: Duration = Duration::from_millis(5);

/// The part of a worker that sends requests and reads the replies.
pub(super) struct ReplyReader {
    pub(super) scope: Scope,
    pub(super) messages: SyncSender<WorkerMessage>,
    pub(super) spares: Spares,
    pub(super) budget: Budget,
    pub(super) max_event: usize,
}

impl ReplyReader {
    /// Sends a request and passes on what comes of it; `None` once the session is gone.
    pub(super) fn carry_out(&self, job: &Job) -> Option<()> {
        let ticket = job.ticket;
        let told = match &job.question {
            Question::Request(request, reads) => self.exchange(job, request, *reads),
            Question::Revision(ranges) => self.pass_read(job, ranges, false),
            Question::Pairs(ranges) => self.pass_read(job, ranges, true),
        };
        let end = match told {
            Some(Ok(())) => End::Clean(Whole::received()),
            Some(Err(failure)) => End::Failed(failure),
            None => return None,
        };
        self.pass(Input::Ended { ticket, end })
    }

    /// What belongs together is never longer: a state, or what one transaction did.
    fn max_whole(&self) -> usize {
        let some = self.max_event.saturating_mul(EVENTS);
        some.min(MAX_WHOLE).max(self.max_event)
    }

    fn exchange(&self, job: &Job, request: &Request, reads: Reads) -> Option<Result<(), Failure>> {
        let sent = job.connection.send(&job.endpoint, request, job.limits);
        let reply = match sent {
            Ok(reply) => reply,
            Err(failure) => {
                return match (reads, failure) {
                    // The index of a key that is not there is as good as any.
                    (Reads::Index | Reads::State { .. }, Failure::Refused(refusal))
                        if fault::is_absent(refusal.fault.code) =>
                    {
                        self.pass_head(job.ticket, refusal.head)?;
                        if reads != Reads::Index {
                            self.pass_state(job.ticket, Vec::new())?;
                        }
                        Some(Ok(()))
                    }
                    (_, failure) => Some(Err(failure)),
                };
            }
        };
        // v3 tells in the body what v2 tells in the head.
        if reads != Reads::Messages {
            self.pass_head(job.ticket, reply.head.clone())?;
        }
        match reads {
            Reads::Messages => self.pass_watch(job, request, reply),
            // Only the head was asked for.
            Reads::Index => Some(reply.discard(self.max_event)),
            Reads::Events => {
                let is_delimited = reply.is_delimited;
                let passed = self.pass_events(job.ticket, reply.into_body())?;
                // HTTP/1.0, and proxies that undo chunks: a closed connection is no end of a wait.
                Some(passed.and_then(|()| {
                    let why = || Failure::Cut("it closed the connection without an end".to_owned());
                    is_delimited.then_some(()).ok_or_else(why)
                }))
            }
            Reads::Stream => self.pass_stream(job.ticket, reply.into_stream()),
            Reads::State { recursive } => {
                let state = reply
                    .read_whole(self.max_whole())
                    .and_then(|body| v2::parse_state(&body).map_err(Failure::Malformed));
                match state {
                    Ok(state) => {
                        self.pass_state(job.ticket, state.node.flatten(recursive))?;
                        Some(Ok(()))
                    }
                    Err(failure) => Some(Err(failure)),
                }
            }
        }
    }

    /// Reads ranges (v3), and passes on what they tell.
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
            // A proxy that has nothing to say.
            Err(Failure::Malformed(Malformed::Empty)) => {
                let why = "it ended the reply with nothing in it".to_owned();
                return Some(Err(Failure::Cut(why)));
            }
            Err(failure) => return Some(Err(failure)),
        };
        self.pass_head(job.ticket, head)?;
        if has_state {
            let nodes = reply.pairs.into_iter().map(StateNode::from).collect();
            self.pass_state(job.ticket, nodes)?;
        }
        Some(Ok(()))
    }

    /// Passes on what a watch by v3 tells. One that is refused may have been asked for with a token
    /// that has expired: 3.5 says that it is not permitted then. It is tried once more with another.
    fn pass_watch(
        &self,
        job: &Job,
        request: &Request,
        reply: Reply,
    ) -> Option<Result<(), Failure>> {
        let pass = reply.pass.clone();
        let mut is_registered = false;
        let told = self.pass_messages(job, reply, &mut is_registered)?;
        let is_refused = matches!(
            &told,
            Err(Failure::Refused(refusal)) if refusal.fault.code == fault::UNAUTHORIZED
        );
        if !is_refused || is_registered || !job.connection.forget(pass.as_ref()) {
            return Some(told);
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
        let mut buffer = vec![0; BUFFER];
        let mut told_at = Instant::now();
        loop {
            let unfinished = messages.unfinished() + assembler.weight();
            let count = match body.read(unfinished, &mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(failure) => return Some(Err(failure)),
            };
            let mut bytes = buffer.get(..count).unwrap_or_default();
            loop {
                let told = match messages.next(&mut bytes) {
                    Ok(None) => break,
                    Ok(Some(Part::Element(text))) => assembler
                        .event(text)
                        .map(|portion| portion.map(Told::Events).into_iter().collect()),
                    Ok(Some(Part::Message(text))) => assembler.message(text),
                    Err(TooLong { limit }) => return Some(Err(Failure::TooLong(limit))),
                };
                if assembler.weight() > self.max_whole() {
                    return Some(Err(Failure::TooLong(self.max_whole())));
                }
                let told: Vec<Told> = match told {
                    Ok(told) => told,
                    Err(malformed) => return Some(Err(Failure::Malformed(malformed))),
                };
                let weight = assembler.weight();
                let mut keep_turn = || body.wait(weight);
                for told in told {
                    told_at = Instant::now();
                    *is_registered |= matches!(told, Told::Created { .. });
                    if !*is_registered && matches!(told, Told::Events(_) | Told::MessageEnd(_)) {
                        let what = "what happened before the watch began".to_owned();
                        return Some(Err(Failure::Malformed(Malformed::Shape(what))));
                    }
                    if let Err(failure) = self.pass_told(job, head, told, &mut keep_turn)? {
                        return Some(Err(failure));
                    }
                }
            }
            if told_at.elapsed() >= HEARD {
                told_at = Instant::now();
                self.pass(Input::Heard { ticket: job.ticket })?;
            }
        }
        if messages.is_broken_off() {
            let why = "the reply broke off in the middle of a message".to_owned();
            return Some(Err(Failure::Cut(why)));
        }
        Some(Ok(()))
    }

    fn pass_told(
        &self,
        job: &Job,
        head: &Head,
        told: Told,
        keep_turn: &mut impl FnMut() -> Result<(), Failure>,
    ) -> Option<Result<(), Failure>> {
        let ticket = job.ticket;
        let input = match told {
            Told::Created { revision, cluster } => Input::Head {
                ticket,
                head: Head {
                    index: Some(revision),
                    cluster: Some(cluster),
                    ..head.clone()
                },
            },
            Told::Events(Portion {
                batch,
                begins,
                is_past,
            }) => {
                // The server waits, and its history goes on: nothing is lost by reading later.
                while self.budget.is_spent() && !job.connection.is_shut_down() {
                    if let Err(failure) = keep_turn() {
                        return Some(Err(failure));
                    }
                    thread::sleep(PRESSURE_POLL);
                }
                Input::Revisions {
                    ticket,
                    parcel: Parcel::new(batch, Instant::now(), &self.budget),
                    begins,
                    is_past,
                }
            }
            Told::MessageEnd(end) => Input::MessageEnd { ticket, end },
            Told::Compacted(upto) => return Some(Err(Failure::Compacted(upto))),
            Told::Refused(fault) => {
                let refusal = Refusal {
                    fault,
                    head: head.clone(),
                };
                return Some(Err(Failure::Refused(Box::new(refusal))));
            }
        };
        self.pass(input).map(Ok)
    }

    fn pass_state(&self, ticket: Ticket, nodes: Vec<StateNode>) -> Option<()> {
        self.pass(Input::State { ticket, nodes })
    }

    fn pass_head(&self, ticket: Ticket, head: Head) -> Option<()> {
        self.pass(Input::Head { ticket, head })
    }

    /// Passes on the event that is the answer to a question.
    fn pass_events(&self, ticket: Ticket, body: Body) -> Option<Result<(), Failure>> {
        self.pass_lines(ticket, body, |block| self.pass_block(ticket, block))
    }

    /// Passes on the lines of a stream as they are: to read them is another thread's.
    fn pass_stream(&self, ticket: Ticket, body: Body) -> Option<Result<(), Failure>> {
        self.pass_lines(ticket, body, |block| {
            let permit = self.budget.take(block.capacity());
            let lines = UnparsedLines {
                ticket,
                block,
                received: Instant::now(),
                permit,
            };
            self.messages.send(WorkerMessage::Lines(lines)).ok()?;
            self.budget.ease(EASE);
            Some(Ok(()))
        })
    }

    fn pass_lines(
        &self,
        ticket: Ticket,
        mut body: Body,
        pass: impl Fn(Vec<u8>) -> Option<Result<(), Failure>>,
    ) -> Option<Result<(), Failure>> {
        let mut lines = Lines::new(self.max_event);
        loop {
            let count = match body.read(lines.unfinished(), lines.room()) {
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
                    if let Some(spare) = self.spares.bytes() {
                        lines.refill(spare);
                    }
                }
                Err(too_long) => return Some(Err(Failure::TooLong(too_long.limit))),
            }
        }
        // A last line without its newline is one all the same, if it is whole.
        let rest = lines.rest();
        if rest.is_empty() {
            return Some(Ok(()));
        }
        let is_begun = rest.trim_ascii_start().starts_with(b"{");
        match self.pass_block(ticket, rest)? {
            Err(Failure::Malformed(Malformed::Shape(_))) if is_begun => {
                let why = "the reply broke off in the middle of an event".to_owned();
                Some(Err(Failure::Cut(why)))
            }
            other => Some(other),
        }
    }

    fn pass_block(&self, ticket: Ticket, block: Vec<u8>) -> Option<Result<(), Failure>> {
        match v2::parse_events(block) {
            Ok(batch) if batch.is_empty() => Some(Ok(())),
            Ok(batch) => {
                let parcel = Parcel::new(batch, Instant::now(), &self.budget);
                self.pass(Input::Events { ticket, parcel }).map(Ok)
            }
            Err(malformed) => Some(Err(Failure::Malformed(malformed))),
        }
    }

    /// Passes on an input of the session; none once that is gone.
    fn pass(&self, input: Input) -> Option<()> {
        self.messages.send(input.into()).ok()
    }
}

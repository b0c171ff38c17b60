//! Handles the inputs of a session with the v3 API: heads, states, ends and failures. The events of the
//! stream are in `streaming`.

use super::{V3Request, V3Session};
use crate::model::{Index, StateNode};
use crate::protocol::{Failure, Head, Refusal};
use crate::v2::fault::{INDEX_CLEARED, is_passing};
use crate::v3::fault;
use crate::watch::coverage::Coverage;
use crate::watch::in_flight::{InFlight, SessionRequest as _};
use crate::watch::{NoProof, ReplyEnd, RequestId, Start};

impl V3Session {
    pub(super) fn on_head(&mut self, id: RequestId, head: &Head) {
        let Some(index) = self.take_head(id, head) else {
            return;
        };
        let now = self.now;
        let Some(one) = self.requests.get_mut(id) else {
            return;
        };
        one.head = Some((index, now));
        let one = one.clone();
        match one.request {
            V3Request::End => {
                self.on_end(index);
                self.note_fresh(one.sent_at);
            }
            V3Request::Rewind => self.on_rewind(&one, index, head),
            V3Request::State => {
                self.note_fresh(one.sent_at);
                self.stage_events(id, index);
            }
            V3Request::Fresh { .. } => self.on_fresh(&one, index, head),
            V3Request::ReadKey { .. } => self.note_fresh(one.sent_at),
            V3Request::Stream { after, .. } => {
                self.on_stream_begun(after, index);
                self.on_registered(&one, index);
            }
            V3Request::Verify { .. } => self.on_registered(&one, index),
            V3Request::Whole { at } => self.on_whole(at, head),
            V3Request::Backlog => self.on_backlog(index),
            V3Request::Unchanged { .. } | V3Request::Owed { .. } | V3Request::Compaction { .. } => {
            }
        }
    }

    /// The server has registered the stream at `index`, or answers about that revision.
    fn on_registered(&mut self, one: &InFlight<V3Request>, index: Index) {
        if self.coverage.is_some() {
            self.compare_index(one, index);
        } else if self.plan.start == Start::Now {
            self.coverage = Some(Coverage::new(index));
        }
        self.note_registered(one, index);
    }

    pub(super) fn on_state(&mut self, id: RequestId, nodes: Vec<StateNode>) {
        let Some(one) = self.requests.get(id).cloned() else {
            return;
        };
        let Some((index, _)) = one.head else {
            return;
        };
        match one.request {
            V3Request::State => self.on_state_read(id, nodes),
            V3Request::Verify { .. } => self.on_verified(index, &nodes),
            V3Request::ReadKey { .. } => self.on_key_read(&one, index),
            V3Request::Fresh { .. } => self.on_written(&one, &nodes),
            V3Request::Owed { after } => self.on_owed(&one, after, &nodes),
            V3Request::Unchanged { at, .. } => self.on_key_at_compaction(at, index, &nodes),
            _ => {}
        }
    }

    pub(super) fn on_ended(&mut self, id: RequestId, end: ReplyEnd) {
        let Some(one) = self.requests.get(id).cloned() else {
            return;
        };
        if one.request.is_stream() {
            let is_compacted = matches!(end, ReplyEnd::Failed(Failure::Compacted(_)));
            self.on_stream_ended(is_compacted);
        }
        match end {
            ReplyEnd::Clean(_) if one.head.is_some() && !one.request.hangs() => {}
            ReplyEnd::Clean(_) => {
                self.requests.remove(id);
                self.note_failure(&one, Failure::Cut("it ended the reply".to_owned()));
            }
            ReplyEnd::Failed(Failure::Compacted(upto)) => self.on_compacted(&one, upto),
            ReplyEnd::Failed(Failure::Refused(refusal)) => self.on_refusal(id, &one, refusal),
            // Events out of scope may be larger than those that are watched.
            ReplyEnd::Failed(Failure::TooLong(_)) if is_of_whole_store(&one) => {
                self.requests.remove(id);
                self.on_no_whole_store(NoProof::TooLong);
            }
            ReplyEnd::Failed(failure @ (Failure::Malformed(_) | Failure::TooLong(_))) => {
                self.fail(one.endpoint, failure);
            }
            // The stream may be well all the same: the next read takes no time.
            ReplyEnd::Failed(Failure::Silent(_)) if one.request.scans_scope() => {
                self.note_scope_scan(&one);
            }
            ReplyEnd::Failed(failure) => {
                self.requests.remove(id);
                self.note_failure(&one, failure);
            }
        }
        self.requests.remove(id);
    }

    fn on_refusal(&mut self, id: RequestId, one: &InFlight<V3Request>, refusal: Box<Refusal>) {
        let endpoint = one.endpoint;
        let Refusal { fault, head } = &*refusal;
        if !self.identify(id, endpoint, head) {
            return;
        }
        self.identity.note_reply();
        if self.take_refusal_about_revision(one, fault.code) {
            return;
        }
        // Such a refusal does not say how far history was compacted.
        let passes = is_passing(fault.code) || head.status == 503 || fault.code == INDEX_CLEARED;
        let failure = Failure::Refused(refusal);
        self.requests.remove(id);
        match one.request {
            _ if passes => self.note_failure(one, failure),
            // Some users may read only a part of the store.
            V3Request::Stream {
                whole_store: true, ..
            } => self.on_no_whole_store(NoProof::WholeStoreRefused),
            V3Request::Compaction { .. } => self.on_no_compaction(),
            V3Request::ReadKey { .. } | V3Request::Verify { .. } => self.trust_store(),
            _ => self.fail(endpoint, failure),
        }
    }

    /// Handles a refusal that is an answer: about a revision that was compacted or is still to come, or a
    /// message that was too large and can be sent in fragments. Returns false if the refusal is none.
    fn take_refusal_about_revision(&mut self, one: &InFlight<V3Request>, code: u32) -> bool {
        if code == fault::TOO_LARGE
            && let V3Request::Stream { in_fragments, .. }
            | V3Request::Compaction { in_fragments, .. } = one.request
        {
            self.api.in_fragments = true;
            return !in_fragments;
        }
        if !matches!(code, INDEX_CLEARED | fault::FUTURE) {
            return false;
        }
        self.endpoints.answered();
        match one.request {
            V3Request::Verify { .. } => self.on_verify_refused(code),
            V3Request::Whole { at } if code == INDEX_CLEARED => self.on_not_whole(at),
            // The store is behind that revision, or went back. The head of the next stream shows which.
            V3Request::Whole { .. } => {
                self.end_stream();
                let why = "it does not have the revision of an event that was printed".to_owned();
                self.note_failure(one, Failure::Cut(why));
            }
            // More was compacted since. The stream says how much.
            V3Request::Unchanged { .. } => self.api.stream.compacted_to = None,
            _ => return false,
        }
        true
    }
}

fn is_of_whole_store(one: &InFlight<V3Request>) -> bool {
    matches!(
        one.request,
        V3Request::Stream {
            whole_store: true,
            ..
        }
    )
}

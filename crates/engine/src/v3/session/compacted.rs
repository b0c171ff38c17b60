//! What a session does where history was compacted before the stream came to it.

use super::doubts::Compaction;
use super::{V3Request, V3Session};
use crate::model::{Cause, Fingerprint, Index, StateNode};
use crate::watch::Start;
use crate::watch::evidence::Proof;
use crate::watch::in_flight::InFlight;

impl V3Session {
    /// The history that the stream was to bring was compacted, up to a revision.
    pub(super) fn on_compacted(&mut self, one: &InFlight<V3Request>, upto: Index) {
        if matches!(one.request, V3Request::Compaction { .. }) {
            self.api.stream.doubts.compaction = Some(Compaction::Upto(upto));
            self.wake_now();
        }
        if !one.request.is_stream() {
            return;
        }
        if upto > self.high_water {
            // A member may report a compaction beyond the newest revision that the session knows, and may
            // repeat that. The next stream is therefore opened later each time.
            self.slow_down(one);
        }
        self.oldest = Some(upto.next());
        if self.plan.start == Start::Oldest && !self.has_begun {
            // Nothing was promised yet: the oldest is what the server has now.
            self.begin_at_oldest(upto);
            return;
        }
        if self.cursor().is_some_and(|cursor| cursor >= upto) {
            // A member that took a snapshot looks for revisions that were reported already.
            self.slow_down(one);
            return;
        }
        let is_known = self.cursor() > Some(Index::ZERO) && self.resync.staged.is_none();
        if self.plan.scope.is_one_key() && is_known {
            self.api.stream.compacted_to = Some(upto);
        } else {
            self.lose_revisions(upto);
        }
    }

    /// Revisions after the cursor are lost, at most to where a replay ends.
    pub(super) fn lose_revisions(&mut self, upto: Index) {
        self.lose(upto, Cause::Compacted);
    }

    /// The one key that is watched, as it was at revision `upto`, where history begins. The last write
    /// to it before is either reported or lost. The store is at `index`.
    pub(super) fn on_key_at_compaction(&mut self, upto: Index, index: Index, nodes: &[StateNode]) {
        let Some(cursor) = self.cursor() else {
            return;
        };
        self.api.stream.compacted_to = None;
        let unchanged = nodes.iter().find_map(|node| {
            let proof = Proof::of_unchanged_key(cursor, upto, node)?;
            Some((node, proof))
        });
        let Some((node, proof)) = unchanged else {
            self.lose_revisions(upto);
            return;
        };
        // The last write to the key is the last event that was reported, or this is another store.
        let is_other = |last: &Fingerprint| {
            (last.index, last.created) != (node.modified, node.created) || !last.has_value_of(node)
        };
        let last = self.identity.last.as_ref().map(|last| &last.event);
        if last.is_some_and(is_other) {
            self.replace_store(Cause::IndexRewound, index);
        } else if let Some(coverage) = &mut self.coverage {
            coverage.prove(proof);
        }
    }
}

//! Whether the store is still the one that was watched, with the v3 API.
//!
//! etcd has every key as it was at any revision that is not compacted. The key of the last event is
//! read at the revision up to which everything was reported: the last event at it must be that one. A
//! store that does not have that revision is asked for its key now, which shows how far it has come.

use super::V3Session;
use crate::model::{Cause, Index, StateNode};
use crate::v3::fault;
use crate::watch::in_flight::InFlight;

/// What a comparison asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V3ComparisonStage {
    /// The key of the last event, as it was at the revision up to which everything was reported.
    Event,
    /// That key, as it is now.
    Key,
}

impl V3Session {
    /// The key of the last event, as it was where everything was reported.
    pub(super) fn on_verified(&mut self, index: Index, nodes: &[StateNode]) {
        let Some(comparison) = &self.identity.comparison else {
            return;
        };
        let last = &comparison.last.event;
        let at_key = nodes.iter().find(|node| node.key == last.key);
        let is_same = match at_key {
            Some(node) => {
                (node.modified, node.created) == (last.index, last.created)
                    && last.has_value_of(node)
            }
            // A delete does not say when its key was created.
            None => last.created == Index::ZERO,
        };
        if is_same {
            self.trust_store();
        } else {
            self.replace_store(Cause::IndexRewound, index);
        }
    }

    /// The store has no history any more where everything was reported, or none yet.
    pub(super) fn on_verify_refused(&mut self, code: u32) {
        if code == fault::FUTURE
            && let Some(comparison) = &mut self.identity.comparison
        {
            // The store is behind that revision. Reading the key shows how far it is.
            comparison.stage = V3ComparisonStage::Key;
        } else {
            // A watch finds the same, and that is a gap.
            self.trust_store();
        }
    }

    /// The key of the last event, as it is now.
    pub(super) fn on_key_read(&mut self, one: &InFlight<super::V3Request>, index: Index) {
        let Some(comparison) = &mut self.identity.comparison else {
            return;
        };
        if comparison.stage != V3ComparisonStage::Key {
            // It was asked before a failure, after which the comparison began anew.
            return;
        }
        if index < one.cursor.max(one.wanted) {
            self.replace_store(Cause::IndexRewound, index);
        } else {
            // The store has come so far since, and has that revision now, or another one.
            comparison.stage = V3ComparisonStage::Event;
        }
    }
}

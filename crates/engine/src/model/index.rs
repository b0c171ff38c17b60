//! Positions in the store.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A position in the store: the `modifiedIndex` and `X-Etcd-Index` of v2, or a revision of v3.
///
/// The store counts from 1, and 0 is the position before everything. With v2 every write takes one
/// index, so an index names at most one event. With v3 a revision names all events of a transaction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Index(pub u64);

impl Index {
    /// The position before everything.
    pub const ZERO: Self = Self(0);

    /// The next index.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The index before; [`Index::ZERO`] stays itself.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The number of indexes in `(earlier, self]`; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

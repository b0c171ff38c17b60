//! A position in etcd's history.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A position in the store's history: v2's `modifiedIndex` and `X-Etcd-Index`.
///
/// The store counts from 1; 0 stands for "before everything". Every write takes one index,
/// so an index names at most one event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Index(pub u64);

impl Index {
    /// Before everything.
    pub const ZERO: Self = Self(0);

    /// The index that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The index before; that of [`Index::ZERO`] is itself.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How many indexes lie in `(earlier, self]`; 0 where `earlier` is not earlier.
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

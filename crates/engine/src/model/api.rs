//! Which of etcd's APIs something is of.

/// One of etcd's APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/v2/keys`.
    V2,
    /// The JSON gateway.
    V3,
}

impl Api {
    /// Both, in the order in which they are tried.
    pub const ALL: [Self; 2] = [Self::V2, Self::V3];

    /// Its name, as `--api` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

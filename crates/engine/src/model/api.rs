//! The two APIs of etcd.

/// One of etcd's APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The v2 API, `/v2/keys`.
    V2,
    /// The v3 API, through its JSON gateway.
    V3,
}

impl Api {
    /// Both APIs, in the order in which etcdwatch tries them.
    pub const ALL: [Self; 2] = [Self::V2, Self::V3];

    /// The name, as in `--api`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

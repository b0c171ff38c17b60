//! What may be chosen for a run.

/// Which of etcd's APIs may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiChoice {
    /// The one that the server has, and that has the key.
    Auto,
    /// The v2 API alone.
    V2,
    /// The v3 API alone.
    V3,
}

/// How records and errors are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// TAB-separated fields.
    Text,
    /// JSON Lines.
    Json,
}

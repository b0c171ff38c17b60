//! The values of `--api` and `--output`.

/// The value of `--api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiChoice {
    /// v2 if the server has it on and it has the key, otherwise v3.
    Auto,
    /// The v2 API only.
    V2,
    /// The v3 API only.
    V3,
}

/// The value of `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// TAB-separated fields.
    Text,
    /// JSON Lines.
    Json,
}

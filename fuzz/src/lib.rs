//! The fuzz targets: one function each, which takes any bytes and panics on a finding.
//!
//! The ordinary tests run the same functions on the corpora (`tests/fuzz.rs`).

pub mod bytes;
pub mod checkpoint;
pub mod escape;
pub mod frames;
pub mod languages;
pub mod session;
pub mod v2;
pub mod v3;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Every target with the name of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("checkpoint", checkpoint::run),
    ("escape", escape::run),
    ("frames", frames::run),
    ("languages", languages::run),
    ("session", session::run),
    ("v2", v2::run),
    ("v3", v3::run),
];

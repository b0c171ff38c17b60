//! The files of the repository that the tasks read and write.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The files of one directory: name and content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

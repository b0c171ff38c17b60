//! Runs a command for the records of a watch: `watch --stream KEY -- CMD`.
//!
//! [`queue`] decides what runs next and is pure; [`child`] runs it.

pub mod child;
pub mod queue;

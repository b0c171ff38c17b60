//! A command that is run for what a watch tells: `watch --stream KEY -- CMD`.
//!
//! [`queue`] decides what is run next and is pure; [`child`] runs it.

pub mod child;
pub mod queue;

//! Renders records, errors and notices, with one file per format.
//!
//! In scope: the bytes of the output. Out of scope: when and where they are written (`run::inbox`).

pub mod clock;
pub mod control;
pub mod difference;
pub mod drift;
pub mod json;
mod margin;
pub mod notice;
pub mod progress;
pub mod renderer;
mod shape;
pub mod template;
pub mod text;

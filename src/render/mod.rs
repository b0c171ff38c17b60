//! Records as a person or a script reads them: one file a form.
//!
//! In scope: bytes of output for updates, reads, errors and notices. Out of scope: when, and
//! to where (`inbox`).

pub mod clock;
pub mod difference;
pub mod drift;
pub mod json;
mod margin;
pub mod notice;
pub mod own;
pub mod progress;
pub mod renderer;
mod shape;
pub mod template;
pub mod text;

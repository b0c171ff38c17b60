//! One short function a command.

pub mod check;
pub mod completions;
pub mod condition;
pub mod doctor;
pub mod get;
pub mod record;
pub mod replay;
pub mod request;
pub mod rm;
pub mod set;
pub mod transaction;
pub mod watch;
mod watching;

//! One module per command, each with a function `run`.

pub mod check;
pub mod completions;
pub mod doctor;
pub mod get;
pub mod replay;
pub mod request;
pub mod rm;
pub mod set;
pub mod v2_request;
pub mod v3_request;
pub mod watch;
mod watching;

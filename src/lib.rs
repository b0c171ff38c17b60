//! etcdwatch
pub mod app;
pub mod cli;
pub mod commands;
pub mod decode;
pub mod error;
pub mod exit;
pub mod http;
pub mod inbox;
pub mod model;
pub mod print;
pub mod protocol;
pub mod settings;
pub mod show;
pub mod signal;
pub mod watch;

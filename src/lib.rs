//! The library behind the `etcdwatch` command: what a user types, and what a user sees.
//!
//! Two crates lie below it, and the compiler keeps them apart: `etcdwatch-client` speaks with servers,
//! and `etcdwatch-engine` decides, without I/O. Imports point downward only.
//!
//! - [`cli`] is what may be typed, [`config`] resolves it with the environment, and [`settings`] holds
//!   the result, which knows nothing of clap.
//! - [`commands`] has one function a command. A request that is answered once goes through
//!   [`commands::request`].
//! - [`run`] is the loop of a run. A watch of any command is [`run::watching`].
//! - [`sink`] takes the updates of a watch: it prints records, waits for a condition, runs a command for
//!   each record ([`exec`]), or compares the state with a file.
//! - [`render`] turns records into text, JSON, a template or a diff.
//! - [`filter`] and [`mod@wait`] choose records and say what `--until` waits for; [`checkpoint`] says where
//!   the next run goes on.
//! - [`desired`] and [`drift`] compare a file with a cluster, for `check`; [`doctor`] examines a cluster.
//! - [`error`] says what went wrong and what to do about it, and [`exit`] how the process ends.
//!
//! An event travels from the transport through the session, as an update, to the sink, and through the
//! renderer to standard output.

pub mod app;
pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod config;
pub mod desired;
pub mod doctor;
pub mod drift;
pub mod error;
pub mod exec;
pub mod exit;
pub mod filter;
pub mod render;
pub mod run;
pub mod settings;
pub mod sink;
pub mod wait;

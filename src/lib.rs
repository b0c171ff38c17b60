//! The library behind the `etcdwatch` command: the command line, and everything that a user sees.
//!
//! It depends on two crates: `etcdwatch-client` sends requests to servers, and `etcdwatch-engine` makes the
//! decisions, without I/O.
//!
//! - [`cli`] defines the arguments with clap, [`config`] resolves them with the environment, and [`settings`]
//!   holds the result as plain values.
//! - [`commands`] has one module per command. A command that sends single requests uses
//!   [`commands::request`].
//! - [`run`] has the loop of a run. [`run::watching`] runs the watch of any command.
//! - [`sink`] takes the updates of a watch: it prints records, waits for a condition, runs a command for
//!   each record ([`exec`]), or compares the state with a file.
//! - [`render`] turns records into text, JSON, a template or a diff.
//! - [`filter`] selects records, [`mod@wait`] tests the condition of `--until`, and [`checkpoint`] saves the
//!   cursor for the next run.
//! - [`desired`] and [`drift`] compare a file with a cluster, for `check`. [`doctor`] examines a cluster.
//! - [`error`] has the messages and hints, and [`exit`] the exit codes.
//!
//! An event goes from the transport through the session to a sink, as an update, and through the renderer to
//! standard output.

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

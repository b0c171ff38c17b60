//! Watch etcd and lose nothing: the library behind the `etcdwatch` command.
//!
//! The house, top to bottom; imports point downward only:
//!
//! ```text
//! main → app → commands → { show, watching, doctor, inbox, print, http }
//!                           show → watching → watch::driver → watch::session  (pure)
//!                                                           → protocol        (pure)
//!                                                           → decode          (pure)
//! everyone → model (pure);  error and exit stand beside app
//! ```
//!
//! - What may be typed is in [`cli`]; what holds for a run in [`settings`].
//! - A request that is answered once goes through [`commands::request`].
//! - By which API something is watched is in [`apis`].
//! - A watch: bytes become lines in [`decode`], events in [`protocol`]; [`watch::session`]
//!   decides what is proven and what is asked next; [`watch::driver`] has the threads;
//!   [`watching`] runs it by whichever API has what is watched, and gives what comes out to a viewer,
//!   in the one loop of [`inbox`].
//! - Viewers: [`show`] turns it into records by [`mod@print`], as far as [`filter`] lets them pass, or
//!   runs a command for each ([`exec`]); [`mod@wait`] is what `--until` waits for; `check` compares it
//!   with a file ([`desired`], [`drift`]); [`doctor`] counts it, and asks each endpoint how it is.
//! - An error says in [`error`] what it means, what to do, and how the process ends
//!   ([`exit`]).

pub mod apis;
pub mod app;
pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod decode;
pub mod desired;
pub mod doctor;
pub mod drift;
pub mod error;
pub mod exec;
pub mod exit;
pub mod filter;
pub mod http;
pub mod inbox;
pub mod model;
pub mod print;
pub mod prompt;
pub mod protocol;
pub mod settings;
pub mod show;
pub mod signal;
pub mod wait;
pub mod watch;
pub mod watching;

//! How etcdwatch talks to etcd.
//!
//! - [`config`], [`endpoint`], [`credentials`]: what connections are made with.
//! - [`transport`]: requests of the engine become bytes, and bytes become its messages.
//! - [`driver`]: the threads of a watch. What to ask, and when, the engine's session decides.

pub mod config;
pub mod credentials;
pub mod driver;
pub mod endpoint;
mod error;
pub mod transport;

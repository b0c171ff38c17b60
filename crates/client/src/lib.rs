//! The client side of etcdwatch: connections to etcd, and the threads of a watch.
//!
//! - [`config`], [`endpoint`], [`credentials`]: the configuration of connections.
//! - [`transport`]: turns requests of the engine into bytes, and bytes into replies.
//! - [`driver`]: the threads of a watch. The engine's session decides what to request, and when.

pub mod config;
pub mod credentials;
pub mod driver;
pub mod endpoint;
mod error;
pub mod transport;

//! The transports to etcd.

pub mod http;
mod memory;

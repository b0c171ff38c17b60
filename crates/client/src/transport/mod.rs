//! The ways to speak with etcd.

pub mod http;
mod memory;

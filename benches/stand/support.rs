//! Parts of the integration tests' harness that measurements need too: a slow network, and a writer
//! that shares no code with the tool.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "code of the tests, seen from here"
)]

#[path = "../../tests/it/support/ports.rs"]
mod ports;
#[path = "../../tests/it/support/proxy.rs"]
pub mod proxy;
#[path = "../../tests/it/support/v2.rs"]
pub mod v2;
#[path = "../../tests/it/support/wait.rs"]
mod wait;

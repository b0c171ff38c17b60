//! Tests of the harness in `support`, with a module for each of its modules.

mod etcd;
mod oracle;
mod proxy;
mod scripted;
mod tool;
mod v2;
mod wait;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of the panic that `action` must cause.
fn panic_message<T>(action: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(action)) else {
        panic!("it should have panicked");
    };
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        })
        .expect("a message")
}

//! Prints the decisions of a watch (`-vv`): the engine's `tracing` events as lines.

use std::fmt::{self, Write as _};
use std::time::Instant;

use etcdwatch_client::transport::http::Log;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The crate of the decisions that are printed.
const ENGINE: &str = "etcdwatch_engine";

/// Prints the decisions of every watch of this process from now on. Without this call each decision
/// costs only the test of a flag.
pub fn start(log: Log) {
    let began = Instant::now();
    // Only tests start two runs in one process; the first of them keeps the lines.
    let _ = tracing::subscriber::set_global_default(Decisions { began, log });
}

/// Takes the events of the engine.
struct Decisions {
    began: Instant,
    log: Log,
}

impl Subscriber for Decisions {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with(ENGINE)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let seconds = self.began.elapsed().as_secs_f64();
        (self.log)(format!("* {seconds:.3} {}{}", line.message, line.fields));
    }

    // The engine has no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        // This omits the quotes of Debug.
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn only_decisions_of_the_engine_are_traced_each_as_one_line() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let printed = Arc::clone(&lines);
        let decisions = Decisions {
            began: Instant::now(),
            log: Arc::new(move |line| printed.lock().unwrap().push(line)),
        };
        tracing::subscriber::with_default(decisions, || {
            tracing::debug!(target: "etcdwatch_engine::watch", request = "probe", after = 7, "send");
            tracing::debug!(target: "another_crate", "noise");
        });
        let lines = lines.lock().unwrap();
        let [line] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert!(line.starts_with("* 0."), "{line}");
        assert!(line.ends_with(" send request=probe after=7"), "{line}");
    }
}

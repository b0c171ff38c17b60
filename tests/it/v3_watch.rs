//! `watch` and `replay` over v3, through the JSON gateway.

mod backpressure;
mod compaction;
mod events;
mod replay;
mod resume;

use serde_json::Value;

use crate::support::follow;
use crate::support::tool::{Output, Program, Running};

/// The tool with the v3 API, not yet started.
pub fn with_v3(url: &str, arguments: &[&str]) -> Program {
    Program::tool(
        &[
            &["--endpoints", url, "--api", "v3", "-o", "json"],
            arguments,
        ]
        .concat(),
    )
}

/// Runs the tool with the v3 API to its end.
#[track_caller]
pub fn run(url: &str, arguments: &[&str]) -> Output {
    with_v3(url, arguments).run()
}

/// The records of a run that exited with 0 and an empty stderr.
#[track_caller]
pub fn records(url: &str, arguments: &[&str]) -> Vec<Value> {
    let output = run(url, arguments);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    output.json()
}

/// `index action key` of each record, with the lost range in place of the key for a gap.
pub fn brief(records: &[Value]) -> Vec<String> {
    let brief = |record: &Value| {
        let index = follow::index(record);
        let action = record["action"].as_str().unwrap();
        let about = match (&record["node"]["key"], &record["lost"]) {
            (Value::String(key), _) => format!(" {key}"),
            (_, Value::Object(lost)) => format!(" {}-{}", lost["from"], lost["to"]),
            _ => String::new(),
        };
        format!("{index} {action}{about}")
    };
    records.iter().map(brief).collect()
}

#[track_caller]
fn live(url: &str, arguments: &[&str]) -> Running {
    follow::live(url, &[&["--api", "v3"], arguments].concat())
}

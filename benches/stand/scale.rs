//! The CPU time per event with few or many keys, for etcdwatch and `curl -sN` on the same writes.

use std::time::Duration;

use crate::Outcome;
use crate::clients::{self, Client};
use crate::support::v2::Writer;

/// A stream that is silent for this long was dropped by the server.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the CPU time per event in microseconds, of the tool and of `curl`, and the number of
/// events that `curl` received.
pub fn scale(tool: &str, url: &str, keys: u32, events: u32) -> Outcome<()> {
    let tool = Client::tool(tool, url)?;
    let curl = Client::curl(url)?;
    clients::register(&[&tool, &curl], url)?;
    let (tool_before, curl_before) = (tool.cpu()?, curl.cpu()?);
    let mut writer = Writer::connect(url);
    for number in 0..events {
        writer.put(&format!("/app/key{}", number % keys), &number.to_string());
    }
    for number in 0..events {
        tool.line_of(&number.to_string())?;
    }
    let mut printed = 0;
    while printed < events && curl.line_within(PATIENCE).is_some() {
        printed += 1;
    }
    let of_one = |cpu: Duration, events: u32| cpu.as_secs_f64() * 1e6 / f64::from(events.max(1));
    println!(
        "{:.1} {:.1} {printed}",
        of_one(tool.cpu()?.saturating_sub(tool_before), events),
        of_one(curl.cpu()?.saturating_sub(curl_before), printed)
    );
    Ok(())
}

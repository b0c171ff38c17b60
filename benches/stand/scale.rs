//! What an event costs in CPU time where few or many keys are watched: etcdwatch and `curl -sN`, side
//! by side on the same writes.

use std::time::Duration;

use crate::Outcome;
use crate::clients::{self, Client};
use crate::support::v2::Writer;

/// After which a stream that brought nothing is taken for one that the server has dropped.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the CPU time of one event in microseconds, of the tool and of `curl`, and how many events
/// `curl` was told of.
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
    let mut told = 0;
    while told < events && curl.line_within(PATIENCE).is_some() {
        told += 1;
    }
    let of_one = |cpu: Duration, events: u32| cpu.as_secs_f64() * 1e6 / f64::from(events.max(1));
    println!(
        "{:.1} {:.1} {told}",
        of_one(tool.cpu()?.saturating_sub(tool_before), events),
        of_one(curl.cpu()?.saturating_sub(curl_before), told)
    );
    Ok(())
}

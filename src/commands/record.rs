//! The record that a write prints.

use super::request::Answer;
use crate::error::Error;
use crate::render::{json, text};
use crate::settings::{OutputFormat, Settings};
use etcdwatch_engine::model::{Batch, Record};
use etcdwatch_engine::protocol::Malformed;
use etcdwatch_engine::v2;

/// How it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    is_json: bool,
    is_terminal: bool,
    is_colored: bool,
}

impl Look {
    /// As the settings ask for it.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            is_json: settings.output == OutputFormat::Json,
            is_terminal: settings.stdout_is_terminal,
            is_colored: settings.color,
        }
    }
}

/// Renders the events that a write made.
#[must_use]
pub fn render_batch(batch: &Batch, look: Look) -> Vec<u8> {
    let style = text::Style {
        aligned: look.is_terminal,
        colored: look.is_colored,
        ..text::Style::default()
    };
    let mut records = Vec::new();
    let mut line = String::new();
    for event in batch.iter().map(Record::Event) {
        if look.is_json {
            json::record(&event, look.is_terminal, &mut records);
        } else {
            text::record(&event, style, &mut line);
        }
    }
    records.extend_from_slice(line.as_bytes());
    records
}

/// Renders the answer to a write by v2.
///
/// # Errors
/// Where it is not one.
pub fn render(mut answer: Answer, look: Look) -> Result<Vec<u8>, Error> {
    let body = json::one_line(&std::mem::take(&mut answer.body));
    let batch = v2::parse_events(body).map_err(|error| answer.malformed_after_write(error))?;
    if batch.is_empty() {
        return Err(answer.malformed_after_write(Malformed::shape(b"", "")));
    }
    Ok(render_batch(&batch, look))
}

//! Renders records and writes them to standard output in large pieces.

use std::time::Instant;

use crate::render::control::ControlRecord;
use crate::render::renderer::Renderer;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use etcdwatch_engine::model::Record;

/// The largest buffer that is kept after a write, in bytes.
const MAX_KEPT_BUFFER: usize = 1 << 20;
/// The number of gathered bytes that are written even if more records wait.
const FLUSH_SIZE: usize = 128 << 10;
/// From this size on, in bytes, lines that are printed as received are written without a copy.
const MIN_UNCOPIED: usize = 32 << 10;

/// Renders records into a buffer, and writes the buffer.
#[derive(Debug)]
pub struct Printer {
    renderer: Renderer,
    gathered: Vec<u8>,
    /// Whether a write failed, so that an unknown part of it was not written.
    is_cut: bool,
}

impl Printer {
    /// A printer with an empty buffer.
    #[must_use]
    pub fn new(renderer: Renderer) -> Self {
        Self {
            renderer,
            gathered: Vec::new(),
            is_cut: false,
        }
    }

    /// Whether an event is printed as the line that etcd sent.
    #[must_use]
    pub fn is_as_sent(&self) -> bool {
        self.renderer.is_as_sent()
    }

    /// Renders a record that was received at this time.
    pub fn record(&mut self, record: &Record<'_>, received: Instant) {
        self.renderer.record(record, received, &mut self.gathered);
    }

    /// Renders a control record.
    pub fn control(&mut self, record: &ControlRecord<'_>) {
        self.renderer
            .control(record, Instant::now(), &mut self.gathered);
    }

    /// Whether lines are short enough to be copied to the buffer.
    #[must_use]
    pub fn gathers(lines: &[u8]) -> bool {
        lines.len() < MIN_UNCOPIED
    }

    /// Takes lines as received. Copies them to the buffer, or writes them if they are long.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn lines(&mut self, lines: &[u8], inbox: &Inbox) -> Result<(), Stop> {
        if Self::gathers(lines) {
            self.gathered.extend_from_slice(lines);
            return Ok(());
        }
        self.flush(inbox)?;
        self.write(|_| inbox.screen.pass_on(lines))
    }

    /// Whether the buffer has reached `FLUSH_SIZE`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.gathered.len() >= FLUSH_SIZE
    }

    /// Writes the buffer. Returns whether everything that was taken is written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self, inbox: &Inbox) -> Result<bool, Stop> {
        if !self.is_cut && !self.gathered.is_empty() {
            self.write(|gathered| inbox.screen.print(gathered))?;
            self.gathered.shrink_to(MAX_KEPT_BUFFER);
        }
        Ok(!self.is_cut)
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Stop>) -> Result<(), Stop> {
        // After a failure, the number of written bytes is unknown.
        self.is_cut = true;
        write(&mut self.gathered)?;
        self.is_cut = false;
        Ok(())
    }
}

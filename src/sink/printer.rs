//! Records on their way to standard output.

use std::time::Instant;

use crate::render::own::OwnRecord;
use crate::render::renderer::Renderer;
use crate::run::inbox::{Inbox, Stop};
use etcdwatch_engine::model::Record;

/// A buffer that once held a large record is given back.
const KEPT_BUFFER: usize = 1 << 20;
/// So much is written at once, though more has come meanwhile.
const WRITTEN_AT_ONCE: usize = 128 << 10;
/// Lines of events that are as they came, and have so many bytes, are written from where they are; fewer
/// are gathered.
const NOT_GATHERED: usize = 32 << 10;

/// Renders records, gathers them and writes them.
#[derive(Debug)]
pub struct Printer {
    renderer: Renderer,
    gathered: Vec<u8>,
    /// Something could not be written, or not all of it: what was taken is not done with.
    is_cut: bool,
}

impl Printer {
    /// Writes records as `renderer` renders them.
    #[must_use]
    pub fn new(renderer: Renderer) -> Self {
        Self {
            renderer,
            gathered: Vec::new(),
            is_cut: false,
        }
    }

    /// Whether an event is printed as etcd sent it, in a line.
    #[must_use]
    pub fn is_as_sent(&self) -> bool {
        self.renderer.is_as_sent()
    }

    /// Takes a record that was received at that time.
    pub fn record(&mut self, record: &Record<'_>, received: Instant) {
        self.renderer.record(record, received, &mut self.gathered);
    }

    /// Takes a record of etcdwatch itself.
    pub fn own(&mut self, record: &OwnRecord<'_>) {
        self.renderer
            .own(record, Instant::now(), &mut self.gathered);
    }

    /// Whether these lines are few enough to be gathered.
    #[must_use]
    pub fn gathers(lines: &[u8]) -> bool {
        lines.len() < NOT_GATHERED
    }

    /// Takes lines as they are: gathers them, or writes them from where they are.
    ///
    /// # Errors
    /// Where they can't be written.
    pub fn lines(&mut self, lines: &[u8], inbox: &Inbox) -> Result<(), Stop> {
        if Self::gathers(lines) {
            self.gathered.extend_from_slice(lines);
            return Ok(());
        }
        self.flush(inbox)?;
        self.write(|_| inbox.screen.pass_on(lines))
    }

    /// Whether so much is gathered that it is written at once.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.gathered.len() >= WRITTEN_AT_ONCE
    }

    /// Writes what was gathered. Returns whether all that was taken is written by then.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn flush(&mut self, inbox: &Inbox) -> Result<bool, Stop> {
        if !self.is_cut && !self.gathered.is_empty() {
            self.write(|gathered| inbox.screen.print(gathered))?;
            self.gathered.shrink_to(KEPT_BUFFER);
        }
        Ok(!self.is_cut)
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Stop>) -> Result<(), Stop> {
        // Where that fails, how much of it was written is not known.
        self.is_cut = true;
        write(&mut self.gathered)?;
        self.is_cut = false;
        Ok(())
    }
}

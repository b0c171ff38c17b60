//! Prints the records of a watch.

use std::time::Instant;

use super::cursor::Delivery;
use super::printer::Printer;
use super::selector::{Selector, records};
use super::{Flow, Sink};
use crate::render::control::ControlRecord;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::settings::Settings;
use etcdwatch_engine::model::{Record, Scope};
use etcdwatch_engine::watch::{HeldEvents, Update};

/// Prints records as they arrive. The checkpoint follows what was printed.
#[derive(Debug)]
pub struct Records<'s> {
    settings: &'s Settings,
    selector: Selector,
    printer: Printer,
    delivery: Delivery,
    /// Whether status records are printed.
    shows_status: bool,
}

impl<'s> Records<'s> {
    /// Prints the records that `selector` passes on.
    #[must_use]
    pub fn new(
        selector: Selector,
        printer: Printer,
        delivery: Delivery,
        shows_status: bool,
        settings: &'s Settings,
    ) -> Self {
        Self {
            settings,
            selector,
            printer,
            delivery,
            shows_status,
        }
    }

    /// Prints only records in `part`.
    pub(super) fn narrow(&mut self, part: Option<Scope>) {
        self.selector.narrow(part);
    }

    /// The watched keys, for messages.
    pub(super) fn name(&self) -> String {
        self.delivery.name()
    }

    /// Prints the wanted events of a batch. Returns how many were printed.
    pub(super) fn events(&mut self, held: &HeldEvents, inbox: &Inbox) -> Result<u64, Stop> {
        let received = held.received.received_at();
        let count = if let Some((count, lines)) = self.lines(held) {
            if !Printer::gathers(lines) {
                self.flush(inbox)?;
            }
            self.printer.lines(lines, inbox)?;
            self.selector.pass_unseen(count);
            self.delivery.advance(held, count);
            count as u64
        } else {
            let printer = &mut self.printer;
            self.selector
                .events(held, &mut self.delivery, |event, _, _| {
                    printer.record(&Record::Event(event), received);
                })
        };
        if self.printer.is_full() {
            self.flush(inbox)?;
        }
        Ok(count)
    }

    /// The number of wanted events and their lines as received; `None` unless they are printed like that.
    fn lines<'h>(&self, held: &'h HeldEvents) -> Option<(usize, &'h [u8])> {
        let count = self.selector.unseen(held.places.len())?;
        let places = held.places.start..held.places.start + count;
        let lines = held.received.batch().lines(places);
        lines
            .filter(|_| self.printer.is_as_sent())
            .map(|lines| (count, lines))
    }

    /// Prints events even if they are not wanted. Returns how many were printed.
    pub(super) fn all_events(&mut self, held: &HeldEvents) -> u64 {
        for event in held.events() {
            self.printer
                .record(&Record::Event(event), held.received.received_at());
        }
        held.places.len() as u64
    }

    /// Prints a key of a state even if it is not wanted.
    pub(super) fn node(&mut self, record: &Record<'_>) {
        self.printer.record(record, Instant::now());
    }

    /// Prints the records of an update that has no events, and moves the cursor.
    pub(super) fn show(&mut self, update: &Update, inbox: &Inbox) -> Result<(), Stop> {
        match update {
            Update::Position(position) => self.delivery.reach(position.clone()),
            Update::Status(status) if !self.shows_status || !status.is_new => {}
            update => {
                if let Update::Gap(_) = update {
                    self.delivery.lose();
                }
                for record in records(update).filter(|record| self.selector.wants(record)) {
                    self.printer.record(&record, Instant::now());
                }
                let name = self.delivery.name();
                let url = |endpoint| self.settings.url(endpoint);
                if let Some(record) = ControlRecord::of(update, &name, url) {
                    self.printer.control(&record);
                }
            }
        }
        // A state may be large, so its memory is freed at once.
        let is_state = matches!(update, Update::State { .. } | Update::Changes { .. });
        if is_state || self.printer.is_full() {
            self.flush(inbox)?;
        }
        Ok(())
    }

    fn flush(&mut self, inbox: &Inbox) -> Result<(), Stop> {
        if self.printer.flush(inbox)? {
            self.delivery.settle_all();
        }
        Ok(())
    }
}

/// Counts printed events for the spinner and the idle timeout.
pub(super) fn count(events: u64, inbox: &mut Inbox) {
    if events > 0 {
        inbox.screen.progress.count(events);
        inbox.heard();
    }
}

impl Sink for Records<'_> {
    fn begin(&mut self, scope: &Scope) {
        self.delivery.begin(scope);
    }

    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop> {
        if let Update::Events(events) = update {
            let mut shown = 0;
            for held in &events {
                shown += self.events(held, inbox)?;
                if self.selector.is_done() {
                    break;
                }
            }
            count(shown, inbox);
        } else {
            self.show(&update, inbox)?;
        }
        Ok(Flow::done_if(self.selector.is_done()))
    }

    fn due(&self) -> Option<Instant> {
        self.delivery.due()
    }

    fn wake(&mut self, inbox: &mut Inbox) -> Result<Flow, Stop> {
        // If more updates have arrived, they are written together.
        if !inbox.peek() {
            self.flush(inbox)?;
        }
        self.delivery.save_if_due()?;
        Ok(Flow::done_if(self.selector.is_done()))
    }

    fn finish(&mut self, ended: Result<(), Stop>, inbox: &mut Inbox) -> Result<(), Stop> {
        // The records that were received before the end are written in any case.
        let flushed = self.flush(inbox);
        inbox.screen.clear();
        self.delivery.save_at_end(ended.and(flushed))
    }
}

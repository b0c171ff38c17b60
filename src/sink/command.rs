//! `-- CMD`: runs a command for each record of a watch instead of printing it.

use std::sync::Arc;
use std::time::Instant;

use super::cursor::Delivery;
use super::records::count;
use super::runner::{Runner, Work};
use super::selector::{Selector, records};
use super::{Flow, Sink};
use crate::exec::child::CommandInput;
use crate::render::control::ControlRecord;
use crate::render::json;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::settings::Settings;
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::Update;

/// Runs a command for each record. The checkpoint follows the commands that succeeded.
#[derive(Debug)]
pub struct CommandSink<'s> {
    settings: &'s Settings,
    selector: Selector,
    runner: Runner,
    delivery: Delivery,
    /// Whether the command also runs for status records.
    shows_status: bool,
    /// The time of the runner's next step.
    due: Option<Instant>,
}

impl<'s> CommandSink<'s> {
    /// Runs a command for each record that `selector` passes on.
    #[must_use]
    pub fn new(
        selector: Selector,
        runner: Runner,
        delivery: Delivery,
        shows_status: bool,
        settings: &'s Settings,
    ) -> Self {
        Self {
            settings,
            selector: selector.exact(),
            runner,
            delivery,
            shows_status,
            due: None,
        }
    }

    /// Queues the records of an update that has no events.
    fn queue(&mut self, update: Update, inbox: &Inbox) {
        let name = self.delivery.name();
        let url = |endpoint| self.settings.url(endpoint);
        if let Some(record) = ControlRecord::of(&update, &name, url) {
            let mut line = Vec::new();
            json::push_line(
                json::control(&record, None).to_string().as_bytes(),
                false,
                &mut line,
            );
            let (action, key) = (record.action().as_bytes(), name.as_bytes());
            let input = CommandInput::new(record.index(), action, key, b"", line);
            let after = self.delivery.cursor().clone();
            self.runner.push(Work::Control(input), after);
            if let Update::Gap(_) = update {
                inbox.screen.notice("gap", &record.sentence());
            }
        }
        let update = Arc::new(update);
        for (place, record) in records(&update).enumerate() {
            if self.selector.wants(&record) {
                let work = Work::Record(Arc::clone(&update), place);
                self.runner.push(work, self.delivery.cursor().clone());
            }
        }
    }

    /// Whether the last wanted event was passed on and every command has ended.
    fn flow(&self) -> Flow {
        Flow::done_if(self.selector.is_done() && self.runner.is_idle())
    }
}

impl Sink for CommandSink<'_> {
    fn begin(&mut self, scope: &Scope) {
        self.delivery.begin(scope);
    }

    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop> {
        if self.selector.is_done() {
            return Ok(Flow::GoesOn);
        }
        match update {
            Update::Events(events) => {
                let mut taken = 0;
                for held in &events {
                    let runner = &mut self.runner;
                    taken += self
                        .selector
                        .events(held, &mut self.delivery, |_, place, cursor| {
                            let work = Work::Event(Arc::clone(&held.received), place);
                            runner.push(work, cursor.clone());
                        });
                    if self.selector.is_done() {
                        break;
                    }
                }
                count(taken, inbox);
            }
            Update::Position(position) => self.delivery.reach(position),
            Update::Status(status) if !self.shows_status || !status.is_new => {}
            update => {
                if let Update::Gap(_) = update {
                    self.delivery.lose();
                }
                self.queue(update, inbox);
            }
        }
        if self.runner.mark(self.delivery.cursor()) {
            self.delivery.settle_all();
        }
        Ok(self.flow())
    }

    fn due(&self) -> Option<Instant> {
        [self.delivery.due(), self.due].into_iter().flatten().min()
    }

    fn wake(&mut self, inbox: &mut Inbox) -> Result<Flow, Stop> {
        let (reached, due) = self.runner.step(inbox)?;
        self.due = due;
        // A run is not idle while a command runs.
        inbox.hold_idle(!self.runner.is_idle());
        if let Some(reached) = reached {
            self.delivery.settle(reached);
        }
        self.delivery.save_if_due()?;
        Ok(self.flow())
    }

    fn finish(&mut self, ended: Result<(), Stop>, inbox: &mut Inbox) -> Result<(), Stop> {
        inbox.screen.clear();
        if let Some(reached) = self.runner.end(&ended, inbox) {
            self.delivery.settle(reached);
        }
        self.delivery.save_at_end(ended)
    }
}

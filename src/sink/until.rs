//! `--until`: ends a watch once a condition holds, and prints the records that meet it.

use std::time::Instant;

use super::records::{Records, count};
use super::{Flow, Sink};
use crate::error::Error;
use crate::render::control::ControlRecord;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::wait::{Condition, PendingCondition};
use etcdwatch_engine::model::{Index, Record, Scope};
use etcdwatch_engine::watch::{HeldEvents, Update};

/// The progress of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitPhase {
    /// The first state is not complete yet.
    Beginning,
    /// The condition does not hold.
    Waiting,
    /// The condition holds.
    Over,
}

/// Ends a watch once a condition holds.
#[derive(Debug)]
pub struct UntilHolds<'s> {
    condition: Condition,
    /// The condition with the present state of the keys.
    wait: Option<PendingCondition>,
    records: Records<'s>,
    /// The keys that the user named, with each API. The watch may cover more.
    requested: Vec<Scope>,
    /// Whether all records are printed, and not only those that meet the condition.
    shows_all: bool,
    /// Whether the first state is printed.
    shows_first_state: bool,
    phase: WaitPhase,
}

impl<'s> UntilHolds<'s> {
    /// Prints the records in `requested` through `records`. `shows_all` is `--stream`, and
    /// `shows_first_state` is `--snapshot`.
    #[must_use]
    pub fn new(
        condition: Condition,
        records: Records<'s>,
        requested: Vec<Scope>,
        shows_all: bool,
        shows_first_state: bool,
    ) -> Self {
        Self {
            condition,
            wait: None,
            records,
            requested,
            shows_all,
            shows_first_state,
            phase: WaitPhase::Beginning,
        }
    }

    /// Whether the state that is being read is printed.
    fn shows_state(&self) -> bool {
        self.shows_all && (self.shows_first_state || self.phase != WaitPhase::Beginning)
    }

    /// Takes events, testing the condition after each index. Returns the number of printed events.
    fn take_events(&mut self, events: &[HeldEvents], inbox: &Inbox) -> Result<u64, Stop> {
        let mut printed = 0;
        for (_, held) in events.iter().flat_map(HeldEvents::by_index) {
            if let Some(wait) = &mut self.wait {
                wait.apply(&held);
                if wait.holds() {
                    self.phase = WaitPhase::Over;
                }
            }
            if self.phase == WaitPhase::Over {
                return Ok(printed + self.records.all_events(&held));
            }
            if self.shows_all {
                printed += self.records.events(&held, inbox)?;
            }
        }
        Ok(printed)
    }

    /// Tests the condition on a complete state.
    fn take_synced(&mut self, index: Index, inbox: &Inbox) -> Result<(), Stop> {
        let is_shown = self.shows_state();
        self.phase = WaitPhase::Waiting;
        if is_shown {
            self.records.show(&Update::Synced(index), inbox)?;
        }
        let Some(wait) = self.wait.as_ref().filter(|wait| wait.holds()) else {
            return Ok(());
        };
        self.phase = WaitPhase::Over;
        if is_shown {
            return Ok(());
        }
        let evidence = wait.evidence();
        for node in &evidence {
            self.records.node(&Record::State(index, node));
        }
        if evidence.is_empty() {
            self.records.show(&Update::Synced(index), inbox)?;
        }
        Ok(())
    }
}

impl Sink for UntilHolds<'_> {
    fn begin(&mut self, scope: &Scope) {
        self.records.begin(scope);
        self.wait = Some(PendingCondition::new(self.condition.clone(), scope.clone()));
        let requested = self
            .requested
            .iter()
            .find(|requested| requested.key == scope.key);
        self.records
            .narrow(requested.filter(|requested| *requested != scope).cloned());
    }

    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop> {
        match update {
            Update::Events(events) => {
                let printed = self.take_events(&events, inbox)?;
                count(printed, inbox);
            }
            Update::State { index, .. } => {
                if self.shows_state() {
                    self.records.show(&update, inbox)?;
                }
                if let (Update::State { nodes, .. }, Some(wait)) = (update, &mut self.wait) {
                    wait.begin(nodes, index);
                }
            }
            Update::Changes { .. } => {
                if self.shows_all {
                    self.records.show(&update, inbox)?;
                }
                if let (Update::Changes { changes, .. }, Some(wait)) = (&update, &mut self.wait) {
                    wait.change(changes);
                }
            }
            Update::Synced(index) => self.take_synced(index, inbox)?,
            Update::Gap(_) if !self.shows_all => {
                let name = self.records.name();
                if let Some(gap) = ControlRecord::of(&update, &name, |_| "") {
                    inbox.screen.notice("gap", &gap.sentence());
                }
            }
            Update::Reset(_) | Update::Below { .. } if !self.shows_all => {}
            update => self.records.show(&update, inbox)?,
        }
        Ok(Flow::done_if(self.phase == WaitPhase::Over))
    }

    fn due(&self) -> Option<Instant> {
        self.records.due()
    }

    fn wake(&mut self, inbox: &mut Inbox) -> Result<Flow, Stop> {
        self.records.wake(inbox)?;
        Ok(Flow::done_if(self.phase == WaitPhase::Over))
    }

    fn finish(&mut self, ended: Result<(), Stop>, inbox: &mut Inbox) -> Result<(), Stop> {
        let ended = self.records.finish(ended, inbox);
        if let (Err(Stop::Error(Error::TimedOut(_) | Error::Idle(_))), Some(wait)) =
            (&ended, &self.wait)
        {
            let missing = wait.missing().join("; ");
            let notice = format!("the condition was not met: {missing}");
            inbox.screen.notice("until", &notice);
        }
        ended
    }
}

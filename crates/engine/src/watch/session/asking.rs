//! What is asked about history, and how many questions at a time; and how the position of a quiet
//! watch is renewed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Open, Purpose, SECOND, Session};
use crate::model::Index;
use crate::watch::evidence::Testimony;
use crate::watch::ledger::{Hole, Ledger};
use crate::watch::questions::{self, Spread};

/// How many questions are under way at most.
pub(super) const QUESTIONS: usize = 15;
/// What a replay asks into holes: all that it reads is history.
const OF_REPLAY: Spread = Spread {
    most: QUESTIONS,
    worth: 2,
};
/// Likewise a watch, for which most of what happens is others' doing: a question that finds nothing
/// brings the event behind the hole once more, however large.
const OF_WATCH: Spread = Spread { most: 8, worth: 8 };
/// So many are asked about the same at most, while none of them is answered.
const WITNESSES: usize = 3;
/// History answers within this time after the head, as a rule.
const ANSWERED: Duration = Duration::from_millis(5);
/// So often the position is renewed where no alarm can tell that others write: in that time few
/// stores write their history over.
const DEAF: Duration = Duration::from_millis(250);
/// Where waits can't be ended, one that has brought nothing for so long is asked once more.
const SILENT: Duration = Duration::from_secs(1);
/// A wait that has lasted this long is a sign that all is well again.
const STEADY: Duration = Duration::from_secs(1);

impl Session {
    /// Asks about the holes, or where there are none, renews the position of a quiet watch.
    /// Whether there are none.
    pub(super) fn ask_questions(&mut self, cursor: Index) -> bool {
        // What was asked about what is known by now is of no use any more.
        self.close_where(|open| {
            let is_known = open.head.is_some_and(|(head, _)| head < cursor);
            open.purpose == Purpose::Question
                && is_known
                && open.half_closed.is_none()
                && !open.answered
        });
        let upto = self.asked_upto();
        let holes: Vec<Hole> = self
            .ledger
            .iter()
            .flat_map(|ledger| ledger.holes(upto))
            .take(QUESTIONS)
            .collect();
        if holes.is_empty() {
            self.width = 1;
            if self.questions().count() < QUESTIONS && self.following {
                self.renew(cursor);
            }
            return true;
        }
        // A question that will bring nothing is no work for the server.
        let now = self.now;
        let second = self.second();
        // One that will be ended; and one that can't be, where more is known to have happened: its
        // connection may be dead.
        let second = if self.half_closes.are_broken() {
            SILENT.max(self.slowest * 2)
        } else {
            second
        };
        let brings_nothing = |open: &Open| {
            let since = open.waits_since();
            open.half_closed.is_some() || since.is_some_and(|at| at + second <= now)
        };
        let at_work = self.questions().filter(|open| !brings_nothing(open));
        let under_way = at_work.count();
        let room = self.plan.budget.room_for(self.answer_size, QUESTIONS);
        let free = room.saturating_sub(under_way);
        let spread = if self.following { OF_WATCH } else { OF_REPLAY };
        let most = self.width.min(spread.most).saturating_sub(under_way);
        let spread = Spread { most, ..spread };
        let mut asked: BTreeSet<Index> = self.unanswered().filter_map(|open| open.after).collect();
        for hole in &holes {
            let at = || {
                self.unanswered()
                    .filter(|open| open.after == Some(hole.after))
            };
            // The last of them proves nothing soon unless something is answered after it.
            let is_enough = self.covered(hole.after) > hole.after
                && (at().count() >= WITNESSES || at().all(|open| self.is_controlled(open)));
            if !is_enough && at().all(brings_nothing) {
                asked.remove(&hole.after);
            }
        }
        for after in questions::choose(&holes, &asked, free, spread) {
            self.request(Purpose::Question, Some(after));
        }
        let next = self.questions().filter_map(Open::waits_since);
        let next = next.map(|at| at + second).filter(|at| *at > now).min();
        self.wake_by(next);
        false
    }

    /// How old a question is that brings nothing: in a busy store there is less time.
    fn second(&self) -> Duration {
        self.renewal
            .map_or(SECOND, |renewal| renewal.every().min(SECOND))
    }

    fn questions(&self) -> impl Iterator<Item = &Open> {
        let all = self.open.values();
        all.filter(|open| open.purpose == Purpose::Question)
    }

    fn unanswered(&self) -> impl Iterator<Item = &Open> {
        self.questions().filter(|open| !open.answered)
    }

    /// How far from `after` on everything has two witnesses, or will have, where what is under
    /// way brings nothing.
    pub(super) fn covered(&self, after: Index) -> Index {
        let asked = self.open.iter().filter_map(|(ticket, open)| {
            let is_waiting = open.purpose == Purpose::Question && !open.answered;
            let (after, (upto, _)) = open.after.zip(open.head).filter(|_| is_waiting)?;
            Some(Testimony {
                after,
                upto,
                asked: ticket.0,
                served: open.served,
            })
        });
        let ended = self.ledger.iter().flat_map(Ledger::testimonies);
        questions::covered_twice(after, &asked.chain(ended).collect::<Vec<_>>())
    }

    fn renew(&mut self, cursor: Index) {
        if self.half_closes.are_broken()
            && (self.no_whole_store.is_some() || self.unanswered().next().is_some())
        {
            // Nothing proves that nothing happened but what happens next.
            return;
        }
        let renewal = *self.renewal();
        // Where earlier questions still wait for their end, this one goes on behind them; where
        // one of them is lost, from there.
        let covered = self.covered(cursor);
        let due = if self.endpoints.is_shaky() {
            // Not before the probe has lasted for a while.
            self.probe_since()
                .map(|since| renewal.due().max(since + STEADY))
        } else {
            Some(renewal.due())
        };
        let mut urgent = renewal.urgent_at(covered);
        if self.no_whole_store.is_some() {
            urgent = urgent.min(renewal.asked() + DEAF);
        }
        let due = due.map_or(urgent, |due| due.min(urgent));
        if due > self.now {
            self.wake_by(Some(due));
        } else if self.questions().all(|open| open.head.is_some()) {
            let now = self.now;
            if self.request(Purpose::Question, Some(covered)) {
                self.renewal().ask(now);
            }
        }
    }

    /// Whether a question at the cursor has been registered for so long that nothing seems to be
    /// there.
    pub(super) fn is_registered_at(&mut self, cursor: Index) -> bool {
        let at_cursor = self.questions().filter(|open| open.after == Some(cursor));
        let Some(since) = at_cursor.filter_map(Open::waits_since).min() else {
            return false;
        };
        let due = since + ANSWERED;
        self.wake_by(Some(due).filter(|due| *due > self.now));
        due <= self.now
    }
}

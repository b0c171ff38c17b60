//! Questions about history: how many are in flight, and after which indexes they ask; and the renewal
//! of a quiet watch's position.

use std::collections::BTreeSet;
use std::time::Duration;

use super::choice::{self, Spread};
use super::{V2Request, V2Session};
use crate::model::Index;
use crate::watch::coverage::{Coverage, UnknownRange};
use crate::watch::evidence::WaitSpan;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{
    HISTORY_ANSWERS, PROBE_STEADY, RENEWAL_WITHOUT_ALARM, SECOND_QUESTION, SECOND_QUESTION_UNENDED,
};

/// The largest number of questions in flight.
pub(super) const QUESTIONS: usize = 15;
/// How a replay spreads its questions over unknown ranges: all that it reads is history.
const OF_REPLAY: Spread = Spread {
    most: QUESTIONS,
    worth: 2,
};
/// The same for a watch, for which most of what happens is out of scope: a question that finds
/// nothing transfers the event behind the unknown range once more, however large it is.
const OF_WATCH: Spread = Spread { most: 8, worth: 8 };
/// The largest number of unanswered questions after the same index.
const SAME_QUESTIONS: usize = 3;

impl V2Session {
    /// Asks about the unknown ranges, or renews the position of a quiet watch if there are none. Returns
    /// whether there are none.
    pub(super) fn ask_questions(&mut self, cursor: Index) -> bool {
        // Questions about indexes that are known by now are of no use.
        self.close_where(|one| {
            let is_known = one.head.is_some_and(|(head, _)| head < cursor);
            one.request.is_question()
                && is_known
                && one.progress.half_closed.is_none()
                && !one.progress.is_answered
        });
        let upto = self.asked_upto();
        let unknown: Vec<UnknownRange> = self
            .coverage
            .iter()
            .flat_map(|coverage| coverage.unknown(upto))
            .take(QUESTIONS)
            .collect();
        if unknown.is_empty() {
            self.api.width = 1;
            if self.questions().count() < QUESTIONS && self.is_following() {
                self.renew(cursor);
            }
            return true;
        }
        // A question without an event is no work for the server.
        let now = self.now;
        let second = self.second_question_delay();
        // Where waits cannot be ended, a question without an answer may have a dead connection.
        let second = if self.api.half_closes.are_broken() {
            SECOND_QUESTION_UNENDED.max(self.api.slowest * 2)
        } else {
            second
        };
        let brings_nothing = |one: &InFlight<V2Request>| {
            let since = one.waits_since();
            one.progress.half_closed.is_some() || since.is_some_and(|at| at + second <= now)
        };
        let at_work = self.questions().filter(|open| !brings_nothing(open));
        let under_way = at_work.count();
        let room = self.plan.budget.room_for(self.api.answer_size, QUESTIONS);
        let free = room.saturating_sub(under_way);
        let spread = if self.is_following() {
            OF_WATCH
        } else {
            OF_REPLAY
        };
        let most = self.api.width.min(spread.most).saturating_sub(under_way);
        let spread = Spread { most, ..spread };
        let mut asked: BTreeSet<Index> = self.unanswered().filter_map(InFlight::after).collect();
        for range in &unknown {
            let at = || {
                self.unanswered()
                    .filter(|one| one.after() == Some(range.after))
            };
            // Two waits are a proof only if a reply separates them.
            let is_enough = self.covered(range.after) > range.after
                && (at().count() >= SAME_QUESTIONS || at().all(|one| self.is_answered_since(one)));
            if !is_enough && at().all(brings_nothing) {
                asked.remove(&range.after);
            }
        }
        for after in choice::choose(&unknown, &asked, free, spread) {
            let question = self.question(after);
            self.send(question);
        }
        let next = self.questions().filter_map(InFlight::waits_since);
        let next = next.map(|at| at + second).filter(|at| *at > now).min();
        if let Some(at) = next {
            self.wake(Timer::SecondQuestion, at);
        }
        false
    }

    /// The question for the next event after an index.
    pub(super) fn question(&self, after: Index) -> V2Request {
        V2Request::Question {
            after,
            whole_store: self.asks_whole_store(),
            may_hang: self.api.half_closes.are_broken(),
            renews: after >= self.asked_upto(),
        }
    }

    /// A question that has had no answer for this time is asked again. In a busy store there is less time.
    fn second_question_delay(&self) -> Duration {
        self.api
            .renewal
            .map_or(SECOND_QUESTION, |one| one.every().min(SECOND_QUESTION))
    }

    fn questions(&self) -> impl Iterator<Item = &InFlight<V2Request>> {
        let all = self.requests.values();
        all.filter(|one| one.request.is_question())
    }

    fn unanswered(&self) -> impl Iterator<Item = &InFlight<V2Request>> {
        self.questions().filter(|one| !one.progress.is_answered)
    }

    /// The index up to which every index after `after` lies in two independent waits, or will, if the
    /// waits in flight end without an event.
    pub(super) fn covered(&self, after: Index) -> Index {
        let asked = self.requests.iter().filter_map(|(id, one)| {
            let is_waiting = one.request.is_question() && !one.progress.is_answered;
            let (after, (upto, _)) = one.after().zip(one.head).filter(|_| is_waiting)?;
            Some(WaitSpan {
                after,
                upto,
                sent: id.0,
                last_sent: one.progress.last_sent_at_answer,
            })
        });
        let ended = self.coverage.iter().flat_map(Coverage::ended_waits);
        choice::covered_twice(after, &asked.chain(ended).collect::<Vec<_>>())
    }

    fn renew(&mut self, cursor: Index) {
        if self.api.half_closes.are_broken()
            && (self.no_whole_store.is_some() || self.unanswered().next().is_some())
        {
            // Only the next event proves that nothing happened before it.
            return;
        }
        let renewal = *self.renewal();
        // The question begins after the range of the earlier ones, or where one of those was lost.
        let covered = self.covered(cursor);
        let due = if self.endpoints.is_shaky() {
            // After a failure, the probe has to last for a while first.
            self.probe_since()
                .map(|since| renewal.due().max(since + PROBE_STEADY))
        } else {
            Some(renewal.due())
        };
        // A member that lags cannot prove more, however urgent that is.
        let urgent = (!self.lags(covered)).then(|| renewal.urgent_at(covered));
        let without_alarm = self
            .no_whole_store
            .map(|_| renewal.asked() + RENEWAL_WITHOUT_ALARM);
        let Some(due) = [due, urgent, without_alarm].into_iter().flatten().min() else {
            return;
        };
        if due > self.now {
            self.wake(Timer::Renewal, due);
        } else if self.questions().all(|one| one.head.is_some()) {
            let now = self.now;
            let question = self.question(covered);
            if self.send(question) {
                self.renewal().ask(now);
            }
        }
    }

    /// Whether the member that is asked has nothing beyond `covered`, although more was known to have been
    /// written when it was asked.
    fn lags(&self, covered: Index) -> bool {
        let (Some(renewal), Some(latest)) = (self.api.renewal, self.api.latest_answered) else {
            return false;
        };
        let (endpoint, _) = self.endpoints.current();
        let is_asked_since = latest.endpoint == endpoint && latest.sent_at > renewal.reported_at();
        is_asked_since && latest.index <= covered && covered < renewal.known()
    }

    /// Whether history would have answered a question at the cursor by now. A timer is set until then.
    pub(super) fn would_be_answered(&mut self, cursor: Index) -> bool {
        let at_cursor = self.questions().filter(|one| one.after() == Some(cursor));
        let Some(since) = at_cursor.filter_map(InFlight::waits_since).min() else {
            return false;
        };
        let due = since + HISTORY_ANSWERS;
        if due > self.now {
            self.wake(Timer::HistoryAnswers, due);
        }
        due <= self.now
    }
}

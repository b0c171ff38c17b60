//! What comes in: heads, events, ends and failures, and what they prove.

use std::sync::Arc;
use std::time::Instant;

use super::doubt::contradicts_itself;
use super::{LASTED, Open, Pace, Purpose, Reading, Renewal, Session, StreamRecord, WORTH};
use crate::model::{Cause, Event, Index, Scope};
use crate::protocol::Failure;
use crate::protocol::{Fault, Head, Refusal};
use crate::v2::fault;
use crate::watch::backoff::Backoff;
use crate::watch::endpoints::{Identity, Verdict};
use crate::watch::evidence::{Proof, RegisteredWait};
use crate::watch::ledger::{Held, Ledger};
use crate::watch::{
    End, NoProof, Notice, Outcome, Parcel, Start, StateOfWatch, Ticket, Until, Update,
};

/// After how many rounds of failures a person is told.
const NOTABLE_ROUNDS: u32 = 2;

impl Session {
    pub(super) fn on_head(&mut self, ticket: Ticket, head: &Head) {
        let Some(endpoint) = self.open.get(&ticket).map(|open| open.endpoint) else {
            return;
        };
        if !self.identify(ticket, endpoint, head) {
            return;
        }
        let Some(index) = head.index else {
            let failure = Failure::NotEtcd("the reply has no X-Etcd-Index".to_owned());
            if let Some(open) = self.open.get(&ticket).cloned() {
                self.close(ticket);
                self.note_failure(&open, failure);
            }
            return;
        };
        self.endpoints.answered();
        self.unheard = None;
        self.learn(index);
        if let Some(open) = self.open.get(&ticket).cloned()
            && self.has_jumped(ticket, &open, head)
        {
            return;
        }
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        open.head = Some((index, self.now));
        open.registered = RegisteredWait::new(open.after, head, ticket.0);
        open.heard = self.last_ticket;
        open.after = open.after.or(Some(index));
        let (at, cursor) = (open.at, open.cursor);
        for other in self.open.values_mut() {
            let is_later = other.head.is_some() && ticket.0 > other.heard;
            if other.endpoint == endpoint && is_later {
                other.served.get_or_insert(self.last_ticket);
            }
        }
        if self
            .control
            .is_none_or(|(of, latest)| of != endpoint || latest < at)
        {
            self.control = Some((endpoint, at));
        }
        let Some(open) = self.open.get(&ticket) else {
            return;
        };
        match open.purpose {
            Purpose::Target => {
                self.on_target(index);
                self.refresh(at);
            }
            Purpose::Rewind => {
                if index < cursor {
                    self.begin_anew(Cause::IndexRewound, index);
                    self.observe(endpoint, head, None);
                }
            }
            Purpose::State => {
                self.refresh(at);
                self.stage(ticket, index);
            }
            Purpose::Fresh | Purpose::Look => self.refresh(at),
            Purpose::Stream => {
                self.stream = StreamRecord {
                    reached: index,
                    owes: self.untold().map(|(untold, _)| (untold, self.now)),
                };
                if self.is_v3() {
                    self.on_stream_begun(ticket, index);
                }
                self.on_registered(ticket, index);
            }
            Purpose::Probe
            | Purpose::Question
            | Purpose::Walk
            | Purpose::Verify
            | Purpose::Next => self.on_registered(ticket, index),
            Purpose::Reach => self.on_reached(ticket, head),
            Purpose::Backlog => self.on_backlog(index),
            Purpose::Left | Purpose::Alarm | Purpose::Owed | Purpose::Compaction => {}
        }
    }

    fn learn(&mut self, index: Index) {
        self.known = self.known.max(index);
        if let Some(renewal) = &mut self.renewal {
            renewal.learn(index, self.now);
        }
    }

    /// Compares the cluster's id; false where the reply is of no use.
    fn identify(&mut self, ticket: Ticket, endpoint: usize, head: &Head) -> bool {
        let is_first = !self.endpoints.has_cluster();
        let identity = self.endpoints.identify(endpoint, head.cluster.as_deref());
        let is_same = match identity {
            Identity::Same => {
                if let Some(cluster) = head.cluster.clone().filter(|_| is_first) {
                    self.tell(Update::Cluster(cluster));
                }
                true
            }
            Identity::Changed => {
                if let Some(cluster) = head.cluster.clone() {
                    self.tell(Update::Cluster(cluster));
                }
                self.begin_anew(Cause::ClusterChanged, head.index.unwrap_or_default());
                false
            }
            Identity::Foreign => {
                self.tell(Update::Notice(Notice::OtherCluster { endpoint }));
                self.close(ticket);
                false
            }
            Identity::NoneLeft => {
                self.fail(endpoint, Failure::OtherCluster);
                false
            }
        };
        if !is_same {
            // Of interest once this is the cluster.
            self.observe(endpoint, head, None);
        }
        is_same
    }

    /// A wait is registered at `index`, or history answers it.
    fn on_registered(&mut self, ticket: Ticket, index: Index) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        if self.ledger.is_none() {
            match self.plan.start {
                Start::Now => self.ledger = Some(Ledger::new(index)),
                // What comes after 0 was not refused: history reaches back to the beginning.
                Start::Oldest => self.begin_at_oldest(Index::ZERO),
                Start::At(_) => {}
            }
            self.on_live(&open, index);
            return;
        }
        if index >= open.cursor {
            self.ahead = false;
        } else if self.ahead {
            self.tell_ahead(open.cursor, index);
        } else if !self.has(Purpose::Rewind) && !self.begins_anew() {
            // A member that lags behind, or a store that went back: a majority can tell.
            self.request(Purpose::Rewind, None);
        }
        self.on_live(&open, index);
        let is_behind = open
            .after
            .is_some_and(|after| index <= after && after < open.wanted);
        if matches!(open.purpose, Purpose::Question | Purpose::Walk) && is_behind {
            self.close(ticket);
            let wanted = open.wanted;
            self.note_failure(&open, Failure::Behind { index, wanted });
        }
    }

    /// What is written from now on is seen.
    pub(super) fn on_live(&mut self, open: &Open, index: Index) {
        if !matches!(open.purpose, Purpose::Stream | Purpose::Probe) {
            return;
        }
        if self.reading == Some(Reading::Start) {
            // Nothing was begun with yet: what is written meanwhile may be in the state alone.
            return;
        }
        if self.stale {
            let is_fresh = self.now.duration_since(self.fresh_at) < self.plan.stale_after;
            if is_fresh {
                self.refresh(self.fresh_at);
            }
        }
        if self.untold().is_some() || std::mem::replace(&mut self.told_live, true) {
            return;
        }
        let is_known = self.knows_start();
        if let Some(cursor) = self.told().filter(|cursor| *cursor <= index && is_known) {
            self.tell(Update::Position(cursor));
        }
        let notable = std::mem::take(&mut self.failed_rounds) >= NOTABLE_ROUNDS;
        if !self.stale {
            self.tell_status(StateOfWatch::Live, open.endpoint, None, notable);
        }
    }

    /// What is known was fresh at that time.
    pub(super) fn refresh(&mut self, at: Instant) {
        self.fresh_at = self.fresh_at.max(at);
        let heard = self.fresh_at.min(self.untold_since());
        let is_fresh = heard + self.plan.stale_after > self.now;
        if self.stale && is_fresh && self.is_registered() {
            self.stale = false;
            self.told_live = true;
            self.failed_rounds = 0;
            let (endpoint, _) = self.endpoints.current();
            self.tell_status(StateOfWatch::Live, endpoint, None, true);
        }
    }

    fn tell_ahead(&mut self, cursor: Index, index: Index) {
        if !std::mem::replace(&mut self.told_ahead, true) {
            let from = cursor.next();
            self.tell(Update::Notice(Notice::Ahead { from, index }));
        }
    }

    fn on_target(&mut self, index: Index) {
        let Until::Present { to, .. } = self.plan.until else {
            return;
        };
        let target = to.map_or(index, |to| to.min(index));
        self.target = Some(target);
        if let Some(from) = self.cursor() {
            if from >= index && self.ahead {
                self.tell_ahead(from, index);
            }
            // One that goes on over v3 may not know for long that it has come there.
            if !(self.is_v3() && self.follows()) {
                self.tell(Update::Target { from, to: target });
            }
        }
        // A stream of v3 goes on by itself.
        self.following |= self.is_v3() && self.follows();
    }

    pub(super) fn on_events(&mut self, ticket: Ticket, parcel: Parcel) {
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        open.answered = true;
        let purpose = open.purpose;
        let (Some((head, head_at)), Some(after), Some(registered)) =
            (open.head, open.after, open.registered)
        else {
            return;
        };
        match purpose {
            Purpose::Alarm => {
                let highest = parcel.batch().iter().map(|event| event.index()).max();
                self.known = self.known.max(highest.unwrap_or_default());
                let (known, now) = (self.known, self.now);
                self.renewal().alarm(known, now);
                return;
            }
            Purpose::Verify | Purpose::Next => {
                self.on_compared(ticket, &parcel);
                return;
            }
            Purpose::Walk => {
                let open = open.clone();
                self.on_walked(&open, after, parcel);
                return;
            }
            _ => {}
        }
        let open = open.clone();
        if purpose != Purpose::Stream && self.is_no_answer(ticket, &open, &parcel) {
            return;
        }
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let from_stream = purpose == Purpose::Stream;
        if !from_stream {
            self.answer_size = parcel.batch().weight().max(self.answer_size / 2);
        }
        let (mut is_live, parcel) = (from_stream, Arc::new(parcel));
        let (mut run, mut upto) = (0, Index::ZERO);
        if from_stream && self.mirror.is_none() {
            (run, upto) = hold_run(&parcel, &self.plan.scope, ledger);
        }
        self.wanted = self.wanted.max(upto);
        self.stream.reached = self.stream.reached.max(upto);
        for (place, event) in parcel.batch().iter().enumerate().skip(run) {
            let index = event.index();
            if !from_stream {
                ledger.heed_contradiction(&event);
                // Found in history; or registered at the head, so that history had nothing.
                if let Some(proof) = registered.answered(&event) {
                    ledger.prove(proof);
                }
                if index <= head {
                    self.slowest = self.slowest.max(self.now.duration_since(head_at));
                    self.half_closes.heard();
                    self.wanted = self.wanted.max(head);
                    self.width = (self.width + 1).min(super::asking::QUESTIONS);
                } else {
                    is_live = true;
                }
            }
            self.wanted = self.wanted.max(index);
            if !self
                .plan
                .scope
                .covers(event.node().key(), event.removes_directory())
            {
                // An index names one event: whatever else happened there is none of ours.
                ledger.prove(Proof::of_event(&event));
                continue;
            }
            let asked = ledger.cursor();
            if !from_stream && ledger.go_back(index) {
                self.wanted = self.wanted.max(asked);
            }
            let parcel = Arc::clone(&parcel);
            let places = place..place + 1;
            ledger.hold(index, Held { parcel, places });
            if from_stream {
                self.stream.reached = self.stream.reached.max(index);
            } else if index > self.stream.reached && self.stream.owes.is_none() {
                self.stream.owes = Some((index, self.now));
            }
        }
        if from_stream {
            self.stream.delivered(self.now);
        }
        // What can't be told yet proves nothing: it may come again and again.
        if !from_stream || ledger.can_advance() {
            self.endpoints.proved();
            self.paces.remove(&purpose);
        }
        if is_live {
            self.refresh(self.now);
        }
    }

    /// Whether the answer to a wait is of no use: of a history that was damaged, or not what was
    /// asked for.
    fn is_no_answer(&mut self, ticket: Ticket, open: &Open, parcel: &Parcel) -> bool {
        let (Some((head, _)), Some(after)) = (open.head, open.after) else {
            return true;
        };
        let is_damaged = |event: Event| event.index() <= head && contradicts_itself(&event);
        if parcel.batch().iter().any(is_damaged) {
            self.doubt(open, head);
            return true;
        }
        let is_early = parcel.batch().iter().any(|event| event.index() <= after);
        if is_early {
            // Asked again at once, it would go on for ever.
            self.close(ticket);
            let why = "it answered with an event before the index asked for".to_owned();
            self.note_failure(open, Failure::Cut(why));
        }
        is_early
    }

    pub(super) fn on_end(&mut self, ticket: Ticket, end: End) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        if open.purpose == Purpose::Stream && self.is_v3() {
            let is_compacted = matches!(end, End::Failed(Failure::Compacted(_)));
            self.on_stream_ended(is_compacted);
        }
        match end {
            // Of a wait that brought its event, it is of no interest how it ends.
            _ if open.answered && open.purpose != Purpose::Stream => {}
            End::Failed(Failure::Cut(_) | Failure::Silent(_)) if open.half_closed.is_some() => {
                // Some proxies take a half-close for a close, and others keep it to themselves.
                if self.half_closes.are_broken() {
                    self.on_no_end(ticket, &open);
                } else {
                    self.mistrust();
                    if self.half_closes.broke(self.now) {
                        let endpoint = open.endpoint;
                        self.tell(Update::Notice(Notice::HalfClose { endpoint }));
                        // What they ask is asked of the whole store from now on.
                        self.close_where(|open| open.purpose == Purpose::Question);
                    }
                }
            }
            End::Clean(whole) if open.is_done() => {
                if let (Purpose::Question, Some(registered), Some(ledger)) =
                    (open.purpose, open.registered, &mut self.ledger)
                {
                    let served = open.served.unwrap_or(self.last_ticket);
                    ledger.witness(registered.ended(&whole, served));
                }
                if open.purpose == Purpose::Walk {
                    self.on_hidden(&open);
                }
                if matches!(open.purpose, Purpose::Verify | Purpose::Next) {
                    self.on_nothing(ticket, &open);
                }
                // A read says nothing of waits, which a proxy may end.
                if open.purpose == Purpose::Question {
                    self.endpoints.proved();
                    self.half_closes.worked();
                }
            }
            End::Failed(Failure::Compacted(upto)) => self.on_compacted(&open, upto),
            End::Clean(_) => {
                self.open.remove(&ticket);
                self.note_failure(&open, Failure::Cut("it ended the reply".to_owned()));
            }
            End::Failed(Failure::Refused(refusal)) => self.on_refusal(ticket, &open, refusal),
            // What others write may be larger than what is watched.
            End::Failed(Failure::TooLong(_)) if open.whole_store => {
                self.open.remove(&ticket);
                self.on_too_long_elsewhere(&open);
            }
            End::Failed(failure @ (Failure::Malformed(_) | Failure::TooLong(_))) => {
                self.fail(open.endpoint, failure);
            }
            // The stream may be well all the same: what is asked next takes no time.
            End::Failed(Failure::Silent(_)) if open.looks => self.note_look(&open),
            End::Failed(failure) => {
                self.open.remove(&ticket);
                self.note_failure(&open, failure);
            }
        }
        self.open.remove(&ticket);
    }

    /// An event that was asked of the whole store is larger than the limit.
    fn on_too_long_elsewhere(&mut self, open: &Open) {
        match open.purpose {
            // That is all that it is to tell.
            Purpose::Alarm => {
                let (known, now) = (self.known.next(), self.now);
                self.renewal().alarm(known, now);
            }
            Purpose::Walk => self.on_hidden(open),
            _ => self.on_no_whole_store(NoProof::TooLong),
        }
    }

    fn on_refusal(&mut self, ticket: Ticket, open: &Open, refusal: Box<Refusal>) {
        let endpoint = open.endpoint;
        let Refusal { fault, head } = &*refusal;
        if !self.identify(ticket, endpoint, head) {
            return;
        }
        self.unheard = None;
        if self.is_v3() && self.on_refused_revision(open, fault.code) {
            return;
        }
        if fault.code == fault::INDEX_CLEARED && open.after.is_some() {
            self.endpoints.answered();
            self.learn(fault.index);
            let oldest = fault::oldest_kept(fault);
            let contradiction = match (oldest, open.after) {
                (Some(oldest), Some(after)) if oldest <= after.next() => {
                    Some("it says that it has what it does not give")
                }
                (Some(oldest), _) if oldest > fault.index.next() => {
                    Some("it says that it has cleared what has not happened yet")
                }
                _ => None,
            };
            if let Some(why) = contradiction {
                // Asked again at once, it would go on for ever.
                self.open.remove(&ticket);
                self.note_failure(open, Failure::Cut(why.to_owned()));
                return;
            }
            if open.compares() {
                self.on_comparison_cleared();
            } else {
                self.on_cleared(fault);
            }
            return;
        }
        let passes = fault::is_passing(fault.code) || head.status == 503;
        let failure = Failure::Refused(refusal);
        self.open.remove(&ticket);
        match open.purpose {
            _ if passes => self.note_failure(open, failure),
            // Not everybody may read everything.
            Purpose::Alarm => self.no_whole_store = Some(NoProof::WholeStoreRefused),
            Purpose::Stream | Purpose::Question | Purpose::Verify if open.whole_store => {
                self.on_no_whole_store(NoProof::WholeStoreRefused);
            }
            Purpose::Compaction => self.on_no_compaction(),
            Purpose::Walk => self.on_hidden(open),
            Purpose::Look | Purpose::Next => self.trust(),
            // Likewise.
            Purpose::Verify if self.is_v3() => self.trust(),
            _ => self.fail(endpoint, failure),
        }
    }

    /// History no longer holds what was asked for.
    fn on_cleared(&mut self, fault: &Fault) {
        // Without the words of its cause: the last 1,000 indexes are kept (fact 10).
        let oldest =
            fault::oldest_kept(fault).unwrap_or_else(|| Index(fault.index.0.saturating_sub(999)));
        self.oldest = Some(oldest);
        let lost = oldest.previous();
        if self.plan.start == Start::Oldest && !self.begun {
            // Nothing was promised yet: the oldest is what the server has now.
            self.begin_at_oldest(lost);
            return;
        }
        self.lose(
            match self.target.filter(|_| !self.following) {
                Some(target) => lost.min(target),
                None => lost,
            },
            Cause::HistoryCleared,
        );
    }

    pub(super) fn begin_at_oldest(&mut self, cursor: Index) {
        self.ledger = Some(Ledger::new(cursor));
        if let Some(mirror) = &mut self.mirror {
            mirror.skip(cursor);
        }
        if let Some(to) = self.target {
            self.tell(Update::Target { from: cursor, to });
            if to <= cursor {
                let oldest = cursor.next();
                self.tell(Update::Notice(Notice::BeforeOldest { oldest, to }));
                // What the next run misses from here on is a gap.
                self.tell(Update::Position(cursor));
            }
        }
    }

    pub(super) fn note_failure(&mut self, open: &Open, failure: Failure) {
        if open.hangs() {
            self.slow_down(open);
        }
        if open.half_closed.is_none() {
            self.half_closes.others_broke(self.now);
        }
        if matches!(failure, Failure::Silent(_)) {
            // A server that does not answer a question won't wake a wait either.
            self.close_where(|other| other.endpoint == open.endpoint);
        }
        let endpoint = open.endpoint;
        let (_, epoch) = self.endpoints.current();
        let verdict = self
            .endpoints
            .failed(endpoint, open.epoch, failure.clone(), self.now);
        if self.endpoints.current().1 != epoch || open.head.is_some() {
            self.mistrust();
        }
        if self.endpoints.current().0 != endpoint {
            // Where the next one is asked, it also has to tell what happens.
            self.close_where(|other| other.endpoint == endpoint && other.hangs());
        }
        match verdict {
            Verdict::Retry => {}
            // What happens is seen all the same, but for what waits for a comparison.
            Verdict::AllFailed if self.is_registered() && !self.unverified => {}
            Verdict::AllFailed => {
                self.failed_rounds = self.failed_rounds.saturating_add(1);
                let notable = self.failed_rounds == NOTABLE_ROUNDS;
                let was_live = std::mem::take(&mut self.told_live);
                if was_live || notable {
                    let state = StateOfWatch::Reconnecting;
                    self.tell_status(state, endpoint, Some(failure), notable);
                }
            }
            Verdict::Hopeless(attempts) => self.finish(Outcome::Failed(attempts)),
        }
    }

    /// A wait that ended without an event is opened anew later each time, unless it lasted.
    pub(super) fn slow_down(&mut self, open: &Open) {
        let (now, seed) = (self.now, self.plan.seed);
        let pace = self.paces.entry(open.purpose).or_insert_with(|| Pace {
            backoff: Backoff::new(seed),
            not_before: now,
        });
        let lasted = open.head.map(|(_, at)| now.duration_since(at));
        let mut delay = pace.backoff.next_delay();
        let (shortest, longest) = LASTED;
        let enough = (delay * WORTH).clamp(shortest, longest);
        if lasted.is_some_and(|lasted| lasted >= enough) {
            pace.backoff.reset();
            delay = pace.backoff.next_delay();
        }
        pace.not_before = now + delay;
    }

    /// The renewal of a watch that has just become quiet.
    pub(super) fn renewal(&mut self) -> &mut Renewal {
        let (known, now, history) = (self.known, self.now, self.plan.history);
        self.renewal
            .get_or_insert_with(|| Renewal::new(known, now, history))
    }
}

/// Holds the events that a stream begins with, as far as each is at the index after the one before
/// it: how many those are, and the index of the last. In a burst of writes in scope these are all.
fn hold_run(parcel: &Arc<Parcel>, scope: &Scope, ledger: &mut Ledger) -> (usize, Index) {
    let cursor = ledger.cursor();
    let is_next = |(index, event): &(Index, Event<'_>)| {
        event.index() == *index && scope.covers(event.node().key(), event.removes_directory())
    };
    let indexes = std::iter::successors(Some(cursor.next()), |index| Some(index.next()));
    let run = indexes.zip(parcel.batch().iter()).take_while(is_next);
    let count = run.count();
    let upto = Index(cursor.0 + count as u64);
    let parcel = Arc::clone(parcel);
    let places = 0..count;
    if count > 0 && ledger.hold_run(upto, Held { parcel, places }) {
        (count, upto)
    } else {
        (0, Index::ZERO)
    }
}

//! The connections, each with a thread of its own.

use std::collections::HashMap;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread;

use super::Means;
use super::arrival::Arrival;
use super::reader::Reader;
use super::requests::{Question, by_v2, by_v3};
use crate::endpoint::Endpoint;
use crate::transport::http::{Connection, Limits};
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::{AnyRequest, Budget, Plan, Spares, Ticket};

/// A request on its way to a lane's thread.
pub(super) struct Order {
    pub(super) ticket: Ticket,
    pub(super) endpoint: Endpoint,
    pub(super) question: Question,
    pub(super) limits: Limits,
    pub(super) connection: Connection,
}

/// A thread with a connection that it keeps.
struct Lane {
    orders: Sender<Order>,
    connection: Connection,
    endpoint: usize,
    /// Something was answered on the connection, and it may be open still.
    is_warm: bool,
    /// The connection can't be used for another request.
    spent: bool,
}

/// All threads with connections.
pub(super) struct Lanes {
    scope: Scope,
    /// Whether values before an event are wanted.
    previous: bool,
    budget: Budget,
    means: Means,
    arrivals: SyncSender<Arrival>,
    spares: Spares,
    idle: Vec<Lane>,
    busy: HashMap<Ticket, Lane>,
}

impl Lanes {
    /// None yet; what comes by those to be goes to `arrivals`.
    pub(super) fn new(
        plan: &Plan,
        means: Means,
        arrivals: SyncSender<Arrival>,
        spares: Spares,
    ) -> Self {
        Self {
            scope: plan.scope.clone(),
            previous: plan.previous,
            budget: plan.budget.clone(),
            means,
            arrivals,
            spares,
            idle: Vec::new(),
            busy: HashMap::new(),
        }
    }

    pub(super) fn open(&mut self, ticket: Ticket, endpoint: usize, request: &AnyRequest) {
        let Some(address) = self.means.endpoints.get(endpoint).cloned() else {
            return;
        };
        // What will be answered soon goes where a connection is open already; what will spend
        // its connection, or keep it, leaves that alone.
        let mut lane = self.lane(endpoint, request.is_quick());
        let (question, limits) = match request {
            AnyRequest::V2(request) => by_v2(&self.scope, request),
            AnyRequest::V3(request) => by_v3(&self.scope, self.previous, request),
        };
        lane.endpoint = endpoint;
        let order = Order {
            ticket,
            endpoint: address,
            question,
            limits,
            connection: lane.connection.clone(),
        };
        // A lane's thread lives as long as its sender.
        if lane.orders.send(order).is_ok() {
            self.busy.insert(ticket, lane);
        }
    }

    /// A lane that is idle: where it `is_quick`, one with a connection that is open to `endpoint`
    /// if there is one. Else one without, or one of those with, as long as one is left; or a new
    /// one.
    fn lane(&mut self, endpoint: usize, is_quick: bool) -> Lane {
        let is_open = |lane: &Lane| lane.is_warm && lane.endpoint == endpoint;
        let idle = &mut self.idle;
        let open_ones = idle.iter().filter(|lane| is_open(lane)).count();
        if open_ones > usize::from(!is_quick)
            && let Some(position) = idle.iter().position(is_open)
        {
            return idle.swap_remove(position);
        }
        if let Some(position) = idle.iter().position(|lane| !is_open(lane)) {
            let mut lane = idle.swap_remove(position);
            if lane.is_warm {
                lane.connection = self.means.http.connection();
            }
            return lane;
        }
        let (orders, queue) = mpsc::channel();
        let reader = Reader {
            scope: self.scope.clone(),
            arrivals: self.arrivals.clone(),
            spares: self.spares.clone(),
            budget: self.budget.clone(),
            max_event: self.means.max_event,
        };
        thread::spawn(move || {
            for order in queue {
                if reader.carry_out(&order).is_none() {
                    return;
                }
            }
        });
        Lane {
            orders,
            connection: self.means.http.connection(),
            endpoint,
            is_warm: false,
            spent: false,
        }
    }

    pub(super) fn half_close(&mut self, ticket: Ticket) {
        if let Some(lane) = self.busy.get_mut(&ticket) {
            lane.connection.half_close();
            lane.spent = true;
        }
    }

    pub(super) fn close(&mut self, ticket: Ticket) {
        if let Some(lane) = self.busy.get_mut(&ticket) {
            // The thread comes back with an end that the session no longer asks for.
            lane.connection.shut_down();
            lane.spent = true;
        }
    }

    pub(super) fn close_all(&mut self) {
        for lane in self.busy.values() {
            lane.connection.shut_down();
        }
    }

    pub(super) fn ended(&mut self, ticket: Ticket) {
        if let Some(mut lane) = self.busy.remove(&ticket) {
            lane.is_warm = !std::mem::take(&mut lane.spent);
            if !lane.is_warm {
                lane.connection = self.means.http.connection();
            }
            self.idle.push(lane);
        }
    }
}

//! The worker threads, each with one connection at a time.

use std::collections::HashMap;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread;

use super::message::WorkerMessage;
use super::reader::ReplyReader;
use super::requests::{Job, v2_call, v3_call};
use super::servers::Servers;
use crate::transport::http::Connection;
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::{AnyRequest, Budget, BufferPool, Plan, RequestId};

/// A thread with a connection, which it keeps between requests.
struct Worker {
    jobs: Sender<Job>,
    connection: Connection,
    /// The endpoint of its last request.
    endpoint: usize,
    /// The connection is open to that endpoint, unless the server has closed it since.
    is_connected: bool,
    /// The connection was half-closed or shut down, and can't be used for another request.
    is_closed: bool,
}

/// All worker threads. Their number is the largest number of requests that were in flight at a time.
pub(super) struct Workers {
    scope: Scope,
    /// Whether events are to have the values that they replace (v3).
    previous: bool,
    budget: Budget,
    servers: Servers,
    messages: SyncSender<WorkerMessage>,
    buffers: BufferPool,
    idle: Vec<Worker>,
    busy: HashMap<RequestId, Worker>,
}

impl Workers {
    /// Starts with no worker. The workers send everything they receive to `messages`.
    pub(super) fn new(
        plan: &Plan,
        servers: Servers,
        messages: SyncSender<WorkerMessage>,
        buffers: BufferPool,
    ) -> Self {
        Self {
            scope: plan.scope.clone(),
            previous: plan.previous,
            budget: plan.budget.clone(),
            servers,
            messages,
            buffers,
            idle: Vec::new(),
            busy: HashMap::new(),
        }
    }

    /// Sends a request on a worker's connection.
    pub(super) fn open(&mut self, id: RequestId, endpoint: usize, request: &AnyRequest) {
        let Some(address) = self.servers.endpoints.get(endpoint).cloned() else {
            return;
        };
        // A quick request uses a connection that is already open. A request that lasts, or that closes its
        // connection, leaves open connections to the quick ones.
        let mut worker = self.worker(endpoint, request.is_quick());
        let (call, limits) = match request {
            AnyRequest::V2(request) => v2_call(&self.scope, request),
            AnyRequest::V3(request) => v3_call(&self.scope, self.previous, request),
        };
        worker.endpoint = endpoint;
        let job = Job {
            id,
            endpoint: address,
            call,
            limits,
            connection: worker.connection.clone(),
        };
        // The thread lives as long as this sender.
        if worker.jobs.send(job).is_ok() {
            self.busy.insert(id, worker);
        }
    }

    /// Returns an idle worker, or a new one. A quick request prefers a worker that is connected to
    /// `endpoint`. Any other request takes such a worker only if another one is left.
    fn worker(&mut self, endpoint: usize, is_quick: bool) -> Worker {
        let is_connected = |worker: &Worker| worker.is_connected && worker.endpoint == endpoint;
        let idle = &mut self.idle;
        let connected = idle.iter().filter(|worker| is_connected(worker)).count();
        if connected > usize::from(!is_quick)
            && let Some(position) = idle.iter().position(is_connected)
        {
            return idle.swap_remove(position);
        }
        if let Some(position) = idle.iter().position(|worker| !is_connected(worker)) {
            let mut worker = idle.swap_remove(position);
            if worker.is_connected {
                worker.connection = self.servers.http.connection();
            }
            return worker;
        }
        let (jobs, queue) = mpsc::channel();
        let reader = ReplyReader {
            scope: self.scope.clone(),
            messages: self.messages.clone(),
            buffers: self.buffers.clone(),
            budget: self.budget.clone(),
            max_event: self.servers.max_event,
        };
        thread::spawn(move || {
            for job in queue {
                if reader.carry_out(&job).is_none() {
                    return;
                }
            }
        });
        Worker {
            jobs,
            connection: self.servers.http.connection(),
            endpoint,
            is_connected: false,
            is_closed: false,
        }
    }

    /// Half-closes the connection of a request in flight.
    pub(super) fn half_close(&mut self, id: RequestId) {
        if let Some(worker) = self.busy.get_mut(&id) {
            worker.connection.half_close();
            worker.is_closed = true;
        }
    }

    /// Shuts the connection of a request in flight down. Its worker reports an end, which the session
    /// does not wait for.
    pub(super) fn close(&mut self, id: RequestId) {
        if let Some(worker) = self.busy.get_mut(&id) {
            worker.connection.shut_down();
            worker.is_closed = true;
        }
    }

    /// Shuts all connections with a request in flight down.
    pub(super) fn close_all(&mut self) {
        for worker in self.busy.values() {
            worker.connection.shut_down();
        }
    }

    /// Notes that a worker has reported the end of its request, and is idle.
    pub(super) fn ended(&mut self, id: RequestId) {
        if let Some(mut worker) = self.busy.remove(&id) {
            worker.is_connected = !std::mem::take(&mut worker.is_closed);
            if !worker.is_connected {
                worker.connection = self.servers.http.connection();
            }
            self.idle.push(worker);
        }
    }
}

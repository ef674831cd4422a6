//! The session trait and what crosses it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::{KernelError, Now, Reply, ShardId};

use crate::gate::UnitId;

/// Protocol state of one client connection. Performs no IO and reads no clock.
///
/// A driver calls a `handle_*` method for whatever happened, then polls until every `poll_*` answers
/// `None`. Every queue inside is bounded: when one is full, [`Progress::paused`] says to stop reading.
pub trait Session: Send {
    /// Takes what it can from the front of `input`, without copying payloads; bytes of an incomplete frame
    /// stay. `now` never moves backwards.
    ///
    /// # Errors
    ///
    /// A [`Violation`] ends the connection once `poll_transmit` is drained; the farewell is already queued.
    fn handle_input(&mut self, now: Now, input: &mut BytesMut) -> Result<Progress, Violation>;
    /// Answers a request that `poll_request` returned. Stored chunks arrive in memory (the driver has read
    /// cold ones).
    fn handle_reply(&mut self, now: Now, id: RequestId, answer: Result<Answer, KernelError>);
    /// Something happened on the connection to legacy.
    ///
    /// # Errors
    ///
    /// As for `handle_input`; the fault may be legacy's.
    fn handle_legacy(&mut self, now: Now, event: LegacyEvent<'_>) -> Result<Progress, Violation>;
    /// Does what was due by `now`.
    ///
    /// # Errors
    ///
    /// As for `handle_input` (a handshake that took too long, a lost lease).
    fn handle_timeout(&mut self, now: Now) -> Result<(), Violation>;
    /// Next bytes for the client.
    fn poll_transmit(&mut self) -> Option<Bytes>;
    /// Next request for the kernel or the handover.
    fn poll_request(&mut self) -> Option<(RequestId, Request)>;
    /// What to do next on the connection to legacy.
    fn poll_legacy(&mut self) -> Option<LegacyAction>;
    /// Next observation for the inventory, the metrics and the divergence record.
    fn poll_event(&mut self) -> Option<Event>;
    /// When `handle_timeout` is next due, on the monotonic clock.
    fn poll_timeout(&self) -> Option<Duration>;
    /// The connection is over: what it has not answered is observed. `poll_event` alone is called after this.
    fn handle_end(&mut self) {}
    /// Whether reading from the client may go on (see [`Progress::paused`]); asked again after every call.
    fn wants_input(&self) -> bool;
    /// Memory that its requests and answers take; asked after every call.
    fn held(&self) -> Held;
}

/// Memory that a session takes for requests and answers, in bytes, without what was polled from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Requests without an answer, as long as they are kept, and what they become while they are served.
    pub requests: usize,
    /// Answers that have not left.
    pub answers: usize,
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Stop reading from the peer until a later call says otherwise.
    pub paused: bool,
    /// How many more bytes the frame at the front needs (0: unknown). A hint for buffer growth, bounded by
    /// the session's own frame limit.
    pub wanted: usize,
}

/// Names a request of one session; chosen by the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a session asks of the world.
#[derive(Debug, Clone)]
pub enum Request {
    /// A request to a shard.
    Kernel {
        /// Which shard.
        shard: ShardId,
        /// What is asked.
        request: kernel_model::Request,
    },
    /// Tell me when this unit is no longer held. Answer: [`Answer::Released`].
    Hold(UnitId),
    /// The peer has gone or no longer cares: forget this request. It gets no answer.
    Cancel(RequestId),
}

/// What a session is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A shard's reply.
    Kernel(Reply),
    /// The unit is released, to whichever side its gate says.
    Released,
}

/// A node of the legacy cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegacyNode {
    /// This node, by the cluster's own number.
    Id(i32),
    /// Any node that answers.
    Any,
}

/// What happened on the connection to legacy.
#[derive(Debug)]
pub enum LegacyEvent<'a> {
    /// It is established.
    Connected,
    /// Bytes came; the session takes whole frames from the front.
    Bytes(&'a mut BytesMut),
    /// It is gone, or could not be established: why.
    Closed(&'a str),
    /// Legacy is contacted no more, whether a connection stands or not: the session closes it as soon as nothing
    /// is owed on it.
    Retired,
}

/// What a session wants done on its connection to legacy.
#[derive(Debug, Clone)]
pub enum LegacyAction {
    /// Connect; answered by `Connected` or `Closed`.
    Connect(LegacyNode),
    /// Send these bytes.
    Transmit(Bytes),
    /// Close it.
    Close,
}

/// Why a connection must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The peer sent bytes that are not the protocol, or broke its rules.
    #[error("protocol violation: {0}")]
    Protocol(String),
    /// The peer asked for too much.
    #[error("limit exceeded: {0}")]
    Limit(String),
    /// Nothing (or not enough) came in time.
    #[error("timed out: {0}")]
    TimedOut(&'static str),
    /// Legacy closed the connection or broke the protocol.
    #[error("legacy: {0}")]
    Legacy(String),
    /// The right to forward was lost.
    #[error("the lease to forward has run out")]
    LeaseLost,
    /// An orderly end that needs no explanation.
    #[error("closed")]
    Closed,
}

/// An administrator's act, in words that may be kept: no secret is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administered {
    /// As whom the client is authenticated; `None` where its name is not known.
    pub who: Option<String>,
    /// Its address.
    pub from: String,
    /// What it ordered.
    pub what: String,
    /// What came of it.
    pub outcome: String,
    /// Something of it was done, or may have been. Otherwise it was refused.
    pub done: bool,
}

/// An observation: for the inventory, the metrics, or the record of divergences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The client has said who it is.
    Client {
        /// Client id.
        id: String,
        /// Name of its software, where it said.
        software: Option<String>,
        /// Version of its software, where it said.
        version: Option<String>,
    },
    /// The client used an API (once per session, API and version).
    Used {
        /// Protocol's number of the API.
        api: i16,
        /// Version.
        version: i16,
    },
    /// The client uses something that the kernel does not serve: the gate will refuse to move it.
    Unsupported {
        /// What: a short stable word.
        feature: &'static str,
        /// Unit that uses it, if it is one.
        unit: Option<UnitId>,
    },
    /// The client is authenticated.
    User {
        /// As whom; empty where its name cannot be told from what passes.
        name: String,
        /// How.
        mechanism: String,
    },
    /// The client has ordered what administrators order, and this came of it.
    Administered(Box<Administered>),
    /// Records acknowledged to the client.
    Acknowledged {
        /// Unit.
        unit: UnitId,
        /// How many.
        records: u32,
    },
    /// The client is above its quota and has to wait.
    Throttled {
        /// Which quota.
        quota: &'static str,
        /// How long.
        wait: Duration,
    },
    /// The kernel did not hold a dual-written batch in time.
    DualWriteMissed {
        /// Unit.
        unit: UnitId,
        /// Why.
        reason: String,
    },
}

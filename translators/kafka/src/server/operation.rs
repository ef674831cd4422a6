//! A request that is being worked on: what it asks of shards, and what it makes of the answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::{KernelError, Now, Reply, Request, ShardId};
use session::RequestId;

use super::authorize::Guard;
use super::fetch::FetchSessions;
use super::throttle::Throttle;
use super::{ClusterView, CopyReaders, ServerSettings, SpareIds, Ticket};
use crate::catalog::Catalog;
use crate::codec::messages::RequestHeader;
use crate::codec::{ApiKey, Response, Str, frame};

/// What a request says of itself.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) client_id: Option<Str>,
}

impl Head {
    pub(super) fn new(api: ApiKey, header: RequestHeader) -> Self {
        let (version, correlation_id) = (header.request_api_version, header.correlation_id);
        Self { api, version, correlation_id, client_id: header.client_id }
    }

    /// The answer as a whole frame. A response that its version cannot express is this process's fault; the
    /// client then finds its connection closed.
    pub(super) fn respond<R: Response>(&self, response: &R) -> Finished {
        match frame::response_frame(self.version, self.correlation_id, response) {
            Ok(bytes) => Finished::Frame(vec![bytes]),
            Err(_) => Finished::Close("a response could not be encoded"),
        }
    }

    /// The answer as a whole frame around a body that a coordinator encoded. An empty body says that the
    /// coordinator could not read the request.
    pub(super) fn respond_body(&self, body: Bytes) -> Finished {
        if body.is_empty() {
            return Finished::Close("a request could not be read");
        }
        let Ok(size) = i32::try_from(body.len() + self.header_len()) else {
            return Finished::Close("a response is too large");
        };
        let mut front = BytesMut::with_capacity(9);
        front.put_i32(size);
        self.put_header(&mut front);
        Finished::Frame(vec![front.freeze(), body])
    }

    pub(super) fn header_len(&self) -> usize {
        4 + usize::from(self.flexible_header())
    }

    pub(super) fn put_header(&self, out: &mut BytesMut) {
        out.put_i32(self.correlation_id);
        if self.flexible_header() {
            out.put_u8(0);
        }
    }

    fn flexible_header(&self) -> bool {
        frame::response_header_version(self.api, self.version) > 0
    }
}

/// How a request ends.
#[derive(Debug)]
pub(super) enum Finished {
    /// With a response: a whole frame, size prefix included.
    Frame(Vec<Bytes>),
    /// Without one (acks 0).
    Silent,
    /// With the connection's end: why.
    Close(&'static str),
}

/// How far a request came.
pub(super) enum Step {
    /// It waits for answers or for time.
    Wait,
    /// It is done.
    Done(Finished),
}

/// How a request begins.
pub(super) enum Begin {
    /// It waits for answers or for time.
    Run(Box<dyn Operation>),
    /// It is done already.
    Done(Finished),
}

/// A request that waits.
pub(super) trait Operation: Send {
    /// Takes the answer to what it asked under `slot`.
    fn answered(&mut self, cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step;

    /// The time has come that it asked for.
    fn due(&mut self, _cx: &mut Cx<'_>) -> Step {
        Step::Wait
    }
}

/// What shards were asked and have not answered.
#[derive(Debug, Default)]
pub(super) struct Asks {
    next: u64,
    pub(super) requests: VecDeque<(RequestId, session::Request)>,
    open: BTreeMap<RequestId, (Ticket, usize)>,
    by_ticket: BTreeSet<(Ticket, RequestId)>,
    timers: BTreeSet<(Duration, Ticket)>,
}

impl Asks {
    /// Whose answer this is; each is taken once.
    pub(super) fn take(&mut self, id: RequestId) -> Option<(Ticket, usize)> {
        let (ticket, slot) = self.open.remove(&id)?;
        self.by_ticket.remove(&(ticket, id));
        Some((ticket, slot))
    }

    /// Forgets what a finished request still waits for.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        let range = (ticket, RequestId(0))..=(ticket, RequestId(u64::MAX));
        let left: Vec<RequestId> = self.by_ticket.range(range).map(|(_, id)| *id).collect();
        for id in left {
            self.cancel(ticket, id);
        }
        self.timers.retain(|(_, waiting)| *waiting != ticket);
    }

    fn cancel(&mut self, ticket: Ticket, id: RequestId) {
        self.open.remove(&id);
        self.by_ticket.remove(&(ticket, id));
        self.requests.push_back((id, session::Request::Cancel(id)));
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.timers.first().map(|(due, _)| *due)
    }

    pub(super) fn take_due(&mut self, now: Duration) -> Option<Ticket> {
        let first = self.timers.first().copied().filter(|(due, _)| *due <= now)?;
        self.timers.remove(&first);
        Some(first.1)
    }
}

/// What a request may use while it is worked on.
pub(super) struct Cx<'a> {
    pub(super) now: Now,
    pub(super) ticket: Ticket,
    pub(super) settings: &'a ServerSettings,
    pub(super) cluster: &'a ClusterView,
    pub(super) sessions: &'a mut FetchSessions,
    pub(super) asks: &'a mut Asks,
    /// Who asks. Requests were judged before they came here; Fetch asks again for what its session names.
    pub(super) guard: Guard,
    /// In whose rules it is looked up.
    pub(super) realm: &'a str,
    /// Who may read copies; without it everybody may.
    pub(super) copies: Option<&'a dyn CopyReaders>,
    /// Where producer ids of transactional ids come from; without it from the catalog.
    pub(super) spares: Option<&'a dyn SpareIds>,
    /// Clients are told how to log in: this is answered in place of a cluster where they do.
    pub(super) logins: bool,
    /// What the client was told to wait.
    pub(super) throttle: &'a mut Throttle,
}

impl Cx<'_> {
    /// The topics as they are now.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.settings.catalog.load()
    }

    /// The cluster's id as clients see it.
    pub(super) fn cluster_id(&self) -> Str {
        let own = || Str::from(self.settings.catalog.load().cluster_id.as_str());
        self.cluster.cluster_id.clone().unwrap_or_else(own)
    }

    /// Asks a shard; the answer comes under `slot`.
    pub(super) fn ask(&mut self, slot: usize, shard: ShardId, request: Request) -> RequestId {
        let asks = &mut *self.asks;
        asks.next += 1;
        let id = RequestId(asks.next);
        asks.open.insert(id, (self.ticket, slot));
        asks.by_ticket.insert((self.ticket, id));
        asks.requests.push_back((id, session::Request::Kernel { shard, request }));
        id
    }

    /// Calls `due` at or after this time.
    pub(super) fn wake_at(&mut self, at: Duration) {
        self.asks.timers.insert((at, self.ticket));
    }
}

/// A request whose response is gathered from one answer for each of its slots.
pub(super) struct Gather<R, S> {
    head: Head,
    response: R,
    slots: Vec<S>,
    left: usize,
    place: Place<R, S>,
    finish: fn(&Head, R) -> Finished,
}

/// Puts an answer into the response; may ask again under the same slot.
pub(super) type Place<R, S> = fn(&mut R, &mut S, Result<Reply, KernelError>) -> Option<(ShardId, Request)>;

impl<R: Response + Default + Send + 'static, S: Send + 'static> Gather<R, S> {
    pub(super) fn new(head: Head, place: Place<R, S>) -> Self {
        let finish = |head: &Head, response: R| head.respond(&response);
        Self { head, response: R::default(), slots: Vec::new(), left: 0, place, finish }
    }

    pub(super) fn finish_with(mut self, finish: fn(&Head, R) -> Finished) -> Self {
        self.finish = finish;
        self
    }

    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, shard: ShardId, request: Request, slot: S) {
        cx.ask(self.slots.len(), shard, request);
        self.slots.push(slot);
        self.left += 1;
    }

    /// Starts waiting, with what the response holds already.
    pub(super) fn begin(mut self, response: R) -> Begin {
        self.response = response;
        if self.left == 0 {
            Begin::Done((self.finish)(&self.head, self.response))
        } else {
            Begin::Run(Box::new(self))
        }
    }
}

impl<R, S> Operation for Gather<R, S>
where
    R: Response + Default + Send + 'static,
    S: Send + 'static,
{
    fn answered(&mut self, cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        let Some(state) = self.slots.get_mut(slot) else { return Step::Wait };
        if let Some((shard, more)) = (self.place)(&mut self.response, state, answer) {
            cx.ask(slot, shard, more);
            return Step::Wait;
        }
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return Step::Wait;
        }
        Step::Done((self.finish)(&self.head, std::mem::take(&mut self.response)))
    }
}

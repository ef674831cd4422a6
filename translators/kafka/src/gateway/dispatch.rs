//! What happens to each request. What comes of it is in [`super::answers`].

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "`apis` looks at every API; here the ones that differ are named"
)]

use std::sync::Arc;

use bytes::Bytes;
use kernel_model::Now;
use session::{Entry, Violation};

use super::answers::can_fall_back;
use super::apis::{Handling, handling};
use super::epochs::{AskedEpochs, NamesEpochs, StoresEpochs};
use super::fetch::{FetchPlan, is_incremental, session_not_found};
use super::owner::{Owned, Owner};
use super::produce::batches_ahead;
use super::relay::{Incoming, encode};
use super::returned::leader;
use super::rewrite::{self, Asked};
use super::route::{RouteTable, Unit};
use super::session::{GatewaySession, internal};
use super::shared::Role;
use super::transactions::Admission;
use super::upstream::{Expected, Merge, Passed, Then};
use crate::codec::frame;
use crate::codec::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiVersionsRequest, ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DeleteRecordsRequest, DescribeGroupsRequest,
    DescribeProducersRequest, DescribeTransactionsRequest, EndTxnRequest, FetchRequest, HeartbeatRequest,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, SyncGroupRequest,
    TxnOffsetCommitRequest,
};
use crate::codec::{ApiKey, Request};
use crate::errors::ErrorCode;

/// Correlation id of the requests that we send on our own account; the answers never reach the client.
const BARRIER: i32 = i32::MIN;

/// Whether a request changes its owner's state: those wait at a fence, and are counted on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl GatewaySession {
    /// Decides what happens to one frame.
    pub(super) fn dispatch(&mut self, now: Now, whole: Bytes) -> Result<(), Violation> {
        let request = Incoming::read(whole)?;
        self.observe(request.head.api_key, request.version(), request.head.client_id.as_ref());
        self.meet(request.head.client_id.as_ref());
        let known = request.api.spec();
        if handling(request.api) == Handling::Refuse
            || (request.api != ApiKey::ApiVersions && !known.versions().contains(&request.version()))
        {
            let (name, version) = (known.name, request.version());
            return Err(Violation::Protocol(format!("{name} version {version} is not offered")));
        }
        self.admit(request.api)?;
        if self.shared.routes.is_retired() {
            self.leave_retired();
            if matches!(request.api, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate) {
                return self.log_in(now, &request);
            }
            return self.serve(now, &request);
        }
        if self.legacy_back_at.is_some_and(|at| at <= now.elapsed) {
            self.legacy_back_at = None;
            self.upstream.reopen();
        }
        match request.api {
            ApiKey::SaslHandshake | ApiKey::SaslAuthenticate if self.legacy_back_at.is_some() => {
                return self.log_in(now, &request);
            }
            api if self.legacy_back_at.is_some() && can_fall_back(api) => return self.serve(now, &request),
            _ => {}
        }
        match self.role {
            Role::Legacy(_) => self.at_legacy_node(now, request),
            Role::Kernel => self.at_kernel_node(now, request),
        }
    }

    /// Before the client is authenticated only the handshake passes. On legacy's own nodes too: what has moved
    /// is answered, and taken (acks=0), without asking legacy.
    fn admit(&self, api: ApiKey) -> Result<(), Violation> {
        let handshake = matches!(api, ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate);
        if self.authenticated || handshake {
            return Ok(());
        }
        Err(Violation::Protocol("a request came before authentication".to_owned()))
    }

    fn at_legacy_node(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        match request.api {
            ApiKey::Produce => self.produce(now, request),
            ApiKey::Fetch => self.fetch(request),
            ApiKey::ListOffsets => self.ask_leader::<ListOffsetsRequest>(request),
            ApiKey::OffsetForLeaderEpoch => self.ask_leader::<OffsetForLeaderEpochRequest>(request),
            ApiKey::DeleteRecords => self.owned::<DeleteRecordsRequest>(now, request, Access::Write),
            ApiKey::DescribeProducers => self.owned::<DescribeProducersRequest>(now, request, Access::Read),
            ApiKey::JoinGroup => self.owned::<JoinGroupRequest>(now, request, Access::Write),
            ApiKey::SyncGroup => self.owned::<SyncGroupRequest>(now, request, Access::Write),
            ApiKey::Heartbeat => self.owned::<HeartbeatRequest>(now, request, Access::Write),
            ApiKey::LeaveGroup => self.owned::<LeaveGroupRequest>(now, request, Access::Write),
            ApiKey::OffsetCommit => {
                let request = self.forget_epochs::<OffsetCommitRequest>(request)?;
                self.owned::<OffsetCommitRequest>(now, request, Access::Write)
            }
            ApiKey::OffsetDelete => self.owned::<OffsetDeleteRequest>(now, request, Access::Write),
            ApiKey::DeleteGroups => self.owned::<DeleteGroupsRequest>(now, request, Access::Write),
            ApiKey::OffsetFetch => self.owned::<OffsetFetchRequest>(now, request, Access::Read),
            ApiKey::DescribeGroups => self.owned::<DescribeGroupsRequest>(now, request, Access::Read),
            ApiKey::ConsumerGroupHeartbeat => {
                self.owned::<ConsumerGroupHeartbeatRequest>(now, request, Access::Write)
            }
            ApiKey::ConsumerGroupDescribe => {
                self.owned::<ConsumerGroupDescribeRequest>(now, request, Access::Read)
            }
            ApiKey::DescribeTransactions => {
                self.owned::<DescribeTransactionsRequest>(now, request, Access::Read)
            }
            ApiKey::InitProducerId
            | ApiKey::AddPartitionsToTxn
            | ApiKey::AddOffsetsToTxn
            | ApiKey::EndTxn
            | ApiKey::TxnOffsetCommit => self.coordinate(now, request),
            _ => self.relay(request),
        }
    }

    fn at_kernel_node(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        match request.api {
            ApiKey::Produce => self.serve_at_pace(now, request),
            ApiKey::Fetch
            | ApiKey::ListOffsets
            | ApiKey::OffsetForLeaderEpoch
            | ApiKey::DeleteRecords
            | ApiKey::DescribeProducers
            | ApiKey::ListTransactions
            | ApiKey::ListGroups => self.serve(now, &request),
            ApiKey::InitProducerId => {
                let asked = request.decode::<InitProducerIdRequest>()?;
                match asked.transactional_id {
                    Some(_) => self.serve_groups::<InitProducerIdRequest>(now, request),
                    None => self.serve(now, &request),
                }
            }
            ApiKey::AddPartitionsToTxn => self.serve_groups::<AddPartitionsToTxnRequest>(now, request),
            ApiKey::AddOffsetsToTxn => self.serve_groups::<AddOffsetsToTxnRequest>(now, request),
            ApiKey::EndTxn => self.serve_groups::<EndTxnRequest>(now, request),
            ApiKey::TxnOffsetCommit => self.serve_groups::<TxnOffsetCommitRequest>(now, request),
            ApiKey::DescribeTransactions => self.serve_groups::<DescribeTransactionsRequest>(now, request),
            ApiKey::JoinGroup => self.serve_groups::<JoinGroupRequest>(now, request),
            ApiKey::SyncGroup => self.serve_groups::<SyncGroupRequest>(now, request),
            ApiKey::Heartbeat => self.serve_groups::<HeartbeatRequest>(now, request),
            ApiKey::LeaveGroup => self.serve_groups::<LeaveGroupRequest>(now, request),
            ApiKey::OffsetCommit => self.serve_groups::<OffsetCommitRequest>(now, request),
            ApiKey::OffsetDelete => self.serve_groups::<OffsetDeleteRequest>(now, request),
            ApiKey::DeleteGroups => self.serve_groups::<DeleteGroupsRequest>(now, request),
            ApiKey::OffsetFetch => self.serve_groups::<OffsetFetchRequest>(now, request),
            ApiKey::DescribeGroups => self.serve_groups::<DescribeGroupsRequest>(now, request),
            ApiKey::ConsumerGroupHeartbeat => {
                self.serve_groups::<ConsumerGroupHeartbeatRequest>(now, request)
            }
            ApiKey::ConsumerGroupDescribe => self.serve_groups::<ConsumerGroupDescribeRequest>(now, request),
            _ => self.relay(request),
        }
    }

    /// The kernel answers.
    pub(super) fn serve(&mut self, now: Now, request: &Incoming) -> Result<(), Violation> {
        self.server.set_cluster(self.shared.view.load_full());
        let slot = self.slots.open();
        self.serve_frame(now, slot, request.frame())
    }

    /// Groups and transactional ids that the kernel serves go to it; the others have their coordinator elsewhere.
    fn serve_groups<R: Owned>(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        let mut served: R = request.decode()?;
        let routes = self.shared.routes.table();
        let elsewhere = served.take(&mut |owner| !lookup(&routes, owner).is_some_and(|unit| unit.is_moved()));
        drop(routes);
        // Both are empty for the group without a name, which is legacy's.
        if elsewhere.is_empty() && !served.is_empty() {
            return self.serve(now, &request);
        }
        let refused = self.refuse(&elsewhere, request.version(), ErrorCode::NotCoordinator);
        let slot = self.slots.open();
        if served.is_empty() {
            return self.answer(slot, &request.head, &refused);
        }
        self.finish.insert(slot, merge::<R>(request.version(), refused));
        let frame = encode(&request.head, &served)?;
        self.serve_frame(now, slot, frame.slice(4..))
    }

    /// A request about owners, on a legacy node: what has moved is refused, the rest goes on.
    fn owned<R: Owned>(&mut self, now: Now, request: Incoming, access: Access) -> Result<(), Violation> {
        if self.shared.routes.table().is_empty() {
            return self.relay(request);
        }
        let mut rest: R = request.decode()?;
        let Split { moved, passed } = match self.split(now, &mut rest, access, false)? {
            Ok(split) => split,
            Err(unit) => {
                self.hold(unit.id.clone(), request.whole);
                return Ok(());
            }
        };
        let rest = Rest::of(rest, self.refused(&moved, request.version()));
        self.forward_rest(request, rest, passed, |merge| rewrite(Asked::Plain, merge))
    }

    /// A question to the leaders of partitions: what has moved is refused, the rest goes on with legacy's epochs.
    fn ask_leader<R: NamesEpochs>(&mut self, request: Incoming) -> Result<(), Violation> {
        if self.shared.routes.table().is_empty() {
            return self.relay(request);
        }
        let mut rest: R = request.decode()?;
        let moved = self.take_moved(&mut rest);
        let refused = self.refused(&moved, request.version());
        let mut rest = Rest::of(rest, refused);
        let asked = self.translate(&mut rest, request.version());
        let asked = if asked.is_empty() { Asked::Plain } else { Asked::Ends(asked) };
        self.forward_rest(request, rest, Vec::new(), |merge| rewrite(asked, merge))
    }

    fn take_moved<R: Owned>(&self, rest: &mut R) -> R {
        let (routes, any_moved) = (self.shared.routes.table(), self.shared.routes.any_moved());
        rest.take(&mut |owner| any_moved && lookup(&routes, owner).is_some_and(|unit| unit.is_moved()))
    }

    /// Writes legacy's epochs in place of the virtual ones. What names one that legacy does not have (any more) is
    /// taken out and answered so. Returns the epochs whose ends were asked for.
    fn translate<R: NamesEpochs>(&self, rest: &mut Rest<R>, version: i16) -> AskedEpochs {
        if !self.shared.routes.any_translated() {
            return AskedEpochs::new();
        }
        let translation = rest.request.translate(&self.shared.routes.table());
        rest.changed |= translation.changed;
        if let Some(refused) = translation.refuse(&mut rest.request, version) {
            rest.refuse(refused);
        }
        translation.asked
    }

    /// Takes epochs out of a request that mean nothing to legacy: what is stored there has to be true without us.
    pub(super) fn forget_epochs<R: Request + StoresEpochs>(
        &self,
        request: Incoming,
    ) -> Result<Incoming, Violation> {
        if !self.shared.routes.any_translated() {
            return Ok(request);
        }
        let mut stored: R = request.decode()?;
        if !stored.forget_epochs(&self.shared.routes.table()) {
            return Ok(request);
        }
        let whole = encode(&request.head, &stored)?;
        Ok(Incoming { whole, ..request })
    }

    /// Takes out what has moved and counts what passes; the inner error names a unit that is held. Writes of an open
    /// transaction pass a fence.
    fn split<R: Owned>(
        &mut self,
        now: Now,
        rest: &mut R,
        access: Access,
        is_open: bool,
    ) -> Result<Result<Split<R>, Arc<Unit>>, Violation> {
        let routes = self.shared.routes.table();
        let (mut passed, mut held) = (Vec::new(), None);
        let moved = rest.take(&mut |owner| {
            let Some(unit) = lookup(&routes, owner) else { return false };
            if access == Access::Read {
                return unit.is_moved();
            }
            let entered = if is_open { Passed::enter_to_end(unit) } else { Passed::enter(unit) };
            match entered {
                Ok(pass) => passed.push(pass),
                Err(Entry::Kernel) => return true,
                Err(_) => held = Some(Arc::clone(unit)),
            }
            false
        });
        if let Some(unit) = held {
            return Ok(Err(unit));
        }
        if !passed.is_empty() && !self.shared.routes.lease().holds(now) {
            self.upstream.close();
            return Err(Violation::LeaseLost);
        }
        Ok(Ok(Split { moved, passed }))
    }

    /// Forwards what is left of a request and puts the refusals of what was taken out with the answer.
    fn forward_rest<R: Owned>(
        &mut self,
        request: Incoming,
        rest: Rest<R>,
        passed: Vec<Passed>,
        then: impl FnOnce(Option<Merge>) -> Then,
    ) -> Result<(), Violation> {
        let Rest { request: rest, changed, refused } = rest;
        if let Some(refused) = refused.as_ref().filter(|_| rest.is_empty()) {
            let slot = self.slots.open();
            return self.answer(slot, &request.head, refused);
        }
        let then = then(refused.map(|refused| merge::<R>(request.version(), refused)));
        let whole = if changed { encode(&request.head, &rest)? } else { request.whole };
        self.forward(Incoming { whole, ..request }, passed, then)
    }

    fn produce(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        let mut rest: ProduceRequest = request.decode()?;
        let silent = rest.acks == 0;
        if self.shared.routes.table().is_empty() {
            return self.forward_produce(request, Vec::new(), Then::Rewrite(Asked::Plain), silent);
        }
        let open = match self.admit_produce(now, &rest)? {
            Admission::Passed(passed) => Some(passed),
            Admission::Held(unit) => {
                self.hold(unit, request.whole);
                return Ok(());
            }
            Admission::Moved | Admission::Elsewhere => None,
        };
        let Split { moved, mut passed } = match self.split(now, &mut rest, Access::Write, open.is_some())? {
            Ok(split) => split,
            Err(unit) => {
                self.hold(unit.id.clone(), request.whole);
                return Ok(());
            }
        };
        passed.extend(open);
        if silent {
            return self.produce_silently(now, request, &rest, &moved, passed);
        }
        let ahead = batches_ahead(&rest, &self.shared.routes.table());
        let rest = Rest::of(rest, self.refused(&moved, request.version()));
        self.forward_rest(request, rest, passed, |merge| match ahead.is_empty() {
            true => rewrite(Asked::Plain, merge),
            false => Then::Produce(ahead, merge),
        })
    }

    /// acks=0: there is no answer that could send the producer elsewhere, so what has moved is handed to the
    /// kernel, and the connection closed: the client then looks for the leader again.
    fn produce_silently(
        &mut self,
        now: Now,
        request: Incoming,
        rest: &ProduceRequest,
        moved: &ProduceRequest,
        passed: Vec<Passed>,
    ) -> Result<(), Violation> {
        if moved.is_empty() {
            return self.forward_produce(request, passed, Then::Forward, true);
        }
        if !self.is_known() {
            return Err(Violation::Closed);
        }
        let moved = encode(&request.head, moved)?;
        let slot = self.slots.open();
        self.serve_frame(now, slot, moved.slice(4..))?;
        self.close_after_answers = true;
        if rest.is_empty() {
            return Ok(());
        }
        let whole = encode(&request.head, rest)?;
        self.forward_produce(Incoming { whole, ..request }, passed, Then::Forward, true)
    }

    fn forward_produce(
        &mut self,
        request: Incoming,
        passed: Vec<Passed>,
        then: Then,
        silent: bool,
    ) -> Result<(), Violation> {
        if !silent {
            return self.forward(request, passed, then);
        }
        self.expect_legacy()?;
        self.upstream.send(request.whole, None);
        self.unanswered.extend(passed);
        self.send_barrier()
    }

    /// Legacy answers nothing to acks=0, but it works through a connection in order: the answer to a later,
    /// harmless request proves that the writes before it have arrived. One such barrier is under way at a time.
    pub(super) fn send_barrier(&mut self) -> Result<(), Violation> {
        if self.barrier_sent || self.unanswered.is_empty() {
            return Ok(());
        }
        self.barrier_sent = true;
        let whole =
            frame::request_frame(0, BARRIER, None, &ApiVersionsRequest::default()).map_err(internal)?;
        let expected = Expected {
            slot: None,
            correlation: BARRIER,
            api: ApiKey::ApiVersions,
            version: 0,
            then: Then::Forward,
            passed: std::mem::take(&mut self.unanswered),
            retry: None,
        };
        self.upstream.send(whole, Some(expected));
        Ok(())
    }

    fn fetch(&mut self, request: Incoming) -> Result<(), Violation> {
        let mut rest: FetchRequest = request.decode()?;
        let follows = self.can_follow(request.version(), &rest);
        let routes = self.shared.routes.table();
        let (any_moved, any_translated) =
            (self.shared.routes.any_moved(), self.shared.routes.any_translated());
        let any_changed = !routes.is_empty() && (any_moved || any_translated);
        if any_changed && is_incremental(&rest) && !self.fetch_sessions.may_continue(rest.session_id, &routes)
        {
            drop(routes);
            let slot = self.slots.open();
            return self.answer(slot, &request.head, &session_not_found());
        }
        let moved = self.take_moved(&mut rest);
        let mut rest = Rest::of(rest, self.refused(&moved, request.version()));
        self.translate(&mut rest, request.version());
        let known: &RouteTable = &routes;
        let plan = FetchPlan::of(&rest.request, any_translated.then_some(known)).of_follower(follows);
        drop(routes);
        if rest.refused.is_some() && !is_incremental(&rest.request) {
            // The client is to hear at once where the moved partitions are.
            rest.request.max_wait_ms = 0;
            rest.request.min_bytes = 0;
        }
        self.forward_rest(request, rest, Vec::new(), |merge| Then::Fetch(plan, merge))
    }

    /// The answer for what has moved, if anything has.
    fn refused<R: Owned>(&self, moved: &R, version: i16) -> Option<R::Response> {
        (!moved.is_empty()).then(|| self.refuse(moved, version, refusal_code(R::API)))
    }

    pub(super) fn refuse<R: Owned>(&self, owners: &R, version: i16, error: ErrorCode) -> R::Response {
        let (routes, nodes) = (self.shared.routes.table(), self.shared.nodes.table());
        owners.refuse(version, error, &|topic, partition| leader(&routes, &nodes, topic, partition))
    }
}

/// What was taken out of a request, and what passed its gates.
struct Split<R> {
    moved: R,
    passed: Vec<Passed>,
}

/// What is left of a request for legacy.
struct Rest<R: Owned> {
    request: R,
    /// Whether it reads otherwise than it came.
    changed: bool,
    /// The answer for what was taken out.
    refused: Option<R::Response>,
}

impl<R: Owned> Rest<R> {
    fn of(request: R, refused: Option<R::Response>) -> Self {
        Self { request, changed: refused.is_some(), refused }
    }

    fn refuse(&mut self, more: R::Response) {
        self.changed = true;
        match &mut self.refused {
            Some(refused) => R::merge(refused, more),
            None => self.refused = Some(more),
        }
    }
}

/// Rewrites the answer to come, and adds our own part.
fn rewrite(asked: Asked, merge: Option<Merge>) -> Then {
    match merge {
        Some(merge) => Then::Merge(asked, merge),
        None => Then::Rewrite(asked),
    }
}

pub(super) fn lookup<'a>(routes: &'a RouteTable, owner: Owner<'_>) -> Option<&'a Arc<Unit>> {
    match owner {
        Owner::Partition(topic, partition) => routes.partition(topic, partition),
        Owner::Group(group) => routes.group(group),
        Owner::Transaction(id) => routes.transaction(id).map(|route| &route.unit),
    }
}

/// What a legacy node says of an owner that it no longer serves.
fn refusal_code(api: ApiKey) -> ErrorCode {
    match api {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords
        | ApiKey::DescribeProducers => ErrorCode::NotLeaderOrFollower,
        _ => ErrorCode::NotCoordinator,
    }
}

/// Adds `ours` to an answer to come.
pub(super) fn merge<R: Owned>(version: i16, ours: R::Response) -> Merge {
    Box::new(move |whole| {
        let (correlation, mut answer) = rewrite::decode::<R::Response>(&whole, version)?;
        R::merge(&mut answer, ours);
        Ok(frame::response_frame(version, correlation, &answer)?)
    })
}

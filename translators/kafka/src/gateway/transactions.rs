//! Transactional ids: those of a migration move together, with the topics and groups that they write to.
//!
//! A transaction has one coordinator, which must lead (or reach) everything in it. So the ids of a migration are one
//! unit, and change sides at a moment when none of them has a transaction open. A fence lets an open transaction come
//! to its end and holds the next one: otherwise a producer that is held between two writes would never end it.
//!
//! What is open is counted here by the frames that pass. An id that was never seen counts as open once it is used
//! (this process may have been restarted within its transaction); legacy's own word settles what nobody ends here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::Now;
use session::{Entry, Gate, Side, UnitId, Violation};

use super::owner::{LeaderOf, Owned, Owner, Select};
use super::relay::Incoming;
use super::rewrite;
use super::route::{RouteTable, Routes, TopicRef, Unit};
use super::session::{GatewaySession, internal};
use super::upstream::{Passed, Then};
use crate::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use crate::codec::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use crate::codec::messages::describe_transactions_response::TransactionState;
use crate::codec::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::codec::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse,
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use crate::codec::{ApiKey, Str};
use crate::errors::ErrorCode;

/// Ids of one unit whose state is remembered. Beyond that, ids without a transaction are forgotten, which only means
/// that they count as open when they are used next.
const IDS_MAX: usize = 100_000;
/// Last version of AddPartitionsToTxn that clients send; later ones are for brokers.
const CLIENTS_LAST: i16 = 3;

/// What belongs to a migration, by its patterns.
pub struct TransactionScope {
    /// Whether a transactional id does.
    pub ids: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Whether a topic does.
    pub topics: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Whether a group does.
    pub groups: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl fmt::Debug for TransactionScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionScope")
    }
}

/// The transactional ids of one migration.
#[derive(Debug, Clone)]
pub struct TransactionRoute {
    /// Their unit.
    pub unit: Arc<Unit>,
    /// What belongs to the migration.
    pub scope: Arc<TransactionScope>,
}

/// A transactional id that cannot move as it is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stray {
    /// It writes to a unit of a migration, which does not name it.
    Unnamed {
        /// The id.
        id: String,
        /// What it writes to.
        unit: UnitId,
    },
    /// It belongs to a migration and writes to what does not.
    Spans {
        /// The id.
        id: String,
        /// The unit of the migration's ids.
        unit: UnitId,
        /// Topic or group.
        what: String,
    },
}

/// How a request changes what is known of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A producer begins to use it.
    Init,
    /// Something becomes part of its transaction.
    Within,
    /// Its transaction ends.
    End,
}

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Open { since: Duration, used: Duration },
    Ended,
}

/// Which ids of a unit have a transaction open.
#[derive(Debug, Default)]
pub struct OpenTransactions {
    ids: Mutex<BTreeMap<Str, Seen>>,
}

impl OpenTransactions {
    fn ids(&self) -> MutexGuard<'_, BTreeMap<Str, Seen>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to pass one request of an id. After [`Entry::Legacy`] the caller owes one `leave`. The fence is read under
    /// the lock under which open ids are counted: who counts behind the fence sees everything that it let pass.
    fn enter(&self, gate: &Gate, id: &Str, step: Step, now: Duration) -> Entry {
        let mut ids = self.ids();
        let seen = ids.get(id.as_str()).copied();
        let is_open = matches!(seen, Some(Seen::Open { .. }));
        let waits = match step {
            Step::Init => !is_open,
            Step::Within | Step::End => seen == Some(Seen::Ended),
        };
        if waits && gate.side() == Side::Held {
            return Entry::Held;
        }
        let entry = gate.enter_to_end();
        let opens = step == Step::Within || step == Step::End && seen.is_none();
        if entry == Entry::Legacy && (is_open || opens) {
            let since = if let Some(Seen::Open { since, .. }) = seen { since } else { now };
            ids.insert(id.detached(), Seen::Open { since, used: now });
        }
        entry
    }

    /// The id's transaction has ended.
    fn ended(&self, id: &Str) {
        let mut ids = self.ids();
        if ids.len() >= IDS_MAX {
            ids.retain(|_, seen| *seen != Seen::Ended);
        }
        ids.insert(id.detached(), Seen::Ended);
    }

    /// Legacy says that these ids have no transaction open. What was used since legacy was asked, at `asked_at`, is
    /// left as it is. Nothing may have been on its way then.
    pub fn settle(&self, asked_at: Duration, is_open_there: impl Fn(&str) -> bool) {
        for (id, seen) in self.ids().iter_mut() {
            let unused = matches!(seen, Seen::Open { used, .. } if *used < asked_at);
            if unused && !is_open_there(id) {
                *seen = Seen::Ended;
            }
        }
    }

    /// Ids with an open transaction, each with when it began.
    #[must_use]
    pub fn open(&self) -> Vec<(String, Duration)> {
        let ids = self.ids();
        let open = ids.iter().filter_map(|(id, seen)| match seen {
            Seen::Open { since, .. } => Some((id.as_str().to_owned(), *since)),
            Seen::Ended => None,
        });
        open.collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let open = self.ids().values().filter(|seen| matches!(seen, Seen::Open { .. })).count();
        u64::try_from(open).unwrap_or(u64::MAX)
    }
}

/// Legacy has answered what ends a transaction: an EndTxn, or an InitProducerId, before which it aborts what is open.
pub(super) fn ended(
    unit: &Unit,
    id: &Str,
    api: ApiKey,
    version: i16,
    whole: &Bytes,
) -> Result<(), Violation> {
    let code = if api == ApiKey::EndTxn {
        rewrite::decode::<EndTxnResponse>(whole, version).map_err(internal)?.1.error_code
    } else {
        rewrite::decode::<InitProducerIdResponse>(whole, version).map_err(internal)?.1.error_code
    };
    if code == 0 {
        unit.transactions.ended(id);
    }
    Ok(())
}

/// What becomes of a request within a transaction.
pub(super) enum Admission {
    /// The id belongs to no migration.
    Elsewhere,
    /// It goes to legacy.
    Passed(Passed),
    /// It waits for this unit.
    Held(UnitId),
    /// The kernel's coordinator has the id.
    Moved,
}

impl GatewaySession {
    /// Asks whether a request of a transactional id may pass.
    fn admit_step(&self, now: Now, id: &Str, step: Step) -> Result<Admission, Violation> {
        let routes = self.shared.routes.table();
        let Some(route) = routes.transaction(id) else { return Ok(Admission::Elsewhere) };
        let unit = &route.unit;
        match unit.transactions.enter(&unit.gate, id, step, now.elapsed) {
            Entry::Kernel => Ok(Admission::Moved),
            Entry::Held => Ok(Admission::Held(unit.id.clone())),
            Entry::Legacy => {
                let passed = Passed::entered(unit);
                if !self.shared.routes.lease().holds(now) {
                    return Err(Violation::LeaseLost);
                }
                Ok(Admission::Passed(passed))
            }
        }
    }

    /// The same for a Produce.
    pub(super) fn admit_produce(&self, now: Now, request: &ProduceRequest) -> Result<Admission, Violation> {
        let Some(id) = &request.transactional_id else { return Ok(Admission::Elsewhere) };
        let routes = self.shared.routes.table();
        let named = request.topic_data.iter().flat_map(|topic| {
            let named = TopicRef::of(&topic.name, topic.topic_id);
            topic.partition_data.iter().map(move |each| (named, each.index))
        });
        note_strays(&self.shared.routes, &routes, id, named, None);
        self.admit_step(now, id, Step::Within)
    }

    /// A request to the coordinator of a transactional id, on a legacy node.
    #[allow(clippy::wildcard_enum_match_arm, reason = "`dispatch` gives these and no others")]
    pub(super) fn coordinate(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        if self.shared.routes.table().is_empty() {
            return self.relay(request);
        }
        match request.api {
            ApiKey::InitProducerId => {
                let asked: InitProducerIdRequest = request.decode()?;
                let Some(id) = asked.transactional_id.clone() else { return self.relay(request) };
                self.step(now, request, &asked, &id, Step::Init)
            }
            ApiKey::EndTxn => {
                let asked: EndTxnRequest = request.decode()?;
                let id = asked.transactional_id.clone();
                self.step(now, request, &asked, &id, Step::End)
            }
            ApiKey::AddOffsetsToTxn => {
                let asked: AddOffsetsToTxnRequest = request.decode()?;
                let (id, group) = (asked.transactional_id.clone(), asked.group_id.clone());
                let routes = self.shared.routes.table();
                note_strays(&self.shared.routes, &routes, &id, std::iter::empty(), Some(&group));
                let group_moved = routes.group(&group).is_some_and(|unit| unit.is_moved());
                drop(routes);
                self.add(now, request, &asked, &id, group_moved)
            }
            ApiKey::AddPartitionsToTxn => self.add_partitions(now, request),
            ApiKey::TxnOffsetCommit => self.commit_offsets(now, request),
            _ => self.relay(request),
        }
    }

    fn add_partitions(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        let asked: AddPartitionsToTxnRequest = request.decode()?;
        if request.version() > CLIENTS_LAST {
            return Err(Violation::Protocol(
                "AddPartitionsToTxn from version 4 on is for brokers".to_owned(),
            ));
        }
        let id = asked.v3_and_below_transactional_id.clone();
        let routes = self.shared.routes.table();
        let named = || {
            asked.v3_and_below_topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| (TopicRef::Name(&topic.name), *partition))
            })
        };
        note_strays(&self.shared.routes, &routes, &id, named(), None);
        let any_moved = named()
            .any(|(topic, partition)| routes.partition(topic, partition).is_some_and(|unit| unit.is_moved()));
        drop(routes);
        self.add(now, request, &asked, &id, any_moved)
    }

    /// What is to be part of a transaction. Legacy cannot end one in what the kernel serves: its marker would never
    /// arrive there.
    fn add<R: Owned>(
        &mut self,
        now: Now,
        request: Incoming,
        asked: &R,
        id: &Str,
        any_moved: bool,
    ) -> Result<(), Violation> {
        match self.admit_step(now, id, Step::Within)? {
            Admission::Moved => self.refuse_step(&request, asked, ErrorCode::NotCoordinator),
            Admission::Held(_) | Admission::Passed(_) | Admission::Elsewhere if any_moved => {
                self.refuse_step(&request, asked, ErrorCode::InvalidTxnState)
            }
            Admission::Held(unit) => {
                self.hold(unit, request.whole);
                Ok(())
            }
            Admission::Passed(passed) => self.forward(request, vec![passed], Then::Forward),
            Admission::Elsewhere => self.relay(request),
        }
    }

    fn step<R: Owned>(
        &mut self,
        now: Now,
        request: Incoming,
        asked: &R,
        id: &Str,
        step: Step,
    ) -> Result<(), Violation> {
        match self.admit_step(now, id, step)? {
            Admission::Moved => self.refuse_step(&request, asked, ErrorCode::NotCoordinator),
            Admission::Held(unit) => {
                self.hold(unit, request.whole);
                Ok(())
            }
            Admission::Passed(passed) => {
                let routes = self.shared.routes.table();
                let unit = routes.transaction(id).map(|route| Arc::clone(&route.unit));
                drop(routes);
                let then = unit.map_or(Then::Forward, |unit| Then::Ended(unit, id.detached()));
                self.forward(request, vec![passed], then)
            }
            Admission::Elsewhere => self.relay(request),
        }
    }

    fn commit_offsets(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        let request = self.forget_epochs::<TxnOffsetCommitRequest>(request)?;
        let asked: TxnOffsetCommitRequest = request.decode()?;
        let (id, group) = (asked.transactional_id.clone(), asked.group_id.clone());
        let routes = self.shared.routes.table();
        note_strays(&self.shared.routes, &routes, &id, std::iter::empty(), Some(&group));
        let unit = routes.group(&group).cloned();
        drop(routes);
        let mut passed = match self.admit_step(now, &id, Step::Within)? {
            Admission::Moved => return self.refuse_step(&request, &asked, ErrorCode::NotCoordinator),
            Admission::Held(unit) => {
                self.hold(unit, request.whole);
                return Ok(());
            }
            Admission::Passed(passed) => vec![passed],
            Admission::Elsewhere => Vec::new(),
        };
        if let Some(unit) = unit {
            let entered = if passed.is_empty() { Passed::enter(&unit) } else { Passed::enter_to_end(&unit) };
            match entered {
                Ok(pass) => passed.push(pass),
                Err(Entry::Kernel) => {
                    return self.refuse_step(&request, &asked, ErrorCode::NotCoordinator);
                }
                Err(_) => {
                    drop(passed);
                    self.hold(unit.id.clone(), request.whole);
                    return Ok(());
                }
            }
        }
        self.forward(request, passed, Then::Forward)
    }

    fn refuse_step<R: Owned>(
        &mut self,
        request: &Incoming,
        asked: &R,
        code: ErrorCode,
    ) -> Result<(), Violation> {
        let slot = self.slots.open();
        let refused = self.refuse(asked, request.version(), code);
        self.answer(slot, &request.head, &refused)
    }
}

/// Notes an id that cannot move as it is used.
fn note_strays<'a>(
    shared: &Routes,
    routes: &RouteTable,
    id: &Str,
    partitions: impl Iterator<Item = (TopicRef<'a>, i32)>,
    group: Option<&Str>,
) {
    let route = routes.transaction(id);
    let spans = |route: &TransactionRoute, what: &str| Stray::Spans {
        id: id.as_str().to_owned(),
        unit: route.unit.id.clone(),
        what: what.to_owned(),
    };
    let unnamed = |unit: &Unit| Stray::Unnamed { id: id.as_str().to_owned(), unit: unit.id.clone() };
    for (topic, partition) in partitions {
        let name = match topic {
            TopicRef::Name(name) => name,
            TopicRef::Id(topic) => routes.topic_name(topic).map_or("", Str::as_str),
        };
        match (route, routes.partition(topic, partition)) {
            (Some(route), _) if !(route.scope.topics)(name) => shared.note_stray(spans(route, name)),
            (None, Some(unit)) => shared.note_stray(unnamed(unit)),
            _ => {}
        }
    }
    if let Some(group) = group {
        match (route, routes.group(group)) {
            (Some(route), _) if !(route.scope.groups)(group) => shared.note_stray(spans(route, group)),
            (None, Some(unit)) => shared.note_stray(unnamed(unit)),
            _ => {}
        }
    }
}

/// Requests that name exactly one transactional id: all of it or nothing is taken.
macro_rules! one_id {
    ($request:ident, $response:ident, |$this:ident| $id:expr, |$asked:ident, $error:ident| $refusal:expr) => {
        impl Owned for $request {
            fn take(&mut self, select: Select<'_>) -> Self {
                let is_meant = {
                    let $this = &*self;
                    select(Owner::Transaction($id))
                };
                if is_meant { std::mem::take(self) } else { Self::default() }
            }

            fn is_empty(&self) -> bool {
                let $this = self;
                let id: &str = $id;
                id.is_empty()
            }

            fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> $response {
                let ($asked, $error) = (self, error.code());
                $refusal
            }

            fn merge(into: &mut $response, other: $response) {
                *into = other;
            }
        }
    };
}

one_id!(
    InitProducerIdRequest,
    InitProducerIdResponse,
    |this| this.transactional_id.as_ref().map_or("", Str::as_str),
    |_this, error_code| InitProducerIdResponse {
        error_code,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    }
);
one_id!(EndTxnRequest, EndTxnResponse, |this| &this.transactional_id, |_this, error_code| EndTxnResponse {
    error_code,
    ..Default::default()
});
one_id!(
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    |this| &this.transactional_id,
    |_this, error_code| AddOffsetsToTxnResponse { error_code, ..Default::default() }
);
one_id!(
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    |this| &this.v3_and_below_transactional_id,
    |this, error| AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: refuse_partitions(&this.v3_and_below_topics, error),
        ..Default::default()
    }
);

fn refuse_partitions(topics: &[AddPartitionsToTxnTopic], error: i16) -> Vec<AddPartitionsToTxnTopicResult> {
    let topic = |topic: &AddPartitionsToTxnTopic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: topic
            .partitions
            .iter()
            .map(|&partition_index| AddPartitionsToTxnPartitionResult {
                partition_index,
                partition_error_code: error,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    topics.iter().map(topic).collect()
}

impl Owned for TxnOffsetCommitRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        if select(Owner::Group(&self.group_id)) { std::mem::take(self) } else { Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.group_id.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> TxnOffsetCommitResponse {
        let topics = self.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| TxnOffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: error.code(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
    }

    fn merge(into: &mut TxnOffsetCommitResponse, other: TxnOffsetCommitResponse) {
        *into = other;
    }
}

impl Owned for DescribeTransactionsRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let all = std::mem::take(&mut self.transactional_ids);
        let (taken, kept) = all.into_iter().partition(|id| select(Owner::Transaction(id)));
        self.transactional_ids = kept;
        Self { transactional_ids: taken, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.transactional_ids.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> DescribeTransactionsResponse {
        let refused = |id: &Str| TransactionState {
            error_code: error.code(),
            transactional_id: id.clone(),
            ..Default::default()
        };
        DescribeTransactionsResponse {
            transaction_states: self.transactional_ids.iter().map(refused).collect(),
            ..Default::default()
        }
    }

    fn merge(into: &mut DescribeTransactionsResponse, other: DescribeTransactionsResponse) {
        into.transaction_states.extend(other.transaction_states);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_fence_lets_open_transactions_end_and_holds_the_next() {
        let (gate, open) = (Gate::new(Side::Legacy), OpenTransactions::default());
        let (one, two) = (Str::from("one"), Str::from("two"));
        let enter = |id: &Str, step: Step| {
            let entry = open.enter(&gate, id, step, AT(1));
            if entry == Entry::Legacy {
                gate.leave();
            }
            entry
        };
        assert_eq!(enter(&one, Step::Init), Entry::Legacy);
        open.ended(&one);
        open.ended(&two);
        assert_eq!((enter(&one, Step::Within), open.count()), (Entry::Legacy, 1));
        gate.fence();
        assert_eq!((enter(&two, Step::Within), enter(&two, Step::Init)), (Entry::Held, Entry::Held));
        assert_eq!((enter(&one, Step::Within), enter(&one, Step::End)), (Entry::Legacy, Entry::Legacy));
        assert_eq!(open.open(), [("one".to_owned(), AT(1))]);
        open.ended(&one);
        assert_eq!((enter(&one, Step::Within), open.count()), (Entry::Held, 0));
        gate.release(Side::Kernel);
        assert_eq!((enter(&one, Step::Within), enter(&two, Step::Init)), (Entry::Kernel, Entry::Kernel));
        assert_eq!(open.count(), 0);
    }

    #[test]
    fn an_id_that_was_never_seen_may_be_in_the_middle_of_a_transaction() {
        let (gate, open) = (Gate::new(Side::Legacy), OpenTransactions::default());
        gate.fence();
        let (old, new) = (Str::from("old"), Str::from("new"));
        assert_eq!(open.enter(&gate, &new, Step::Init, AT(1)), Entry::Held);
        assert_eq!(open.enter(&gate, &old, Step::Within, AT(1)), Entry::Legacy);
        assert_eq!(open.count(), 1);
        // Legacy's word counts only if it was asked after the id was used last.
        open.settle(AT(1), |_| false);
        assert_eq!(open.count(), 1);
        open.settle(AT(2), |id| id == "old");
        assert_eq!(open.count(), 1);
        open.settle(AT(2), |_| false);
        assert_eq!(open.count(), 0);
        assert_eq!(open.enter(&gate, &old, Step::Within, AT(3)), Entry::Held);
    }
}

//! Which partitions legacy's fetch sessions hold, so that none goes on serving what has moved.
//!
//! An incremental fetch names only what changed. When a partition moves, the sessions that hold it are
//! answered FETCH_SESSION_ID_NOT_FOUND once: the next fetch is a full one, and can be trimmed (KIP-227).

use std::collections::BTreeMap;

use bytes::Bytes;
use session::Side;

use super::route::{RouteTable, TopicRef};
use crate::codec::messages::{FetchRequest, FetchResponse};
use crate::codec::{Str, Uuid};
use crate::errors::ErrorCode;

/// Sessions remembered per connection; clients keep one.
const SESSIONS_MAX: usize = 8;
/// Partitions remembered per session; a larger session counts as unknown.
const PARTITIONS_MAX: usize = 20_000;
/// The session epoch of a fetch that wants no session.
const SESSIONLESS: i32 = -1;
/// The session epoch of a fetch that opens one.
const OPENING: i32 = 0;

/// A partition as a request named it.
type Named = (Str, Uuid, i32);
/// How many times the side of a partition has changed, and with it how its epochs are counted. A session that goes on
/// from before would let an epoch pass that is over.
type Changes = usize;

/// What a fetch in flight will have done to its session.
#[derive(Debug, Default)]
pub(super) struct FetchPlan {
    session: i32,
    opens: bool,
    added: Vec<(Named, Changes)>,
    forgotten: Vec<Named>,
    follows: bool,
}

impl FetchPlan {
    /// Reads what a forwarded request does. Without `routes` no side has ever changed.
    pub(super) fn of(request: &FetchRequest, routes: Option<&RouteTable>) -> Self {
        if request.session_epoch == SESSIONLESS {
            return Self::default();
        }
        let added = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|each| {
                let named = (topic.topic.detached(), topic.topic_id, each.partition);
                let changes = routes.map_or(0, |routes| changes(routes, &named));
                (named, changes)
            })
        });
        let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
            topic.partitions.iter().map(|index| (topic.topic.detached(), topic.topic_id, *index))
        });
        Self {
            session: request.session_id,
            opens: request.session_epoch == OPENING,
            added: added.collect(),
            forgotten: forgotten.collect(),
            follows: false,
        }
    }

    /// The client may be named another node to read from.
    pub(super) fn of_follower(self, follows: bool) -> Self {
        Self { follows, ..self }
    }

    /// Whether the client may be named another node to read from.
    pub(super) fn follows(&self) -> bool {
        self.follows
    }
}

fn changes(routes: &RouteTable, (topic, topic_id, partition): &Named) -> Changes {
    let unit = routes.partition(TopicRef::of(topic, *topic_id), *partition);
    unit.and_then(|unit| unit.epochs()).map_or(0, |epochs| epochs.spans().len())
}

/// Whether a fetch continues a session, naming only what changed.
pub(super) fn is_incremental(request: &FetchRequest) -> bool {
    request.session_epoch > OPENING
}

/// The answer that makes a client fetch in full.
pub(super) fn session_not_found() -> FetchResponse {
    FetchResponse { error_code: ErrorCode::FetchSessionIdNotFound.code(), ..Default::default() }
}

/// Takes out of legacy's answer what belongs to partitions that it may no longer speak for, and says whether there was
/// any.
///
/// A fetch that waited at legacy is answered after the fence. From the fence on a writer that does not pass here may
/// put other records at the offsets that the kernel is about to fill; a consumer that read those would skip the
/// kernel's. While a unit is held its consumers see nothing new; once it has moved they are sent to its leader.
pub(super) fn withhold(answer: &mut FetchResponse, routes: &RouteTable) -> bool {
    let mut any = false;
    for topic in &mut answer.responses {
        for partition in &mut topic.partitions {
            let named = TopicRef::of(&topic.topic, topic.topic_id);
            let Some(unit) = routes.partition(named, partition.partition_index) else { continue };
            if unit.gate.side() == Side::Legacy || partition.error_code != 0 {
                continue;
            }
            any = true;
            partition.records = Some(Bytes::new());
            partition.aborted_transactions = None;
            if unit.is_moved() {
                partition.error_code = ErrorCode::NotLeaderOrFollower.code();
            }
        }
    }
    any
}

/// The fetch sessions that this connection has with legacy.
#[derive(Debug, Default)]
pub(super) struct FetchSessions(BTreeMap<i32, BTreeMap<Named, Changes>>);

impl FetchSessions {
    /// Notes what a successful answer did.
    pub(super) fn note(&mut self, plan: FetchPlan, answer: &FetchResponse) {
        if answer.error_code != 0 {
            self.0.remove(&plan.session);
            return;
        }
        if plan.opens {
            self.open(answer.session_id, plan.added);
        } else if let Some(session) = self.0.get_mut(&plan.session) {
            for named in &plan.forgotten {
                session.remove(named);
            }
            session.extend(plan.added);
            if session.len() > PARTITIONS_MAX {
                self.0.remove(&plan.session);
            }
        }
    }

    fn open(&mut self, id: i32, partitions: Vec<(Named, Changes)>) {
        if id == 0 || partitions.len() > PARTITIONS_MAX {
            return;
        }
        if self.0.len() >= SESSIONS_MAX {
            self.0.pop_first();
        }
        self.0.insert(id, partitions.into_iter().collect());
    }

    /// Whether a session may go on: it is known, and holds nothing that has moved, or has been away meanwhile. Otherwise
    /// it is forgotten.
    pub(super) fn may_continue(&mut self, id: i32, routes: &RouteTable) -> bool {
        let has_changed = |named: &Named, then: Changes| {
            let (topic, topic_id, partition) = named;
            let unit = routes.partition(TopicRef::of(topic, *topic_id), *partition);
            unit.is_some_and(|unit| unit.is_moved()) || changes(routes, named) != then
        };
        let holds_changed = |session: &BTreeMap<Named, Changes>| {
            session.iter().any(|(named, then)| has_changed(named, *then))
        };
        let clean = self.0.get(&id).is_some_and(|session| !holds_changed(session));
        if !clean {
            self.0.remove(&id);
        }
        clean
    }
}

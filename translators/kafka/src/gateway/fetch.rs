//! Which partitions legacy's fetch sessions hold, so that none goes on serving what has moved.
//!
//! An incremental fetch names only what changed. When a partition moves, the sessions that hold it are
//! answered FETCH_SESSION_ID_NOT_FOUND once: the next fetch is a full one, and can be trimmed (KIP-227).

use std::collections::{BTreeMap, BTreeSet};

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

/// What a fetch in flight will have done to its session.
#[derive(Debug, Default)]
pub(super) struct FetchPlan {
    session: i32,
    opens: bool,
    added: Vec<Named>,
    forgotten: Vec<Named>,
}

impl FetchPlan {
    /// Reads what a forwarded request does.
    pub(super) fn of(request: &FetchRequest) -> Self {
        if request.session_epoch == SESSIONLESS {
            return Self::default();
        }
        let added = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|each| (topic.topic.detached(), topic.topic_id, each.partition))
        });
        let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
            topic.partitions.iter().map(|index| (topic.topic.detached(), topic.topic_id, *index))
        });
        Self {
            session: request.session_id,
            opens: request.session_epoch == OPENING,
            added: added.collect(),
            forgotten: forgotten.collect(),
        }
    }
}

/// Whether a fetch continues a session, naming only what changed.
pub(super) fn is_incremental(request: &FetchRequest) -> bool {
    request.session_epoch > OPENING
}

/// The answer that makes a client fetch in full.
pub(super) fn session_not_found() -> FetchResponse {
    FetchResponse { error_code: ErrorCode::FetchSessionIdNotFound.code(), ..Default::default() }
}

/// The fetch sessions that this connection has with legacy.
#[derive(Debug, Default)]
pub(super) struct FetchSessions(BTreeMap<i32, BTreeSet<Named>>);

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

    fn open(&mut self, id: i32, partitions: Vec<Named>) {
        if id == 0 || partitions.len() > PARTITIONS_MAX {
            return;
        }
        if self.0.len() >= SESSIONS_MAX {
            self.0.pop_first();
        }
        self.0.insert(id, partitions.into_iter().collect());
    }

    /// Whether a session may go on: it is known, and holds nothing that has moved. Otherwise it is forgotten.
    pub(super) fn may_continue(&mut self, id: i32, routes: &RouteTable) -> bool {
        let holds_moved = |session: &BTreeSet<Named>| {
            session.iter().any(|(topic, topic_id, partition)| {
                let unit = routes.partition(TopicRef::of(topic, *topic_id), *partition);
                unit.is_some_and(|unit| unit.is_moved())
            })
        };
        let clean = self.0.get(&id).is_some_and(|session| !holds_moved(session));
        if !clean {
            self.0.remove(&id);
        }
        clean
    }
}

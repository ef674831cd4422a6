//! The canary on a client's connections: on legacy's nodes the chosen are named the kernel's node, on the kernel's
//! node they are admitted to the copy. What is remembered of them is in [`crate::canary`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use session::Side;

use super::route::{RouteTable, TopicRef, Unit};
use super::session::GatewaySession;
use super::shared::{ClusterShared, Role};
use crate::canary::{Direction, FOLLOWING_SINCE, ReaderId, Readers};
use crate::codec::messages::fetch_response::PartitionData;
use crate::codec::messages::metadata_response::MetadataResponsePartition;
use crate::codec::messages::{FetchRequest, FetchResponse};
use crate::codec::{Str, Uuid};
use crate::errors::ErrorCode;
use crate::server::{Admission, CopyReaders};

/// A client that is named the replica of one partition so often within this time, and still asks its leader...
const NAMINGS_MAX: u32 = 4;
const NAMINGS_WITHIN: Duration = Duration::from_secs(10);
/// ... gets legacy's answers for so long.
const REST: Duration = Duration::from_secs(60);
/// Partitions that are remembered of one connection; a client with more is named no replica for the rest.
const PARTITIONS_MAX: usize = 20_000;

/// A partition as an answer names it.
type Named = (Str, Uuid, i32);

/// How often one connection was named the replica of each partition.
#[derive(Debug, Default)]
pub(super) struct Namings(BTreeMap<Named, Naming>);

#[derive(Debug, Default)]
struct Naming {
    since: Duration,
    count: u32,
    rest_until: Duration,
}

impl Namings {
    /// Whether the client may be named the replica once more. A client that follows does not come back at once.
    fn allow(&mut self, named: &Named, now: Duration) -> Allowed {
        if self.0.len() >= PARTITIONS_MAX && !self.0.contains_key(named) {
            return Allowed::No;
        }
        let naming = self.0.entry(named.clone()).or_default();
        if now < naming.rest_until {
            return Allowed::No;
        }
        if naming.count == 0 || now > naming.since.saturating_add(NAMINGS_WITHIN) {
            (naming.since, naming.count) = (now, 0);
        }
        naming.count += 1;
        if naming.count <= NAMINGS_MAX {
            return Allowed::Yes;
        }
        (naming.count, naming.rest_until) = (0, now.saturating_add(REST));
        Allowed::GivenUp
    }
}

enum Allowed {
    Yes,
    No,
    GivenUp,
}

/// The client of a connection as the canary sees it.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub(super) readers: &'a Readers,
    pub(super) id: &'a ReaderId,
}

impl Viewer<'_> {
    /// Shows the kernel's node among the replicas of a partition: Java and franz-go follow nobody else. Where it must
    /// not be read it is offline, for those that may still hold on to it.
    pub(super) fn show(&self, unit: &Unit, node: i32, partition: &mut MetadataResponsePartition) {
        if unit.is_moved() || unit.canary().percent().is_none() {
            return;
        }
        if unit.canary().chooses(self.id) && is_open(unit) {
            partition.replica_nodes.push(node);
            partition.isr_nodes.push(node);
        } else if self.readers.was_named(self.id) {
            partition.replica_nodes.push(node);
            partition.offline_replicas.push(node);
        }
    }
}

/// Whether the copy may be read: legacy leads, nobody is held, and the copy is close.
fn is_open(unit: &Unit) -> bool {
    unit.gate.side() == Side::Legacy && unit.canary().standing().unfit.is_none()
}

impl GatewaySession {
    /// Remembers who the client is, as every request says.
    pub(super) fn meet(&mut self, client_id: Option<&Str>) {
        if !self.shared.routes.any_canary() {
            return;
        }
        let client_id = client_id.map(Str::as_str).unwrap_or_default();
        if self.reader.as_ref().is_none_or(|(met, _)| met.as_str() != client_id) {
            let id = ReaderId::new(client_id, self.server.client_host());
            self.reader = Some((Str::from(client_id), id));
        }
    }

    pub(super) fn viewer(&self) -> Option<Viewer<'_>> {
        let (_, id) = self.reader.as_ref().filter(|_| self.shared.routes.any_canary())?;
        Some(Viewer { readers: &self.shared.readers, id })
    }

    /// Counts a chosen consumer that asks in a version without replicas. Says whether its answer can name one.
    pub(super) fn can_follow(&self, version: i16, request: &FetchRequest) -> bool {
        let Some(viewer) = self.viewer().filter(|_| matches!(self.role, Role::Legacy(_))) else {
            return false;
        };
        if request.replica_id >= 0 || request.replica_state.replica_id >= 0 {
            return false;
        }
        if version >= FOLLOWING_SINCE {
            return true;
        }
        let routes = self.shared.routes.table();
        let chosen = request.topics.iter().any(|topic| {
            topic.partitions.iter().any(|each| {
                let named = TopicRef::of(&topic.topic, topic.topic_id);
                let unit = routes.partition(named, each.partition);
                unit.is_some_and(|unit| unit.canary().chooses(viewer.id))
            })
        });
        if chosen {
            viewer.readers.too_old(viewer.id, version);
        }
        false
    }

    /// Names the kernel's node in legacy's answer to a chosen consumer, in place of records. Says whether the answer
    /// has changed.
    pub(super) fn name_replica(&mut self, now: Duration, version: i16, answer: &mut FetchResponse) -> bool {
        let shared = Arc::clone(&self.shared);
        let nodes = shared.nodes.table();
        let routes = shared.routes.table();
        let (Some((_, id)), Some((kernel, _))) = (self.reader.as_ref(), nodes.kernel_node()) else {
            return false;
        };
        if answer.error_code != 0 || !any_chosen(answer, &routes, id) {
            return false;
        }
        if !self.names_software {
            // kafkajs: it holds on to the node that it was named last for minutes, through every error.
            shared.readers.nameless(id, version);
            return false;
        }
        let direction = shared.readers.direct(id, version, now);
        if direction == Direction::Stay {
            return false;
        }
        let mut changed = false;
        for topic in &mut answer.responses {
            for each in &mut topic.partitions {
                let named = TopicRef::of(&topic.topic, topic.topic_id);
                if !is_chosen(&routes, named, each, id) {
                    continue;
                }
                if direction == Direction::Refresh {
                    empty(each);
                    each.error_code = ErrorCode::NotLeaderOrFollower.code();
                    return true;
                }
                let key = (topic.topic.detached(), topic.topic_id, each.partition_index);
                match self.namings.allow(&key, now) {
                    Allowed::Yes => {
                        empty(each);
                        each.preferred_read_replica = kernel;
                        changed = true;
                    }
                    Allowed::GivenUp => shared.readers.stays(id, version),
                    Allowed::No => {}
                }
            }
        }
        changed
    }
}

fn any_chosen(answer: &FetchResponse, routes: &RouteTable, id: &ReaderId) -> bool {
    answer.responses.iter().any(|topic| {
        let named = TopicRef::of(&topic.topic, topic.topic_id);
        topic.partitions.iter().any(|each| is_chosen(routes, named, each, id))
    })
}

fn is_chosen(routes: &RouteTable, topic: TopicRef<'_>, each: &PartitionData, id: &ReaderId) -> bool {
    let unit = routes.partition(topic, each.partition_index).filter(|_| each.error_code == 0);
    unit.is_some_and(|unit| unit.canary().chooses(id) && is_open(unit))
}

/// What names a replica carries no records: clients would take them and go on behind them, or drop them.
fn empty(partition: &mut PartitionData) {
    partition.records = Some(Bytes::new());
    partition.aborted_transactions = None;
}

/// Who may read copies on one connection to the kernel's node.
pub(super) struct Admitted {
    shared: Arc<ClusterShared>,
    host: String,
}

impl Admitted {
    pub(super) fn new(shared: Arc<ClusterShared>, host: &str) -> Self {
        Self { shared, host: host.to_owned() }
    }
}

impl CopyReaders for Admitted {
    fn admit(&self, client_id: &str, name: &str, id: Uuid, partition: i32, epoch: i32) -> Admission {
        let routes = self.shared.routes.table();
        let Some(unit) = routes.partition(TopicRef::of(name, id), partition) else {
            return Admission { back: Some("it belongs to no migration"), leader: None };
        };
        let (share, standing) = (unit.canary(), unit.canary().standing());
        let agrees = epoch < 0 || standing.epoch < 0 || epoch == standing.epoch;
        let back = if share.percent().is_none() {
            Some("there is no canary")
        } else if standing.unfit.is_some() {
            Some("the copy is not fit")
        } else if unit.gate.side() != Side::Legacy {
            Some("its primary is about to change")
        } else if !share.chooses(&ReaderId::new(client_id, &self.host)) {
            Some("it is not chosen")
        } else if !agrees {
            Some("the leader's epoch differs")
        } else {
            None
        };
        // A client that knows a newer leader must not be sent to an older one.
        let known = |leader: &i32| agrees && self.shared.nodes.table().legacy.contains_key(leader);
        Admission { back, leader: standing.leader.filter(known) }
    }

    fn served(&self, client_id: &str, bytes: usize) {
        self.shared.readers.served(&ReaderId::new(client_id, &self.host), bytes);
    }

    fn sent_back(&self, client_id: &str, why: &'static str, now: Duration) {
        self.shared.readers.sent_back(&ReaderId::new(client_id, &self.host), why, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_stays_is_left_alone_for_a_while_and_tried_again() {
        let (mut namings, named) = (Namings::default(), (Str::from("t"), Uuid::ZERO, 0));
        let mut at = |seconds| matches!(namings.allow(&named, Duration::from_secs(seconds)), Allowed::Yes);
        let tried = (0..30).filter(|second| at(*second)).count();
        assert_eq!(tried, 4);
        assert!(!at(63), "it rests");
        assert!(at(65), "it is tried again");
    }

    #[test]
    fn a_client_that_comes_back_now_and_then_is_never_given_up() {
        let (mut namings, named) = (Namings::default(), (Str::from("t"), Uuid::ZERO, 0));
        let mut at = |seconds| matches!(namings.allow(&named, Duration::from_secs(seconds)), Allowed::Yes);
        assert!((0..100).all(|n| at(n * 4)));
    }
}

//! Whether a client may do what it asks: the one point at which every request that the kernel serves is judged,
//! before anything is done for it.
//!
//! ```text
//! request ──► judge ──► Pass ─────────────────────────────► worked on as it came
//!                  ├──► Refuse ───────────────────────────► answered, nothing is done
//!                  └──► Amend: what may be is worked on, and the answer is amended before it leaves
//! ```
//!
//! An API that is not named here is refused where anything is checked at all. Fetch alone asks for each partition
//! as it reads it: what a fetch session names is not in its requests.

mod cluster;
mod groups;
mod topics;

use std::sync::Arc;

use bytes::Bytes;

use super::operation::{Finished, Head};
use crate::access::{CLUSTER, Operation, Realm, ResourceKind, Who};
use crate::catalog::Catalog;
use crate::codec::{ApiKey, DecodeError, Request, Response, frame};
use crate::errors::ErrorCode;
use crate::gateway::owner::{Leader, Owned, Owner};
use crate::gateway::route::TopicRef;

/// Who asks, and what holds for it now.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) realm: Arc<Realm>,
    pub(super) who: Arc<Who>,
}

impl Guard {
    /// Whether it may do this.
    pub(super) fn may(&self, operation: Operation, kind: ResourceKind, name: &str) -> bool {
        self.realm.allows(&self.who, operation, kind, name)
    }

    pub(super) fn may_topic(&self, operation: Operation, name: &str) -> bool {
        self.may(operation, ResourceKind::Topic, name)
    }

    pub(super) fn may_group(&self, operation: Operation, name: &str) -> bool {
        self.may(operation, ResourceKind::Group, name)
    }

    pub(super) fn may_cluster(&self, operation: Operation) -> bool {
        self.may(operation, ResourceKind::Cluster, CLUSTER)
    }

    /// What it may do with a resource: bit n stands for Kafka's operation n.
    pub(super) fn operations(&self, kind: ResourceKind, name: &str) -> i32 {
        let allowed = kind.operations().iter().filter(|operation| self.may(**operation, kind, name));
        allowed.fold(0, |bits, operation| bits | 1 << operation.code())
    }
}

/// Changes a whole answer, size prefix included; `None` where it cannot be read.
pub(super) type Amend = Box<dyn FnOnce(Bytes) -> Option<Bytes> + Send>;

/// What a request may.
pub(super) enum Verdict {
    /// All of it.
    Pass,
    /// Nothing: the answer.
    Refuse(Finished),
    /// Some of it: what is left of the request (`None`: all), and what becomes of the answer.
    Amend(Option<Bytes>, Amend),
}

/// One request before the guard.
pub(super) struct Judge<'a> {
    pub(super) guard: &'a Guard,
    pub(super) catalog: &'a Catalog,
    pub(super) head: &'a Head,
    pub(super) request: &'a Bytes,
    pub(super) creates_topics: bool,
}

type Judged = Result<Verdict, DecodeError>;

impl Judge<'_> {
    /// Decides on the request.
    pub(super) fn judge(&self) -> Judged {
        use Operation::{Alter, AlterConfigs, ClusterAction, Describe, DescribeConfigs};
        if !self.guard.realm.is_guarded() {
            return Ok(Verdict::Pass);
        }
        #[allow(clippy::wildcard_enum_match_arm, reason = "what is not named is refused")]
        match self.head.api {
            ApiKey::ApiVersions | ApiKey::Fetch | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => {
                Ok(Verdict::Pass)
            }
            ApiKey::Produce => self.produce(),
            ApiKey::ListOffsets => self.list_offsets(),
            ApiKey::OffsetForLeaderEpoch => self.leader_epochs(),
            ApiKey::DeleteRecords => self.delete_records(),
            ApiKey::DescribeProducers => self.producers(),
            ApiKey::Metadata => self.metadata(),
            ApiKey::DescribeTopicPartitions => self.topic_partitions(),
            ApiKey::CreateTopics => self.create_topics(),
            ApiKey::DeleteTopics => self.delete_topics(),
            ApiKey::CreatePartitions => self.create_partitions(),
            ApiKey::DescribeConfigs => self.describe_configs(),
            ApiKey::AlterConfigs => self.alter_configs(),
            ApiKey::IncrementalAlterConfigs => self.incremental_alter_configs(),
            ApiKey::JoinGroup => self.join_group(),
            ApiKey::SyncGroup => self.sync_group(),
            ApiKey::Heartbeat => self.heartbeat(),
            ApiKey::LeaveGroup => self.leave_group(),
            ApiKey::OffsetCommit => self.offset_commit(),
            ApiKey::OffsetFetch => self.offset_fetch(),
            ApiKey::OffsetDelete => self.offset_delete(),
            ApiKey::DescribeGroups => self.describe_groups(),
            ApiKey::DeleteGroups => self.delete_groups(),
            ApiKey::ListGroups => self.list_groups(),
            ApiKey::FindCoordinator => self.find_coordinator(),
            ApiKey::ConsumerGroupHeartbeat => self.consumer_group_heartbeat(),
            ApiKey::ConsumerGroupDescribe => self.consumer_group_describe(),
            ApiKey::InitProducerId => self.init_producer_id(),
            ApiKey::AddPartitionsToTxn => self.add_partitions_to_txn(),
            ApiKey::WriteTxnMarkers
                if self.guard.may_cluster(Alter) || self.guard.may_cluster(ClusterAction) =>
            {
                Ok(Verdict::Pass)
            }
            ApiKey::AddOffsetsToTxn => self.add_offsets_to_txn(),
            ApiKey::EndTxn => self.end_txn(),
            ApiKey::TxnOffsetCommit => self.txn_offset_commit(),
            ApiKey::DescribeTransactions => self.describe_transactions(),
            ApiKey::ListTransactions => self.list_transactions(),
            ApiKey::DescribeCluster => self.describe_cluster(),
            ApiKey::DescribeLogDirs => Ok(self.describe_log_dirs()),
            ApiKey::ElectLeaders => self.elect_leaders(),
            ApiKey::ListPartitionReassignments => Ok(self.list_reassignments()),
            ApiKey::ListConfigResources => Ok(self.list_config_resources()),
            ApiKey::DescribeAcls => Ok(self.acls_described(Describe)),
            ApiKey::CreateAcls => self.acls_created(Alter),
            ApiKey::DeleteAcls => self.acls_deleted(Alter),
            ApiKey::DescribeUserScramCredentials => Ok(self.users_described(Describe)),
            ApiKey::AlterUserScramCredentials => self.users_altered(Alter),
            ApiKey::DescribeClientQuotas => Ok(self.quotas_described(DescribeConfigs)),
            ApiKey::AlterClientQuotas => self.quotas_altered(AlterConfigs),
            _ => Ok(Verdict::Refuse(Finished::Close("nothing says who may use this API"))),
        }
    }

    fn decode<R: Request>(&self) -> Result<R, DecodeError> {
        let (_, reader) = frame::read_request_header(self.request.clone())?;
        R::decode_request(reader, self.head.version)
    }

    fn refuse<R: Response>(&self, response: &R) -> Verdict {
        Verdict::Refuse(self.head.respond(response))
    }

    /// Passes when the cluster's own rule allows it.
    fn cluster<R: Response>(&self, operation: Operation, refusal: impl FnOnce(i16) -> R) -> Verdict {
        if self.guard.may_cluster(operation) {
            return Verdict::Pass;
        }
        self.refuse(&refusal(ErrorCode::ClusterAuthorizationFailed.code()))
    }

    /// Lets all of the request pass and changes the answer.
    fn amended<R: Response>(&self, edit: impl FnOnce(&mut R) + Send + 'static) -> Verdict {
        Verdict::Amend(None, self.amend(edit))
    }

    /// Lets the rest of a request pass and changes the answer.
    fn rest<Q: Request, R: Response>(&self, rest: &Q, edit: impl FnOnce(&mut R) + Send + 'static) -> Verdict {
        let head = self.head;
        let framed = frame::request_frame(head.version, head.correlation_id, head.client_id.clone(), rest);
        match framed {
            Ok(framed) => Verdict::Amend(Some(framed.slice(4.min(framed.len())..)), self.amend(edit)),
            Err(_) => Verdict::Refuse(Finished::Close("what is left of a request cannot be encoded")),
        }
    }

    fn amend<R: Response>(&self, edit: impl FnOnce(&mut R) + Send + 'static) -> Amend {
        let version = self.head.version;
        Box::new(move |whole| {
            let body = whole.slice(4.min(whole.len())..);
            let (header, reader) = frame::read_response_header(body, R::API, version).ok()?;
            let mut answer = R::decode_rest(reader, version).ok()?;
            edit(&mut answer);
            frame::response_frame(version, header.correlation_id, &answer).ok()
        })
    }

    /// Takes out what is denied, and answers it with `code`.
    fn split<R: Owned>(&self, code: ErrorCode, mut denied: impl FnMut(Owner<'_>) -> bool) -> Judged {
        let mut rest: R = self.decode()?;
        let taken = rest.take(&mut |owner| denied(owner));
        if taken.is_empty() {
            return Ok(Verdict::Pass);
        }
        let refused = taken.refuse(self.head.version, code, &|_, _| Leader::default());
        if rest.is_empty() {
            return Ok(self.refuse(&refused));
        }
        Ok(self.rest(&rest, move |answer| R::merge(answer, refused)))
    }

    /// Splits by what may be done with each topic.
    fn by_topic<R: Owned>(&self, operation: Operation) -> Judged {
        self.split::<R>(ErrorCode::TopicAuthorizationFailed, |owner| match owner {
            Owner::Partition(topic, _) => self.denies_topic(operation, topic),
            Owner::Group(_) | Owner::Transaction(_) => false,
        })
    }

    /// Splits by what may be done with each group.
    fn by_group<R: Owned>(&self, operation: Operation) -> Judged {
        self.split::<R>(ErrorCode::GroupAuthorizationFailed, |owner| match owner {
            Owner::Group(group) => !self.guard.may_group(operation, group),
            Owner::Partition(..) | Owner::Transaction(_) => false,
        })
    }

    /// Whether a topic is denied. One whose id is not known is nobody's: it is answered as unknown.
    fn denies_topic(&self, operation: Operation, topic: TopicRef<'_>) -> bool {
        match topic {
            TopicRef::Name(name) => !self.guard.may_topic(operation, name),
            TopicRef::Id(id) => self
                .catalog
                .topic_by_id(id)
                .is_some_and(|topic| !self.guard.may_topic(operation, &topic.name)),
        }
    }
}

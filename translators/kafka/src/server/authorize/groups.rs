//! Requests about groups and transactional ids.

use super::{Judge, Judged, Verdict};
use crate::access::Operation::{ClusterAction, Delete, Describe, IdempotentWrite, Read, Write};
use crate::access::ResourceKind;
use crate::codec::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use crate::codec::messages::consumer_group_describe_response::DescribedGroup;
use crate::codec::messages::describe_transactions_response::TransactionState;
use crate::codec::messages::find_coordinator_response::Coordinator;
use crate::codec::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::codec::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::codec::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DeleteGroupsRequest, DescribeGroupsRequest, DescribeGroupsResponse,
    DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, InitProducerIdRequest,
    InitProducerIdResponse, JoinGroupRequest, LeaveGroupRequest, ListGroupsResponse,
    ListTransactionsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use crate::errors::ErrorCode;
use crate::gateway::owner::{Leader, Owned};
use crate::gateway::route::TopicRef;

const TOPIC_DENIED: i16 = ErrorCode::TopicAuthorizationFailed.code();
const GROUP_DENIED: i16 = ErrorCode::GroupAuthorizationFailed.code();
const ID_DENIED: i16 = ErrorCode::TransactionalIdAuthorizationFailed.code();

impl Judge<'_> {
    pub(super) fn join_group(&self) -> Judged {
        self.by_group::<JoinGroupRequest>(Read)
    }

    pub(super) fn sync_group(&self) -> Judged {
        self.by_group::<SyncGroupRequest>(Read)
    }

    pub(super) fn heartbeat(&self) -> Judged {
        self.by_group::<HeartbeatRequest>(Read)
    }

    pub(super) fn leave_group(&self) -> Judged {
        self.by_group::<LeaveGroupRequest>(Read)
    }

    pub(super) fn delete_groups(&self) -> Judged {
        self.by_group::<DeleteGroupsRequest>(Delete)
    }

    pub(super) fn describe_groups(&self) -> Judged {
        let judged = self.by_group::<DescribeGroupsRequest>(Describe)?;
        let guard = self.guard.clone();
        let operations = self.amend(move |answer: &mut DescribeGroupsResponse| {
            let told = answer.groups.iter_mut().filter(|group| group.authorized_operations != i32::MIN);
            told.for_each(|group| {
                group.authorized_operations = guard.operations(ResourceKind::Group, &group.group_id);
            });
        });
        Ok(match judged {
            Verdict::Pass => Verdict::Amend(None, operations),
            Verdict::Amend(rest, amend) => {
                Verdict::Amend(rest, Box::new(move |whole| operations(whole).and_then(amend)))
            }
            refused @ Verdict::Refuse(_) => refused,
        })
    }

    pub(super) fn list_groups(&self) -> Judged {
        if self.guard.may_cluster(Describe) {
            return Ok(Verdict::Pass);
        }
        let guard = self.guard.clone();
        Ok(self.amended(move |answer: &mut ListGroupsResponse| {
            answer.groups.retain(|group| guard.may_group(Describe, &group.group_id));
        }))
    }

    pub(super) fn offset_commit(&self) -> Judged {
        let mut rest: OffsetCommitRequest = self.decode()?;
        if !self.guard.may_group(Read, &rest.group_id) {
            return self.by_group::<OffsetCommitRequest>(Read);
        }
        let (denied, kept) = std::mem::take(&mut rest.topics)
            .into_iter()
            .partition(|topic| self.denies_topic(Read, TopicRef::of(&topic.name, topic.topic_id)));
        rest.topics = kept;
        let denied = OffsetCommitRequest { topics: denied, ..Default::default() };
        if denied.topics.is_empty() {
            return Ok(Verdict::Pass);
        }
        let code = ErrorCode::TopicAuthorizationFailed;
        let refused = denied.refuse(self.head.version, code, &|_, _| Leader::default());
        if rest.topics.is_empty() {
            return Ok(self.refuse(&refused));
        }
        Ok(self.rest(&rest, move |answer: &mut OffsetCommitResponse| answer.topics.extend(refused.topics)))
    }

    pub(super) fn offset_fetch(&self) -> Judged {
        let asked: OffsetFetchRequest = self.decode()?;
        let judged = self.by_group::<OffsetFetchRequest>(Describe)?;
        let guard = self.guard.clone();
        let by_id: Vec<_> = self.catalog.topics().map(|topic| (topic.id, topic.name.clone())).collect();
        let hidden = self.amend(move |answer: &mut OffsetFetchResponse| {
            let all = asked.topics.is_none() && asked.groups.is_empty();
            answer.topics.retain_mut(|topic| {
                let allowed = guard.may_topic(Describe, &topic.name);
                for part in topic.partitions.iter_mut().filter(|_| !allowed) {
                    (part.committed_offset, part.committed_leader_epoch) = (-1, -1);
                    (part.metadata, part.error_code) = (Some("".into()), TOPIC_DENIED);
                }
                allowed || !all
            });
            for group in &mut answer.groups {
                let named = asked.groups.iter().find(|asked| asked.group_id == group.group_id);
                let all = named.is_some_and(|asked| asked.topics.is_none());
                group.topics.retain_mut(|topic| {
                    let known =
                        by_id.iter().find(|(id, _)| !topic.topic_id.is_zero() && *id == topic.topic_id);
                    let name = known.map_or(&*topic.name, |(_, name)| &**name);
                    let allowed = name.is_empty() || guard.may_topic(Describe, name);
                    for part in topic.partitions.iter_mut().filter(|_| !allowed) {
                        (part.committed_offset, part.committed_leader_epoch) = (-1, -1);
                        (part.metadata, part.error_code) = (Some("".into()), TOPIC_DENIED);
                    }
                    allowed || !all
                });
            }
        });
        Ok(match judged {
            Verdict::Pass => Verdict::Amend(None, hidden),
            Verdict::Amend(rest, amend) => {
                Verdict::Amend(rest, Box::new(move |whole| hidden(whole).and_then(amend)))
            }
            refused @ Verdict::Refuse(_) => refused,
        })
    }

    pub(super) fn offset_delete(&self) -> Judged {
        let mut rest: OffsetDeleteRequest = self.decode()?;
        if !self.guard.may_group(Delete, &rest.group_id) {
            return self.by_group::<OffsetDeleteRequest>(Delete);
        }
        let (denied, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut rest.topics)
            .into_iter()
            .partition(|topic| !self.guard.may_topic(Read, &topic.name));
        rest.topics = kept;
        if denied.is_empty() {
            return Ok(Verdict::Pass);
        }
        let refused = denied.into_iter().map(|topic| OffsetDeleteResponseTopic {
            name: topic.name,
            partitions: topic
                .partitions
                .iter()
                .map(|part| OffsetDeleteResponsePartition {
                    partition_index: part.partition_index,
                    error_code: TOPIC_DENIED,
                })
                .collect(),
        });
        let refused: Vec<_> = refused.collect();
        if rest.topics.is_empty() {
            return Ok(self.refuse(&OffsetDeleteResponse { topics: refused, ..Default::default() }));
        }
        Ok(self.rest(&rest, move |answer: &mut OffsetDeleteResponse| answer.topics.extend(refused)))
    }

    pub(super) fn find_coordinator(&self) -> Judged {
        const GROUP: i8 = 0;
        let mut rest: FindCoordinatorRequest = self.decode()?;
        let (kind, code) = if rest.key_type == GROUP {
            (ResourceKind::Group, GROUP_DENIED)
        } else {
            (ResourceKind::TransactionalId, ID_DENIED)
        };
        let denied = |key: &str| !self.guard.may(Describe, kind, key);
        if self.head.version < 4 {
            if !denied(&rest.key) {
                return Ok(Verdict::Pass);
            }
            let refused =
                FindCoordinatorResponse { error_code: code, node_id: -1, port: -1, ..Default::default() };
            return Ok(self.refuse(&refused));
        }
        let mut refused = Vec::new();
        rest.coordinator_keys.retain(|key| {
            let denied = denied(key);
            if denied {
                let key = key.clone();
                let refusal =
                    Coordinator { key, node_id: -1, port: -1, error_code: code, ..Default::default() };
                refused.push(refusal);
            }
            !denied
        });
        if refused.is_empty() {
            return Ok(Verdict::Pass);
        }
        Ok(self.rest(&rest, move |answer: &mut FindCoordinatorResponse| answer.coordinators.extend(refused)))
    }

    pub(super) fn consumer_group_heartbeat(&self) -> Judged {
        let asked: ConsumerGroupHeartbeatRequest = self.decode()?;
        let mut named = asked.subscribed_topic_names.iter().flatten();
        let code = if !self.guard.may_group(Read, &asked.group_id) {
            GROUP_DENIED
        } else if named.any(|topic| !self.guard.may_topic(Describe, topic)) {
            TOPIC_DENIED
        } else {
            return Ok(Verdict::Pass);
        };
        Ok(self.refuse(&ConsumerGroupHeartbeatResponse { error_code: code, ..Default::default() }))
    }

    pub(super) fn consumer_group_describe(&self) -> Judged {
        let mut rest: ConsumerGroupDescribeRequest = self.decode()?;
        let (denied, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut rest.group_ids)
            .into_iter()
            .partition(|group| !self.guard.may_group(Describe, group));
        rest.group_ids = kept;
        let refused = denied.into_iter().map(|group_id| DescribedGroup {
            group_id,
            error_code: GROUP_DENIED,
            ..Default::default()
        });
        let refused: Vec<_> = refused.collect();
        let guard = self.guard.clone();
        Ok(self.rest(&rest, move |answer: &mut ConsumerGroupDescribeResponse| {
            for group in &mut answer.groups {
                let topics = group.members.iter().flat_map(|member| {
                    member
                        .assignment
                        .topic_partitions
                        .iter()
                        .chain(&member.target_assignment.topic_partitions)
                });
                if topics.into_iter().any(|topic| !guard.may_topic(Describe, &topic.topic_name)) {
                    group.members.clear();
                    group.error_code = TOPIC_DENIED;
                }
                if group.authorized_operations != i32::MIN {
                    group.authorized_operations = guard.operations(ResourceKind::Group, &group.group_id);
                }
            }
            answer.groups.extend(refused);
        }))
    }

    fn denies_id(&self, id: &str) -> bool {
        !self.guard.may(Write, ResourceKind::TransactionalId, id)
    }

    pub(super) fn init_producer_id(&self) -> Judged {
        let asked: InitProducerIdRequest = self.decode()?;
        let code = match asked.transactional_id.as_deref() {
            Some(id) if self.denies_id(id) => ID_DENIED,
            None if !self.guard.may_cluster(IdempotentWrite)
                && !self.guard.realm.allows_somewhere(&self.guard.who, Write, ResourceKind::Topic) =>
            {
                ErrorCode::ClusterAuthorizationFailed.code()
            }
            Some(_) | None => return Ok(Verdict::Pass),
        };
        Ok(self.refuse(&InitProducerIdResponse {
            error_code: code,
            producer_epoch: -1,
            ..Default::default()
        }))
    }

    pub(super) fn add_offsets_to_txn(&self) -> Judged {
        let asked: AddOffsetsToTxnRequest = self.decode()?;
        let code = if self.denies_id(&asked.transactional_id) {
            ID_DENIED
        } else if self.guard.may_group(Read, &asked.group_id) {
            return Ok(Verdict::Pass);
        } else {
            GROUP_DENIED
        };
        Ok(self.refuse(&AddOffsetsToTxnResponse { error_code: code, ..Default::default() }))
    }

    pub(super) fn end_txn(&self) -> Judged {
        let asked: EndTxnRequest = self.decode()?;
        if !self.denies_id(&asked.transactional_id) {
            return Ok(Verdict::Pass);
        }
        Ok(self.refuse(&EndTxnResponse { error_code: ID_DENIED, ..Default::default() }))
    }

    /// A transaction takes all of its partitions or none. Newer versions are the brokers' own.
    pub(super) fn add_partitions_to_txn(&self) -> Judged {
        const BROKERS_SINCE: i16 = 4;
        if self.head.version >= BROKERS_SINCE {
            return Ok(self.cluster(ClusterAction, |error_code| AddPartitionsToTxnResponse {
                error_code,
                ..Default::default()
            }));
        }
        let asked: AddPartitionsToTxnRequest = self.decode()?;
        let id_denied = self.denies_id(&asked.v3_and_below_transactional_id);
        let topics = &asked.v3_and_below_topics;
        if !id_denied && topics.iter().all(|topic| self.guard.may_topic(Write, &topic.name)) {
            return Ok(Verdict::Pass);
        }
        let results = topics.iter().map(|topic| {
            let code = match (id_denied, self.guard.may_topic(Write, &topic.name)) {
                (true, _) => ID_DENIED,
                (false, false) => TOPIC_DENIED,
                (false, true) => ErrorCode::OperationNotAttempted.code(),
            };
            let part = |partition: &i32| AddPartitionsToTxnPartitionResult {
                partition_index: *partition,
                partition_error_code: code,
                ..Default::default()
            };
            AddPartitionsToTxnTopicResult {
                name: topic.name.clone(),
                results_by_partition: topic.partitions.iter().map(part).collect(),
                ..Default::default()
            }
        });
        let results_by_topic_v3_and_below = results.collect();
        Ok(self.refuse(&AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() }))
    }

    pub(super) fn txn_offset_commit(&self) -> Judged {
        let mut rest: TxnOffsetCommitRequest = self.decode()?;
        let whole = if self.denies_id(&rest.transactional_id) {
            Some(ID_DENIED)
        } else {
            (!self.guard.may_group(Read, &rest.group_id)).then_some(GROUP_DENIED)
        };
        let mut refused = Vec::new();
        rest.topics.retain(|topic| {
            let topic_denied = self.denies_topic(Read, TopicRef::of(&topic.name, topic.topic_id));
            let code = whole.or(topic_denied.then_some(TOPIC_DENIED));
            refused.extend(code.map(|error_code| {
                TxnOffsetCommitResponseTopic {
                    name: topic.name.clone(),
                    topic_id: topic.topic_id,
                    partitions: topic
                        .partitions
                        .iter()
                        .map(|part| TxnOffsetCommitResponsePartition {
                            partition_index: part.partition_index,
                            error_code,
                            ..Default::default()
                        })
                        .collect(),
                    ..Default::default()
                }
            }));
            code.is_none()
        });
        if refused.is_empty() && whole.is_none() {
            return Ok(Verdict::Pass);
        }
        if rest.topics.is_empty() {
            return Ok(self.refuse(&TxnOffsetCommitResponse { topics: refused, ..Default::default() }));
        }
        Ok(self.rest(&rest, move |answer: &mut TxnOffsetCommitResponse| answer.topics.extend(refused)))
    }

    pub(super) fn describe_transactions(&self) -> Judged {
        let mut rest: DescribeTransactionsRequest = self.decode()?;
        let mut refused = Vec::new();
        rest.transactional_ids.retain(|id| {
            let allowed = self.guard.may(Describe, ResourceKind::TransactionalId, id);
            if !allowed {
                refused.push(TransactionState {
                    error_code: ID_DENIED,
                    transactional_id: id.clone(),
                    ..Default::default()
                });
            }
            allowed
        });
        let guard = self.guard.clone();
        Ok(self.rest(&rest, move |answer: &mut DescribeTransactionsResponse| {
            for state in &mut answer.transaction_states {
                state.topics.retain(|topic| guard.may_topic(Describe, &topic.topic));
            }
            answer.transaction_states.extend(refused);
        }))
    }

    pub(super) fn list_transactions(&self) -> Judged {
        let guard = self.guard.clone();
        Ok(self.amended(move |answer: &mut ListTransactionsResponse| {
            let allowed = |id: &str| guard.may(Describe, ResourceKind::TransactionalId, id);
            answer.transaction_states.retain(|state| allowed(&state.transactional_id));
        }))
    }
}

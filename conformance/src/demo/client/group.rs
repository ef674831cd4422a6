//! Membership in a classic consumer group: the coordinator's requests, and the range assignment that a leader makes.
//!
//! A member that is told NOT_COORDINATOR looks for the coordinator again and goes on under its id and generation, as
//! stock clients do.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as Assigned,
};
use kafka_protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponse;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::cluster::{Cluster, topic_name};
use super::connection::{Connection, WireError};

/// Version of the subscription and the assignment inside the group protocol.
const EMBEDDED_VERSION: i16 = 0;
/// A member silent for so long is taken out.
const SESSION_MS: i32 = 10_000;
/// Members have so long to join again.
const REBALANCE_MS: i32 = 10_000;

/// Topic and partition.
pub(crate) type Place = (String, i32);

/// Where a group stands in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Next offset to read.
    pub(crate) offset: i64,
    /// Leader epoch of the record before it, -1 for unknown.
    pub(crate) epoch: i32,
}

/// Why the coordinator did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum GroupError {
    /// No answer.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It refused.
    #[error("{0:?}")]
    Refused(ResponseError),
}

/// What a member does about an error, as stock clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cure {
    /// Look for the coordinator, then the same request again.
    FindAgain,
    /// The same request again.
    Again,
    /// Join under the same member id.
    Rejoin,
    /// Join as somebody new.
    JoinAnew,
    /// Tell the application.
    Surface,
}

impl GroupError {
    /// What to do about it.
    pub(crate) fn cure(&self) -> Cure {
        let error = match self {
            Self::Wire(error) if error.retriable() => return Cure::FindAgain,
            Self::Wire(_) => return Cure::Surface,
            Self::Refused(error) => *error,
        };
        if [ResponseError::NotCoordinator, ResponseError::CoordinatorNotAvailable].contains(&error) {
            Cure::FindAgain
        } else if error == ResponseError::RebalanceInProgress || error == ResponseError::MemberIdRequired {
            Cure::Rejoin
        } else if [ResponseError::IllegalGeneration, ResponseError::UnknownMemberId].contains(&error) {
            Cure::JoinAnew
        } else if error.is_retriable() {
            Cure::Again
        } else {
            Cure::Surface
        }
    }
}

fn refusal(code: i16) -> Result<(), GroupError> {
    ResponseError::try_from_code(code).map_or(Ok(()), |error| Err(GroupError::Refused(error)))
}

/// A member's standing in its group.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    /// The group.
    pub(crate) group: String,
    /// Id that the coordinator gave; empty before.
    pub(crate) member_id: String,
    /// Generation, -1 before the first.
    pub(crate) generation: i32,
    topics: Vec<String>,
}

impl Membership {
    /// Not a member yet.
    pub(crate) fn new(group: &str, topics: Vec<String>) -> Self {
        Self { group: group.to_owned(), member_id: String::new(), generation: -1, topics }
    }

    fn id(&self) -> GroupId {
        GroupId(StrBytes::from_string(self.group.clone()))
    }

    fn member(&self) -> StrBytes {
        StrBytes::from_string(self.member_id.clone())
    }

    /// Joins and learns the assignment.
    pub(crate) async fn join(
        &mut self,
        coordinator: &Connection,
        partitions: &BTreeMap<String, Vec<i32>>,
    ) -> Result<Vec<Place>, GroupError> {
        let answer = self.join_round(coordinator).await?;
        self.member_id = answer.member_id.as_str().to_owned();
        self.generation = answer.generation_id;
        let assignments = if answer.leader == answer.member_id && !answer.skip_assignment {
            assign(&answer, partitions)
        } else {
            Vec::new()
        };
        let request = SyncGroupRequest::default()
            .with_group_id(self.id())
            .with_generation_id(self.generation)
            .with_member_id(self.member())
            .with_protocol_type(Some(StrBytes::from_static_str("consumer")))
            .with_protocol_name(Some(StrBytes::from_static_str("range")))
            .with_assignments(assignments);
        let synced = coordinator.call(&request).await?;
        refusal(synced.error_code)?;
        places(synced.assignment)
    }

    async fn join_round(&mut self, coordinator: &Connection) -> Result<JoinGroupResponse, GroupError> {
        let subscription = ConsumerProtocolSubscription::default()
            .with_topics(self.topics.iter().map(|name| StrBytes::from_string(name.clone())).collect());
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str("range"))
            .with_metadata(embedded(&subscription)?);
        let request = JoinGroupRequest::default()
            .with_group_id(self.id())
            .with_session_timeout_ms(SESSION_MS)
            .with_rebalance_timeout_ms(REBALANCE_MS)
            .with_member_id(self.member())
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol]);
        let answer = coordinator.call(&request).await?;
        if ResponseError::try_from_code(answer.error_code) == Some(ResponseError::MemberIdRequired) {
            self.member_id = answer.member_id.as_str().to_owned();
        }
        refusal(answer.error_code)?;
        Ok(answer)
    }

    /// Forgets id and generation.
    pub(crate) fn forget(&mut self) {
        self.member_id.clear();
        self.generation = -1;
    }

    /// Says that it lives.
    pub(crate) async fn heartbeat(&self, coordinator: &Connection) -> Result<(), GroupError> {
        let request = HeartbeatRequest::default()
            .with_group_id(self.id())
            .with_generation_id(self.generation)
            .with_member_id(self.member());
        refusal(coordinator.call(&request).await?.error_code)
    }

    /// Commits, with `note` as metadata.
    pub(crate) async fn commit(
        &self,
        coordinator: &Connection,
        offsets: &BTreeMap<Place, Committed>,
        note: &str,
    ) -> Result<(), GroupError> {
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for ((topic, partition), committed) in offsets {
            let entry = OffsetCommitRequestPartition::default()
                .with_partition_index(*partition)
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.epoch)
                .with_committed_metadata(Some(StrBytes::from_string(note.to_owned())));
            topics.entry(topic).or_default().push(entry);
        }
        let topic = |(name, partitions)| {
            OffsetCommitRequestTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        };
        let request = OffsetCommitRequest::default()
            .with_group_id(self.id())
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(self.member())
            .with_topics(topics.into_iter().map(topic).collect());
        let answer = coordinator.call(&request).await?;
        answer.topics.iter().flat_map(|topic| &topic.partitions).try_for_each(|part| refusal(part.error_code))
    }

    /// What the group has committed of `places`. What it has not is absent.
    pub(crate) async fn committed(
        &self,
        coordinator: &Connection,
        places: &[Place],
    ) -> Result<BTreeMap<Place, (Committed, String)>, GroupError> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in places {
            topics.entry(topic).or_default().push(*partition);
        }
        let many = coordinator.version::<OffsetFetchRequest>()? >= 8;
        let request = if many { self.fetch_of_many(&topics) } else { self.fetch_of_one(&topics) };
        let answer = coordinator.call(&request).await?;
        refusal(answer.error_code)?;
        let mut found = BTreeMap::new();
        let mut take = |topic: &str, partition: i32, code: i16, at: (i64, i32), note: Option<&StrBytes>| {
            refusal(code)?;
            if at.0 >= 0 {
                let note = note.map_or_else(String::new, |note| note.as_str().to_owned());
                let committed = Committed { offset: at.0, epoch: at.1 };
                found.insert((topic.to_owned(), partition), (committed, note));
            }
            Ok::<(), GroupError>(())
        };
        for group in &answer.groups {
            refusal(group.error_code)?;
            for topic in &group.topics {
                for part in &topic.partitions {
                    let at = (part.committed_offset, part.committed_leader_epoch);
                    take(
                        topic.name.as_str(),
                        part.partition_index,
                        part.error_code,
                        at,
                        part.metadata.as_ref(),
                    )?;
                }
            }
        }
        for topic in &answer.topics {
            for part in &topic.partitions {
                let at = (part.committed_offset, part.committed_leader_epoch);
                take(topic.name.as_str(), part.partition_index, part.error_code, at, part.metadata.as_ref())?;
            }
        }
        Ok(found)
    }

    fn fetch_of_many(&self, topics: &BTreeMap<&str, Vec<i32>>) -> OffsetFetchRequest {
        let topic = |(name, partitions): (&&str, &Vec<i32>)| {
            OffsetFetchRequestTopics::default()
                .with_name(topic_name(name))
                .with_partition_indexes(partitions.clone())
        };
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(self.id())
            .with_member_epoch(-1)
            .with_topics(Some(topics.iter().map(topic).collect()));
        OffsetFetchRequest::default().with_groups(vec![group])
    }

    fn fetch_of_one(&self, topics: &BTreeMap<&str, Vec<i32>>) -> OffsetFetchRequest {
        let topic = |(name, partitions): (&&str, &Vec<i32>)| {
            OffsetFetchRequestTopic::default()
                .with_name(topic_name(name))
                .with_partition_indexes(partitions.clone())
        };
        OffsetFetchRequest::default()
            .with_group_id(self.id())
            .with_topics(Some(topics.iter().map(topic).collect()))
    }

    /// Leaves.
    pub(crate) async fn leave(&self, coordinator: &Connection) -> Result<(), GroupError> {
        let member = MemberIdentity::default().with_member_id(self.member());
        let request = LeaveGroupRequest::default().with_group_id(self.id()).with_members(vec![member]);
        refusal(coordinator.call(&request).await?.error_code)
    }
}

/// Asks any broker for the group's coordinator.
pub(crate) async fn find(cluster: &mut Cluster, group: &str) -> Result<(i32, Connection), GroupError> {
    let any = cluster.any().await?;
    let key = StrBytes::from_string(group.to_owned());
    let request = if any.version::<FindCoordinatorRequest>()? >= 4 {
        FindCoordinatorRequest::default().with_coordinator_keys(vec![key])
    } else {
        FindCoordinatorRequest::default().with_key(key)
    };
    let answer = any.call(&request).await?;
    refusal(answer.error_code)?;
    let (node, host, port) = match answer.coordinators.first() {
        Some(found) => {
            refusal(found.error_code)?;
            (found.node_id.0, found.host.as_str(), found.port)
        }
        None => (answer.node_id.0, answer.host.as_str(), answer.port),
    };
    let address = format!("{host}:{port}");
    cluster.meet(node, address.clone());
    Ok((node, cluster.dial(&address).await?))
}

/// Range assignment: of each topic every member gets a run of partitions, the first members one more.
fn assign(
    answer: &JoinGroupResponse,
    partitions: &BTreeMap<String, Vec<i32>>,
) -> Vec<SyncGroupRequestAssignment> {
    let mut members: Vec<StrBytes> = answer.members.iter().map(|member| member.member_id.clone()).collect();
    members.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let share_of = |rank: usize| {
        let of_topic = |(name, all): (&String, &Vec<i32>)| {
            let (each, extra) = (all.len() / members.len(), all.len() % members.len());
            let from = rank * each + rank.min(extra);
            let count = each + usize::from(rank < extra);
            let share = all.iter().skip(from).take(count).copied().collect();
            Assigned::default().with_topic(topic_name(name)).with_partitions(share)
        };
        ConsumerProtocolAssignment::default()
            .with_assigned_partitions(partitions.iter().map(of_topic).collect())
    };
    let assignment = |(rank, member): (usize, &StrBytes)| {
        let bytes = embedded(&share_of(rank)).unwrap_or_default();
        SyncGroupRequestAssignment::default().with_member_id(member.clone()).with_assignment(bytes)
    };
    members.iter().enumerate().map(assignment).collect()
}

fn embedded<M: Encodable>(message: &M) -> Result<Bytes, WireError> {
    let mut bytes = BytesMut::new();
    bytes::BufMut::put_i16(&mut bytes, EMBEDDED_VERSION);
    message.encode(&mut bytes, EMBEDDED_VERSION).map_err(|error| WireError::Codec(error.to_string()))?;
    Ok(bytes.freeze())
}

fn places(mut assignment: Bytes) -> Result<Vec<Place>, GroupError> {
    if assignment.is_empty() {
        return Ok(Vec::new());
    }
    let codec = |error: String| GroupError::Wire(WireError::Codec(error));
    let version = bytes::Buf::try_get_i16(&mut assignment).map_err(|error| codec(error.to_string()))?;
    let decoded = ConsumerProtocolAssignment::decode(&mut assignment, version.clamp(0, 3))
        .map_err(|error| codec(error.to_string()))?;
    let of = |topic: &Assigned| {
        let name = topic.topic.as_str().to_owned();
        topic.partitions.iter().map(|partition| (name.clone(), *partition)).collect::<Vec<_>>()
    };
    Ok(decoded.assigned_partitions.iter().flat_map(of).collect())
}

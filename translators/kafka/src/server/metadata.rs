//! What the cluster looks like: Metadata, DescribeTopicPartitions, DescribeCluster, FindCoordinator.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kernel_model::{KernelError, Reply, Request};

use super::admin::{LogWait, logs_of};
use super::forgetting::Forgetting;
use super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use crate::catalog::{Catalog, Partition, Topic};
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::describe_cluster_response::DescribeClusterBroker;
use crate::codec::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::codec::messages::find_coordinator_response::Coordinator;
use crate::codec::messages::metadata_request::MetadataRequestTopic;
use crate::codec::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::codec::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse,
};
use crate::codec::{Message, Str, frame};
use crate::errors::ErrorCode;
use crate::placement::{CATALOG, CATALOG_SHARD};

/// Without access rules everybody may do everything: bit n stands for Kafka's operation n.
const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
pub(super) const GROUP_OPERATIONS: i32 = bits(&[3, 6, 8, 10, 11]);
const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[u32]) -> i32 {
    let mut sum = 0;
    let mut rest = operations;
    while let [first, more @ ..] = rest {
        sum |= 1 << *first;
        rest = more;
    }
    sum
}

struct Waiting {
    head: Head,
    request: MetadataRequest,
    /// Names that the catalog was asked to create.
    created: Vec<Str>,
    refusals: Vec<(Str, i16)>,
    /// Deleted topics of these names are to be forgotten, and what the catalog is asked after that.
    clearing: Option<(Forgetting, Bytes)>,
    logs: Option<LogWait>,
}

/// Begins Metadata. Topics that do not exist are created first, where both sides want that.
pub(super) fn start(cx: &mut Cx<'_>, head: Head, request: MetadataRequest) -> Begin {
    if let Some(code) = unreadable(&request, head.version) {
        return Begin::Done(refuse(&head, request, code));
    }
    let catalog = cx.catalog();
    let creates = cx.settings.auto_create_topics && (head.version < 4 || request.allow_auto_topic_creation);
    let missing: Vec<Str> = request
        .topics
        .iter()
        .flatten()
        .filter_map(|topic| topic.name.as_ref())
        .filter(|name| creates && is_valid(name) && catalog.topic(name).is_none())
        .map(Str::detached)
        .collect();
    if missing.is_empty() {
        return Begin::Done(respond(cx, &head, &request, &[]));
    }
    let topics = missing.iter().map(|name| CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        ..Default::default()
    });
    let creation = CreateTopicsRequest { topics: topics.collect(), ..Default::default() };
    let framed = frame::request_frame(CREATE_VERSION, 0, None, &creation);
    let Ok(framed) = framed else { return Begin::Done(respond(cx, &head, &request, &[])) };
    let message = framed.slice(SIZE_PREFIX.min(framed.len())..);
    let held_back = missing.iter().any(|name| catalog.unforgotten_id(name).is_some());
    let clearing = if held_back { Forgetting::begin(cx) } else { None };
    if clearing.is_none() {
        ask_catalog(cx, message.clone());
    }
    let clearing = clearing.map(|clearing| (clearing, message));
    let waiting = Waiting { head, request, created: missing, refusals: Vec::new(), clearing, logs: None };
    Begin::Run(Box::new(waiting))
}

fn ask_catalog(cx: &mut Cx<'_>, message: Bytes) {
    cx.ask(0, CATALOG_SHARD, Request::Coordinate { kind: CATALOG, message });
}

const CREATE_VERSION: i16 = 7;
const SIZE_PREFIX: usize = 4;

impl Operation for Waiting {
    fn answered(&mut self, cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        if let Some((clearing, message)) = &mut self.clearing {
            if clearing.answered(cx, answer) {
                ask_catalog(cx, std::mem::take(message));
                self.clearing = None;
            }
            return Step::Wait;
        }
        if let Some(wait) = &mut self.logs {
            if !wait.answered(cx, slot, &answer) {
                return Step::Wait;
            }
            return self.finish(cx);
        }
        if let Ok(Reply::Coordinated(body)) = answer {
            self.refusals = refusals(body);
        }
        let catalog = cx.catalog();
        let topics = self.created.iter().filter_map(|name| catalog.topic(name));
        let mut wait = LogWait::new(cx, topics.flat_map(|topic| logs_of(topic)));
        if wait.ask(cx) {
            return self.finish(cx);
        }
        self.logs = Some(wait);
        Step::Wait
    }

    fn due(&mut self, cx: &mut Cx<'_>) -> Step {
        if let Some((clearing, _)) = &mut self.clearing {
            clearing.ask(cx);
        } else if let Some(wait) = &mut self.logs {
            wait.ask(cx);
        }
        Step::Wait
    }
}

impl Waiting {
    fn finish(&self, cx: &Cx<'_>) -> Step {
        Step::Done(respond(cx, &self.head, &self.request, &self.refusals))
    }
}

/// Topics that were not created, with the reason. That somebody else created one meanwhile is none.
fn refusals(body: Bytes) -> Vec<(Str, i16)> {
    let Ok(response) = CreateTopicsResponse::decode_exact(body, CREATE_VERSION) else { return Vec::new() };
    let exists = ErrorCode::TopicAlreadyExists.code();
    let refused = response.topics.into_iter().filter(|topic| ![0, exists].contains(&topic.error_code));
    refused.map(|topic| (topic.name, topic.error_code)).collect()
}

fn respond(cx: &Cx<'_>, head: &Head, request: &MetadataRequest, refusals: &[(Str, i16)]) -> Finished {
    let catalog = cx.catalog();
    // An empty list meant "all" before null did.
    let named = request.topics.as_ref().filter(|topics| !(head.version == 0 && topics.is_empty()));
    let mut topics: Vec<MetadataResponseTopic> = match named {
        None => catalog.topics().map(|topic| topic_entry(cx, topic)).collect(),
        Some(named) => {
            let entries = named.iter().map(|wanted| wanted_entry(cx, &catalog, wanted, refusals));
            // What is named twice is told once.
            let mut told = BTreeSet::new();
            entries.filter(|entry| told.insert((entry.name.clone(), entry.topic_id))).collect()
        }
    };
    if head.version < 12 {
        for topic in &mut topics {
            topic.name.get_or_insert_default();
        }
    }
    if head.version >= 8 && request.include_topic_authorized_operations {
        topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    let mut response = MetadataResponse {
        brokers: cx.cluster.nodes.iter().map(broker).collect(),
        cluster_id: Some(cx.cluster_id()),
        controller_id: cx.cluster.controller,
        topics,
        ..Default::default()
    };
    if (8..=10).contains(&head.version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    head.respond(&response)
}

/// A request that names topics in a way that its version does not have, or not at all.
fn unreadable(request: &MetadataRequest, version: i16) -> Option<ErrorCode> {
    let by_name_alone = version < NAMED_BY_ID_FROM;
    let wrong = |topic: &MetadataRequestTopic| {
        topic.name.is_none() && (by_name_alone || topic.topic_id.is_zero())
            || by_name_alone && !topic.topic_id.is_zero()
    };
    let code = if by_name_alone { ErrorCode::InvalidRequest } else { ErrorCode::UnknownServerError };
    request.topics.iter().flatten().any(wrong).then_some(code)
}

/// From this version topics may be named by their ids.
const NAMED_BY_ID_FROM: i16 = 12;

/// Refuses the whole request, as Kafka does: nothing of the cluster is told.
fn refuse(head: &Head, request: MetadataRequest, code: ErrorCode) -> Finished {
    let topics = request.topics.into_iter().flatten().map(|topic| MetadataResponseTopic {
        error_code: code.code(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    let mut response = MetadataResponse { controller_id: -1, topics: topics.collect(), ..Default::default() };
    if head.version >= 13 {
        response.error_code = code.code();
    }
    head.respond(&response)
}

fn broker(node: &super::Node) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: node.id,
        host: node.host.clone(),
        port: node.port.into(),
        rack: node.rack.clone(),
        ..Default::default()
    }
}

fn wanted_entry(
    cx: &Cx<'_>,
    catalog: &Catalog,
    wanted: &MetadataRequestTopic,
    refusals: &[(Str, i16)],
) -> MetadataResponseTopic {
    // Kafka's own administration client sends an empty name beside the id.
    let named = wanted.name.as_ref().filter(|_| wanted.topic_id.is_zero());
    let found = match named {
        Some(name) => catalog.topic(name),
        None => catalog.topic_by_id(wanted.topic_id),
    };
    if let Some(topic) = found {
        return topic_entry(cx, topic);
    }
    let code = match named {
        None => ErrorCode::UnknownTopicId,
        Some(name) if !is_valid(name) => ErrorCode::InvalidTopic,
        Some(_) => ErrorCode::UnknownTopicOrPartition,
    };
    let refused = refusals.iter().find(|(name, _)| Some(name) == wanted.name.as_ref());
    MetadataResponseTopic {
        error_code: refused.map_or(code.code(), |(_, code)| *code),
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        is_internal: wanted.name.as_deref().is_some_and(crate::catalog::is_internal),
        ..Default::default()
    }
}

fn is_valid(name: &str) -> bool {
    crate::coordinator::catalog::check_name(name).is_ok()
}

fn topic_entry(cx: &Cx<'_>, topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partitions = (0_i32..).zip(&topic.partitions).map(|(number, partition)| {
        let (code, leader_id) = leader(cx, partition);
        MetadataResponsePartition {
            error_code: code.code(),
            partition_index: number,
            leader_id,
            leader_epoch: partition.epoch.0,
            replica_nodes: vec![cx.cluster.own],
            isr_nodes: vec![cx.cluster.own],
            ..Default::default()
        }
    });
    MetadataResponseTopic {
        name: Some(Str::from(&*topic.name)),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: partitions.collect(),
        ..Default::default()
    }
}

/// Who leads a partition: this node, or (while it is mirrored) nobody that is known here.
fn leader(cx: &Cx<'_>, partition: &Partition) -> (ErrorCode, i32) {
    if partition.is_led() { (ErrorCode::None, cx.cluster.own) } else { (ErrorCode::LeaderNotAvailable, -1) }
}

/// Partitions in one answer to DescribeTopicPartitions, whatever the client asks.
const PARTITIONS_PER_ANSWER_MAX: usize = 2000;

/// Answers DescribeTopicPartitions: topics by name, as many partitions as fit, and where to go on.
pub(super) fn topic_partitions(
    cx: &mut Cx<'_>,
    head: Head,
    request: DescribeTopicPartitionsRequest,
) -> Begin {
    let catalog = cx.catalog();
    let cursor = request.cursor.as_ref();
    let from = cursor.map_or("", |cursor| &*cursor.topic_name);
    let mut names: Vec<Str> = if request.topics.is_empty() {
        catalog.topics_from(from).map(|topic| Str::from(&*topic.name)).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.clone()).filter(|name| **name >= *from).collect()
    };
    names.sort_unstable();
    names.dedup();
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(1).max(1);
    let mut left = asked.min(PARTITIONS_PER_ANSWER_MAX);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        let first = cursor.filter(|cursor| cursor.topic_name == name).map_or(0, |at| at.partition_index);
        let topic = catalog.topic(&name);
        if left == 0 {
            response.next_cursor =
                Some(Cursor { topic_name: name, partition_index: first, ..Default::default() });
            break;
        }
        let (entry, next) = described(cx, name, topic, first, &mut left);
        let name = entry.name.clone();
        response.topics.push(entry);
        if let Some(partition_index) = next {
            let topic_name = name.unwrap_or_default();
            response.next_cursor = Some(Cursor { topic_name, partition_index, ..Default::default() });
            break;
        }
    }
    Begin::Done(head.respond(&response))
}

/// One topic's partitions from `first` on, and the first that did not fit.
fn described(
    cx: &Cx<'_>,
    name: Str,
    topic: Option<&Arc<Topic>>,
    first: i32,
    left: &mut usize,
) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
    let mut entry = DescribeTopicPartitionsResponseTopic { name: Some(name), ..Default::default() };
    let Some(topic) = topic else {
        let valid = entry.name.as_deref().is_some_and(is_valid);
        let code = if valid { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopic };
        entry.error_code = code.code();
        return (entry, None);
    };
    entry.topic_id = topic.id;
    entry.is_internal = topic.is_internal();
    entry.topic_authorized_operations = TOPIC_OPERATIONS;
    let skip = usize::try_from(first).unwrap_or(0);
    for (number, partition) in (0_i32..).zip(&topic.partitions).skip(skip) {
        if *left == 0 {
            return (entry, Some(number));
        }
        *left -= 1;
        let (code, leader_id) = leader(cx, partition);
        entry.partitions.push(DescribeTopicPartitionsResponsePartition {
            error_code: code.code(),
            partition_index: number,
            leader_id,
            leader_epoch: partition.epoch.0,
            replica_nodes: vec![cx.cluster.own],
            isr_nodes: vec![cx.cluster.own],
            // Java's admin client takes no null here, though the descriptor allows it.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..Default::default()
        });
    }
    (entry, None)
}

/// Endpoint type "brokers"; the other is "controllers".
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Answers DescribeCluster.
pub(super) fn cluster(cx: &mut Cx<'_>, head: Head, request: DescribeClusterRequest) -> Begin {
    if request.endpoint_type != BROKERS {
        let (code, why) = if request.endpoint_type == CONTROLLERS {
            (ErrorCode::MismatchedEndpointType, "This is a broker listener.")
        } else {
            (ErrorCode::UnsupportedEndpointType, "There is no such type of endpoint.")
        };
        let refused = DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(why.into()),
            endpoint_type: BROKERS,
            ..Default::default()
        };
        return Begin::Done(head.respond(&refused));
    }
    let mut response = DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: cx.cluster_id(),
        controller_id: cx.cluster.controller,
        ..Default::default()
    };
    response.brokers = cx.cluster.nodes.iter().map(described_broker).collect();
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    Begin::Done(head.respond(&response))
}

fn described_broker(node: &super::Node) -> DescribeClusterBroker {
    DescribeClusterBroker {
        broker_id: node.id,
        host: node.host.clone(),
        port: node.port.into(),
        rack: node.rack.clone(),
        ..Default::default()
    }
}

/// What a transactional producer is told: the one code that every client library takes as final here.
/// librdkafka would ask again for ever after any other.
pub(crate) const NO_TRANSACTIONS: ErrorCode = ErrorCode::TransactionalIdAuthorizationFailed;

const GROUP_KEY: i8 = 0;
const TRANSACTION_KEY: i8 = 1;

/// Answers FindCoordinator: this node coordinates every group, and every transaction where those are served.
/// Share groups are not.
pub(super) fn find_coordinator(cx: &mut Cx<'_>, head: Head, request: FindCoordinatorRequest) -> Begin {
    let refused = match request.key_type {
        GROUP_KEY => None,
        TRANSACTION_KEY if cx.settings.transactions => None,
        TRANSACTION_KEY => Some((NO_TRANSACTIONS, "Transactions are not served yet.")),
        _ => Some((ErrorCode::InvalidRequest, "This type of coordinator is not served.")),
    };
    let mut response = FindCoordinatorResponse::default();
    if head.version >= 4 {
        let entries = request.coordinator_keys.iter().map(|key| coordinator(cx, key.clone(), refused));
        response.coordinators = entries.collect();
    } else {
        let entry = coordinator(cx, request.key.clone(), refused);
        response.error_code = entry.error_code;
        response.error_message = entry.error_message;
        response.node_id = entry.node_id;
        response.host = entry.host;
        response.port = entry.port;
    }
    Begin::Done(head.respond(&response))
}

fn coordinator(cx: &Cx<'_>, key: Str, refused: Option<(ErrorCode, &'static str)>) -> Coordinator {
    let node = cx.cluster.own_node().filter(|_| refused.is_none());
    let (code, message) = refused.unwrap_or((ErrorCode::None, ""));
    Coordinator {
        key,
        node_id: node.map_or(-1, |node| node.id),
        host: node.map(|node| node.host.clone()).unwrap_or_default(),
        port: node.map_or(-1, |node| node.port.into()),
        error_code: code.code(),
        error_message: Some(Str::from_static(message)),
        ..Default::default()
    }
}

#![allow(clippy::wildcard_enum_match_arm, reason = "the rest of the operations is what the test collects")]

use std::collections::BTreeMap;

use kernel_model::{LogKind, Offset, ShardId};

use super::*;
use crate::codec::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use crate::codec::messages::delete_topics_request::DeleteTopicState;
use crate::codec::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use crate::codec::messages::{
    CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse, IncrementalAlterConfigsResponse,
    create_partitions_request::CreatePartitionsTopic,
};
use crate::codec::{Request, Uuid};
use crate::coordinator::message::{CatalogReply, MirrorPartition, PartitionEpoch};

#[derive(Default)]
struct Keys(BTreeMap<Bytes, Bytes>);

impl KvRead for Keys {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key).cloned()
    }

    fn scan(&self, prefix: &[u8]) -> Box<dyn Iterator<Item = (Bytes, Bytes)> + '_> {
        let prefix = Bytes::copy_from_slice(prefix);
        let from = self.0.range(prefix.clone()..);
        Box::new(
            from.take_while(move |(key, _)| key.starts_with(&prefix)).map(|(k, v)| (k.clone(), v.clone())),
        )
    }
}

/// A coordinator on a store of keys; remembers what was done to logs.
struct Host {
    coordinator: CatalogCoordinator,
    handle: CatalogHandle,
    keys: Keys,
    log_ops: Vec<(ShardId, Op)>,
    refuse: Option<KernelError>,
    messages: u64,
}

impl Host {
    fn new(shards: u16) -> Self {
        let settings = CatalogSettings { cluster_id: "c-1".into(), shards, seed: 7, ..Default::default() };
        let mut host = Self {
            coordinator: CatalogCoordinator::new(settings.clone(), CatalogHandle::default()),
            handle: CatalogHandle::default(),
            keys: Keys::default(),
            log_ops: Vec::new(),
            refuse: None,
            messages: 0,
        };
        host.restart(settings);
        host
    }

    fn restart(&mut self, settings: CatalogSettings) {
        self.handle = CatalogHandle::default();
        self.coordinator = CatalogCoordinator::new(settings, self.handle.clone());
        self.coordinator.restore(Now::default(), &self.keys);
        assert!(self.run().is_none());
    }

    fn apply(&mut self, shard: ShardId, op: Op) {
        match op {
            Op::KvPut { key, value, .. } => drop(self.keys.0.insert(key, value)),
            Op::KvDelete { key } => drop(self.keys.0.remove(&key)),
            Op::OutboxPush { to, commit } => commit.ops.into_iter().for_each(|op| self.apply(to, op)),
            other => self.log_ops.push((shard, other)),
        }
    }

    fn run(&mut self) -> Option<Bytes> {
        let mut reply = None;
        while let Some(output) = self.coordinator.poll_output() {
            match output {
                Output::Reply { message, .. } => reply = Some(message),
                Output::Commit { id, commit } => {
                    let outcome = self.refuse.clone().map_or(Ok(()), Err);
                    if outcome.is_ok() {
                        commit.ops.into_iter().for_each(|op| self.apply(ShardId(0), op));
                    }
                    self.coordinator.handle_commit(Now::default(), id, outcome);
                }
            }
        }
        reply
    }

    fn send(&mut self, message: Bytes) -> Bytes {
        self.messages += 1;
        self.coordinator.handle_message(Now::default(), MessageId(self.messages), message);
        self.run().expect("every message is answered")
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let framed = frame::request_frame(version, 1, None, request).unwrap();
        let answer = self.send(framed.slice(4..));
        Message::decode_exact(answer, version).unwrap()
    }

    fn tell(&mut self, message: &CatalogMessage) -> CatalogReply {
        CatalogReply::from_bytes(&self.send(message.to_bytes())).unwrap()
    }

    fn create(&mut self, topic: CreatableTopic) -> i16 {
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response: CreateTopicsResponse = self.ask(7, &request);
        response.topics[0].error_code
    }
}

fn topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: -1,
        ..Default::default()
    }
}

fn with_config(name: &str, key: &str, value: &str) -> CreatableTopic {
    let config = CreatableTopicConfig { name: key.into(), value: Some(value.into()), ..Default::default() };
    CreatableTopic { configs: vec![config], ..topic(name, 1) }
}

#[test]
fn a_created_topic_is_published_with_a_log_in_the_shard_of_each_partition_and_survives_a_restart() {
    let mut host = Host::new(3);
    let request = CreateTopicsRequest { topics: vec![topic("orders", 6)], ..Default::default() };
    let response = host.ask(7, &request);
    let result = &response.topics[0];
    assert_eq!((result.error_code, result.num_partitions, result.replication_factor), (0, 6, 1));
    assert_eq!(result.configs.as_ref().unwrap().len(), topic_config_len());

    let seen = host.handle.load();
    let orders = seen.topic("orders").unwrap();
    assert_eq!(orders.id, result.topic_id);
    assert_eq!(seen.cluster_id, "c-1");
    for partition in &orders.partitions {
        let created = host.log_ops.iter().any(|(shard, op)| {
            *shard == partition.log.shard()
                && matches!(op, Op::LogCreate { log, start: Offset(0), .. } if *log == partition.log)
        });
        assert!(created, "{partition:?}");
    }
    host.restart(CatalogSettings { cluster_id: "another".into(), seed: 8, ..Default::default() });
    assert_eq!(host.handle.load(), seen);
}

fn topic_config_len() -> usize {
    crate::topic_config::KEYS.len()
}

#[test]
fn create_topics_refuses_what_kafka_refuses() {
    let mut host = Host::new(1);
    assert_eq!(host.create(topic("a.b", 1)), 0);
    let assigned = |partition_index, broker| CreatableTopic {
        num_partitions: -1,
        assignments: vec![CreatableReplicaAssignment {
            partition_index,
            broker_ids: vec![broker],
            ..Default::default()
        }],
        ..topic("assigned", -1)
    };
    let null_config = {
        let mut topic = with_config("n", "retention.ms", "");
        topic.configs[0].value = None;
        topic
    };
    let never_in_time = {
        let mut topic = with_config("c", "cleanup.policy", "compact");
        let lags = [("min.compaction.lag.ms", "11"), ("max.compaction.lag.ms", "10")];
        for (name, value) in lags {
            topic.configs.extend(with_config("c", name, value).configs);
        }
        topic
    };
    let table = [
        (topic("a.b", 1), ErrorCode::TopicAlreadyExists),
        (topic("a_b", 1), ErrorCode::InvalidTopic),
        (topic("", 1), ErrorCode::InvalidTopic),
        (topic("..", 1), ErrorCode::InvalidTopic),
        (topic("sl/ash", 1), ErrorCode::InvalidTopic),
        (topic(&"x".repeat(250), 1), ErrorCode::InvalidTopic),
        (topic("zero", 0), ErrorCode::InvalidPartitions),
        (topic("many", 10_001), ErrorCode::InvalidPartitions),
        (CreatableTopic { replication_factor: 0, ..topic("r", 1) }, ErrorCode::InvalidReplicationFactor),
        (CreatableTopic { replication_factor: 3, ..topic("r", 1) }, ErrorCode::InvalidReplicationFactor),
        (assigned(1, 1), ErrorCode::InvalidReplicaAssignment),
        (assigned(0, 9), ErrorCode::InvalidReplicaAssignment),
        (CreatableTopic { num_partitions: 1, ..assigned(0, 1) }, ErrorCode::InvalidRequest),
        (with_config("c", "no.such", "1"), ErrorCode::InvalidConfig),
        (with_config("c", "retention.ms", "x"), ErrorCode::InvalidConfig),
        (never_in_time, ErrorCode::InvalidConfig),
        (null_config, ErrorCode::InvalidConfig),
        (assigned(0, 1), ErrorCode::None),
        (with_config("compacted", "cleanup.policy", "compact,delete"), ErrorCode::None),
    ];
    for (topic, code) in table {
        let what = format!("{topic:?}");
        assert_eq!(host.create(topic), code.code(), "{what}");
    }
}

#[test]
fn validate_only_creates_nothing_and_a_repeated_name_is_refused_once() {
    let mut host = Host::new(1);
    let request =
        CreateTopicsRequest { topics: vec![topic("v", 2)], validate_only: true, ..Default::default() };
    assert_eq!(host.ask(7, &request).topics[0].num_partitions, 2);
    assert!(host.handle.load().is_empty());
    let twice = CreateTopicsRequest { topics: vec![topic("t", 1), topic("t", 1)], ..Default::default() };
    let response = host.ask(7, &twice);
    assert_eq!(response.topics.len(), 1);
    assert_eq!(response.topics[0].error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn a_refused_commit_changes_nothing_and_is_reported_as_retriable() {
    let mut host = Host::new(1);
    host.refuse = Some(KernelError::Full);
    assert_eq!(host.create(topic("t", 1)), ErrorCode::KafkaStorageError.code());
    assert!(host.handle.load().is_empty());
    host.refuse = None;
    assert_eq!(host.create(topic("t", 1)), 0);
}

#[test]
fn deleting_and_recreating_a_topic_gives_another_id() {
    let mut host = Host::new(1);
    assert_eq!(host.create(topic("t", 1)), 0);
    let old = host.handle.load().topic("t").unwrap().clone();
    let by_id = DeleteTopicState { topic_id: old.id, ..Default::default() };
    let both = DeleteTopicState { name: Some("t".into()), topic_id: old.id, ..Default::default() };
    let unknown_id = DeleteTopicState { topic_id: Uuid([9; 16]), ..Default::default() };
    let unknown = DeleteTopicState { name: Some("u".into()), ..Default::default() };
    let topics = vec![both, unknown_id, unknown, DeleteTopicState::default(), by_id.clone(), by_id.clone()];
    let response: DeleteTopicsResponse = host.ask(6, &DeleteTopicsRequest { topics, ..Default::default() });
    let codes: Vec<i16> = response.responses.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [42, 100, 3, 42, 42], "what is named twice is refused, once");
    let topics = vec![by_id];
    let response: DeleteTopicsResponse = host.ask(6, &DeleteTopicsRequest { topics, ..Default::default() });
    assert_eq!(response.responses[0].error_code, 0);
    assert!(host.log_ops.iter().any(|(_, op)| *op == Op::LogDelete { log: old.partitions[0].log }));
    let forgotten = CatalogMessage::OffsetsForgotten { topics: vec![("t".into(), old.id.0)] };
    assert_eq!(host.tell(&forgotten), CatalogReply::Done);
    assert_eq!(host.create(topic("t", 1)), 0);
    let new = host.handle.load().topic("t").unwrap().clone();
    assert_ne!((new.id, new.partitions[0].log), (old.id, old.partitions[0].log));
}

fn growth(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: name.into(), count, assignments: None, ..Default::default() }
}

#[test]
fn partitions_only_grow() {
    let mut host = Host::new(2);
    assert_eq!(host.create(topic("t", 2)), 0);
    for (name, count, code) in [("t", 2, 37), ("t", 1, 37), ("u", 3, 3), ("t", 4, 0)] {
        let topics = vec![growth(name, count)];
        let response: CreatePartitionsResponse =
            host.ask(3, &CreatePartitionsRequest { topics, ..Default::default() });
        assert_eq!(response.results[0].error_code, code, "{name} {count}");
    }
    assert_eq!(host.handle.load().topic("t").unwrap().partitions.len(), 4);
}

#[test]
fn configuration_is_altered_step_by_step_and_reaches_the_logs() {
    let mut host = Host::new(1);
    assert_eq!(host.create(topic("t", 1)), 0);
    let steps = [
        ("retention.ms", 0, Some("5000"), 0),
        ("retention.ms", 0, None, 42),
        ("retention.ms", 2, Some("1"), 40),
        ("cleanup.policy", 2, Some("compact"), 0),
        ("max.compaction.lag.ms", 0, Some("1000"), 0),
        ("min.compaction.lag.ms", 0, Some("1001"), 40),
        ("cleanup.policy", 3, Some("compact"), 0),
        ("no.such", 0, Some("1"), 40),
        ("max.message.bytes", 0, Some("100"), 0),
        ("max.message.bytes", 1, None, 0),
    ];
    for (name, operation, value, code) in steps {
        let config = AlterableConfig {
            name: name.into(),
            config_operation: operation,
            value: value.map(Into::into),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: vec![config],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let response: IncrementalAlterConfigsResponse = host.ask(1, &request);
        assert_eq!(response.responses[0].error_code, code, "{name} {operation}");
    }
    let catalog = host.handle.load();
    let topic = catalog.topic("t").unwrap();
    assert_eq!(topic.settings.retention_ms, 5000);
    assert_eq!(topic.settings.message_bytes_max, 1_048_588);
    let last = host.log_ops.last().unwrap();
    assert!(matches!(&last.1, Op::LogConfigure { config, .. } if config.retention_ms == Some(5000)));
}

#[test]
fn producer_ids_come_from_the_kernels_own_block_and_never_repeat_after_a_restart() {
    let mut host = Host::new(1);
    let mut next = || host_producer(&mut host);
    assert_eq!(next(), PRODUCER_ID_BASE);
    assert_eq!(next(), PRODUCER_ID_BASE + 1);
    host.restart(CatalogSettings::default());
    assert_eq!(host_producer(&mut host), PRODUCER_ID_BASE + PRODUCER_ID_BLOCK);
}

fn host_producer(host: &mut Host) -> i64 {
    let response = host.ask(5, &InitProducerIdRequest { transactional_id: None, ..Default::default() });
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id
}

#[test]
fn a_transactional_id_is_refused_as_not_served() {
    let mut host = Host::new(1);
    let request = InitProducerIdRequest { transactional_id: Some("tx".into()), ..Default::default() };
    let response = host.ask(5, &request);
    assert_eq!(
        (response.error_code, response.producer_id),
        (ErrorCode::TransactionalIdAuthorizationFailed.code(), -1)
    );
}

#[test]
fn a_mirrored_topic_keeps_its_source_id_grows_and_is_handed_over_and_back() {
    let mut host = Host::new(2);
    let configs = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
    let mirror = |count| CatalogMessage::MirrorTopic {
        name: "m".into(),
        id: [5; 16],
        partitions: vec![MirrorPartition { start: 40, epoch: 3 }; count],
        configs: configs.clone(),
    };
    assert_eq!(host.tell(&mirror(1)), CatalogReply::Done);
    let before = host.log_ops.len();
    assert_eq!(host.tell(&mirror(1)), CatalogReply::Done);
    assert_eq!(host.log_ops.len(), before, "a repeat changes nothing");
    assert_eq!(host.tell(&mirror(3)), CatalogReply::Done);
    let catalog = host.handle.load();
    let topic = catalog.topic("m").unwrap();
    assert_eq!((topic.id, topic.partitions.len(), topic.settings.is_compacted()), (Uuid([5; 16]), 3, true));
    assert!(topic.partitions.iter().all(|partition| partition.kind == LogKind::Mirrored));

    let lead = |epoch| CatalogMessage::Lead {
        topic: "m".into(),
        partitions: vec![PartitionEpoch { partition: 1, epoch }],
    };
    assert!(matches!(host.tell(&lead(2)), CatalogReply::Refused(_)), "an epoch never goes back");
    assert_eq!(host.tell(&lead(4)), CatalogReply::Done);
    assert_eq!(host.tell(&lead(4)), CatalogReply::Done);
    let led = host.handle.load().topic("m").unwrap().partitions[1];
    assert_eq!((led.kind, led.epoch.0), (LogKind::Led, 4));
    assert!(matches!(host.tell(&CatalogMessage::Adopt { topic: "m".into() }), CatalogReply::Refused(_)));
    let back = CatalogMessage::Mirror {
        topic: "m".into(),
        partitions: vec![PartitionEpoch { partition: 1, epoch: 5 }],
    };
    assert_eq!(host.tell(&back), CatalogReply::Done);
    assert_eq!(host.handle.load().topic("m").unwrap().partitions[1].kind, LogKind::Mirrored);
}

#[test]
fn only_a_copy_is_discarded_and_what_is_made_anew_has_other_logs() {
    let mut host = Host::new(2);
    let mirror = |id| CatalogMessage::MirrorTopic {
        name: "m".into(),
        id: [id; 16],
        partitions: vec![MirrorPartition { start: 0, epoch: 0 }; 2],
        configs: BTreeMap::new(),
    };
    let discard = CatalogMessage::Discard { topic: "m".into() };
    let logs = |host: &Host| -> Vec<_> {
        host.handle
            .load()
            .topic("m")
            .into_iter()
            .flat_map(|topic| topic.partitions.clone())
            .map(|p| p.log)
            .collect()
    };
    assert_eq!(host.tell(&discard), CatalogReply::Done, "there is nothing to discard");
    assert_eq!(host.tell(&mirror(5)), CatalogReply::Done);
    let old = logs(&host);
    assert_eq!(host.tell(&discard), CatalogReply::Done);
    let deleted = host.log_ops.iter().filter(|(_, op)| matches!(op, Op::LogDelete { .. })).count();
    assert_eq!((logs(&host).len(), deleted), (0, 2));
    assert_eq!(host.tell(&mirror(6)), CatalogReply::Done);
    assert!(logs(&host).iter().all(|log| !old.contains(log)));

    let partitions = vec![PartitionEpoch { partition: 1, epoch: 4 }];
    assert_eq!(host.tell(&CatalogMessage::Lead { topic: "m".into(), partitions }), CatalogReply::Done);
    assert!(matches!(host.tell(&discard), CatalogReply::Refused(_)), "the kernel leads a partition");
    assert_eq!(host.create(topic("own", 1)), 0);
    let own = CatalogMessage::Discard { topic: "own".into() };
    assert!(matches!(host.tell(&own), CatalogReply::Refused(_)), "it is the kernel's own");
    assert_eq!(host.handle.load().len(), 2);
}

#[test]
fn clients_cannot_change_what_legacy_owns() {
    let mut host = Host::new(1);
    let mirror = CatalogMessage::MirrorTopic {
        name: "m".into(),
        id: [5; 16],
        partitions: vec![MirrorPartition { start: 0, epoch: 0 }],
        configs: BTreeMap::new(),
    };
    assert_eq!(host.tell(&mirror), CatalogReply::Done);
    let policy = ErrorCode::PolicyViolation.code();
    let names = DeleteTopicsRequest { topic_names: vec!["m".into()], ..Default::default() };
    assert_eq!(host.ask(5, &names).responses[0].error_code, policy);
    let topics = vec![growth("m", 3)];
    let grow = CreatePartitionsRequest { topics, ..Default::default() };
    assert_eq!(host.ask(3, &grow).results[0].error_code, policy);
}

#[test]
fn bytes_that_are_no_message_are_answered_empty() {
    let mut host = Host::new(1);
    for garbage in [&b""[..], b"\xff{", b"\0", b"\0\x13\0\x63\0\0\0\0\xff\xff", b"\0\0\0\x09\0\0\0\0\xff\xff"]
    {
        assert!(host.send(Bytes::from_static(garbage)).is_empty(), "{garbage:?}");
    }
    assert_eq!(host.create(topic("t", 1)), 0);
}

#[test]
fn a_deleted_topics_name_is_held_back_over_a_restart_until_its_offsets_are_forgotten() {
    let mut host = Host::new(1);
    assert_eq!(host.create(topic("t", 1)), 0);
    let id = host.handle.load().topic("t").unwrap().id;
    let names = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
    assert_eq!(host.ask(5, &names).responses[0].error_code, 0);
    let held_back = ErrorCode::KafkaStorageError.code();
    assert_eq!(host.create(topic("t", 1)), held_back);
    host.restart(CatalogSettings { seed: 8, ..Default::default() });
    assert_eq!(host.create(topic("t", 1)), held_back);
    let forgotten = |id| CatalogMessage::OffsetsForgotten { topics: vec![("t".into(), id)] };
    // Said of the topic of this name before it.
    assert_eq!(host.tell(&forgotten([9; 16])), CatalogReply::Done);
    assert_eq!(host.create(topic("t", 1)), held_back);
    assert_eq!(host.tell(&forgotten(id.0)), CatalogReply::Done);
    assert_eq!(host.create(topic("t", 1)), 0);
    host.restart(CatalogSettings { seed: 9, ..Default::default() });
    assert_eq!(host.handle.load().unforgotten().count(), 0);
}

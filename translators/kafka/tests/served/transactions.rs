//! Transactions: a producer, its coordinator, logs and groups of two shards.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::batch::BatchSpec;
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Reply, ShardId};
use translator_kafka::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use translator_kafka::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use translator_kafka::codec::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use translator_kafka::codec::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiVersionsRequest, DescribeTransactionsRequest,
    EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, ListTransactionsRequest,
    OffsetFetchRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use translator_kafka::coordinator::catalog::PRODUCER_ID_BASE;
use translator_kafka::errors::ErrorCode;

use crate::node::{Client, Node, batch_as, produce_request};

const TIMEOUT_MS: i32 = 60_000;

fn init_of(id: &str, current: (i64, i16)) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(id.into()),
        transaction_timeout_ms: TIMEOUT_MS,
        producer_id: current.0,
        producer_epoch: current.1,
        ..Default::default()
    }
}

/// A producer as a client library keeps it.
struct Writer {
    id: &'static str,
    producer: (i64, i16),
    sequence: i32,
    /// Version of Produce: 12 takes partitions in by itself.
    produce: i16,
}

impl Writer {
    fn new(node: &mut Node, client: &mut Client, id: &'static str, produce: i16) -> Self {
        let answer = client.ask(node, 5, &init_of(id, (-1, -1)));
        assert_eq!(answer.error_code, 0);
        Self { id, producer: (answer.producer_id, answer.producer_epoch), sequence: 0, produce }
    }

    fn add(&self, node: &mut Node, client: &mut Client, topic: &str, partitions: &[i32]) -> Vec<i16> {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.into(),
            v3_and_below_producer_id: self.producer.0,
            v3_and_below_producer_epoch: self.producer.1,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: topic.into(),
                partitions: partitions.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = client.ask(node, 3, &request);
        let topics = answer.results_by_topic_v3_and_below.iter();
        topics.flat_map(|topic| &topic.results_by_partition).map(|part| part.partition_error_code).collect()
    }

    fn batch(&self, value: &str) -> Bytes {
        let spec = BatchSpec {
            transactional: true,
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            base_sequence: self.sequence,
            ..BatchSpec::default()
        };
        batch_as(&spec, &[value]).bytes().clone()
    }

    /// Error and offset of one record.
    fn send(&mut self, node: &mut Node, client: &mut Client, partition: i32, value: &str) -> (i16, i64) {
        let mut request = produce_request(node, self.produce, -1, "t", partition, self.batch(value));
        request.transactional_id = Some(self.id.into());
        let answer = client.ask(node, self.produce, &request);
        let part = &answer.responses[0].partition_responses[0];
        (part.error_code, part.base_offset)
    }

    fn end(&mut self, node: &mut Node, client: &mut Client, commit: bool) -> i16 {
        let version = if self.produce >= 12 { 5 } else { 4 };
        let request = EndTxnRequest {
            transactional_id: self.id.into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            committed: commit,
            ..Default::default()
        };
        let answer = client.ask(node, version, &request);
        if answer.error_code == 0 && version == 5 {
            self.producer = (answer.producer_id, answer.producer_epoch);
            self.sequence = 0;
        }
        answer.error_code
    }
}

fn code(code: ErrorCode) -> i16 {
    code.code()
}

/// End, last stable offset, and aborted ranges of a partition.
fn state(node: &mut Node, partition: i32) -> (u64, u64, Vec<(u64, u64)>) {
    let log = node.settings.catalog.load().topic("t").unwrap().partition(partition).unwrap().log;
    let read = Request::Read {
        log,
        from: kernel_model::Offset(0),
        bytes_max: 1 << 20,
        at_least_one: true,
        limit: ReadLimit::Stable,
        epoch: None,
    };
    let Ok(Reply::Records(records)) = node.kernel(log.shard(), read) else { panic!("not readable") };
    let aborted = records.aborted.iter().map(|range| (range.first_offset.0, range.last_offset.0)).collect();
    (records.durable_end.0, records.stable_end.0, aborted)
}

fn world() -> (Node, Client) {
    let mut node = Node::transactional(2);
    let mut client = node.client();
    client.create(&mut node, "t", 6, &[]);
    let catalog = node.settings.catalog.load();
    let topic = catalog.topic("t").unwrap();
    let shards: std::collections::BTreeSet<ShardId> =
        topic.partitions.iter().map(|at| at.log.shard()).collect();
    assert_eq!(shards.len(), 2, "partitions on both shards");
    (node, client)
}

#[test]
fn a_transaction_is_committed_with_a_marker_in_every_partition() {
    for version in [11, 12] {
        let (mut node, mut client) = world();
        let mut writer = Writer::new(&mut node, &mut client, "tx", version);
        assert!(writer.producer.0 >= PRODUCER_ID_BASE);
        assert_eq!(writer.producer.1, 0);
        let all = [0, 1, 2, 3, 4, 5];
        if version < 12 {
            assert_eq!(writer.add(&mut node, &mut client, "t", &all), [0; 6]);
        }
        for partition in all {
            assert_eq!(writer.send(&mut node, &mut client, partition, "a"), (0, 0));
            assert_eq!(state(&mut node, partition), (1, 0, vec![]), "nothing is stable while it is open");
        }
        assert_eq!(writer.end(&mut node, &mut client, true), 0);
        for partition in all {
            assert_eq!(state(&mut node, partition), (2, 2, vec![]), "partition {partition}");
        }
        assert_eq!(
            writer.producer.1,
            i16::from(version == 12),
            "every end takes a new epoch from version 5 on"
        );
        // The next one goes on at once.
        writer.sequence = i32::from(version < 12);
        if version < 12 {
            assert_eq!(writer.add(&mut node, &mut client, "t", &[3]), [0]);
        }
        assert_eq!(writer.send(&mut node, &mut client, 3, "b"), (0, 2));
        assert_eq!(writer.end(&mut node, &mut client, false), 0);
        assert_eq!(state(&mut node, 3), (4, 4, vec![(2, 3)]));
    }
}

#[test]
fn a_partition_that_was_not_added_takes_nothing() {
    let (mut node, mut client) = world();
    let mut writer = Writer::new(&mut node, &mut client, "tx", 11);
    assert_eq!(writer.send(&mut node, &mut client, 0, "a").0, code(ErrorCode::TransactionAbortable));
    writer.produce = 10;
    assert_eq!(writer.send(&mut node, &mut client, 0, "a").0, code(ErrorCode::InvalidTxnState));
    assert_eq!(writer.add(&mut node, &mut client, "t", &[1]), [0]);
    assert_eq!(writer.send(&mut node, &mut client, 0, "a").0, code(ErrorCode::InvalidTxnState));
    assert_eq!(writer.send(&mut node, &mut client, 1, "a"), (0, 0));
    // A late write of a transaction that has ended finds no other one open.
    assert_eq!(writer.end(&mut node, &mut client, true), 0);
    writer.sequence = 1;
    assert_eq!(writer.send(&mut node, &mut client, 1, "late").0, code(ErrorCode::InvalidTxnState));
    assert_eq!(state(&mut node, 1), (2, 2, vec![]));
    // Nor one without a transactional id, nor a partition that does not exist.
    let bare = produce_request(&node, 11, -1, "t", 1, writer.batch("x"));
    let answer = client.ask(&mut node, 11, &bare);
    let refused = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(refused, code(ErrorCode::TransactionalIdAuthorizationFailed));
    assert_eq!(
        writer.add(&mut node, &mut client, "t", &[1, 9]),
        [code(ErrorCode::OperationNotAttempted), code(ErrorCode::UnknownTopicOrPartition)]
    );
}

#[test]
fn a_new_producer_fences_the_one_before() {
    for version in [11, 12] {
        let (mut node, mut client) = world();
        let mut zombie = Writer::new(&mut node, &mut client, "tx", version);
        if version < 12 {
            assert_eq!(zombie.add(&mut node, &mut client, "t", &[0, 1]), [0, 0]);
        }
        assert_eq!(zombie.send(&mut node, &mut client, 0, "a"), (0, 0));
        assert_eq!(zombie.send(&mut node, &mut client, 1, "a"), (0, 0));
        let first = client.ask(&mut node, 5, &init_of("tx", (-1, -1)));
        assert_eq!(first.error_code, code(ErrorCode::ConcurrentTransactions), "it is aborted first");
        assert_eq!(state(&mut node, 0), (2, 2, vec![(0, 1)]));
        assert_eq!(state(&mut node, 1).1, 2);
        let mut writer = Writer::new(&mut node, &mut client, "tx", version);
        assert_eq!(writer.producer, (zombie.producer.0, zombie.producer.1 + 2));
        zombie.sequence = 1;
        assert_eq!(zombie.send(&mut node, &mut client, 0, "z").0, code(ErrorCode::InvalidProducerEpoch));
        assert_eq!(zombie.send(&mut node, &mut client, 5, "z").0, code(ErrorCode::InvalidProducerEpoch));
        assert_eq!(zombie.end(&mut node, &mut client, true), code(ErrorCode::ProducerFenced));
        assert_eq!(zombie.add(&mut node, &mut client, "t", &[0]), [code(ErrorCode::ProducerFenced)]);
        if version < 12 {
            assert_eq!(writer.add(&mut node, &mut client, "t", &[0]), [0]);
        }
        assert_eq!(writer.send(&mut node, &mut client, 0, "b"), (0, 2));
        assert_eq!(writer.end(&mut node, &mut client, true), 0);
    }
}

#[test]
fn a_transaction_that_runs_out_of_time_is_aborted_and_its_producer_fenced() {
    let (mut node, mut client) = world();
    let mut writer = Writer::new(&mut node, &mut client, "tx", 11);
    assert_eq!(writer.add(&mut node, &mut client, "t", &[0, 1]), [0, 0]);
    assert_eq!(writer.send(&mut node, &mut client, 0, "a"), (0, 0));
    node.pass(Duration::from_secs(59), &mut [&mut client]);
    assert_eq!(state(&mut node, 0).1, 0);
    node.pass(Duration::from_secs(2), &mut [&mut client]);
    assert_eq!(state(&mut node, 0), (2, 2, vec![(0, 1)]));
    assert_eq!(writer.end(&mut node, &mut client, true), code(ErrorCode::ProducerFenced));
    let listed =
        client.ask(&mut node, 2, &ListTransactionsRequest { duration_filter: -1, ..Default::default() });
    assert_eq!(&*listed.transaction_states[0].transaction_state, "CompleteAbort");
}

fn commit_offset(writer: &Writer, offset: i64) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: writer.id.into(),
        group_id: "g".into(),
        producer_id: writer.producer.0,
        producer_epoch: writer.producer.1,
        generation_id_or_member_epoch: -1,
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![TxnOffsetCommitRequestPartition {
                partition_index: 0,
                committed_offset: offset,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn the_transaction_is_judged_before_the_member_that_commits_in_it() {
    let (mut node, mut client) = world();
    let writer = Writer::new(&mut node, &mut client, "w", 11);
    let stranger = TxnOffsetCommitRequest {
        member_id: "nobody".into(),
        generation_id_or_member_epoch: 3,
        ..commit_offset(&writer, 3)
    };
    let mut told = |version| client.ask(&mut node, version, &stranger).topics[0].partitions[0].error_code;
    assert_eq!(told(3), code(ErrorCode::InvalidTxnState));
    assert_eq!(told(4), code(ErrorCode::TransactionAbortable));
    // From here on the commit itself takes the group in.
    assert_eq!(told(5), code(ErrorCode::IllegalGeneration));
}

/// Error and offset of partition 0.
fn fetched(node: &mut Node, client: &mut Client, require_stable: bool) -> (i16, i64) {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "g".into(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: "t".into(),
                partition_indexes: vec![0],
                ..Default::default()
            }]),
            ..Default::default()
        }],
        require_stable,
        ..Default::default()
    };
    let answer = client.ask(node, 9, &request);
    let part = &answer.groups[0].topics[0].partitions[0];
    (part.error_code, part.committed_offset)
}

#[test]
fn offsets_of_a_transaction_count_when_it_is_committed_only() {
    for version in [11, 12] {
        let (mut node, mut client) = world();
        let mut writer = Writer::new(&mut node, &mut client, "tx", version);
        let commit_version = if version < 12 { 4 } else { 5 };
        let refused = client.ask(&mut node, 4, &commit_offset(&writer, 5));
        assert_eq!(
            refused.topics[0].partitions[0].error_code,
            code(ErrorCode::TransactionAbortable),
            "its group is not in the transaction"
        );
        for (commit, offset, expected) in [(true, 5, 5), (false, 9, 5), (true, 11, 11)] {
            if version < 12 {
                let add = AddOffsetsToTxnRequest {
                    transactional_id: "tx".into(),
                    producer_id: writer.producer.0,
                    producer_epoch: writer.producer.1,
                    group_id: "g".into(),
                    ..Default::default()
                };
                assert_eq!(client.ask(&mut node, 3, &add).error_code, 0);
            }
            let answer = client.ask(&mut node, commit_version, &commit_offset(&writer, offset));
            assert_eq!(answer.topics[0].partitions[0].error_code, 0);
            assert_eq!(fetched(&mut node, &mut client, true), (code(ErrorCode::UnstableOffsetCommit), -1));
            assert_ne!(fetched(&mut node, &mut client, false).1, offset);
            assert_eq!(writer.end(&mut node, &mut client, commit), 0);
            assert_eq!(fetched(&mut node, &mut client, true), (0, expected), "{version} {commit}");
            // A late one of a transaction that has ended is not taken.
            if version < 12 {
                let late = client.ask(&mut node, 3, &commit_offset(&writer, 99));
                assert_eq!(late.topics[0].partitions[0].error_code, code(ErrorCode::InvalidTxnState));
            }
        }
    }
}

#[test]
fn everything_goes_on_after_a_restart() {
    let (mut node, mut client) = world();
    let mut writer = Writer::new(&mut node, &mut client, "tx", 12);
    assert_eq!(writer.send(&mut node, &mut client, 0, "a"), (0, 0));
    assert_eq!(writer.send(&mut node, &mut client, 1, "a"), (0, 0));
    let answer = client.ask(&mut node, 5, &commit_offset(&writer, 7));
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    node.restart();
    let mut client = node.client();
    assert_eq!(fetched(&mut node, &mut client, true).0, code(ErrorCode::UnstableOffsetCommit));
    writer.sequence = 1;
    assert_eq!(writer.send(&mut node, &mut client, 0, "b"), (0, 1));
    assert_eq!(writer.end(&mut node, &mut client, true), 0);
    assert_eq!(state(&mut node, 0), (3, 3, vec![]));
    assert_eq!(state(&mut node, 1), (2, 2, vec![]));
    assert_eq!(fetched(&mut node, &mut client, true), (0, 7));
    node.restart();
    let mut client = node.client();
    assert_eq!(fetched(&mut node, &mut client, true), (0, 7));
    assert_eq!(writer.send(&mut node, &mut client, 0, "c"), (0, 3));
}

#[test]
fn administrators_see_transactions_and_end_one_by_hand() {
    let (mut node, mut client) = world();
    let mut writer = Writer::new(&mut node, &mut client, "tx", 12);
    assert_eq!(writer.send(&mut node, &mut client, 1, "a"), (0, 0));
    let describe = DescribeTransactionsRequest {
        transactional_ids: vec!["tx".into(), "nobody".into()],
        ..Default::default()
    };
    let described = client.ask(&mut node, 0, &describe).transaction_states;
    assert_eq!(&*described[0].transaction_state, "Ongoing");
    assert_eq!((described[0].producer_id, described[0].producer_epoch), writer.producer);
    assert_eq!(
        (&*described[0].topics[0].topic, described[0].topics[0].partitions.as_slice()),
        ("t", &[1][..])
    );
    assert_eq!(described[1].error_code, code(ErrorCode::TransactionalIdNotFound));

    let list = |states: &[&str], pattern: Option<&str>| ListTransactionsRequest {
        state_filters: states.iter().map(|state| (*state).into()).collect(),
        duration_filter: -1,
        transactional_id_pattern: pattern.map(Into::into),
        ..Default::default()
    };
    let count = |node: &mut Node, client: &mut Client, request: ListTransactionsRequest| {
        let answer = client.ask(node, 2, &request);
        (answer.error_code, answer.transaction_states.len(), answer.unknown_state_filters.len())
    };
    assert_eq!(count(&mut node, &mut client, list(&[], None)), (0, 1, 0));
    assert_eq!(count(&mut node, &mut client, list(&["Ongoing", "Odd"], Some("t."))), (0, 1, 1));
    assert_eq!(count(&mut node, &mut client, list(&["Empty"], None)), (0, 0, 0));
    assert_eq!(count(&mut node, &mut client, list(&[], Some("t"))), (0, 0, 0), "the whole id matches");
    let odd = count(&mut node, &mut client, list(&[], Some("(")));
    assert_eq!(odd.0, code(ErrorCode::InvalidRegularExpression));

    let marker = |epoch, partition| WriteTxnMarkersRequest {
        markers: vec![WritableTxnMarker {
            producer_id: writer.producer.0,
            producer_epoch: epoch,
            transaction_result: false,
            topics: vec![WritableTxnMarkerTopic {
                name: "t".into(),
                partition_indexes: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut write = |request: &WriteTxnMarkersRequest| {
        client.ask(&mut node, 1, request).markers[0].topics[0].partitions[0].error_code
    };
    assert_eq!(write(&marker(0, 9)), code(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(write(&marker(0, 1)), 0);
    assert_eq!(state(&mut node, 1), (2, 2, vec![(0, 1)]));
}

#[test]
fn a_kernel_beside_a_legacy_cluster_offers_no_transactions() {
    for transactions in [true, false] {
        let mut node = if transactions { Node::transactional(1) } else { Node::new(1) };
        let mut client = node.client();
        let request = ApiVersionsRequest {
            client_software_name: "test".into(),
            client_software_version: "1".into(),
            ..Default::default()
        };
        let answer = client.ask(&mut node, 3, &request);
        assert_eq!(answer.api_keys.iter().any(|api| api.api_key == 26), transactions);
        let finalized: Vec<_> =
            answer.finalized_features.iter().map(|one| (&*one.name, one.max_version_level)).collect();
        let expected = if transactions {
            vec![("group.version", 1), ("transaction.version", 2)]
        } else {
            vec![("group.version", 1)]
        };
        assert_eq!(finalized, expected);
        let find =
            FindCoordinatorRequest { key_type: 1, coordinator_keys: vec!["tx".into()], ..Default::default() };
        let found = client.ask(&mut node, 4, &find);
        let expected = if transactions { 0 } else { code(ErrorCode::TransactionalIdAuthorizationFailed) };
        assert_eq!(found.coordinators[0].error_code, expected);
        let init = client.ask(&mut node, 4, &init_of("tx", (-1, -1)));
        assert_eq!(init.error_code, expected);
    }
}

#[test]
fn initialisation_is_refused_as_kafka_does() {
    let (mut node, mut client) = world();
    let mut ask = |request: InitProducerIdRequest| client.ask(&mut node, 4, &request).error_code;
    let timeout =
        |timeout| InitProducerIdRequest { transaction_timeout_ms: timeout, ..init_of("tx", (-1, -1)) };
    assert_eq!(ask(timeout(0)), code(ErrorCode::InvalidTransactionTimeout));
    assert_eq!(ask(timeout(900_001)), code(ErrorCode::InvalidTransactionTimeout));
    assert_eq!(ask(init_of("", (-1, -1))), code(ErrorCode::InvalidRequest));
    assert_eq!(ask(init_of("tx", (5, -1))), code(ErrorCode::InvalidRequest));
    assert_eq!(ask(init_of("tx", (-1, -1))), 0);
    assert_eq!(ask(init_of("tx", (5, 0))), code(ErrorCode::ProducerFenced));
}

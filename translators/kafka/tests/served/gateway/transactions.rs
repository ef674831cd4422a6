//! Transactional ids in front of a legacy cluster: fenced, moved, and as they must not be used.

use std::sync::Arc;

use session::{Side, UnitId};
use translator_kafka::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use translator_kafka::codec::messages::add_partitions_to_txn_response::AddPartitionsToTxnTopicResult;
use translator_kafka::codec::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    DescribeTransactionsRequest, EndTxnRequest, EndTxnResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, InitProducerIdRequest, ProduceRequest, TxnOffsetCommitRequest,
};
use translator_kafka::errors::ErrorCode;
use translator_kafka::gateway::{Stray, TransactionRoute, TransactionScope, Unit};

use super::bench::{AT_LEGACY, KERNEL, World};

/// A world whose migration has the ids that begin with `tx`; topic `t` and group `g` are of it too.
fn world() -> (World, Arc<Unit>) {
    let world = World::new();
    let unit = Arc::new(Unit::new(UnitId::new("c/transactions:m"), Side::Legacy));
    let scope = TransactionScope {
        ids: Box::new(|id| id.starts_with("tx")),
        topics: Box::new(|topic| topic == "t"),
        groups: Box::new(|group| group == "g"),
    };
    let mut table = (**world.shared.routes.table()).clone();
    table.insert_transactions(TransactionRoute { unit: Arc::clone(&unit), scope: Arc::new(scope) });
    world.shared.routes.publish(table);
    (world, unit)
}

fn add(id: &str, topic: &str) -> AddPartitionsToTxnRequest {
    AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: id.into(),
        v3_and_below_topics: vec![AddPartitionsToTxnTopic {
            name: topic.into(),
            partitions: vec![0],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn end(id: &str) -> EndTxnRequest {
    EndTxnRequest { transactional_id: id.into(), committed: true, ..Default::default() }
}

fn code(results: &[AddPartitionsToTxnTopicResult]) -> i16 {
    results[0].results_by_partition[0].partition_error_code
}

#[test]
fn a_moved_id_has_its_coordinator_elsewhere_in_every_version() {
    let (mut world, unit) = world();
    world.shared.routes.release(&unit, Side::Kernel);
    world.move_group();
    let wanted = ErrorCode::NotCoordinator.code();
    let mut client = world.open(AT_LEGACY);
    for version in 0..=5 {
        let request = InitProducerIdRequest { transactional_id: Some("tx".into()), ..Default::default() };
        assert_eq!(world.without_legacy(&mut client, version, &request).error_code, wanted);
        assert_eq!(world.without_legacy(&mut client, version, &end("tx")).error_code, wanted);
    }
    for version in 0..=3 {
        let answer = world.without_legacy(&mut client, version, &add("tx", "t"));
        assert_eq!(code(&answer.results_by_topic_v3_and_below), wanted);
        let offsets = AddOffsetsToTxnRequest {
            transactional_id: "tx".into(),
            group_id: "g".into(),
            ..Default::default()
        };
        assert_eq!(world.without_legacy(&mut client, version, &offsets).error_code, wanted);
    }
    let partitions = vec![TxnOffsetCommitRequestPartition::default()];
    let topics = vec![TxnOffsetCommitRequestTopic { name: "t".into(), partitions, ..Default::default() }];
    for version in 0..=5 {
        let request = TxnOffsetCommitRequest {
            transactional_id: "tx".into(),
            group_id: "g".into(),
            topics: topics.clone(),
            ..Default::default()
        };
        let answer = world.without_legacy(&mut client, version, &request);
        assert_eq!(answer.topics[0].partitions[0].error_code, wanted);
    }
    let request = DescribeTransactionsRequest { transactional_ids: vec!["tx".into()], ..Default::default() };
    let answer = world.without_legacy(&mut client, 0, &request);
    assert_eq!(answer.transaction_states[0].error_code, wanted);
}

#[test]
fn a_moved_id_is_looked_for_at_the_kernel_and_a_group_of_its_name_is_not() {
    let (mut world, unit) = world();
    world.shared.routes.release(&unit, Side::Kernel);
    let mut client = world.open(AT_LEGACY);
    for (key_type, node) in [(1, KERNEL), (0, 1)] {
        let request = FindCoordinatorRequest { key: "tx".into(), key_type, ..Default::default() };
        let answer = FindCoordinatorResponse { node_id: 1, ..Default::default() };
        let (_, seen) = world.through(&mut client, 2, &request, &answer);
        assert_eq!(seen.node_id, node);
    }
}

#[test]
fn a_fence_holds_the_next_transaction_and_lets_the_open_one_end_and_counts_it() {
    let (mut world, unit) = world();
    let mut client = world.open(AT_LEGACY);
    let added = AddPartitionsToTxnResponse::default();
    world.through(&mut client, 3, &add("tx-1", "t"), &added);
    assert_eq!((unit.gate.on_the_way(), unit.transactions.count()), (0, 1));
    unit.gate.fence();
    world.parts[0].gate.fence();
    // What is within it passes, also to a partition that is fenced.
    let mut request = world.produce(9, -1, &[0], "v");
    request.transactional_id = Some("tx-1".into());
    client.write(9, &request);
    let sent = world.sent(&mut client);
    assert_eq!((sent.len(), world.parts[0].gate.on_the_way(), unit.gate.on_the_way()), (1, 1, 1));
    world.legacy_answers::<ProduceRequest>(&mut client, &sent[0], &super::bench::produced(&request, 4));
    assert!(client.read::<ProduceRequest>(9).is_some());
    let refused = EndTxnResponse { error_code: 51, ..Default::default() };
    world.through(&mut client, 3, &end("tx-1"), &refused);
    assert_eq!(unit.transactions.count(), 1, "it has not ended");
    world.through(&mut client, 3, &end("tx-1"), &EndTxnResponse::default());
    assert_eq!((unit.gate.on_the_way(), unit.transactions.count()), (0, 0));
    client.write(3, &add("tx-1", "t"));
    assert!(world.sent(&mut client).is_empty());
    assert!(client.holds.len() == 1 && client.holds[0].1 == unit.id);
}

#[test]
fn legacy_is_not_given_a_transaction_over_what_the_kernel_serves() {
    let (mut world, _) = world();
    world.move_part(0);
    for id in ["tx", "other"] {
        let mut client = world.open(AT_LEGACY);
        let answer = world.without_legacy(&mut client, 3, &add(id, "t"));
        assert_eq!(code(&answer.results_by_topic_v3_and_below), ErrorCode::InvalidTxnState.code());
    }
}

#[test]
fn ids_that_cannot_move_as_they_are_used_are_named() {
    let (mut world, unit) = world();
    let mut client = world.open(AT_LEGACY);
    let added = AddPartitionsToTxnResponse::default();
    world.through(&mut client, 3, &add("tx-1", "t"), &added);
    assert_eq!(world.shared.routes.strays(), []);
    world.through(&mut client, 3, &add("tx-1", "elsewhere"), &added);
    world.through(&mut client, 3, &add("other", "t"), &added);
    world.through(&mut client, 3, &add("other", "elsewhere"), &added);
    let spans = Stray::Spans { id: "tx-1".to_owned(), unit: unit.id.clone(), what: "elsewhere".to_owned() };
    let unnamed = Stray::Unnamed { id: "other".to_owned(), unit: UnitId::new("c/t/0") };
    assert_eq!(world.shared.routes.strays(), [unnamed, spans]);
}

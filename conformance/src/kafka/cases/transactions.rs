//! Producer ids and transactions.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, EndTxnRequest, InitProducerIdRequest,
    ProducerId, TransactionalId, TxnOffsetCommitRequest,
};

use super::super::case::{Case, Expect, Of, case};
use super::super::endpoint::{text, topic_name};
use super::super::newer::TxnCommit;
use super::super::requests::group_id;
use super::super::scene::{Given, Scene};
use super::super::wire::Ask;
use super::cluster::NO_ID;

const BEGINS: Of = Of(ApiKey::InitProducerId);
const ADDS: Of = Of(ApiKey::AddPartitionsToTxn);
const GROUPS: Of = Of(ApiKey::AddOffsetsToTxn);
const ENDS: Of = Of(ApiKey::EndTxn);
const COMMITS: Of = Of(ApiKey::TxnOffsetCommit);

/// Before KIP-890; from there on an ended transaction has another epoch.
const FIRST: (i16, i16) = (0, 4);
const SECOND: (i16, i16) = (5, 5);
/// The same of TxnOffsetCommit, which went on.
const SECOND_COMMITS: (i16, i16) = (5, 6);

pub(super) const BEGINNING: &[Case] = &[
    BEGINS.case((0, 5), "an idempotent producer", Given::Nothing, Expect::Success, |_, _| {
        Box::new(begin(None, 60_000))
    }),
    BEGINS.case((0, 5), "a new transactional id", Given::Nothing, Expect::Success, |scene, _| {
        Box::new(begin(Some(&scene.transaction), 60_000))
    }),
    BEGINS.case((0, 5), "a transactional id again", Given::Transactional, Expect::Success, |scene, _| {
        Box::new(begin(Some(&scene.transaction), 60_000))
    }),
    BEGINS.case((3, 5), "with its own epoch", Given::Transactional, Expect::Success, |scene, _| {
        let request = begin(Some(&scene.transaction), 60_000);
        Box::new(request.with_producer_id(scene.producer).with_producer_epoch(scene.epoch))
    }),
    BEGINS.case(
        (3, 5),
        "with an epoch that is not its own",
        Given::Transactional,
        Expect::Compared,
        |scene, _| {
            let request = begin(Some(&scene.transaction), 60_000);
            Box::new(request.with_producer_id(scene.producer).with_producer_epoch(scene.epoch + 5))
        },
    ),
    BEGINS.case(
        (3, 5),
        "with an id that is not its own",
        Given::Transactional,
        Expect::Compared,
        |scene, _| {
            let request = begin(Some(&scene.transaction), 60_000);
            let other = ProducerId(scene.producer.0 + 1_000_000);
            Box::new(request.with_producer_id(other).with_producer_epoch(scene.epoch))
        },
    ),
    BEGINS.case(
        (3, 5),
        "with an epoch and no id",
        Given::Nothing,
        Expect::Error(Error::InvalidRequest),
        |scene, _| Box::new(begin(Some(&scene.transaction), 60_000).with_producer_epoch(3)),
    ),
    BEGINS.case(
        (0, 5),
        "an empty transactional id",
        Given::Nothing,
        Expect::Error(Error::InvalidRequest),
        |_, _| Box::new(begin(Some(""), 60_000)),
    ),
    BEGINS.case(
        (0, 5),
        "a timeout longer than allowed",
        Given::Nothing,
        Expect::Error(Error::InvalidTransactionTimeout),
        |scene, _| Box::new(begin(Some(&scene.transaction), i32::MAX)),
    ),
    BEGINS.case(
        (0, 5),
        "no timeout",
        Given::Nothing,
        Expect::Error(Error::InvalidTransactionTimeout),
        |scene, _| Box::new(begin(Some(&scene.transaction), 0)),
    ),
];

pub(super) const WITHIN: &[Case] = &[
    ADDS.case((0, 3), "a partition", Given::Transactional, Expect::Success, |scene, _| {
        add(scene, &scene.topic)
    }),
    ADDS.case((0, 3), "a partition again", Given::InTransaction, Expect::Success, |scene, _| {
        add(scene, &scene.topic)
    }),
    ADDS.case(
        (0, 3),
        "an unknown topic",
        Given::Transactional,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| add(scene, &scene.absent()),
    ),
    ADDS.case((0, 3), "of another epoch", Given::Transactional, Expect::Compared, |scene, _| {
        add(&Scene { epoch: scene.epoch + 1, ..scene.clone() }, &scene.topic)
    }),
    ADDS.case(
        (0, 3),
        "of another producer",
        Given::Transactional,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| add(&stranger(scene), &scene.topic),
    ),
    ADDS.case(
        (0, 3),
        "of an unknown transactional id",
        Given::Topic,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| add(&stranger(scene), &scene.topic),
    ),
    case(
        ApiKey::AddPartitionsToTxn,
        (4, 5),
        "in a batch, as brokers do",
        Given::Transactional,
        Expect::Success,
        |scene, _| batched(scene, false),
    ),
    case(
        ApiKey::AddPartitionsToTxn,
        (4, 5),
        "only to see whether it is in the transaction",
        Given::InTransaction,
        Expect::Success,
        |scene, _| batched(scene, true),
    ),
    case(
        ApiKey::AddPartitionsToTxn,
        (4, 5),
        "in a batch, of another producer",
        Given::Transactional,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| batched(&stranger(scene), false),
    ),
    case(
        ApiKey::AddPartitionsToTxn,
        (4, 5),
        "in a batch, of another epoch",
        Given::Transactional,
        Expect::Compared,
        |scene, _| batched(&Scene { epoch: scene.epoch + 1, ..scene.clone() }, false),
    ),
    case(
        ApiKey::AddPartitionsToTxn,
        (4, 5),
        "only to see what is not in the transaction",
        Given::Transactional,
        Expect::Compared,
        |scene, _| batched(scene, true),
    ),
    GROUPS.case((0, 4), "a group", Given::Transactional, Expect::Success, |scene, _| add_group(scene)),
    GROUPS.case((0, 4), "of another epoch", Given::Transactional, Expect::Compared, |scene, _| {
        add_group(&Scene { epoch: scene.epoch + 1, ..scene.clone() })
    }),
    GROUPS.case(
        (0, 4),
        "of another producer",
        Given::Transactional,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| add_group(&stranger(scene)),
    ),
    GROUPS.case(
        (0, 4),
        "of an unknown transactional id",
        Given::Nothing,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| add_group(&stranger(scene)),
    ),
    COMMITS.case(
        FIRST,
        "without AddOffsetsToTxn",
        Given::Transactional,
        Expect::Compared,
        |scene, version| commit(scene, &scene.topic, version),
    ),
    COMMITS.case(FIRST, "of another producer", Given::Transactional, Expect::Compared, |scene, version| {
        commit(&stranger(scene), &scene.topic, version)
    }),
    COMMITS.case(
        SECOND_COMMITS,
        "that opens the transaction",
        Given::Transactional,
        Expect::Success,
        |scene, version| commit(scene, &scene.topic, version),
    ),
    COMMITS.case(
        SECOND_COMMITS,
        "of another producer",
        Given::Transactional,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, version| commit(&stranger(scene), &scene.topic, version),
    ),
    COMMITS.case(
        (0, 5),
        "of an unknown topic",
        Given::Transactional,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, version| commit(scene, &scene.absent(), version),
    ),
    COMMITS.case(
        (6, 6),
        "of an unknown topic",
        Given::Transactional,
        Expect::Error(Error::UnknownTopicId),
        |scene, version| commit(scene, &scene.absent(), version),
    ),
    COMMITS.case(
        (3, 6),
        "by a member that is unknown",
        Given::Transactional,
        Expect::Compared,
        |scene, version| {
            let member = Scene { member: "nobody".to_owned(), generation: 3, ..scene.clone() };
            commit(&member, &scene.topic, version)
        },
    ),
];

pub(super) const ENDING: &[Case] = &[
    ENDS.case(FIRST, "committed", Given::InTransaction, Expect::Success, |scene, _| end(scene, true)),
    ENDS.case(FIRST, "aborted", Given::InTransaction, Expect::Success, |scene, _| end(scene, false)),
    ENDS.case(SECOND, "committed", Given::InTransaction, Expect::Success, |scene, _| end(scene, true)),
    ENDS.case(SECOND, "aborted", Given::InTransaction, Expect::Success, |scene, _| end(scene, false)),
    ENDS.case(
        FIRST,
        "that did not begin",
        Given::Transactional,
        Expect::Error(Error::InvalidTxnState),
        |scene, _| end(scene, true),
    ),
    ENDS.case(SECOND, "aborted that did not begin", Given::Transactional, Expect::Success, |scene, _| {
        end(scene, false)
    }),
    ENDS.case(
        SECOND,
        "committed that did not begin",
        Given::Transactional,
        Expect::Error(Error::InvalidTxnState),
        |scene, _| end(scene, true),
    ),
    ENDS.case((0, 5), "of another epoch", Given::InTransaction, Expect::Compared, |scene, _| {
        end(&Scene { epoch: scene.epoch + 1, ..scene.clone() }, true)
    }),
    ENDS.case(
        (0, 5),
        "of another producer",
        Given::InTransaction,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| end(&stranger(scene), true),
    ),
    ENDS.case(
        (0, 5),
        "of an unknown transactional id",
        Given::Nothing,
        Expect::Error(Error::InvalidProducerIdMapping),
        |scene, _| end(&stranger(scene), true),
    ),
];

/// The scene with a producer that has nothing to do with the transactional id.
fn stranger(scene: &Scene) -> Scene {
    Scene { producer: ProducerId(scene.producer.0 + 1_000_000), epoch: 0, ..scene.clone() }
}

fn begin(transaction: Option<&str>, timeout_ms: i32) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(transaction.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

fn add(scene: &Scene, topic: &str) -> Box<dyn Ask> {
    let topic = AddPartitionsToTxnTopic::default().with_name(topic_name(topic)).with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_v3_and_below_producer_id(scene.producer)
        .with_v3_and_below_producer_epoch(scene.epoch)
        .with_v3_and_below_topics(vec![topic]);
    Box::new(request)
}

fn batched(scene: &Scene, verify_only: bool) -> Box<dyn Ask> {
    let topic =
        AddPartitionsToTxnTopic::default().with_name(topic_name(&scene.topic)).with_partitions(vec![0]);
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_verify_only(verify_only)
        .with_topics(vec![topic]);
    Box::new(AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]))
}

fn add_group(scene: &Scene) -> Box<dyn Ask> {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_group_id(group_id(&scene.group));
    Box::new(request)
}

fn end(scene: &Scene, committed: bool) -> Box<dyn Ask> {
    let request = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_committed(committed);
    Box::new(request)
}

fn commit(scene: &Scene, topic: &str, version: i16) -> Box<dyn Ask> {
    let id = if scene.topic_id.is_nil() || topic != scene.topic { NO_ID } else { scene.topic_id };
    let entry = TxnOffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(3)
        .with_committed_metadata(Some(text("note")));
    let topic =
        TxnOffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![entry]);
    let mut request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_group_id(group_id(&scene.group))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_topics(vec![topic]);
    if version >= 3 {
        request.generation_id = scene.generation;
        request.member_id = text(&scene.member);
    }
    Box::new(TxnCommit(request, id))
}

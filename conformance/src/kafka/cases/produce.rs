//! Produce: what is taken and what is refused of a batch.

use bytes::Bytes;
use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::{ApiKey, ProduceRequest};
use kafka_protocol::records::Compression;

use super::super::batch::{Batch, Writer, damaged, with_magic};
use super::super::case::{Case, Expect, Of};
use super::super::newer::OldProduce;
use super::super::requests::{identified, produce, produce_named};
use super::super::scene::{Given, Scene};
use super::cluster::NO_ID;

const ANY: (i16, i16) = (3, 13);
const BY_NAME: (i16, i16) = (3, 12);
const BY_ID: (i16, i16) = (13, 13);

const PRODUCES: Of = Of(ApiKey::Produce);

pub(super) const CASES: &[Case] = &[
    PRODUCES.case(ANY, "a batch, acks=all", Given::Topic, Expect::Success, |scene, version| {
        Box::new(produce(scene, batch(scene).bytes(), version))
    }),
    PRODUCES.case(
        (0, 2),
        "a batch, acks=all, in a version that was removed",
        Given::Topic,
        Expect::Compared,
        |scene, _| Box::new(OldProduce { topic: scene.topic.clone(), records: batch(scene).bytes() }),
    ),
    PRODUCES.case(ANY, "a batch, acks=1", Given::Records, Expect::Success, |scene, version| {
        Box::new(produce(scene, batch(scene).bytes(), version).with_acks(1))
    }),
    PRODUCES.case(ANY, "a gzip batch", Given::Topic, Expect::Success, |scene, version| {
        Box::new(produce(scene, batch(scene).packed(Compression::Gzip).bytes(), version))
    }),
    PRODUCES.case(ANY, "an lz4 batch", Given::Topic, Expect::Success, |scene, version| {
        Box::new(produce(scene, batch(scene).packed(Compression::Lz4).bytes(), version))
    }),
    PRODUCES.case(
        ANY,
        "acks=all, where two copies are asked for and one is kept",
        Given::TopicWith(&[("min.insync.replicas", "2")]),
        Expect::Compared,
        |scene, version| Box::new(produce(scene, batch(scene).bytes(), version)),
    ),
    PRODUCES.case(
        ANY,
        "acks of 2",
        Given::Topic,
        Expect::Error(Error::InvalidRequiredAcks),
        |scene, version| Box::new(produce(scene, batch(scene).bytes(), version).with_acks(2)),
    ),
    PRODUCES.case(
        BY_NAME,
        "an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| Box::new(produce_named(&scene.absent(), 0, batch(scene).bytes(), -1, None)),
    ),
    PRODUCES.case(
        BY_ID,
        "an unknown topic id",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicId),
        |scene, version| Box::new(identified(produce(scene, batch(scene).bytes(), version), NO_ID, version)),
    ),
    PRODUCES.case(
        ANY,
        "an unknown partition",
        Given::Topic,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, version| Box::new(to_partition(scene, 7, version)),
    ),
    PRODUCES.case(
        ANY,
        "a damaged batch",
        Given::Topic,
        Expect::Error(Error::CorruptMessage),
        |scene, version| Box::new(produce(scene, damaged(&batch(scene).bytes()), version)),
    ),
    PRODUCES.case(ANY, "a batch of format 1", Given::Topic, Expect::Compared, |scene, version| {
        Box::new(produce(scene, with_magic(&batch(scene).bytes(), 1), version))
    }),
    PRODUCES.case(
        ANY,
        "two batches at once",
        Given::Topic,
        Expect::Error(Error::InvalidRecord),
        |scene, version| {
            let one = batch(scene).bytes();
            Box::new(produce(scene, [one.clone(), one].concat().into(), version))
        },
    ),
    PRODUCES.case(
        (3, 6),
        "zstd in a version that lacks it",
        Given::Topic,
        Expect::Error(Error::UnsupportedCompressionType),
        |scene, version| Box::new(produce(scene, batch(scene).packed(Compression::Zstd).bytes(), version)),
    ),
    PRODUCES.case(
        ANY,
        "a batch above the topic's limit",
        Given::TopicWith(&[("max.message.bytes", "200")]),
        Expect::Error(Error::MessageTooLarge),
        |scene, version| Box::new(produce(scene, batch(scene).sized(300).bytes(), version)),
    ),
    PRODUCES.case(ANY, "no records at all", Given::Topic, Expect::Compared, |scene, version| {
        Box::new(produce(scene, Bytes::new(), version))
    }),
    PRODUCES.case(ANY, "half a batch", Given::Topic, Expect::Compared, |scene, version| {
        let whole = batch(scene).bytes();
        Box::new(produce(scene, whole.slice(..whole.len() / 2), version))
    }),
    PRODUCES.case(
        ANY,
        "no key for a compacted topic",
        Given::TopicWith(&[("cleanup.policy", "compact")]),
        Expect::Error(Error::InvalidRecord),
        |scene, version| Box::new(produce(scene, batch(scene).keyed(None).bytes(), version)),
    ),
    PRODUCES.case(
        ANY,
        "a timestamp too far ahead",
        Given::TopicWith(&[("message.timestamp.after.max.ms", "60000")]),
        Expect::Error(Error::InvalidTimestamp),
        |scene, version| {
            let ahead = Batch::of(2, scene.time_ms + 86_400_000);
            Box::new(produce(scene, ahead.bytes(), version))
        },
    ),
    PRODUCES.case(
        ANY,
        "a timestamp too far behind",
        Given::TopicWith(&[("message.timestamp.before.max.ms", "60000")]),
        Expect::Error(Error::InvalidTimestamp),
        |scene, version| {
            let behind = Batch::of(2, scene.time_ms - 86_400_000);
            Box::new(produce(scene, behind.bytes(), version))
        },
    ),
    PRODUCES.case(ANY, "the next sequence", Given::Sequenced, Expect::Success, |scene, version| {
        Box::new(sequenced(scene, 0, 2, version))
    }),
    PRODUCES.case(ANY, "a repeated sequence", Given::Sequenced, Expect::Success, |scene, version| {
        Box::new(sequenced(scene, 0, 0, version))
    }),
    PRODUCES.case(
        ANY,
        "a gap in the sequence",
        Given::Sequenced,
        Expect::Error(Error::OutOfOrderSequenceNumber),
        |scene, version| Box::new(sequenced(scene, 0, 5, version)),
    ),
    PRODUCES.case(
        ANY,
        "a new epoch that does not begin at 0",
        Given::Sequenced,
        Expect::Error(Error::OutOfOrderSequenceNumber),
        |scene, version| Box::new(sequenced(scene, 1, 2, version)),
    ),
    PRODUCES.case(
        ANY,
        "a transactional batch without a transactional id",
        Given::Topic,
        Expect::Error(Error::TransactionalIdAuthorizationFailed),
        |scene, version| {
            let batch = batch(scene).by(Writer::transaction(4711, 0, 0));
            Box::new(produce(scene, batch.bytes(), version))
        },
    ),
    PRODUCES.case(
        (3, 11),
        "a transactional batch into a partition outside of the transaction",
        Given::Transactional,
        Expect::Compared,
        |scene, version| Box::new(in_transaction(scene, scene.epoch, version)),
    ),
    PRODUCES.case(
        (12, 13),
        "a transactional batch that opens the transaction",
        Given::Transactional,
        Expect::Success,
        |scene, version| Box::new(in_transaction(scene, scene.epoch, version)),
    ),
    PRODUCES.case(
        ANY,
        "a transactional batch of a producer that is not the current one",
        Given::InTransaction,
        Expect::Compared,
        |scene, version| Box::new(in_transaction(scene, scene.epoch + 1, version)),
    ),
];

fn batch(scene: &Scene) -> Batch {
    Batch::of(2, scene.time_ms)
}

fn sequenced(scene: &Scene, epoch: i16, sequence: i32, version: i16) -> ProduceRequest {
    let batch = batch(scene).by(Writer::producer(scene.producer.0, epoch, sequence));
    produce(scene, batch.bytes(), version)
}

fn in_transaction(scene: &Scene, epoch: i16, version: i16) -> ProduceRequest {
    let batch = batch(scene).by(Writer::transaction(scene.producer.0, epoch, 0));
    let request = produce_named(&scene.topic, 0, batch.bytes(), -1, Some(&scene.transaction));
    identified(request, scene.topic_id, version)
}

fn to_partition(scene: &Scene, partition: i32, version: i16) -> ProduceRequest {
    let mut request = produce(scene, batch(scene).bytes(), version);
    for topic in &mut request.topic_data {
        for data in &mut topic.partition_data {
            data.index = partition;
        }
    }
    request
}

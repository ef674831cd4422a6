//! Transactions: KS3 (what a reader of committed records sees), KS4 (an epoch a transaction), KS5 (what was aborted).

use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, ApiKey, EndTxnRequest, OffsetFetchRequest, ProducerId, TransactionalId,
    TxnOffsetCommitRequest,
};

use super::super::batch::{Writer, headers};
use super::super::case::error_name;
use super::super::endpoint::{At, StepError, text, topic_name};
use super::super::requests::{committed, group_id};
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;
use super::producers::send;
use super::reading::{latest, read};

const NEEDS: &[ApiKey] =
    &[ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::EndTxn, ApiKey::Produce, ApiKey::Fetch];
const WITH_OFFSETS: &[ApiKey] = &[ApiKey::EndTxn, ApiKey::AddOffsetsToTxn, ApiKey::TxnOffsetCommit];
/// The first version of EndTxn in which every transaction has an epoch of its own.
const EPOCH_EACH: i16 = 5;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "KS3",
        "an open transaction holds back, its end lets on, and takes one offset",
        NEEDS,
        Given::InTransaction,
        |play| Box::pin(open(play)),
    ),
    scenario(
        "KS3",
        "aborted records are told, and never become committed",
        NEEDS,
        Given::InTransaction,
        |play| Box::pin(aborted(play)),
    ),
    scenario(
        "KS3",
        "offsets of a transaction are committed with it",
        WITH_OFFSETS,
        Given::InTransaction,
        |play| Box::pin(offsets(play)),
    ),
    scenario(
        "KS3",
        "a new producer of the same id aborts and fences the old one",
        NEEDS,
        Given::InTransaction,
        |play| Box::pin(fences(play)),
    ),
    scenario(
        "KS4",
        "an ended transaction has a new epoch, and the old one is fenced",
        NEEDS,
        Given::InTransaction,
        |play| Box::pin(epoch_each(play)),
    ),
    scenario(
        "KS5",
        "aborted transactions are told for exactly the range that is read",
        NEEDS,
        Given::InTransaction,
        |play| Box::pin(index(play)),
    ),
];

/// Ranges of batches that were read: base offset and number of records, `c` for a control batch.
fn batches(seen: &PartitionData) -> String {
    let read = headers(&seen.records.clone().unwrap_or_default());
    let shown = read.iter().map(|header| {
        format!("{}+{}{}", header.base_offset, header.count, if header.is_control() { "c" } else { "" })
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// First offsets of the aborted transactions that were told.
fn told(seen: &PartitionData) -> String {
    let aborted = seen.aborted_transactions.clone().unwrap_or_default();
    format!("{:?}", aborted.iter().map(|each| each.first_offset).collect::<Vec<_>>())
}

async fn open(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let seen = read(play, 0, 1).await?;
    play.check("committed, while open", batches(&seen), "");
    play.check("last stable offset", seen.last_stable_offset, 0);
    let seen = read(play, 0, 0).await?;
    play.check("everything, while open", batches(&seen), "0+2");
    let ends = format!("{} {}", latest(play, 0).await?, latest(play, 1).await?);
    play.check("latest, and latest committed", ends, "2 0");
    steps::end(play.at, &scene, true).await?;
    settled(play, 3).await?;
    let seen = read(play, 0, 1).await?;
    play.check("committed, when ended", batches(&seen), "0+2 2+1c");
    play.check("aborted", told(&seen), "[]");
    let ends = format!("{} {}", latest(play, 0).await?, latest(play, 1).await?);
    play.check("latest, and latest committed, when ended", ends, "3 3");
    Ok(())
}

/// Waits (bounded) until the end of a transaction is in the log.
async fn settled(play: &mut Play<'_>, end: i64) -> Result<(), StepError> {
    for _ in 0..100 {
        if latest(play, 1).await? >= end {
            return Ok(());
        }
        tokio::time::sleep(super::super::endpoint::PAUSE).await;
    }
    Ok(())
}

/// One more transaction of the scene's producer: `count` records from sequence `sequence`, then its end.
async fn transact(play: &mut Play<'_>, sequence: i32, count: usize, commits: bool) -> Result<(), StepError> {
    let scene = play.scene.clone();
    steps::add_partition(play.at, &scene).await?;
    let writer = Writer::transaction(scene.producer.0, scene.epoch, sequence);
    let (error, _) = send(play, writer, count).await?;
    play.check(&format!("batch from sequence {sequence}"), error, "NONE");
    steps::end(play.at, &scene, commits).await
}

async fn aborted(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    steps::end(play.at, &scene, false).await?;
    settled(play, 3).await?;
    let seen = read(play, 0, 1).await?;
    play.check("aborted", told(&seen), "[0]");
    play.check("batches are there", batches(&seen), "0+2 2+1c");
    let seen = read(play, 0, 0).await?;
    play.check("nothing is told to who reads everything", told(&seen), "[]");
    transact(play, 2, 1, true).await?;
    settled(play, 5).await?;
    let seen = read(play, 3, 1).await?;
    play.check("what is committed later", batches(&seen), "3+1 4+1c");
    play.check("aborted there", told(&seen), "[]");
    Ok(())
}

async fn offsets(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_group_id(group_id(&scene.group));
    let at = At::Transaction(scene.transaction.clone());
    steps::insist(play.at, &at, &request, 3, |answer| answer.error_code).await?;
    let entry = TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(9);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(topic_name(&scene.topic))
        .with_partitions(vec![entry]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_group_id(group_id(&scene.group))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_topics(vec![topic]);
    let at = At::Group(scene.group.clone());
    let answer = steps::insist(play.at, &at, &request, 4, |answer| {
        answer.topics.first().and_then(|topic| topic.partitions.first()).map_or(-1, |part| part.error_code)
    });
    answer.await?;
    let seen = committed_offset(play, false).await?;
    play.check("while open", seen, "-1 NONE");
    let seen = committed_offset(play, true).await?;
    play.check("while open, what is stable", seen, "-1 UNSTABLE_OFFSET_COMMIT");
    steps::end(play.at, &scene, true).await?;
    for _ in 0..100 {
        if committed_offset(play, true).await? == "9 NONE" {
            break;
        }
        tokio::time::sleep(super::super::endpoint::PAUSE).await;
    }
    let seen = committed_offset(play, true).await?;
    play.check("when ended", seen, "9 NONE");
    Ok(())
}

async fn committed_offset(play: &mut Play<'_>, stable: bool) -> Result<String, StepError> {
    let version = play.at.version_at_most::<OffsetFetchRequest>(9)?;
    let request = committed(&play.scene.group, Some((&play.scene.topic, &[0])), stable, version);
    let at = At::Group(play.scene.group.clone());
    let answer = play.at.call_in(&at, &request, version).await?;
    let old = answer.topics.first().and_then(|topic| topic.partitions.first());
    let old = old.map(|part| (part.committed_offset, part.error_code));
    let new = answer.groups.first().and_then(|group| group.topics.first());
    let new =
        new.and_then(|topic| topic.partitions.first()).map(|part| (part.committed_offset, part.error_code));
    let (offset, error) = old.or(new).unwrap_or((-9, -1));
    Ok(format!("{offset} {}", error_name(error)))
}

async fn fences(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let (producer, epoch) = steps::producer(play.at, Some(&scene.transaction)).await?;
    play.check("the same producer id", producer == scene.producer, true);
    play.check("a higher epoch", epoch > scene.epoch, true);
    settled(play, 3).await?;
    let seen = read(play, 0, 1).await?;
    play.check("the open transaction was aborted", told(&seen), "[0]");
    let (error, _) = send(play, Writer::transaction(scene.producer.0, scene.epoch, 2), 1).await?;
    play.check("a batch of the old one", error, "INVALID_PRODUCER_EPOCH");
    let error = ended(play, scene.producer, scene.epoch, 4).await?.0;
    play.check("the end of the old one", error, "PRODUCER_FENCED");
    Ok(())
}

/// EndTxn (commit) in one version: error, producer id and epoch of the answer.
async fn ended(
    play: &mut Play<'_>,
    producer: ProducerId,
    epoch: i16,
    version: i16,
) -> Result<(String, ProducerId, i16), StepError> {
    let request = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&play.scene.transaction)))
        .with_producer_id(producer)
        .with_producer_epoch(epoch)
        .with_committed(true);
    let at = At::Transaction(play.scene.transaction.clone());
    let mut answer = play.at.call_in(&at, &request, version).await?;
    for _ in 0..100 {
        if error_name(answer.error_code) != "CONCURRENT_TRANSACTIONS" {
            break;
        }
        tokio::time::sleep(super::super::endpoint::PAUSE).await;
        answer = play.at.call_in(&at, &request, version).await?;
    }
    Ok((error_name(answer.error_code), answer.producer_id, answer.producer_epoch))
}

async fn epoch_each(play: &mut Play<'_>) -> Result<(), StepError> {
    if !play.at.serves(ApiKey::EndTxn as i16, EPOCH_EACH) {
        return Err(StepError::NotServed(format!("EndTxn v{EPOCH_EACH}")));
    }
    let scene = play.scene.clone();
    let (error, producer, epoch) = ended(play, scene.producer, scene.epoch, EPOCH_EACH).await?;
    play.check("its end", error, "NONE");
    play.check("the same producer id", producer == scene.producer, true);
    play.check("the next epoch", epoch, scene.epoch + 1);
    settled(play, 3).await?;
    let (error, producer, again) = ended(play, scene.producer, scene.epoch, EPOCH_EACH).await?;
    play.check("its end again, as after a lost answer", error, "NONE");
    play.check("tells the same", producer == scene.producer && again == epoch, true);
    let (error, _) = send(play, Writer::transaction(scene.producer.0, scene.epoch, 2), 1).await?;
    play.check("a batch of the old epoch", error, "INVALID_PRODUCER_EPOCH");
    Ok(())
}

async fn index(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    steps::end(play.at, &scene, false).await?;
    settled(play, 3).await?;
    transact(play, 2, 2, true).await?;
    settled(play, 6).await?;
    transact(play, 4, 2, false).await?;
    settled(play, 9).await?;
    for (from, want) in [(0, "[0, 6]"), (2, "[0, 6]"), (3, "[6]"), (6, "[6]"), (8, "[6]")] {
        let seen = read(play, from, 1).await?;
        play.check(&format!("aborted, read from {from}"), told(&seen), want);
    }
    let seen = read(play, 0, 1).await?;
    play.check("batches", batches(&seen), "0+2 2+1c 3+2 5+1c 6+2 8+1c");
    Ok(())
}

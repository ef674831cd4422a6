//! Reading a log: KS6 (its marks), KS7 (outside of it), KS8 (epochs), KS22 (more than asked for).

use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{ApiKey, BrokerId, FetchRequest, FetchResponse, OffsetForLeaderEpochRequest};

use super::super::batch::{Batch, headers};
use super::super::case::error_name;
use super::super::endpoint::{StepError, topic_name};
use super::super::requests::{fetch, fetch_of, list_offsets};
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;

const NEEDS: &[ApiKey] = &[ApiKey::Produce, ApiKey::Fetch, ApiKey::ListOffsets];

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("KS6", "the marks of a log only grow, and stand in their order", NEEDS, Given::Topic, |play| {
        Box::pin(marks(play))
    }),
    scenario("KS6", "the log start does not go back", &[ApiKey::DeleteRecords], Given::Records, |play| {
        Box::pin(log_start(play))
    }),
    scenario("KS7", "outside of the log there is nothing to read", NEEDS, Given::Trimmed, |play| {
        Box::pin(outside(play))
    }),
    scenario(
        "KS8",
        "a leader epoch is checked, and where it ended is told",
        &[ApiKey::OffsetForLeaderEpoch],
        Given::Records,
        |play| Box::pin(epochs(play)),
    ),
    scenario("KS22", "a batch larger than asked for is returned whole", NEEDS, Given::Topic, |play| {
        Box::pin(larger(play))
    }),
];

/// Sends a fetch; the answer.
pub(super) async fn fetched(
    play: &mut Play<'_>,
    request: &FetchRequest,
    version: i16,
) -> Result<FetchResponse, StepError> {
    let at = play.scene.leader();
    play.at.call_in(&at, request, version).await
}

/// Partition 0 of the scene's topic, read from `offset` with this isolation.
pub(super) async fn read(
    play: &mut Play<'_>,
    offset: i64,
    isolation: i8,
) -> Result<PartitionData, StepError> {
    let version = play.at.version_at_most::<FetchRequest>(i16::MAX)?;
    let request = fetch(&play.scene, offset, version).with_isolation_level(isolation);
    let answer = fetched(play, &request, version).await?;
    Ok(first(answer))
}

fn first(answer: FetchResponse) -> PartitionData {
    let topic = answer.responses.into_iter().next();
    topic.and_then(|topic| topic.partitions.into_iter().next()).unwrap_or_default()
}

/// Latest offset, of what is committed if `isolation` is 1.
pub(super) async fn latest(play: &mut Play<'_>, isolation: i8) -> Result<i64, StepError> {
    offset_at(play, -1, isolation).await.map(|(offset, _)| offset)
}

/// Offset and timestamp that ListOffsets answers for a time.
pub(super) async fn offset_at(
    play: &mut Play<'_>,
    time_ms: i64,
    isolation: i8,
) -> Result<(i64, i64), StepError> {
    let request = list_offsets(&play.scene.topic, time_ms, isolation);
    let at = play.scene.leader();
    let answer = play.at.call(&at, &request).await?;
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    match partition {
        Some(part) if part.error_code == 0 => Ok((part.offset, part.timestamp)),
        Some(part) => Err(StepError::Refused(format!("ListOffsets {time_ms}"), error_name(part.error_code))),
        None => Err(StepError::Refused("ListOffsets".to_owned(), "no answer".to_owned())),
    }
}

async fn marks(play: &mut Play<'_>) -> Result<(), StepError> {
    let mut end = 0;
    for count in [1_i64, 3, 2] {
        let batch = Batch::of(usize::try_from(count).unwrap_or(0), play.scene.time_ms);
        steps::produce(play.at, &play.scene.clone(), &batch).await?;
        end += count;
        let seen = read(play, 0, 0).await?;
        let marks = format!("{} {} {}", seen.log_start_offset, seen.last_stable_offset, seen.high_watermark);
        play.check(
            &format!("log start, last stable offset, high watermark after {end}"),
            marks,
            format!("0 {end} {end}"),
        );
        let newest = latest(play, 0).await?;
        play.check(&format!("latest after {end}"), newest, end);
        let last =
            headers(&seen.records.unwrap_or_default()).last().map_or(-1, |header| header.next_offset());
        play.check(&format!("end of what is read after {end}"), last, end);
    }
    Ok(())
}

async fn log_start(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    for (below, start) in [(2, 2), (1, 2), (4, 4), (2, 4)] {
        steps::delete_records(play.at, &scene, below).await?;
        let seen = read(play, 6, 0).await?;
        play.check(&format!("after deleting below {below}, then {start}"), seen.log_start_offset, start);
    }
    let (earliest, _) = offset_at(play, -2, 0).await?;
    play.check("earliest", earliest, 4);
    Ok(())
}

async fn outside(play: &mut Play<'_>) -> Result<(), StepError> {
    for (offset, want) in [
        (0, "OFFSET_OUT_OF_RANGE"),
        (1, "OFFSET_OUT_OF_RANGE"),
        (2, "NONE"),
        (6, "NONE"),
        (7, "OFFSET_OUT_OF_RANGE"),
        (i64::MAX, "OFFSET_OUT_OF_RANGE"),
    ] {
        let seen = read(play, offset, 0).await?;
        play.check(&format!("at {offset}"), error_name(seen.error_code), want);
    }
    let seen = read(play, 4, 0).await?;
    let base = headers(&seen.records.unwrap_or_default()).first().map_or(-1, |header| header.base_offset);
    play.check("first batch read from within it", base, 3);
    Ok(())
}

async fn epochs(play: &mut Play<'_>) -> Result<(), StepError> {
    let version = play.at.version_at_most::<FetchRequest>(i16::MAX)?;
    let metadata = play.at.metadata(&play.scene.topic.clone()).await?;
    let partition = metadata.topics.first().and_then(|topic| topic.partitions.first());
    let epoch = partition.map_or(-1, |partition| partition.leader_epoch);
    for (name, current, want) in
        [("none", -1, "NONE"), ("its own", epoch, "NONE"), ("a later one", epoch + 1, "UNKNOWN_LEADER_EPOCH")]
    {
        let asked =
            FetchPartition::default().with_current_leader_epoch(current).with_partition_max_bytes(1 << 20);
        let request = fetch_of(&play.scene, asked, version);
        let seen = first(fetched(play, &request, version).await?);
        play.check(&format!("fetch with {name}"), error_name(seen.error_code), want);
    }
    for (name, wanted, want) in [("its own", epoch, 6), ("a later one", epoch + 1, -1)] {
        let entry = OffsetForLeaderPartition::default()
            .with_partition(0)
            .with_current_leader_epoch(-1)
            .with_leader_epoch(wanted);
        let entry = OffsetForLeaderTopic::default()
            .with_topic(topic_name(&play.scene.topic))
            .with_partitions(vec![entry]);
        let request =
            OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![entry]);
        let at = play.scene.leader();
        let answer = play.at.call(&at, &request).await?;
        let end = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first())
            .map_or(-9, |part| part.end_offset);
        play.check(&format!("end of {name}"), end, want);
    }
    Ok(())
}

async fn larger(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let batch = Batch::of(1, scene.time_ms).sized(20_000);
    for _ in 0..3 {
        steps::produce(play.at, &scene, &batch).await?;
    }
    let version = play.at.version_at_most::<FetchRequest>(i16::MAX)?;
    for (name, partition_bytes, all_bytes, want) in [
        ("one byte of the partition", 1, 1 << 20, 1),
        ("one byte in all", 1 << 20, 1, 1),
        ("half of a batch of the partition", 10_000, 1 << 20, 1),
        ("everything", 1 << 20, 1 << 20, 3),
    ] {
        let asked = FetchPartition::default().with_partition_max_bytes(partition_bytes);
        let request = fetch_of(&play.scene, asked, version).with_max_bytes(all_bytes);
        let seen = first(fetched(play, &request, version).await?);
        play.check(
            &format!("whole batches for {name}"),
            headers(&seen.records.unwrap_or_default()).len(),
            want,
        );
    }
    Ok(())
}

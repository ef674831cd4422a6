//! Times: KS9 (ListOffsets) and KS10 (timestamps).

use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::ProduceRequest;

use super::super::batch::{Batch, headers};
use super::super::endpoint::StepError;
use super::super::requests::produce_named;
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;
use super::reading::{offset_at, read};

const NEEDS: &[ApiKey] = &[ApiKey::Produce, ApiKey::Fetch, ApiKey::ListOffsets];
/// A bit of the attributes: the broker gave the timestamp.
const LOG_APPEND: i16 = 8;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("KS9", "an offset is found by time", NEEDS, Given::Records, |play| Box::pin(by_time(play))),
    scenario("KS9", "the largest timestamp need not be the last", NEEDS, Given::Topic, |play| {
        Box::pin(largest(play))
    }),
    scenario("KS10", "a producer's timestamps are kept", NEEDS, Given::Topic, |play| Box::pin(created(play))),
    scenario(
        "KS10",
        "the broker's timestamps replace the producer's",
        NEEDS,
        Given::TopicWith(&[("message.timestamp.type", "LogAppendTime")]),
        |play| Box::pin(appended(play)),
    ),
];

async fn by_time(play: &mut Play<'_>) -> Result<(), StepError> {
    let begin = play.scene.time_ms;
    for (name, time_ms, want) in [
        ("latest", -1, (6, -1)),
        ("earliest", -2, (0, -1)),
        ("of the largest timestamp", -3, (5, begin + 2002)),
        ("at the first record", begin, (0, begin)),
        ("at the second record", begin + 1, (1, begin + 1)),
        ("between batches", begin + 500, (2, begin + 1000)),
        ("within the last batch", begin + 2001, (4, begin + 2001)),
        ("before all", 0, (0, begin)),
        ("after all", begin + 2003, (-1, -1)),
    ] {
        let (offset, timestamp) = offset_at(play, time_ms, 0).await?;
        let relative = |timestamp: i64| if timestamp < 0 { timestamp } else { timestamp - begin };
        let shown =
            |(offset, timestamp): (i64, i64)| format!("offset {offset}, {} ms on", relative(timestamp));
        play.check(name, shown((offset, timestamp)), shown(want));
    }
    Ok(())
}

async fn largest(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    for after in [0, 5000, 1000] {
        steps::produce(play.at, &scene, &Batch::of(1, scene.time_ms + after)).await?;
    }
    let (offset, timestamp) = offset_at(play, -3, 0).await?;
    play.check("offset of the largest timestamp", offset, 1);
    play.check("the largest timestamp", timestamp - scene.time_ms, 5000);
    let (offset, _) = offset_at(play, scene.time_ms + 1000, 0).await?;
    play.check("first offset not before a time", offset, 1);
    Ok(())
}

async fn created(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    steps::produce(play.at, &scene, &Batch::of(3, scene.time_ms - 10_000)).await?;
    let seen = read(play, 0, 0).await?;
    for header in headers(&seen.records.unwrap_or_default()) {
        play.check("first timestamp", header.first_ms - scene.time_ms, -10_000);
        play.check("largest timestamp", header.max_ms - scene.time_ms, -9_998);
        play.check("whose timestamp", header.attributes & LOG_APPEND, 0);
    }
    Ok(())
}

async fn appended(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    // Far from the moment of the append, so that the two cannot be taken for each other.
    let batch = Batch::of(3, scene.time_ms - 1_000_000);
    let request = produce_named(&scene.topic, 0, batch.bytes(), -1, None);
    let version = play.at.version_at_most::<ProduceRequest>(12)?;
    let answer = play.at.call_in(&scene.leader(), &request, version).await?;
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    let told = partition.map_or(-1, |partition| partition.log_append_time_ms);
    play.check("the answer tells the moment of the append", told >= scene.time_ms, true);
    let seen = read(play, 0, 0).await?;
    for header in headers(&seen.records.unwrap_or_default()) {
        play.check("the batch has the same moment", header.max_ms == told, true);
        play.check("whose timestamp", header.attributes & LOG_APPEND, LOG_APPEND);
        play.check("the checksum is right", header.intact, true);
    }
    Ok(())
}

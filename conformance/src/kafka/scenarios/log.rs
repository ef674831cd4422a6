//! What becomes of batches: KS11 (compaction), KS17 (acks), KS18 (kept as sent), KS19 (sizes), KS21 (deletion).

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{ApiKey, DeleteTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest};
use kafka_protocol::records::Compression;
use tokio::time::Instant;

use super::super::batch::{Batch, headers};
use super::super::case::error_name;
use super::super::endpoint::{At, PAUSE, StepError, topic_name};
use super::super::requests::{fetch, produce_named};
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;
use super::reading::{fetched, latest, read};

/// How long a cleaner may take to come by; Kafka's looks every 15 seconds.
const CLEANED_WITHIN: Duration = Duration::from_secs(60);
/// How long a connection has to stay silent to count as unanswered.
const QUIET: Duration = Duration::from_millis(500);
/// One more than a broker takes by default (`socket.request.max.bytes`).
const TOO_LARGE: i32 = 104_857_601;

const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("segment.ms", "100"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("min.compaction.lag.ms", "0"),
    ("max.compaction.lag.ms", "100"),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "KS11",
        "compaction keeps the last of each key, its offset, and the tail",
        &[ApiKey::Fetch],
        Given::TopicWith(COMPACTED),
        |play| Box::pin(compacted(play)),
    ),
    scenario("KS17", "acks=0 is not answered, and written", &[ApiKey::Produce], Given::Topic, |play| {
        Box::pin(unanswered(play))
    }),
    scenario(
        "KS17",
        "fewer copies than a topic wants",
        &[ApiKey::Produce],
        Given::TopicWith(&[("min.insync.replicas", "2")]),
        |play| Box::pin(too_few(play)),
    ),
    scenario("KS18", "batches are kept as they were sent", &[ApiKey::Fetch], Given::Topic, |play| {
        Box::pin(kept(play))
    }),
    scenario(
        "KS19",
        "a batch above the limit of its topic is refused, one below is taken",
        &[ApiKey::Produce],
        Given::TopicWith(&[("max.message.bytes", "1000")]),
        |play| Box::pin(sizes(play)),
    ),
    scenario(
        "KS19",
        "a request above the limit of the socket ends the connection",
        &[ApiKey::Produce],
        Given::Nothing,
        |play| Box::pin(oversized(play)),
    ),
    scenario(
        "KS21",
        "a topic made again has another id and is empty",
        &[ApiKey::DeleteTopics],
        Given::Records,
        |play| Box::pin(again(play)),
    ),
];

async fn compacted(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    // A segment is closed by the times of its records, so each is a second after the one before.
    let mut time_ms = scene.time_ms;
    for key in ["a", "b", "a", "c", "a", "b"] {
        steps::produce(play.at, &scene, &Batch::of(1, time_ms).keyed(Some(key))).await?;
        time_ms += 1000;
    }
    let until = Instant::now() + CLEANED_WITHIN;
    loop {
        // Each new record lets the segment before it be closed; the newest ones are never touched.
        let newest = steps::produce(play.at, &scene, &Batch::of(1, time_ms).keyed(Some("tail"))).await?;
        time_ms += 1000;
        let offsets = offsets_left(play, newest).await?;
        let old: Vec<i64> = offsets.iter().copied().filter(|offset| *offset < 6).collect();
        if old.len() <= 3 || Instant::now() > until {
            play.check("offsets left of a b a c a b", format!("{old:?}"), "[3, 4, 5]");
            play.check("the newest record is there", offsets.last() == Some(&newest), true);
            return Ok(());
        }
        tokio::time::sleep(PAUSE * 5).await;
    }
}

/// Offsets of the batches up to `newest`; a fetch may end with a segment.
async fn offsets_left(play: &mut Play<'_>, newest: i64) -> Result<Vec<i64>, StepError> {
    let mut offsets = Vec::new();
    let mut next = 0;
    while next <= newest {
        let seen = read(play, next, 0).await?;
        let read = headers(&seen.records.unwrap_or_default());
        let Some(last) = read.last() else { break };
        // A cleaner may leave an empty batch behind, for its producer's sequence.
        offsets.extend(read.iter().filter(|header| header.count > 0).map(|header| header.base_offset));
        next = last.next_offset();
    }
    Ok(offsets)
}

async fn unanswered(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let mut wire = play.at.connect(&scene.leader()).await?;
    let request = produce_named(&scene.topic, 0, Batch::of(2, scene.time_ms).bytes(), 0, None);
    let version = play.at.version_at_most::<ProduceRequest>(12)?;
    let broken = |error| StepError::Wire("Produce".to_owned(), error);
    wire.send(&request, version).await.map_err(broken)?;
    play.check("nothing comes", wire.is_silent(QUIET).await, true);
    // The next answer on the connection is that to the next request.
    let version = play.at.version_at_most::<MetadataRequest>(12)?;
    let asked = wire.call(&MetadataRequest::default().with_topics(Some(vec![])), version).await;
    play.check("the next request is answered", asked.is_ok(), true);
    let end = latest(play, 0).await?;
    play.check("end of the log", end, 2);
    Ok(())
}

async fn too_few(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    for acks in [-1, 1] {
        let request = produce_named(&scene.topic, 0, Batch::of(1, scene.time_ms).bytes(), acks, None);
        let version = play.at.version_at_most::<ProduceRequest>(12)?;
        let answer = play.at.call_in(&scene.leader(), &request, version).await?;
        let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        let error = partition.map_or(-1, |partition| partition.error_code);
        play.note(&format!("one copy of two, acks={acks}"), error_name(error));
    }
    Ok(())
}

async fn kept(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let version = play.at.version_at_most::<FetchRequest>(i16::MAX)?;
    for compression in [Compression::None, Compression::Gzip, Compression::Lz4] {
        let sent = Batch::of(5, scene.time_ms).packed(compression);
        let base = steps::produce(play.at, &scene, &sent).await?;
        let request = fetch(&scene, base, version);
        let answer = fetched(play, &request, version).await?;
        let records = answer.responses.first().and_then(|topic| topic.partitions.first());
        let records = records.and_then(|partition| partition.records.clone()).unwrap_or_default();
        // All but base offset and leader epoch, which the broker gives.
        let part = |bytes: &Bytes| bytes.get(16..).map(<[u8]>::to_vec);
        let same = part(&records).is_some() && part(&records) == part(&sent.bytes());
        play.check(&format!("{compression:?}: the same bytes"), same, true);
    }
    Ok(())
}

async fn sizes(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    // A batch of one record: 61 bytes of header, and about 10 beside the value.
    for (bytes, want) in [(900, "NONE"), (1000, "MESSAGE_TOO_LARGE"), (5000, "MESSAGE_TOO_LARGE")] {
        let batch = Batch::of(1, scene.time_ms).sized(bytes);
        let request = produce_named(&scene.topic, 0, batch.bytes(), -1, None);
        let version = play.at.version_at_most::<ProduceRequest>(12)?;
        let answer = play.at.call_in(&scene.leader(), &request, version).await?;
        let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        play.check(&format!("{bytes} bytes"), error_name(partition.map_or(-1, |part| part.error_code)), want);
    }
    Ok(())
}

async fn oversized(play: &mut Play<'_>) -> Result<(), StepError> {
    let mut wire = play.at.connect(&At::Any).await?;
    let closed = wire.announce(TOO_LARGE, Duration::from_secs(5)).await;
    play.check("the connection ends", closed, true);
    Ok(())
}

async fn again(play: &mut Play<'_>) -> Result<(), StepError> {
    let mut scene = play.scene.clone();
    let by_name = vec![topic_name(&scene.topic)];
    let state = DeleteTopicState::default().with_name(Some(topic_name(&scene.topic)));
    let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
    let version = play.at.version_at_most::<DeleteTopicsRequest>(i16::MAX)?;
    let request =
        if version >= 6 { request.with_topics(vec![state]) } else { request.with_topic_names(by_name) };
    play.at.call_in(&At::Any, &request, version).await?;
    let until = Instant::now() + Duration::from_secs(20);
    let id = loop {
        match steps::create(play.at, &scene.topic, 1, &[]).await {
            Ok(id) => break id,
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    play.at.forget(&scene.leader());
    play.check("the id is another one", id != scene.topic_id, true);
    let old = scene.topic_id;
    scene.topic_id = id;
    play.scene = scene;
    let end = latest(play, 0).await?;
    play.check("end of the log", end, 0);
    let seen = read(play, 0, 0).await?;
    play.check("reading it by its new id", error_name(seen.error_code), "NONE");
    play.scene.topic_id = old;
    let version = play.at.version_at_most::<FetchRequest>(i16::MAX)?;
    if version >= 13 {
        let seen = read(play, 0, 0).await?;
        play.check("reading it by its old id", error_name(seen.error_code), "UNKNOWN_TOPIC_ID");
    }
    Ok(())
}

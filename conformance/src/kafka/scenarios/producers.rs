//! Idempotent producers: KS1 and KS2.

use kafka_protocol::messages::ApiKey;

use super::super::batch::{Batch, Writer};
use super::super::case::error_name;
use super::super::endpoint::StepError;
use super::super::requests::produce_named;
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;

const NEEDS: &[ApiKey] = &[ApiKey::Produce, ApiKey::InitProducerId];

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "KS1",
        "a repeated batch is answered with its first offset, within five",
        NEEDS,
        Given::Topic,
        |play| Box::pin(repeated(play)),
    ),
    scenario(
        "KS1",
        "a gap in the sequence is refused and what follows in order is taken",
        NEEDS,
        Given::Topic,
        |play| Box::pin(gap(play)),
    ),
    scenario("KS1", "the sequence goes on at 0 behind the largest number", NEEDS, Given::Topic, |play| {
        Box::pin(wraps(play))
    }),
    scenario("KS2", "an older epoch is fenced, a newer one begins at 0", NEEDS, Given::Topic, |play| {
        Box::pin(fenced(play))
    }),
];

/// Sends one batch of `count` records; error name and base offset.
pub(super) async fn send(
    play: &mut Play<'_>,
    writer: Writer,
    count: usize,
) -> Result<(String, i64), StepError> {
    let batch = Batch::of(count, play.scene.time_ms).by(writer);
    let transaction = writer.transactional.then_some(play.scene.transaction.as_str());
    let request = produce_named(&play.scene.topic, 0, batch.bytes(), -1, transaction);
    let version = play.at.version_at_most::<kafka_protocol::messages::ProduceRequest>(11)?;
    let answer = play.at.call_in(&play.scene.leader(), &request, version).await?;
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    Ok(partition.map_or(("no answer".to_owned(), -1), |part| (error_name(part.error_code), part.base_offset)))
}

async fn own(play: &mut Play<'_>) -> Result<i64, StepError> {
    let (producer, _) = steps::producer(play.at, None).await?;
    Ok(producer.0)
}

async fn repeated(play: &mut Play<'_>) -> Result<(), StepError> {
    let id = own(play).await?;
    for sequence in 0..7 {
        let (error, offset) = send(play, Writer::producer(id, 0, sequence), 1).await?;
        play.check(
            &format!("batch {sequence}"),
            format!("{error} at {offset}"),
            format!("NONE at {sequence}"),
        );
    }
    for sequence in 2..7 {
        let (error, offset) = send(play, Writer::producer(id, 0, sequence), 1).await?;
        let name = format!("batch {sequence} again");
        play.check(&name, format!("{error} at {offset}"), format!("NONE at {sequence}"));
    }
    let (error, _) = send(play, Writer::producer(id, 0, 1), 1).await?;
    play.note("the sixth batch from the end again", error);
    let (error, offset) = send(play, Writer::producer(id, 0, 7), 1).await?;
    play.check("the next batch", format!("{error} at {offset}"), "NONE at 7");
    Ok(())
}

async fn gap(play: &mut Play<'_>) -> Result<(), StepError> {
    let id = own(play).await?;
    send(play, Writer::producer(id, 0, 0), 3).await?;
    let (error, _) = send(play, Writer::producer(id, 0, 4), 1).await?;
    play.check("one too far", error, "OUT_OF_ORDER_SEQUENCE_NUMBER");
    let (error, _) = send(play, Writer::producer(id, 0, 2), 1).await?;
    play.note("within the last batch", error);
    let (error, offset) = send(play, Writer::producer(id, 0, 3), 1).await?;
    play.check("in order", format!("{error} at {offset}"), "NONE at 3");
    Ok(())
}

async fn wraps(play: &mut Play<'_>) -> Result<(), StepError> {
    let id = own(play).await?;
    // A producer that the log does not know may begin anywhere: it may have written before, and expired.
    let (error, offset) = send(play, Writer::producer(id, 0, i32::MAX - 1), 1).await?;
    play.check("one before the largest", format!("{error} at {offset}"), "NONE at 0");
    let (error, offset) = send(play, Writer::producer(id, 0, i32::MAX), 2).await?;
    play.check("a batch over the end of the numbers", format!("{error} at {offset}"), "NONE at 1");
    let (error, _) = send(play, Writer::producer(id, 0, 0), 1).await?;
    play.note("0, which was just used", error);
    let (error, offset) = send(play, Writer::producer(id, 0, 1), 1).await?;
    play.check("the next", format!("{error} at {offset}"), "NONE at 3");
    Ok(())
}

async fn fenced(play: &mut Play<'_>) -> Result<(), StepError> {
    let id = own(play).await?;
    send(play, Writer::producer(id, 3, 0), 1).await?;
    let (error, offset) = send(play, Writer::producer(id, 4, 0), 1).await?;
    play.check("a newer epoch", format!("{error} at {offset}"), "NONE at 1");
    let (error, _) = send(play, Writer::producer(id, 3, 1), 1).await?;
    play.check("the older epoch", error, "INVALID_PRODUCER_EPOCH");
    let (error, _) = send(play, Writer::producer(id, 5, 7), 1).await?;
    play.check("a newer epoch that does not begin at 0", error, "OUT_OF_ORDER_SEQUENCE_NUMBER");
    let (error, offset) = send(play, Writer::producer(id, 4, 1), 1).await?;
    play.check("the epoch goes on", format!("{error} at {offset}"), "NONE at 2");
    Ok(())
}

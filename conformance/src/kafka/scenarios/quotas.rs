//! Quotas: KS20.

use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::{AlterClientQuotasRequest, ApiKey, ProduceRequest};

use super::super::batch::Batch;
use super::super::case::error_name;
use super::super::endpoint::{At, PAUSE, StepError, text};
use super::super::requests::produce_named;
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;

/// A client id of its own: the quota must not slow down other rows.
const CLIENT: &str = "sluice-conformance-throttled";
const SETTING: &str = "producer_byte_rate";

pub(super) const SCENARIOS: &[Scenario] = &[scenario(
    "KS20",
    "a producer above its quota is told to wait, and its batch is taken",
    &[ApiKey::AlterClientQuotas, ApiKey::Produce],
    Given::Topic,
    |play| Box::pin(throttled(play)),
)];

async fn throttled(play: &mut Play<'_>) -> Result<(), StepError> {
    limit(play, Some(1000.0)).await?;
    let outcome = until_throttled(play).await;
    limit(play, None).await?;
    let (error, throttled) = outcome?;
    play.check("the batches", error, "NONE");
    play.check("a wait is told", throttled, true);
    Ok(())
}

async fn limit(play: &mut Play<'_>, rate: Option<f64>) -> Result<(), StepError> {
    let entity =
        EntityData::default().with_entity_type(text("client-id")).with_entity_name(Some(text(CLIENT)));
    let op =
        OpData::default().with_key(text(SETTING)).with_value(rate.unwrap_or(0.0)).with_remove(rate.is_none());
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
    let answer =
        play.at.call(&At::Any, &AlterClientQuotasRequest::default().with_entries(vec![entry])).await?;
    match answer.entries.first().map_or(-1, |entry| entry.error_code) {
        0 => Ok(()),
        code => Err(StepError::Refused("AlterClientQuotas".to_owned(), error_name(code))),
    }
}

/// Sends batches as that client until one answer names a wait (bounded: the setting takes a moment to arrive).
async fn until_throttled(play: &mut Play<'_>) -> Result<(String, bool), StepError> {
    let scene = play.scene.clone();
    let broken = |error| StepError::Wire("Produce".to_owned(), error);
    let version = play.at.version_at_most::<ProduceRequest>(12)?;
    let mut wire = play.at.connect(&scene.leader()).await?.named(CLIENT);
    for _ in 0..30 {
        let batch = Batch::of(1, scene.time_ms).sized(5000);
        let request = produce_named(&scene.topic, 0, batch.bytes(), -1, None);
        let answer = wire.call(&request, version).await.map_err(broken)?;
        let part = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        let error = error_name(part.map_or(-1, |part| part.error_code));
        if error != "NONE" || answer.throttle_time_ms > 0 {
            return Ok((error, answer.throttle_time_ms > 0));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(("NONE".to_owned(), false))
}

//! Fetch sessions: KS16.

use kafka_protocol::messages::{ApiKey, FetchRequest, FetchResponse};

use super::super::batch::Batch;
use super::super::case::error_name;
use super::super::endpoint::StepError;
use super::super::requests::{BY_ID_FROM, fetch};
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;
use super::reading::fetched;

const NEEDS: &[ApiKey] = &[ApiKey::Produce, ApiKey::Fetch];

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "KS16",
        "a session lists only what has changed, and keeps its order",
        NEEDS,
        Given::Records,
        |play| Box::pin(incremental(play)),
    ),
    scenario("KS16", "a session does not change from names to ids", NEEDS, Given::Records, |play| {
        Box::pin(renamed(play))
    }),
    scenario("KS16", "a session that was ended is not there", NEEDS, Given::Records, |play| {
        Box::pin(ended(play))
    }),
];

/// A fetch within a session; `offset` names the partition again, `None` asks for what is known.
async fn ask(
    play: &mut Play<'_>,
    session: i32,
    epoch: i32,
    offset: Option<i64>,
) -> Result<FetchResponse, StepError> {
    let version = play.at.version_at_most::<FetchRequest>(i16::MAX)?;
    let request = fetch(&play.scene, offset.unwrap_or(0), version);
    let request = request.with_session_id(session).with_session_epoch(epoch);
    let request = if offset.is_some() { request } else { request.with_topics(vec![]) };
    fetched(play, &request, version).await
}

fn listed(answer: &FetchResponse) -> usize {
    answer.responses.iter().map(|topic| topic.partitions.len()).sum()
}

async fn incremental(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let first = ask(play, 0, 0, Some(6)).await?;
    let session = first.session_id;
    play.check("a session begins", session > 0, true);
    play.check("and lists its partition", listed(&first), 1);
    let answer = ask(play, session, 1, None).await?;
    play.check("nothing new", format!("{} {}", error_name(answer.error_code), listed(&answer)), "NONE 0");
    steps::produce(play.at, &scene, &Batch::of(1, scene.time_ms)).await?;
    let answer = ask(play, session, 2, None).await?;
    play.check("a new record", format!("{} {}", error_name(answer.error_code), listed(&answer)), "NONE 1");
    let answer = ask(play, session, 3, Some(7)).await?;
    play.check("read past it", format!("{} {}", error_name(answer.error_code), listed(&answer)), "NONE 0");
    let answer = ask(play, session, 9, None).await?;
    play.check("out of order", error_name(answer.error_code), "INVALID_FETCH_SESSION_EPOCH");
    let answer = ask(play, session, 4, None).await?;
    play.note("in order again", error_name(answer.error_code));
    Ok(())
}

async fn ended(play: &mut Play<'_>) -> Result<(), StepError> {
    let session = ask(play, 0, 0, Some(0)).await?.session_id;
    let answer = ask(play, session, -1, Some(0)).await?;
    play.check("its last fetch", format!("{} {}", error_name(answer.error_code), listed(&answer)), "NONE 1");
    play.check("has no session", answer.session_id, 0);
    let answer = ask(play, session, 1, None).await?;
    play.check("afterwards", error_name(answer.error_code), "FETCH_SESSION_ID_NOT_FOUND");
    Ok(())
}

async fn renamed(play: &mut Play<'_>) -> Result<(), StepError> {
    let key = ApiKey::Fetch as i16;
    if !play.at.serves(key, BY_ID_FROM - 1) || !play.at.serves(key, BY_ID_FROM) {
        return Err(StepError::NotServed("Fetch by name and by id".to_owned()));
    }
    let request = fetch(&play.scene, 6, BY_ID_FROM - 1).with_session_epoch(0);
    let session = fetched(play, &request, BY_ID_FROM - 1).await?.session_id;
    play.check("a session by names", session > 0, true);
    let request = fetch(&play.scene, 6, BY_ID_FROM).with_session_id(session).with_session_epoch(1);
    let answer = fetched(play, &request, BY_ID_FROM).await?;
    play.check("goes on by ids", error_name(answer.error_code), "FETCH_SESSION_TOPIC_ID_ERROR");
    Ok(())
}

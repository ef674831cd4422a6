//! Groups of the consumer protocol: KS14.

use std::collections::BTreeSet;

use kafka_protocol::messages::{
    ApiKey, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, OffsetCommitRequest,
};

use super::super::case::error_name;
use super::super::endpoint::{At, PAUSE, StepError};
use super::super::requests::{commit, consumer_heartbeat, consumer_owns};
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::{Given, Scene};

const NEEDS: &[ApiKey] = &[ApiKey::ConsumerGroupHeartbeat, ApiKey::OffsetCommit];
/// Heartbeats after which a member has to have what it waits for.
const BEATS: usize = 100;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "KS14",
        "a partition changes hands only when its owner has let go",
        NEEDS,
        Given::Consumer,
        |play| Box::pin(hands_over(play)),
    ),
    scenario("KS14", "a commit of an old epoch is refused", NEEDS, Given::Consumer, |play| {
        Box::pin(stale(play))
    }),
];

async fn beat(
    play: &mut Play<'_>,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, StepError> {
    let at = At::Group(play.scene.group.clone());
    let answer = play.at.call(&at, request).await?;
    match answer.error_code {
        0 => Ok(answer),
        code => Err(StepError::Refused("ConsumerGroupHeartbeat".to_owned(), error_name(code))),
    }
}

fn given(answer: &ConsumerGroupHeartbeatResponse) -> Option<BTreeSet<i32>> {
    let assignment = answer.assignment.as_ref()?;
    Some(assignment.topic_partitions.iter().flat_map(|topic| topic.partitions.clone()).collect())
}

async fn hands_over(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let (first, mut epoch) = (scene.member.clone(), scene.generation);
    let version = play.at.version_at_most::<ConsumerGroupHeartbeatRequest>(i16::MAX)?;
    let answer = beat(play, &consumer_heartbeat(&scene, "second-member", 0, version)).await?;
    let second = answer.member_id.as_ref().map_or("second-member".to_owned(), |id| id.to_string());
    let mut second_epoch = answer.member_epoch;
    play.check("the second gets nothing at once", given(&answer).is_none_or(|parts| parts.is_empty()), true);
    let mut kept = None;
    for _ in 0..BEATS {
        let answer = beat(play, &consumer_owns(&scene, &first, epoch, &[0, 1])).await?;
        epoch = answer.member_epoch;
        kept = given(&answer).filter(|parts| parts.len() < 2);
        if kept.is_some() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let kept: Vec<i32> = kept.unwrap_or_default().into_iter().collect();
    play.check("the first is told to keep one", kept.len(), 1);
    let answer = beat(play, &consumer_owns(&scene, &second, second_epoch, &[])).await?;
    second_epoch = answer.member_epoch;
    play.check(
        "the second gets nothing before that",
        given(&answer).is_none_or(|parts| parts.is_empty()),
        true,
    );
    beat(play, &consumer_owns(&scene, &first, epoch, &kept)).await?;
    let mut got = None;
    for _ in 0..BEATS {
        let answer = beat(play, &consumer_owns(&scene, &second, second_epoch, &[])).await?;
        second_epoch = answer.member_epoch;
        got = given(&answer).filter(|parts| !parts.is_empty());
        if got.is_some() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let got: Vec<i32> = got.unwrap_or_default().into_iter().collect();
    let mut both = [kept, got].concat();
    both.sort_unstable();
    play.check("together they have both, each once", format!("{both:?}"), "[0, 1]");
    Ok(())
}

async fn stale(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    let at = At::Group(scene.group.clone());
    for (name, epoch, member, want) in [
        ("the member's epoch", scene.generation, scene.member.clone(), "NONE"),
        ("an older epoch", scene.generation - 1, scene.member.clone(), "STALE_MEMBER_EPOCH"),
        ("a newer epoch", scene.generation + 1, scene.member.clone(), "STALE_MEMBER_EPOCH"),
        ("an unknown member", scene.generation, "nobody".to_owned(), "UNKNOWN_MEMBER_ID"),
    ] {
        let committing = Scene { generation: epoch, member, ..scene.clone() };
        let request = commit(&committing, &scene.topic, 0, 1, "note", 9);
        let version = play.at.version_at_most::<OffsetCommitRequest>(9)?;
        let answer = play.at.call_in(&at, &request, version).await?;
        let error = answer.topics.first().and_then(|topic| topic.partitions.first());
        play.check(name, error_name(error.map_or(-1, |part| part.error_code)), want);
    }
    Ok(())
}

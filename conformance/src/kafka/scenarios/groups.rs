//! Committed offsets (KS12) and classic groups (KS13).

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetFetchRequest,
    SyncGroupRequest, SyncGroupResponse,
};

use super::super::case::error_name;
use super::super::endpoint::{At, StepError, text};
use super::super::requests::{committed, group_id, heartbeat, join, sync};
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::{Given, Scene};
use super::super::steps;

const NEEDS: &[ApiKey] = &[ApiKey::OffsetCommit, ApiKey::OffsetFetch, ApiKey::JoinGroup];

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("KS12", "the last commit wins, and outlives the members", NEEDS, Given::Member, |play| {
        Box::pin(commits(play))
    }),
    scenario(
        "KS12",
        "a deleted group has forgotten its offsets",
        &[ApiKey::DeleteGroups],
        Given::EmptyGroup,
        |play| Box::pin(forgotten(play)),
    ),
    scenario(
        "KS13",
        "a second member makes a new generation, which ends the first",
        NEEDS,
        Given::Member,
        |play| Box::pin(generations(play)),
    ),
    scenario(
        "KS13",
        "a static member that comes back keeps its assignment",
        NEEDS,
        Given::StaticMember,
        |play| Box::pin(comes_back(play)),
    ),
];

fn group(play: &Play<'_>) -> At {
    At::Group(play.scene.group.clone())
}

async fn offset(play: &mut Play<'_>) -> Result<i64, StepError> {
    let at = group(play);
    let version = play.at.version_at_most::<OffsetFetchRequest>(9)?;
    let request = committed(&play.scene.group, Some((&play.scene.topic, &[0])), false, version);
    let answer = play.at.call_in(&at, &request, version).await?;
    let old =
        answer.topics.first().and_then(|topic| topic.partitions.first()).map(|part| part.committed_offset);
    let new = answer.groups.first().and_then(|group| group.topics.first());
    let new = new.and_then(|topic| topic.partitions.first()).map(|part| part.committed_offset);
    Ok(old.or(new).unwrap_or(-9))
}

async fn commits(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    for wanted in [5, 9, 2] {
        steps::commit(play.at, &scene, wanted).await?;
        let got = offset(play).await?;
        play.check(&format!("after {wanted}"), got, wanted);
    }
    leave(play).await?;
    let got = offset(play).await?;
    play.check("when the member has left", got, 2);
    let nobody = Scene { member: String::new(), generation: -1, ..scene };
    steps::commit(play.at, &nobody, 7).await?;
    let got = offset(play).await?;
    play.check("after a commit by nobody", got, 7);
    Ok(())
}

async fn leave(play: &mut Play<'_>) -> Result<(), StepError> {
    let at = group(play);
    let version = play.at.version_at_most::<LeaveGroupRequest>(i16::MAX)?;
    let request = LeaveGroupRequest::default().with_group_id(group_id(&play.scene.group));
    let request = if version >= 3 {
        request.with_members(vec![MemberIdentity::default().with_member_id(text(&play.scene.member))])
    } else {
        request.with_member_id(text(&play.scene.member))
    };
    play.at.call_in(&at, &request, version).await?;
    Ok(())
}

async fn forgotten(play: &mut Play<'_>) -> Result<(), StepError> {
    let at = group(play);
    let got = offset(play).await?;
    play.check("before", got, 5);
    let request = DeleteGroupsRequest::default().with_groups_names(vec![group_id(&play.scene.group)]);
    let answer = play.at.call(&at, &request).await?;
    play.check("deleted", error_name(answer.results.first().map_or(-1, |result| result.error_code)), "NONE");
    let got = offset(play).await?;
    play.check("after", got, -1);
    Ok(())
}

async fn joined(
    play: &mut Play<'_>,
    member: &str,
    name: Option<&str>,
) -> Result<JoinGroupResponse, StepError> {
    let at = group(play);
    let version = play.at.version_at_most::<JoinGroupRequest>(i16::MAX)?;
    play.at.call_in(&at, &join(&play.scene.group, member, name, "range", version), version).await
}

async fn synced(
    play: &mut Play<'_>,
    member: &str,
    generation: i32,
    name: Option<&str>,
    members: &[&str],
) -> Result<SyncGroupResponse, StepError> {
    let at = group(play);
    let version = play.at.version_at_most::<SyncGroupRequest>(i16::MAX)?;
    let request = sync(&play.scene.group, member, generation, name, members, version);
    play.at.call_in(&at, &request, version).await
}

async fn beat(play: &mut Play<'_>, member: &str, generation: i32) -> Result<String, StepError> {
    let at = group(play);
    let answer = play.at.call(&at, &heartbeat(&play.scene.group, member, generation)).await?;
    Ok(error_name(answer.error_code))
}

async fn generations(play: &mut Play<'_>) -> Result<(), StepError> {
    let (first, before) = (play.scene.member.clone(), play.scene.generation);
    play.check("the first generation", before, 1);
    let at = group(play);
    // The second member waits for the first to join again, so it has a connection of its own.
    let version = play.at.version_at_most::<JoinGroupRequest>(i16::MAX)?;
    let mut wire = play.at.connect(&at).await?;
    let broken = |error| StepError::Wire("JoinGroup".to_owned(), error);
    let name = play.scene.group.clone();
    let named = wire.call(&join(&name, "", None, "range", version), version).await.map_err(broken)?;
    play.check("a new member gets its id first", error_name(named.error_code), "MEMBER_ID_REQUIRED");
    let request = join(&name, &named.member_id, None, "range", version);
    let second = async { wire.call(&request, version).await.map_err(broken) };
    let first_again = async {
        let seen = until_rebalancing(play, &first, before).await?;
        play.check("the first member hears of it", seen, "REBALANCE_IN_PROGRESS");
        joined(play, &first, None).await
    };
    let (second, first_again) = tokio::join!(second, first_again);
    let (second, first_again) = (second?, first_again?);
    play.check("the second generation", second.generation_id, before + 1);
    play.check("both are in it", first_again.generation_id, second.generation_id);
    play.check("the first member leads", *first_again.leader == *first && *second.leader == *first, true);
    play.check(
        "the leader sees both, the other nobody",
        format!("{} {}", first_again.members.len(), second.members.len()),
        "2 0",
    );
    let seen = beat(play, &first, before).await?;
    play.check("a heartbeat of the old generation", seen, "ILLEGAL_GENERATION");
    let answer = synced(play, &first, second.generation_id, None, &[&first, &second.member_id]).await?;
    play.check(
        "the leader's assignment",
        format!("{} {:?}", error_name(answer.error_code), answer.assignment),
        "NONE b\"assignment\"",
    );
    let answer = synced(play, &second.member_id, second.generation_id, None, &[]).await?;
    play.check(
        "the other's assignment",
        format!("{} {:?}", error_name(answer.error_code), answer.assignment),
        "NONE b\"assignment\"",
    );
    let seen = beat(play, &second.member_id, second.generation_id).await?;
    play.check("a heartbeat of the new generation", seen, "NONE");
    Ok(())
}

/// Heartbeats until the group rebalances (bounded): the second member's request may still be on its way.
async fn until_rebalancing(play: &mut Play<'_>, member: &str, generation: i32) -> Result<String, StepError> {
    let mut seen = String::new();
    for _ in 0..50 {
        seen = beat(play, member, generation).await?;
        if seen != "NONE" {
            break;
        }
        tokio::time::sleep(super::super::endpoint::PAUSE).await;
    }
    Ok(seen)
}

async fn comes_back(play: &mut Play<'_>) -> Result<(), StepError> {
    let (old, generation) = (play.scene.member.clone(), play.scene.generation);
    let back = joined(play, "", Some("static")).await?;
    play.check("it may join", error_name(back.error_code), "NONE");
    play.check("without a new generation", back.generation_id, generation);
    play.check("under another id", *back.member_id != *old, true);
    let answer = synced(play, &back.member_id, generation, Some("static"), &[]).await?;
    play.check(
        "its assignment",
        format!("{} {:?}", error_name(answer.error_code), answer.assignment),
        "NONE b\"assignment\"",
    );
    let at = group(play);
    let request = heartbeat(&play.scene.group, &old, generation).with_group_instance_id(Some(text("static")));
    let answer = play.at.call(&at, &request).await?;
    play.check("its former self", error_name(answer.error_code), "FENCED_INSTANCE_ID");
    Ok(())
}

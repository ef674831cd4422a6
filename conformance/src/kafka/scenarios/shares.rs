//! Share groups: KS15.

use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::share_acknowledge_request::{
    AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch,
};
use kafka_protocol::messages::share_fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{
    ApiKey, IncrementalAlterConfigsRequest, ShareAcknowledgeRequest, ShareFetchRequest,
    ShareGroupHeartbeatRequest,
};

use super::super::batch::Batch;
use super::super::case::error_name;
use super::super::endpoint::{At, PAUSE, StepError, text, topic_name};
use super::super::requests::group_id;
use super::super::scenario::{Play, Scenario, scenario};
use super::super::scene::Given;
use super::super::steps;

const NEEDS: &[ApiKey] = &[ApiKey::ShareGroupHeartbeat, ApiKey::ShareFetch, ApiKey::ShareAcknowledge];
/// A group as a resource of settings.
const GROUP: i8 = 32;
const RELEASE: i8 = 2;
const ACCEPT: i8 = 1;

pub(super) const SCENARIOS: &[Scenario] = &[scenario(
    "KS15",
    "a record is with one member until it lets go, and is counted",
    NEEDS,
    Given::Topic,
    |play| Box::pin(shared(play)),
)];

async fn shared(play: &mut Play<'_>) -> Result<(), StepError> {
    let scene = play.scene.clone();
    from_the_beginning(play).await?;
    let members = ["member-one", "member-two"];
    for member in members {
        enter(play, member).await?;
    }
    steps::produce(play.at, &scene, &Batch::of(1, scene.time_ms)).await?;
    let [one, two] = members;
    let mut taken = String::new();
    let mut epochs = [0, 0];
    for _ in 0..100 {
        taken = take(play, one, epochs[0]).await?;
        epochs[0] += 1;
        if !taken.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    play.check("the first member acquires it", taken, "0-0 delivered 1");
    let other = take(play, two, epochs[1]).await?;
    epochs[1] += 1;
    play.check("the second does not", other, "");
    let error = acknowledge(play, one, epochs[0], RELEASE).await?;
    epochs[0] += 1;
    play.check("it is released", error, "NONE");
    let mut other = String::new();
    for _ in 0..100 {
        other = take(play, two, epochs[1]).await?;
        epochs[1] += 1;
        if !other.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    play.check("now the second acquires it", other, "0-0 delivered 2");
    let error = acknowledge(play, one, epochs[0], ACCEPT).await?;
    play.check("the first can no longer accept it", error, "INVALID_RECORD_STATE");
    let error = acknowledge(play, two, epochs[1], ACCEPT).await?;
    play.check("the second can", error, "NONE");
    Ok(())
}

/// A share group begins at the end unless told otherwise.
async fn from_the_beginning(play: &mut Play<'_>) -> Result<(), StepError> {
    let setting = AlterableConfig::default()
        .with_name(text("share.auto.offset.reset"))
        .with_value(Some(text("earliest")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(GROUP)
        .with_resource_name(text(&play.scene.group))
        .with_configs(vec![setting]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    steps::insist(play.at, &At::Any, &request, i16::MAX, |answer| {
        answer.responses.first().map_or(-1, |response| response.error_code)
    })
    .await
    .map(|_| ())
}

async fn enter(play: &mut Play<'_>, member: &str) -> Result<(), StepError> {
    let at = At::Group(play.scene.group.clone());
    let mut epoch = 0;
    for _ in 0..100 {
        let topics = (epoch == 0).then(|| vec![topic_name(&play.scene.topic)]);
        let request = ShareGroupHeartbeatRequest::default()
            .with_group_id(group_id(&play.scene.group))
            .with_member_id(text(member))
            .with_member_epoch(epoch)
            .with_subscribed_topic_names(topics);
        let answer = steps::insist(play.at, &at, &request, i16::MAX, |answer| answer.error_code).await?;
        epoch = answer.member_epoch;
        if answer.assignment.is_some_and(|assigned| !assigned.topic_partitions.is_empty()) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StepError::Refused("ShareGroupHeartbeat".to_owned(), "no assignment".to_owned()))
}

/// Acquires what it can: offsets and delivery count, empty for nothing. Sessions belong to a connection's member.
async fn take(play: &mut Play<'_>, member: &str, epoch: i32) -> Result<String, StepError> {
    let partition = FetchPartition::default().with_partition_index(0);
    let topic = FetchTopic::default().with_topic_id(play.scene.topic_id).with_partitions(vec![partition]);
    let request = ShareFetchRequest::default()
        .with_group_id(Some(group_id(&play.scene.group)))
        .with_member_id(Some(text(member)))
        .with_share_session_epoch(epoch)
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 20)
        .with_max_records(10)
        .with_batch_size(10)
        .with_topics(vec![topic]);
    let at = play.scene.leader();
    let answer = play.at.call(&at, &request).await?;
    if answer.error_code != 0 {
        return Err(StepError::Refused("ShareFetch".to_owned(), error_name(answer.error_code)));
    }
    let part = answer.responses.first().and_then(|topic| topic.partitions.first());
    let acquired = part.map(|part| part.acquired_records.clone()).unwrap_or_default();
    let shown = acquired.iter().map(|records| {
        format!("{}-{} delivered {}", records.first_offset, records.last_offset, records.delivery_count)
    });
    Ok(shown.collect::<Vec<_>>().join(", "))
}

async fn acknowledge(play: &mut Play<'_>, member: &str, epoch: i32, kind: i8) -> Result<String, StepError> {
    let batch = AcknowledgementBatch::default()
        .with_first_offset(0)
        .with_last_offset(0)
        .with_acknowledge_types(vec![kind]);
    let partition =
        AcknowledgePartition::default().with_partition_index(0).with_acknowledgement_batches(vec![batch]);
    let topic =
        AcknowledgeTopic::default().with_topic_id(play.scene.topic_id).with_partitions(vec![partition]);
    let request = ShareAcknowledgeRequest::default()
        .with_group_id(Some(group_id(&play.scene.group)))
        .with_member_id(Some(text(member)))
        .with_share_session_epoch(epoch)
        .with_topics(vec![topic]);
    let at = play.scene.leader();
    let answer = play.at.call(&at, &request).await?;
    let part = answer.responses.first().and_then(|topic| topic.partitions.first());
    let code =
        if answer.error_code == 0 { part.map_or(-1, |part| part.error_code) } else { answer.error_code };
    Ok(error_name(code))
}

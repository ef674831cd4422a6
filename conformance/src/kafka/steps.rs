//! Steps with which scenes and scenarios prepare what they need, in the newest version that endpoint and codec share.
//! A refusal that means "not yet" is asked again for a bounded time.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ConsumerGroupHeartbeatRequest, CreateTopicsRequest, DeleteRecordsRequest,
    EndTxnRequest, InitProducerIdRequest, JoinGroupRequest, OffsetCommitRequest, ProducerId,
    SyncGroupRequest, TransactionalId,
};
use kafka_protocol::protocol::Request;
use tokio::time::Instant;
use uuid::Uuid;

use super::batch::Batch;
use super::case::error_name;
use super::endpoint::{At, Endpoint, PATIENCE, PAUSE, StepError, text, topic_name};
use super::requests;
use super::scene::Scene;

/// Newest version of Produce and of others that names topics, not their ids.
const PRODUCE_BY_NAME: i16 = 12;

/// Sends `request` until `code` of its answer is none or final; a final refusal is an error.
pub(super) async fn insist<R: Request>(
    endpoint: &mut Endpoint,
    at: &At,
    request: &R,
    newest: i16,
    code: impl Fn(&R::Response) -> i16,
) -> Result<R::Response, StepError> {
    let version = endpoint.version_at_most::<R>(newest)?;
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = endpoint.call_in(at, request, version).await?;
        let refused = code(&answer);
        let Some(error) = ResponseError::try_from_code(refused) else { return Ok(answer) };
        // The codec's table takes the end of a transaction for final; it is a matter of time.
        let passing = [ResponseError::UnknownTopicOrPartition, ResponseError::ConcurrentTransactions];
        let again = error.is_retriable() || passing.contains(&error);
        if !again || Instant::now() > until {
            return Err(StepError::Refused(super::manifest::name(R::KEY), error_name(refused)));
        }
        endpoint.forget(at);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes a topic and waits for its leaders; its id.
pub(super) async fn create(
    endpoint: &mut Endpoint,
    topic: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<Uuid, StepError> {
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let entry = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![entry]).with_timeout_ms(10_000);
    insist(endpoint, &At::Any, &request, i16::MAX, |answer| {
        answer.topics.first().map_or(-1, |t| t.error_code)
    })
    .await?;
    settle(endpoint, topic, partitions).await
}

/// Waits until every partition of a topic has a leader; its id.
pub(super) async fn settle(endpoint: &mut Endpoint, topic: &str, partitions: i32) -> Result<Uuid, StepError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = endpoint.metadata(topic).await?;
        let settled = answer.topics.first().filter(|found| {
            found.error_code == 0
                && i32::try_from(found.partitions.len()) == Ok(partitions)
                && found.partitions.iter().all(|partition| partition.error_code == 0)
        });
        if let Some(found) = settled {
            return Ok(found.topic_id);
        }
        if Instant::now() > until {
            return Err(StepError::Refused(format!("Metadata {topic}"), "no leader".to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes a batch with acks=all; its base offset.
pub(super) async fn produce(endpoint: &mut Endpoint, scene: &Scene, batch: &Batch) -> Result<i64, StepError> {
    let transaction = batch.from.transactional.then_some(scene.transaction.as_str());
    let request = requests::produce_named(&scene.topic, 0, batch.bytes(), -1, transaction);
    let answer = insist(endpoint, &scene.leader(), &request, PRODUCE_BY_NAME, |answer| {
        answer.responses.first().and_then(|t| t.partition_responses.first()).map_or(-1, |p| p.error_code)
    })
    .await?;
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    Ok(partition.map_or(-1, |partition| partition.base_offset))
}

/// Deletes records of partition 0 below `offset`.
pub(super) async fn delete_records(
    endpoint: &mut Endpoint,
    scene: &Scene,
    offset: i64,
) -> Result<(), StepError> {
    let entry = DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
    let entry =
        DeleteRecordsTopic::default().with_name(topic_name(&scene.topic)).with_partitions(vec![entry]);
    let request = DeleteRecordsRequest::default().with_topics(vec![entry]).with_timeout_ms(10_000);
    insist(endpoint, &scene.leader(), &request, i16::MAX, |answer| {
        answer.topics.first().and_then(|t| t.partitions.first()).map_or(-1, |p| p.error_code)
    })
    .await
    .map(|_| ())
}

/// A producer id and its epoch, new or of a transactional id.
pub(super) async fn producer(
    endpoint: &mut Endpoint,
    transaction: Option<&str>,
) -> Result<(ProducerId, i16), StepError> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(transaction.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let at = transaction.map_or(At::Any, |id| At::Transaction(id.to_owned()));
    let answer = insist(endpoint, &at, &request, 5, |answer| answer.error_code).await?;
    Ok((answer.producer_id, answer.producer_epoch))
}

/// Adds partition 0 of the scene's topic to the open transaction.
pub(super) async fn add_partition(endpoint: &mut Endpoint, scene: &Scene) -> Result<(), StepError> {
    let topic =
        AddPartitionsToTxnTopic::default().with_name(topic_name(&scene.topic)).with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_v3_and_below_producer_id(scene.producer)
        .with_v3_and_below_producer_epoch(scene.epoch)
        .with_v3_and_below_topics(vec![topic]);
    insist(endpoint, &At::Transaction(scene.transaction.clone()), &request, 3, |answer| {
        let topic = answer.results_by_topic_v3_and_below.first();
        topic
            .and_then(|topic| topic.results_by_partition.first())
            .map_or(-1, |part| part.partition_error_code)
    })
    .await
    .map(|_| ())
}

/// Ends the transaction in the way of Kafka 3 (no new epoch).
pub(super) async fn end(endpoint: &mut Endpoint, scene: &Scene, committed: bool) -> Result<(), StepError> {
    let request = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(&scene.transaction)))
        .with_producer_id(scene.producer)
        .with_producer_epoch(scene.epoch)
        .with_committed(committed);
    let at = At::Transaction(scene.transaction.clone());
    insist(endpoint, &at, &request, 4, |answer| answer.error_code).await.map(|_| ())
}

/// Joins the scene's group as its only member and takes the assignment; member id and generation.
pub(super) async fn join(
    endpoint: &mut Endpoint,
    scene: &Scene,
    name: Option<&str>,
) -> Result<(String, i32), StepError> {
    let at = At::Group(scene.group.clone());
    let version = endpoint.version_at_most::<JoinGroupRequest>(i16::MAX)?;
    let mut member = String::new();
    let joined = loop {
        let request = requests::join(&scene.group, &member, name, "range", version);
        let outcome = insist(endpoint, &at, &request, version, |answer| {
            // The new member's id comes with this refusal.
            if answer.error_code == ResponseError::MemberIdRequired.code() { 0 } else { answer.error_code }
        })
        .await?;
        if outcome.error_code == 0 {
            break outcome;
        }
        member = outcome.member_id.to_string();
    };
    let member = joined.member_id.to_string();
    let version = endpoint.version_at_most::<SyncGroupRequest>(i16::MAX)?;
    let request = requests::sync(&scene.group, &member, joined.generation_id, name, &[&member], version);
    insist(endpoint, &at, &request, version, |answer| answer.error_code).await?;
    Ok((member, joined.generation_id))
}

/// Commits `offset` of partition 0 for the scene's group, as its member if it has one.
pub(super) async fn commit(endpoint: &mut Endpoint, scene: &Scene, offset: i64) -> Result<(), StepError> {
    let version = endpoint.version_at_most::<OffsetCommitRequest>(9)?;
    let request = requests::commit(scene, &scene.topic, 0, offset, "note", version);
    insist(endpoint, &At::Group(scene.group.clone()), &request, version, |answer| {
        answer.topics.first().and_then(|topic| topic.partitions.first()).map_or(-1, |part| part.error_code)
    })
    .await
    .map(|_| ())
}

/// Joins the scene's group by the consumer protocol and waits for both partitions; member id and epoch.
pub(super) async fn join_consumer(
    endpoint: &mut Endpoint,
    scene: &Scene,
) -> Result<(String, i32), StepError> {
    let at = At::Group(scene.group.clone());
    let version = endpoint.version_at_most::<ConsumerGroupHeartbeatRequest>(i16::MAX)?;
    let mut member = "conformance-member".to_owned();
    let request = requests::consumer_heartbeat(scene, &member, 0, version);
    let mut answer = insist(endpoint, &at, &request, version, |answer| answer.error_code).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(named) = answer.member_id.as_ref().filter(|named| !named.is_empty()) {
            member = named.to_string();
        }
        let epoch = answer.member_epoch;
        if answer.assignment.as_ref().is_some_and(|owned| !owned.topic_partitions.is_empty()) {
            let owned = requests::consumer_owns(scene, &member, epoch, &[0, 1]);
            let answer = insist(endpoint, &at, &owned, version, |answer| answer.error_code).await?;
            return Ok((member, answer.member_epoch));
        }
        if Instant::now() > until {
            let why = "no assignment".to_owned();
            return Err(StepError::Refused("ConsumerGroupHeartbeat".to_owned(), why));
        }
        tokio::time::sleep(PAUSE).await;
        let again = requests::consumer_owns(scene, &member, epoch, &[]);
        answer = insist(endpoint, &at, &again, version, |answer| answer.error_code).await?;
    }
}

//! What has to be there before a request: topics, records, groups, transactions. Made anew for each case and version
//! under names that are the same on both endpoints, so that no case sees what another left behind.

use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use tokio::time::Instant;
use uuid::Uuid;

use super::case::error_name;
use super::endpoint::{At, Endpoint, PATIENCE, PAUSE, StepError, text, topic_name};

/// What a case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Names alone.
    Nothing,
    /// An empty topic of one partition.
    Topic,
}

/// What is there.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// A topic, if the case needs one.
    pub(super) topic: String,
    /// Its id.
    pub(super) topic_id: Uuid,
}

impl Scene {
    /// Names alone; `tag` tells this scene from every other of the run.
    pub(super) fn named(tag: &str) -> Self {
        Self { topic: format!("{tag}.topic"), topic_id: Uuid::nil() }
    }

    /// Makes what `given` asks for.
    pub(super) async fn set(endpoint: &mut Endpoint, given: Given, tag: &str) -> Result<Self, StepError> {
        let mut scene = Self::named(tag);
        match given {
            Given::Nothing => {}
            Given::Topic => scene.topic_id = create(endpoint, &scene.topic).await?,
        }
        Ok(scene)
    }
}

async fn create(endpoint: &mut Endpoint, topic: &str) -> Result<Uuid, StepError> {
    let entry = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![entry]).with_timeout_ms(10_000);
    let answer = endpoint.call(&At::Any, &request).await?;
    let code = answer.topics.first().map_or(-1, |topic| topic.error_code);
    if code != 0 {
        return Err(StepError::Refused(format!("CreateTopics {topic}"), error_name(code)));
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = endpoint.metadata(topic).await?;
        let found =
            answer.topics.first().filter(|topic| topic.error_code == 0 && !topic.partitions.is_empty());
        if let Some(found) = found.filter(|topic| topic.partitions.iter().all(|part| part.error_code == 0)) {
            return Ok(found.topic_id);
        }
        if Instant::now() > until {
            return Err(StepError::Refused(format!("Metadata {topic}"), "no leader".to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The name of a topic that does not exist, in the stock codec's type.
pub(super) fn absent(scene: &Scene) -> kafka_protocol::messages::TopicName {
    topic_name(&format!("{}.absent", scene.topic))
}

/// A text of the stock codec.
pub(super) fn word(value: &str) -> kafka_protocol::protocol::StrBytes {
    text(value)
}

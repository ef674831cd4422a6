//! What has to be there before a request: topics, records, groups, transactions. Made anew for each case and version
//! under names that are the same on both endpoints, so that no case sees what another left behind.

use kafka_protocol::messages::{ApiKey, ProducerId};
use uuid::Uuid;

use super::batch::{Batch, Writer};
use super::endpoint::{At, Endpoint, StepError};
use super::steps;

/// What a case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Names alone.
    Nothing,
    /// An empty topic of one partition.
    Topic,
    /// A topic of one partition with these settings.
    TopicWith(&'static [(&'static str, &'static str)]),
    /// Batches of 2, 1 and 3 records, a second apart: offsets 0 to 5.
    Records,
    /// The same, deleted below offset 2.
    Trimmed,
    /// A topic, and a producer that wrote a batch of two records with sequence 0 under epoch 0.
    Sequenced,
    /// A topic, and a classic group with one member that has its assignment.
    Member,
    /// The same; the member has the static name `static`.
    StaticMember,
    /// The same as [`Given::Member`], with offset 5 committed.
    Committed,
    /// A topic, and a group without members that has offset 5 committed.
    EmptyGroup,
    /// A topic, and a transactional id that has its producer id.
    Transactional,
    /// The same, with the partition in an open transaction and a batch of two records.
    InTransaction,
    /// A topic of two partitions, and a group of the consumer protocol with one member that owns both.
    Consumer,
}

/// What is there.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// Begins every name of the scene.
    pub(super) tag: String,
    /// A topic, if the case needs one.
    pub(super) topic: String,
    /// Its id.
    pub(super) topic_id: Uuid,
    /// A group, and the protocol in which it was joined.
    pub(super) group: String,
    /// Its member.
    pub(super) member: String,
    /// Its generation, or the member's epoch.
    pub(super) generation: i32,
    /// A transactional id.
    pub(super) transaction: String,
    /// Producer id.
    pub(super) producer: ProducerId,
    /// Producer epoch.
    pub(super) epoch: i16,
    /// Moment of the first record in milliseconds since 1970, the same on both endpoints.
    pub(super) time_ms: i64,
}

impl Given {
    /// What has to be advertised for it, beside what every endpoint has.
    fn needs(self) -> &'static [ApiKey] {
        match self {
            Self::Trimmed => &[ApiKey::DeleteRecords],
            Self::Sequenced => &[ApiKey::InitProducerId],
            Self::Member | Self::StaticMember => &[ApiKey::JoinGroup, ApiKey::SyncGroup],
            Self::Committed => &[ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::OffsetCommit],
            Self::EmptyGroup => &[ApiKey::OffsetCommit],
            Self::Transactional | Self::InTransaction => {
                &[ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::EndTxn]
            }
            Self::Consumer => &[ApiKey::ConsumerGroupHeartbeat],
            Self::Nothing | Self::Topic | Self::TopicWith(_) | Self::Records => &[],
        }
    }
}

impl Scene {
    /// Names alone; `tag` tells this scene from every other of the run.
    pub(super) fn named(tag: &str, time_ms: i64) -> Self {
        Self {
            tag: tag.to_owned(),
            topic: format!("{tag}.topic"),
            topic_id: Uuid::nil(),
            group: format!("{tag}.group"),
            member: String::new(),
            generation: -1,
            transaction: format!("{tag}.transaction"),
            producer: ProducerId(-1),
            epoch: -1,
            time_ms,
        }
    }

    /// Name of a topic that does not exist.
    pub(super) fn absent(&self) -> String {
        format!("{}.absent", self.tag)
    }

    /// The leader of the topic.
    pub(super) fn leader(&self) -> At {
        At::Leader(self.topic.clone())
    }

    /// Makes what `given` asks for.
    pub(super) async fn set(
        endpoint: &mut Endpoint,
        given: Given,
        tag: &str,
        time_ms: i64,
    ) -> Result<Self, StepError> {
        endpoint.needs(given.needs())?;
        let mut scene = Self::named(tag, time_ms);
        scene.make(endpoint, given).await?;
        Ok(scene)
    }

    async fn make(&mut self, endpoint: &mut Endpoint, given: Given) -> Result<(), StepError> {
        match given {
            Given::Nothing => {}
            Given::Topic => self.create(endpoint, 1, &[]).await?,
            Given::TopicWith(settings) => self.create(endpoint, 1, settings).await?,
            Given::Records => self.records(endpoint).await?,
            Given::Trimmed => {
                self.records(endpoint).await?;
                steps::delete_records(endpoint, self, 2).await?;
            }
            Given::Sequenced => {
                self.create(endpoint, 1, &[]).await?;
                (self.producer, self.epoch) = steps::producer(endpoint, None).await?;
                let batch = Batch::of(2, self.time_ms).by(Writer::producer(self.producer.0, self.epoch, 0));
                steps::produce(endpoint, self, &batch).await?;
            }
            Given::Member => self.member(endpoint, None).await?,
            Given::StaticMember => self.member(endpoint, Some("static")).await?,
            Given::Committed => {
                self.member(endpoint, None).await?;
                steps::commit(endpoint, self, 5).await?;
            }
            Given::EmptyGroup => {
                self.create(endpoint, 1, &[]).await?;
                steps::commit(endpoint, self, 5).await?;
            }
            Given::Transactional => self.transactional(endpoint).await?,
            Given::InTransaction => {
                self.transactional(endpoint).await?;
                steps::add_partition(endpoint, self).await?;
                let from = Writer::transaction(self.producer.0, self.epoch, 0);
                steps::produce(endpoint, self, &Batch::of(2, self.time_ms).by(from)).await?;
            }
            Given::Consumer => {
                self.create(endpoint, 2, &[]).await?;
                (self.member, self.generation) = steps::join_consumer(endpoint, self).await?;
            }
        }
        Ok(())
    }

    async fn create(
        &mut self,
        endpoint: &mut Endpoint,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), StepError> {
        self.topic_id = steps::create(endpoint, &self.topic, partitions, settings).await?;
        Ok(())
    }

    async fn records(&mut self, endpoint: &mut Endpoint) -> Result<(), StepError> {
        self.create(endpoint, 1, &[]).await?;
        for (index, count) in [2, 1, 3].into_iter().enumerate() {
            let time_ms = self.time_ms + i64::try_from(index).unwrap_or(0) * 1000;
            steps::produce(endpoint, self, &Batch::of(count, time_ms)).await?;
        }
        Ok(())
    }

    async fn member(&mut self, endpoint: &mut Endpoint, name: Option<&str>) -> Result<(), StepError> {
        self.create(endpoint, 1, &[]).await?;
        (self.member, self.generation) = steps::join(endpoint, self, name).await?;
        Ok(())
    }

    async fn transactional(&mut self, endpoint: &mut Endpoint) -> Result<(), StepError> {
        self.create(endpoint, 1, &[]).await?;
        let id = self.transaction.clone();
        (self.producer, self.epoch) = steps::producer(endpoint, Some(&id)).await?;
        Ok(())
    }
}

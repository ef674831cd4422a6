//! Questions to legacy: where its partitions and groups are, and what they hold.

use std::collections::BTreeMap;

use bytes::Bytes;
use config::HostPort;
use session::LegacyNode;
use shadow::Credentials;
use translator_kafka::codec::messages::describe_configs_request::DescribeConfigsResource;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use translator_kafka::codec::messages::metadata_request::MetadataRequestTopic;
use translator_kafka::codec::messages::{
    DescribeConfigsRequest, FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest,
    OffsetFetchRequest,
};
use translator_kafka::codec::{Str, Uuid};
use translator_kafka::errors::ErrorCode;

use super::VerifyError;
use super::broker::Broker;
use super::plan::Plan;
use crate::clock::Clock;
use crate::legacy::LegacyCluster;

/// The last version in which topics go by name.
const FETCH_VERSION: i16 = 12;
/// The last version that asks for one group.
const COORDINATOR_VERSION: i16 = 3;
const OFFSET_FETCH_VERSION: i16 = 7;
/// No bound of our own.
const ANY_VERSION: i16 = i16::MAX;
/// Most bytes of one answer.
const FETCH_BYTES: i32 = 4 << 20;
const TOPIC_RESOURCE: i8 = 2;
/// How often a question is asked again whose partition has moved.
const ATTEMPTS: usize = 5;

/// What legacy says of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    /// Leader of each partition.
    pub(super) leaders: BTreeMap<i32, i32>,
}

/// Offset, metadata of each partition that a group has committed.
pub(super) type Offsets = BTreeMap<(String, i32), (i64, String)>;

/// Legacy, as a verification asks it.
pub(super) struct Legacy<'a> {
    cluster: &'a LegacyCluster,
    credentials: Option<Credentials>,
    clock: Clock,
    brokers: BTreeMap<i32, Broker>,
    nodes: BTreeMap<i32, HostPort>,
    any: Option<Broker>,
    pub(super) topics: BTreeMap<String, Topic>,
}

impl<'a> Legacy<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let Plan { legacy, credentials, clock, .. } = plan;
        Self {
            cluster: legacy,
            credentials: credentials.clone(),
            clock: *clock,
            brokers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            any: None,
            topics: BTreeMap::new(),
        }
    }

    async fn any(&mut self) -> Result<&mut Broker, VerifyError> {
        if self.any.is_none() {
            let mut why = VerifyError::Legacy("no address is known".to_owned());
            for at in self.cluster.addresses(LegacyNode::Any) {
                match Broker::connect(self.cluster, &at, self.credentials.clone(), self.clock).await {
                    Ok(broker) => {
                        self.any = Some(broker);
                        break;
                    }
                    Err(error) => why = error,
                }
            }
            if self.any.is_none() {
                return Err(why);
            }
        }
        self.any.as_mut().ok_or_else(|| VerifyError::Legacy("no broker answers".to_owned()))
    }

    async fn node(&mut self, node: i32) -> Result<&mut Broker, VerifyError> {
        if !self.brokers.contains_key(&node) {
            let at = self.nodes.get(&node).cloned();
            let at = at.ok_or_else(|| VerifyError::Legacy(format!("node {node} is not known")))?;
            let broker = Broker::connect(self.cluster, &at, self.credentials.clone(), self.clock).await?;
            self.brokers.insert(node, broker);
        }
        self.brokers.get_mut(&node).ok_or_else(|| VerifyError::Legacy(format!("node {node} is gone")))
    }

    /// Reads nodes, topics and leaders.
    pub(super) async fn look(&mut self, topics: &[String]) -> Result<(), VerifyError> {
        let named = |name: &String| MetadataRequestTopic {
            name: Some(Str::from(name.as_str())),
            ..MetadataRequestTopic::default()
        };
        let request = MetadataRequest {
            topics: Some(topics.iter().map(named).collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.any().await?.call(ANY_VERSION, &request).await?;
        self.nodes = answer
            .brokers
            .iter()
            .map(|broker| {
                let port = u16::try_from(broker.port).unwrap_or(0);
                (broker.node_id, HostPort { host: broker.host.as_str().to_owned(), port })
            })
            .collect();
        self.topics = answer
            .topics
            .iter()
            .filter(|topic| topic.error_code == 0)
            .map(|topic| {
                let leaders = topic.partitions.iter().map(|each| (each.partition_index, each.leader_id));
                let name = topic.name.as_deref().unwrap_or_default().to_owned();
                (name, Topic { id: topic.topic_id, leaders: leaders.collect() })
            })
            .collect();
        Ok(())
    }

    fn leader(&self, topic: &str, partition: i32) -> Result<i32, VerifyError> {
        let found = self.topics.get(topic).and_then(|topic| topic.leaders.get(&partition)).copied();
        found
            .filter(|leader| *leader >= 0)
            .ok_or_else(|| VerifyError::Legacy(format!("{topic}/{partition} has no leader")))
    }

    /// Waits a moment and looks where a partition is now.
    async fn look_again(&mut self, topic: &str) -> Result<(), VerifyError> {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        (self.brokers, self.any) = (BTreeMap::new(), None);
        let known = self.topics.clone();
        self.look(&[topic.to_owned()]).await?;
        for (name, topic) in known {
            self.topics.entry(name).or_insert(topic);
        }
        Ok(())
    }

    /// First offset, or high watermark.
    pub(super) async fn end(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> Result<u64, VerifyError> {
        let asked = ListOffsetsPartition {
            partition_index: partition,
            current_leader_epoch: -1,
            timestamp,
            ..ListOffsetsPartition::default()
        };
        let named = ListOffsetsTopic {
            name: Str::from(topic),
            partitions: vec![asked],
            ..ListOffsetsTopic::default()
        };
        let request =
            ListOffsetsRequest { replica_id: -1, topics: vec![named], ..ListOffsetsRequest::default() };
        let mut code = 0;
        for _ in 0..ATTEMPTS {
            let leader = self.leader(topic, partition)?;
            let answer = self.node(leader).await?.call(ANY_VERSION, &request).await?;
            let found = answer.topics.iter().flat_map(|topic| &topic.partitions).next();
            code = found.map_or(-1, |found| found.error_code);
            if let (0, Some(found)) = (code, found) {
                return Ok(u64::try_from(found.offset).unwrap_or(0));
            }
            self.look_again(topic).await?;
        }
        Err(refused("ListOffsets", code))
    }

    /// Raw batches from an offset on, up to the high watermark.
    pub(super) async fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        from: u64,
    ) -> Result<Bytes, VerifyError> {
        let asked = FetchPartition {
            partition,
            current_leader_epoch: -1,
            fetch_offset: i64::try_from(from).unwrap_or(i64::MAX),
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: FETCH_BYTES,
            ..FetchPartition::default()
        };
        let named = FetchTopic { topic: Str::from(topic), partitions: vec![asked], ..FetchTopic::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_bytes: FETCH_BYTES,
            session_epoch: -1,
            topics: vec![named],
            ..FetchRequest::default()
        };
        let mut code = 0;
        for _ in 0..ATTEMPTS {
            let leader = self.leader(topic, partition)?;
            let answer = self.node(leader).await?.call(FETCH_VERSION, &request).await?;
            let found = answer.responses.iter().flat_map(|topic| &topic.partitions).next();
            code = found.map_or(answer.error_code, |found| found.error_code);
            if let (0, Some(found)) = (code, found) {
                return Ok(found.records.clone().unwrap_or_default());
            }
            self.look_again(topic).await?;
        }
        Err(refused("Fetch", code))
    }

    /// What was set for topics, by name.
    pub(super) async fn configs(
        &mut self,
        topics: &[String],
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, VerifyError> {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: Str::from(name.as_str()),
            ..DescribeConfigsResource::default()
        };
        let resources = topics.iter().map(resource).collect();
        let request = DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() };
        let answer = self.any().await?.call(ANY_VERSION, &request).await?;
        let set = answer.results.iter().filter(|result| result.error_code == 0).map(|result| {
            // 1: set for the topic itself; everything else follows from the broker.
            let own = result.configs.iter().filter(|config| config.config_source == 1);
            let own = own.map(|config| {
                (config.name.as_str().to_owned(), config.value.as_deref().unwrap_or_default().to_owned())
            });
            (result.resource_name.as_str().to_owned(), own.collect())
        });
        Ok(set.collect())
    }

    /// Everything that a group has committed.
    pub(super) async fn offsets(&mut self, group: &str) -> Result<Offsets, VerifyError> {
        let request = FindCoordinatorRequest { key: Str::from(group), ..FindCoordinatorRequest::default() };
        let found = self.any().await?.call(COORDINATOR_VERSION, &request).await?;
        if found.error_code != 0 {
            return Err(refused("FindCoordinator", found.error_code));
        }
        let port = u16::try_from(found.port).unwrap_or(0);
        self.nodes.insert(found.node_id, HostPort { host: found.host.as_str().to_owned(), port });
        let request =
            OffsetFetchRequest { group_id: Str::from(group), topics: None, ..OffsetFetchRequest::default() };
        let answer = self.node(found.node_id).await?.call(OFFSET_FETCH_VERSION, &request).await?;
        if answer.error_code != 0 {
            return Err(refused("OffsetFetch", answer.error_code));
        }
        let rows = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().filter(|each| each.error_code == 0 && each.committed_offset >= 0).map(
                |each| {
                    let metadata = each.metadata.as_deref().unwrap_or_default().to_owned();
                    let key = (topic.name.as_str().to_owned(), each.partition_index);
                    (key, (each.committed_offset, metadata))
                },
            )
        });
        Ok(rows.collect())
    }
}

fn refused(api: &str, code: i16) -> VerifyError {
    let name = ErrorCode::from_code(code).map_or_else(|| code.to_string(), |known| format!("{known:?}"));
    VerifyError::Legacy(format!("{api} was answered with {name}"))
}

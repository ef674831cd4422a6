//! A stand-in for a legacy cluster of one broker: what it holds, and what it answers.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BatchSpec, NewRecord, patch_header};
use kernel_model::{LogEpoch, Offset};
use translator_kafka::codec::messages::{
    ApiVersionsResponse, DescribeConfigsRequest, DescribeConfigsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeResponse,
    api_versions_response, describe_configs_response, describe_groups_response, fetch_response,
    list_offsets_response, metadata_response,
};
use translator_kafka::codec::{ApiKey, Request, Str, Uuid, frame};
use translator_kafka::errors::ErrorCode;

use crate::committed::Committed;
use crate::transactions::Transactions;

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) start: u64,
    /// High watermark.
    pub(crate) watermark: u64,
    /// End of the log.
    pub(crate) end: u64,
    pub(crate) batches: Vec<(u64, u64, Bytes)>,
    /// What every fetch answers instead of records.
    pub(crate) error: i16,
    /// Bytes that a fetch from this offset answers instead of the batches.
    pub(crate) instead: Option<(u64, Bytes)>,
}

#[derive(Debug, Default)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) struct Legacy {
    pub(crate) topics: BTreeMap<String, Topic>,
    /// Nodes; the last one leads everything.
    pub(crate) nodes: Vec<i32>,
    pub(crate) epoch: i32,
    /// Newest version of Fetch that it offers.
    pub(crate) fetch_version: i16,
    /// Nobody answers.
    pub(crate) down: bool,
    /// What was asked with ListOffsets: replica id and timestamp.
    pub(crate) asked_ends: BTreeSet<(i32, i64)>,
    /// Offsets from which was fetched, by topic.
    pub(crate) fetched: Vec<(String, i64)>,
    /// Leader epochs that fetches of anything but the offsets named: of the leader, and of the last record held.
    pub(crate) named: Vec<(i32, i32)>,
    /// How long the fetch that came last would wait for news, in milliseconds.
    pub(crate) fetch_wait_ms: i32,
    /// User and password that it asks for.
    pub(crate) asks: Option<(&'static str, &'static str)>,
    /// How often somebody has tried to log in.
    pub(crate) logins: u32,
    /// What groups have committed.
    pub(crate) committed: Committed,
    /// Its transactional ids.
    /// Whether its brokers verify transactions, as they tell; `None`: they have no such setting.
    pub(crate) verifies: Result<Option<bool>, ErrorCode>,
    pub(crate) transactions: Transactions,
}

impl Legacy {
    pub(crate) fn new() -> Self {
        Self {
            topics: BTreeMap::new(),
            nodes: vec![1],
            epoch: 5,
            fetch_version: 12,
            down: false,
            asked_ends: BTreeSet::new(),
            fetched: Vec::new(),
            named: Vec::new(),
            fetch_wait_ms: 0,
            asks: None,
            logins: 0,
            committed: Committed::default(),
            verifies: Ok(None),
            transactions: Transactions::default(),
        }
    }

    pub(crate) fn topic(&mut self, name: &str, id: u8, parts: usize) -> &mut Topic {
        let topic = Topic { id: Uuid([id; 16]), parts: (0..parts).map(|_| Part::default()).collect() };
        self.topics.insert(name.to_owned(), topic);
        self.topics.get_mut(name).unwrap()
    }

    pub(crate) fn part(&mut self, name: &str, part: usize) -> &mut Part {
        &mut self.topics.get_mut(name).unwrap().parts[part]
    }

    /// Appends a batch of these values at the end, replicated at once.
    pub(crate) fn append(&mut self, name: &str, part: usize, values: &[&str]) -> Bytes {
        self.append_as(name, part, &BatchSpec::default(), values)
    }

    pub(crate) fn append_as(&mut self, name: &str, part: usize, spec: &BatchSpec, values: &[&str]) -> Bytes {
        let record = |value: &&'static str| NewRecord {
            timestamp_ms: 1,
            key: Some(b"k"),
            value: Some(value.as_bytes()),
            headers: &[],
        };
        let values: Vec<&'static str> =
            values.iter().map(|value| &*String::leak((*value).to_owned())).collect();
        self.append_records(name, part, spec, &values.iter().map(record).collect::<Vec<_>>())
    }

    pub(crate) fn append_records(
        &mut self,
        name: &str,
        part: usize,
        spec: &BatchSpec,
        records: &[NewRecord<'_>],
    ) -> Bytes {
        let epoch = self.epoch;
        let part = self.part(name, part);
        let mut bytes = BytesMut::from(spec.encode(records).unwrap().bytes().as_ref());
        patch_header(&mut bytes, Offset(part.end), LogEpoch(epoch));
        let bytes = bytes.freeze();
        let end = part.end + records.len() as u64;
        part.batches.push((part.end, end, bytes.clone()));
        (part.end, part.watermark) = (end, end);
        bytes
    }

    /// Answers one request; `None` while a fetch has nothing to tell.
    pub(crate) fn answer(&mut self, whole: &Bytes, waited: bool) -> Option<Bytes> {
        let (header, reader) = frame::read_request_header(whole.slice(4..)).unwrap();
        let (version, correlation) = (header.request_api_version, header.correlation_id);
        macro_rules! framed {
            ($answer:expr) => {
                Some(frame::response_frame(version, correlation, &$answer).unwrap())
            };
        }
        match ApiKey::from_code(header.request_api_key).unwrap() {
            ApiKey::ApiVersions => framed!(self.versions()),
            ApiKey::SaslHandshake => framed!(SaslHandshakeResponse::default()),
            ApiKey::SaslAuthenticate => framed!(self.login(&decode(reader, version))),
            ApiKey::Metadata => framed!(self.metadata()),
            ApiKey::DescribeConfigs => framed!(self.configs(&decode(reader, version))),
            ApiKey::FindCoordinator => framed!(self.transactions.find(&decode(reader, version))),
            ApiKey::ListOffsets => framed!(self.ends(&decode(reader, version))),
            ApiKey::DescribeGroups => framed!(groups(&decode(reader, version))),
            ApiKey::Fetch => {
                let (answer, news) = self.fetch(&decode(reader, version));
                if news || waited { framed!(answer) } else { None }
            }
            ApiKey::OffsetFetch => framed!(self.committed.fetch(version, &decode(reader, version))),
            ApiKey::OffsetDelete => framed!(self.committed.delete(&decode(reader, version))),
            ApiKey::OffsetCommit => framed!(self.committed.commit(&decode(reader, version))),
            ApiKey::ListTransactions => framed!(self.transactions.list()),
            ApiKey::DescribeTransactions => framed!(self.transactions.describe(&decode(reader, version))),
            ApiKey::InitProducerId => framed!(self.transactions.init(&decode(reader, version))),
            other => panic!("the feed asked for {other:?}"),
        }
    }

    fn configs(&self, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
        let results = request.resources.iter().map(|resource| {
            let mut result = describe_configs_response::DescribeConfigsResult {
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
                ..Default::default()
            };
            if resource.resource_type == 4 {
                match self.verifies {
                    Ok(verifies) => {
                        let value = verifies.map(|on| on.to_string().as_str().into());
                        let config = |value| describe_configs_response::DescribeConfigsResourceResult {
                            name: "transaction.partition.verification.enable".into(),
                            value: Some(value),
                            ..Default::default()
                        };
                        result.configs = value.map(config).into_iter().collect();
                    }
                    Err(error) => result.error_code = error.code(),
                }
            }
            result
        });
        DescribeConfigsResponse { results: results.collect(), ..Default::default() }
    }

    fn login(&mut self, request: &SaslAuthenticateRequest) -> SaslAuthenticateResponse {
        self.logins += 1;
        let (user, password) = self.asks.unwrap_or_default();
        let mut answer = SaslAuthenticateResponse::default();
        if request.auth_bytes != format!("\0{user}\0{password}") {
            answer.error_code = ErrorCode::SaslAuthenticationFailed.code();
            answer.error_message = Some("invalid user or password".into());
        }
        answer
    }

    fn versions(&self) -> ApiVersionsResponse {
        let offered = [
            (ApiKey::Metadata, 12),
            (ApiKey::Fetch, self.fetch_version),
            (ApiKey::ListOffsets, 7),
            (ApiKey::DescribeConfigs, 4),
            (ApiKey::FindCoordinator, 6),
            (ApiKey::DescribeGroups, 5),
            (ApiKey::OffsetFetch, self.committed.fetch_version),
            (ApiKey::OffsetCommit, 8),
            (ApiKey::OffsetDelete, 0),
        ];
        let api = |(api, max_version): (ApiKey, i16)| api_versions_response::ApiVersion {
            api_key: api.code(),
            max_version,
            ..Default::default()
        };
        let offered = offered.into_iter().chain(Transactions::OFFERED);
        ApiVersionsResponse { api_keys: offered.map(api).collect(), ..Default::default() }
    }

    fn metadata(&self) -> MetadataResponse {
        let broker = |node_id: &i32| metadata_response::MetadataResponseBroker {
            node_id: *node_id,
            host: "legacy.example".into(),
            port: 9092,
            ..Default::default()
        };
        let leader = *self.nodes.last().unwrap();
        let part = |partition_index: i32| metadata_response::MetadataResponsePartition {
            partition_index,
            leader_id: leader,
            leader_epoch: self.epoch,
            replica_nodes: vec![leader],
            ..Default::default()
        };
        let topic = |(name, topic): (&String, &Topic)| metadata_response::MetadataResponseTopic {
            name: Some(name.as_str().into()),
            topic_id: topic.id,
            partitions: (0..).take(topic.parts.len()).map(part).collect(),
            ..Default::default()
        };
        MetadataResponse {
            brokers: self.nodes.iter().map(broker).collect(),
            cluster_id: Some("legacy".into()),
            topics: self.topics.iter().map(topic).collect(),
            ..Default::default()
        }
    }

    fn ends(&mut self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let replica = request.replica_id;
        let mut topics = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for asked in &topic.partitions {
                self.asked_ends.insert((replica, asked.timestamp));
                let found = self.topics.get(topic.name.as_str());
                let part =
                    found.and_then(|topic| topic.parts.get(usize::try_from(asked.partition_index).unwrap()));
                let offset = part.map_or(-1, |part| match (asked.timestamp, replica) {
                    (-2, _) => i64::try_from(part.start).unwrap(),
                    (_, -2) => i64::try_from(part.end).unwrap(),
                    _ => i64::try_from(part.watermark).unwrap(),
                });
                partitions.push(list_offsets_response::ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    error_code: if part.is_some() { 0 } else { ErrorCode::UnknownTopicOrPartition.code() },
                    offset,
                    leader_epoch: self.epoch,
                    ..Default::default()
                });
            }
            topics.push(list_offsets_response::ListOffsetsTopicResponse {
                name: topic.name.clone(),
                partitions,
                ..Default::default()
            });
        }
        ListOffsetsResponse { topics, ..Default::default() }
    }

    fn fetch(&mut self, request: &FetchRequest) -> (FetchResponse, bool) {
        self.fetch_wait_ms = request.max_wait_ms;
        let mut news = request.topics.is_empty();
        let mut responses = Vec::new();
        for asked in &request.topics {
            let named = self.topics.iter().find(|(name, topic)| {
                asked.topic == *name.as_str() || (asked.topic.is_empty() && topic.id == asked.topic_id)
            });
            let mut partitions = Vec::new();
            for part in &asked.partitions {
                let held =
                    named.and_then(|(_, topic)| topic.parts.get(usize::try_from(part.partition).unwrap()));
                if let Some((name, _)) = named {
                    self.fetched.push((name.clone(), part.fetch_offset));
                    if name != "__consumer_offsets" {
                        self.named.push((part.current_leader_epoch, part.last_fetched_epoch));
                    }
                }
                let answer =
                    read(held, part.partition, part.fetch_offset, part.current_leader_epoch, self.epoch);
                news |=
                    answer.error_code != 0 || answer.records.as_ref().is_some_and(|bytes| !bytes.is_empty());
                partitions.push(answer);
            }
            responses.push(fetch_response::FetchableTopicResponse {
                topic: asked.topic.clone(),
                topic_id: asked.topic_id,
                partitions,
                ..Default::default()
            });
        }
        (FetchResponse { responses, ..Default::default() }, news)
    }
}

fn read(held: Option<&Part>, index: i32, from: i64, asked: i32, epoch: i32) -> fetch_response::PartitionData {
    let mut answer = fetch_response::PartitionData { partition_index: index, ..Default::default() };
    let Some(part) = held else {
        answer.error_code = ErrorCode::UnknownTopicOrPartition.code();
        return answer;
    };
    let from = u64::try_from(from).unwrap();
    answer.high_watermark = i64::try_from(part.watermark).unwrap();
    answer.log_start_offset = i64::try_from(part.start).unwrap();
    if part.error != 0 {
        answer.error_code = part.error;
    } else if asked >= 0 && asked < epoch {
        answer.error_code = ErrorCode::FencedLeaderEpoch.code();
    } else if from < part.start || from > part.end {
        answer.error_code = ErrorCode::OffsetOutOfRange.code();
    } else if let Some((_, instead)) = part.instead.as_ref().filter(|(at, _)| *at == from) {
        answer.records = Some(instead.clone());
    } else {
        let wanted = part.batches.iter().filter(|(_, end, _)| *end > from && *end <= part.watermark);
        answer.records = Some(wanted.flat_map(|(_, _, bytes)| bytes.to_vec()).collect());
    }
    answer
}

fn groups(request: &DescribeGroupsRequest) -> DescribeGroupsResponse {
    let member =
        describe_groups_response::DescribedGroupMember { member_id: "m-1".into(), ..Default::default() };
    let group = |name: &Str| describe_groups_response::DescribedGroup {
        group_id: name.clone(),
        group_state: "Stable".into(),
        members: vec![member.clone()],
        ..Default::default()
    };
    DescribeGroupsResponse { groups: request.groups.iter().map(group).collect(), ..Default::default() }
}

fn decode<R: Request>(reader: translator_kafka::codec::Reader, version: i16) -> R {
    R::decode_rest(reader, version).unwrap()
}

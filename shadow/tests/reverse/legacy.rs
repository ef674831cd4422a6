//! A stand-in for a legacy cluster that takes writes: what it holds, and what it answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BatchHeader, patch_header};
use kernel_model::{LogEpoch, Offset};
use translator_kafka::codec::messages::write_txn_markers_request::WritableTxnMarker;
use translator_kafka::codec::messages::{
    ApiVersionsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest,
    DescribeProducersResponse, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse, api_versions_response, delete_records_response, describe_producers_response,
    fetch_response, list_offsets_response, metadata_response, produce_response, write_txn_markers_response,
};
use translator_kafka::codec::{ApiKey, Message, Uuid, frame};
use translator_kafka::errors::ErrorCode;

use crate::transactions::marker;

/// The name that every test uses.
pub(crate) const TOPIC: &str = "t";

/// Producer id and epoch, with first and last sequence and the offset of a batch.
type Remembered = (i64, i16, i32, i32, u64);

#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) leader: i32,
    pub(crate) epoch: i32,
    pub(crate) start: u64,
    /// What replicas have; nothing above is read by consumers. `None`: everything.
    pub(crate) replicated: Option<u64>,
    /// Base, end and bytes.
    pub(crate) batches: Vec<(u64, u64, Bytes)>,
    remembered: VecDeque<Remembered>,
    /// Epochs of the coordinators that have written markers of these producers.
    pub(crate) coordinators: BTreeMap<i64, i32>,
}

impl Part {
    pub(crate) fn end(&self) -> u64 {
        self.batches.last().map_or(self.start, |(_, end, _)| *end).max(self.start)
    }

    /// Appends as a leader does: at its end, under its epoch.
    pub(crate) fn append(&mut self, batch: &Bytes) -> u64 {
        let base = self.end();
        let mut bytes = BytesMut::from(batch.as_ref());
        patch_header(&mut bytes, Offset(base), LogEpoch(self.epoch));
        let header = BatchHeader::decode(&bytes).unwrap();
        self.batches.push((base, header.end_offset().0, bytes.freeze()));
        base
    }

    /// Loses everything from this offset on.
    pub(crate) fn truncate(&mut self, to: u64) {
        self.batches.retain(|(base, ..)| *base < to);
    }

    /// Appends what a producer sent, or says why not. The rules for sequences are Kafka's.
    fn produce(&mut self, batch: &Bytes) -> Result<u64, ErrorCode> {
        let header = BatchHeader::decode(batch).unwrap();
        if header.base_offset.0 != 0 {
            return Err(ErrorCode::InvalidRecord);
        }
        if header.producer_id < 0 {
            return Ok(self.append(batch));
        }
        let (id, epoch, first) = (header.producer_id, header.producer_epoch, header.base_sequence);
        let known = |each: &&Remembered| each.0 == id && each.1 == epoch;
        let again = self.remembered.iter().filter(known).find(|each| each.2 == first);
        if let Some((.., offset)) = again {
            return Ok(*offset);
        }
        let newest = self.remembered.iter().filter(known).map(|each| each.3).max();
        // An older one than it remembers is no duplicate to it, as 3.9 and 4.x answer.
        if newest.is_some_and(|newest| first != newest + 1) {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        let base = self.append(batch);
        self.remembered.push_back((id, epoch, first, header.last_sequence(), base));
        if self.remembered.len() > 5 {
            self.remembered.pop_front();
        }
        Ok(base)
    }

    fn mark(&mut self, asked: &WritableTxnMarker) -> Result<(), ErrorCode> {
        let seen = self.coordinators.entry(asked.producer_id).or_insert(asked.coordinator_epoch);
        if *seen > asked.coordinator_epoch {
            return Err(ErrorCode::TransactionCoordinatorFenced);
        }
        *seen = asked.coordinator_epoch;
        let producer = (asked.producer_id, asked.producer_epoch);
        let written = marker(producer, asked.transaction_result, 77, asked.coordinator_epoch);
        self.append(written.bytes());
        Ok(())
    }

    /// Bytes from an offset on, as far as consumers see.
    pub(crate) fn read(&self, from: u64) -> Vec<u8> {
        let visible = self.replicated.unwrap_or(u64::MAX);
        let wanted = self.batches.iter().filter(|(_, end, _)| *end > from && *end <= visible);
        wanted.flat_map(|(.., bytes)| bytes.to_vec()).collect()
    }
}

#[derive(Debug)]
pub(crate) struct Legacy {
    pub(crate) id: Uuid,
    pub(crate) parts: Vec<Part>,
    pub(crate) nodes: Vec<i32>,
    /// Nobody answers.
    pub(crate) down: bool,
    /// The topic is gone.
    pub(crate) deleted: bool,
    /// What the next writes are answered instead of being taken.
    pub(crate) refuse: VecDeque<ErrorCode>,
    /// What the next writes are answered after they were taken.
    pub(crate) answer_instead: VecDeque<ErrorCode>,
    /// How many of the next writes are taken and never answered.
    pub(crate) swallow: usize,
    /// Largest batch that it takes.
    pub(crate) batch_bytes_max: usize,
    /// Newest version of Produce and Fetch that it offers.
    pub(crate) version_max: i16,
    /// Batches that came, by partition.
    pub(crate) produced: BTreeMap<i32, usize>,
    /// Most partitions of one write.
    pub(crate) widest: usize,
    /// Offsets from which was fetched.
    pub(crate) fetched: Vec<i64>,
    pub(crate) deletions: Vec<(i32, i64)>,
    /// Transactional ids that writes have named, with the version of each.
    pub(crate) transactional: Vec<(String, i16)>,
    /// Coordinators' epochs under which markers were asked for.
    pub(crate) marked: Vec<i32>,
}

impl Legacy {
    pub(crate) fn new(parts: usize) -> Self {
        let part = || Part { leader: 1, epoch: 5, ..Part::default() };
        Self {
            id: Uuid([7; 16]),
            parts: (0..parts).map(|_| part()).collect(),
            nodes: vec![1],
            down: false,
            deleted: false,
            refuse: VecDeque::new(),
            answer_instead: VecDeque::new(),
            swallow: 0,
            batch_bytes_max: usize::MAX,
            version_max: 12,
            produced: BTreeMap::new(),
            widest: 0,
            fetched: Vec::new(),
            deletions: Vec::new(),
            transactional: Vec::new(),
            marked: Vec::new(),
        }
    }

    /// Answers one request at a node; `None`: never.
    pub(crate) fn answer(&mut self, node: i32, whole: &Bytes) -> Option<Bytes> {
        let (header, reader) = frame::read_request_header(whole.slice(4..)).unwrap();
        let (version, correlation) = (header.request_api_version, header.correlation_id);
        macro_rules! framed {
            ($answer:expr) => {
                Some(frame::response_frame(version, correlation, &$answer).unwrap())
            };
        }
        macro_rules! asked {
            ($kind:ty) => {
                <$kind as Message>::decode_rest(reader, version).unwrap()
            };
        }
        match ApiKey::from_code(header.request_api_key).unwrap() {
            ApiKey::ApiVersions => framed!(self.versions()),
            ApiKey::Metadata => framed!(self.metadata(&asked!(MetadataRequest))),
            ApiKey::ListOffsets => framed!(self.ends(node, &asked!(ListOffsetsRequest))),
            ApiKey::Fetch => framed!(self.fetch(node, &asked!(FetchRequest))),
            ApiKey::DeleteRecords => framed!(self.delete(node, &asked!(DeleteRecordsRequest))),
            ApiKey::DescribeProducers => framed!(self.producers(node, &asked!(DescribeProducersRequest))),
            ApiKey::WriteTxnMarkers => {
                let answer = self.mark(node, &asked!(WriteTxnMarkersRequest));
                if self.swallow > 0 {
                    self.swallow -= 1;
                    return None;
                }
                framed!(answer)
            }
            ApiKey::Produce => {
                let answer = self.produce(node, version, &asked!(ProduceRequest));
                if self.swallow > 0 {
                    self.swallow -= 1;
                    return None;
                }
                framed!(answer)
            }
            other => panic!("the reverse feed asked for {other:?}"),
        }
    }

    fn versions(&self) -> ApiVersionsResponse {
        let offered = [
            (ApiKey::Metadata, 12),
            (ApiKey::Fetch, self.version_max),
            (ApiKey::Produce, self.version_max),
            (ApiKey::ListOffsets, 7),
            (ApiKey::DeleteRecords, 2),
            (ApiKey::WriteTxnMarkers, 1),
            (ApiKey::DescribeProducers, 0),
        ];
        let api = |(api, max_version): (ApiKey, i16)| api_versions_response::ApiVersion {
            api_key: api.code(),
            max_version,
            ..Default::default()
        };
        ApiVersionsResponse { api_keys: offered.map(api).into(), ..Default::default() }
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let names: Vec<_> = request.topics.iter().flatten().filter_map(|topic| topic.name.clone()).collect();
        assert_eq!(names, [TOPIC], "only what is brought back is asked for");
        let broker = |node_id: &i32| metadata_response::MetadataResponseBroker {
            node_id: *node_id,
            host: "legacy.example".into(),
            port: 9092,
            ..Default::default()
        };
        let part = |(index, part): (i32, &Part)| metadata_response::MetadataResponsePartition {
            partition_index: index,
            leader_id: part.leader,
            leader_epoch: part.epoch,
            replica_nodes: self.nodes.clone(),
            ..Default::default()
        };
        let mut topic = metadata_response::MetadataResponseTopic {
            name: Some(TOPIC.into()),
            topic_id: self.id,
            partitions: (0..).zip(&self.parts).map(part).collect(),
            ..Default::default()
        };
        if self.deleted {
            topic.error_code = ErrorCode::UnknownTopicOrPartition.code();
            (topic.topic_id, topic.partitions) = (Uuid::default(), Vec::new());
        }
        MetadataResponse {
            brokers: self.nodes.iter().map(broker).collect(),
            topics: vec![topic],
            ..Default::default()
        }
    }

    /// The partition, if this node leads it under this epoch.
    fn led(&mut self, node: i32, index: i32, epoch: i32) -> Result<&mut Part, ErrorCode> {
        if self.deleted {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        let part = self.parts.get_mut(usize::try_from(index).unwrap()).unwrap();
        match () {
            () if part.leader != node => Err(ErrorCode::NotLeaderOrFollower),
            () if epoch >= 0 && epoch < part.epoch => Err(ErrorCode::FencedLeaderEpoch),
            () => Ok(part),
        }
    }

    fn ends(&mut self, node: i32, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let mut partitions = Vec::new();
        for asked in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let found = self.led(node, asked.partition_index, asked.current_leader_epoch);
            let offset = found.map(|part| match (asked.timestamp, request.replica_id) {
                (-2, _) => part.start,
                (-1, -2) => part.end(),
                other => panic!("asked for {other:?}"),
            });
            partitions.push(list_offsets_response::ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                error_code: offset.err().map_or(0, ErrorCode::code),
                offset: offset.map_or(-1, |offset| i64::try_from(offset).unwrap()),
                ..Default::default()
            });
        }
        let topic = list_offsets_response::ListOffsetsTopicResponse {
            name: TOPIC.into(),
            partitions,
            ..Default::default()
        };
        ListOffsetsResponse { topics: vec![topic], ..Default::default() }
    }

    fn fetch(&mut self, node: i32, request: &FetchRequest) -> FetchResponse {
        let mut responses = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for asked in &topic.partitions {
                self.fetched.push(asked.fetch_offset);
                let mut answer =
                    fetch_response::PartitionData { partition_index: asked.partition, ..Default::default() };
                let from = u64::try_from(asked.fetch_offset).unwrap();
                match self.led(node, asked.partition, asked.current_leader_epoch) {
                    Err(error) => answer.error_code = error.code(),
                    Ok(part) if from < part.start || from > part.end() => {
                        answer.error_code = ErrorCode::OffsetOutOfRange.code();
                    }
                    Ok(part) => {
                        answer.log_start_offset = i64::try_from(part.start).unwrap();
                        answer.records = Some(part.read(from).into());
                    }
                }
                partitions.push(answer);
            }
            responses.push(fetch_response::FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions,
                ..Default::default()
            });
        }
        FetchResponse { responses, ..Default::default() }
    }

    fn produce(&mut self, node: i32, version: i16, request: &ProduceRequest) -> ProduceResponse {
        assert_eq!(request.acks, -1);
        self.see_transactions(version, request);
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            self.widest = self.widest.max(topic.partition_data.len());
            let mut partition_responses = Vec::new();
            for data in &topic.partition_data {
                *self.produced.entry(data.index).or_default() += 1;
                let taken = self.take(node, data.index, data.records.as_ref().unwrap());
                let start = self.parts[usize::try_from(data.index).unwrap()].start;
                partition_responses.push(produce_response::PartitionProduceResponse {
                    index: data.index,
                    error_code: taken.err().map_or(0, ErrorCode::code),
                    base_offset: taken.map_or(-1, |base| i64::try_from(base).unwrap()),
                    log_start_offset: i64::try_from(start).unwrap(),
                    ..Default::default()
                });
            }
            responses.push(produce_response::TopicProduceResponse {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partition_responses,
                ..Default::default()
            });
        }
        ProduceResponse { responses, ..Default::default() }
    }

    /// The rules for transactional writes are Kafka's: they name an id, and are of one producer.
    fn see_transactions(&mut self, version: i16, request: &ProduceRequest) {
        let records = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let headers = records.map(|data| BatchHeader::decode(data.records.as_ref().unwrap()).unwrap());
        let transactional = headers.filter(BatchHeader::is_transactional);
        let producers: BTreeSet<_> =
            transactional.map(|each| (each.producer_id, each.producer_epoch)).collect();
        assert!(producers.len() <= 1, "batches of several producers in one request");
        assert_eq!(request.transactional_id.is_some(), !producers.is_empty());
        let named = request.transactional_id.iter().map(|id| (id.as_str().to_owned(), version));
        self.transactional.extend(named);
    }

    /// A leader writes markers with a clock of its own, and from no coordinator that is older than the last.
    fn mark(&mut self, node: i32, request: &WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
        let mut response = WriteTxnMarkersResponse::default();
        for marker in &request.markers {
            self.marked.push(marker.coordinator_epoch);
            let mut topics = Vec::new();
            for topic in &marker.topics {
                let mut partitions = Vec::new();
                for &partition_index in &topic.partition_indexes {
                    let error_code = match self.led(node, partition_index, -1) {
                        Err(error) => error.code(),
                        Ok(part) => part.mark(marker).err().map_or(0, ErrorCode::code),
                    };
                    partitions.push(write_txn_markers_response::WritableTxnMarkerPartitionResult {
                        partition_index,
                        error_code,
                        ..Default::default()
                    });
                }
                topics.push(write_txn_markers_response::WritableTxnMarkerTopicResult {
                    name: topic.name.clone(),
                    partitions,
                    ..Default::default()
                });
            }
            response.markers.push(write_txn_markers_response::WritableTxnMarkerResult {
                producer_id: marker.producer_id,
                topics,
                ..Default::default()
            });
        }
        response
    }

    fn producers(&mut self, node: i32, request: &DescribeProducersRequest) -> DescribeProducersResponse {
        let mut response = DescribeProducersResponse::default();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for &partition_index in &topic.partition_indexes {
                let part = self.led(node, partition_index, -1).unwrap();
                let active = part.coordinators.iter().map(|(&producer_id, &coordinator_epoch)| {
                    describe_producers_response::ProducerState {
                        producer_id,
                        coordinator_epoch,
                        ..Default::default()
                    }
                });
                partitions.push(describe_producers_response::PartitionResponse {
                    partition_index,
                    active_producers: active.collect(),
                    ..Default::default()
                });
            }
            response.topics.push(describe_producers_response::TopicResponse {
                name: topic.name.clone(),
                partitions,
                ..Default::default()
            });
        }
        response
    }

    fn take(&mut self, node: i32, index: i32, batch: &Bytes) -> Result<u64, ErrorCode> {
        if let Some(error) = self.refuse.pop_front() {
            return Err(error);
        }
        if batch.len() > self.batch_bytes_max {
            return Err(ErrorCode::MessageTooLarge);
        }
        let instead = self.answer_instead.pop_front();
        let base = self.led(node, index, -1)?.produce(batch)?;
        instead.map_or(Ok(base), Err)
    }

    fn delete(&mut self, node: i32, request: &DeleteRecordsRequest) -> DeleteRecordsResponse {
        let mut partitions = Vec::new();
        for asked in request.topics.iter().flat_map(|topic| &topic.partitions) {
            self.deletions.push((asked.partition_index, asked.offset));
            let to = u64::try_from(asked.offset).unwrap();
            let low = self.led(node, asked.partition_index, -1).and_then(|part| {
                if to > part.end() {
                    return Err(ErrorCode::OffsetOutOfRange);
                }
                part.start = part.start.max(to);
                part.batches.retain(|(_, end, _)| *end > to);
                Ok(part.start)
            });
            partitions.push(delete_records_response::DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                error_code: low.err().map_or(0, ErrorCode::code),
                low_watermark: low.map_or(-1, |low| i64::try_from(low).unwrap()),
                ..Default::default()
            });
        }
        let topic = delete_records_response::DeleteRecordsTopicResult {
            name: TOPIC.into(),
            partitions,
            ..Default::default()
        };
        DeleteRecordsResponse { topics: vec![topic], ..Default::default() }
    }
}

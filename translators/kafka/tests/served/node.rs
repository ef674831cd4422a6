//! A node without sockets: shards over stores in memory, and clients that talk to sessions in virtual time.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_engine::store::memory::{MemoryDisk, MemoryStore};
use kernel_engine::{RequestKey, Shard};
use kernel_model::batch::{BatchSpec, Codec, NewRecord, VerifiedBatch};
use kernel_model::reply::Chunk;
use kernel_model::{Coordinator, CoordinatorKind, KernelError, Now, OwnerEpoch, Reply, Request, ShardId};
use session::{Answer, Event, LegacyAction, RequestId, Session, UnitId, Violation};
use translator_kafka::access::AccessHandle;
use translator_kafka::catalog::CatalogHandle;
use translator_kafka::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use translator_kafka::codec::messages::metadata_request::MetadataRequestTopic;
use translator_kafka::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use translator_kafka::codec::messages::produce_response::PartitionProduceResponse;
use translator_kafka::codec::messages::{CreateTopicsRequest, MetadataRequest, ProduceRequest};
use translator_kafka::codec::{Message, Request as KafkaRequest, Str, frame};
use translator_kafka::coordinator::access::AccessCoordinator;
use translator_kafka::coordinator::catalog::{CatalogCoordinator, CatalogSettings};
use translator_kafka::coordinator::group::{self, GroupCoordinator};
use translator_kafka::coordinator::transaction::{self, TransactionCoordinator};
use translator_kafka::limits::Limits;
use translator_kafka::placement::{ACCESS, CATALOG, CATALOG_SHARD, GROUPS, TRANSACTIONS};
use translator_kafka::server::{ClusterView, ServerSettings};
use translator_kafka::session::KafkaSession;

use crate::groups::{Forgotten, RecordingGroups, Refusing};

pub(crate) const NODE_ID: i32 = 7;
pub(crate) const START_MS: i64 = 1_700_000_000_000;
const OUTBOX: u64 = u64::MAX;
const DIRECT: u64 = u64::MAX - 1;

pub(crate) struct Node {
    pub(crate) shards: Vec<Shard>,
    disks: Vec<MemoryDisk>,
    owner: u64,
    pub(crate) settings: Arc<ServerSettings>,
    pub(crate) cluster: Arc<ClusterView>,
    pub(crate) now: Now,
    direct: Option<Result<Reply, KernelError>>,
    /// Requests that no shard takes: it hangs.
    pub(crate) hung: bool,
    /// What each shard's groups were told to forget.
    pub(crate) forgotten: Forgotten,
    /// The shard whose groups refuse to forget.
    pub(crate) refusing: Refusing,
}

impl Node {
    pub(crate) fn new(shards: u16) -> Self {
        Self::with(shards, |_| {})
    }

    pub(crate) fn with(shards: u16, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let catalog = CatalogHandle::default();
        let now = Now::new(Duration::from_secs(1), START_MS);
        let mut settings = ServerSettings {
            meters: Arc::default(),
            access: AccessHandle::default(),
            catalog: catalog.clone(),
            shards,
            auto_create_topics: false,
            topics_elsewhere: false,
            long_work: |work| {
                work();
                true
            },
            transactions: false,
            limits: Limits::default(),
        };
        change(&mut settings);
        let (forgotten, refusing) = (Forgotten::default(), Refusing::default());
        let hosts = Hosts { forgotten: forgotten.clone(), refusing: refusing.clone() };
        let disks: Vec<MemoryDisk> = (0..shards).map(|_| MemoryDisk::default()).collect();
        let opened = (0..shards).zip(&disks);
        let opened = opened.map(|(number, disk)| open(number, disk, 1, &settings, &hosts, now)).collect();
        let mut node = Self {
            shards: opened,
            disks,
            owner: 1,
            settings: Arc::new(settings),
            cluster: Arc::new(ClusterView::single(NODE_ID, "node.example", 9092)),
            now,
            direct: None,
            hung: false,
            forgotten: forgotten.clone(),
            refusing: refusing.clone(),
        };
        node.turn(&mut []);
        node
    }

    /// A node that stands alone, with everything that such a one hosts.
    pub(crate) fn transactional(shards: u16) -> Self {
        Self::with(shards, |settings| settings.transactions = true)
    }

    /// Every shard is opened again from what is on its disk; connections are gone.
    pub(crate) fn restart(&mut self) {
        self.owner += 1;
        let hosts = Hosts { forgotten: self.forgotten.clone(), refusing: self.refusing.clone() };
        let numbered = (0..self.settings.shards).zip(&self.disks);
        self.shards = numbered
            .map(|(number, disk)| open(number, disk, self.owner, &self.settings, &hosts, self.now))
            .collect();
        self.turn(&mut []);
    }

    pub(crate) fn client(&self) -> Client {
        let host = "192.0.2.1";
        let session = KafkaSession::new(self.now, self.settings.clone(), self.cluster.clone(), host, 5);
        Client::of(Box::new(session))
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration, clients: &mut [&mut Client]) {
        self.now.elapsed += time;
        self.now.wall_ms += i64::try_from(time.as_millis()).unwrap();
        for shard in &mut self.shards {
            shard.handle_timeout(self.now);
        }
        for client in clients.iter_mut() {
            let outcome = client.session.handle_timeout(self.now);
            client.note(outcome);
        }
        self.turn(clients);
    }

    /// Asks a shard directly.
    pub(crate) fn kernel(&mut self, shard: ShardId, request: Request) -> Result<Reply, KernelError> {
        self.kernel_beside(&mut [], shard, request)
    }

    /// The same while clients wait for something.
    pub(crate) fn kernel_beside(
        &mut self,
        clients: &mut [&mut Client],
        shard: ShardId,
        request: Request,
    ) -> Result<Reply, KernelError> {
        self.direct = None;
        self.shards[usize::from(shard.0)].handle_request(self.now, RequestKey(DIRECT, 0), request);
        self.turn(clients);
        self.direct.take().expect("answered at once")
    }

    /// Runs everything until nothing moves.
    pub(crate) fn turn(&mut self, clients: &mut [&mut Client]) {
        for _ in 0..1000 {
            let mut moved = false;
            for (at, client) in clients.iter_mut().enumerate() {
                moved |= self.take_requests(at as u64, client);
            }
            for at in 0..self.shards.len() {
                moved |= self.run_shard(at, clients);
            }
            if !moved {
                return;
            }
        }
        panic!("the node never comes to rest");
    }

    fn take_requests(&mut self, at: u64, client: &mut Client) -> bool {
        client.feed(self.now);
        let mut moved = false;
        while let Some((id, request)) = client.session.poll_request() {
            moved = true;
            let key = RequestKey(at, id.0);
            match request {
                _ if self.hung => {}
                session::Request::Kernel { shard, request } => {
                    self.shards[usize::from(shard.0)].handle_request(self.now, key, request);
                }
                session::Request::Cancel(_) => self.shards.iter_mut().for_each(|shard| shard.cancel(key)),
                session::Request::Hold(unit) => client.holds.push((id, unit)),
            }
        }
        while let Some(action) = client.session.poll_legacy() {
            moved = true;
            client.legacy.push(action);
        }
        while let Some(event) = client.session.poll_event() {
            client.events.push(event);
        }
        while let Some(bytes) = client.session.poll_transmit() {
            moved = true;
            client.output.extend_from_slice(&bytes);
        }
        moved
    }

    fn run_shard(&mut self, at: usize, clients: &mut [&mut Client]) -> bool {
        let mut moved = false;
        let from = ShardId(u16::try_from(at).unwrap());
        if self.shards[at].poll_timeout().is_some_and(|due| due <= self.now.elapsed) {
            // Coordinators of different shards talk by timers that are due at once.
            self.shards[at].handle_timeout(self.now);
            moved = true;
        }
        self.shards[at].handle_durable(self.now);
        while let Some(entry) = self.shards[at].poll_outbox() {
            moved = true;
            let request = Request::OutboxDeliver { from, position: entry.position, commit: entry.commit };
            let key = RequestKey(OUTBOX, u64::from(from.0) << 32 | entry.position);
            self.shards[usize::from(entry.to.0)].handle_request(self.now, key, request);
        }
        while let Some((key, reply)) = self.shards[at].poll_reply() {
            moved = true;
            match key {
                RequestKey(OUTBOX, position) => {
                    let sender = usize::try_from(position >> 32).unwrap();
                    self.shards[sender].handle_outbox_applied(self.now, from, position & 0xffff_ffff);
                }
                RequestKey(DIRECT, _) => self.direct = Some(reply),
                RequestKey(client, id) => {
                    let answer = reply.map(in_memory).map(Answer::Kernel);
                    let client = usize::try_from(client).unwrap();
                    if let Some(client) = clients.get_mut(client) {
                        client.session.handle_reply(self.now, RequestId(id), answer);
                    }
                }
            }
        }
        moved
    }
}

/// What the groups that stand in are made with.
struct Hosts {
    forgotten: Forgotten,
    refusing: Refusing,
}

fn open(
    number: u16,
    disk: &MemoryDisk,
    owner: u64,
    settings: &ServerSettings,
    hosts: &Hosts,
    now: Now,
) -> Shard {
    let groups: Box<dyn Coordinator> = if settings.transactions {
        Box::new(GroupCoordinator::new(group::Limits::default(), [1, 2], settings.catalog.clone()))
    } else {
        Box::new(RecordingGroups::new(number, hosts.forgotten.clone(), hosts.refusing.clone()))
    };
    let transactions = TransactionCoordinator::new(transaction::Limits::default(), ShardId(number));
    let mut hosted: Vec<(CoordinatorKind, Box<dyn Coordinator>)> =
        vec![(GROUPS, groups), (TRANSACTIONS, Box::new(transactions))];
    if ShardId(number) == CATALOG_SHARD {
        let wanted = CatalogSettings {
            cluster_id: "cluster-1".into(),
            shards: settings.shards,
            node_id: NODE_ID,
            seed: 3,
            ..CatalogSettings::default()
        };
        let catalog = settings.catalog.clone();
        hosted.push((CATALOG, Box::new(CatalogCoordinator::new(wanted, catalog))));
        hosted.push((ACCESS, Box::new(AccessCoordinator::new(settings.access.clone()))));
    }
    let store = Box::new(MemoryStore::open(disk, OwnerEpoch(owner)).unwrap());
    Shard::open(ShardId(number), store, kernel_engine::Limits::default(), hosted, now).unwrap()
}

fn in_memory(mut reply: Reply) -> Reply {
    if let Reply::Records(records) = &mut reply {
        for chunk in &mut records.chunks {
            if let Chunk::Cold(cold) = chunk {
                *chunk = Chunk::Hot(cold.source.read(cold.position, cold.len).unwrap());
            }
        }
    }
    reply
}

pub(crate) struct Client {
    pub(crate) session: Box<dyn Session>,
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// What it asked to be held (a session in front of a legacy cluster only).
    pub(crate) holds: Vec<(RequestId, UnitId)>,
    /// What it wants of its connection to legacy.
    pub(crate) legacy: Vec<LegacyAction>,
    pub(crate) events: Vec<Event>,
    correlation: i32,
    /// Why the session ended.
    pub(crate) ended: Option<Violation>,
}

impl Client {
    pub(crate) fn of(session: Box<dyn Session>) -> Self {
        Self {
            session,
            input: BytesMut::new(),
            output: BytesMut::new(),
            holds: Vec::new(),
            legacy: Vec::new(),
            events: Vec::new(),
            correlation: 0,
            ended: None,
        }
    }

    fn feed(&mut self, now: Now) {
        if self.ended.is_none() && self.session.wants_input() && !self.input.is_empty() {
            let outcome = self.session.handle_input(now, &mut self.input);
            self.note(outcome.map(drop));
        }
        if self.ended.is_none() && self.session.poll_timeout().is_some_and(|at| at <= now.elapsed) {
            let outcome = self.session.handle_timeout(now);
            self.note(outcome);
        }
    }

    pub(crate) fn note(&mut self, outcome: Result<(), Violation>) {
        if let Err(violation) = outcome {
            self.ended.get_or_insert(violation);
        }
    }

    /// Puts a request where the session will find it.
    pub(crate) fn write<R: KafkaRequest>(&mut self, version: i16, request: &R) -> i32 {
        self.correlation += 1;
        let framed = frame::request_frame(version, self.correlation, Some("test".into()), request).unwrap();
        self.input.extend_from_slice(&framed);
        self.correlation
    }

    /// Next response that has arrived, if any.
    pub(crate) fn read<R: KafkaRequest>(&mut self, version: i16) -> Option<(i32, R::Response)> {
        let body = frame::take_frame_mut(&mut self.output, u32::MAX).unwrap()?;
        let (header, reader) = frame::read_response_header(body, R::API, version).unwrap();
        Some((header.correlation_id, Message::decode_rest(reader, version).unwrap()))
    }

    /// Sends a request and reads its response.
    pub(crate) fn ask<R: KafkaRequest>(&mut self, node: &mut Node, version: i16, request: &R) -> R::Response {
        let sent = self.write(version, request);
        node.turn(&mut [self]);
        let (correlation, response) = self.read::<R>(version).expect("a response");
        assert_eq!(correlation, sent);
        response
    }

    pub(crate) fn create(&mut self, node: &mut Node, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
        let response = self.ask(node, 7, &request);
        assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    }

    /// Produces to partition 0 and returns what is said of it.
    pub(crate) fn produce(
        &mut self,
        node: &mut Node,
        topic: &str,
        records: Bytes,
    ) -> PartitionProduceResponse {
        self.produce_at(node, 9, topic, 0, records)
    }

    pub(crate) fn produce_at(
        &mut self,
        node: &mut Node,
        version: i16,
        topic: &str,
        partition: i32,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let request = produce_request(node, version, -1, topic, partition, records);
        let response = self.ask(node, version, &request);
        response.responses[0].partition_responses[0].clone()
    }

    pub(crate) fn metadata(
        &mut self,
        node: &mut Node,
        version: i16,
        names: &[&str],
        create: bool,
    ) -> <MetadataRequest as KafkaRequest>::Response {
        let topics = names
            .iter()
            .map(|name| MetadataRequestTopic { name: Some(Str::from(*name)), ..Default::default() });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        self.ask(node, version, &request)
    }
}

pub(crate) fn produce_request(
    node: &Node,
    version: i16,
    acks: i16,
    topic: &str,
    partition: i32,
    records: Bytes,
) -> ProduceRequest {
    let part = PartitionProduceData { index: partition, records: Some(records), ..Default::default() };
    let id = node.settings.catalog.load().topic(topic).map(|topic| topic.id).unwrap_or_default();
    let by_id = version >= 13;
    let data = TopicProduceData {
        name: if by_id { Str::default() } else { topic.into() },
        topic_id: if by_id { id } else { Default::default() },
        partition_data: vec![part],
        ..Default::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 1000,
        transactional_id: None,
        topic_data: vec![data],
        ..Default::default()
    }
}

/// A batch of these values.
pub(crate) fn batch(values: &[&str]) -> VerifiedBatch {
    batch_as(&BatchSpec::default(), values)
}

pub(crate) fn batch_with(codec: Codec, values: &[&str]) -> VerifiedBatch {
    batch_as(&BatchSpec { codec, ..BatchSpec::default() }, values)
}

pub(crate) fn batch_as(spec: &BatchSpec, values: &[&str]) -> VerifiedBatch {
    let record = |value: &&'static str| NewRecord {
        timestamp_ms: START_MS,
        key: Some(b"k"),
        value: Some(value.as_bytes()),
        headers: &[],
    };
    let values: Vec<&'static str> = values.iter().map(|value| &*String::leak((*value).to_owned())).collect();
    spec.encode(&values.iter().map(record).collect::<Vec<_>>()).unwrap()
}

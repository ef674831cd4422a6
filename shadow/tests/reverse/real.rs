//! The reverse feed against a real Apache Kafka, named by `SLUICE_REVERSE_KAFKA` (`host:port`, one node; see
//! `conformance/peers/kafka`). Run with `cargo test -p shadow --test reverse -- --ignored real`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kernel_engine::store::memory::MemoryStore;
use kernel_engine::{RequestKey, Shard};
use kernel_model::batch::BatchSpec;
use kernel_model::commit::{LogConfig, Op};
use kernel_model::{Commit, LogId, Now, Offset, Reply, Request, ShardId, VerifiedBatch};
use session::{Answer, RequestId};
use shadow::{
    Address, ClosedReason, LinkAction, LinkEvent, LinkId, ReverseConfig, ReverseFeed, ReverseLimits,
    ReverseOrder, ReverseStatus, WayBack,
};
use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use translator_kafka::codec::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse,
};
use translator_kafka::codec::{Message, Request as LegacyRequest, Response, Str, Uuid, frame};

use crate::world::{batch, batch_as};

const LOG: LogId = LogId::new(ShardId(0), 1);
const PATIENCE: Duration = Duration::from_secs(30);

struct Real {
    at: String,
    topic: String,
    feed: ReverseFeed,
    shard: Shard,
    began: Instant,
    links: BTreeMap<LinkId, (TcpStream, BytesMut)>,
    reply: Option<Reply>,
}

fn kafka() -> String {
    std::env::var("SLUICE_REVERSE_KAFKA").expect("SLUICE_REVERSE_KAFKA names a Kafka")
}

fn feed(at: &str) -> ReverseFeed {
    let (host, port) = at.split_once(':').unwrap();
    let bootstrap = vec![Address { host: host.to_owned(), port: port.parse().unwrap() }];
    ReverseFeed::new(ReverseConfig { bootstrap, credentials: None, limits: ReverseLimits::default() })
}

/// Asks legacy directly, past the feed.
fn ask<R: LegacyRequest>(at: &str, version: i16, request: &R) -> R::Response {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(&frame::request_frame(version, 1, Some("test".into()), request).unwrap()).unwrap();
    let mut size = [0; 4];
    socket.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    socket.read_exact(&mut answer).unwrap();
    let (_, reader) =
        frame::read_response_header(Bytes::from(answer), <R::Response as Response>::API, version).unwrap();
    R::Response::decode_rest(reader, version).unwrap()
}

impl Real {
    /// A topic of its own.
    fn new(name: &str) -> Self {
        let at = kafka();
        let began = Instant::now();
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let topic = format!("reverse-{name}-{unique}");
        let create = CreatableTopic {
            name: topic.as_str().into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let create = CreateTopicsRequest { topics: vec![create], timeout_ms: 20_000, ..Default::default() };
        let created: CreateTopicsResponse = ask(&at, 5, &create);
        assert_eq!(created.topics[0].error_code, 0, "{created:?}");
        let now = Now::new(Duration::ZERO, 1_700_000_000_000);
        let limits = kernel_engine::Limits::default();
        let shard = Shard::open(ShardId(0), Box::new(MemoryStore::new()), limits, Vec::new(), now).unwrap();
        let mut real = Self { feed: feed(&at), at, topic, shard, began, links: BTreeMap::new(), reply: None };
        real.kernel(Request::Commit(Commit::of(vec![Op::LogCreate {
            log: LOG,
            config: LogConfig::default(),
            start: Offset(0),
        }])));
        real
    }

    fn now(&self) -> Now {
        let elapsed = self.began.elapsed();
        Now::new(elapsed, 1_700_000_000_000 + i64::try_from(elapsed.as_millis()).unwrap())
    }

    fn kernel(&mut self, request: Request) -> Reply {
        self.reply = None;
        let now = self.now();
        self.shard.handle_request(now, RequestKey(1, 0), request);
        self.turn();
        self.reply.take().unwrap()
    }

    fn append(&mut self, batch: VerifiedBatch) {
        self.kernel(Request::Append { log: LOG, batches: vec![batch], epoch: None });
    }

    fn begin(&mut self, cut: u64) {
        let now = self.now();
        let (topic, topic_id) = (self.topic.clone(), Uuid::default());
        let order = ReverseOrder::Begin {
            topic,
            partition: 0,
            topic_id,
            log: LOG,
            cut,
            compacted: false,
            closed: None,
        };
        self.feed.order(now, order);
    }

    /// The process ends, and another one begins.
    fn restart(&mut self, cut: u64) {
        self.links.clear();
        self.feed = feed(&self.at);
        self.begin(cut);
    }

    fn turn(&mut self) {
        let now = self.now();
        self.shard.handle_timeout(now);
        if self.feed.poll_timeout().is_some_and(|due| due <= now.elapsed) {
            self.feed.handle_timeout(now);
        }
        while let Some((id, action)) = self.feed.poll_link() {
            self.act(now, id, action);
        }
        while let Some((id, request)) = self.feed.poll_request() {
            if let session::Request::Kernel { request, .. } = request {
                self.shard.handle_request(now, RequestKey(0, id.0), request);
            }
        }
        self.shard.handle_durable(now);
        while let Some((RequestKey(whose, id), reply)) = self.shard.poll_reply() {
            match whose {
                0 => self.feed.handle_reply(now, RequestId(id), reply.map(Answer::Kernel)),
                _ => self.reply = Some(reply.unwrap()),
            }
        }
        self.read_links(now);
    }

    fn act(&mut self, now: Now, id: LinkId, action: LinkAction) {
        match action {
            LinkAction::Connect(address) => match TcpStream::connect((address.host.as_str(), address.port)) {
                Ok(socket) => {
                    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                    self.links.insert(id, (socket, BytesMut::new()));
                    self.feed.handle_link(now, id, LinkEvent::Connected);
                }
                Err(_) => self.feed.handle_link(now, id, LinkEvent::Closed),
            },
            LinkAction::Transmit(bytes) => {
                if let Some((socket, _)) = self.links.get_mut(&id) {
                    socket.write_all(&bytes).unwrap();
                }
            }
            LinkAction::Close => {
                self.links.remove(&id);
            }
        }
    }

    fn read_links(&mut self, now: Now) {
        for (id, (socket, input)) in &mut self.links {
            let mut some = [0; 64 << 10];
            if let Ok(count @ 1..) = socket.read(&mut some) {
                input.extend_from_slice(&some[..count]);
                self.feed.handle_link(now, *id, LinkEvent::Bytes(input));
            }
        }
    }

    fn status(&self) -> ReverseStatus {
        self.feed.status_of(self.now(), &self.topic, 0).unwrap()
    }

    #[track_caller]
    fn until(&mut self, done: impl Fn(&ReverseStatus) -> bool) {
        let since = Instant::now();
        while !done(&self.status()) {
            assert!(since.elapsed() < PATIENCE, "{:?}", self.status());
            self.turn();
        }
    }

    #[track_caller]
    fn brought(&mut self, position: u64) {
        self.until(|status| status.position == Some(position) && status.way_back == WayBack::Open);
    }

    /// Offset and checksum of each batch that legacy holds.
    fn held(&self) -> Vec<(u64, u32)> {
        let partition = FetchPartition {
            fetch_offset: 0,
            current_leader_epoch: -1,
            partition_max_bytes: 8 << 20,
            ..Default::default()
        };
        let fetch = FetchRequest {
            replica_id: -1,
            max_bytes: 8 << 20,
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic: self.topic.as_str().into(),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer: FetchResponse = ask(&self.at, 11, &fetch);
        let mut records = answer.responses[0].partitions[0].records.clone().unwrap_or_default();
        let batches = kernel_model::batch::split(&mut records).unwrap();
        batches.iter().map(|each| (each.header().base_offset.0, each.header().crc)).collect()
    }

    /// Writes to legacy past the proxy; answers error and offset.
    fn write(&self, batch: &VerifiedBatch) -> (i16, i64) {
        let data = PartitionProduceData { records: Some(batch.bytes().clone()), ..Default::default() };
        let topic = TopicProduceData {
            name: Str::from(self.topic.as_str()),
            partition_data: vec![data],
            ..Default::default()
        };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
        let answer: ProduceResponse = ask(&self.at, 9, &request);
        let row = &answer.responses[0].partition_responses[0];
        (row.error_code, row.base_offset)
    }
}

fn sent(producer_id: i64, sequence: i32) -> VerifiedBatch {
    let spec = BatchSpec { producer_id, producer_epoch: 0, base_sequence: sequence, ..BatchSpec::default() };
    batch_as(&spec, &["v"])
}

#[test]
#[ignore = "needs a real Kafka"]
fn real_kafka_takes_what_the_kernel_wrote_and_remembers_its_producers() {
    let mut real = Real::new("brings");
    real.begin(0);
    let mut crcs = Vec::new();
    // A producer of the kernel's own, whose first batch here is not its first.
    for sequence in 5..25 {
        let batch = sent(1 << 40, sequence);
        crcs.push((u64::try_from(sequence - 5).unwrap(), batch.header().crc));
        real.append(batch);
    }
    real.brought(20);
    assert_eq!(real.held(), crcs);
    // The answers of legacy that settling has to reckon with.
    assert_eq!(real.write(&sent(1 << 40, 24)), (0, 19), "one of the last five: where it lies");
    assert_eq!(real.write(&sent(1 << 40, 10)).0, 45, "an older one is out of order too, not a duplicate");
    assert_eq!(real.write(&sent(1 << 40, 30)).0, 45, "a hole: OUT_OF_ORDER_SEQUENCE_NUMBER");
    assert_eq!(real.held().len(), 20);
    // After a rollback the producer goes on there.
    assert_eq!(real.write(&sent(1 << 40, 25)), (0, 20));
    real.until(|status| status.way_back == WayBack::Closed(ClosedReason::Bypassed { at: 20 }));
}

#[test]
#[ignore = "needs a real Kafka"]
fn real_kafka_gets_each_batch_once_although_connections_break() {
    let mut real = Real::new("breaks");
    real.begin(0);
    for round in 0..30_u64 {
        real.append(batch(&[&format!("round {round}")]));
        if round % 10 == 9 {
            // Somewhere between sending and the answer.
            for _ in 0..round {
                real.turn();
            }
            real.restart(0);
        }
    }
    real.brought(30);
    let offsets: Vec<u64> = real.held().iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..30).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs a real Kafka"]
fn real_kafka_refuses_what_is_too_large_for_it() {
    let mut real = Real::new("large");
    real.begin(0);
    real.append(batch(&["small"]));
    real.append(batch(&[&"x".repeat(2 << 20)]));
    real.until(|status| matches!(status.way_back, WayBack::Closed(ClosedReason::TooLarge { at: 1, .. })));
    assert_eq!(real.held().len(), 1);
}

#[test]
#[ignore = "needs a real Kafka"]
fn real_kafka_removes_what_the_kernel_has_removed() {
    let mut real = Real::new("removes");
    real.begin(0);
    for _ in 0..5 {
        real.append(batch(&["v"]));
    }
    real.brought(5);
    real.kernel(Request::Commit(Commit::of(vec![Op::LogTrim { log: LOG, start: Offset(3) }])));
    let since = Instant::now();
    let mut told = false;
    while !told {
        assert!(since.elapsed() < PATIENCE);
        real.turn();
        while let Some(fact) = real.feed.poll_fact() {
            told |= matches!(fact, shadow::ReverseFact::Deleted { start: 3, .. });
        }
    }
}

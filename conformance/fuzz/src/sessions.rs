//! Whole sessions: a client's bytes at the kernel's listener and at the relay, legacy's bytes at the relay and at
//! the feed's link. Nobody answers but with errors; time stands still, then passes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use kernel_model::{KernelError, LogId, Now};
use session::{LegacyAction, LegacyEvent, LegacyNode, Request as Asked, Session, Side, UnitId};
use shadow::{Credentials, Link};
use translator_kafka::access::AccessHandle;
use translator_kafka::canary::Readers;
use translator_kafka::catalog::CatalogHandle;
use translator_kafka::codec::messages::*;
use translator_kafka::codec::{Request, Uuid, frame};
use translator_kafka::gateway::{
    ClusterShared, Endpoint, GatewayLimits, GatewaySession, KERNEL_NODE_BASE, LoginSecret, NodeTable, Nodes,
    Role, RouteTable, Routes, TopicRoute, Unit,
};
use translator_kafka::limits::Limits;
use translator_kafka::server::{ClusterView, Server, ServerSettings};
use translator_kafka::session::KafkaSession;

/// More polls than this of one session for one input, and it is taken to be caught in a loop.
const POLLS_MAX: usize = 100_000;
/// Legacy's port, which must never reach a client.
const LEGACY_PORT: i32 = 9001;

fn start() -> Now {
    Now::new(Duration::from_secs(1), 1_700_000_000_000)
}

fn settings() -> Arc<ServerSettings> {
    Arc::new(ServerSettings {
        catalog: CatalogHandle::default(),
        access: AccessHandle::default(),
        meters: Arc::default(),
        shards: 2,
        auto_create_topics: true,
        topics_elsewhere: false,
        long_work: |work| {
            work();
            true
        },
        transactions: true,
        limits: Limits::default(),
    })
}

/// One session with what its peers have sent it.
struct Driven {
    session: Box<dyn Session>,
    input: BytesMut,
    ended: bool,
    polls: usize,
}

impl Driven {
    fn new(session: impl Session + 'static) -> Self {
        Self { session: Box::new(session), input: BytesMut::new(), ended: false, polls: 0 }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while !self.ended && self.session.wants_input() {
            let before = self.input.len();
            self.ended = self.session.handle_input(start(), &mut self.input).is_err();
            self.drain();
            if self.input.len() == before {
                break;
            }
        }
    }

    /// Takes all that it wants to be done.
    fn drain(&mut self) {
        loop {
            self.polls += 1;
            assert!(self.polls < POLLS_MAX, "it never has enough");
            let mut busy = self.session.poll_transmit().is_some() | self.session.poll_event().is_some();
            if let Some((id, request)) = self.session.poll_request() {
                busy = true;
                if !matches!(request, Asked::Cancel(_)) {
                    let nobody = KernelError::Stopped("nobody is there".to_owned());
                    self.session.handle_reply(start(), id, Err(nobody));
                }
            }
            if let Some(action) = self.session.poll_legacy() {
                busy = true;
                if matches!(action, LegacyAction::Connect(_)) {
                    self.ended |= self.session.handle_legacy(start(), LegacyEvent::Connected).is_err();
                }
            }
            if !busy {
                return;
            }
        }
    }

    /// Time passes until nothing is due.
    fn pass(&mut self) {
        let mut now = start();
        for _ in 0..1_000 {
            let Some(due) = self.session.poll_timeout().filter(|_| !self.ended) else { return };
            now.elapsed = now.elapsed.max(due);
            self.ended = self.session.handle_timeout(now).is_err();
            self.drain();
        }
    }
}

/// A client's bytes at the kernel's own listener.
pub(crate) fn listener(input: &[u8]) {
    let view = Arc::new(ClusterView::single(7, "node.example", 9092));
    let mut driven = Driven::new(KafkaSession::new(start(), settings(), view, "192.0.2.1", 5));
    driven.says(input);
    driven.pass();
}

fn gateway() -> Driven {
    let id = Uuid([7; 16]);
    let unit = |partition: i32, side| {
        let unit = Unit::new(UnitId::new(&format!("c/t/{partition}")), side);
        unit.set_log(LogId(u64::try_from(partition).unwrap_or(0)));
        unit.set_kernel_epoch(40);
        Arc::new(unit)
    };
    let mut table = RouteTable::default();
    let partitions = BTreeMap::from([(0, unit(0, Side::Legacy)), (1, unit(1, Side::Kernel))]);
    table.insert_topic("t", TopicRoute { id, partitions });
    table.insert_group("g", Arc::new(Unit::new(UnitId::new("c/group/g"), Side::Kernel)));
    let routes = Routes::new(Duration::MAX);
    routes.publish(table);
    let at = |port| Endpoint { host: "sluice.example".into(), port };
    let nodes = NodeTable {
        legacy: BTreeMap::from([(1, at(LEGACY_PORT))]),
        kernel: BTreeMap::from([(KERNEL_NODE_BASE, at(9100))]),
    };
    let view = ClusterView::single(KERNEL_NODE_BASE, "sluice.example", 9100);
    let shared = ClusterShared {
        routes,
        nodes: Nodes::new(nodes),
        view: ArcSwap::from_pointee(view),
        readers: Readers::default(),
        limits: GatewayLimits::default(),
        sasl: false,
        realm: "events".to_owned(),
        access: AccessHandle::default(),
        learn_users: true,
        secret: LoginSecret([7; 32]),
    };
    let shared = Arc::new(shared);
    let server = Server::new(settings(), shared.view.load_full(), "192.0.2.1", 5);
    Driven::new(GatewaySession::new(Role::Legacy(LegacyNode::Id(1)), shared, server, start()))
}

/// A client's bytes at the relay to a legacy that never answers.
pub(crate) fn relay_client(input: &[u8]) {
    let mut driven = gateway();
    driven.says(input);
    driven.pass();
}

/// Legacy's answers at the relay. The first byte chooses the client's request and its version, the rest is the body
/// of the answer, under the right size and correlation id; or, from 0x80 on, whatever legacy sends.
pub(crate) fn relay_legacy(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else { return };
    let requests = requests();
    let Some(request) = requests.get(usize::from(choice & 0x7f) % requests.len()) else { return };
    let mut driven = gateway();
    driven.says(request);
    let mut answer = BytesMut::new();
    if choice < 0x80 {
        let size = u32::try_from(rest.len() + 4).unwrap_or(0);
        answer.extend_from_slice(&size.to_be_bytes());
        answer.extend_from_slice(&CORRELATION.to_be_bytes());
    }
    answer.extend_from_slice(rest);
    if !driven.ended {
        driven.ended = driven.session.handle_legacy(start(), LegacyEvent::Bytes(&mut answer)).is_err();
    }
    driven.drain();
    driven.pass();
}

const CORRELATION: i32 = 9;

fn whole<R: Request>(version: i16, request: &R) -> Option<Vec<u8>> {
    frame::request_frame(version, CORRELATION, Some("c".into()), request).ok().map(|frame| frame.to_vec())
}

/// One frame of each request that the relay looks into, in its oldest and newest layout.
fn requests() -> Vec<Vec<u8>> {
    fn both<R: Request + Default>(frames: &mut Vec<Vec<u8>>, versions: [i16; 2]) {
        frames.extend(versions.into_iter().filter_map(|version| whole(version, &R::default())));
    }
    let mut frames = Vec::new();
    both::<ApiVersionsRequest>(&mut frames, [0, 4]);
    both::<MetadataRequest>(&mut frames, [1, 13]);
    both::<FetchRequest>(&mut frames, [4, 17]);
    both::<ListOffsetsRequest>(&mut frames, [1, 10]);
    both::<FindCoordinatorRequest>(&mut frames, [0, 6]);
    both::<OffsetForLeaderEpochRequest>(&mut frames, [2, 4]);
    both::<DescribeClusterRequest>(&mut frames, [0, 2]);
    both::<DescribeTopicPartitionsRequest>(&mut frames, [0, 0]);
    both::<OffsetFetchRequest>(&mut frames, [1, 9]);
    both::<OffsetCommitRequest>(&mut frames, [2, 9]);
    both::<DescribeGroupsRequest>(&mut frames, [0, 6]);
    both::<ListGroupsRequest>(&mut frames, [0, 5]);
    both::<JoinGroupRequest>(&mut frames, [0, 9]);
    both::<HeartbeatRequest>(&mut frames, [0, 4]);
    both::<SaslHandshakeRequest>(&mut frames, [0, 1]);
    both::<DeleteGroupsRequest>(&mut frames, [0, 2]);
    both::<ShareGroupHeartbeatRequest>(&mut frames, [1, 1]);
    both::<ProduceRequest>(&mut frames, [3, 13]);
    frames
}

pub(crate) fn client_seeds() -> Vec<Vec<u8>> {
    let mut seeds = requests();
    seeds.push(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    seeds.push(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec());
    seeds.push(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec());
    seeds.push(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec());
    let glued = seeds.concat();
    seeds.push(glued);
    seeds
}

pub(crate) fn legacy_seeds() -> Vec<Vec<u8>> {
    let count = u8::try_from(requests().len()).unwrap_or(0);
    let mut seeds: Vec<Vec<u8>> = (0..count).map(|choice| [&[choice][..], &[0; 40]].concat()).collect();
    seeds.push(vec![0x80, 0x7f, 0xff, 0xff, 0xff]);
    seeds
}

/// Legacy's bytes at a link of the feed: the handshake, then one answer to each request that is under way.
pub(crate) fn link(input: &[u8]) {
    for credentials in [None, Some(Credentials { user: "u".to_owned(), password: "p".to_owned() })] {
        let mut link: Link<u8> = Link::new(credentials);
        let mut bytes = BytesMut::from(input);
        if link.connected(start()).is_err() {
            continue;
        }
        for round in 0..64 {
            while link.poll_transmit().is_some() {}
            match link.take(start(), &mut bytes) {
                Err(_) => break,
                Ok(None) if !link.is_ready() || round > 0 => break,
                Ok(None) => {
                    let _sent = link.call(start(), 12, &FetchRequest::default(), 0, Duration::ZERO);
                    let _sent = link.call(start(), 9, &MetadataRequest::default(), 1, Duration::ZERO);
                }
                Ok(Some(answer)) => {
                    let _decoded = answer.decode::<FetchResponse>();
                    let _decoded = answer.decode::<MetadataResponse>();
                }
            }
        }
    }
}

pub(crate) fn link_seeds() -> Vec<Vec<u8>> {
    let framed = |frame: Result<Bytes, _>| frame.map(|frame| frame.to_vec()).unwrap_or_default();
    let versions = api_versions_response::ApiVersion {
        api_key: 1,
        min_version: 4,
        max_version: 12,
        ..Default::default()
    };
    let greeting = ApiVersionsResponse { api_keys: vec![versions], ..Default::default() };
    let greeting = framed(frame::response_frame(0, 0, &greeting));
    let fetched = framed(frame::response_frame(12, 1, &FetchResponse::default()));
    let metadata = framed(frame::response_frame(9, 2, &MetadataResponse::default()));
    let hello = framed(frame::response_frame(1, 1, &SaslHandshakeResponse::default()));
    let login = framed(frame::response_frame(1, 2, &SaslAuthenticateResponse::default()));
    vec![[greeting.clone(), fetched, metadata].concat(), [greeting, hello, login].concat()]
}

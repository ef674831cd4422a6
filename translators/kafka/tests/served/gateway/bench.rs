//! A cluster in migration without sockets: the kernel's side is a node of real shards, legacy's is whatever
//! bytes a test answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use session::{Answer, LegacyAction, LegacyEvent, LegacyNode, Side, UnitId};
use translator_kafka::canary::Readers;
use translator_kafka::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use translator_kafka::codec::messages::{ProduceRequest, ProduceResponse, produce_response};
use translator_kafka::codec::{Request as KafkaRequest, Uuid, frame};
use translator_kafka::gateway::{
    ClusterShared, Endpoint, GatewayLimits, GatewaySession, KERNEL_NODE_BASE, LoginSecret, NodeTable, Nodes,
    Role, RouteTable, Routes, TopicRoute, Unit,
};
use translator_kafka::server::{ClusterView, Server};

use crate::node::{Client, Node, batch};

/// Where legacy listens: must never reach a client. The port is a number that nothing else spells.
pub(crate) const LEGACY_HOST: &str = "broker.legacy.internal";
pub(crate) const LEGACY_PORT: i32 = 0x5ead_bee5;
pub(crate) const KERNEL: i32 = KERNEL_NODE_BASE;
pub(crate) const AT_LEGACY: Role = Role::Legacy(LegacyNode::Id(1));
pub(crate) const ANYWHERE: Role = Role::Legacy(LegacyNode::Any);
pub(crate) const EPOCH: i32 = 40;

pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) shared: Arc<ClusterShared>,
    /// The units of topic `t`.
    pub(crate) parts: Vec<Arc<Unit>>,
    /// The unit of group `g`; `other` is of no migration.
    pub(crate) group: Arc<Unit>,
    pub(crate) id: Uuid,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(false, GatewayLimits::default())
    }

    pub(crate) fn with(sasl: bool, limits: GatewayLimits) -> Self {
        let mut node = Node::with(2, |settings| settings.topics_elsewhere = true);
        let mut admin = node.client();
        admin.create(&mut node, "t", 3, &[]);
        let topic = node.settings.catalog.load().topic("t").unwrap().clone();
        let unit = |partition: i32| {
            let unit = Unit::new(UnitId::new(&format!("c/t/{partition}")), Side::Legacy);
            unit.set_log(topic.partition(partition).unwrap().log);
            unit.set_kernel_epoch(EPOCH);
            Arc::new(unit)
        };
        let parts: Vec<_> = (0..3).map(unit).collect();
        let group = Arc::new(Unit::new(UnitId::new("c/group/g"), Side::Legacy));
        let mut table = RouteTable::default();
        let partitions = (0..).zip(parts.iter().cloned()).collect();
        table.insert_topic("t", TopicRoute { id: topic.id, partitions });
        table.insert_group("g", Arc::clone(&group));
        let routes = Routes::new(Duration::MAX);
        routes.publish(table);
        let at = |port| Endpoint { host: "sluice.example".into(), port };
        let nodes = NodeTable {
            legacy: BTreeMap::from([(1, at(9001)), (2, at(9002))]),
            kernel: BTreeMap::from([(KERNEL, at(9100))]),
        };
        let shared = ClusterShared {
            routes,
            nodes: Nodes::new(nodes),
            view: ArcSwap::from_pointee(ClusterView::single(KERNEL, "sluice.example", 9100)),
            readers: Readers::default(),
            limits,
            sasl,
            realm: "events".to_owned(),
            access: node.settings.access.clone(),
            learn_users: true,
            secret: LoginSecret([7; 32]),
        };
        Self { node, shared: Arc::new(shared), parts, group, id: topic.id }
    }

    pub(crate) fn open(&self, role: Role) -> Client {
        let view = self.shared.view.load_full();
        let server = Server::new(self.node.settings.clone(), view, "192.0.2.1", 5);
        Client::of(Box::new(GatewaySession::new(role, self.shared.clone(), server, self.node.now)))
    }

    /// The kernel becomes the primary of a partition.
    pub(crate) fn move_part(&self, partition: usize) {
        self.shared.routes.release(&self.parts[partition], Side::Kernel);
    }

    pub(crate) fn move_group(&self) {
        self.shared.routes.release(&self.group, Side::Kernel);
    }

    /// What has been sent to legacy since the last call: whole frames, size prefix included. A connection
    /// that is wanted is made.
    pub(crate) fn sent(&mut self, client: &mut Client) -> Vec<Bytes> {
        let mut frames = Vec::new();
        loop {
            self.node.turn(&mut [client]);
            if client.legacy.is_empty() {
                return frames;
            }
            for action in std::mem::take(&mut client.legacy) {
                match action {
                    LegacyAction::Connect(_) => {
                        let outcome = client.session.handle_legacy(self.node.now, LegacyEvent::Connected);
                        client.note(outcome.map(drop));
                    }
                    LegacyAction::Transmit(frame) => frames.push(frame),
                    LegacyAction::Close => {}
                }
            }
        }
    }

    /// Legacy sends these bytes.
    pub(crate) fn legacy_says(&mut self, client: &mut Client, bytes: &[u8]) {
        let mut input = BytesMut::from(bytes);
        let outcome = client.session.handle_legacy(self.node.now, LegacyEvent::Bytes(&mut input));
        client.note(outcome.map(drop));
        self.node.turn(&mut [client]);
    }

    /// Legacy answers the frame with this body.
    pub(crate) fn legacy_answers<R: KafkaRequest>(
        &mut self,
        client: &mut Client,
        request: &Bytes,
        answer: &R::Response,
    ) {
        let head = head(request);
        let whole = frame::response_frame(head.api_version, head.correlation_id, answer).unwrap();
        self.legacy_says(client, &whole);
    }

    /// Legacy goes away.
    pub(crate) fn legacy_closes(&mut self, client: &mut Client) {
        let outcome = client.session.handle_legacy(self.node.now, LegacyEvent::Closed("it went away"));
        client.note(outcome.map(drop));
        self.node.turn(&mut [client]);
    }

    /// Sends a request, has legacy answer it, and returns what legacy was sent and the client answered.
    pub(crate) fn through<R: KafkaRequest>(
        &mut self,
        client: &mut Client,
        version: i16,
        request: &R,
        answer: &R::Response,
    ) -> (R, R::Response) {
        let correlation = client.write(version, request);
        let sent = self.sent(client);
        assert_eq!(sent.len(), 1, "{}: one frame goes to legacy; {:?}", R::NAME, client.ended);
        self.legacy_answers::<R>(client, &sent[0], answer);
        let (of, response) = client.read::<R>(version).unwrap_or_else(|| panic!("{:?}", client.ended));
        assert_eq!(of, correlation);
        (request_of(&sent[0]), response)
    }

    /// Sends a request that legacy must not see, and returns the answer.
    pub(crate) fn without_legacy<R: KafkaRequest>(
        &mut self,
        client: &mut Client,
        version: i16,
        request: &R,
    ) -> R::Response {
        let correlation = client.write(version, request);
        assert!(self.sent(client).is_empty(), "{} v{version} reached legacy", R::NAME);
        let (of, response) = client.read::<R>(version).unwrap_or_else(|| panic!("{:?}", client.ended));
        assert_eq!(of, correlation);
        response
    }

    /// Tells the client that the unit it waits for is released.
    pub(crate) fn released(&mut self, client: &mut Client) {
        for (id, _) in std::mem::take(&mut client.holds) {
            client.session.handle_reply(self.node.now, id, Ok(Answer::Released));
        }
        self.node.turn(&mut [client]);
    }

    /// A produce of one value to each of these partitions of `t`.
    pub(crate) fn produce(&self, version: i16, acks: i16, parts: &[i32], value: &str) -> ProduceRequest {
        let part = |index: &i32| PartitionProduceData {
            index: *index,
            records: Some(batch(&[value]).bytes().clone()),
            ..Default::default()
        };
        let by_id = version >= 13;
        let topic = TopicProduceData {
            name: if by_id { "".into() } else { "t".into() },
            topic_id: if by_id { self.id } else { Uuid::default() },
            partition_data: parts.iter().map(part).collect(),
            ..Default::default()
        };
        ProduceRequest { acks, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() }
    }

    /// The values stored in a partition of the kernel's copy.
    pub(crate) fn kernel_end(&mut self, partition: usize) -> u64 {
        let log = self.parts[partition].log().unwrap();
        match self.node.kernel(log.shard(), kernel_model::Request::Describe { log }).unwrap() {
            kernel_model::Reply::Described(info) => info.durable_end.0,
            other => panic!("{other:?}"),
        }
    }
}

/// Legacy's answer to a produce: all is well, from this offset on.
pub(crate) fn produced(request: &ProduceRequest, base_offset: i64) -> ProduceResponse {
    let part = |part: &PartitionProduceData| produce_response::PartitionProduceResponse {
        index: part.index,
        base_offset,
        log_append_time_ms: -1,
        ..Default::default()
    };
    let topic = |topic: &TopicProduceData| produce_response::TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(part).collect(),
        ..Default::default()
    };
    ProduceResponse { responses: request.topic_data.iter().map(topic).collect(), ..Default::default() }
}

pub(crate) fn head(whole: &Bytes) -> frame::RequestHead {
    frame::peek_request(&whole.slice(4..)).unwrap()
}

pub(crate) fn request_of<R: KafkaRequest>(whole: &Bytes) -> R {
    let (header, reader) = frame::read_request_header(whole.slice(4..)).unwrap();
    assert_eq!(header.request_api_key, R::API.code());
    R::decode_rest(reader, header.request_api_version).unwrap()
}

/// Whether bytes tell of legacy's address.
pub(crate) fn names_legacy(bytes: &[u8]) -> bool {
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    has(LEGACY_HOST.as_bytes()) || has(&LEGACY_PORT.to_be_bytes())
}

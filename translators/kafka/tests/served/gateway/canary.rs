//! The canary: who is named the kernel's node, what it serves of its copy, and how clients get back to legacy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel_model::batch::BatchSpec;
use kernel_model::request::MirrorOrigin;
use kernel_model::{LogEpoch, Offset, Reply, Request};
use session::{Side, UnitId};
use translator_kafka::canary::{ReaderId, Standing};
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use translator_kafka::codec::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse, FetchRequest,
    FetchResponse, MetadataRequest, MetadataResponse,
};
use translator_kafka::codec::{ApiKey, Uuid};
use translator_kafka::coordinator::message::{CatalogMessage, CatalogReply, MirrorPartition};
use translator_kafka::errors::ErrorCode;
use translator_kafka::gateway::{Role, RouteTable, TopicRoute, Unit};
use translator_kafka::placement::{CATALOG, CATALOG_SHARD};
use translator_kafka::server::{ClusterView, Node as ServedNode};

use super::bench::{AT_LEGACY, KERNEL, World};
use crate::node::{Client, batch_as};

const MIRRORED: Uuid = Uuid([5; 16]);
/// Legacy's epoch, as clients see it.
const NOW: i32 = 12;

fn fit() -> Standing {
    Standing { leader: Some(1), epoch: NOW, unfit: None }
}

/// A world whose topic `m` legacy leads and the kernel follows.
struct Canary {
    world: World,
    unit: Arc<Unit>,
}

impl Canary {
    fn new(percent: u8) -> Self {
        let mut world = World::new();
        let message = CatalogMessage::MirrorTopic {
            name: "m".into(),
            id: MIRRORED.0,
            partitions: vec![MirrorPartition { start: 0, epoch: 2 }],
            configs: BTreeMap::new(),
        };
        let request = Request::Coordinate { kind: CATALOG, message: message.to_bytes() };
        let Reply::Coordinated(reply) = world.node.kernel(CATALOG_SHARD, request).unwrap() else {
            panic!("a coordinator answers")
        };
        assert_eq!(CatalogReply::from_bytes(&reply), Some(CatalogReply::Done));
        let unit = Arc::new(Unit::new(UnitId::new("c/m/0"), Side::Legacy));
        unit.set_log(world.node.settings.catalog.load().topic("m").unwrap().partitions[0].log);
        let mut table: RouteTable = (*world.shared.routes.table().clone()).clone();
        let partitions = BTreeMap::from([(0, Arc::clone(&unit))]);
        table.insert_topic("m", TopicRoute { id: MIRRORED, partitions });
        world.shared.routes.publish(table);
        let mut view = ClusterView::single(KERNEL, "sluice.example", 9100);
        view.nodes.push(ServedNode { id: 1, host: "sluice.example".into(), port: 9001, rack: None });
        world.shared.view.store(Arc::new(view));
        world.shared.routes.set_canary(&unit, Some(percent));
        unit.canary().stand(fit());
        Self { world, unit }
    }

    /// The feed brings records of one offset each and confirms them up to there.
    fn feed(&mut self, offsets: std::ops::Range<u64>, confirm: u64) {
        self.feed_beside(&mut [], offsets, confirm);
    }

    fn feed_beside(&mut self, clients: &mut [&mut Client], offsets: std::ops::Range<u64>, confirm: u64) {
        let at = |offset| {
            let (base_offset, leader_epoch) = (Offset(offset), LogEpoch(NOW));
            batch_as(&BatchSpec { base_offset, leader_epoch, ..BatchSpec::default() }, &["v"])
        };
        let log = self.unit.log().unwrap();
        let mirror = Request::Mirror {
            log,
            from: Some(Offset(offsets.start)),
            batches: offsets.map(at).collect(),
            origin: MirrorOrigin::Feed,
            confirm: Some(Offset(confirm)),
            start: None,
        };
        self.world.node.kernel_beside(clients, log.shard(), mirror).unwrap();
    }

    fn reader(&self) -> ReaderId {
        ReaderId::new("test", "192.0.2.1")
    }

    /// A client that knows the kernel's node from metadata.
    fn told(&mut self, version: i16) -> (Client, MetadataResponsePartition) {
        let mut client = self.world.open(AT_LEGACY);
        self.greet(&mut client);
        let part = self.metadata(&mut client, version);
        (client, part)
    }

    /// The client names its software.
    fn greet(&mut self, client: &mut Client) {
        let hello = ApiVersionsRequest {
            client_software_name: "apache-kafka-java".into(),
            client_software_version: "4.4.0".into(),
            ..Default::default()
        };
        self.world.through(client, 3, &hello, &ApiVersionsResponse::default());
    }

    fn metadata(&mut self, client: &mut Client, version: i16) -> MetadataResponsePartition {
        let (_, answer) =
            self.world.through(client, version, &MetadataRequest::default(), &legacy_metadata());
        assert_eq!(answer.brokers.iter().filter(|broker| broker.node_id == KERNEL).count(), 1);
        answer.topics[0].partitions[0].clone()
    }

    /// Legacy's answer to a fetch, as the client gets it.
    fn fetch_at_legacy(&mut self, client: &mut Client, version: i16) -> PartitionData {
        let request = fetch(version, 0, 0);
        let (_, answer) = self.world.through(client, version, &request, &legacy_fetched(version));
        answer.responses[0].partitions[0].clone()
    }

    fn fetch_here(&mut self, client: &mut Client, version: i16, offset: i64, epoch: i32) -> FetchResponse {
        self.world.without_legacy(client, version, &fetch(version, offset, epoch))
    }
}

fn legacy_metadata() -> MetadataResponse {
    let partition = MetadataResponsePartition {
        leader_id: 1,
        leader_epoch: NOW,
        replica_nodes: vec![1, 2],
        isr_nodes: vec![1, 2],
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some("m".into()),
        topic_id: MIRRORED,
        partitions: vec![partition],
        ..Default::default()
    };
    let broker = |node_id| MetadataResponseBroker { node_id, ..Default::default() };
    MetadataResponse { brokers: vec![broker(1), broker(2)], topics: vec![topic], ..Default::default() }
}

fn fetch(version: i16, offset: i64, epoch: i32) -> FetchRequest {
    let by_id = version >= 13;
    let current_leader_epoch = if version >= 9 { epoch } else { -1 };
    let part = FetchPartition {
        fetch_offset: offset,
        current_leader_epoch,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: if by_id { "".into() } else { "m".into() },
        topic_id: if by_id { MIRRORED } else { Uuid::ZERO },
        partitions: vec![part],
        ..Default::default()
    };
    FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        max_wait_ms: 500,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

fn legacy_fetched(version: i16) -> FetchResponse {
    let part = PartitionData {
        high_watermark: 9,
        last_stable_offset: 9,
        records: Some(Bytes::from_static(b"as they are")),
        ..Default::default()
    };
    let topic = FetchableTopicResponse {
        topic: if version >= 13 { "".into() } else { "m".into() },
        topic_id: if version >= 13 { MIRRORED } else { Uuid::ZERO },
        partitions: vec![part],
        ..Default::default()
    };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

fn versions() -> std::ops::RangeInclusive<i16> {
    11..=*ApiKey::Fetch.spec().versions().end()
}

/// Error and preferred replica of the only partition.
fn back_to(answer: &FetchResponse) -> (i16, i32) {
    let part = &answer.responses[0].partitions[0];
    (part.error_code, part.preferred_read_replica)
}

fn bytes(part: &PartitionData) -> usize {
    part.records.as_ref().map_or(0, Bytes::len)
}

#[test]
fn a_chosen_consumer_is_named_the_kernels_node_and_given_no_records_in_every_version() {
    for version in versions() {
        let mut canary = Canary::new(100);
        let (mut client, shown) = canary.told(9);
        assert_eq!((shown.leader_id, shown.leader_epoch), (1, NOW), "the leader stays");
        assert_eq!((shown.replica_nodes, shown.isr_nodes), (vec![1, 2, KERNEL], vec![1, 2, KERNEL]));
        let part = canary.fetch_at_legacy(&mut client, version);
        assert_eq!(
            (part.error_code, part.preferred_read_replica, bytes(&part)),
            (0, KERNEL, 0),
            "v{version}"
        );
        assert_eq!(part.high_watermark, 9);
        assert_eq!(canary.world.shared.readers.totals().named, 1);
    }
}

#[test]
fn nobody_else_is() {
    for version in 4..=*ApiKey::Fetch.spec().versions().end() {
        let stays = |canary: &mut Canary, why: &str| {
            let (mut client, _) = canary.told(9);
            let part = canary.fetch_at_legacy(&mut client, version);
            let stays = (part.error_code, part.preferred_read_replica, bytes(&part));
            assert_eq!(stays, (0, -1, 11), "v{version}: {why}");
        };
        stays(&mut Canary::new(0), "not chosen");
        let mut unfit = Canary::new(100);
        unfit.unit.canary().close("behind");
        stays(&mut unfit, "the copy is not fit");
        if version < 11 {
            let mut old = Canary::new(100);
            stays(&mut old, "its version names no replica");
            let known = old.world.shared.readers.get(&old.reader()).unwrap();
            assert!(known.cannot.unwrap().contains(&format!("version {version}")));
        }
    }
    let mut canary = Canary::new(100);
    let mut client = canary.world.open(AT_LEGACY);
    canary.metadata(&mut client, 9);
    let broker = FetchRequest { replica_id: 2, ..fetch(12, 0, 0) };
    let (_, answer) = canary.world.through(&mut client, 12, &broker, &legacy_fetched(12));
    assert_eq!(answer.responses[0].partitions[0].preferred_read_replica, -1, "a follower is no consumer");
}

#[test]
fn a_client_that_has_not_heard_of_the_kernels_node_is_made_to_ask_once() {
    let mut canary = Canary::new(100);
    let mut client = canary.world.open(AT_LEGACY);
    let part = canary.fetch_at_legacy(&mut client, 12);
    assert_eq!(
        (part.error_code, bytes(&part)),
        (0, 11),
        "it does not say its software: who knows what it would do"
    );
    canary.greet(&mut client);
    let part = canary.fetch_at_legacy(&mut client, 12);
    let not_leader = ErrorCode::NotLeaderOrFollower.code();
    assert_eq!((part.error_code, part.preferred_read_replica, bytes(&part)), (not_leader, -1, 0));
    let part = canary.fetch_at_legacy(&mut client, 12);
    assert_eq!((part.error_code, part.preferred_read_replica, bytes(&part)), (0, -1, 11), "not twice");
    canary.metadata(&mut client, 9);
    assert_eq!(canary.fetch_at_legacy(&mut client, 12).preferred_read_replica, KERNEL);
}

#[test]
fn a_client_that_does_not_follow_is_given_legacys_records_and_named() {
    let mut canary = Canary::new(100);
    let (mut client, _) = canary.told(9);
    let starved = (0..20).filter(|_| bytes(&canary.fetch_at_legacy(&mut client, 12)) == 0).count();
    assert_eq!(starved, 4);
    let known = canary.world.shared.readers.get(&canary.reader()).unwrap();
    assert!(known.cannot.unwrap().contains("does not follow"));
}

#[test]
fn the_kernel_serves_its_copy_up_to_what_is_confirmed() {
    for version in versions() {
        let mut canary = Canary::new(100);
        canary.feed(0..5, 3);
        let mut client = canary.world.open(Role::Kernel);
        let answer = canary.fetch_here(&mut client, version, 1, NOW);
        let part = &answer.responses[0].partitions[0];
        let told =
            (part.error_code, part.high_watermark, part.last_stable_offset, part.preferred_read_replica);
        assert_eq!(told, (0, 3, 3, -1), "v{version}");
        assert!(bytes(part) > 0 && answer.node_endpoints.is_empty());
        let totals = canary.world.shared.readers.totals();
        assert_eq!((totals.served, totals.sent_back), (1, 0));
        assert_eq!(totals.served_bytes, bytes(part) as u64);
    }
}

#[test]
fn any_doubt_sends_the_client_back_to_the_leader_in_every_version() {
    type Doubt = (&'static str, fn(&mut Canary) -> (i64, i32));
    let doubts: [Doubt; 6] = [
        ("fit", |canary| {
            canary.unit.canary().close("stopped");
            (1, NOW)
        }),
        ("canary", |canary| {
            canary.world.shared.routes.set_canary(&canary.unit, None);
            canary.unit.canary().close("off");
            (1, NOW)
        }),
        ("primary", |canary| {
            canary.unit.gate.fence();
            (1, NOW)
        }),
        ("chosen", |canary| {
            canary.world.shared.routes.set_canary(&canary.unit, Some(0));
            (1, NOW)
        }),
        ("epoch", |_| (1, NOW + 1)),
        ("epoch", |_| (1, NOW - 1)),
    ];
    for version in versions() {
        for (why, doubt) in doubts {
            let mut canary = Canary::new(100);
            canary.feed(0..5, 3);
            let (offset, epoch) = doubt(&mut canary);
            let mut client = canary.world.open(Role::Kernel);
            let answer = canary.fetch_here(&mut client, version, offset, epoch);
            let part = &answer.responses[0].partitions[0];
            // With another epoch the leader may be another one too.
            let not_leader = (ErrorCode::NotLeaderOrFollower.code(), -1);
            let told = (part.error_code, part.preferred_read_replica);
            assert_eq!(told, if why == "epoch" { not_leader } else { (0, 1) }, "{why} v{version}");
            assert_eq!((bytes(part), part.high_watermark), (0, -1), "{why} v{version}");
            let known = canary.world.shared.readers.get(&canary.reader()).unwrap();
            assert!(known.last_back.unwrap().contains(why), "{why}");
        }
    }
}

#[test]
fn a_position_above_the_copy_waits_for_it_and_goes_back_when_it_does_not_come() {
    let mut canary = Canary::new(100);
    canary.feed(0..3, 3);
    let mut client = canary.world.open(Role::Kernel);
    client.write(12, &fetch(12, 5, NOW));
    canary.world.node.turn(&mut [&mut client]);
    assert!(client.output.is_empty(), "it waits");
    canary.feed_beside(&mut [&mut client], 3..6, 6);
    let (_, answer) = client.read::<FetchRequest>(12).expect("the copy has caught up");
    let part = &answer.responses[0].partitions[0];
    assert_eq!((part.error_code, part.high_watermark), (0, 6));
    assert!(bytes(part) > 0);

    client.write(12, &fetch(12, 50, NOW));
    canary.world.node.turn(&mut [&mut client]);
    assert!(client.output.is_empty());
    canary.world.node.pass(Duration::from_millis(501), &mut [&mut client]);
    let (_, answer) = client.read::<FetchRequest>(12).expect("half a second is enough");
    assert_eq!(back_to(&answer), (0, 1));
    let known = canary.world.shared.readers.get(&canary.reader()).unwrap();
    assert!(known.last_back.unwrap().contains("behind"));
}

#[test]
fn a_fetch_that_waits_at_the_kernel_is_sent_back_when_the_copy_turns_unfit() {
    let mut canary = Canary::new(100);
    canary.feed(0..3, 3);
    let mut client = canary.world.open(Role::Kernel);
    let long = FetchRequest { max_wait_ms: 30_000, ..fetch(12, 3, NOW) };
    client.write(12, &long);
    canary.world.node.turn(&mut [&mut client]);
    canary.unit.canary().close("the shard is ill");
    canary.world.node.pass(Duration::from_millis(501), &mut [&mut client]);
    let (_, answer) = client.read::<FetchRequest>(12).expect("whatever the client would have waited");
    assert_eq!(back_to(&answer), (0, 1));
}

#[test]
fn who_may_hold_on_to_the_kernels_node_is_shown_it_offline_and_nobody_else_is_shown_it_at_all() {
    let mut canary = Canary::new(100);
    let (mut client, _) = canary.told(9);
    canary.fetch_at_legacy(&mut client, 12);
    canary.unit.canary().close("behind");
    let shown = canary.metadata(&mut client, 9);
    assert_eq!((shown.replica_nodes, shown.isr_nodes), (vec![1, 2, KERNEL], vec![1, 2]));
    assert_eq!(shown.offline_replicas, [KERNEL]);

    let mut stranger = Canary::new(0);
    let (mut client, shown) = stranger.told(9);
    assert_eq!((shown.replica_nodes, shown.offline_replicas), (vec![1, 2], vec![]));
    // Only what consumers read tells of it.
    let (_, cluster) = stranger.world.through(
        &mut client,
        0,
        &DescribeClusterRequest::default(),
        &DescribeClusterResponse::default(),
    );
    assert!(cluster.brokers.is_empty());
    stranger.world.shared.routes.set_canary(&stranger.unit, None);
    let (_, answer) = stranger.world.through(&mut client, 9, &MetadataRequest::default(), &legacy_metadata());
    assert!(answer.brokers.iter().all(|broker| broker.node_id != KERNEL));
}

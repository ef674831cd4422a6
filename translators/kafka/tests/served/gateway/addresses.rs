//! No legacy address reaches a client, in any version of any answer that carries one (K9).

use session::Side;
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeQuorumRequest, DescribeQuorumResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, FetchRequest, FetchResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
    api_versions_response, describe_cluster_response, describe_quorum_response,
    describe_topic_partitions_response, fetch_response, find_coordinator_response, metadata_response,
    produce_response, share_acknowledge_response, share_fetch_response,
};
use translator_kafka::codec::{APIS, ApiKey, Request as KafkaRequest, Uuid, frame};
use translator_kafka::epochs::EpochTable;
use translator_kafka::errors::ErrorCode;

use super::bench::{ANYWHERE, AT_LEGACY, EPOCH, KERNEL, LEGACY_HOST, LEGACY_PORT, World, head, names_legacy};

/// Node 3 has just joined: no address is known for it.
const UNKNOWN: i32 = 3;

/// Sends a request in every version, has legacy answer it, and hands out what the client got.
fn in_every_version<R: KafkaRequest>(
    world: &mut World,
    request: impl Fn(i16) -> R,
    answer: impl Fn(i16) -> R::Response,
    mut judge: impl FnMut(i16, R::Response),
) {
    let mut seen = 0;
    for version in R::API.spec().versions() {
        let mut client = world.open(AT_LEGACY);
        client.write(version, &request(version));
        let sent = world.sent(&mut client);
        assert_eq!(sent.len(), 1, "{} v{version}: {:?}", R::NAME, client.ended);
        let (asked, body) = (head(&sent[0]), answer(version));
        let whole = frame::response_frame(asked.api_version, asked.correlation_id, &body).unwrap();
        assert!(names_legacy(&whole), "{} v{version}: the stand-in names itself", R::NAME);
        world.legacy_says(&mut client, &whole);
        assert!(!client.output.is_empty(), "{} v{version}: {:?}", R::NAME, client.ended);
        assert!(!names_legacy(&client.output), "{} v{version}", R::NAME);
        judge(version, client.read::<R>(version).unwrap().1);
        seen += 1;
    }
    assert!(seen > 0);
}

fn metadata(id: Uuid) -> MetadataResponse {
    let broker = |node_id| metadata_response::MetadataResponseBroker {
        node_id,
        host: LEGACY_HOST.into(),
        port: LEGACY_PORT,
        ..Default::default()
    };
    let part = |partition_index| metadata_response::MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 5,
        replica_nodes: vec![1, 2],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = metadata_response::MetadataResponseTopic {
        name: Some("t".into()),
        topic_id: id,
        partitions: (0..3).map(part).collect(),
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker(1), broker(2), broker(UNKNOWN)],
        topics: vec![topic],
        ..Default::default()
    }
}

#[test]
fn metadata_names_the_kernel_only_once_something_has_moved() {
    for moved in [false, true] {
        let mut world = World::new();
        if moved {
            world.move_part(1);
        }
        let id = world.id;
        in_every_version(
            &mut world,
            |_| MetadataRequest { topics: Some(Vec::new()), ..Default::default() },
            |_| metadata(id),
            |version, answer| {
                let nodes: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id).collect();
                let expected: &[i32] = if moved { &[1, 2, KERNEL] } else { &[1, 2] };
                assert_eq!(nodes, expected, "v{version}: a broker without an address is left out");
                let leaders: Vec<i32> =
                    answer.topics[0].partitions.iter().map(|part| part.leader_id).collect();
                assert_eq!(leaders, if moved { [1, KERNEL, 1] } else { [1, 1, 1] }, "v{version}");
                if moved && version >= 7 {
                    assert_eq!(answer.topics[0].partitions[1].leader_epoch, EPOCH);
                }
            },
        );
    }
}

/// A client that has learnt of a coordinator there may wait for it in vain once it is gone from the metadata.
#[test]
fn the_kernel_stays_in_the_metadata_when_everything_has_gone_back() {
    let mut world = World::new();
    world.move_part(1);
    let mut table = EpochTable::default();
    table.kernel_leads(107, 100).unwrap();
    table.legacy_leads(207, 250, 9).unwrap();
    world.parts[1].set_epochs(table);
    world.shared.routes.release(&world.parts[1], Side::Legacy);
    let id = world.id;
    in_every_version(
        &mut world,
        |_| MetadataRequest { topics: Some(Vec::new()), ..Default::default() },
        |_| metadata(id),
        |version, answer| {
            let nodes: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id).collect();
            assert_eq!(nodes, [1, 2, KERNEL], "v{version}");
            let leaders: Vec<i32> = answer.topics[0].partitions.iter().map(|part| part.leader_id).collect();
            assert_eq!(leaders, [1, 1, 1], "v{version}: it leads nothing");
        },
    );
}

#[test]
fn a_coordinator_is_at_a_proxied_address_and_a_moved_groups_at_the_kernel() {
    for (key, moved, at, expected) in
        [("g", false, 1, 1), ("g", true, 1, KERNEL), ("other", true, 2, 2), ("other", true, UNKNOWN, -1)]
    {
        let mut world = World::new();
        if moved {
            world.move_group();
        }
        in_every_version(
            &mut world,
            |version| FindCoordinatorRequest {
                key: if version < 4 { key.into() } else { "".into() },
                coordinator_keys: if version < 4 { vec![] } else { vec![key.into()] },
                ..Default::default()
            },
            |version| {
                let coordinator = find_coordinator_response::Coordinator {
                    key: key.into(),
                    node_id: at,
                    host: LEGACY_HOST.into(),
                    port: LEGACY_PORT,
                    ..Default::default()
                };
                if version >= 4 {
                    return FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() };
                }
                FindCoordinatorResponse {
                    node_id: at,
                    host: LEGACY_HOST.into(),
                    port: LEGACY_PORT,
                    ..Default::default()
                }
            },
            |version, answer| {
                let (node, error) = answer
                    .coordinators
                    .first()
                    .map_or((answer.node_id, answer.error_code), |each| (each.node_id, each.error_code));
                assert_eq!(node, expected, "{key} v{version}");
                let unavailable = ErrorCode::CoordinatorNotAvailable.code();
                assert_eq!(error, if expected == -1 { unavailable } else { 0 }, "{key} v{version}");
            },
        );
    }
}

#[test]
fn the_cluster_is_described_at_proxied_addresses() {
    let mut world = World::new();
    world.move_part(0);
    for endpoint_type in [1, 2] {
        in_every_version(
            &mut world,
            |_| DescribeClusterRequest::default(),
            |version| DescribeClusterResponse {
                endpoint_type: if version >= 1 { endpoint_type } else { 1 },
                brokers: [1, 2, UNKNOWN]
                    .map(|broker_id| describe_cluster_response::DescribeClusterBroker {
                        broker_id,
                        host: LEGACY_HOST.into(),
                        port: LEGACY_PORT,
                        ..Default::default()
                    })
                    .into(),
                ..Default::default()
            },
            |version, answer| {
                let nodes: Vec<i32> = answer.brokers.iter().map(|broker| broker.broker_id).collect();
                let controllers = version >= 1 && endpoint_type == 2;
                assert_eq!(nodes, if controllers { vec![] } else { vec![1, 2, KERNEL] }, "v{version}");
            },
        );
    }
}

#[test]
fn quorum_listeners_are_not_told() {
    let mut world = World::new();
    let listener = describe_quorum_response::Listener {
        name: LEGACY_HOST.into(),
        host: LEGACY_HOST.into(),
        ..Default::default()
    };
    for version in 2..=2 {
        let mut client = world.open(AT_LEGACY);
        let node = describe_quorum_response::Node { listeners: vec![listener.clone()], ..Default::default() };
        let answer = DescribeQuorumResponse { nodes: vec![node], ..Default::default() };
        let (_, answer) = world.through(&mut client, version, &DescribeQuorumRequest::default(), &answer);
        assert!(answer.nodes.is_empty());
    }
}

#[test]
fn described_partitions_are_led_by_the_kernel_once_moved() {
    let mut world = World::new();
    world.move_part(2);
    let part =
        |partition_index| describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition {
            partition_index,
            leader_id: 1,
            replica_nodes: vec![1],
            isr_nodes: vec![1],
            ..Default::default()
        };
    let topic = describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic {
        name: Some("t".into()),
        topic_id: world.id,
        partitions: (0..3).map(part).collect(),
        ..Default::default()
    };
    let answer = DescribeTopicPartitionsResponse { topics: vec![topic], ..Default::default() };
    let mut client = world.open(AT_LEGACY);
    let (_, answer) = world.through(&mut client, 0, &DescribeTopicPartitionsRequest::default(), &answer);
    let parts = &answer.topics[0].partitions;
    assert_eq!([parts[0].leader_id, parts[1].leader_id, parts[2].leader_id], [1, 1, KERNEL]);
    assert_eq!((parts[2].leader_epoch, parts[2].isr_nodes.as_slice()), (EPOCH, &[KERNEL][..]));
    // Java's admin client fails over a null: `kafka-topics --describe` would, once anything has moved.
    assert_eq!(
        (&parts[2].eligible_leader_replicas, &parts[2].last_known_elr),
        (&Some(vec![]), &Some(vec![]))
    );
}

/// Endpoints of nodes 1 and 3, in the type that an answer has for them.
macro_rules! endpoints {
    ($module:ident) => {
        [1, UNKNOWN]
            .map(|node_id| $module::NodeEndpoint {
                node_id,
                host: LEGACY_HOST.into(),
                port: LEGACY_PORT,
                ..Default::default()
            })
            .into()
    };
}

/// Has legacy answer with its endpoints in each of these versions.
macro_rules! endpoints_are_rewritten {
    ($world:ident, $asked:expr, $request:ident, $response:ident, $module:ident, $versions:expr) => {
        for version in $versions {
            let mut client = $world.open(AT_LEGACY);
            client.write(version, &$asked);
            let sent = $world.sent(&mut client);
            let answer = $response { node_endpoints: endpoints!($module), ..Default::default() };
            $world.legacy_answers::<$request>(&mut client, &sent[0], &answer);
            assert!(!names_legacy(&client.output), "{} v{version}", $request::NAME);
            let answer = client.read::<$request>(version).unwrap().1;
            let told: Vec<_> = answer.node_endpoints.iter().map(|each| (each.node_id, each.port)).collect();
            assert_eq!(told, [(1, 9001)], "{} v{version}", $request::NAME);
        }
    };
}

#[test]
fn node_endpoints_of_produce_fetch_and_share_are_rewritten() {
    use translator_kafka::codec::Message;
    let mut world = World::new();
    let last = |api: ApiKey| *api.spec().versions().end();
    let first = |api: ApiKey| *api.spec().versions().start();
    endpoints_are_rewritten!(
        world,
        ProduceRequest { acks: -1, ..Default::default() },
        ProduceRequest,
        ProduceResponse,
        produce_response,
        10..=last(ApiKey::Produce)
    );
    endpoints_are_rewritten!(
        world,
        FetchRequest::default(),
        FetchRequest,
        FetchResponse,
        fetch_response,
        16..=last(ApiKey::Fetch)
    );
    let versions = first(ApiKey::ShareFetch)..=last(ApiKey::ShareFetch);
    endpoints_are_rewritten!(
        world,
        ShareFetchRequest::default(),
        ShareFetchRequest,
        ShareFetchResponse,
        share_fetch_response,
        versions
    );
    let versions = first(ApiKey::ShareAcknowledge)..=last(ApiKey::ShareAcknowledge);
    endpoints_are_rewritten!(
        world,
        ShareAcknowledgeRequest::default(),
        ShareAcknowledgeRequest,
        ShareAcknowledgeResponse,
        share_acknowledge_response,
        versions
    );
}

fn offered(api_key: i16, min_version: i16, max_version: i16) -> api_versions_response::ApiVersion {
    api_versions_response::ApiVersion { api_key, min_version, max_version, ..Default::default() }
}

fn everything() -> ApiVersionsResponse {
    let api_keys = (0..120).map(|key| offered(key, 0, 99)).collect();
    ApiVersionsResponse { api_keys, ..Default::default() }
}

#[test]
fn only_versions_that_both_sides_know_are_offered() {
    let mut world = World::new();
    for version in ApiKey::ApiVersions.spec().versions() {
        let mut client = world.open(ANYWHERE);
        let hello = ApiVersionsRequest {
            client_software_name: if version >= 3 { "test".into() } else { "".into() },
            client_software_version: if version >= 3 { "1".into() } else { "".into() },
            ..Default::default()
        };
        let (_, answer) = world.through(&mut client, version, &hello, &everything());
        assert!(!answer.api_keys.is_empty());
        for each in &answer.api_keys {
            let known = APIS.iter().find(|api| api.key.code() == each.api_key).expect("a known API");
            assert!(known.on_broker && each.max_version <= known.version_stable_max, "{each:?}");
        }
    }
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_the_oldest_form() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    client.input.extend_from_slice(&[0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 77, 0xff, 0xff, 0]);
    let sent = world.sent(&mut client);
    assert_eq!(head(&sent[0]).api_version, 0);
    world.legacy_answers::<ApiVersionsRequest>(&mut client, &sent[0], &everything());
    let (correlation, answer) = client.read::<ApiVersionsRequest>(0).expect("an answer");
    assert_eq!((correlation, answer.error_code), (77, ErrorCode::UnsupportedVersion.code()));
    let own = answer.api_keys.iter().find(|each| each.api_key == 18).expect("its own range");
    assert!(own.max_version >= 3);
}

//! Answers that tell who leads now.

use translator_kafka::codec::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, FetchRequest, FetchResponse,
    MetadataRequest, MetadataResponse, ProduceResponse, describe_topic_partitions_response, fetch_response,
    metadata_response, produce_response,
};

use super::super::bench::{AT_LEGACY, EPOCH, KERNEL, World};
use super::{naming, returned, versions};
use crate::node::Client;

fn told(epochs: [i32; 3]) -> MetadataResponse {
    let part = |(partition_index, leader_epoch): (i32, i32)| metadata_response::MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch,
        ..Default::default()
    };
    let topic = metadata_response::MetadataResponseTopic {
        name: Some("t".into()),
        partitions: (0..).zip(epochs).map(part).collect(),
        ..Default::default()
    };
    MetadataResponse { topics: vec![topic], ..Default::default() }
}

/// The epochs that a client reads where legacy tells these.
fn metadata(world: &mut World, client: &mut Client, version: i16, epochs: [i32; 3]) -> Vec<i32> {
    let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    let mut answer = told(epochs);
    answer.topics[0].topic_id = world.id;
    let (_, answer) = world.through(client, version, &request, &answer);
    answer.topics[0].partitions.iter().map(|part| part.leader_epoch).collect()
}

#[test]
fn metadata_goes_on_above_the_kernels_epoch_where_the_kernel_led() {
    for version in versions::<MetadataRequest>(7) {
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        assert_eq!(metadata(&mut world, &mut client, version, [9, 9, 9]), [207, 9, 9], "v{version}");
        assert_eq!(metadata(&mut world, &mut client, version, [12, 12, -1]), [210, 12, -1], "v{version}");
        // A broker that has not heard of the latest election names one that is over.
        let stale = metadata(&mut world, &mut client, version, [8, 8, 8]);
        assert_eq!(stale, [206, 8, 8], "v{version}");
        world.move_part(0);
        assert_eq!(metadata(&mut world, &mut client, version, [9, 9, 9])[0], EPOCH, "v{version}");
    }
}

#[test]
fn so_does_describing_topic_partitions() {
    let mut world = returned();
    let mut client = world.open(AT_LEGACY);
    let part =
        |partition_index| describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition {
            partition_index,
            leader_id: 1,
            leader_epoch: 9,
            ..Default::default()
        };
    let topic = describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic {
        name: Some("t".into()),
        topic_id: world.id,
        partitions: (0..2).map(part).collect(),
        ..Default::default()
    };
    let answer = DescribeTopicPartitionsResponse { topics: vec![topic], ..Default::default() };
    let request = DescribeTopicPartitionsRequest::default();
    let (_, answer) = world.through(&mut client, 0, &request, &answer);
    let epochs: Vec<i32> = answer.topics[0].partitions.iter().map(|part| part.leader_epoch).collect();
    assert_eq!(epochs, [207, 9]);
}

#[test]
fn the_leader_that_an_error_names_has_its_virtual_epoch() {
    let mut world = returned();
    for version in versions::<translator_kafka::codec::messages::ProduceRequest>(10) {
        let mut client = world.open(AT_LEGACY);
        let request = world.produce(version, -1, &[0, 1], "v");
        let part = |index| produce_response::PartitionProduceResponse {
            index,
            error_code: 6,
            base_offset: -1,
            current_leader: produce_response::LeaderIdAndEpoch {
                leader_id: 2,
                leader_epoch: 11,
                ..Default::default()
            },
            ..Default::default()
        };
        let (name, topic_id) = naming(&world, version, 13);
        let topic = produce_response::TopicProduceResponse {
            name,
            topic_id,
            partition_responses: vec![part(0), part(1)],
            ..Default::default()
        };
        let answer = ProduceResponse { responses: vec![topic], ..Default::default() };
        let (_, answer) = world.through(&mut client, version, &request, &answer);
        let parts = answer.responses[0].partition_responses.iter();
        let leaders: Vec<(i32, i32)> =
            parts.map(|part| (part.current_leader.leader_id, part.current_leader.leader_epoch)).collect();
        assert_eq!(leaders, [(2, 209), (2, 11)], "v{version}");
    }
    for version in versions::<FetchRequest>(12) {
        let mut client = world.open(AT_LEGACY);
        let part = |partition_index| fetch_response::PartitionData {
            partition_index,
            error_code: 6,
            current_leader: fetch_response::LeaderIdAndEpoch {
                leader_id: 2,
                leader_epoch: 11,
                ..Default::default()
            },
            ..Default::default()
        };
        let (topic, topic_id) = naming(&world, version, 13);
        let topic = fetch_response::FetchableTopicResponse {
            topic,
            topic_id,
            partitions: vec![part(0), part(1)],
            ..Default::default()
        };
        let answer = FetchResponse { responses: vec![topic], ..Default::default() };
        let (_, answer) = world.through(&mut client, version, &FetchRequest::default(), &answer);
        let leaders: Vec<i32> =
            answer.responses[0].partitions.iter().map(|part| part.current_leader.leader_epoch).collect();
        assert_eq!(leaders, [209, 11], "v{version}");
    }
}

#[test]
fn a_partition_that_moves_on_again_is_led_by_the_kernel() {
    let mut world = returned();
    world.move_part(0);
    let mut client = world.open(AT_LEGACY);
    let answer = told([9, 9, 9]);
    let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    let (_, answer) = world.through(&mut client, 12, &request, &answer);
    assert_eq!(answer.topics[0].partitions[0].leader_id, KERNEL);
}

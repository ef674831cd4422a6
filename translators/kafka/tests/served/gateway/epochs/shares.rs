//! Share groups: legacy's, but of partitions that may have been away.

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{patch_header, split};
use kernel_model::{LogEpoch, Offset};
use translator_kafka::codec::messages::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, ShareAcknowledgeRequest,
    ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse, describe_share_group_offsets_response,
    share_acknowledge_response, share_fetch_response,
};

use super::super::bench::AT_LEGACY;
use super::{returned, versions};
use crate::node::batch;

fn records(offset: u64, epoch: i32) -> Bytes {
    let mut one = BytesMut::from(batch(&["v"]).bytes().as_ref());
    patch_header(&mut one, Offset(offset), LogEpoch(epoch));
    one.freeze()
}

#[test]
fn records_and_leaders_come_under_virtual_epochs() {
    for version in versions::<ShareFetchRequest>(1) {
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        let part = |partition_index| share_fetch_response::PartitionData {
            partition_index,
            current_leader: share_fetch_response::LeaderIdAndEpoch {
                leader_id: 1,
                leader_epoch: 9,
                ..Default::default()
            },
            records: records(120, 8),
            ..Default::default()
        };
        let topic = share_fetch_response::ShareFetchableTopicResponse {
            topic_id: world.id,
            partitions: vec![part(0), part(1)],
            ..Default::default()
        };
        let answer = ShareFetchResponse { responses: vec![topic], ..Default::default() };
        let (_, answer) = world.through(&mut client, version, &ShareFetchRequest::default(), &answer);
        let parts = answer.responses[0].partitions.iter().map(|part| {
            let written = split(&mut part.records.clone()).unwrap()[0].header().leader_epoch.0;
            (part.current_leader.leader_epoch, written)
        });
        assert_eq!(parts.collect::<Vec<_>>(), [(207, 107), (9, 8)], "v{version}");
    }
}

#[test]
fn acknowledgements_name_the_leader_by_its_virtual_epoch() {
    for version in versions::<ShareAcknowledgeRequest>(1) {
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        let part = |partition_index| share_acknowledge_response::PartitionData {
            partition_index,
            current_leader: share_acknowledge_response::LeaderIdAndEpoch {
                leader_id: 1,
                leader_epoch: 9,
                ..Default::default()
            },
            ..Default::default()
        };
        let topic = share_acknowledge_response::ShareAcknowledgeTopicResponse {
            topic_id: world.id,
            partitions: vec![part(0), part(1)],
            ..Default::default()
        };
        let answer = ShareAcknowledgeResponse { responses: vec![topic], ..Default::default() };
        let (_, answer) = world.through(&mut client, version, &ShareAcknowledgeRequest::default(), &answer);
        let parts = answer.responses[0].partitions.iter().map(|part| part.current_leader.leader_epoch);
        assert_eq!(parts.collect::<Vec<_>>(), [207, 9], "v{version}");
    }
}

#[test]
fn a_share_groups_start_has_the_epoch_of_its_offset() {
    for version in versions::<DescribeShareGroupOffsetsRequest>(0) {
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        let part = |partition_index| {
            describe_share_group_offsets_response::DescribeShareGroupOffsetsResponsePartition {
                partition_index,
                start_offset: 251,
                leader_epoch: 10,
                ..Default::default()
            }
        };
        let topic = describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseTopic {
            topic_name: "t".into(),
            topic_id: world.id,
            partitions: vec![part(0), part(1)],
            ..Default::default()
        };
        let group = describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseGroup {
            group_id: "other".into(),
            topics: vec![topic],
            ..Default::default()
        };
        let answer = DescribeShareGroupOffsetsResponse { groups: vec![group], ..Default::default() };
        let request = DescribeShareGroupOffsetsRequest::default();
        let (_, answer) = world.through(&mut client, version, &request, &answer);
        let parts = answer.groups[0].topics[0].partitions.iter().map(|part| part.leader_epoch);
        assert_eq!(parts.collect::<Vec<_>>(), [208, 10], "v{version}");
    }
}

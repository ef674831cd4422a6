//! Offsets committed on legacy: what stands beside them has to be true without the proxy too.

use session::Side;
use translator_kafka::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, offset_fetch_request, offset_fetch_response,
};
use translator_kafka::epochs::EpochTable;

use super::super::bench::{AT_LEGACY, World};
use super::{naming, returned, versions};

/// Offset and epoch that a client commits, and the epoch that legacy stores.
const ROWS: [(i64, i32, i32); 6] =
    [(60, 5, 5), (100, 7, 7), (101, 107, -1), (250, 107, -1), (260, 207, -1), (60, -1, -1)];

fn commit(world: &World, version: i16, parts: [(i64, i32); 2]) -> OffsetCommitRequest {
    let (name, topic_id) = naming(world, version, 10);
    let part = |(index, (offset, epoch)): (i32, (i64, i32))| OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: offset,
        committed_leader_epoch: if version >= 6 { epoch } else { -1 },
        ..Default::default()
    };
    let partitions = (0..).zip(parts).map(part).collect();
    let topics = vec![OffsetCommitRequestTopic { name, topic_id, partitions, ..Default::default() }];
    OffsetCommitRequest { group_id: "other".into(), topics, ..Default::default() }
}

#[test]
fn a_commit_keeps_an_epoch_only_where_it_is_legacys_too() {
    for version in versions::<OffsetCommitRequest>(2) {
        for (offset, epoch, stored) in ROWS {
            let mut world = returned();
            let mut client = world.open(AT_LEGACY);
            let request = commit(&world, version, [(offset, epoch), (offset, epoch)]);
            let (sent, _) = world.through(&mut client, version, &request, &OffsetCommitResponse::default());
            let expected = commit(&world, version, [(offset, stored), (offset, epoch)]);
            assert_eq!(sent, expected, "v{version}, {offset} under {epoch}");
        }
    }
}

#[test]
fn a_group_that_is_still_on_legacy_commits_what_the_kernel_wrote_without_an_epoch() {
    let mut world = World::new();
    let mut table = EpochTable::default();
    table.kernel_leads(107, 100).unwrap();
    world.parts[0].set_epochs(table);
    world.shared.routes.release(&world.parts[0], Side::Kernel);
    let mut client = world.open(AT_LEGACY);
    let request = commit(&world, 9, [(150, 107), (150, 7)]);
    let (sent, _) = world.through(&mut client, 9, &request, &OffsetCommitResponse::default());
    assert_eq!(sent, commit(&world, 9, [(150, -1), (150, 7)]));
}

#[test]
fn so_does_a_commit_in_a_transaction() {
    for version in versions::<TxnOffsetCommitRequest>(0) {
        let request = |world: &World, epochs: [i32; 2]| {
            let (name, topic_id) = naming(world, version, 6);
            let part = |(index, epoch): (i32, i32)| TxnOffsetCommitRequestPartition {
                partition_index: index,
                committed_offset: 250,
                committed_leader_epoch: if version >= 2 { epoch } else { -1 },
                ..Default::default()
            };
            let partitions = (0..).zip(epochs).map(part).collect();
            let topics =
                vec![TxnOffsetCommitRequestTopic { name, topic_id, partitions, ..Default::default() }];
            TxnOffsetCommitRequest { group_id: "other".into(), topics, ..Default::default() }
        };
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        let asked = request(&world, [207, 9]);
        let answer = TxnOffsetCommitResponse::default();
        let (sent, _) = world.through(&mut client, version, &asked, &answer);
        assert_eq!(sent, request(&world, [-1, 9]), "v{version}");
    }
}

#[test]
fn a_committed_offset_is_read_with_an_epoch_only_where_clients_saw_it() {
    // A client that passed by the proxy may have committed legacy's own.
    for (offset, stored, read) in [(60, 5, 5), (100, 7, 7), (101, 7, -1), (260, 9, -1), (-1, -1, -1)] {
        for version in versions::<OffsetFetchRequest>(5) {
            let mut world = returned();
            let mut client = world.open(AT_LEGACY);
            let (request, answer) = if version >= 8 {
                (several(), several_told(&world, version, [(offset, stored), (offset, stored)]))
            } else {
                (one(), one_told([(offset, stored), (offset, stored)]))
            };
            let (_, answer) = world.through(&mut client, version, &request, &answer);
            let expected = if version >= 8 {
                several_told(&world, version, [(offset, read), (offset, stored)])
            } else {
                one_told([(offset, read), (offset, stored)])
            };
            assert_eq!(answer, expected, "v{version} at {offset}");
        }
    }
}

fn one() -> OffsetFetchRequest {
    OffsetFetchRequest { group_id: "other".into(), topics: None, ..Default::default() }
}

fn several() -> OffsetFetchRequest {
    let group =
        offset_fetch_request::OffsetFetchRequestGroup { group_id: "other".into(), ..Default::default() };
    OffsetFetchRequest { groups: vec![group], ..Default::default() }
}

fn one_told(parts: [(i64, i32); 2]) -> OffsetFetchResponse {
    let part = |(partition_index, (committed_offset, committed_leader_epoch))| {
        offset_fetch_response::OffsetFetchResponsePartition {
            partition_index,
            committed_offset,
            committed_leader_epoch,
            ..Default::default()
        }
    };
    let topic = offset_fetch_response::OffsetFetchResponseTopic {
        name: "t".into(),
        partitions: (0..).zip(parts).map(part).collect(),
        ..Default::default()
    };
    OffsetFetchResponse { topics: vec![topic], ..Default::default() }
}

fn several_told(world: &World, version: i16, parts: [(i64, i32); 2]) -> OffsetFetchResponse {
    let (name, topic_id) = naming(world, version, 10);
    let part = |(partition_index, (committed_offset, committed_leader_epoch))| {
        offset_fetch_response::OffsetFetchResponsePartitions {
            partition_index,
            committed_offset,
            committed_leader_epoch,
            ..Default::default()
        }
    };
    let partitions = (0..).zip(parts).map(part).collect();
    let topic =
        offset_fetch_response::OffsetFetchResponseTopics { name, topic_id, partitions, ..Default::default() };
    let group = offset_fetch_response::OffsetFetchResponseGroup {
        group_id: "other".into(),
        topics: vec![topic],
        ..Default::default()
    };
    OffsetFetchResponse { groups: vec![group], ..Default::default() }
}

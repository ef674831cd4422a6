//! What groups have committed on the stand-in for legacy, and how they are made what the kernel has.

use std::collections::BTreeMap;

use shadow::{Fact, GroupOffset, GroupOffsets, Order, Token};
use translator_kafka::codec::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, offset_commit_response, offset_delete_response, offset_fetch_response,
};
use translator_kafka::errors::ErrorCode;

use crate::legacy::Legacy;
use crate::world::World;

/// All groups' offsets.
#[derive(Debug)]
pub(crate) struct Committed {
    /// By group, topic and partition: offset, leader epoch, metadata.
    by: BTreeMap<(String, String, i32), (i64, i32, String)>,
    /// Newest version of OffsetFetch that legacy offers.
    pub(crate) fetch_version: i16,
    /// How often offsets were deleted.
    deletions: u32,
    /// What deletions of whole groups' offsets are answered.
    delete_error: i16,
    /// What deletions of single offsets are answered.
    partition_error: i16,
}

impl Default for Committed {
    fn default() -> Self {
        Self { by: BTreeMap::new(), fetch_version: 8, deletions: 0, delete_error: 0, partition_error: 0 }
    }
}

impl Committed {
    fn put(&mut self, group: &str, topic: &str, partition: i32, offset: i64) {
        self.by.insert((group.to_owned(), topic.to_owned(), partition), (offset, -1, String::new()));
    }

    fn of(&self, group: &str) -> Vec<(&str, i32, i64, i32, &str)> {
        let mine = self.by.iter().filter(|((of, ..), _)| of == group);
        mine.map(|((_, topic, partition), (offset, epoch, metadata))| {
            (topic.as_str(), *partition, *offset, *epoch, metadata.as_str())
        })
        .collect()
    }

    pub(crate) fn fetch(&self, version: i16, request: &OffsetFetchRequest) -> OffsetFetchResponse {
        let mut answer = OffsetFetchResponse::default();
        if version < 8 {
            for (topic, partition, offset, epoch, metadata) in self.of(request.group_id.as_str()) {
                answer.topics.push(offset_fetch_response::OffsetFetchResponseTopic {
                    name: topic.into(),
                    partitions: vec![offset_fetch_response::OffsetFetchResponsePartition {
                        partition_index: partition,
                        committed_offset: offset,
                        committed_leader_epoch: epoch,
                        metadata: Some(metadata.into()),
                        ..Default::default()
                    }],
                    ..Default::default()
                });
            }
            return answer;
        }
        for group in &request.groups {
            let topic = |(topic, partition, offset, epoch, metadata): (&str, i32, i64, i32, &str)| {
                offset_fetch_response::OffsetFetchResponseTopics {
                    name: topic.into(),
                    partitions: vec![offset_fetch_response::OffsetFetchResponsePartitions {
                        partition_index: partition,
                        committed_offset: offset,
                        committed_leader_epoch: epoch,
                        metadata: Some(metadata.into()),
                        ..Default::default()
                    }],
                    ..Default::default()
                }
            };
            answer.groups.push(offset_fetch_response::OffsetFetchResponseGroup {
                group_id: group.group_id.clone(),
                topics: self.of(group.group_id.as_str()).into_iter().map(topic).collect(),
                ..Default::default()
            });
        }
        answer
    }

    pub(crate) fn delete(&mut self, request: &OffsetDeleteRequest) -> OffsetDeleteResponse {
        self.deletions += 1;
        let mut answer = OffsetDeleteResponse { error_code: self.delete_error, ..Default::default() };
        if self.delete_error != 0 {
            return answer;
        }
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for partition in &topic.partitions {
                let partition_index = partition.partition_index;
                let error_code = self.partition_error;
                if error_code == 0 {
                    let key = (
                        request.group_id.as_str().to_owned(),
                        topic.name.as_str().to_owned(),
                        partition_index,
                    );
                    self.by.remove(&key);
                }
                partitions.push(offset_delete_response::OffsetDeleteResponsePartition {
                    partition_index,
                    error_code,
                });
            }
            let name = topic.name.clone();
            answer.topics.push(offset_delete_response::OffsetDeleteResponseTopic { name, partitions });
        }
        answer
    }

    pub(crate) fn commit(&mut self, request: &OffsetCommitRequest) -> OffsetCommitResponse {
        let mut answer = OffsetCommitResponse::default();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for each in &topic.partitions {
                let key = (
                    request.group_id.as_str().to_owned(),
                    topic.name.as_str().to_owned(),
                    each.partition_index,
                );
                let metadata = each.committed_metadata.as_ref().map(|text| text.as_str().to_owned());
                let value =
                    (each.committed_offset, each.committed_leader_epoch, metadata.unwrap_or_default());
                self.by.insert(key, value);
                partitions.push(offset_commit_response::OffsetCommitResponsePartition {
                    partition_index: each.partition_index,
                    ..Default::default()
                });
            }
            answer.topics.push(offset_commit_response::OffsetCommitResponseTopic {
                name: topic.name.clone(),
                partitions,
                ..Default::default()
            });
        }
        answer
    }
}

/// Group `g` has offsets in two partitions that the kernel has not, and an older one in a third.
fn world(fetch_version: i16) -> World {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 3);
    legacy.topic("__consumer_offsets", 3, 1);
    legacy.committed.fetch_version = fetch_version;
    for (group, partition, offset) in [("g", 0, 3), ("g", 1, 4), ("g", 2, 5), ("other", 1, 6)] {
        legacy.committed.put(group, "t", partition, offset);
    }
    let mut world = World::new(legacy);
    world.pass(3000);
    world
}

/// Orders that the kernel's offsets of `g` be written, and says how that ended.
fn write(world: &mut World, offsets: GroupOffsets) -> Result<(), String> {
    world.facts.clear();
    let order = Order::WriteOffsets { token: Token(1), group: "g".to_owned(), offsets };
    world.feed.order(world.now, order);
    world.pass(100);
    let ended = world.facts.iter().find_map(|fact| match fact {
        Fact::OffsetsWritten { token: Token(1) } => Some(Ok(())),
        Fact::OffsetsFailed { token: Token(1), reason } => Some(Err(reason.clone())),
        _ => None,
    });
    ended.expect("an end")
}

fn kernels() -> GroupOffsets {
    let offset = GroupOffset { offset: 9, leader_epoch: 5, metadata: "m".to_owned() };
    GroupOffsets::from([(("t".to_owned(), 0), offset)])
}

#[test]
fn offsets_that_only_legacy_has_are_deleted_there() {
    for fetch_version in [7, 8] {
        let mut world = world(fetch_version);
        write(&mut world, kernels()).unwrap();
        assert_eq!(world.legacy.committed.of("g"), [("t", 0, 9, 5, "m")]);
        assert_eq!(world.legacy.committed.of("other").len(), 1, "another group keeps its own");
        write(&mut world, kernels()).unwrap();
        assert_eq!(world.legacy.committed.deletions, 1, "nothing is left to delete");
    }
}

#[test]
fn a_group_without_offsets_has_none_on_legacy_either() {
    let mut world = world(8);
    write(&mut world, GroupOffsets::new()).unwrap();
    assert!(world.legacy.committed.of("g").is_empty());
}

#[test]
fn nothing_is_committed_where_a_deletion_is_refused() {
    let non_empty = ErrorCode::NonEmptyGroup.code();
    let subscribed = ErrorCode::GroupSubscribedToTopic.code();
    for (whole, partition) in [(non_empty, 0), (0, subscribed)] {
        let mut world = world(8);
        world.legacy.committed.delete_error = whole;
        world.legacy.committed.partition_error = partition;
        let before: Vec<_> = world.legacy.committed.by.clone().into_iter().collect();
        let reason = write(&mut world, kernels()).unwrap_err();
        assert!(reason.contains(&whole.max(partition).to_string()), "{reason}");
        assert_eq!(world.legacy.committed.by.clone().into_iter().collect::<Vec<_>>(), before);
        world.legacy.committed.delete_error = 0;
        world.legacy.committed.partition_error = 0;
        write(&mut world, kernels()).unwrap();
        assert_eq!(world.legacy.committed.of("g").len(), 1, "ordered again, it is done");
    }
}

#[test]
fn an_order_ends_with_its_connection() {
    let mut world = world(8);
    world.legacy.down = true;
    world.facts.clear();
    let order = Order::WriteOffsets { token: Token(1), group: "g".to_owned(), offsets: kernels() };
    world.feed.order(world.now, order);
    world.break_links();
    let failed = |fact: &&Fact| matches!(fact, Fact::OffsetsFailed { token: Token(1), .. });
    assert_eq!(world.facts.iter().filter(failed).count(), 1);
    world.legacy.down = false;
    world.pass(3000);
    write(&mut world, kernels()).unwrap();
}

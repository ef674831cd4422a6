//! Answers: legacy tells its own epochs, clients read virtual ones.
//!
//! What is told of the leader of now is counted by where legacy leads now; what is told of an offset, by who led when
//! that offset was written.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::route::{RouteTable, TopicRef};
use super::requests::AskedEpochs;
use super::table;
use crate::codec::messages::{
    DescribeShareGroupOffsetsResponse, DescribeTopicPartitionsResponse, FetchResponse, ListOffsetsResponse,
    MetadataResponse, OffsetFetchResponse, OffsetForLeaderEpochResponse, ProduceResponse,
    ShareAcknowledgeResponse, ShareFetchResponse,
};
use crate::epochs::{EpochTable, is_patched, patch_batches};

/// An answer of legacy that tells leader epochs.
pub(in super::super) trait TellsEpochs {
    /// Writes virtual epochs in place of legacy's. Says whether any differs.
    fn translate(&mut self, routes: &RouteTable) -> bool;
}

fn set(epoch: &mut i32, to: i32) -> bool {
    std::mem::replace(epoch, to) != to
}

/// The epoch beside an offset. A negative offset is none.
fn set_at(epoch: &mut i32, table: &EpochTable, offset: i64) -> bool {
    u64::try_from(offset).is_ok_and(|offset| set(epoch, table.virtual_at(offset, *epoch)))
}

/// Answers that tell the leader of each partition in a field of its own.
macro_rules! tells_leaders {
    ($response:ident, $topics:ident, $partitions:ident, |$topic:ident| $named:expr, |$each:ident| $index:expr, $epoch:expr) => {
        impl TellsEpochs for $response {
            fn translate(&mut self, routes: &RouteTable) -> bool {
                let mut changed = false;
                for $topic in &mut self.$topics {
                    let named = $named;
                    for $each in &mut $topic.$partitions {
                        let Some(table) = table(routes, named, $index) else { continue };
                        let told = $epoch;
                        changed |= set(told, table.virtual_now(*told));
                    }
                }
                changed
            }
        }
    };
}

tells_leaders!(
    MetadataResponse,
    topics,
    partitions,
    |topic| TopicRef::of(topic.name.as_deref().unwrap_or_default(), topic.topic_id),
    |each| each.partition_index,
    &mut each.leader_epoch
);
tells_leaders!(
    DescribeTopicPartitionsResponse,
    topics,
    partitions,
    |topic| TopicRef::of(topic.name.as_deref().unwrap_or_default(), topic.topic_id),
    |each| each.partition_index,
    &mut each.leader_epoch
);
tells_leaders!(
    ProduceResponse,
    responses,
    partition_responses,
    |topic| TopicRef::of(&topic.name, topic.topic_id),
    |each| each.index,
    &mut each.current_leader.leader_epoch
);
tells_leaders!(
    ShareFetchResponse,
    responses,
    partitions,
    |topic| TopicRef::Id(topic.topic_id),
    |each| each.partition_index,
    &mut each.current_leader.leader_epoch
);
tells_leaders!(
    ShareAcknowledgeResponse,
    responses,
    partitions,
    |topic| TopicRef::Id(topic.topic_id),
    |each| each.partition_index,
    &mut each.current_leader.leader_epoch
);

impl TellsEpochs for FetchResponse {
    fn translate(&mut self, routes: &RouteTable) -> bool {
        let mut changed = false;
        for topic in &mut self.responses {
            let named = TopicRef::of(&topic.topic, topic.topic_id);
            for each in &mut topic.partitions {
                let Some(table) = table(routes, named, each.partition_index) else { continue };
                let leader = &mut each.current_leader.leader_epoch;
                changed |= set(leader, table.virtual_now(*leader));
                // Of the last record below the end. Nobody is told one: legacy is not asked by an epoch.
                let last = each.diverging_epoch.end_offset.saturating_sub(1);
                changed |= set_at(&mut each.diverging_epoch.epoch, &table, last);
            }
        }
        changed
    }
}

impl TellsEpochs for ListOffsetsResponse {
    fn translate(&mut self, routes: &RouteTable) -> bool {
        let mut changed = false;
        for topic in &mut self.topics {
            for each in &mut topic.partitions {
                let named = TopicRef::Name(&topic.name);
                let Some(table) = table(routes, named, each.partition_index) else { continue };
                changed |= set_at(&mut each.leader_epoch, &table, each.offset);
            }
        }
        changed
    }
}

impl TellsEpochs for DescribeShareGroupOffsetsResponse {
    fn translate(&mut self, routes: &RouteTable) -> bool {
        let mut changed = false;
        for topic in self.groups.iter_mut().flat_map(|group| &mut group.topics) {
            let named = TopicRef::of(&topic.topic_name, topic.topic_id);
            for each in &mut topic.partitions {
                let Some(table) = table(routes, named, each.partition_index) else { continue };
                changed |= set_at(&mut each.leader_epoch, &table, each.start_offset);
            }
        }
        changed
    }
}

impl TellsEpochs for OffsetFetchResponse {
    fn translate(&mut self, routes: &RouteTable) -> bool {
        let mut changed = false;
        for topic in &mut self.topics {
            for each in &mut topic.partitions {
                let named = TopicRef::Name(&topic.name);
                let Some(table) = table(routes, named, each.partition_index) else { continue };
                let epoch = &mut each.committed_leader_epoch;
                changed |= set(epoch, table.committed(each.committed_offset, *epoch));
            }
        }
        for topic in self.groups.iter_mut().flat_map(|group| &mut group.topics) {
            for each in &mut topic.partitions {
                let named = TopicRef::of(&topic.name, topic.topic_id);
                let Some(table) = table(routes, named, each.partition_index) else { continue };
                let epoch = &mut each.committed_leader_epoch;
                changed |= set(epoch, table.committed(each.committed_offset, *epoch));
            }
        }
        changed
    }
}

/// Tells where the virtual epochs that were asked for ended.
pub(in super::super) fn tell_ends(
    answer: &mut OffsetForLeaderEpochResponse,
    routes: &RouteTable,
    asked: &AskedEpochs,
) {
    for topic in &mut answer.topics {
        for each in &mut topic.partitions {
            let epoch = asked.get(&(topic.topic.clone(), each.partition));
            let table = table(routes, TopicRef::Name(&topic.topic), each.partition);
            if let (0, Some(epoch), Some(table)) = (each.error_code, epoch, table) {
                (each.leader_epoch, each.end_offset) =
                    table.end_of(*epoch, (each.leader_epoch, each.end_offset));
            }
        }
    }
}

/// An answer that carries batches.
pub(in super::super) trait HoldsBatches {
    /// Calls `see` with each partition's.
    fn batches(&self, see: &mut dyn FnMut(TopicRef<'_>, i32, &Bytes));
}

impl HoldsBatches for FetchResponse {
    fn batches(&self, see: &mut dyn FnMut(TopicRef<'_>, i32, &Bytes)) {
        for topic in &self.responses {
            let named = TopicRef::of(&topic.topic, topic.topic_id);
            for each in &topic.partitions {
                if let Some(records) = &each.records {
                    see(named, each.partition_index, records);
                }
            }
        }
    }
}

impl HoldsBatches for ShareFetchResponse {
    fn batches(&self, see: &mut dyn FnMut(TopicRef<'_>, i32, &Bytes)) {
        for topic in &self.responses {
            for each in &topic.partitions {
                see(TopicRef::Id(topic.topic_id), each.partition_index, &each.records);
            }
        }
    }
}

/// Patches the headers of the batches that an answer carries. `answer` was decoded from `whole`, so that what it carries
/// lies inside it.
pub(in super::super) fn patch(whole: Bytes, answer: &impl HoldsBatches, routes: &RouteTable) -> Bytes {
    let mut places: Vec<(Range<usize>, Arc<EpochTable>)> = Vec::new();
    answer.batches(&mut |topic, partition, records| {
        if let Some(table) = table(routes, topic, partition)
            && is_patched(&table, records)
            && let Some(start) = records.as_ptr().addr().checked_sub(whole.as_ptr().addr())
        {
            places.push((start..start.saturating_add(records.len()), table));
        }
    });
    if places.is_empty() {
        return whole;
    }
    let mut patched = BytesMut::from(whole.as_ref());
    for (place, table) in places {
        if let Some(records) = patched.get_mut(place) {
            patch_batches(&table, records);
        }
    }
    patched.freeze()
}

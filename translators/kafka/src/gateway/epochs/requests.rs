//! Requests: clients name virtual epochs, legacy reads its own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::owner::{Leader, LeaderOf, Owned, Owner};
use super::super::route::{RouteTable, TopicRef};
use super::table;
use crate::codec::messages::{
    FetchRequest, ListOffsetsRequest, OffsetCommitRequest, OffsetForLeaderEpochRequest,
    TxnOffsetCommitRequest,
};
use crate::codec::{Str, Uuid};
use crate::epochs::{EpochTable, Named};
use crate::errors::ErrorCode;

/// A partition as a request named it.
type Partition = (Str, Uuid, i32);

/// The virtual epochs whose ends were asked for, by topic and partition.
pub(in super::super) type AskedEpochs = BTreeMap<(Str, i32), i32>;

/// What became of the epochs that a request names.
#[derive(Debug, Default)]
pub(in super::super) struct Translation {
    /// Whether the request reads otherwise than it came.
    pub(in super::super) changed: bool,
    /// Epochs whose ends the answer is to tell.
    pub(in super::super) asked: AskedEpochs,
    refused: BTreeMap<Partition, ErrorCode>,
}

impl Translation {
    fn set(&mut self, epoch: &mut i32, to: i32) {
        self.changed |= *epoch != to;
        *epoch = to;
    }

    /// The epoch of the leader that the client takes this node for.
    fn leader(&mut self, table: &EpochTable, partition: impl FnOnce() -> Partition, epoch: &mut i32) {
        match table.named_now(*epoch) {
            Named::Real(real) => self.set(epoch, real),
            Named::Fenced => drop(self.refused.insert(partition(), ErrorCode::FencedLeaderEpoch)),
            Named::Unknown => drop(self.refused.insert(partition(), ErrorCode::UnknownLeaderEpoch)),
        }
    }

    /// Takes out of the request what legacy need not be asked, and answers it.
    pub(in super::super) fn refuse<R: NamesEpochs>(
        &self,
        request: &mut R,
        version: i16,
    ) -> Option<R::Response> {
        let mut answer: Option<R::Response> = None;
        // Where the leader is the client learns from metadata, as after any election.
        let leader: LeaderOf<'_> = &|_, _| Leader { node: None, epoch: -1 };
        for error in self.refused.values().copied().collect::<BTreeSet<_>>() {
            let taken = request.take(&mut |owner| self.refused.get(&key_of(owner)) == Some(&error));
            let refused = taken.refuse(version, error, leader);
            match &mut answer {
                Some(answer) => R::merge(answer, refused),
                None => answer = Some(refused),
            }
        }
        answer
    }
}

fn key_of(owner: Owner<'_>) -> Partition {
    match owner {
        Owner::Partition(TopicRef::Name(name), partition) => (Str::from(name), Uuid::ZERO, partition),
        Owner::Partition(TopicRef::Id(id), partition) => (Str::default(), id, partition),
        Owner::Group(_) | Owner::Transaction(_) => (Str::default(), Uuid::ZERO, -1),
    }
}

/// A request to a partition's leader that names leader epochs.
pub(in super::super) trait NamesEpochs: Owned {
    /// Writes legacy's epochs in place of the virtual ones.
    fn translate(&mut self, routes: &RouteTable) -> Translation;
}

impl NamesEpochs for FetchRequest {
    fn translate(&mut self, routes: &RouteTable) -> Translation {
        let mut translation = Translation::default();
        for topic in &mut self.topics {
            let named = TopicRef::of(&topic.topic, topic.topic_id);
            for each in &mut topic.partitions {
                let Some(table) = table(routes, named, each.partition) else { continue };
                let partition = || key_of(Owner::Partition(named, each.partition));
                translation.leader(&table, partition, &mut each.current_leader_epoch);
                // Who asks for a divergence in this way is a follower; clients ask by OffsetForLeaderEpoch.
                translation.set(&mut each.last_fetched_epoch, -1);
            }
        }
        translation
    }
}

impl NamesEpochs for ListOffsetsRequest {
    fn translate(&mut self, routes: &RouteTable) -> Translation {
        let mut translation = Translation::default();
        for topic in &mut self.topics {
            let named = TopicRef::Name(&topic.name);
            for each in &mut topic.partitions {
                let Some(table) = table(routes, named, each.partition_index) else { continue };
                let partition = || key_of(Owner::Partition(named, each.partition_index));
                translation.leader(&table, partition, &mut each.current_leader_epoch);
            }
        }
        translation
    }
}

impl NamesEpochs for OffsetForLeaderEpochRequest {
    fn translate(&mut self, routes: &RouteTable) -> Translation {
        let mut translation = Translation::default();
        for topic in &mut self.topics {
            let named = TopicRef::Name(&topic.topic);
            for each in &mut topic.partitions {
                let Some(table) = table(routes, named, each.partition) else { continue };
                let partition = || key_of(Owner::Partition(named, each.partition));
                translation.leader(&table, partition, &mut each.current_leader_epoch);
                let Some(asked) = table.asked_for(each.leader_epoch) else {
                    translation.refused.insert(partition(), ErrorCode::UnknownLeaderEpoch);
                    continue;
                };
                translation.asked.insert((topic.topic.detached(), each.partition), each.leader_epoch);
                translation.set(&mut each.leader_epoch, asked);
            }
        }
        translation
    }
}

/// A request that stores offsets on legacy, with the epochs beside them.
pub(in super::super) trait StoresEpochs {
    /// Leaves only epochs that are legacy's own too. Says whether any was not.
    fn forget_epochs(&mut self, routes: &RouteTable) -> bool;
}

macro_rules! stores_epochs {
    ($request:ty) => {
        impl StoresEpochs for $request {
            fn forget_epochs(&mut self, routes: &RouteTable) -> bool {
                let mut changed = false;
                for topic in &mut self.topics {
                    let named = TopicRef::of(&topic.name, topic.topic_id);
                    for each in &mut topic.partitions {
                        let Some(table) = table(routes, named, each.partition_index) else { continue };
                        let kept = table.committed(each.committed_offset, each.committed_leader_epoch);
                        changed |= kept != each.committed_leader_epoch;
                        each.committed_leader_epoch = kept;
                    }
                }
                changed
            }
        }
    };
}

stores_epochs!(OffsetCommitRequest);
stores_epochs!(TxnOffsetCommitRequest);

//! What the end of a transaction does: markers in every log, a word to every group.
//!
//! Markers for the coordinator's own shard are part of the commit that decides; those for other shards, and
//! what groups are told, leave with the same commit through the outbox, where each is applied exactly once.
//! The transaction is complete when everybody outside has said so: a producer that begins the next one
//! under the same epoch must not find its records ended by the marker of the one before.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::commit::Op;
use kernel_model::{LogId, ShardId};

use super::message::{GroupEnd, GroupShard, Owed, Producer, Told, post};
use super::state::{State, Transaction};
use super::stored;

/// Operations of one outbox entry.
const ENTRY_OPS_MAX: usize = 4_096;

/// A marker that ends a transaction of `producer`: one control record, at an offset of its own.
pub(crate) fn marker(producer: Producer, commit: bool, coordinator_epoch: i32, now_ms: i64) -> Option<Bytes> {
    let key = [0, 0, 0, u8::from(commit)];
    let mut value = BytesMut::with_capacity(6);
    value.put_i16(0);
    value.put_i32(coordinator_epoch);
    let spec = BatchSpec {
        transactional: true,
        control: true,
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        ..BatchSpec::default()
    };
    let record = NewRecord { timestamp_ms: now_ms, key: Some(&key), value: Some(&value), headers: &[] };
    spec.encode(&[record]).ok().map(|batch| batch.bytes().clone())
}

/// Appends a marker to a log.
pub(crate) fn mark(log: LogId, marker: &Bytes) -> Op {
    Op::Deliver { log, batch: marker.clone(), views: Vec::new() }
}

/// Everything that the end of a prepared transaction does, but for storing its state. It is complete
/// afterwards, or notes who is owed a word.
pub(super) fn end(here: ShardId, id: &str, transaction: &mut Transaction, now_ms: i64) -> Vec<Op> {
    let commit = transaction.state == State::PrepareCommit;
    transaction.number += 1;
    let mut ops = vec![stored::cancel_timeout(id)];
    // A batch of one small record always has a form.
    let marker = marker(transaction.producer, commit, 0, now_ms).unwrap_or_default();
    let mut away: BTreeMap<ShardId, Vec<Op>> = BTreeMap::new();
    for partition in &transaction.partitions {
        let shard = partition.log().shard();
        let op = mark(partition.log(), &marker);
        if shard == here { ops.push(op) } else { away.entry(shard).or_default().push(op) }
    }
    let told = |who: Owed| Told { home: here.0, id: id.to_owned(), number: transaction.number, who };
    let mut owed: Vec<Owed> = Vec::new();
    for (shard, ops) in &mut away {
        let who = Owed::Shard(shard.0);
        ops.push(told(who.clone()).relayed());
        owed.push(who);
    }
    for group in &transaction.groups {
        let op = group_end(group, transaction.producer.id, commit, told(Owed::Group(group.clone())));
        let shard = ShardId(group.shard);
        if shard == here {
            ops.push(op)
        } else {
            away.entry(shard).or_default().push(op)
        }
        owed.push(Owed::Group(group.clone()));
    }
    for (shard, mut entry) in away {
        while !entry.is_empty() {
            let rest = entry.split_off(entry.len().min(ENTRY_OPS_MAX));
            match post(here, shard, entry) {
                Ok(op) => ops.push(op),
                Err(own) => ops.extend(own),
            }
            entry = rest;
        }
    }
    transaction.owed = owed.into_iter().collect();
    if transaction.owed.is_empty() {
        transaction.complete();
    }
    ops
}

fn group_end(group: &GroupShard, producer_id: i64, commit: bool, told: Told) -> Op {
    GroupEnd { at: group.clone(), producer_id, commit, told }.op()
}

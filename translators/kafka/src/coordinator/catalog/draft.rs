//! A change of the catalog that is being put together: the state after it, and the operations that lead
//! there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use kernel_model::{Commit, LogEpoch, LogId, LogKind, Offset, Op, ShardId};

use super::{CatalogSettings, PRODUCER_ID_BLOCK, Random};
use crate::catalog::{Catalog, Partition, Topic};
use crate::codec::Uuid;
use crate::placement::{CATALOG_SHARD, partition_shard};

pub(super) const TOPIC_PREFIX: &[u8] = b"ctopic/";
pub(super) const UNFORGOTTEN_PREFIX: &[u8] = b"cunforgotten/";
pub(super) const CLUSTER_ID_KEY: &[u8] = b"ccluster-id";
pub(super) const NEXT_LOG_KEY: &[u8] = b"cnext-log";
pub(super) const NEXT_PRODUCER_KEY: &[u8] = b"cnext-producer";

/// Local numbers of the catalog's logs carry its kind in their upper byte, so that other owners of logs in
/// a shard never choose the same.
const LOG_NUMBER_BASE: u64 = (b'c' as u64) << 40;

/// What the catalog knows and has stored.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) catalog: Arc<Catalog>,
    pub(super) next_log: i64,
    pub(super) next_producer: i64,
}

pub(in crate::coordinator) struct Draft<'a> {
    pub(super) settings: &'a CatalogSettings,
    pub(super) catalog: Catalog,
    old: &'a State,
    next_log: i64,
    next_producer: i64,
    producer_ids: Range<i64>,
    random: &'a mut Random,
    ops: Vec<Op>,
    elsewhere: BTreeMap<ShardId, Vec<Op>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        settings: &'a CatalogSettings,
        old: &'a State,
        random: &'a mut Random,
        producer_ids: Range<i64>,
    ) -> Self {
        Self {
            settings,
            catalog: old.catalog.as_ref().clone(),
            old,
            next_log: old.next_log,
            next_producer: old.next_producer,
            producer_ids,
            random,
            ops: Vec::new(),
            elsewhere: BTreeMap::new(),
        }
    }

    /// The state after the change, and what makes it durable (nothing, when nothing changes).
    pub(super) fn finish(mut self) -> (State, Range<i64>, Vec<Op>) {
        if self.next_log != self.old.next_log {
            self.ops.push(put(NEXT_LOG_KEY, &self.next_log.to_be_bytes()));
        }
        if self.next_producer != self.old.next_producer {
            self.ops.push(put(NEXT_PRODUCER_KEY, &self.next_producer.to_be_bytes()));
        }
        for (to, ops) in self.elsewhere {
            self.ops.push(Op::OutboxPush { to, commit: Box::new(Commit::of(ops)) });
        }
        let state = State {
            catalog: Arc::new(self.catalog),
            next_log: self.next_log,
            next_producer: self.next_producer,
        };
        (state, self.producer_ids, self.ops)
    }

    /// Adds or replaces a topic.
    pub(super) fn put(&mut self, topic: Topic) {
        self.ops.push(put_key(topic_key(&topic.name), topic.to_stored().into()));
        self.catalog.put(Arc::new(topic));
    }

    /// Deletes a topic and its logs.
    pub(super) fn delete(&mut self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.catalog.remove(name)?;
        self.ops.push(Op::KvDelete { key: topic_key(name) });
        for partition in &topic.partitions {
            self.at(partition.log, Op::LogDelete { log: partition.log });
        }
        Some(topic)
    }

    /// Deletes a topic with its logs, and keeps its name until every group has forgotten its offsets.
    pub(super) fn delete_and_forget(&mut self, name: &str) {
        let Some(topic) = self.delete(name) else { return };
        let id = Bytes::copy_from_slice(&topic.id.0);
        self.ops.push(put_key(unforgotten_key(name), id));
        self.catalog.note_unforgotten(topic.name.clone(), topic.id);
    }

    /// Every group has forgotten the offsets of the deleted topic with this name and id.
    pub(super) fn forgotten(&mut self, name: &str, id: Uuid) {
        if self.catalog.forgotten(name, id) {
            self.ops.push(Op::KvDelete { key: unforgotten_key(name) });
        }
    }

    /// Gives a topic one more partition, with a log of its own.
    pub(super) fn add_partition(&mut self, topic: &mut Topic, kind: LogKind, start: Offset, epoch: LogEpoch) {
        let number = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let shard = partition_shard(topic.id.0, number, self.settings.shards);
        let local = LOG_NUMBER_BASE | self.next_log.unsigned_abs();
        self.next_log += 1;
        let log = LogId::new(shard, local);
        let config = topic.settings.log_config(kind);
        self.at(log, Op::LogCreate { log, config: config.clone(), start });
        self.at(log, Op::LogConfigure { log, config, epoch: Some(epoch) });
        topic.partitions.push(Partition { log, epoch, kind });
    }

    /// Tells every log of a topic its settings, and those whose epoch is given that too.
    pub(super) fn configure(&mut self, topic: &Topic, epoch_of: impl Fn(i32) -> Option<LogEpoch>) {
        for (number, partition) in (0_i32..).zip(&topic.partitions) {
            let config = topic.settings.log_config(partition.kind);
            let op = Op::LogConfigure { log: partition.log, config, epoch: epoch_of(number) };
            self.at(partition.log, op);
        }
    }

    /// A topic id that no topic has. Ids that begin with a dash confuse command lines.
    pub(super) fn new_topic_id(&mut self) -> Uuid {
        loop {
            let mut id = [0; 16];
            let (front, back) = id.split_at_mut(8);
            front.copy_from_slice(&self.random.next().to_be_bytes());
            back.copy_from_slice(&self.random.next().to_be_bytes());
            let id = Uuid(id);
            // The first few ids are reserved; so few that all bits above are zero.
            let reserved = u128::from_be_bytes(id.0) < 256;
            if !reserved && !id.to_string().starts_with('-') && self.catalog.topic_by_id(id).is_none() {
                return id;
            }
        }
    }

    /// A producer id that was never given out, from a block that is durable.
    pub(super) fn next_producer_id(&mut self) -> i64 {
        if self.producer_ids.is_empty() {
            self.producer_ids = self.next_producer..self.next_producer.saturating_add(PRODUCER_ID_BLOCK);
            self.next_producer = self.producer_ids.end;
        }
        self.producer_ids.next().unwrap_or(self.next_producer)
    }

    fn at(&mut self, log: LogId, op: Op) {
        if log.shard() == CATALOG_SHARD {
            self.ops.push(op);
        } else {
            self.elsewhere.entry(log.shard()).or_default().push(op);
        }
    }
}

fn topic_key(name: &str) -> Bytes {
    [TOPIC_PREFIX, name.as_bytes()].concat().into()
}

fn unforgotten_key(name: &str) -> Bytes {
    [UNFORGOTTEN_PREFIX, name.as_bytes()].concat().into()
}

fn put(key: &'static [u8], value: &[u8]) -> Op {
    put_key(Bytes::from_static(key), Bytes::copy_from_slice(value))
}

fn put_key(key: Bytes, value: Bytes) -> Op {
    Op::KvPut { key, value, expires_ms: None }
}

pub(super) fn read_number(value: Option<Bytes>) -> Option<i64> {
    value?.first_chunk::<8>().map(|bytes| i64::from_be_bytes(*bytes))
}

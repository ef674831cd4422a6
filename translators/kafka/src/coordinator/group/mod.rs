//! Consumer groups, classic ones and those of the consumer protocol: who is a member, who reads what, and how far everybody has read.
//!
//! One [`GroupCoordinator`] per shard owns a range of the group ids. It is deterministic: no clock, no
//! IO, and randomness only from the seed it is made with.
//!
//! # Messages
//!
//! ```text
//! u16 length | client host (UTF-8) | request frame without its size prefix (header and body)
//! 0xFFFF     | migration message: see [`transfer`]
//! 0xFFFE     | TxnOffsetCommit with its guard: see [`txn_offset_commit_message`]
//! ```
//!
//! The reply is the body of the response in the request's version; the caller puts size and header in
//! front. An empty reply means that the request cannot be read, or is none that is served here: the
//! caller closes the connection.
//!
//! Served are JoinGroup 0–9, SyncGroup 0–5, Heartbeat 0–4, LeaveGroup 0–5, OffsetCommit 2–9,
//! OffsetFetch 1–9, OffsetDelete 0, DescribeGroups 0–6, ListGroups 0–5, DeleteGroups 0–3,
//! ConsumerGroupHeartbeat 0–1 and ConsumerGroupDescribe 0–1. What
//! only the server knows it settles before and after: it authorises; it answers for topics that do
//! not exist; it rewrites OffsetCommit and OffsetFetch 10 to 9 and back, whose topic ids mean nothing
//! here; it splits requests that name groups of several shards and asks every shard for ListGroups.
//!
//! # Durability
//!
//! OffsetCommit, the leader's SyncGroup (and with it every other member's), the join of a static member
//! that takes its own place, deletions, and the last member's LeaveGroup are answered when their
//! commit is durable. After a restart members go on under their ids in their generation; sessions
//! begin anew. A rebalance that was under way is forgotten: its members find the generation before.

mod commits;
mod consumer;
mod describe;
mod desk;
mod dispatch;
mod expiry;
mod fetch;
mod follow;
mod join;
mod journal;
mod limits;
mod member;
mod membership;
mod offsets;
mod packing;
mod rebalance;
mod record;
mod snapshot;
mod state;
mod stored;
mod subscription;
mod sync;
mod transactional;
pub mod transfer;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::coordinator::{CommitId, Coordinator, KvRead, MessageId, Output};
use kernel_model::error::KernelError;
use kernel_model::time::Now;

use self::desk::{Desk, Turn};
use self::member::Caller;
use self::packing::Packed as _;
use self::snapshot::{CommittedOffset, GroupSnapshot as Snapshot};
use self::state::{Group, Hold, Role};
use self::stored::StoredKey;
use crate::catalog::CatalogHandle;
use crate::codec::Str;
use crate::codec::messages::OffsetFetchRequest;

pub use self::consumer::{
    ASSIGNORS, ConsumerRecord, CurrentRecord, MemberRecord, MemberState, Partitions, decode_consumer_record,
};
pub use self::journal::OFFSETS_TOPIC;
pub use self::limits::Limits;
pub use self::member::Protocol;
pub use self::packing::PackedError;
pub use self::record::{OffsetsRecord, OffsetsRecordError, decode_offsets_record};
pub use self::snapshot::{CommittedOffset as Offset, GroupSnapshot, MemberSnapshot, OffsetKey};
pub use self::stored::KIND;
pub use self::transactional::{
    TxnOffsetCommitReply, refused as txn_offset_commit_refused, txn_offset_commit_message,
};

/// The groups of one shard.
#[derive(Debug)]
pub struct GroupCoordinator {
    limits: Limits,
    groups: BTreeMap<Str, Group>,
    desk: Desk,
    /// When to wake which group, and the same by group.
    wakeups: BTreeSet<(Duration, Str)>,
    alarms: BTreeMap<Str, Duration>,
    /// When expired offsets are looked for next, and behind which group that goes on.
    sweep_at: Duration,
    sweep_after: Option<Str>,
    /// Fetches that wait until the commits before them are durable.
    waiting_fetches: VecDeque<(CommitId, OffsetFetchRequest, Caller)>,
    catalog: CatalogHandle,
    /// How far each partition of legacy's `__consumer_offsets` was followed.
    progress: BTreeMap<i32, i64>,
    /// Which producers' transactions have ended.
    ends: transactional::Ends,
    /// A key could not be read, so that it is not known whose state is missing: nobody is served.
    is_damaged: bool,
}

impl GroupCoordinator {
    /// A coordinator without groups. Member ids are made from `seed`, which must differ from start to
    /// start and be hard to guess: who knows a member's id can speak for it. `catalog` says which topics were
    /// deleted.
    #[must_use]
    pub fn new(limits: Limits, seed: [u64; 2], catalog: CatalogHandle) -> Self {
        Self {
            limits,
            groups: BTreeMap::new(),
            desk: Desk::new(seed),
            wakeups: BTreeSet::new(),
            alarms: BTreeMap::new(),
            sweep_at: Duration::ZERO,
            sweep_after: None,
            waiting_fetches: VecDeque::new(),
            catalog,
            progress: BTreeMap::new(),
            ends: transactional::Ends::default(),
            is_damaged: false,
        }
    }

    /// Writes `__consumer_offsets` too, once the catalog has it: a topic with one partition in this
    /// coordinator's shard.
    #[must_use]
    pub fn with_journal(mut self) -> Self {
        self.desk.keep_journal(journal::Journal(self.catalog.clone()));
        self
    }

    /// Lets `act` change a group, then sees to its alarm and whether anything is left of it.
    fn with_group<R>(
        &mut self,
        now: Now,
        id: &str,
        act: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let group = self.groups.get_mut(id)?;
        let result = act(group, &mut Turn { now, limits: &self.limits, desk: &mut self.desk });
        if group.is_vacant() {
            self.groups.remove(id);
        }
        self.note_alarm(id);
        Some(result)
    }

    /// Brings the order of wake-ups up to date with a group's alarm.
    fn note_alarm(&mut self, id: &str) {
        let wanted = self.groups.get(id).and_then(|group| Some((group.alarm?, group.id.clone())));
        if let Some(at) = self.alarms.get(id).copied() {
            if wanted.as_ref().is_some_and(|(alarm, _)| *alarm == at) {
                return;
            }
            if let Some((name, at)) = self.alarms.remove_entry(id) {
                self.wakeups.remove(&(at, name));
            }
        }
        if let Some((alarm, name)) = wanted {
            self.alarms.insert(name.clone(), alarm);
            self.wakeups.insert((alarm, name));
        }
    }

    /// Looks at the next groups for expired offsets.
    fn sweep(&mut self, now: Now) {
        let after = self.sweep_after.take();
        let ids = self.groups.keys().filter(|id| after.as_ref().is_none_or(|after| *id > after));
        let ids: Vec<Str> = ids.take(self.limits.expiry_groups_per_turn).cloned().collect();
        let is_last = ids.len() < self.limits.expiry_groups_per_turn;
        for id in &ids {
            self.with_group(now, id, Group::expire_offsets);
        }
        if is_last {
            self.sweep_at = now.deadline(self.limits.offsets_retention_check);
        } else {
            self.sweep_after = ids.into_iter().next_back();
        }
    }

    /// Takes one stored key over. `false`: the key itself has no meaning.
    fn restore_key(&mut self, key: Bytes, value: Bytes) -> bool {
        let Some(key) = StoredKey::parse(key) else { return false };
        match key {
            StoredKey::Group(id) => {
                let group = self.restored_group(&id);
                match Snapshot::from_packed(Bytes::copy_from_slice(&value)) {
                    Ok(snapshot) if snapshot.group_id == id => group.take_generation(snapshot),
                    Ok(_) | Err(_) => group.hold = Some(Hold::Damaged),
                }
            }
            StoredKey::Offset(id, at) => {
                let group = self.restored_group(&id);
                match CommittedOffset::from_packed(value) {
                    Ok(offset) => group.apply_offset(at, offset),
                    Err(_) => group.hold = Some(Hold::Damaged),
                }
            }
            StoredKey::Open(id, producer_id, at) => {
                let group = self.restored_group(&id);
                match transactional::StoredOpen::from_packed(value) {
                    Ok(offset) => group.apply_open(producer_id, at, offset),
                    Err(_) => group.hold = Some(Hold::Damaged),
                }
            }
            StoredKey::Consumer(id, key) => {
                let group = self.restored_group(&id);
                match decode_consumer_record(&key, Some(&value)) {
                    Ok(Some((_, record))) => group.apply_consumer(record),
                    Ok(None) | Err(_) => group.hold = Some(Hold::Damaged),
                }
            }
            StoredKey::Following(id) => self.restored_group(&id).role = Role::Following,
            StoredKey::Progress(partition) => match i64::from_packed(value) {
                // Without it the feed begins from the start, which repeats what is known.
                Err(_) => {}
                Ok(next) => drop(self.progress.insert(partition, next)),
            },
        }
        true
    }

    fn restored_group(&mut self, id: &Str) -> &mut Group {
        self.groups.entry(id.detached()).or_insert_with_key(Group::new)
    }
}

impl Coordinator for GroupCoordinator {
    fn restore(&mut self, now: Now, state: &dyn KvRead) {
        for (key, value) in state.scan(stored::PREFIX) {
            self.is_damaged |= !self.restore_key(key, value);
        }
        let ids: Vec<Str> = self.groups.keys().cloned().collect();
        for id in ids {
            self.with_group(now, &id, |group, turn| {
                if group.role == Role::Serving {
                    group.begin_sessions(turn.now, turn.limits);
                }
            });
        }
        self.sweep_at = now.deadline(self.limits.offsets_retention_check);
    }

    fn handle_message(&mut self, now: Now, id: MessageId, message: Bytes) {
        self.dispatch(now, id, message);
    }

    fn handle_commit(&mut self, now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        self.committed(now, id, outcome);
    }

    fn handle_timer(&mut self, _now: Now, key: Bytes, action: Bytes) {
        // Sets none itself: sessions begin anew after a restart, and expiry is looked for. A timer is a
        // message of a transaction coordinator.
        self.on_end(key, &action);
    }

    fn handle_timeout(&mut self, now: Now) {
        let due = self.wakeups.iter().take_while(|(at, _)| *at <= now.elapsed);
        let due: Vec<Str> = due.map(|(_, id)| id.clone()).collect();
        for id in due {
            self.with_group(now, &id, Group::wake);
        }
        if self.sweep_at <= now.elapsed {
            self.sweep(now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.desk.next_output()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        let next = self.wakeups.first().map(|(at, _)| *at);
        Some(next.map_or(self.sweep_at, |at| at.min(self.sweep_at)))
    }
}

//! Groups of the consumer protocol (KIP-848): the coordinator itself shares the partitions out, and every member comes
//! to its share at its own pace.
//!
//! ```text
//!   heartbeat -> what it says of the member -> group epoch + 1, if subscriptions or topics changed
//!             -> target assignment of that epoch -> one step of this member towards its target
//! ```
//!
//! A partition goes to its next owner only once the one before has said that it let go. What is stored are the
//! records that Kafka's own coordinator writes (see [`records`]), so a group that was followed from legacy's log and
//! one that was served here look the same.

mod assign;
mod describe;
mod gather;
mod heartbeat;
mod reconcile;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kernel_model::commit::Op;
use kernel_model::time::Now;

use super::desk::{Pending, Turn};
use super::limits::Limits;
use super::member::millis;
use super::state::Group;
use super::stored;
use crate::catalog::Catalog;
use crate::codec::{Str, Uuid};
use crate::errors::ErrorCode;

pub use self::assign::ASSIGNORS;
pub(super) use self::describe::describe;
pub(super) use self::heartbeat::{Refusal, check as check_heartbeat, refuse as refuse_heartbeat};
pub(super) use self::records::is_kept;
pub use self::records::{ConsumerRecord, CurrentRecord, MemberRecord, decode as decode_consumer_record};

/// Partitions by topic id.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// The epoch of a static member that left for a while.
const STATIC_AWAY: i32 = -2;

/// Where a member stands on its way to its target; the numbers are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemberState {
    /// It has what it is to have in its epoch.
    #[default]
    Stable,
    /// It has to let go of partitions first.
    Unrevoked,
    /// It waits for partitions that others have not let go of.
    Unreleased,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ConsumerMember {
    /// What it says of itself.
    pub(super) about: MemberRecord,
    /// What it has.
    pub(super) current: CurrentRecord,
    session_deadline: Option<Duration>,
    revoke_deadline: Option<Duration>,
}

impl ConsumerMember {
    fn deadline(&self) -> Option<Duration> {
        [self.session_deadline, self.revoke_deadline].into_iter().flatten().min()
    }

    fn touch(&mut self, now: Now, limits: &Limits) {
        self.session_deadline = Some(now.deadline(limits.consumer_session_timeout));
        if self.current.state == MemberState::Unrevoked {
            let deadline = now.deadline(millis(self.about.rebalance_timeout_ms));
            self.revoke_deadline.get_or_insert(deadline);
        } else {
            self.revoke_deadline = None;
        }
    }
}

/// Members and assignments of a group of the consumer protocol.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    /// Counts changes of members, subscriptions and topics.
    pub(super) epoch: i32,
    /// The group epoch that the targets were made for.
    pub(super) target_epoch: i32,
    pub(super) members: BTreeMap<Str, ConsumerMember>,
    pub(super) targets: BTreeMap<Str, Partitions>,
    /// Member ids by instance id.
    statics: BTreeMap<Str, Str>,
    /// Who has a partition, or has not let go of it yet.
    owners: BTreeMap<(Uuid, i32), Str>,
    /// The topics that the targets were last compared with.
    seen: Option<Arc<Catalog>>,
}

impl Consumer {
    /// Takes a record of its own or of legacy's log over. `false`: the group has gone.
    pub(super) fn apply(&mut self, record: ConsumerRecord) -> bool {
        match record {
            ConsumerRecord::Epoch(None) => return false,
            ConsumerRecord::Epoch(Some(epoch)) => self.epoch = epoch,
            ConsumerRecord::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or(0),
            ConsumerRecord::Target { member, partitions: Some(partitions) } => {
                self.targets.insert(member, partitions);
            }
            ConsumerRecord::Target { member, partitions: None } => drop(self.targets.remove(&member)),
            ConsumerRecord::Member { member, about: Some(about) } => {
                if let Some(instance) = &about.instance_id {
                    self.statics.insert(instance.clone(), member.clone());
                }
                self.members.entry(member).or_default().about = *about;
            }
            ConsumerRecord::Member { member, about: None } => drop(self.take(&member)),
            ConsumerRecord::Current { member, current } => {
                if current.is_some() || self.members.contains_key(&member) {
                    self.place(&member, current.map(|current| *current).unwrap_or_default());
                }
            }
            ConsumerRecord::Pattern { .. } | ConsumerRecord::Topics => {}
        }
        true
    }

    /// Gives a member what it has from now on.
    fn place(&mut self, id: &Str, current: CurrentRecord) {
        let member = self.members.entry(id.clone()).or_default();
        let before = std::mem::replace(&mut member.current, current);
        let current = &member.current;
        for partition in before.held() {
            if self.owners.get(&partition) == Some(id) {
                self.owners.remove(&partition);
            }
        }
        for partition in current.held() {
            self.owners.insert(partition, id.clone());
        }
    }

    /// Takes a member out, with what it has.
    fn take(&mut self, id: &Str) -> Option<ConsumerMember> {
        let member = self.members.remove(id)?;
        for partition in member.current.held() {
            if self.owners.get(&partition) == Some(id) {
                self.owners.remove(&partition);
            }
        }
        if let Some(instance) = &member.about.instance_id
            && self.statics.get(instance) == Some(id)
        {
            self.statics.remove(instance);
        }
        Some(member)
    }

    /// The member goes for good; its share is for the others at the next heartbeat.
    fn remove(&mut self, group: &Str, id: &Str, ops: &mut Vec<Op>) {
        if self.take(id).is_none() {
            return;
        }
        self.targets.remove(id);
        ops.extend(records::gone(group, id));
        self.bump(group, ops);
    }

    fn bump(&mut self, group: &Str, ops: &mut Vec<Op>) {
        self.epoch = self.epoch.saturating_add(1);
        ops.extend(records::put(group, &ConsumerRecord::Epoch(Some(self.epoch))));
    }

    /// Everything that is stored of it, deleted.
    pub(super) fn deletion(&self, group: &Str) -> Vec<Op> {
        let members = self.members.keys().chain(self.targets.keys()).collect::<BTreeSet<_>>();
        let mut ops: Vec<Op> = members.into_iter().flat_map(|id| records::gone(group, id)).collect();
        ops.extend(records::put(group, &ConsumerRecord::TargetEpoch(None)));
        ops.extend(records::put(group, &ConsumerRecord::Epoch(None)));
        ops
    }

    pub(super) fn begin_sessions(&mut self, now: Now, limits: &Limits) {
        self.members.values_mut().for_each(|member| member.touch(now, limits));
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.members.values().filter_map(ConsumerMember::deadline).min()
    }

    /// Whether a member reads this topic.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.members.values().any(|member| {
            member.about.names.contains(topic)
                || member.about.pattern.as_ref().is_some_and(|pattern| {
                    heartbeat::compile(pattern).is_some_and(|pattern| pattern.is_match(topic))
                })
        })
    }

    /// Whether an epoch is that of a member, for offsets.
    ///
    /// # Errors
    ///
    /// What the client is told.
    pub(super) fn validate_epoch(&self, id: &str, epoch: i32) -> Result<(), ErrorCode> {
        let member = self.members.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        if member.current.epoch == epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }
}

impl Group {
    /// The members of the consumer protocol whose time has run out go.
    pub(super) fn expire_consumers(&mut self, turn: &mut Turn<'_>) {
        let Some(consumer) = &mut self.consumer else { return };
        let now = turn.now.elapsed;
        let due = consumer.members.iter().filter(|(_, member)| member.deadline().is_some_and(|at| at <= now));
        let due: Vec<Str> = due.map(|(id, _)| id.clone()).collect();
        let mut ops = Vec::new();
        for id in &due {
            consumer.remove(&self.id, id, &mut ops);
        }
        if !ops.is_empty() {
            turn.desk.commit(ops, Pending::Emptied { replies: Vec::new() });
        }
    }

    /// Removes a member of the consumer protocol that an administrator names.
    ///
    /// # Errors
    ///
    /// When there is no such member.
    pub(super) fn remove_consumer(
        &mut self,
        turn: &mut Turn<'_>,
        id: &Str,
        instance: Option<&Str>,
    ) -> Result<(), ErrorCode> {
        let consumer = self.consumer.as_mut().ok_or(ErrorCode::UnknownMemberId)?;
        let holder = instance.and_then(|instance| consumer.statics.get(instance)).cloned();
        let found = match holder {
            Some(holder) if id.is_empty() || holder == *id => holder,
            Some(_) => return Err(ErrorCode::FencedInstanceId),
            None => id.clone(),
        };
        if !consumer.members.contains_key(&found) {
            return Err(ErrorCode::UnknownMemberId);
        }
        let mut ops = Vec::new();
        consumer.remove(&self.id, &found, &mut ops);
        turn.desk.commit(ops, Pending::Emptied { replies: Vec::new() });
        Ok(())
    }

    /// What was told to the disk could not be written: the members are to join again, so that nobody goes on with
    /// what a restart would take back.
    pub(super) fn forget_consumers(&mut self, _turn: &mut Turn<'_>) {
        let Some(consumer) = &mut self.consumer else { return };
        let ids: Vec<Str> = consumer.members.keys().cloned().collect();
        for id in &ids {
            consumer.take(id);
        }
        consumer.targets.clear();
    }

    /// An empty group of the consumer protocol becomes a classic one.
    pub(super) fn become_classic(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(consumer) = &self.consumer else { return true };
        if !consumer.members.is_empty() {
            return false;
        }
        turn.desk.commit(consumer.deletion(&self.id), Pending::Emptied { replies: Vec::new() });
        self.consumer = None;
        true
    }

    /// An empty classic group becomes one of the consumer protocol. `false`: it is not empty.
    fn become_consumer(&mut self, ops: &mut Vec<Op>) -> bool {
        if self.consumer.is_some() {
            return true;
        }
        if !self.is_empty() || !self.pending_members.is_empty() {
            return false;
        }
        if self.has_generation() {
            ops.push(stored::delete_group(&self.id));
        }
        (self.protocol_type, self.protocol_name, self.leader) = (None, None, None);
        (self.generation, self.state_timestamp_ms, self.subscribed) = (0, None, None);
        self.consumer = Some(Box::default());
        true
    }
}

//! One group: its members, its phase, and what can be said of them without a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel_model::coordinator::CommitId;
use kernel_model::time::Now;

use super::consumer::{Consumer, ConsumerRecord};
use super::desk::Turn;
use super::limits::Limits;
use super::member::{Caller, Member};
use super::snapshot::{CommittedOffset, GroupSnapshot, MemberSnapshot, OffsetKey};
use super::subscription;
use super::transactional::OpenOffsets;
use crate::codec::Str;
use crate::codec::messages::join_group_request::JoinGroupRequestProtocol;
use crate::errors::ErrorCode;

/// Which side serves a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// This one.
    Serving,
    /// Legacy; this side keeps up with it and answers no client.
    Following,
}

/// Why a group takes no requests for the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// A commit that changes the group as a whole is on its way.
    Busy,
    /// All its members wait, and its offsets are being copied to the other side: nothing may change them.
    Leaving,
    /// Something stored of it could not be read. It stays so: offsets must not seem to be gone.
    Damaged,
}

/// Where a group stands.
///
/// ```text
///            join                  all joined, or time         leader's sync is durable
///   Empty ---------> Preparing ------------------> Completing --------------------> Stable
///     ^                |  ^ ^                          |                              |
///     |   none left    |  | +--------------------------+   join, leave, time-out      |
///     +----------------+  +-----------------------------------------------------------+
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// No members.
    Empty,
    /// Members are joining.
    Preparing {
        /// When it goes on without those who are missing.
        deadline: Duration,
        /// Set while the group was empty before: more members are waited for.
        initial: Option<InitialDelay>,
    },
    /// All have joined; the leader shares the work out.
    Completing {
        /// Members whose sync has not come.
        unsynced: BTreeSet<Str>,
        /// When those are removed.
        deadline: Duration,
        /// The leader's assignments are on their way to the disk.
        storing: Option<CommitId>,
    },
    /// Everybody can know its assignment.
    Stable {
        /// Members that have not asked for theirs yet.
        unsynced: BTreeSet<Str>,
        /// When those are removed.
        deadline: Option<Duration>,
    },
}

/// How long the first rebalance of a group still waits for more members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InitialDelay {
    /// The wait that is under way.
    pub(super) delay: Duration,
    /// What may be added to it.
    pub(super) remaining: Duration,
    /// A member came during this wait.
    pub(super) new_member: bool,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Str,
    pub(super) role: Role,
    pub(super) hold: Option<Hold>,
    /// It is about to go to the other side: who joins waits until it has gone, or stays after all.
    pub(super) gathering: bool,
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Str>,
    pub(super) protocol_name: Option<Str>,
    pub(super) leader: Option<Str>,
    pub(super) state_timestamp_ms: Option<i64>,
    pub(super) members: BTreeMap<Str, Member>,
    /// Member ids by instance id.
    pub(super) static_members: BTreeMap<Str, Str>,
    /// Ids that were given out and not used yet, with the end of their validity.
    pub(super) pending_members: BTreeMap<Str, Duration>,
    /// Topics of all members, as far as they can be read from their subscriptions.
    pub(super) subscribed: Option<BTreeSet<Str>>,
    /// Members and assignments of the consumer protocol; `None` for a classic group.
    pub(super) consumer: Option<Box<Consumer>>,
    pub(super) offsets: BTreeMap<OffsetKey, CommittedOffset>,
    /// Partitions with commits that are not durable yet, and how many.
    pub(super) in_flight: BTreeMap<OffsetKey, u32>,
    /// Offsets of open transactions, by producer id.
    pub(super) open: BTreeMap<i64, OpenOffsets>,
    /// Batches of legacy's records about it that are not durable yet.
    pub(super) follows: u32,
    /// Not later than the next deadline of anything above; `None` when there is none.
    pub(super) alarm: Option<Duration>,
    awaiting_join: usize,
    bytes: usize,
}

impl Group {
    /// A group of which nothing is known but its id.
    pub(super) fn new(id: &Str) -> Self {
        Self::restored(GroupSnapshot { group_id: id.detached(), ..GroupSnapshot::default() }, Role::Serving)
    }

    /// The group of a snapshot. Sessions have no deadlines yet: see [`Self::begin_sessions`].
    pub(super) fn restored(snapshot: GroupSnapshot, role: Role) -> Self {
        let mut group = Self {
            id: snapshot.group_id,
            role,
            hold: None,
            gathering: false,
            phase: Phase::Empty,
            generation: snapshot.generation,
            protocol_type: snapshot.protocol_type,
            protocol_name: snapshot.protocol_name,
            leader: snapshot.leader,
            state_timestamp_ms: snapshot.state_timestamp_ms,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            subscribed: None,
            consumer: None,
            offsets: snapshot.offsets.into_iter().collect(),
            in_flight: BTreeMap::new(),
            open: BTreeMap::new(),
            follows: 0,
            alarm: None,
            awaiting_join: 0,
            bytes: 0,
        };
        for member in snapshot.members {
            group.insert_member(member_of(member));
        }
        group.settle();
        group
    }

    /// Stable with members, empty without; whatever was under way is over.
    pub(super) fn settle(&mut self) {
        self.phase = if self.members.is_empty() {
            Phase::Empty
        } else {
            Phase::Stable { unsynced: BTreeSet::new(), deadline: None }
        };
        self.subscribed = subscription::topics(self);
    }

    /// Takes the generation of a snapshot and keeps the offsets.
    pub(super) fn take_generation(&mut self, snapshot: GroupSnapshot) {
        let offsets = std::mem::take(&mut self.offsets);
        let in_flight = std::mem::take(&mut self.in_flight);
        let open = std::mem::take(&mut self.open);
        let consumer = self.consumer.take();
        let (hold, alarm, follows, gathering) = (self.hold, self.alarm, self.follows, self.gathering);
        let generation = Self::restored(snapshot, self.role);
        *self = Self { offsets, in_flight, open, consumer, hold, alarm, follows, gathering, ..generation };
    }

    /// Starts every member's session anew.
    pub(super) fn begin_sessions(&mut self, now: Now, limits: &Limits) {
        if let Some(consumer) = &mut self.consumer {
            consumer.begin_sessions(now, limits);
        }
        self.alarm = self.next_deadline();
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            self.touch(now, &id);
        }
    }

    /// The group as it could be stored now: members and their assignments, no offsets.
    pub(super) fn snapshot(&self) -> GroupSnapshot {
        GroupSnapshot {
            group_id: self.id.clone(),
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            generation: self.generation,
            leader: self.leader.clone(),
            state_timestamp_ms: self.state_timestamp_ms,
            members: self.members.values().map(snapshot_of).collect(),
            offsets: Vec::new(),
        }
    }

    /// Kafka's name of the group's state.
    pub(super) fn state_name(&self) -> &'static str {
        if let Some(consumer) = &self.consumer {
            return consumer.state_name();
        }
        match self.phase {
            Phase::Empty => "Empty",
            Phase::Preparing { .. } => "PreparingRebalance",
            Phase::Completing { .. } => "CompletingRebalance",
            Phase::Stable { .. } => "Stable",
        }
    }

    /// Takes a record of a group of the consumer protocol over.
    pub(super) fn apply_consumer(&mut self, record: ConsumerRecord) {
        let consumer = self.consumer.get_or_insert_default();
        if !consumer.apply(record) {
            self.consumer = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.phase == Phase::Empty && !self.has_consumers()
    }

    /// Whether it has members of the consumer protocol.
    pub(super) fn has_consumers(&self) -> bool {
        self.consumer.as_ref().is_some_and(|consumer| !consumer.members.is_empty())
    }

    /// Whether it ever had members, as far as anybody knows.
    pub(super) fn has_generation(&self) -> bool {
        self.protocol_type.is_some() || self.generation != 0 || !self.members.is_empty()
    }

    /// Nothing would be lost by forgetting it.
    pub(super) fn is_vacant(&self) -> bool {
        self.role == Role::Serving
            && self.hold.is_none()
            && self.is_empty()
            && self.consumer.is_none()
            && !self.has_generation()
            && self.pending_members.is_empty()
            && self.offsets.is_empty()
            && self.in_flight.is_empty()
            && self.open.is_empty()
    }

    /// Whether clients are served here.
    pub(super) fn admission(&self) -> Result<(), ErrorCode> {
        match (self.hold, self.role) {
            (Some(Hold::Damaged), _) => Err(ErrorCode::CoordinatorNotAvailable),
            (_, Role::Following) => Err(ErrorCode::NotCoordinator),
            (Some(Hold::Busy | Hold::Leaving), Role::Serving) => Err(ErrorCode::CoordinatorLoadInProgress),
            (None, Role::Serving) => Ok(()),
        }
    }

    pub(super) fn validate_member(&self, id: &str, instance_id: Option<&Str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            let holder = self.static_members.get(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
            if holder != id {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_ref().is_some_and(|leader| leader == id)
    }

    /// Whether a member with this protocol type and these protocols fits in.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol]) -> bool {
        if self.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_ref().is_some_and(|mine| mine == protocol_type)
            && protocols.iter().any(|one| self.members.values().all(|member| knows(member, &one.name)))
    }

    /// The protocol that every member supports and most prefer; of equals the first by name.
    pub(super) fn select_protocol(&self) -> Option<Str> {
        let mut supporters: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let names: BTreeSet<&Str> = member.protocols.iter().map(|one| &one.name).collect();
            for name in names {
                *supporters.entry(name).or_default() += 1;
            }
        }
        supporters.retain(|_, count| *count == self.members.len());
        let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let favourite = member.protocols.iter().find(|one| supporters.contains_key(&one.name));
            if let Some(favourite) = favourite {
                *votes.entry(&favourite.name).or_default() += 1;
            }
        }
        let most = votes.values().max().copied()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    /// Whether an offset of this topic is in use by members.
    pub(super) fn is_subscribed(&self, topic: &Str) -> bool {
        if let Some(consumer) = &self.consumer {
            return consumer.is_subscribed(topic);
        }
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.consumer.is_some()
            || self.protocol_type.as_ref().is_some_and(|name| name == subscription::PROTOCOL_TYPE)
    }

    /// Longest rebalance time-out of a member.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(Member::rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn all_joined(&self) -> bool {
        self.awaiting_join == self.members.len() && self.pending_members.is_empty()
    }

    pub(super) fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn count_bytes(&mut self) {
        self.bytes = self.members.values().map(Member::bytes).sum();
    }

    /// Asks to be woken at `deadline`, or before.
    pub(super) fn arm(&mut self, deadline: Duration) {
        self.alarm = Some(self.alarm.map_or(deadline, |alarm| alarm.min(deadline)));
    }

    /// Starts a member's session anew.
    pub(super) fn touch(&mut self, now: Now, id: &str) {
        let Some(member) = self.members.get_mut(id) else { return };
        let timeout = member.session_timeout();
        self.touch_for(now, id, timeout);
    }

    pub(super) fn touch_for(&mut self, now: Now, id: &str, timeout: Duration) {
        let Some(member) = self.members.get_mut(id) else { return };
        let deadline = now.deadline(timeout);
        member.session_deadline = Some(deadline);
        self.arm(deadline);
    }

    /// Adds a member; the first one decides the protocol type and leads.
    pub(super) fn insert_member(&mut self, member: Member) {
        self.bytes += member.bytes();
        self.awaiting_join += usize::from(member.join.is_some());
        self.pending_members.remove(&member.id);
        self.leader.get_or_insert_with(|| member.id.clone());
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out, with its parked requests; the leader stays who it is.
    pub(super) fn take_member(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.bytes = self.bytes.saturating_sub(member.bytes());
        self.awaiting_join -= usize::from(member.join.is_some());
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if let Some(unsynced) = self.unsynced_mut() {
            unsynced.remove(id);
        }
        Some(member)
    }

    /// Parks a join and answers the one it takes the place of, whose client must have gone.
    pub(super) fn park_join(&mut self, turn: &mut Turn<'_>, id: &str, caller: Caller) {
        let Some(member) = self.members.get_mut(id) else { return };
        let before = member.join.replace(caller);
        match before {
            None => self.awaiting_join += 1,
            Some(before) => {
                let member_id = member.id.clone();
                super::join::refuse(turn, before, &member_id, ErrorCode::RebalanceInProgress);
            }
        }
    }

    pub(super) fn unpark_join(&mut self, id: &str) -> Option<Caller> {
        let caller = self.members.get_mut(id)?.join.take()?;
        self.awaiting_join -= 1;
        Some(caller)
    }

    pub(super) fn unsynced_mut(&mut self) -> Option<&mut BTreeSet<Str>> {
        match &mut self.phase {
            Phase::Completing { unsynced, .. } | Phase::Stable { unsynced, .. } => Some(unsynced),
            Phase::Empty | Phase::Preparing { .. } => None,
        }
    }

    /// The earliest deadline of all. Looks at every member.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let phase = match &self.phase {
            Phase::Empty => None,
            Phase::Preparing { deadline, .. } => Some(*deadline),
            Phase::Completing { deadline, unsynced, .. } => (!unsynced.is_empty()).then_some(*deadline),
            Phase::Stable { deadline, unsynced } => deadline.filter(|_| !unsynced.is_empty()),
        };
        let sessions = self.members.values().filter_map(|member| member.session_deadline);
        let consumers = self.consumer.as_ref().and_then(|consumer| consumer.next_deadline());
        sessions.chain(self.pending_members.values().copied()).chain(phase).chain(consumers).min()
    }
}

fn knows(member: &Member, protocol: &Str) -> bool {
    member.protocols.iter().any(|one| one.name == *protocol)
}

fn member_of(snapshot: MemberSnapshot) -> Member {
    Member {
        id: snapshot.member_id,
        instance_id: snapshot.instance_id,
        client_id: snapshot.client_id,
        client_host: snapshot.client_host,
        session_timeout_ms: snapshot.session_timeout_ms,
        rebalance_timeout_ms: snapshot.rebalance_timeout_ms,
        protocols: snapshot.protocols,
        assignment: snapshot.assignment,
        join: None,
        sync: None,
        is_new: false,
        session_deadline: None,
    }
}

fn snapshot_of(member: &Member) -> MemberSnapshot {
    MemberSnapshot {
        member_id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        session_timeout_ms: member.session_timeout_ms,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        protocols: member.protocols.clone(),
        assignment: member.assignment.clone(),
    }
}

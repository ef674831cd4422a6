//! ConsumerGroupHeartbeat: joining, staying, saying what one has, and leaving.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel_model::commit::Op;
use regex_lite::{Regex, RegexBuilder};

use super::STATIC_AWAY;
use super::assign::{self, ASSIGNORS, Sizes, Subscriber, Subscribers};
use super::records::{self, flat};
use super::{Consumer, ConsumerMember, ConsumerRecord, CurrentRecord, MemberRecord, MemberState, Partitions};
use crate::catalog::Catalog;
use crate::codec::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use crate::codec::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::codec::{Str, Uuid};
use crate::coordinator::group::desk::{Pending, Turn};
use crate::coordinator::group::join::Client;
use crate::coordinator::group::limits::Limits;
use crate::coordinator::group::member::Caller;
use crate::coordinator::group::state::Group;
use crate::errors::ErrorCode;

/// Longest pattern of topic names, in bytes.
const PATTERN_BYTES_MAX: usize = 4096;
/// Most memory that a compiled pattern may take, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// The epoch of a member that leaves for good.
const LEAVES: i32 = -1;
/// From this version members bring their own ids.
const OWN_ID_FROM: i16 = 1;

/// Why a heartbeat is refused.
#[derive(Debug)]
pub(in super::super) struct Refusal {
    code: ErrorCode,
    why: Option<Str>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, why: None }
    }
}

impl Refusal {
    pub(in super::super) fn new(code: ErrorCode, why: impl Into<String>) -> Self {
        Self { code, why: Some(Str::from(why.into())) }
    }

    fn invalid(why: &str) -> Self {
        Self::new(ErrorCode::InvalidRequest, why)
    }
}

/// Refuses a heartbeat.
pub(in super::super) fn refuse(turn: &mut Turn<'_>, caller: Caller, refusal: Refusal) {
    let response = ConsumerGroupHeartbeatResponse {
        error_code: refusal.code.code(),
        error_message: refusal.why,
        ..ConsumerGroupHeartbeatResponse::default()
    };
    turn.desk.answer(caller, &response);
}

/// What is wrong with a heartbeat, whatever group it is for.
pub(in super::super) fn check(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refusal> {
    let is_blank = |text: &Option<Str>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let joins = request.member_epoch == 0;
    if (version >= OWN_ID_FROM || !joins) && request.member_id.trim().is_empty() {
        return Err(Refusal::invalid("The member id is empty."));
    }
    if request.group_id.trim().is_empty() {
        return Err(Refusal::invalid("The group id is empty."));
    }
    if is_blank(&request.instance_id) || is_blank(&request.rack_id) {
        return Err(Refusal::invalid("An instance id or rack id is empty."));
    }
    if joins {
        check_join(request)?;
    } else if request.member_epoch == STATIC_AWAY && request.instance_id.is_none() {
        return Err(Refusal::invalid("Only a static member can leave for a while."));
    } else if request.member_epoch < STATIC_AWAY {
        return Err(Refusal::invalid("The member epoch has no meaning."));
    }
    let unknown = request.server_assignor.as_ref().filter(|name| !ASSIGNORS.contains(&name.as_str()));
    if let Some(name) = unknown {
        let why = format!("There is no assignor {name}; there are: {}.", ASSIGNORS.join(", "));
        return Err(Refusal::new(ErrorCode::UnsupportedAssignor, why));
    }
    let pattern = request.subscribed_topic_regex.as_ref().filter(|pattern| !pattern.is_empty());
    match pattern {
        Some(pattern) if compile(pattern).is_none() => {
            let why = "The pattern of topic names cannot be read.";
            Err(Refusal::new(ErrorCode::InvalidRegularExpression, why))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_join(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    if request.rebalance_timeout_ms == -1 {
        return Err(Refusal::invalid("Who joins has to name its rebalance time-out."));
    }
    if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
        return Err(Refusal::invalid("Who joins has no partitions."));
    }
    if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
        return Err(Refusal::invalid("Who joins has to name topics or a pattern."));
    }
    Ok(())
}

/// A pattern that stands for whole names, if it can be read within bounds. Matching takes linear time.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let fits = pattern.len() <= PATTERN_BYTES_MAX;
    let whole = fits.then(|| format!("^(?:{pattern})$"))?;
    // On its own first, so that a bracket too many does not close the frame.
    RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build().ok()?;
    RegexBuilder::new(&whole).size_limit(COMPILED_BYTES_MAX).build().ok()
}

impl Group {
    /// Takes a heartbeat that is in order by itself.
    pub(in super::super) fn consumer_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        catalog: &Arc<Catalog>,
        request: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        caller: Caller,
    ) {
        let mut ops = Vec::new();
        match self.beat(turn, catalog, request, client, &mut ops) {
            Err(refusal) => {
                if !ops.is_empty() {
                    turn.desk.commit(ops, Pending::Emptied { replies: Vec::new() });
                }
                refuse(turn, caller, refusal);
            }
            Ok(response) if ops.is_empty() => turn.desk.answer(caller, &response),
            Ok(response) => {
                let group = self.id.clone();
                turn.desk.commit(ops, Pending::Beat { group, caller, response: Box::new(response) });
            }
        }
    }

    fn beat(
        &mut self,
        turn: &mut Turn<'_>,
        catalog: &Arc<Catalog>,
        request: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        ops: &mut Vec<Op>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        if self.gathering {
            return self.beat_gathering(turn, request, ops);
        }
        if request.member_epoch == 0 {
            self.become_consumer(ops);
        }
        let Some(consumer) = &mut self.consumer else {
            let why = format!("Group {} is not of the consumer protocol.", self.id);
            return Err(Refusal::new(ErrorCode::GroupIdNotFound, why));
        };
        if request.member_epoch < 0 {
            return consumer.leave(&self.id, request, ops);
        }
        let id = if request.member_id.is_empty() {
            turn.desk.member_id(turn.now, "").trim_start_matches('-').into()
        } else {
            request.member_id.detached()
        };
        let bytes_max = turn.limits.group_bytes_max;
        consumer.identify(&self.id, request, &id, turn.limits.group_members_max, ops)?;
        consumer.describe_itself(&self.id, request, &id, client, bytes_max, ops)?;
        consumer.retarget(&self.id, catalog, ops);
        let owned = request.topic_partitions.as_ref().map(|topics| owned_of(topics));
        let changed = consumer.reconcile(&self.id, &id, owned.as_ref(), ops);
        let Some(member) = consumer.members.get_mut(&id) else {
            return Err(ErrorCode::UnknownMemberId.into());
        };
        member.touch(turn.now, turn.limits);
        let is_full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let tells = request.member_epoch == 0 || is_full || changed;
        let response = answer(turn.limits, id, member, tells);
        if let Some(deadline) = member.deadline() {
            self.arm(deadline);
        }
        Ok(response)
    }
}

/// What a member is told; of its assignment only if it `tells` that.
pub(super) fn answer(
    limits: &Limits,
    id: Str,
    member: &ConsumerMember,
    tells: bool,
) -> ConsumerGroupHeartbeatResponse {
    let interval_ms = limits.consumer_heartbeat_interval.as_millis();
    ConsumerGroupHeartbeatResponse {
        member_id: Some(id),
        member_epoch: member.current.epoch,
        heartbeat_interval_ms: i32::try_from(interval_ms).unwrap_or(i32::MAX),
        assignment: tells.then(|| assignment(&member.current.assigned)),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

pub(super) fn owned_of(
    topics: &[crate::codec::messages::consumer_group_heartbeat_request::TopicPartitions],
) -> Partitions {
    topics.iter().map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect()
}

fn assignment(partitions: &Partitions) -> Assignment {
    let topics = partitions.iter().filter(|(_, numbers)| !numbers.is_empty());
    let topics = topics.map(|(topic_id, numbers)| TopicPartitions {
        topic_id: *topic_id,
        partitions: numbers.iter().copied().collect(),
        ..TopicPartitions::default()
    });
    Assignment { topic_partitions: topics.collect(), ..Assignment::default() }
}

pub(super) fn unknown(id: &str) -> Refusal {
    Refusal::new(ErrorCode::UnknownMemberId, format!("There is no member {id}."))
}

impl Consumer {
    pub(super) fn leave(
        &mut self,
        group: &Str,
        request: &ConsumerGroupHeartbeatRequest,
        ops: &mut Vec<Op>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let id = &request.member_id;
        if let Some(instance) = &request.instance_id {
            let holder = self.statics.get(instance).ok_or_else(|| unknown(instance))?;
            if holder != id {
                let why = format!("Another member has the instance id {instance}.");
                return Err(Refusal::new(ErrorCode::FencedInstanceId, why));
            }
        }
        let member = self.members.get(id).ok_or_else(|| unknown(id))?;
        if request.member_epoch == LEAVES {
            self.remove(group, &id.detached(), ops);
        } else {
            // Its place is kept for it, until its session is over.
            let away = CurrentRecord {
                epoch: STATIC_AWAY,
                previous_epoch: member.current.epoch,
                state: MemberState::Stable,
                revoking: Partitions::new(),
                ..member.current.clone()
            };
            let id = id.detached();
            let record =
                ConsumerRecord::Current { member: id.clone(), current: Some(Box::new(away.clone())) };
            ops.extend(records::put(group, &record));
            self.place(&id, away);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id.clone()),
            member_epoch: request.member_epoch,
            ..ConsumerGroupHeartbeatResponse::default()
        })
    }

    /// Finds the member that a heartbeat is from, or lets a new one in.
    pub(super) fn identify(
        &mut self,
        group: &Str,
        request: &ConsumerGroupHeartbeatRequest,
        id: &Str,
        members_max: usize,
        ops: &mut Vec<Op>,
    ) -> Result<(), Refusal> {
        let joins = request.member_epoch == 0;
        if let Some(instance) = &request.instance_id {
            match self.statics.get(instance).cloned() {
                Some(holder) if holder != *id => {
                    if !joins {
                        let why = format!("Another member has the instance id {instance}.");
                        return Err(Refusal::new(ErrorCode::FencedInstanceId, why));
                    }
                    return self.take_over(group, &holder, id, ops);
                }
                None if !joins => return Err(unknown(instance)),
                Some(_) | None => {}
            }
        }
        if let Some(member) = self.members.get(id) {
            return if joins { Ok(()) } else { check_epoch(member, request) };
        }
        if !joins {
            return Err(unknown(id));
        }
        if self.members.len() >= members_max {
            let why = format!("The group has {members_max} members, which is all it may have.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, why));
        }
        Ok(())
    }

    /// A static member that came back under a new id takes the place of the one that left.
    fn take_over(&mut self, group: &Str, from: &Str, to: &Str, ops: &mut Vec<Op>) -> Result<(), Refusal> {
        if self.members.get(from).is_some_and(|member| member.current.epoch != STATIC_AWAY) {
            let why = "The member that has the instance id has not left.";
            return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, why));
        }
        let Some(member) = self.take(from) else { return Err(unknown(from)) };
        ops.extend(records::gone(group, from));
        let target = self.targets.remove(from).unwrap_or_default();
        if let Some(instance) = &member.about.instance_id {
            self.statics.insert(instance.clone(), to.clone());
        }
        let about = Some(Box::new(member.about.clone()));
        ops.extend(records::put(group, &ConsumerRecord::Member { member: to.clone(), about }));
        let partitions = Some(target.clone());
        ops.extend(records::put(group, &ConsumerRecord::Target { member: to.clone(), partitions }));
        self.targets.insert(to.clone(), target);
        let current = CurrentRecord { epoch: 0, previous_epoch: 0, ..member.current.clone() };
        self.members.insert(to.clone(), ConsumerMember { current: CurrentRecord::default(), ..member });
        let record = ConsumerRecord::Current { member: to.clone(), current: Some(Box::new(current.clone())) };
        ops.extend(records::put(group, &record));
        self.place(to, current);
        Ok(())
    }

    /// Takes over what a heartbeat says of its member. Fields that are absent have not changed.
    fn describe_itself(
        &mut self,
        group: &Str,
        request: &ConsumerGroupHeartbeatRequest,
        id: &Str,
        client: &Client,
        bytes_max: usize,
        ops: &mut Vec<Op>,
    ) -> Result<(), Refusal> {
        let before = self.members.get(id).map(|member| &member.about);
        let mut about = before.cloned().unwrap_or_default();
        about.client_id = client.id.detached();
        about.client_host = client.host.detached();
        about.instance_id = request.instance_id.as_ref().map(Str::detached).or(about.instance_id);
        about.rack_id = request.rack_id.as_ref().map(Str::detached).or(about.rack_id);
        about.assignor = request.server_assignor.as_ref().map(Str::detached).or(about.assignor);
        if request.rebalance_timeout_ms != -1 {
            about.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        if let Some(names) = &request.subscribed_topic_names {
            about.names = names.iter().map(Str::detached).collect();
        }
        if let Some(pattern) = &request.subscribed_topic_regex {
            about.pattern = Some(pattern.detached()).filter(|pattern| !pattern.is_empty());
        }
        if before == Some(&about) {
            return Ok(());
        }
        let bytes: usize = self.members.values().map(|member| bytes(&member.about)).sum();
        if bytes.saturating_add(self::bytes(&about)) > bytes_max {
            let why = "The subscriptions of the group are as large as they may be.";
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, why));
        }
        let reads = |about: &MemberRecord| (about.names.clone(), about.pattern.clone());
        let changed = before.is_none_or(|before| reads(before) != reads(&about));
        let record = ConsumerRecord::Member { member: id.clone(), about: Some(Box::new(about)) };
        ops.extend(records::put(group, &record));
        self.apply(record);
        if changed {
            self.bump(group, ops);
        }
        Ok(())
    }

    /// Makes new targets if members, subscriptions or topics changed.
    fn retarget(&mut self, group: &Str, catalog: &Arc<Catalog>, ops: &mut Vec<Op>) {
        let is_due = self.epoch > self.target_epoch;
        let is_news = self.seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, catalog));
        if !is_due && !is_news {
            return;
        }
        self.seen = Some(catalog.clone());
        let (members, sizes) = self.subscribers(catalog);
        if !is_due {
            let wanted: BTreeSet<Uuid> =
                members.values().flat_map(|one| one.topics.iter().copied()).collect();
            let all: BTreeSet<(Uuid, i32)> = wanted
                .iter()
                .flat_map(|topic| (0..sizes.get(topic).copied().unwrap_or(0)).map(|number| (*topic, number)))
                .collect();
            let shared: BTreeSet<(Uuid, i32)> = self.targets.values().flat_map(flat).collect();
            if all == shared {
                return;
            }
            self.bump(group, ops);
        }
        for (id, share) in assign::assign(self.assignor(), &members, &sizes) {
            if self.targets.get(&id) == Some(&share) {
                continue;
            }
            let record = ConsumerRecord::Target { member: id.clone(), partitions: Some(share.clone()) };
            ops.extend(records::put(group, &record));
            self.targets.insert(id, share);
        }
        self.target_epoch = self.epoch;
        ops.extend(records::put(group, &ConsumerRecord::TargetEpoch(Some(self.epoch))));
    }

    /// Members with the topics that they read, and how large those are.
    fn subscribers(&self, catalog: &Catalog) -> (Subscribers, Sizes) {
        let mut sizes = Sizes::new();
        let mut patterns: BTreeMap<&Str, BTreeSet<Uuid>> = BTreeMap::new();
        for pattern in self.members.values().filter_map(|member| member.about.pattern.as_ref()) {
            patterns.entry(pattern).or_insert_with(|| {
                let Some(compiled) = compile(pattern) else { return BTreeSet::new() };
                let topics = catalog.topics().filter(|topic| compiled.is_match(&topic.name));
                topics.map(|topic| topic.id).collect()
            });
        }
        let mut members = Subscribers::new();
        for (id, member) in &self.members {
            let named = member.about.names.iter().filter_map(|name| catalog.topic(name));
            let mut topics: BTreeSet<Uuid> = named.map(|topic| topic.id).collect();
            topics
                .extend(member.about.pattern.as_ref().and_then(|of| patterns.get(of)).into_iter().flatten());
            for topic in topics.iter().filter_map(|id| catalog.topic_by_id(*id)) {
                sizes.insert(topic.id, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
            }
            let before = self.targets.get(id).cloned().unwrap_or_default();
            let instance_id = member.about.instance_id.clone();
            members.insert(id.clone(), Subscriber { instance_id, topics, before });
        }
        (members, sizes)
    }
}

fn bytes(about: &MemberRecord) -> usize {
    let names: usize = about.names.iter().map(|name| name.len()).sum();
    names + about.pattern.as_ref().map_or(0, |pattern| pattern.len())
}

/// A member may come with its epoch, or with the one before if the answer that told it of the new one was lost.
fn check_epoch(member: &ConsumerMember, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let (known, named) = (&member.current, request.member_epoch);
    let lost_answer = || {
        named == known.previous_epoch
            && request.topic_partitions.as_ref().is_some_and(|owned| {
                flat(&owned_of(owned)).all(|(topic, number)| {
                    known.assigned.get(&topic).is_some_and(|numbers| numbers.contains(&number))
                })
            })
    };
    if named == known.epoch || (named < known.epoch && lost_answer()) {
        return Ok(());
    }
    let why = format!("The member names epoch {named}, but has {}: it has to join again.", known.epoch);
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, why))
}

//! How groups come from legacy and go back: the migration messages and what follows their commits.

use std::collections::BTreeSet;

use kernel_model::commit::Op;
use kernel_model::coordinator::MessageId;
use kernel_model::time::Now;

use super::GroupCoordinator;
use super::desk::{Pending, Turn};
use super::packing::Packed as _;
use super::record::OffsetsRecord;
use super::snapshot::{GroupSnapshot, OffsetKey};
use super::state::{Group, Hold, Role};
use super::transfer::{Transfer, TransferReply};
use super::{join, stored, sync};
use crate::codec::{Str, Uuid};
use crate::errors::ErrorCode;

impl GroupCoordinator {
    pub(super) fn transfer(&mut self, now: Now, message: MessageId, transfer: Transfer) {
        let outcome = match transfer {
            Transfer::Install(snapshot) => self.install(message, snapshot),
            Transfer::Follow { records, progress } => self.follow(message, records, progress),
            Transfer::Activate { group } => self.activate(message, group),
            Transfer::Deactivate { group } => self.deactivate(now, message, group),
            Transfer::Gather { group } => Err(self.gather(now, &group)),
            Transfer::Close { group } => Err(self.close(&group)),
            Transfer::Reopen { group } => Err(self.reopen(now, &group)),
            Transfer::Forget { group } => self.forget(message, group),
            Transfer::TopicsDeleted { topics } => self.forget_topics(message, topics),
            Transfer::Export { group } => Err(self.export(&group)),
            Transfer::Progress => {
                let progress = self.progress.iter().map(|(partition, next)| (*partition, *next));
                Err(TransferReply::Progress(progress.collect()))
            }
        };
        // What needs no commit is answered at once.
        if let Err(reply) = outcome {
            self.desk.answer_transfer(message, &reply);
        }
    }

    fn install(&mut self, message: MessageId, snapshot: GroupSnapshot) -> Result<(), TransferReply> {
        let id = snapshot.group_id.detached();
        if self.groups.get(&id).is_some_and(|group| group.role == Role::Serving && !group.is_vacant()) {
            return Err(TransferReply::Serving);
        }
        let group = self.follower(&id)?;
        let mut ops = group.deletion();
        ops.push(stored::put_following(&id));
        ops.extend(snapshot.offsets.iter().map(|(key, offset)| stored::put_offset(&id, key, offset)));
        if snapshot.has_generation() {
            ops.push(stored::put_group(&GroupSnapshot { offsets: Vec::new(), ..snapshot.clone() }));
        }
        group.hold = Some(Hold::Busy);
        self.desk.commit(ops, Pending::Installed { message, snapshot: Box::new(snapshot) });
        Ok(())
    }

    fn follow(
        &mut self,
        message: MessageId,
        records: Vec<OffsetsRecord>,
        progress: Vec<(i32, i64)>,
    ) -> Result<(), TransferReply> {
        let mut ops: Vec<Op> = Vec::new();
        let (mut taken, mut ignored, mut marked) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for record in records {
            let Some((id, op)) = op_of(&record) else { continue };
            let known = self.groups.get(&id);
            if known.is_some_and(|group| group.role == Role::Serving && !group.is_vacant()) {
                ignored.insert(id.detached());
                continue;
            }
            self.follower(&id)?;
            if marked.insert(id.detached()) {
                ops.push(stored::put_following(&id));
            }
            ops.push(op);
            taken.push(record);
        }
        for id in &marked {
            if let Some(group) = self.groups.get_mut(id) {
                group.follows += 1;
            }
        }
        let ignored: Vec<Str> = ignored.into_iter().collect();
        ops.extend(progress.iter().map(|(partition, next)| stored::put_progress(*partition, *next)));
        if ops.is_empty() {
            return Err(TransferReply::Followed { ignored });
        }
        let pending = Pending::Followed { message, records: taken, groups: marked, progress, ignored };
        self.desk.commit(ops, pending);
        Ok(())
    }

    /// The group, as one that follows. It is there at once, so that no client can create it meanwhile.
    fn follower(&mut self, id: &Str) -> Result<&mut Group, TransferReply> {
        if self.groups.get(id).is_some_and(|group| group.hold.is_some()) {
            return Err(busy());
        }
        if !self.groups.contains_key(id) && self.groups.len() >= self.limits.groups_max {
            return Err(TransferReply::Refused(Str::from_static("too many groups")));
        }
        let id = id.detached();
        let group = self.groups.entry(id).or_insert_with_key(Group::new);
        group.role = Role::Following;
        Ok(group)
    }

    fn activate(&mut self, message: MessageId, id: Str) -> Result<(), TransferReply> {
        // Legacy knows nothing of it either, so there is nothing to take over.
        let Some(group) = self.groups.get_mut(&id) else { return Err(TransferReply::Done) };
        match (group.role, group.hold) {
            (_, Some(_)) => Err(busy()),
            (Role::Serving, None) => Err(TransferReply::Done),
            (Role::Following, None) => {
                group.hold = Some(Hold::Busy);
                let ops = vec![stored::delete_following(&id)];
                self.desk.commit(ops, Pending::Activated { message, group: id });
                Ok(())
            }
        }
    }

    fn deactivate(&mut self, now: Now, message: MessageId, id: Str) -> Result<(), TransferReply> {
        let mut ops = vec![stored::put_following(&id)];
        match self.groups.get(&id).map(|group| (group.role, group.hold)) {
            Some((Role::Serving, None | Some(Hold::Leaving))) => {}
            Some((_, Some(_))) => return Err(busy()),
            Some((Role::Following, None)) => return Err(TransferReply::Done),
            None => drop(self.follower(&id)?),
        }
        let Self { groups, desk, limits, .. } = self;
        let Some(group) = groups.get_mut(&id) else { return Err(busy()) };
        group.hold = Some(Hold::Busy);
        group.dismiss(&mut Turn { now, limits, desk });
        if let Some(consumer) = &group.consumer {
            ops.extend(consumer.deletion(&id));
        }
        // A generation that is being stored just now is the one to keep.
        if group.storing().is_none() && group.has_generation() {
            group.disband();
            ops.push(stored::put_group(&group.snapshot()));
        }
        desk.commit(ops, Pending::Deactivated { message, group: id });
        Ok(())
    }

    /// Begins to gather a group, or says who is missing still.
    fn gather(&mut self, now: Now, id: &Str) -> TransferReply {
        let known = self.groups.get(id).filter(|group| group.role == Role::Serving);
        match known.map(|group| (group.hold, group.gathering)) {
            None | Some((Some(Hold::Leaving), _)) => return TransferReply::Gathered { missing: Vec::new() },
            Some((Some(Hold::Busy | Hold::Damaged), _)) => return busy(),
            Some((None, true)) => {}
            Some((None, false)) => {
                self.with_group(now, id, |group, turn| {
                    group.gathering = true;
                    if group.has_consumers() {
                        group.gather_consumers(turn);
                    } else if !group.is_empty() {
                        group.rebalance(turn);
                    }
                });
            }
        }
        let group = self.groups.get(id);
        let joining = group.into_iter().flat_map(|group| group.members.values());
        let joining = joining.filter(|member| member.join.is_none()).map(|member| &member.id);
        let holding = group.into_iter().flat_map(Group::consumers);
        TransferReply::Gathered { missing: joining.chain(holding).cloned().collect() }
    }

    fn close(&mut self, id: &Str) -> TransferReply {
        let Some(group) = self.groups.get_mut(id).filter(|group| group.role == Role::Serving) else {
            return TransferReply::Done;
        };
        if matches!(group.hold, Some(Hold::Busy | Hold::Damaged)) {
            return busy();
        }
        group.hold = Some(Hold::Leaving);
        if group.in_flight.is_empty() {
            TransferReply::Done
        } else {
            TransferReply::Refused(Str::from_static("offsets are on their way to the disk"))
        }
    }

    fn reopen(&mut self, now: Now, id: &Str) -> TransferReply {
        self.with_group(now, id, |group, turn| {
            if group.hold == Some(Hold::Leaving) {
                group.hold = None;
            }
            if std::mem::take(&mut group.gathering) {
                group.continue_joining(turn);
                group.share_again();
            }
            group.alarm = group.next_deadline();
        });
        TransferReply::Done
    }

    fn forget(&mut self, message: MessageId, id: Str) -> Result<(), TransferReply> {
        let Some(group) = self.groups.get_mut(&id) else { return Err(TransferReply::Done) };
        match (group.role, group.hold) {
            (Role::Serving, _) => Err(TransferReply::Serving),
            (Role::Following, Some(_)) => Err(busy()),
            (Role::Following, None) => {
                group.hold = Some(Hold::Busy);
                let mut ops = group.deletion();
                ops.push(stored::delete_following(&id));
                self.desk.commit(ops, Pending::Forgotten { message: Some(message), group: id });
                Ok(())
            }
        }
    }

    /// Deletes what groups served here committed for topics that are gone, in one commit.
    fn forget_topics(&mut self, message: MessageId, topics: Vec<(Str, Uuid)>) -> Result<(), TransferReply> {
        // The message may be late. Only while the catalog holds a name back is there no new topic of that name,
        // whose offsets are to stay.
        let catalog = self.catalog.load();
        let held_back = |(name, id): &(Str, Uuid)| catalog.unforgotten_id(name) == Some(*id);
        let topics: BTreeSet<Str> = topics.into_iter().filter(held_back).map(|(name, _)| name).collect();
        let serving = self.groups.values().filter(|group| group.role == Role::Serving);
        let orphaned: Vec<(Str, Vec<OffsetKey>)> = serving
            .map(|group| (group.id.clone(), group.offsets_of(&topics)))
            .filter(|(_, keys)| !keys.is_empty())
            .collect();
        let serving = self.groups.values_mut().filter(|group| group.role == Role::Serving);
        let mut ops: Vec<Op> = serving.flat_map(|group| group.forget_open(&topics)).collect();
        if orphaned.is_empty() && ops.is_empty() {
            return Err(TransferReply::Done);
        }
        let deletions = orphaned
            .iter()
            .flat_map(|(group, keys)| keys.iter().map(|key| stored::delete_offset(group, key)));
        ops.extend(deletions);
        self.desk.commit(ops, Pending::TopicsForgotten { message, orphaned });
        Ok(())
    }

    fn export(&self, id: &Str) -> TransferReply {
        let Some(group) = self.groups.get(id) else { return TransferReply::Exported(None) };
        if group.hold == Some(Hold::Damaged) {
            return busy();
        }
        let offsets = group.offsets.iter().map(|(key, offset)| (key.clone(), offset.clone())).collect();
        let snapshot = GroupSnapshot { offsets, ..group.snapshot() };
        TransferReply::Exported(Some((Box::new(snapshot), group.role == Role::Serving)))
    }

    pub(super) fn installed(&mut self, snapshot: GroupSnapshot) {
        // A copy of its own, so that the message can go.
        let Ok(snapshot) = GroupSnapshot::from_packed(snapshot.to_packed()) else { return };
        let id = snapshot.group_id.detached();
        // Commits end in their order, so nothing of the group it replaces is in flight any more.
        self.groups.insert(id, Group::restored(snapshot, Role::Following));
    }

    pub(super) fn followed(&mut self, records: Vec<OffsetsRecord>, progress: Vec<(i32, i64)>) {
        for record in records {
            match record {
                OffsetsRecord::Offset { group, key, value } => {
                    let Some(group) = self.groups.get_mut(&group) else { continue };
                    match value {
                        Some(offset) => group.apply_offset(key, offset),
                        None => group.drop_offsets(&[key]),
                    }
                }
                OffsetsRecord::Group { group, generation } => {
                    let Some(group) = self.groups.get_mut(&group) else { continue };
                    let fresh = GroupSnapshot { group_id: group.id.clone(), ..GroupSnapshot::default() };
                    let generation =
                        generation.and_then(|one| GroupSnapshot::from_packed(one.to_packed()).ok());
                    group.take_generation(generation.unwrap_or(fresh));
                }
                OffsetsRecord::Consumer { group, key, value } => {
                    let Some(group) = self.groups.get_mut(&group) else { continue };
                    let record = super::decode_consumer_record(&key, value.as_deref());
                    if let Ok(Some((_, record))) = record {
                        group.apply_consumer(record);
                    }
                }
                OffsetsRecord::Unsupported { .. } => {}
            }
        }
        self.progress.extend(progress);
    }

    /// Records of these groups are durable, or were refused. Legacy's consumers come and go under
    /// ever new names, so a group of which nothing is left is forgotten, its mark included.
    pub(super) fn settle_follows(&mut self, ids: BTreeSet<Str>) {
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            group.follows = group.follows.saturating_sub(1);
            if group.is_void() {
                group.hold = Some(Hold::Busy);
                let ops = vec![stored::delete_following(&id)];
                self.desk.commit(ops, Pending::Forgotten { message: None, group: id });
            }
        }
    }

    pub(super) fn activated(&mut self, now: Now, id: &Str) {
        if let Some(group) = self.groups.get_mut(id) {
            group.role = Role::Serving;
            group.hold = None;
            group.begin_sessions(now, &self.limits);
        }
        self.note_alarm(id);
    }

    pub(super) fn deactivated(&mut self, id: &Str) {
        if let Some(group) = self.groups.get_mut(id) {
            group.role = Role::Following;
            group.hold = None;
            group.gathering = false;
            // Who was a member here joins there anew, with whatever legacy's log then says.
            group.consumer = None;
            group.settle();
        }
    }
}

impl Group {
    /// Nobody is a member any more: whoever was joins the other side as somebody new.
    fn disband(&mut self) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            self.take_member(&id);
        }
        self.protocol_name = None;
        self.leader = None;
        self.settle();
    }

    /// Answers everything that is parked: the other side serves the group.
    fn dismiss(&mut self, turn: &mut Turn<'_>) {
        self.pending_members.clear();
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(caller) = self.unpark_join(&id) {
                join::refuse(turn, caller, &id, ErrorCode::NotCoordinator);
            }
            if let Some(caller) = self.members.get_mut(&id).and_then(|member| member.sync.take()) {
                sync::refuse(turn, caller, ErrorCode::NotCoordinator);
            }
        }
    }
}

fn busy() -> TransferReply {
    TransferReply::Refused(Str::from_static("another change of this group is under way"))
}

impl Group {
    /// Follows, and there is nothing of it, neither here nor on the way.
    fn is_void(&self) -> bool {
        self.role == Role::Following
            && self.hold.is_none()
            && self.follows == 0
            && !self.has_generation()
            && self.consumer.is_none()
            && self.offsets.is_empty()
            && self.in_flight.is_empty()
    }
}

/// The group a record belongs to, and what it does to its keys.
fn op_of(record: &OffsetsRecord) -> Option<(Str, Op)> {
    match record {
        OffsetsRecord::Offset { group, key, value: Some(offset) } => {
            Some((group.clone(), stored::put_offset(group, key, offset)))
        }
        OffsetsRecord::Offset { group, key, value: None } => {
            Some((group.clone(), stored::delete_offset(group, key)))
        }
        OffsetsRecord::Group { group, generation: Some(generation) } => {
            // Keys follow the record's own group, whatever else it says.
            let generation =
                GroupSnapshot { group_id: group.clone(), offsets: Vec::new(), ..generation.clone() };
            Some((group.clone(), stored::put_group(&generation)))
        }
        OffsetsRecord::Group { group, generation: None } => {
            Some((group.clone(), stored::delete_group(group)))
        }
        OffsetsRecord::Consumer { group, key, value } => super::consumer::is_kept(key)
            .then(|| (group.clone(), stored::consumer_op(group, key, value.clone()))),
        OffsetsRecord::Unsupported { .. } => None,
    }
}

//! A group that goes back to legacy: its members let go of everything here, and join there anew.
//!
//! ```text
//!   heartbeat -> nothing is assigned -> the member commits, lets go and says so -> UNKNOWN_MEMBER_ID
//!             -> joins with epoch 0  -> COORDINATOR_LOAD_IN_PROGRESS until legacy serves the group
//! ```
//!
//! So legacy never sees an epoch of the kernel's, which it answers with an error that ends a client where it has no
//! such group.

use kernel_model::commit::Op;

use super::heartbeat::{Refusal, answer, owned_of, unknown};
use super::records;
use super::{Consumer, ConsumerRecord, Partitions, STATIC_AWAY};
use crate::codec::Str;
use crate::codec::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::coordinator::group::desk::{Pending, Turn};
use crate::coordinator::group::state::Group;
use crate::errors::ErrorCode;

impl Group {
    /// Nobody is to have anything any more.
    pub(in super::super) fn gather_consumers(&mut self, turn: &mut Turn<'_>) {
        let Some(consumer) = &mut self.consumer else { return };
        let mut ops = Vec::new();
        consumer.release_all(&self.id, &mut ops);
        turn.desk.commit(ops, Pending::Emptied { replies: Vec::new() });
    }

    /// Members who have not let go yet.
    pub(in super::super) fn consumers(&self) -> impl Iterator<Item = &Str> {
        self.consumer.iter().flat_map(|consumer| consumer.members.keys())
    }

    /// The group stays: its partitions are shared out again at the next heartbeat.
    pub(in super::super) fn share_again(&mut self) {
        if let Some(consumer) = &mut self.consumer {
            consumer.seen = None;
        }
    }

    /// A heartbeat while the group is gathered.
    pub(super) fn beat_gathering(
        &mut self,
        turn: &Turn<'_>,
        request: &ConsumerGroupHeartbeatRequest,
        ops: &mut Vec<Op>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let id = &request.member_id;
        let Some(consumer) = &mut self.consumer else {
            return Err(ErrorCode::CoordinatorLoadInProgress.into());
        };
        if request.member_epoch == 0 {
            consumer.remove(&self.id, id, ops);
            return Err(ErrorCode::CoordinatorLoadInProgress.into());
        }
        if request.member_epoch < 0 {
            let response = consumer.leave(&self.id, request, ops)?;
            // A place that is kept for a static member would be kept on the wrong side.
            consumer.remove(&self.id, id, ops);
            return Ok(response);
        }
        consumer.identify(&self.id, request, id, turn.limits.group_members_max, ops)?;
        let owned = request.topic_partitions.as_ref().map(|topics| owned_of(topics));
        let changed = consumer.reconcile(&self.id, id, owned.as_ref(), ops);
        let Some(member) = consumer.members.get_mut(id) else { return Err(unknown(id)) };
        if member.current.held().next().is_none() {
            consumer.remove(&self.id, id, ops);
            return Err(unknown(id));
        }
        member.touch(turn.now, turn.limits);
        let response = answer(turn.limits, id.clone(), member, changed);
        if let Some(deadline) = member.deadline() {
            self.arm(deadline);
        }
        Ok(response)
    }
}

impl Consumer {
    fn release_all(&mut self, group: &Str, ops: &mut Vec<Op>) {
        let away = |id: &&Str| self.members.get(*id).is_some_and(|one| one.current.epoch == STATIC_AWAY);
        let away: Vec<Str> = self.members.keys().filter(away).cloned().collect();
        for id in &away {
            self.remove(group, id, ops);
        }
        self.bump(group, ops);
        for member in self.members.keys() {
            let none = Partitions::new();
            self.targets.insert(member.clone(), none.clone());
            let record = ConsumerRecord::Target { member: member.clone(), partitions: Some(none) };
            ops.extend(records::put(group, &record));
        }
        self.target_epoch = self.epoch;
        ops.extend(records::put(group, &ConsumerRecord::TargetEpoch(Some(self.epoch))));
    }
}

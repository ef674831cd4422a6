//! What follows a commit once it is durable, or was refused.
//!
//! Commits of one shard become durable in the order in which they were asked for.

use kernel_model::coordinator::CommitId;
use kernel_model::error::KernelError;
use kernel_model::time::Now;

use super::GroupCoordinator;
use super::desk::Pending;
use super::state::{Group, Hold};
use super::transfer::TransferReply;
use crate::codec::Str;
use crate::codec::messages::ConsumerGroupHeartbeatResponse;
use crate::errors::coordinator_error;

impl GroupCoordinator {
    pub(super) fn committed(&mut self, now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        let Some(pending) = self.desk.finish(id) else { return };
        match outcome {
            Ok(()) => self.durable(now, pending),
            Err(error) => self.refused(now, pending, &error),
        }
        self.continue_fetches();
    }

    fn durable(&mut self, now: Now, pending: Pending) {
        match pending {
            Pending::Offsets { group, entries, caller, response } => {
                self.with_group(now, &group, |group, _| {
                    group.settle_in_flight(&entries);
                    group.apply_offsets(entries);
                });
                self.desk.answer(caller, &response);
            }
            Pending::InTransaction { caller, response, .. } => {
                super::transactional::answer(&mut self.desk, caller, &response);
            }
            Pending::Ended { group, producer_id, entries } => {
                self.with_group(now, &group, |group, _| group.ended(producer_id, entries));
            }
            Pending::Generation { group, generation, assignments, stored_ms } => {
                self.with_group(now, &group, |group, turn| {
                    group.complete_generation(turn, generation, &assignments, stored_ms);
                });
            }
            Pending::Replaced { group, caller, member_id, leader_before, .. } => {
                self.with_group(now, &group, |group, turn| {
                    group.replaced(turn, &member_id, caller, leader_before.as_ref());
                });
            }
            Pending::Beat { caller, response, .. } => self.desk.answer(caller, &*response),
            Pending::Emptied { replies } => {
                replies.into_iter().for_each(|(message, reply)| self.desk.reply(message, reply));
            }
            Pending::OffsetsDeleted { group, keys, caller, response } => {
                self.with_group(now, &group, |group, _| group.drop_offsets(&keys));
                self.desk.answer(caller, &response);
            }
            Pending::GroupsDeleted { groups, caller, response } => {
                groups.iter().for_each(|group| self.remove_group(group));
                self.desk.answer(caller, &response);
            }
            Pending::Expired { group, keys, whole } => {
                if whole {
                    self.remove_group(&group);
                } else {
                    self.with_group(now, &group, |group, _| group.drop_offsets(&keys));
                }
            }
            Pending::Installed { .. }
            | Pending::Followed { .. }
            | Pending::Activated { .. }
            | Pending::Deactivated { .. }
            | Pending::TopicsForgotten { .. }
            | Pending::Forgotten { .. } => self.transferred(now, pending),
        }
    }

    /// A commit of a migration is durable.
    fn transferred(&mut self, now: Now, pending: Pending) {
        let (message, reply) = match pending {
            Pending::Installed { message, snapshot } => {
                self.installed(*snapshot);
                (Some(message), TransferReply::Done)
            }
            Pending::Followed { message, records, groups, progress, ignored } => {
                self.followed(records, progress);
                self.settle_follows(groups);
                (Some(message), TransferReply::Followed { ignored })
            }
            Pending::Activated { message, group } => {
                self.activated(now, &group);
                (Some(message), TransferReply::Done)
            }
            Pending::Deactivated { message, group } => {
                self.deactivated(&group);
                (Some(message), TransferReply::Done)
            }
            Pending::TopicsForgotten { message, orphaned } => {
                for (group, keys) in &orphaned {
                    self.with_group(now, group, |group, _| group.drop_offsets(keys));
                }
                (Some(message), TransferReply::Done)
            }
            Pending::Forgotten { message, group } => {
                self.remove_group(&group);
                (message, TransferReply::Done)
            }
            Pending::Offsets { .. }
            | Pending::InTransaction { .. }
            | Pending::Ended { .. }
            | Pending::Generation { .. }
            | Pending::Replaced { .. }
            | Pending::Emptied { .. }
            | Pending::Beat { .. }
            | Pending::OffsetsDeleted { .. }
            | Pending::GroupsDeleted { .. }
            | Pending::Expired { .. } => return,
        };
        if let Some(message) = message {
            self.desk.answer_transfer(message, &reply);
        }
    }

    fn refused(&mut self, now: Now, pending: Pending, error: &KernelError) {
        let refusal = coordinator_error(error);
        match pending {
            Pending::Offsets { group, entries, caller, mut response } => {
                self.with_group(now, &group, |group, _| group.settle_in_flight(&entries));
                let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
                // What was refused for its own sake stays refused for that.
                for partition in partitions.filter(|partition| partition.error_code == 0) {
                    partition.error_code = refusal.code();
                }
                self.desk.answer(caller, &response);
            }
            Pending::InTransaction { group, producer_id, before, caller, mut response } => {
                self.with_group(now, &group, |group, _| group.not_in_transaction(producer_id, before));
                let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
                for partition in partitions.filter(|partition| partition.error_code == 0) {
                    partition.error_code = refusal.code();
                }
                super::transactional::answer(&mut self.desk, caller, &response);
            }
            Pending::Ended { group, producer_id, entries } => {
                self.with_group(now, &group, |group, _| group.not_ended(producer_id, &entries));
            }
            Pending::Generation { group, generation, .. } => {
                self.with_group(now, &group, |group, turn| {
                    group.fail_generation(turn, generation, refusal);
                });
            }
            Pending::Replaced { group, caller, member_id, before, .. } => {
                self.with_group(now, &group, |group, turn| {
                    group.not_replaced(turn, &member_id, caller, *before, refusal);
                });
            }
            Pending::Beat { group, caller, .. } => {
                // What is stored is older than what is known here, which nobody may be told of.
                self.with_group(now, &group, Group::forget_consumers);
                let response =
                    ConsumerGroupHeartbeatResponse { error_code: refusal.code(), ..Default::default() };
                self.desk.answer(caller, &response);
            }
            Pending::Emptied { replies } => {
                // The members have gone all the same. After a restart the generation before comes
                // back, and its sessions run out.
                replies.into_iter().for_each(|(message, reply)| self.desk.reply(message, reply));
            }
            Pending::OffsetsDeleted { caller, .. } => {
                self.desk.answer(caller, &super::offsets::delete_refused(refusal));
            }
            Pending::GroupsDeleted { groups, caller, mut response } => {
                for group in &groups {
                    self.release(now, group);
                }
                for result in response.results.iter_mut().filter(|result| result.error_code == 0) {
                    result.error_code = refusal.code();
                }
                self.desk.answer(caller, &response);
            }
            Pending::Expired { group, .. } => self.release(now, &group),
            Pending::Installed { .. }
            | Pending::Followed { .. }
            | Pending::Activated { .. }
            | Pending::Deactivated { .. }
            | Pending::TopicsForgotten { .. }
            | Pending::Forgotten { .. } => self.transfer_refused(now, pending, error),
        }
    }

    /// A commit of a migration was refused.
    fn transfer_refused(&mut self, now: Now, pending: Pending, error: &KernelError) {
        match pending {
            Pending::Followed { message, groups, .. } => {
                self.settle_follows(groups);
                self.refuse_transfer(Some(message), error);
            }
            Pending::Installed { message, snapshot } => {
                self.release(now, &snapshot.group_id);
                self.refuse_transfer(Some(message), error);
            }
            Pending::Activated { message, group } | Pending::Deactivated { message, group } => {
                self.release(now, &group);
                self.refuse_transfer(Some(message), error);
            }
            Pending::TopicsForgotten { message, .. } => self.refuse_transfer(Some(message), error),
            Pending::Forgotten { message, group } => {
                self.release(now, &group);
                self.refuse_transfer(message, error);
            }
            Pending::Offsets { .. }
            | Pending::InTransaction { .. }
            | Pending::Ended { .. }
            | Pending::Generation { .. }
            | Pending::Replaced { .. }
            | Pending::Emptied { .. }
            | Pending::Beat { .. }
            | Pending::OffsetsDeleted { .. }
            | Pending::GroupsDeleted { .. }
            | Pending::Expired { .. } => {}
        }
    }

    fn refuse_transfer(
        &mut self,
        message: Option<kernel_model::coordinator::MessageId>,
        error: &KernelError,
    ) {
        if let Some(message) = message {
            let reply = TransferReply::Refused(Str::from(error.to_string()));
            self.desk.answer_transfer(message, &reply);
        }
    }

    /// The group goes on as it was.
    fn release(&mut self, now: Now, id: &str) {
        self.with_group(now, id, |group, _| {
            if group.hold == Some(Hold::Busy) {
                group.hold = None;
            }
            group.alarm = group.next_deadline();
        });
    }

    fn remove_group(&mut self, id: &str) {
        self.groups.remove(id);
        self.note_alarm(id);
    }
}

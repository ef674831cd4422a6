//! What leaves the coordinator: answers, commits, and what is to be done once a commit is durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use bytes::Bytes;
use kernel_model::commit::{Commit, Op};
use kernel_model::coordinator::{CommitId, MessageId, Output};
use kernel_model::time::Now;

use super::journal::Journal;
use super::limits::Limits;
use super::member::{Caller, Member};
use super::record::OffsetsRecord;
use super::snapshot::{CommittedOffset, GroupSnapshot, OffsetKey};
use super::transfer::TransferReply;
use crate::codec::messages::{
    ConsumerGroupHeartbeatResponse, DeleteGroupsResponse, OffsetCommitResponse, OffsetDeleteResponse,
    TxnOffsetCommitResponse,
};
use crate::codec::{Response, Str};

/// One call into the coordinator: when, within what bounds, and where to put what comes of it.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) limits: &'a Limits,
    pub(super) desk: &'a mut Desk,
}

/// Answers and commits on their way out, and commits that are not durable yet.
#[derive(Debug)]
pub(super) struct Desk {
    outputs: VecDeque<Output>,
    pending: BTreeMap<CommitId, Pending>,
    last_commit: CommitId,
    ids: MemberIds,
    journal: Option<Journal>,
}

impl Desk {
    pub(super) fn new(seed: [u64; 2]) -> Self {
        let (pending, outputs) = (BTreeMap::new(), VecDeque::new());
        Self { outputs, pending, last_commit: CommitId(0), ids: MemberIds { seed, given: 0 }, journal: None }
    }

    /// Every commit is written to `__consumer_offsets` too.
    pub(super) fn keep_journal(&mut self, journal: Journal) {
        self.journal = Some(journal);
    }

    /// Answers a client. A response that its version cannot express becomes an empty answer, at
    /// which the server closes the connection.
    pub(super) fn answer<R: Response>(&mut self, caller: Caller, response: &R) {
        self.reply(caller.message, response.to_bytes(caller.version).unwrap_or_default());
    }

    /// Answers a migration message.
    pub(super) fn answer_transfer(&mut self, id: MessageId, reply: &TransferReply) {
        self.reply(id, reply.encode());
    }

    pub(super) fn reply(&mut self, id: MessageId, message: Bytes) {
        self.outputs.push_back(Output::Reply { id, message });
    }

    /// Hands a commit over; `pending` says what follows once it is durable or refused.
    pub(super) fn commit(&mut self, mut ops: Vec<Op>, pending: Pending) -> CommitId {
        if let Some(journal) = &self.journal {
            journal.extend(&mut ops);
        }
        self.last_commit = CommitId(self.last_commit.0 + 1);
        self.pending.insert(self.last_commit, pending);
        self.outputs.push_back(Output::Commit { id: self.last_commit, commit: Commit::of(ops) });
        self.last_commit
    }

    /// The youngest commit that is younger than `before` and not finished.
    pub(super) fn pending_after(&mut self, before: CommitId) -> Option<&mut Pending> {
        let younger = (Bound::Excluded(before), Bound::Unbounded);
        self.pending.range_mut(younger).next_back().map(|(_, pending)| pending)
    }

    pub(super) fn finish(&mut self, id: CommitId) -> Option<Pending> {
        self.pending.remove(&id)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// The youngest commit.
    pub(super) fn last_commit(&self) -> CommitId {
        self.last_commit
    }

    /// Whether every commit up to `id` is durable or was refused.
    pub(super) fn is_settled(&self, id: CommitId) -> bool {
        self.pending.first_key_value().is_none_or(|(oldest, _)| *oldest > id)
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A member id that no other member has: what Kafka puts in front, and a random part.
    pub(super) fn member_id(&mut self, now: Now, prefix: &str) -> Str {
        self.ids.next(now, prefix)
    }
}

/// What follows a commit.
#[derive(Debug)]
pub(super) enum Pending {
    /// Offsets of clients.
    Offsets {
        group: Str,
        entries: Vec<(OffsetKey, CommittedOffset)>,
        caller: Caller,
        response: OffsetCommitResponse,
    },
    /// Offsets in a producer's open transaction; `before`: what was there instead.
    InTransaction {
        group: Str,
        producer_id: i64,
        before: Vec<(OffsetKey, Option<CommittedOffset>)>,
        caller: Caller,
        response: TxnOffsetCommitResponse,
    },
    /// The end of a producer's transaction, and the offsets that count from then on.
    Ended { group: Str, producer_id: i64, entries: Vec<(OffsetKey, CommittedOffset)> },
    /// A generation with the assignments its leader made.
    Generation { group: Str, generation: i32, assignments: BTreeMap<Str, Bytes>, stored_ms: i64 },
    /// A static member that came back under a new id while the group was stable.
    Replaced { group: Str, caller: Caller, member_id: Str, before: Box<Member>, leader_before: Option<Str> },
    /// What a heartbeat of the consumer protocol changed.
    Beat { group: Str, caller: Caller, response: Box<ConsumerGroupHeartbeatResponse> },
    /// A generation without members. Whoever left waits for it.
    Emptied { replies: Vec<(MessageId, Bytes)> },
    /// Offsets deleted by an administrator.
    OffsetsDeleted { group: Str, keys: Vec<OffsetKey>, caller: Caller, response: OffsetDeleteResponse },
    /// Groups deleted by an administrator.
    GroupsDeleted { groups: Vec<Str>, caller: Caller, response: DeleteGroupsResponse },
    /// Offsets past their retention, and perhaps their group.
    Expired { group: Str, keys: Vec<OffsetKey>, whole: bool },
    /// A group as the other side had it.
    Installed { message: MessageId, snapshot: Box<GroupSnapshot> },
    /// Records of the other side.
    Followed {
        message: MessageId,
        records: Vec<OffsetsRecord>,
        groups: BTreeSet<Str>,
        progress: Vec<(i32, i64)>,
        ignored: Vec<Str>,
    },
    /// The group is served here from now on.
    Activated { message: MessageId, group: Str },
    /// The group is served by the other side from now on.
    Deactivated { message: MessageId, group: Str },
    /// Offsets of topics that are gone, by group.
    TopicsForgotten { message: MessageId, orphaned: Vec<(Str, Vec<OffsetKey>)> },
    /// Nothing is known of the group any more.
    Forgotten { message: Option<MessageId>, group: Str },
}

/// Makes member ids out of a seed that was handed in, so that a simulation can replay them.
#[derive(Debug)]
struct MemberIds {
    seed: [u64; 2],
    given: u64,
}

impl MemberIds {
    fn next(&mut self, now: Now, prefix: &str) -> Str {
        self.given += 1;
        let [first, second] = [0_u64, 1].map(|half| self.draw(now, half));
        let (a, b, c) = (first >> 32, (first >> 16) & 0xffff, first & 0xfff);
        let (d, e) = ((second >> 48) & 0x3fff | 0x8000, second & 0xffff_ffff_ffff);
        // The shape of a random UUID (version 4), which is what Kafka appends.
        format!("{prefix}-{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}").into()
    }

    /// The wall clock is mixed in so that a seed used twice still gives new ids.
    fn draw(&self, now: Now, half: u64) -> u64 {
        let [high, low] = self.seed;
        let mixed = [high, low, now.wall_ms.cast_unsigned(), self.given * 2 + half];
        mixed.into_iter().fold(0, |state, part| scramble(state ^ part))
    }
}

/// One step of SplitMix64: every input bit changes about half of the output bits.
fn scramble(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

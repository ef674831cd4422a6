//! TxnOffsetCommit: the group's coordinator takes the offsets once the transaction's has vouched for them.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel_model::{KernelError, Reply, Request, ShardId};

use super::super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use super::{group_at, question, reply_of};
use crate::codec::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use crate::codec::messages::txn_offset_commit_response::TxnOffsetCommitResponseTopic;
use crate::codec::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use crate::codec::{Message as _, Str, Uuid, frame};
use crate::coordinator::group::{TxnOffsetCommitReply, txn_offset_commit_message, txn_offset_commit_refused};
use crate::coordinator::transaction::{Message as TransactionMessage, Producer, Reply as TransactionReply};
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{GROUPS, group_shard};

/// Newest version in which topics have names.
const NAMED_VERSION_MAX: i16 = 5;
/// From this version the group joins the transaction by its first commit.
const JOINS_FROM: i16 = 5;
/// From this version clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 4;

/// What is waited for.
enum Stage {
    /// The group's coordinator.
    Group,
    /// The transaction's coordinator; then the group's again, with this guard.
    Transaction(i64),
}

struct Commit {
    head: Head,
    /// What the group's coordinator is asked: topics that exist, by name.
    kept: TxnOffsetCommitRequest,
    frame: Bytes,
    shard: ShardId,
    refused: Vec<TxnOffsetCommitResponseTopic>,
    ids: BTreeMap<Str, Uuid>,
    stage: Stage,
    vouched: bool,
}

/// Begins TxnOffsetCommit.
pub(in crate::server) fn commit(cx: &mut Cx<'_>, head: Head, request: TxnOffsetCommitRequest) -> Begin {
    let catalog = cx.catalog();
    let by_id = head.version > NAMED_VERSION_MAX;
    let mut kept = TxnOffsetCommitRequest { topics: Vec::new(), ..request.clone() };
    let (mut refused, mut ids) = (Vec::new(), BTreeMap::new());
    for topic in request.topics {
        let known = if by_id { catalog.topic_by_id(topic.topic_id) } else { catalog.topic(&topic.name) };
        let code = match (known, by_id) {
            (None, true) => ErrorCode::UnknownTopicId,
            _ => ErrorCode::UnknownTopicOrPartition,
        };
        let exists = |number: i32| known.is_some_and(|topic| topic.partition(number).is_some());
        let (good, bad): (Vec<_>, Vec<_>) =
            topic.partitions.iter().cloned().partition(|part| exists(part.partition_index));
        let name = known.map_or_else(|| topic.name.detached(), |topic| Str::from(&*topic.name));
        if !good.is_empty() {
            ids.insert(name.clone(), topic.topic_id);
            let topic_id = Uuid::ZERO;
            kept.topics.push(TxnOffsetCommitRequestTopic {
                name: name.clone(),
                topic_id,
                partitions: good,
                ..topic.clone()
            });
        }
        if !bad.is_empty() {
            let only = TxnOffsetCommitRequest {
                topics: vec![TxnOffsetCommitRequestTopic { name, partitions: bad, ..topic }],
                ..Default::default()
            };
            refused.extend(txn_offset_commit_refused(&only, code).topics);
        }
    }
    let version = head.version.min(NAMED_VERSION_MAX);
    let framed = frame::request_frame(version, head.correlation_id, head.client_id.clone(), &kept);
    let Ok(framed) = framed else { return Begin::Done(Finished::Close("a request could not be sent on")) };
    let shard = group_shard(&kept.group_id, cx.settings.shards);
    let frame = framed.slice(4.min(framed.len())..);
    let operation = Commit { head, kept, frame, shard, refused, ids, stage: Stage::Group, vouched: false };
    if operation.kept.topics.is_empty() {
        return Begin::Done(operation.respond(TxnOffsetCommitResponse::default()));
    }
    operation.ask_group(cx, None);
    Begin::Run(Box::new(operation))
}

impl Commit {
    fn ask_group(&self, cx: &mut Cx<'_>, guard: Option<i64>) {
        let message = txn_offset_commit_message(guard, &self.frame);
        cx.ask(0, self.shard, Request::Coordinate { kind: GROUPS, message });
    }

    fn ask_transaction(&self, cx: &mut Cx<'_>) {
        let id = self.kept.transactional_id.as_str().to_owned();
        let shards = cx.settings.shards;
        let message = TransactionMessage::Join {
            id: id.clone(),
            producer: Producer { id: self.kept.producer_id, epoch: self.kept.producer_epoch },
            partitions: Vec::new(),
            groups: vec![group_at(&self.kept.group_id, shards)],
            verify_only: self.head.version < JOINS_FROM,
        };
        let (shard, request) = question(&id, shards, &message);
        cx.ask(0, shard, request);
    }

    fn refuse(&self, code: ErrorCode) -> Step {
        Step::Done(self.respond(txn_offset_commit_refused(&self.kept, code)))
    }

    fn respond(&self, mut response: TxnOffsetCommitResponse) -> Finished {
        if self.head.version > NAMED_VERSION_MAX {
            for topic in &mut response.topics {
                topic.topic_id = self.ids.get(&topic.name).copied().unwrap_or_default();
            }
        }
        response.topics.extend(self.refused.iter().cloned());
        self.head.respond(&response)
    }

    fn group_answered(&mut self, cx: &mut Cx<'_>, answer: Result<Reply, KernelError>) -> Step {
        let body = match answer {
            Ok(Reply::Coordinated(body)) => body,
            Ok(_) => return self.refuse(ErrorCode::UnknownServerError),
            Err(error) => return self.refuse(coordinator_error(&error)),
        };
        match TxnOffsetCommitReply::read(body) {
            Some(TxnOffsetCommitReply::Answered(body)) => {
                let version = self.head.version.min(NAMED_VERSION_MAX);
                match TxnOffsetCommitResponse::decode_exact(body, version) {
                    Ok(response) => Step::Done(self.respond(response)),
                    Err(_) => Step::Done(Finished::Close("a group coordinator's answer could not be read")),
                }
            }
            // The transaction has ended since it was vouched for.
            Some(TxnOffsetCommitReply::Unverified(_)) if self.vouched => {
                self.refuse(ErrorCode::InvalidTxnState)
            }
            Some(TxnOffsetCommitReply::Unverified(guard)) => {
                self.stage = Stage::Transaction(guard);
                self.ask_transaction(cx);
                Step::Wait
            }
            None => Step::Done(Finished::Close("a request could not be read")),
        }
    }

    /// What a client of this version is told when its transaction is not vouched for.
    #[allow(clippy::wildcard_enum_match_arm, reason = "every other code means the same to every version")]
    fn refusal(&self, code: ErrorCode) -> ErrorCode {
        match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if self.head.version < ABORTABLE_FROM => {
                ErrorCode::InvalidTxnState
            }
            // Known to every client as something that passes.
            ErrorCode::ConcurrentTransactions => ErrorCode::CoordinatorLoadInProgress,
            other => other,
        }
    }
}

impl Operation for Commit {
    fn answered(&mut self, cx: &mut Cx<'_>, _slot: usize, answer: Result<Reply, KernelError>) -> Step {
        let Stage::Transaction(guard) = self.stage else { return self.group_answered(cx, answer) };
        let code = match reply_of(answer) {
            Ok(TransactionReply::Joined { groups_missing: false, .. }) => {
                self.stage = Stage::Group;
                self.vouched = true;
                self.ask_group(cx, Some(guard));
                return Step::Wait;
            }
            Ok(TransactionReply::Joined { .. }) => ErrorCode::TransactionAbortable,
            Ok(_) => ErrorCode::UnknownServerError,
            Err(code) => code,
        };
        self.refuse(self.refusal(code))
    }
}

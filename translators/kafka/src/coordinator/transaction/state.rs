//! One transactional id: its producer, its transaction, and every transition, without a commit or a reply.
//!
//! ```text
//!           join              end, time-out, a new producer         everybody is told
//!   Empty ---------> Ongoing ------------------------------> Prepare ----------------> Complete
//!     ^                ^                                                                |   |
//!     |                +--------------------------- join -------------------------------+   |
//!     +-------------------------------------------- init ------------------------------------+
//! ```
//!
//! Prepare and Complete each come as commit and as abort. A transaction that concerns only logs of the
//! coordinator's own shard goes to Complete in one commit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::message::{DescribedTransaction, GroupShard, Owed, PartitionLog, Producer};
use crate::errors::ErrorCode;

/// Where a transactional id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Its producer has begun nothing.
    Empty,
    /// A transaction is open.
    Ongoing,
    /// It is committed; not everybody has been told.
    PrepareCommit,
    /// It is aborted; not everybody has been told.
    PrepareAbort,
    /// It is committed.
    CompleteCommit,
    /// It is aborted.
    CompleteAbort,
}

impl State {
    pub(super) const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// Kafka's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }
}

/// States of a transaction that Kafka has and this coordinator never is in; a filter may name them.
const NEVER: [&str; 2] = ["Dead", "PrepareEpochFence"];

/// Whether Kafka has a state of this name.
pub(crate) fn is_state(name: &str) -> bool {
    State::ALL.iter().any(|state| state.name() == name) || NEVER.contains(&name)
}

/// No epoch, and no id.
const NONE_EPOCH: i16 = -1;
const NONE_ID: i64 = -1;

/// Whether an id has had its last epoch but one. The last one only ever fences.
fn is_exhausted(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}

/// Everything known of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Transaction {
    pub(super) state: State,
    pub(super) producer: Producer,
    /// The epoch before, if a repeat of the request that replaced it is to be recognised.
    pub(super) last_epoch: i16,
    /// The producer id before, whose epochs were used up.
    pub(super) previous_id: i64,
    /// The producer id that comes into force when the transaction is complete.
    pub(super) next_id: i64,
    /// Its first epoch; of the producer id in force, if another was before it.
    #[serde(default)]
    pub(super) next_epoch: i16,
    pub(super) timeout_ms: i32,
    pub(super) started_ms: i64,
    pub(super) updated_ms: i64,
    /// Counts the ends, so that a message about one is never taken for another.
    pub(super) number: u64,
    pub(super) partitions: BTreeSet<PartitionLog>,
    pub(super) groups: BTreeSet<GroupShard>,
    /// Who has not been told of the end.
    pub(super) owed: BTreeSet<Owed>,
    /// The unit that the id moves with; empty where it moves with none.
    #[serde(default)]
    pub(super) unit: String,
    /// What legacy has given it for its next epoch.
    #[serde(default)]
    pub(super) provided: Option<Producer>,
}

/// Why a transition does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Refused.
    Code(ErrorCode),
    /// A fresh producer id is needed first.
    NeedsProducerId,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

/// What an initialisation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Initialised {
    /// The producer has its epoch.
    Ready(Transaction),
    /// The open transaction is aborted first, under an epoch that fences its producer.
    Abort(Transaction),
}

/// What an end leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// A repeat: it has ended so already.
    Already,
    /// It ends so. The answer is the producer as it is afterwards.
    Now(Box<Transaction>, Producer),
}

impl Transaction {
    fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            state: State::Empty,
            producer: Producer { id: producer_id, epoch: 0 },
            last_epoch: NONE_EPOCH,
            previous_id: NONE_ID,
            next_id: NONE_ID,
            next_epoch: 0,
            timeout_ms,
            started_ms: -1,
            updated_ms: now_ms,
            number: 0,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            owed: BTreeSet::new(),
            unit: String::new(),
            provided: None,
        }
    }

    /// As legacy has it. A producer that knows the epoch before must not be given this one: legacy does not say whether
    /// that was replaced for a repeat.
    pub(super) fn adopted(
        producer: Producer,
        timeout_ms: i32,
        committed: Option<bool>,
        unit: &str,
        now_ms: i64,
    ) -> Self {
        let state = match committed {
            None => State::Empty,
            Some(true) => State::CompleteCommit,
            Some(false) => State::CompleteAbort,
        };
        Self { state, producer, unit: unit.to_owned(), ..Self::new(producer.id, timeout_ms, now_ms) }
    }

    /// A producer begins to use the id, or goes on after an error with what it has (`current`).
    pub(super) fn init(
        held: Option<&Self>,
        timeout_ms: i32,
        current: Option<Producer>,
        spare: Option<i64>,
        now_ms: i64,
    ) -> Result<Initialised, Refusal> {
        let Some(held) = held else {
            let id = spare.ok_or(Refusal::NeedsProducerId)?;
            return Ok(Initialised::Ready(Self::new(id, timeout_ms, now_ms)));
        };
        if current.is_some_and(|current| !held.may_continue(current)) {
            return Err(ErrorCode::ProducerFenced.into());
        }
        match held.state {
            State::PrepareCommit | State::PrepareAbort => Err(ErrorCode::ConcurrentTransactions.into()),
            State::Ongoing => Ok(Initialised::Abort(held.fenced(now_ms))),
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                let (producer, last_epoch) = held.next_producer(current, spare)?;
                let rotated = producer.id != held.producer.id;
                Ok(Initialised::Ready(Self {
                    state: State::Empty,
                    producer,
                    last_epoch,
                    previous_id: if rotated { held.producer.id } else { held.previous_id },
                    next_epoch: if rotated { producer.epoch } else { held.next_epoch },
                    provided: held.provided.filter(|_| !rotated),
                    timeout_ms,
                    started_ms: -1,
                    updated_ms: now_ms,
                    ..held.clone()
                }))
            }
        }
    }

    /// Whether a producer that says what it has may be given more.
    fn may_continue(&self, current: Producer) -> bool {
        current.id == self.producer.id || self.is_before_rotation(current)
    }

    /// Whether this is what was replaced by the producer id that it has now, which has not moved on.
    fn is_before_rotation(&self, producer: Producer) -> bool {
        let known = self.previous_id != NONE_ID && self.producer.epoch == self.next_epoch;
        known && producer == Producer { id: self.previous_id, epoch: self.last_epoch }
    }

    /// Whether its next epoch is another producer id's.
    fn is_replaced(&self) -> bool {
        is_exhausted(self.producer.epoch) || self.provided.is_some()
    }

    fn replacement(&self, spare: Option<i64>) -> Result<Producer, Refusal> {
        let fresh = spare.map(|id| Producer { id, epoch: 0 });
        self.provided.or(fresh).ok_or(Refusal::NeedsProducerId)
    }

    fn next_producer(
        &self,
        current: Option<Producer>,
        spare: Option<i64>,
    ) -> Result<(Producer, i16), Refusal> {
        let held = self.producer;
        let is_newest = current.is_none_or(|current| current.epoch == held.epoch);
        if self.is_replaced() && is_newest {
            let last = if current.is_some() { held.epoch } else { NONE_EPOCH };
            return Ok((self.replacement(spare)?, last));
        }
        let bumped = Producer { epoch: held.epoch.saturating_add(1), ..held };
        match current {
            None => Ok((bumped, NONE_EPOCH)),
            Some(current) if current.epoch == held.epoch => Ok((bumped, held.epoch)),
            // A repeat of a request whose answer was lost.
            Some(current) if current.epoch == self.last_epoch => Ok((held, self.last_epoch)),
            Some(_) => Err(ErrorCode::ProducerFenced.into()),
        }
    }

    /// The same with an epoch that its producer does not have, and about to be aborted.
    pub(super) fn fenced(&self, now_ms: i64) -> Self {
        let epoch = self.producer.epoch.saturating_add(1);
        let producer = Producer { epoch, ..self.producer };
        let state = State::PrepareAbort;
        Self { state, producer, last_epoch: NONE_EPOCH, updated_ms: now_ms, ..self.clone() }
    }

    /// Whether this producer may work on its transaction.
    pub(super) fn admit(&self, producer: Producer) -> Result<(), ErrorCode> {
        if self.producer.id != producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if self.producer.epoch != producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        match self.state {
            State::PrepareCommit | State::PrepareAbort => Err(ErrorCode::ConcurrentTransactions),
            State::Empty | State::Ongoing | State::CompleteCommit | State::CompleteAbort => Ok(()),
        }
    }

    /// Whether these are in the open transaction.
    pub(super) fn has(&self, partition: &PartitionLog) -> bool {
        self.state == State::Ongoing && self.partitions.contains(partition)
    }

    /// Whether the offsets of this group are in the open transaction.
    pub(super) fn has_group(&self, group: &GroupShard) -> bool {
        self.state == State::Ongoing && self.groups.contains(group)
    }

    /// Takes partitions and groups in; begins a transaction where none is open. Admitted before.
    pub(super) fn join(&mut self, partitions: &[PartitionLog], groups: &[GroupShard], now_ms: i64) {
        if self.state != State::Ongoing {
            self.state = State::Ongoing;
            self.started_ms = now_ms;
        }
        self.updated_ms = now_ms;
        self.partitions.extend(partitions.iter().cloned());
        self.groups.extend(groups.iter().cloned());
    }

    /// When the open transaction is aborted, wall clock.
    pub(super) fn times_out_at(&self) -> Option<i64> {
        let at = self.started_ms.saturating_add(self.timeout_ms.into());
        (self.state == State::Ongoing).then_some(at)
    }

    /// Its producer ends the transaction.
    pub(super) fn end(
        &self,
        producer: Producer,
        commit: bool,
        bumps: bool,
        spare: Option<i64>,
        now_ms: i64,
    ) -> Result<Ended, Refusal> {
        if bumps {
            self.end_bumping(producer, commit, spare, now_ms)
        } else {
            self.end_plain(producer, commit, now_ms)
        }
    }

    fn end_plain(&self, producer: Producer, commit: bool, now_ms: i64) -> Result<Ended, Refusal> {
        if self.producer.id != producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping.into());
        }
        if self.producer.epoch != producer.epoch {
            return Err(ErrorCode::ProducerFenced.into());
        }
        match (self.state, commit) {
            (State::Ongoing, _) => {
                let next = Self { updated_ms: now_ms, ..self.ending(commit) };
                Ok(Ended::Now(Box::new(next), self.producer))
            }
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(Ended::Already),
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ErrorCode::ConcurrentTransactions.into())
            }
            (State::Empty, _)
            | (State::CompleteCommit | State::PrepareCommit, false)
            | (State::CompleteAbort | State::PrepareAbort, true) => Err(ErrorCode::InvalidTxnState.into()),
        }
    }

    /// With a new epoch at every end, a repeat is told from the next end by the epoch that it carries.
    fn end_bumping(
        &self,
        producer: Producer,
        commit: bool,
        spare: Option<i64>,
        now_ms: i64,
    ) -> Result<Ended, Refusal> {
        let held = self.producer;
        let over_rotation = self.is_before_rotation(producer);
        let over_bump = producer.epoch.checked_add(1) == Some(held.epoch);
        let repeats = over_rotation || over_bump;
        if held.id != producer.id && !over_rotation {
            return Err(ErrorCode::InvalidProducerIdMapping.into());
        }
        let same = producer.epoch == held.epoch;
        let known = match self.state {
            State::Empty | State::Ongoing => same,
            State::PrepareCommit | State::PrepareAbort => over_bump,
            State::CompleteCommit | State::CompleteAbort => same || repeats,
        };
        if !known {
            return Err(ErrorCode::ProducerFenced.into());
        }
        match (self.state, commit) {
            (State::Ongoing, _) => self.bumped(commit, spare, now_ms),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if repeats => Ok(Ended::Already),
            // Nothing was written, and the producer wants a new epoch all the same.
            (State::Empty, false) => self.bumped(false, spare, now_ms),
            (State::CompleteCommit | State::CompleteAbort, false) if !repeats => {
                self.bumped(false, spare, now_ms)
            }
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ErrorCode::ConcurrentTransactions.into())
            }
            (State::Empty | State::CompleteCommit | State::CompleteAbort, _)
            | (State::PrepareCommit, false)
            | (State::PrepareAbort, true) => Err(ErrorCode::InvalidTxnState.into()),
        }
    }

    fn bumped(&self, commit: bool, spare: Option<i64>, now_ms: i64) -> Result<Ended, Refusal> {
        let held = self.producer;
        let epoch = held.epoch.saturating_add(1);
        let (next_id, next_epoch, answer) = if self.is_replaced() {
            let next = self.replacement(spare)?;
            (next.id, next.epoch, next)
        } else {
            (NONE_ID, 0, Producer { epoch, ..held })
        };
        let next = Self {
            producer: Producer { epoch, ..held },
            last_epoch: held.epoch,
            next_id,
            next_epoch,
            updated_ms: now_ms,
            ..self.ending(commit)
        };
        Ok(Ended::Now(Box::new(next), answer))
    }

    fn ending(&self, commit: bool) -> Self {
        let state = if commit { State::PrepareCommit } else { State::PrepareAbort };
        Self { state, ..self.clone() }
    }

    /// Everybody has been told.
    pub(super) fn complete(&mut self) {
        self.state = match self.state {
            State::PrepareCommit => State::CompleteCommit,
            State::PrepareAbort => State::CompleteAbort,
            other @ (State::Empty | State::Ongoing | State::CompleteCommit | State::CompleteAbort) => other,
        };
        self.started_ms = -1;
        self.partitions.clear();
        self.groups.clear();
        self.owed.clear();
        if self.next_id != NONE_ID {
            self.previous_id = self.producer.id;
            self.producer = Producer { id: self.next_id, epoch: self.next_epoch };
            self.next_id = NONE_ID;
            self.provided = None;
        }
    }

    pub(super) fn is_prepared(&self) -> bool {
        matches!(self.state, State::PrepareCommit | State::PrepareAbort)
    }

    /// Whether the id may be forgotten.
    pub(super) fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        let idle = matches!(self.state, State::Empty | State::CompleteCommit | State::CompleteAbort);
        idle && now_ms.saturating_sub(self.updated_ms) >= expiration_ms
    }

    pub(super) fn describe(&self) -> DescribedTransaction {
        DescribedTransaction {
            state: self.state.name().to_owned(),
            timeout_ms: self.timeout_ms,
            started_ms: self.started_ms,
            producer: self.producer,
            partitions: self.partitions.iter().map(|at| (at.topic.clone(), at.partition)).collect(),
            groups: self.groups.iter().map(|at| at.group.clone()).collect(),
        }
    }
}

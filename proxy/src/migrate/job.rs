//! Actions of a handover that wait for answers, and which answer belongs to which.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::{KernelError, Reply};
use session::UnitId;
use translator_kafka::coordinator::group::GroupSnapshot;
use translator_kafka::coordinator::group::transfer::TransferReply;
use translator_kafka::coordinator::message::CatalogReply;
use translator_kafka::coordinator::transaction::{Reply as TransactionReply, Tally};

use super::back::{offsets_digest, offsets_of};
use super::transactions::{adopted, adopted_rows};
use crate::handover::action::{ActionKind, Completion, Facts, Obstacle, Ticket};
use crate::ledger::{Digest, HandoverId};

/// What an answer of a shard is for.
#[derive(Debug, Clone)]
pub(super) enum Want {
    /// Ends and epoch of a unit's log.
    Info(UnitId),
    /// Its producers.
    /// Open transactions are let pass where `true`.
    Producers(UnitId, bool),
    /// A group as the kernel has it.
    Group(UnitId),
    /// Who of a group has not joined again, as an obstacle.
    Gathered(UnitId),
    /// As that, where nobody waits for it yet.
    Gathering,
    /// A group takes nothing more.
    Closed(UnitId),
    /// Its offsets, to be copied to legacy.
    Copy(UnitId),
    /// Its offsets, to be compared.
    Offsets(UnitId),
    /// What the kernel has of these transactional ids.
    Transactions(UnitId, Vec<String>),
    /// How many of a unit's ids a shard has, and what; transactions that began before this time are an obstacle.
    Tally(UnitId, i64),
    /// A transactional id is taken over.
    Adopted,
    /// The catalog's word that something is done.
    Catalog,
    /// A group coordinator's word that something is done.
    Transfer,
}

/// Which action is carried out, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    pub(super) handover: HandoverId,
    pub(super) ticket: Ticket,
    pub(super) kind: ActionKind,
}

/// One action.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) errand: Errand,
    pub(super) outstanding: usize,
    pub(super) failed: Option<String>,
    pub(super) facts: BTreeMap<UnitId, Facts>,
    /// The action asks for facts; otherwise it ends with `Done`.
    pub(super) asks: bool,
    /// Units whose logs must not take writes any more.
    pub(super) closed: BTreeSet<UnitId>,
    /// Groups that take nothing more, to be exported next; and what was exported, to be copied.
    pub(super) exports: Vec<UnitId>,
    pub(super) copies: Vec<(UnitId, GroupSnapshot)>,
}

impl Job {
    /// How it ended, once nothing is outstanding.
    pub(super) fn completion(&mut self) -> Option<Completion> {
        if self.outstanding > 0 {
            return None;
        }
        Some(match self.failed.take() {
            Some(reason) => Completion::Failed(reason),
            None if self.asks => Completion::Facts(std::mem::take(&mut self.facts)),
            None => Completion::Done,
        })
    }

    /// Takes one answer.
    pub(super) fn answered(&mut self, want: &Want, reply: Result<Reply, KernelError>) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let taken = match (want, reply) {
            (_, Err(error)) => Err(error.to_string()),
            (Want::Info(unit), Ok(Reply::Described(info))) => {
                let facts = self.facts.entry(unit.clone()).or_default();
                facts.end = info.end.0;
                facts.settled = info.durable_end.0;
                facts.records = Some(info.records);
                facts.chain = Some(Digest(info.chain));
                facts.epoch = info.epoch.0;
                if self.closed.contains(unit) && info.config.kind == kernel_model::LogKind::Led {
                    let reason = "the kernel still takes writes".to_owned();
                    facts.obstacle = Some(Obstacle { reason, passing: true });
                }
                Ok(())
            }
            (Want::Producers(unit, lenient), Ok(Reply::Producers(producers))) => {
                let facts = self.facts.entry(unit.clone()).or_default();
                facts.producers = Some(producers_digest(&producers));
                if !lenient && producers.iter().any(|producer| producer.open_from.is_some()) {
                    let reason = "a transaction is open".to_owned();
                    facts.obstacle = Some(Obstacle { reason, passing: true });
                }
                Ok(())
            }
            (Want::Group(unit), Ok(Reply::Coordinated(bytes))) => self.group(unit, bytes),
            (Want::Gathered(unit), Ok(Reply::Coordinated(bytes))) => self.gathered(unit, bytes),
            (Want::Gathering, Ok(Reply::Coordinated(bytes))) => missing(bytes).map(|_| ()),
            (Want::Closed(unit), Ok(Reply::Coordinated(bytes))) => {
                transfer_done(bytes).map(|()| self.exports.push(unit.clone()))
            }
            (Want::Copy(unit), Ok(Reply::Coordinated(bytes))) => {
                exported(bytes).map(|snapshot| self.copies.push((unit.clone(), snapshot)))
            }
            (Want::Offsets(unit), Ok(Reply::Coordinated(bytes))) => self.offsets(unit, bytes),
            (Want::Transactions(unit, ids), Ok(Reply::Coordinated(bytes))) => {
                adopted_rows(ids, &bytes).map(|rows| {
                    let chain = &mut self.facts.entry(unit.clone()).or_default().chain;
                    *chain = Some(Digest(chain.map_or(0, |chain| chain.0).wrapping_add(rows.0)));
                })
            }
            (Want::Tally(unit, before_ms), Ok(Reply::Coordinated(bytes))) => {
                tallied(&bytes).map(|tally| self.add_tally(unit, *before_ms, tally))
            }
            (Want::Adopted, Ok(Reply::Coordinated(bytes))) => adopted(&bytes),
            (Want::Catalog, Ok(Reply::Coordinated(bytes))) => catalog_done(&bytes),
            (Want::Transfer, Ok(Reply::Coordinated(bytes))) => transfer_done(bytes),
            (_, Ok(_)) => Err("the kernel gave another answer than was asked for".to_owned()),
        };
        if let Err(reason) = taken {
            self.failed.get_or_insert(reason);
        }
    }

    fn add_tally(&mut self, unit: &UnitId, before_ms: i64, tally: Tally) {
        let facts = self.facts.entry(unit.clone()).or_default();
        let print = facts.chain.unwrap_or_default().0.wrapping_add(tally.print);
        facts.chain = Some(Digest(print));
        facts.records = Some(facts.records.unwrap_or(0) + tally.ids);
        if tally.open > 0 && tally.open_since_ms < before_ms {
            let open = tally.open;
            let reason = format!("{open} transactions are open; each ends by itself or by its time-out");
            facts.obstacle = Some(Obstacle { reason, passing: true });
        }
    }

    fn gathered(&mut self, unit: &UnitId, bytes: bytes::Bytes) -> Result<(), String> {
        let missing = missing(bytes)?;
        if let Some(first) = missing.first() {
            let count = missing.len();
            let reason = format!("{count} members have not joined again, {first} among them");
            let facts = self.facts.entry(unit.clone()).or_default();
            facts.obstacle = Some(Obstacle { reason, passing: true });
        }
        Ok(())
    }

    fn offsets(&mut self, unit: &UnitId, bytes: bytes::Bytes) -> Result<(), String> {
        let snapshot = exported(bytes)?;
        let facts = self.facts.entry(unit.clone()).or_default();
        facts.chain = Some(offsets_digest(&offsets_of(&snapshot)));
        facts.epoch = snapshot.generation.max(0);
        Ok(())
    }

    fn group(&mut self, unit: &UnitId, bytes: bytes::Bytes) -> Result<(), String> {
        let facts = self.facts.entry(unit.clone()).or_default();
        match TransferReply::decode(bytes).map_err(|error| error.to_string())? {
            TransferReply::Exported(Some((group, _))) => {
                let members = group.members.iter().map(|member| member.member_id.as_str().to_owned());
                facts.producers = Some(members_digest(members.collect()));
                facts.epoch = group.generation.max(0);
                facts.records = Some(u64::try_from(group.offsets.len()).unwrap_or(u64::MAX));
                facts.chain = None;
                Ok(())
            }
            // A group without members and offsets is not stored anywhere.
            TransferReply::Exported(None) => {
                facts.producers = Some(members_digest(BTreeSet::new()));
                Ok(())
            }
            other @ (TransferReply::Done
            | TransferReply::Serving
            | TransferReply::Refused(_)
            | TransferReply::Followed { .. }
            | TransferReply::Gathered { .. }
            | TransferReply::Progress(_)) => Err(unexpected(&other)),
        }
    }
}

fn missing(bytes: bytes::Bytes) -> Result<Vec<String>, String> {
    let reply = TransferReply::decode(bytes).map_err(|error| error.to_string())?;
    match reply {
        TransferReply::Gathered { missing } => Ok(missing.iter().map(ToString::to_string).collect()),
        other @ (TransferReply::Done
        | TransferReply::Serving
        | TransferReply::Refused(_)
        | TransferReply::Exported(_)
        | TransferReply::Followed { .. }
        | TransferReply::Progress(_)) => Err(unexpected(&other)),
    }
}

/// A group as the kernel has it; an empty one where it has none.
fn exported(bytes: bytes::Bytes) -> Result<GroupSnapshot, String> {
    let reply = TransferReply::decode(bytes).map_err(|error| error.to_string())?;
    match reply {
        TransferReply::Exported(found) => Ok(found.map(|(group, _)| *group).unwrap_or_default()),
        other @ (TransferReply::Done
        | TransferReply::Serving
        | TransferReply::Refused(_)
        | TransferReply::Followed { .. }
        | TransferReply::Gathered { .. }
        | TransferReply::Progress(_)) => Err(unexpected(&other)),
    }
}

fn tallied(bytes: &[u8]) -> Result<Tally, String> {
    match TransactionReply::from_bytes(bytes) {
        Some(TransactionReply::Tallied(tally)) => Ok(tally),
        other => Err(format!("the transaction coordinator does not count its ids: {other:?}")),
    }
}

pub(super) fn catalog_done(bytes: &[u8]) -> Result<(), String> {
    match CatalogReply::from_bytes(bytes) {
        Some(CatalogReply::Done) => Ok(()),
        Some(CatalogReply::Refused(reason) | CatalogReply::Failed(reason)) => Err(reason),
        None => Err("the catalog's answer cannot be read".to_owned()),
    }
}

fn transfer_done(bytes: bytes::Bytes) -> Result<(), String> {
    let reply = TransferReply::decode(bytes).map_err(|error| error.to_string())?;
    if reply == TransferReply::Done { Ok(()) } else { Err(unexpected(&reply)) }
}

fn unexpected(reply: &TransferReply) -> String {
    format!("the group's coordinator answered {reply:?}")
}

/// A hash over the state of idempotent producers. Timestamps are left out: they say when, not what.
fn producers_digest(producers: &[kernel_model::reply::ProducerInfo]) -> Digest {
    let mut sorted: Vec<_> = producers
        .iter()
        .map(|producer| (producer.producer_id, producer.epoch, producer.last_sequence))
        .collect();
    sorted.sort_unstable();
    let mut bytes = Vec::with_capacity(sorted.len() * 14);
    for (id, epoch, sequence) in sorted {
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&sequence.to_be_bytes());
    }
    Digest(u64::from(crc32c::crc32c(&bytes)))
}

/// A hash over the members of a group.
pub(super) fn members_digest(members: BTreeSet<String>) -> Digest {
    let joined: Vec<u8> =
        members.iter().flat_map(|member| member.bytes().chain(std::iter::once(0))).collect();
    Digest(u64::from(crc32c::crc32c(&joined)))
}

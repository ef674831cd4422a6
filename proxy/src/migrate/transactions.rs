//! Transactional ids of a migration at work: what legacy says of them, how they are taken over, and why they cannot be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::Migration;
use kernel_model::{Now, Request as KernelRequest};
use session::{Side, UnitId};
use shadow::{ClosedReason, LegacyTransaction, Order as FeedOrder, Token};
use translator_kafka::coordinator::transaction::{
    DescribedTransaction, Message as TransactionMessage, Producer, Reply as TransactionReply, row_print,
};
use translator_kafka::gateway::{Stray, TransactionRoute, TransactionScope};
use translator_kafka::placement::{TRANSACTIONS, transaction_shard};

use super::cluster::{ClusterRun, Known};
use super::job::{Errand, Want};
use super::runner::Runner;
use super::units::{self, UnitName};
use crate::handover::action::{Completion, Facts, Obstacle};
use crate::handover::gate::Unsupported;
use crate::handover::phase::Phase;
use crate::ledger::{Digest, Primary};

/// Longest list of ids or names in a message for the operator.
const NAMED_MAX: usize = 5;
/// How long legacy's word about fenced producers is waited for.
const SHUT_OUT_WAIT: Duration = Duration::from_secs(30);
/// After which time it is asked again.
const SHUT_OUT_AGAIN: Duration = Duration::from_secs(5);
/// Jobs count from 1.
pub(super) const NO_JOB: u64 = 0;

/// What legacy is asked for its transactional ids for.
#[derive(Debug)]
pub(super) struct AskedTransactions {
    job: u64,
    unit: UnitId,
    /// When, on the monotonic clock, if nothing was on its way to legacy then.
    settles: Option<Duration>,
    purpose: Purpose,
}

/// What is done with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// They are looked at.
    Look,
    /// The kernel takes them over.
    Adopt,
    /// They have moved for good: legacy is to fence the producers that it knows.
    ShutOut,
    /// They are on the kernel, and legacy keeps their producers.
    Keep,
    /// They are about to go back: both sides are compared.
    Compare,
}

/// How far legacy has fenced the producers of a unit's ids.
#[derive(Debug, Default)]
pub(super) struct ShutOut {
    done: bool,
    /// Not to be tried before.
    next: Duration,
    ids: BTreeSet<String>,
    asked: BTreeSet<String>,
    trouble: String,
}

/// The scope of a migration, as sessions ask for it.
pub(super) fn scope_of(migration: &Migration) -> Arc<TransactionScope> {
    let (ids, topics, groups) =
        (migration.transactional_ids.clone(), migration.topics.clone(), migration.groups.clone());
    Arc::new(TransactionScope {
        ids: Box::new(move |id| ids.iter().any(|pattern| pattern.matches(id))),
        topics: Box::new(move |topic| topics.iter().any(|pattern| pattern.matches(topic))),
        groups: Box::new(move |group| groups.iter().any(|pattern| pattern.matches(group))),
    })
}

impl ClusterRun {
    /// The unit of a migration's transactional ids, for the sessions.
    pub(super) fn transaction_route(&self, known: &Known) -> Option<TransactionRoute> {
        let migration = self.migrations.iter().find(|each| each.name == known.migration)?;
        Some(TransactionRoute { unit: Arc::clone(&known.unit), scope: scope_of(migration) })
    }

    /// Why the way back of a topic will be closed, as far as that is known before it moves.
    pub(super) fn closed_beforehand(&self, migration: &str, topic: &str) -> Option<ClosedReason> {
        let configs = self.feed.configs().get(topic);
        configs.and_then(ClosedReason::of_configs).or_else(|| self.closed_for_ids(migration))
    }

    /// The same of a migration's transactional ids.
    pub(super) fn closed_for_ids(&self, migration: &str) -> Option<ClosedReason> {
        if self.moves_ids(migration) { self.feed.takes_transactions()?.err() } else { None }
    }

    /// Whether that is known: a migration with transactional ids waits for what legacy's brokers say.
    pub(super) fn knows_way_back(&self, migration: &str) -> bool {
        !self.moves_ids(migration) || self.feed.takes_transactions().is_some()
    }

    fn moves_ids(&self, migration: &str) -> bool {
        self.migrations.iter().any(|each| each.name == migration && !each.transactional_ids.is_empty())
    }

    /// Whether legacy takes batches of this unit's ids that its own coordinator does not lead.
    pub(super) fn takes_transactions(&self, known: &Known) -> Option<Result<(), ClosedReason>> {
        self.feed.takes_transactions().filter(|_| self.moves_ids(&known.migration))
    }

    /// Transactional ids that keep a migration from its cutover, each with what to do.
    pub(super) fn strays(&self, migration: &Migration) -> Vec<Unsupported> {
        let mine = |unit: &UnitId| {
            self.units.get(unit).filter(|known| known.migration == migration.name).map(|known| &known.unit)
        };
        let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for stray in self.shared.routes.strays() {
            match stray {
                // What has moved was looked at before.
                Stray::Unnamed { id, unit } if mine(&unit).is_some_and(|unit| !unit.is_moved()) => {
                    let feature = "transactions: name the id in transactional_ids of this migration";
                    let writes = format!("transactional id {id:?} writes to {unit}");
                    named.entry(feature.to_owned()).or_default().insert(writes);
                }
                Stray::Spans { id, unit, what } if mine(&unit).is_some() => {
                    let feature = "transactions: one transaction has one coordinator, so add this topic or \
                                   group to the migration, or take the id out of it";
                    let writes = format!("transactional id {id:?} writes to {what} too");
                    named.entry(feature.to_owned()).or_default().insert(writes);
                }
                Stray::Unnamed { .. } | Stray::Spans { .. } => {}
            }
        }
        let all = named.into_iter().map(|(feature, mut who)| {
            let more = who.len().saturating_sub(NAMED_MAX);
            let mut shown: Vec<String> = std::iter::from_fn(|| who.pop_first()).take(NAMED_MAX).collect();
            if more > 0 {
                shown.push(format!("and {more} more"));
            }
            Unsupported { feature, who: shown.join(", "), from_phase: Phase::Cutover }
        });
        all.collect()
    }
}

impl Runner {
    /// The unit of transactional ids among these, with its migration's cluster.
    pub(super) fn transactions_among(&self, units: &[UnitId]) -> Option<(usize, UnitId, Known)> {
        units.iter().find_map(|unit| {
            self.clusters.iter().enumerate().find_map(|(index, cluster)| {
                let known = cluster.units.get(unit)?;
                matches!(known.name, UnitName::Transactions(_)).then(|| (index, unit.clone(), known.clone()))
            })
        })
    }

    /// Lets a job wait for legacy's word on the transactional ids, if the units have some.
    pub(super) fn ask_transactions(&mut self, job: u64, units: &[UnitId], purpose: Purpose) {
        let Some((index, unit, known)) = self.transactions_among(units) else { return };
        let now = self.setup.clock.now();
        let quiet = known.unit.gate.on_the_way() == 0;
        let token = self.next_number();
        let asked = AskedTransactions { job, unit, settles: quiet.then_some(now.elapsed), purpose };
        self.asked_transactions.insert(token, asked);
        if let Some(job) = self.jobs.get_mut(&job) {
            job.outstanding += 1;
        }
        if let Some(cluster) = self.clusters.get_mut(index) {
            cluster.feed.order(now, FeedOrder::ReadTransactions { token: Token(token) });
        }
    }

    /// Legacy could not be asked. Says whether that was about transactional ids.
    pub(super) fn transactions_unknown(&mut self, token: Token, reason: &str) -> bool {
        let Some(asked) = self.asked_transactions.remove(&token.0) else { return false };
        match asked.purpose {
            Purpose::ShutOut => {
                self.shut_out_later(&asked.unit, reason);
                return true;
            }
            Purpose::Keep => {
                self.kept_unknown(&asked.unit, reason);
                return true;
            }
            Purpose::Look | Purpose::Adopt | Purpose::Compare => {}
        }
        if let Some(job) = self.jobs.get_mut(&asked.job) {
            job.outstanding = job.outstanding.saturating_sub(1);
            job.failed.get_or_insert(reason.to_owned());
        }
        self.finish_job(asked.job);
        true
    }

    /// Legacy has said what its transactional ids are.
    pub(super) fn transactions_known(&mut self, token: Token, found: &BTreeMap<String, LegacyTransaction>) {
        let Some(asked) = self.asked_transactions.remove(&token.0) else { return };
        let Some((_, _, known)) = self.transactions_among(std::slice::from_ref(&asked.unit)) else { return };
        let Some((_, UnitName::Transactions(migration))) = units::parse(&asked.unit) else { return };
        let scope = self.setup.config.migrations.iter().find(|each| each.name == migration).map(scope_of);
        let Some(scope) = scope else { return };
        let mine: BTreeMap<&String, &LegacyTransaction> =
            found.iter().filter(|(id, _)| (scope.ids)(id)).collect();
        match asked.purpose {
            Purpose::ShutOut => return self.order_shut_out(asked, &mine),
            Purpose::Keep => return self.kept_known(&asked.unit, &mine),
            Purpose::Compare => return self.compare_kept(&asked, &mine),
            Purpose::Look | Purpose::Adopt => {}
        }
        if let Some(at) = asked.settles {
            let is_open = |id: &str| mine.iter().any(|(each, one)| *each == id && is_open(&one.state));
            known.unit.transactions.settle(at, is_open);
        }
        if let Some(job) = self.jobs.get_mut(&asked.job) {
            job.outstanding = job.outstanding.saturating_sub(1);
        }
        if asked.purpose == Purpose::Adopt {
            self.adopt(asked.job, &asked.unit, &mine);
        } else {
            let fenced = known.unit.gate.side() == Side::Held;
            let obstacle = self.open_obstacle(&known, &mine, fenced);
            let facts = Facts {
                records: u64::try_from(mine.len()).ok(),
                chain: Some(digest(mine.iter().map(legacy_row))),
                obstacle,
                ..Facts::default()
            };
            if let Some(job) = self.jobs.get_mut(&asked.job) {
                job.facts.insert(asked.unit.clone(), facts);
            }
            self.known_transactions.insert(asked.unit, mine.keys().map(|id| (*id).clone()).collect());
        }
        self.finish_job(asked.job);
    }

    /// Both sides of ids that go back.
    fn compare_kept(&mut self, asked: &AskedTransactions, mine: &BTreeMap<&String, &LegacyTransaction>) {
        let facts = self.kept_facts(&asked.unit, mine, is_open);
        if let Some(job) = self.jobs.get_mut(&asked.job) {
            job.outstanding = job.outstanding.saturating_sub(1);
            job.facts.insert(asked.unit.clone(), facts);
        }
        // What legacy has was just read: a lost answer is made good by it.
        self.kept_known(&asked.unit, mine);
        self.finish_job(asked.job);
    }

    /// Behind the fence nothing may be open; before it, only what would keep the fence beyond its limit.
    fn open_obstacle(
        &self,
        known: &Known,
        mine: &BTreeMap<&String, &LegacyTransaction>,
        fenced: bool,
    ) -> Option<Obstacle> {
        let now = self.setup.clock.now();
        let limit = self.setup.config.migrations.iter().find(|each| each.name == known.migration);
        let limit = limit.map_or(0, |each| each.limits.fence_ms_max / 2);
        let since: BTreeMap<String, Duration> = known.unit.transactions.open().into_iter().collect();
        let blocks = |id: &&String, one: &&LegacyTransaction| {
            let lasts = match since.get(id.as_str()) {
                Some(since) => now.elapsed.saturating_sub(*since).as_millis(),
                None => u128::try_from(now.wall_ms.saturating_sub(one.started_ms)).unwrap_or(0),
            };
            is_open(&one.state) && (fenced || lasts > u128::from(limit))
        };
        let open: Vec<String> = mine
            .iter()
            .filter(|(id, one)| blocks(id, one))
            .map(|(id, one)| format!("{id:?} ({}, time-out {} ms)", one.state, one.timeout_ms))
            .collect();
        if open.is_empty() {
            return None;
        }
        let named = open.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let reason =
            format!("{} transactions are open: {named}; each ends by itself or by its time-out", open.len());
        Some(Obstacle { reason, passing: true })
    }

    /// Gives every id to the kernel's coordinator, which does not act on it before sessions ask it.
    fn adopt(&mut self, job: u64, unit: &UnitId, mine: &BTreeMap<&String, &LegacyTransaction>) {
        let shards = u16::try_from(self.setup.shards.count()).unwrap_or(u16::MAX);
        for (id, one) in mine {
            if is_open(&one.state) {
                self.fail_job(job, format!("transactional id {id:?} has a transaction open ({})", one.state));
                continue;
            }
            let message = TransactionMessage::Adopt {
                id: (*id).clone(),
                producer: Producer { id: one.producer_id, epoch: one.producer_epoch },
                timeout_ms: one.timeout_ms,
                committed: match one.state.as_str() {
                    "CompleteCommit" => Some(true),
                    "CompleteAbort" => Some(false),
                    _ => None,
                },
                unit: unit.to_string(),
            };
            let request = KernelRequest::Coordinate { kind: TRANSACTIONS, message: message.to_bytes() };
            self.ask_kernel(job, transaction_shard(id, shards), request, Want::Adopted);
        }
    }

    /// Begins the handover's `Close` where transactional ids move: the kernel takes them over.
    pub(super) fn close_transactions(&mut self, errand: Errand, units: &[UnitId]) -> Option<Completion> {
        if self.transactions_among(units).is_none() {
            return Some(Completion::Done);
        }
        let job = self.open_job(errand, false);
        self.ask_transactions(job, units, Purpose::Adopt);
        None
    }

    /// Lets legacy fence the producers of ids that have moved: a program that still uses one past the proxy must not
    /// go on writing there. Done once for each unit in the life of the process; doing it again harms nobody.
    pub(super) fn shut_out_zombies(&mut self, now: Now) {
        let book = self.ledger.book();
        let mut due = Vec::new();
        for cluster in self.clusters.iter().filter(|cluster| !cluster.shared.routes.is_retired()) {
            let ids = cluster.units.iter().filter(|(unit, known)| {
                // Ids that may come back are not shut out: who uses one past the proxy closes the way back.
                matches!(known.name, UnitName::Transactions(_))
                    && book.owner(unit).side == Primary::Kernel
                    && book.phase(unit) == Phase::Cutover
                    && cluster.closed_for_ids(&known.migration).is_some()
            });
            due.extend(ids.map(|(unit, _)| unit.clone()));
        }
        for unit in due {
            let at = self.shut_out.entry(unit.clone()).or_default();
            if at.done || at.next > now.elapsed {
                continue;
            }
            at.next = now.deadline(SHUT_OUT_WAIT);
            self.ask_transactions(NO_JOB, &[unit], Purpose::ShutOut);
        }
    }

    fn shut_out_later(&mut self, unit: &UnitId, reason: &str) {
        let at = self.shut_out.entry(unit.clone()).or_default();
        at.next = self.setup.clock.now().deadline(SHUT_OUT_AGAIN);
        if at.trouble != reason {
            tracing::warn!(%unit, reason, "legacy does not fence the producers of ids that have moved yet");
            reason.clone_into(&mut at.trouble);
        }
    }

    fn order_shut_out(&mut self, asked: AskedTransactions, mine: &BTreeMap<&String, &LegacyTransaction>) {
        let Some((index, ..)) = self.transactions_among(std::slice::from_ref(&asked.unit)) else { return };
        let left: BTreeMap<String, (i32, i32)> = mine
            .iter()
            .filter(|(id, _)| !self.shut_out.get(&asked.unit).is_some_and(|at| at.ids.contains(**id)))
            .map(|(id, one)| ((*id).clone(), (one.coordinator, one.timeout_ms)))
            .collect();
        let now = self.setup.clock.now();
        let token = self.next_number();
        let at = self.shut_out.entry(asked.unit.clone()).or_default();
        at.asked = left.keys().cloned().collect();
        self.asked_transactions.insert(token, asked);
        if let Some(cluster) = self.clusters.get_mut(index) {
            cluster.feed.order(now, FeedOrder::ShutOut { token: Token(token), ids: left });
        }
    }

    /// Legacy has fenced producers, all but these.
    pub(super) fn shut(&mut self, token: Token, refused: &BTreeMap<String, i16>) {
        let Some(asked) = self.asked_transactions.remove(&token.0) else { return };
        let at = self.shut_out.entry(asked.unit.clone()).or_default();
        let fenced = std::mem::take(&mut at.asked).into_iter().filter(|id| !refused.contains_key(id));
        at.ids.extend(fenced);
        if let Some((id, code)) = refused.first_key_value() {
            let reason = format!("{} ids are refused, {id:?} among them (code {code})", refused.len());
            return self.shut_out_later(&asked.unit, &reason);
        }
        at.done = true;
        let ids = std::mem::take(&mut at.ids).len();
        tracing::info!(unit = %asked.unit, ids, "legacy fences the producers of ids that have moved");
    }

    /// Asks the kernel's coordinators for the ids that legacy has named last.
    pub(super) fn describe_adopted(&mut self, job: u64, unit: &UnitId) {
        let shards = u16::try_from(self.setup.shards.count()).unwrap_or(u16::MAX);
        let ids = self.known_transactions.get(unit).cloned().unwrap_or_default();
        if let Some(open) = self.jobs.get_mut(&job) {
            open.facts.entry(unit.clone()).or_default().chain = Some(digest(std::iter::empty::<Row<'_>>()));
        }
        let mut by_shard: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for id in ids {
            by_shard.entry(transaction_shard(&id, shards)).or_default().push(id);
        }
        for (shard, ids) in by_shard {
            let message = TransactionMessage::Describe { ids: ids.clone() };
            let request = KernelRequest::Coordinate { kind: TRANSACTIONS, message: message.to_bytes() };
            self.ask_kernel(job, shard, request, Want::Transactions(unit.clone(), ids));
        }
    }
}

/// What must be the same on both sides: id, producer id, epoch and time-out.
type Row<'a> = (&'a str, i64, i16, i32);

fn legacy_row<'a>((id, one): (&&'a String, &&'a LegacyTransaction)) -> Row<'a> {
    (id.as_str(), one.producer_id, one.producer_epoch, one.timeout_ms)
}

/// A hash over rows that does not depend on their order: shards answer apart.
pub(super) fn digest<'a>(rows: impl Iterator<Item = Row<'a>>) -> Digest {
    let each = rows.map(|(id, producer_id, epoch, timeout_ms)| {
        row_print(id, Producer { id: producer_id, epoch }, timeout_ms)
    });
    Digest(each.fold(0, u64::wrapping_add))
}

/// The rows of one shard's answer.
pub(super) fn adopted_rows(ids: &[String], answer: &[u8]) -> Result<Digest, String> {
    let Some(TransactionReply::Described(found)) = TransactionReply::from_bytes(answer) else {
        return Err("the transaction coordinator gave another answer than was asked for".to_owned());
    };
    let known = ids.iter().zip(&found).filter_map(|(id, one)| {
        let DescribedTransaction { producer, timeout_ms, .. } = one.as_ref()?;
        Some((id.as_str(), producer.id, producer.epoch, *timeout_ms))
    });
    Ok(digest(known))
}

/// Whether an id of legacy is adopted.
pub(super) fn adopted(answer: &[u8]) -> Result<(), String> {
    match TransactionReply::from_bytes(answer) {
        Some(TransactionReply::Producer(_)) => Ok(()),
        other => Err(format!("the transaction coordinator does not take an id over: {other:?}")),
    }
}

/// Whether a transaction in this state is not over, by legacy's names.
fn is_open(state: &str) -> bool {
    !matches!(state, "Empty" | "CompleteCommit" | "CompleteAbort" | "Dead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_over_ids_knows_what_a_producer_has_and_no_order() {
        let rows: [Row<'_>; 2] = [("a", 1, 2, 3), ("b", 4, 5, 6)];
        let there = digest(rows.into_iter());
        assert_eq!(there, digest(rows.into_iter().rev()));
        for other in [[("a", 1, 3, 3), ("b", 4, 5, 6)], [("a", 2, 2, 3), ("b", 4, 5, 6)]] {
            assert_ne!(there, digest(other.into_iter()));
        }
        assert_ne!(there, digest(rows.into_iter().take(1)));
    }

    #[test]
    fn only_a_transaction_that_is_over_may_move() {
        for state in ["Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence", "Anything"] {
            assert!(is_open(state), "{state}");
        }
        for state in ["Empty", "CompleteCommit", "CompleteAbort", "Dead"] {
            assert!(!is_open(state), "{state}");
        }
    }
}

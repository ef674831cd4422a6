//! Transactional ids on the kernel whose way back is open: legacy keeps the same producers for them.
//!
//! ```text
//!   survey of the kernel ─┐
//!                         ├─► an id's epoch is behind there, or it waits for a producer id ─► InitProducerId on legacy
//!   legacy's own word  ───┘        ▲                                                             │
//!                                  └──── the kernel adopts or stores what legacy has given ◄─────┘
//! ```
//!
//! Legacy's coordinator raises an epoch by one with each InitProducerId, so it is called as often as the kernel's has
//! grown since. An id that begins here, or has used up its epochs, gets its producer id from legacy. What legacy has is
//! read once, then kept in mind, and read again whenever an answer was lost: raised once too often, it could not be
//! lowered.
//!
//! On the way back the coordinators let open transactions end and begin none (`Leave`), until the gate is released.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel_model::{KernelError, Now, Reply, Request as KernelRequest, ShardId};
use session::{Answer, Request, RequestId, Side, UnitId};
use shadow::{GivenProducer, LegacyTransaction, NotGiven, Order as FeedOrder, Token};
use translator_kafka::coordinator::transaction::{
    Message as TransactionMessage, Producer, Reply as TransactionReply, SurveyedTransaction, Tally, row_print,
};
use translator_kafka::errors::ErrorCode;
use translator_kafka::placement::{TRANSACTIONS, transaction_shard};

use super::job::Want;
use super::runner::Runner;
use super::transactions::Purpose;
use super::units::UnitName;
use crate::handover::action::{Facts, Obstacle};
use crate::handover::phase::Phase;
use crate::ledger::{Digest, Primary};

/// Ids that legacy is asked to give something, at once.
const GIVING_MAX: usize = 100;
/// How often the kernel is asked what its ids have; at most a twentieth of the time is spent on it.
const SURVEY_EVERY: Duration = Duration::from_secs(1);
const SURVEY_SHARE: u32 = 20;
/// The same while they are about to go back.
const SURVEY_SOON: Duration = Duration::from_millis(50);
/// How long an id rests for which legacy was not ready, and one that it refuses.
const REST: Duration = Duration::from_millis(100);
/// How long a request whose answer was lost may still arrive at legacy: what it has is asked for after that.
const LATE_INIT: Duration = Duration::from_secs(1);
const REST_REFUSED: Duration = Duration::from_secs(5);
/// Epochs that legacy may be behind when a fence begins: they are brought within it.
const BEHIND_MAX: u64 = 20;
/// What a coordinator says that cannot now, or is not the one.
const NOT_NOW: [ErrorCode; 4] = [
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::NotCoordinator,
    ErrorCode::ConcurrentTransactions,
];

/// What one side has of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    producer: Producer,
    timeout_ms: i32,
}

/// All units of ids that are kept, and what the kernel was asked about them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    units: BTreeMap<UnitId, Keeping>,
    asks: BTreeMap<u64, KeptAsk>,
}

/// The ids of one unit.
#[derive(Debug, Default)]
struct Keeping {
    /// What the kernel had at the last whole survey.
    kernel: BTreeMap<String, SurveyedTransaction>,
    is_surveyed: bool,
    survey: Option<Survey>,
    survey_due: Duration,
    /// What legacy has, with the coordinator of each; `None`: to be asked.
    legacy: Option<BTreeMap<String, (Row, i32)>>,
    asks_legacy: bool,
    /// Not to be asked before.
    legacy_due: Duration,
    /// Ids that legacy is giving something, by the order's token.
    giving: BTreeMap<u64, String>,
    /// Ids that the kernel is being given something for.
    storing: BTreeSet<String>,
    /// Ids that are left alone until then.
    resting: BTreeMap<String, Duration>,
    trouble: Option<String>,
    leaving: Leaving,
}

/// A survey under way.
#[derive(Debug)]
struct Survey {
    begun: Duration,
    outstanding: usize,
    found: BTreeMap<String, SurveyedTransaction>,
    failed: bool,
}

/// How many transactions are left while none begins.
#[derive(Debug, Default)]
struct Leaving {
    outstanding: usize,
    adding: Option<Tally>,
    open: Option<u64>,
}

/// What the kernel was asked.
#[derive(Debug)]
enum KeptAsk {
    Survey(UnitId, u16),
    Leave(UnitId),
    Return,
    /// It stores what legacy has given the id.
    Store(UnitId, String),
}

impl Keeping {
    /// Epochs that legacy is behind, over all ids; one for each id that has another producer there.
    fn behind(&self) -> Option<u64> {
        let legacy = self.legacy.as_ref().filter(|_| self.is_surveyed)?;
        let each = self.kernel.values().map(|held| match legacy.get(&held.id) {
            Some((row, _)) if row.producer.id == held.producer.id => {
                u64::from(held.producer.epoch.abs_diff(row.producer.epoch))
            }
            _ => 1,
        });
        Some(each.sum())
    }

    /// Legacy has a newer epoch of an id: it was initialised past the kernel, and only its next producer mends that.
    fn is_ahead(&self) -> Option<&str> {
        let legacy = self.legacy.as_ref()?;
        let ahead = self.kernel.values().find(|held| {
            legacy.get(&held.id).is_some_and(|(row, _)| {
                row.producer.id == held.producer.id && row.producer.epoch > held.producer.epoch
            })
        });
        ahead.map(|held| held.id.as_str())
    }

    /// What legacy is to give next, as ids with their time-outs.
    fn needs(&self, wanted: &[(String, Option<i32>)], now: Now) -> Vec<(String, i32)> {
        let Some(legacy) = self.legacy.as_ref().filter(|_| self.is_surveyed) else { return Vec::new() };
        let busy = |id: &String| {
            self.storing.contains(id)
                || self.giving.values().any(|giving| giving == id)
                || self.resting.get(id).is_some_and(|until| *until > now.elapsed)
        };
        let begins = wanted.iter().filter_map(|(id, timeout_ms)| match self.kernel.get(id) {
            None => Some((id.clone(), (*timeout_ms)?)),
            // Its epochs are used up: until legacy's are too.
            Some(held) => {
                let same = legacy.get(id).is_none_or(|(row, _)| row.producer.id == held.producer.id);
                same.then(|| (id.clone(), timeout_ms.unwrap_or(held.timeout_ms)))
            }
        });
        let behind = self.kernel.values().filter_map(|held| match legacy.get(&held.id) {
            Some((row, _)) if row.producer.id == held.producer.id => {
                (row.producer.epoch < held.producer.epoch).then(|| (held.id.clone(), held.timeout_ms))
            }
            // It waits for its next epoch to take what legacy has given.
            Some((row, _)) if held.provided == Some(row.producer) => None,
            _ => Some((held.id.clone(), held.timeout_ms)),
        });
        let all: BTreeMap<String, i32> = behind.chain(begins).filter(|(id, _)| !busy(id)).collect();
        all.into_iter().take(GIVING_MAX.saturating_sub(self.giving.len())).collect()
    }
}

impl Runner {
    /// Keeps what the ledger says the kernel leads and legacy can take back, and nothing else.
    pub(super) fn steer_keeping(&mut self, now: Now) {
        self.set_kept();
        let kept: BTreeSet<UnitId> = self.kept_units().into_iter().collect();
        self.kept.units.retain(|unit, _| kept.contains(unit));
        for unit in kept {
            self.kept.units.entry(unit.clone()).or_default();
            self.keep(now, &unit);
        }
    }

    /// Tells sessions which ids get their producers from legacy: before they first serve them.
    pub(super) fn set_kept(&self) {
        let kept = self.kept_units();
        for (unit, known) in self.clusters.iter().flat_map(|cluster| &cluster.units) {
            if matches!(known.name, UnitName::Transactions(_)) {
                known.unit.kept.set(kept.contains(unit));
            }
        }
    }

    /// Units of ids that the kernel serves, or is about to, whose way back is not known to be closed.
    fn kept_units(&self) -> Vec<UnitId> {
        let book = self.ledger.book();
        let mut kept = Vec::new();
        for cluster in self.clusters.iter().filter(|cluster| !cluster.shared.routes.is_retired()) {
            for (unit, known) in &cluster.units {
                let ids = matches!(known.name, UnitName::Transactions(_));
                let of_migration =
                    || cluster.units.iter().filter(|(_, other)| other.migration == known.migration);
                let closed = || of_migration().any(|(unit, _)| book.way_back_closed(unit).is_some());
                let led = book.owner(unit).side == Primary::Kernel && book.phase(unit) < Phase::Retired;
                if ids && led && !closed() && !matches!(cluster.takes_transactions(known), Some(Err(_))) {
                    kept.push(unit.clone());
                }
            }
        }
        kept
    }

    /// Whether legacy keeps the producers of a unit's ids, and how far it is behind. `None`: not known yet.
    pub(super) fn kept_behind(&self, unit: &UnitId) -> Option<u64> {
        self.kept.units.get(unit)?.behind()
    }

    /// Does what can be done for one unit.
    fn keep(&mut self, now: Now, unit: &UnitId) {
        let Some((index, _, known)) = self.transactions_among(std::slice::from_ref(unit)) else { return };
        let Some(keeping) = self.kept.units.get_mut(unit) else { return };
        if keeping.survey.is_none() && keeping.survey_due <= now.elapsed {
            return self.survey(now, unit);
        }
        let may_ask = !keeping.asks_legacy && keeping.legacy_due <= now.elapsed;
        if keeping.legacy.is_none() && may_ask && keeping.is_surveyed {
            keeping.asks_legacy = true;
            return self.read_kept(unit);
        }
        // Nothing begins while they go back.
        let wanted = if known.unit.gate.side() == Side::Held { Vec::new() } else { known.unit.kept.wanted() };
        let needs = keeping.needs(&wanted, now);
        for (id, timeout_ms) in needs {
            let token = self.next_number();
            let Some(keeping) = self.kept.units.get_mut(unit) else { return };
            let coordinator =
                keeping.legacy.as_ref().and_then(|legacy| legacy.get(&id)).map(|(_, node)| *node);
            keeping.giving.insert(token, id.clone());
            let order = FeedOrder::InitProducer {
                token: Token(token),
                id,
                timeout_ms,
                coordinator: coordinator.filter(|node| *node >= 0),
            };
            if let Some(cluster) = self.clusters.get_mut(index) {
                cluster.feed.order(now, order);
            }
        }
    }

    fn shards(&self) -> u16 {
        u16::try_from(self.setup.shards.count()).unwrap_or(u16::MAX)
    }

    fn ask_kept(&mut self, shard: ShardId, message: &TransactionMessage, ask: KeptAsk) {
        let id = self.next_number();
        self.kept.asks.insert(id, ask);
        let request = KernelRequest::Coordinate { kind: TRANSACTIONS, message: message.to_bytes() };
        self.ask_shard(RequestId(id), Request::Kernel { shard, request });
    }

    fn survey(&mut self, now: Now, unit: &UnitId) {
        let shards = self.shards();
        if let Some(keeping) = self.kept.units.get_mut(unit) {
            keeping.survey = Some(Survey {
                begun: now.elapsed,
                outstanding: usize::from(shards),
                found: BTreeMap::new(),
                failed: false,
            });
        }
        for shard in 0..shards {
            let message = TransactionMessage::Survey { unit: unit.to_string(), after: None };
            self.ask_kept(ShardId(shard), &message, KeptAsk::Survey(unit.clone(), shard));
        }
    }

    /// The next survey is due at once: something has changed.
    fn survey_now(&mut self, unit: &UnitId) {
        if let Some(keeping) = self.kept.units.get_mut(unit) {
            keeping.survey_due = Duration::ZERO;
        }
    }

    /// Takes the kernel's answer. Says whether it was asked for here.
    pub(super) fn kept_answered(&mut self, asked: u64, answer: &Result<Answer, KernelError>) -> bool {
        let Some(ask) = self.kept.asks.remove(&asked) else { return false };
        let reply = match answer {
            Ok(Answer::Kernel(Reply::Coordinated(bytes))) => TransactionReply::from_bytes(bytes),
            Ok(_) | Err(_) => None,
        };
        let now = self.setup.clock.now();
        match (ask, reply) {
            (KeptAsk::Survey(unit, shard), reply) => self.surveyed(now, &unit, shard, reply),
            (KeptAsk::Leave(unit), reply) => {
                let tally =
                    if let Some(TransactionReply::Tallied(tally)) = reply { Some(tally) } else { None };
                self.left(&unit, tally);
            }
            (KeptAsk::Return, _) => {}
            (KeptAsk::Store(unit, id), reply) => {
                let known = self.transactions_among(std::slice::from_ref(&unit));
                if let Some(keeping) = self.kept.units.get_mut(&unit) {
                    keeping.storing.remove(&id);
                }
                if let (Some(TransactionReply::Producer(_)), Some((_, _, known))) = (reply, known) {
                    known.unit.kept.provided(&id);
                }
                self.survey_now(&unit);
                self.keep(now, &unit);
            }
        }
        true
    }

    fn surveyed(&mut self, now: Now, unit: &UnitId, shard: u16, reply: Option<TransactionReply>) {
        let Some(keeping) = self.kept.units.get_mut(unit) else { return };
        let Some(survey) = &mut keeping.survey else { return };
        let mut behind = None;
        if let Some(TransactionReply::Surveyed { ids, more }) = reply {
            behind = ids.last().map(|last| last.id.clone()).filter(|_| more);
            survey.found.extend(ids.into_iter().map(|held| (held.id.clone(), held)));
        } else {
            survey.failed = true;
        }
        if let Some(after) = behind {
            let message = TransactionMessage::Survey { unit: unit.to_string(), after: Some(after) };
            return self.ask_kept(ShardId(shard), &message, KeptAsk::Survey(unit.clone(), shard));
        }
        survey.outstanding = survey.outstanding.saturating_sub(1);
        if survey.outstanding > 0 {
            return;
        }
        let goes_back = self.migrations.goes_back(unit);
        let every = if goes_back { SURVEY_SOON } else { SURVEY_EVERY };
        if let Some(survey) = keeping.survey.take() {
            let took = now.elapsed.saturating_sub(survey.begun);
            keeping.survey_due = now.deadline(every.max(took.saturating_mul(SURVEY_SHARE)));
            if !survey.failed {
                keeping.kernel = survey.found;
                keeping.is_surveyed = true;
            }
        }
        self.keep(now, unit);
    }

    fn read_kept(&mut self, unit: &UnitId) {
        self.ask_transactions(super::transactions::NO_JOB, std::slice::from_ref(unit), Purpose::Keep);
    }

    /// Legacy has said what its ids have.
    pub(super) fn kept_known(&mut self, unit: &UnitId, mine: &BTreeMap<&String, &LegacyTransaction>) {
        let now = self.setup.clock.now();
        if let Some(keeping) = self.kept.units.get_mut(unit) {
            keeping.asks_legacy = false;
            // What is on its way to legacy may be in the answer, or may not.
            if keeping.giving.is_empty() && keeping.legacy_due <= now.elapsed {
                let rows = mine.iter().map(|(id, one)| ((*id).clone(), (row_of(one), one.coordinator)));
                keeping.legacy = Some(rows.collect());
            }
        }
        self.keep(now, unit);
    }

    pub(super) fn kept_unknown(&mut self, unit: &UnitId, reason: &str) {
        if let Some(keeping) = self.kept.units.get_mut(unit) {
            keeping.asks_legacy = false;
            keeping.trouble = Some(reason.to_owned());
        }
    }

    /// Legacy has given an id a producer, or has not.
    pub(super) fn given(&mut self, token: Token, outcome: Result<GivenProducer, NotGiven>) {
        let now = self.setup.clock.now();
        let asked = self
            .kept
            .units
            .iter_mut()
            .find_map(|(unit, keeping)| keeping.giving.remove(&token.0).map(|id| (unit.clone(), id)));
        let Some((unit, id)) = asked else { return };
        match outcome {
            Ok(given) => self.take_given(&unit, id, given),
            Err(NotGiven::Refused(code)) => self.not_given(now, &unit, &id, code),
            Err(NotGiven::Unknown(reason)) => {
                if let Some(keeping) = self.kept.units.get_mut(&unit) {
                    keeping.legacy = None;
                    keeping.legacy_due = now.deadline(LATE_INIT);
                    keeping.trouble = Some(reason);
                }
            }
        }
        self.keep(now, &unit);
    }

    fn take_given(&mut self, unit: &UnitId, id: String, given: GivenProducer) {
        let Some((_, _, known)) = self.transactions_among(std::slice::from_ref(unit)) else { return };
        let wanted = known.unit.kept.wanted().into_iter().find(|(wanted, _)| *wanted == id);
        let Some(keeping) = self.kept.units.get_mut(unit) else { return };
        keeping.trouble = None;
        keeping.resting.remove(&id);
        let producer = Producer { id: given.id, epoch: given.epoch };
        let held = keeping.kernel.get(&id);
        let asked_ms = wanted.and_then(|(_, timeout_ms)| timeout_ms);
        let timeout_ms = asked_ms.or(held.map(|held| held.timeout_ms)).unwrap_or_default();
        if let Some(legacy) = &mut keeping.legacy {
            legacy.insert(id.clone(), (Row { producer, timeout_ms }, given.coordinator));
        }
        let message = match held {
            Some(held) if held.producer.id == given.id => return,
            Some(_) => TransactionMessage::Provide { id: id.clone(), producer },
            None => TransactionMessage::Adopt {
                id: id.clone(),
                producer,
                timeout_ms,
                committed: None,
                unit: unit.to_string(),
            },
        };
        keeping.storing.insert(id.clone());
        let shard = transaction_shard(&id, self.shards());
        self.ask_kept(shard, &message, KeptAsk::Store(unit.clone(), id));
    }

    fn not_given(&mut self, now: Now, unit: &UnitId, id: &str, code: i16) {
        let Some((_, _, known)) = self.transactions_among(std::slice::from_ref(unit)) else { return };
        let Some(keeping) = self.kept.units.get_mut(unit) else { return };
        if NOT_NOW.iter().any(|known| known.code() == code) {
            // Another broker may coordinate it by now.
            if let Some((_, node)) = keeping.legacy.as_mut().and_then(|legacy| legacy.get_mut(id)) {
                *node = -1;
            }
            keeping.resting.insert(id.to_owned(), now.deadline(REST));
            return;
        }
        let trouble = format!("legacy refuses to initialise {id:?} (code {code})");
        if keeping.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(%unit, id, code, "legacy does not keep the producer of a transactional id");
        }
        keeping.trouble = Some(trouble);
        keeping.resting.insert(id.to_owned(), now.deadline(REST_REFUSED));
        if !keeping.kernel.contains_key(id) {
            known.unit.kept.refused(id, code);
        }
    }

    /// The ids among these units that are about to go back begin no transaction any more.
    pub(super) fn leave_kernel(&mut self, units: &[UnitId]) {
        for unit in self.kept_among(units) {
            if let Some(keeping) = self.kept.units.get_mut(&unit) {
                keeping.leaving = Leaving::default();
            }
            self.ask_leave(&unit);
        }
    }

    /// Asks again how many are left, where it is not being asked.
    pub(super) fn leave_again(&mut self, units: &[UnitId]) {
        for unit in self.kept_among(units) {
            let idle = self.kept.units.get(&unit).is_some_and(|keeping| keeping.leaving.outstanding == 0);
            if idle {
                self.ask_leave(&unit);
            }
        }
    }

    fn kept_among(&self, units: &[UnitId]) -> Vec<UnitId> {
        let kept = units.iter().filter(|unit| self.kept.units.contains_key(*unit) && self.is_led(unit));
        kept.cloned().collect()
    }

    fn ask_leave(&mut self, unit: &UnitId) {
        let shards = self.shards();
        if let Some(keeping) = self.kept.units.get_mut(unit) {
            keeping.leaving.outstanding = usize::from(shards);
            keeping.leaving.adding = Some(Tally::none());
        }
        for shard in 0..shards {
            let message = TransactionMessage::Leave { unit: unit.to_string() };
            self.ask_kept(ShardId(shard), &message, KeptAsk::Leave(unit.clone()));
        }
    }

    fn left(&mut self, unit: &UnitId, tally: Option<Tally>) {
        let Some(leaving) = self.kept.units.get_mut(unit).map(|keeping| &mut keeping.leaving) else { return };
        leaving.outstanding = leaving.outstanding.saturating_sub(1);
        leaving.adding = leaving.adding.zip(tally).map(|(mut all, tally)| {
            all.add(tally);
            all
        });
        if leaving.outstanding == 0 {
            leaving.open = leaving.adding.take().map(|all| all.open).or(leaving.open);
        }
    }

    /// Transactions of a unit that are open on the kernel, as far as that is known; not known counts as one.
    pub(super) fn open_on_kernel(&self, unit: &UnitId) -> u64 {
        self.kept.units.get(unit).and_then(|keeping| keeping.leaving.open).unwrap_or(1)
    }

    /// Everything is drained: what the ids have now is what has to be on legacy.
    pub(super) fn close_kept(&mut self, units: &[UnitId]) {
        let now = self.setup.clock.now();
        for unit in self.kept_among(units) {
            self.survey_now(&unit);
            self.keep(now, &unit);
        }
    }

    /// The ids among these units may begin transactions again, wherever they are now.
    pub(super) fn return_ids(&mut self, units: &[UnitId]) {
        let Some((_, unit, _)) = self.transactions_among(units) else { return };
        for shard in 0..self.shards() {
            let message = TransactionMessage::Return { unit: unit.to_string() };
            self.ask_kept(ShardId(shard), &message, KeptAsk::Return);
        }
    }

    /// Asks the kernel for what its ids among these units have now, as facts of a handover to legacy.
    pub(super) fn tally(&mut self, job: u64, units: &[UnitId]) {
        let Some((_, unit, known)) = self.transactions_among(units) else { return };
        // Behind the fence nothing may be open; before it, only what would keep the fence beyond its limit.
        let fenced = known.unit.gate.side() == Side::Held;
        let limit = self.setup.config.migrations.iter().find(|each| each.name == known.migration);
        let limit_ms = limit.map_or(0, |each| each.limits.fence_ms_max / 2);
        let limit_ms = i64::try_from(limit_ms).unwrap_or(i64::MAX);
        let wall_ms = self.setup.clock.now().wall_ms;
        let open_before_ms = if fenced { i64::MAX } else { wall_ms.saturating_sub(limit_ms) };
        if let Some(open) = self.jobs.get_mut(&job) {
            open.facts
                .insert(unit.clone(), Facts { chain: Some(Digest(0)), records: Some(0), ..Facts::default() });
        }
        for shard in 0..self.shards() {
            let message = TransactionMessage::Tally { unit: unit.to_string() };
            let request = KernelRequest::Coordinate { kind: TRANSACTIONS, message: message.to_bytes() };
            self.ask_kernel(job, ShardId(shard), request, Want::Tally(unit.clone(), open_before_ms));
        }
    }

    /// What legacy has of the ids that the kernel has, as the facts of a handover to legacy.
    pub(super) fn kept_facts(
        &self,
        unit: &UnitId,
        mine: &BTreeMap<&String, &LegacyTransaction>,
        is_open: impl Fn(&str) -> bool,
    ) -> Facts {
        let wait = |reason: String| Some(Obstacle { reason, passing: true });
        let Some(keeping) = self.kept.units.get(unit).filter(|keeping| keeping.is_surveyed) else {
            return Facts {
                obstacle: wait("the kernel has not told its ids yet".to_owned()),
                ..Facts::default()
            };
        };
        let both = keeping.kernel.keys().filter_map(|id| Some((id, *mine.get(id)?)));
        let (mut print, mut count, mut open) = (0_u64, 0_u64, None);
        for (id, one) in both {
            let row = row_of(one);
            print = print.wrapping_add(row_print(id, row.producer, row.timeout_ms));
            count += 1;
            if is_open(&one.state) {
                open = Some(format!("transactional id {id:?} is in state {} on legacy", one.state));
            }
        }
        let trouble = keeping.trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let asked =
            (!keeping.giving.is_empty()).then(|| "legacy is being asked to raise an epoch".to_owned());
        let fenced = self.known(std::slice::from_ref(unit)).iter().any(|at| at.gate.side() == Side::Held);
        let asked = asked.filter(|_| fenced);
        let behind = match keeping.behind() {
            None => Some("legacy has not told what its ids have".to_owned()),
            Some(behind) if behind > BEHIND_MAX => {
                Some(format!("legacy is {behind} epochs of transactional ids behind{trouble}"))
            }
            Some(_) => None,
        };
        let ahead = keeping.is_ahead().map(|id| {
            format!("legacy has a newer epoch of {id:?} than the kernel: its next producer on the kernel mends that")
        });
        let obstacle = open.or(behind).or(ahead).or(asked).and_then(wait);
        Facts { records: Some(count), chain: Some(Digest(print)), obstacle, ..Facts::default() }
    }
}

fn row_of(one: &LegacyTransaction) -> Row {
    let producer = Producer { id: one.producer_id, epoch: one.producer_epoch };
    Row { producer, timeout_ms: one.timeout_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(id: i64, epoch: i16) -> Producer {
        Producer { id, epoch }
    }

    fn keeping(kernel: &[(&str, Producer, Option<Producer>)], legacy: &[(&str, Producer)]) -> Keeping {
        let held = |(id, producer, provided): &(&str, Producer, Option<Producer>)| {
            let (id, provided) = ((*id).to_owned(), *provided);
            (id.clone(), SurveyedTransaction { id, producer: *producer, timeout_ms: 9, provided })
        };
        let row = |(id, producer): &(&str, Producer)| {
            ((*id).to_owned(), (Row { producer: *producer, timeout_ms: 9 }, 1))
        };
        Keeping {
            kernel: kernel.iter().map(held).collect(),
            is_surveyed: true,
            legacy: Some(legacy.iter().map(row).collect()),
            ..Keeping::default()
        }
    }

    const NOW: Now = Now { elapsed: Duration::from_secs(1), wall_ms: 0 };

    #[test]
    fn legacy_is_asked_as_often_as_it_is_behind_and_never_beyond() {
        let all = [("a", producer(1, 5), None), ("b", producer(2, 0), None)];
        let behind = keeping(&all, &[("a", producer(1, 3)), ("b", producer(2, 0))]);
        assert_eq!((behind.behind(), behind.needs(&[], NOW)), (Some(2), vec![("a".to_owned(), 9)]));
        let level = keeping(&all, &[("a", producer(1, 5)), ("b", producer(2, 0))]);
        assert_eq!((level.behind(), level.needs(&[], NOW), level.is_ahead()), (Some(0), vec![], None));
        let ahead = keeping(&all, &[("a", producer(1, 6)), ("b", producer(2, 0))]);
        assert_eq!((ahead.needs(&[], NOW), ahead.is_ahead()), (vec![], Some("a")));
    }

    #[test]
    fn an_id_that_legacy_has_forgotten_or_that_has_used_up_its_epochs_gets_another_producer() {
        let forgotten = keeping(&[("a", producer(1, 5), None)], &[]);
        assert_eq!(forgotten.needs(&[], NOW), [("a".to_owned(), 9)]);
        let wanted = [("a".to_owned(), None), ("new".to_owned(), Some(7))];
        let spent = keeping(&[("a", producer(1, 32_766), None)], &[("a", producer(1, 32_766))]);
        assert_eq!(spent.needs(&wanted, NOW), [("a".to_owned(), 9), ("new".to_owned(), 7)]);
        let given = Some(producer(8, 0));
        let waits = keeping(&[("a", producer(1, 32_766), given)], &[("a", producer(8, 0))]);
        assert_eq!((waits.needs(&[], NOW), waits.behind()), (vec![], Some(1)));
    }

    #[test]
    fn what_is_on_its_way_or_rests_is_left_alone() {
        let mut some = keeping(&[("a", producer(1, 5), None), ("b", producer(2, 5), None)], &[]);
        some.giving.insert(1, "a".to_owned());
        some.resting.insert("b".to_owned(), Duration::from_secs(2));
        assert_eq!(some.needs(&[], NOW), []);
        some.giving.clear();
        assert_eq!(some.needs(&[], NOW), [("a".to_owned(), 9)]);
        some.legacy = None;
        assert_eq!(some.needs(&[], NOW), [], "what legacy has is asked first");
    }
}

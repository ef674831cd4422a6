//! Whether both sides of a unit are equal, from what source, feed and target say.

use std::collections::BTreeMap;

use session::UnitId;

use super::action::{Facts, Obstacle, PlannedUnit, UnitKind, Whose};
use crate::ledger::{Digest, Evidence, Primary};

/// Facts of all three, in the order in which they must be asked for: what the source says first, the others
/// must have reached later; the source again at the end shows whether anybody wrote meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    source: BTreeMap<UnitId, Facts>,
    feed: BTreeMap<UnitId, Facts>,
    target: BTreeMap<UnitId, Facts>,
    source_after: BTreeMap<UnitId, Facts>,
    answered: usize,
    /// Before the fence a group's content moves on; it is compared behind it.
    lenient: bool,
    /// Towards which side.
    to: Option<Primary>,
}

/// The order of questions.
const ORDER: [Whose; 4] = [Whose::Source, Whose::Feed, Whose::Target, Whose::Source];

/// What a round came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Equal.
    Equal(Vec<Evidence>),
    /// Not yet: why.
    NotYet(String),
    /// Groups are in the middle of something that their members must end: each with what it is.
    Busy(BTreeMap<UnitId, String>),
    /// Never: why.
    Never(String),
}

impl Round {
    /// A round before the fence.
    pub(super) fn before_fence(to: Primary) -> Self {
        Self { lenient: true, to: Some(to), ..Self::default() }
    }

    /// A round behind it.
    pub(super) fn fenced(to: Primary) -> Self {
        Self { to: Some(to), ..Self::default() }
    }

    /// Who is to be asked next; `None` when the round is complete.
    pub(super) fn next(&self) -> Option<Whose> {
        ORDER.get(self.answered).copied()
    }

    /// Takes an answer to the question that `next` named.
    pub(super) fn answer(&mut self, facts: BTreeMap<UnitId, Facts>) {
        match self.answered {
            0 => self.source = facts,
            1 => self.feed = facts,
            2 => self.target = facts,
            _ => self.source_after = facts,
        }
        self.answered += 1;
    }

    /// Ends of the source, at the beginning and at the end of the round.
    pub(super) fn source_ends(&self) -> impl Iterator<Item = (&UnitId, u64, u64)> {
        let after = |unit: &UnitId, first: u64| self.source_after.get(unit).map_or(first, |facts| facts.end);
        self.source.iter().map(move |(unit, facts)| (unit, facts.end, after(unit, facts.end)))
    }

    /// The groups that the source names as being in the middle of something, each with what.
    pub(super) fn source_busy(&self, units: &[PlannedUnit]) -> BTreeMap<UnitId, String> {
        busy_groups(units, &self.source)
    }

    /// Whether the handover could begin: the feed lags by no more than `lag_max` and nothing stands in the way.
    pub(super) fn ready(&self, units: &[PlannedUnit], lag_max: u64) -> Verdict {
        self.judge(units, |unit, source, feed, _| {
            let lag = source.end.saturating_sub(feed.end);
            let lag_max = feed.brings.map_or(lag_max, |brings| brings.min(lag_max));
            if lag > lag_max {
                Err(format!("{}: the feed lags by {lag} (at most {lag_max})", unit.unit))
            } else {
                Ok(())
            }
        })
    }

    /// Whether both sides are equal and stay so.
    pub(super) fn equal(&self, units: &[PlannedUnit]) -> Verdict {
        self.judge(units, |unit, source, feed, target| {
            let after = self.source_after.get(&unit.unit).ok_or("the source no longer knows the unit")?;
            reached(unit, source, feed, target)?;
            // Another group's commits move the offsets log on; only its own content counts.
            let moved = match unit.kind {
                UnitKind::Log => after.end != source.end || after.epoch != source.epoch,
                UnitKind::Group | UnitKind::Transactions => {
                    after.chain != source.chain || after.producers != source.producers
                }
            };
            if moved { Err(format!("{}: written to while fenced", unit.unit)) } else { Ok(()) }
        })
    }

    fn judge<F>(&self, units: &[PlannedUnit], mut reached: F) -> Verdict
    where
        F: FnMut(&PlannedUnit, &Facts, &Facts, &Facts) -> Result<(), String>,
    {
        let mut evidence = Vec::with_capacity(units.len());
        let mut busy = BTreeMap::new();
        'units: for unit in units {
            let name = &unit.unit;
            let (Some(source), Some(feed), Some(target)) =
                (self.source.get(name), self.feed.get(name), self.target.get(name))
            else {
                return Verdict::NotYet(format!("{name}: not known on both sides"));
            };
            for (whose, facts) in [("legacy or source", source), ("feed", feed), ("target", target)] {
                match &facts.obstacle {
                    None => {}
                    Some(Obstacle { reason, passing: true }) if unit.kind == UnitKind::Group => {
                        busy.insert(name.clone(), reason.clone());
                        continue 'units;
                    }
                    Some(Obstacle { reason, passing: true }) => {
                        return Verdict::NotYet(format!("{name}: {whose}: {reason}"));
                    }
                    Some(Obstacle { reason, .. }) => {
                        return Verdict::Never(format!("{name}: {whose}: {reason}"));
                    }
                }
            }
            if source.incarnation != feed.incarnation || source.incarnation != target.incarnation {
                return Verdict::Never(format!("{name}: deleted and made anew while it was being copied"));
            }
            if let Err(reason) = reached(unit, source, feed, target) {
                return Verdict::NotYet(reason);
            }
            match (unit.kind, unequal(unit, source, feed, target)) {
                (_, None) => {}
                (UnitKind::Log, Some(difference)) => return Verdict::Never(format!("{name}: {difference}")),
                // The three were asked one after the other: a group's content may have been under way.
                (UnitKind::Group | UnitKind::Transactions, Some(_)) if self.lenient => {}
                (UnitKind::Group | UnitKind::Transactions, Some(difference)) => {
                    return Verdict::NotYet(format!("{name}: {difference}"));
                }
            }
            evidence.push(evidence_of(self.to, unit, source, feed, target));
        }
        if busy.is_empty() { Verdict::Equal(evidence) } else { Verdict::Busy(busy) }
    }
}

/// The groups that cannot move now, each with why.
pub(super) fn busy_groups(
    units: &[PlannedUnit],
    facts: &BTreeMap<UnitId, Facts>,
) -> BTreeMap<UnitId, String> {
    let groups = units.iter().filter(|unit| unit.kind == UnitKind::Group);
    let obstacle = |unit: &PlannedUnit| {
        let obstacle = facts.get(&unit.unit)?.obstacle.as_ref()?;
        Some((unit.unit.clone(), obstacle.reason.clone()))
    };
    groups.filter_map(obstacle).collect()
}

/// Whether feed and target have come to where the source ends.
fn reached(unit: &PlannedUnit, source: &Facts, feed: &Facts, target: &Facts) -> Result<(), String> {
    let name = &unit.unit;
    if source.settled != source.end {
        return Err(format!("{name}: {} of the source's {} are settled", source.settled, source.end));
    }
    if unit.kind == UnitKind::Group {
        return if feed.end < source.end {
            Err(format!("{name}: the feed is at {} of the offsets log's {}", feed.end, source.end))
        } else {
            Ok(())
        };
    }
    if feed.end > source.end {
        return Err(format!("{name}: the feed is at {}, past the source's end {}", feed.end, source.end));
    }
    if feed.end < source.end || feed.epoch != source.epoch {
        return Err(format!(
            "{name}: the feed is at {} in epoch {}, the source ends at {} in epoch {}",
            feed.end, feed.epoch, source.end, source.epoch
        ));
    }
    if target.end != source.end || target.settled != source.end {
        return Err(format!("{name}: the target ends at {}, settled up to {}", target.end, target.settled));
    }
    Ok(())
}

/// A difference that waiting will not heal, once ends are equal.
fn unequal(unit: &PlannedUnit, source: &Facts, feed: &Facts, target: &Facts) -> Option<String> {
    // While the feed runs, the target lags behind it: only equal ends (or a whole group) can be compared.
    if unit.kind == UnitKind::Log && (feed.end != target.settled || feed.end != source.end) {
        return None;
    }
    let differs = |a: Option<Digest>, b: Option<Digest>| matches!((a, b), (Some(a), Some(b)) if a != b);
    if differs(feed.chain, target.chain) {
        return Some(format!(
            "hash of the feed {:?} and of the target {:?} differ",
            feed.chain, target.chain
        ));
    }
    if differs(source.chain, target.chain) {
        return Some(format!(
            "hash of the source {:?} and of the target {:?} differ",
            source.chain, target.chain
        ));
    }
    if feed.records.is_some() && target.records.is_some() && feed.records != target.records {
        return Some(format!(
            "records of the feed {:?} and of the target {:?} differ",
            feed.records, target.records
        ));
    }
    if differs(feed.producers, target.producers) || differs(source.producers, target.producers) {
        return Some("state of producers or members differs".to_owned());
    }
    None
}

/// How far the new primary's epoch lies above every one that was seen. The old one may elect leaders between the last
/// look at it and the moment from which clients are told the new epoch; that has to be above those too.
const EPOCHS_AHEAD: i32 = 100;

fn evidence_of(
    to: Option<Primary>,
    unit: &PlannedUnit,
    source: &Facts,
    feed: &Facts,
    target: &Facts,
) -> Evidence {
    let used = source.epoch.max(feed.epoch);
    let target_epoch = match (unit.kind, to) {
        // A group goes on in its generation: that is what spares it a rebalance.
        (UnitKind::Group | UnitKind::Transactions, _) => used,
        // Legacy's own epochs are another count: clients see them shifted above all that they have seen.
        (UnitKind::Log, Some(Primary::Legacy)) => used.saturating_add(EPOCHS_AHEAD),
        (UnitKind::Log, _) => used.max(target.epoch).saturating_add(EPOCHS_AHEAD),
    };
    Evidence {
        unit: unit.unit.clone(),
        source_end: source.end,
        target_end: target.end,
        records: target.records.or(feed.records).or(source.records).unwrap_or(0),
        chain: target.chain.or(feed.chain).or(source.chain).unwrap_or_default(),
        producers: target.producers.or(feed.producers).or(source.producers).unwrap_or_default(),
        source_epoch: used,
        target_epoch,
        legacy_epoch: source.legacy_epoch.or(target.legacy_epoch),
        marks: feed.marks.clone(),
        acknowledged: feed.acknowledged,
    }
}

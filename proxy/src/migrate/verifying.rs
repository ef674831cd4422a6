//! What a verification needs of the runner: what is to be compared, and the ledger for what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use session::UnitId;

use super::discovery;
use super::epochs::table_of;
use super::runner::Runner;
use super::units::{self, UnitName};
use crate::ledger::{Decider, Ledger, LedgerStore, Primary, What};
use crate::verify::{Finding, GroupPlan, LogPlan, Options, Plan};

/// Why a verification cannot begin.
#[derive(Debug)]
pub(super) enum NotPlanned {
    Unknown,
    Retired,
    Failed(String),
}

impl Runner {
    /// Everything that a verification of this migration compares.
    pub(super) fn plan_verification(&mut self, name: &str, options: Options) -> Result<Plan, NotPlanned> {
        let book = self.ledger.book();
        let migration = book.migrations().get(name).ok_or(NotPlanned::Unknown)?.clone();
        let cluster = self.clusters.iter().find(|cluster| cluster.config.name == migration.cluster);
        let cluster = cluster.ok_or(NotPlanned::Unknown)?;
        if cluster.shared.routes.is_retired() {
            return Err(NotPlanned::Retired);
        }
        let credentials = cluster.config.link.as_ref().map(discovery::credentials).transpose();
        let credentials = credentials.map_err(|error| NotPlanned::Failed(error.to_string()))?;
        let (legacy, units) = (Arc::clone(&cluster.legacy), migration.units);
        let mut moves =
            tokio::task::block_in_place(|| moves_of(&mut self.ledger, &units)).map_err(NotPlanned::Failed)?;
        let book = self.ledger.book();
        let catalog = self.setup.catalog.load();
        let (mut logs, mut groups) = (Vec::new(), Vec::new());
        for unit in units {
            let owner = book.owner(&unit);
            match units::parse(&unit) {
                Some((_, UnitName::Partition { topic, partition })) => {
                    if !options.names(&topic) {
                        continue;
                    }
                    let found = catalog.topic(&topic).and_then(|topic| topic.partition(partition));
                    let epochs = table_of(book.side_changes(&unit)).unwrap_or_default();
                    let moved = moves.remove(&unit).unwrap_or_default();
                    logs.push(LogPlan {
                        log: found.map(|found| found.log),
                        primary: owner.side,
                        cut: owner.cut,
                        epochs: Arc::new(epochs),
                        moved_ms: moved.at_ms,
                        marks: moved.marks,
                        topic,
                        partition,
                        unit,
                    });
                }
                Some((_, UnitName::Group(group))) if options.topics.is_empty() => {
                    groups.push(GroupPlan { unit, group, primary: owner.side });
                }
                // Their producers are compared when they move; afterwards legacy has no say in them.
                Some((_, UnitName::Group(_) | UnitName::Transactions(_))) | None => {}
            }
        }
        Ok(Plan {
            migration: name.to_owned(),
            legacy,
            credentials,
            shards: self.setup.shards.clone(),
            catalog: self.setup.catalog.clone(),
            clock: self.setup.clock,
            logs,
            groups,
            options,
            clients: self.setup.inventory.to_json(),
        })
    }

    /// Writes down what a verification found and the ledger does not have yet; says how many were new.
    pub(super) fn record_findings(&mut self, findings: Vec<Finding>) -> Result<usize, String> {
        let entries =
            tokio::task::block_in_place(|| self.ledger.entries()).map_err(|error| error.to_string())?;
        let known: BTreeSet<String> = entries.iter().filter_map(|entry| same_as(&entry.what)).collect();
        let mut seen = known;
        let new: Vec<What> = findings
            .into_iter()
            .map(|found| What::Diverged {
                unit: found.unit,
                divergence: found.divergence,
                sample: found.sample,
                explained_by: found.explained_by,
            })
            .filter(|what| same_as(what).is_some_and(|key| seen.insert(key)))
            .collect();
        let count = new.len();
        if count > 0 {
            self.record(&Decider::Sluice, new)?;
        }
        Ok(count)
    }
}

/// By what a difference is known again: an explained one by what explains it, another one by where and what it is.
fn same_as(what: &What) -> Option<String> {
    let What::Diverged { unit, divergence, sample, explained_by } = what else { return None };
    Some(match explained_by {
        Some(by) => format!("{unit} {}", by.key()),
        None => format!("{unit} {divergence:?} {} {}", sample.position, sample.detail),
    })
}

/// What the ledger says of a unit's last move to the kernel.
#[derive(Debug, Default)]
struct Move {
    at_ms: Option<i64>,
    /// Hashes that are kept of its present source, ascending by offset.
    marks: Vec<(u64, u64)>,
}

fn moves_of<S: LedgerStore>(
    ledger: &mut Ledger<S>,
    units: &BTreeSet<UnitId>,
) -> Result<BTreeMap<UnitId, Move>, String> {
    let entries = ledger.entries().map_err(|error| error.to_string())?;
    let mut moves: BTreeMap<UnitId, Move> = BTreeMap::new();
    for entry in &entries {
        if let What::Committed { units: committed, to: Primary::Kernel, .. } = &entry.what {
            for one in committed.iter().filter(|one| units.contains(&one.evidence.unit)) {
                let kept = one.evidence.marks.iter().map(|mark| (mark.offset, mark.chain.0));
                let moved = Move { at_ms: Some(entry.wall_ms), marks: kept.collect() };
                moves.insert(one.evidence.unit.clone(), moved);
            }
        } else if let What::UnitResumed { unit, discarded: true, .. } = &entry.what {
            moves.remove(unit);
        }
    }
    Ok(moves)
}

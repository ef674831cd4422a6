//! The account of a migration: what its ledger says, by handover, in a form that stands by itself.
//!
//! ```text
//!  { schema, version, sluice, exported_ms, migration, cluster,
//!    seal:      { rule, entries, head },               the seal over the whole ledger, see `seal`
//!    chain:     [ { number, digest, body? } ],         every entry; the text of those of this migration
//!    handovers: [ { handover, outcome, to, by, begun_ms, committed_ms, fence_ms, forced, reason, units } ],
//!    entries:   [ .. ],                                the migration's entries once more, to be read easily
//!    unexplained, explained }
//! ```
//!
//! `chain` is the evidence: everything else is drawn from the bodies in it, and whoever checks an account draws it
//! again. `version` grows when a field changes its meaning or goes; new fields come without.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks; it does not panic")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "an account picks the entries that it draws something from"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::entry::{Decider, Entry, HandoverId, What};
use super::explained::Explanation;
use super::seal::Seal;

/// Name of the form.
pub const SCHEMA: &str = "sluice-ledger";
/// Its version.
pub const VERSION: u32 = 1;

/// An entry with the text that is on disk.
#[derive(Debug, Clone)]
pub struct Written {
    /// Decoded.
    pub entry: Entry,
    /// As it was written.
    pub body: String,
}

/// One handover, as entries tell of it.
#[derive(Debug, Default)]
struct Handover {
    begun_ms: i64,
    ended_ms: Option<i64>,
    committed_ms: Option<i64>,
    to: Value,
    by: Value,
    outcome: &'static str,
    reason: Option<String>,
    fence_ms: u64,
    forced: Vec<String>,
    forwarders: Value,
    units: Value,
}

/// The account of one migration, from all entries of the ledger; `None` if they do not name it.
#[must_use]
pub fn account(migration: &str, all: &[Written], exported_ms: i64) -> Option<Value> {
    let mine = belonging(migration, all);
    let cluster = all.iter().find_map(|each| match &each.entry.what {
        What::MigrationCreated { migration: name, cluster } if name == migration => Some(cluster.clone()),
        _ => None,
    })?;
    let mut seal = Seal::default();
    let chain: Vec<Value> = all
        .iter()
        .map(|each| {
            seal = seal.next(each.body.as_bytes());
            let mut link = json!({
                "number": each.entry.number,
                "digest": Seal::digest(each.body.as_bytes()).to_string(),
            });
            if mine.contains(&each.entry.number) {
                link["body"] = Value::from(each.body.as_str());
            }
            link
        })
        .collect();
    let entries: Vec<Value> = all
        .iter()
        .filter(|each| mine.contains(&each.entry.number))
        .map(|each| explained_entry(&each.entry))
        .collect();
    let own = || all.iter().map(|each| &each.entry).filter(|entry| mine.contains(&entry.number));
    let (unexplained, explained) = differences(own());
    Some(json!({
        "schema": SCHEMA,
        "version": VERSION,
        "sluice": env!("CARGO_PKG_VERSION"),
        "exported_ms": exported_ms,
        "migration": migration,
        "cluster": cluster,
        "seal": {
            "rule": "seal(n) = sha256(seal(n-1) + sha256(body n)), seal(0) = 32 zero bytes",
            "entries": all.len(),
            "head": seal.to_string(),
        },
        "handovers": handovers(own()),
        "unexplained": unexplained,
        "explained": explained,
        "entries": entries,
        "chain": chain,
    }))
}

/// Numbers of the entries that name a migration, its units or its handovers.
fn belonging(migration: &str, all: &[Written]) -> BTreeSet<u64> {
    let mut units: BTreeSet<String> = BTreeSet::new();
    let mut handovers: BTreeSet<u64> = BTreeSet::new();
    let mut mine = BTreeSet::new();
    for Written { entry, body } in all {
        let told: Value = serde_json::from_str(body).unwrap_or_default();
        let handover = told["handover"].as_u64();
        let named = told["migration"] == migration;
        if named {
            handovers.extend(handover);
            let added = told["units"].as_array().into_iter().flatten();
            units.extend(added.filter_map(Value::as_str).map(str::to_owned));
        }
        let of_unit = told["unit"].as_str().is_some_and(|unit| units.contains(unit));
        if named || of_unit || handover.is_some_and(|handover| handovers.contains(&handover)) {
            mine.insert(entry.number);
        }
    }
    mine
}

fn explained_entry(entry: &Entry) -> Value {
    let mut value = json!(entry);
    if let (What::Diverged { explained_by: Some(by), .. }, Some(fields)) =
        (&entry.what, value.as_object_mut())
    {
        fields.insert("explanation".to_owned(), Value::from(by.reason()));
    }
    value
}

fn handovers<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Value> {
    let mut found: BTreeMap<HandoverId, Handover> = BTreeMap::new();
    // An order that was forced stays so until the next one.
    let mut forced: Vec<String> = Vec::new();
    for entry in entries {
        match &entry.what {
            What::PhaseIntent { .. } => forced.clear(),
            What::Forced { missing, .. } => forced.clone_from(missing),
            What::HandoverBegun { handover, to, units, .. } => {
                let begun = Handover {
                    begun_ms: entry.wall_ms,
                    to: json!(to),
                    by: json!(decider(&entry.by)),
                    outcome: "open",
                    forced: forced.clone(),
                    units: json!(units.iter().map(|unit| json!({ "unit": unit })).collect::<Vec<_>>()),
                    ..Handover::default()
                };
                found.insert(*handover, begun);
            }
            What::StepBegun { handover, forwarders, .. } if !forwarders.is_empty() => {
                found.entry(*handover).or_default().forwarders = json!(forwarders);
            }
            What::Committed { handover, units, fence_ms, .. } => {
                let one = found.entry(*handover).or_default();
                one.outcome = "moved";
                one.committed_ms = Some(entry.wall_ms);
                one.fence_ms = *fence_ms;
                one.units = json!(units);
            }
            What::Released { handover, fence_ms } => found.entry(*handover).or_default().fence_ms = *fence_ms,
            What::Following { handover } => {
                found.entry(*handover).or_default().ended_ms = Some(entry.wall_ms);
            }
            What::Aborted { handover, reason, fence_ms, .. } => {
                let one = found.entry(*handover).or_default();
                one.outcome = "aborted";
                one.reason = Some(reason.clone());
                one.fence_ms = *fence_ms;
                one.ended_ms = Some(entry.wall_ms);
            }
            _ => {}
        }
    }
    found.into_iter().map(|(id, handover)| handover.shown(id)).collect()
}

impl Handover {
    fn shown(self, id: HandoverId) -> Value {
        json!({
            "handover": id,
            "outcome": self.outcome,
            "to": self.to,
            "by": self.by,
            "begun_ms": self.begun_ms,
            "committed_ms": self.committed_ms,
            "ended_ms": self.ended_ms,
            "fence_ms": self.fence_ms,
            "forced": self.forced,
            "forwarders": self.forwarders,
            "reason": self.reason,
            "units": self.units,
        })
    }
}

fn decider(by: &Decider) -> String {
    match by {
        Decider::Operator(name) => name.clone(),
        Decider::Sluice => "sluice".to_owned(),
    }
}

/// How many differences nothing explains, and how often each entry of the table explains one.
fn differences<'a>(entries: impl Iterator<Item = &'a Entry>) -> (u64, Vec<Value>) {
    let mut counts: BTreeMap<Explanation, u64> = BTreeMap::new();
    let mut unexplained = 0;
    for entry in entries {
        match &entry.what {
            What::Diverged { explained_by: Some(by), .. } => *counts.entry(*by).or_default() += 1,
            What::Diverged { explained_by: None, .. } => unexplained += 1,
            _ => {}
        }
    }
    let explained = counts
        .into_iter()
        .map(|(by, count)| json!({ "key": by.key(), "count": count, "reason": by.reason() }));
    (unexplained, explained.collect())
}

#[cfg(test)]
mod tests {
    use session::UnitId;

    use super::*;
    use crate::ledger::Primary;

    fn written(number: u64, what: What) -> Written {
        let by = Decider::Operator("ann@desk".to_owned());
        let entry = Entry { number, wall_ms: 10 * i64::try_from(number).unwrap(), by, what };
        let body = serde_json::to_string(&entry).unwrap();
        Written { entry, body }
    }

    fn ledger() -> Vec<Written> {
        let name = |name: &str| name.to_owned();
        let unit = UnitId::new("events/orders/0");
        let (migration, handover) = (name("orders"), HandoverId(1));
        let whats = [
            What::MigrationCreated { migration: name("orders"), cluster: name("events") },
            What::MigrationCreated { migration: name("other"), cluster: name("events") },
            What::UnitsAdded { migration: name("orders"), units: vec![unit.clone()] },
            What::Forced {
                migration: name("orders"),
                to: crate::handover::phase::Phase::Cutover,
                missing: vec![name("lag")],
            },
            What::HandoverBegun { handover, migration, to: Primary::Kernel, units: vec![unit.clone()] },
            What::Aborted { handover, step: crate::ledger::Step::Verify, reason: name("late"), fence_ms: 7 },
            What::UnitResumed { unit, reason: name("looked"), discarded: false },
            What::UnitResumed {
                unit: UnitId::new("events/other/0"),
                reason: name("looked"),
                discarded: false,
            },
        ];
        whats.into_iter().zip(1..).map(|(what, number)| written(number, what)).collect()
    }

    #[test]
    fn an_account_shows_its_own_entries_and_seals_all() {
        let all = ledger();
        let told = account("orders", &all, 0).unwrap();
        let chain = told["chain"].as_array().unwrap();
        let shown: Vec<u64> = chain
            .iter()
            .filter(|link| link.get("body").is_some())
            .map(|link| link["number"].as_u64().unwrap())
            .collect();
        assert_eq!(shown, [1, 3, 4, 5, 6, 7], "another migration's entries are named by their digests only");
        assert_eq!(chain.len(), all.len());
        let handover = &told["handovers"][0];
        assert_eq!((&handover["outcome"], &handover["by"]), (&json!("aborted"), &json!("ann@desk")));
        assert_eq!((&handover["forced"], &handover["fence_ms"]), (&json!(["lag"]), &json!(7)));
        assert_eq!(account("nobody", &all, 0), None);
    }

    #[test]
    fn any_change_of_an_entry_changes_the_seal() {
        let head = |all: &[Written]| account("orders", all, 0).unwrap()["seal"]["head"].clone();
        let all = ledger();
        for index in 1..all.len() {
            let mut changed = all.clone();
            changed[index].body = changed[index].body.replace("ann", "bob");
            assert_ne!(head(&changed), head(&all), "entry {index}");
            let mut shorter = all.clone();
            shorter.remove(index);
            assert_ne!(head(&shorter), head(&all), "without entry {index}");
        }
    }
}

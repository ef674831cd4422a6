//! What belongs to a topic as such: its id, its partitions, what was set for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::VerifyError;
use super::legacy::Legacy;
use super::plan::Plan;
use super::report::Finding;
use crate::ledger::DivergenceKind;

/// The feed looks at settings every second or so: they are asked for again when they differ.
const SETTLE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 3;

type Settings = BTreeMap<String, BTreeMap<String, String>>;

/// What was compared and found.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) topics: u64,
    pub(super) settings: u64,
    pub(super) findings: Vec<Finding>,
}

/// Compares topics. One that the kernel does not know yet is left out.
pub(super) async fn compare(
    plan: &Plan,
    legacy: &mut Legacy<'_>,
    names: &[String],
) -> Result<Compared, VerifyError> {
    let mut compared = Compared::default();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(SETTLE).await;
            legacy.look(names).await?;
        }
        let set = legacy.configs(names).await?;
        compared = look(plan, legacy, names, &set);
        if compared.findings.is_empty() {
            break;
        }
    }
    Ok(compared)
}

fn look(plan: &Plan, legacy: &Legacy<'_>, names: &[String], set: &Settings) -> Compared {
    let catalog = plan.catalog.load();
    let mut compared = Compared::default();
    for name in names {
        let unit = plan.logs.iter().find(|log| log.topic == *name).map(|log| &log.unit);
        let (Some(ours), Some(unit)) = (catalog.topic(name), unit) else { continue };
        compared.topics += 1;
        let mut differs = |kind, detail: String| {
            compared.findings.push(Finding::new(unit, kind, 0, &detail));
        };
        match legacy.topics.get(name) {
            None => differs(DivergenceKind::Source, format!("legacy has no topic {name} any more")),
            Some(theirs) => {
                if theirs.id != ours.id {
                    differs(DivergenceKind::Source, format!("topic {name} has another id on legacy"));
                }
                let (there, here) = (theirs.leaders.len(), ours.partitions.len());
                if there != here {
                    let detail =
                        format!("topic {name} has {there} partitions on legacy, {here} in the kernel");
                    differs(DivergenceKind::Source, detail);
                }
            }
        }
        let none = BTreeMap::new();
        let theirs = set.get(name).unwrap_or(&none);
        let keys: BTreeSet<&String> = theirs.keys().chain(ours.configs.keys()).collect();
        for key in keys {
            compared.settings += 1;
            let (there, here) = (theirs.get(key), ours.configs.get(key));
            if there != here {
                let shown = |value: Option<&String>| value.map_or("not set", String::as_str).to_owned();
                let detail =
                    format!("{key} of topic {name}: legacy {}, the kernel {}", shown(there), shown(here));
                compared.findings.push(Finding::new(unit, DivergenceKind::Configuration, 0, &detail));
            }
        }
    }
    compared
}

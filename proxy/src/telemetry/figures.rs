//! Every metric that this process exports: the one table behind `/metrics` and `docs/metrics.md`.

use metrics::Unit;

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 at the start of the process.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Name, as exported.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Unit.
    pub unit: Unit,
    /// Labels, joined by a comma; empty for none.
    pub labels: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const fn counter(name: &'static str, unit: Unit, labels: &'static str, meaning: &'static str) -> Figure {
    Figure { name, kind: Kind::Counter, unit, labels, meaning }
}

const fn gauge(name: &'static str, unit: Unit, labels: &'static str, meaning: &'static str) -> Figure {
    Figure { name, kind: Kind::Gauge, unit, labels, meaning }
}

/// The whole table, in the order of the document.
pub const FIGURES: &[Figure] = &[
    gauge(
        "sluice_faults",
        Unit::Count,
        "",
        "Parts of the process that have failed and stay so; above 0 it wants a restart",
    ),
    gauge("sluice_connections", Unit::Count, "", "Client connections that are open"),
    counter("sluice_connections_accepted_total", Unit::Count, "", "Client connections taken"),
    counter(
        "sluice_connections_refused_total",
        Unit::Count,
        "",
        "Client connections dropped at the door by a limit",
    ),
    counter(
        "sluice_connections_ended_total",
        Unit::Count,
        "why",
        "Client connections that ended, by why: client, violation (a request that was refused by ending the connection), broken, stalled, memory (it was short, and the connection moved less than it held), stopped",
    ),
    gauge(
        "sluice_memory_held_bytes",
        Unit::Bytes,
        "",
        "What requests and answers of all connections hold; `limits.memory_bytes_max` bounds it",
    ),
    counter(
        "sluice_client_bytes_total",
        Unit::Bytes,
        "direction",
        "Bytes from clients (in) and to them (out)",
    ),
    counter("sluice_records_acknowledged_total", Unit::Count, "", "Records acknowledged to producers"),
    counter(
        "sluice_unsupported_uses_total",
        Unit::Count,
        "feature",
        "Requests that use what the kernel does not serve; the gate refuses to move what uses it",
    ),
    counter(
        "sluice_throttled_total",
        Unit::Count,
        "quota",
        "Times that a client above its quota was told to wait, by the quota's key",
    ),
    counter(
        "sluice_throttled_ms_total",
        Unit::Milliseconds,
        "quota",
        "How long these clients were told to wait, together",
    ),
    counter(
        "sluice_audited_total",
        Unit::Count,
        "via, done",
        "Administrative acts in the audit log, by their way (admin-api, kafka), and whether anything was done (yes) or refused (no)",
    ),
    gauge(
        "sluice_audit_waiting",
        Unit::Count,
        "",
        "Acts that the disk did not take into the audit log yet; they are in memory and in the log of the process",
    ),
    counter(
        "sluice_orders_refused_total",
        Unit::Count,
        "why",
        "Operators' orders that were refused, by why: unknown, invalid, blocked (a red gate), failed",
    ),
    gauge("sluice_legacy_connected", Unit::Count, "cluster", "1 while legacy answers, else 0"),
    counter("sluice_feed_bytes_total", Unit::Bytes, "cluster", "Bytes that the feed has read from legacy"),
    gauge(
        "sluice_migration_units",
        Unit::Count,
        "migration, phase, primary",
        "Units of a migration in this phase with this primary",
    ),
    gauge(
        "sluice_migration_units_stopped",
        Unit::Count,
        "migration",
        "Units that take part in nothing until an operator has looked",
    ),
    gauge(
        "sluice_migration_lag_records",
        Unit::Count,
        "migration",
        "Records that legacy has and the kernel has not, over all units that are followed",
    ),
    gauge(
        "sluice_migration_lag_seconds",
        Unit::Seconds,
        "migration",
        "How long the unit that is furthest behind has been behind",
    ),
    gauge(
        "sluice_migration_gate_red",
        Unit::Count,
        "migration",
        "Requirements that keep the migration from its next phase",
    ),
    gauge(
        "sluice_divergences",
        Unit::Count,
        "migration, explained",
        "Differences between the sides on record in the ledger, explained (yes) or not (no)",
    ),
    counter(
        "sluice_fences_total",
        Unit::Count,
        "outcome",
        "Fences that ended, with a new primary (moved) or on the old one (aborted)",
    ),
    counter(
        "sluice_fence_milliseconds_total",
        Unit::Milliseconds,
        "outcome",
        "How long these fences held clients, together",
    ),
    gauge("sluice_fence_milliseconds_max", Unit::Milliseconds, "", "The longest fence in the ledger"),
    counter(
        "sluice_canary_named_total",
        Unit::Count,
        "cluster",
        "Answers to fetches that named the kernel's node to a consumer of the canary",
    ),
    counter(
        "sluice_canary_fetches_total",
        Unit::Count,
        "cluster, outcome",
        "Fetches of the canary at the kernel's node: `served` from its copy, or `sent_back` to legacy",
    ),
    counter("sluice_canary_bytes_total", Unit::Bytes, "cluster", "Records that the canary was served"),
    gauge(
        "sluice_canary_consumers_that_cannot",
        Unit::Count,
        "cluster",
        "Consumers that the canary chose and that cannot follow; `sluice clients` names them and says why",
    ),
    gauge(
        "sluice_way_back_lag_records",
        Unit::Count,
        "migration",
        "Records that the kernel was given and legacy has not been brought yet",
    ),
    gauge(
        "sluice_way_back_units_closed",
        Unit::Count,
        "migration",
        "Partitions whose way back is closed; `sluice migrations` says why",
    ),
    gauge(
        "sluice_migration_units_paced",
        Unit::Count,
        "migration",
        "Partitions whose writes wait, so that legacy keeps up with what it is brought",
    ),
    counter(
        "sluice_dual_write_missed_total",
        Unit::Count,
        "",
        "Answers that went out before the kernel held their batch",
    ),
    counter(
        "sluice_dual_write_fallbacks_total",
        Unit::Count,
        "",
        "Times that a unit fell back from dual-write to mirror for a while",
    ),
    gauge("sluice_disk_free_bytes", Unit::Bytes, "", "Room on the disk of the kernel's data folder"),
    gauge(
        "sluice_disk_needed_bytes",
        Unit::Bytes,
        "",
        "What is still to be mirrored, as far as it is known, and the reserve; the gate is red where it does not fit",
    ),
    counter("sluice_shard_requests_total", Unit::Count, "shard", "Requests that a shard has taken"),
    counter("sluice_shard_commits_total", Unit::Count, "shard", "Commits of a shard"),
    counter(
        "sluice_shard_overloaded_total",
        Unit::Count,
        "shard",
        "Requests that a shard refused because too much was waiting",
    ),
    counter(
        "sluice_store_fsyncs_total",
        Unit::Count,
        "shard",
        "Times that a shard's store synced a file on behalf of commits",
    ),
    gauge(
        "sluice_store_live_bytes",
        Unit::Bytes,
        "shard",
        "Batches that are neither trimmed, truncated nor deleted",
    ),
    gauge(
        "sluice_store_disk_bytes",
        Unit::Bytes,
        "shard",
        "What the store occupies on disk, preallocated space included",
    ),
    gauge("sluice_store_pending_bytes", Unit::Bytes, "shard", "Bytes taken and not yet durable"),
    counter(
        "sluice_compaction_passes_total",
        Unit::Count,
        "shard",
        "Passes of compaction over a log that were completed",
    ),
    counter(
        "sluice_compaction_read_bytes_total",
        Unit::Bytes,
        "shard",
        "Stored bytes that compaction has gone through, those of its keys included",
    ),
    counter(
        "sluice_compaction_written_bytes_total",
        Unit::Bytes,
        "shard",
        "Bytes of batches that compaction has written again",
    ),
    counter(
        "sluice_compaction_removed_records_total",
        Unit::Count,
        "shard",
        "Records that compaction has removed",
    ),
    counter(
        "sluice_compaction_failures_total",
        Unit::Count,
        "shard",
        "Passes of compaction that were given up, and batches that it cannot read; such logs only grow",
    ),
];

/// Gives every figure its unit and meaning in the exporter.
pub(super) fn describe() {
    for figure in FIGURES {
        match figure.kind {
            Kind::Counter => metrics::describe_counter!(figure.name, figure.unit, figure.meaning),
            Kind::Gauge => metrics::describe_gauge!(figure.name, figure.unit, figure.meaning),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Names that the macros of `metrics` are given in a folder's sources.
    fn used(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !path.ends_with("telemetry/figures.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for macro_name in ["counter!(", "gauge!(", "histogram!("] {
                    for rest in text.split(macro_name).skip(1) {
                        let name =
                            rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                        found.insert(name.unwrap_or("a name that is no literal").to_owned());
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_sources_count_is_in_the_table_and_nothing_else() {
        let mut found = BTreeSet::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let table: BTreeSet<String> = FIGURES.iter().map(|figure| figure.name.to_owned()).collect();
        assert_eq!(found, table);
        assert_eq!(table.len(), FIGURES.len(), "a name stands twice");
    }

    #[test]
    fn the_document_has_every_row_of_the_table_and_no_other() {
        let document = include_str!("../../../docs/metrics.md");
        let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
        let unit = |figure: &Figure| if figure.unit == Unit::Count { "" } else { figure.unit.as_str() };
        let kind = |figure: &Figure| match figure.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let expected: Vec<String> = FIGURES
            .iter()
            .map(|each| {
                let (kind, unit) = (kind(each), unit(each));
                format!("| `{}` | {kind} | {unit} | {} | {} |", each.name, each.labels, each.meaning)
            })
            .collect();
        assert_eq!(rows, expected, "docs/metrics.md should have\n{}", expected.join("\n"));
    }

    #[test]
    fn a_name_ends_with_what_it_counts() {
        for figure in FIGURES {
            let counts = figure.kind == Kind::Counter;
            assert_eq!(figure.name.ends_with("_total"), counts, "{}", figure.name);
            assert!(figure.unit != Unit::Bytes || figure.name.contains("_bytes"), "{}", figure.name);
        }
    }
}

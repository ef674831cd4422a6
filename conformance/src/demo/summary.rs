//! The end of a demo: the object for machines, the table for people, and whether it was proven.

use std::fmt::Write;

use serde::Serialize;

use super::account::Verdict;
use super::timeline::Fence;

/// Fewest values that a demo must have seen acknowledged.
pub const ACKNOWLEDGED_MIN: u64 = 20_000;
/// A change of leader shorter than this lies between two batches of a client: other partitions may rightly have
/// nothing to acknowledge in it.
const FENCE_MS_JUDGED: u64 = 20;

/// One phase in the summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseSummary {
    /// Its name.
    pub phase: String,
    /// How long it was, the way to it included.
    pub seconds: f64,
    /// Values acknowledged in it.
    pub acknowledged: u64,
    /// Longest change of leader in it as clients saw it.
    pub fence_ms: u64,
}

/// What a demo showed. Serialises to the object that `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// `kafka`
    pub protocol: String,
    /// Who played legacy.
    pub legacy: String,
    /// All phases, in order.
    pub phases: Vec<PhaseSummary>,
    /// See [`Verdict`].
    pub acknowledged: u64,
    /// See [`Verdict`].
    pub delivered: u64,
    /// See [`Verdict`].
    pub lost: u64,
    /// See [`Verdict`].
    pub duplicated: u64,
    /// See [`Verdict`].
    pub redelivered: u64,
    /// See [`Verdict`].
    pub reordered: u64,
    /// Differences between the two sides that the proxy wrote down.
    pub divergences: u64,
    /// Those of them that a rule explains.
    pub explained: u64,
    /// What clients would have told their applications.
    pub client_errors: u64,
    /// Longest change of leader as clients saw it.
    pub fence_ms_max: u64,
    /// Whether the migration went back.
    pub rolled_back: bool,
    /// Whether the proxy's own comparison of both sides held.
    pub verified: bool,
    /// Everything that is in no figure above.
    #[serde(skip)]
    pub aside: Aside,
}

/// What is shown, and not part of the object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Aside {
    /// Changes of leader.
    pub fences: Vec<Fence>,
    /// Longest time in which nothing at all was acknowledged.
    pub pause_ms_max: u64,
    /// Changes of assignment after the groups had settled.
    pub rebalances: u64,
    /// Longest fence that the proxy reported.
    pub fence_ms_reported: u64,
    /// The judgement of values.
    pub verdict: Verdict,
    /// What the log checks found, by kind.
    pub violations: Vec<String>,
    /// What to know about this run.
    pub remarks: Vec<String>,
    /// Phases that were to be reached.
    pub phases_wanted: usize,
}

impl Summary {
    /// What keeps the run from being a proof; empty if nothing.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        must(self.lost == 0, format!("{} acknowledged values were never read by every group", self.lost));
        must(self.duplicated == 0, format!("{} values lie at two offsets", self.duplicated));
        must(self.reordered == 0, format!("{} values changed their order", self.reordered));
        must(self.client_errors == 0, format!("clients would have seen {} errors", self.client_errors));
        let contradictions = self.aside.verdict.contradictions;
        must(contradictions == 0, format!("{contradictions} reads contradict what was written"));
        let unexplained = self.divergences.saturating_sub(self.explained);
        must(unexplained == 0, format!("{unexplained} divergences have no explanation"));
        let reached = self.phases.len();
        must(reached == self.aside.phases_wanted, format!("only {reached} phases were reached"));
        let enough = self.acknowledged >= ACKNOWLEDGED_MIN;
        must(
            enough,
            format!("{} values were acknowledged, fewer than {ACKNOWLEDGED_MIN}", self.acknowledged),
        );
        for phase in self.phases.iter().filter(|phase| phase.acknowledged == 0) {
            must(false, format!("nothing was acknowledged in {}", phase.phase));
        }
        let silent = |fence: &&Fence| fence.acknowledged == 0 && fence.ms() >= FENCE_MS_JUDGED;
        for fence in self.aside.fences.iter().filter(silent) {
            must(false, format!("nothing was acknowledged during a fence of {} ms", fence.ms()));
        }
        for violation in &self.aside.violations {
            must(false, format!("the log checks found {violation}"));
        }
        faults
    }

    /// Whether everything was shown.
    #[must_use]
    pub fn proven(&self) -> bool {
        self.faults().is_empty()
    }

    /// The account for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from("\n  phase         seconds   acknowledged   longest fence\n");
        for phase in &self.phases {
            let fence = if phase.fence_ms > 0 { format!("{} ms", phase.fence_ms) } else { "-".to_owned() };
            let row = format!(
                "  {:<12} {:>8.1} {:>14} {:>15}",
                phase.phase, phase.seconds, phase.acknowledged, fence
            );
            let _always_fits = writeln!(text, "{row}");
        }
        text.push('\n');
        let verdict = &self.aside.verdict;
        let rows = [
            ("acknowledged", self.acknowledged, "values that a broker confirmed to a producer"),
            ("delivered", self.delivered, "of all values, read by every group"),
            ("lost", self.lost, "confirmed, and not read by every group"),
            ("duplicated", self.duplicated, "one value at two offsets"),
            ("reordered", self.reordered, "a producer's order turned round"),
            ("redelivered", self.redelivered, "read twice by one group (at least once allows it)"),
            ("repeated", verdict.duplicated_allowed, "duplicates of the producer that is not idempotent"),
            ("client errors", self.client_errors, "what applications would have seen"),
            ("rebalances", self.aside.rebalances, "after the groups had settled"),
            ("divergences", self.divergences, "between the two sides, as the proxy wrote them down"),
            ("explained", self.explained, "of these, by a written rule"),
        ];
        for (name, count, meaning) in rows {
            let _always_fits = writeln!(text, "  {name:<14} {count:>10}   {meaning}");
        }
        self.write_pauses(&mut text);
        for remark in &self.aside.remarks {
            let _always_fits = writeln!(text, "  {remark}");
        }
        self.write_end(&mut text);
        text
    }

    fn write_pauses(&self, text: &mut String) {
        let least = self.aside.fences.iter().map(|fence| fence.acknowledged).min().unwrap_or(0);
        let _always_fits = writeln!(
            text,
            "\n  {} fences, the longest {} ms for clients ({} ms as the proxy reports); at least {least} values \
             acknowledged\n  elsewhere during each; the longest time without any acknowledgement was {} ms",
            self.aside.fences.len(),
            self.fence_ms_max,
            self.aside.fence_ms_reported,
            self.aside.pause_ms_max,
        );
    }

    fn write_end(&self, text: &mut String) {
        let faults = self.faults();
        let verified = if self.verified { "both sides compared equal" } else { "not compared by the proxy" };
        let end = if faults.is_empty() {
            format!("\n  Nothing was lost, nothing was duplicated, nothing changed its order ({verified}).\n")
        } else {
            let examples = self.aside.verdict.examples.iter().map(|example| format!("\n    {example}"));
            format!("\n  NOT PROVEN: {}.{}\n", faults.join("; "), examples.collect::<String>())
        };
        text.push_str(&end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Summary {
        let phase =
            PhaseSummary { phase: "observe".to_owned(), seconds: 8.0, acknowledged: 30_000, fence_ms: 0 };
        Summary {
            protocol: "kafka".to_owned(),
            legacy: "x".to_owned(),
            phases: vec![phase],
            acknowledged: 30_000,
            delivered: 30_000,
            lost: 0,
            duplicated: 0,
            redelivered: 0,
            reordered: 0,
            divergences: 2,
            explained: 2,
            client_errors: 0,
            fence_ms_max: 40,
            rolled_back: false,
            verified: true,
            aside: Aside {
                fences: vec![Fence { from_ms: 0, until_ms: 40, partitions: 2, acknowledged: 5 }],
                phases_wanted: 1,
                ..Aside::default()
            },
        }
    }

    #[test]
    fn each_fault_alone_spoils_the_proof() {
        assert_eq!(good().faults(), Vec::<String>::new());
        type Change = fn(&mut Summary);
        let changes: [Change; 12] = [
            |s| s.lost = 1,
            |s| s.duplicated = 1,
            |s| s.reordered = 1,
            |s| s.client_errors = 1,
            |s| s.aside.verdict.contradictions = 1,
            |s| s.explained = 1,
            |s| s.aside.phases_wanted = 2,
            |s| s.acknowledged = 19_999,
            |s| s.phases[0].acknowledged = 0,
            |s| s.aside.fences[0].acknowledged = 0,
            |s| s.aside.violations.push("Lost: 1".to_owned()),
            |s| (s.divergences, s.explained) = (3, 2),
        ];
        for change in changes {
            let mut summary = good();
            change(&mut summary);
            assert_eq!(summary.faults().len(), 1, "{:?}", summary.faults());
            assert!(summary.table().contains("NOT PROVEN"));
        }
    }

    #[test]
    fn the_object_has_exactly_the_promised_keys() {
        let object = serde_json::to_value(good()).unwrap();
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let mut promised = [
            "protocol",
            "legacy",
            "phases",
            "acknowledged",
            "delivered",
            "lost",
            "duplicated",
            "redelivered",
            "reordered",
            "divergences",
            "explained",
            "client_errors",
            "fence_ms_max",
            "rolled_back",
            "verified",
        ];
        promised.sort_unstable();
        assert_eq!(keys, promised);
        let phase = object.pointer("/phases/0").and_then(serde_json::Value::as_object).unwrap();
        assert_eq!(phase.keys().collect::<Vec<_>>(), ["acknowledged", "fence_ms", "phase", "seconds"]);
    }
}

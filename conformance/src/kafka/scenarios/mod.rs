//! The table of scenarios: statements KS1 to KS22 on what Kafka means, beyond single answers.

mod consumers;
mod groups;
mod log;
mod producers;
mod quotas;
mod reading;
mod sessions;
mod shares;
mod times;
mod transactions;

use super::scenario::Scenario;

/// Every scenario, in the order of the statements.
pub(super) fn all() -> Vec<Scenario> {
    let mut all = [
        producers::SCENARIOS,
        transactions::SCENARIOS,
        reading::SCENARIOS,
        times::SCENARIOS,
        log::SCENARIOS,
        groups::SCENARIOS,
        consumers::SCENARIOS,
        shares::SCENARIOS,
        sessions::SCENARIOS,
        quotas::SCENARIOS,
    ]
    .concat();
    let number =
        |scenario: &Scenario| scenario.statement.trim_start_matches("KS").parse::<u32>().unwrap_or(u32::MAX);
    all.sort_by_key(number);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_statement_has_a_scenario_and_no_two_have_one_name() {
        let scenarios = all();
        for number in 1..=22 {
            let statement = format!("KS{number}");
            assert!(scenarios.iter().any(|each| each.statement == statement), "{statement}");
        }
        let names: BTreeSet<_> = scenarios.iter().map(|each| (each.statement, each.name)).collect();
        assert_eq!(names.len(), scenarios.len());
    }
}

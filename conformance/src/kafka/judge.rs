//! From two answers to a verdict. Nothing here talks to anybody.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Expect, error_name};
use super::endpoint::StepError;
use super::explained::explain;
use super::normal::normalise;
use super::report::{Difference, Verdict};
use super::scenario::Fact;
use super::tree::Tree;

/// What one endpoint did with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It answered.
    Given(Tree),
    /// It closed the connection.
    Closed,
    /// It refused what the case needs first.
    Unprepared(String),
    /// It does not advertise what the case needs first.
    NotServed(String),
    /// It could not be asked, or did not answer.
    None(String),
}

/// Stands where a field is missing.
const MISSING: &str = "(no such field)";

/// Judges a case. `row` is `API/name`, `api` the API's name.
pub(super) fn judge(
    row: &str,
    api: &str,
    expect: Expect,
    reference: Option<&Answer>,
    candidate: &Answer,
) -> Verdict {
    match candidate {
        Answer::None(error) => return Verdict::Failed { error: format!("candidate: {error}") },
        Answer::NotServed(what) => return Verdict::NotServed { why: format!("{what} is not advertised") },
        Answer::Given(_) | Answer::Closed | Answer::Unprepared(_) => {}
    }
    let Some(reference) = reference else { return alone(row, expect, candidate) };
    match reference {
        Answer::None(error) => return Verdict::Failed { error: format!("reference: {error}") },
        Answer::Unprepared(error) => {
            return Verdict::Failed { error: format!("reference: preparation: {error}") };
        }
        Answer::NotServed(_) => return alone(row, expect, candidate),
        Answer::Given(_) | Answer::Closed => {}
    }
    if !fits(expect, reference) {
        let got = shown(reference);
        let want = expect.words();
        return Verdict::Failed {
            error: format!("the case does not provoke {want} on the reference, which answers {got}"),
        };
    }
    verdict(row, compare(api, reference, candidate))
}

fn alone(row: &str, expect: Expect, candidate: &Answer) -> Verdict {
    if fits(expect, candidate) {
        return Verdict::Held;
    }
    let field = if matches!(candidate, Answer::Unprepared(_)) { "preparation" } else { "error codes" };
    let difference =
        Difference { field: field.to_owned(), reference: expect.words(), candidate: shown(candidate) };
    verdict(row, vec![difference])
}

fn fits(expect: Expect, answer: &Answer) -> bool {
    match answer {
        Answer::Given(tree) => expect.fits(Some(&tree.errors())),
        Answer::Closed => expect.fits(None),
        Answer::Unprepared(_) | Answer::NotServed(_) | Answer::None(_) => false,
    }
}

/// Error codes of an answer, in words.
fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Given(tree) => {
            let names: BTreeSet<String> = tree.errors().into_iter().map(error_name).collect();
            if names.is_empty() {
                "success".to_owned()
            } else {
                names.into_iter().collect::<Vec<_>>().join(", ")
            }
        }
        Answer::Closed => "by closing the connection".to_owned(),
        Answer::NotServed(what) => format!("{what} is not advertised"),
        Answer::Unprepared(error) | Answer::None(error) => error.clone(),
    }
}

fn compare(api: &str, reference: &Answer, candidate: &Answer) -> Vec<Difference> {
    match (reference, candidate) {
        (Answer::Given(reference), Answer::Given(candidate)) => {
            let flat = |tree: &Tree| {
                let mut tree = tree.clone();
                normalise(api, &mut tree);
                tree.flat()
            };
            differences(&flat(reference), &flat(candidate))
        }
        (_, Answer::Unprepared(error)) => vec![Difference {
            field: "preparation".to_owned(),
            reference: "done".to_owned(),
            candidate: error.clone(),
        }],
        (reference, candidate) if reference == candidate => Vec::new(),
        (reference, candidate) => vec![Difference {
            field: "answer".to_owned(),
            reference: shown(reference),
            candidate: shown(candidate),
        }],
    }
}

/// Fields whose values differ.
pub(super) fn differences(
    reference: &BTreeMap<String, String>,
    candidate: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let paths: BTreeSet<&String> = reference.keys().chain(candidate.keys()).collect();
    let value = |side: &BTreeMap<String, String>, path: &String| match side.get(path) {
        Some(value) if path.ends_with("error_code") => {
            value.parse().map_or_else(|_| value.clone(), |code| format!("{value} {}", error_name(code)))
        }
        Some(value) => value.clone(),
        None => MISSING.to_owned(),
    };
    paths
        .into_iter()
        .filter(|path| reference.get(*path) != candidate.get(*path))
        .map(|path| Difference {
            field: path.clone(),
            reference: value(reference, path),
            candidate: value(candidate, path),
        })
        .collect()
}

/// The verdict over differences: explained only if the table explains each of them.
pub(super) fn verdict(row: &str, differences: Vec<Difference>) -> Verdict {
    if differences.is_empty() {
        return Verdict::Same;
    }
    let mut reasons: Vec<String> = Vec::new();
    for each in &differences {
        let Some(entry) = explain(row, &without_indices(&each.field), &each.reference, &each.candidate)
        else {
            return Verdict::Different { differences };
        };
        if !reasons.iter().any(|reason| reason == entry.reason) {
            reasons.push(entry.reason.to_owned());
        }
    }
    Verdict::Explained { reasons, differences }
}

/// Judges a scenario by the facts that came of it on each side.
pub(super) fn judge_facts(
    row: &str,
    reference: Option<Result<Vec<Fact>, StepError>>,
    candidate: Result<Vec<Fact>, StepError>,
) -> Verdict {
    let candidate = match candidate {
        Ok(facts) => facts,
        Err(StepError::NotServed(what)) => {
            return Verdict::NotServed { why: format!("{what} is not advertised") };
        }
        Err(StepError::Refused(step, error)) if !matches!(reference, Some(Err(_))) => {
            let difference = Difference { field: step, reference: "done".to_owned(), candidate: error };
            return verdict(row, vec![difference]);
        }
        Err(error) => return Verdict::Failed { error: format!("candidate: {error}") },
    };
    match reference {
        None | Some(Err(StepError::NotServed(_))) => statements(row, &candidate),
        Some(Err(error)) => Verdict::Failed { error: format!("reference: {error}") },
        Some(Ok(reference)) => {
            if let Some(broken) = reference.iter().find(|fact| !fact.holds()) {
                let error = format!(
                    "the statement does not hold on the reference: {} is {}, not {}",
                    broken.name, broken.got, broken.want
                );
                return Verdict::Failed { error };
            }
            let flat =
                |facts: &[Fact]| facts.iter().map(|fact| (fact.name.clone(), fact.got.clone())).collect();
            verdict(row, differences(&flat(&reference), &flat(&candidate)))
        }
    }
}

/// Without a reference the statements judge.
fn statements(row: &str, facts: &[Fact]) -> Verdict {
    let broken = facts.iter().filter(|fact| !fact.holds()).map(|fact| Difference {
        field: fact.name.clone(),
        reference: fact.want.clone(),
        candidate: fact.got.clone(),
    });
    let judged = verdict(row, broken.collect());
    if judged == Verdict::Same { Verdict::Held } else { judged }
}

/// `topics[0].partitions[1].offset` becomes `topics[].partitions[].offset`.
fn without_indices(path: &str) -> String {
    let mut bare = String::new();
    let mut inside = false;
    for letter in path.chars() {
        if letter == ']' {
            inside = false;
        }
        if !inside {
            bare.push(letter);
        }
        if letter == '[' {
            inside = true;
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::*;

    fn answer(code: i16, offset: i64, throttle: i32) -> Answer {
        let fields = [
            ("error_code", Tree::leaf(code)),
            ("offset", Tree::leaf(offset)),
            ("throttle_time_ms", Tree::leaf(throttle)),
        ];
        let partition = Tree::Fields(fields.map(|(name, tree)| (name.to_owned(), tree)).into());
        Answer::Given(Tree::Fields([("parts".to_owned(), Tree::List(vec![partition]))].into()))
    }

    fn judged(expect: Expect, reference: Option<&Answer>, candidate: &Answer) -> Verdict {
        judge("Fetch/any", "Fetch", expect, reference, candidate)
    }

    #[test]
    fn a_field_that_differs_is_named_with_both_values() {
        let verdict = judged(Expect::Success, Some(&answer(0, 5, 0)), &answer(0, 6, 9));
        let Verdict::Different { differences } = verdict else { panic!("{verdict:?}") };
        let want = Difference {
            field: "parts[0].offset".to_owned(),
            reference: "5".to_owned(),
            candidate: "6".to_owned(),
        };
        assert_eq!(differences, [want]);
    }

    #[test]
    fn an_ignored_field_makes_no_difference() {
        assert_eq!(judged(Expect::Success, Some(&answer(0, 5, 0)), &answer(0, 5, 9)), Verdict::Same);
    }

    #[test]
    fn a_case_that_the_reference_answers_otherwise_than_documented_is_no_pass() {
        let same = answer(0, 5, 0);
        let expect = Expect::Error(ResponseError::OffsetOutOfRange);
        assert!(matches!(judged(expect, Some(&same), &same), Verdict::Failed { .. }));
    }

    #[test]
    fn silence_is_a_failure_and_a_closed_connection_a_difference() {
        let good = answer(0, 5, 0);
        let silent = Answer::None("no answer".to_owned());
        assert!(matches!(judged(Expect::Success, Some(&good), &silent), Verdict::Failed { .. }));
        assert!(matches!(judged(Expect::Success, Some(&silent), &good), Verdict::Failed { .. }));
        assert!(matches!(judged(Expect::Success, Some(&good), &Answer::Closed), Verdict::Different { .. }));
    }

    #[test]
    fn alone_the_documentation_judges() {
        let expect = Expect::Error(ResponseError::OffsetOutOfRange);
        assert_eq!(judged(expect, None, &answer(1, 5, 0)), Verdict::Held);
        assert!(matches!(judged(expect, None, &answer(3, 5, 0)), Verdict::Different { .. }));
        assert!(matches!(judged(Expect::Success, None, &Answer::Closed), Verdict::Different { .. }));
    }

    #[test]
    fn a_scenario_differs_by_its_facts_and_fails_where_the_reference_breaks_the_statement() {
        let fact = |got: &str| Fact { name: "end".to_owned(), got: got.to_owned(), want: "5".to_owned() };
        let judged = |reference: Option<&str>, candidate: &str| {
            judge_facts("KS0/x", reference.map(|got| Ok(vec![fact(got)])), Ok(vec![fact(candidate)]))
        };
        assert_eq!(judged(Some("5"), "5"), Verdict::Same);
        assert!(matches!(judged(Some("5"), "6"), Verdict::Different { .. }));
        assert!(matches!(judged(Some("6"), "6"), Verdict::Failed { .. }));
        assert_eq!(judged(None, "5"), Verdict::Held);
        assert!(matches!(judged(None, "6"), Verdict::Different { .. }));
        let missing = Err(StepError::NotServed("EndTxn".to_owned()));
        assert!(matches!(judge_facts("KS0/x", None, missing), Verdict::NotServed { .. }));
    }

    #[test]
    fn indices_do_not_matter_to_the_tables() {
        assert_eq!(without_indices("a[0].b[12].c"), "a[].b[].c");
    }
}

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use super::*;

fn row(name: &str, verdict: Verdict) -> Row {
    Row {
        id: format!("Fetch/v4/{name}"),
        subject: "Fetch".to_owned(),
        class: "P0",
        version: Some(4),
        name: name.to_owned(),
        expected: "success".to_owned(),
        verdict,
        took_ms: 1234,
    }
}

fn report(rows: Vec<Row>) -> Report {
    let side = |address: &str| Side {
        address: address.to_owned(),
        versions: BTreeMap::from([("Fetch".to_owned(), (4, 18))]),
    };
    Report {
        suite: "0",
        began_ms: 1,
        took_ms: 2,
        only: vec![],
        reference: Some(side("r:1")),
        candidate: side("c:2"),
        counts: Counts::of(&rows),
        rows,
    }
}

fn different() -> Verdict {
    let difference = Difference {
        field: "a.b".to_owned(),
        reference: "<1>".to_owned(),
        candidate: "\"2\" & 3".to_owned(),
    };
    Verdict::Different { differences: vec![difference] }
}

#[test]
fn one_difference_or_failure_is_enough_to_not_hold() {
    let not_served = Verdict::NotServed { why: "x".to_owned() };
    assert!(report(vec![row("a", Verdict::Same), row("b", not_served.clone())]).holds());
    assert!(!report(vec![row("a", Verdict::Same), row("b", different())]).holds());
    assert!(
        !report(vec![row("a", Verdict::Same), row("b", Verdict::Failed { error: "x".to_owned() })]).holds()
    );
    assert!(!report(vec![row("b", not_served)]).holds(), "nothing answered is nothing proven");
}

#[test]
fn the_three_files_name_what_differs_with_both_values() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new");
    report(vec![row("a", Verdict::Same), row("b", different())]).write(&target).unwrap();
    let html = std::fs::read_to_string(target.join("report.html")).unwrap();
    assert!(html.contains("&lt;1&gt;") && html.contains("&quot;2&quot; &amp; 3"));
    let junit = std::fs::read_to_string(target.join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\""));
    assert!(junit.contains("a.b: reference &lt;1&gt;, candidate &quot;2&quot; &amp; 3"));
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(target.join("report.json")).unwrap()).unwrap();
    assert_eq!(json["counts"]["different"], 1);
    assert_eq!(json["rows"][1]["verdict"]["differences"][0]["candidate"], "\"2\" & 3");
}

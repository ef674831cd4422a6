//! The report for continuous integration: one test case a row, one suite an API.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Report, Row, Verdict, escaped};

/// The report in JUnit's XML.
pub(super) fn suite(report: &Report) -> String {
    let mut subjects: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &report.rows {
        subjects.entry(&row.subject).or_default().push(row);
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (subject, rows) in subjects {
        let count = |wanted: fn(&Verdict) -> bool| rows.iter().filter(|row| wanted(&row.verdict)).count();
        let skipped =
            count(|verdict| matches!(verdict, Verdict::NotServed { .. } | Verdict::Uncovered { .. }));
        let different = count(|verdict| matches!(verdict, Verdict::Different { .. }));
        let failed = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
        // Writing into a String cannot fail.
        let _ = writeln!(
            xml,
            "  <testsuite name=\"kafka.{}\" tests=\"{}\" failures=\"{different}\" errors=\"{failed}\" skipped=\"{skipped}\">",
            escaped(subject),
            rows.len(),
        );
        for row in rows {
            xml.push_str(&case(row));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(row: &Row) -> String {
    let seconds = format!("{}.{:03}", row.took_ms / 1000, row.took_ms % 1000);
    let version = row.version.map(|version| format!("v{version} ")).unwrap_or_default();
    let head = format!(
        "    <testcase classname=\"kafka.{}\" name=\"{}\" time=\"{seconds}\">",
        escaped(&row.subject),
        escaped(&format!("{version}{}", row.name)),
    );
    let body = match &row.verdict {
        Verdict::Same | Verdict::Held => String::new(),
        Verdict::Different { differences } => {
            let mut text = String::new();
            for each in differences {
                let _ = writeln!(
                    text,
                    "{}: reference {}, candidate {}",
                    each.field, each.reference, each.candidate
                );
            }
            format!("<failure message=\"{} fields differ\">{}</failure>", differences.len(), escaped(&text))
        }
        Verdict::Failed { error } => format!("<error message=\"{}\"/>", escaped(error)),
        Verdict::Explained { reasons, .. } => {
            format!("<system-out>explained: {}</system-out>", escaped(&reasons.join("; ")))
        }
        Verdict::NotServed { why } => format!("<skipped message=\"not served: {}\"/>", escaped(why)),
        Verdict::Uncovered { why } => format!("<skipped message=\"uncovered: {}\"/>", escaped(why)),
    };
    format!("{head}{body}</testcase>\n")
}

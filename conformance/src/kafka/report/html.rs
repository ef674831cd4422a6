//! The report as one self-contained page: summary first, then what needs a look, then every row by API.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Counts, Difference, Report, Row, Side, Verdict, escaped};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid var(--line)}
th{font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.tag{display:inline-block;padding:0 .45rem;border-radius:.6rem;font-size:.85rem;white-space:nowrap;color:#fff}
.same,.held{background:#1a7f37}.different,.failed{background:#cf222e}.explained{background:#9a6700}.not-served,.uncovered{background:#6e7781}
.verdict{font-size:1.1rem;margin:.5rem 0 1rem}
details{border:1px solid var(--line);border-radius:.4rem;margin:.4rem 0}summary{padding:.35rem .7rem;cursor:pointer;background:var(--soft)}
.wide{overflow-x:auto}";

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut subjects: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in &report.rows {
        subjects.entry((row.class, &row.subject)).or_default().push(row);
    }
    let mut page = String::new();
    // Writing into a String cannot fail; so everywhere below.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Kafka conformance</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
         <h1>Kafka conformance</h1>"
    );
    page.push_str(&summary(report));
    page.push_str(&attention(report));
    page.push_str("<h2>By API and statement</h2>");
    for ((class, subject), rows) in &subjects {
        page.push_str(&section(class, subject, rows, report));
    }
    page.push_str("</body></html>\n");
    page
}

fn summary(report: &Report) -> String {
    let mut text = String::new();
    let verdict = if report.holds() {
        "Every answer is the same, or its difference is explained."
    } else {
        "There are differences without an explanation, or rows without an answer."
    };
    let _ = write!(text, "<p class=\"verdict\"><b>{verdict}</b></p><table><tr><th>Candidate</th><td>");
    let _ = write!(text, "<code>{}</code></td></tr>", escaped(&report.candidate.address));
    let reference =
        report.reference.as_ref().map_or("none: judged by what is documented", |side| &side.address);
    let _ = write!(text, "<tr><th>Reference</th><td><code>{}</code></td></tr>", escaped(reference));
    let _ = write!(text, "<tr><th>Rows</th><td>{}</td></tr>", counted(&report.counts));
    if !report.only.is_empty() {
        let _ = write!(text, "<tr><th>Only</th><td>{}</td></tr>", escaped(&report.only.join(", ")));
    }
    let missing = missing(report);
    if !missing.is_empty() {
        let list = escaped(&missing.join(", "));
        let _ = write!(text, "<tr><th>Advertised by the reference alone</th><td>{list}</td></tr>");
    }
    let seconds = report.took_ms / 1000;
    let _ = write!(
        text,
        "<tr><th>Run</th><td>suite {}, {seconds} s, began {} ms after 1970</td></tr></table>",
        escaped(report.suite),
        report.began_ms
    );
    text
}

/// APIs and versions that the reference advertises and the candidate does not.
fn missing(report: &Report) -> Vec<String> {
    let Some(reference) = &report.reference else { return Vec::new() };
    let mut missing = Vec::new();
    for (api, (oldest, newest)) in &reference.versions {
        match report.candidate.versions.get(api) {
            None => missing.push(api.clone()),
            Some((from, to)) => {
                if oldest < from {
                    missing.push(format!("{api} v{oldest}–{}", from - 1));
                }
                if newest > to {
                    missing.push(format!("{api} v{}–{newest}", to + 1));
                }
            }
        }
    }
    missing
}

fn counted(counts: &Counts) -> String {
    let parts = [
        (counts.same, "same"),
        (counts.held, "held"),
        (counts.different, "different"),
        (counts.failed, "failed"),
        (counts.explained, "explained"),
        (counts.not_served, "not served"),
        (counts.uncovered, "uncovered"),
    ];
    let tags: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("<span class=\"tag {}\">{count} {word}</span>", word.replace(' ', "-")))
        .collect();
    format!("{} in all {}", counts.rows, tags.join(" "))
}

/// What is not well, before anything else.
fn attention(report: &Report) -> String {
    let rows: Vec<&Row> = report.rows.iter().filter(|row| !row.verdict.is_well()).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("<h2>Needs a look</h2>{}", table(&rows, true))
}

fn section(class: &str, subject: &str, rows: &[&Row], report: &Report) -> String {
    let own: Vec<Row> = rows.iter().map(|row| (*row).clone()).collect();
    let range = |side: Option<&Side>| {
        side.and_then(|side| side.versions.get(subject))
            .map_or_else(|| "–".to_owned(), |(oldest, newest)| format!("v{oldest}–{newest}"))
    };
    let advertised = if class == "semantics" {
        String::new()
    } else {
        format!(
            "· reference {} · candidate {}",
            range(report.reference.as_ref()),
            range(Some(&report.candidate))
        )
    };
    format!(
        "<details><summary><b>{}</b> {class} {advertised} · {}</summary>{}</details>",
        escaped(subject),
        counted(&Counts::of(&own)),
        table(rows, false)
    )
}

fn table(rows: &[&Row], subject: bool) -> String {
    let mut text = String::from("<div class=\"wide\"><table><tr>");
    let first = if subject { "<th>API or statement</th>" } else { "" };
    let _ = write!(text, "{first}<th>Version</th><th>Case</th><th>Documented</th><th>Verdict</th></tr>");
    for row in rows {
        let first = if subject { format!("<td>{}</td>", escaped(&row.subject)) } else { String::new() };
        let version = row.version.map(|version| format!("v{version}")).unwrap_or_default();
        let word = row.verdict.word();
        let _ = write!(
            text,
            "<tr>{first}<td>{version}</td><td>{}</td><td>{}</td><td><span class=\"tag {}\">{word}</span> {}</td></tr>",
            escaped(&row.name),
            escaped(&row.expected),
            word.replace(' ', "-"),
            detail(&row.verdict)
        );
    }
    text.push_str("</table></div>");
    text
}

fn detail(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same | Verdict::Held => String::new(),
        Verdict::Different { differences } => fields(differences),
        Verdict::Explained { reasons, differences } => {
            format!("{}{}", escaped(&reasons.join("; ")), fields(differences))
        }
        Verdict::NotServed { why } | Verdict::Uncovered { why } => escaped(why),
        Verdict::Failed { error } => escaped(error),
    }
}

fn fields(differences: &[Difference]) -> String {
    let mut text = String::from("<table><tr><th>Field</th><th>Reference</th><th>Candidate</th></tr>");
    for each in differences {
        let _ = write!(
            text,
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            escaped(&each.field),
            escaped(&each.reference),
            escaped(&each.candidate)
        );
    }
    text.push_str("</table>");
    text
}

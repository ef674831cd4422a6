//! The report as one self-contained page: summary first, then what needs a look, then every row by API.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::super::normal::{How, RULES};
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
    page.push_str(&explanations(report));
    page.push_str(&left_out());
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
        "<tr><th>Run</th><td>{}, {seconds} s, suite {}</td></tr></table>",
        moment(report.began_ms),
        escaped(report.suite)
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

/// A moment in UTC, to the minute: `2026-11-23 05:30 UTC`.
fn moment(since_1970_ms: u64) -> String {
    let minutes = since_1970_ms / 60_000;
    let (mut days, minute) = (minutes / 1440, minutes % 1440);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    for length in [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02} {:02}:{:02} UTC", days + 1, minute / 60, minute % 60)
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

/// What is not well, before anything else; versions with the same verdict in one line.
fn attention(report: &Report) -> String {
    let mut groups: Vec<(&Row, Vec<i16>)> = Vec::new();
    for row in report.rows.iter().filter(|row| !row.verdict.is_well()) {
        let alike = |(first, _): &&mut (&Row, Vec<i16>)| {
            first.subject == row.subject && first.name == row.name && first.verdict == row.verdict
        };
        match groups.iter_mut().find(alike) {
            Some((_, versions)) => versions.extend(row.version),
            None => groups.push((row, row.version.into_iter().collect())),
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    let lines = groups.iter().map(|(row, versions)| line(row, &spans(versions), true));
    format!("<h2>Needs a look</h2>{}", table(lines, true))
}

/// Versions in short: `v3–11, 13`.
fn spans(versions: &[i16]) -> String {
    let mut spans: Vec<(i16, i16)> = Vec::new();
    for version in versions {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *version => *last = *version,
            Some(_) | None => spans.push((*version, *version)),
        }
    }
    let shown = spans.iter().map(
        |(first, last)| {
            if first == last { first.to_string() } else { format!("{first}–{last}") }
        },
    );
    let shown = shown.collect::<Vec<_>>().join(", ");
    if shown.is_empty() { shown } else { format!("v{shown}") }
}

/// Every reason that explained something, with the cases.
fn explanations(report: &Report) -> String {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in &report.rows {
        if let Verdict::Explained { reasons, .. } = &row.verdict {
            for reason in reasons {
                used.entry(reason).or_default().insert(format!("{}: {}", row.subject, row.name));
            }
        }
    }
    if used.is_empty() {
        return String::new();
    }
    let mut text =
        String::from("<h2>Explained differences</h2><table><tr><th>Reason</th><th>Cases</th></tr>");
    for (reason, cases) in used {
        let cases: Vec<String> = cases.iter().map(|case| escaped(case)).collect();
        let _ = write!(text, "<tr><td>{}</td><td>{}</td></tr>", escaped(reason), cases.join("<br>"));
    }
    text.push_str("</table>");
    text
}

/// Fields that were not compared as they are, from the table.
fn left_out() -> String {
    let mut text = String::from(
        "<details><summary>Fields that are not compared as they are, and why</summary>\
         <table><tr><th>API</th><th>Field</th><th>Compared</th><th>Reason</th></tr>",
    );
    for rule in RULES {
        let how = match rule.how {
            How::Ignored => "not at all",
            How::Presence => "whether there is one",
            How::Unordered => "in any order",
            How::ByName => "by name",
        };
        let (api, path, reason) = (escaped(rule.api), escaped(rule.path), escaped(rule.reason));
        let _ = write!(
            text,
            "<tr><td>{api}</td><td><code>{path}</code></td><td>{how}</td><td>{reason}</td></tr>"
        );
    }
    text.push_str("</table></details>");
    text
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
        table(rows.iter().map(|row| line(row, &spans(&Vec::from_iter(row.version)), false)), false)
    )
}

fn table(lines: impl Iterator<Item = String>, subject: bool) -> String {
    let first = if subject { "<th>API or statement</th>" } else { "" };
    let lines: String = lines.collect();
    format!(
        "<div class=\"wide\"><table><tr>{first}<th>Version</th><th>Case</th><th>Documented</th><th>Verdict</th></tr>\
         {lines}</table></div>"
    )
}

fn line(row: &Row, version: &str, subject: bool) -> String {
    let first = if subject { format!("<td>{}</td>", escaped(&row.subject)) } else { String::new() };
    let word = row.verdict.word();
    format!(
        "<tr>{first}<td>{version}</td><td>{}</td><td>{}</td><td><span class=\"tag {}\">{word}</span> {}</td></tr>",
        escaped(&row.name),
        escaped(&row.expected),
        word.replace(' ', "-"),
        detail(&row.verdict)
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_shown_as_spans() {
        assert_eq!(spans(&[3, 4, 5, 7, 9, 10]), "v3–5, 7, 9–10");
        assert_eq!(spans(&[]), "");
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(1_709_208_000_000), "2024-02-29 12:00 UTC");
        assert_eq!(moment(1_798_761_599_999), "2026-12-31 23:59 UTC");
    }
}

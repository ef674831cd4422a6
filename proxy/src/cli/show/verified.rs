//! What `sluice verify` found, for people.

use serde_json::Value;

use super::table::{Lean, NONE, Table, count, field, line, number, plain, rows, text_of};

/// Clients of the fidelity report that are printed.
const ROWS_MAX: usize = 40;

/// The answer of `/v1/migrations/{name}/verify`.
pub(in crate::cli) fn text(answer: &Value) -> String {
    let mut out = String::new();
    let is = |key: &str| answer.get(key).and_then(Value::as_bool).unwrap_or_default();
    let verdict = match (is("verified"), is("complete")) {
        (true, _) => "both sides are equal, but for what is explained",
        (false, false) => "NOT VERIFIED: not everything could be compared",
        (false, true) => "NOT VERIFIED: they differ",
    };
    line(&mut out, 0, &format!("{}: {verdict}", text_of(answer, "migration")));
    let took = format!("{} MiB read in {} ms", number(answer, "bytes") >> 20, number(answer, "took_ms"));
    field(&mut out, 1, "took", &took);
    let open = number(answer, "unexplained_divergences");
    field(&mut out, 1, "open", &format!("{open} unexplained on the ledger"));
    for finding in rows(answer, "findings") {
        let sample = finding.get("sample").unwrap_or(&Value::Null);
        let why = finding.get("explained_by").and_then(Value::as_str);
        let words = format!(
            "{}: {} at {}: {}{}",
            text_of(finding, "unit"),
            text_of(finding, "divergence").replace('_', " "),
            number(sample, "position"),
            text_of(sample, "detail"),
            why.map(|key| format!(" ({key})")).unwrap_or_default()
        );
        field(&mut out, 1, if why.is_some() { "explained" } else { "DIFFERS" }, &words);
    }
    for each in rows(answer, "explained") {
        let words =
            format!("{} × {}: {}", number(each, "count"), text_of(each, "key"), text_of(each, "reason"));
        field(&mut out, 1, "explained", &words);
    }
    logs(&mut out, rows(answer, "logs"));
    groups(&mut out, rows(answer, "groups"));
    fidelity(&mut out, rows(answer, "fidelity"));
    out
}

fn state(row: &Value) -> String {
    let said = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(keys) = row.get("keys").filter(|keys| !keys.is_null()) {
        return match (number(keys, "differing"), number(row, "differing")) {
            (0, 0) => "equal".to_owned(),
            (0, _) => {
                format!(
                    "{} keys equal, batches from {} on",
                    number(keys, "equal"),
                    number(keys, "batches_equal_from")
                )
            }
            (differing, _) => format!("{differing} KEYS DIFFER"),
        };
    }
    match (said("error"), said("skipped"), number(row, "differing")) {
        (Some(error), ..) => format!("NOT COMPARED: {error}"),
        (None, Some(skipped), _) => skipped,
        (None, None, 0) => "equal".to_owned(),
        (None, None, differing) => format!("{differing} DIFFER"),
    }
}

fn logs(out: &mut String, all: &[Value]) {
    if all.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("partition", Lean::Left),
        ("compared", Lean::Left),
        ("batches", Lean::Right),
        ("records", Lean::Right),
        ("kept hashes", Lean::Right),
        ("chain", Lean::Left),
        ("", Lean::Left),
    ]);
    for log in all {
        table.add(vec![
            text_of(log, "unit"),
            format!("{}..{}", number(log, "from"), number(log, "compared_to")),
            number(log, "batches_equal").to_string(),
            number(log, "legacy_records").to_string(),
            number(log, "marks_held").to_string(),
            text_of(log, "legacy_chain"),
            state(log),
        ]);
    }
    out.push('\n');
    table.write(out, 1);
}

fn groups(out: &mut String, all: &[Value]) {
    if all.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("group", Lean::Left),
        ("offsets", Lean::Right),
        ("moving", Lean::Right),
        ("", Lean::Left),
    ]);
    for group in all {
        let noise = number(group, "noise");
        let noise = if noise == 0 { NONE.to_owned() } else { noise.to_string() };
        table.add(vec![text_of(group, "unit"), number(group, "offsets").to_string(), noise, state(group)]);
    }
    out.push('\n');
    table.write(out, 1);
}

fn fidelity(out: &mut String, all: &[Value]) {
    if all.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("client", Lean::Left),
        ("API", Lean::Left),
        ("versions", Lean::Left),
        ("facts compared", Lean::Right),
        ("differ", Lean::Right),
        ("noise", Lean::Right),
    ]);
    for row in all.iter().take(ROWS_MAX) {
        let versions: Vec<String> = rows(row, "versions").iter().map(plain).collect();
        table.add(vec![
            text_of(row, "client_id"),
            text_of(row, "name"),
            versions.join(", "),
            number(row, "compared").to_string(),
            number(row, "differing").to_string(),
            number(row, "noise").to_string(),
        ]);
    }
    out.push('\n');
    table.write(out, 1);
    if all.len() > ROWS_MAX {
        line(out, 1, &format!("and {} more", count((all.len() - ROWS_MAX) as u64, "row")));
    }
}

//! The ledger for people: one sentence an entry, what was compared below it.

use serde_json::Value;

use super::table::{Lean, NONE, Table, count, few, line, moment, number, plain, rows, text_of};

/// Units that one sentence names.
const UNITS_NAMED: usize = 6;
/// Indent of what belongs to an entry, in steps of two.
const BELOW: usize = 4;

/// The answer of `/v1/migrations/{name}/ledger`.
pub(in crate::cli) fn text(answer: &Value) -> String {
    let mut out = String::new();
    let entries = rows(answer, "entries");
    let name = text_of(answer, "migration");
    line(&mut out, 0, &format!("{name}: {}, times are UTC", count_entries(entries.len())));
    let width =
        entries.iter().map(|entry| number(entry, "number")).max().unwrap_or_default().to_string().len();
    for entry in entries {
        let at = moment(entry.get("wall_ms").and_then(Value::as_i64).unwrap_or_default());
        let number = number(entry, "number");
        line(&mut out, 1, &format!("{number:>width$}  {at}  {:<9} {}", by(entry), sentence(entry)));
        below(&mut out, entry);
    }
    out
}

fn count_entries(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

fn by(entry: &Value) -> String {
    match entry.get("by") {
        Some(Value::Object(person)) => person.values().next().map(plain).unwrap_or_default(),
        Some(other) => plain(other),
        None => String::new(),
    }
}

fn units(entry: &Value) -> String {
    let all = rows(entry, "units");
    format!("{}: {}", count(all.len() as u64, "unit"), few(all, UNITS_NAMED))
}

fn sentence(entry: &Value) -> String {
    let of = |key: &str| text_of(entry, key);
    let handover = || format!("handover {}", number(entry, "handover"));
    let held = || format!("clients were held for {} ms", number(entry, "fence_ms"));
    match of("kind").as_str() {
        "migration_created" => format!("the migration exists, on cluster {}", of("cluster")),
        "units_added" => format!("found {}", units(entry)),
        "phase_intent" => format!("wanted: from {} to {}", of("from"), of("to")),
        "intent_dropped" => format!("GIVEN UP: {}", of("reason")),
        "phase_reached" => format!("in {}: {}", of("phase"), units(entry)),
        "gate_checked" if entry.get("green").and_then(Value::as_bool).unwrap_or_default() => {
            format!("gate to {}: green", of("to"))
        }
        "gate_checked" => format!("gate to {}: RED", of("to")),
        "forced" => format!("FORCED to {} past a red gate", of("to")),
        "handover_begun" => format!("{} to {} begins, {}", handover(), of("to"), units(entry)),
        "step_begun" => format!("{}: {}{}", handover(), of("step"), forwarders(entry)),
        "verified" => format!("{}: both sides are equal", handover()),
        "committed" => format!(
            "{}: PRIMARY IS {} NOW, after {} ms of fence",
            handover(),
            of("to").to_uppercase(),
            number(entry, "fence_ms")
        ),
        "released" => format!("{}: clients go on, {}", handover(), held()),
        "following" => format!("{}: done, the old side is watched", handover()),
        "aborted" => format!("{} ABORTED in {}: {} ({})", handover(), of("step"), of("reason"), held()),
        "diverged" => diverged(entry),
        "unit_stopped" => format!("STOPPED {}: {}", of("unit"), of("reason")),
        "unit_resumed" => format!("resumed {}: {}", of("unit"), of("reason")),
        "units_removed" => format!("gone from legacy, left the migration: {}", units(entry)),
        // Written by a newer sluice: shown as it is.
        _ => plain(entry),
    }
}

fn diverged(entry: &Value) -> String {
    let sample = entry.get("sample").unwrap_or(&Value::Null);
    format!(
        "DIVERGED {}: {} at {}: {}",
        text_of(entry, "unit"),
        text_of(entry, "divergence").replace('_', " "),
        number(sample, "position"),
        text_of(sample, "detail")
    )
}

fn forwarders(entry: &Value) -> String {
    let notes = rows(entry, "forwarders").iter().map(|note| {
        let how = note.get("answered").and_then(Value::as_bool).unwrap_or_default();
        let how = if how { "stopped" } else { "lost its lease" };
        format!("forwarder {} {how} after {} ms", number(note, "forwarder"), number(note, "after_ms"))
    });
    let notes: Vec<String> = notes.collect();
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) }
}

/// What belongs to an entry and does not fit on its line.
fn below(out: &mut String, entry: &Value) {
    match text_of(entry, "kind").as_str() {
        // What an operator forced past stands at the gate, the entry before.
        "gate_checked" => {
            for missing in rows(entry, "missing") {
                line(out, BELOW, &plain(missing));
            }
        }
        "committed" => {
            let evidence = rows(entry, "units").iter().filter_map(|unit| unit.get("evidence"));
            compared(evidence.collect()).write(out, BELOW);
        }
        "diverged" => match entry.get("explanation").and_then(Value::as_str) {
            Some(reason) => {
                let words = format!("explained ({}): {}", text_of(entry, "explained_by"), reason);
                line(out, BELOW, &words);
            }
            None => line(out, BELOW, "NOTHING EXPLAINS THIS: look at the unit before going on"),
        },
        _ => {}
    }
}

fn compared(evidence: Vec<&Value>) -> Table {
    let mut table = Table::new(&[
        ("unit", Lean::Left),
        ("source end", Lean::Right),
        ("target end", Lean::Right),
        ("records", Lean::Right),
        ("chain", Lean::Left),
        ("producers", Lean::Left),
        ("epoch", Lean::Right),
    ]);
    for each in evidence {
        let unit = text_of(each, "unit");
        // A group ends in legacy's log of offsets, which the kernel does not have: the two cannot be compared.
        let has_no_log = unit.contains("/group:") || unit.contains("/transactions:");
        let end = |key: &str| if has_no_log { NONE.to_owned() } else { number(each, key).to_string() };
        table.add(vec![
            unit.clone(),
            end("source_end"),
            end("target_end"),
            number(each, "records").to_string(),
            text_of(each, "chain"),
            text_of(each, "producers"),
            each.get("target_epoch").map(plain).unwrap_or_default(),
        ]);
    }
    table
}

//! JSON answers as text: indented keys, and tables where every row has the same plain columns.

use std::fmt::Write;

use serde_json::{Map, Value};

/// An answer for people.
pub(super) fn text(answer: &Value) -> String {
    let mut out = String::new();
    show(&mut out, answer, 0);
    if out.is_empty() {
        out.push_str("nothing\n");
    }
    out
}

/// What a refusal says beyond its sentence; empty if nothing.
pub(super) fn detail(body: &Value) -> String {
    let mut out = String::new();
    if let Some(detail) = body.get("detail").filter(|detail| !detail.is_null()) {
        show(&mut out, detail, 1);
    }
    out
}

fn show(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| show_key(out, key, value, depth)),
        Value::Array(rows) => show_rows(out, rows, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            line(out, depth, &plain(value));
        }
    }
}

fn show_key(out: &mut String, key: &str, value: &Value, depth: usize) {
    if is_plain(value) {
        line(out, depth, &format!("{key}: {}", plain(value)));
    } else if is_empty(value) {
        line(out, depth, &format!("{key}: none"));
    } else if let Some(plain) = plain_list(value) {
        line(out, depth, &format!("{key}: {plain}"));
    } else {
        line(out, depth, &format!("{key}:"));
        show(out, value, depth + 1);
    }
}

fn show_rows(out: &mut String, rows: &[Value], depth: usize) {
    let maps: Vec<_> = rows.iter().filter_map(Value::as_object).collect();
    let flat = maps.len() == rows.len() && maps.iter().all(|map| map.values().all(is_plain));
    if flat && !maps.is_empty() {
        show_table(out, &maps, depth);
        return;
    }
    for row in rows {
        let mut one = String::new();
        show(&mut one, row, 0);
        for (at, text) in one.lines().enumerate() {
            let mark = if at == 0 { "- " } else { "  " };
            line(out, depth, &format!("{mark}{text}"));
        }
    }
}

fn show_table(out: &mut String, rows: &[&Map<String, Value>], depth: usize) {
    let mut columns: Vec<&String> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(&key) {
            columns.push(key);
        }
    }
    let cell = |row: &Map<String, Value>, column: &String| row.get(column).map(plain).unwrap_or_default();
    let width = |column: &&String| {
        let widest = rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or_default();
        widest.max(column.chars().count())
    };
    let widths: Vec<_> = columns.iter().map(width).collect();
    let join = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    line(out, depth, &join(columns.iter().map(|column| (*column).clone()).collect()));
    for row in rows {
        line(out, depth, &join(columns.iter().map(|column| cell(row, column)).collect()));
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing into a string cannot fail.
    let _infallible = writeln!(out, "{}{text}", "  ".repeat(depth));
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// A list of plain values on one line.
fn plain_list(value: &Value) -> Option<String> {
    let rows = value.as_array().filter(|rows| rows.iter().all(is_plain))?;
    Some(rows.iter().map(plain).collect::<Vec<_>>().join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // Names come from clients: nothing that a terminal would obey may pass.
        Value::String(text) => text.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_with_the_same_columns_become_a_table() {
        let shown = text(
            &json!({ "migrations": [{ "name": "a", "phase": "mirror" }, { "name": "long", "phase": null }], "none": [] }),
        );
        assert_eq!(shown, "migrations:\n  name  phase\n  a     mirror\n  long  -\nnone: none\n");
    }

    #[test]
    fn nested_rows_are_listed_and_control_characters_do_not_pass() {
        let shown = text(&json!([{ "name": "a\u{1b}[2J", "apis": [{ "api": 1, "versions": [2] }] }]));
        assert!(shown.starts_with("- ") && !shown.contains('\u{1b}'), "{shown}");
    }
}

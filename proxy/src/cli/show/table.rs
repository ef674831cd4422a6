//! Columns that line up, and other pieces that every view is made of.

use serde_json::Value;

/// A cell that shows that there is nothing.
pub(super) const NONE: &str = "-";

/// Which way a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading.
pub(super) struct Table {
    columns: Vec<(&'static str, Lean)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Lean)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Lines with this indent; nothing at all without rows.
    pub(super) fn write(&self, out: &mut String, indent: usize) {
        if self.rows.is_empty() {
            return;
        }
        let heads: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&heads).chain(&self.rows).collect();
        let width = |at: usize| {
            all.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in all {
            let cells = row.iter().zip(&widths).zip(&self.columns);
            let cells = cells.map(|((cell, width), (_, lean))| match lean {
                Lean::Left => format!("{cell:<width$}"),
                Lean::Right => format!("{cell:>width$}"),
            });
            line(out, indent, cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

/// One line.
pub(super) fn line(out: &mut String, indent: usize, text: &str) {
    out.extend(std::iter::repeat_n("  ", indent));
    out.push_str(text);
    out.push('\n');
}

/// A key and what stands behind it, keys of one section under each other.
pub(super) fn field(out: &mut String, indent: usize, key: &str, text: &str) {
    line(out, indent, &format!("{key:<9} {text}"));
}

/// Words of other people: nothing that a terminal would obey may pass.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A value on one line.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => NONE.to_owned(),
        Value::String(text) => safe(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => safe(&value.to_string()),
    }
}

/// A text of an object; empty where there is none.
pub(super) fn text_of(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).map(safe).unwrap_or_default()
}

/// A number of an object; 0 where there is none.
pub(super) fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Elements of an array of an object.
pub(super) fn rows<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Up to `most` names, and how many more there are.
pub(super) fn few(names: &[Value], most: usize) -> String {
    let mut shown: Vec<String> = names.iter().take(most).map(plain).collect();
    if names.len() > most {
        shown.push(format!("and {} more", names.len() - most));
    }
    shown.join(", ")
}

/// A count with its noun.
pub(super) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// A span of time as people say it.
pub(super) fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Wall clock in milliseconds since 1970 as UTC.
pub(super) fn moment(wall_ms: i64) -> String {
    let (seconds, ms) = (wall_ms.div_euclid(1000), wall_ms.rem_euclid(1000));
    let (days, within) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (within / 3600, within / 60 % 60, within % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03}")
}

/// The date of a day counted from 1970-01-01, by years of 365.2425 days that begin in March.
fn date(days: i64) -> (i64, i64, i64) {
    const FROM_MARCH_0000: i64 = 719_468;
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let shifted = days + FROM_MARCH_0000;
    let era = shifted.div_euclid(DAYS_OF_400_YEARS);
    let day_of_era = shifted.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_lean_right() {
        let mut table = Table::new(&[("unit", Lean::Left), ("lag", Lean::Right), ("end", Lean::Left)]);
        table.add(vec!["a".to_owned(), "7".to_owned(), String::new()]);
        table.add(vec!["longer".to_owned(), "12345".to_owned(), "x".to_owned()]);
        let mut out = String::new();
        table.write(&mut out, 1);
        assert_eq!(out, "  unit      lag  end\n  a           7\n  longer  12345  x\n");
    }

    #[test]
    fn moments_are_utc() {
        let rows = [
            (0, "1970-01-01 00:00:00.000"),
            (951_782_400_000, "2000-02-29 00:00:00.000"),
            (1_795_395_970_123, "2026-11-23 01:06:10.123"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000"),
        ];
        for (wall_ms, shown) in rows {
            assert_eq!(moment(wall_ms), shown);
        }
    }

    #[test]
    fn spans_and_lists_are_short() {
        let rows = [(0, "0 ms"), (999, "999 ms"), (61_000, "1 min 1 s"), (90_000_000, "1 d 1 h")];
        for (ms, shown) in rows {
            assert_eq!(span(ms), shown);
        }
        let names = [Value::from("a"), Value::from("b\u{1b}"), Value::from("c")];
        assert_eq!(
            (few(&names, 2), count(1, "unit"), count(2, "unit")),
            ("a, b?, and 1 more".to_owned(), "1 unit".to_owned(), "2 units".to_owned())
        );
    }
}

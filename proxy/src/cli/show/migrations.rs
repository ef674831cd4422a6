//! Migrations for people: phase, primary, lag, gate and way back, what is wrong first.

use serde_json::Value;

use super::table::{Lean, NONE, Table, count, few, field, line, number, plain, rows, safe, text_of};
use crate::handover::gate::Lag;

/// Units that are listed of one migration; `--json` has all.
const UNITS_SHOWN: usize = 60;

/// The answer of `/v1/migrations`.
pub(in crate::cli) fn text(answer: &Value) -> String {
    let mut out = String::new();
    let all = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        line(&mut out, 0, "no migration is configured: add [[migration]] to the configuration");
    }
    for (at, migration) in all.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        out.push_str(&one(migration));
    }
    out
}

/// One migration with its units.
pub(in crate::cli) fn one(migration: &Value) -> String {
    let mut out = head(migration);
    units(&mut out, rows(migration, "units"));
    out
}

/// One migration without its units.
pub(in crate::cli) fn head(migration: &Value) -> String {
    let mut out = String::new();
    let name = text_of(migration, "name");
    line(&mut out, 0, &format!("{name} on cluster {}", text_of(migration, "cluster")));
    field(&mut out, 1, "phase", &phase(migration));
    field(&mut out, 1, "primary", &primary(rows(migration, "units")));
    field(&mut out, 1, "lag", &lag(rows(migration, "units")).words());
    field(&mut out, 1, "way back", &way_back(migration));
    for gives_up in migration.get("cutover_gives_up").and_then(Value::as_array).into_iter().flatten() {
        field(&mut out, 1, "at cutover", &plain(gives_up));
    }
    if let Some(differences) = divergences(rows(migration, "units")) {
        field(&mut out, 1, "diverged", &differences);
    }
    if let Some(handover) = migration.get("handover").filter(|handover| !handover.is_null()) {
        field(&mut out, 1, "handover", &handover_words(handover));
    }
    if let Some(last) = migration.get("last").and_then(Value::as_str) {
        field(&mut out, 1, "last", &safe(last));
    }
    for unit in rows(migration, "units") {
        if let Some(reason) = stopped(unit) {
            field(&mut out, 1, "STOPPED", &format!("{}: {reason}", text_of(unit, "unit")));
            if let Some(command) = unit.get("resume").and_then(Value::as_str) {
                field(&mut out, 1, "to resume", &safe(command));
            }
        }
    }
    if let Some(report) = migration.get("gate").filter(|gate| !gate.is_null()) {
        out.push('\n');
        out.push_str(&gate(report));
    }
    next(&mut out, migration, &name);
    out
}

/// A gate: what is red first, each with what to do.
pub(in crate::cli) fn gate(report: &Value) -> String {
    let mut out = String::new();
    let (red, green): (Vec<&Value>, Vec<&Value>) =
        rows(report, "requirements").iter().partition(|each| !is_green(each));
    let verdict = if red.is_empty() { "green" } else { "RED" };
    line(&mut out, 1, &format!("gate to {}: {verdict}", text_of(report, "to")));
    let width = red.iter().map(|each| text_of(each, "name").chars().count()).max().unwrap_or_default();
    for each in red {
        let name = text_of(each, "name");
        line(&mut out, 2, &format!("RED  {name:<width$}  {}", text_of(each, "missing")));
        line(&mut out, 2, &format!("     {:<width$}  do: {}", "", text_of(each, "remedy")));
    }
    if !green.is_empty() {
        let names: Vec<String> = green.iter().map(|each| text_of(each, "name")).collect();
        line(&mut out, 2, &format!("ok   {}", names.join(", ")));
    }
    for gives_up in report.get("gives_up").and_then(Value::as_array).into_iter().flatten() {
        line(&mut out, 2, &format!("NOTE {}", plain(gives_up)));
    }
    out
}

fn is_green(requirement: &Value) -> bool {
    requirement.get("green").and_then(Value::as_bool).unwrap_or_default()
}

/// What is typed next, where nothing is under way.
fn next(out: &mut String, migration: &Value, name: &str) {
    let idle = text_of(migration, "doing") == "nothing";
    let Some(report) = migration.get("gate").filter(|gate| idle && !gate.is_null()) else { return };
    if !rows(report, "requirements").iter().all(is_green) {
        return;
    }
    let to = text_of(report, "to");
    line(out, 1, &format!("next: sluice advance {name} {to} --wait"));
    if to == "retired" {
        line(out, 1, "      after it legacy is contacted no more, and nothing leads back");
    }
}

/// `mirror`, or `mirror, on its way to cutover: handover 3`.
pub(in crate::cli) fn phase(migration: &Value) -> String {
    let (at, doing) = (text_of(migration, "phase"), text_of(migration, "doing"));
    let at = match migration.get("percent").and_then(Value::as_u64) {
        Some(percent) => format!("{at} {percent} %"),
        None => at,
    };
    match migration.get("wanted").and_then(Value::as_str) {
        Some(wanted) => format!("{at}, on its way to {}: {doing}", safe(wanted)),
        None if doing == "nothing" || doing.is_empty() => at,
        None => format!("{at}: {doing}"),
    }
}

/// `legacy`, or `kernel of 3 units, legacy of 2`.
pub(in crate::cli) fn primary(units: &[Value]) -> String {
    let kernel = units.iter().filter(|unit| text_of(unit, "primary") == "kernel").count();
    let legacy = units.len() - kernel;
    match (kernel, legacy) {
        (0, 0) => "no unit is known yet".to_owned(),
        (0, units) => format!("legacy, of {}", count(units as u64, "unit")),
        (units, 0) => format!("kernel, of {}", count(units as u64, "unit")),
        (kernel, legacy) => format!("kernel of {}, legacy of {legacy}", count(kernel as u64, "unit")),
    }
}

/// How far the kernel is behind, over many units.
#[derive(Debug, Default)]
pub(in crate::cli) struct TotalLag {
    records: u64,
    seconds: u64,
    followed: usize,
    copying: usize,
    worst: String,
    /// Legacy has been silent: since when, and why.
    unheard: Option<String>,
}

impl TotalLag {
    /// In records and seconds, with the unit that is furthest behind, and why legacy is silent if it is.
    pub(in crate::cli) fn words(&self) -> String {
        let mut parts = self.figures();
        parts.extend(self.unheard.clone());
        if parts.is_empty() { "nothing is followed".to_owned() } else { parts.join("; ") }
    }

    /// As [`TotalLag::words`], for a cell of a table.
    pub(in crate::cli) fn short(&self) -> String {
        let mut parts = self.figures();
        parts.extend(self.unheard.as_ref().map(|_| "legacy is SILENT".to_owned()));
        if parts.is_empty() { "nothing is followed".to_owned() } else { parts.join("; ") }
    }

    fn figures(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.copying > 0 {
            parts.push(format!("the copy of {} begins", count(self.copying as u64, "unit")));
        }
        if self.followed > 0 {
            let worst = if self.records > 0 { format!(" (most: {})", self.worst) } else { String::new() };
            parts.push(format!("{}, {} s{worst}", count(self.records, "record"), self.seconds));
        }
        parts
    }
}

/// The lag of all units.
pub(in crate::cli) fn lag(units: &[Value]) -> TotalLag {
    let mut total = TotalLag::default();
    let mut most = 0;
    for unit in units {
        let Some(lag) = unit.get("lag").filter(|lag| !lag.is_null()) else { continue };
        let records = number(lag, "records");
        if let Some(unheard) = lag.get("unheard").and_then(Value::as_str) {
            total.unheard.get_or_insert_with(|| safe(unheard));
        }
        if is_copying(lag) {
            total.copying += 1;
            continue;
        }
        total.followed += 1;
        total.records = total.records.saturating_add(records);
        total.seconds = total.seconds.max(number(lag, "seconds"));
        if records > most {
            most = records;
            total.worst = text_of(unit, "unit");
        }
    }
    total
}

/// Before the first batch nobody knows how many records there are.
fn is_copying(lag: &Value) -> bool {
    number(lag, "records") == Lag::UNKNOWN
}

/// Whether a rollback would lose nothing, and why if not.
pub(in crate::cli) fn way_back(migration: &Value) -> String {
    match migration.get("way_back") {
        Some(Value::String(word)) => safe(word),
        Some(Value::Object(words)) => {
            let words = words.iter().map(|(word, what)| match what.as_u64() {
                Some(records) => format!("{}: {} to come", safe(word), count(records, "record")),
                None => format!("{}: {}", safe(word), plain(what)),
            });
            words.collect::<Vec<_>>().join("; ")
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => NONE.to_owned(),
    }
}

fn divergences(units: &[Value]) -> Option<String> {
    let all: u64 = units.iter().map(|unit| number(unit, "divergences")).sum();
    let unexplained: u64 = units.iter().map(|unit| number(unit, "unexplained")).sum();
    (all > 0).then(|| {
        let times = if all == 1 { "once".to_owned() } else { format!("{all} times") };
        format!("{times}, {unexplained} unexplained (`sluice ledger` has each with a sample)")
    })
}

fn handover_words(handover: &Value) -> String {
    let waits = text_of(handover, "waits_for");
    let waits = if waits.is_empty() { String::new() } else { format!(", waits for {waits}") };
    format!(
        "{} of {}: {}, clients held for {} ms{waits}",
        number(handover, "handover"),
        count(number(handover, "units"), "unit"),
        text_of(handover, "step"),
        number(handover, "fenced_ms"),
    )
}

/// Why a unit takes part in nothing: by the ledger, or because its feed has stopped.
fn stopped(unit: &Value) -> Option<String> {
    let fed = unit.pointer("/lag/stopped").and_then(Value::as_str);
    unit.get("stopped").and_then(Value::as_str).or(fed).map(safe)
}

fn units(out: &mut String, units: &[Value]) {
    let mut table = Table::new(&[
        ("unit", Lean::Left),
        ("phase", Lean::Left),
        ("primary", Lean::Left),
        ("epoch", Lean::Right),
        ("records behind", Lean::Right),
        ("seconds", Lean::Right),
        ("diverged", Lean::Right),
        ("unexplained", Lean::Right),
    ]);
    // What needs a person comes first; the order of names is kept otherwise.
    let mut sorted: Vec<&Value> = units.iter().collect();
    sorted.sort_by_key(|unit| (stopped(unit).is_none(), number(unit, "unexplained") == 0));
    for unit in sorted.iter().take(UNITS_SHOWN) {
        let lag = unit.get("lag").filter(|lag| !lag.is_null());
        let records = lag.map_or(NONE.to_owned(), |lag| {
            if is_copying(lag) { "begins".to_owned() } else { number(lag, "records").to_string() }
        });
        table.add(vec![
            text_of(unit, "unit"),
            text_of(unit, "phase"),
            text_of(unit, "primary"),
            number(unit, "epoch").to_string(),
            if stopped(unit).is_some() { "STOPPED".to_owned() } else { records },
            lag.map_or(NONE.to_owned(), |lag| number(lag, "seconds").to_string()),
            number(unit, "divergences").to_string(),
            number(unit, "unexplained").to_string(),
        ]);
    }
    if !units.is_empty() {
        out.push('\n');
    }
    table.write(out, 1);
    if units.len() > UNITS_SHOWN {
        line(out, 1, &format!("and {} more; --json lists all", units.len() - UNITS_SHOWN));
    }
}

/// An order that was taken, or a migration that has reached its phase.
pub(in crate::cli) fn ordered(name: &str, answer: &Value) -> String {
    let mut out = String::new();
    if answer.get("steps").is_none() {
        return head(answer);
    }
    let steps: Vec<String> = rows(answer, "steps").iter().map(plain).collect();
    line(&mut out, 0, &format!("{name}: {} -> {}", text_of(answer, "from"), steps.join(" -> ")));
    for note in rows(answer, "notes") {
        line(&mut out, 1, &format!("note: {}", plain(note)));
    }
    line(&mut out, 1, "it goes on by itself: `sluice migrations` shows how far it is, --wait waits for it");
    out
}

/// What `sluice resume` did.
pub(in crate::cli) fn resumed(answer: &Value) -> String {
    let mut out = String::new();
    let units = |key| count(rows(answer, key).len() as u64, "unit");
    let name = text_of(answer, "migration");
    line(&mut out, 0, &format!("{name}: {} stopped no more", units("resumed")));
    for (key, what) in [
        ("resumed", "resumed"),
        ("copied_from_the_beginning", "copied from the beginning"),
        ("left_the_migration", "gone from legacy, left the migration"),
    ] {
        let named = rows(answer, key);
        if !named.is_empty() {
            line(&mut out, 1, &format!("{what}: {}", few(named, UNITS_SHOWN)));
        }
    }
    line(&mut out, 1, "`sluice migrations` shows how far the copy is");
    out
}

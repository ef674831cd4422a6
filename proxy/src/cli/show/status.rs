//! The process for people: is it well, what does it serve, how far are its migrations.

use serde_json::Value;

use super::migrations;
use super::table::{Lean, NONE, Table, count, field, line, number, plain, rows, safe, span, text_of};

/// The answer of `/v1/status`.
pub(in crate::cli) fn text(answer: &Value) -> String {
    let mut out = String::new();
    let flag = |pointer: &str| answer.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
    let well = match (flag("/health/healthy"), flag("/health/ready")) {
        (true, true) => "healthy and ready",
        (true, false) => "healthy, NOT READY",
        (false, _) => "NOT HEALTHY",
    };
    let version = text_of(answer, "version");
    let uptime = span(number(answer, "uptime_ms"));
    let connections = count(number(answer, "connections"), "connection");
    line(&mut out, 0, &format!("sluice {version}, up {uptime}: {well}, {connections}"));
    troubles(&mut out, answer);
    clusters(&mut out, rows(answer, "clusters"));
    all_migrations(&mut out, rows(answer, "migrations"));
    serves(&mut out, rows(answer, "serves"));
    out
}

fn troubles(out: &mut String, answer: &Value) {
    let health = answer.get("health").unwrap_or(&Value::Null);
    for (part, reason) in health.get("faults").and_then(Value::as_object).into_iter().flatten() {
        field(out, 1, "FAILED", &format!("{}: {}; restart the process", safe(part), plain(reason)));
    }
    for (part, what) in health.get("damaged").and_then(Value::as_object).into_iter().flatten() {
        field(out, 1, "DAMAGED", &format!("{}: {}", safe(part), plain(what)));
    }
    for part in rows(health, "full") {
        field(out, 1, "FULL", &format!("{} refuses writes: free or add disk space", plain(part)));
    }
    let audit = answer.get("audit").unwrap_or(&Value::Null);
    if let Some(why) = audit.get("trouble").and_then(Value::as_str) {
        let waiting = count(number(audit, "waiting"), "act");
        field(out, 1, "AUDIT", &format!("log cannot be written, {waiting} in memory only: {}", safe(why)));
    }
    if answer.get("stopped").and_then(Value::as_bool).unwrap_or_default() {
        field(out, 1, "FAILED", "the migrations have stopped; the log says why");
    }
    for cluster in rows(answer, "clusters") {
        let name = text_of(cluster, "name");
        if let Some(reason) =
            cluster.get("unreached").and_then(Value::as_str).filter(|_| !is_retired(cluster))
        {
            field(out, 1, "LEGACY", &format!("of {name} is not reached: {}", safe(reason)));
        }
        for broker in rows(cluster, "portless") {
            let (broker, reason) = (number(broker, "broker"), text_of(broker, "reason"));
            field(out, 1, "BROKER", &format!("{broker} of {name} is out of clients' reach: {reason}"));
        }
        if let Some(reason) = cluster.get("groups_error").and_then(Value::as_str) {
            field(out, 1, "GROUPS", &format!("of {name} are not followed: {}", safe(reason)));
        }
    }
    for cluster in rows(answer, "clusters") {
        canary(out, cluster.get("canary").unwrap_or(&Value::Null));
    }
    for migration in rows(answer, "migrations") {
        for unit in rows(migration, "units") {
            if let Some(reason) = unit.get("stopped").and_then(Value::as_str) {
                field(out, 1, "STOPPED", &format!("{}: {}", text_of(unit, "unit"), safe(reason)));
            }
        }
    }
}

/// Who reads from the kernel, and who was chosen and does not.
fn canary(out: &mut String, canary: &Value) {
    if !canary.is_object() {
        return;
    }
    let reading = count(number(canary, "reading"), "consumer");
    let served = number(canary, "served");
    let back = number(canary, "sent_back");
    field(out, 1, "canary", &format!("{reading} read from the kernel: {served} fetches, {back} sent back"));
    for each in rows(canary, "held_back") {
        let (unit, why) = (text_of(each, "unit"), text_of(each, "why"));
        field(out, 1, "HELD BACK", &format!("nobody reads {unit} from the kernel: {why}"));
    }
    for each in rows(canary, "cannot") {
        let (id, address, why) = (text_of(each, "client_id"), text_of(each, "address"), text_of(each, "why"));
        field(out, 1, "CANNOT", &format!("{id} at {address} reads from legacy: {why}"));
    }
}

/// Legacy is contacted no more: nothing about it matters.
fn is_retired(cluster: &Value) -> bool {
    cluster.get("retired").and_then(Value::as_bool).unwrap_or_default()
}

fn clusters(out: &mut String, all: &[Value]) {
    let mut table = Table::new(&[
        ("cluster", Lean::Left),
        ("legacy", Lean::Left),
        ("brokers", Lean::Left),
        ("kernel's node", Lean::Left),
        ("group records behind", Lean::Right),
    ]);
    for cluster in all {
        let is = |key: &str| cluster.get(key).and_then(Value::as_bool).unwrap_or_default();
        let retired = is_retired(cluster);
        let legacy = match (retired, is("connected")) {
            (true, _) => "retired",
            (false, true) => "connected",
            (false, false) => "NOT CONNECTED",
        };
        let brokers: Vec<String> = rows(cluster, "brokers").iter().map(plain).collect();
        table.add(vec![
            text_of(cluster, "name"),
            legacy.to_owned(),
            if brokers.is_empty() || retired { NONE.to_owned() } else { brokers.join(", ") },
            if is("kernel_shown") { "shown to clients" } else { "not shown yet" }.to_owned(),
            if retired { NONE.to_owned() } else { number(cluster, "groups_behind").to_string() },
        ]);
    }
    section(out, &table, all);
}

fn all_migrations(out: &mut String, all: &[Value]) {
    let mut table = Table::new(&[
        ("migration", Lean::Left),
        ("phase", Lean::Left),
        ("primary", Lean::Left),
        ("lag", Lean::Left),
        ("way back", Lean::Left),
    ]);
    for migration in all {
        let units = rows(migration, "units");
        table.add(vec![
            text_of(migration, "name"),
            migrations::phase(migration),
            migrations::primary(units),
            migrations::lag(units).short(),
            migrations::way_back(migration),
        ]);
    }
    section(out, &table, all);
}

fn serves(out: &mut String, all: &[Value]) {
    let mut table = Table::new(&[("listener", Lean::Left), ("address", Lean::Left), ("", Lean::Left)]);
    for each in all {
        let (what, address) = (text_of(each, "what"), text_of(each, "address"));
        if what != "cluster" {
            table.add(vec![what, address, String::new()]);
            continue;
        }
        let name = text_of(each, "cluster");
        let legacy: Vec<String> = rows(each, "legacy").iter().map(plain).collect();
        table.add(vec![name.clone(), address, "clients bootstrap here".to_owned()]);
        table.add(vec![name.clone(), text_of(each, "brokers"), format!("for {}", legacy.join(", "))]);
        table.add(vec![name, text_of(each, "kernel"), "the kernel's node".to_owned()]);
    }
    section(out, &table, all);
}

fn section(out: &mut String, table: &Table, rows: &[Value]) {
    if !rows.is_empty() {
        out.push('\n');
    }
    table.write(out, 1);
}

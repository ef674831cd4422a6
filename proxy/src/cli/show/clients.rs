//! Who connects, for people: what keeps a migration from moving comes first.

use serde_json::Value;

use super::table::{Lean, NONE, Table, count, field, line, number, rows, safe, span, text_of};

/// The answer of `/v1/clients`, seen at this wall clock.
pub(in crate::cli) fn text(answer: &Value, now_ms: i64) -> String {
    let mut out = String::new();
    let all = rows(answer, "clients");
    let connections = count(number(answer, "connections"), "open connection");
    line(&mut out, 0, &format!("{} seen since the start, {connections}", count(all.len() as u64, "client")));
    if number(answer, "forgotten") > 0 {
        let forgotten = count(number(answer, "forgotten"), "client");
        field(&mut out, 1, "forgotten", &format!("{forgotten}: raise `limits.clients_max` to keep more"));
    }
    if number(answer, "dual_write_missed") > 0 {
        let times = number(answer, "dual_write_missed");
        field(&mut out, 1, "slow", &format!("{times} answers went out before the kernel held their batch"));
    }
    unsupported(&mut out, all);
    canary(&mut out, all);
    if !all.is_empty() {
        out.push('\n');
    }
    table(all, now_ms).write(&mut out, 1);
    out
}

fn unsupported(out: &mut String, all: &[Value]) {
    for client in all {
        for used in rows(client, "unsupported") {
            let on = used.get("unit").and_then(Value::as_str);
            let on = on.map(|unit| format!(" on {}", safe(unit))).unwrap_or_default();
            let words = format!(
                "{} at {} uses {}{on}: the kernel does not serve it, and the gate keeps it on legacy",
                name(client),
                text_of(client, "address"),
                text_of(used, "feature"),
            );
            field(out, 1, "HINDERS", &words);
        }
    }
}

/// What became of the consumers that a canary chose.
fn canary(out: &mut String, all: &[Value]) {
    for client in all {
        let part = client.get("canary").unwrap_or(&Value::Null);
        let who = format!("{} at {}", name(client), text_of(client, "address"));
        if let Some(why) = part.get("cannot").and_then(Value::as_str) {
            field(out, 1, "CANNOT", &format!("{who} reads from legacy, not from the canary: {}", safe(why)));
        } else if number(part, "served") > 0 {
            let served = count(number(part, "served"), "fetch").replace("fetchs", "fetches");
            let back = match number(part, "sent_back") {
                0 => String::new(),
                times => format!(", sent back {times} times ({})", text_of(part, "last_back")),
            };
            field(out, 1, "canary", &format!("{who} had {served} from the kernel{back}"));
        }
    }
}

fn name(client: &Value) -> String {
    let id = text_of(client, "client_id");
    if id.is_empty() { "(no client id)".to_owned() } else { id }
}

fn table(all: &[Value], now_ms: i64) -> Table {
    let mut table = Table::new(&[
        ("client id", Lean::Left),
        ("software", Lean::Left),
        ("address", Lean::Left),
        ("open", Lean::Right),
        ("ever", Lean::Right),
        ("last opened or closed", Lean::Right),
        ("APIs", Lean::Right),
    ]);
    for client in all {
        let software = [text_of(client, "software"), text_of(client, "version")].join(" ");
        let software = software.trim();
        let seen = client.get("last_seen_ms").and_then(Value::as_i64).unwrap_or(now_ms);
        let ago = u64::try_from(now_ms.saturating_sub(seen)).unwrap_or_default();
        table.add(vec![
            name(client),
            if software.is_empty() { NONE.to_owned() } else { software.to_owned() },
            text_of(client, "address"),
            number(client, "connections").to_string(),
            number(client, "connections_total").to_string(),
            format!("{} ago", span(ago)),
            rows(client, "apis").len().to_string(),
        ]);
    }
    table
}

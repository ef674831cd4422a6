//! Answers of the admin API as text: pure functions from JSON to what a person reads.
//!
//! Each view says first what is wrong and what to do about it. What a view does not know (a field of a newer
//! sluice) is left out; `--json` has everything.

mod audit;
mod clients;
mod ledger;
mod migrations;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod verified;

use serde_json::Value;

pub(super) use audit::text as audit;
pub(super) use clients::text as clients;
pub(super) use ledger::text as ledger;
pub(super) use migrations::{ordered, resumed, text as migrations};
pub(super) use status::text as status;
pub(super) use verified::text as verified;

/// A refusal, with what it says beyond its sentence.
pub(super) fn refused(error: &str, body: &Value) -> String {
    let detail = body.get("detail").unwrap_or(&Value::Null);
    if let Some(gate) = detail.get("gate").filter(|_| detail.get("name").is_none()) {
        // The sentence repeats the whole gate for those who read one line only.
        let first = error.split_once(": ").map_or(error, |(first, _)| first);
        return format!("error: {}\n{}", table::safe(first), migrations::gate(gate));
    }
    let more = if detail.get("phase").is_some() { migrations::head(detail) } else { String::new() };
    format!("error: {}\n{more}", table::safe(error))
}

//! The audit log for people: an act a line, the newest last.

use serde_json::Value;

use super::table::{Lean, Table, line, moment, plain, rows, text_of};

/// The answer of `/v1/audit`.
pub(in crate::cli) fn text(answer: &Value) -> String {
    let mut out = String::new();
    let acts = rows(answer, "acts");
    if acts.is_empty() {
        line(&mut out, 0, "nobody has ordered anything yet");
        return out;
    }
    let mut table = Table::new(&[
        ("TIME (UTC)", Lean::Left),
        ("WHO", Lean::Left),
        ("FROM", Lean::Left),
        ("WHAT", Lean::Left),
        ("OUTCOME", Lean::Left),
    ]);
    for act in acts {
        let proved = act.get("proved").and_then(Value::as_bool).unwrap_or_default();
        let who = text_of(act, "who");
        table.add(vec![
            moment(act.get("at_ms").and_then(Value::as_i64).unwrap_or_default()),
            if proved { who } else { format!("({who})") },
            act.get("from").map(plain).unwrap_or_default(),
            text_of(act, "what"),
            text_of(act, "outcome"),
        ]);
    }
    table.write(&mut out, 0);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_was_only_said_is_in_brackets() {
        let act = |who: &str, proved: bool| {
            json!({ "at_ms": 0, "via": "kafka", "who": who, "proved": proved, "from": "192.0.2.1",
                "what": "DeleteTopics t", "outcome": "ok", "done": true })
        };
        let text = text(&json!({ "acts": [act("User:ada", true), act("bob", false)] }));
        assert!(text.contains("User:ada  192.0.2.1  DeleteTopics t  ok"), "{text}");
        assert!(text.contains("(bob)     192.0.2.1  DeleteTopics t  ok"), "{text}");
        assert!(super::text(&json!({ "acts": [] })).contains("nobody"));
    }
}

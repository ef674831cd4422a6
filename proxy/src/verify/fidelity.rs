//! The fidelity report: for each client and each API that it has used, whether what legacy answers it from is what the
//! kernel would answer from.
//!
//! A verification compares *facts*: what an answer says once everything is left out that has to differ. What is left
//! out stands in [`IGNORED`], each field with its reason, and nowhere else. Two readings of legacy make the noise
//! floor: what legacy itself answers differently a moment later is counted apart and blames nobody.

use std::collections::BTreeMap;

use serde_json::Value;

/// What was compared of one API's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// How many.
    pub compared: u64,
    /// How many differ without an explanation.
    pub differing: u64,
    /// How many legacy gave differently in two readings.
    pub noise: u64,
}

/// A field that is left out of the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignored {
    /// API by its number.
    pub api: i16,
    /// Field, or what stands for several.
    pub field: &'static str,
    /// Why it may differ and nobody loses anything.
    pub reason: &'static str,
}

/// Every field that is left out. What is not here is compared.
pub const IGNORED: &[Ignored] = &[
    Ignored { api: 1, field: "throttle_time_ms", reason: "says how busy the broker is, not what it holds" },
    Ignored {
        api: 1,
        field: "session_id",
        reason: "a fetch session belongs to one connection to one broker",
    },
    Ignored {
        api: 1,
        field: "preferred_read_replica",
        reason: "follows from where the asked broker and the client are, not from the log",
    },
    Ignored {
        api: 1,
        field: "high_watermark, last_stable_offset",
        reason: "both move with every write; the ends are compared once, in an order in which neither can be ahead",
    },
    Ignored {
        api: 1,
        field: "partition_leader_epoch of legacy's batches behind a cut",
        reason: "clients see virtual epochs: legacy's own are translated by the partition's table, then compared",
    },
    Ignored { api: 2, field: "throttle_time_ms", reason: "says how busy the broker is, not what it holds" },
    Ignored {
        api: 2,
        field: "leader_epoch",
        reason: "the epoch of the last batch is compared with the batch itself",
    },
    Ignored { api: 3, field: "throttle_time_ms", reason: "says how busy the broker is, not what it holds" },
    Ignored {
        api: 3,
        field: "brokers, leader_id, replica_nodes, isr_nodes",
        reason: "clients are told the proxy's addresses and, for what has moved, the kernel's node: that is the point",
    },
    Ignored {
        api: 3,
        field: "leader_epoch",
        reason: "grows with every election on the side that leads, and only there",
    },
    Ignored { api: 9, field: "throttle_time_ms", reason: "says how busy the broker is, not what it holds" },
    Ignored {
        api: 9,
        field: "committed_leader_epoch",
        reason: "kept on legacy only where virtual and real epochs are the same; a consumer takes -1 for unknown",
    },
    Ignored { api: 32, field: "throttle_time_ms", reason: "says how busy the broker is, not what it holds" },
    Ignored {
        api: 32,
        field: "settings that were not made for the topic",
        reason: "a broker's defaults are its own; what a topic was given is compared",
    },
    Ignored {
        api: 32,
        field: "synonyms, documentation, config_type, read_only",
        reason: "describe the broker's software, not the topic",
    },
];

/// APIs of which facts are compared, by number and name.
const COMPARED: [(i16, &str); 5] =
    [(1, "Fetch"), (2, "ListOffsets"), (3, "Metadata"), (9, "OffsetFetch"), (32, "DescribeConfigs")];

/// Clients that the report names, at the most; the rest is counted.
const CLIENTS_MAX: usize = 200;

/// One client and one API.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Client id.
    pub client_id: String,
    /// Software, if it said.
    pub software: String,
    /// API by its number.
    pub api: i16,
    /// Its name, where facts of it are compared.
    pub name: &'static str,
    /// Versions that the client used.
    pub versions: Vec<i16>,
    /// Facts compared.
    pub compared: u64,
    /// Facts that differ without an explanation.
    pub differing: u64,
    /// Facts that legacy itself gave differently.
    pub noise: u64,
}

/// The report: `clients` is what the inventory shows.
#[must_use]
pub(super) fn rows(clients: &Value, facts: &BTreeMap<i16, Facts>) -> Vec<Row> {
    let clients = clients.get("clients").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text =
        |client: &Value, key: &str| client.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for client in clients.iter().take(CLIENTS_MAX) {
        let apis = client.get("apis").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for used in apis {
            let number = used.get("api").and_then(Value::as_i64).and_then(|api| i16::try_from(api).ok());
            let Some((api, name)) = COMPARED.into_iter().find(|(api, _)| Some(*api) == number) else {
                continue;
            };
            let versions =
                used.get("versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let versions =
                versions.iter().filter_map(Value::as_i64).filter_map(|each| i16::try_from(each).ok());
            let Facts { compared, differing, noise } = facts.get(&api).copied().unwrap_or_default();
            rows.push(Row {
                client_id: text(client, "client_id"),
                software: text(client, "software"),
                api,
                name,
                versions: versions.collect(),
                compared,
                differing,
                noise,
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_client_gets_the_apis_that_it_used_and_that_are_compared() {
        let clients = json!({ "clients": [
            { "client_id": "billing", "software": "librdkafka", "apis": [
                { "api": 1, "versions": [11, 12] }, { "api": 0, "versions": [9] } ] },
            { "client_id": "x", "software": null, "apis": [{ "api": 9, "versions": [8] }] },
        ] });
        let facts = BTreeMap::from([
            (1, Facts { compared: 10, differing: 1, noise: 0 }),
            (9, Facts { compared: 4, differing: 0, noise: 2 }),
        ]);
        let found = rows(&clients, &facts);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].client_id.as_str(), found[0].name, found[0].differing), ("billing", "Fetch", 1));
        assert_eq!(found[0].versions, [11, 12]);
        assert_eq!((found[1].name, found[1].noise), ("OffsetFetch", 2));
    }

    #[test]
    fn every_ignored_field_has_its_reason_once() {
        let mut seen = std::collections::BTreeSet::new();
        for each in IGNORED {
            assert!(seen.insert((each.api, each.field)), "{each:?}");
            assert!(COMPARED.iter().any(|(api, _)| *api == each.api), "{each:?}");
            assert!(each.reason.split(' ').count() > 5 && !each.reason.contains("  "), "{each:?}");
        }
    }
}

//! Client quotas (KIP-546): what they are about, and which one holds for a client.

use std::collections::BTreeMap;

/// What a quota is about: `user`, `client-id` or `ip`, each with a name or (`None`) the default of that kind.
pub type Entity = BTreeMap<String, Option<String>>;

/// Quotas by entity and key. Values are compared as they were set.
pub type Quotas = BTreeMap<Entity, BTreeMap<String, f64>>;

/// What is metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuotaKind {
    /// Bytes per second that a client writes.
    Produce,
    /// Bytes per second that a client reads.
    Consume,
}

impl QuotaKind {
    /// The key of its quota.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Produce => "producer_byte_rate",
            Self::Consume => "consumer_byte_rate",
        }
    }

    /// The quota that holds for a client, in bytes per second, and whom it is shared with: the most particular
    /// one counts, users before client ids (Kafka's order).
    #[must_use]
    pub fn of(self, quotas: &Quotas, user: &str, client_id: &str) -> Option<(Entity, f64)> {
        if quotas.is_empty() {
            return None;
        }
        let entity = |user: Option<Option<&str>>, client: Option<Option<&str>>| -> Entity {
            let named = [("user", user), ("client-id", client)];
            let named = named.into_iter().filter_map(|(kind, name)| Some((kind, name?)));
            named.map(|(kind, name)| (kind.to_owned(), name.map(str::to_owned))).collect()
        };
        let (user, client) = (Some(user), Some(client_id));
        let order = [
            (Some(user), Some(client)),
            (Some(user), Some(None)),
            (Some(user), None),
            (Some(None), Some(client)),
            (Some(None), Some(None)),
            (Some(None), None),
            (None, Some(client)),
            (None, Some(None)),
        ];
        order.into_iter().find_map(|(of_user, of_client)| {
            let rate = *quotas.get(&entity(of_user, of_client))?.get(self.key())?;
            // Shared by everybody of the same real name, not by everybody of the default.
            Some((entity(of_user.map(|_| user), of_client.map(|_| client)), rate))
        })
    }
}

/// Keys that users and client ids can have.
const CLIENT_KEYS: [&str; 4] =
    ["consumer_byte_rate", "controller_mutation_rate", "producer_byte_rate", "request_percentage"];

/// Whether a key exists for an entity.
#[must_use]
pub fn is_quota_key(entity: &Entity, key: &str) -> bool {
    if entity.contains_key("ip") { key == "connection_creation_rate" } else { CLIENT_KEYS.contains(&key) }
}

/// Why a quota cannot have this value. Kafka counts bytes and connections in whole numbers, to within a millionth.
#[must_use]
pub fn quota_refusal(key: &str, value: f64) -> Option<&'static str> {
    const NEAR: f64 = 1e-6;
    let whole = matches!(key, "consumer_byte_rate" | "producer_byte_rate" | "connection_creation_rate");
    if !value.is_finite() || value <= 0.0 {
        return Some("must be greater than 0");
    }
    (whole && (value - value.round()).abs() > NEAR).then_some("must be a whole number")
}

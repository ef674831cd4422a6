//! Who connects, with what, and using what: the operator's list, and what the gate asks before it moves
//! anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use session::{Event, UnitId};
use translator_kafka::canary::ReaderId;
use translator_kafka::gateway::ClusterShared;

use crate::clock::Clock;
use crate::driver::{ConnectionId, Ending, Observer};
use crate::migrate::canary::reader_json;

/// Pairs of API and version that are remembered of one client.
const APIS_MAX: usize = 512;
/// Unsupported uses that are remembered of one client.
const UNSUPPORTED_MAX: usize = 256;
/// Units whose acknowledgements are counted.
const UNITS_MAX: usize = 200_000;
/// Users that are remembered.
const USERS_MAX: usize = 10_000;
/// Longest name that is kept, in characters.
const NAME_CHARS_MAX: usize = 256;

/// What one client is known by. Ports change with every connection and say nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    client_id: String,
    software: Option<String>,
    version: Option<String>,
    address: IpAddr,
}

#[derive(Debug, Default)]
struct Client {
    open: u64,
    total: u64,
    last_seen_ms: i64,
    apis: BTreeSet<(i16, i16)>,
    unsupported: BTreeSet<(&'static str, Option<UnitId>)>,
}

#[derive(Debug, Default)]
struct State {
    clients: BTreeMap<Identity, Client>,
    connections: BTreeMap<ConnectionId, Identity>,
    /// Users that logged in, and how.
    users: BTreeSet<(String, String)>,
    forgotten: u64,
    dual_write_missed: u64,
    /// Records acknowledged to clients, by unit.
    acknowledged: BTreeMap<UnitId, u64>,
}

/// Something that a client uses and the kernel does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedUse {
    /// What: a short stable word.
    pub feature: &'static str,
    /// The unit that uses it, if it is one.
    pub unit: Option<UnitId>,
    /// Client id.
    pub client_id: String,
    /// Where it connects from.
    pub address: IpAddr,
}

/// Clients that were seen since the process began, at most `clients_max`.
pub struct Inventory {
    clock: Clock,
    clients_max: usize,
    state: Mutex<State>,
    began_ms: i64,
    canaries: Mutex<Vec<Arc<ClusterShared>>>,
    acknowledged: metrics::Counter,
    missed: metrics::Counter,
}

impl Inventory {
    /// An empty inventory.
    #[must_use]
    pub fn new(clock: Clock, clients_max: usize) -> Self {
        Self {
            clock,
            began_ms: clock.now().wall_ms,
            clients_max,
            state: Mutex::default(),
            canaries: Mutex::default(),
            acknowledged: metrics::counter!("sluice_records_acknowledged_total"),
            missed: metrics::counter!("sluice_dual_write_missed_total"),
        }
    }

    /// Records of a unit that were acknowledged to clients, and since when they are counted (wall clock in
    /// milliseconds).
    #[must_use]
    pub fn acknowledged(&self, unit: &UnitId) -> (u64, i64) {
        (self.state.lock().acknowledged.get(unit).copied().unwrap_or(0), self.began_ms)
    }

    /// Clients of this cluster are shown with their part in its canary.
    pub fn watch_canary(&self, cluster: Arc<ClusterShared>) {
        self.canaries.lock().push(cluster);
    }

    fn canary(&self, identity: &Identity) -> Value {
        let id = ReaderId::new(&identity.client_id, &identity.address.to_string());
        let canaries = self.canaries.lock();
        let known = canaries.iter().find_map(|cluster| cluster.readers.get(&id));
        known.map_or(Value::Null, |reader| reader_json(&id, &reader))
    }

    /// How many connections are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.lock().connections.len()
    }

    /// Everything that was seen to be used and that the kernel does not serve.
    #[must_use]
    pub fn unsupported(&self) -> Vec<UnsupportedUse> {
        let state = self.state.lock();
        let uses = |(identity, client): (&Identity, &Client)| {
            let (client_id, address) = (identity.client_id.clone(), identity.address);
            client
                .unsupported
                .iter()
                .map(|(feature, unit)| UnsupportedUse {
                    feature,
                    unit: unit.clone(),
                    client_id: client_id.clone(),
                    address,
                })
                .collect::<Vec<_>>()
        };
        state.clients.iter().flat_map(uses).collect()
    }

    /// Every user that has logged in, with its mechanism; an empty name is one that could not be told.
    #[must_use]
    pub fn users(&self) -> Vec<(String, String)> {
        self.state.lock().users.iter().cloned().collect()
    }

    /// For `sluice clients`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let state = self.state.lock();
        let clients: Vec<_> = state
            .clients
            .iter()
            .map(|(identity, client)| describe(identity, client, self.canary(identity)))
            .collect();
        json!({
            "clients": clients,
            "connections": state.connections.len(),
            "users": state.users.iter().map(|(name, how)| json!({ "user": name, "mechanism": how })).collect::<Vec<_>>(),
            "forgotten": state.forgotten,
            "dual_write_missed": state.dual_write_missed,
        })
    }
}

fn describe(identity: &Identity, client: &Client, canary: Value) -> Value {
    let mut apis: BTreeMap<i16, Vec<i16>> = BTreeMap::new();
    for (api, version) in &client.apis {
        apis.entry(*api).or_default().push(*version);
    }
    let apis: Vec<_> =
        apis.iter().map(|(api, versions)| json!({ "api": api, "versions": versions })).collect();
    let unsupported: Vec<_> = client
        .unsupported
        .iter()
        .map(|(feature, unit)| json!({ "feature": feature, "unit": unit.as_ref().map(ToString::to_string) }))
        .collect();
    json!({
        "client_id": identity.client_id,
        "software": identity.software,
        "version": identity.version,
        "address": identity.address.to_string(),
        "connections": client.open,
        "connections_total": client.total,
        "last_seen_ms": client.last_seen_ms,
        "apis": apis,
        "unsupported": unsupported,
        "canary": canary,
    })
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(NAME_CHARS_MAX) {
        text.truncate(end);
    }
    text
}

impl State {
    fn client(&mut self, id: ConnectionId) -> Option<&mut Client> {
        self.connections.get(&id).and_then(|identity| self.clients.get_mut(identity))
    }

    /// Books a connection on a client, and off the one it was booked on.
    fn assign(&mut self, id: ConnectionId, identity: Identity, now_ms: i64, clients_max: usize) {
        let before = self.leave(id);
        if self.clients.len() >= clients_max && !self.clients.contains_key(&identity) {
            self.forget_one();
        }
        let client = self.clients.entry(identity.clone()).or_default();
        client.open += 1;
        client.total += 1;
        client.last_seen_ms = now_ms;
        if let Some((apis, unsupported)) = before {
            client.apis.extend(apis);
            client.unsupported.extend(unsupported);
        }
        self.connections.insert(id, identity);
    }

    /// Takes a connection off its client. A client without a name that has none left goes, and what it used
    /// is returned: it belongs to the name that the connection gives itself next.
    #[allow(clippy::type_complexity, reason = "two sets that are moved at once")]
    fn leave(
        &mut self,
        id: ConnectionId,
    ) -> Option<(BTreeSet<(i16, i16)>, BTreeSet<(&'static str, Option<UnitId>)>)> {
        let identity = self.connections.remove(&id)?;
        let client = self.clients.get_mut(&identity)?;
        client.open = client.open.saturating_sub(1);
        let nameless = identity.client_id.is_empty() && identity.software.is_none();
        if nameless && client.open == 0 {
            return self.clients.remove(&identity).map(|client| (client.apis, client.unsupported));
        }
        None
    }

    /// Makes room: the one not seen for longest among those that are not connected, else any.
    fn forget_one(&mut self) {
        let oldest = self.clients.iter().min_by_key(|(_, client)| (client.open > 0, client.last_seen_ms));
        if let Some(identity) = oldest.map(|(identity, _)| identity.clone()) {
            self.clients.remove(&identity);
            self.forgotten += 1;
        }
    }
}

impl Observer for Inventory {
    fn opened(&self, id: ConnectionId, peer: SocketAddr) {
        let identity =
            Identity { client_id: String::new(), software: None, version: None, address: peer.ip() };
        let now_ms = self.clock.now().wall_ms;
        self.state.lock().assign(id, identity, now_ms, self.clients_max);
    }

    fn observed(&self, id: ConnectionId, event: Event) {
        let mut state = self.state.lock();
        match event {
            Event::Client { id: client_id, software, version } => {
                let Some(known) = state.connections.get(&id) else { return };
                let identity = Identity {
                    client_id: cut(client_id),
                    software: software.map(cut),
                    version: version.map(cut),
                    address: known.address,
                };
                if *known != identity {
                    let now_ms = self.clock.now().wall_ms;
                    state.assign(id, identity, now_ms, self.clients_max);
                }
            }
            Event::Used { api, version } => {
                if let Some(client) = state.client(id)
                    && client.apis.len() < APIS_MAX
                {
                    client.apis.insert((api, version));
                }
            }
            Event::Unsupported { feature, unit } => {
                if let Some(client) = state.client(id)
                    && client.unsupported.len() < UNSUPPORTED_MAX
                {
                    client.unsupported.insert((feature, unit));
                }
                metrics::counter!("sluice_unsupported_uses_total", "feature" => feature).increment(1);
            }
            Event::Acknowledged { unit, records } => {
                self.acknowledged.increment(records.into());
                if let Some(count) = state.acknowledged.get_mut(&unit) {
                    *count += u64::from(records);
                } else if state.acknowledged.len() < UNITS_MAX {
                    state.acknowledged.insert(unit, records.into());
                }
            }
            Event::User { name, mechanism } => {
                if state.users.len() < USERS_MAX {
                    state.users.insert((cut(name), mechanism));
                }
            }
            // The audit log has them.
            Event::Administered(_) => {}
            Event::Throttled { quota, wait } => {
                metrics::counter!("sluice_throttled_total", "quota" => quota).increment(1);
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                metrics::counter!("sluice_throttled_ms_total", "quota" => quota).increment(wait_ms);
            }
            Event::DualWriteMissed { .. } => {
                state.dual_write_missed += 1;
                self.missed.increment(1);
            }
        }
    }

    fn closed(&self, id: ConnectionId, ending: &Ending) {
        let why = match ending {
            Ending::ClientClosed => "client",
            Ending::Violation(_) => "violation",
            Ending::Broken(_) => "broken",
            Ending::Stalled => "stalled",
            Ending::OutOfMemory => "memory",
            Ending::Stopped => "stopped",
        };
        metrics::counter!("sluice_connections_ended_total", "why" => why).increment(1);
        let now_ms = self.clock.now().wall_ms;
        let mut state = self.state.lock();
        if let Some(client) = state.client(id) {
            client.last_seen_ms = now_ms;
        }
        state.leave(id);
    }
}

/// Tells several observers.
impl Observer for Vec<Arc<dyn Observer>> {
    fn opened(&self, id: ConnectionId, peer: SocketAddr) {
        self.iter().for_each(|observer| observer.opened(id, peer));
    }

    fn observed(&self, id: ConnectionId, event: Event) {
        self.iter().for_each(|observer| observer.observed(id, event.clone()));
    }

    fn closed(&self, id: ConnectionId, ending: &Ending) {
        self.iter().for_each(|observer| observer.closed(id, ending));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> Event {
        Event::Client { id: id.to_owned(), software: Some("librdkafka".to_owned()), version: None }
    }

    fn inventory(clients_max: usize) -> Inventory {
        Inventory::new(Clock::start(), clients_max)
    }

    const PEER: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);

    #[test]
    fn what_a_connection_used_before_it_said_its_name_is_its_own() {
        let inventory = inventory(10);
        inventory.opened(ConnectionId(1), PEER.into());
        inventory.observed(ConnectionId(1), Event::Used { api: 18, version: 3 });
        inventory.observed(ConnectionId(1), named("billing"));
        inventory.observed(ConnectionId(1), Event::Unsupported { feature: "transactions", unit: None });
        let shown = inventory.to_json();
        assert_eq!(shown["clients"].as_array().unwrap().len(), 1);
        assert_eq!(shown["clients"][0]["client_id"], "billing");
        assert_eq!(shown["clients"][0]["apis"], json!([{ "api": 18, "versions": [3] }]));
        assert_eq!(shown["clients"][0]["address"], "127.0.0.1");
        assert_eq!(inventory.unsupported()[0].feature, "transactions");
    }

    #[test]
    fn closed_connections_are_counted_and_the_client_is_remembered() {
        let inventory = inventory(10);
        for id in 1..=3 {
            inventory.opened(ConnectionId(id), PEER.into());
            inventory.observed(ConnectionId(id), named("billing"));
        }
        inventory.closed(ConnectionId(2), &Ending::ClientClosed);
        let shown = inventory.to_json();
        assert_eq!(shown["clients"][0]["connections"], 2);
        assert_eq!(shown["clients"][0]["connections_total"], 3);
        assert_eq!(inventory.connections(), 2);
    }

    #[test]
    fn the_inventory_is_bounded_and_says_that_it_forgot() {
        let inventory = inventory(5);
        for id in 0..100 {
            inventory.opened(ConnectionId(id), PEER.into());
            inventory.observed(ConnectionId(id), named(&format!("client-{id}")));
            inventory.closed(ConnectionId(id), &Ending::ClientClosed);
        }
        let shown = inventory.to_json();
        assert!(shown["clients"].as_array().unwrap().len() <= 5);
        assert!(shown["forgotten"].as_u64().unwrap() > 50);
        assert_eq!(inventory.connections(), 0);
    }
}

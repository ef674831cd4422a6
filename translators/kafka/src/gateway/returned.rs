//! At the kernel's node: what is about to go back to legacy, and what has gone.
//!
//! A writer that is refused without being told of the new leader looks for it by itself, and some look every five
//! seconds only. So writes wait here while their partition is fenced, as they do on legacy's nodes on the way there, and
//! are then either served (the handover was undone) or sent to legacy's leader by name (KIP-951).

use std::sync::Arc;

use kernel_model::Now;
use session::{Side, Violation};

use super::dispatch::{lookup, merge};
use super::nodes::NodeTable;
use super::owner::{Leader, Owned};
use super::relay::{Incoming, encode};
use super::route::{RouteTable, TopicRef, Unit};
use super::session::GatewaySession;
use crate::codec::messages::ProduceRequest;
use crate::errors::ErrorCode;

impl GatewaySession {
    /// Produce at the kernel's node. Nothing is looked at while no unit has gone back or is about to.
    pub(super) fn produce_to_kernel(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        if !self.shared.routes.any_away() {
            return self.serve(now, &request);
        }
        let mut served: ProduceRequest = request.decode()?;
        let routes = self.shared.routes.table();
        // Its coordinator says whether its transaction is open, and lets that come to its end.
        let ids = served.transactional_id.as_ref().and_then(|id| routes.transaction(id));
        let in_transaction = ids.is_some_and(|ids| ids.unit.is_moved());
        let mut leaving = None;
        let gone = served.take(&mut |owner| {
            let Some(unit) = lookup(&routes, owner) else { return false };
            if unit.is_moved() && unit.gate.side() == Side::Held && !in_transaction {
                leaving = Some(Arc::clone(unit));
            }
            !unit.is_moved() && unit.legacy_leader().is_some()
        });
        drop(routes);
        if let Some(unit) = leaving {
            self.hold(unit.id.clone(), request.whole);
            return Ok(());
        }
        // Without acknowledgements there is no answer to name a leader in: the kernel ends the connection.
        if gone.is_empty() || served.acks == 0 {
            return self.serve(now, &request);
        }
        let refused = self.refuse(&gone, request.version(), ErrorCode::NotLeaderOrFollower);
        let slot = self.slots.open();
        if served.is_empty() {
            return self.answer(slot, &request.head, &refused);
        }
        self.finish.insert(slot, merge::<ProduceRequest>(request.version(), refused));
        let frame = encode(&request.head, &served)?;
        self.server.submit(now, slot.into(), frame.slice(4..))
    }
}

/// Who leads a partition, as far as clients may be told: the kernel's node what has moved, legacy's leader what has gone
/// back.
pub(super) fn leader(routes: &RouteTable, nodes: &NodeTable, topic: TopicRef<'_>, partition: i32) -> Leader {
    let unit = routes.partition(topic, partition);
    if let Some(unit) = unit.filter(|unit| !unit.is_moved()) {
        return of_legacy(unit, nodes);
    }
    let epoch = unit.map_or(-1, |unit| unit.kernel_epoch());
    Leader { node: nodes.kernel_node().map(|(id, endpoint)| (id, endpoint.clone())), epoch }
}

fn of_legacy(unit: &Unit, nodes: &NodeTable) -> Leader {
    let unknown = Leader { node: None, epoch: -1 };
    let Some((node, real)) = unit.legacy_leader() else { return unknown };
    let Some(endpoint) = nodes.legacy.get(&node) else { return unknown };
    let epoch = unit.epochs().map_or(real, |table| table.virtual_now(real));
    Leader { node: Some((node, endpoint.clone())), epoch }
}

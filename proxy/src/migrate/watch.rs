//! What sessions observe, told to the inventory, and to the runner where it has to act.

use std::net::SocketAddr;
use std::sync::Arc;

use session::{Event, UnitId};
use tokio::sync::mpsc;

use crate::driver::{ConnectionId, Ending, Observer};
use crate::inventory::Inventory;

/// Missed deadlines that wait for the runner. One is enough to make it act; more are counted only.
const MISSED_MAX: usize = 64;

/// Observes for the inventory and the runner.
pub struct Watcher {
    inventory: Arc<Inventory>,
    missed: mpsc::Sender<(UnitId, String)>,
}

impl Watcher {
    /// A watcher, and where its missed deadlines come out.
    #[must_use]
    pub fn new(inventory: Arc<Inventory>) -> (Self, mpsc::Receiver<(UnitId, String)>) {
        let (missed, taken) = mpsc::channel(MISSED_MAX);
        (Self { inventory, missed }, taken)
    }
}

impl Observer for Watcher {
    fn opened(&self, id: ConnectionId, peer: SocketAddr) {
        self.inventory.opened(id, peer);
    }

    fn observed(&self, id: ConnectionId, event: Event) {
        if let Event::DualWriteMissed { unit, reason } = &event {
            // A full channel means that the runner is about to act on the ones before.
            let _known_already = self.missed.try_send((unit.clone(), reason.clone()));
        }
        self.inventory.observed(id, event);
    }

    fn closed(&self, id: ConnectionId, ending: &Ending) {
        self.inventory.closed(id, ending);
    }
}

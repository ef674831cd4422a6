//! Where clients reach the nodes of a cluster: legacy's own, at the proxy's addresses, and the kernel's.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::codec::Str;

/// First id of the kernel's nodes; legacy clusters stay far below.
pub const KERNEL_NODE_BASE: i32 = 1_000_000_000;

/// An address as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: Str,
    /// Port.
    pub port: i32,
}

/// The nodes that clients may be told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeTable {
    /// Legacy node id to the proxy's address for it.
    pub legacy: BTreeMap<i32, Endpoint>,
    /// Kernel node id to its address.
    pub kernel: BTreeMap<i32, Endpoint>,
}

impl NodeTable {
    /// The address of a node, legacy's or the kernel's. `None`: clients must not hear of it (yet).
    #[must_use]
    pub fn endpoint(&self, id: i32) -> Option<&Endpoint> {
        self.legacy.get(&id).or_else(|| self.kernel.get(&id))
    }

    /// The kernel's node that leads what has moved.
    #[must_use]
    pub fn kernel_node(&self) -> Option<(i32, &Endpoint)> {
        self.kernel.iter().next().map(|(id, endpoint)| (*id, endpoint))
    }
}

/// The current [`NodeTable`], shared by all sessions in front of one cluster.
#[derive(Debug, Default)]
pub struct Nodes(ArcSwap<NodeTable>);

impl Nodes {
    /// Begins with this table.
    #[must_use]
    pub fn new(table: NodeTable) -> Self {
        Self(ArcSwap::from_pointee(table))
    }

    /// The current table.
    #[must_use]
    pub fn table(&self) -> Arc<NodeTable> {
        self.0.load_full()
    }

    /// Replaces it: a broker joined or left, or its port changed.
    pub fn publish(&self, table: NodeTable) {
        self.0.store(Arc::new(table));
    }
}

//! What clients are told of the cluster: its id, its nodes and their addresses.

use crate::codec::Str;

/// One broker as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Node id.
    pub id: i32,
    /// Host that clients connect to.
    pub host: Str,
    /// Port that clients connect to.
    pub port: u16,
    /// Rack, if any.
    pub rack: Option<Str>,
}

/// The cluster as clients see it. Immutable; replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Id of the cluster, where another than the catalog's must be shown (a legacy cluster's).
    pub cluster_id: Option<Str>,
    /// All nodes, this one included, by id.
    pub nodes: Vec<Node>,
    /// The node that serves: leader of every partition that the kernel leads, coordinator of every group.
    pub own: i32,
    /// The node that takes administration.
    pub controller: i32,
}

impl ClusterView {
    /// A cluster of this node alone.
    #[must_use]
    pub fn single(id: i32, host: &str, port: u16) -> Self {
        let node = Node { id, host: host.into(), port, rack: None };
        Self { cluster_id: None, nodes: vec![node], own: id, controller: id }
    }

    /// The node that serves.
    #[must_use]
    pub fn own_node(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == self.own)
    }
}

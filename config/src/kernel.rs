//! `[kernel]`: where the kernel keeps what it holds, and the listener of a kernel that stands alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::cluster::{self, ClientTls, HostPort, principal};
use crate::reader::Section;

/// `[kernel]`
#[derive(Debug, Clone)]
pub struct Kernel {
    /// `store`: where commits go.
    pub store: Store,
    /// `path`: the data folder, relative to the working directory. Held by one process at a time.
    pub path: PathBuf,
    /// `shards`: how many shards. Objects are placed by it, so it is fixed when the data folder is made.
    pub shards: u16,
    /// `sync`: what an acknowledgement means.
    pub sync: Sync,
    /// `segment_bytes`: size of one write-ahead segment, and a bound for one batch.
    pub segment_bytes: u64,
    /// `cache_bytes`: memory for recently written and read batches, over all shards.
    pub cache_bytes: u64,
    /// `node_id`: clients see the node 1,000,000,000 + this.
    pub node_id: u32,
    /// `[kernel.kafka]`: serve Kafka clients from the kernel, without any legacy cluster.
    pub kafka: Option<KernelKafka>,
}

/// First of the node numbers that the kernel uses towards clients; no legacy broker reaches it.
const NODE_ID_BASE: i32 = 1_000_000_000;

impl Kernel {
    /// The node number that clients see.
    #[must_use]
    pub fn client_node_id(&self) -> i32 {
        NODE_ID_BASE.saturating_add(i32::try_from(self.node_id).unwrap_or(i32::MAX))
    }
}

/// Where commits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Nowhere: nothing survives a restart.
    Memory,
    /// The disk of this machine.
    Local,
}

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// The data is on the disk.
    Fsync,
    /// The operating system has the data: a crash of the process loses nothing, a crash of the machine may.
    PageCache,
}

/// `[kernel.kafka]`
#[derive(Debug, Clone)]
pub struct KernelKafka {
    /// `listen`: address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `advertise`: what clients are told to connect to (default: the listening address).
    pub advertise: Option<HostPort>,
    /// `[kernel.kafka.tls]`
    pub tls: Option<ClientTls>,
    /// `offsets_topic`: write groups to `__consumer_offsets` too, as Kafka does, for tools and for another Sluice
    /// that is to move them. Needs `shards = 1`. The log is not compacted.
    pub offsets_topic: bool,
    /// `partitions_default`: partitions of a topic that is made without a number of its own.
    pub partitions_default: u32,
    /// `super_users`: turns access rules on; these principals are asked about none.
    pub super_users: Option<Vec<String>>,
    /// `allow_if_no_rule`: what no rule names is everybody's.
    pub allow_if_no_rule: bool,
}

impl Default for KernelKafka {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9092)),
            advertise: None,
            tls: None,
            offsets_topic: false,
            partitions_default: 1,
            super_users: None,
            allow_if_no_rule: false,
        }
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            store: Store::Local,
            path: PathBuf::from("sluice-data"),
            shards: 2,
            sync: Sync::Fsync,
            segment_bytes: 64 * 1024 * 1024,
            cache_bytes: 64 * 1024 * 1024,
            node_id: 0,
            kafka: None,
        }
    }
}

pub(crate) fn read(mut section: Section<'_, '_>) -> Kernel {
    let mut kernel = Kernel::default();
    if let Some(store) = store(&mut section) {
        kernel.store = store;
    }
    if let Some(path) = section.string("path") {
        kernel.path = PathBuf::from(path);
    }
    if let Some(sync) = section.choice("sync", &[("fsync", Sync::Fsync), ("page-cache", Sync::PageCache)]) {
        kernel.sync = sync;
    }
    section.set("shards", 1..=256, &mut kernel.shards);
    section.set("segment_bytes", 4 << 20..=1 << 30, &mut kernel.segment_bytes);
    section.set("cache_bytes", 1 << 20..=1 << 40, &mut kernel.cache_bytes);
    section.set("node_id", 0..=999_999_999, &mut kernel.node_id);
    kernel.kafka = section.table("kafka").map(read_kafka);
    section.finish();
    kernel
}

fn store(section: &mut Section<'_, '_>) -> Option<Store> {
    let choices = [("memory", Some(Store::Memory)), ("local", Some(Store::Local)), ("object", None)];
    let store = section.choice("store", &choices)?;
    if store.is_none() {
        section.error("store", "\"object\" is not built yet; use \"local\"".to_owned());
    }
    store
}

fn read_kafka(mut section: Section<'_, '_>) -> KernelKafka {
    let mut kafka = KernelKafka::default();
    if let Some(listen) = section.parsed("listen", cluster::socket_address) {
        kafka.listen = listen;
    }
    kafka.advertise = section.parsed("advertise", HostPort::parse);
    kafka.tls = section.table("tls").and_then(cluster::read_client_tls);
    kafka.offsets_topic = section.flag("offsets_topic").unwrap_or_default();
    section.set("partitions_default", 1..=10_000, &mut kafka.partitions_default);
    kafka.super_users = section.list("super_users", principal);
    kafka.allow_if_no_rule = section.flag("allow_if_no_rule").unwrap_or_default();
    section.finish();
    kafka
}

//! The kernel of this process: its data folder, its shards with their coordinators, and what Kafka sessions
//! need to serve clients from it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Config, Kernel, KernelKafka, Store};
use kernel_engine::Shard;
use kernel_engine::store::local::{LocalOptions, LocalStore};
use kernel_engine::store::memory::MemoryStore;
use kernel_engine::store::{self, ShardStore};
use kernel_model::coordinator::{Coordinator, CoordinatorKind};
use kernel_model::{KernelError, Now, OwnerEpoch, Reply, ShardId};
use translator_kafka::access::{AccessHandle, Authorizer};
use translator_kafka::catalog::{Catalog, CatalogHandle};
use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::{CreateTopicsRequest, CreateTopicsResponse};
use translator_kafka::codec::{Message, frame};
use translator_kafka::coordinator::access::{AccessCoordinator, AccessMessage, AccessReply, Change};
use translator_kafka::coordinator::catalog::{CatalogCoordinator, CatalogSettings};
use translator_kafka::coordinator::group::{self, GroupCoordinator};
use translator_kafka::coordinator::transaction::{self, TransactionCoordinator};
use translator_kafka::errors::ErrorCode;
use translator_kafka::limits::Limits;
use translator_kafka::placement::{ACCESS, CATALOG, CATALOG_SHARD, GROUPS, TRANSACTIONS};
use translator_kafka::server::{ClusterView, ServerSettings};
use translator_kafka::session::KafkaSession;

use crate::clock::Clock;
use crate::data_folder::{DataFolder, FolderError};
use crate::health::Health;
use crate::listener::{OpenSession, Peer};
use crate::shards::{HostError, OpenShard, ShardHosts, Shards, Waker};

/// Partitions of a topic whose creator does not say.
const PARTITIONS_DEFAULT: i32 = 1;

/// Bytes that a shard takes before it refuses to take more: twice what one connection may have unanswered, so that a
/// producer with large batches waits, and is not refused. Refused, it would send again, behind what it sent next.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// Why the kernel does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A shard does not start.
    #[error(transparent)]
    Shards(#[from] HostError),
    /// `__consumer_offsets` cannot be written.
    #[error("`offsets_topic`: {0}")]
    OffsetsTopic(String),
    /// How rules are applied cannot be stored.
    #[error("`super_users`: {0}")]
    Access(String),
    /// There is no randomness for ids.
    #[error("the operating system gives no random bytes")]
    Random,
}

/// The kernel of this process, running.
pub struct Node {
    hosts: ShardHosts,
    folder: Option<Arc<DataFolder>>,
    kernel: Kernel,
    settings: Arc<ServerSettings>,
    /// From which the seeds of sessions count up: they must differ, not be secret.
    seed: Arc<AtomicU64>,
}

impl Node {
    /// Opens the folder, recovers every shard.
    ///
    /// # Errors
    ///
    /// [`NodeError`]
    pub async fn start(config: &Config, clock: Clock, health: Arc<Health>) -> Result<Self, NodeError> {
        let kernel = config.kernel.clone();
        let cluster_id = new_cluster_id()?;
        let folder = match kernel.store {
            Store::Local => Some(Arc::new(DataFolder::open(&kernel.path, kernel.shards, &cluster_id)?)),
            Store::Memory => None,
        };
        let cluster_id = folder.as_ref().map_or(cluster_id, |folder| folder.identity().cluster_id.clone());
        let catalog = CatalogHandle::new(Catalog::new(&cluster_id));
        let access = AccessHandle::default();
        let blueprint = Blueprint {
            kernel: kernel.clone(),
            access: access.clone(),
            folder: folder.clone(),
            catalog: catalog.clone(),
            cluster_id,
            seed: random()?,
            group_seed: [random()?, random()?],
            clock,
        };
        let open: OpenShard = Arc::new(move |id, waker| blueprint.open(id, waker));
        let hosts = ShardHosts::start(kernel.shards, clock, health, open).await?;
        let settings = Arc::new(ServerSettings {
            catalog,
            access,
            meters: Arc::default(),
            shards: kernel.shards,
            // In front of a legacy cluster topics are created there.
            auto_create_topics: config.clusters.is_empty(),
            topics_elsewhere: !config.clusters.is_empty(),
            long_work: crate::long_work::run,
            transactions: true,
            limits: kafka_limits(&config.limits),
        });
        let node = Self { hosts, folder, kernel, settings, seed: Arc::new(AtomicU64::new(random()?)) };
        node.create_offsets_topic().await?;
        node.configure_access().await?;
        Ok(node)
    }

    /// Applies rules to clients of the kernel's own listener, where that is configured.
    async fn configure_access(&self) -> Result<(), NodeError> {
        let Some(kafka) = &self.kernel.kafka else { return Ok(()) };
        let authorizer = kafka
            .super_users
            .clone()
            .map(|super_users| Authorizer { super_users, allow_if_no_rule: kafka.allow_if_no_rule });
        if self.settings.access.realm("").authorizer == authorizer {
            return Ok(());
        }
        let message =
            AccessMessage { realm: String::new(), change: Change::Configure(authorizer) }.to_bytes();
        let request = kernel_model::Request::Coordinate { kind: ACCESS, message };
        match self.shards().ask(CATALOG_SHARD, request).await {
            Ok(Reply::Coordinated(body)) if AccessReply::from_bytes(&body) == Some(AccessReply::Done) => {
                Ok(())
            }
            other => Err(NodeError::Access(format!("{other:?}"))),
        }
    }

    /// Creates `__consumer_offsets` where it is wanted and missing.
    async fn create_offsets_topic(&self) -> Result<(), NodeError> {
        const VERSION: i16 = 7;
        if self.kernel.kafka.as_ref().is_none_or(|kafka| !kafka.offsets_topic) {
            return Ok(());
        }
        if self.kernel.shards != 1 {
            return Err(NodeError::OffsetsTopic("it needs `shards = 1` in [kernel]".to_owned()));
        }
        let topic = CreatableTopic {
            name: group::OFFSETS_TOPIC.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let wanted = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let failed = |error: &dyn std::fmt::Display| NodeError::OffsetsTopic(error.to_string());
        let whole = frame::request_frame(VERSION, 0, None, &wanted).map_err(|error| failed(&error))?;
        let message = whole.slice(4..);
        let request = kernel_model::Request::Coordinate { kind: CATALOG, message };
        let answered = self.shards().ask(CATALOG_SHARD, request).await.map_err(|error| failed(&error))?;
        let Reply::Coordinated(body) = answered else { return Ok(()) };
        let answer = CreateTopicsResponse::decode_exact(body, VERSION).map_err(|error| failed(&error))?;
        let fault = answer
            .topics
            .iter()
            .map(|topic| topic.error_code)
            .find(|code| *code != 0 && *code != ErrorCode::TopicAlreadyExists.code());
        fault.map_or(Ok(()), |code| Err(NodeError::OffsetsTopic(format!("error {code}"))))
    }

    /// The way to its shards.
    #[must_use]
    pub fn shards(&self) -> Shards {
        self.hosts.shards()
    }

    /// What Kafka's server is made of.
    #[must_use]
    pub fn kafka(&self) -> Arc<ServerSettings> {
        Arc::clone(&self.settings)
    }

    /// Its data folder; none in memory.
    #[must_use]
    pub fn folder(&self) -> Option<&DataFolder> {
        self.folder.as_deref()
    }

    /// Makes sessions of clients that are connected to this node alone, reached at `bound` or as advertised.
    #[must_use]
    pub fn stand_alone_sessions(&self, bound: SocketAddr, kafka: &KernelKafka) -> OpenSession {
        let id = self.kernel.client_node_id();
        let named_by = kafka.tls.as_ref().map(|tls| tls.principal).unwrap_or_default();
        let view = match &kafka.advertise {
            Some(at) => ClusterView::single(id, &at.host, at.port),
            None => ClusterView::single(id, &reachable(bound.ip()).to_string(), bound.port()),
        };
        let (settings, view, seed) = (self.kafka(), Arc::new(view), Arc::clone(&self.seed));
        Arc::new(move |now: Now, peer: &Peer| {
            let seed = seed.fetch_add(1, Ordering::Relaxed);
            let host = peer.address.ip().to_string();
            let mut session = KafkaSession::new(now, Arc::clone(&settings), Arc::clone(&view), &host, seed);
            if let Some(principal) = peer.principal(named_by) {
                session.set_principal(principal);
            }
            Box::new(session)
        })
    }

    /// Stops every shard; what is pending is written.
    pub async fn stop(self) {
        self.hosts.stop().await;
    }
}

fn reachable(ip: IpAddr) -> IpAddr {
    // The configuration refuses to listen on every address without `advertise`.
    if ip.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { ip }
}

/// How long after a start retention begins.
const RETENTION_AFTER: Duration = Duration::from_secs(10);

/// How each shard is opened.
struct Blueprint {
    kernel: Kernel,
    folder: Option<Arc<DataFolder>>,
    catalog: CatalogHandle,
    access: AccessHandle,
    cluster_id: String,
    seed: u64,
    group_seed: [u64; 2],
    clock: Clock,
}

impl Blueprint {
    fn open(&self, id: ShardId, waker: Waker) -> Result<Shard, KernelError> {
        let store = self.store(id, waker)?;
        // A reverse feed says first what legacy still lacks.
        let limits =
            kernel_engine::Limits { retention_after: RETENTION_AFTER, ..kernel_engine::Limits::default() };
        Shard::open(id, store, limits, self.coordinators(id), self.clock.now())
    }

    fn store(&self, id: ShardId, waker: Waker) -> Result<Box<dyn ShardStore>, KernelError> {
        let Some(folder) = &self.folder else { return Ok(Box::new(MemoryStore::new())) };
        let folder = folder.shard(id.0);
        let last = LocalStore::last_owner(&folder)?;
        let owner = OwnerEpoch(last.0.saturating_add(1));
        Ok(Box::new(LocalStore::open(&folder, owner, self.local_options(), waker)?))
    }

    /// The configured memory is for all shards together, most of it for batches.
    fn local_options(&self) -> LocalOptions {
        let each = self.kernel.cache_bytes.checked_div(self.kernel.shards.into()).unwrap_or_default();
        let each = usize::try_from(each).unwrap_or(usize::MAX);
        LocalOptions {
            segment_bytes: u32::try_from(self.kernel.segment_bytes).unwrap_or(u32::MAX),
            sync: match self.kernel.sync {
                config::Sync::Fsync => store::local::Sync::Fsync,
                config::Sync::PageCache => store::local::Sync::PageCache,
            },
            pending_bytes_max: PENDING_BYTES_MAX,
            hot_bytes_max: each / 4 * 3,
            cache_bytes: each / 4,
            ..LocalOptions::default()
        }
    }

    fn partitions_default(&self) -> i32 {
        let set = self.kernel.kafka.as_ref().and_then(|kafka| i32::try_from(kafka.partitions_default).ok());
        set.unwrap_or(PARTITIONS_DEFAULT)
    }

    fn coordinators(&self, id: ShardId) -> Vec<(CoordinatorKind, Box<dyn Coordinator>)> {
        let mut coordinators: Vec<(CoordinatorKind, Box<dyn Coordinator>)> = Vec::new();
        if id == CATALOG_SHARD {
            let settings = CatalogSettings {
                cluster_id: self.cluster_id.clone(),
                shards: self.kernel.shards,
                node_id: self.kernel.client_node_id(),
                partitions_default: self.partitions_default(),
                seed: self.seed,
                ..CatalogSettings::default()
            };
            coordinators.push((CATALOG, Box::new(CatalogCoordinator::new(settings, self.catalog.clone()))));
            coordinators.push((ACCESS, Box::new(AccessCoordinator::new(self.access.clone()))));
        }
        let [first, second] = self.group_seed;
        let seed = [first ^ u64::from(id.0), second];
        let mut groups = GroupCoordinator::new(group::Limits::default(), seed, self.catalog.clone());
        if self.kernel.kafka.as_ref().is_some_and(|kafka| kafka.offsets_topic) {
            groups = groups.with_journal();
        }
        coordinators.push((GROUPS, Box::new(groups)));
        let transactions = TransactionCoordinator::new(transaction::Limits::default(), id);
        coordinators.push((TRANSACTIONS, Box::new(transactions)));
        coordinators
    }
}

fn kafka_limits(limits: &config::Limits) -> Limits {
    Limits {
        frame_bytes_max_unauthenticated: u32::try_from(limits.frame_bytes_before_auth_max)
            .unwrap_or(u32::MAX),
        frame_bytes_max: u32::try_from(limits.frame_bytes_max).unwrap_or(u32::MAX),
        handshake: Duration::from_millis(limits.handshake_ms_max),
        idle: Duration::from_millis(limits.idle_ms_max),
        ..Limits::default()
    }
}

fn random_bytes<const N: usize>() -> Result<[u8; N], NodeError> {
    let mut bytes = [0; N];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| NodeError::Random)?;
    Ok(bytes)
}

/// Bits that nobody outside this process knows.
///
/// # Errors
///
/// [`NodeError::Random`]
pub fn secret() -> Result<[u8; 32], NodeError> {
    random_bytes()
}

fn random() -> Result<u64, NodeError> {
    random_bytes().map(u64::from_ne_bytes)
}

/// 22 letters and digits, as long as Kafka's own cluster ids.
fn new_cluster_id() -> Result<String, NodeError> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let bytes: [u8; 22] = random_bytes()?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied().map(char::from);
    Ok(bytes.iter().filter_map(letter).collect())
}

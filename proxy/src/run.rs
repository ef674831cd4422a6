//! `sluice run`: starts everything, says what it serves, and stops in order.
//!
//! Stopping: no new connection, what is under way finishes or meets its deadline, then the shards write what
//! is pending. Nothing acknowledged depends on it: a kill loses only what was not.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use config::Config;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::admin::{self, Admin, Tokens};
use crate::announce::{self, Bound};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::control::{Control, NoMigrations};
use crate::driver::{DriverLimits, Memory, Observer, Surroundings};
use crate::health::Health;
use crate::holds::HoldRegistry;
use crate::inventory::Inventory;
use crate::listener::{self, Listeners, Listening};
use crate::migrate::{self, Watcher};
use crate::node::{self, Node};
use crate::{room, telemetry, tls};

/// Threads on which stored bytes are read.
const BLOCKING_THREADS_MAX: usize = 32;
/// Threads of the feeds: one for the task that decides, one for what comes meanwhile.
const FEED_THREADS: usize = 2;

/// Runs until the process is told to stop. With `json`, what it serves is printed as one object.
///
/// # Errors
///
/// Whatever keeps it from starting, and faults of the admin API.
pub fn run(config: &Config, json: bool) -> Result<()> {
    telemetry::start_logging(&config.log);
    let runtime = threads("proxy").build().context("no runtime")?;
    // Feeds and handovers have threads of their own: no client waits behind a copy, and each can be seen apart.
    let feeds = (!config.clusters.is_empty()).then(|| threads("feed").worker_threads(FEED_THREADS).build());
    let feeds = feeds.transpose().context("no runtime")?;
    let feeding = feeds.as_ref().unwrap_or(&runtime).handle().clone();
    runtime.block_on(run_until_told(config, json, feeding))
}

fn threads(name: &str) -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).thread_name(name);
    builder
}

async fn run_until_told(config: &Config, json: bool, feeding: Handle) -> Result<()> {
    let signal = stop_signal()?;
    let mut process = Process::start(config, feeding).await?;
    process.announce(config, json)?;
    let fault = tokio::select! {
        name = signal => {
            tracing::info!(signal = name, "stopping");
            None
        }
        Some(reason) = process.fatal.recv() => Some(reason),
    };
    process.stop(Duration::from_millis(config.limits.shutdown_ms_max)).await?;
    match fault {
        Some(reason) => bail!("stopped: {reason}"),
        None => Ok(()),
    }
}

/// Everything that runs.
pub struct Process {
    clock: Clock,
    health: Arc<Health>,
    node: Node,
    listeners: Arc<Mutex<Listeners>>,
    /// Why the process has to end, once a part says so that nothing can go on without.
    fatal: mpsc::UnboundedReceiver<String>,
    stop: watch::Sender<Option<Duration>>,
    admin: JoinHandle<std::io::Result<()>>,
    stop_admin: oneshot::Sender<()>,
    serves: Value,
    bound: Bound,
}

impl Process {
    /// Starts the kernel, the listeners and the admin API, in this order: what is announced works. Feeds and
    /// handovers run on the threads of `feeding`.
    ///
    /// # Errors
    ///
    /// Whatever keeps one of them from starting.
    pub async fn start(config: &Config, feeding: Handle) -> Result<Self> {
        let clock = Clock::start();
        let metrics = telemetry::start_metrics();
        let health = Arc::new(Health::default());
        // Bound first: a second process finds out before it touches anything.
        let admin_listener = TcpListener::bind(config.admin.listen)
            .await
            .with_context(|| format!("admin API at {}", config.admin.listen))?;
        let node = Node::start(config, clock, Arc::clone(&health)).await?;
        let inventory = Arc::new(Inventory::new(clock, config.limits.clients_max));
        let (stop, stopped) = watch::channel(None);
        let holds = Arc::new(HoldRegistry::default());
        let folder = node.folder().map(|folder| folder.path().to_owned());
        let audit = Arc::new(Audit::new(folder, clock));
        let (watcher, missed) = Watcher::new(Arc::clone(&inventory));
        let memory = Arc::new(Memory::new(config.limits.memory_bytes_max));
        let around = Arc::new(Surroundings {
            clock,
            shards: node.shards(),
            holds: Arc::clone(&holds),
            observer: Arc::new(vec![
                Arc::new(watcher) as Arc<dyn Observer>,
                Arc::clone(&audit) as Arc<dyn Observer>,
            ]),
            limits: DriverLimits::of(&config.limits),
            memory: Arc::clone(&memory),
            traffic: telemetry::traffic(),
            stop: stopped.clone(),
        });
        let mut listeners = Listeners::new(around, &config.limits);
        let kafka = serve_stand_alone(config, &node, &mut listeners)?;
        let listeners = Arc::new(Mutex::new(listeners));
        let bound = Bound { admin: admin_listener.local_addr()?, kafka };
        let serves = announce::serves(config, bound);
        let (fatal, failed) = mpsc::unbounded_channel();
        let surroundings = migrate::Surroundings {
            feeding,
            holds,
            memory: Arc::clone(&memory),
            listeners: Arc::clone(&listeners),
            fatal,
            stop: stopped,
        };
        let seen = Seen { inventory: &inventory, health: &health };
        let control = control(config, clock, &node, seen, surroundings, missed).await?;
        let admin = Admin {
            control,
            inventory,
            health: Arc::clone(&health),
            metrics,
            memory,
            patience: Duration::from_millis(config.limits.handshake_ms_max),
            tokens: tokens(config)?,
            audit,
            clock,
            serves: serves.clone(),
        };
        let (stop_admin, admin_stopped) = oneshot::channel::<()>();
        let until = async move {
            let _told_or_dropped = admin_stopped.await;
        };
        let admin = tokio::spawn(admin::serve(admin_listener, Arc::new(admin), until));
        health.set_ready(true);
        Ok(Self { clock, health, node, listeners, fatal: failed, stop, admin, stop_admin, serves, bound })
    }

    /// What is served, and where: `[{"what", "address", ..}]`.
    #[must_use]
    pub fn serves(&self) -> &Value {
        &self.serves
    }

    fn announce(&self, config: &Config, json: bool) -> Result<()> {
        let room = self.node.folder().and_then(|folder| room::measure(folder.path()).ok());
        let mut out = std::io::stdout().lock();
        if json {
            let warnings = announce::warnings(config, room);
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            writeln!(out, "{}", json!({ "serves": self.serves, "warnings": warnings }))?;
        } else {
            out.write_all(announce::text(config, self.bound, room).as_bytes())?;
        }
        Ok(out.flush()?)
    }

    /// Stops in order, at the latest after `within` (and the time that writing to disk takes).
    ///
    /// # Errors
    ///
    /// The admin API had failed.
    pub async fn stop(self, within: Duration) -> Result<()> {
        self.health.set_ready(false);
        self.stop.send_replace(Some(self.clock.now().deadline(within)));
        self.listeners.lock().await.drain().await;
        self.node.stop().await;
        let _already_stopped = self.stop_admin.send(());
        self.admin.abort();
        match self.admin.await {
            Ok(outcome) => outcome.context("admin API"),
            Err(_aborted) => Ok(()),
        }
    }
}

/// What is known of clients and of the process.
struct Seen<'a> {
    inventory: &'a Arc<Inventory>,
    health: &'a Arc<Health>,
}

/// What operators talk to: the migrations, where there is a cluster to migrate.
async fn control(
    config: &Config,
    clock: Clock,
    node: &Node,
    seen: Seen<'_>,
    around: migrate::Surroundings,
    missed: migrate::Missed,
) -> Result<Arc<dyn Control>> {
    if config.clusters.is_empty() {
        return Ok(Arc::new(NoMigrations));
    }
    let Some(folder) = node.folder() else {
        bail!("migrations need a kernel that keeps what it is given: set `store = \"local\"` in [kernel]");
    };
    config.clusters.iter().for_each(|cluster| seen.health.expect_cluster(&cluster.name));
    let setup = migrate::Setup {
        config: Arc::new(config.clone()),
        clock,
        shards: node.shards(),
        catalog: node.kafka().catalog.clone(),
        server: node.kafka(),
        secret: node::secret()?,
        inventory: Arc::clone(seen.inventory),
        health: Arc::clone(seen.health),
        folder: folder.path().to_owned(),
        around,
    };
    Ok(migrate::start(setup, missed).await?)
}

fn serve_stand_alone(config: &Config, node: &Node, listeners: &mut Listeners) -> Result<Option<SocketAddr>> {
    let Some(kafka) = &config.kernel.kafka else { return Ok(None) };
    let tls = kafka.tls.as_ref().map(tls::server).transpose()?;
    // Sessions tell clients the port, so it must be known before the first one is made.
    let bound = listener::bind(kafka.listen).with_context(|| format!("Kafka at {}", kafka.listen))?;
    let open = node.stand_alone_sessions(bound.address()?, kafka);
    let listening = Listening { listen: kafka.listen, tls, legacy: None, open };
    Ok(Some(listeners.add_bound("kernel", bound, listening)?))
}

fn tokens(config: &Config) -> Result<Tokens> {
    let Some(file) = &config.admin.token_file else { return Ok(Tokens::one(config.admin.token.clone())) };
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    Tokens::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))
}

/// Completes with the name of the first signal that asks to stop. A second one ends the process at once.
fn stop_signal() -> Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, told) = oneshot::channel();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        let _nobody_waits = first.send(name);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    });
    Ok(async move { told.await.unwrap_or("nobody") })
}

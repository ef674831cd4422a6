//! What legacy is found to have: brokers get ports, topics and groups become units.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{CertificatePrincipal, Cluster, HostPort, Link, LinkPassword, Mechanism, Migration};
use kernel_model::Now;
use session::{LegacyNode, Session, Side, UnitId};
use shadow::{
    Address, ClusterView, Credentials, Fact, Feed, FeedConfig, LinkId, ReverseConfig, ReverseLimits,
    StopReason,
};
use tokio::sync::mpsc;
use translator_kafka::canary::Readers;
use translator_kafka::codec::Str;
use translator_kafka::gateway::{
    ClusterShared, Endpoint, GatewayLimits, GatewaySession, LoginSecret, NodeTable, Nodes, Role, RouteTable,
    Routes, TopicRoute, Unit,
};
use translator_kafka::server::{ClusterView as ServedView, Node, Server};

use super::access::LegacyAccess;
use super::cluster::{ClusterRun, Known, Scope};
use super::links::{Lane, Links, Reported};
use super::resume::cause_of;
use super::reverse::Reverse;
use super::runner::{MigrateError, Runner, Setup};
use super::units::{self, UnitName};
use crate::handover::action::UnitKind;
use crate::handover::recovery;
use crate::ledger::{Decider, DivergenceKind, Explanation, Primary, Sample, What};
use crate::legacy::LegacyCluster;
use crate::listener::{BrokerPorts, Listening, OpenSession, Peer};

/// Prepares one cluster. Nothing listens yet.
pub(super) fn open_cluster(
    setup: &Setup,
    index: usize,
    config: &Cluster,
    reports: &mpsc::Sender<Reported>,
) -> Result<ClusterRun, MigrateError> {
    let migrations: Vec<Migration> =
        setup.config.migrations.iter().filter(|each| each.cluster == config.name).cloned().collect();
    let tls = config.legacy_tls.as_ref().map(crate::tls::client).transpose();
    let tls = tls.map_err(|error| MigrateError::Tls(format!("cluster {}: {error}", config.name)))?;
    let legacy = Arc::new(LegacyCluster::new(config.legacy.clone(), tls));
    let scope = Arc::new(Scope::new(&migrations));
    let now = setup.clock.now();
    let shards = u16::try_from(setup.shards.count()).unwrap_or(u16::MAX);
    let bootstrap: Vec<Address> =
        config.legacy.iter().map(|at| Address { host: at.host.clone(), port: at.port }).collect();
    let (topics, mirrored, groups) = (Arc::clone(&scope), Arc::clone(&scope), Arc::clone(&scope));
    let transactions: Vec<config::Pattern> =
        migrations.iter().flat_map(|each| each.transactional_ids.iter().cloned()).collect();
    let reverse = ReverseConfig {
        bootstrap: bootstrap.clone(),
        credentials: config.link.as_ref().map(credentials).transpose()?,
        limits: ReverseLimits::default(),
    };
    let feed = FeedConfig {
        bootstrap,
        topics: Box::new(move |topic| topics.topic_owner(topic).is_some()),
        mirrored: Box::new(move |topic| mirrored.mirrors_topic(topic)),
        groups: Box::new(move |group| groups.follows_group(group)),
        moves_transactions: !transactions.is_empty(),
        transactions: Box::new(move |id| transactions.iter().any(|pattern| pattern.matches(id))),
        credentials: config.link.as_ref().map(credentials).transpose()?,
        shards,
        partition_bytes_max: partition_bytes_max(setup.config.kernel.segment_bytes),
    };
    let kernel_id = setup.config.kernel.client_node_id();
    let kernel = endpoint(config, config.kernel_listen.port());
    let nodes = NodeTable { legacy: BTreeMap::new(), kernel: BTreeMap::from([(kernel_id, kernel.clone())]) };
    let limits = gateway_limits(setup, &migrations);
    let shared = ClusterShared {
        routes: Routes::new(Duration::ZERO),
        view: arc_swap::ArcSwap::from_pointee(served_view(kernel_id, &nodes, "")),
        nodes: Nodes::new(nodes),
        readers: Readers::default(),
        limits,
        sasl: config.sasl == config::Sasl::Relay,
        realm: config.name.clone(),
        access: setup.server.access.clone(),
        learn_users: config.learn_users,
        secret: LoginSecret(setup.secret),
    };
    let shared = Arc::new(shared);
    setup.inventory.watch_canary(Arc::clone(&shared));
    Ok(ClusterRun {
        feed: Feed::new(feed, setup.catalog.clone(), now),
        links: Links::new(index, Lane::Mirror, Arc::clone(&legacy), reports.clone()),
        reverse: Reverse::new(
            reverse,
            Links::new(index, Lane::Reverse, Arc::clone(&legacy), reports.clone()),
        ),
        link_trouble: BTreeMap::new(),
        legacy,
        shared,
        units: BTreeMap::new(),
        view: None,
        ports: BrokerPorts::new(config.ports),
        listening: BTreeSet::new(),
        scope,
        access: LegacyAccess::default(),
        ready: false,
        fed: metrics::counter!("sluice_feed_bytes_total", "cluster" => config.name.clone()),
        portless: BTreeMap::new(),
        migrations,
        config: config.clone(),
    })
}

/// Who the links of a cluster are. The password goes nowhere else.
pub(super) fn credentials(link: &Link) -> Result<Credentials, MigrateError> {
    let password = match &link.password {
        LinkPassword::Here(secret) => secret.reveal().to_owned(),
        LinkPassword::File(path) => {
            let what = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| MigrateError::Io { what: what.clone(), error })?;
            let password = text.trim();
            if password.is_empty() || password.chars().any(char::is_control) {
                let error = std::io::Error::other("a password is not empty and has no control characters");
                return Err(MigrateError::Io { what, error });
            }
            password.to_owned()
        }
    };
    // The only mechanism that there is; another one will not compile past this.
    match link.mechanism {
        Mechanism::Plain => Ok(Credentials { user: link.user.clone(), password }),
    }
}

fn gateway_limits(setup: &Setup, migrations: &[Migration]) -> GatewayLimits {
    let limits = &setup.config.limits;
    let dual_write = migrations.iter().map(|each| each.limits.dual_write_ms_max).min().unwrap_or(1_000);
    GatewayLimits {
        frame_bytes_before_auth_max: limits.frame_bytes_before_auth_max,
        frame_bytes_max: limits.frame_bytes_max,
        in_flight_max: limits.requests_in_flight_max,
        handshake: Duration::from_millis(limits.handshake_ms_max),
        idle: Duration::from_millis(limits.idle_ms_max),
        dual_write: Duration::from_millis(dual_write),
        ..GatewayLimits::default()
    }
}

/// The address under which clients reach a port of this cluster.
fn endpoint(config: &Cluster, port: u16) -> Endpoint {
    let host = config.advertise.clone().unwrap_or_else(|| config.listen.ip().to_string());
    Endpoint { host: Str::from(host.as_str()), port: i32::from(port) }
}

fn served_view(own: i32, nodes: &NodeTable, cluster_id: &str) -> ServedView {
    let known = nodes.legacy.iter().chain(&nodes.kernel);
    let node = |(id, at): (&i32, &Endpoint)| Node {
        id: *id,
        host: at.host.clone(),
        port: u16::try_from(at.port).unwrap_or(0),
        rack: None,
    };
    ServedView {
        cluster_id: (!cluster_id.is_empty()).then(|| Str::from(cluster_id)),
        nodes: known.map(node).collect(),
        own,
        controller: own,
    }
}

/// What the mirror asks of one partition at once: it has to fit into one segment of the store, as one commit.
fn partition_bytes_max(segment_bytes: u64) -> i32 {
    i32::try_from(segment_bytes / 2).unwrap_or(i32::MAX).min(4 << 20)
}

impl Runner {
    /// Makes the units that the ledger knows, each with its gate as the ledger wants it, before legacy is asked.
    pub(super) fn restore_units(&mut self) {
        let book = self.ledger.book();
        let known: Vec<(String, UnitId)> = book
            .migrations()
            .iter()
            .flat_map(|(name, migration)| migration.units.iter().map(|unit| (name.clone(), unit.clone())))
            .collect();
        for (migration, unit) in known {
            self.know_unit(&migration, &unit);
            self.know_led(&migration, &unit);
        }
        for index in 0..self.clusters.len() {
            self.publish_routes(index);
        }
        self.apply_scopes();
    }

    /// What the kernel leads can go back, whether legacy still has it or not: a group that only ever committed here is
    /// not found there.
    fn know_led(&mut self, migration: &str, id: &UnitId) {
        let Some((_, name)) = units::parse(id).filter(|_| self.is_led(id)) else { return };
        let (now, units) = (self.setup.clock.now(), [(id.clone(), name.kind())]);
        self.migrations.handle_discovered(now, self.ledger.book(), migration, &units);
    }

    fn know_unit(&mut self, migration: &str, id: &UnitId) {
        let Some((cluster, name)) = units::parse(id) else { return };
        let (book, migrations) = (self.ledger.book(), &self.migrations);
        let side = recovery::gate_side(book, id, migrations.held(id));
        if side == Side::Held {
            self.setup.around.holds.hold(id);
        }
        let owner = book.owner(id);
        let Some(run) = self.clusters.iter_mut().find(|run| run.config.name == cluster) else { return };
        let primary = match owner.side {
            Primary::Legacy => Side::Legacy,
            Primary::Kernel => Side::Kernel,
        };
        let unit = Arc::new(Unit::new(id.clone(), primary));
        let known = Known { migration: migration.to_owned(), name: name.clone(), unit: Arc::clone(&unit) };
        run.units.insert(id.clone(), known);
        self.publish_epochs(std::slice::from_ref(id));
        let Some(run) = self.clusters.iter_mut().find(|run| run.config.name == cluster) else { return };
        if let (Primary::Kernel, Some(epoch)) = (owner.side, owner.target_epoch) {
            unit.set_kernel_epoch(epoch);
            if let UnitName::Partition { topic, partition } = name {
                let now = self.setup.clock.now();
                // What legacy has beyond the cut may have been brought there: the reverse feed will say.
                let mode = shadow::Mode::Rest;
                run.feed.order(now, shadow::Order::SetMode { topic, partition, mode });
            }
            run.shared.routes.release(&unit, primary);
        }
        if side == Side::Held {
            unit.gate.fence();
        }
    }

    /// Publishes the routes of a cluster. Units that stay are the same objects.
    pub(super) fn publish_routes(&mut self, index: usize) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let catalog = self.setup.catalog.load();
        let mut table = RouteTable::default();
        let mut topics: BTreeMap<String, TopicRoute> = BTreeMap::new();
        for known in cluster.units.values() {
            match &known.name {
                UnitName::Group(group) => table.insert_group(group, Arc::clone(&known.unit)),
                UnitName::Transactions(_) => {
                    cluster.transaction_route(known).into_iter().for_each(|at| table.insert_transactions(at));
                }
                UnitName::Partition { topic, partition } => {
                    let copy = catalog.topic(topic);
                    if let Some(found) = copy.and_then(|copy| copy.partition(*partition)) {
                        known.unit.set_log(found.log);
                    }
                    let legacy =
                        cluster.view.as_ref().and_then(|view| view.topics.get(topic)).map(|topic| topic.id);
                    let route = topics.entry(topic.clone()).or_default();
                    route.id = legacy.or(copy.map(|copy| copy.id)).unwrap_or_default();
                    route.partitions.insert(*partition, Arc::clone(&known.unit));
                }
            }
        }
        for (name, route) in topics {
            table.insert_topic(&name, route);
        }
        cluster.shared.routes.publish(table);
    }

    /// Takes what a feed reports.
    pub(super) async fn take_fact(&mut self, index: usize, fact: Fact) {
        match fact {
            Fact::View(view) => self.see_view(index, view).await,
            Fact::Versions(_) => {}
            Fact::Configured { .. } => self.reapply(index),
            Fact::Mirrored { .. } => {
                self.publish_routes(index);
                self.reapply(index);
            }
            Fact::Stopped { topic, partition, reason } => {
                self.unit_stopped(index, &topic, partition, &reason);
            }
            Fact::Replaced { topic, partition, bytes } => {
                let detail = format!("dual-write had brought {bytes} other bytes; the feed replaced them");
                self.diverged(index, &topic, partition, DivergenceKind::AheadReplaced, 0, &detail);
            }
            // What we bring ourselves the reverse feed compares; where it has given up, everything is late.
            Fact::Bypassed { topic, partition, .. } if self.is_brought(index, &topic, partition) => {}
            Fact::Bypassed { topic, partition, from, records } => {
                let detail = format!("legacy took {records} records after the kernel had become primary");
                self.diverged(index, &topic, partition, DivergenceKind::LateWrite, from, &detail);
            }
            Fact::GroupBypassed { group } => self.group_bypassed(index, &group),
            Fact::Ends { token, partitions, groups } => self.ends_known(index, token, &partitions, &groups),
            Fact::Transactions { token, found } => self.transactions_known(token, &found),
            Fact::Shut { token, refused } => self.shut(token, &refused),
            Fact::Given { token, outcome } => self.given(token, outcome),
            Fact::EndsFailed { token, reason } if self.transactions_unknown(token, &reason) => {}
            Fact::EndsFailed { token, reason } => self.ends_unknown(token, reason),
            Fact::Access(said) => self.see_access(index, said),
            Fact::OffsetsWritten { token } => self.offsets_written(token),
            Fact::OffsetsRead { token, offsets } => self.offsets_read(token, &offsets),
            Fact::OffsetsFailed { token, reason } => self.offsets_failed(token, reason),
            Fact::LinkFailed { link, error } => {
                self.link_broke(index, link, error.to_string());
            }
        }
    }

    /// Phases depend on what topics look like: they are applied again when that changes.
    fn reapply(&mut self, index: usize) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let units: Vec<UnitId> = cluster.units.keys().cloned().collect();
        for unit in units {
            let phase = self.ledger.book().phase(&unit);
            self.apply_unit(index, phase, &unit);
        }
    }

    async fn see_view(&mut self, index: usize, view: ClusterView) {
        if let Some(cluster) = self.clusters.get_mut(index) {
            let nodes =
                view.nodes.iter().map(|(id, at)| (*id, HostPort { host: at.host.clone(), port: at.port }));
            cluster.legacy.set_nodes(nodes.collect());
            cluster.note_leaders(&view);
            cluster.link_trouble.retain(|link, _| match link {
                LinkId::Bootstrap => true,
                LinkId::Node(node) | LinkId::Questions(node) => view.nodes.contains_key(node),
            });
            cluster.view = Some(view);
        }
        self.listen_to_brokers().await;
        self.report_readiness();
        self.discover(index);
    }

    /// New partitions and groups become units of their migrations.
    pub(super) fn discover(&mut self, index: usize) {
        let now = self.setup.clock.now();
        let mut found: BTreeMap<String, Vec<(UnitId, UnitKind)>> = BTreeMap::new();
        let Some(cluster) = self.clusters.get(index) else { return };
        let name = cluster.config.name.clone();
        for (topic, legacy) in cluster.view.iter().flat_map(|view| &view.topics) {
            let Some(owner) = cluster.scope.topic_owner(topic) else { continue };
            let units = legacy
                .partitions
                .keys()
                .map(|each| (units::partition_unit(&name, topic, *each), UnitKind::Log));
            found.entry(owner.to_owned()).or_default().extend(units);
        }
        for group in cluster.feed.status(now).offsets.groups {
            let Some(owner) = cluster.scope.group_owner(&group) else { continue };
            let unit = (units::group_unit(&name, &group), UnitKind::Group);
            found.entry(owner.to_owned()).or_default().push(unit);
        }
        // After a restart a group that rests is not read again: it is one all the same.
        for (unit, known) in
            cluster.units.iter().filter(|(_, known)| matches!(known.name, UnitName::Group(_)))
        {
            found.entry(known.migration.clone()).or_default().push((unit.clone(), UnitKind::Group));
        }
        for migration in cluster.migrations.iter().filter(|each| !each.transactional_ids.is_empty()) {
            let unit = (units::transactions_unit(&name, &migration.name), UnitKind::Transactions);
            found.entry(migration.name.clone()).or_default().push(unit);
        }
        let mut new = false;
        for (migration, units) in found {
            for (unit, _) in &units {
                if self.clusters.get(index).is_some_and(|cluster| !cluster.units.contains_key(unit)) {
                    new = true;
                    self.know_unit(&migration, unit);
                }
            }
            self.migrations.handle_discovered(now, self.ledger.book(), &migration, &units);
        }
        if new {
            self.publish_routes(index);
        }
    }

    /// The kernel's node and the bootstrap address of each cluster.
    pub(super) async fn open_kernel_listeners(&mut self) {
        for index in 0..self.clusters.len() {
            let Some(cluster) = self.clusters.get(index) else { continue };
            let (name, bootstrap, kernel) =
                (cluster.config.name.clone(), cluster.config.listen, cluster.config.kernel_listen);
            let kernel = self.listen(index, &format!("{name}/kernel"), kernel, Role::Kernel).await;
            let role = Role::Legacy(LegacyNode::Any);
            let bootstrap = self.listen(index, &format!("{name}/bootstrap"), bootstrap, role).await;
            if let Err(reason) = kernel.and(bootstrap) {
                // Nothing would ever come in, or follow what moves: better not to run than to seem to.
                let _gone = self.setup.around.fatal.send(format!("cluster {name}: {reason}"));
            }
        }
    }

    /// A connection to legacy was not made or not kept.
    pub(super) fn link_broke(&mut self, index: usize, link: LinkId, reason: String) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        // Tried again several times a second: said once, until the reason is another one.
        if cluster.link_trouble.get(&link) != Some(&reason) {
            tracing::warn!(
                cluster = cluster.config.name,
                ?link,
                reason,
                "a connection to legacy is not there"
            );
        }
        cluster.link_trouble.insert(link, reason);
    }

    /// Tells whoever asks `/readyz` which clusters can serve their clients.
    pub(super) fn report_readiness(&mut self) {
        for cluster in &mut self.clusters {
            if cluster.feed.is_connected() && cluster.link_trouble.remove(&LinkId::Bootstrap).is_some() {
                tracing::info!(cluster = cluster.config.name, "legacy answers");
            }
            let waits = !cluster.ready && !cluster.shared.routes.is_retired();
            let reason = || match cluster.trouble() {
                Some(reason) => format!("legacy is not reached: {reason}"),
                None => "legacy has not answered yet".to_owned(),
            };
            self.setup.health.set_cluster(&cluster.config.name, waits.then(reason));
        }
    }

    /// A port for every broker that is there.
    pub(super) async fn listen_to_brokers(&mut self) {
        for index in 0..self.clusters.len() {
            let Some(cluster) = self.clusters.get_mut(index) else { continue };
            let Some(view) = &cluster.view else { continue };
            let present: Vec<i32> = view.nodes.keys().copied().collect();
            let ports = cluster.ports.assign(&present);
            let name = cluster.config.name.clone();
            let missing: Vec<(i32, u16)> = ports
                .iter()
                .filter(|(id, _)| !cluster.listening.contains(*id))
                .map(|(id, port)| (*id, *port))
                .collect();
            let address = cluster.config.listen.ip();
            let range = cluster.config.ports;
            let mut portless: BTreeMap<i32, String> = present
                .iter()
                .filter(|id| !ports.contains_key(*id))
                .map(|id| (*id, format!("no port of {}-{} is left: widen `ports`", range.first, range.last)))
                .collect();
            for (id, port) in missing {
                let at = SocketAddr::new(address, port);
                let role = Role::Legacy(LegacyNode::Id(id));
                let listens = self.listen(index, &format!("{name}/{id}"), at, role).await;
                match (listens, self.clusters.get_mut(index)) {
                    (Ok(()), Some(cluster)) => {
                        cluster.listening.insert(id);
                    }
                    (Ok(()), None) => {}
                    (Err(reason), _) => {
                        portless.insert(id, reason);
                    }
                }
            }
            self.note_portless(index, portless);
            self.publish_nodes(index, &ports);
        }
    }

    /// Brokers that clients cannot reach; said once, and in the status.
    fn note_portless(&mut self, index: usize, portless: BTreeMap<i32, String>) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        for (broker, reason) in &portless {
            if cluster.portless.get(broker) != Some(reason) {
                let name = &cluster.config.name;
                tracing::error!(cluster = name, broker, reason, "clients cannot reach a legacy broker");
            }
        }
        cluster.portless = portless;
    }

    /// Only brokers whose port listens are named to clients.
    fn publish_nodes(&mut self, index: usize, ports: &BTreeMap<i32, u16>) {
        let kernel_id = self.setup.config.kernel.client_node_id();
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let listening = ports.iter().filter(|(id, _)| cluster.listening.contains(*id));
        let legacy = listening.map(|(id, port)| (*id, endpoint(&cluster.config, *port))).collect();
        let kernel =
            BTreeMap::from([(kernel_id, endpoint(&cluster.config, cluster.config.kernel_listen.port()))]);
        let table = NodeTable { legacy, kernel };
        if !cluster.shared.routes.is_retired() && *cluster.shared.nodes.table() != table {
            let id = cluster.view.as_ref().map(|view| view.cluster_id.clone()).unwrap_or_default();
            cluster.shared.view.store(Arc::new(served_view(kernel_id, &table, &id)));
            cluster.shared.nodes.publish(table);
            cluster.ready = true;
        }
    }

    async fn listen(&mut self, index: usize, name: &str, at: SocketAddr, role: Role) -> Result<(), String> {
        let Some(cluster) = self.clusters.get(index) else { return Ok(()) };
        let tls = cluster.config.tls.as_ref().map(crate::tls::server).transpose();
        let tls = tls.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let named_by = cluster.config.tls.as_ref().map(|tls| tls.principal).unwrap_or_default();
        let open = open_session(role, Arc::clone(&cluster.shared), &self.setup, named_by);
        let listening = Listening { listen: at, tls, legacy: Some(Arc::clone(&cluster.legacy)), open };
        let listens = self.setup.around.listeners.lock().await.add(name, listening);
        listens.map(|_| ()).map_err(|error| format!("cannot listen at {at}: {error}"))
    }

    fn unit_stopped(&mut self, index: usize, topic: &str, partition: i32, reason: &StopReason) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let unit = units::partition_unit(&cluster.config.name, topic, partition);
        tracing::error!(%unit, %reason, "the mirror has stopped");
        if let Some(known) = cluster.units.get(&unit) {
            // A copy that nothing confirms any more would keep clients waiting for nothing.
            known.unit.set_dual_write(false);
        }
        self.close_copy(&unit, "its mirror has stopped");
        if self.ledger.book().stopped(&unit).is_none() {
            let (reason, cause) = (reason.to_string(), cause_of(reason));
            self.record_fact(What::UnitStopped { unit, reason, cause });
        }
    }

    /// A difference is on disk before it is counted.
    pub(super) fn diverged(
        &mut self,
        index: usize,
        topic: &str,
        partition: i32,
        divergence: DivergenceKind,
        position: u64,
        detail: &str,
    ) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let unit = units::partition_unit(&cluster.config.name, topic, partition);
        let sample = Sample::new(position, detail, &[]);
        self.close_copy(&unit, detail);
        self.record_fact(What::Diverged { unit, divergence, sample, explained_by: None });
    }

    fn group_bypassed(&mut self, index: usize, group: &str) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let unit = units::group_unit(&cluster.config.name, group);
        if self.closed.contains(&unit) {
            // Written by the handover that takes the group back.
            return;
        }
        let explained_by = Some(Explanation::GroupLeftBehind);
        let sample = Sample::new(0, "legacy's coordinator wrote to a group that the kernel serves", &[]);
        let (_, known) = self.ledger.book().divergences(&unit);
        if known == 0 && self.ledger.book().divergences(&unit).0 == 0 {
            self.record_fact(What::Diverged {
                unit,
                divergence: DivergenceKind::LateWrite,
                sample,
                explained_by,
            });
        }
    }

    pub(super) fn record_fact(&mut self, what: What) {
        if let Err(reason) = self.record(&Decider::Sluice, vec![what]) {
            let _gone = self.setup.around.fatal.send(format!("the ledger has failed: {reason}"));
        }
    }
}

fn open_session(
    role: Role,
    shared: Arc<ClusterShared>,
    setup: &Setup,
    named_by: CertificatePrincipal,
) -> OpenSession {
    let server = Arc::clone(&setup.server);
    Arc::new(move |now: Now, peer: &Peer| {
        let host = format!("/{}", peer.address.ip());
        // Fetch session ids of different connections should differ; time and port see to that.
        let seed =
            u64::try_from(now.elapsed.as_nanos()).unwrap_or(0) ^ (u64::from(peer.address.port()) << 48);
        let mut server = Server::new(Arc::clone(&server), shared.view.load_full(), &host, seed);
        if let Some(principal) = peer.principal(named_by) {
            server.set_principal(principal);
        }
        Box::new(GatewaySession::new(role, Arc::clone(&shared), server, now)) as Box<dyn Session>
    })
}

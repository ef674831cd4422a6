//! Where clients connect: one listener for each virtual broker, added and removed while the process runs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{CertificatePrincipal, Limits, PortRange};
use kernel_model::Now;
use parking_lot::Mutex;
use rustls::ServerConfig;
use session::Session;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsStream};
use translator_kafka::access;

use crate::clock::Clock;
use crate::driver::{self, Connection, ConnectionId, Socket, Surroundings};
use crate::legacy::LegacyCluster;

/// Makes the session of a new connection.
pub type OpenSession = Arc<dyn Fn(Now, &Peer) -> Box<dyn Session> + Send + Sync>;

/// Who has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// The certificate (DER) that it has shown, and proved to be its own.
    pub certificate: Option<Vec<u8>>,
}

impl Peer {
    /// Whom rules are to take the client for, where it has shown a certificate. The inner `None`: somebody whose
    /// name cannot be told, who must never pass for somebody without a name.
    #[must_use]
    pub fn principal(&self, named_by: CertificatePrincipal) -> Option<Option<String>> {
        let certificate = self.certificate.as_ref()?;
        Some(match named_by {
            CertificatePrincipal::Unknown => None,
            CertificatePrincipal::Subject => {
                access::subject(certificate).map(|subject| format!("User:{subject}"))
            }
        })
    }
}

/// Connections that the operating system holds for us before we accept them.
const BACKLOG: u32 = 1024;
/// Pause after a failed accept: usually the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One listener.
#[derive(Clone)]
pub struct Listening {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS towards clients.
    pub tls: Option<Arc<ServerConfig>>,
    /// The cluster behind it.
    pub legacy: Option<Arc<LegacyCluster>>,
    /// Makes its sessions.
    pub open: OpenSession,
}

/// All listeners of the process. They share the limits on connections.
pub struct Listeners {
    /// Where they were made: on its threads connections are served, whoever adds a listener.
    runtime: Handle,
    around: Arc<Surroundings>,
    doors: Arc<Doors>,
    open: BTreeMap<String, Open>,
}

/// A listener that accepts.
struct Open {
    address: SocketAddr,
    task: JoinHandle<()>,
    /// What it stands in front of.
    legacy: Option<Arc<LegacyCluster>>,
}

impl Listeners {
    /// No listener yet. Connections are served on the threads of the runtime that this is called on.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[must_use]
    pub fn new(around: Arc<Surroundings>, limits: &Limits) -> Self {
        let doors = Arc::new(Doors::new(limits, around.clock));
        Self { runtime: Handle::current(), around, doors, open: BTreeMap::new() }
    }

    /// Binds a listener under a name and begins to accept. An older one of this name is removed first.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn add(&mut self, name: &str, listening: Listening) -> io::Result<SocketAddr> {
        self.remove(name);
        let bound = {
            let _here = self.runtime.enter();
            bind(listening.listen)?
        };
        self.add_bound(name, bound, listening)
    }

    /// As [`Listeners::add`], on a port that is bound already: for sessions that name it.
    ///
    /// # Errors
    ///
    /// What the operating system says of the port.
    pub fn add_bound(&mut self, name: &str, bound: Bound, listening: Listening) -> io::Result<SocketAddr> {
        self.remove(name);
        let address = bound.address()?;
        let listener = bound.0;
        let (around, doors) = (Arc::clone(&self.around), Arc::clone(&self.doors));
        let legacy = listening.legacy.clone();
        if let Some(legacy) = &legacy {
            legacy.served_at(name, address);
        }
        let task = self.runtime.spawn(accept(listener, listening, around, doors));
        tracing::info!(name, %address, "listening");
        self.open.insert(name.to_owned(), Open { address, task, legacy });
        Ok(address)
    }

    /// Stops accepting. Connections that are there go on.
    pub fn remove(&mut self, name: &str) {
        if let Some(Open { address, task, legacy }) = self.open.remove(name) {
            task.abort();
            if let Some(legacy) = legacy {
                legacy.no_longer_served(name);
            }
            tracing::info!(name, %address, "no longer listening");
        }
    }

    /// Names and addresses.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.open.iter().map(|(name, open)| (name.clone(), open.address)).collect()
    }

    /// Stops accepting everywhere and waits until every connection is over. The drivers keep their deadline,
    /// so this ends.
    pub async fn drain(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            open.task.abort();
        }
        let all = self.doors.connections_max;
        let _never_closed = self.doors.connections.acquire_many(all).await;
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.open.values().for_each(|open| open.task.abort());
    }
}

/// A port on which nobody is accepted yet.
pub struct Bound(TcpListener);

impl Bound {
    /// The address, with the port that a port 0 has become.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Binds an address without accepting on it.
///
/// # Errors
///
/// It is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<Bound> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the process before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG).map(Bound)
}

/// Who may come in.
struct Doors {
    connections: Arc<Semaphore>,
    connections_max: u32,
    per_ip_max: usize,
    per_ip: Mutex<BTreeMap<IpAddr, usize>>,
    rate: Mutex<Rate>,
    handshake: Duration,
    clock: Clock,
    next: AtomicU64,
    accepted: metrics::Counter,
    refused: metrics::Counter,
}

/// A bucket of accepts that fills up over a second.
struct Rate {
    per_second: f64,
    tokens: f64,
    filled: Duration,
}

impl Rate {
    fn take(&mut self, now: Now) -> bool {
        let passed = now.elapsed.saturating_sub(self.filled);
        self.filled = now.elapsed;
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.per_second);
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}

/// A connection's place; given back when it is dropped.
struct Place {
    doors: Arc<Doors>,
    ip: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.doors.per_ip.lock().entry(self.ip) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Doors {
    fn new(limits: &Limits, clock: Clock) -> Self {
        let per_second = f64::from(limits.accepts_per_second_max);
        Self {
            connections: Arc::new(Semaphore::new(limits.connections_max)),
            connections_max: u32::try_from(limits.connections_max).unwrap_or(u32::MAX),
            per_ip_max: limits.connections_per_ip_max,
            per_ip: Mutex::default(),
            rate: Mutex::new(Rate { per_second, tokens: per_second, filled: clock.now().elapsed }),
            handshake: Duration::from_millis(limits.handshake_ms_max),
            clock,
            next: AtomicU64::new(1),
            accepted: metrics::counter!("sluice_connections_accepted_total"),
            refused: metrics::counter!("sluice_connections_refused_total"),
        }
    }

    fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        if !self.rate.lock().take(self.clock.now()) {
            return None;
        }
        let permit = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let mut per_ip = self.per_ip.lock();
        let count = per_ip.entry(ip).or_default();
        if *count >= self.per_ip_max {
            return None;
        }
        *count += 1;
        Some(Place { doors: Arc::clone(self), ip, _permit: permit })
    }
}

async fn accept(listener: TcpListener, listening: Listening, around: Arc<Surroundings>, doors: Arc<Doors>) {
    let listening = Arc::new(listening);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = doors.enter(peer.ip()) else {
            // Dropped without a word: a limit must cost less than what it keeps away.
            doors.refused.increment(1);
            continue;
        };
        doors.accepted.increment(1);
        tokio::spawn(serve(stream, peer, Arc::clone(&listening), Arc::clone(&around), place));
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    listening: Arc<Listening>,
    around: Arc<Surroundings>,
    place: Place,
) {
    let id = ConnectionId(place.doors.next.fetch_add(1, Ordering::Relaxed));
    let handshake = greet(stream, listening.tls.clone());
    let socket = match tokio::time::timeout(place.doors.handshake, handshake).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    let certificate = socket.certificate();
    let session = (listening.open)(around.clock.now(), &Peer { address: peer, certificate });
    let connection = Connection { id, peer, socket, legacy: listening.legacy.clone() };
    let ending = driver::drive(session, connection, around).await;
    tracing::debug!(%peer, connection = id.0, %ending, "connection over");
}

async fn greet(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Socket> {
    stream.set_nodelay(true)?;
    match tls {
        None => Ok(Socket::Plain(stream)),
        Some(tls) => {
            let stream = TlsAcceptor::from(tls).accept(stream).await?;
            Ok(Socket::Tls(Box::new(TlsStream::from(stream))))
        }
    }
}

/// Which port stands for which legacy broker. A broker keeps its port while the process runs, also while it
/// is away, unless the range runs out.
#[derive(Debug)]
pub struct BrokerPorts {
    range: PortRange,
    ports: BTreeMap<i32, u16>,
}

impl BrokerPorts {
    /// No broker has a port yet.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        Self { range, ports: BTreeMap::new() }
    }

    /// The ports of the brokers that are there now; new ones take the next free ports in the order of their
    /// numbers. Brokers for which no port is left are not in the answer.
    pub fn assign(&mut self, present: &[i32]) -> BTreeMap<i32, u16> {
        let mut ids: Vec<_> = present.to_vec();
        ids.sort_unstable();
        for id in &ids {
            if self.ports.contains_key(id) {
                continue;
            }
            if let Some(port) = self.free_port(&ids) {
                self.ports.insert(*id, port);
            }
        }
        ids.iter().filter_map(|id| self.ports.get(id).map(|port| (*id, *port))).collect()
    }

    fn free_port(&mut self, present: &[i32]) -> Option<u16> {
        let free = |ports: &BTreeMap<i32, u16>, range: PortRange| {
            (range.first..=range.last).find(|port| !ports.values().any(|taken| taken == port))
        };
        if let Some(port) = free(&self.ports, self.range) {
            return Some(port);
        }
        let absent = *self.ports.keys().find(|id| !present.contains(id))?;
        self.ports.remove(&absent)
    }
}

#[cfg(test)]
mod tests;

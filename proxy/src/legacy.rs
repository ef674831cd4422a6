//! How to reach the brokers of one legacy cluster.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use config::HostPort;
use parking_lot::RwLock;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use session::LegacyNode;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::driver::Socket;

/// One legacy cluster: where its brokers are, and how to greet them.
pub struct LegacyCluster {
    bootstrap: Vec<HostPort>,
    nodes: RwLock<BTreeMap<i32, HostPort>>,
    tls: Option<TlsConnector>,
    /// Our own listeners in front of it, by name.
    own: RwLock<BTreeMap<String, SocketAddr>>,
    turn: AtomicUsize,
    retired: watch::Sender<bool>,
}

impl LegacyCluster {
    /// A cluster that is reached by `bootstrap` until its brokers are known.
    #[must_use]
    pub fn new(bootstrap: Vec<HostPort>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            bootstrap,
            nodes: RwLock::default(),
            tls: tls.map(TlsConnector::from),
            own: RwLock::default(),
            turn: AtomicUsize::new(0),
            retired: watch::Sender::new(false),
        }
    }

    /// The cluster is contacted no more: nobody connects to it from now on, and every connection to it is told.
    pub fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// Turns true when the cluster is retired.
    #[must_use]
    pub fn retirement(&self) -> watch::Receiver<bool> {
        self.retired.subscribe()
    }

    /// Replaces what is known of the brokers: their own numbers and addresses.
    pub fn set_nodes(&self, nodes: BTreeMap<i32, HostPort>) {
        *self.nodes.write() = nodes;
    }

    /// The brokers that are known now.
    #[must_use]
    pub fn nodes(&self) -> BTreeMap<i32, HostPort> {
        self.nodes.read().clone()
    }

    /// A listener in front of this cluster begins.
    pub fn served_at(&self, name: &str, address: SocketAddr) {
        self.own.write().insert(name.to_owned(), address);
    }

    /// It ends.
    pub fn no_longer_served(&self, name: &str) {
        self.own.write().remove(name);
    }

    /// Refuses a connection that has come back to a listener in front of this very cluster: metadata that names the
    /// proxy as a broker would otherwise make one client's connection into as many as the limits allow.
    fn refuse_own(&self, stream: &TcpStream) -> std::io::Result<()> {
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        let here = peer.ip() == local.ip() || peer.ip().is_loopback();
        let own = self.own.read();
        let mut at_port = own.values().filter(|address| address.port() == peer.port());
        if here && at_port.any(|address| address.ip().is_unspecified() || address.ip() == peer.ip()) {
            return Err(std::io::Error::other("legacy names the proxy's own address as a broker's"));
        }
        Ok(())
    }

    /// Connects to a broker, TLS included.
    ///
    /// # Errors
    ///
    /// Why not, in words for the log; for "any" node, why the last one could not be reached.
    pub async fn connect(self: Arc<Self>, node: LegacyNode, within: Duration) -> Result<Socket, String> {
        if *self.retired.borrow() {
            return Err("the cluster is retired".to_owned());
        }
        let attempts = async {
            let mut why = "no address is known".to_owned();
            for address in self.addresses(node) {
                match self.connect_to(&address).await {
                    Ok(socket) => return Ok(socket),
                    Err(error) => why = format!("{address}: {error}"),
                }
            }
            Err(why)
        };
        let late = |_| format!("legacy did not answer within {} ms", within.as_millis());
        tokio::time::timeout(within, attempts).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    pub(crate) fn addresses(&self, node: LegacyNode) -> Vec<HostPort> {
        let known = self.nodes.read();
        match node {
            LegacyNode::Id(id) => known.get(&id).cloned().into_iter().collect(),
            LegacyNode::Any => {
                // Each caller begins with another broker, so that none gets all of them.
                let mut all: Vec<_> = self.bootstrap.iter().chain(known.values()).cloned().collect();
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let first = turn.checked_rem(all.len()).unwrap_or_default();
                all.rotate_left(first);
                all
            }
        }
    }

    pub(crate) async fn connect_to(&self, address: &HostPort) -> std::io::Result<Socket> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        self.refuse_own(&stream)?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Socket::Plain(stream)) };
        let name = ServerName::try_from(address.host.clone()).map_err(std::io::Error::other)?;
        let stream = tls.connect(name, stream).await?;
        Ok(Socket::Tls(Box::new(TlsStream::from(stream))))
    }
}

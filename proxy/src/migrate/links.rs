//! The sockets of the feeds.
//!
//! One task a connection. Writing and reading are bounded: a feed has a bounded number of requests under way, and
//! a task hands on one piece at a time and waits until it was taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use config::HostPort;
use shadow::{Address, LinkAction, LinkId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::legacy::LegacyCluster;

/// Pieces that wait to be written to one broker.
const WRITES_MAX: usize = 256;
/// Longest time that a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// What a connection's task reports.
#[derive(Debug)]
pub(super) enum LinkReport {
    /// It stands.
    Connected,
    /// Bytes came.
    Bytes(Bytes),
    /// It is gone, or could not be made: why, as far as the system says.
    Closed(String),
}

/// Whose connection it is: a cluster has a feed in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// From legacy to the kernel.
    Mirror,
    /// From the kernel to legacy.
    Reverse,
}

/// A report with its connection. `life` tells connections of one link apart that followed one another.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) cluster: usize,
    pub(super) lane: Lane,
    pub(super) link: LinkId,
    pub(super) life: u64,
    pub(super) report: LinkReport,
}

struct Open {
    life: u64,
    writes: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
    input: BytesMut,
}

/// The connections of one feed of a cluster.
pub(super) struct Links {
    cluster: usize,
    lane: Lane,
    legacy: Arc<LegacyCluster>,
    reports: mpsc::Sender<Reported>,
    open: BTreeMap<LinkId, Open>,
    next_life: u64,
}

impl Links {
    pub(super) fn new(
        cluster: usize,
        lane: Lane,
        legacy: Arc<LegacyCluster>,
        reports: mpsc::Sender<Reported>,
    ) -> Self {
        Self { cluster, lane, legacy, reports, open: BTreeMap::new(), next_life: 0 }
    }

    /// Does what the feed wants. `false`: the connection cannot take it and was closed.
    pub(super) fn act(&mut self, link: LinkId, action: LinkAction) -> bool {
        match action {
            LinkAction::Connect(address) => {
                self.connect(link, address);
                true
            }
            LinkAction::Transmit(bytes) => {
                let sent = self.open.get(&link).is_some_and(|open| open.writes.try_send(bytes).is_ok());
                if !sent {
                    self.close(link);
                }
                sent
            }
            LinkAction::Close => {
                self.close(link);
                true
            }
        }
    }

    fn connect(&mut self, link: LinkId, address: Address) {
        self.close(link);
        self.next_life += 1;
        let (writes, taken) = mpsc::channel(WRITES_MAX);
        let whose = Whose {
            cluster: self.cluster,
            lane: self.lane,
            link,
            life: self.next_life,
            reports: self.reports.clone(),
        };
        let address = HostPort { host: address.host, port: address.port };
        let task = tokio::spawn(run(whose, Arc::clone(&self.legacy), address, taken));
        self.open.insert(link, Open { life: self.next_life, writes, task, input: BytesMut::new() });
    }

    fn close(&mut self, link: LinkId) {
        if let Some(open) = self.open.remove(&link) {
            open.task.abort();
        }
    }

    /// Whether a report is of the connection that is open now.
    pub(super) fn is_current(&self, link: LinkId, life: u64) -> bool {
        self.open.get(&link).is_some_and(|open| open.life == life)
    }

    /// Takes the input buffer of a link, with `bytes` added; it is given back by `keep_input`.
    pub(super) fn take_input(&mut self, link: LinkId, bytes: &[u8]) -> BytesMut {
        let Some(open) = self.open.get_mut(&link) else { return BytesMut::new() };
        let mut input = std::mem::take(&mut open.input);
        input.extend_from_slice(bytes);
        input
    }

    /// Keeps what the feed has not taken.
    pub(super) fn keep_input(&mut self, link: LinkId, input: BytesMut) {
        if let Some(open) = self.open.get_mut(&link) {
            open.input = input;
        }
    }

    /// Forgets a connection that has ended.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.close(link);
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.open.values().for_each(|open| open.task.abort());
    }
}

/// Whose task this is.
struct Whose {
    cluster: usize,
    lane: Lane,
    link: LinkId,
    life: u64,
    reports: mpsc::Sender<Reported>,
}

impl Whose {
    async fn report(&self, report: LinkReport) -> bool {
        let reported =
            Reported { cluster: self.cluster, lane: self.lane, link: self.link, life: self.life, report };
        self.reports.send(reported).await.is_ok()
    }
}

async fn run(whose: Whose, legacy: Arc<LegacyCluster>, address: HostPort, writes: mpsc::Receiver<Bytes>) {
    let connecting = tokio::time::timeout(CONNECT, legacy.connect_to(&address)).await;
    let why = match connecting {
        Err(_) => format!("{address} did not take the connection within {} s", CONNECT.as_secs()),
        Ok(Err(error)) => format!("{address}: {error}"),
        Ok(Ok(socket)) => {
            if whose.report(LinkReport::Connected).await {
                let (read, write) = tokio::io::split(socket);
                // Whichever ends first ends the connection.
                tokio::select! {
                    () = read_all(&whose, read) => {}
                    () = write_all(write, writes) => {}
                }
            }
            format!("{address} ended the connection")
        }
    };
    whose.report(LinkReport::Closed(why)).await;
}

async fn read_all(whose: &Whose, mut socket: impl AsyncReadExt + Unpin) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match socket.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if !whose.report(LinkReport::Bytes(buffer.split().freeze())).await {
            return;
        }
    }
}

async fn write_all(mut socket: impl AsyncWriteExt + Unpin, mut writes: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = writes.recv().await {
        if socket.write_all(&bytes).await.is_err() || socket.flush().await.is_err() {
            return;
        }
    }
}

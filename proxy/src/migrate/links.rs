//! The sockets of the feeds.
//!
//! One task a connection. Writing and reading are bounded: a feed has a bounded number of requests under way, and
//! a task hands on one piece at a time and waits until it was taken. A piece is whole answers, so that nobody puts an
//! answer together again: what a feed copies passes here once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use config::HostPort;
use shadow::{ANSWER_BYTES_MAX, Address, LinkAction, LinkId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::legacy::LegacyCluster;

/// Pieces that wait to be written to one broker.
const WRITES_MAX: usize = 256;
/// Longest time that a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Room for what comes first: most answers, and the beginning of a large one.
const READ_BYTES: usize = 64 * 1024;
/// An answer up to this size gets its room at once, a larger one as its bytes come. More than a fetch asks for.
const TRUSTED_BYTES: usize = 17 << 20;

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
    pub(super) fn take_input(&mut self, link: LinkId, bytes: Bytes) -> BytesMut {
        let Some(open) = self.open.get_mut(&link) else { return BytesMut::new() };
        let mut input = std::mem::take(&mut open.input);
        if input.is_empty() {
            return bytes.try_into_mut().unwrap_or_else(BytesMut::from);
        }
        input.extend_from_slice(&bytes);
        input
    }

    /// Keeps what the feed has not taken. An empty rest would keep the room of everything that was before it.
    pub(super) fn keep_input(&mut self, link: LinkId, input: BytesMut) {
        if let Some(open) = self.open.get_mut(&link).filter(|_| !input.is_empty()) {
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
        make_room(&mut buffer);
        match socket.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let whole = whole_answers(&buffer);
        if whole > 0 && !whose.report(LinkReport::Bytes(take_front(&mut buffer, whole))).await {
            return;
        }
    }
}

/// Length of the answers at the front that are whole. What cannot be an answer counts as one: the feed will say so.
fn whole_answers(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(rest) = bytes.get(whole..).filter(|rest| !rest.is_empty()) {
        match answer_bytes(rest) {
            Some(length) if length <= rest.len() => whole += length,
            Some(length) if length > ANSWER_BYTES_MAX as usize + size_of::<i32>() => return bytes.len(),
            Some(_) | None => break,
        }
    }
    whole
}

/// Length of the answer at the front with its size, once that is there; of a negative size, more than any.
fn answer_bytes(bytes: &[u8]) -> Option<usize> {
    let size = i32::from_be_bytes(*bytes.first_chunk()?);
    Some(usize::try_from(size).map_or(usize::MAX, |size| size.saturating_add(size_of::<i32>())))
}

/// A whole buffer is given away as it is, so that nobody else holds it.
fn take_front(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length == buffer.len() { std::mem::take(buffer).freeze() } else { buffer.split_to(length).freeze() }
}

/// Makes room for the rest of the answer at the front, or for the beginning of one.
fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() > buffer.len() {
        return;
    }
    let length = answer_bytes(buffer).unwrap_or(READ_BYTES);
    let earned = buffer.len().saturating_mul(2).max(TRUSTED_BYTES);
    let mut fresh = BytesMut::with_capacity(length.min(earned).max(READ_BYTES));
    fresh.extend_from_slice(buffer);
    *buffer = fresh;
}

async fn write_all(mut socket: impl AsyncWriteExt + Unpin, mut writes: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = writes.recv().await {
        if socket.write_all(&bytes).await.is_err() || socket.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(size: usize) -> Vec<u8> {
        let mut bytes = i32::try_from(size).unwrap().to_be_bytes().to_vec();
        bytes.resize(size + 4, 7);
        bytes
    }

    #[test]
    fn answers_are_handed_on_whole() {
        let two = [answer(3), answer(0)].concat();
        assert_eq!(whole_answers(&two), two.len());
        for cut in 0..two.len() {
            let expected = if cut >= 7 { 7 } else { 0 };
            assert_eq!(whole_answers(two.get(..cut).unwrap()), expected, "{cut}");
        }
    }

    #[test]
    fn what_cannot_be_an_answer_is_handed_on_for_the_feed_to_judge() {
        for size in [-1, i32::MIN, i32::MAX] {
            let bytes = [&answer(1)[..], &size.to_be_bytes()[..]].concat();
            assert_eq!(whole_answers(&bytes), bytes.len(), "{size}");
        }
    }

    #[test]
    fn room_is_made_for_the_answer_and_for_no_more() {
        let mut buffer = BytesMut::new();
        make_room(&mut buffer);
        assert_eq!(buffer.capacity(), READ_BYTES);
        let large = answer(TRUSTED_BYTES - 100);
        buffer.extend_from_slice(large.get(..READ_BYTES).unwrap());
        make_room(&mut buffer);
        assert_eq!(buffer.capacity(), large.len());
        // Beyond what a fetch asks for, room grows with what comes.
        let mut buffer = BytesMut::from(&(100_i32 << 20).to_be_bytes()[..]);
        make_room(&mut buffer);
        assert_eq!(buffer.capacity(), TRUSTED_BYTES);
    }

    #[test]
    fn a_whole_buffer_is_given_away_and_needs_no_copy() {
        let mut buffer = BytesMut::from(&answer(10)[..]);
        let whole = whole_answers(&buffer);
        let front = take_front(&mut buffer, whole);
        assert!(front.try_into_mut().is_ok() && buffer.is_empty());
    }
}

//! A connection's way to legacy.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use session::{LegacyNode, Progress};

use super::socket::Socket;
use super::wire::{InputMemory, Wire, WireEvent};
use crate::legacy::LegacyCluster;

type Connecting = Pin<Box<dyn Future<Output = Result<Socket, String>> + Send>>;

/// What happened on the way to legacy.
#[derive(Debug)]
pub(super) enum OutwardEvent {
    /// It is open.
    Connected,
    /// So many bytes came.
    Read(usize),
    /// So many bytes went.
    Wrote(usize),
    /// It is closed: why.
    Closed(String),
}

enum State {
    Closed,
    Connecting(Connecting),
    Open(Box<Wire>),
}

/// A connection's way to legacy: closed, opening or open.
pub(super) struct Outward {
    cluster: Option<Arc<LegacyCluster>>,
    connect_within: Duration,
    state: State,
    /// Sent while connecting.
    queue: VecDeque<Bytes>,
    queue_bytes: usize,
    paused: bool,
    refusal: Option<&'static str>,
}

impl Outward {
    pub(super) fn new(cluster: Option<Arc<LegacyCluster>>, connect_within: Duration) -> Self {
        Self {
            cluster,
            connect_within,
            state: State::Closed,
            queue: VecDeque::new(),
            queue_bytes: 0,
            paused: false,
            refusal: None,
        }
    }

    pub(super) fn connect(&mut self, node: LegacyNode) {
        self.close();
        match &self.cluster {
            Some(cluster) => {
                let connecting = Arc::clone(cluster).connect(node, self.connect_within);
                self.state = State::Connecting(Box::pin(connecting));
            }
            None => self.refusal = Some("there is no legacy cluster behind this listener"),
        }
    }

    /// Why a connection was refused without an attempt.
    pub(super) fn take_refusal(&mut self) -> Option<&'static str> {
        self.refusal.take()
    }

    pub(super) fn transmit(&mut self, bytes: Bytes) {
        match &mut self.state {
            State::Open(wire) => wire.push(bytes),
            State::Connecting(_) => {
                self.queue_bytes = self.queue_bytes.saturating_add(bytes.len());
                self.queue.push_back(bytes);
            }
            // The session hears `Closed`, or has asked for it; bytes to nobody are lost either way.
            State::Closed => {}
        }
    }

    /// Drops the connection with whatever was not sent.
    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.queue.clear();
        self.queue_bytes = 0;
        self.paused = false;
    }

    /// Sends what is queued, then says that nothing more comes. Legacy may go on answering.
    pub(super) fn shut_down(&mut self) {
        if let State::Open(wire) = &mut self.state {
            wire.shut_down();
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Whether legacy has been sent all that there is.
    pub(super) fn is_drained(&self) -> bool {
        match &self.state {
            State::Open(wire) => wire.is_drained(),
            State::Connecting(_) => self.queue.is_empty(),
            State::Closed => true,
        }
    }

    pub(super) fn output_bytes(&self) -> usize {
        match &self.state {
            State::Open(wire) => wire.output_bytes(),
            State::Connecting(_) | State::Closed => self.queue_bytes,
        }
    }

    pub(super) fn may_read(&self) -> bool {
        !self.paused
    }

    /// Whether the session wanted a pause, and is to be asked again.
    pub(super) fn is_paused(&self) -> bool {
        self.paused && matches!(self.state, State::Open(_))
    }

    pub(super) fn input(&mut self) -> Option<&mut BytesMut> {
        match &mut self.state {
            State::Open(wire) => Some(&mut wire.input),
            State::Connecting(_) | State::Closed => None,
        }
    }

    /// The session has looked at the input. Returns how much it has left.
    pub(super) fn took(&mut self, progress: Progress) -> usize {
        self.paused = progress.paused;
        match &mut self.state {
            State::Open(wire) => {
                wire.expect(progress.wanted);
                wire.input.len()
            }
            State::Connecting(_) | State::Closed => 0,
        }
    }

    /// Memory of the answer that is being read.
    pub(super) fn input_memory(&self) -> InputMemory {
        match &self.state {
            State::Open(wire) => wire.input_memory(),
            State::Connecting(_) | State::Closed => InputMemory::default(),
        }
    }

    pub(super) fn be_sparing(&mut self, sparing: bool) {
        if let State::Open(wire) = &mut self.state {
            wire.be_sparing(sparing);
        }
    }

    pub(super) fn release_idle(&mut self) {
        if let State::Open(wire) = &mut self.state {
            wire.release_idle();
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<OutwardEvent> {
        match &mut self.state {
            State::Closed => Poll::Pending,
            State::Connecting(connecting) => match connecting.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(socket)) => Poll::Ready(self.opened(socket)),
                Poll::Ready(Err(why)) => Poll::Ready(self.closed(why)),
            },
            State::Open(wire) => match wire.poll(cx, read) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(WireEvent::Read(count)) => Poll::Ready(OutwardEvent::Read(count)),
                Poll::Ready(WireEvent::Wrote(count)) => Poll::Ready(OutwardEvent::Wrote(count)),
                Poll::Ready(WireEvent::Shut) => Poll::Ready(OutwardEvent::Wrote(0)),
                Poll::Ready(WireEvent::Ended) => {
                    Poll::Ready(self.closed("legacy closed the connection".to_owned()))
                }
                Poll::Ready(WireEvent::Failed(error)) => Poll::Ready(self.closed(error.to_string())),
            },
        }
    }

    fn opened(&mut self, socket: Socket) -> OutwardEvent {
        let mut wire = Box::new(Wire::new(socket));
        for bytes in self.queue.drain(..) {
            wire.push(bytes);
        }
        self.queue_bytes = 0;
        self.state = State::Open(wire);
        OutwardEvent::Connected
    }

    fn closed(&mut self, why: String) -> OutwardEvent {
        self.close();
        OutwardEvent::Closed(why)
    }
}

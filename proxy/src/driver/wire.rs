//! One socket with what was read and not yet taken, and what was queued and not yet written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::socket::Socket;

/// A connection begins with a buffer of this size, and goes back to it when little comes.
const READ_BYTES_MIN: usize = 4 * 1024;
/// The largest buffer that reading grows to by itself.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Copies into and out of the operating system are several times slower from some odd addresses.
const ALIGNMENT: usize = 64;
/// How many queued pieces one system call writes.
const SLICES_MAX: usize = 64;
/// Reads in a row that filled less than a quarter of the buffer before it shrinks.
const SMALL_READS_MAX: u8 = 16;

/// What a turn of the socket brought.
#[derive(Debug)]
pub(super) enum WireEvent {
    /// This many bytes were added to the input.
    Read(usize),
    /// The peer will send nothing more.
    Ended,
    /// This many bytes were written.
    Wrote(usize),
    /// Everything is written and our direction is closed.
    Shut,
    /// The connection is broken.
    Failed(io::Error),
}

/// Memory of the frame that is being read, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct InputMemory {
    /// As it is.
    pub(super) held: usize,
    /// Once the frame is whole.
    pub(super) needed: usize,
}

/// One socket with its buffers.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    /// Read and not yet taken.
    pub(super) input: BytesMut,
    output: VecDeque<Bytes>,
    output_bytes: usize,
    read_bytes: usize,
    small_reads: u8,
    /// Buffers do not grow beyond what the frame at the front needs.
    sparing: bool,
    wanted: usize,
    unflushed: bool,
    shutting: bool,
    shut: bool,
    ended: bool,
}

impl Wire {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            output: VecDeque::new(),
            output_bytes: 0,
            read_bytes: READ_BYTES_MIN,
            small_reads: 0,
            sparing: false,
            wanted: 0,
            unflushed: false,
            shutting: false,
            shut: false,
            ended: false,
        }
    }

    /// Queues bytes for the peer. The caller keeps `output_bytes` within its bound.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && !self.shutting {
            self.output_bytes = self.output_bytes.saturating_add(bytes.len());
            self.output.push_back(bytes);
        }
    }

    /// How many queued bytes are not written.
    pub(super) fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// Whether all that was queued has left this process.
    pub(super) fn is_drained(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    /// Closes our direction once everything queued is written; what comes later is dropped.
    pub(super) fn shut_down(&mut self) {
        self.shutting = true;
    }

    /// How many more bytes the frame at the front needs, so that its last read can take them at once.
    pub(super) fn expect(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    /// Memory of the frame that is being read.
    pub(super) fn input_memory(&self) -> InputMemory {
        let held = self.input.capacity();
        InputMemory { held, needed: held.max(self.input.len().saturating_add(self.wanted)) }
    }

    /// Keeps buffers small from now on, or lets them grow again.
    pub(super) fn be_sparing(&mut self, sparing: bool) {
        self.sparing = sparing;
        if sparing {
            self.release_idle();
        }
    }

    /// Gives the buffer back while nothing is in it.
    pub(super) fn release_idle(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.read_bytes = READ_BYTES_MIN;
        }
    }

    /// Whether an idle connection still has a buffer.
    pub(super) fn holds_idle_buffer(&self) -> bool {
        self.input.is_empty() && self.input.capacity() > 0
    }

    /// Writes what is queued, then reads if `read`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<WireEvent> {
        match self.poll_write(cx) {
            Poll::Ready(Ok(0)) if self.shut => return Poll::Ready(WireEvent::Shut),
            Poll::Ready(Ok(written)) => return Poll::Ready(WireEvent::Wrote(written)),
            Poll::Ready(Err(error)) => return Poll::Ready(WireEvent::Failed(error)),
            Poll::Pending => {}
        }
        if !read || self.ended {
            return Poll::Pending;
        }
        match ready!(self.poll_read(cx)) {
            Ok(0) => {
                self.ended = true;
                Poll::Ready(WireEvent::Ended)
            }
            Ok(count) => Poll::Ready(WireEvent::Read(count)),
            // Some peers close TLS without saying so; for the session that is an end like any other, since
            // every protocol here frames its messages.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ended = true;
                Poll::Ready(WireEvent::Ended)
            }
            Err(error) => Poll::Ready(WireEvent::Failed(error)),
        }
    }

    /// Ready with the number of bytes written, or with 0 once our direction is closed; pending while there
    /// is nothing to do or no room.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while !self.output.is_empty() {
            match self.poll_write_once(cx) {
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(written)),
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        if written > 0 {
            return Poll::Ready(Ok(written));
        }
        if self.shutting && !self.shut && self.is_drained() {
            let outcome = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
            self.shut = true;
            return Poll::Ready(outcome.map(|()| 0));
        }
        Poll::Pending
    }

    fn poll_write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.output) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let slices = slices.get(..used).unwrap_or_default();
        let count = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, slices))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = matches!(self.socket, Socket::Tls(_));
        self.written(count);
        Poll::Ready(Ok(count))
    }

    fn written(&mut self, count: usize) {
        self.output_bytes = self.output_bytes.saturating_sub(count);
        let mut rest = count;
        while let Some(front) = self.output.front_mut() {
            if front.len() > rest {
                front.advance(rest);
                return;
            }
            rest -= front.len();
            self.output.pop_front();
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Only once there is something to read does the connection get a buffer.
        ready!(self.socket.poll_readable(cx))?;
        self.make_room();
        let spare = self.input.capacity() - self.input.len();
        let count = ready!(pin!(self.socket.read_buf(&mut self.input)).poll(cx))?;
        self.adapt(count, spare);
        Poll::Ready(Ok(count))
    }

    /// Makes room for one read: as much as the reads of late have filled, or the rest of the frame, but
    /// never more than doubles what has really come. A length field alone allocates nothing.
    fn make_room(&mut self) {
        let earned = self.input.len().max(READ_BYTES_MAX);
        let room = self.read_bytes.max(self.wanted.min(earned));
        let spare = self.input.capacity() - self.input.len();
        if spare >= room.div_ceil(2) || self.input.try_reclaim(room) {
            return;
        }
        let mut fresh = aligned(self.input.len() + room);
        fresh.extend_from_slice(&self.input);
        self.input = fresh;
    }

    fn adapt(&mut self, count: usize, spare: usize) {
        self.wanted = self.wanted.saturating_sub(count);
        if self.sparing {
            self.read_bytes = READ_BYTES_MIN;
        } else if count == spare {
            self.read_bytes = (self.read_bytes * 4).min(READ_BYTES_MAX);
            self.small_reads = 0;
        } else if count < self.read_bytes / 4 {
            self.small_reads += 1;
            if self.small_reads >= SMALL_READS_MAX {
                self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
                self.small_reads = 0;
            }
        } else {
            self.small_reads = 0;
        }
    }
}

/// An empty buffer with at least this capacity, whose first byte lies at a multiple of [`ALIGNMENT`].
fn aligned(capacity: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(capacity + ALIGNMENT);
    let beyond = buffer.as_ptr().addr() % ALIGNMENT;
    if beyond > 0 {
        let padding = ALIGNMENT - beyond;
        buffer.resize(padding, 0);
        buffer.advance(padding);
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_large_enough() {
        for capacity in [1, 100, 4096, 300_000] {
            let mut buffer = aligned(capacity);
            assert!(buffer.capacity() >= capacity && buffer.is_empty());
            buffer.extend_from_slice(b"x");
            assert_eq!(buffer.as_ptr().addr() % ALIGNMENT, 0);
        }
    }
}

//! The kernel's shards, each on a thread of its own, and the way to them.
//!
//! A shard lives behind a bounded channel. A full channel is backpressure towards the connection that asks,
//! never an unbounded queue, and never blocks a connection that asks for nothing.

mod host;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use kernel_model::{KernelError, Reply, Request, ShardId};
use session::{Answer, RequestId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub use host::{HostError, OpenShard, ShardHosts, Waker};

use crate::holds::ReplyTo;

/// A number for somebody who asks shards (a connection, a feed), different from everybody else's in this
/// process: request ids are only unique per asker.
#[must_use]
pub fn new_asker() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What waits for a shard.
#[derive(Debug)]
pub enum ShardMessage {
    /// A request, with whoever wants its answer.
    Request {
        /// What is asked.
        request: Request,
        /// Who asks.
        reply_to: ReplyTo,
    },
    /// Nobody wants the answer to this request any more.
    Cancel(ReplyTo),
}

/// The way to every shard of the process.
#[derive(Debug, Clone, Default)]
pub struct Shards {
    ports: Vec<mpsc::Sender<ShardMessage>>,
}

impl Shards {
    /// The way to these shards, in the order of their numbers.
    #[must_use]
    pub fn new(ports: Vec<mpsc::Sender<ShardMessage>>) -> Self {
        Self { ports }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ports.len()
    }

    /// Hands a message over if there is room. A shard that is gone answers a request with `Stopped`.
    ///
    /// # Errors
    ///
    /// Gives the message back when the shard's channel is full; see [`Shards::room`].
    pub fn try_send(&self, shard: ShardId, message: ShardMessage) -> Result<(), ShardMessage> {
        let Some(port) = self.ports.get(usize::from(shard.0)) else {
            refuse(message, KernelError::Invalid("no such shard"));
            return Ok(());
        };
        match port.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(message)) => Err(message),
            Err(TrySendError::Closed(message)) => {
                refuse(message, KernelError::Stopped("the shard is gone".to_owned()));
                Ok(())
            }
        }
    }

    /// Asks a shard and waits for its answer: for whoever is no connection and asks one thing at a time.
    ///
    /// # Errors
    ///
    /// The shard's refusal; `Stopped` when it is gone.
    pub async fn ask(&self, shard: ShardId, request: Request) -> Result<Reply, KernelError> {
        let (answers, mut answered) = mpsc::unbounded_channel();
        let reply_to = ReplyTo { answers, asker: new_asker(), id: RequestId(0) };
        let mut message = ShardMessage::Request { request, reply_to };
        while let Err(back) = self.try_send(shard, message) {
            message = back;
            self.room(shard).await;
        }
        match answered.recv().await {
            Some((_, Ok(Answer::Kernel(reply)))) => Ok(reply),
            Some((_, Err(error))) => Err(error),
            Some((_, Ok(Answer::Released))) | None => {
                Err(KernelError::Stopped("the shard is gone".to_owned()))
            }
        }
    }

    /// Ready when the shard's channel has room, or will never have.
    pub async fn room(&self, shard: ShardId) {
        if let Some(port) = self.ports.get(usize::from(shard.0)) {
            // A closed channel has "room" too: the next attempt is answered.
            let _closed = port.reserve().await;
        }
    }
}

fn refuse(message: ShardMessage, error: KernelError) {
    match message {
        ShardMessage::Request { reply_to, .. } => reply_to.send(Err(error)),
        ShardMessage::Cancel(_) => {}
    }
}

//! Where requests to the kernel go.
//!
//! Each shard lives on its own thread behind a bounded channel. A full channel is backpressure towards the
//! connection that asks, never an unbounded queue, and never blocks a connection that asks for nothing.

use kernel_model::{KernelError, Request, ShardId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::holds::ReplyTo;

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

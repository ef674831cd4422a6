//! The open requests of one connection.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kernel_model::reply::{Chunk, Records};
use kernel_model::{KernelError, Reply, ShardId};
use session::{Answer, Request, RequestId, UnitId};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Memory, Surroundings};
use crate::holds::{Answers, ReplyTo};
use crate::shards::{ShardMessage, Shards, new_asker};

/// How long a read of stored chunks waits for memory.
const ROOM_WITHIN: Duration = Duration::from_secs(10);

type Answered = (RequestId, Result<Answer, KernelError>);

enum Open {
    /// A shard has it.
    Kernel(ShardId),
    /// The registry has it.
    Hold(UnitId),
    /// A shard has answered, and stored chunks are being read.
    Reading,
}

/// The open requests of one connection, at most `open_max`.
pub(super) struct Requests {
    open: BTreeMap<RequestId, Open>,
    open_max: usize,
    /// The one for which its shard has no room.
    waiting: Option<(ShardId, RequestId, ShardMessage)>,
    /// Made when the first request is opened, and given back while the connection is idle: a channel takes
    /// more memory than everything else of an idle connection.
    channel: Option<(Answers, UnboundedReceiver<Answered>)>,
    asker: u64,
}

impl Requests {
    pub(super) fn new(open_max: usize) -> Self {
        Self { open: BTreeMap::new(), open_max, waiting: None, channel: None, asker: new_asker() }
    }

    /// Whether another request may be opened.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < self.open_max && self.waiting.is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn open(&mut self, id: RequestId, request: Request, around: &Surroundings) {
        match request {
            Request::Kernel { shard, request } => {
                let reply_to = self.reply_to(id);
                self.open.insert(id, Open::Kernel(shard));
                self.send(shard, id, ShardMessage::Request { request, reply_to }, around);
            }
            Request::Hold(unit) => {
                around.holds.wait(&unit, self.reply_to(id));
                self.open.insert(id, Open::Hold(unit));
            }
            Request::Cancel(other) => self.cancel(other, around),
        }
    }

    fn reply_to(&mut self, id: RequestId) -> ReplyTo {
        let (answers, _) = self.channel.get_or_insert_with(unbounded_channel);
        ReplyTo { answers: answers.clone(), asker: self.asker, id }
    }

    /// Gives the channel back while no answer is owed.
    pub(super) fn release_idle(&mut self) {
        if self.open.is_empty() {
            self.channel = None;
        }
    }

    /// Whether an idle connection still has a channel.
    pub(super) fn holds_idle_channel(&self) -> bool {
        self.open.is_empty() && self.channel.is_some()
    }

    fn send(&mut self, shard: ShardId, id: RequestId, message: ShardMessage, around: &Surroundings) {
        if let Err(message) = around.shards.try_send(shard, message) {
            self.waiting = Some((shard, id, message));
        }
    }

    fn cancel(&mut self, id: RequestId, around: &Surroundings) {
        if self.waiting.as_ref().is_some_and(|(_, waiting, _)| *waiting == id) {
            self.waiting = None;
            self.open.remove(&id);
            return;
        }
        match self.open.remove(&id) {
            Some(Open::Kernel(shard)) => {
                let reply_to = self.reply_to(id);
                // Without room the shard answers in its own time, and the answer is dropped here.
                let _no_room = around.shards.try_send(shard, ShardMessage::Cancel(reply_to));
            }
            Some(Open::Hold(unit)) => {
                let ReplyTo { answers, .. } = self.reply_to(id);
                around.holds.cancel(&unit, &answers, id);
            }
            Some(Open::Reading) | None => {}
        }
    }

    /// A shard may have room for the request that waits.
    pub(super) fn retry(&mut self, around: &Surroundings) {
        if let Some((shard, id, message)) = self.waiting.take() {
            self.send(shard, id, message, around);
        }
    }

    /// What to wait for: the next answer, and room for the request that has none.
    pub(super) fn waits<'a>(
        &'a mut self,
        shards: &'a Shards,
    ) -> (impl Future<Output = Answered> + 'a, impl Future<Output = ()> + 'a) {
        let shard = self.waiting.as_ref().map(|(shard, ..)| *shard);
        let room = async move {
            match shard {
                Some(shard) => shards.room(shard).await,
                None => std::future::pending().await,
            }
        };
        let channel = &mut self.channel;
        let answer = poll_fn(move |cx| match channel {
            Some((_, answered)) => match answered.poll_recv(cx) {
                Poll::Ready(Some(answered)) => Poll::Ready(answered),
                // Our own sender keeps the channel open.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
            None => Poll::Pending,
        });
        (answer, room)
    }

    pub(super) fn next_answer(&mut self) -> Option<Answered> {
        self.channel.as_mut().and_then(|(_, answered)| answered.try_recv().ok())
    }

    /// The answer for the session, unless nobody wants it any more or stored chunks have to be read first.
    pub(super) fn settle(
        &mut self,
        id: RequestId,
        answer: Result<Answer, KernelError>,
        memory: &Arc<Memory>,
    ) -> Option<Result<Answer, KernelError>> {
        if !self.open.contains_key(&id) {
            return None;
        }
        match answer {
            Ok(Answer::Kernel(Reply::Records(records))) if records.chunks.iter().any(is_cold) => {
                self.open.insert(id, Open::Reading);
                let reply_to = self.reply_to(id);
                read_beside(records, reply_to, Arc::clone(memory));
                None
            }
            answer => {
                self.open.remove(&id);
                Some(answer)
            }
        }
    }

    /// The connection is over: nobody wants any answer.
    pub(super) fn close(&mut self, around: &Surroundings) {
        let open: Vec<_> = self.open.keys().copied().collect();
        for id in open {
            self.cancel(id, around);
        }
    }
}

pub(crate) fn is_cold(chunk: &Chunk) -> bool {
    matches!(chunk, Chunk::Cold(_))
}

/// Reads stored chunks where blocking is allowed and there is memory for them, then answers again. The pool of
/// threads has a bound, and so has the number of a connection's requests.
pub(crate) fn read_beside(records: Records, reply_to: ReplyTo, memory: Arc<Memory>) {
    tokio::spawn(async move {
        let _until_handed_over =
            memory.borrow(records.chunks.iter().map(cold_bytes).sum(), ROOM_WITHIN).await;
        let read = tokio::task::spawn_blocking(move || read_chunks(records)).await;
        let lost = || KernelError::Stopped("the read was lost".to_owned());
        let answer = read.unwrap_or_else(|_| Err(lost()));
        reply_to.send(answer.map(|records| Answer::Kernel(Reply::Records(records))));
    });
}

fn cold_bytes(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Cold(cold) => cold.len,
        Chunk::Hot(_) => 0,
    }
}

fn read_chunks(mut records: Records) -> Result<Records, KernelError> {
    for chunk in &mut records.chunks {
        if let Chunk::Cold(cold) = chunk {
            *chunk = Chunk::Hot(cold.source.read(cold.position, cold.len)?);
        }
    }
    Ok(records)
}

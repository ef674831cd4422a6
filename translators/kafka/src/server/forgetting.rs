//! Makes the groups of every shard forget what they committed for topics that are deleted.

use std::time::Duration;

use kernel_model::{KernelError, Reply, Request, ShardId};

use super::operation::Cx;
use crate::codec::{Str, Uuid};
use crate::coordinator::group::transfer::{Transfer, TransferReply};
use crate::coordinator::message::CatalogMessage;
use crate::placement::{CATALOG, CATALOG_SHARD, GROUPS};

/// Pause before shards are asked again that refused.
const RETRY: Duration = Duration::from_millis(50);

/// Asks every shard until all of them forgot, then tells the catalog, which holds the names back until then.
pub(super) struct Forgetting {
    topics: Vec<(Str, Uuid)>,
    asked: usize,
    refused: bool,
    is_telling: bool,
    deadline: Duration,
}

impl Forgetting {
    /// Asks for all deleted topics that are not forgotten; `None` when there is none.
    pub(super) fn begin(cx: &mut Cx<'_>) -> Option<Self> {
        let catalog = cx.catalog();
        let topics: Vec<_> = catalog.unforgotten().map(|(name, id)| (Str::from(&**name), id)).collect();
        if topics.is_empty() {
            return None;
        }
        let deadline = cx.now.deadline(cx.settings.limits.create_wait_max);
        let mut forgetting = Self { topics, asked: 0, refused: false, is_telling: false, deadline };
        forgetting.ask(cx);
        Some(forgetting)
    }

    /// Asks every shard.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        let message = Transfer::TopicsDeleted { topics: self.topics.clone() }.encode();
        let shards = cx.settings.shards.max(1);
        for shard in 0..shards {
            let message = Request::Coordinate { kind: GROUPS, message: message.clone() };
            cx.ask(usize::from(shard), ShardId(shard), message);
        }
        self.asked = usize::from(shards);
        self.refused = false;
    }

    /// Takes an answer. True when all have forgotten, or it took too long: then the names stay held back, and
    /// whoever wants to create a topic of such a name asks again.
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, answer: Result<Reply, KernelError>) -> bool {
        if self.is_telling {
            return true;
        }
        self.asked = self.asked.saturating_sub(1);
        self.refused |= !has_forgotten(answer);
        if self.asked > 0 {
            return false;
        }
        if self.refused {
            cx.wake_at(cx.now.deadline(RETRY));
            return cx.now.elapsed >= self.deadline;
        }
        let topics = self.topics.iter().map(|(name, id)| (name.to_string(), id.0)).collect();
        let message = CatalogMessage::OffsetsForgotten { topics }.to_bytes();
        cx.ask(0, CATALOG_SHARD, Request::Coordinate { kind: CATALOG, message });
        self.is_telling = true;
        false
    }
}

fn has_forgotten(answer: Result<Reply, KernelError>) -> bool {
    let Ok(Reply::Coordinated(body)) = answer else { return false };
    TransferReply::decode(body) == Ok(TransferReply::Done)
}

//! Dual-write: handing what legacy acknowledged to the kernel before the client hears of it.
//!
//! The batch goes to the kernel at the offset that legacy answered, under the leader epoch that the feed has
//! seen last, as a provisional tail. The feed stays the authority: it confirms the batch when it sees the same
//! bytes, and replaces it when it does not.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::patch_header;
use kernel_model::request::MirrorOrigin;
use kernel_model::{LogEpoch, LogId, Offset, VerifiedBatch};
use session::Request;

use super::route::{RouteTable, TopicRef, Unit};
use crate::codec::messages::{ProduceRequest, ProduceResponse};
use crate::codec::{Str, Uuid};

/// A batch that waits for legacy's answer.
#[derive(Debug)]
pub(super) struct AheadBatch {
    topic: Str,
    topic_id: Uuid,
    partition: i32,
    records: Bytes,
    pub(super) unit: Arc<Unit>,
    log: LogId,
}

/// The batches of a request whose units are dual-written.
pub(super) fn batches_ahead(request: &ProduceRequest, routes: &RouteTable) -> Vec<AheadBatch> {
    let mut ahead = Vec::new();
    for topic in &request.topic_data {
        for partition in &topic.partition_data {
            let unit = routes.partition(TopicRef::of(&topic.name, topic.topic_id), partition.index);
            let Some(unit) = unit.filter(|unit| unit.dual_write()) else { continue };
            if let (Some(log), Some(records)) = (unit.log(), &partition.records) {
                ahead.push(AheadBatch {
                    topic: topic.name.clone(),
                    topic_id: topic.topic_id,
                    partition: partition.index,
                    records: records.clone(),
                    unit: Arc::clone(unit),
                    log,
                });
            }
        }
    }
    ahead
}

impl AheadBatch {
    /// The kernel request for this batch, if legacy acknowledged it.
    pub(super) fn acknowledged(&self, answer: &ProduceResponse) -> Option<Request> {
        let topic = answer
            .responses
            .iter()
            .find(|topic| topic.name == self.topic && topic.topic_id == self.topic_id)?;
        let partition = topic.partition_responses.iter().find(|each| each.index == self.partition)?;
        // A topic that stamps at append stores other bytes than the producer sent: the feed brings those.
        if partition.error_code != 0 || partition.log_append_time_ms >= 0 {
            return None;
        }
        let base_offset = Offset::from_i64(partition.base_offset)?;
        let mut batch = BytesMut::from(self.records.as_ref());
        patch_header(&mut batch, base_offset, LogEpoch(self.unit.legacy_epoch()));
        let batch = VerifiedBatch::take(&mut batch.freeze()).ok()?;
        Some(Request::Kernel {
            shard: self.log.shard(),
            request: kernel_model::Request::Mirror {
                log: self.log,
                batches: vec![batch],
                origin: MirrorOrigin::Ahead,
                from: None,
                confirm: None,
                start: None,
            },
        })
    }
}

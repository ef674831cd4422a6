//! Following legacy's `__consumer_offsets`: members, generations and committed offsets of the groups that are
//! to move.
//!
//! Each partition is read in order. Its records go to the coordinators of the shards that own the groups, with the
//! position to go on from, in one commit: after a restart reading resumes there.

mod consumers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::batch::{Records, record_bytes, split};
use kernel_model::{Now, VerifiedBatch};
use translator_kafka::codec::Str;
use translator_kafka::codec::messages::fetch_response::PartitionData;
use translator_kafka::coordinator::group::transfer::Transfer;
use translator_kafka::coordinator::group::{OffsetsRecord, decode_consumer_record, decode_offsets_record};
use translator_kafka::errors::ErrorCode;
use translator_kafka::placement::group_shard;

use self::consumers::ConsumerGroups;
use crate::feed::Epochs;
use crate::follower::Outcome;
use crate::open_offsets::OpenOffsets;

/// Name of the topic.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Most bytes that one inflated batch of it may take.
const INFLATED_BYTES_MAX: usize = 64 << 20;

/// The partition of `__consumer_offsets` that a group's records are in: Java's string hash, as legacy uses.
#[must_use]
pub(crate) fn partition_of(group: &str, partitions: i32) -> i32 {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka takes the magnitude, and 0 for the one number that has none.
    hash.checked_abs().unwrap_or(0).checked_rem(partitions).unwrap_or(0)
}

/// What is known of following the offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetsStatus {
    /// Groups seen that are to move.
    pub groups: BTreeSet<String>,
    /// Groups that cannot move, and why.
    pub unsupported: BTreeMap<String, String>,
    /// Records read that are not applied yet.
    pub behind: u64,
    /// Whether every partition has been read to its end once.
    pub caught_up: bool,
    /// Why it cannot be followed, if it cannot.
    pub error: Option<String>,
    /// How long ago the partition whose leader has been silent longest was last answered for.
    pub heard_ago: Duration,
}

/// One partition of the topic.
#[derive(Debug, Default)]
struct Reader {
    leader: i32,
    next: u64,
    applied: u64,
    /// Where a restart would begin, once everything below `next` is applied, and now.
    next_quiet: u64,
    applied_quiet: u64,
    open: OpenOffsets,
    high_watermark: Option<u64>,
    /// Answers of shards that are outstanding for everything below `next`.
    unanswered: usize,
    heard_at: Option<Duration>,
    located: bool,
}

impl Reader {
    /// Reads on from an offset at which no transaction is open.
    fn begin_at(&mut self, offset: u64) {
        (self.next, self.applied) = (offset, offset);
        (self.next_quiet, self.applied_quiet) = (offset, offset);
        self.open.begin_at(offset);
    }
}

/// Follows all partitions.
#[derive(Default)]
pub(crate) struct OffsetsFollower {
    readers: BTreeMap<i32, Reader>,
    groups: BTreeSet<String>,
    unsupported: BTreeMap<String, String>,
    consumers: ConsumerGroups,
    error: Option<String>,
}

/// What is taken of the records, and how.
pub(crate) struct Wanted<'a> {
    /// Whether a group is to be followed.
    pub(crate) groups: &'a dyn Fn(&str) -> bool,
    /// How leader epochs are counted.
    pub(crate) epochs: &'a Epochs,
}

/// Messages for the coordinators of one shard.
pub(crate) struct Messages {
    pub(crate) shard: u16,
    pub(crate) transfer: Transfer,
}

impl OffsetsFollower {
    /// Takes leaders from a new view of the cluster. Says whether there are partitions whose position is not
    /// known yet.
    pub(crate) fn see_leaders(&mut self, partitions: &BTreeMap<i32, (i32, i32)>) -> bool {
        for (&partition, &(leader, _)) in partitions {
            self.readers.entry(partition).or_default().leader = leader;
        }
        self.readers.values().any(|reader| !reader.located)
    }

    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.readers.len()).unwrap_or(i32::MAX)
    }

    /// Resumes where every shard has come to; `progress` has one list per shard.
    pub(crate) fn locate(&mut self, progress: &[Vec<(i32, i64)>]) {
        for (&partition, reader) in &mut self.readers {
            if reader.located {
                continue;
            }
            let reached = progress.iter().map(|shard| {
                let found = shard.iter().find(|(of, _)| *of == partition);
                found.and_then(|(_, offset)| u64::try_from(*offset).ok()).unwrap_or(0)
            });
            reader.begin_at(reached.min().unwrap_or(0));
            reader.located = true;
        }
    }

    /// More groups are to be followed than before: what was passed over for them is read again. Applying is
    /// idempotent.
    pub(crate) fn rewind(&mut self) {
        for reader in self.readers.values_mut().filter(|reader| reader.located) {
            reader.begin_at(0);
        }
    }

    /// Partitions to fetch from `node`, with their offsets.
    pub(crate) fn wanted(&self, node: i32) -> impl Iterator<Item = (i32, u64)> + '_ {
        let ready = move |reader: &Reader| reader.leader == node && reader.located && reader.unanswered == 0;
        self.readers.iter().filter(move |(_, reader)| ready(reader)).map(|(id, reader)| (*id, reader.next))
    }

    /// Takes what the leader answered; the messages are for the shards' coordinators.
    pub(crate) fn fetched(
        &mut self,
        now: Now,
        partition: i32,
        from: u64,
        answer: &PartitionData,
        wanted: &Wanted<'_>,
        shards: u16,
    ) -> (Outcome, Vec<Messages>) {
        let Some(reader) = self.readers.get_mut(&partition).filter(|reader| reader.next == from) else {
            return (Outcome::Fine, Vec::new());
        };
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::OffsetOutOfRange) => {
                // Compaction and retention of this topic may move its start; what is gone was superseded.
                reader.begin_at(u64::try_from(answer.log_start_offset).unwrap_or(0));
                return (Outcome::AskEnds, Vec::new());
            }
            Some(ErrorCode::TopicAuthorizationFailed) => {
                self.error = Some("legacy does not let the link read __consumer_offsets".to_owned());
                return (Outcome::Refresh, Vec::new());
            }
            _ => return (Outcome::Refresh, Vec::new()),
        }
        let watermark = u64::try_from(answer.high_watermark).unwrap_or(0);
        reader.high_watermark = Some(watermark);
        reader.heard_at = Some(now.elapsed);
        let mut rest = answer.records.clone().unwrap_or_default();
        let batches = match split(&mut rest) {
            Ok(batches) => batches,
            Err(error) => {
                self.error = Some(format!("partition {partition} of {OFFSETS_TOPIC} is damaged: {error}"));
                return (Outcome::Refresh, Vec::new());
            }
        };
        let Some(end) = batches.last().map(|batch| batch.header().end_offset().0) else {
            return (Outcome::Fine, Vec::new());
        };
        reader.next = end;
        let mut open = std::mem::take(&mut reader.open);
        let records = self.decode(&batches, from, wanted, &mut open);
        let quiet = open.read_to(end);
        let messages = by_shard(records, (partition, quiet), shards);
        if let Some(reader) = self.readers.get_mut(&partition) {
            reader.unanswered = messages.len();
            reader.next_quiet = quiet;
            reader.open = open;
        }
        (Outcome::Fine, messages)
    }

    fn decode(
        &mut self,
        batches: &[VerifiedBatch],
        from: u64,
        wanted: &Wanted<'_>,
        open: &mut OpenOffsets,
    ) -> Vec<OffsetsRecord> {
        let mut decoded = Vec::new();
        for batch in batches.iter().filter(|batch| batch.header().end_offset().0 > from) {
            if batch.header().is_control() {
                decoded.extend(open.end(batch));
                continue;
            }
            let inflated = match record_bytes(batch, INFLATED_BYTES_MAX) {
                Ok(inflated) => inflated,
                Err(error) => {
                    self.error = Some(format!("{OFFSETS_TOPIC} cannot be read: {error}"));
                    continue;
                }
            };
            if !batch.header().is_transactional() {
                self.decode_batch(batch, &inflated, from, wanted, &mut decoded);
                continue;
            }
            let producer_id = batch.header().producer_id;
            open.open(producer_id);
            let mut within = Vec::new();
            self.decode_batch(batch, &inflated, from, wanted, &mut within);
            if within.into_iter().any(|record| open.keep(producer_id, record).is_err()) {
                self.error = Some(format!("{OFFSETS_TOPIC} holds too many offsets of open transactions"));
            }
        }
        decoded
    }

    fn decode_batch(
        &mut self,
        batch: &VerifiedBatch,
        inflated: &Bytes,
        from: u64,
        wanted: &Wanted<'_>,
        decoded: &mut Vec<OffsetsRecord>,
    ) {
        for record in Records::new(inflated, batch.header().record_count) {
            let Ok(record) = record else {
                self.error = Some(format!("{OFFSETS_TOPIC} holds a record that cannot be read"));
                return;
            };
            let offset =
                batch.header().base_offset.0.saturating_add(u64::try_from(record.offset_delta).unwrap_or(0));
            let Some(key) = record.key.filter(|_| offset >= from) else { continue };
            match decode_offsets_record(key, record.value) {
                Ok(record) => self.sort(record, wanted, decoded),
                Err(error) => self.error = Some(error.to_string()),
            }
        }
    }

    /// Keeps what concerns a group that is to move.
    fn sort(&mut self, record: OffsetsRecord, wanted: &Wanted<'_>, decoded: &mut Vec<OffsetsRecord>) {
        let group: Option<&Str> = match &record {
            OffsetsRecord::Offset { group, .. }
            | OffsetsRecord::Group { group, .. }
            | OffsetsRecord::Consumer { group, .. } => Some(group),
            OffsetsRecord::Unsupported { group, .. } => group.as_ref(),
        };
        let Some(group) = group.filter(|group| (wanted.groups)(group)) else { return };
        let name = group.as_str().to_owned();
        if let OffsetsRecord::Consumer { key, value, .. } = &record
            && let Ok(Some((_, record))) = decode_consumer_record(key, value.as_deref())
        {
            self.consumers.see(&name, record);
        }
        if let OffsetsRecord::Unsupported { key_version, .. } = &record {
            let why = format!("it uses a group protocol that is not served yet (record type {key_version})");
            self.unsupported.insert(name, why);
        } else {
            self.groups.insert(name);
            decoded.push(counted(record, wanted.epochs));
        }
    }

    /// A shard has applied (or refused) its messages of a partition.
    pub(crate) fn applied(&mut self, partition: i32, accepted: bool) {
        let Some(reader) = self.readers.get_mut(&partition) else { return };
        reader.unanswered = reader.unanswered.saturating_sub(1);
        if !accepted {
            // Everything since the last common position is sent again; applying is idempotent.
            reader.begin_at(reader.applied_quiet);
        }
        if reader.unanswered == 0 {
            reader.applied = reader.next;
            reader.applied_quiet = reader.next_quiet;
        }
    }

    /// Where a partition has been applied to.
    pub(crate) fn position(&self, partition: i32) -> u64 {
        self.readers.get(&partition).map_or(0, |reader| reader.applied)
    }

    pub(crate) fn leader(&self, partition: i32) -> Option<i32> {
        self.readers.get(&partition).map(|reader| reader.leader)
    }

    /// Members of the consumer protocol that a group has on legacy, as far as its log was read.
    pub(crate) fn consumers(&self, group: &str) -> BTreeSet<String> {
        self.consumers.members(group)
    }

    /// Where it stands; `follows` says which topics are followed too.
    pub(crate) fn status(&self, now: Now, follows: &dyn Fn(&str) -> bool) -> OffsetsStatus {
        let mut unsupported = self.consumers.obstacles(follows);
        unsupported.extend(self.unsupported.clone());
        // One that waits for the kernel is not asked meanwhile: its silence is not legacy's.
        let asked = self.readers.values().filter(|reader| reader.unanswered == 0);
        let heard = asked.filter_map(|reader| reader.heard_at).min();
        let behind = |reader: &Reader| reader.high_watermark.unwrap_or(0).saturating_sub(reader.applied);
        OffsetsStatus {
            groups: self.groups.clone(),
            unsupported,
            behind: self.readers.values().map(behind).sum(),
            caught_up: !self.readers.is_empty()
                && self
                    .readers
                    .values()
                    .all(|reader| reader.high_watermark.is_some_and(|watermark| reader.applied >= watermark)),
            error: self.error.clone(),
            heard_ago: heard.map_or(Duration::ZERO, |at| now.elapsed.saturating_sub(at)),
        }
    }
}

/// The same record with an epoch that holds in the kernel too. A client that commits without passing the proxy names
/// legacy's own.
fn counted(mut record: OffsetsRecord, epochs: &Epochs) -> OffsetsRecord {
    if let OffsetsRecord::Offset { key, value: Some(value), .. } = &mut record
        && let Some(table) = epochs.get(&key.topic, key.partition)
    {
        value.leader_epoch = table.committed(value.offset, value.leader_epoch);
    }
    record
}

/// One message for each shard: its groups' records, and the position for all.
fn by_shard(records: Vec<OffsetsRecord>, progress: (i32, u64), shards: u16) -> Vec<Messages> {
    let mut sorted: BTreeMap<u16, Vec<OffsetsRecord>> =
        (0..shards.max(1)).map(|shard| (shard, Vec::new())).collect();
    for record in records {
        let group = match &record {
            OffsetsRecord::Offset { group, .. }
            | OffsetsRecord::Group { group, .. }
            | OffsetsRecord::Consumer { group, .. } => group.clone(),
            OffsetsRecord::Unsupported { .. } => continue,
        };
        sorted.entry(group_shard(&group, shards).0).or_default().push(record);
    }
    let position = i64::try_from(progress.1).unwrap_or(i64::MAX);
    let progress = vec![(progress.0, position)];
    sorted
        .into_iter()
        .map(|(shard, records)| Messages {
            shard,
            transfer: Transfer::Follow { records, progress: progress.clone() },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_lie_where_javas_string_hash_puts_them() {
        // "abc".hashCode() is 96354; "polygenelubricants".hashCode() is Integer.MIN_VALUE.
        assert_eq!(partition_of("abc", 50), 96_354 % 50);
        // "gjava4".hashCode() is -1245265333: the sign is dropped, not masked.
        assert_eq!(partition_of("gjava4", 50), 1_245_265_333 % 50);
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        assert_eq!(partition_of("", 50), 0);
    }
}

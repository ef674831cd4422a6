//! The response of a Fetch, put together without copying records: the codec writes what lies around them.

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::reply::Aborted;

use super::partition::{PartKey, TopicKey};
use crate::codec::messages::FetchResponse;
use crate::codec::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, PartitionData,
};
use crate::codec::{EncodeError, Format, Message, Wire};
use crate::errors::ErrorCode;
use crate::server::operation::{Finished, Head};

/// What was read of a partition.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
    pub(super) log_start: i64,
    pub(super) aborted: Vec<Aborted>,
    pub(super) chunks: Vec<Bytes>,
}

impl Read {
    /// Bytes of its records.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

/// What a client is told of a partition.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) error: ErrorCode,
    pub(super) read: Option<Read>,
    /// Aborted transactions are listed, even if there is none.
    pub(super) with_aborted: bool,
    /// Refused before its log was looked for: Kafka then lists no aborted transaction, where it otherwise has no list.
    pub(super) unread: bool,
    /// Epoch and end offset where client and log part.
    pub(super) diverging: Option<(i32, i64)>,
    /// The node to read from instead (KIP-392).
    pub(super) elsewhere: Option<i32>,
    /// The current leader's node and epoch.
    pub(super) leader: Option<(i32, i32)>,
}

impl Answer {
    pub(super) fn of_error(error: ErrorCode) -> Self {
        Self {
            error,
            read: None,
            with_aborted: false,
            unread: false,
            diverging: None,
            elsewhere: None,
            leader: None,
        }
    }

    fn header(&self, partition: i32, version: i16) -> PartitionData {
        let mut data = PartitionData {
            partition_index: partition,
            error_code: self.error.code(),
            high_watermark: -1,
            records: Some(Bytes::new()),
            aborted_transactions: self.unread.then(Vec::new),
            ..Default::default()
        };
        // Java takes 0 for node 0.
        data.preferred_read_replica = self.elsewhere.unwrap_or(-1);
        if let Some(read) = &self.read {
            data.high_watermark = read.high_watermark;
            data.last_stable_offset = read.last_stable;
            data.log_start_offset = read.log_start;
            let entry = |aborted: &Aborted| AbortedTransaction {
                producer_id: aborted.producer_id,
                first_offset: aborted.first_offset.as_i64(),
                ..Default::default()
            };
            data.aborted_transactions = self.with_aborted.then(|| read.aborted.iter().map(entry).collect());
        }
        if version >= 12 {
            if let Some((epoch, end_offset)) = self.diverging {
                data.diverging_epoch = EpochEndOffset { epoch, end_offset, ..Default::default() };
            }
            if let Some((leader_id, leader_epoch)) = self.leader {
                data.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() };
            }
        }
        data
    }
}

/// The response as a whole frame.
pub(super) fn respond(
    head: &Head,
    throttle_time_ms: i32,
    session_id: i32,
    answers: Vec<(PartKey, Answer)>,
) -> Finished {
    match frame(head, throttle_time_ms, session_id, answers) {
        Ok(parts) => Finished::Frame(parts),
        Err(_) => Finished::Close("a fetch response could not be encoded"),
    }
}

/// The frame in pieces; records are pieces of their own.
struct Pieces {
    done: Vec<Bytes>,
    open: BytesMut,
    format: Format,
}

impl Pieces {
    fn count(&mut self, count: usize) -> Result<(), EncodeError> {
        // An array's length is written as an array of nothing but its length would be: the codec knows how.
        if self.format.flexible {
            put_varint(count + 1, &mut self.open)
        } else {
            put_i32(count, &mut self.open)
        }
    }

    fn no_tags(&mut self) {
        if self.format.flexible {
            self.open.put_u8(0);
        }
    }

    /// A partition. Its records are written empty and are the last field but for the tags: what stands for
    /// "empty" is taken back and the real length and records follow. With tags set there are no records.
    fn partition(&mut self, data: &PartitionData, chunks: Vec<Bytes>) -> Result<(), EncodeError> {
        data.write(&mut self.open, self.format)?;
        let length: usize = chunks.iter().map(Bytes::len).sum();
        if length == 0 {
            return Ok(());
        }
        let empty = if self.format.flexible { 2 } else { 4 };
        self.open.truncate(self.open.len().saturating_sub(empty));
        if self.format.flexible {
            put_varint(length + 1, &mut self.open)?;
        } else {
            put_i32(length, &mut self.open)?;
        }
        self.done.push(self.open.split().freeze());
        self.done.extend(chunks);
        self.no_tags();
        Ok(())
    }
}

fn frame(
    head: &Head,
    throttle_time_ms: i32,
    session_id: i32,
    answers: Vec<(PartKey, Answer)>,
) -> Result<Vec<Bytes>, EncodeError> {
    let version = head.version;
    let unknown = EncodeError::Version { message: FetchResponse::NAME, version };
    let format = FetchResponse::format(version).ok_or(unknown)?;
    let mut pieces = Pieces { done: Vec::new(), open: BytesMut::new(), format };
    pieces.open.put_i32(0);
    head.put_header(&mut pieces.open);
    pieces.open.put_i32(throttle_time_ms);
    if version >= 7 {
        pieces.open.put_i16(ErrorCode::None.code());
        pieces.open.put_i32(session_id);
    }
    let topics = by_topic(answers);
    pieces.count(topics.len())?;
    for (topic, partitions) in topics {
        match &topic {
            TopicKey::Name(name) => name.write(&mut pieces.open, format)?,
            TopicKey::Id(id) => id.write(&mut pieces.open, format)?,
        }
        pieces.count(partitions.len())?;
        for (number, mut answer) in partitions {
            let data = answer.header(number, version);
            let chunks = answer.read.take().map(|read| read.chunks).unwrap_or_default();
            pieces.partition(&data, chunks)?;
        }
        pieces.no_tags();
    }
    pieces.no_tags();
    let rest = pieces.open.split().freeze();
    pieces.done.push(rest);
    with_size(pieces.done)
}

/// Neighbours of one topic become one entry; the order is the client's.
fn by_topic(answers: Vec<(PartKey, Answer)>) -> Vec<(TopicKey, Vec<(i32, Answer)>)> {
    let mut topics: Vec<(TopicKey, Vec<(i32, Answer)>)> = Vec::new();
    for (key, answer) in answers {
        match topics.last_mut().filter(|(topic, _)| *topic == key.topic) {
            Some((_, partitions)) => partitions.push((key.partition, answer)),
            None => topics.push((key.topic, vec![(key.partition, answer)])),
        }
    }
    topics
}

fn with_size(mut pieces: Vec<Bytes>) -> Result<Vec<Bytes>, EncodeError> {
    let total: usize = pieces.iter().map(Bytes::len).sum();
    let length = total.saturating_sub(4);
    let max = i32::MAX as usize;
    let size = i32::try_from(length).map_err(|_| EncodeError::TooLong { length, max })?;
    if let Some(first) = pieces.first_mut() {
        let mut front = BytesMut::from(first.as_ref());
        if let Some(prefix) = front.first_chunk_mut() {
            *prefix = size.to_be_bytes();
        }
        *first = front.freeze();
    }
    Ok(pieces)
}

fn put_i32(value: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    let max = i32::MAX as usize;
    out.put_i32(i32::try_from(value).map_err(|_| EncodeError::TooLong { length: value, max })?);
    Ok(())
}

fn put_varint(value: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    let max = i32::MAX as usize;
    let mut rest = u32::try_from(value).map_err(|_| EncodeError::TooLong { length: value, max })?;
    while rest > 0x7f {
        let [low, ..] = rest.to_le_bytes();
        out.put_u8(low | 0x80);
        rest >>= 7;
    }
    let [low, ..] = rest.to_le_bytes();
    out.put_u8(low);
    Ok(())
}

//! Record batches: made by the stock codec, damaged on purpose, and described header by header for comparison.
//!
//! ```text
//! base offset i64 │ length i32 │ leader epoch i32 │ magic i8 │ checksum u32 │ attributes i16 │ last delta i32 │
//! first timestamp i64 │ max timestamp i64 │ producer id i64 │ producer epoch i16 │ base sequence i32 │ count i32 │ records
//! ```

use std::collections::BTreeMap;
use std::io::Write;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::tree::Tree;

/// Bytes in front of the checksummed part.
const CHECKED_FROM: usize = 21;
/// Bytes of a header, up to the first record.
const HEADER_BYTES: usize = 61;

/// Who a batch says it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writer {
    /// Producer id, -1 for none.
    pub(super) id: i64,
    /// Producer epoch, -1 for none.
    pub(super) epoch: i16,
    /// Sequence number of the first record, -1 for none.
    pub(super) sequence: i32,
    /// Whether it belongs to a transaction.
    pub(super) transactional: bool,
}

impl Writer {
    /// Nobody in particular.
    pub(super) const NOBODY: Self = Self { id: -1, epoch: -1, sequence: -1, transactional: false };

    /// An idempotent producer.
    pub(super) fn producer(id: i64, epoch: i16, sequence: i32) -> Self {
        Self { id, epoch, sequence, transactional: false }
    }

    /// A producer within a transaction.
    pub(super) fn transaction(id: i64, epoch: i16, sequence: i32) -> Self {
        Self { id, epoch, sequence, transactional: true }
    }
}

/// A batch to be made.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Keys and values.
    pub(super) records: Vec<(Option<String>, Option<String>)>,
    /// Timestamp of the first record in milliseconds; each later one is a millisecond on.
    pub(super) time_ms: i64,
    /// Producer.
    pub(super) from: Writer,
    /// Compression.
    pub(super) compression: Compression,
}

impl Batch {
    /// `count` records `k0: v0`… of nobody.
    pub(super) fn of(count: usize, time_ms: i64) -> Self {
        let records =
            (0..count).map(|index| (Some(format!("k{index}")), Some(format!("v{index}")))).collect();
        Self { records, time_ms, from: Writer::NOBODY, compression: Compression::None }
    }

    /// The same from this producer.
    pub(super) fn by(mut self, from: Writer) -> Self {
        self.from = from;
        self
    }

    /// The same, compressed. Zstd gets bytes that are not Zstd, for what is refused by its kind.
    pub(super) fn packed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The same with one key for all, `None` for none.
    pub(super) fn keyed(mut self, key: Option<&str>) -> Self {
        for record in &mut self.records {
            record.0 = key.map(str::to_owned);
        }
        self
    }

    /// The same with values of this size.
    pub(super) fn sized(mut self, bytes: usize) -> Self {
        for record in &mut self.records {
            record.1 = Some("x".repeat(bytes));
        }
        self
    }

    /// The bytes; empty where the codec refuses, which no endpoint takes for a batch.
    pub(super) fn bytes(&self) -> Bytes {
        let mut records = Vec::with_capacity(self.records.len());
        for (index, (key, value)) in (0_i32..).zip(&self.records) {
            records.push(Record {
                transactional: self.from.transactional,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                producer_id: self.from.id,
                producer_epoch: self.from.epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(index),
                sequence: self.from.sequence.wrapping_add(index),
                timestamp: self.time_ms + i64::from(index),
                key: key.clone().map(Bytes::from),
                value: value.clone().map(Bytes::from),
                headers: Default::default(),
            });
        }
        let options = RecordEncodeOptions { version: 2, compression: self.compression };
        let mut bytes = BytesMut::new();
        match RecordBatchEncoder::encode_with_custom_compression(&mut bytes, &records, &options, Some(pack)) {
            Ok(()) => bytes.freeze(),
            Err(_) => Bytes::new(),
        }
    }
}

fn pack(plain: &mut BytesMut, out: &mut BytesMut, compression: Compression) -> anyhow::Result<()> {
    match compression {
        Compression::None | Compression::Zstd => out.extend_from_slice(plain),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain)?;
            out.extend_from_slice(&encoder.finish()?);
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain)?;
            out.extend_from_slice(&encoder.finish()?);
        }
        Compression::Snappy => anyhow::bail!("not used here"),
    }
    Ok(())
}

/// The batch with one bit of its last record turned.
pub(super) fn damaged(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Bytes::from(bytes)
}

/// The batch with another format number.
pub(super) fn with_magic(bytes: &Bytes, magic: u8) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(place) = bytes.get_mut(16) {
        *place = magic;
    }
    Bytes::from(bytes)
}

/// A header as read from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Offset of the first record.
    pub(super) base_offset: i64,
    /// Leader epoch.
    pub(super) leader_epoch: i32,
    /// Format.
    pub(super) magic: i8,
    /// Whether the checksum is that of the bytes.
    pub(super) intact: bool,
    /// Attributes: compression, timestamp type, transactional, control.
    pub(super) attributes: i16,
    /// Offset of the last record, relative.
    pub(super) last_delta: i32,
    /// Timestamp of the first record.
    pub(super) first_ms: i64,
    /// Largest timestamp.
    pub(super) max_ms: i64,
    /// Producer id.
    pub(super) producer_id: i64,
    /// Producer epoch.
    pub(super) producer_epoch: i16,
    /// Sequence number of the first record.
    pub(super) sequence: i32,
    /// Number of records.
    pub(super) count: i32,
    /// Checksum of the records alone.
    pub(super) records_sum: u32,
}

impl Header {
    /// Whether it is a control batch.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// Offset behind its last record.
    pub(super) fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_delta) + 1
    }

    fn tree(&self) -> Tree {
        let fields = [
            ("base_offset", Tree::leaf(self.base_offset)),
            ("leader_epoch", Tree::leaf(self.leader_epoch)),
            ("magic", Tree::leaf(self.magic)),
            ("checksum", Tree::leaf(if self.intact { "right" } else { "wrong" })),
            ("attributes", Tree::leaf(self.attributes)),
            ("last_offset_delta", Tree::leaf(self.last_delta)),
            ("first_timestamp_ms", Tree::leaf(self.first_ms)),
            ("max_timestamp_ms", Tree::leaf(self.max_ms)),
            ("producer_id", Tree::leaf(self.producer_id)),
            ("producer_epoch", Tree::leaf(self.producer_epoch)),
            ("base_sequence", Tree::leaf(self.sequence)),
            ("count", Tree::leaf(self.count)),
            ("records_crc32c", Tree::leaf(format!("{:08x}", self.records_sum))),
        ];
        Tree::Fields(BTreeMap::from(fields.map(|(name, tree)| (name.to_owned(), tree))))
    }
}

/// Headers of the whole batches in `bytes`; what is cut off at the end is left out.
pub(super) fn headers(bytes: &Bytes) -> Vec<Header> {
    let mut rest = bytes.clone();
    let mut found = Vec::new();
    while let Some(batch) = whole(&mut rest) {
        let Some(header) = header(&batch) else { break };
        found.push(header);
    }
    found
}

/// Cuts one whole batch off the front.
fn whole(rest: &mut Bytes) -> Option<Bytes> {
    let mut head = rest.clone();
    let _base = head.try_get_i64().ok()?;
    let length = usize::try_from(head.try_get_i32().ok()?).ok()?;
    let all = length.checked_add(12)?;
    (all >= HEADER_BYTES && rest.len() >= all).then(|| rest.split_to(all))
}

fn header(batch: &Bytes) -> Option<Header> {
    let mut head = batch.clone();
    let base_offset = head.try_get_i64().ok()?;
    let _length = head.try_get_i32().ok()?;
    let leader_epoch = head.try_get_i32().ok()?;
    let magic = head.try_get_i8().ok()?;
    let checksum = head.try_get_u32().ok()?;
    let intact = checksum == crc32c::crc32c(batch.get(CHECKED_FROM..)?);
    Some(Header {
        base_offset,
        leader_epoch,
        magic,
        intact,
        attributes: head.try_get_i16().ok()?,
        last_delta: head.try_get_i32().ok()?,
        first_ms: head.try_get_i64().ok()?,
        max_ms: head.try_get_i64().ok()?,
        producer_id: head.try_get_i64().ok()?,
        producer_epoch: head.try_get_i16().ok()?,
        sequence: head.try_get_i32().ok()?,
        count: head.try_get_i32().ok()?,
        records_sum: crc32c::crc32c(&head),
    })
}

/// Puts headers in the place of fetched bytes. The checksum of a batch covers its producer id, which may differ; what
/// is compared is whether it is right, and the checksum of the records.
pub(super) fn describe(answer: &mut Tree) {
    answer.visit(&mut |path, node| {
        if path.rsplit('.').next() != Some("records") {
            return;
        }
        let Tree::Leaf(literal) = &*node else { return };
        if let Some(bytes) = from_literal(literal) {
            *node = Tree::List(headers(&bytes).iter().map(Header::tree).collect());
        }
    });
}

/// Bytes of a debug literal: `b"a\x00\n"`.
fn from_literal(literal: &str) -> Option<Bytes> {
    let inner = literal.strip_prefix("b\"")?.strip_suffix('"')?;
    let mut letters = inner.bytes();
    let mut bytes = Vec::with_capacity(inner.len());
    while let Some(letter) = letters.next() {
        if letter != b'\\' {
            bytes.push(letter);
            continue;
        }
        bytes.push(match letters.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'x' => {
                let digits = [letters.next()?, letters.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_all_bytes_are_read_back() {
        let all = Bytes::from((0..=255).collect::<Vec<u8>>());
        assert_eq!(from_literal(&format!("{all:?}")), Some(all));
        assert_eq!(from_literal("None"), None);
    }

    #[test]
    fn a_batch_is_described_and_damage_shows() {
        let bytes = Batch::of(3, 1000).by(Writer::producer(7, 1, 20)).bytes();
        let header = headers(&bytes);
        let [header] = header.as_slice() else { panic!("{header:?}") };
        assert!(header.intact);
        let seen = (header.count, header.last_delta, header.first_ms, header.max_ms, header.sequence);
        assert_eq!(seen, (3, 2, 1000, 1002, 20));
        let damaged = headers(&damaged(&bytes));
        assert!(!damaged.first().unwrap().intact);
        assert_ne!(damaged.first().unwrap().records_sum, header.records_sum);
        assert_eq!(headers(&bytes.slice(..bytes.len() - 1)), []);
    }
}

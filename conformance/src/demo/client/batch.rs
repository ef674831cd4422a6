//! Records on the wire: one batch of values, encoded once, and the values of fetched batches.
//!
//! A value is `CLIENT:SEQUENCE|PADDING`. The padding follows from what stands before it, so a reader can tell a
//! damaged value from a whole one.

use std::io::{Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use flate2::Compression as Level;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

use crate::demo::spec::Codec;

/// Bytes of padding in a value.
const PADDING_BYTES: usize = 80;
/// Largest batch taken once inflated, in bytes.
const INFLATED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Who a producer is to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Producer id, -1 for none.
    pub(crate) id: i64,
    /// Producer epoch, -1 for none.
    pub(crate) epoch: i16,
}

impl Identity {
    /// A producer that promises nothing.
    pub(crate) const NONE: Self = Self { id: -1, epoch: -1 };
}

/// A record as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Offset.
    pub(crate) offset: i64,
    /// Leader epoch of its batch.
    pub(crate) epoch: i32,
    /// The value without padding; `Err` holds what came of a damaged one. Control records have none.
    pub(crate) value: Option<Result<String, String>>,
}

/// The name of a value.
pub(crate) fn value_name(client: &str, sequence: u64) -> String {
    format!("{client}:{sequence:06}")
}

/// The bytes of a value: its name, and padding that follows from it.
pub(crate) fn whole_value(name: &str) -> Vec<u8> {
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut value = Vec::with_capacity(name.len() + 1 + PADDING_BYTES);
    value.extend_from_slice(name.as_bytes());
    value.push(b'|');
    for _ in 0..PADDING_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // A few different letters, so that compression has something to do.
        value.push(b'a' + u8::try_from(state >> 60).unwrap_or(0));
    }
    value
}

fn name_of(value: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(value);
    let name = text.split('|').next().unwrap_or_default();
    if whole_value(name) == value { Ok(name.to_owned()) } else { Err(text.chars().take(60).collect()) }
}

/// Encodes `names` as one batch whose first sequence number is `sequence` (-1 for none).
pub(crate) fn encode(
    names: &[String],
    identity: Identity,
    sequence: i32,
    codec: Codec,
    now_ms: i64,
) -> anyhow::Result<Bytes> {
    let mut records = Vec::with_capacity(names.len());
    for (index, name) in (0_i32..).zip(names) {
        records.push(Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: identity.id,
            producer_epoch: identity.epoch,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(index),
            sequence: sequence.wrapping_add(index),
            timestamp: now_ms,
            key: Some(Bytes::copy_from_slice(name.as_bytes())),
            value: Some(Bytes::from(whole_value(name))),
            headers: Default::default(),
        });
    }
    let compression = match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Lz4 => Compression::Lz4,
    };
    let options = RecordEncodeOptions { version: 2, compression };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode_with_custom_compression(&mut bytes, &records, &options, Some(deflate))?;
    Ok(bytes.freeze())
}

fn deflate(plain: &mut BytesMut, out: &mut BytesMut, compression: Compression) -> anyhow::Result<()> {
    match compression {
        Compression::None => out.extend_from_slice(plain),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
            encoder.write_all(plain)?;
            out.extend_from_slice(&encoder.finish()?);
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain)?;
            out.extend_from_slice(&encoder.finish()?);
        }
        Compression::Snappy | Compression::Zstd => anyhow::bail!("{compression:?} is not used here"),
    }
    Ok(())
}

fn inflate(packed: &mut Bytes, compression: Compression) -> anyhow::Result<Bytes> {
    let mut plain = Vec::new();
    match compression {
        Compression::None => return Ok(packed.copy_to_bytes(packed.remaining())),
        Compression::Gzip => {
            GzDecoder::new(packed.as_ref()).take(INFLATED_BYTES_MAX).read_to_end(&mut plain)?
        }
        Compression::Lz4 => lz4_flex::frame::FrameDecoder::new(packed.as_ref())
            .take(INFLATED_BYTES_MAX)
            .read_to_end(&mut plain)?,
        Compression::Snappy | Compression::Zstd => anyhow::bail!("{compression:?} is not used here"),
    };
    Ok(Bytes::from(plain))
}

/// The records of a fetch answer at or above `from`. A batch that the answer cuts off is left out, as stock clients
/// do. Also says where the next fetch begins: behind the last whole batch, so that control records and gaps are
/// passed.
pub(crate) fn decode(mut bytes: Bytes, from: i64) -> anyhow::Result<(Vec<Seen>, i64)> {
    let mut seen = Vec::new();
    let mut next = from;
    while let Some((mut batch, end)) = whole_batch(&mut bytes) {
        let set = RecordBatchDecoder::decode_with_custom_compression(&mut batch, Some(inflate))?;
        for record in set.records.into_iter().filter(|record| record.offset >= from) {
            let value = record.value.filter(|_| !record.control).map(|value| name_of(&value));
            seen.push(Seen { offset: record.offset, epoch: record.partition_leader_epoch, value });
        }
        next = next.max(end);
    }
    Ok((seen, next))
}

/// Cuts one batch off the front; also the offset behind it.
///
/// ```text
/// base offset i64 │ length i32 │ leader epoch i32 │ magic i8 │ checksum u32 │ attributes i16 │ last delta i32 │ …
/// ```
fn whole_batch(bytes: &mut Bytes) -> Option<(Bytes, i64)> {
    let mut head = bytes.clone();
    let base = head.try_get_i64().ok()?;
    let length = usize::try_from(head.try_get_i32().ok()?).ok()?;
    if head.remaining() < length || length < 15 {
        return None;
    }
    head.advance(4 + 1 + 4 + 2);
    let last = head.try_get_i32().ok()?;
    let batch = bytes.split_to(12 + length);
    Some((batch, base.saturating_add(i64::from(last)).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back_in_every_codec_and_a_torn_batch_is_left_out() {
        let names: Vec<String> = (0..5).map(|sequence| value_name("p1", sequence)).collect();
        for codec in [Codec::None, Codec::Gzip, Codec::Lz4] {
            let bytes = encode(&names, Identity { id: 7, epoch: 0 }, 40, codec, 1).unwrap();
            let (seen, next) = decode(bytes.clone(), 2).unwrap();
            let values: Vec<_> = seen.iter().map(|seen| seen.value.clone().unwrap().unwrap()).collect();
            assert_eq!(values, &names[2..]);
            assert_eq!(next, 5);
            let torn = bytes.slice(..bytes.len() - 1);
            assert_eq!(decode(torn, 2).unwrap(), (vec![], 2));
        }
    }

    #[test]
    fn a_damaged_value_is_told_from_a_whole_one() {
        let mut value = whole_value("p1:000001");
        assert_eq!(name_of(&value), Ok("p1:000001".to_owned()));
        value[20] ^= 1;
        assert!(name_of(&value).is_err());
    }
}

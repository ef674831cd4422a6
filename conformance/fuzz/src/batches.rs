//! Record batches, as producers and legacy send them.

use bytes::Bytes;
use kernel_model::batch::{
    BATCH_HEADER_LEN, BatchHeader, BatchSpec, Codec, NewRecord, Records, Rules, TimestampBounds,
    record_bytes, split, validate,
};

/// What a batch may inflate to here.
const INFLATED_BYTES_MAX: usize = 1 << 20;

/// A batch as it came, and once more under a right checksum, so that the records behind it are reached.
pub(crate) fn batch(input: &[u8]) {
    judge(Bytes::copy_from_slice(input));
    judge(mended(input));
}

fn judge(mut input: Bytes) {
    let Ok(batches) = split(&mut input) else { return };
    for batch in batches {
        let Ok(plain) = record_bytes(&batch, INFLATED_BYTES_MAX) else { continue };
        assert!(batch.header().codec() == 0 || plain.len() <= INFLATED_BYTES_MAX);
        let mut bytes = 0;
        for record in Records::new(&plain, batch.header().record_count).map_while(Result::ok) {
            bytes += record.headers().count();
        }
        assert!(bytes <= plain.len(), "every header takes a byte at least");
        for keys_required in [false, true] {
            let timestamps = Some(TimestampBounds { now_ms: 0, before_max_ms: i64::MAX, after_max_ms: 1 });
            let rules = Rules { inflated_bytes_max: INFLATED_BYTES_MAX, keys_required, timestamps };
            let _judged = validate(&batch, &rules);
        }
    }
}

/// The same with length and checksum put right.
fn mended(input: &[u8]) -> Bytes {
    let mut batch = input.to_vec();
    let length = u32::try_from(batch.len().saturating_sub(12)).unwrap_or(0);
    if batch.len() < BATCH_HEADER_LEN {
        return Bytes::new();
    }
    put(&mut batch, 8, &length.to_be_bytes());
    put(&mut batch, 16, &[2]);
    let checksum = crc32c::crc32c(batch.get(21..).unwrap_or_default());
    put(&mut batch, 17, &checksum.to_be_bytes());
    Bytes::from(batch)
}

fn put(batch: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = batch.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// The first byte is the codec.
pub(crate) fn inflate(input: &[u8]) {
    let Some((&number, rest)) = input.split_first() else { return };
    let Some(codec) = Codec::from_number(number % 8) else { return };
    for bytes_max in [0, 100, INFLATED_BYTES_MAX] {
        if let Ok(out) = kernel_model::batch::inflate(codec, rest, bytes_max) {
            assert!(out.len() <= bytes_max);
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let headers = [(&b"h"[..], Some(&b"v"[..])), (b"null", None)];
    let record = NewRecord { timestamp_ms: 1, key: Some(b"key"), value: Some(&[7; 300]), headers: &headers };
    let plain = NewRecord { value: Some(b"v"), ..NewRecord::default() };
    let mut seeds = Vec::new();
    for codec in CODECS {
        let spec = BatchSpec { codec, ..BatchSpec::default() };
        seeds.extend(spec.encode(&[record, plain]).map(|batch| batch.bytes().to_vec()));
    }
    seeds
}

pub(crate) fn inflate_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for mut batch in seeds_with_headers() {
        let codec = BatchHeader::decode(&batch).map_or(0, |header| header.codec());
        let records = batch.split_off(BATCH_HEADER_LEN);
        seeds.push([&[codec][..], &records].concat());
    }
    seeds
}

fn seeds_with_headers() -> Vec<Vec<u8>> {
    seeds()
}

#![allow(clippy::cast_possible_truncation, reason = "test data is small")]

use std::io::Write;

use bytes::Bytes;

use super::*;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const PLENTY: usize = 1 << 20;

fn rules() -> Rules {
    let timestamps = TimestampBounds { now_ms: 1_000_000, before_max_ms: 10_000, after_max_ms: 1_000 };
    Rules { inflated_bytes_max: PLENTY, keys_required: false, timestamps: Some(timestamps) }
}

fn record(value: &[u8]) -> NewRecord<'_> {
    NewRecord { timestamp_ms: 999_000, key: Some(b"k"), value: Some(value), headers: &[] }
}

/// Changes bytes of a batch and gives it a right checksum again.
fn forged(batch: &VerifiedBatch, change: impl FnOnce(&mut Vec<u8>)) -> VerifiedBatch {
    let mut bytes = batch.bytes().to_vec();
    change(&mut bytes);
    let length = (bytes.len() - 12) as u32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    VerifiedBatch::take(&mut Bytes::from(bytes)).unwrap()
}

#[test]
fn records_come_back_as_they_were_with_every_codec() {
    let headers: [(&[u8], Option<&[u8]>); 3] = [(b"a", Some(b"1")), (b"a", None), (b"\xff", Some(b""))];
    let big = vec![b'x'; 100_000];
    let records = [
        NewRecord { timestamp_ms: 5, key: None, value: None, headers: &headers },
        NewRecord { timestamp_ms: -3, key: Some(b""), value: Some(&big), headers: &[] },
    ];
    for codec in CODECS {
        let batch = BatchSpec { codec, ..Default::default() }.encode(&records).unwrap();
        assert_eq!(batch.header().codec(), codec.number());
        assert_eq!(batch.header().max_timestamp_ms, 5);
        let plain = record_bytes(&batch, PLENTY).unwrap();
        let read: Vec<Record<'_>> = Records::new(&plain, 2).map(Result::unwrap).collect();
        assert_eq!(read[0].headers().collect::<Vec<_>>(), headers);
        assert_eq!((read[0].key, read[0].value), (None, None));
        assert_eq!((read[1].key, read[1].value), (Some(b"".as_slice()), Some(big.as_slice())));
        assert_eq!((read[1].timestamp_delta, read[1].offset_delta), (-8, 1));
    }
}

#[test]
fn raw_snappy_without_xerial_framing_is_read() {
    let packed = snap::raw::Encoder::new().compress_vec(b"hello").unwrap();
    assert_eq!(inflate(Codec::Snappy, &packed, 5).unwrap(), b"hello");
}

#[test]
fn a_bomb_of_any_codec_is_refused_at_the_limit() {
    let zeros = vec![0_u8; 1 << 20];
    for codec in CODECS {
        let packed = inflate::deflate(codec, &zeros).unwrap();
        let limit = 64 * 1024;
        assert_eq!(
            inflate(codec, &packed, limit),
            Err(InflateError::TooLarge { bytes_max: limit }),
            "{codec:?}"
        );
    }
}

#[test]
fn a_snappy_block_that_claims_gigabytes_allocates_nothing() {
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(inflate(Codec::Snappy, &claim, PLENTY), Err(InflateError::TooLarge { bytes_max: PLENTY }));
}

#[test]
fn truncated_compressed_records_are_damaged() {
    // Half of it: an LZ4 frame that lacks only its end mark still holds every record.
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let packed = inflate::deflate(codec, &vec![7; 1000]).unwrap();
        let cut = &packed[..packed.len() / 2];
        assert_eq!(inflate(codec, cut, PLENTY), Err(InflateError::Damaged), "{codec:?}");
    }
}

#[test]
fn gzip_of_two_members_is_read_whole() {
    let mut packed = Vec::new();
    for part in [b"one ", b"two!"] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        packed.extend(encoder.finish().unwrap());
    }
    assert_eq!(inflate(Codec::Gzip, &packed, PLENTY).unwrap(), b"one two!");
}

#[test]
fn a_good_batch_is_valid_with_every_codec() {
    for codec in CODECS {
        let batch = BatchSpec { codec, ..Default::default() }.encode(&[record(b"a"), record(b"b")]).unwrap();
        assert_eq!(validate(&batch, &rules()), Ok(batch.header().max_timestamp_ms), "{codec:?}");
    }
}

#[test]
fn every_fault_of_a_batch_is_found_and_named() {
    let plain = BatchSpec::default();
    let two = plain.encode(&[record(b"a"), record(b"b")]).unwrap();
    let no_key = plain.encode(&[NewRecord { key: None, ..record(b"a") }]).unwrap();
    let late = plain.encode(&[NewRecord { timestamp_ms: 1_001_001, ..record(b"a") }]).unwrap();
    let old = plain.encode(&[NewRecord { timestamp_ms: 989_999, ..record(b"a") }]).unwrap();
    let control = BatchSpec { control: true, ..plain }.encode(&[record(b"a")]).unwrap();
    let unsequenced = BatchSpec { producer_id: 3, ..plain }.encode(&[record(b"a")]).unwrap();
    let keyed = Rules { keys_required: true, ..rules() };
    let table = [
        (forged(&two, |b| b[57..61].fill(0)), rules(), Fault::Empty),
        (forged(&two, |b| b[60] = 3), rules(), Fault::Count { count: 3, offsets: 2 }),
        (control, rules(), Fault::Control),
        (unsequenced, rules(), Fault::Producer),
        (forged(&two, |b| b[22] |= 8), rules(), Fault::StampedByLog),
        (forged(&two, |b| b[22] |= 5), rules(), Fault::Inflate(InflateError::Codec(5))),
        (forged(&two, |b| b.push(0)), rules(), Fault::Record { index: 2, error: RecordError::Trailing }),
        (
            forged(&two, |b| {
                b.pop();
            }),
            rules(),
            Fault::Record { index: 1, error: RecordError::Truncated },
        ),
        // The second record begins after the first one's nine bytes; its offset delta is its fourth.
        (forged(&two, |b| b[61 + 9 + 3] = 4), rules(), Fault::OffsetDelta { index: 1, found: 2 }),
        (no_key, keyed, Fault::KeyMissing { index: 0 }),
        (late, rules(), Fault::Timestamp { index: 0, found_ms: 1_001_001 }),
        (old, rules(), Fault::Timestamp { index: 0, found_ms: 989_999 }),
    ];
    for (batch, rules, fault) in table {
        assert_eq!(validate(&batch, &rules), Err(fault));
    }
}

#[test]
fn a_batch_of_two_billion_claimed_records_fails_at_the_first_missing_one() {
    let batch = BatchSpec::default().encode(&[record(b"a")]).unwrap();
    let forged = forged(&batch, |b| {
        b[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
        b[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    });
    let fault = Fault::Record { index: 1, error: RecordError::Truncated };
    assert_eq!(validate(&forged, &rules()), Err(fault));
}

#[test]
fn impossible_lengths_inside_a_record_are_errors() {
    // length, attributes, timestamp, offset, key, value, header count
    let table: [(&[u8], RecordError); 6] = [
        (&[12, 0, 0, 0, 3, 1, 0], RecordError::Length(-2)),
        (&[12, 0, 0, 0, 1, 1, 1], RecordError::Length(-1)),
        (&[12, 0, 0, 0, 1, 1, 126], RecordError::Length(63)),
        (&[14, 0, 0, 0, 1, 1, 0, 9], RecordError::Trailing),
        (&[1], RecordError::Length(-1)),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 1], RecordError::Varint),
    ];
    for (bytes, error) in table {
        assert_eq!(Records::new(bytes, 1).next(), Some(Err(error)), "{bytes:?}");
    }
    let mut after_an_error = Records::new(&[1], 9);
    assert!(after_an_error.next().is_some_and(|first| first.is_err()));
    assert_eq!(after_an_error.next(), None);
}

#[test]
fn any_flipped_bit_of_a_batch_is_an_error_or_another_batch_but_never_a_panic() {
    let batch = BatchSpec { codec: Codec::Lz4, ..Default::default() }.encode(&[record(b"abc")]).unwrap();
    for bit in 0..batch.bytes().len() * 8 {
        let mut bytes = batch.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(taken) = VerifiedBatch::take(&mut Bytes::from(bytes.clone())) {
            // Only base offset and epoch lie before the checksum.
            assert!(bit / 8 < 16, "bit {bit}");
            let _verdict = validate(&taken, &rules());
        }
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        if let Ok(taken) = VerifiedBatch::take(&mut Bytes::from(bytes)) {
            let _verdict = validate(&taken, &rules());
        }
    }
}

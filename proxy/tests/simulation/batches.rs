//! Record batches as producers send them: one 8-byte value per record.

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::VerifiedBatch;

/// Records in the batch with these values, from an idempotent producer (or −1).
pub fn build(producer: i64, sequence: i32, values: &[u64]) -> Bytes {
    let mut records = BytesMut::new();
    for (index, value) in values.iter().enumerate() {
        // Length, attributes, timestamp delta, offset delta, no key, value, no headers: all lengths below 64.
        let delta = u8::try_from(index * 2).unwrap();
        records.put_u8(14 * 2);
        records.put_slice(&[0, 0, delta, 1, 16]);
        records.put_u64(*value);
        records.put_u8(0);
    }
    let count = i32::try_from(values.len()).unwrap();
    let mut body = BytesMut::new();
    body.put_i16(0);
    body.put_i32(count - 1);
    body.put_i64(1_700_000_000_000);
    body.put_i64(1_700_000_000_000);
    body.put_i64(producer);
    body.put_i16(if producer < 0 { -1 } else { 0 });
    body.put_i32(if producer < 0 { -1 } else { sequence });
    body.put_i32(count);
    body.put_slice(&records);
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(i32::try_from(body.len() + 9).unwrap());
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&body));
    batch.put_slice(&body);
    batch.freeze()
}

pub fn verified(bytes: &Bytes) -> VerifiedBatch {
    VerifiedBatch::take(&mut bytes.clone()).expect("the simulation builds whole batches")
}

/// Values of a batch, in order.
pub fn values(bytes: &[u8]) -> Vec<u64> {
    bytes[61..].chunks(15).map(|record| u64::from_be_bytes(record[6..14].try_into().unwrap())).collect()
}

#[test]
fn values_come_back() {
    let batch = build(7, 3, &[5, u64::MAX]);
    assert_eq!(values(verified(&batch).bytes()), [5, u64::MAX]);
    assert_eq!(verified(&batch).header().last_sequence(), 4);
}

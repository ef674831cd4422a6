//! Transaction markers, and what a batch is known by on both sides of a handover.

use super::header::{BATCH_HEADER_LEN, BatchHeader};

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Aborted.
    Abort,
    /// Committed.
    Commit,
}

impl Marker {
    /// Reads a whole control batch. Its first record's key is a version and a type, 16 bits each (type 0 aborts, 1
    /// commits); control batches are never compressed. Other types end no transaction.
    #[must_use]
    pub fn of(header: &BatchHeader, batch: &[u8]) -> Option<Self> {
        if !header.is_control() {
            return None;
        }
        let mut input = batch.get(BATCH_HEADER_LEN..)?;
        varint(&mut input)?; // length
        input = input.get(1..)?; // attributes
        varint(&mut input)?; // timestamp delta
        varint(&mut input)?; // offset delta
        let key_len = usize::try_from(varint(&mut input)?).ok()?;
        let key = input.get(..key_len)?;
        match (key.get(2)?, key.get(3)?) {
            (0, 0) => Some(Self::Abort),
            (0, 1) => Some(Self::Commit),
            _ => None,
        }
    }

    /// What this marker of a producer is known by: who writes it stamps it with a clock and a coordinator epoch of his
    /// own, so its checksum says nothing of what it does.
    #[must_use]
    pub fn fingerprint(self, producer_id: i64, producer_epoch: i16) -> u32 {
        let mut said = [0; 11];
        let (id, rest) = said.split_at_mut(8);
        id.copy_from_slice(&producer_id.to_be_bytes());
        let (epoch, kind) = rest.split_at_mut(2);
        epoch.copy_from_slice(&producer_epoch.to_be_bytes());
        kind.fill(u8::from(self == Self::Commit));
        crc32c::crc32c(&said)
    }
}

/// What a batch is known by, beside its offsets: its checksum, which covers everything from the attributes on; of a
/// transaction's marker what it says, see [`Marker::fingerprint`].
#[must_use]
pub fn fingerprint(header: &BatchHeader, batch: &[u8]) -> u32 {
    let marker = Marker::of(header, batch);
    marker.map_or(header.crc, |marker| marker.fingerprint(header.producer_id, header.producer_epoch))
}

/// A zigzag variable-length integer of at most ten bytes.
fn varint(input: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::batch::{BatchSpec, NewRecord, VerifiedBatch};

    use super::*;

    fn control(commit: bool, producer_epoch: i16, now_ms: i64, coordinator_epoch: u8) -> VerifiedBatch {
        let spec = BatchSpec {
            transactional: true,
            control: true,
            producer_id: 7,
            producer_epoch,
            ..BatchSpec::default()
        };
        let (key, value) = ([0, 0, 0, u8::from(commit)], [0, 0, 0, 0, 0, coordinator_epoch]);
        let record = NewRecord { timestamp_ms: now_ms, key: Some(&key), value: Some(&value), headers: &[] };
        spec.encode(&[record]).unwrap()
    }

    fn of(batch: &VerifiedBatch) -> u32 {
        fingerprint(batch.header(), batch.bytes())
    }

    #[test]
    fn a_marker_is_known_by_what_it_does_not_by_who_wrote_it_when() {
        let marker = control(true, 3, 1_000, 0);
        let elsewhere = control(true, 3, 2_000, 9);
        assert_ne!(marker.header().crc, elsewhere.header().crc);
        assert_eq!(of(&marker), of(&elsewhere));
        assert_ne!(of(&marker), of(&control(false, 3, 1_000, 0)));
        assert_ne!(of(&marker), of(&control(true, 4, 1_000, 0)));
    }

    #[test]
    fn records_are_known_by_their_checksum() {
        let record = NewRecord { timestamp_ms: 1, key: None, value: Some(b"v"), headers: &[] };
        let batch = BatchSpec::default().encode(&[record]).unwrap();
        assert_eq!((of(&batch), Marker::of(batch.header(), batch.bytes())), (batch.header().crc, None));
    }
}

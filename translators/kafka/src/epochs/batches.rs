//! The leader epoch in the headers of fetched batches: it lies before the checksummed part, so it is patched where
//! it stands.

use super::EpochTable;

/// Bytes of a batch (or of a message before version 2) up to its magic.
const PREFIX: usize = 17;
/// Where the length stands.
const LENGTH_AT: usize = 8;
/// Where the leader epoch stands.
const EPOCH_AT: usize = 12;
/// Bytes before the part that the length counts.
const LENGTH_END: usize = 12;
/// Batches with a leader epoch; before version 2 other things stand in its place.
const MAGIC: u8 = 2;

/// Patches every batch of `records` (a run of batches as legacy sends it; the last one may be cut), and says whether any
/// was changed. From bytes on that are no batch everything is left alone.
pub fn patch_batches(table: &EpochTable, records: &mut [u8]) -> bool {
    let mut changed = false;
    let mut at = 0_usize;
    while let Some(found) = records.get(at..).and_then(|rest| look(table, rest)) {
        let place = records.get_mut(at.saturating_add(EPOCH_AT)..).and_then(|rest| rest.first_chunk_mut());
        if let (Some(place), Some(epoch)) = (place, found.epoch) {
            *place = epoch.to_be_bytes();
            changed = true;
        }
        at = at.saturating_add(found.size);
    }
    changed
}

/// Whether [`patch_batches`] would change anything.
#[must_use]
pub fn is_patched(table: &EpochTable, records: &[u8]) -> bool {
    let mut at = 0_usize;
    while let Some(found) = records.get(at..).and_then(|rest| look(table, rest)) {
        if found.epoch.is_some() {
            return true;
        }
        at = at.saturating_add(found.size);
    }
    false
}

struct Found {
    size: usize,
    /// What its epoch is to be, unless it is that already.
    epoch: Option<i32>,
}

/// The batch at the front.
fn look(table: &EpochTable, rest: &[u8]) -> Option<Found> {
    let prefix = rest.first_chunk::<PREFIX>()?;
    let number = |from: usize| prefix.get(from..)?.first_chunk().copied().map(i32::from_be_bytes);
    let (base, length, epoch) = (*prefix.first_chunk()?, number(LENGTH_AT)?, number(EPOCH_AT)?);
    // A length that does not reach past the magic is none. Without this a negative one would be looked at for ever.
    let size = usize::try_from(length).ok().filter(|length| *length > PREFIX - LENGTH_END)? + LENGTH_END;
    if prefix.last() != Some(&MAGIC) {
        return Some(Found { size, epoch: None });
    }
    let base = u64::try_from(i64::from_be_bytes(base)).ok()?;
    let wanted = table.virtual_at(base, epoch);
    Some(Found { size, epoch: Some(wanted).filter(|wanted| *wanted != epoch) })
}

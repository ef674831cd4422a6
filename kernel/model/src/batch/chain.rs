//! A running hash over batches, by which two copies of a log are compared without reading them again.

use crate::position::Offset;

/// The chain after one more batch, of which `print` is the [`super::fingerprint`]. It begins at 0; equal chains over
/// equally many batches mean equal base offsets and contents, in the same order, but for a chance of about one in 2^64.
#[must_use]
pub const fn chain_next(chain: u64, base_offset: Offset, print: u32) -> u64 {
    scramble(scramble(chain ^ base_offset.0) ^ print as u64)
}

/// A bijection of 64-bit words in which every input bit reaches every output bit. Zero does not map to itself,
/// so that a chain of zeros still counts its links.
const fn scramble(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

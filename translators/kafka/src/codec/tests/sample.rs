//! Values made up by the readers themselves: a [`Reader`] that holds a sampler answers every read
//! with a pseudo-random value, so any message can be sampled without code of its own.

use bytes::Bytes;

use crate::codec::{DecodeError, Message, Reader, Str, TaggedField};

/// The source of the values: splitmix64, so that a seed always gives the same message.
#[derive(Debug, Clone)]
pub(in crate::codec) struct Sampler(u64);

/// A message of this version with pseudo-random content. Tagged fields are among it.
pub(in crate::codec) fn sample<M: Message>(version: i16, seed: u64) -> M {
    let mut reader = Reader::new(Bytes::new());
    reader.sampler = Some(Sampler::new(seed));
    M::decode(&mut reader, version).unwrap()
}

impl Sampler {
    pub(in crate::codec) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::codec) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(in crate::codec) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(in crate::codec) fn flag(&mut self) -> bool {
        self.below(3) == 0
    }

    /// Small, extreme and arbitrary numbers. One byte is 0 or 1, so that it also does as a boolean.
    pub(in crate::codec) fn fixed<const N: usize>(&mut self) -> [u8; N] {
        if N == 1 {
            return [self.below(2) as u8; N];
        }
        let random: [u8; N] = std::array::from_fn(|_| self.below(256) as u8);
        let first = match self.below(4) {
            0 => return [0; N],
            // The greatest numbers, short of those that are NaN: it equals nothing, itself included.
            1 => return std::array::from_fn(|place| [0x7f, 0xef, 0xff][place.min(2)]),
            2 => self.below(0x7f) as u8,
            _ => 0x80 + self.below(0x7f) as u8,
        };
        std::array::from_fn(|place| if place == 0 { first } else { random[place] })
    }

    pub(in crate::codec) fn length(&mut self) -> usize {
        if self.below(40) == 0 { 130 } else { self.below(4) }
    }

    pub(in crate::codec) fn bytes(&mut self, length: usize) -> Bytes {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    pub(in crate::codec) fn text(&mut self, length: usize) -> Str {
        let letters = ['a', 'Z', '-', '.', 'é', '漢', '𝄞', '\0'];
        (0..length).map(|_| letters[self.below(letters.len())]).collect::<String>().into()
    }
}

impl Reader {
    /// Stands in for [`Reader::tags`]: offers some tags to `known`, and fills the others.
    pub(in crate::codec) fn sample_tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<Vec<TaggedField>, DecodeError> {
        let mut unknown = Vec::new();
        for tag in [0, 1, 2, 3, 9, 200, 70_000] {
            let wanted = self.sampler.as_mut().is_some_and(|sampler| sampler.below(2) == 0);
            if !wanted || known(tag, self)? {
                continue;
            }
            let Some(sampler) = self.sampler.as_mut().filter(|_| tag > 3) else { continue };
            let length = sampler.length();
            unknown.push((tag, sampler.bytes(length)));
        }
        Ok(unknown)
    }
}

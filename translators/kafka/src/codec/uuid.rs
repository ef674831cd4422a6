//! Kafka's ids of topics, members, directories and clusters.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Sixteen bytes, written as 22 characters of URL-safe base64 without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// The text is not 22 characters of URL-safe base64 that hold 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a Kafka id: 22 characters of URL-safe base64 are expected")]
pub struct UuidTextError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_CHARS: usize = 22;

impl Uuid {
    /// All zero: "no id", as in a Fetch by name.
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Self::ZERO`].
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 128 bits fill 21 characters; the last carries two bits and four zeros.
        let value = u128::from_be_bytes(self.0);
        for place in 0..TEXT_CHARS {
            let bits = 122_usize.checked_sub(place * 6).map_or(value << 4, |shift| value >> shift);
            let letter = ALPHABET.get((bits & 63) as usize).copied().unwrap_or_default();
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = UuidTextError;

    fn from_str(text: &str) -> Result<Self, UuidTextError> {
        if text.len() != TEXT_CHARS {
            return Err(UuidTextError);
        }
        let mut value = 0_u128;
        for (place, letter) in text.bytes().enumerate() {
            let bits = ALPHABET.iter().position(|known| *known == letter).ok_or(UuidTextError)? as u128;
            let last = place + 1 == TEXT_CHARS;
            if last && bits & 15 != 0 {
                return Err(UuidTextError);
            }
            value = if last { value << 2 | bits >> 4 } else { value << 6 | bits };
        }
        Ok(Self(value.to_be_bytes()))
    }
}

//! The seal of a ledger: one hash over all of its entries, by which a later change of any of them shows.
//!
//! ```text
//!  seal(0) = 32 zero bytes
//!  seal(n) = SHA-256( seal(n − 1) ‖ SHA-256(body of entry n) )
//! ```
//!
//! It is not stored: whoever has the entries can reckon it. What makes a change show is that somebody noted the seal
//! elsewhere (a log, an export, the operator's notebook): the status shows it, and the log says it at every commit.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// The seal over the first so many entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seal([u8; 32]);

impl Seal {
    /// The hash of one entry's body, by which an export names an entry that it does not show.
    #[must_use]
    pub fn digest(body: &[u8]) -> Self {
        let mut out = [0; 32];
        out.iter_mut().zip(digest(&SHA256, body).as_ref()).for_each(|(to, from)| *to = *from);
        Self(out)
    }

    /// The seal after one more entry.
    #[must_use]
    pub fn next(self, body: &[u8]) -> Self {
        let mut both = self.0.to_vec();
        both.extend_from_slice(&Self::digest(body).0);
        Self::digest(&both)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_what_any_other_tool_makes_of_the_bodies() {
        // printf a | sha256sum; and so on by hand.
        assert_eq!(
            Seal::digest(b"a").to_string(),
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        );
        assert_ne!(Seal::default().next(b"a").next(b"b"), Seal::default().next(b"b").next(b"a"));
        assert_ne!(Seal::default().next(b"ab"), Seal::default().next(b"a").next(b"b"));
    }
}

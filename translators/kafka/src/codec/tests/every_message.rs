//! Round trips and hostile bytes, for all messages and all their versions.

use bytes::Bytes;

use super::sample::Sampler;
use crate::codec::messages::CODECS;

/// Calls `check` for samples of every message and version.
fn for_all(seeds: u64, check: impl Fn(&super::Codec, i16, u64, Bytes)) {
    for codec in &CODECS {
        for version in (codec.versions)() {
            for seed in 0..seeds {
                check(codec, version, seed, (codec.sample)(version, seed));
            }
        }
    }
}

#[test]
fn decoding_and_encoding_reproduces_every_byte() {
    for_all(12, |codec, version, seed, bytes| {
        let again = (codec.recode)(bytes.clone(), version);
        assert_eq!(again.as_ref(), Ok(&bytes), "{} v{version} seed {seed}", codec.name);
    });
}

#[test]
fn a_proper_prefix_is_an_error() {
    for_all(6, |codec, version, seed, bytes| {
        // The work grows with the square of the length; of six samples some are short.
        if bytes.len() > 400 {
            return;
        }
        for length in 0..bytes.len() {
            let cut = (codec.recode)(bytes.slice(..length), version);
            assert!(cut.is_err(), "{} v{version} seed {seed} cut at {length}", codec.name);
        }
    });
}

#[test]
fn a_byte_too_many_is_an_error() {
    for_all(1, |codec, version, _, bytes| {
        let longer: Bytes = [&bytes[..], &[0]].concat().into();
        assert!((codec.recode)(longer, version).is_err(), "{} v{version}", codec.name);
    });
}

#[test]
fn changed_bytes_decode_to_something_or_to_an_error() {
    for_all(3, |codec, version, seed, bytes| {
        let mut random = Sampler::new(seed ^ 0x5eed);
        for _ in 0..40 {
            let mut changed = bytes.to_vec();
            if changed.is_empty() {
                return;
            }
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len());
                changed[at] = [0, 1, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(6)];
            }
            // What still decodes must encode, and the encoding must be stable.
            if let Ok(once) = (codec.recode)(changed.into(), version) {
                assert_eq!((codec.recode)(once.clone(), version), Ok(once), "{} v{version}", codec.name);
            }
        }
    });
}

#[test]
fn versions_outside_the_range_are_errors() {
    for codec in &CODECS {
        let versions = (codec.versions)();
        for version in [versions.start() - 1, versions.end() + 1, -1, i16::MAX, i16::MIN] {
            assert!((codec.recode)(Bytes::from_static(&[0; 64]), version).is_err(), "{}", codec.name);
        }
    }
}

//! Who a certificate is about, as Kafka's default principal builder names it: the subject as RFC 2253 writes it.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version?, serial, algorithm, issuer, validity, subject, ... }, ... }
//! Name        ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value string }
//! ```
//!
//! Names are written only where no rule of writing can be read in two ways. Of any other certificate nothing is said,
//! and its holder is nobody: a name that is nearly right would be decided about as somebody else.

/// Parts that a name can have.
const PARTS_MAX: usize = 64;

/// Kafka's name for whoever shows this certificate (X.509, DER); `None` where it cannot be told with certainty.
#[must_use]
pub fn subject(certificate: &[u8]) -> Option<String> {
    let mut outer = Der(certificate);
    let mut whole = Der(outer.take(SEQUENCE)?);
    let mut tbs = Der(whole.take(SEQUENCE)?);
    if tbs.next_tag() == Some(VERSION) {
        tbs.take(VERSION)?;
    }
    for before in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE] {
        tbs.take(before)?;
    }
    let mut name = Der(tbs.take(SEQUENCE)?);
    let mut parts = Vec::new();
    while !name.0.is_empty() {
        let mut set = Der(name.take(SET)?);
        let mut attribute = Der(set.take(SEQUENCE)?);
        let kind = keyword(attribute.take(OBJECT_ID)?)?;
        let (tag, value) = attribute.any()?;
        let known = matches!(tag, UTF8 | PRINTABLE | IA5) && set.0.is_empty() && attribute.0.is_empty();
        if !known || parts.len() >= PARTS_MAX {
            return None;
        }
        parts.push(format!("{kind}={}", plain(value)?));
    }
    // The last part of the certificate's name is written first.
    parts.reverse();
    (!parts.is_empty()).then(|| parts.join(","))
}

const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const IA5: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The attributes that RFC 2253 has words for.
fn keyword(object_id: &[u8]) -> Option<&'static str> {
    Some(match object_id {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "STREET",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        _ => return None,
    })
}

/// A value that needs no escapes.
fn plain(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let legal = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ' ' | '\'' | '(' | ')' | '-' | '.' | '/' | ':' | '?' | '_' | '@' | '*')
    };
    let spaced = text.starts_with(' ') || text.ends_with(' ');
    (!text.is_empty() && !spaced && text.chars().all(legal)).then_some(text)
}

/// What is left to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next_tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The value of the next element, which has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, value) = self.any()?;
        (found == tag).then_some(value)
    }

    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, length], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            0x81 => {
                let (&[low], rest) = rest.split_first_chunk::<1>()?;
                (usize::from(low), rest)
            }
            0x82 => {
                let (&both, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(both)), rest)
            }
            // Longer than any certificate that a handshake takes.
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], value].concat()
    }

    fn certificate(parts: &[(&[u8], u8, &str)]) -> Vec<u8> {
        let part = |(id, tag, text): &(&[u8], u8, &str)| {
            let pair = [element(OBJECT_ID, id), element(*tag, text.as_bytes())].concat();
            element(SET, &element(SEQUENCE, &pair))
        };
        let name: Vec<u8> = parts.iter().flat_map(part).collect();
        let tbs = [
            element(VERSION, &element(INTEGER, &[2])),
            element(INTEGER, &[1]),
            element(SEQUENCE, b""),
            element(SEQUENCE, b"issuer"),
            element(SEQUENCE, b""),
            element(SEQUENCE, &name),
        ];
        element(SEQUENCE, &element(SEQUENCE, &tbs.concat()))
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];
    const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

    #[test]
    fn the_last_part_is_written_first_and_what_is_not_plain_is_nobody() {
        let said = |parts: &[(&[u8], u8, &str)]| subject(&certificate(parts));
        assert_eq!(said(&[(O, PRINTABLE, "Shop"), (CN, UTF8, "ada 1")]).as_deref(), Some("CN=ada 1,O=Shop"));
        let wrong: [&[(&[u8], u8, &str)]; 7] = [
            &[],
            &[(EMAIL, IA5, "ada@example.org")],
            &[(CN, UTF8, "ada, admin")],
            &[(CN, UTF8, " ada")],
            &[(CN, UTF8, "")],
            &[(CN, UTF8, "ad\u{e4}")],
            &[(CN, 0x1e, "ada")],
        ];
        for parts in wrong {
            assert_eq!(said(parts), None, "{parts:?}");
        }
    }

    #[test]
    fn real_certificates_are_named_as_java_names_them() {
        let lines: Vec<&str> = include_str!("vectors/certificates.hex").lines().collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        for pair in lines.chunks(2) {
            let named = pair[0].rsplit(": ").next().unwrap().trim_start_matches("# ");
            let certificate: Vec<u8> = pair[1].as_bytes().chunks(2).map(byte).collect();
            assert_eq!(subject(&certificate).as_deref(), Some(named));
        }
    }

    #[test]
    fn no_beginning_of_a_certificate_names_anybody_and_no_bytes_are_too_strange() {
        let whole = certificate(&[(O, UTF8, "Shop"), (CN, UTF8, "ada")]);
        assert!(subject(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(subject(&whole[..length]), None);
        }
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bent = whole.clone();
                bent[at] ^= flip;
                let _no_panic = subject(&bent);
            }
        }
    }
}

//! Who a certificate is about, as Kafka's default principal builder names it: the subject as RFC 2253 writes it.
//!
//! Names are written only where no rule of writing can be read in two ways. Of any other certificate nothing is said,
//! and its holder is nobody: a name that is nearly right would be decided about as somebody else.

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate};

/// Parts that a name can have.
const PARTS_MAX: usize = 64;

/// Kafka's name for whoever shows this certificate (X.509, DER); `None` where it cannot be told with certainty.
#[must_use]
pub fn subject(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok().filter(|(rest, _)| rest.is_empty())?;
    let mut parts = Vec::new();
    for set in certificate.subject().iter().take(PARTS_MAX + 1) {
        let mut attributes = set.iter();
        let (Some(only), None) = (attributes.next(), attributes.next()) else { return None };
        parts.push(part(only)?);
    }
    // The last part of the certificate's name is written first.
    parts.reverse();
    (1..=PARTS_MAX).contains(&parts.len()).then(|| parts.join(","))
}

fn part(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let kind = keyword(attribute.attr_type().as_bytes())?;
    let value = attribute.attr_value();
    let known = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String].contains(&value.tag());
    known.then(|| plain(value.data)).flatten().map(|text| format!("{kind}={text}"))
}

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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    const CN: &[u64] = &[2, 5, 4, 3];
    const O: &[u64] = &[2, 5, 4, 10];
    const EMAIL: &[u64] = &[1, 2, 840, 113_549, 1, 9, 1];

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    fn certificate(parts: &[(&[u64], DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (id, value) in parts {
            params.distinguished_name.push(DnType::CustomDnType(id.to_vec()), value.clone());
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_last_part_is_written_first_and_what_is_not_plain_is_nobody() {
        let said = |parts: &[(&[u64], DnValue)]| subject(&certificate(parts));
        let shop = DnValue::PrintableString("Shop".try_into().unwrap());
        assert_eq!(said(&[(O, shop), (CN, utf8("ada 1"))]).as_deref(), Some("CN=ada 1,O=Shop"));
        let wrong: [&[(&[u64], DnValue)]; 7] = [
            &[],
            &[(EMAIL, DnValue::Ia5String("ada@example.org".try_into().unwrap()))],
            &[(CN, utf8("ada, admin"))],
            &[(CN, utf8(" ada"))],
            &[(CN, utf8(""))],
            &[(CN, utf8("ad\u{e4}"))],
            &[(CN, DnValue::BmpString("ada".try_into().unwrap()))],
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
        let whole = certificate(&[(O, utf8("Shop")), (CN, utf8("ada"))]);
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

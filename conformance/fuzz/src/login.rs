//! What clients show of themselves: PLAIN, SCRAM, tokens.

use translator_kafka::access::{Credential, Login, LoginSecrets, Mechanism, Realm, claimed_user};

const NAMES: [&str; 5] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"];

/// The first byte chooses the mechanism; a newline ends the first message of two.
pub(crate) fn run(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else { return };
    let Some(name) = NAMES.get(usize::from(choice) % NAMES.len()) else { return };
    let mut realm = Realm::default();
    let known = |mechanism| (mechanism, Credential::of_salted(mechanism, &[1; 32], b"salt", 4096));
    realm.users.insert("user".to_owned(), [known(Mechanism::Sha256), known(Mechanism::Sha512)].into());
    let mut login = Login::default();
    let _offered = login.choose(name);
    for message in rest.splitn(3, |byte| *byte == b'\n') {
        if let Some(user) = claimed_user(name, message) {
            assert!(user.len() <= 3 * message.len(), "no more than was sent");
        }
        let secrets = LoginSecrets { process: b"process", nonce: b"nonce" };
        let _round = login.round(&realm, message, secrets);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 6] = [
        b"\0\0user\0password",
        b"\x01n,,n=user,r=abc\nc=biws,r=abcbm9uY2U=,p=AAAA",
        b"\x02y,a=us=3Der,n=us=2Cer,r=abc\nc=biws,r=abc,p=AAAA",
        b"\x01p=tls-unique,,n=user,r=abc",
        b"\x03n,,\x01auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyIn0.\x01\x01",
        b"\x04anything",
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

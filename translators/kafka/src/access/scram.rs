//! Salted credentials (RFC 5802, RFC 7677) and how a login is checked against them. Neither password nor salted
//! password is kept.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use serde::{Deserialize, Serialize};

/// Fewest rounds that are taken.
pub const ITERATIONS_MIN: u32 = 4096;
/// Most rounds that are taken: they are the verifier's work too.
pub const ITERATIONS_MAX: u32 = 16_384;

/// Which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mechanism {
    /// SCRAM-SHA-256.
    Sha256 = 1,
    /// SCRAM-SHA-512.
    Sha512 = 2,
}

impl Mechanism {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// What a code on the wire means.
    #[must_use]
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// As SASL names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of this SASL name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name() == name)
    }

    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn mac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.hash().output_len()];
        pbkdf2::derive(
            algorithm,
            NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN),
            salt,
            password,
            &mut salted,
        );
        salted
    }
}

/// What is kept of one user's password, for one mechanism.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Salt.
    pub salt: Vec<u8>,
    /// Rounds.
    pub iterations: u32,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Credential {
    /// Of a salted password, as administrators send it (KIP-554).
    #[must_use]
    pub fn of_salted(mechanism: Mechanism, salted: &[u8], salt: &[u8], iterations: u32) -> Self {
        let client_key = mechanism.mac(salted, b"Client Key");
        Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: digest::digest(mechanism.hash(), &client_key).as_ref().to_vec(),
            server_key: mechanism.mac(salted, b"Server Key"),
        }
    }

    /// Of a password.
    #[must_use]
    pub fn of_password(mechanism: Mechanism, password: &str, salt: &[u8]) -> Self {
        let salted = mechanism.salted(password.as_bytes(), salt, ITERATIONS_MIN);
        Self::of_salted(mechanism, &salted, salt, ITERATIONS_MIN)
    }

    /// Whether this is the password.
    #[must_use]
    pub fn holds(&self, mechanism: Mechanism, password: &str) -> bool {
        let salted = mechanism.salted(password.as_bytes(), &self.salt, self.iterations);
        let told = Self::of_salted(mechanism, &salted, &self.salt, self.iterations);
        constant_time::verify_slices_are_equal(&told.stored_key, &self.stored_key).is_ok()
    }

    /// One that nobody has, for users that do not exist: their login takes as long, and fails at the same
    /// place.
    fn nobodys(mechanism: Mechanism, secret: &[u8], user: &str) -> Self {
        let salt = mechanism.mac(secret, user.as_bytes());
        let salt = salt.get(..16).unwrap_or_default().to_vec();
        let length = mechanism.hash().output_len();
        Self { salt, iterations: ITERATIONS_MIN, stored_key: vec![0; length], server_key: vec![0; length] }
    }
}

/// Why a login failed. All of them are told as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The message is not what RFC 5802 asks for.
    #[error("not a SCRAM message")]
    Malformed,
    /// Wrong user, password or nonce.
    #[error("wrong user or password")]
    Refused,
}

/// A login between its two rounds.
#[derive(Debug)]
pub struct ScramLogin {
    mechanism: Mechanism,
    user: String,
    known: bool,
    credential: Credential,
    nonce: String,
    /// What both sides sign, up to the client's last part.
    signed: String,
    header: String,
}

/// A finished login.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who.
    pub user: String,
    /// The server's last message.
    pub answer: Vec<u8>,
}

impl ScramLogin {
    /// Takes the client's first message; the answer to it is the second of the pair. `secret` is this process's,
    /// `nonce` bits that nobody can guess.
    ///
    /// # Errors
    ///
    /// [`ScramError::Malformed`]
    pub fn begin(
        mechanism: Mechanism,
        first: &[u8],
        find: impl FnOnce(&str) -> Option<Credential>,
        secret: &[u8],
        nonce: &[u8],
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let text = std::str::from_utf8(first).map_err(|_| ScramError::Malformed)?;
        let mut parts = text.splitn(3, ',');
        let (flag, authorize) = (parts.next(), parts.next());
        // No channel binding exists on this protocol; acting for somebody else is not offered.
        let bare = parts.next().filter(|_| matches!(flag, Some("n" | "y"))).ok_or(ScramError::Malformed)?;
        let authorize = authorize.ok_or(ScramError::Malformed)?;
        let user =
            attribute(bare.split(',').next(), "n=").and_then(unescaped).ok_or(ScramError::Malformed)?;
        if !authorize.is_empty()
            && attribute(Some(authorize), "a=").and_then(unescaped).as_ref() != Some(&user)
        {
            return Err(ScramError::Malformed);
        }
        let client_nonce = attribute(bare.split(',').nth(1), "r=").filter(|nonce| !nonce.is_empty());
        let client_nonce = client_nonce.ok_or(ScramError::Malformed)?;
        let found = find(&user);
        let known = found.is_some();
        let credential = found.unwrap_or_else(|| Credential::nobodys(mechanism, secret, &user));
        let nonce = format!("{client_nonce}{}", base64(nonce));
        let answer = format!("r={nonce},s={},i={}", base64(&credential.salt), credential.iterations);
        let signed = format!("{bare},{answer}");
        let header = format!("{},{authorize},", flag.unwrap_or_default());
        Ok((Self { mechanism, user, known, credential, nonce, signed, header }, answer.into_bytes()))
    }

    /// Takes the client's last message.
    ///
    /// # Errors
    ///
    /// [`ScramError`]
    pub fn finish(self, last: &[u8]) -> Result<Proof, ScramError> {
        let text = std::str::from_utf8(last).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut parts = without_proof.split(',');
        let binding = attribute(parts.next(), "c=").and_then(unbase64).ok_or(ScramError::Malformed)?;
        let nonce = attribute(parts.next(), "r=").ok_or(ScramError::Malformed)?;
        if binding != self.header.as_bytes() || nonce != self.nonce {
            return Err(ScramError::Refused);
        }
        let proof = unbase64(proof).ok_or(ScramError::Malformed)?;
        let signed = format!("{},{without_proof}", self.signed);
        let signature = self.mechanism.mac(&self.credential.stored_key, signed.as_bytes());
        if proof.len() != signature.len() {
            return Err(ScramError::Refused);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(left, right)| left ^ right).collect();
        let shown = digest::digest(self.mechanism.hash(), &client_key);
        let same =
            constant_time::verify_slices_are_equal(shown.as_ref(), &self.credential.stored_key).is_ok();
        if !(same && self.known) {
            return Err(ScramError::Refused);
        }
        let signature = self.mechanism.mac(&self.credential.server_key, signed.as_bytes());
        Ok(Proof { user: self.user, answer: format!("v={}", base64(&signature)).into_bytes() })
    }
}

/// Bits that nobody can guess who does not know `secret`.
#[must_use]
pub fn unguessable(secret: &[u8], what: &[u8]) -> Vec<u8> {
    Mechanism::Sha256.mac(secret, what)
}

/// User and password of a PLAIN message (RFC 4616); `None` where it is none, or acts for somebody else.
#[must_use]
pub fn plain_parts(message: &[u8]) -> Option<(&str, &str)> {
    let mut parts = message.split(|byte| *byte == 0).map(|part| std::str::from_utf8(part).ok());
    let (acts_for, user, password) = (parts.next()??, parts.next()??, parts.next()??);
    let is_whole = parts.next().is_none() && !user.is_empty() && (acts_for.is_empty() || acts_for == user);
    is_whole.then_some((user, password))
}

/// The user that a client's first SCRAM message names; `None` also where a delegation token stands in for one.
#[must_use]
pub fn scram_user(first: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(first).ok()?;
    let bare = text.splitn(3, ',').nth(2)?;
    if bare.split(',').any(|part| part == "tokenauth=true") {
        return None;
    }
    attribute(bare.split(',').next(), "n=").and_then(unescaped)
}

fn attribute<'a>(part: Option<&'a str>, name: &str) -> Option<&'a str> {
    part?.strip_prefix(name)
}

/// A user name without its escapes.
fn unescaped(name: &str) -> Option<String> {
    let plain = name.replace("=2C", ",").replace("=3D", "\u{0}");
    let whole = !plain.contains('=') && !plain.is_empty();
    whole.then(|| plain.replace('\u{0}', "="))
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base 64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            let letter = LETTERS.get(index).copied().map_or('=', char::from);
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

/// Reads base 64 with padding.
pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let bytes = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || text.len() - bytes.len() > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 2);
    for chunk in bytes.chunks(4) {
        let mut word = 0_u32;
        for letter in chunk {
            let value = LETTERS.iter().position(|known| known == letter)?;
            word = word << 6 | u32::try_from(value).ok()?;
        }
        word <<= 6 * (4 - chunk.len());
        out.extend_from_slice(word.to_be_bytes().get(1..chunk.len())?);
    }
    Some(out)
}

/// The subject of a token (RFC 7519), unverified: legacy has verified it.
#[must_use]
pub fn token_subject(message: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(message).ok()?;
    let token = text.split('\u{1}').find_map(|part| part.strip_prefix("auth=Bearer "))?;
    let claims = token.split('.').nth(1)?.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - claims.len() % 4) % 4);
    let claims: serde_json::Value = serde_json::from_slice(&unbase64(&format!("{claims}{padding}"))?).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

/// A client's last message, for tests of the server's side.
#[cfg(test)]
pub(super) fn client_proof(
    mechanism: Mechanism,
    password: &str,
    salt: &[u8],
    bare: &str,
    answer: &str,
    nonce: &str,
) -> String {
    let salted = mechanism.salted(password.as_bytes(), salt, ITERATIONS_MIN);
    let key = mechanism.mac(&salted, b"Client Key");
    let stored = digest::digest(mechanism.hash(), &key);
    let last = format!("c=biws,r={nonce}");
    let signature = mechanism.mac(stored.as_ref(), format!("{bare},{answer},{last}").as_bytes());
    let proof: Vec<u8> = key.iter().zip(&signature).map(|(left, right)| left ^ right).collect();
    format!("{last},p={}", base64(&proof))
}

/// The example of RFC 7677, section 3.
#[cfg(test)]
pub(super) fn check_rfc_7677() {
    let salt = unbase64("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let login = ScramLogin {
        mechanism: Mechanism::Sha256,
        user: "user".to_owned(),
        known: true,
        credential: Credential::of_password(Mechanism::Sha256, "pencil", &salt),
        nonce: nonce.to_owned(),
        signed: format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
        header: "n,,".to_owned(),
    };
    let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let proof = login.finish(last.as_bytes()).unwrap();
    assert_eq!(proof.answer, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

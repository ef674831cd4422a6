//! Logins that the kernel checks itself, against the users of a realm.

use super::{Credential, Mechanism, Realm, ScramLogin, plain_parts};

const PLAIN: &str = "PLAIN";

/// Which mechanism the client has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Plain,
    Scram(Mechanism),
}

/// One connection's login.
#[derive(Debug, Default)]
pub struct Login {
    chosen: Option<Chosen>,
    scram: Option<ScramLogin>,
}

/// How one round of a login ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Round {
    /// Another one follows.
    More(Vec<u8>),
    /// The client is this user.
    Done(String, Vec<u8>),
    /// It is not.
    Refused,
    /// The client has not chosen a mechanism.
    OutOfOrder,
}

/// What nobody outside can guess.
#[derive(Clone, Copy)]
pub struct LoginSecrets<'a> {
    /// Of this process.
    pub process: &'a [u8],
    /// Of this login.
    pub nonce: &'a [u8],
}

impl Login {
    /// The mechanisms that are offered.
    pub const OFFERED: [&'static str; 3] = [PLAIN, Mechanism::Sha256.name(), Mechanism::Sha512.name()];

    /// The client chooses. `false`: it is not offered.
    pub fn choose(&mut self, mechanism: &str) -> bool {
        self.scram = None;
        self.chosen = if mechanism == PLAIN {
            Some(Chosen::Plain)
        } else {
            Mechanism::of_name(mechanism).map(Chosen::Scram)
        };
        self.chosen.is_some()
    }

    /// Takes one message of the client.
    pub fn round(&mut self, realm: &Realm, message: &[u8], secrets: LoginSecrets<'_>) -> Round {
        match (self.chosen, self.scram.take()) {
            (None, _) => Round::OutOfOrder,
            (Some(Chosen::Plain), _) => plain(realm, message),
            (Some(Chosen::Scram(mechanism)), None) => {
                let find = |user: &str| realm.users.get(user)?.get(&mechanism).cloned();
                match ScramLogin::begin(mechanism, message, find, secrets.process, secrets.nonce) {
                    Ok((login, answer)) => {
                        self.scram = Some(login);
                        Round::More(answer)
                    }
                    Err(_) => Round::Refused,
                }
            }
            (Some(Chosen::Scram(_)), Some(login)) => match login.finish(message) {
                Ok(proof) => Round::Done(proof.user, proof.answer),
                Err(_) => Round::Refused,
            },
        }
    }
}

fn plain(realm: &Realm, message: &[u8]) -> Round {
    let Some((user, password)) = plain_parts(message) else { return Round::Refused };
    let stored = realm.users.get(user).and_then(|all| all.first_key_value());
    let (mechanism, credential) = match stored {
        Some((mechanism, credential)) => (*mechanism, credential.clone()),
        // As much work for a user that does not exist.
        None => (Mechanism::Sha256, Credential::of_password(Mechanism::Sha256, "", b"nobody")),
    };
    let right = credential.holds(mechanism, password);
    if right && stored.is_some() { Round::Done(user.to_owned(), Vec::new()) } else { Round::Refused }
}

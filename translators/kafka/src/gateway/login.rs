//! Who the client is: learnt from what legacy takes, or checked here once legacy is retired.

use bytes::Bytes;
use kernel_model::Now;
use session::{Event, Request, Violation};

use super::relay::Incoming;
use super::rewrite;
use super::session::GatewaySession;
use crate::access::{
    Credential, Login, LoginSecrets, Mechanism, Round, claimed_user, plain_parts, unguessable,
};
use crate::codec::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use crate::codec::{ApiKey, Str};
use crate::coordinator::access::{AccessMessage, Change};
use crate::errors::ErrorCode;
use crate::placement::{ACCESS, CATALOG_SHARD};

impl GatewaySession {
    /// Legacy has answered one round of a login, which `message` asked for.
    pub(super) fn note_principal(&mut self, now: Now, accepted: bool, message: &[u8]) {
        let mechanism = self.mechanism.clone().unwrap_or_default();
        let said = claimed_user(&mechanism, message);
        if !accepted {
            self.claimed = None;
        } else if said.is_some() || !mechanism.starts_with("SCRAM-") {
            // The last round of SCRAM names nobody: the first one has.
            self.claimed = said;
        }
        if !self.authenticated {
            return;
        }
        self.server.set_principal(self.claimed.as_ref().map(|user| format!("User:{user}")));
        let name = self.claimed.clone().unwrap_or_default();
        self.remember(now, &name, &mechanism);
        self.events.push_back(Event::User { name, mechanism: mechanism.clone() });
        if self.shared.learn_users && mechanism == "PLAIN" {
            self.learn(now, message);
        }
    }

    /// Who has logged in is known after a restart too: legacy is not retired before the kernel knows these users.
    fn remember(&mut self, now: Now, name: &str, mechanism: &str) {
        const AGAIN_MS: i64 = 24 * 3600 * 1000;
        const CHARS_MAX: usize = 256;
        let cut = |text: &str| text.chars().take(CHARS_MAX).collect::<String>();
        let (user, mechanism, at_ms) = (cut(name), cut(mechanism), now.wall_ms);
        let realm = self.shared.access.realm(&self.shared.realm);
        let known = realm.seen.get(&(user.clone(), mechanism.clone()));
        if known.is_none_or(|noted| at_ms.saturating_sub(*noted) >= AGAIN_MS) {
            self.change_access(Change::Seen { user, mechanism, at_ms });
        }
    }

    /// Legacy has answered an administrator who changes users: what it took the kernel keeps too, so that these
    /// users can log in once legacy is retired.
    pub(super) fn note_users(
        &mut self,
        version: i16,
        asked: &AlterUserScramCredentialsRequest,
        whole: &Bytes,
    ) {
        // What cannot be read here is the client's to judge; nothing is learnt from it.
        let answer = rewrite::decode::<AlterUserScramCredentialsResponse>(whole, version);
        let Ok((_, answer)) = answer else { return };
        let taken = |user: &Str| answer.results.iter().any(|each| each.user == *user && each.error_code == 0);
        let removed = asked.deletions.iter().filter(|each| taken(&each.name));
        let remove = removed
            .filter_map(|each| Some((each.name.as_str().to_owned(), Mechanism::from_code(each.mechanism)?)))
            .collect();
        let set = asked.upsertions.iter().filter(|each| taken(&each.name));
        let put = set
            .filter_map(|each| {
                let mechanism = Mechanism::from_code(each.mechanism)?;
                let rounds = u32::try_from(each.iterations).ok()?;
                let kept = Credential::of_salted(mechanism, &each.salted_password, &each.salt, rounds);
                Some((each.name.as_str().to_owned(), mechanism, kept))
            })
            .collect();
        self.change_users(put, remove);
    }

    /// Nobody waits for the answer: what was not kept now is kept at the next chance.
    fn change_users(&mut self, put: Vec<(String, Mechanism, Credential)>, remove: Vec<(String, Mechanism)>) {
        if put.is_empty() && remove.is_empty() {
            return;
        }
        self.change_access(Change::Users { put, remove });
    }

    fn change_access(&mut self, change: Change) {
        let message = AccessMessage { realm: self.shared.realm.clone(), change }.to_bytes();
        self.own_request(Request::Kernel {
            shard: CATALOG_SHARD,
            request: kernel_model::Request::Coordinate { kind: ACCESS, message },
        });
    }

    /// Keeps what the kernel needs to check this password itself, unless it does already.
    fn learn(&mut self, now: Now, message: &[u8]) {
        let Some((user, password)) = plain_parts(message) else { return };
        let realm = self.shared.access.realm(&self.shared.realm);
        let known = realm.users.get(user);
        let wrong = |mechanism: &Mechanism| {
            known.and_then(|all| all.get(mechanism)).is_none_or(|held| !held.holds(*mechanism, password))
        };
        let put: Vec<_> = Mechanism::ALL
            .into_iter()
            .filter(wrong)
            .map(|mechanism| {
                let salt = self.nonce(now, user.as_bytes());
                let salt = salt.get(..16).unwrap_or_default();
                (user.to_owned(), mechanism, Credential::of_password(mechanism, password, salt))
            })
            .collect();
        self.change_users(put, Vec::new());
    }

    /// Bits that nobody can guess, different each time.
    fn nonce(&self, now: Now, what: &[u8]) -> Vec<u8> {
        let seed = self.server.seed().to_be_bytes();
        let (count, time) = (self.logins.to_be_bytes(), now.elapsed.as_nanos().to_be_bytes());
        let parts: [&[u8]; 4] = [&seed, &count, &time, what];
        unguessable(&self.shared.secret.0, &parts.concat())
    }

    /// The kernel checks the login: legacy is retired.
    pub(super) fn log_in(&mut self, now: Now, request: &Incoming) -> Result<(), Violation> {
        let slot = self.slots.open();
        if request.api == ApiKey::SaslHandshake {
            let asked: SaslHandshakeRequest = request.decode()?;
            let offered = self.login.choose(&asked.mechanism);
            let error_code = if offered { 0 } else { ErrorCode::UnsupportedSaslMechanism.code() };
            let mechanisms = Login::OFFERED.map(Str::from_static).to_vec();
            return self.answer(slot, &request.head, &SaslHandshakeResponse { error_code, mechanisms });
        }
        let asked: SaslAuthenticateRequest = request.decode()?;
        self.logins += 1;
        let nonce = self.nonce(now, b"login");
        let secrets =
            LoginSecrets { process: &self.shared.secret.0, nonce: nonce.get(..18).unwrap_or_default() };
        let realm = self.shared.access.realm(&self.shared.realm);
        let round = self.login.round(&realm, &asked.auth_bytes, secrets);
        let mut answer = SaslAuthenticateResponse { error_message: None, ..Default::default() };
        let refuse = |answer: &mut SaslAuthenticateResponse, code: ErrorCode, why: &'static str| {
            answer.error_code = code.code();
            answer.error_message = Some(Str::from_static(why));
        };
        self.authenticated = false;
        match round {
            Round::More(bytes) => answer.auth_bytes = Bytes::from(bytes),
            Round::Done(user, bytes) => {
                self.authenticated = true;
                self.server.set_principal(Some(format!("User:{user}")));
                answer.auth_bytes = Bytes::from(bytes);
            }
            Round::Refused => {
                let why = "Authentication failed: Invalid username or password";
                refuse(&mut answer, ErrorCode::SaslAuthenticationFailed, why);
            }
            Round::OutOfOrder => {
                refuse(&mut answer, ErrorCode::IllegalSaslState, "SaslHandshake request has to come first.");
            }
        }
        self.close_after_answers |= answer.error_code != 0;
        self.answer(slot, &request.head, &answer)
    }
}

//! Who may do what: rules (Kafka's ACLs), users with their salted credentials, and quotas.
//!
//! One *realm* for each cluster in front of which the kernel stands (the kernel alone is the realm without a
//! name). An immutable snapshot of all realms is published by the access coordinator, which alone changes and
//! stores them; every session reads it. What a request needs is decided in [`crate::server`], at one point.

mod login;
mod meters;
mod quotas;
mod rules;
mod scram;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

pub use self::login::{Login, LoginSecrets, Round};
pub use self::meters::{Meters, window_bytes};
pub use self::quotas::{Entity, QuotaKind, Quotas, is_quota_key, quota_refusal};
pub use self::rules::{
    CLUSTER, FilterPattern, Operation, PatternKind, Permission, ResourceKind, Rule, RuleFilter, Rules,
    WILDCARD,
};
pub use self::scram::{
    Credential, ITERATIONS_MAX, ITERATIONS_MIN, Mechanism, Proof, ScramError, ScramLogin, plain_parts,
    scram_user, token_subject, unguessable,
};
pub use self::subject::subject;

/// Who is not told apart: Kafka's own name for a client without authentication.
pub const ANONYMOUS: &str = "User:ANONYMOUS";

/// How rules are applied, where they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Authorizer {
    /// Principals that no rule is asked about.
    pub super_users: Vec<String>,
    /// Whether a resource that no rule names is everybody's.
    pub allow_if_no_rule: bool,
}

/// Everything that one realm holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Realm {
    /// How rules are applied; `None`: nothing is checked.
    pub authorizer: Option<Authorizer>,
    /// Another cluster decides what is in here; the kernel only follows.
    pub follows: bool,
    /// The rules.
    pub rules: Rules,
    /// Credentials by user.
    pub users: BTreeMap<String, BTreeMap<Mechanism, Credential>>,
    /// Quotas by entity.
    pub quotas: Quotas,
    /// Users whom legacy has let in, each with its mechanism, and when that was last noted (milliseconds since 1970).
    /// A user without a name is one whose name cannot be told.
    pub seen: BTreeMap<(String, String), i64>,
}

impl Realm {
    /// Whether `principal` may do this. Without an authorizer everybody may do everything.
    #[must_use]
    pub fn allows(&self, who: &Who, operation: Operation, kind: ResourceKind, name: &str) -> bool {
        let Some(authorizer) = &self.authorizer else { return true };
        let Some(principal) = &who.principal else { return false };
        if authorizer.super_users.contains(principal) {
            return true;
        }
        let verdict = self.rules.decide(principal, &who.host, operation, kind, name);
        verdict.unwrap_or(authorizer.allow_if_no_rule)
    }

    /// Whether there is any resource of this kind on which `who` may do this.
    #[must_use]
    pub fn allows_somewhere(&self, who: &Who, operation: Operation, kind: ResourceKind) -> bool {
        let Some(authorizer) = &self.authorizer else { return true };
        let Some(principal) = &who.principal else { return false };
        authorizer.super_users.contains(principal)
            || self.rules.decide_somewhere(principal, &who.host, operation, kind, authorizer.allow_if_no_rule)
    }

    /// Whether anything is checked.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.authorizer.is_some()
    }
}

/// Who a client is that legacy has let in, as far as the message says with which it asked; `None` where legacy alone
/// knows (delegation tokens, other mechanisms).
#[must_use]
pub fn claimed_user(mechanism: &str, message: &[u8]) -> Option<String> {
    match mechanism {
        "PLAIN" => plain_parts(message).map(|(user, _)| user.to_owned()),
        "OAUTHBEARER" => token_subject(message),
        scram if Mechanism::of_name(scram).is_some() => scram_user(message),
        _ => None,
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// `User:name`; `None`: somebody who is authenticated, but under a name that is not known here.
    pub principal: Option<String>,
    /// Address, as rules name it.
    pub host: String,
}

impl Who {
    /// Somebody at this address who has not said who it is.
    #[must_use]
    pub fn anonymous(host: &str) -> Self {
        let host = host.trim_start_matches('/').to_owned();
        Self { principal: Some(ANONYMOUS.to_owned()), host }
    }

    /// The user's name, where the principal is a user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.principal.as_deref().and_then(|principal| principal.strip_prefix("User:"))
    }
}

/// All realms at one moment.
#[derive(Debug, Clone, Default)]
pub struct Access {
    realms: BTreeMap<String, Arc<Realm>>,
    /// What a realm is that is not named.
    unnamed: Arc<Realm>,
}

impl Access {
    /// The realm of this name; one that was never written to is empty, and checks nothing.
    #[must_use]
    pub fn realm(&self, name: &str) -> Arc<Realm> {
        self.realms.get(name).unwrap_or(&self.unnamed).clone()
    }

    /// Every realm refuses everything: its rules cannot be read.
    #[must_use]
    pub fn closed() -> Self {
        let closed = Realm { authorizer: Some(Authorizer::default()), follows: true, ..Realm::default() };
        Self { realms: BTreeMap::new(), unnamed: Arc::new(closed) }
    }

    /// Replaces a realm.
    pub fn put(&mut self, name: &str, realm: Realm) {
        self.realms.insert(name.to_owned(), Arc::new(realm));
    }
}

/// Where the current snapshot is found. Reading takes no lock.
#[derive(Debug, Clone, Default)]
pub struct AccessHandle(Arc<ArcSwap<Access>>);

impl AccessHandle {
    /// The current snapshot.
    #[must_use]
    pub fn load(&self) -> Arc<Access> {
        self.0.load_full()
    }

    /// The current state of a realm.
    #[must_use]
    pub fn realm(&self, name: &str) -> Arc<Realm> {
        self.0.load().realm(name)
    }

    /// Replaces the snapshot. For the access coordinator, once a change is durable.
    pub fn publish(&self, access: Arc<Access>) {
        self.0.store(access);
    }
}

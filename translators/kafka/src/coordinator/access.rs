//! The access coordinator: alone changes and stores who may do what. Hosted by the catalog's shard.
//!
//! A message is a realm and a change as JSON; the answer is an [`AccessReply`]. One message is worked on at a
//! time; once its commit is durable the new snapshot is published and the answer goes out.
//!
//! ```text
//! keys   a realm/<realm>            JSON of what holds for the realm
//!        a rule/<realm> NUL <rule>  (the rule as JSON; no value)
//!        a user/<realm> NUL <name>  JSON of the salted credentials
//!        a quota/<realm> NUL <entity as JSON>   JSON of the values
//!        a seen/<realm> NUL <user and mechanism as JSON>   when, as JSON
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel_model::coordinator::{CommitId, KvRead, MessageId};
use kernel_model::{Commit, Coordinator, KernelError, Now, Op, Output};
use serde::{Deserialize, Serialize};

use crate::access::{Access, AccessHandle, Authorizer, Credential, Entity, Mechanism, Realm, Rule, Rules};

/// Messages that may wait for the one before them.
const WAITING_MAX: usize = 1024;
/// Rules, users and quotas that one realm may have, each.
const EACH_MAX: usize = 100_000;

/// Users that are remembered as seen, in one realm; beyond, whoever was last seen longest ago is forgotten.
const SEEN_MAX: usize = 10_000;

/// A change to one realm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessMessage {
    /// Which.
    pub realm: String,
    /// What changes.
    pub change: Change,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Adds and removes rules.
    Rules {
        /// Rules that are there afterwards.
        add: Vec<Rule>,
        /// Rules that are not.
        remove: Vec<Rule>,
    },
    /// Sets and removes users' credentials.
    Users {
        /// Credentials that are there afterwards.
        put: Vec<(String, Mechanism, Credential)>,
        /// Credentials that are not.
        remove: Vec<(String, Mechanism)>,
    },
    /// Sets and removes (`None`) quotas.
    Quotas(Vec<(Entity, String, Option<f64>)>),
    /// Follows another cluster from now on: how it applies rules, and (where given) what it has. Users stay.
    Follow {
        /// How rules are applied there.
        authorizer: Option<Authorizer>,
        /// Its rules.
        rules: Option<Vec<Rule>>,
        /// Its quotas.
        quotas: Option<Vec<(Entity, BTreeMap<String, f64>)>>,
    },
    /// Another cluster has let a user in.
    Seen {
        /// Its name; empty where it cannot be told.
        user: String,
        /// How it showed who it is.
        mechanism: String,
        /// Milliseconds since 1970.
        at_ms: i64,
    },
    /// Follows nobody any more.
    Adopt,
    /// The kernel's own realm: how rules are applied, as configured.
    Configure(Option<Authorizer>),
}

/// What the access coordinator answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessReply {
    /// Done and durable; the published snapshot shows it.
    Done,
    /// Not done: why. Retrying does not help.
    Refused(String),
    /// Not done: storage could not take it. Retrying may help.
    Failed(String),
}

impl AccessMessage {
    /// As the coordinator takes it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

impl AccessReply {
    /// Reads an answer; `None` when it is none.
    #[must_use]
    pub fn from_bytes(answer: &[u8]) -> Option<Self> {
        serde_json::from_slice(answer).ok()
    }

    fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// The coordinator. See the module.
pub struct AccessCoordinator {
    handle: AccessHandle,
    access: Arc<Access>,
    /// What is stored cannot be read: nothing is changed.
    unreadable: Option<String>,
    waiting: VecDeque<(MessageId, Bytes)>,
    pending: Option<(CommitId, MessageId, Arc<Access>)>,
    outputs: VecDeque<Output>,
    commits: u64,
}

impl AccessCoordinator {
    /// A coordinator that publishes to `handle`.
    #[must_use]
    pub fn new(handle: AccessHandle) -> Self {
        Self {
            handle,
            access: Arc::default(),
            unreadable: None,
            waiting: VecDeque::new(),
            pending: None,
            outputs: VecDeque::new(),
            commits: 0,
        }
    }

    fn advance(&mut self) {
        while self.pending.is_none()
            && let Some((id, message)) = self.waiting.pop_front()
        {
            match self.work(&message) {
                Err(refusal) => self.reply(id, &AccessReply::Refused(refusal)),
                Ok((_, ops)) if ops.is_empty() => self.reply(id, &AccessReply::Done),
                Ok((access, ops)) => {
                    self.commits += 1;
                    let commit = CommitId(self.commits);
                    self.outputs.push_back(Output::Commit { id: commit, commit: Commit::of(ops) });
                    self.pending = Some((commit, id, Arc::new(access)));
                }
            }
        }
    }

    fn work(&self, message: &[u8]) -> Result<(Access, Vec<Op>), String> {
        if let Some(reason) = &self.unreadable {
            return Err(reason.clone());
        }
        let message: AccessMessage = serde_json::from_slice(message).map_err(|error| error.to_string())?;
        let before = self.access.realm(&message.realm);
        let after = changed(&before, message.change)?;
        let ops = difference(&message.realm, &before, &after);
        let mut access = (*self.access).clone();
        access.put(&message.realm, after);
        Ok((access, ops))
    }

    fn reply(&mut self, id: MessageId, reply: &AccessReply) {
        self.outputs.push_back(Output::Reply { id, message: reply.to_bytes() });
    }
}

/// A realm after a change.
fn changed(before: &Realm, change: Change) -> Result<Realm, String> {
    let mut realm = before.clone();
    match change {
        Change::Rules { add, remove } => {
            let mut rules = realm.rules.all().clone();
            rules.retain(|rule| !remove.contains(rule));
            rules.extend(add);
            realm.rules = rules.into_iter().collect();
        }
        Change::Users { put, remove } => {
            for (user, mechanism) in remove {
                if let Some(credentials) = realm.users.get_mut(&user) {
                    credentials.remove(&mechanism);
                }
            }
            for (user, mechanism, credential) in put {
                realm.users.entry(user).or_default().insert(mechanism, credential);
            }
            realm.users.retain(|_, credentials| !credentials.is_empty());
        }
        Change::Quotas(set) => {
            for (entity, key, value) in set {
                let values = realm.quotas.entry(entity).or_default();
                match value {
                    Some(value) => drop(values.insert(key, value)),
                    None => drop(values.remove(&key)),
                }
            }
            realm.quotas.retain(|_, values| !values.is_empty());
        }
        Change::Follow { authorizer, rules, quotas } => {
            realm.follows = true;
            realm.authorizer = authorizer;
            if let Some(rules) = rules {
                realm.rules = rules.into_iter().collect();
            }
            if let Some(quotas) = quotas {
                realm.quotas = quotas.into_iter().collect();
            }
        }
        Change::Seen { user, mechanism, at_ms } => {
            realm.seen.insert((user, mechanism), at_ms);
            if realm.seen.len() > SEEN_MAX {
                forget_one(&mut realm.seen);
            }
        }
        Change::Adopt => realm.follows = false,
        Change::Configure(authorizer) => realm.authorizer = authorizer,
    }
    let largest = realm.rules.all().len().max(realm.users.len()).max(realm.quotas.len());
    if largest > EACH_MAX { Err(format!("more than {EACH_MAX} rules, users or quotas")) } else { Ok(realm) }
}

fn forget_one(seen: &mut BTreeMap<(String, String), i64>) {
    let oldest = seen.iter().min_by_key(|(_, at_ms)| **at_ms).map(|(who, _)| who.clone());
    if let Some(who) = oldest {
        seen.remove(&who);
    }
}

/// What holds for a realm as a whole.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StoredRealm {
    version: u16,
    authorizer: Option<Authorizer>,
    follows: bool,
}

const STORED_VERSION: u16 = 1;

fn stored_realm(realm: &Realm) -> StoredRealm {
    StoredRealm { version: STORED_VERSION, authorizer: realm.authorizer.clone(), follows: realm.follows }
}

const REALM: &[u8] = b"arealm/";
const RULE: &[u8] = b"arule/";
const USER: &[u8] = b"auser/";
const QUOTA: &[u8] = b"aquota/";
const SEEN: &[u8] = b"aseen/";

fn key(prefix: &[u8], realm: &str, rest: &[u8]) -> Bytes {
    [prefix, realm.as_bytes(), b"\0", rest].concat().into()
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Structs of strings, numbers and string-keyed maps always have a JSON form.
    serde_json::to_vec(value).unwrap_or_default()
}

fn put(key: Bytes, value: Vec<u8>) -> Op {
    Op::KvPut { key, value: value.into(), expires_ms: None }
}

/// The operations that make `before` into `after`.
fn difference(name: &str, before: &Realm, after: &Realm) -> Vec<Op> {
    let mut ops = Vec::new();
    if stored_realm(before) != stored_realm(after) {
        ops.push(put(key(REALM, name, b""), json(&stored_realm(after))));
    }
    let (old, new) = (before.rules.all(), after.rules.all());
    ops.extend(old.difference(new).map(|rule| Op::KvDelete { key: key(RULE, name, &json(rule)) }));
    ops.extend(new.difference(old).map(|rule| put(key(RULE, name, &json(rule)), vec![1])));
    let of_user = |user: &String| user.as_bytes().to_vec();
    // JSON has names for keys only, so the pairs are a list.
    let credentials = |all: &BTreeMap<Mechanism, Credential>| json(&all.iter().collect::<Vec<_>>());
    ops.extend(replaced((USER, name), &before.users, &after.users, of_user, credentials));
    ops.extend(replaced((QUOTA, name), &before.quotas, &after.quotas, json, json));
    ops.extend(replaced((SEEN, name), &before.seen, &after.seen, json, json));
    ops
}

/// What makes one map into the other, under a prefix and the name of a realm.
fn replaced<K: Ord, V: PartialEq>(
    (prefix, realm): (&[u8], &str),
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    as_key: impl Fn(&K) -> Vec<u8>,
    as_value: impl Fn(&V) -> Vec<u8>,
) -> Vec<Op> {
    let gone = old.keys().filter(|each| !new.contains_key(*each));
    let gone = gone.map(|each| Op::KvDelete { key: key(prefix, realm, &as_key(each)) });
    let fresh = new.iter().filter(|(each, value)| old.get(*each) != Some(*value));
    gone.chain(fresh.map(|(each, value)| put(key(prefix, realm, &as_key(each)), as_value(value)))).collect()
}

/// Realm and rest of a stored key.
fn parts<'a>(prefix: &[u8], key: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = key.get(prefix.len()..)?;
    let at = rest.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(rest.get(..at)?).ok()?, rest.get(at + 1..)?))
}

fn read(stored: &dyn KvRead) -> Option<Access> {
    let mut realms: BTreeMap<String, Realm> = BTreeMap::new();
    let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for (key, value) in stored.scan(REALM) {
        let (name, _) = parts(REALM, &key)?;
        let found: StoredRealm = serde_json::from_slice(&value).ok()?;
        if found.version != STORED_VERSION {
            return None;
        }
        let realm = realms.entry(name.to_owned()).or_default();
        (realm.authorizer, realm.follows) = (found.authorizer, found.follows);
    }
    for (key, _) in stored.scan(RULE) {
        let (name, rule) = parts(RULE, &key)?;
        rules.entry(name.to_owned()).or_default().push(serde_json::from_slice(rule).ok()?);
    }
    for (name, rules) in rules {
        realms.entry(name).or_default().rules = rules.into_iter().collect::<Rules>();
    }
    for (key, value) in stored.scan(USER) {
        let (name, user) = parts(USER, &key)?;
        let credentials: Vec<(Mechanism, Credential)> = serde_json::from_slice(&value).ok()?;
        let user = std::str::from_utf8(user).ok()?.to_owned();
        let realm = realms.entry(name.to_owned()).or_default();
        realm.users.insert(user, credentials.into_iter().collect());
    }
    for (key, value) in stored.scan(QUOTA) {
        let (name, entity) = parts(QUOTA, &key)?;
        let realm = realms.entry(name.to_owned()).or_default();
        realm.quotas.insert(serde_json::from_slice(entity).ok()?, serde_json::from_slice(&value).ok()?);
    }
    for (key, value) in stored.scan(SEEN) {
        let (name, who) = parts(SEEN, &key)?;
        let realm = realms.entry(name.to_owned()).or_default();
        realm.seen.insert(serde_json::from_slice(who).ok()?, serde_json::from_slice(&value).ok()?);
    }
    let mut access = Access::default();
    realms.into_iter().for_each(|(name, realm)| access.put(&name, realm));
    Some(access)
}

impl Coordinator for AccessCoordinator {
    fn restore(&mut self, _now: Now, state: &dyn KvRead) {
        match read(state) {
            Some(access) => {
                self.access = Arc::new(access);
                self.handle.publish(self.access.clone());
            }
            None => {
                // Without its rules nobody may do anything, rather than everybody everything.
                self.unreadable = Some("what is stored of access rules cannot be read".to_owned());
                self.handle.publish(Arc::new(Access::closed()));
            }
        }
    }

    fn handle_message(&mut self, _now: Now, id: MessageId, message: Bytes) {
        if self.waiting.len() >= WAITING_MAX {
            self.reply(id, &AccessReply::Failed("too many changes wait".to_owned()));
            return;
        }
        self.waiting.push_back((id, message));
        self.advance();
    }

    fn handle_commit(&mut self, _now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        let Some((_, message, access)) = self.pending.take_if(|(commit, ..)| *commit == id) else { return };
        match outcome {
            Ok(()) => {
                self.access = access;
                self.handle.publish(self.access.clone());
                self.reply(message, &AccessReply::Done);
            }
            Err(error) => self.reply(message, &AccessReply::Failed(error.to_string())),
        }
        self.advance();
    }

    fn handle_timer(&mut self, _now: Now, _key: Bytes, _action: Bytes) {}

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests;

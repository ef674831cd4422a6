//! Changes, what is stored of them, and what is read back.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test may stop at the first surprise")]

use super::*;
use crate::access::{Operation, PatternKind, Permission, ResourceKind};

struct Stored(BTreeMap<Bytes, Bytes>);

impl KvRead for Stored {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key).cloned()
    }

    fn scan(&self, prefix: &[u8]) -> Box<dyn Iterator<Item = (Bytes, Bytes)> + '_> {
        let prefix = prefix.to_vec();
        let all = self.0.iter().filter(move |(key, _)| key.starts_with(&prefix));
        Box::new(all.map(|(key, value)| (key.clone(), value.clone())))
    }
}

fn now() -> Now {
    Now { elapsed: Duration::ZERO, wall_ms: 0 }
}

/// Sends one change and makes its commit durable in `stored`.
fn change(coordinator: &mut AccessCoordinator, stored: &mut Stored, change: Change) -> AccessReply {
    let message = AccessMessage { realm: "events".to_owned(), change };
    coordinator.handle_message(now(), MessageId(1), message.to_bytes());
    loop {
        match coordinator.poll_output().expect("an answer follows") {
            Output::Reply { message, .. } => return AccessReply::from_bytes(&message).unwrap(),
            Output::Commit { id, commit } => {
                for op in commit.ops {
                    match op {
                        Op::KvPut { key, value, .. } => drop(stored.0.insert(key, value)),
                        Op::KvDelete { key } => drop(stored.0.remove(&key)),
                        other => panic!("{other:?}"),
                    }
                }
                coordinator.handle_commit(now(), id, Ok(()));
            }
        }
    }
}

fn rule(name: &str) -> Rule {
    Rule {
        kind: ResourceKind::Topic,
        name: name.to_owned(),
        pattern: PatternKind::Prefixed,
        principal: "User:ada".to_owned(),
        host: "*".to_owned(),
        operation: Operation::Read,
        permission: Permission::Allow,
    }
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let handle = AccessHandle::default();
    let (mut first, mut stored) = (AccessCoordinator::new(handle.clone()), Stored(BTreeMap::new()));
    let credential = Credential::of_password(Mechanism::Sha256, "pencil", b"0123456789abcdef");
    let entity = Entity::from([("user".to_owned(), None)]);
    let changes = [
        Change::Follow {
            authorizer: Some(Authorizer {
                super_users: vec!["User:root".to_owned()],
                allow_if_no_rule: false,
            }),
            rules: Some(vec![rule("a"), rule("b")]),
            quotas: None,
        },
        Change::Rules { add: vec![rule("c")], remove: vec![rule("a")] },
        Change::Users {
            put: vec![
                ("ada".to_owned(), Mechanism::Sha256, credential.clone()),
                ("bob".to_owned(), Mechanism::Sha256, credential),
            ],
            remove: vec![],
        },
        Change::Users { put: vec![], remove: vec![("bob".to_owned(), Mechanism::Sha256)] },
        Change::Quotas(vec![
            (entity.clone(), "producer_byte_rate".to_owned(), Some(1.5)),
            (entity, "consumer_byte_rate".to_owned(), None),
        ]),
        Change::Seen { user: "ada".to_owned(), mechanism: "PLAIN".to_owned(), at_ms: 5 },
        Change::Seen { user: "ada".to_owned(), mechanism: "PLAIN".to_owned(), at_ms: 7 },
    ];
    for each in changes {
        assert_eq!(change(&mut first, &mut stored, each), AccessReply::Done);
    }
    let before = handle.realm("events");
    assert_eq!(before.rules.all().iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(before.users.keys().collect::<Vec<_>>(), ["ada"]);
    assert_eq!(before.quotas.len(), 1);
    assert_eq!(before.seen.values().collect::<Vec<_>>(), [&7]);
    let again = AccessHandle::default();
    AccessCoordinator::new(again.clone()).restore(now(), &stored);
    assert_eq!(again.realm("events"), before);
    assert!(!again.realm("other").is_guarded());
}

#[test]
fn rules_that_cannot_be_read_close_every_realm() {
    let stored = Stored(BTreeMap::from([(key(RULE, "events", b"{broken"), Bytes::from_static(b"1"))]));
    let handle = AccessHandle::default();
    let mut coordinator = AccessCoordinator::new(handle.clone());
    coordinator.restore(now(), &stored);
    let ada = crate::access::Who::anonymous("127.0.0.1");
    assert!(!handle.realm("events").allows(&ada, Operation::Read, ResourceKind::Topic, "t"));
    let refused = change(&mut coordinator, &mut Stored(BTreeMap::new()), Change::Adopt);
    assert!(matches!(refused, AccessReply::Refused(_)));
}

#[test]
fn whoever_was_seen_longest_ago_is_forgotten_first() {
    let who = |name: &str| (name.to_owned(), "PLAIN".to_owned());
    let mut seen = BTreeMap::from([(who("ada"), 7), (who("bob"), 5), (who("eve"), 6)]);
    forget_one(&mut seen);
    assert_eq!(seen.into_keys().map(|(name, _)| name).collect::<Vec<_>>(), ["ada", "eve"]);
}

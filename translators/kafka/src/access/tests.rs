use std::collections::BTreeMap;

use super::quotas::QuotaKind;
use super::*;

fn rule(
    permission: Permission,
    principal: &str,
    operation: Operation,
    pattern: PatternKind,
    name: &str,
) -> Rule {
    Rule {
        kind: ResourceKind::Topic,
        name: name.to_owned(),
        pattern,
        principal: principal.to_owned(),
        host: WILDCARD.to_owned(),
        operation,
        permission,
    }
}

fn realm(rules: Vec<Rule>) -> Realm {
    let authorizer = Authorizer { super_users: vec!["User:root".to_owned()], allow_if_no_rule: false };
    Realm { authorizer: Some(authorizer), rules: rules.into_iter().collect(), ..Realm::default() }
}

fn who(user: &str) -> Who {
    Who { principal: Some(format!("User:{user}")), host: "127.0.0.1".to_owned() }
}

#[test]
fn rules_are_decided_as_kafka_does() {
    use Operation::{All, Alter, AlterConfigs, Describe, DescribeConfigs, Read, Write};
    use PatternKind::{Literal, Prefixed};
    use Permission::{Allow, Deny};
    // What there is, who asks for what on which topic, and the verdict.
    type Row<'a> = (Vec<Rule>, &'a str, Operation, &'a str, bool);
    let rows: Vec<Row<'_>> = vec![
        (vec![], "ada", Read, "t", false),
        (vec![], "root", Read, "t", true),
        (vec![rule(Allow, "User:ada", Read, Literal, "t")], "ada", Read, "t", true),
        (vec![rule(Allow, "User:ada", Read, Literal, "t")], "ada", Read, "t2", false),
        (vec![rule(Allow, "User:ada", Read, Literal, "t")], "bob", Read, "t", false),
        (vec![rule(Allow, "User:ada", Read, Literal, "t")], "ada", Describe, "t", true),
        (vec![rule(Allow, "User:ada", Read, Literal, "t")], "ada", Write, "t", false),
        (vec![rule(Allow, "User:ada", Alter, Literal, "t")], "ada", Describe, "t", true),
        (vec![rule(Allow, "User:ada", AlterConfigs, Literal, "t")], "ada", DescribeConfigs, "t", true),
        (vec![rule(Allow, "User:ada", Describe, Literal, "t")], "ada", Read, "t", false),
        (vec![rule(Allow, "User:*", All, Literal, "*")], "bob", Write, "t", true),
        (vec![rule(Allow, "User:ada", Read, Prefixed, "or")], "ada", Read, "orders", true),
        (vec![rule(Allow, "User:ada", Read, Prefixed, "or")], "ada", Read, "o", false),
        (vec![rule(Allow, "User:ada", Read, Prefixed, "*")], "ada", Read, "orders", false),
        (
            vec![rule(Allow, "User:ada", All, Literal, "*"), rule(Deny, "User:*", Write, Prefixed, "or")],
            "ada",
            Write,
            "orders",
            false,
        ),
        (
            vec![rule(Allow, "User:ada", All, Literal, "*"), rule(Deny, "User:*", Read, Literal, "orders")],
            "ada",
            Describe,
            "orders",
            true,
        ),
        (
            vec![rule(Allow, "User:ada", All, Literal, "*"), rule(Deny, "User:ada", All, Literal, "*")],
            "ada",
            Describe,
            "orders",
            false,
        ),
    ];
    for (rules, user, operation, topic, allowed) in rows {
        let shown = format!("{user} {operation:?} {topic} by {rules:?}");
        let found = realm(rules).allows(&who(user), operation, ResourceKind::Topic, topic);
        assert_eq!(found, allowed, "{shown}");
    }
}

#[test]
fn an_address_that_a_rule_names_is_the_only_one_it_is_about() {
    let mut only_here = rule(Permission::Allow, "User:ada", Operation::Read, PatternKind::Literal, "t");
    only_here.host = "10.0.0.1".to_owned();
    let realm = realm(vec![only_here]);
    let mut ada = who("ada");
    assert!(!realm.allows(&ada, Operation::Read, ResourceKind::Topic, "t"));
    ada.host = "10.0.0.1".to_owned();
    assert!(realm.allows(&ada, Operation::Read, ResourceKind::Topic, "t"));
}

#[test]
fn what_no_rule_names_is_everybodys_only_where_that_is_set() {
    let mut realm =
        realm(vec![rule(Permission::Allow, "User:ada", Operation::Read, PatternKind::Literal, "t")]);
    realm.authorizer.as_mut().unwrap().allow_if_no_rule = true;
    assert!(realm.allows(&who("bob"), Operation::Write, ResourceKind::Topic, "other"));
    assert!(!realm.allows(&who("bob"), Operation::Write, ResourceKind::Topic, "t"));
    let unknown = Who { principal: None, host: String::new() };
    assert!(!realm.allows(&unknown, Operation::Write, ResourceKind::Topic, "other"));
}

#[test]
fn writing_somewhere_needs_a_topic_that_is_not_denied() {
    use Operation::Write;
    use PatternKind::{Literal, Prefixed};
    use Permission::{Allow, Deny};
    let rows = [
        (vec![], false),
        (vec![rule(Allow, "User:ada", Write, Literal, "t")], true),
        (
            vec![rule(Allow, "User:ada", Write, Literal, "t"), rule(Deny, "User:ada", Write, Literal, "t")],
            false,
        ),
        (
            vec![rule(Allow, "User:ada", Write, Prefixed, "t"), rule(Deny, "User:ada", Write, Literal, "t")],
            true,
        ),
        (
            vec![rule(Allow, "User:ada", Write, Prefixed, "tt"), rule(Deny, "User:*", Write, Prefixed, "t")],
            false,
        ),
        (
            vec![rule(Allow, "User:ada", Write, Literal, "*"), rule(Deny, "User:*", Write, Literal, "*")],
            false,
        ),
    ];
    for (rules, expected) in rows {
        let shown = format!("{rules:?}");
        let found = realm(rules).allows_somewhere(&who("ada"), Write, ResourceKind::Topic);
        assert_eq!(found, expected, "{shown}");
    }
}

#[test]
fn filters_find_what_kafka_finds() {
    let any = (1_i8, 1_i8);
    let rules = [
        rule(Permission::Allow, "User:ada", Operation::Read, PatternKind::Literal, "orders"),
        rule(Permission::Allow, "User:ada", Operation::Read, PatternKind::Prefixed, "ord"),
        rule(Permission::Allow, "User:ada", Operation::Read, PatternKind::Literal, "*"),
        rule(Permission::Allow, "User:ada", Operation::Read, PatternKind::Literal, "other"),
    ];
    let found = |pattern: i8, name: Option<&str>| {
        let filter = RuleFilter::from_wire((2, pattern, any.0, any.1), (name, None, None)).unwrap();
        rules.iter().filter(|rule| filter.matches(rule)).count()
    };
    assert_eq!(found(1, None), 4);
    assert_eq!(found(1, Some("orders")), 1);
    assert_eq!(found(2, Some("orders")), 3);
    assert_eq!(found(3, Some("orders")), 1);
    assert_eq!(found(4, Some("ord")), 1);
    assert_eq!(found(4, Some("orders")), 0);
    assert!(RuleFilter::from_wire((9, 1, 1, 1), (None, None, None)).is_none());
}

fn client(
    mechanism: Mechanism,
    login: &str,
    password: &str,
    find: Option<Credential>,
) -> Result<Proof, ScramError> {
    // The other side, by RFC 5802, written with the server's own parts.
    let first = format!("n,,n={login},r=abc");
    let (server, answer) =
        ScramLogin::begin(mechanism, first.as_bytes(), |_| find, b"secret", &[7; 18]).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let fields: BTreeMap<&str, &str> = answer.split(',').map(|part| part.split_at(2)).collect();
    let salt = scram::unbase64(fields["s="]).unwrap();
    let proof = scram::client_proof(mechanism, password, &salt, &first[3..], &answer, fields["r="]);
    server.finish(proof.as_bytes())
}

#[test]
fn a_login_needs_the_right_password_of_a_known_user() {
    for mechanism in Mechanism::ALL {
        let stored = Credential::of_password(mechanism, "pencil", b"0123456789abcdef");
        let proof = client(mechanism, "ada", "pencil", Some(stored.clone())).unwrap();
        assert_eq!(proof.user, "ada");
        assert_eq!(client(mechanism, "ada", "pencils", Some(stored.clone())), Err(ScramError::Refused));
        assert_eq!(client(mechanism, "ada", "pencil", None), Err(ScramError::Refused));
        assert!(stored.holds(mechanism, "pencil") && !stored.holds(mechanism, "pencil "));
        assert!(!format!("{stored:?}").contains("salt"));
    }
}

#[test]
fn the_published_exchange_is_answered_as_published() {
    scram::check_rfc_7677();
}

#[test]
fn messages_that_are_none_are_refused() {
    let begin =
        |first: &[u8]| ScramLogin::begin(Mechanism::Sha256, first, |_| None, b"secret", &[7; 18]).map(|_| ());
    let rows: [&[u8]; 8] = [
        b"",
        b"n,,",
        b"n,,n=ada",
        b"n,,n=,r=x",
        b"p=tls,,n=ada,r=x",
        b"n,a=bob,n=ada,r=x",
        b"n,,n=a=b,r=x",
        b"\xff",
    ];
    for row in rows {
        assert_eq!(begin(row), Err(ScramError::Malformed), "{row:?}");
    }
    assert_eq!(begin(b"n,,n=a=2Cb=3D,r=x"), Ok(()));
    assert_eq!(scram_user(b"n,,n=a=2Cb=3D,r=x").as_deref(), Some("a,b="));
    assert_eq!(scram_user(b"n,,n=token,r=x,tokenauth=true"), None);
    assert_eq!(plain_parts(b"\0ada\0pw"), Some(("ada", "pw")));
    assert_eq!(plain_parts(b"bob\0ada\0pw"), None);
    assert_eq!(plain_parts(b"\0ada"), None);
    let token = b"n,,\x01auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.\x01\x01";
    assert_eq!(token_subject(token).as_deref(), Some("ada"));
}

#[test]
fn the_most_particular_quota_holds() {
    let entity = |parts: &[(&str, Option<&str>)]| -> Entity {
        parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect()
    };
    let key = QuotaKind::Produce.key().to_owned();
    let mut quotas = Quotas::new();
    let mut expect = |parts: &[(&str, Option<&str>)], rate: f64| {
        quotas.insert(entity(parts), BTreeMap::from([(key.clone(), rate)]));
        QuotaKind::Produce.of(&quotas, "ada", "app").map(|(_, rate)| rate)
    };
    assert_eq!(expect(&[("client-id", Some("other"))], 1.0), None);
    assert_eq!(expect(&[("client-id", None)], 2.0), Some(2.0));
    assert_eq!(expect(&[("client-id", Some("app"))], 3.0), Some(3.0));
    assert_eq!(expect(&[("user", None)], 4.0), Some(4.0));
    assert_eq!(expect(&[("user", Some("ada"))], 5.0), Some(5.0));
    assert_eq!(expect(&[("user", Some("ada")), ("client-id", None)], 6.0), Some(6.0));
    assert_eq!(expect(&[("user", Some("ada")), ("client-id", Some("app"))], 7.0), Some(7.0));
}

#[test]
fn bytes_and_connections_are_counted_whole_and_nothing_may_be_nothing() {
    let taken = |key: &str, value: f64| quota_refusal(key, value).is_none();
    for key in ["producer_byte_rate", "consumer_byte_rate", "connection_creation_rate"] {
        assert!(taken(key, 1.0) && taken(key, 1_000.000_000_1), "{key}");
        assert!(!taken(key, 0.5) && !taken(key, 10.1), "{key}");
    }
    for key in ["request_percentage", "controller_mutation_rate"] {
        assert!(taken(key, 0.5), "{key}");
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(!taken(key, value), "{key} {value}");
        }
    }
}

//! Until legacy has let a client in, the kernel serves it nothing.

use std::time::Duration;

use bytes::Bytes;
use session::{LegacyNode, Violation};
use translator_kafka::access::{Credential, Mechanism};
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ListOffsetsRequest, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use translator_kafka::coordinator::access::{AccessMessage, Change};
use translator_kafka::errors::ErrorCode;
use translator_kafka::gateway::{GatewayLimits, Role};
use translator_kafka::placement::{ACCESS, CATALOG_SHARD};

use super::bench::{ANYWHERE, AT_LEGACY, World};
use crate::node::Client;

/// Legacy's answers: error and bytes of each.
type Rounds<'a> = &'a [(i16, &'static [u8])];

const SERVER_FIRST: &[u8] = b"r=abc,s=c2FsdA==,i=4096";

fn world() -> World {
    World::with(true, GatewayLimits::default())
}

fn hello(world: &mut World, client: &mut Client, mechanism: &str) {
    let request = SaslHandshakeRequest { mechanism: mechanism.into() };
    world.through(client, 1, &request, &SaslHandshakeResponse::default());
}

fn round(world: &mut World, client: &mut Client, error_code: i16, auth_bytes: &'static [u8]) {
    let answer = SaslAuthenticateResponse {
        error_code,
        auth_bytes: Bytes::from_static(auth_bytes),
        ..Default::default()
    };
    let request = SaslAuthenticateRequest { auth_bytes: Bytes::from_static(b"x"), ..Default::default() };
    world.through(client, 2, &request, &answer);
}

fn is_served(world: &mut World, client: &mut Client) -> bool {
    client.write(1, &ListOffsetsRequest::default());
    assert!(world.sent(client).is_empty());
    let served = client.read::<ListOffsetsRequest>(1).is_some();
    assert_eq!(served, client.ended.is_none());
    if !served {
        assert!(matches!(client.ended, Some(Violation::Protocol(_))), "{:?}", client.ended);
    }
    served
}

#[test]
fn a_client_is_served_once_its_mechanism_says_that_it_has_succeeded() {
    let refused = ErrorCode::SaslAuthenticationFailed.code();
    let table: [(&str, Rounds<'_>, bool); 9] = [
        ("PLAIN", &[], false),
        ("PLAIN", &[(0, b"")], true),
        ("PLAIN", &[(refused, b"")], false),
        ("SCRAM-SHA-256", &[(0, SERVER_FIRST)], false),
        ("SCRAM-SHA-256", &[(0, SERVER_FIRST), (0, b"v=cHJvb2Y=")], true),
        ("SCRAM-SHA-512", &[(0, SERVER_FIRST), (0, b"e=invalid-proof")], false),
        ("OAUTHBEARER", &[(0, b"")], true),
        ("OAUTHBEARER", &[(0, b"{\"status\":\"invalid_token\"}")], false),
        ("GSSAPI", &[(0, b""), (0, b"")], false),
    ];
    for (mechanism, rounds, served) in table {
        let mut world = world();
        let mut client = world.open(Role::Kernel);
        hello(&mut world, &mut client, mechanism);
        for (error, bytes) in rounds {
            round(&mut world, &mut client, *error, bytes);
        }
        assert_eq!(is_served(&mut world, &mut client), served, "{mechanism} {rounds:?}");
    }
}

#[test]
fn a_mechanism_counts_only_once_legacy_has_agreed_to_it() {
    // SCRAM's first round, with a handshake for PLAIN sent before its answer came: that answer is no success.
    let mut world = world();
    let mut client = world.open(Role::Kernel);
    hello(&mut world, &mut client, "SCRAM-SHA-256");
    client.write(2, &SaslAuthenticateRequest::default());
    client.write(1, &SaslHandshakeRequest { mechanism: "PLAIN".into() });
    let sent = world.sent(&mut client);
    let first =
        SaslAuthenticateResponse { auth_bytes: Bytes::from_static(SERVER_FIRST), ..Default::default() };
    world.legacy_answers::<SaslAuthenticateRequest>(&mut client, &sent[0], &first);
    assert!(client.read::<SaslAuthenticateRequest>(2).is_some());
    assert!(!is_served(&mut world, &mut client));

    let mut client = world.open(Role::Kernel);
    let refused = SaslHandshakeResponse {
        error_code: ErrorCode::UnsupportedSaslMechanism.code(),
        ..Default::default()
    };
    world.through(&mut client, 1, &SaslHandshakeRequest { mechanism: "PLAIN".into() }, &refused);
    round(&mut world, &mut client, 0, b"");
    assert!(!is_served(&mut world, &mut client), "legacy did not agree to PLAIN");
}

#[test]
fn nothing_is_taken_or_told_on_legacys_nodes_either() {
    for role in [AT_LEGACY, ANYWHERE, Role::Legacy(LegacyNode::Id(2))] {
        for acks in [0, -1] {
            let mut world = world();
            world.move_part(1);
            let mut client = world.open(role);
            client.write(10, &world.produce(10, acks, &[1], "intruder"));
            assert!(world.sent(&mut client).is_empty());
            assert_eq!(world.kernel_end(1), 0, "the kernel has no other guard than legacy's");
            assert!(client.output.is_empty());
            assert!(matches!(client.ended, Some(Violation::Protocol(_))), "{:?}", client.ended);
        }
    }
}

#[test]
fn a_silent_produce_is_taken_only_from_a_client_whose_mechanism_can_be_judged() {
    for (mechanism, taken) in [("GSSAPI", 0), ("PLAIN", 1)] {
        let mut world = world();
        world.move_part(1);
        let mut client = world.open(AT_LEGACY);
        hello(&mut world, &mut client, mechanism);
        round(&mut world, &mut client, 0, b"");
        client.write(9, &world.produce(9, 0, &[1], "v"));
        assert!(world.sent(&mut client).is_empty());
        world.node.turn(&mut [&mut client]);
        assert_eq!(world.kernel_end(1), taken, "{mechanism}");
        assert_eq!(client.ended, Some(Violation::Closed));
    }
}

#[test]
fn frames_are_small_until_the_client_is_authenticated() {
    let mut world = world();
    let mut client = world.open(AT_LEGACY);
    client.input.extend_from_slice(&(512 * 1024 + 1_i32).to_be_bytes());
    world.node.turn(&mut [&mut client]);
    assert!(matches!(client.ended, Some(Violation::Limit(_))));
    let mut client = world.open(AT_LEGACY);
    hello(&mut world, &mut client, "PLAIN");
    round(&mut world, &mut client, 0, b"");
    client.input.extend_from_slice(&(512 * 1024 + 1_i32).to_be_bytes());
    world.node.turn(&mut [&mut client]);
    assert_eq!(client.ended, None);
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_login_that_never_ends_is_let_go_however_many_rounds_it_has() {
    let mut world = world();
    let mut client = world.open(AT_LEGACY);
    hello(&mut world, &mut client, "SCRAM-SHA-256");
    for _ in 0..10 {
        assert_eq!(client.ended, None);
        round(&mut world, &mut client, 0, SERVER_FIRST);
        world.node.pass(SECOND, &mut [&mut client]);
    }
    assert!(matches!(client.ended, Some(Violation::TimedOut(_))), "{:?}", client.ended);
}

#[test]
fn a_login_that_has_ended_is_held_to_no_deadline() {
    // Whether one by GSSAPI has ended legacy alone can tell; the client goes on as if it had.
    for (mechanism, last) in [("SCRAM-SHA-256", &b"v=cHJvb2Y="[..]), ("GSSAPI", b"")] {
        let mut world = world();
        let mut client = world.open(AT_LEGACY);
        hello(&mut world, &mut client, mechanism);
        round(&mut world, &mut client, 0, SERVER_FIRST);
        round(&mut world, &mut client, 0, last);
        client.write(1, &ListOffsetsRequest::default());
        world.sent(&mut client);
        world.node.pass(SECOND * 20, &mut [&mut client]);
        assert_eq!(client.ended, None, "{mechanism}");
    }
}

#[test]
fn once_legacy_is_retired_clients_are_told_that_they_log_in_here_and_do() {
    let mut world = world();
    let password = Credential::of_password(Mechanism::Sha256, "pencil", b"0123456789abcdef");
    let put = vec![("ada".to_owned(), Mechanism::Sha256, password)];
    let change = Change::Users { put, remove: Vec::new() };
    let message = AccessMessage { realm: "events".to_owned(), change }.to_bytes();
    let request = kernel_model::Request::Coordinate { kind: ACCESS, message };
    world.node.kernel(CATALOG_SHARD, request).unwrap();
    world.shared.routes.retire();
    let logins: [(&'static [u8], bool); 2] = [(b"\0ada\0pencil", true), (b"\0ada\0pencils", false)];
    for (message, let_in) in logins {
        let mut client = world.open(ANYWHERE);
        let hello = ApiVersionsRequest {
            client_software_name: "test".into(),
            client_software_version: "1".into(),
            ..Default::default()
        };
        let offered = world.without_legacy(&mut client, 3, &hello).api_keys;
        let versions = |api: i16| {
            let found = offered.iter().find(|offered| offered.api_key == api);
            found.map(|offered| (offered.min_version, offered.max_version))
        };
        assert_eq!((versions(17), versions(36)), (Some((1, 1)), Some((0, 2))));
        assert!(offered.is_sorted_by_key(|offered| offered.api_key));
        let chosen =
            world.without_legacy(&mut client, 1, &SaslHandshakeRequest { mechanism: "PLAIN".into() });
        assert_eq!(chosen.error_code, 0);
        let login = SaslAuthenticateRequest { auth_bytes: Bytes::from_static(message), ..Default::default() };
        let answer = world.without_legacy(&mut client, 2, &login);
        assert_eq!(answer.error_code == 0, let_in);
        assert_eq!(client.ended.is_none(), let_in);
    }
}

#[test]
fn who_has_logged_in_is_known_after_a_restart_too() {
    let mut world = world();
    let mut client = world.open(AT_LEGACY);
    hello(&mut world, &mut client, "PLAIN");
    let request =
        SaslAuthenticateRequest { auth_bytes: Bytes::from_static(b"\0ada\0pencil"), ..Default::default() };
    world.through(&mut client, 2, &request, &SaslAuthenticateResponse::default());
    world.node.turn(&mut [&mut client]);
    world.node.restart();
    let realm = world.node.settings.access.realm("events");
    let seen: Vec<_> = realm.seen.keys().cloned().collect();
    assert_eq!(seen, [("ada".to_owned(), "PLAIN".to_owned())]);
}

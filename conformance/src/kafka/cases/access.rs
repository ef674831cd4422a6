//! Who may do what: rules of access, users, quotas, and signing in. On a listener without SASL signing in is refused; whether rules are
//! kept depends on the endpoint's settings.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, ApiKey, CreateAclsRequest, DeleteAclsRequest,
    DescribeAclsRequest, DescribeClientQuotasRequest, DescribeUserScramCredentialsRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest,
};

use super::super::case::{Build, Case, Expect, case};
use super::super::endpoint::text;
use super::super::scene::{Given, Scene};
use super::super::wire::Ask;

const TOPIC: i8 = 2;
const ANY: i8 = 1;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const ALLOW: i8 = 3;

pub(super) const CASES: &[Case] = &[
    case(
        ApiKey::SaslHandshake,
        (0, 1),
        "on a listener without SASL",
        Given::Nothing,
        Expect::Optional(Error::IllegalSaslState),
        |_, _| Box::new(SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))),
    ),
    case(
        ApiKey::SaslAuthenticate,
        (0, 2),
        "without a handshake",
        Given::Nothing,
        Expect::Error(Error::IllegalSaslState),
        |_, _| Box::new(SaslAuthenticateRequest::default().with_auth_bytes("\0user\0secret".into())),
    ),
    case(
        ApiKey::DescribeAcls,
        (1, 3),
        "of a topic",
        Given::Nothing,
        Expect::Optional(Error::SecurityDisabled),
        |scene, _| Box::new(describe(scene)),
    ),
    case(ApiKey::DescribeAcls, (1, 3), "of an unknown kind", Given::Nothing, Expect::Compared, |scene, _| {
        Box::new(describe(scene).with_resource_type_filter(0))
    }),
    case(
        ApiKey::CreateAcls,
        (1, 3),
        "that lets a user read a topic",
        Given::Nothing,
        Expect::Optional(Error::SecurityDisabled),
        |scene, _| create(scene, "User:conformance"),
    ),
    case(ApiKey::CreateAcls, (1, 3), "for nobody", Given::Nothing, Expect::Compared, |scene, _| {
        create(scene, "")
    }),
    case(
        ApiKey::DeleteAcls,
        (1, 3),
        "of a topic that has none",
        Given::Nothing,
        Expect::Optional(Error::SecurityDisabled),
        |scene, _| delete(scene),
    ),
    quotas(ApiKey::DescribeClientQuotas, "of a client that has none", Expect::Success, |_, _| {
        Box::new(described(&[("client-id", "nobody")]))
    }),
    quotas(ApiKey::DescribeClientQuotas, "of everybody", Expect::Success, |_, _| Box::new(described(&[]))),
    quotas(
        ApiKey::DescribeClientQuotas,
        "of the same kind twice",
        Expect::Error(Error::InvalidRequest),
        |_, _| Box::new(described(&[("user", "a"), ("user", "b")])),
    ),
    quotas(
        ApiKey::DescribeClientQuotas,
        "of an unknown kind",
        Expect::Error(Error::UnsupportedVersion),
        |_, _| Box::new(described(&[("galaxy", "a")])),
    ),
    quotas(
        ApiKey::DescribeClientQuotas,
        "of an address and a user",
        Expect::Error(Error::InvalidRequest),
        |_, _| Box::new(described(&[("ip", "127.0.0.1"), ("user", "b")])),
    ),
    quotas(ApiKey::AlterClientQuotas, "only to see whether it could be", Expect::Success, |_, _| {
        altered(&[("user", "nobody")], "producer_byte_rate", 1000.0)
    }),
    quotas(ApiKey::AlterClientQuotas, "of a share of time", Expect::Success, |_, _| {
        altered(&[("user", "nobody"), ("client-id", "c")], "request_percentage", 12.5)
    }),
    quotas(ApiKey::AlterClientQuotas, "an unknown key", Expect::Error(Error::InvalidRequest), |_, _| {
        altered(&[("user", "nobody")], "no.such.key", 1.0)
    }),
    quotas(
        ApiKey::AlterClientQuotas,
        "a rate below nothing",
        Expect::Error(Error::InvalidRequest),
        |_, _| altered(&[("user", "nobody")], "producer_byte_rate", -1.0),
    ),
    quotas(ApiKey::AlterClientQuotas, "part of a byte", Expect::Compared, |_, _| {
        altered(&[("user", "nobody")], "producer_byte_rate", 0.5)
    }),
    quotas(ApiKey::AlterClientQuotas, "of nobody", Expect::Error(Error::InvalidRequest), |_, _| {
        altered(&[], "producer_byte_rate", 1.0)
    }),
    quotas(
        ApiKey::AlterClientQuotas,
        "of an address and a user",
        Expect::Error(Error::InvalidRequest),
        |_, _| altered(&[("ip", "127.0.0.1"), ("user", "b")], "producer_byte_rate", 1.0),
    ),
    users(ApiKey::DescribeUserScramCredentials, "of everybody", Expect::Success, |_, _| {
        Box::new(DescribeUserScramCredentialsRequest::default().with_users(None))
    }),
    users(
        ApiKey::DescribeUserScramCredentials,
        "of a user who is not there",
        Expect::Error(Error::ResourceNotFound),
        |_, _| users_described(&["nobody"]),
    ),
    users(
        ApiKey::DescribeUserScramCredentials,
        "of a user twice",
        Expect::Error(Error::DuplicateResource),
        |_, _| users_described(&["nobody", "nobody"]),
    ),
    users(ApiKey::AlterUserScramCredentials, "of nobody", Expect::Success, |_, _| {
        Box::new(AlterUserScramCredentialsRequest::default())
    }),
    users(
        ApiKey::AlterUserScramCredentials,
        "with too few rounds",
        Expect::Error(Error::UnacceptableCredential),
        |_, _| user_set("nobody", 1, 10),
    ),
    users(
        ApiKey::AlterUserScramCredentials,
        "with too many rounds",
        Expect::Error(Error::UnacceptableCredential),
        |_, _| user_set("nobody", 1, 1_000_000),
    ),
    users(
        ApiKey::AlterUserScramCredentials,
        "without a name",
        Expect::Error(Error::UnacceptableCredential),
        |_, _| user_set("", 1, 4096),
    ),
    users(
        ApiKey::AlterUserScramCredentials,
        "by an unknown mechanism",
        Expect::Error(Error::UnsupportedSaslMechanism),
        |_, _| user_set("nobody", 9, 4096),
    ),
    users(
        ApiKey::AlterUserScramCredentials,
        "that takes away what is not there",
        Expect::Error(Error::ResourceNotFound),
        |_, _| {
            let gone = ScramCredentialDeletion::default().with_name(text("nobody")).with_mechanism(1);
            Box::new(AlterUserScramCredentialsRequest::default().with_deletions(vec![gone]))
        },
    ),
];

const fn quotas(api: ApiKey, name: &'static str, expect: Expect, build: Build) -> Case {
    case(api, (0, 1), name, Given::Nothing, expect, build)
}

const fn users(api: ApiKey, name: &'static str, expect: Expect, build: Build) -> Case {
    case(api, (0, 0), name, Given::Nothing, expect, build)
}

fn described(parts: &[(&str, &str)]) -> DescribeClientQuotasRequest {
    let part = |(kind, name): &(&str, &str)| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(0).with_match(Some(text(name)))
    };
    DescribeClientQuotasRequest::default().with_components(parts.iter().map(part).collect())
}

/// Asked, not set: a cluster is left as it was.
fn altered(parts: &[(&str, &str)], key: &str, rate: f64) -> Box<dyn Ask> {
    let part = |(kind, name): &(&str, &str)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(Some(text(name)))
    };
    let op = OpData::default().with_key(text(key)).with_value(rate);
    let entry = EntryData::default().with_entity(parts.iter().map(part).collect()).with_ops(vec![op]);
    Box::new(AlterClientQuotasRequest::default().with_entries(vec![entry]).with_validate_only(true))
}

fn users_described(names: &[&str]) -> Box<dyn Ask> {
    let users = names.iter().map(|name| UserName::default().with_name(text(name))).collect();
    Box::new(DescribeUserScramCredentialsRequest::default().with_users(Some(users)))
}

fn user_set(name: &str, mechanism: i8, iterations: i32) -> Box<dyn Ask> {
    let user = ScramCredentialUpsertion::default()
        .with_name(text(name))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(vec![7; 16].into())
        .with_salted_password(vec![9; 32].into());
    Box::new(AlterUserScramCredentialsRequest::default().with_upsertions(vec![user]))
}

fn describe(scene: &Scene) -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(TOPIC)
        .with_resource_name_filter(Some(text(&scene.topic)))
        .with_pattern_type_filter(LITERAL)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY)
}

fn create(scene: &Scene, principal: &str) -> Box<dyn Ask> {
    let rule = AclCreation::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(&scene.topic))
        .with_resource_pattern_type(LITERAL)
        .with_principal(text(principal))
        .with_host(text("*"))
        .with_operation(READ)
        .with_permission_type(ALLOW);
    Box::new(CreateAclsRequest::default().with_creations(vec![rule]))
}

fn delete(scene: &Scene) -> Box<dyn Ask> {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(TOPIC)
        .with_resource_name_filter(Some(text(&scene.topic)))
        .with_pattern_type_filter(LITERAL)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    Box::new(DeleteAclsRequest::default().with_filters(vec![filter]))
}

//! Who may do what: rules of access, and signing in. On a listener without SASL signing in is refused; whether rules are
//! kept depends on the endpoint's settings.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    ApiKey, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};

use super::super::case::{Case, Expect, case};
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
];

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

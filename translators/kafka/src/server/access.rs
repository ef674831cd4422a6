//! Rules, users and quotas, as administrators read and change them (KIP-4, KIP-290, KIP-546, KIP-554).
//!
//! Reading answers from the snapshot. A change is handed to the access coordinator; while another cluster decides
//! what is in the realm, every change is refused as by a node that is not the controller: clients ask again.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::{KernelError, Reply, Request};

use super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use crate::access::{
    CLUSTER, Credential, Entity, ITERATIONS_MAX, ITERATIONS_MIN, Mechanism, Realm, ResourceKind, Rule,
    RuleFilter, is_quota_key, quota_refusal,
};
use crate::codec::Str;
use crate::codec::messages::alter_client_quotas_response as altered_quotas;
use crate::codec::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use crate::codec::messages::create_acls_request::AclCreation;
use crate::codec::messages::create_acls_response::AclCreationResult;
use crate::codec::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use crate::codec::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use crate::codec::messages::describe_client_quotas_request::ComponentData;
use crate::codec::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use crate::codec::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use crate::codec::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest,
    DeleteAclsResponse, DescribeAclsRequest, DescribeAclsResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use crate::coordinator::access::{AccessMessage, AccessReply, Change};
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{ACCESS, CATALOG_SHARD};

/// Why something is not done.
type Refusal = (ErrorCode, String);
/// Builds the answer once it is known whether the change was taken.
type Answer = Box<dyn FnOnce(&Head, Option<Refusal>) -> Finished + Send>;

struct Changing {
    head: Head,
    answer: Option<Answer>,
}

impl Operation for Changing {
    fn answered(&mut self, _cx: &mut Cx<'_>, _slot: usize, answer: Result<Reply, KernelError>) -> Step {
        let refusal = match answer {
            Ok(Reply::Coordinated(body)) => match AccessReply::from_bytes(&body) {
                Some(AccessReply::Done) => None,
                Some(AccessReply::Refused(why)) => Some((ErrorCode::InvalidRequest, why)),
                Some(AccessReply::Failed(why)) => Some((ErrorCode::KafkaStorageError, why)),
                None => Some((ErrorCode::UnknownServerError, String::new())),
            },
            Ok(_) => Some((ErrorCode::UnknownServerError, String::new())),
            Err(error) => Some((coordinator_error(&error), error.to_string())),
        };
        match self.answer.take() {
            Some(answer) => Step::Done(answer(&self.head, refusal)),
            None => Step::Wait,
        }
    }
}

/// Hands a change to the coordinator, unless the realm follows another cluster.
fn change(cx: &mut Cx<'_>, head: Head, change: Change, answer: Answer) -> Begin {
    if cx.guard.realm.follows {
        let why = "Another cluster decides this until it is retired.".to_owned();
        return Begin::Done(answer(&head, Some((ErrorCode::NotController, why))));
    }
    let message = AccessMessage { realm: cx.realm.to_string(), change }.to_bytes();
    cx.ask(0, CATALOG_SHARD, Request::Coordinate { kind: ACCESS, message });
    Begin::Run(Box::new(Changing { head, answer: Some(answer) }))
}

fn told((code, why): &Refusal) -> (i16, Option<Str>) {
    (code.code(), (!why.is_empty()).then(|| Str::from(why.as_str())))
}

fn disabled() -> Refusal {
    (ErrorCode::SecurityDisabled, "No Authorizer is configured.".to_owned())
}

fn invalid(why: &str) -> Refusal {
    (ErrorCode::InvalidRequest, why.to_owned())
}

/// Answers DescribeAcls.
pub(super) fn describe_acls(cx: &mut Cx<'_>, head: Head, request: DescribeAclsRequest) -> Begin {
    let filter = RuleFilter::from_wire(
        (
            request.resource_type_filter,
            request.pattern_type_filter,
            request.operation,
            request.permission_type,
        ),
        (
            request.resource_name_filter.as_deref(),
            request.principal_filter.as_deref(),
            request.host_filter.as_deref(),
        ),
    );
    let Some(filter) = filter else {
        return Begin::Done(Finished::Close("a filter of rules has a code that means nothing"));
    };
    if !cx.guard.realm.is_guarded() {
        let (error_code, error_message) = told(&disabled());
        return Begin::Done(head.respond(&DescribeAclsResponse {
            error_code,
            error_message,
            ..Default::default()
        }));
    }
    let mut found: BTreeMap<(i8, &str, i8), Vec<AclDescription>> = BTreeMap::new();
    let realm = &cx.guard.realm;
    for rule in realm.rules.all().iter().filter(|rule| filter.matches(rule)) {
        let resource = (rule.kind.code(), rule.name.as_str(), rule.pattern.code());
        found.entry(resource).or_default().push(AclDescription {
            principal: rule.principal.as_str().into(),
            host: rule.host.as_str().into(),
            operation: rule.operation.code(),
            permission_type: rule.permission.code(),
            ..Default::default()
        });
    }
    let resources =
        found.into_iter().map(|((resource_type, name, pattern_type), acls)| DescribeAclsResource {
            resource_type,
            resource_name: name.into(),
            pattern_type,
            acls,
            ..Default::default()
        });
    let resources = resources.collect();
    Begin::Done(head.respond(&DescribeAclsResponse { resources, error_message: None, ..Default::default() }))
}

/// The rule that a client wants to create.
fn created(creation: &AclCreation) -> Result<Rule, Refusal> {
    let bad = || invalid("The rule has a code that means nothing.");
    let rule = Rule::of_creation(creation).ok_or_else(bad)?;
    if rule.kind == ResourceKind::Cluster && rule.name != CLUSTER {
        return Err(invalid(&format!("The only valid name for the CLUSTER resource is {CLUSTER}.")));
    }
    if rule.name.is_empty() {
        return Err(invalid("Resource name should not be empty."));
    }
    if !rule.principal.split_once(':').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty()) {
        return Err(invalid("Could not parse principal."));
    }
    Ok(rule)
}

/// Begins CreateAcls.
pub(super) fn create_acls(cx: &mut Cx<'_>, head: Head, request: CreateAclsRequest) -> Begin {
    let guarded = cx.guard.realm.is_guarded();
    let wanted: Vec<Result<Rule, Refusal>> = request
        .creations
        .iter()
        .map(|creation| if guarded { created(creation) } else { Err(disabled()) })
        .collect();
    let add: Vec<Rule> = wanted.iter().flatten().cloned().collect();
    let answer = move |head: &Head, refusal: Option<Refusal>| {
        let results = wanted.iter().map(|each| {
            let refusal = each.as_ref().err().or(refusal.as_ref());
            let (error_code, error_message) = refusal.map_or((0, None), told);
            AclCreationResult { error_code, error_message, ..Default::default() }
        });
        head.respond(&CreateAclsResponse { results: results.collect(), ..Default::default() })
    };
    if add.is_empty() {
        return Begin::Done(answer(&head, None));
    }
    change(cx, head, Change::Rules { add, remove: Vec::new() }, Box::new(answer))
}

/// Begins DeleteAcls.
pub(super) fn delete_acls(cx: &mut Cx<'_>, head: Head, request: DeleteAclsRequest) -> Begin {
    let realm = cx.guard.realm.clone();
    let found: Vec<Result<Vec<Rule>, Refusal>> = request
        .filters
        .iter()
        .map(|each| {
            if !realm.is_guarded() {
                return Err(disabled());
            }
            let filter = RuleFilter::from_wire(
                (each.resource_type_filter, each.pattern_type_filter, each.operation, each.permission_type),
                (
                    each.resource_name_filter.as_deref(),
                    each.principal_filter.as_deref(),
                    each.host_filter.as_deref(),
                ),
            );
            let filter = filter.ok_or_else(|| invalid("The filter has a code that means nothing."))?;
            Ok(realm.rules.all().iter().filter(|rule| filter.matches(rule)).cloned().collect())
        })
        .collect();
    let remove: BTreeSet<Rule> = found.iter().flatten().flatten().cloned().collect();
    let answer = move |head: &Head, refusal: Option<Refusal>| {
        let results = found.iter().map(|each| {
            let failed = each.as_ref().err().or(refusal.as_ref());
            let (error_code, error_message) = failed.map_or((0, None), told);
            let removed = each.iter().flatten().filter(|_| refusal.is_none());
            let matching_acls = removed.map(matching).collect();
            DeleteAclsFilterResult { error_code, error_message, matching_acls, ..Default::default() }
        });
        head.respond(&DeleteAclsResponse { filter_results: results.collect(), ..Default::default() })
    };
    if remove.is_empty() {
        return Begin::Done(answer(&head, None));
    }
    let remove = remove.into_iter().collect();
    change(cx, head, Change::Rules { add: Vec::new(), remove }, Box::new(answer))
}

fn matching(rule: &Rule) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl {
        error_message: None,
        resource_type: rule.kind.code(),
        resource_name: rule.name.as_str().into(),
        pattern_type: rule.pattern.code(),
        principal: rule.principal.as_str().into(),
        host: rule.host.as_str().into(),
        operation: rule.operation.code(),
        permission_type: rule.permission.code(),
        ..Default::default()
    }
}

/// Answers DescribeUserScramCredentials: mechanisms and rounds, nothing that a password could be found with.
pub(super) fn describe_users(
    cx: &mut Cx<'_>,
    head: Head,
    request: DescribeUserScramCredentialsRequest,
) -> Begin {
    let realm: &Realm = &cx.guard.realm;
    let named: Vec<&str> = request.users.iter().flatten().map(|user| user.name.as_str()).collect();
    let wanted: BTreeSet<&str> = if named.is_empty() {
        realm.users.keys().map(String::as_str).collect()
    } else {
        named.iter().copied().collect()
    };
    let describe = |user: &str| {
        let mut result = DescribeUserScramCredentialsResult {
            user: user.into(),
            error_message: None,
            ..Default::default()
        };
        let refusal = match realm.users.get(user) {
            _ if named.iter().filter(|name| **name == user).count() > 1 => Some((
                ErrorCode::DuplicateResource,
                format!(
                    "Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
                ),
            )),
            None => Some((
                ErrorCode::ResourceNotFound,
                format!("Attempt to describe a user credential that does not exist: {user}"),
            )),
            Some(credentials) => {
                let info = |(mechanism, credential): (&Mechanism, &Credential)| CredentialInfo {
                    mechanism: mechanism.code(),
                    iterations: i32::try_from(credential.iterations).unwrap_or(i32::MAX),
                    ..Default::default()
                };
                result.credential_infos = credentials.iter().map(info).collect();
                None
            }
        };
        if let Some(refusal) = refusal {
            (result.error_code, result.error_message) = told(&refusal);
        }
        result
    };
    let results = wanted.into_iter().map(describe).collect();
    let answer = DescribeUserScramCredentialsResponse { results, error_message: None, ..Default::default() };
    Begin::Done(head.respond(&answer))
}

/// Begins AlterUserScramCredentials: of each user either all is changed or nothing.
pub(super) fn alter_users(cx: &mut Cx<'_>, head: Head, request: AlterUserScramCredentialsRequest) -> Begin {
    let realm = cx.guard.realm.clone();
    let mut users: BTreeMap<String, Option<Refusal>> = BTreeMap::new();
    let mut seen: BTreeSet<(String, i8)> = BTreeSet::new();
    let (mut put, mut remove) = (Vec::new(), Vec::new());
    let mut note = |user: &str, mechanism: i8, refusal: Option<Refusal>| {
        let twice = !seen.insert((user.to_owned(), mechanism));
        let twice = twice.then(|| {
            let why = "A user credential cannot be altered twice in the same request";
            (ErrorCode::DuplicateResource, why.to_owned())
        });
        let known = users.entry(user.to_owned()).or_default();
        *known = known.take().or(twice).or(refusal);
    };
    for deletion in &request.deletions {
        let user = deletion.name.as_str();
        let mechanism = mechanism_of(user, deletion.mechanism);
        let stored =
            |mechanism: &Mechanism| realm.users.get(user).is_some_and(|all| all.contains_key(mechanism));
        let mechanism = mechanism.and_then(|mechanism| match stored(&mechanism) {
            true => Ok(mechanism),
            false => Err((
                ErrorCode::ResourceNotFound,
                "Attempt to delete a user credential that does not exist".to_owned(),
            )),
        });
        note(user, deletion.mechanism, mechanism.as_ref().err().cloned());
        remove.extend(mechanism.ok().map(|mechanism| (user.to_owned(), mechanism)));
    }
    for each in &request.upsertions {
        let user = each.name.as_str();
        let mechanism = mechanism_of(user, each.mechanism).and_then(|mechanism| {
            let iterations = rounds(each.iterations)?;
            let credential = Credential::of_salted(mechanism, &each.salted_password, &each.salt, iterations);
            Ok((user.to_owned(), mechanism, credential))
        });
        note(user, each.mechanism, mechanism.as_ref().err().cloned());
        put.extend(mechanism.ok());
    }
    let good = |user: &String| users.get(user).is_some_and(Option::is_none);
    put.retain(|(user, ..)| good(user));
    remove.retain(|(user, _)| good(user));
    let answer = move |head: &Head, refusal: Option<Refusal>| {
        let results = users.iter().map(|(user, known)| {
            let refusal = known.as_ref().or(refusal.as_ref());
            let (error_code, error_message) = refusal.map_or((0, None), told);
            let user = user.as_str().into();
            AlterUserScramCredentialsResult { user, error_code, error_message, ..Default::default() }
        });
        head.respond(&AlterUserScramCredentialsResponse { results: results.collect(), ..Default::default() })
    };
    if put.is_empty() && remove.is_empty() {
        return Begin::Done(answer(&head, None));
    }
    change(cx, head, Change::Users { put, remove }, Box::new(answer))
}

fn mechanism_of(user: &str, code: i8) -> Result<Mechanism, Refusal> {
    if user.is_empty() {
        return Err((ErrorCode::UnacceptableCredential, "Username must not be empty".to_owned()));
    }
    let unknown = || (ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism".to_owned());
    Mechanism::from_code(code).ok_or_else(unknown)
}

fn rounds(iterations: i32) -> Result<u32, Refusal> {
    let bad = |why: &str| (ErrorCode::UnacceptableCredential, why.to_owned());
    let iterations = u32::try_from(iterations).unwrap_or(0);
    if iterations < ITERATIONS_MIN {
        return Err(bad("Too few iterations"));
    }
    if iterations > ITERATIONS_MAX { Err(bad("Too many iterations")) } else { Ok(iterations) }
}

const ENTITY_KINDS: [&str; 3] = ["client-id", "ip", "user"];

/// Answers DescribeClientQuotas.
pub(super) fn describe_quotas(cx: &mut Cx<'_>, head: Head, request: DescribeClientQuotasRequest) -> Begin {
    let refused = component_refusal(&request.components);
    if let Some(refusal) = refused {
        let (error_code, error_message) = told(&refusal);
        let refused =
            DescribeClientQuotasResponse { error_code, error_message, entries: None, ..Default::default() };
        return Begin::Done(head.respond(&refused));
    }
    let matches = |entity: &Entity| {
        let strict = !request.strict || entity.len() == request.components.len();
        strict && request.components.iter().all(|component| component_matches(component, entity))
    };
    let found = cx.guard.realm.quotas.iter().filter(|(entity, _)| matches(entity));
    let entries = found.map(|(entity, values)| EntryData {
        entity: entity
            .iter()
            .map(|(kind, name)| EntityData {
                entity_type: kind.as_str().into(),
                entity_name: name.as_deref().map(Str::from),
                ..Default::default()
            })
            .collect(),
        values: values
            .iter()
            .map(|(key, value)| ValueData { key: key.as_str().into(), value: *value, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    let entries = Some(entries.collect());
    Begin::Done(head.respond(&DescribeClientQuotasResponse {
        entries,
        error_message: None,
        ..Default::default()
    }))
}

fn component_refusal(components: &[ComponentData]) -> Option<Refusal> {
    let mut seen = BTreeSet::new();
    for component in components {
        let kind = component.entity_type.as_str();
        if kind.is_empty() {
            return Some(invalid("Unexpected empty filter component entity type"));
        }
        if !ENTITY_KINDS.contains(&kind) {
            let why = format!("Custom entity type '{kind}' not supported");
            return Some((ErrorCode::UnsupportedVersion, why));
        }
        if !seen.insert(kind) {
            return Some(invalid(&format!("Entity type {kind} cannot appear more than once in the filter")));
        }
    }
    let mixed = seen.contains("ip") && seen.len() > 1;
    mixed.then(|| invalid("Invalid entity filter component combination, IP filter component should not be used with user or clientId filter component."))
}

fn component_matches(component: &ComponentData, entity: &Entity) -> bool {
    const EXACT: i8 = 0;
    const DEFAULT: i8 = 1;
    match (entity.get(component.entity_type.as_str()), component.match_type) {
        (None, _) => false,
        (Some(name), EXACT) => name.is_some() && name.as_deref() == component.match_.as_deref(),
        (Some(name), DEFAULT) => name.is_none(),
        (Some(_), _) => true,
    }
}

/// Begins AlterClientQuotas: of each entity either all is changed or nothing.
pub(super) fn alter_quotas(cx: &mut Cx<'_>, head: Head, request: AlterClientQuotasRequest) -> Begin {
    type Set = Vec<(Entity, String, Option<f64>)>;
    let read: Vec<Result<Set, Refusal>> = request
        .entries
        .iter()
        .map(|entry| {
            let mut entity = Entity::new();
            for part in &entry.entity {
                let kind = part.entity_type.as_str();
                if !ENTITY_KINDS.contains(&kind) {
                    return Err(invalid(&format!("Unhandled client quota entity type: {kind}")));
                }
                let name = part.entity_name.as_ref().map(|name| name.as_str().to_owned());
                if name.as_deref() == Some("") || entity.insert(kind.to_owned(), name).is_some() {
                    return Err(invalid("Invalid client quota entity"));
                }
            }
            if entity.is_empty() || entity.contains_key("ip") && entity.len() > 1 {
                return Err(invalid("Invalid client quota entity"));
            }
            let set = entry.ops.iter().map(|op| {
                let key = op.key.as_str();
                if !is_quota_key(&entity, key) {
                    return Err(invalid(&format!("Invalid configuration key {key}")));
                }
                if let Some(why) = quota_refusal(key, op.value).filter(|_| !op.remove) {
                    return Err(invalid(&format!("Quota {key} {why}")));
                }
                Ok((entity.clone(), key.to_owned(), (!op.remove).then_some(op.value)))
            });
            set.collect()
        })
        .collect();
    let set: Set = read.iter().flatten().flatten().cloned().collect();
    let outcomes: Vec<Option<Refusal>> = read.into_iter().map(Result::err).collect();
    let entities: Vec<Vec<altered_quotas::EntityData>> = request
        .entries
        .iter()
        .map(|entry| {
            let part = |part: &crate::codec::messages::alter_client_quotas_request::EntityData| {
                altered_quotas::EntityData {
                    entity_type: part.entity_type.detached(),
                    entity_name: part.entity_name.as_ref().map(Str::detached),
                    ..Default::default()
                }
            };
            entry.entity.iter().map(part).collect()
        })
        .collect();
    let answer = move |head: &Head, refusal: Option<Refusal>| {
        let entries = entities.iter().zip(&outcomes).map(|(entity, known)| {
            let refusal = known.as_ref().or(refusal.as_ref());
            let (error_code, error_message) = refusal.map_or((0, None), told);
            altered_quotas::EntryData {
                error_code,
                error_message,
                entity: entity.clone(),
                ..Default::default()
            }
        });
        head.respond(&AlterClientQuotasResponse { entries: entries.collect(), ..Default::default() })
    };
    if set.is_empty() || request.validate_only {
        return Begin::Done(answer(&head, None));
    }
    change(cx, head, Change::Quotas(set), Box::new(answer))
}

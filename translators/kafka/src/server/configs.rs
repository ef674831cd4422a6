//! Configuration as clients read it.

use std::collections::BTreeMap;

use super::operation::{Begin, Cx, Head};
use crate::catalog::Topic;
use crate::codec::Str;
use crate::codec::messages::describe_configs_request::DescribeConfigsResource;
use crate::codec::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::codec::messages::list_config_resources_response::ConfigResource;
use crate::codec::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::coordinator::catalog::check_name;
use crate::errors::ErrorCode;
use crate::topic_config::{self, ConfigKey, KEYS};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// What a broker's configuration shows: the little that tools look for. None of it can be changed here.
fn broker_configs(cx: &Cx<'_>) -> BTreeMap<&'static str, String> {
    let bool_text = |value: bool| value.to_string();
    BTreeMap::from([
        ("auto.create.topics.enable", bool_text(cx.settings.auto_create_topics)),
        ("broker.id", cx.cluster.own.to_string()),
        ("default.replication.factor", "1".to_owned()),
        ("delete.topic.enable", bool_text(true)),
        (
            "message.max.bytes",
            topic_config::find("max.message.bytes").map_or("", |key| key.default).to_owned(),
        ),
        ("min.insync.replicas", "1".to_owned()),
        ("node.id", cx.cluster.own.to_string()),
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("socket.request.max.bytes", cx.settings.limits.frame_bytes_max.to_string()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
    ])
}

/// Answers DescribeConfigs.
pub(super) fn describe(cx: &mut Cx<'_>, head: Head, request: DescribeConfigsRequest) -> Begin {
    let results = request.resources.iter().map(|resource| {
        let mut result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..Default::default()
        };
        match configs_of(cx, resource, &request) {
            Ok(configs) => result.configs = configs,
            Err((code, message)) => {
                result.error_code = code.code();
                result.error_message = Some(message.into());
            }
        }
        result
    });
    let response = DescribeConfigsResponse { results: results.collect(), ..Default::default() };
    Begin::Done(head.respond(&response))
}

fn configs_of(
    cx: &Cx<'_>,
    resource: &DescribeConfigsResource,
    request: &DescribeConfigsRequest,
) -> Result<Vec<DescribeConfigsResourceResult>, (ErrorCode, String)> {
    let wanted = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    let is_wanted = |name: &str| wanted.is_none_or(|keys| keys.iter().any(|key| **key == *name));
    let name = &resource.resource_name;
    match resource.resource_type {
        TOPIC => {
            check_name(name).map_err(|fault| (ErrorCode::InvalidTopic, fault))?;
            let catalog = cx.catalog();
            let topic = catalog.topic(name).ok_or_else(|| {
                (ErrorCode::UnknownTopicOrPartition, format!("Topic '{name}' does not exist."))
            })?;
            let keys = KEYS.iter().filter(|key| is_wanted(key.name));
            Ok(keys.map(|key| topic_entry(topic, key, request)).collect())
        }
        BROKER if name.is_empty() => Ok(Vec::new()),
        BROKER if name.parse() == Ok(cx.cluster.own) => {
            let all = broker_configs(cx);
            Ok(all.into_iter().filter(|(name, _)| is_wanted(name)).map(broker_entry).collect())
        }
        BROKER => Err((ErrorCode::InvalidRequest, format!("This is broker {}.", cx.cluster.own))),
        BROKER_LOGGER | CLIENT_METRICS | GROUP => Ok(Vec::new()),
        other => Err((ErrorCode::InvalidRequest, format!("Unknown resource type {other}."))),
    }
}

fn topic_entry(
    topic: &Topic,
    key: &ConfigKey,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResourceResult {
    let set = topic.configs.get(key.name);
    let value = set.map_or(Str::from_static(key.default), |value| value.as_str().into());
    let synonym = |source: i8, name: &'static str, value: Str| DescribeConfigsSynonym {
        name: Str::from_static(name),
        value: Some(value),
        source,
        ..Default::default()
    };
    let mut synonyms = Vec::new();
    if request.include_synonyms {
        synonyms.extend(set.map(|value| synonym(SOURCE_TOPIC, key.name, value.as_str().into())));
        let behind = key.broker_name();
        synonyms.extend(behind.map(|name| synonym(SOURCE_DEFAULT, name, Str::from_static(key.default))));
    }
    let kept = "Kept as it is set; the kernel does not act on it.";
    DescribeConfigsResourceResult {
        name: Str::from_static(key.name),
        value: Some(value),
        config_source: if set.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT },
        synonyms,
        config_type: key.kind.wire(),
        documentation: (request.include_documentation && !key.enforced).then(|| Str::from_static(kept)),
        ..Default::default()
    }
}

fn broker_entry((name, value): (&'static str, String)) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: Str::from_static(name),
        value: Some(value.into()),
        read_only: true,
        config_source: SOURCE_STATIC_BROKER,
        documentation: None,
        ..Default::default()
    }
}

/// Answers ListConfigResources: topics and this broker have configuration, nothing else has.
pub(super) fn list(cx: &mut Cx<'_>, head: Head, request: ListConfigResourcesRequest) -> Begin {
    let mut response = ListConfigResourcesResponse::default();
    let known = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
    // Version 0 lists client metrics alone.
    let wanted = match request.resource_types.as_slice() {
        _ if head.version == 0 => vec![CLIENT_METRICS],
        [] => known.to_vec(),
        some => some.to_vec(),
    };
    if wanted.iter().any(|kind| !known.contains(kind)) {
        response.error_code = ErrorCode::UnsupportedVersion.code();
        return Begin::Done(head.respond(&response));
    }
    let resource = |kind: i8, name: Str| ConfigResource {
        resource_name: name,
        resource_type: kind,
        ..Default::default()
    };
    if wanted.contains(&TOPIC) {
        let catalog = cx.catalog();
        response.config_resources.extend(catalog.topics().map(|t| resource(TOPIC, Str::from(&*t.name))));
    }
    for kind in [BROKER, BROKER_LOGGER] {
        if wanted.contains(&kind) {
            response.config_resources.push(resource(kind, cx.cluster.own.to_string().into()));
        }
    }
    Begin::Done(head.respond(&response))
}

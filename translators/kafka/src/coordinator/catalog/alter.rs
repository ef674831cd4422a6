//! Deletion and configuration of topics.

use std::collections::{BTreeMap, BTreeSet};

use super::create::{Refusal, check_configs, check_name, own};
use super::draft::Draft;
use super::{Answer, body, commit_error};
use crate::catalog::Topic;
use crate::codec::messages::alter_configs_response::AlterConfigsResourceResponse as Replaced;
use crate::codec::messages::delete_topics_request::DeleteTopicState;
use crate::codec::messages::delete_topics_response::DeletableTopicResult;
use crate::codec::messages::incremental_alter_configs_request::AlterableConfig;
use crate::codec::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Altered;
use crate::codec::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use crate::codec::{Message, Str};
use crate::errors::ErrorCode;
use crate::topic_config::{self, Kind, Settings, words_of};

/// Number of the resource type "topic".
pub(crate) const RESOURCE_TOPIC: i8 = 2;

/// DeleteTopics.
pub(super) fn delete_topics(draft: &mut Draft<'_>, request: &DeleteTopicsRequest, version: i16) -> Answer {
    let named = request
        .topic_names
        .iter()
        .map(|name| DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() });
    let wanted: Vec<DeleteTopicState> = request.topics.iter().cloned().chain(named).collect();
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for state in &wanted {
        let named = (state.name.as_deref(), state.topic_id);
        if !seen.insert(named) {
            repeated.insert(named);
        }
    }
    let mut results = Vec::new();
    for state in &wanted {
        let named = (state.name.as_deref(), state.topic_id);
        // What is named twice is refused, once.
        if seen.remove(&named) {
            results.push(delete_one(draft, state, !repeated.contains(&named)));
        }
    }
    Box::new(move |outcome| {
        if let Err(error) = outcome {
            for result in results.iter_mut().filter(|result| result.error_code == 0) {
                result.error_code = commit_error(error).code();
            }
        }
        body(DeleteTopicsResponse { responses: results, ..Default::default() }.to_bytes(version))
    })
}

fn delete_one(draft: &mut Draft<'_>, state: &DeleteTopicState, fresh: bool) -> DeletableTopicResult {
    let mut result = DeletableTopicResult {
        name: state.name.as_ref().map(Str::detached),
        topic_id: state.topic_id,
        ..DeletableTopicResult::default()
    };
    match find_for_deletion(draft, state, fresh) {
        Ok(topic) => {
            draft.delete_and_forget(&topic.name);
            result.name = Some(Str::from(&*topic.name));
            result.topic_id = topic.id;
        }
        Err((code, fault)) => {
            result.error_code = code.code();
            result.error_message = Some(fault.into());
        }
    }
    result
}

fn find_for_deletion(
    draft: &Draft<'_>,
    state: &DeleteTopicState,
    fresh: bool,
) -> Result<std::sync::Arc<Topic>, Refusal> {
    let invalid = |fault: &str| (ErrorCode::InvalidRequest, fault.to_owned());
    if !fresh {
        return Err(invalid("Duplicate topic."));
    }
    let topic = match (&state.name, state.topic_id.is_zero()) {
        (Some(_), false) => return Err(invalid("You may not specify both topic name and topic id.")),
        (None, true) => return Err(invalid("Neither topic name nor id were specified.")),
        (Some(name), true) => draft.catalog.topic(name).ok_or_else(|| {
            (ErrorCode::UnknownTopicOrPartition, "This server does not host this topic.".to_owned())
        })?,
        (None, false) => draft.catalog.topic_by_id(state.topic_id).ok_or_else(|| {
            (ErrorCode::UnknownTopicId, "This server does not host this topic ID.".to_owned())
        })?,
    };
    own(topic)?;
    if draft.catalog.unforgotten().count() >= draft.settings.topics_max {
        let fault = "Offsets of too many deleted topics are not forgotten yet.";
        return Err((ErrorCode::KafkaStorageError, fault.to_owned()));
    }
    Ok(topic.clone())
}

/// IncrementalAlterConfigs.
pub(super) fn incremental(
    draft: &mut Draft<'_>,
    request: &IncrementalAlterConfigsRequest,
    version: i16,
) -> Answer {
    let mut responses = Vec::new();
    let mut seen = BTreeSet::new();
    let named = || request.resources.iter().map(|resource| (resource.resource_type, &resource.resource_name));
    let repeated: BTreeSet<_> = named().filter(|resource| !seen.insert(*resource)).collect();
    for resource in &request.resources {
        let change = |configs: &mut BTreeMap<String, String>| {
            if repeated.contains(&(resource.resource_type, &resource.resource_name)) {
                let fault = "Each resource must appear at most once.";
                return Err((ErrorCode::InvalidRequest, fault.to_owned()));
            }
            let mut named = BTreeSet::new();
            if !resource.configs.iter().all(|config| named.insert(&config.name)) {
                let fault = "A configuration key is named more than once.";
                return Err((ErrorCode::InvalidRequest, fault.to_owned()));
            }
            resource.configs.iter().try_for_each(|config| apply(configs, config))
        };
        let (kind, name) = (resource.resource_type, &resource.resource_name);
        let (code, message) = alter(draft, kind, name, request.validate_only, change).err().unzip();
        responses.push(Altered {
            error_code: code.unwrap_or(ErrorCode::None).code(),
            error_message: message.map(Str::from),
            resource_type: kind,
            resource_name: name.detached(),
            ..Default::default()
        });
    }
    Box::new(move |outcome| {
        if let Err(error) = outcome {
            for response in responses.iter_mut().filter(|response| response.error_code == 0) {
                response.error_code = commit_error(error).code();
            }
        }
        body(IncrementalAlterConfigsResponse { responses, ..Default::default() }.to_bytes(version))
    })
}

/// AlterConfigs: what is not named goes back to its default.
pub(super) fn replace(draft: &mut Draft<'_>, request: &AlterConfigsRequest, version: i16) -> Answer {
    let mut responses = Vec::new();
    for resource in &request.resources {
        let change = |configs: &mut BTreeMap<String, String>| {
            configs.clear();
            for config in &resource.configs {
                let value = config.value.as_ref().ok_or_else(|| null_value(&config.name))?;
                configs.insert(config.name.to_string(), value.to_string());
            }
            Ok(())
        };
        let (kind, name) = (resource.resource_type, &resource.resource_name);
        let (code, message) = alter(draft, kind, name, request.validate_only, change).err().unzip();
        responses.push(Replaced {
            error_code: code.unwrap_or(ErrorCode::None).code(),
            error_message: message.map(Str::from),
            resource_type: kind,
            resource_name: name.detached(),
            ..Default::default()
        });
    }
    Box::new(move |outcome| {
        if let Err(error) = outcome {
            for response in responses.iter_mut().filter(|response| response.error_code == 0) {
                response.error_code = commit_error(error).code();
            }
        }
        body(AlterConfigsResponse { responses, ..Default::default() }.to_bytes(version))
    })
}

fn alter(
    draft: &mut Draft<'_>,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if resource_type != RESOURCE_TOPIC {
        let fault = "Only the configuration of topics can be changed by clients.";
        return Err((ErrorCode::InvalidRequest, fault.to_owned()));
    }
    check_name(name).map_err(|fault| (ErrorCode::InvalidTopic, fault))?;
    let topic = draft
        .catalog
        .topic(name)
        .ok_or_else(|| (ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist.")))?;
    own(topic)?;
    let mut topic = topic.as_ref().clone();
    change(&mut topic.configs)?;
    check_configs(&topic.configs)?;
    if validate_only {
        return Ok(());
    }
    topic.settings = Settings::of(&topic.configs);
    draft.configure(&topic, |_| None);
    draft.put(topic);
    Ok(())
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn apply(configs: &mut BTreeMap<String, String>, config: &AlterableConfig) -> Result<(), Refusal> {
    let name = config.name.to_string();
    if config.config_operation == DELETE {
        configs.remove(&name);
        return Ok(());
    }
    let value = config.value.as_ref().ok_or_else(|| null_value(&name))?;
    if config.config_operation == SET {
        configs.insert(name, value.to_string());
        return Ok(());
    }
    let key = topic_config::find(&name)
        .ok_or_else(|| (ErrorCode::InvalidConfig, format!("Unknown topic config name: {name}")))?;
    if !matches!(key.kind, Kind::Words(_) | Kind::List) {
        let fault = format!("Config value append and subtract need a list, which {name} is not.");
        return Err((ErrorCode::InvalidConfig, fault));
    }
    let now = configs.get(&name).map_or(key.default, String::as_str);
    let mut words: Vec<&str> = words_of(now).collect();
    match config.config_operation {
        APPEND => {
            for word in words_of(value) {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        SUBTRACT => words.retain(|word| !words_of(value).any(|gone| gone == *word)),
        other => return Err((ErrorCode::InvalidRequest, format!("Unknown operation {other}."))),
    }
    let joined = words.join(",");
    configs.insert(name, joined);
    Ok(())
}

fn null_value(name: &str) -> Refusal {
    (ErrorCode::InvalidRequest, format!("Null value not supported for topic configs: {name}"))
}

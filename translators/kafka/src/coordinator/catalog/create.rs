//! New topics and partitions.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::{LogEpoch, LogKind, Offset};

use super::draft::Draft;
use super::{Answer, body, commit_error};
use crate::catalog::Topic;
use crate::codec::messages::create_partitions_request::CreatePartitionsTopic;
use crate::codec::messages::create_partitions_response::CreatePartitionsTopicResult;
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use crate::codec::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::codec::{Message, Str};
use crate::errors::ErrorCode;
use crate::topic_config::{self, Settings};

/// A refusal with a sentence for the client.
pub(super) type Refusal = (ErrorCode, String);

const NAME_CHARS_MAX: usize = 249;
/// Where a configuration's value comes from, as DescribeConfigs and CreateTopics say it.
pub(crate) const SOURCE_TOPIC: i8 = 1;
/// See [`SOURCE_TOPIC`].
pub(crate) const SOURCE_DEFAULT: i8 = 5;

/// Judges a topic's name.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let fault = if name.is_empty() {
        "it is empty"
    } else if name == "." || name == ".." {
        "it is \".\" or \"..\""
    } else if name.len() > NAME_CHARS_MAX {
        "it is longer than 249 characters"
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        "it holds other characters than ASCII letters, digits, '.', '_' and '-'"
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {fault}"))
}

/// CreateTopics.
pub(super) fn topics(draft: &mut Draft<'_>, request: &CreateTopicsRequest, version: i16) -> Answer {
    let repeated = repeated(request.topics.iter().map(|topic| &*topic.name));
    let mut results = Vec::new();
    let mut answered = BTreeSet::new();
    for wanted in &request.topics {
        let result = if repeated.contains(&*wanted.name) {
            if !answered.insert(&*wanted.name) {
                continue;
            }
            refused(wanted, &(ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned()))
        } else {
            match prepare(draft, wanted) {
                Err(refusal) => refused(wanted, &refusal),
                Ok(_) if request.validate_only => validated(draft, wanted),
                Ok(parts) => create(draft, parts),
            }
        };
        results.push(result);
    }
    let validate_only = request.validate_only;
    Box::new(move |outcome| {
        if let Err(error) = outcome
            && !validate_only
        {
            for result in results.iter_mut().filter(|result| result.error_code == 0) {
                *result = CreatableTopicResult {
                    name: result.name.clone(),
                    error_code: commit_error(error).code(),
                    error_message: Some(error.to_string().into()),
                    ..Default::default()
                };
            }
        }
        body(CreateTopicsResponse { topics: results, ..Default::default() }.to_bytes(version))
    })
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

fn refused(wanted: &CreatableTopic, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: wanted.name.detached(),
        error_code: refusal.0.code(),
        error_message: Some(refusal.1.as_str().into()),
        ..Default::default()
    }
}

/// A topic that may be created.
struct Parts {
    name: String,
    partitions: usize,
    configs: BTreeMap<String, String>,
}

fn prepare(draft: &Draft<'_>, wanted: &CreatableTopic) -> Result<Parts, Refusal> {
    let name = wanted.name.to_string();
    check_name(&name).map_err(|fault| (ErrorCode::InvalidTopic, fault))?;
    if draft.catalog.topic(&name).is_some() {
        return Err((ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    if draft.catalog.unforgotten_id(&name).is_some() {
        let fault = format!("Groups still hold offsets of the deleted topic '{name}'; try again.");
        return Err((ErrorCode::KafkaStorageError, fault));
    }
    if let Some(other) = colliding(draft, &name) {
        let fault = format!("Topic '{name}' collides with existing topic: {other}");
        return Err((ErrorCode::InvalidTopic, fault));
    }
    if draft.catalog.len() >= draft.settings.topics_max {
        let fault = format!("No more than {} topics are served.", draft.settings.topics_max);
        return Err((ErrorCode::PolicyViolation, fault));
    }
    let partitions = partition_count(draft, wanted)?;
    let mut configs = BTreeMap::new();
    for config in &wanted.configs {
        let value = config.value.as_ref().ok_or_else(|| {
            let fault = format!("Null value not supported for topic configs: {}", config.name);
            (ErrorCode::InvalidConfig, fault)
        })?;
        configs.insert(config.name.to_string(), value.to_string());
    }
    if configs.get("remote.storage.enable").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        let fault = "Topic cannot be configured with remote log storage: there is none.";
        return Err((ErrorCode::InvalidConfig, fault.to_owned()));
    }
    check_configs(&configs)?;
    Ok(Parts { name, partitions, configs })
}

/// Judges the whole configuration of a topic that the kernel leads.
pub(super) fn check_configs(configs: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for (name, value) in configs {
        topic_config::check(name, value).map_err(|fault| (ErrorCode::InvalidConfig, fault))?;
    }
    // Each is fine by itself; together nothing could ever be compacted in time.
    if let Some(how) = Settings::of(configs).compaction.filter(|how| how.lag_min_ms > how.lag_max_ms) {
        let fault = format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            how.lag_min_ms, how.lag_max_ms
        );
        return Err((ErrorCode::InvalidConfig, fault));
    }
    Ok(())
}

/// Names that differ in '.' and '_' alone are the same to metrics.
fn colliding(draft: &Draft<'_>, name: &str) -> Option<String> {
    if !name.contains(['.', '_']) {
        return None;
    }
    let normal = name.replace('.', "_");
    draft.catalog.topics().find(|topic| topic.name.replace('.', "_") == normal).map(|t| t.name.to_string())
}

fn partition_count(draft: &Draft<'_>, wanted: &CreatableTopic) -> Result<usize, Refusal> {
    let max = draft.settings.topic_partitions_max;
    let too_many = || (ErrorCode::InvalidPartitions, format!("No more than {max} partitions are served."));
    if !wanted.assignments.is_empty() {
        if wanted.num_partitions != -1 || wanted.replication_factor != -1 {
            let fault = "Partition count and replication factor must be -1 beside an assignment.";
            return Err((ErrorCode::InvalidRequest, fault.to_owned()));
        }
        let mut numbers: Vec<i32> = wanted.assignments.iter().map(|part| part.partition_index).collect();
        numbers.sort_unstable();
        let dense = numbers.iter().zip(0..).all(|(number, place)| *number == place);
        let known = wanted.assignments.iter().all(|part| part.broker_ids == [draft.settings.node_id]);
        if !dense || !known {
            let fault = format!("Each partition from 0 on must be on broker {}.", draft.settings.node_id);
            return Err((ErrorCode::InvalidReplicaAssignment, fault));
        }
        return if numbers.len() > max { Err(too_many()) } else { Ok(numbers.len()) };
    }
    if wanted.replication_factor == 0 || wanted.replication_factor < -1 {
        let fault = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err((ErrorCode::InvalidReplicationFactor, fault.to_owned()));
    }
    if wanted.replication_factor > 1 {
        let factor = wanted.replication_factor;
        let fault = format!("Replication factor: {factor} larger than available brokers: 1.");
        return Err((ErrorCode::InvalidReplicationFactor, fault));
    }
    let count = match wanted.num_partitions {
        -1 => draft.settings.partitions_default,
        count => count,
    };
    match usize::try_from(count) {
        Ok(count) if count > max => Err(too_many()),
        Ok(count) if count > 0 => Ok(count),
        Ok(_) | Err(_) => {
            let fault = "Number of partitions was set to an invalid non-positive value.";
            Err((ErrorCode::InvalidPartitions, fault.to_owned()))
        }
    }
}

fn validated(draft: &Draft<'_>, wanted: &CreatableTopic) -> CreatableTopicResult {
    let count = partition_count(draft, wanted).unwrap_or_default();
    CreatableTopicResult {
        name: wanted.name.detached(),
        num_partitions: i32::try_from(count).unwrap_or(i32::MAX),
        replication_factor: 1,
        error_message: None,
        configs: Some(configs_of(&BTreeMap::new())),
        ..Default::default()
    }
}

fn create(draft: &mut Draft<'_>, parts: Parts) -> CreatableTopicResult {
    let mut topic = Topic {
        name: parts.name.into(),
        id: draft.new_topic_id(),
        partitions: Vec::new(),
        settings: Settings::of(&parts.configs),
        configs: parts.configs,
        legacy_created: false,
    };
    for _ in 0..parts.partitions {
        draft.add_partition(&mut topic, LogKind::Led, Offset(0), LogEpoch(0));
    }
    let result = CreatableTopicResult {
        name: Str::from(&*topic.name),
        topic_id: topic.id,
        num_partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        replication_factor: 1,
        error_message: None,
        configs: Some(configs_of(&topic.configs)),
        ..Default::default()
    };
    draft.put(topic);
    result
}

fn configs_of(set: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs> {
    let entry = |key: &topic_config::ConfigKey| {
        let value = set.get(key.name);
        CreatableTopicConfigs {
            name: Str::from_static(key.name),
            value: Some(value.map_or(Str::from_static(key.default), |value| value.as_str().into())),
            config_source: if value.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT },
            ..Default::default()
        }
    };
    topic_config::KEYS.iter().map(entry).collect()
}

/// CreatePartitions.
pub(super) fn partitions(draft: &mut Draft<'_>, request: &CreatePartitionsRequest, version: i16) -> Answer {
    let repeated = repeated(request.topics.iter().map(|topic| &*topic.name));
    let mut results = Vec::new();
    let mut answered = BTreeSet::new();
    for wanted in &request.topics {
        let outcome = if repeated.contains(&*wanted.name) {
            if !answered.insert(&*wanted.name) {
                continue;
            }
            Err((ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned()))
        } else {
            grow(draft, wanted, request.validate_only)
        };
        let (code, message) = outcome.err().unzip();
        results.push(CreatePartitionsTopicResult {
            name: wanted.name.detached(),
            error_code: code.unwrap_or(ErrorCode::None).code(),
            error_message: message.map(Str::from),
            ..Default::default()
        });
    }
    Box::new(move |outcome| {
        if let Err(error) = outcome {
            for result in results.iter_mut().filter(|result| result.error_code == 0) {
                result.error_code = commit_error(error).code();
            }
        }
        body(CreatePartitionsResponse { results, ..Default::default() }.to_bytes(version))
    })
}

fn grow(draft: &mut Draft<'_>, wanted: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refusal> {
    let topic = draft.catalog.topic(&wanted.name).ok_or_else(|| {
        (ErrorCode::UnknownTopicOrPartition, format!("Topic '{}' does not exist.", wanted.name))
    })?;
    own(topic)?;
    let before = topic.partitions.len();
    let count = usize::try_from(wanted.count).unwrap_or(0);
    if count <= before {
        let fault =
            format!("Topic currently has {before} partitions, {} would not be an increase.", wanted.count);
        return Err((ErrorCode::InvalidPartitions, fault));
    }
    let max = draft.settings.topic_partitions_max;
    if count > max {
        return Err((ErrorCode::InvalidPartitions, format!("No more than {max} partitions are served.")));
    }
    if let Some(assignments) = &wanted.assignments {
        let known = assignments.iter().all(|part| part.broker_ids == [draft.settings.node_id]);
        if assignments.len() != count - before || !known {
            let fault = format!("Each new partition must be on broker {}.", draft.settings.node_id);
            return Err((ErrorCode::InvalidReplicaAssignment, fault));
        }
    }
    if validate_only {
        return Ok(());
    }
    let mut topic = topic.as_ref().clone();
    for _ in before..count {
        draft.add_partition(&mut topic, LogKind::Led, Offset(0), LogEpoch(0));
    }
    draft.put(topic);
    Ok(())
}

/// Refuses what legacy still owns.
pub(super) fn own(topic: &Topic) -> Result<(), Refusal> {
    if topic.legacy_created {
        let fault = format!("Topic '{}' belongs to the legacy cluster until it is retired.", topic.name);
        return Err((ErrorCode::PolicyViolation, fault));
    }
    Ok(())
}

//! What the mirror and the handover change.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel_model::{LogEpoch, LogKind, Offset};

use super::draft::Draft;
use super::{Answer, create};
use crate::catalog::{Partition, Topic};
use crate::codec::Uuid;
use crate::coordinator::message::{CatalogMessage, CatalogReply, MirrorPartition, PartitionEpoch};
use crate::topic_config::Settings;

/// Works on a message that is not a Kafka frame.
pub(super) fn apply(draft: &mut Draft<'_>, message: CatalogMessage) -> Answer {
    let outcome = match message {
        CatalogMessage::MirrorTopic { name, id, partitions, configs } => {
            mirror_topic(draft, &name, Uuid(id), &partitions, configs)
        }
        CatalogMessage::Lead { topic, partitions } => switch(draft, &topic, &partitions, LogKind::Led),
        CatalogMessage::Mirror { topic, partitions } => switch(draft, &topic, &partitions, LogKind::Mirrored),
        CatalogMessage::Adopt { topic } => adopt(draft, &topic),
        CatalogMessage::Discard { topic } => discard(draft, &topic),
        CatalogMessage::OffsetsForgotten { topics } => {
            topics.iter().for_each(|(name, id)| draft.forgotten(name, Uuid(*id)));
            Ok(())
        }
    };
    Box::new(move |committed| -> Bytes {
        let reply = match (outcome, committed) {
            (Err(reason), _) => CatalogReply::Refused(reason),
            (Ok(()), Ok(())) => CatalogReply::Done,
            (Ok(()), Err(error)) => CatalogReply::Failed(error.to_string()),
        };
        reply.to_bytes()
    })
}

fn mirror_topic(
    draft: &mut Draft<'_>,
    name: &str,
    id: Uuid,
    partitions: &[MirrorPartition],
    configs: BTreeMap<String, String>,
) -> Result<(), String> {
    let mut topic = match draft.catalog.topic(name) {
        Some(topic) if topic.id != id => {
            return Err(format!("topic {name} exists under the id {}, not {id}", topic.id));
        }
        Some(topic) => topic.as_ref().clone(),
        None => new_topic(draft, name, id)?,
    };
    if partitions.len() > draft.settings.topic_partitions_max {
        return Err(format!("topic {name} would have {} partitions", partitions.len()));
    }
    let before = topic.clone();
    topic.settings = Settings::of(&configs);
    topic.configs = configs;
    if topic.settings != before.settings {
        draft.configure(&topic, |_| None);
    }
    for partition in partitions.iter().skip(before.partitions.len()) {
        let epoch = LogEpoch(partition.epoch);
        draft.add_partition(&mut topic, LogKind::Mirrored, Offset(partition.start), epoch);
    }
    let is_new = draft.catalog.topic(name).is_none();
    if is_new || topic != before {
        draft.put(topic);
    }
    Ok(())
}

fn new_topic(draft: &Draft<'_>, name: &str, id: Uuid) -> Result<Topic, String> {
    create::check_name(name)?;
    if draft.catalog.unforgotten_id(name).is_some() {
        return Err(format!("groups still hold offsets of a deleted topic {name}"));
    }
    if id.is_zero() {
        return Err(format!("topic {name} has no topic id"));
    }
    if let Some(other) = draft.catalog.topic_by_id(id) {
        return Err(format!("the id {id} belongs to topic {}", other.name));
    }
    Ok(Topic {
        name: name.into(),
        id,
        partitions: Vec::new(),
        configs: BTreeMap::new(),
        settings: Settings::of(&BTreeMap::new()),
        legacy_created: true,
    })
}

/// Changes who writes partitions. Repeating it changes nothing, so that a handover can resume.
fn switch(
    draft: &mut Draft<'_>,
    name: &str,
    partitions: &[PartitionEpoch],
    kind: LogKind,
) -> Result<(), String> {
    let topic = draft.catalog.topic(name).ok_or_else(|| format!("topic {name} does not exist"))?;
    let mut topic = topic.as_ref().clone();
    let mut epochs = BTreeMap::new();
    for wanted in partitions {
        let number = wanted.partition;
        let slot = usize::try_from(number).ok().and_then(|number| topic.partitions.get_mut(number));
        let slot = slot.ok_or_else(|| format!("topic {name} has no partition {number}"))?;
        if wanted.epoch < slot.epoch.0 {
            return Err(format!(
                "partition {name}-{number} has epoch {} already, above {}",
                slot.epoch.0, wanted.epoch
            ));
        }
        let changed = Partition { kind, epoch: LogEpoch(wanted.epoch), log: slot.log };
        if *slot != changed {
            *slot = changed;
            epochs.insert(number, changed.epoch);
        }
    }
    if epochs.is_empty() {
        return Ok(());
    }
    draft.configure(&topic, |number| epochs.get(&number).copied());
    draft.put(topic);
    Ok(())
}

fn discard(draft: &mut Draft<'_>, name: &str) -> Result<(), String> {
    let Some(topic) = draft.catalog.topic(name) else { return Ok(()) };
    if !topic.legacy_created {
        return Err(format!("topic {name} is the kernel's own"));
    }
    if let Some(at) = topic.partitions.iter().position(|partition| partition.is_led()) {
        return Err(format!("the kernel leads partition {name}-{at}"));
    }
    draft.delete(name);
    Ok(())
}

fn adopt(draft: &mut Draft<'_>, name: &str) -> Result<(), String> {
    let topic = draft.catalog.topic(name).ok_or_else(|| format!("topic {name} does not exist"))?;
    if !topic.legacy_created {
        return Ok(());
    }
    if let Some(at) = topic.partitions.iter().position(|partition| !partition.is_led()) {
        return Err(format!("partition {name}-{at} is still mirrored"));
    }
    let topic = Topic { legacy_created: false, ..topic.as_ref().clone() };
    draft.put(topic);
    Ok(())
}

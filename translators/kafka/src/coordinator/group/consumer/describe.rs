//! What administrators are told of a consumer group: ConsumerGroupDescribe.

use super::{Consumer, ConsumerMember, MemberState, Partitions};
use crate::catalog::Catalog;
use crate::codec::Str;
use crate::codec::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use crate::coordinator::group::describe::as_kafka_shows;
use crate::coordinator::group::state::Group;
use crate::errors::ErrorCode;

/// Kafka's number for a member that speaks the consumer protocol.
const CONSUMER_MEMBER: i8 = 1;

impl Consumer {
    /// Kafka's name of the group's state.
    pub(in super::super) fn state_name(&self) -> &'static str {
        let settled = |member: &ConsumerMember| {
            member.current.state == MemberState::Stable && member.current.epoch == self.target_epoch
        };
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(settled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }
}

/// Describes a group, or says why not.
pub(in super::super) fn describe(id: &Str, group: Option<&Group>, catalog: &Catalog) -> DescribedGroup {
    let refused = |code: ErrorCode, why: Option<String>| DescribedGroup {
        group_id: id.clone(),
        error_code: code.code(),
        error_message: why.map(Str::from),
        ..DescribedGroup::default()
    };
    let Some(group) = group else {
        return refused(ErrorCode::GroupIdNotFound, Some(format!("There is no group {id}.")));
    };
    if let Err(refusal) = group.admission() {
        return refused(refusal, None);
    }
    let Some(consumer) = &group.consumer else {
        let why = format!("Group {id} is not of the consumer protocol.");
        return refused(ErrorCode::GroupIdNotFound, Some(why));
    };
    let members = consumer.members.iter();
    DescribedGroup {
        group_id: id.clone(),
        group_state: Str::from_static(consumer.state_name()),
        group_epoch: consumer.epoch,
        assignment_epoch: consumer.target_epoch,
        assignor_name: Str::from_static(consumer.assignor()),
        members: members.map(|(id, member)| described(consumer, id, member, catalog)).collect(),
        ..DescribedGroup::default()
    }
}

fn described(consumer: &Consumer, id: &Str, member: &ConsumerMember, catalog: &Catalog) -> Member {
    let none = Partitions::new();
    let about = &member.about;
    Member {
        member_id: id.clone(),
        instance_id: about.instance_id.clone(),
        rack_id: about.rack_id.clone(),
        member_epoch: member.current.epoch,
        client_id: about.client_id.clone(),
        client_host: as_kafka_shows(&about.client_host),
        subscribed_topic_names: about.names.iter().cloned().collect(),
        // Kafka keeps an empty one where a member has none.
        subscribed_topic_regex: Some(about.pattern.clone().unwrap_or_default()),
        assignment: named(&member.current.assigned, catalog),
        target_assignment: named(consumer.targets.get(id).unwrap_or(&none), catalog),
        member_type: CONSUMER_MEMBER,
        ..Member::default()
    }
}

fn named(partitions: &Partitions, catalog: &Catalog) -> Assignment {
    // Topics that have gone have no name any more.
    let topics = partitions.iter().filter_map(|(id, numbers)| {
        let topic = catalog.topic_by_id(*id)?;
        Some(TopicPartitions {
            topic_id: *id,
            topic_name: Str::from(&*topic.name),
            partitions: numbers.iter().copied().collect(),
            ..TopicPartitions::default()
        })
    });
    Assignment { topic_partitions: topics.collect(), ..Assignment::default() }
}

//! What administrators are told of groups: DescribeGroups and ListGroups.

use super::member::Member;
use super::state::{Group, Phase, Role};
use crate::codec::Str;
use crate::codec::messages::ListGroupsRequest;
use crate::codec::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::codec::messages::list_groups_response::ListedGroup;
use crate::errors::ErrorCode;

/// From this version a group that does not exist is an error (KIP-1043), before it is "Dead".
const NOT_FOUND_FROM: i16 = 6;

/// Kafka's names for the kinds of groups served here.
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";

/// Describes a group, or says why not.
pub(super) fn describe(id: &Str, group: Option<&Group>, version: i16) -> DescribedGroup {
    let Some(group) = group else { return missing(id, version) };
    if let Err(refusal) = group.admission() {
        return DescribedGroup {
            group_id: id.clone(),
            error_code: refusal.code(),
            ..DescribedGroup::default()
        };
    }
    if group.consumer.is_some() {
        return missing(id, version);
    }
    let protocol = group.protocol_name.as_ref().filter(|_| matches!(group.phase, Phase::Stable { .. }));
    DescribedGroup {
        group_id: id.clone(),
        group_state: Str::from_static(group.state_name()),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol_data: protocol.cloned().unwrap_or_default(),
        members: group.members.values().map(|member| describe_member(member, protocol)).collect(),
        ..DescribedGroup::default()
    }
}

fn missing(id: &Str, version: i16) -> DescribedGroup {
    let is_error = version >= NOT_FOUND_FROM;
    DescribedGroup {
        group_id: id.clone(),
        group_state: Str::from_static("Dead"),
        error_code: if is_error { ErrorCode::GroupIdNotFound.code() } else { 0 },
        error_message: is_error.then(|| Str::from(format!("Group {id} not found."))),
        ..DescribedGroup::default()
    }
}

/// Java writes an address as host/address, mostly without the host.
pub(super) fn as_kafka_shows(host: &Str) -> Str {
    if host.contains('/') { host.clone() } else { format!("/{host}").into() }
}

/// Subscriptions are told of stable groups only; assignments until the next ones are made.
fn describe_member(member: &Member, protocol: Option<&Str>) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: member.id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: as_kafka_shows(&member.client_host),
        member_metadata: member.metadata(protocol),
        member_assignment: member.assignment.clone(),
        ..DescribedGroupMember::default()
    }
}

/// Lists a group if it is served here and passes the filters; an empty filter lets everything pass.
pub(super) fn list(request: &ListGroupsRequest, group: &Group) -> Option<ListedGroup> {
    let passes = |filter: &[Str], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
    };
    let state = group.state_name();
    let type_name = if group.consumer.is_some() { CONSUMER } else { CLASSIC };
    let is_listed = group.role == Role::Serving
        && !group.is_vacant()
        && passes(&request.states_filter, state)
        && passes(&request.types_filter, type_name);
    is_listed.then(|| ListedGroup {
        group_id: group.id.clone(),
        protocol_type: match &group.protocol_type {
            None if group.consumer.is_some() => Str::from_static(CONSUMER),
            known => known.clone().unwrap_or_default(),
        },
        group_state: Str::from_static(state),
        group_type: Str::from_static(type_name),
        ..ListedGroup::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_shown_as_java_writes_an_address() {
        assert_eq!(as_kafka_shows(&"192.0.2.1".into()), "/192.0.2.1");
        assert_eq!(as_kafka_shows(&"/192.0.2.1".into()), "/192.0.2.1");
        assert_eq!(as_kafka_shows(&"host/192.0.2.1".into()), "host/192.0.2.1");
    }
}

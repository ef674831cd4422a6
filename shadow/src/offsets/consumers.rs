//! What stands against moving a group of the consumer protocol, as legacy's records of it say.
//!
//! The kernel shares partitions out itself: it has to know every topic that the group reads, and the assignor that
//! its members prefer. Else it would make another assignment at the first heartbeat.

use std::collections::{BTreeMap, BTreeSet};

use translator_kafka::codec::Str;
use translator_kafka::coordinator::group::{ASSIGNORS, ConsumerRecord, MemberRecord};

/// Groups of the consumer protocol, by id.
#[derive(Debug, Default)]
pub(super) struct ConsumerGroups(BTreeMap<String, Seen>);

#[derive(Debug, Default)]
struct Seen {
    members: BTreeMap<Str, MemberRecord>,
    /// Topics that each pattern stands for.
    patterns: BTreeMap<Str, Vec<Str>>,
}

impl ConsumerGroups {
    /// Takes a record of a group.
    pub(super) fn see(&mut self, group: &str, record: ConsumerRecord) {
        if record == ConsumerRecord::Epoch(None) {
            self.0.remove(group);
            return;
        }
        let seen = self.0.entry(group.to_owned()).or_default();
        match record {
            ConsumerRecord::Member { member, about: Some(about) } => {
                seen.members.insert(member, *about);
            }
            ConsumerRecord::Member { member, about: None } => {
                seen.members.remove(&member);
            }
            ConsumerRecord::Pattern { pattern, topics: Some(topics) } => {
                seen.patterns.insert(pattern, topics);
            }
            ConsumerRecord::Pattern { pattern, topics: None } => {
                seen.patterns.remove(&pattern);
            }
            ConsumerRecord::Epoch(_)
            | ConsumerRecord::TargetEpoch(_)
            | ConsumerRecord::Target { .. }
            | ConsumerRecord::Current { .. }
            | ConsumerRecord::Topics => {}
        }
    }

    /// Ids of a group's members.
    pub(super) fn members(&self, group: &str) -> BTreeSet<String> {
        let members = self.0.get(group).into_iter().flat_map(|seen| seen.members.keys());
        members.map(|id| id.as_str().to_owned()).collect()
    }

    /// Groups that cannot move, each with a reason; `follows` says which topics the kernel has.
    pub(super) fn obstacles(&self, follows: &dyn Fn(&str) -> bool) -> BTreeMap<String, String> {
        let found = self.0.iter().filter_map(|(group, seen)| Some((group.clone(), seen.obstacle(follows)?)));
        found.collect()
    }
}

impl Seen {
    fn obstacle(&self, follows: &dyn Fn(&str) -> bool) -> Option<String> {
        for member in self.members.values() {
            if member.is_classic {
                return Some("it has members of both group protocols".to_owned());
            }
            let assignor = member.assignor.as_deref().filter(|name| !ASSIGNORS.contains(name));
            if let Some(name) = assignor {
                return Some(format!("it uses the assignor {name}, which the kernel lacks"));
            }
            let pattern = member.pattern.as_ref().and_then(|pattern| self.patterns.get(pattern));
            let mut topics = member.names.iter().chain(pattern.into_iter().flatten());
            if let Some(topic) = topics.find(|topic| !follows(topic)) {
                return Some(format!("it reads {topic}, which is not followed"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(about: MemberRecord) -> ConsumerRecord {
        ConsumerRecord::Member { member: "m".into(), about: Some(Box::new(about)) }
    }

    #[test]
    fn a_group_moves_once_all_that_it_reads_is_followed() {
        let mut groups = ConsumerGroups::default();
        let about = MemberRecord {
            names: ["orders".into()].into(),
            pattern: Some("pay.*".into()),
            ..MemberRecord::default()
        };
        groups.see("g", member(about.clone()));
        let pattern =
            ConsumerRecord::Pattern { pattern: "pay.*".into(), topics: Some(vec!["payments".into()]) };
        groups.see("g", pattern);
        let reason = |groups: &ConsumerGroups, known: &[&str]| {
            groups.obstacles(&|topic| known.contains(&topic)).remove("g")
        };
        assert_eq!(reason(&groups, &["orders"]).as_deref(), Some("it reads payments, which is not followed"));
        assert_eq!(reason(&groups, &["orders", "payments"]), None);
        groups.see("g", member(MemberRecord { assignor: Some("own".into()), ..about.clone() }));
        assert!(reason(&groups, &["orders", "payments"]).is_some_and(|why| why.contains("assignor own")));
        groups.see("g", member(MemberRecord { is_classic: true, ..about }));
        assert!(reason(&groups, &["orders", "payments"]).is_some_and(|why| why.contains("both")));
        groups.see("g", ConsumerRecord::Member { member: "m".into(), about: None });
        assert_eq!(reason(&groups, &[]), None);
    }
}

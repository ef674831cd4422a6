//! Names of units, and what they stand for.

use session::UnitId;

use crate::handover::action::UnitKind;

/// What a unit is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UnitName {
    /// A partition.
    Partition {
        /// Topic.
        topic: String,
        /// Number.
        partition: i32,
    },
    /// A consumer group.
    Group(String),
    /// The transactional ids of a migration.
    Transactions(String),
}

impl UnitName {
    /// How a handover treats it.
    pub(super) fn kind(&self) -> UnitKind {
        match self {
            Self::Partition { .. } => UnitKind::Log,
            Self::Group(_) => UnitKind::Group,
            Self::Transactions(_) => UnitKind::Transactions,
        }
    }
}

/// `cluster/topic/3`. Neither clusters nor topics have a slash or a colon in their names.
pub(super) fn partition_unit(cluster: &str, topic: &str, partition: i32) -> UnitId {
    UnitId::new(&format!("{cluster}/{topic}/{partition}"))
}

/// `cluster/group:billing`. The colon keeps it apart from a topic called `group`.
pub(super) fn group_unit(cluster: &str, group: &str) -> UnitId {
    UnitId::new(&format!("{cluster}/group:{group}"))
}

/// `cluster/transactions:orders`, by the migration's name.
pub(super) fn transactions_unit(cluster: &str, migration: &str) -> UnitId {
    UnitId::new(&format!("{cluster}/transactions:{migration}"))
}

/// The cluster of a unit, and what it is there.
pub(super) fn parse(unit: &UnitId) -> Option<(&str, UnitName)> {
    let (cluster, rest) = unit.0.split_once('/')?;
    if let Some(group) = rest.strip_prefix("group:") {
        return Some((cluster, UnitName::Group(group.to_owned())));
    }
    if let Some(migration) = rest.strip_prefix("transactions:") {
        return Some((cluster, UnitName::Transactions(migration.to_owned())));
    }
    let (topic, partition) = rest.rsplit_once('/')?;
    let partition = partition.parse().ok()?;
    Some((cluster, UnitName::Partition { topic: topic.to_owned(), partition }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_stand_for() {
        let unit = partition_unit("events", "orders", 3);
        let name = UnitName::Partition { topic: "orders".to_owned(), partition: 3 };
        assert_eq!(parse(&unit), Some(("events", name)));
        let unit = group_unit("events", "a/b:3");
        assert_eq!(parse(&unit), Some(("events", UnitName::Group("a/b:3".to_owned()))));
        let unit = transactions_unit("events", "orders");
        assert_eq!(parse(&unit), Some(("events", UnitName::Transactions("orders".to_owned()))));
        let topic_called_group = partition_unit("events", "group", 3);
        assert_ne!(parse(&topic_called_group), parse(&group_unit("events", "3")));
    }
}

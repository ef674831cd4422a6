//! Fields that may differ between two endpoints that serve the same, each with the reason. Nothing else is left out of a
//! comparison.

use std::collections::BTreeMap;

use kafka_protocol::messages::ApiKey;

use super::tree::Tree;

/// What becomes of a field before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is left out.
    Ignored,
    /// Only whether it has a value is compared; "none" is -1, `None`, empty text, or the nil id.
    Presence,
    /// Elements of the list are compared in the order of their text.
    Unordered,
    /// Elements of the list are compared by their field `name`.
    ByName,
}

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// API by name, or `*`.
    pub(super) api: &'static str,
    /// Path without indices, or `*.field` for that field anywhere.
    pub(super) path: &'static str,
    /// What becomes of it.
    pub(super) how: How,
    /// Why.
    pub(super) reason: &'static str,
}

const fn rule(api: &'static str, path: &'static str, how: How, reason: &'static str) -> Rule {
    Rule { api, path, how, reason }
}

/// The table; of several entries that meet a field the first one counts.
pub(super) const RULES: &[Rule] = &[
    rule("*", "*.throttle_time_ms", How::Ignored, "depends on load and quotas, not on the request"),
    rule(
        "Produce",
        "*.error_message",
        How::Presence,
        "wording is not part of the protocol, but clients show it where there is one",
    ),
    rule("*", "*.error_message", How::Ignored, "wording is not part of the protocol"),
    rule("*", "*.batch_index_error_message", How::Ignored, "wording is not part of the protocol"),
    rule("*", "*.topic_id", How::Presence, "given at random when a topic is made"),
    rule("*", "*.cluster_id", How::Presence, "each cluster has its own"),
    rule("*", "*.node_id", How::Presence, "each cluster numbers its nodes"),
    rule("*", "*.broker_id", How::Presence, "each cluster numbers its nodes"),
    rule("*", "*.leader_id", How::Presence, "each cluster numbers its nodes"),
    rule("*", "*.controller_id", How::Presence, "each cluster numbers its nodes"),
    rule("*", "*.host", How::Presence, "where a node listens"),
    rule("*", "*.port", How::Presence, "where a node listens"),
    rule("*", "*.producer_id", How::Presence, "given in turn to whoever asks"),
    rule("*", "*.member_id", How::Presence, "ends in a random part"),
    rule("*", "*.session_id", How::Presence, "given at random when a session begins"),
    rule("Metadata", "brokers", How::Unordered, "no order is promised"),
    rule("Metadata", "topics", How::Unordered, "no order is promised"),
    rule("Metadata", "topics[].partitions", How::Unordered, "no order is promised"),
    rule("Metadata", "topics[].partitions[].replica_nodes", How::Presence, "each cluster numbers its nodes"),
    rule("Metadata", "topics[].partitions[].isr_nodes", How::Presence, "each cluster numbers its nodes"),
    rule("DescribeCluster", "brokers", How::Unordered, "no order is promised"),
    rule("AlterClientQuotas", "entries[].entity", How::Unordered, "the parts of an entity have no order"),
    rule("JoinGroup", "leader", How::Presence, "a member id, which ends in a random part"),
    rule("CreateTopics", "topics[].configs", How::ByName, "no order is promised"),
    rule("DescribeConfigs", "results[].configs", How::ByName, "no order is promised"),
    rule(
        "ConsumerGroupHeartbeat",
        "assignment",
        How::Ignored,
        "the assignor runs beside the heartbeats and may be in this answer or in the next; KS14 tells what comes of it",
    ),
    rule(
        "ConsumerGroupHeartbeat",
        "member_epoch",
        How::Presence,
        "counts assignments, which come in one step or in two",
    ),
    rule(
        "ConsumerGroupDescribe",
        "groups[].group_epoch",
        How::Presence,
        "counts changes, which may come together",
    ),
    rule(
        "ConsumerGroupDescribe",
        "groups[].assignment_epoch",
        How::Presence,
        "counts changes, which may come together",
    ),
    rule(
        "ConsumerGroupDescribe",
        "groups[].members[].member_epoch",
        How::Presence,
        "counts changes, which may come together",
    ),
    rule(
        "ApiVersions",
        "api_keys",
        How::Ignored,
        "what is not advertised is reported row by row as not served",
    ),
    rule("ApiVersions", "finalized_features_epoch", How::Presence, "counts a cluster's own changes"),
];

/// Leaves of an answer that lists everything only what the case itself made: names that begin with `tag`. What other
/// rows and former runs left behind is no difference.
pub(super) fn own(api: ApiKey, mut answer: Tree, tag: &str) -> Tree {
    if api == ApiKey::ListGroups {
        answer.visit(&mut |path, node| {
            if let (Tree::List(groups), "groups") = (&mut *node, path) {
                groups.retain(|group| is_own(group, tag));
            }
        });
    }
    answer
}

fn is_own(group: &Tree, tag: &str) -> bool {
    matches!(group.field("group_id"), Some(Tree::Leaf(name)) if name.trim_matches('"') == format!("{tag}.group"))
}

impl Rule {
    fn meets(&self, api: &str, path: &str) -> bool {
        let here = self.api == "*" || self.api == api;
        let there = match self.path.strip_prefix("*.") {
            Some(field) => path.rsplit('.').next() == Some(field),
            None => self.path == path,
        };
        here && there
    }
}

/// Applies the table to an answer.
pub(super) fn normalise(api: &str, answer: &mut Tree) {
    answer.visit(&mut |path, node| {
        if let Some(rule) = RULES.iter().find(|rule| rule.meets(api, path)) {
            apply(rule.how, node);
        }
    });
}

fn apply(how: How, node: &mut Tree) {
    match how {
        How::Ignored => *node = Tree::leaf("(ignored)"),
        How::Presence => *node = Tree::leaf(if is_none(node) { "(none)" } else { "(some)" }),
        How::ByName => {
            if let Tree::List(elements) = &*node
                && let Some(named) = by_name(elements)
            {
                *node = named;
            }
        }
        How::Unordered => {
            if let Tree::List(elements) = node {
                elements.sort();
            }
        }
    }
}

fn by_name(elements: &[Tree]) -> Option<Tree> {
    let mut named = BTreeMap::new();
    for element in elements {
        let Some(Tree::Leaf(name)) = element.field("name") else { return None };
        // Two of one name are a difference of their own.
        if named.insert(name.trim_matches('"').to_owned(), element.clone()).is_some() {
            return None;
        }
    }
    Some(Tree::Fields(named))
}

fn is_none(node: &Tree) -> bool {
    match node {
        Tree::Leaf(value) => {
            matches!(value.as_str(), "-1" | "None" | "\"\"" | "00000000-0000-0000-0000-000000000000")
        }
        Tree::List(elements) => elements.is_empty(),
        Tree::Fields(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, Tree)]) -> Tree {
        Tree::Fields(pairs.iter().map(|(name, tree)| ((*name).to_owned(), tree.clone())).collect())
    }

    #[test]
    fn presence_tells_none_from_some_and_nothing_else() {
        let node = |id: i32| fields(&[("leader_id", Tree::leaf(id))]);
        let normal = |mut tree: Tree| {
            normalise("Metadata", &mut tree);
            tree
        };
        assert_eq!(normal(node(1)), normal(node(1_000_000_001)));
        assert_ne!(normal(node(1)), normal(node(-1)));
    }

    #[test]
    fn of_several_rules_the_first_counts() {
        let said = |text: Option<&str>| {
            let text = text.map_or_else(|| Tree::leaf("None"), Tree::leaf);
            fields(&[("error_message", text)])
        };
        let normal = |api: &str, mut tree: Tree| {
            normalise(api, &mut tree);
            tree
        };
        assert_eq!(normal("Produce", said(Some("one"))), normal("Produce", said(Some("another"))));
        assert_ne!(normal("Produce", said(Some("one"))), normal("Produce", said(None)));
        assert_eq!(normal("CreateTopics", said(Some("one"))), normal("CreateTopics", said(None)));
    }

    #[test]
    fn what_is_in_no_rule_is_left_alone() {
        let mut tree = fields(&[("leader_epoch", Tree::leaf(3))]);
        let before = tree.clone();
        normalise("Metadata", &mut tree);
        assert_eq!(tree, before);
    }

    #[test]
    fn settings_are_compared_by_name() {
        let setting =
            |name: &str, value: i32| fields(&[("name", Tree::leaf(name)), ("value", Tree::leaf(value))]);
        let answer = |settings: Vec<Tree>| {
            let result = fields(&[("configs", Tree::List(settings))]);
            let mut tree = fields(&[("results", Tree::List(vec![result]))]);
            normalise("DescribeConfigs", &mut tree);
            tree
        };
        let one = answer(vec![setting("a", 1), setting("b", 2)]);
        assert_eq!(one, answer(vec![setting("b", 2), setting("a", 1)]));
        assert_ne!(one, answer(vec![setting("b", 2), setting("a", 3)]));
        assert_ne!(one, answer(vec![setting("b", 2)]));
    }

    #[test]
    fn every_rule_has_a_reason() {
        assert!(RULES.iter().all(|rule| rule.reason.len() > 10));
    }
}

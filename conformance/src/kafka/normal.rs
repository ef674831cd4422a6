//! Fields that may differ between two endpoints that serve the same, each with the reason. Nothing else is left out of a
//! comparison.

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

/// The table.
pub(super) const RULES: &[Rule] = &[
    rule("*", "*.throttle_time_ms", How::Ignored, "depends on load and quotas, not on the request"),
    rule("*", "*.error_message", How::Ignored, "wording is not part of the protocol"),
    rule(
        "ApiVersions",
        "api_keys",
        How::Ignored,
        "what is not advertised is reported row by row as not served",
    ),
];

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
        for rule in RULES.iter().filter(|rule| rule.meets(api, path)) {
            apply(rule.how, node);
        }
    });
}

fn apply(how: How, node: &mut Tree) {
    match how {
        How::Ignored => *node = Tree::leaf("(ignored)"),
        How::Presence => *node = Tree::leaf(if is_none(node) { "(none)" } else { "(some)" }),
        How::Unordered => {
            if let Tree::List(elements) = node {
                elements.sort();
            }
        }
    }
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

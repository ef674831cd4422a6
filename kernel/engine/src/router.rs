//! Routes from patterns to targets: whole keys in a map, patterns in a trie of levels.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kernel_model::commit::{RouteLevel, RoutePattern, RouteTarget};
use kernel_model::error::KernelError;

/// One level of the trie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    children: BTreeMap<RouteLevel, Node>,
    targets: BTreeSet<RouteTarget>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.targets.is_empty()
    }

    fn add(&mut self, levels: &[RouteLevel], target: &RouteTarget) -> bool {
        match levels.split_first() {
            None => self.targets.insert(target.clone()),
            Some((level, rest)) => self.children.entry(level.clone()).or_default().add(rest, target),
        }
    }

    /// Removes a target, and the nodes that nothing needs afterwards.
    fn remove(&mut self, levels: &[RouteLevel], target: &RouteTarget) -> bool {
        let Some((level, rest)) = levels.split_first() else { return self.targets.remove(target) };
        let Some(child) = self.children.get_mut(level) else { return false };
        let removed = child.remove(rest, target);
        if child.is_empty() {
            self.children.remove(level);
        }
        removed
    }
}

/// A set of routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Router {
    exact: BTreeMap<Bytes, BTreeSet<RouteTarget>>,
    root: Node,
    pub(crate) routes: usize,
    /// Grows with every change.
    pub(crate) version: u64,
}

impl Router {
    /// Adds a route; a route that is there already changes nothing.
    pub(crate) fn add(&mut self, pattern: &RoutePattern, target: &RouteTarget) {
        let added = match pattern {
            RoutePattern::Exact(key) => self.exact.entry(key.clone()).or_default().insert(target.clone()),
            RoutePattern::Levels(levels) => self.root.add(levels, target),
        };
        if added {
            self.routes += 1;
            self.version += 1;
        }
    }

    /// Removes a route; one that is not there changes nothing.
    pub(crate) fn remove(&mut self, pattern: &RoutePattern, target: &RouteTarget) {
        let removed = match pattern {
            RoutePattern::Exact(key) => {
                let targets = self.exact.get_mut(key);
                let removed = targets.is_some_and(|targets| targets.remove(target));
                if self.exact.get(key).is_some_and(BTreeSet::is_empty) {
                    self.exact.remove(key);
                }
                removed
            }
            RoutePattern::Levels(levels) => self.root.remove(levels, target),
        };
        if removed {
            self.routes -= 1;
            self.version += 1;
        }
    }

    /// Whether a route is there.
    pub(crate) fn contains(&self, pattern: &RoutePattern, target: &RouteTarget) -> bool {
        match pattern {
            RoutePattern::Exact(key) => self.exact.get(key).is_some_and(|targets| targets.contains(target)),
            RoutePattern::Levels(levels) => {
                let node = levels.iter().try_fold(&self.root, |node, level| node.children.get(level));
                node.is_some_and(|node| node.targets.contains(target))
            }
        }
    }

    /// Targets of a key, each once. An exact route matches a key of one level.
    ///
    /// # Errors
    ///
    /// `Overloaded` when the match would need more than `steps_max` steps. Pairs of node and level are
    /// visited once each, so patterns cannot make it exponential.
    pub(crate) fn matches(
        &self,
        levels: &[Bytes],
        steps_max: usize,
    ) -> Result<BTreeSet<RouteTarget>, KernelError> {
        let mut found = BTreeSet::new();
        if let [key] = levels
            && let Some(targets) = self.exact.get(key)
        {
            found.extend(targets.iter().cloned());
        }
        // Level by level: the nodes that some reading of the key so far leads to, by address.
        let mut steps = 0;
        let mut current = Reached::default();
        current.enter(&self.root);
        for level in levels {
            let mut next = Reached::default();
            for (node, stays) in current.nodes() {
                steps += 1;
                if steps > steps_max {
                    return Err(KernelError::Overloaded);
                }
                if stays {
                    next.stay(node);
                }
                for wanted in [RouteLevel::Is(level.clone()), RouteLevel::One] {
                    if let Some(child) = node.children.get(&wanted) {
                        next.enter(child);
                    }
                }
            }
            current = next;
        }
        for (node, _) in current.nodes() {
            found.extend(node.targets.iter().cloned());
        }
        Ok(found)
    }
}

/// Nodes reached after some levels, each once; a node below a `Many` also takes further levels itself.
#[derive(Default)]
struct Reached<'a> {
    nodes: Vec<(&'a Node, bool)>,
    seen: BTreeMap<usize, usize>,
}

impl<'a> Reached<'a> {
    fn enter(&mut self, node: &'a Node) {
        self.put(node, false);
    }

    fn stay(&mut self, node: &'a Node) {
        self.put(node, true);
    }

    fn put(&mut self, node: &'a Node, stays: bool) {
        // The address only tells nodes apart; the order of visits never depends on it.
        let address = std::ptr::from_ref(node).addr();
        match self.seen.get(&address).and_then(|&at| self.nodes.get_mut(at)) {
            Some(held) => held.1 |= stays,
            None => {
                self.seen.insert(address, self.nodes.len());
                self.nodes.push((node, stays));
                // `Many` also matches no level at all.
                if let Some(child) = node.children.get(&RouteLevel::Many) {
                    self.put(child, true);
                }
            }
        }
    }

    fn nodes(&self) -> impl Iterator<Item = (&'a Node, bool)> + '_ {
        self.nodes.iter().copied()
    }
}

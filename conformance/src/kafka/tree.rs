//! An answer as a tree of all its fields.
//!
//! The stock codec's types are not serialisable, but each derives `Debug`, which prints every field. Reading that text
//! compares whole answers of every API without naming their fields one by one, so that no field can be forgotten.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// A value of an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    /// Number, text, bytes, id, absence; as printed.
    Leaf(String),
    /// Elements in the answer's order.
    List(Vec<Tree>),
    /// Fields by name.
    Fields(BTreeMap<String, Tree>),
}

/// Text that is no debug output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable at byte {0}")]
pub(super) struct Unreadable(usize);

/// Nesting that is read at the most.
const DEPTH_MAX: usize = 64;

impl Tree {
    /// Reads what `Debug` prints of a value.
    pub(super) fn of(value: &impl Debug) -> Result<Self, Unreadable> {
        let text = format!("{value:?}");
        let mut reader = Reader { text: &text, at: 0 };
        let tree = reader.value(0)?;
        if reader.rest().is_empty() { Ok(tree) } else { Err(Unreadable(reader.at)) }
    }

    /// A leaf.
    pub(super) fn leaf(value: impl ToString) -> Self {
        Self::Leaf(value.to_string())
    }

    /// Every leaf with its path, such as `topics[0].partitions[1].error_code`. Empty lists are leaves, too.
    pub(super) fn flat(&self) -> BTreeMap<String, String> {
        let mut leaves = BTreeMap::new();
        self.flatten(String::new(), &mut leaves);
        leaves
    }

    fn flatten(&self, path: String, leaves: &mut BTreeMap<String, String>) {
        match self {
            Self::Leaf(value) => {
                leaves.insert(path, value.clone());
            }
            Self::List(elements) if elements.is_empty() => {
                leaves.insert(path, "[]".to_owned());
            }
            Self::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    element.flatten(format!("{path}[{index}]"), leaves);
                }
            }
            Self::Fields(fields) => {
                for (name, field) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    field.flatten(format!("{path}{dot}{name}"), leaves);
                }
            }
        }
    }

    /// Calls `visit` with the path (indices left out: `topics[].name`) of every node, children first.
    pub(super) fn visit(&mut self, visit: &mut impl FnMut(&str, &mut Tree)) {
        self.walk("", visit);
    }

    fn walk(&mut self, path: &str, visit: &mut impl FnMut(&str, &mut Tree)) {
        match self {
            Self::Leaf(_) => {}
            Self::List(elements) => {
                for element in elements {
                    element.walk(&format!("{path}[]"), visit);
                }
            }
            Self::Fields(fields) => {
                let dot = if path.is_empty() { "" } else { "." };
                for (name, field) in fields {
                    field.walk(&format!("{path}{dot}{name}"), visit);
                }
            }
        }
        visit(path, self);
    }

    /// The field `name` of this node, if it has one.
    pub(super) fn field(&self, name: &str) -> Option<&Tree> {
        match self {
            Self::Fields(fields) => fields.get(name),
            Self::Leaf(_) | Self::List(_) => None,
        }
    }

    /// Every error code in the tree that is not 0, in order of appearance.
    pub(super) fn errors(&self) -> Vec<i16> {
        self.flat()
            .into_iter()
            .filter(|(path, _)| path.rsplit('.').next().is_some_and(|field| field.ends_with("error_code")))
            .filter_map(|(_, value)| value.parse().ok())
            .filter(|code| *code != 0)
            .collect()
    }
}

/// Recursive descent over debug output.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), Unreadable> {
        if self.take(token) { Ok(()) } else { Err(Unreadable(self.at)) }
    }

    fn value(&mut self, depth: usize) -> Result<Tree, Unreadable> {
        if depth > DEPTH_MAX {
            return Err(Unreadable(self.at));
        }
        if self.take("[") {
            return self.list("]", depth);
        }
        if self.take("{") {
            return self.map(depth);
        }
        if self.rest().starts_with('"') || self.rest().starts_with("b\"") {
            return self.text();
        }
        let word = self.word();
        if self.take("(") {
            // `Some(x)` and newtypes are what they hold.
            let inner = self.value(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take(" { ") {
            return self.fields(depth);
        }
        if word.is_empty() { Err(Unreadable(self.at)) } else { Ok(Tree::leaf(word)) }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find([',', ' ', ')', ']', '}', '(', ':']).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A text or bytes literal, quotes and escapes kept as printed.
    fn text(&mut self) -> Result<Tree, Unreadable> {
        let rest = self.rest();
        let open = rest.find('"').ok_or(Unreadable(self.at))?;
        let mut escaped = false;
        for (index, letter) in rest.char_indices().skip_while(|(index, _)| *index <= open) {
            match letter {
                '\\' if !escaped => escaped = true,
                '"' if !escaped => {
                    self.at += index + 1;
                    return Ok(Tree::leaf(rest.get(..=index).unwrap_or_default()));
                }
                _ => escaped = false,
            }
        }
        Err(Unreadable(self.at))
    }

    fn list(&mut self, end: &str, depth: usize) -> Result<Tree, Unreadable> {
        let mut elements = Vec::new();
        while !self.take(end) {
            if !elements.is_empty() {
                self.expect(", ")?;
            }
            elements.push(self.value(depth + 1)?);
        }
        Ok(Tree::List(elements))
    }

    fn map(&mut self, depth: usize) -> Result<Tree, Unreadable> {
        let mut fields = BTreeMap::new();
        while !self.take("}") {
            if !fields.is_empty() {
                self.expect(", ")?;
            }
            let Tree::Leaf(key) = self.value(depth + 1)? else { return Err(Unreadable(self.at)) };
            self.expect(": ")?;
            fields.insert(key, self.value(depth + 1)?);
        }
        Ok(Tree::Fields(fields))
    }

    fn fields(&mut self, depth: usize) -> Result<Tree, Unreadable> {
        let mut fields = BTreeMap::new();
        while !self.take(" }") {
            if !fields.is_empty() {
                self.expect(", ")?;
            }
            let name = self.word().to_owned();
            self.expect(": ")?;
            fields.insert(name, self.value(depth + 1)?);
        }
        Ok(Tree::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[derive(Debug)]
    struct Inner {
        #[allow(dead_code, reason = "read by its debug output")]
        error_code: i16,
        #[allow(dead_code, reason = "read by its debug output")]
        name: Option<&'static str>,
    }

    #[derive(Debug)]
    struct Outer {
        #[allow(dead_code, reason = "read by its debug output")]
        parts: Vec<Inner>,
        #[allow(dead_code, reason = "read by its debug output")]
        none: Option<i32>,
        #[allow(dead_code, reason = "read by its debug output")]
        bytes: Bytes,
        #[allow(dead_code, reason = "read by its debug output")]
        tags: BTreeMap<i32, Bytes>,
        #[allow(dead_code, reason = "read by its debug output")]
        empty: Vec<i32>,
    }

    #[test]
    fn every_field_of_a_value_is_found_at_its_path() {
        let outer = Outer {
            parts: vec![
                Inner { error_code: 0, name: None },
                Inner { error_code: 3, name: Some("a \"b\", { c: [1) }") },
            ],
            none: None,
            bytes: Bytes::from_static(b"\x00\"]\\"),
            tags: BTreeMap::from([(1, Bytes::from_static(b"x"))]),
            empty: vec![],
        };
        let tree = Tree::of(&outer).unwrap();
        let flat = tree.flat();
        let want = [
            ("bytes", r#"b"\0\"]\\""#),
            ("empty", "[]"),
            ("none", "None"),
            ("parts[0].error_code", "0"),
            ("parts[0].name", "None"),
            ("parts[1].error_code", "3"),
            ("parts[1].name", r#""a \"b\", { c: [1) }""#),
            ("tags.1", r#"b"x""#),
        ];
        let got: Vec<_> = flat.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        assert_eq!(got, want);
        assert_eq!(tree.errors(), [3]);
    }

    #[test]
    fn torn_text_is_refused() {
        for text in ["", "A { b: ", "[1, ", "\"abc", "A { b: 1 } x"] {
            struct Raw(&'static str);
            impl Debug for Raw {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(self.0)
                }
            }
            assert!(Tree::of(&Raw(text)).is_err(), "{text}");
        }
    }
}

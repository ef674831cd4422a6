//! Names of topics and groups by pattern.
//!
//! A glob (`*` any run, `?` one character, the whole name must match) or, after `re:`, a regular expression
//! over the whole name. The engine is linear in the name's length, whatever the expression.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;
/// Largest compiled expression, in bytes.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// A set of names.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Glob(Vec<char>),
    Regex(Regex),
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It matches nothing.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("is longer than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// It is not a regular expression, or too large a one.
    #[error("is not a usable regular expression: {0}")]
    Regex(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`], in words that fit after the key.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let kind = match text.strip_prefix("re:") {
            Some("") => return Err(PatternError::Empty),
            Some(expression) => Kind::Regex(compile(expression)?),
            None if text.is_empty() => return Err(PatternError::Empty),
            None => Kind::Glob(text.chars().collect()),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Glob(glob) => overlap(glob, &name.chars().collect::<Vec<_>>(), false),
            Kind::Regex(regex) => regex.is_match(name),
        }
    }

    /// The one name it matches, if it has no wildcard.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &self.kind {
            Kind::Glob(glob) if !glob.iter().any(|c| matches!(c, '*' | '?')) => Some(&self.text),
            Kind::Glob(_) | Kind::Regex(_) => None,
        }
    }

    /// Whether a name can match both; `None` where that cannot be told (a regular expression against
    /// another pattern with wildcards).
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> Option<bool> {
        if let Some(name) = self.literal() {
            return Some(other.matches(name));
        }
        if let Some(name) = other.literal() {
            return Some(self.matches(name));
        }
        match (&self.kind, &other.kind) {
            (Kind::Glob(left), Kind::Glob(right)) => Some(overlap(left, right, true)),
            (Kind::Regex(_), _) | (_, Kind::Regex(_)) => (self.text == other.text).then_some(true),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn compile(expression: &str) -> Result<Regex, PatternError> {
    // The expression must stand on its own before it is wrapped: `a)|(b` would otherwise become legal.
    let build = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|error| PatternError::Regex(error.to_string()))
    };
    build(expression)?;
    build(&format!("^(?:{expression})$"))
}

/// Whether some text matches both globs; with `wild` false the right one is plain text. Cells of the table
/// say whether the first i and j characters can match the same text, so the cost is the product of the
/// lengths.
fn overlap(left: &[char], right: &[char], wild: bool) -> bool {
    let star = |c: char, is_left: bool| c == '*' && (is_left || wild);
    let one = |c: char, is_left: bool| c == '?' && (is_left || wild);
    let mut row: Vec<bool> = Vec::with_capacity(right.len() + 1);
    row.push(true);
    for b in right {
        let before = row.last().copied().unwrap_or_default();
        row.push(before && star(*b, false));
    }
    for a in left {
        let mut next = Vec::with_capacity(row.len());
        next.push(row.first().copied().unwrap_or_default() && star(*a, true));
        for (b, pair) in right.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { return false };
            let beside = next.last().copied().unwrap_or_default();
            next.push(if star(*a, true) || star(*b, false) {
                *above || beside
            } else {
                *diagonal && (a == b || one(*a, true) || one(*b, false))
            });
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match() {
        for (pattern, name, expected) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("orders.*", "orders.eu", true),
            ("orders.*", "orders.", true),
            ("orders.*", "ordersXeu", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a*", "a*b?", true),
            ("re:orders\\.(eu|us)", "orders.eu", true),
            ("re:orders\\.(eu|us)", "xorders.eu", false),
            ("re:a|b", "ab", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn overlaps_are_found_between_globs() {
        for (left, right, expected) in [
            ("orders.*", "*.eu", Some(true)),
            ("orders.*", "bills.*", Some(false)),
            ("a?", "?b", Some(true)),
            ("a?", "?bc", Some(false)),
            ("*", "re:x+", None),
            ("re:x+", "re:x+", Some(true)),
            ("xxx", "re:x+", Some(true)),
            ("re:x+", "y", Some(false)),
        ] {
            let parse = |text| Pattern::parse(text).unwrap();
            assert_eq!(parse(left).overlaps(&parse(right)), expected, "{left} {right}");
            assert_eq!(parse(right).overlaps(&parse(left)), expected, "{right} {left}");
        }
    }

    #[test]
    fn unusable_patterns_are_refused() {
        for text in ["", "re:", "re:(", "re:a)|(b", "re:((x{1000}){1000}){1000}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert_eq!(Pattern::parse(&"x".repeat(2000)).unwrap_err(), PatternError::TooLong);
    }
}

//! How deep brackets nest: the parser's time grows with the square of it, so it is looked at first.

use std::ops::Range;

/// Arrays and inline tables within each other; the keys that there are need two.
const DEPTH_MAX: usize = 16;

/// Where brackets nest deeper than any configuration needs. Strings and comments do not count.
pub(crate) fn too_deep(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some((byte, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) {
        match byte {
            b'#' => at += rest.iter().take_while(|byte| **byte != b'\n').count(),
            b'"' | b'\'' => at += string_length(*byte, rest),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Some(at..at + 1);
        }
        at += 1;
    }
    None
}

/// How many bytes of `rest` belong to the string that `quote` before it begins.
fn string_length(quote: u8, rest: &[u8]) -> usize {
    let long = rest.starts_with(&[quote; 2]);
    let (mut at, end): (usize, &[u8]) = if long { (2, &[quote; 3]) } else { (0, &[quote]) };
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        match left.first() {
            Some(b'\\') if quote == b'"' => at += 1,
            Some(b'\n') if !long => return at,
            _ if left.starts_with(end) => return at + end.len(),
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_nest_as_deep_as_a_configuration_needs_and_no_deeper() {
        let deep = |count: usize| format!("a = {}1{}\n", "[".repeat(count), "]".repeat(count));
        assert_eq!(too_deep(&deep(DEPTH_MAX)), None);
        assert_eq!(too_deep(&deep(DEPTH_MAX + 1)), Some(4 + DEPTH_MAX..5 + DEPTH_MAX));
        assert!(too_deep(&format!("a = {}", "{b=[".repeat(20_000))).is_some());
        assert_eq!(too_deep(&deep(2).repeat(100)), None);
    }

    #[test]
    fn brackets_in_strings_and_comments_are_text() {
        let many = "[".repeat(100);
        for text in [
            format!("# {many}\na = 1"),
            format!("a = \"{many}\""),
            format!("a = \"\\\"{many}\""),
            format!("a = '{many}\\'"),
            format!("a = \"\"\"\n\"{many}\n\"\"\""),
            format!("a = '''\n''{many}\n'''"),
        ] {
            assert_eq!(too_deep(&text), None, "{text}");
            assert!(too_deep(&format!("{text}\nb = {many}")).is_some(), "{text}");
        }
    }
}

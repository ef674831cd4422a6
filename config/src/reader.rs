//! Reads typed values out of a parsed document and gathers every problem on the way.
//!
//! A [`Section`] remembers which keys were asked for; what is left at its end is unknown. Every key's place
//! is kept, so that checks across sections can point at what they complain about.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Problem, Severity};

/// Most problems that are reported; a file with more is not a configuration.
const PROBLEMS_MAX: usize = 100;

/// Gathers problems, and the place of every key.
pub(crate) struct Report<'t> {
    text: &'t str,
    found: RefCell<Vec<(usize, Problem)>>,
    places: RefCell<BTreeMap<String, Range<usize>>>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, found: RefCell::default(), places: RefCell::default() }
    }

    pub(crate) fn syntax(&self, message: &str, span: Option<Range<usize>>) {
        self.add(Severity::Error, "", span.unwrap_or_default(), message.to_owned(), None);
    }

    /// A problem with what stands at a full key.
    pub(crate) fn error(&self, key: &str, message: String, help: Option<String>) {
        self.add(Severity::Error, key, self.place(key), message, help);
    }

    /// Something legal that is probably not meant.
    pub(crate) fn warn(&self, key: &str, message: String, help: Option<String>) {
        self.add(Severity::Warning, key, self.place(key), message, help);
    }

    /// Where a key stands, or what it would stand in.
    fn place(&self, key: &str) -> Range<usize> {
        let places = self.places.borrow();
        let mut key = key;
        loop {
            if let Some(place) = places.get(key) {
                return place.clone();
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = key.get(..end).unwrap_or_default(),
                None => return 0..0,
            }
        }
    }

    fn remember(&self, key: &str, span: Range<usize>) {
        self.places.borrow_mut().insert(key.to_owned(), span);
    }

    fn add(&self, severity: Severity, key: &str, span: Range<usize>, message: String, help: Option<String>) {
        let mut found = self.found.borrow_mut();
        if found.len() < PROBLEMS_MAX {
            let start = span.start;
            found.push((start, self.locate(severity, key, span, message, help)));
        }
    }

    fn locate(
        &self,
        severity: Severity,
        key: &str,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> Problem {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line_text = rest.lines().next().unwrap_or_default();
        let marked = self.text.get(span).unwrap_or_default().lines().next().unwrap_or_default();
        Problem {
            severity,
            key: key.to_owned(),
            message,
            help,
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            width: marked.chars().count().max(1),
            text: veiled(line_text, key.contains(".link")),
        }
    }

    /// Errors and warnings, each in order of appearance.
    pub(crate) fn into_problems(self) -> (Vec<Problem>, Vec<Problem>) {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(start, _)| *start);
        found.into_iter().map(|(_, problem)| problem).partition(|problem| problem.severity == Severity::Error)
    }
}

/// One table, being read.
pub(crate) struct Section<'r, 't> {
    report: &'r Report<'t>,
    path: String,
    table: &'r DeTable<'r>,
    asked: BTreeSet<&'static str>,
}

impl<'r, 't> Section<'r, 't> {
    pub(crate) fn root(report: &'r Report<'t>, table: &'r DeTable<'r>) -> Self {
        Self { report, path: String::new(), table, asked: BTreeSet::new() }
    }

    /// The full key of a key of this table.
    pub(crate) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A problem with a key of this table.
    pub(crate) fn error(&self, key: &str, message: String) {
        self.report.error(&self.key(key), message, None);
    }

    fn value(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.asked.insert(key);
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        self.report.remember(&self.key(key), value.span());
        Some(value)
    }

    fn wrong_type(&self, key: &str, wanted: &str) {
        self.error(key, format!("must be {wanted}"));
    }

    /// A table, e.g. `[kernel]`.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Section<'r, 't>> {
        let value = self.value(key)?;
        self.open(self.key(key), value)
    }

    /// An array of tables, e.g. `[[cluster]]`.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Section<'r, 't>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.error(key, format!("must be written [[{}]]", self.key(key)));
            return Vec::new();
        };
        let path = self.key(key);
        array.iter().enumerate().filter_map(|(at, one)| self.open(format!("{path}[{at}]"), one)).collect()
    }

    fn open(&self, path: String, value: &'r Spanned<DeValue<'r>>) -> Option<Section<'r, 't>> {
        self.report.remember(&path, value.span());
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Section { report: self.report, path, table, asked: BTreeSet::new() });
        }
        self.report.error(&path, "must be a table".to_owned(), None);
        None
    }

    /// Whether a key is there, whatever stands behind it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// A problem with the table as a whole.
    pub(crate) fn lacks(&self, message: &str) {
        self.report.error(&self.path, message.to_owned(), None);
    }

    /// A string.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, "a string");
        }
        text.map(str::to_owned)
    }

    /// A string that must be there.
    pub(crate) fn required(&mut self, key: &'static str) -> Option<String> {
        if self.value(key).is_none() {
            self.report.error(&self.path, format!("lacks the key `{key}`"), None);
        }
        self.string(key)
    }

    /// A string that `parse` understands.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.string(key)?;
        parse(&text).map_err(|message| self.error(key, message)).ok()
    }

    /// Strings that `parse` understands; a problem names the element.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(key, "an array of strings");
            return None;
        };
        let mut list = Vec::with_capacity(array.len());
        for (at, element) in array.iter().enumerate() {
            let path = format!("{}[{at}]", self.key(key));
            self.report.remember(&path, element.span());
            match element.get_ref().as_str().ok_or_else(|| "must be a string".to_owned()).and_then(&parse) {
                Ok(one) => list.push(one),
                Err(message) => self.report.error(&path, message, None),
            }
        }
        Some(list)
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(key)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.error(key, format!("must be one of {}", words.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// A whole number within bounds.
    pub(crate) fn integer(&mut self, key: &'static str, within: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| within.contains(number));
        if number.is_none() {
            self.error(key, format!("must lie between {} and {}", within.start(), within.end()));
        }
        number
    }

    /// As [`Section::integer`], for narrower types.
    pub(crate) fn narrow<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        within: RangeInclusive<u64>,
    ) -> Option<T> {
        self.integer(key, within).and_then(|number| T::try_from(number).ok())
    }

    /// Sets `target` if the key is there and within bounds.
    pub(crate) fn set<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        within: RangeInclusive<u64>,
        target: &mut T,
    ) {
        if let Some(number) = self.narrow(key, within) {
            *target = number;
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false");
        }
        flag
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(&mut self) {
        for (name, _) in self.table {
            let name_text = name.get_ref().as_ref();
            if !self.asked.contains(name_text) {
                let path = self.key(name_text);
                self.report.remember(&path, name.span());
                let help = self.nearest(name_text).map(|near| format!("did you mean `{near}`?"));
                let help = help.unwrap_or_else(|| format!("known here: {}", self.known()));
                self.report.error(&path, "unknown key".to_owned(), Some(help));
            }
        }
    }

    fn known(&self) -> String {
        self.asked.iter().copied().collect::<Vec<_>>().join(", ")
    }

    fn nearest(&self, name: &str) -> Option<&'static str> {
        let near = self.asked.iter().map(|known| (distance(name, known), *known)).min()?;
        (near.0 <= 2 || near.0 * 3 <= near.1.len()).then_some(near.1)
    }
}

/// A line as it may be shown. A secret is not, least of all because it is wrong, or because its key is misspelt:
/// on a line that speaks of one, or that belongs to a table with one, nothing behind the `=` is.
fn veiled(line: &str, among_secrets: bool) -> String {
    const WORDS: [&str; 4] = ["pass", "tok", "secret", "link"];
    let lower = line.to_ascii_lowercase();
    let Some((key, value)) = line.split_once('=') else { return line.to_owned() };
    let names_a_file = key.trim_end().ends_with("_file");
    if names_a_file || !(among_secrets || WORDS.iter().any(|word| lower.contains(word))) {
        return line.to_owned();
    }
    let veil = |c: char| if c.is_whitespace() { c } else { '*' };
    format!("{key}={}", value.chars().map(veil).collect::<String>())
}

/// Number of single-character edits between two keys.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        let mut next = vec![last];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            last = (diagonal + usize::from(a != *b)).min(above + 1).min(last + 1);
            diagonal = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

//! The account: what became of every single value, from what clients said and nothing else.
//!
//! Each value is known by its producer and number. The account remembers where it lies, whether it was acknowledged
//! and which groups read it; a value seen at a second place, an offset with two values, an acknowledged value that a
//! group never read and a producer's order turned round are all found by looking at these marks. Memory is bounded
//! by [`VALUES_MAX`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::line::Line;
use super::timeline::{Fence, Timeline};

/// Most values that one account holds; the demo ends with an error before it would judge a part of them.
pub const VALUES_MAX: usize = 4_000_000;
/// Examples kept of what is wrong.
const EXAMPLES_MAX: usize = 10;
/// Most groups that an account tells apart.
const GROUPS_MAX: usize = 6;

const ACKNOWLEDGED: u8 = 1;
const REPEATED: u8 = 2;

/// What is known of one value.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Index of its partition, `u16::MAX` for not known yet.
    place: u16,
    flags: u8,
    offset: i64,
}

impl Mark {
    const NEW: Self = Self { place: u16::MAX, flags: 0, offset: -1 };
}

#[derive(Debug, Default)]
struct Producer {
    idempotent: bool,
    /// Its values were there before the demo began: they must be read, but are no part of the figures.
    seed: bool,
    marks: Vec<Mark>,
}

/// The last word on a demo's values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// Values acknowledged.
    pub acknowledged: u64,
    /// Values read by every group.
    pub delivered: u64,
    /// Values acknowledged that a group never read.
    pub lost: u64,
    /// Values of idempotent producers at two places.
    pub duplicated: u64,
    /// Values at two places from producers that do not promise otherwise.
    pub duplicated_allowed: u64,
    /// Reads of a record that the group had read before.
    pub redelivered: u64,
    /// Values that lie before an earlier value of their producer in the same partition.
    pub reordered: u64,
    /// Offsets at which two values were seen, and values that nobody sent.
    pub contradictions: u64,
    /// What clients would have told their applications.
    pub client_errors: u64,
    /// The first of everything that is wrong, in words.
    pub examples: Vec<String>,
}

/// Counts what clients say.
#[derive(Debug)]
pub struct Account {
    groups: Vec<String>,
    producers: BTreeMap<String, Producer>,
    places: Vec<(String, i32)>,
    /// By partition: which value lies at an offset, as producer's name and number.
    logs: Vec<BTreeMap<i64, (u16, u32)>>,
    names: Vec<String>,
    values: usize,
    unread: Vec<u64>,
    acknowledged: u64,
    delivered: u64,
    redelivered: u64,
    duplicated: u64,
    duplicated_allowed: u64,
    contradictions: u64,
    client_errors: u64,
    rebalances: u64,
    examples: Vec<String>,
    timeline: Timeline,
    /// Partitions that each member has.
    owned: BTreeMap<(String, String), usize>,
    overflow: bool,
}

impl Account {
    /// An empty account for these groups (at most six).
    #[must_use]
    pub fn new(groups: &[String]) -> Self {
        let groups: Vec<String> = groups.iter().take(GROUPS_MAX).cloned().collect();
        Self {
            unread: vec![0; groups.len()],
            groups,
            producers: BTreeMap::new(),
            places: Vec::new(),
            logs: Vec::new(),
            names: Vec::new(),
            values: 0,
            acknowledged: 0,
            delivered: 0,
            redelivered: 0,
            duplicated: 0,
            duplicated_allowed: 0,
            contradictions: 0,
            client_errors: 0,
            rebalances: 0,
            examples: Vec::new(),
            timeline: Timeline::default(),
            owned: BTreeMap::new(),
            overflow: false,
        }
    }

    /// Names a producer whose values were there before.
    pub fn seed(&mut self, client: &str) {
        self.producers.entry(client.to_owned()).or_default().seed = true;
    }

    /// Values that were there before the demo began, and must be read.
    #[must_use]
    pub fn seeded(&self) -> usize {
        let seeds = self.producers.values().filter(|producer| producer.seed);
        seeds.flat_map(|producer| &producer.marks).filter(|mark| mark.flags & ACKNOWLEDGED != 0).count()
    }

    /// Takes one line of a client.
    pub fn take(&mut self, line: &Line) {
        match line {
            Line::Start { client, idempotent, role, .. } if role == "produce" => {
                self.producers.entry(client.clone()).or_default().idempotent = *idempotent;
            }
            Line::Ack { client, seq, topic, partition, offset, node, t_ms, .. } => {
                self.acknowledge(client, *seq, (topic, *partition), *offset, (*node, *t_ms));
            }
            Line::Read { group, topic, partition, offset, value, .. } => {
                self.read(group, (topic, *partition), *offset, value);
            }
            Line::Rebalance { group, member, owned, .. } => {
                self.rebalances += 1;
                self.owned.insert((group.clone(), member.clone()), *owned);
            }
            Line::Error { error } => self.client_error(error),
            Line::Fail { value, error, .. } => self.example(&format!("{value} was given up: {error}")),
            Line::Start { .. } | Line::Note { .. } | Line::Done { .. } => {}
        }
    }

    /// Counts what a client would have told its application.
    pub fn client_error(&mut self, error: &str) {
        self.client_errors += 1;
        self.example(error);
    }

    fn example(&mut self, text: &str) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text.to_owned());
        }
    }

    /// Begins a phase.
    pub fn begin_phase(&mut self, name: &str, now_ms: u64) {
        self.timeline.begin_phase(name, now_ms);
    }

    /// When what was acknowledged, phase by phase, fence by fence.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Values acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// By group: acknowledged values that it has not read yet.
    pub fn unread(&self) -> impl Iterator<Item = (&str, u64)> {
        self.groups.iter().map(String::as_str).zip(self.unread.iter().copied())
    }

    /// Whether every group has read every acknowledged value.
    #[must_use]
    pub fn drained(&self) -> bool {
        self.unread.iter().all(|unread| *unread == 0)
    }

    /// Client errors so far.
    #[must_use]
    pub fn client_errors(&self) -> u64 {
        self.client_errors
    }

    /// Changes of assignment so far, by topic and member.
    #[must_use]
    pub fn rebalances(&self) -> u64 {
        self.rebalances
    }

    /// Partitions that the members of a group have, as they last said, and how many members said it.
    #[must_use]
    pub fn owned(&self, group: &str) -> (usize, usize) {
        let of = self.owned.iter().filter(|((of, _), _)| of == group).map(|(_, owned)| *owned);
        of.fold((0, 0), |(partitions, members), owned| (partitions + owned, members + 1))
    }

    /// Whether there were more values than the account can hold.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflow
    }

    fn acknowledge(
        &mut self,
        client: &str,
        seq: u64,
        place: (&str, i32),
        offset: i64,
        (node, t_ms): (i32, u64),
    ) {
        let place = self.place(place);
        let seed = self.producers.get(client).is_some_and(|producer| producer.seed);
        if !seed {
            self.timeline.acknowledged(usize::from(place), node, t_ms);
        }
        if offset >= 0 {
            self.lies_at(client, seq, place, offset);
        }
        let groups = self.groups.len();
        let Some(mark) = self.mark(client, seq) else { return };
        if mark.flags & ACKNOWLEDGED != 0 {
            return;
        }
        mark.flags |= ACKNOWLEDGED;
        let flags = mark.flags;
        for group in (0..groups).filter(|group| flags & group_bit(*group) == 0) {
            if let Some(unread) = self.unread.get_mut(group) {
                *unread += 1;
            }
        }
        if !seed {
            self.acknowledged += 1;
        }
    }

    fn read(&mut self, group: &str, place: (&str, i32), offset: i64, value: &str) {
        let Some(index) = self.groups.iter().position(|known| known == group) else { return };
        let known = value.split_once(':').and_then(|(client, seq)| Some((client, seq.parse().ok()?)));
        let Some((client, seq)) = known.filter(|(client, _)| self.producers.contains_key(*client)) else {
            self.contradictions += 1;
            return self.example(&format!("{}-{} at {offset}: {value} was never sent", place.0, place.1));
        };
        let place = self.place(place);
        let first_place = self.lies_at(client, seq, place, offset);
        let all = (0..self.groups.len()).fold(0, |all, group| all | group_bit(group));
        let seed = self.producers.get(client).is_some_and(|producer| producer.seed);
        let Some(mark) = self.mark(client, seq) else { return };
        if mark.flags & group_bit(index) != 0 {
            self.redelivered += u64::from(first_place);
            return;
        }
        mark.flags |= group_bit(index);
        let flags = mark.flags;
        self.delivered += u64::from(flags & all == all && !seed);
        if flags & ACKNOWLEDGED != 0
            && let Some(unread) = self.unread.get_mut(index)
        {
            *unread -= 1;
        }
    }

    /// Enters where a value was seen; false if it lies somewhere else already.
    fn lies_at(&mut self, client: &str, seq: u64, place: u16, offset: i64) -> bool {
        self.offset_holds(client, seq, place, offset);
        let idempotent = self.producers.get(client).is_some_and(|producer| producer.idempotent);
        let Some(mark) = self.mark(client, seq) else { return true };
        if mark.place == u16::MAX {
            (mark.place, mark.offset) = (place, offset);
            return true;
        }
        if (mark.place, mark.offset) == (place, offset) {
            return true;
        }
        let (first, repeated) = (*mark, mark.flags & REPEATED != 0);
        mark.flags |= REPEATED;
        if repeated {
            return false;
        }
        if !idempotent {
            self.duplicated_allowed += 1;
            return false;
        }
        self.duplicated += 1;
        let text = format!(
            "{client}:{seq:06} lies in {} at {} and in {} at {offset}",
            self.shown(first.place),
            first.offset,
            self.shown(place)
        );
        self.example(&text);
        false
    }

    fn offset_holds(&mut self, client: &str, seq: u64, place: u16, offset: i64) {
        let name = match self.names.iter().position(|name| name == client) {
            Some(name) => name,
            None => {
                self.names.push(client.to_owned());
                self.names.len() - 1
            }
        };
        let value = (u16::try_from(name).unwrap_or(u16::MAX), u32::try_from(seq).unwrap_or(u32::MAX));
        let Some(log) = self.logs.get_mut(usize::from(place)) else { return };
        let held = *log.entry(offset).or_insert(value);
        if held != value {
            self.contradictions += 1;
            let other = self.names.get(usize::from(held.0)).cloned().unwrap_or_default();
            let text =
                format!("{} at {offset}: {client}:{seq:06} and {other}:{:06}", self.shown(place), held.1);
            self.example(&text);
        }
    }

    fn mark(&mut self, client: &str, seq: u64) -> Option<&mut Mark> {
        let producer = self.producers.entry(client.to_owned()).or_default();
        let index = usize::try_from(seq).unwrap_or(usize::MAX);
        let missing = index.saturating_add(1).saturating_sub(producer.marks.len());
        if self.values.saturating_add(missing) > VALUES_MAX {
            self.overflow = true;
            return None;
        }
        self.values += missing;
        if missing > 0 {
            producer.marks.resize(index + 1, Mark::NEW);
        }
        producer.marks.get_mut(index)
    }

    fn place(&mut self, (topic, partition): (&str, i32)) -> u16 {
        let known = self.places.iter().position(|(name, number)| name == topic && *number == partition);
        let index = known.unwrap_or_else(|| {
            self.places.push((topic.to_owned(), partition));
            self.logs.push(BTreeMap::new());
            self.places.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX - 1)
    }

    fn shown(&self, place: u16) -> String {
        self.places
            .get(usize::from(place))
            .map_or_else(|| "?".to_owned(), |(topic, partition)| format!("{topic}-{partition}"))
    }

    /// Every change of leader that clients saw, oldest first.
    #[must_use]
    pub fn fences(&self) -> Vec<Fence> {
        self.timeline.fences()
    }

    /// Judges everything. Values not yet read count as lost: drain first.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut verdict = Verdict {
            acknowledged: self.acknowledged,
            delivered: self.delivered,
            duplicated: self.duplicated,
            duplicated_allowed: self.duplicated_allowed,
            redelivered: self.redelivered,
            contradictions: self.contradictions,
            client_errors: self.client_errors,
            examples: self.examples.clone(),
            ..Verdict::default()
        };
        let all = (0..self.groups.len()).fold(0, |all, group| all | group_bit(group));
        for (client, producer) in &self.producers {
            let mut last: BTreeMap<u16, i64> = BTreeMap::new();
            for (seq, mark) in producer.marks.iter().enumerate() {
                if mark.flags & ACKNOWLEDGED != 0 && mark.flags & all != all {
                    verdict.lost += 1;
                    self.tell(&mut verdict, client, seq, mark, "was acknowledged and a group never read it");
                }
                if mark.place == u16::MAX {
                    continue;
                }
                let highest = last.entry(mark.place).or_insert(mark.offset);
                if mark.offset < *highest {
                    verdict.reordered += 1;
                    self.tell(&mut verdict, client, seq, mark, "lies before an earlier value");
                }
                *highest = mark.offset.max(*highest);
            }
        }
        verdict
    }

    fn tell(&self, verdict: &mut Verdict, client: &str, seq: usize, mark: &Mark, what: &str) {
        if verdict.examples.len() < 2 * EXAMPLES_MAX {
            let place = self.shown(mark.place);
            verdict.examples.push(format!("{client}:{seq:06} ({place} at {}) {what}", mark.offset));
        }
    }
}

fn group_bit(group: usize) -> u8 {
    4_u8.checked_shl(u32::try_from(group).unwrap_or(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;

//! Answers in the order of their requests: the one promise that Kafka makes per connection.

use std::collections::VecDeque;

use bytes::Bytes;

/// Names a request of this connection, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SlotId(pub(super) u64);

/// The answers that are outstanding, oldest first.
#[derive(Debug, Default)]
pub(super) struct Slots {
    first: u64,
    answers: VecDeque<Slot>,
    bytes: usize,
    fetches: usize,
    answered: usize,
}

/// One request of a client.
#[derive(Debug, Default)]
struct Slot {
    answer: Option<Vec<Bytes>>,
    /// Memory that the request takes until it is answered, where it is kept here.
    bytes: usize,
    is_fetch: bool,
}

impl Slots {
    /// Opens a slot for the next request.
    pub(super) fn open(&mut self) -> SlotId {
        let id = self.next();
        self.answers.push_back(Slot::default());
        id
    }

    fn slot(&mut self, id: SlotId) -> Option<&mut Slot> {
        let index = id.0.checked_sub(self.first).and_then(|index| usize::try_from(index).ok())?;
        self.answers.get_mut(index)
    }

    /// Fills a slot; an empty answer means that none is sent. A slot that is gone is ignored.
    pub(super) fn fill(&mut self, id: SlotId, answer: Vec<Bytes>) {
        if let Some(slot) = self.slot(id) {
            let added = size(&answer);
            let replaced = slot.answer.replace(answer).as_deref().map_or(0, size);
            self.answered = (self.answered + added).saturating_sub(replaced);
        }
    }

    /// The request of this slot is kept here, for it is served here or goes to the kernel as well: until its answer
    /// leaves, it and the answer take memory.
    pub(super) fn charge(&mut self, id: SlotId, bytes: usize, is_fetch: bool) {
        if let Some(slot) = self.slot(id) {
            slot.bytes = slot.bytes.saturating_add(bytes);
            let newly = is_fetch && !std::mem::replace(&mut slot.is_fetch, is_fetch);
            self.bytes = self.bytes.saturating_add(bytes);
            self.fetches += usize::from(newly);
        }
    }

    /// Memory of the requests that are kept here.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the answers that wait for one before them.
    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    /// Fetches that are served here.
    pub(super) fn fetches(&self) -> usize {
        self.fetches
    }

    /// The oldest answer, if it has come.
    pub(super) fn take_ready(&mut self) -> Option<(SlotId, Vec<Bytes>)> {
        let slot = self.answers.pop_front_if(|slot| slot.answer.is_some())?;
        let id = SlotId(self.first);
        self.first += 1;
        self.bytes = self.bytes.saturating_sub(slot.bytes);
        self.fetches = self.fetches.saturating_sub(usize::from(slot.is_fetch));
        let answer = slot.answer?;
        self.answered = self.answered.saturating_sub(size(&answer));
        Some((id, answer))
    }

    /// The slot that is opened next.
    pub(super) fn next(&self) -> SlotId {
        SlotId(self.first + self.answers.len() as u64)
    }

    /// Requests without an answer that was sent.
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }
}

fn size(answer: &[Bytes]) -> usize {
    answer.iter().map(Bytes::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_in_the_order_of_their_requests() {
        let mut slots = Slots::default();
        let (first, second) = (slots.open(), slots.open());
        slots.fill(second, vec![Bytes::from_static(b"2")]);
        assert!(slots.take_ready().is_none());
        assert_eq!(slots.answered(), 1);
        slots.fill(first, vec![]);
        assert_eq!(slots.take_ready(), Some((first, vec![])));
        assert_eq!(slots.take_ready(), Some((second, vec![Bytes::from_static(b"2")])));
        assert_eq!((slots.len(), slots.answered()), (0, 0));
    }

    #[test]
    fn what_is_served_here_counts_until_its_answer_leaves() {
        let mut slots = Slots::default();
        let (first, second) = (slots.open(), slots.open());
        slots.charge(second, 100, true);
        slots.charge(second, 10, true);
        slots.fill(second, vec![]);
        assert_eq!((slots.take_ready(), slots.bytes(), slots.fetches()), (None, 110, 1));
        slots.fill(first, vec![]);
        assert!(slots.take_ready().is_some());
        assert!(slots.take_ready().is_some());
        assert_eq!((slots.bytes(), slots.fetches()), (0, 0));
        slots.charge(first, 100, true);
        assert_eq!((slots.bytes(), slots.fetches()), (0, 0), "it is gone");
    }
}

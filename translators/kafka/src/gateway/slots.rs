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
    answers: VecDeque<Option<Vec<Bytes>>>,
}

impl Slots {
    /// Opens a slot for the next request.
    pub(super) fn open(&mut self) -> SlotId {
        let id = SlotId(self.first + self.answers.len() as u64);
        self.answers.push_back(None);
        id
    }

    /// Fills a slot; an empty answer means that none is sent. A slot that is gone is ignored.
    pub(super) fn fill(&mut self, id: SlotId, answer: Vec<Bytes>) {
        let index = id.0.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(slot) = index.and_then(|index| self.answers.get_mut(index)) {
            *slot = Some(answer);
        }
    }

    /// The oldest answer, if it has come.
    pub(super) fn take_ready(&mut self) -> Option<Vec<Bytes>> {
        self.answers.front()?.as_ref()?;
        self.first += 1;
        self.answers.pop_front().flatten()
    }

    /// Requests without an answer that was sent.
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }
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
        slots.fill(first, vec![]);
        assert_eq!(slots.take_ready(), Some(vec![]));
        assert_eq!(slots.take_ready(), Some(vec![Bytes::from_static(b"2")]));
        assert_eq!(slots.len(), 0);
    }
}

//! Leader epochs as clients see them, and as legacy counts them.
//!
//! A partition that changes sides needs epochs that only grow, and legacy cannot be told to count on from where
//! the kernel was. So clients see *virtual* epochs. Before the first handover they are legacy's own (*real*)
//! ones; the kernel leads, and stores, under virtual ones only; behind a way back legacy's are shifted.
//!
//! ```text
//!  offsets   0 ─────────── 100 ─────────── 250 ───────────►
//!  span      legacy, +0    kernel          legacy, +198
//!  virtual   0 … 7         107             207, 208, …
//!  real      0 … 7         (7, 8, 9)       9, 10, …        the reverse feed writes under legacy's own
//! ```
//!
//! One [`EpochTable`] for each partition, rebuilt from the ledger. Spans are only ever added at its end, so what
//! was translated once is translated the same way for ever.

mod batches;
#[cfg(test)]
mod tests;

pub use batches::{is_patched, patch_batches};

/// Who led during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// Legacy: virtual = real + shift.
    Legacy {
        /// What its own epochs are raised by.
        shift: i32,
    },
    /// The kernel, under the span's first epoch.
    Kernel,
}

/// A stretch of a partition's log that one side led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First virtual epoch.
    pub first: i32,
    /// First offset.
    pub start: u64,
    /// Who led.
    pub leads: Leads,
}

/// Why a span cannot follow the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// Epochs only grow.
    #[error("epoch {first} does not lie above {last}")]
    NotAbove {
        /// Of the new span.
        first: i32,
        /// Of the span before.
        last: i32,
    },
    /// A log is led by the next side from its end on.
    #[error("offset {start} lies before {last}")]
    Backwards {
        /// Of the new span.
        start: u64,
        /// Of the span before.
        last: u64,
    },
    /// The side leads already.
    #[error("the side leads already")]
    LeadsAlready,
    /// It is not known which epoch legacy was in.
    #[error("legacy's own epoch is not known")]
    RealUnknown,
}

/// What a virtual epoch that a client names is to legacy, which serves the partition now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Legacy's own epoch (negative: the client named none).
    Real(i32),
    /// Of a leadership that is over: FENCED_LEADER_EPOCH.
    Fenced,
    /// Of a leadership that legacy does not have: UNKNOWN_LEADER_EPOCH.
    Unknown,
}

/// The spans of one partition, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochTable {
    spans: Vec<Span>,
}

impl Default for EpochTable {
    /// Legacy has always led: virtual epochs are its own.
    fn default() -> Self {
        Self { spans: vec![Span { first: 0, start: 0, leads: Leads::Legacy { shift: 0 } }] }
    }
}

impl EpochTable {
    /// The kernel leads under `epoch` from `start` on.
    ///
    /// # Errors
    ///
    /// [`EpochError`]: it contradicts the spans before, and nothing was changed.
    pub fn kernel_leads(&mut self, epoch: i32, start: u64) -> Result<(), EpochError> {
        self.push(Span { first: epoch, start, leads: Leads::Kernel })
    }

    /// Legacy leads again from `start` on: what it calls `real` now is `epoch` to clients.
    ///
    /// # Errors
    ///
    /// [`EpochError`]: it contradicts the spans before, and nothing was changed.
    pub fn legacy_leads(&mut self, epoch: i32, start: u64, real: i32) -> Result<(), EpochError> {
        let shift = if real < 0 { None } else { epoch.checked_sub(real) };
        let shift = shift.ok_or(EpochError::RealUnknown)?;
        self.push(Span { first: epoch, start, leads: Leads::Legacy { shift } })
    }

    fn push(&mut self, span: Span) -> Result<(), EpochError> {
        let last = self.last();
        if span.first <= last.first {
            return Err(EpochError::NotAbove { first: span.first, last: last.first });
        }
        if span.start < last.start {
            return Err(EpochError::Backwards { start: span.start, last: last.start });
        }
        if (span.leads == Leads::Kernel) == (last.leads == Leads::Kernel) {
            return Err(EpochError::LeadsAlready);
        }
        self.spans.push(span);
        Ok(())
    }

    /// All spans, oldest first; never none.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether virtual epochs are legacy's own: no side has ever changed.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.spans.len() <= 1
    }

    fn get(&self, index: usize) -> Span {
        let identity = Span { first: 0, start: 0, leads: Leads::Legacy { shift: 0 } };
        self.spans.get(index).copied().unwrap_or(identity)
    }

    fn last(&self) -> Span {
        self.get(self.spans.len().saturating_sub(1))
    }

    /// The newest span in which legacy led, and its number.
    fn legacy_now(&self) -> (usize, i32) {
        let shifts = self.spans.iter().enumerate().rev();
        let mut legacy = shifts.filter_map(|(index, span)| match span.leads {
            Leads::Legacy { shift } => Some((index, shift)),
            Leads::Kernel => None,
        });
        legacy.next().unwrap_or((0, 0))
    }

    fn of_epoch(&self, epoch: i32) -> usize {
        self.spans.partition_point(|span| span.first <= epoch).saturating_sub(1)
    }

    fn of_offset(&self, offset: u64) -> usize {
        self.spans.partition_point(|span| span.start <= offset).saturating_sub(1)
    }

    /// The last epoch that a span may have: below the next one's first.
    fn ceiling(&self, index: usize) -> i32 {
        self.spans.get(index.saturating_add(1)).map_or(i32::MAX, |next| next.first.saturating_sub(1))
    }

    /// What an epoch that legacy names for the record (or the end) at `offset` is to clients. A negative one,
    /// which stands for none, stays.
    #[must_use]
    pub fn virtual_at(&self, offset: u64, real: i32) -> i32 {
        let index = self.of_offset(offset);
        let span = self.get(index);
        match span.leads {
            _ if real < 0 => real,
            Leads::Kernel => span.first,
            Leads::Legacy { shift } => real.saturating_add(shift).min(self.ceiling(index)).max(span.first),
        }
    }

    /// What an epoch under which legacy says that it leads now is to clients. While the kernel leads it lies below
    /// the kernel's, so nobody follows it; one from before legacy got the lead back (a broker that has not
    /// heard of the latest election) lies below the first that it led under since. A negative one, which stands
    /// for none, stays.
    #[must_use]
    pub fn virtual_now(&self, real: i32) -> i32 {
        if real < 0 {
            return real;
        }
        let (index, shift) = self.legacy_now();
        let floor = index.checked_sub(1).map_or(0, |before| self.get(before).first.saturating_add(1));
        real.saturating_add(shift).max(floor).min(self.ceiling(index))
    }

    /// What a virtual epoch is to legacy, asked as the leader that the client takes it for.
    #[must_use]
    pub fn named_now(&self, epoch: i32) -> Named {
        let (index, shift) = self.legacy_now();
        match epoch {
            _ if epoch < 0 => Named::Real(epoch),
            _ if epoch < self.get(index).first => Named::Fenced,
            _ if epoch > self.ceiling(index) => Named::Unknown,
            _ => Named::Real(epoch.saturating_sub(shift)),
        }
    }

    /// What a virtual epoch was in legacy's own counting; `None` where the kernel led under it.
    #[must_use]
    pub fn real_of(&self, epoch: i32) -> Option<i32> {
        match self.get(self.of_epoch(epoch)).leads {
            Leads::Legacy { shift } if epoch >= 0 => Some(epoch.saturating_sub(shift)),
            Leads::Legacy { .. } | Leads::Kernel => None,
        }
    }

    /// Which of its own epochs legacy is to be asked for, so that [`EpochTable::end_of`] can tell where `epoch`
    /// ended. For the kernel's, of which legacy knows nothing, it is asked for its newest: whether it leads, and
    /// whether the client may ask, is legacy's to say. `None`: the epoch has not ended yet, nor does legacy
    /// lead.
    #[must_use]
    pub fn asked_for(&self, epoch: i32) -> Option<i32> {
        let index = self.of_epoch(epoch);
        match self.get(index).leads {
            _ if epoch < 0 => Some(epoch),
            Leads::Legacy { shift } => Some(epoch.saturating_sub(shift)),
            Leads::Kernel => {
                let next = self.spans.get(index.saturating_add(1))?;
                let (_, shift) = self.legacy_now();
                Some(next.first.saturating_sub(shift))
            }
        }
    }

    /// The largest virtual epoch at or below `epoch`, and where it ended, from what legacy answered when it was asked
    /// for [`EpochTable::asked_for`]: its own epoch and end. Legacy's "unknown" (negative) stays.
    #[must_use]
    pub fn end_of(&self, epoch: i32, answered: (i32, i64)) -> (i32, i64) {
        let index = self.of_epoch(epoch);
        let span = self.get(index);
        let next = self.spans.get(index.saturating_add(1)).map(|next| offset(next.start));
        let (real, end) = answered;
        match span.leads {
            Leads::Kernel => (span.first, next.unwrap_or(end)),
            Leads::Legacy { .. } if real < 0 || end < 0 => answered,
            Leads::Legacy { shift } => {
                let known = real.saturating_add(shift).min(self.ceiling(index)).max(span.first);
                (known, end.min(next.unwrap_or(i64::MAX)).max(offset(span.start)))
            }
        }
    }

    /// The epoch that may stand beside an offset committed on legacy: the client's own as long as virtual and real
    /// epochs were the same, −1 (none) behind that. Holds for what is written there and for what is read.
    #[must_use]
    pub fn committed(&self, at: i64, epoch: i32) -> i32 {
        match self.spans.get(1) {
            // The epoch is of the record before the committed offset.
            Some(second) if at > offset(second.start) || epoch >= second.first => -1,
            Some(_) | None => epoch,
        }
    }
}

fn offset(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

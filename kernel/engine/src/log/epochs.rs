//! Where each leadership epoch of a log began.

use kernel_model::position::{LogEpoch, Offset};

/// Epochs in ascending order with their first offsets, both strictly ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    pub(crate) entries: Vec<(LogEpoch, Offset)>,
}

impl Epochs {
    /// Notes that `epoch` writes from `start` on. An epoch that is not newer than the last changes nothing.
    pub(crate) fn begin(&mut self, epoch: LogEpoch, start: Offset) {
        if epoch.0 < 0 || self.entries.last().is_some_and(|&(last, _)| epoch <= last) {
            return;
        }
        // An epoch that wrote nothing leaves no trace: its start would equal its end.
        while self.entries.last().is_some_and(|&(_, at)| at >= start) {
            self.entries.pop();
        }
        self.entries.push((epoch, start));
    }

    /// Forgets what lies below the log's new start.
    pub(crate) fn trim(&mut self, start: Offset) {
        let keep_from = self.entries.partition_point(|&(_, at)| at <= start).saturating_sub(1);
        self.entries.drain(..keep_from);
        if let Some(first) = self.entries.first_mut() {
            first.1 = first.1.max(start);
        }
    }

    /// The epoch that wrote, or will write, at `offset`; `None` below the first known one.
    pub(crate) fn at(&self, offset: Offset) -> Option<LogEpoch> {
        let after = self.entries.partition_point(|&(_, start)| start <= offset);
        self.entries.get(after.checked_sub(1)?).map(|&(epoch, _)| epoch)
    }

    /// The largest known epoch at or below `epoch`, and where it ended (the newest: at `end`). An epoch
    /// older than all that is known ended where the first known one began; one newer than all is unknown.
    pub(crate) fn end_of(&self, epoch: LogEpoch, end: Offset) -> Option<(LogEpoch, Offset)> {
        let &(newest, _) = self.entries.last()?;
        if epoch > newest {
            return None;
        }
        let after = self.entries.partition_point(|&(known, _)| known <= epoch);
        let ends_at = self.entries.get(after).map_or(end, |&(_, at)| at);
        let floor = after.checked_sub(1).and_then(|i| self.entries.get(i)).map_or(epoch, |&(known, _)| known);
        Some((floor, ends_at))
    }
}

//! Coarse index of a log's final batches by size and time, for retention. A span covers about a megabyte;
//! retention removes whole spans, as it would whole segments.

use std::collections::VecDeque;

use kernel_model::position::Offset;

use super::meta::BatchMeta;

/// Bytes after which a span is closed.
const SPAN_BYTES: u64 = 1 << 20;

/// A run of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) end: Offset,
    pub(crate) bytes: u64,
    pub(crate) max_timestamp_ms: i64,
}

/// All spans of one log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) spans: VecDeque<Span>,
    bytes: u64,
}

impl Spans {
    /// Counts a batch.
    pub(crate) fn add(&mut self, batch: &BatchMeta) {
        self.bytes += batch.size;
        if let Some(last) = self.spans.back_mut()
            && last.bytes < SPAN_BYTES
        {
            last.bytes += batch.size;
            last.end = batch.end_offset;
            last.max_timestamp_ms = last.max_timestamp_ms.max(batch.max_timestamp_ms);
        } else {
            self.spans.push_back(Span {
                end: batch.end_offset,
                bytes: batch.size,
                max_timestamp_ms: batch.max_timestamp_ms,
            });
        }
    }

    /// Puts back a span of a checkpoint.
    pub(crate) fn restore(&mut self, span: Span) {
        self.bytes += span.bytes;
        self.spans.push_back(span);
    }

    /// Drops spans that lie wholly below the log's new start.
    pub(crate) fn trim(&mut self, start: Offset) {
        while let Some(first) = self.spans.front()
            && first.end <= start
        {
            self.bytes -= first.bytes;
            self.spans.pop_front();
        }
    }

    /// Bytes of all spans. A span that was trimmed in part counts whole.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Greatest timestamp.
    pub(crate) fn max_timestamp_ms(&self) -> Option<i64> {
        self.spans.iter().map(|span| span.max_timestamp_ms).max()
    }

    /// Where the log should begin: spans go from the front while their newest record is older than
    /// `oldest_ms`, or while what remains still holds at least `bytes_max`.
    pub(crate) fn retained_from(&self, oldest_ms: Option<i64>, bytes_max: Option<u64>) -> Option<Offset> {
        let mut left = self.bytes;
        let mut from = None;
        for span in &self.spans {
            let too_old = oldest_ms.is_some_and(|oldest| span.max_timestamp_ms < oldest);
            let too_much = bytes_max.is_some_and(|max| left - span.bytes >= max);
            if !too_old && !too_much {
                break;
            }
            left -= span.bytes;
            from = Some(span.end);
        }
        from
    }
}

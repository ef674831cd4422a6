//! Coarse index of a log's final batches by size and time, for retention and compaction. A span covers about a
//! megabyte, or what the log's compaction calls a stretch; retention removes whole spans, and compaction leaves the
//! last one alone, as if they were segments.

use std::collections::VecDeque;

use kernel_model::commit::Compaction;
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
    /// Greatest timestamp of its first batch.
    pub(crate) first_timestamp_ms: i64,
}

impl Span {
    /// Whether `batch` begins another span.
    fn is_closed_for(&self, batch: &BatchMeta, compaction: Option<&Compaction>) -> bool {
        let Some(how) = compaction else { return self.bytes >= SPAN_BYTES };
        let age_ms = batch.max_timestamp_ms.saturating_sub(self.first_timestamp_ms);
        self.bytes.saturating_add(batch.size) > how.stretch_bytes
            || u64::try_from(age_ms).is_ok_and(|age_ms| age_ms > how.stretch_ms)
    }
}

/// All spans of one log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) spans: VecDeque<Span>,
    bytes: u64,
}

impl Spans {
    /// Counts a batch.
    pub(crate) fn add(&mut self, batch: &BatchMeta, compaction: Option<&Compaction>) {
        self.bytes += batch.size;
        if let Some(last) = self.spans.back_mut()
            && !last.is_closed_for(batch, compaction)
        {
            last.bytes += batch.size;
            last.end = batch.end_offset;
            last.max_timestamp_ms = last.max_timestamp_ms.max(batch.max_timestamp_ms);
        } else {
            self.spans.push_back(Span {
                end: batch.end_offset,
                bytes: batch.size,
                max_timestamp_ms: batch.max_timestamp_ms,
                first_timestamp_ms: batch.max_timestamp_ms,
            });
        }
    }

    /// The batch at `base` has another size now.
    pub(crate) fn resize(&mut self, base: Offset, from: u64, to: u64) {
        let at = self.spans.partition_point(|span| span.end <= base);
        if let Some(span) = self.spans.get_mut(at) {
            // A span that was trimmed in part counts what is gone, so it is never too small.
            let from = from.min(span.bytes);
            span.bytes = span.bytes - from + to;
            self.bytes = self.bytes - from + to;
        }
    }

    /// Joins neighbours below `to` that have become small.
    pub(crate) fn join(&mut self, to: Offset, compaction: Option<&Compaction>) {
        let bytes_max = compaction.map_or(SPAN_BYTES, |how| how.stretch_bytes);
        let mut joined: VecDeque<Span> = VecDeque::with_capacity(self.spans.len());
        for span in std::mem::take(&mut self.spans) {
            match joined.back_mut() {
                Some(last) if span.end <= to && last.bytes.saturating_add(span.bytes) <= bytes_max => {
                    last.end = span.end;
                    last.bytes += span.bytes;
                    last.max_timestamp_ms = last.max_timestamp_ms.max(span.max_timestamp_ms);
                }
                _ => joined.push_back(span),
            }
        }
        self.spans = joined;
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

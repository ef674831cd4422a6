//! The stored form of a commit (version 1).
//!
//! ```text
//!  0  length of the operations  u32
//!  4  operations: count, then each as one tag byte and its fields
//!     batches of the appends among them, back to back, as they are read later
//! ```
//!
//! Numbers are unsigned LEB128, signed ones zigzag before; byte strings have their length in front; an
//! optional field has a byte 0 or 1 before it. A commit inside an outbox entry carries its batches in place.
//! Conditions are not stored.

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::commit::{RouteLevel, RoutePattern, RouteTarget, ViewEntry};
use kernel_model::{
    Commit, Compaction, CursorId, LogConfig, LogEpoch, LogId, LogKind, Offset, Op, RouterId, ShardId,
    TimestampSource, ViewId,
};

/// Bytes that are no commit of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a commit of a known form")]
pub(crate) struct CodecError;

type Decoded<T> = Result<T, CodecError>;

/// Writes everything of `commit` but the batches of its own appends, which the caller puts behind.
pub(crate) fn encode(commit: &Commit, out: &mut BytesMut) {
    let start = out.len();
    out.put_u32_le(0);
    put_ops(out, &commit.ops, false);
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(mut field) = out.get_mut(start..start + 4) {
        field.put_u32_le(length);
    }
}

/// Reads a commit. Also returns where in `body` its batches begin.
pub(crate) fn decode(body: &Bytes) -> Decoded<(Commit, usize)> {
    let length: [u8; 4] = body.get(..4).and_then(|field| field.try_into().ok()).ok_or(CodecError)?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| CodecError)?;
    let batches_at = length.checked_add(4).filter(|end| *end <= body.len()).ok_or(CodecError)?;
    let mut input = Input { rest: body.slice(4..batches_at), batches: Some(body.slice(batches_at..)) };
    let ops = input.ops(0)?;
    let all_read = input.rest.is_empty() && input.batches.is_some_and(|left| left.is_empty());
    if all_read { Ok((Commit::of(ops), batches_at)) } else { Err(CodecError) }
}

pub(crate) fn put_number(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).unwrap_or(0));
}

pub(crate) fn put_signed(out: &mut BytesMut, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn put_count(out: &mut BytesMut, count: usize) {
    put_number(out, u64::try_from(count).unwrap_or(u64::MAX));
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.put_slice(bytes);
}

fn put_optional(out: &mut BytesMut, value: Option<i64>) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put_signed(out, value);
    }
}

fn put_numbers(out: &mut BytesMut, numbers: &[u64]) {
    put_count(out, numbers.len());
    for number in numbers {
        put_number(out, *number);
    }
}

fn put_ops(out: &mut BytesMut, ops: &[Op], batches_inside: bool) {
    put_count(out, ops.len());
    for op in ops {
        put_op(out, op, batches_inside);
    }
}

/// Tag and ids at the front of an operation.
fn put_head(out: &mut BytesMut, tag: u8, ids: &[u64]) {
    out.put_u8(tag);
    for id in ids {
        put_number(out, *id);
    }
}

fn put_op(out: &mut BytesMut, op: &Op, batches_inside: bool) {
    match op {
        Op::LogCreate { log, config, start } => {
            put_head(out, 1, &[log.0, start.0]);
            put_config(out, config);
        }
        Op::LogConfigure { log, config, epoch } => {
            put_head(out, 2, &[log.0]);
            put_config(out, config);
            put_optional(out, epoch.map(|epoch| i64::from(epoch.0)));
        }
        Op::LogDelete { log } => put_head(out, 3, &[log.0]),
        Op::LogAppend { log, base_offset, epoch, batch } => {
            put_head(out, 4, &[log.0, base_offset.0]);
            put_signed(out, i64::from(epoch.0));
            put_count(out, batch.len());
            if batches_inside {
                out.put_slice(batch);
            }
        }
        Op::LogConfirm { log, position } => put_head(out, 5, &[log.0, position.0]),
        Op::LogTruncate { log, to } => put_head(out, 6, &[log.0, to.0]),
        Op::LogTrim { log, start } => put_head(out, 7, &[log.0, start.0]),
        Op::LogHide { log, start } => put_head(out, 9, &[log.0, start.0]),
        Op::LogReplace { log, base_offset, crc, bytes, batch } => {
            put_head(out, 10, &[log.0, base_offset.0, u64::from(*crc), *bytes]);
            out.put_u8(u8::from(batch.is_some()));
            if let Some(batch) = batch {
                put_count(out, batch.len());
                if batches_inside {
                    out.put_slice(batch);
                }
            }
        }
        Op::LogCleaned { log, to } => put_head(out, 11, &[log.0, to.0]),
        Op::Deliver { log, batch, views } => {
            put_head(out, 8, &[log.0]);
            put_bytes(out, batch);
            put_count(out, views.len());
            for (view, note) in views {
                put_number(out, view.0);
                put_bytes(out, note);
            }
        }
        Op::ViewCreate { .. }
        | Op::ViewDelete { .. }
        | Op::ViewPush { .. }
        | Op::ViewAck { .. }
        | Op::CursorCreate { .. }
        | Op::CursorDelete { .. }
        | Op::CursorLease { .. }
        | Op::CursorRelease { .. } => put_view_op(out, op),
        Op::RouteAdd { .. }
        | Op::RouteRemove { .. }
        | Op::KvPut { .. }
        | Op::KvDelete { .. }
        | Op::TimerSet { .. }
        | Op::TimerCancel { .. }
        | Op::OutboxPush { .. }
        | Op::OutboxApplied { .. }
        | Op::OutboxTrim { .. } => put_key_op(out, op),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the exhaustive match is put_op's, which picks the operations"
)]
fn put_view_op(out: &mut BytesMut, op: &Op) {
    match op {
        Op::ViewCreate { view } => put_head(out, 20, &[view.0]),
        Op::ViewDelete { view } => put_head(out, 21, &[view.0]),
        Op::ViewPush { view, entries } => {
            put_head(out, 22, &[view.0]);
            put_count(out, entries.len());
            for entry in entries {
                put_number(out, entry.log.0);
                put_number(out, entry.offset.0);
                put_bytes(out, &entry.note);
            }
        }
        Op::ViewAck { view, entries } => {
            put_head(out, 23, &[view.0]);
            put_numbers(out, entries);
        }
        Op::CursorCreate { cursor, view } => put_head(out, 24, &[cursor.0, view.0]),
        Op::CursorDelete { cursor } => put_head(out, 25, &[cursor.0]),
        Op::CursorLease { cursor, entries, until_ms } => {
            put_head(out, 26, &[cursor.0]);
            put_numbers(out, entries);
            put_signed(out, *until_ms);
        }
        Op::CursorRelease { cursor, entries } => {
            put_head(out, 27, &[cursor.0]);
            put_numbers(out, entries);
        }
        _ => {}
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the exhaustive match is put_op's, which picks the operations"
)]
fn put_key_op(out: &mut BytesMut, op: &Op) {
    match op {
        Op::RouteAdd { router, pattern, target } => {
            put_head(out, 40, &[router.0]);
            put_route(out, pattern, target);
        }
        Op::RouteRemove { router, pattern, target } => {
            put_head(out, 41, &[router.0]);
            put_route(out, pattern, target);
        }
        Op::KvPut { key, value, expires_ms } => {
            out.put_u8(42);
            put_bytes(out, key);
            put_bytes(out, value);
            put_optional(out, *expires_ms);
        }
        Op::KvDelete { key } => {
            out.put_u8(43);
            put_bytes(out, key);
        }
        Op::TimerSet { key, deadline_ms, action } => {
            out.put_u8(44);
            put_bytes(out, key);
            put_signed(out, *deadline_ms);
            put_bytes(out, action);
        }
        Op::TimerCancel { key } => {
            out.put_u8(45);
            put_bytes(out, key);
        }
        Op::OutboxPush { to, commit } => {
            put_head(out, 46, &[u64::from(to.0)]);
            put_ops(out, &commit.ops, true);
        }
        Op::OutboxApplied { from, position } => put_head(out, 47, &[u64::from(from.0), *position]),
        Op::OutboxTrim { to, position } => put_head(out, 48, &[u64::from(to.0), *position]),
        _ => {}
    }
}

fn put_config(out: &mut BytesMut, config: &LogConfig) {
    let kind = match config.kind {
        LogKind::Led => 0,
        LogKind::Mirrored => 1,
    };
    let timestamps = match config.timestamps {
        TimestampSource::Producer => 0,
        TimestampSource::Append => 2,
    };
    let flags = (u8::from(config.retention_over_views) << 2) | (u8::from(config.compaction.is_some()) << 3);
    out.put_u8(kind | timestamps | flags);
    for bound in [config.retention_ms, config.retention_bytes] {
        out.put_u8(u8::from(bound.is_some()));
        if let Some(bound) = bound {
            put_number(out, bound);
        }
    }
    if let Some(how) = &config.compaction {
        let bounds = [how.stretch_bytes, how.stretch_ms, how.lag_min_ms, how.lag_max_ms];
        for number in bounds.into_iter().chain([u64::from(how.dirty_min_ppm), how.deletes_stay_ms]) {
            put_number(out, number);
        }
    }
}

fn put_route(out: &mut BytesMut, pattern: &RoutePattern, target: &RouteTarget) {
    match pattern {
        RoutePattern::Exact(key) => {
            out.put_u8(0);
            put_bytes(out, key);
        }
        RoutePattern::Levels(levels) => {
            out.put_u8(1);
            put_count(out, levels.len());
            for level in levels {
                match level {
                    RouteLevel::Is(name) => {
                        out.put_u8(0);
                        put_bytes(out, name);
                    }
                    RouteLevel::One => out.put_u8(1),
                    RouteLevel::Many => out.put_u8(2),
                }
            }
        }
    }
    match target {
        RouteTarget::View(view) => put_head(out, 0, &[view.0]),
        RouteTarget::Opaque(bytes) => {
            out.put_u8(1);
            put_bytes(out, bytes);
        }
    }
}

/// What is left to read.
pub(crate) struct Input {
    pub(crate) rest: Bytes,
    /// Where the batches of the outer commit are; `None` inside an outbox entry.
    pub(crate) batches: Option<Bytes>,
}

impl Input {
    fn take(&mut self, count: usize) -> Decoded<Bytes> {
        if count > self.rest.len() { Err(CodecError) } else { Ok(self.rest.split_to(count)) }
    }

    fn byte(&mut self) -> Decoded<u8> {
        self.take(1)?.first().copied().ok_or(CodecError)
    }

    pub(crate) fn number(&mut self) -> Decoded<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(CodecError);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError)
    }

    pub(crate) fn signed(&mut self) -> Decoded<i64> {
        let raw = self.number()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A number of four bytes, little-endian.
    pub(crate) fn fixed(&mut self) -> Decoded<u32> {
        let bytes = self.take(4)?;
        bytes.as_ref().try_into().map(u32::from_le_bytes).map_err(|_| CodecError)
    }

    /// A length or count; every counted thing takes a byte at least, so what is left bounds it.
    fn count(&mut self) -> Decoded<usize> {
        usize::try_from(self.number()?).map_err(|_| CodecError)
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Decoded<T>) -> Decoded<Vec<T>> {
        let count = self.count()?;
        if count > self.rest.len() {
            return Err(CodecError);
        }
        (0..count).map(|_| each(self)).collect()
    }

    fn bytes(&mut self) -> Decoded<Bytes> {
        let count = self.count()?;
        self.take(count)
    }

    fn optional<T>(&mut self, value: impl FnOnce(&mut Self) -> Decoded<T>) -> Decoded<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => value(self).map(Some),
            _ => Err(CodecError),
        }
    }

    fn epoch(&mut self) -> Decoded<LogEpoch> {
        i32::try_from(self.signed()?).map(LogEpoch).map_err(|_| CodecError)
    }

    fn log(&mut self) -> Decoded<LogId> {
        self.number().map(LogId)
    }

    fn offset(&mut self) -> Decoded<Offset> {
        self.number().map(Offset)
    }

    fn view(&mut self) -> Decoded<ViewId> {
        self.number().map(ViewId)
    }

    fn cursor(&mut self) -> Decoded<CursorId> {
        self.number().map(CursorId)
    }

    fn shard(&mut self) -> Decoded<ShardId> {
        u16::try_from(self.number()?).map(ShardId).map_err(|_| CodecError)
    }

    fn batch(&mut self) -> Decoded<Bytes> {
        let count = self.count()?;
        match &mut self.batches {
            Some(batches) if count <= batches.len() => Ok(batches.split_to(count)),
            Some(_) => Err(CodecError),
            None => self.take(count),
        }
    }

    fn config(&mut self) -> Decoded<LogConfig> {
        let flags = self.byte()?;
        if flags > 15 {
            return Err(CodecError);
        }
        Ok(LogConfig {
            kind: if flags & 1 == 0 { LogKind::Led } else { LogKind::Mirrored },
            timestamps: if flags & 2 == 0 { TimestampSource::Producer } else { TimestampSource::Append },
            retention_ms: self.optional(Self::number)?,
            retention_bytes: self.optional(Self::number)?,
            retention_over_views: flags & 4 != 0,
            compaction: if flags & 8 == 0 { None } else { Some(self.compaction()?) },
        })
    }

    fn compaction(&mut self) -> Decoded<Compaction> {
        Ok(Compaction {
            stretch_bytes: self.number()?,
            stretch_ms: self.number()?,
            lag_min_ms: self.number()?,
            lag_max_ms: self.number()?,
            dirty_min_ppm: self.small()?,
            deletes_stay_ms: self.number()?,
        })
    }

    fn small(&mut self) -> Decoded<u32> {
        u32::try_from(self.number()?).map_err(|_| CodecError)
    }

    fn route(&mut self) -> Decoded<(RoutePattern, RouteTarget)> {
        let pattern = match self.byte()? {
            0 => RoutePattern::Exact(self.bytes()?),
            1 => RoutePattern::Levels(self.list(|input| match input.byte()? {
                0 => input.bytes().map(RouteLevel::Is),
                1 => Ok(RouteLevel::One),
                2 => Ok(RouteLevel::Many),
                _ => Err(CodecError),
            })?),
            _ => return Err(CodecError),
        };
        let target = match self.byte()? {
            0 => RouteTarget::View(self.view()?),
            1 => RouteTarget::Opaque(self.bytes()?),
            _ => return Err(CodecError),
        };
        Ok((pattern, target))
    }

    /// Operations; `depth` counts the outbox entries around them, of which one is allowed.
    fn ops(&mut self, depth: u8) -> Decoded<Vec<Op>> {
        self.list(|input| {
            let tag = input.byte()?;
            match tag {
                1..=11 => input.log_op(tag),
                20..=27 => input.view_op(tag),
                _ => input.key_op(tag, depth),
            }
        })
    }

    fn log_op(&mut self, tag: u8) -> Decoded<Op> {
        let log = self.log()?;
        Ok(match tag {
            1 => Op::LogCreate { log, start: self.offset()?, config: self.config()? },
            2 => {
                let config = self.config()?;
                Op::LogConfigure { log, config, epoch: self.optional(Self::epoch)? }
            }
            3 => Op::LogDelete { log },
            4 => {
                let base_offset = self.offset()?;
                Op::LogAppend { log, base_offset, epoch: self.epoch()?, batch: self.batch()? }
            }
            5 => Op::LogConfirm { log, position: self.offset()? },
            6 => Op::LogTruncate { log, to: self.offset()? },
            7 => Op::LogTrim { log, start: self.offset()? },
            8 => {
                let batch = self.bytes()?;
                Op::Deliver { log, batch, views: self.list(|input| Ok((input.view()?, input.bytes()?)))? }
            }
            9 => Op::LogHide { log, start: self.offset()? },
            10 => Op::LogReplace {
                log,
                base_offset: self.offset()?,
                crc: self.small()?,
                bytes: self.number()?,
                batch: self.optional(Self::batch)?,
            },
            11 => Op::LogCleaned { log, to: self.offset()? },
            _ => return Err(CodecError),
        })
    }

    fn view_op(&mut self, tag: u8) -> Decoded<Op> {
        Ok(match tag {
            20 => Op::ViewCreate { view: self.view()? },
            21 => Op::ViewDelete { view: self.view()? },
            22 => Op::ViewPush {
                view: self.view()?,
                entries: self.list(|input| {
                    Ok(ViewEntry { log: input.log()?, offset: input.offset()?, note: input.bytes()? })
                })?,
            },
            23 => Op::ViewAck { view: self.view()?, entries: self.list(Self::number)? },
            24 => Op::CursorCreate { cursor: self.cursor()?, view: self.view()? },
            25 => Op::CursorDelete { cursor: self.cursor()? },
            26 => {
                let cursor = self.cursor()?;
                let entries = self.list(Self::number)?;
                Op::CursorLease { cursor, entries, until_ms: self.signed()? }
            }
            27 => Op::CursorRelease { cursor: self.cursor()?, entries: self.list(Self::number)? },
            _ => return Err(CodecError),
        })
    }

    fn key_op(&mut self, tag: u8, depth: u8) -> Decoded<Op> {
        Ok(match tag {
            40 | 41 => {
                let router = self.number().map(RouterId)?;
                let (pattern, target) = self.route()?;
                if tag == 40 {
                    Op::RouteAdd { router, pattern, target }
                } else {
                    Op::RouteRemove { router, pattern, target }
                }
            }
            42 => {
                let key = self.bytes()?;
                let value = self.bytes()?;
                Op::KvPut { key, value, expires_ms: self.optional(Self::signed)? }
            }
            43 => Op::KvDelete { key: self.bytes()? },
            44 => {
                let key = self.bytes()?;
                let deadline_ms = self.signed()?;
                Op::TimerSet { key, deadline_ms, action: self.bytes()? }
            }
            45 => Op::TimerCancel { key: self.bytes()? },
            46 if depth == 0 => {
                let to = self.shard()?;
                let outer = self.batches.take();
                let ops = self.ops(depth + 1)?;
                self.batches = outer;
                Op::OutboxPush { to, commit: Box::new(Commit::of(ops)) }
            }
            47 => Op::OutboxApplied { from: self.shard()?, position: self.number()? },
            48 => Op::OutboxTrim { to: self.shard()?, position: self.number()? },
            _ => return Err(CodecError),
        })
    }
}

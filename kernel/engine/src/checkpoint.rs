//! The stored form of a shard's derived state (version 2; version 1 knew no compaction): one key for each part that
//! changes by itself.
//!
//! ```text
//! F                         version of the form
//! L log                     settings, ends, tables, tail
//! V view                    next entry, deliveries        C view chunk   packed entries, acknowledgements
//! U cursor                  its view
//! R router                  version                       r route        (the key says it all)
//! T timer  X expiry         by their own keys
//! O shard                   outbox positions              E shard position   entry
//! I shard                   last outbox position applied here
//! ```
//!
//! Numbers are as in the stored form of commits; settings, routes and outbox entries are written as commits.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::Commit;
use kernel_model::batch::Marker;
use kernel_model::commit::{LogConfig, Op};
use kernel_model::error::KernelError;
use kernel_model::position::{CursorId, LogEpoch, LogId, Offset, RouterId, Seq, ShardId, ViewId};
use kernel_model::reply::Aborted;

use crate::cursor::{Cursor, Lease};
use crate::log::Log;
use crate::log::meta::BatchMeta;
use crate::log::producers::{Producer, Remembered};
use crate::log::spans::Span;
use crate::log::transactions::AbortedEntry;
use crate::state::{Part, State};
use crate::store::local::codec::{CodecError, Input, decode, encode, put_number, put_signed};
use crate::view::{Chunk, View};

const VERSION: u64 = 2;
/// The oldest form that is read.
const VERSION_MIN: u64 = 1;

type Decoded<T> = Result<T, CodecError>;

/// What changed since the last checkpoint.
pub(crate) fn changes(state: &State) -> Vec<(Bytes, Option<Bytes>)> {
    let version = (Bytes::from_static(b"F"), Some(written(|out| put_number(out, VERSION))));
    std::iter::once(version).chain(state.dirty.iter().map(|part| (key(part), value(state, part)))).collect()
}

fn written(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out);
    out.freeze()
}

fn key(part: &Part) -> Bytes {
    written(|out| match part {
        Part::Log(log) => put_key(out, b'L', &[log.0]),
        Part::View(view) => put_key(out, b'V', &[view.0]),
        Part::Chunk(view, number) => put_key(out, b'C', &[view.0, *number]),
        Part::Cursor(cursor) => put_key(out, b'U', &[cursor.0]),
        Part::Router(router) => put_key(out, b'R', &[router.0]),
        Part::Route(router, pattern, target) => {
            out.put_u8(b'r');
            let (pattern, target) = (pattern.clone(), target.clone());
            put_commit(out, vec![Op::RouteAdd { router: *router, pattern, target }]);
        }
        Part::Timer(key) => {
            out.put_u8(b'T');
            out.put_slice(key);
        }
        Part::Expiry(key) => {
            out.put_u8(b'X');
            out.put_slice(key);
        }
        Part::Outbox(to) => put_key(out, b'O', &[u64::from(to.0)]),
        Part::Entry(to, position) => put_key(out, b'E', &[u64::from(to.0), *position]),
        Part::Inbox(from) => put_key(out, b'I', &[u64::from(from.0)]),
    })
}

/// Ids big-endian, so that keys are in the order of what they name.
fn put_key(out: &mut BytesMut, tag: u8, ids: &[u64]) {
    out.put_u8(tag);
    for id in ids {
        out.put_u64(*id);
    }
}

fn put_commit(out: &mut BytesMut, ops: Vec<Op>) {
    encode(&Commit::of(ops), out);
}

/// `None`: there is no such part any more.
fn value(state: &State, part: &Part) -> Option<Bytes> {
    match part {
        Part::Log(id) => state.logs.get(id).map(|log| written(|out| put_log(out, *id, log))),
        Part::View(id) => state.views.get(id).map(|view| written(|out| put_view(out, view))),
        Part::Chunk(id, number) => {
            let chunk = state.views.get(id)?.chunks.get(number)?;
            Some(written(|out| put_chunk(out, chunk)))
        }
        Part::Cursor(id) => {
            let cursor = state.cursors.get(id)?;
            Some(written(|out| put_number(out, cursor.view.0)))
        }
        Part::Router(id) => {
            state.routers.get(id).map(|router| written(|out| put_number(out, router.version)))
        }
        Part::Route(id, pattern, target) => {
            let there = state.routers.get(id).is_some_and(|router| router.contains(pattern, target));
            there.then(Bytes::new)
        }
        Part::Timer(key) => {
            let timer = state.timers.by_key.get(key)?;
            Some(written(|out| {
                put_signed(out, timer.deadline_ms);
                out.put_slice(&timer.action);
            }))
        }
        Part::Expiry(key) => state.expiries.by_key.get(key).map(|&at| written(|out| put_signed(out, at))),
        Part::Outbox(to) => {
            let queue = state.outbox.queues.get(to)?;
            Some(written(|out| put_numbers(out, &[queue.last, queue.trimmed])))
        }
        Part::Entry(to, position) => {
            let commit = state.outbox.get(*to, *position)?;
            Some(written(|out| encode(commit, out)))
        }
        Part::Inbox(from) => state.inbox.get(from).map(|&at| written(|out| put_number(out, at))),
    }
}

fn put_numbers(out: &mut BytesMut, numbers: &[u64]) {
    for &number in numbers {
        put_number(out, number);
    }
}

fn put_list<T>(out: &mut BytesMut, items: impl ExactSizeIterator<Item = T>, each: impl Fn(&mut BytesMut, T)) {
    put_number(out, items.len() as u64);
    for item in items {
        each(out, item);
    }
}

fn put_log(out: &mut BytesMut, id: LogId, log: &Log) {
    let settings = written(|out| {
        put_commit(out, vec![Op::LogCreate { log: id, config: log.config.clone(), start: log.start }])
    });
    put_number(out, settings.len() as u64);
    out.put_slice(&settings);
    put_signed(out, i64::from(log.epoch.0));
    put_numbers(out, &[log.end.0, log.confirmed.0, log.chain, log.records]);
    put_list(out, log.epochs.entries.iter(), |out, (epoch, start)| {
        put_signed(out, i64::from(epoch.0));
        put_number(out, start.0);
    });
    put_list(out, log.producers.by_id.iter(), |out, (&id, producer)| put_producer(out, id, producer));
    put_list(out, log.transactions.ending.iter(), |out, (first, last)| put_numbers(out, &[first.0, last.0]));
    put_list(out, log.transactions.aborted.iter(), |out, entry| {
        put_signed(out, entry.aborted.producer_id);
        put_numbers(out, &[entry.aborted.first_offset.0, entry.aborted.last_offset.0, entry.stable.0]);
    });
    put_list(out, log.spans.spans.iter(), |out, span| {
        put_numbers(out, &[span.end.0, span.bytes]);
        put_signed(out, span.max_timestamp_ms);
        put_signed(out, span.first_timestamp_ms);
    });
    put_list(out, log.tail.iter(), put_batch);
    put_number(out, log.cleaned.0);
}

fn put_producer(out: &mut BytesMut, id: i64, producer: &Producer) {
    put_signed(out, id);
    put_signed(out, i64::from(producer.epoch));
    put_signed(out, producer.last_timestamp_ms);
    put_number(out, producer.open_from.map_or(0, |first| first.0 + 1));
    put_list(out, producer.batches.iter(), |out, batch| {
        put_signed(out, i64::from(batch.first_sequence));
        put_signed(out, i64::from(batch.last_sequence));
        put_number(out, batch.base_offset.0);
    });
}

fn put_batch(out: &mut BytesMut, batch: &BatchMeta) {
    put_numbers(out, &[batch.base_offset.0, batch.end_offset.0, batch.size, u64::from(batch.crc)]);
    let small = [
        i64::from(batch.epoch.0),
        i64::from(batch.attributes),
        batch.max_timestamp_ms,
        batch.producer_id,
        i64::from(batch.producer_epoch),
        i64::from(batch.base_sequence),
        i64::from(batch.last_sequence),
    ];
    for number in small {
        put_signed(out, number);
    }
    put_number(out, u64::from(batch.record_count));
    out.put_u8(match batch.marker {
        None => 0,
        Some(Marker::Abort) => 1,
        Some(Marker::Commit) => 2,
    });
}

fn put_view(out: &mut BytesMut, view: &View) {
    let held = &view.deliveries;
    put_numbers(out, &[view.next, held.fresh]);
    put_list(out, held.returned.iter(), |out, &entry| put_number(out, entry));
    put_list(out, held.leased.iter(), |out, (&entry, lease)| {
        put_numbers(out, &[entry, lease.cursor.0]);
        put_signed(out, lease.until_ms);
    });
    put_list(out, held.counts.iter(), |out, (&entry, &count)| put_numbers(out, &[entry, u64::from(count)]));
}

fn put_chunk(out: &mut BytesMut, chunk: &Chunk) {
    let (packed, count, acked) = chunk.parts();
    put_number(out, u64::from(count));
    put_list(out, acked.iter(), |out, &word| out.put_u64(word));
    out.put_slice(packed);
}

/// A state that is put together again.
#[derive(Default)]
pub(crate) struct Pieces {
    state: State,
    versions: BTreeMap<RouterId, u64>,
    version: Option<u64>,
    failed: Option<Bytes>,
    any: bool,
}

impl Pieces {
    /// Takes one key and its value; keys ascend.
    pub(crate) fn take(&mut self, key: &Bytes, value: Bytes) {
        self.any = true;
        if self.failed.is_none() && self.read(key, value).is_err() {
            self.failed = Some(key.clone());
        }
    }

    /// The whole state.
    ///
    /// # Errors
    ///
    /// `Stopped` for a version of the form that is not known; `Damaged` for anything that does not fit it.
    pub(crate) fn finish(mut self) -> Result<State, KernelError> {
        if self.any && !self.version.is_some_and(|version| (VERSION_MIN..=VERSION).contains(&version)) {
            return Err(KernelError::Stopped(format!(
                "the checkpoint has form {:?}, this build reads {VERSION}",
                self.version
            )));
        }
        if let Some(key) = self.failed {
            return Err(KernelError::Damaged(format!("checkpoint key {:?}", key.slice(..key.len().min(64)))));
        }
        for (router, version) in self.versions {
            self.state.routers.entry(router).or_default().version = version;
        }
        Ok(self.state)
    }

    fn read(&mut self, key: &Bytes, value: Bytes) -> Decoded<()> {
        let tag = key.first().copied().ok_or(CodecError)?;
        let name = key.slice(1..);
        let input = &mut Input { rest: value, batches: None };
        let state = &mut self.state;
        match tag {
            b'F' => self.version = Some(input.number()?),
            b'L' => {
                let compacts = self.version.is_some_and(|version| version >= 2);
                state.logs.insert(LogId(id(&name, 0)?), take_log(input, compacts)?);
            }
            b'V' => take_view(input, state.views.entry(ViewId(id(&name, 0)?)).or_default())?,
            b'C' => {
                let chunk = take_chunk(input)?;
                state.views.entry(ViewId(id(&name, 0)?)).or_default().restore_chunk(id(&name, 1)?, chunk);
            }
            b'U' => {
                let view = ViewId(input.number()?);
                state.cursors.insert(CursorId(id(&name, 0)?), Cursor { view });
            }
            b'R' => {
                self.versions.insert(RouterId(id(&name, 0)?), input.number()?);
            }
            b'r' => {
                let (commit, _) = decode(&name)?;
                let [Op::RouteAdd { router, pattern, target }] = commit.ops.as_slice() else {
                    return Err(CodecError);
                };
                state.routers.entry(*router).or_default().add(pattern, target);
            }
            b'T' => {
                let deadline_ms = input.signed()?;
                state.timers.set(name, deadline_ms, std::mem::take(&mut input.rest));
            }
            b'X' => state.expiries.set(&name, Some(input.signed()?)),
            b'O' => state.outbox.restore(shard(&name)?, input.number()?, input.number()?),
            b'E' => {
                let commit = decode(&std::mem::take(&mut input.rest))?.0;
                let to = shard(&name)?;
                state.outbox.queues.entry(to).or_default().entries.push_back((Seq(0), commit));
            }
            b'I' => {
                state.inbox.insert(shard(&name)?, input.number()?);
            }
            _ => return Err(CodecError),
        }
        if input.rest.is_empty() { Ok(()) } else { Err(CodecError) }
    }
}

fn id(name: &[u8], index: usize) -> Decoded<u64> {
    let bytes = name.get(index * 8..index * 8 + 8).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or(CodecError)
}

fn shard(name: &[u8]) -> Decoded<ShardId> {
    u16::try_from(id(name, 0)?).map(ShardId).map_err(|_| CodecError)
}

fn narrow<T: TryFrom<i64>>(input: &mut Input) -> Decoded<T> {
    T::try_from(input.signed()?).map_err(|_| CodecError)
}

fn offset(input: &mut Input) -> Decoded<Offset> {
    input.number().map(Offset)
}

fn take_bytes(input: &mut Input, count: usize) -> Decoded<Bytes> {
    if count > input.rest.len() { Err(CodecError) } else { Ok(input.rest.split_to(count)) }
}

/// Every item takes a byte at least, so what is left bounds the count.
fn list(input: &mut Input, mut each: impl FnMut(&mut Input) -> Decoded<()>) -> Decoded<()> {
    let count = input.number()?;
    if count > input.rest.len() as u64 {
        return Err(CodecError);
    }
    (0..count).try_for_each(|_| each(input))
}

fn take_log(input: &mut Input, compacts: bool) -> Decoded<Log> {
    let settings_len = usize::try_from(input.number()?).map_err(|_| CodecError)?;
    let settings = take_bytes(input, settings_len)?;
    let mut ops = decode(&settings)?.0.ops;
    let (config, start): (LogConfig, Offset) = match ops.pop() {
        Some(Op::LogCreate { config, start, .. }) if ops.is_empty() => (config, start),
        _ => return Err(CodecError),
    };
    let mut log = Log::new(config, start);
    log.epoch = LogEpoch(narrow(input)?);
    log.end = offset(input)?;
    log.confirmed = offset(input)?;
    log.chain = input.number()?;
    log.records = input.number()?;
    list(input, |input| {
        log.epochs.entries.push((LogEpoch(narrow(input)?), offset(input)?));
        Ok(())
    })?;
    list(input, |input| {
        let (id, producer) = take_producer(input)?;
        if let Some(first) = producer.open_from {
            log.transactions.begin(id, first);
        }
        log.producers.by_id.insert(id, producer);
        Ok(())
    })?;
    list(input, |input| {
        log.transactions.ending.insert(offset(input)?, offset(input)?);
        Ok(())
    })?;
    list(input, |input| {
        let producer_id = input.signed()?;
        let aborted = Aborted { producer_id, first_offset: offset(input)?, last_offset: offset(input)? };
        log.transactions.aborted.push(AbortedEntry { aborted, stable: offset(input)? });
        Ok(())
    })?;
    list(input, |input| {
        let (end, bytes, max_timestamp_ms) = (offset(input)?, input.number()?, input.signed()?);
        let first_timestamp_ms = if compacts { input.signed()? } else { max_timestamp_ms };
        log.spans.restore(Span { end, bytes, max_timestamp_ms, first_timestamp_ms });
        Ok(())
    })?;
    list(input, |input| {
        log.tail.push_back(take_batch(input)?);
        Ok(())
    })?;
    if compacts {
        log.cleaned = offset(input)?;
    }
    Ok(log)
}

fn take_producer(input: &mut Input) -> Decoded<(i64, Producer)> {
    let id = input.signed()?;
    let mut producer = Producer {
        ended_at: None,
        epoch: narrow(input)?,
        last_timestamp_ms: input.signed()?,
        heard_ms: 0,
        open_from: input.number()?.checked_sub(1).map(Offset),
        batches: std::collections::VecDeque::new(),
    };
    list(input, |input| {
        producer.batches.push_back(Remembered {
            first_sequence: narrow(input)?,
            last_sequence: narrow(input)?,
            base_offset: offset(input)?,
        });
        Ok(())
    })?;
    Ok((id, producer))
}

fn take_batch(input: &mut Input) -> Decoded<BatchMeta> {
    Ok(BatchMeta {
        base_offset: offset(input)?,
        end_offset: offset(input)?,
        size: input.number()?,
        crc: u32::try_from(input.number()?).map_err(|_| CodecError)?,
        epoch: LogEpoch(narrow(input)?),
        attributes: narrow(input)?,
        max_timestamp_ms: input.signed()?,
        producer_id: input.signed()?,
        producer_epoch: narrow(input)?,
        base_sequence: narrow(input)?,
        last_sequence: narrow(input)?,
        record_count: u32::try_from(input.number()?).map_err(|_| CodecError)?,
        marker: match take_bytes(input, 1)?.first() {
            Some(0) => None,
            Some(1) => Some(Marker::Abort),
            Some(2) => Some(Marker::Commit),
            _ => return Err(CodecError),
        },
    })
}

fn take_view(input: &mut Input, view: &mut View) -> Decoded<()> {
    view.next = input.number()?;
    let held = &mut view.deliveries;
    held.fresh = input.number()?;
    list(input, |input| {
        held.returned.insert(input.number()?);
        Ok(())
    })?;
    list(input, |input| {
        let entry = input.number()?;
        let lease = Lease { cursor: CursorId(input.number()?), until_ms: input.signed()? };
        held.restore_lease(entry, lease);
        Ok(())
    })?;
    list(input, |input| {
        let entry = input.number()?;
        held.counts.insert(entry, u32::try_from(input.number()?).map_err(|_| CodecError)?);
        Ok(())
    })
}

fn take_chunk(input: &mut Input) -> Decoded<Chunk> {
    let count = u32::try_from(input.number()?).map_err(|_| CodecError)?;
    let mut acked = Vec::new();
    list(input, |input| {
        let word = take_bytes(input, 8)?;
        acked.push(id(&word, 0)?);
        Ok(())
    })?;
    let packed = std::mem::take(&mut input.rest);
    Chunk::from_parts(&packed, count, &acked).ok_or(CodecError)
}

#[cfg(test)]
mod tests;

//! Closed loop: a window of requests in flight on each connection.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::Args;
use crate::frames::{HEADER, In, Res, batch, dial, fetch_frame, place, produce_frame, read_frame};

struct Load {
    address: String,
    topic: String,
    stay: bool,
    acks: i16,
    window: usize,
    records: usize,
    bytes: usize,
    until: Instant,
    pause: Duration,
    frames_max: u64,
    sent: AtomicU64,
    stop: AtomicBool,
}

#[derive(Default)]
struct Told {
    acked: u64,
    retries: u64,
    longest_us: u64,
    took_us: Vec<u32>,
}

impl Load {
    fn may_send(&self) -> bool {
        !self.stop.load(Relaxed)
            && Instant::now() < self.until
            && self.sent.fetch_add(1, Relaxed) < self.frames_max
    }

    /// One connection; when the leader moves it looks for the new one, as a client would.
    fn run(&self, partition: i32) -> Res<Told> {
        let mut frame = produce_frame(&self.topic, partition, self.acks, &batch(self.records, self.bytes));
        let mut told = Told::default();
        let mut since = Instant::now();
        let mut again = false;
        while again || self.may_send() {
            let outcome = self.connected(partition, &mut frame, &mut told, &mut since);
            again = match outcome {
                Ok(moved) => moved,
                Err(error) if self.window == 1 && !self.pause.is_zero() && since.elapsed().as_secs() < 20 => {
                    let _ = error;
                    true
                }
                Err(error) => return Err(error),
            };
            if again {
                told.retries += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(told)
    }

    /// True if the request in hand was refused and has to be sent again.
    fn connected(&self, partition: i32, frame: &mut [u8], told: &mut Told, since: &mut Instant) -> Res<bool> {
        let mut stream = dial(&place(&self.address, &self.topic, partition, self.stay)?)?;
        let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
        let (mut answer, mut correlation) = (Vec::new(), 0i32);
        let mut open = VecDeque::new();
        let mut first = true;
        loop {
            while open.len() < self.window && (first || self.may_send()) {
                correlation += 1;
                frame[8..12].copy_from_slice(&correlation.to_be_bytes());
                open.push_back((correlation, Instant::now()));
                stream.write_all(frame)?;
                first = false;
            }
            let Some((wanted, at)) = open.pop_front() else { return Ok(false) };
            read_frame(&mut reader, &mut answer)?;
            let mut rest = In(&answer);
            if rest.i32()? != wanted {
                return Err("an answer to another request".into());
            }
            rest.i32()?;
            rest.string()?;
            rest.take(8)?;
            match rest.i16()? {
                0 => told.acked += self.records as u64,
                6 | 3 | 7 if self.window == 1 && !self.pause.is_zero() => return Ok(true),
                code => return Err(format!("error code {code}").into()),
            }
            let gap = since.elapsed().as_micros() as u64;
            *since = Instant::now();
            told.longest_us = told.longest_us.max(gap);
            told.took_us.push(at.elapsed().as_micros() as u32);
            if !self.pause.is_zero() {
                std::thread::sleep(self.pause);
            }
        }
    }
}

pub(crate) fn quantile(sorted: &[u32], of: f64) -> u32 {
    let at = ((sorted.len() as f64 - 1.0) * of).round().max(0.0) as usize;
    sorted.get(at).copied().unwrap_or(0)
}

pub(crate) fn produce(args: &Args) -> Res<()> {
    let begin = Instant::now();
    let (records, bytes): (usize, usize) = (args.number("records", 1), args.number("bytes", 1024));
    let load = Arc::new(Load {
        address: args.text("to"),
        topic: args.text("topic"),
        stay: args.number("stay", 0) == 1,
        acks: args.number("acks", 1),
        window: args.number("window", 1),
        records,
        bytes,
        until: begin + Duration::from_secs_f64(args.number("seconds", 5.0)),
        pause: Duration::from_micros(args.number("pause-us", 0)),
        frames_max: args.number("megabytes", 1_000_000u64) * 1_000_000 / (records * bytes) as u64,
        sent: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    if args.number("until-eof", 0) == 1 {
        let load = Arc::clone(&load);
        std::thread::spawn(move || {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            load.stop.store(true, Relaxed);
        });
    }
    let partitions: i32 = args.number("partitions", 1);
    let threads: Vec<_> = (0..args.number::<i32>("connections", 1))
        .map(|each| {
            let load = Arc::clone(&load);
            std::thread::spawn(move || load.run(each % partitions))
        })
        .collect();
    let mut all = Told::default();
    for thread in threads {
        let told = thread.join().map_err(|_| "a connection panicked")??;
        all.acked += told.acked;
        all.retries += told.retries;
        all.longest_us = all.longest_us.max(told.longest_us);
        all.took_us.extend(told.took_us);
    }
    all.took_us.sort_unstable();
    println!(
        "{{\"records\":{},\"seconds\":{:.6},\"retries\":{},\"p50_us\":{},\"p99_us\":{},\"longest_gap_us\":{}}}",
        all.acked,
        begin.elapsed().as_secs_f64(),
        all.retries,
        quantile(&all.took_us, 0.5),
        quantile(&all.took_us, 0.99),
        all.longest_us,
    );
    Ok(())
}

/// Reads a partition over and over from its first offset.
pub(crate) fn read_partition(
    place: &str,
    topic: &str,
    partition: i32,
    until: Instant,
    left: &AtomicU64,
) -> Res<(u64, u64)> {
    let mut stream = dial(place)?;
    let (mut records, mut bytes, mut offset, mut answer) = (0u64, 0u64, 0i64, Vec::new());
    while Instant::now() < until && left.load(Relaxed) > 0 {
        let (before, begin) = (offset, records);
        fetch_once(&mut stream, topic, partition, &mut offset, &mut answer, |count, size| {
            records += count;
            bytes += size;
        })?;
        if offset == before {
            offset = 0;
        }
        let _ = left.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(records - begin)));
    }
    Ok((records, bytes))
}

/// One fetch from an offset, which is moved on behind what came. Each batch must begin where the one before ended.
pub(crate) fn fetch_once(
    stream: &mut TcpStream,
    topic: &str,
    partition: i32,
    offset: &mut i64,
    answer: &mut Vec<u8>,
    mut each: impl FnMut(u64, u64),
) -> Res<()> {
    stream.write_all(&fetch_frame(topic, partition, *offset))?;
    read_frame(stream, answer)?;
    let mut rest = In(&answer[8..]);
    let failed = rest.i16()?;
    rest.take(8)?;
    rest.string()?;
    rest.take(8)?;
    let error = rest.i16()?;
    if failed != 0 || error != 0 {
        return Err(format!("fetch: error codes {failed} {error}").into());
    }
    rest.take(24)?;
    let aborted = rest.i32()?;
    rest.take(16 * aborted.max(0) as usize)?;
    rest.take(4)?;
    let size = rest.i32()?.max(0) as usize;
    let mut data = In(rest.take(size)?);
    while data.0.len() >= HEADER {
        let head = data.0;
        let length = i32::from_be_bytes(head[8..12].try_into()?) as usize;
        if head.len() < length + 12 {
            break;
        }
        let base = i64::from_be_bytes(head[..8].try_into()?);
        if base != *offset {
            return Err(format!("offset {base} where {offset} was asked").into());
        }
        *offset = base + i64::from(i32::from_be_bytes(head[23..27].try_into()?)) + 1;
        each(i32::from_be_bytes(head[57..61].try_into()?) as u64, length as u64 + 12);
        data.take(length + 12)?;
    }
    Ok(())
}

pub(crate) fn fetch(args: &Args) -> Res<()> {
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(args.number("seconds", 5.0));
    let left = Arc::new(AtomicU64::new(args.number("records", u64::MAX)));
    let partitions: i32 = args.number("partitions", 1);
    let threads: Vec<_> = (0..args.number::<i32>("connections", 1))
        .map(|each| {
            let (to, topic, left) = (args.text("to"), args.text("topic"), Arc::clone(&left));
            let stay = args.number("stay", 0) == 1;
            std::thread::spawn(move || {
                let (place, partition) = (place(&to, &topic, each % partitions, stay)?, each % partitions);
                read_partition(&place, &topic, partition, until, &left)
            })
        })
        .collect();
    let (mut records, mut bytes) = (0, 0);
    for thread in threads {
        let (more, volume) = thread.join().map_err(|_| "a connection panicked")??;
        records += more;
        bytes += volume;
    }
    println!("{{\"records\":{records},\"bytes\":{bytes},\"seconds\":{:.6}}}", begin.elapsed().as_secs_f64());
    Ok(())
}

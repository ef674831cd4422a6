//! Raw Kafka frames for measuring: a null sink, a producer and a reader that cost little themselves.
//!
//! Standard library only, compiled by `bench/run` with rustc. One thread a connection, a fixed window of requests
//! in flight (closed loop); `paced` sends at a fixed rate whatever is answered (open loop), and counts from the moment
//! at which a batch was due. Every batch is built once; only the correlation id changes, so the generator's work
//! is its system calls. Answers are read and checked; each command prints one JSON object. With `stay=1` connections go to
//! the address that is given, not to the leader that metadata names: for proxies that do not change addresses.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PRODUCE: (i16, i16) = (0, 7);
const FETCH: (i16, i16) = (1, 11);
const LIST_OFFSETS: (i16, i16) = (2, 1);
const METADATA: (i16, i16) = (3, 1);
const OFFSET_COMMIT: (i16, i16) = (8, 2);
const FIND_COORDINATOR: (i16, i16) = (10, 0);
const API_VERSIONS: (i16, i16) = (18, 0);
const CREATE_TOPICS: (i16, i16) = (19, 4);
const DELETE_TOPICS: (i16, i16) = (20, 1);
const HEADER: usize = 61;
const FETCH_BYTES: i32 = 1 << 20;

type Res<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn request(api: (i16, i16)) -> Self {
        let mut out = Out(vec![0; 4]);
        out.i16(api.0).i16(api.1).i32(0).string("bench");
        out
    }
    fn i8(&mut self, v: i8) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn i16(&mut self, v: i16) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn i32(&mut self, v: i32) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn i64(&mut self, v: i64) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    fn bytes(&mut self, v: &[u8]) -> &mut Self {
        self.0.extend_from_slice(v);
        self
    }
    fn string(&mut self, v: &str) -> &mut Self {
        self.i16(v.len() as i16).bytes(v.as_bytes())
    }
    fn varint(&mut self, v: i64) -> &mut Self {
        let mut left = ((v << 1) ^ (v >> 63)) as u64;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
        self
    }
    fn framed(mut self) -> Vec<u8> {
        let size = (self.0.len() - 4) as i32;
        self.0[..4].copy_from_slice(&size.to_be_bytes());
        self.0
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, n: usize) -> Res<&'a [u8]> {
        if self.0.len() < n {
            return Err("an answer is too short".into());
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }
    fn i16(&mut self) -> Res<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }
    fn i32(&mut self) -> Res<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }
    fn i64(&mut self) -> Res<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }
    fn string(&mut self) -> Res<String> {
        let n = self.i16()?;
        Ok(String::from_utf8_lossy(self.take(n.max(0) as usize)?).into_owned())
    }
}

fn crc32c(data: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (0u32.wrapping_sub(crc & 1)));
        }
    }
    !crc
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn batch(records: usize, value_bytes: usize) -> Vec<u8> {
    let (mut body, mut seed) = (Out::default(), 0x9e37_79b9_7f4a_7c15u64);
    for index in 0..records {
        let mut record = Out::default();
        record.i8(0).varint(0).varint(index as i64).varint(-1).varint(value_bytes as i64);
        for _ in 0..value_bytes {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            record.0.push(seed as u8);
        }
        record.varint(0);
        body.varint(record.0.len() as i64).bytes(&record.0);
    }
    let mut sealed = Out::default();
    sealed.i16(0).i32(records as i32 - 1).i64(wall_ms()).i64(wall_ms()).i64(-1).i16(-1).i32(-1);
    sealed.i32(records as i32).bytes(&body.0);
    let mut whole = Out::default();
    whole.i64(0).i32(sealed.0.len() as i32 + 9).i32(-1).i8(2).i32(crc32c(&sealed.0) as i32).bytes(&sealed.0);
    whole.0
}

fn produce_frame(topic: &str, partition: i32, acks: i16, batch: &[u8]) -> Vec<u8> {
    let mut out = Out::request(PRODUCE);
    out.i16(-1).i16(acks).i32(30_000).i32(1).string(topic).i32(1).i32(partition);
    out.i32(batch.len() as i32).bytes(batch);
    out.framed()
}

fn fetch_frame(topic: &str, partition: i32, offset: i64) -> Vec<u8> {
    let mut out = Out::request(FETCH);
    out.i32(-1).i32(100).i32(1).i32(FETCH_BYTES).i8(0).i32(0).i32(-1);
    out.i32(1).string(topic).i32(1).i32(partition).i32(-1).i64(offset).i64(-1).i32(FETCH_BYTES);
    out.i32(0).string("");
    out.framed()
}

fn dial(address: &str) -> Res<TcpStream> {
    let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

fn read_frame(from: &mut impl Read, into: &mut Vec<u8>) -> io::Result<()> {
    let mut size = [0; 4];
    from.read_exact(&mut size)?;
    into.resize(u32::from_be_bytes(size) as usize, 0);
    from.read_exact(into)
}

fn ask(stream: &mut TcpStream, frame: &[u8]) -> Res<Vec<u8>> {
    stream.write_all(frame)?;
    let mut answer = Vec::new();
    read_frame(stream, &mut answer)?;
    Ok(answer)
}

/// Where the leader of each partition is.
fn leaders(address: &str, topic: &str) -> Res<BTreeMap<i32, String>> {
    let mut last = String::new();
    for _ in 0..100 {
        match leaders_once(address, topic) {
            Ok(found) if !found.is_empty() => return Ok(found),
            Ok(_) => last = "no leader".to_owned(),
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("{topic} at {address}: {last}").into())
}

/// Where to send what is for a partition.
fn place(address: &str, topic: &str, partition: i32, stay: bool) -> Res<String> {
    let leader = leaders(address, topic)?.remove(&partition).ok_or("no such partition")?;
    Ok(if stay { address.to_owned() } else { leader })
}

fn leaders_once(address: &str, topic: &str) -> Res<BTreeMap<i32, String>> {
    let mut request = Out::request(METADATA);
    request.i32(1).string(topic);
    let answer = ask(&mut dial(address)?, &request.framed())?;
    let mut answer = In(&answer[4..]);
    let mut nodes = BTreeMap::new();
    for _ in 0..answer.i32()? {
        let id = answer.i32()?;
        let host = answer.string()?;
        nodes.insert(id, format!("{host}:{}", answer.i32()?));
        answer.string()?;
    }
    answer.i32()?;
    let mut found = BTreeMap::new();
    for _ in 0..answer.i32()? {
        let error = answer.i16()?;
        answer.string()?;
        answer.take(1)?;
        for _ in 0..answer.i32()? {
            let failed = answer.i16()?;
            let (index, leader) = (answer.i32()?, answer.i32()?);
            for _ in 0..2 {
                let replicas = answer.i32()?;
                answer.take(4 * replicas.max(0) as usize)?;
            }
            if let (0, 0, Some(node)) = (error, failed, nodes.get(&leader)) {
                found.insert(index, node.clone());
            }
        }
    }
    Ok(found)
}

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

fn quantile(sorted: &[u32], of: f64) -> u32 {
    let at = ((sorted.len() as f64 - 1.0) * of).round().max(0.0) as usize;
    sorted.get(at).copied().unwrap_or(0)
}

fn produce(args: &Args) -> Res<()> {
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
fn read_partition(
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
fn fetch_once(
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

fn fetch(args: &Args) -> Res<()> {
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

/// One producer of `paced`: what it has under way, oldest first, by the moment at which it was due.
#[derive(Default)]
struct Paced {
    under_way: Mutex<VecDeque<Instant>>,
    answered: Condvar,
    /// When each batch was due, for whoever reads them.
    due: Mutex<Vec<Instant>>,
    /// How many batches there will have been, once that is known.
    total: Mutex<Option<usize>>,
}

/// What `paced` sends, and how.
#[derive(Clone)]
struct Pace {
    place: String,
    topic: String,
    partition: i32,
    acks: i16,
    records: usize,
    bytes: usize,
    /// Between two batches of one connection; zero: as soon as the window allows.
    every: Duration,
    window: usize,
    begin: Instant,
    until: Instant,
    /// What came before this is not counted.
    counted_from: Instant,
}

impl Pace {
    fn send(&self, mut stream: TcpStream, paced: &Paced) -> Res<u64> {
        let mut frame =
            produce_frame(&self.topic, self.partition, self.acks, &batch(self.records, self.bytes));
        let (mut count, mut due) = (0u64, self.begin);
        loop {
            let mut under_way = paced.under_way.lock().map_err(|_| "a reader panicked")?;
            while under_way.len() >= self.window {
                let (guard, late) = paced
                    .answered
                    .wait_timeout(under_way, Duration::from_secs(20))
                    .map_err(|_| "a reader panicked")?;
                if late.timed_out() {
                    return Err("nothing is answered any more".into());
                }
                under_way = guard;
            }
            if self.every.is_zero() {
                due = Instant::now();
            }
            if due >= self.until {
                return Ok(count);
            }
            if let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
                drop(under_way);
                std::thread::sleep(early);
                under_way = paced.under_way.lock().map_err(|_| "a reader panicked")?;
            }
            under_way.push_back(due);
            drop(under_way);
            paced.due.lock().map_err(|_| "a reader panicked")?.push(due);
            count += 1;
            frame[8..12].copy_from_slice(&(count as i32).to_be_bytes());
            stream.write_all(&frame)?;
            due += self.every;
        }
    }

    /// Reads the answers, until there are as many as there are batches.
    fn answers(&self, stream: TcpStream, paced: &Paced) -> Res<Vec<u32>> {
        let mut reader = BufReader::with_capacity(64 << 10, stream);
        let (mut answer, mut took, mut count) = (Vec::new(), Vec::new(), 0usize);
        while !is_all(paced, count)? {
            if let Err(error) = read_frame(&mut reader, &mut answer) {
                if is_all(paced, count)? {
                    break;
                }
                return Err(error.into());
            }
            count += 1;
            let mut rest = In(&answer);
            if rest.i32()? != count as i32 {
                return Err("an answer to another request".into());
            }
            rest.i32()?;
            rest.string()?;
            rest.take(8)?;
            let code = rest.i16()?;
            if code != 0 {
                return Err(format!("error code {code}").into());
            }
            let due = paced.under_way.lock().map_err(|_| "the sender panicked")?.pop_front();
            paced.answered.notify_one();
            let due = due.ok_or("an answer to nothing")?;
            if due >= self.counted_from {
                took.push(due.elapsed().as_micros() as u32);
            }
        }
        Ok(took)
    }

    /// Reads the batches from where the partition ended before, until all are there. The log must hold this producer's
    /// batches alone: the n-th one is the n-th that was sent.
    fn read(&self, mut stream: TcpStream, mut offset: i64, paced: &Paced) -> Res<Vec<u32>> {
        let (mut answer, mut took, mut count) = (Vec::new(), Vec::new(), 0usize);
        let end = self.until + Duration::from_secs(20);
        while !is_all(paced, count)? {
            if Instant::now() > end {
                return Err(format!("only {count} batches can be read").into());
            }
            let mut arrived = 0usize;
            fetch_once(&mut stream, &self.topic, self.partition, &mut offset, &mut answer, |_, _| {
                arrived += 1
            })?;
            let (now, due) = (Instant::now(), paced.due.lock().map_err(|_| "the sender panicked")?);
            let came = due.get(count..count + arrived).ok_or("more was read than was sent")?;
            took.extend(
                came.iter()
                    .filter(|due| **due >= self.counted_from)
                    .map(|due| (now - *due).as_micros() as u32),
            );
            count += arrived;
        }
        Ok(took)
    }
}

fn is_all(paced: &Paced, count: usize) -> Res<bool> {
    Ok(paced.total.lock().map_err(|_| "the sender panicked")?.is_some_and(|total| count >= total))
}

/// One connection of `paced`; with `consume`, a second one reads what the first one writes.
fn paced_connection(pace: &Pace, from: Option<i64>) -> Res<(u64, Vec<u32>, Vec<u32>)> {
    let stream = dial(&pace.place)?;
    let (answers, end, reader) =
        (stream.try_clone()?, stream.try_clone()?, from.map(|_| dial(&pace.place)).transpose()?);
    let paced = Paced::default();
    std::thread::scope(|scope| {
        let acked = scope.spawn(|| pace.answers(answers, &paced));
        let read = reader.map(|reader| scope.spawn(|| pace.read(reader, from.unwrap_or(0), &paced)));
        let sent = pace.send(stream, &paced);
        let total = *sent.as_ref().unwrap_or(&0) as usize;
        *paced.total.lock().map_err(|_| "a reader panicked")? = Some(total);
        // Whoever has read the last answer before that was known waits for one more.
        if paced.under_way.lock().map_err(|_| "a reader panicked")?.is_empty() {
            end.shutdown(std::net::Shutdown::Read)?;
        }
        let acked = acked.join().map_err(|_| "a reader panicked")??;
        let read = read.map(|read| read.join().map_err(|_| "a reader panicked")).transpose()?.transpose()?;
        Ok((sent? * pace.records as u64, acked, read.unwrap_or_default()))
    })
}

/// Sends at a fixed rate (records a second, over all connections), each connection to a partition of its own.
fn paced(args: &Args) -> Res<()> {
    let (to, topic): (String, String) = (args.text("to"), args.text("topic"));
    let (rate, connections): (f64, i32) = (args.number("rate", 0.0), args.number("connections", 1));
    let (records, consume): (usize, bool) = (args.number("records", 1), args.number("consume", 0) == 1);
    let stay = args.number("stay", 0) == 1;
    let every = if rate > 0.0 { records as f64 * f64::from(connections) / rate } else { 0.0 };
    let window = if rate > 0.0 { 100_000 } else { args.number("window", 5) };
    let mut places = Vec::new();
    for partition in 0..connections {
        let from =
            consume.then(|| end_of_partition(&place(&to, &topic, partition, stay)?, &topic, partition));
        places.push((place(&to, &topic, partition, stay)?, from.transpose()?));
    }
    let (warm, seconds) = (args.number("warm", 0.5), args.number("seconds", 2.0));
    let start = Instant::now() + Duration::from_millis(50);
    let threads: Vec<_> = (0i32..)
        .zip(places)
        .map(|(partition, (place, from))| {
            let pace = Pace {
                place,
                topic: topic.clone(),
                partition,
                acks: args.number("acks", 1),
                records,
                bytes: args.number("bytes", 1024),
                every: Duration::from_secs_f64(every),
                window,
                // Connections take turns instead of sending all at once.
                begin: start + Duration::from_secs_f64(every * f64::from(partition) / f64::from(connections)),
                until: start + Duration::from_secs_f64(warm + seconds),
                counted_from: start + Duration::from_secs_f64(warm),
            };
            std::thread::spawn(move || paced_connection(&pace, from))
        })
        .collect();
    let (mut sent, mut acked, mut read) = (0, Vec::new(), Vec::new());
    for thread in threads {
        let (count, acks, reads) = thread.join().map_err(|_| "a connection panicked")??;
        sent += count;
        acked.extend(acks);
        read.extend(reads);
    }
    let took = start.elapsed().as_secs_f64();
    acked.sort_unstable();
    read.sort_unstable();
    let told = |name: &str, sorted: &[u32]| {
        format!("\"{name}p50_us\":{},\"{name}p99_us\":{}", quantile(sorted, 0.5), quantile(sorted, 0.99))
    };
    let through = if consume { format!(",{}", told("through_", &read)) } else { String::new() };
    println!("{{\"records\":{sent},\"seconds\":{took:.6},{}{through}}}", told("", &acked));
    Ok(())
}

/// Sum of the partitions' log ends.
fn ends(args: &Args) -> Res<()> {
    println!("{{\"end\":{}}}", end_of(&args.text("to"), &args.text("topic"))?);
    Ok(())
}

fn end_of(address: &str, topic: &str) -> Res<i64> {
    let mut sum = 0;
    for (partition, node) in leaders(address, topic)? {
        sum += end_of_partition(&node, topic, partition)?;
    }
    Ok(sum)
}

fn end_of_partition(place: &str, topic: &str, partition: i32) -> Res<i64> {
    let mut request = Out::request(LIST_OFFSETS);
    request.i32(-1).i32(1).string(topic).i32(1).i32(partition).i64(-1);
    let answer = ask(&mut dial(place)?, &request.framed())?;
    let mut rest = In(&answer[8..]);
    rest.string()?;
    rest.take(8)?;
    let error = rest.i16()?;
    rest.take(8)?;
    if error != 0 {
        return Err(format!("list offsets: error code {error}").into());
    }
    rest.i64()
}

fn create(args: &Args) -> Res<()> {
    let settings = args.text("set");
    let pairs: Vec<_> = settings.split(',').filter_map(|pair| pair.split_once('=')).collect();
    let names = args.text("topic");
    let names: Vec<_> = names.split(',').collect();
    let mut request = Out::request(CREATE_TOPICS);
    request.i32(names.len() as i32);
    for name in &names {
        request.string(name).i32(args.number("partitions", 1)).i16(1).i32(0).i32(pairs.len() as i32);
        for (key, value) in &pairs {
            request.string(key).string(value);
        }
    }
    request.i32(30_000).i8(0);
    let answer = ask(&mut dial(&args.text("to"))?, &request.framed())?;
    let mut rest = In(&answer[12..]);
    for _ in &names {
        let name = rest.string()?;
        let error = rest.i16()?;
        let message = rest.string()?;
        if error != 0 {
            return Err(format!("{name}: error code {error} {message}").into());
        }
    }
    // A broker answers before its partitions have leaders that know of it.
    for name in names {
        let end = Instant::now() + Duration::from_secs(30);
        while let Err(error) = end_of(&args.text("to"), name) {
            if Instant::now() > end {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    println!("{{}}");
    Ok(())
}

fn delete(args: &Args) -> Res<()> {
    let mut request = Out::request(DELETE_TOPICS);
    request.i32(1).string(&args.text("topic")).i32(30_000);
    let answer = ask(&mut dial(&args.text("to"))?, &request.framed())?;
    let mut rest = In(&answer[12..]);
    rest.string()?;
    match rest.i16()? {
        0 => println!("{{}}"),
        error => return Err(format!("delete: error code {error}").into()),
    }
    Ok(())
}

/// Commits an offset for a group without members, which makes the group.
fn commit(args: &Args) -> Res<()> {
    let mut request = Out::request(OFFSET_COMMIT);
    request.string(&args.text("group")).i32(-1).string("").i64(-1).i32(1).string(&args.text("topic"));
    request.i32(1).i32(0).i64(0).string("");
    let request = request.framed();
    for _ in 0..100 {
        // Asking for the coordinator makes the broker create its topic of offsets.
        let mut find = Out::request(FIND_COORDINATOR);
        find.string(&args.text("group"));
        ask(&mut dial(&args.text("to"))?, &find.framed())?;
        let answer = ask(&mut dial(&args.text("to"))?, &request)?;
        let mut rest = In(&answer[8..]);
        rest.string()?;
        rest.take(8)?;
        if rest.i16()? == 0 {
            println!("{{}}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err("the coordinator does not take the commit".into())
}

/// Connections that have said hello and stay; ends with its standard input.
fn idle(args: &Args) -> Res<()> {
    let hello = Out::request(API_VERSIONS).framed();
    let mut open = Vec::new();
    for _ in 0..args.number::<usize>("connections", 1000) {
        let mut stream = dial(&args.text("to"))?;
        ask(&mut stream, &hello)?;
        open.push(stream);
    }
    println!("{{\"open\":{}}}", open.len());
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Answers Produce and Fetch at once and hands everything else to a real broker, in whose place it stands.
fn sink(args: &Args) -> Res<()> {
    let listener = TcpListener::bind(args.text("listen"))?;
    let (port, broker) = (listener.local_addr()?.port(), args.text("broker"));
    let ready = batch(64, 1024);
    println!("{{\"port\":{port}}}");
    for stream in listener.incoming() {
        let (stream, broker, ready) = (stream?, broker.clone(), ready.clone());
        std::thread::spawn(move || {
            let _ended = sink_connection(stream, port, &broker, &ready);
        });
    }
    Ok(())
}

fn sink_connection(mut stream: TcpStream, port: u16, broker: &str, ready: &[u8]) -> Res<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(256 << 10, stream.try_clone()?);
    let (mut behind, mut frame, mut answers) = (None, Vec::new(), Vec::new());
    loop {
        read_frame(&mut reader, &mut frame)?;
        let mut rest = In(&frame);
        let api = (rest.i16()?, rest.i16()?);
        let correlation = rest.i32()?;
        rest.string()?;
        if api == PRODUCE {
            rest.take(8)?;
            let (_, _, topic) = (rest.take(0)?, rest.i32()?, rest.string()?);
            let (_, partition) = (rest.i32()?, rest.i32()?);
            let mut out = Out(vec![0; 4]);
            out.i32(correlation)
                .i32(1)
                .string(&topic)
                .i32(1)
                .i32(partition)
                .i16(0)
                .i64(0)
                .i64(-1)
                .i64(0)
                .i32(0);
            answers.extend(out.framed());
        } else if api == FETCH {
            rest.take(25)?;
            let (_, topic) = (rest.i32()?, rest.string()?);
            let (_, partition, _, offset) = (rest.i32()?, rest.i32()?, rest.i32()?, rest.i64()?);
            let count = FETCH_BYTES as usize / ready.len();
            let mut out = Out(vec![0; 4]);
            out.i32(correlation).i32(0).i16(0).i32(0).i32(1).string(&topic).i32(1).i32(partition).i16(0);
            out.i64(1 << 40).i64(1 << 40).i64(0).i32(-1).i32(-1).i32((count * ready.len()) as i32);
            for each in 0..count {
                let at = out.0.len();
                out.bytes(ready);
                out.0[at..at + 8].copy_from_slice(&(offset + 64 * each as i64).to_be_bytes());
            }
            answers.extend(out.framed());
        } else {
            let behind = match &mut behind {
                Some(behind) => behind,
                None => behind.insert(dial(broker)?),
            };
            behind.write_all(&(frame.len() as u32).to_be_bytes())?;
            let mut answer = ask(behind, &frame)?;
            readdress(&mut answer, broker, port);
            answers.extend((answer.len() as u32).to_be_bytes());
            answers.extend(answer);
        }
        // Answers leave together once nothing more lies in the buffer.
        if reader.buffer().is_empty() {
            stream.write_all(&answers)?;
            answers.clear();
        }
    }
}

/// The broker's address becomes the sink's: same host, another port.
fn readdress(answer: &mut [u8], broker: &str, port: u16) {
    let Some((host, from)) = broker.rsplit_once(':') else { return };
    let mut wanted = host.as_bytes().to_vec();
    wanted.extend(from.parse::<u32>().unwrap_or(0).to_be_bytes());
    let size = wanted.len();
    for at in 0..answer.len().saturating_sub(size - 1) {
        if answer[at..at + size] == wanted[..] {
            answer[at + size - 4..at + size].copy_from_slice(&u32::from(port).to_be_bytes());
        }
    }
}

struct Args(BTreeMap<String, String>);

impl Args {
    fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }
    fn number<T: std::str::FromStr>(&self, name: &str, or: T) -> T {
        self.0.get(name).and_then(|text| text.parse().ok()).unwrap_or(or)
    }
}

fn main() {
    let mut given = std::env::args().skip(1);
    let command = given.next().unwrap_or_default();
    let pairs =
        given.filter_map(|pair| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
    let args = Args(pairs.collect());
    let outcome = match command.as_str() {
        "produce" => produce(&args),
        "paced" => paced(&args),
        "fetch" => fetch(&args),
        "ends" => ends(&args),
        "create" => create(&args),
        "delete" => delete(&args),
        "commit" => commit(&args),
        "idle" => idle(&args),
        "sink" => sink(&args),
        _ => Err("usage: wire produce|paced|fetch|ends|create|delete|commit|idle|sink KEY=VALUE...".into()),
    };
    if let Err(error) = outcome {
        eprintln!("wire: {error}");
        std::process::exit(1);
    }
}

//! Open loop: batches are due at a fixed rate, whatever is answered.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::Args;
use crate::frames::{In, Res, batch, dial, place, produce_frame, read_frame};
use crate::load::{fetch_once, quantile};
use crate::topics::end_of_partition;

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
pub(crate) fn paced(args: &Args) -> Res<()> {
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

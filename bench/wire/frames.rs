//! Frames and batches, written and read by hand, and who leads a partition.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const PRODUCE: (i16, i16) = (0, 7);
pub(crate) const FETCH: (i16, i16) = (1, 11);
pub(crate) const LIST_OFFSETS: (i16, i16) = (2, 1);
pub(crate) const METADATA: (i16, i16) = (3, 1);
pub(crate) const OFFSET_COMMIT: (i16, i16) = (8, 2);
pub(crate) const FIND_COORDINATOR: (i16, i16) = (10, 0);
pub(crate) const API_VERSIONS: (i16, i16) = (18, 0);
pub(crate) const CREATE_TOPICS: (i16, i16) = (19, 4);
pub(crate) const DELETE_TOPICS: (i16, i16) = (20, 1);
pub(crate) const HEADER: usize = 61;
pub(crate) const FETCH_BYTES: i32 = 1 << 20;

pub(crate) type Res<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Default)]
pub(crate) struct Out(pub(crate) Vec<u8>);

impl Out {
    pub(crate) fn request(api: (i16, i16)) -> Self {
        let mut out = Out(vec![0; 4]);
        out.i16(api.0).i16(api.1).i32(0).string("bench");
        out
    }
    pub(crate) fn i8(&mut self, v: i8) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    pub(crate) fn i16(&mut self, v: i16) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    pub(crate) fn i32(&mut self, v: i32) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    pub(crate) fn i64(&mut self, v: i64) -> &mut Self {
        self.bytes(&v.to_be_bytes())
    }
    pub(crate) fn bytes(&mut self, v: &[u8]) -> &mut Self {
        self.0.extend_from_slice(v);
        self
    }
    pub(crate) fn string(&mut self, v: &str) -> &mut Self {
        self.i16(v.len() as i16).bytes(v.as_bytes())
    }
    pub(crate) fn varint(&mut self, v: i64) -> &mut Self {
        let mut left = ((v << 1) ^ (v >> 63)) as u64;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
        self
    }
    pub(crate) fn framed(mut self) -> Vec<u8> {
        let size = (self.0.len() - 4) as i32;
        self.0[..4].copy_from_slice(&size.to_be_bytes());
        self.0
    }
}

pub(crate) struct In<'a>(pub(crate) &'a [u8]);

impl<'a> In<'a> {
    pub(crate) fn take(&mut self, n: usize) -> Res<&'a [u8]> {
        if self.0.len() < n {
            return Err("an answer is too short".into());
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }
    pub(crate) fn i16(&mut self) -> Res<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }
    pub(crate) fn i32(&mut self) -> Res<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }
    pub(crate) fn i64(&mut self) -> Res<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }
    pub(crate) fn string(&mut self) -> Res<String> {
        let n = self.i16()?;
        Ok(String::from_utf8_lossy(self.take(n.max(0) as usize)?).into_owned())
    }
}

pub(crate) fn crc32c(data: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (0u32.wrapping_sub(crc & 1)));
        }
    }
    !crc
}

pub(crate) fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

pub(crate) fn batch(records: usize, value_bytes: usize) -> Vec<u8> {
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

pub(crate) fn produce_frame(topic: &str, partition: i32, acks: i16, batch: &[u8]) -> Vec<u8> {
    let mut out = Out::request(PRODUCE);
    out.i16(-1).i16(acks).i32(30_000).i32(1).string(topic).i32(1).i32(partition);
    out.i32(batch.len() as i32).bytes(batch);
    out.framed()
}

pub(crate) fn fetch_frame(topic: &str, partition: i32, offset: i64) -> Vec<u8> {
    let mut out = Out::request(FETCH);
    out.i32(-1).i32(100).i32(1).i32(FETCH_BYTES).i8(0).i32(0).i32(-1);
    out.i32(1).string(topic).i32(1).i32(partition).i32(-1).i64(offset).i64(-1).i32(FETCH_BYTES);
    out.i32(0).string("");
    out.framed()
}

pub(crate) fn dial(address: &str) -> Res<TcpStream> {
    let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

pub(crate) fn read_frame(from: &mut impl Read, into: &mut Vec<u8>) -> io::Result<()> {
    let mut size = [0; 4];
    from.read_exact(&mut size)?;
    into.resize(u32::from_be_bytes(size) as usize, 0);
    from.read_exact(into)
}

pub(crate) fn ask(stream: &mut TcpStream, frame: &[u8]) -> Res<Vec<u8>> {
    stream.write_all(frame)?;
    let mut answer = Vec::new();
    read_frame(stream, &mut answer)?;
    Ok(answer)
}

/// Where the leader of each partition is.
pub(crate) fn leaders(address: &str, topic: &str) -> Res<BTreeMap<i32, String>> {
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
pub(crate) fn place(address: &str, topic: &str, partition: i32, stay: bool) -> Res<String> {
    let leader = leaders(address, topic)?.remove(&partition).ok_or("no such partition")?;
    Ok(if stay { address.to_owned() } else { leader })
}

pub(crate) fn leaders_once(address: &str, topic: &str) -> Res<BTreeMap<i32, String>> {
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

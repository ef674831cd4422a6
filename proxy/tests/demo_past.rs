//! The demo's stand-in for legacy is like a Kafka that has been in use: read over the wire, before any client wrote.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use kernel_model::VerifiedBatch;
use kernel_model::batch::split;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use translator_kafka::codec::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use translator_kafka::codec::messages::{FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use translator_kafka::codec::{Message, Request, frame};

const TOPIC: &str = "orders";

/// The stand-in, serving; killed when dropped.
struct StandIn {
    child: Child,
    kafka: TcpStream,
}

impl StandIn {
    /// Also answers what the past said of itself.
    fn with_past(folder: &Path) -> (Self, Vec<serde_json::Value>) {
        let file = folder.join("legacy.toml");
        let text = format!(
            "[kernel]\npath = {:?}\nnode_id = 7\nshards = 1\n[kernel.kafka]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
            folder.join("data")
        );
        std::fs::write(&file, text).unwrap();
        let spec = serde_json::json!({
            "role": "past", "client": "before", "config": file, "topics": [TOPIC], "partitions": 2,
        });
        let past = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["demo-client", &spec.to_string()])
            .output()
            .unwrap();
        assert!(past.status.success(), "{}", String::from_utf8_lossy(&past.stderr));
        let lines = String::from_utf8(past.stdout).unwrap();
        let said = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (Self::serve(&file), said)
    }

    fn serve(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["run", "--json", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let serves: serde_json::Value = serde_json::from_str(&line).unwrap();
        let rows = serves["serves"].as_array().unwrap();
        let row = rows.iter().find(|row| row["what"] == "kafka").unwrap();
        let kafka = TcpStream::connect(row["address"].as_str().unwrap()).unwrap();
        Self { child, kafka }
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let framed = frame::request_frame(version, 1, Some("test".into()), request).unwrap();
        self.kafka.write_all(&framed).unwrap();
        let mut size = [0; 4];
        self.kafka.read_exact(&mut size).unwrap();
        let mut body = vec![0; u32::from_be_bytes(size) as usize];
        self.kafka.read_exact(&mut body).unwrap();
        let (_, reader) = frame::read_response_header(Bytes::from(body), R::API, version).unwrap();
        Message::decode_rest(reader, version).unwrap()
    }

    fn earliest(&mut self, partition: i32) -> i64 {
        let wanted = ListOffsetsPartition { partition_index: partition, timestamp: -2, ..Default::default() };
        let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![wanted], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        self.ask(5, &request).topics[0].partitions[0].offset
    }

    /// Largest epoch at or below, and its end.
    fn epoch_end(&mut self, partition: i32, epoch: i32) -> (i32, i64) {
        let wanted = OffsetForLeaderPartition { partition, leader_epoch: epoch, ..Default::default() };
        let topic =
            OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![wanted], ..Default::default() };
        let request =
            OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = self.ask(3, &request).topics[0].partitions[0].clone();
        (answer.leader_epoch, answer.end_offset)
    }

    fn fetch(&mut self, partition: i32, from: i64) -> Vec<VerifiedBatch> {
        let wanted = FetchPartition {
            partition,
            fetch_offset: from,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![wanted], ..Default::default() };
        let request =
            FetchRequest { max_wait_ms: 100, max_bytes: 1 << 20, topics: vec![topic], ..Default::default() };
        let answer = self.ask(12, &request).responses[0].partitions[0].clone();
        assert_eq!(answer.error_code, 0);
        split(&mut answer.records.unwrap_or_default()).unwrap()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

/// Offsets of a partition's values, as whoever wrote them said.
fn said_offsets(said: &[serde_json::Value], partition: i32) -> BTreeSet<i64> {
    let of = said.iter().filter(|line| line["op"] == "ack" && line["partition"] == partition);
    of.map(|line| line["offset"].as_i64().unwrap()).collect()
}

#[test]
fn the_stand_in_has_a_log_start_epochs_gaps_and_markers() {
    let folder = tempfile::tempdir().unwrap();
    let (mut legacy, said) = StandIn::with_past(folder.path());
    for partition in 0..2 {
        let start = legacy.earliest(partition);
        assert!(start > 0, "partition {partition} starts at {start}");
        let batches = legacy.fetch(partition, start);
        let headers: Vec<_> = batches.iter().map(VerifiedBatch::header).collect();
        let epochs: BTreeSet<i32> = headers.iter().map(|header| header.leader_epoch.0).collect();
        assert!(epochs.len() > 1 && epochs.iter().all(|epoch| *epoch > 0), "{epochs:?}");
        let gaps = headers.windows(2).filter(|pair| pair[0].end_offset() < pair[1].base_offset).count();
        assert!(gaps > 0);
        assert!(headers.iter().any(|header| header.is_control()), "no marker");
        // What is there is what was said to be there, and nothing else.
        let values = headers.iter().filter(|header| !header.is_control());
        let offsets = values.flat_map(|header| header.base_offset.0..header.end_offset().0);
        let held: BTreeSet<i64> = offsets.map(|offset| i64::try_from(offset).unwrap()).collect();
        assert_eq!(held, said_offsets(&said, partition));
        for epoch in epochs {
            let next = headers.iter().find(|header| header.leader_epoch.0 > epoch);
            let last = headers.last().unwrap().end_offset();
            let end = next.map_or(last, |header| header.base_offset);
            let end = i64::try_from(end.0).unwrap();
            assert_eq!(legacy.epoch_end(partition, epoch), (epoch, end));
        }
    }
}

//! What is in legacy's topics before the demo begins, and what the screen says of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::super::client::admin::Preparation;
use super::super::line::Line;
use super::super::spec::{ClientSpec, Codec, PastSpec, ProduceSpec};
use super::{PARTITIONS, SETTLE_WAIT, Walk, legacy_config};

const SEED: &str = "before";
/// Values that a real cluster gets before the demo begins; the first of each partition are deleted again.
const SEED_VALUES: u64 = 600;
const SEED_DELETED: i64 = 20;

impl Walk<'_> {
    /// Starts the stand-in with topics that have a past: epochs, gaps and markers as a Kafka in use has them.
    pub(super) async fn stand_in(
        &mut self,
        topics: &[String],
        admin: u16,
        port: u16,
    ) -> anyhow::Result<Vec<Line>> {
        let config = legacy_config(self.stage.folder(), admin, port);
        let spec = PastSpec {
            client: SEED.to_owned(),
            config: self.stage.configure("legacy", &config)?,
            topics: topics.to_vec(),
            partitions: PARTITIONS,
        };
        let past = self.hear_past(&ClientSpec::Past(spec)).await?;
        self.stage.serve("legacy", &config, admin).await?;
        Ok(past)
    }

    /// Creates the topics on a real cluster and writes the values that were there before.
    pub(super) async fn write_past(&mut self, legacy: &str, topics: &[String]) -> anyhow::Result<Vec<Line>> {
        let bootstrap = vec![legacy.to_owned()];
        let mut preparation = Preparation::new(&bootstrap, topics);
        preparation.create(PARTITIONS).await.context("the topics could not be prepared")?;
        let spec = ProduceSpec {
            client: SEED.to_owned(),
            bootstrap,
            topics: topics.to_vec(),
            rate: 2_000,
            acks_all: true,
            idempotent: true,
            in_flight_max: 5,
            codec: Codec::Lz4,
            records: SEED_VALUES,
        };
        self.hear_past(&ClientSpec::Produce(spec)).await
    }

    /// What a process says that writes the past, until it is done.
    async fn hear_past(&mut self, spec: &ClientSpec) -> anyhow::Result<Vec<Line>> {
        self.account.seed(SEED);
        self.stage.client(SEED, spec)?;
        let mut past = Vec::new();
        loop {
            match tokio::time::timeout(SETTLE_WAIT, self.heard.recv()).await.ok().flatten() {
                Some(Line::Done { .. }) => return Ok(past),
                Some(Line::Error { error }) => anyhow::bail!("legacy does not take values: {error}"),
                Some(line) => past.push(line),
                None => anyhow::bail!("legacy took no values in time"),
            }
        }
    }

    /// Deletes the first values of the past, so that no log starts where it once did; says what legacy is like, by
    /// its own answers.
    pub(super) async fn prepare(
        &mut self,
        legacy: &str,
        topics: &[String],
        past: Vec<Line>,
    ) -> anyhow::Result<()> {
        let mut preparation = Preparation::new(&[legacy.to_owned()], topics);
        preparation.create(PARTITIONS).await.context("the topics could not be prepared")?;
        let starts = deletions(&past);
        preparation.delete_below(&starts).await?;
        self.enter_past(&past, &starts)?;
        let nature = preparation.nature().await?;
        let (missing, gaps) = gaps(&past, &starts);
        self.screen.tell(&format!(
            "topics {} with {PARTITIONS} partitions each: log starts {} to {}, leader epochs {:?}, {gaps} gaps \
             ({missing} offsets) between the {} values there, led by {:?}",
            topics.join(" and "),
            nature.starts.first().unwrap_or(&-1),
            nature.starts.last().unwrap_or(&-1),
            nature.epochs,
            self.account.seeded(),
            nature.nodes,
        ));
        Ok(())
    }

    /// What was there before must be read too, except what was deleted.
    fn enter_past(&mut self, past: &[Line], starts: &BTreeMap<(String, i32), i64>) -> anyhow::Result<()> {
        for line in past {
            let deleted = match line {
                Line::Ack { topic, partition, offset, .. } => {
                    starts.get(&(topic.clone(), *partition)).is_some_and(|start| offset < start)
                }
                Line::Start { .. }
                | Line::Fail { .. }
                | Line::Read { .. }
                | Line::Rebalance { .. }
                | Line::Error { .. }
                | Line::Note { .. }
                | Line::Done { .. } => false,
            };
            if !deleted {
                self.account.take(line);
            }
        }
        let result = |((topic, partition), start): (&(String, i32), &i64)| {
            serde_json::json!({
                "op": "result", "command": "delete-records", "topic": topic, "partition": partition,
                "low_watermark": start,
            })
            .to_string()
        };
        let lines: Vec<String> = starts.iter().map(result).collect();
        self.stage.add_history("deleted", &lines)
    }
}

/// For each partition the offset below which the past is deleted: behind its first few values.
fn deletions(past: &[Line]) -> BTreeMap<(String, i32), i64> {
    let mut firsts: BTreeMap<(String, i32), i64> = BTreeMap::new();
    for line in past {
        if let Line::Ack { topic, partition, offset, .. } = line
            && *offset >= 0
        {
            let first = firsts.entry((topic.clone(), *partition)).or_insert(*offset);
            *first = (*first).min(*offset);
        }
    }
    firsts.into_iter().map(|(place, first)| (place, first + SEED_DELETED)).collect()
}

/// Offsets without a value between the values that are left of the past, and in how many places.
fn gaps(past: &[Line], starts: &BTreeMap<(String, i32), i64>) -> (i64, usize) {
    let mut offsets: BTreeMap<(String, i32), BTreeSet<i64>> = BTreeMap::new();
    for line in past {
        if let Line::Ack { topic, partition, offset, .. } = line {
            offsets.entry((topic.clone(), *partition)).or_default().insert(*offset);
        }
    }
    let (mut missing, mut gaps) = (0, 0);
    for (place, held) in &offsets {
        let start = starts.get(place).copied().unwrap_or(0);
        for (at, next) in
            held.range(start..).zip(held.range(start..).skip(1)).filter(|(at, next)| *next - *at > 1)
        {
            (missing, gaps) = (missing + next - at - 1, gaps + 1);
        }
    }
    (missing, gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(partition: i32, offset: i64) -> Line {
        Line::Ack {
            client: SEED.to_owned(),
            topic: "t".to_owned(),
            seq: 0,
            value: String::new(),
            partition,
            offset,
            node: 0,
            sent_ms: 0,
            t_ms: 0,
        }
    }

    #[test]
    fn gaps_are_counted_by_partition_and_from_the_log_start_on() {
        let past: Vec<Line> = [ack(0, 1), ack(0, 5), ack(0, 6), ack(0, 9), ack(1, 0), ack(1, 1)].into();
        let starts = BTreeMap::from([(("t".to_owned(), 0), 5)]);
        assert_eq!(gaps(&past, &BTreeMap::new()), (5, 2));
        assert_eq!(gaps(&past, &starts), (2, 1));
    }
}

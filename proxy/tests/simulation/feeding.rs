//! The feed: follows each partition, later watches for late writes; follows the offsets log.

use bytes::BytesMut;
use kernel_model::batch::patch_header;
use kernel_model::commit::{Commit, Op};
use kernel_model::request::MirrorOrigin;
use kernel_model::{KernelError, LogEpoch, Offset, Request, VerifiedBatch};
use proxy::ledger::{Decider, DivergenceKind, Primary, Sample, StopCause, What};

use crate::batches;
use crate::kernel::log_id;
use crate::legacy::Stored;
use crate::planted::Plant;
use crate::world::*;

impl World {
    pub fn feed(&mut self) {
        if self.now < self.legacy.down_until || self.now < self.cut_legacy_until {
            return;
        }
        for partition in 0..PARTITIONS {
            let Some(sluice) = &self.sluice else { return };
            let owner = sluice.ledger.book().owner(&partition_unit(partition));
            match (owner.side, owner.cut) {
                (Primary::Kernel, Some(cut)) => self.watch(partition, cut),
                _ if self.feeds[partition].running && self.feeds[partition].stopped.is_none() => {
                    self.follow(partition)
                }
                _ => {}
            }
        }
        self.follow_groups();
        if self.planted(Plant::FeedWrites) && self.rng.chance(1) {
            self.legacy.foreign_writes += 1;
        }
    }

    fn follow(&mut self, partition: usize) {
        let source = &self.legacy.partitions[partition];
        let feed = &self.feeds[partition];
        let check = !self.planted(Plant::NoSourceCheck);
        if check && source.incarnation != feed.incarnation {
            return self.stop(partition, "the topic was deleted and made anew");
        }
        let last_epoch = feed.batch_epoch.unwrap_or(feed.epoch);
        if check && source.epoch != feed.epoch && source.epoch_end(last_epoch) < feed.position {
            return self.stop(partition, "the source was truncated below what was copied");
        }
        if check && source.high_watermark < feed.position {
            return self.stop(partition, "the source ends below what was copied");
        }
        let end = source.end();
        self.drop_tail(partition, end);
        let source = &self.legacy.partitions[partition];
        let feed = &self.feeds[partition];
        let watermark =
            if self.planted(Plant::AboveWatermark) { source.end() } else { source.high_watermark };
        let first = source.log.partition_point(|stored| stored.end <= feed.position);
        let mut news: Vec<Stored> = source.log[first..]
            .iter()
            .take_while(|stored| stored.end <= watermark)
            .take(64)
            .cloned()
            .collect();
        let epoch = source.epoch;
        if self.poison == Some(partition) && !news.is_empty() {
            return self.stop(partition, "the kernel refuses a batch that legacy took");
        }
        if self.planted(Plant::FeedCorrupts) && self.rng.chance(10) {
            for stored in &mut news {
                let count = batches::values(&stored.bytes).len();
                let values: Vec<u64> = (0..count as u64).map(|n| (1 << 50) + n).collect();
                let batch = batches::verified(&batches::build(-1, -1, &values)).at(Offset(stored.base));
                stored.bytes = batch.bytes().clone();
            }
        }
        self.bring(partition, news, epoch, watermark);
    }

    /// Legacy ends below what dual-write has brought ahead: a new leader does not have it.
    fn drop_tail(&mut self, partition: usize, end: u64) {
        let now = self.now();
        if self.kernel.info(now, partition).is_some_and(|info| info.end.0 > end) {
            let to = self.kernel.info(now, partition).map_or(end, |info| info.durable_end.0);
            let op = Op::LogTruncate { log: log_id(partition), to: Offset(to) };
            let outcome = self.kernel.call(now, Request::Commit(Commit::of(vec![op])));
            self.trace(|| format!("drops the tail of partition {partition} from {to} on: {outcome:?}"));
        }
    }

    /// A batch of legacy under the epoch that clients see: behind a rollback they are shifted.
    pub fn as_shown(&self, partition: usize, stored: &Stored) -> VerifiedBatch {
        let owner = self.durable_owner(&partition_unit(partition));
        let behind = owner.cut.is_some_and(|cut| stored.base >= cut);
        let shift = if behind { self.shift(partition) } else { 0 };
        let mut bytes = BytesMut::from(stored.bytes.as_ref());
        patch_header(&mut bytes, Offset(stored.base), LogEpoch(stored.epoch + shift));
        batches::verified(&bytes.freeze())
    }

    /// Hands batches to the kernel and moves on by what it confirmed.
    fn bring(&mut self, partition: usize, news: Vec<Stored>, epoch: i32, watermark: u64) {
        let now = self.now();
        let position = self.feeds[partition].position;
        let end = news.last().map_or(position, |stored| stored.end);
        let shown: Vec<_> = news.iter().map(|stored| self.as_shown(partition, stored)).collect();
        let request = |from: u64| Request::Mirror {
            log: log_id(partition),
            batches: shown.clone(),
            origin: MirrorOrigin::Feed,
            from: Some(Offset(from)),
            confirm: Some(Offset(watermark.min(end))),
            start: None,
        };
        let outcome = self.kernel.call(now, request(position));
        if self.duplicates && outcome.is_ok() {
            let _ = self.kernel.call(now, request(position));
        }
        match outcome {
            Ok(_) => {
                let feed = &mut self.feeds[partition];
                for stored in &news {
                    let header = *batches::verified(&stored.bytes).header();
                    feed.chain = chain(feed.chain, stored.base, header.crc);
                    feed.records += u64::from(header.record_count);
                    feed.batch_epoch = Some(stored.epoch);
                }
                feed.position = end;
                feed.epoch = epoch;
                feed.source_epoch_seen = feed.source_epoch_seen.max(epoch);
            }
            Err(KernelError::MirrorConflict { at }) => {
                self.stop(partition, &format!("the source differs at {at} from what was copied"));
            }
            Err(_) => {}
        }
        let watermark = self.legacy.partitions[partition].high_watermark;
        let damaged = self.legacy.partitions[partition].damaged;
        if let Some(info) = self.kernel.info(now, partition)
            && info.durable_end.0 > watermark
            && !damaged
        {
            self.judge.fail(
                "K2",
                format!("partition {partition} shows {}, legacy's mark is {watermark}", info.durable_end),
            );
        }
    }

    fn stop(&mut self, partition: usize, reason: &str) {
        self.trace(|| format!("feed of partition {partition} stops: {reason}"));
        self.feeds[partition].stopped = Some(reason.to_owned());
        let unit = partition_unit(partition);
        let now = self.now();
        let position = self.feeds[partition].position;
        let Some(sluice) = &mut self.sluice else { return };
        if sluice.ledger.book().stopped(&unit).is_some() {
            return;
        }
        let sample = Sample::new(position, reason, &[]);
        let divergence = DivergenceKind::Source;
        let diverged = What::Diverged { unit: unit.clone(), divergence, sample, explained_by: None };
        let stopped =
            What::UnitStopped { unit, reason: reason.to_owned(), cause: StopCause::SourceTruncated };
        let _ = sluice.ledger.append(now.wall_ms, &Decider::Sluice, vec![diverged, stopped]);
    }

    /// Behind the cut: whatever legacy still takes is a divergence, on disk once.
    fn watch(&mut self, partition: usize, cut: u64) {
        let source = &self.legacy.partitions[partition];
        let (end, epoch, (watched, under)) = (source.end(), source.epoch, self.feeds[partition].watched);
        // What another leader has may be something else.
        let from = if under == epoch && watched <= end { watched.max(cut) } else { cut };
        self.feeds[partition].watched = (end, epoch);
        if from == end {
            return;
        }
        let foreign = self.foreign_to_kernel(partition, from);
        let source = &self.legacy.partitions[partition];
        let known = &self.feeds[partition].reported;
        let is_late = |stored: &&Stored| foreign.contains(&stored.base) && !known.contains(&stored.base);
        let late: Vec<Stored> = source.log.iter().filter(is_late).cloned().collect();
        if !late.is_empty() {
            self.reverses[partition].settled = false;
        }
        for stored in late {
            self.report_late(partition_unit(partition), stored.base, &stored.bytes);
            self.feeds[partition].reported.insert(stored.base);
        }
    }

    fn report_late(&mut self, unit: session::UnitId, position: u64, bytes: &[u8]) {
        let now = self.now();
        if self.planted(Plant::DropDivergences) {
            return;
        }
        let Some(sluice) = &mut self.sluice else { return };
        let sample = Sample::new(position, "written to legacy after the kernel took over", bytes);
        let divergence = DivergenceKind::LateWrite;
        let what = What::Diverged { unit, divergence, sample, explained_by: None };
        if sluice.ledger.append(now.wall_ms, &Decider::Sluice, vec![what]).is_err() {
            self.crash_sluice();
        }
    }

    fn follow_groups(&mut self) {
        let position = self.kernel_groups.position;
        let entries: Vec<(usize, usize, u64, u64)> = self.legacy.groups.log[position..].to_vec();
        for (at, (group, partition, offset, metadata)) in (position as u64..).zip(entries) {
            let Some(sluice) = &self.sluice else { return };
            let owner = sluice.ledger.book().owner(&group_unit(group));
            let copied = self.kernel_groups.offsets[group].get(&partition) == Some(&(offset, metadata));
            if owner.side == Primary::Kernel && copied && self.kernel_groups.closed[group] {
                // Written by the handover itself.
            } else if owner.side == Primary::Kernel {
                self.report_late(group_unit(group), at, &[]);
            } else {
                let metadata = if self.planted(Plant::LoseMetadata) { 0 } else { metadata };
                self.kernel_groups.offsets[group].insert(partition, (offset, metadata));
            }
            if self.sluice.is_none() {
                return;
            }
            self.kernel_groups.position = at as usize + 1;
        }
    }
}

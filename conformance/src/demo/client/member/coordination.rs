//! A member and its coordinator: joining, heartbeats, commits, the search for a coordinator that moved, leaving.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::{Event, Member, NOTE, PATIENCE};
use crate::demo::client::cluster::BACKOFF;
use crate::demo::client::connection::Connection;
use crate::demo::client::fetch::Position;
use crate::demo::client::group::{self, Committed, Cure, GroupError, Place};
use crate::demo::line::Line;

impl Member {
    /// The coordinator's connection, looked for if it is not known. A new one is asked for the committed offsets
    /// at once: what the old one confirmed must be there.
    pub(super) async fn coordinator(&mut self) -> Result<Connection, GroupError> {
        if let Some((_, connection)) = self.coordinator.as_ref().filter(|_| !self.coordinator_lost()) {
            return Ok(connection.clone());
        }
        let before = self.coordinator.as_ref().map(|(node, _)| *node);
        let (node, connection) = group::find(&mut self.cluster, &self.spec.group).await?;
        if before.is_some_and(|before| before != node) {
            self.note(&format!("coordinator of {} is node {node} now", self.spec.group));
        }
        self.coordinator = Some((node, connection.clone()));
        self.lost = false;
        Ok(connection)
    }

    pub(super) fn coordinator_lost(&self) -> bool {
        self.lost || self.coordinator.as_ref().is_none_or(|(_, connection)| connection.ended())
    }

    /// Keeps the coordinator's node in mind, so that a move is noticed.
    pub(super) fn lose_coordinator(&mut self) {
        self.stale = true;
        self.lost = true;
    }

    pub(super) async fn join(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        let places = loop {
            // Until the first answer comes, the parent must see why.
            self.voice.flush();
            let error = match self.try_join().await {
                Ok(places) => break places,
                Err(error) => error,
            };
            anyhow::ensure!(
                Instant::now() < until,
                "{}: cannot join {}: {error}",
                self.spec.member,
                self.spec.group
            );
            self.note(&format!("join: {error}"));
            match error.cure() {
                Cure::FindAgain => self.lose_coordinator(),
                Cure::Rejoin => continue,
                Cure::JoinAnew => self.membership.forget(),
                Cure::Again => {}
                Cure::Surface => anyhow::bail!("{}: join: {error}", self.spec.member),
            }
            tokio::time::sleep(BACKOFF).await;
        };
        self.take_over(places);
        self.joined = true;
        Ok(())
    }

    pub(super) async fn try_join(&mut self) -> Result<Vec<Place>, GroupError> {
        let mut partitions: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self.cluster.partitions() {
            partitions.entry(topic).or_default().push(partition);
        }
        let coordinator = self.coordinator().await?;
        self.membership.join(&coordinator, &partitions).await
    }

    /// Enters a new assignment. Eager: every partition is given up first.
    pub(super) fn take_over(&mut self, places: Vec<Place>) {
        self.turn += 1;
        let mut changed: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        for (topic, partition) in self.positions.keys().chain(&places) {
            changed.entry(topic.clone()).or_default().insert(*partition);
        }
        self.positions = places.into_iter().map(|place| (place, Position::at(None, -1))).collect();
        self.replicas.clear();
        self.confirmed.clear();
        for (topic, partitions) in changed {
            self.voice.say(&Line::Rebalance {
                topic,
                group: self.spec.group.clone(),
                member: self.spec.member.clone(),
                partitions: partitions.into_iter().collect(),
                generation: self.membership.generation,
                owned: self.positions.len(),
            });
        }
    }

    pub(super) fn beat(&mut self) {
        let Some((_, coordinator)) = self.coordinator.clone().filter(|_| !self.beating) else { return };
        self.beating = true;
        let (membership, events) = (self.membership.clone(), self.events.clone());
        tokio::spawn(async move {
            let outcome = membership.heartbeat(&coordinator).await;
            let _ended = events.send(Event::Beat(outcome)).await;
        });
    }

    pub(super) fn commit(&mut self) {
        let offsets = self.to_commit();
        let Some((_, coordinator)) = self.coordinator.clone().filter(|_| !self.committing) else { return };
        if offsets.is_empty() {
            return;
        }
        self.committing = true;
        let (membership, events) = (self.membership.clone(), self.events.clone());
        let note = format!("{NOTE} {}", self.spec.member);
        tokio::spawn(async move {
            let outcome = membership.commit(&coordinator, &offsets, &note).await;
            let _ended = events.send(Event::Committed(offsets, outcome)).await;
        });
    }

    pub(super) fn to_commit(&self) -> BTreeMap<Place, Committed> {
        let of = |(place, position): (&Place, &Position)| {
            let committed = Committed { offset: position.next?, epoch: position.epoch };
            (self.confirmed.get(place) != Some(&committed)).then(|| (place.clone(), committed))
        };
        self.positions.iter().filter_map(of).collect()
    }

    /// Does what a stock client does about a coordinator's error.
    pub(super) async fn heal(&mut self, what: &str, error: &GroupError) -> anyhow::Result<()> {
        self.note(&format!("{what}: {error}"));
        match error.cure() {
            Cure::Again => {}
            Cure::FindAgain => {
                self.lose_coordinator();
                self.check_new_coordinator().await;
            }
            Cure::Rejoin => {
                // Members commit before they give up their partitions.
                let offsets = self.to_commit();
                if let Some((_, coordinator)) = self.coordinator.clone().filter(|_| !offsets.is_empty()) {
                    let note = format!("{NOTE} {}", self.spec.member);
                    if let Err(error) = self.membership.commit(&coordinator, &offsets, &note).await {
                        self.note(&format!("commit before joining again: {error}"));
                    }
                }
                self.joined = false;
            }
            Cure::JoinAnew => {
                self.membership.forget();
                self.joined = false;
            }
            Cure::Surface => self.error(&format!("{what}: {error}")),
        }
        Ok(())
    }

    /// Finds the coordinator; one at another node must know every offset that the old one confirmed.
    pub(super) async fn check_new_coordinator(&mut self) {
        if Instant::now() < self.find_after {
            return;
        }
        let before = self.coordinator.as_ref().map(|(node, _)| *node);
        let found = self.coordinator().await;
        self.find_after = Instant::now() + BACKOFF;
        let Ok(coordinator) = found else { return };
        if before != self.coordinator.as_ref().map(|(node, _)| *node) {
            self.compare_committed(&coordinator).await;
            self.beat();
        }
    }

    pub(super) async fn compare_committed(&mut self, coordinator: &Connection) {
        let places: Vec<Place> = self.confirmed.keys().cloned().collect();
        let found = match self.membership.committed(coordinator, &places).await {
            Ok(found) => found,
            Err(error) => return self.note(&format!("committed offsets: {error}")),
        };
        for (place, confirmed) in self.confirmed.clone() {
            let now = found.get(&place).map(|(committed, _)| committed.offset);
            if now.is_none_or(|now| now < confirmed.offset) {
                let text =
                    format!("{place:?}: committed {} was confirmed, now it is {now:?}", confirmed.offset);
                self.error(&text);
            }
        }
    }

    /// Commits what was read, reads it back, and leaves.
    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while let Err(error) = self.try_finish().await {
            self.note(&format!("leaving: {error}"));
            match error.cure() {
                Cure::FindAgain => self.lose_coordinator(),
                Cure::Again => {}
                // The group goes on without this member; what it had read is committed by whoever reads it again.
                Cure::Rejoin | Cure::JoinAnew => break,
                Cure::Surface => {
                    self.error(&format!("leaving: {error}"));
                    break;
                }
            }
            anyhow::ensure!(Instant::now() < until, "{}: cannot leave: {error}", self.spec.member);
            tokio::time::sleep(BACKOFF).await;
        }
        let (role, member) = ("consume".to_owned(), self.spec.member.clone());
        self.voice.say(&Line::Done { role, client: String::new(), member, sent: 0 });
        Ok(())
    }

    pub(super) async fn try_finish(&mut self) -> Result<(), GroupError> {
        let coordinator = self.coordinator().await?;
        let offsets = self.to_commit();
        if !offsets.is_empty() {
            let note = format!("{NOTE} {}", self.spec.member);
            self.membership.commit(&coordinator, &offsets, &note).await?;
            self.confirmed.extend(offsets);
        }
        self.compare_committed(&coordinator).await;
        self.membership.leave(&coordinator).await
    }
}

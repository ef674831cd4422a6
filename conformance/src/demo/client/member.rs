//! A member of a consumer group: joins, reads what it is assigned, commits, follows leaders and the coordinator.

mod coordination;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::FetchResponse;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::batch;
use super::cluster::{BACKOFF, Cluster};
use super::connection::{Connection, WireError};
use super::fetch::{self, Position, Share};
use super::group::{Committed, Cure, GroupError, Membership, Place};
use super::voice::{Voice, told_to_stop};
use crate::demo::line::{Line, now_ms};
use crate::demo::spec::ConsumeSpec;

/// `heartbeat.interval.ms`
const HEARTBEAT: Duration = Duration::from_secs(1);
/// `auto.commit.interval.ms`
const COMMIT: Duration = Duration::from_millis(500);
/// How often positions are looked at that wait for something.
const TICK: Duration = Duration::from_millis(20);
/// How long the cluster may take to show the topics, or the coordinator to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Metadata of this demo's commits begins like this.
const NOTE: &str = "sluice-demo";

enum Event {
    Fetched { node: i32, turn: u64, wanted: Vec<(Place, i64)>, outcome: Result<FetchResponse, WireError> },
    Beat(Result<(), GroupError>),
    Committed(BTreeMap<Place, Committed>, Result<(), GroupError>),
}

struct Member {
    spec: ConsumeSpec,
    cluster: Cluster,
    membership: Membership,
    /// Node and a connection of its own: a coordinator that holds a request must not hold up fetches.
    coordinator: Option<(i32, Connection)>,
    /// The coordinator is to be looked for again.
    lost: bool,
    find_after: Instant,
    /// Counts assignments: an answer to a fetch of an older one is void.
    turn: u64,
    positions: BTreeMap<Place, Position>,
    fetching: BTreeSet<i32>,
    /// Nodes to read from in place of leaders, as brokers have named them.
    replicas: BTreeMap<Place, i32>,
    /// What the coordinator has confirmed.
    confirmed: BTreeMap<Place, Committed>,
    beating: bool,
    committing: bool,
    joined: bool,
    stale: bool,
    refresh_after: Instant,
    events: mpsc::Sender<Event>,
    voice: Voice,
}

/// Reads until standard input ends; then commits and leaves.
pub(crate) async fn run(spec: ConsumeSpec) -> anyhow::Result<()> {
    let mut cluster = Cluster::new(&spec.member, spec.bootstrap.clone(), spec.topics.clone());
    cluster.settle(PATIENCE).await?;
    let (events, arriving) = mpsc::channel(1024);
    let member = Member {
        membership: Membership::new(&spec.group, spec.topics.clone()),
        spec,
        cluster,
        coordinator: None,
        lost: false,
        find_after: Instant::now(),
        turn: 0,
        positions: BTreeMap::new(),
        fetching: BTreeSet::new(),
        replicas: BTreeMap::new(),
        confirmed: BTreeMap::new(),
        beating: false,
        committing: false,
        joined: false,
        stale: false,
        refresh_after: Instant::now(),
        events,
        voice: Voice::new(),
    };
    member.go(arriving).await
}

impl Member {
    async fn go(mut self, mut arriving: mpsc::Receiver<Event>) -> anyhow::Result<()> {
        self.say_start();
        let mut beat = tokio::time::interval(HEARTBEAT);
        let mut commit = tokio::time::interval(COMMIT);
        let mut tick = tokio::time::interval(TICK);
        let stop = told_to_stop();
        tokio::pin!(stop);
        loop {
            if !self.joined {
                self.join().await?;
            }
            self.look_around().await;
            self.fetch_all().await;
            self.voice.flush();
            tokio::select! {
                Some(event) = arriving.recv() => self.take(event).await?,
                _ = beat.tick() => self.beat(),
                _ = commit.tick() => self.commit(),
                _ = tick.tick() => {}
                () = &mut stop => break,
            }
        }
        self.finish().await?;
        self.voice.flush();
        Ok(())
    }

    fn say_start(&mut self) {
        self.voice.say(&Line::Start {
            role: "consume".to_owned(),
            client: String::new(),
            member: self.spec.member.clone(),
            group: Some(self.spec.group.clone()),
            acks: String::new(),
            idempotent: false,
            first: 0,
        });
    }

    fn note(&mut self, what: &str) {
        let who = self.spec.member.clone();
        self.voice.note(&who, what);
    }

    fn error(&mut self, what: &str) {
        let who = self.spec.member.clone();
        self.voice.error(&who, what);
    }

    /// Finds out what is not known: leaders, first positions, soundness after an election.
    async fn look_around(&mut self) {
        if self.stale && Instant::now() >= self.refresh_after {
            self.stale = false;
            self.refresh_after = Instant::now() + BACKOFF;
            if let Err(error) = self.cluster.refresh().await {
                self.stale = true;
                self.note(&format!("metadata: {error}"));
            }
        }
        if self.coordinator_lost() {
            self.check_new_coordinator().await;
        }
        self.begin_from_committed().await;
        let now = Instant::now();
        let due =
            |position: &Position| !position.flying && position.not_before.is_none_or(|until| until <= now);
        let places: Vec<Place> = self
            .positions
            .iter()
            .filter(|(_, position)| due(position))
            .map(|(place, _)| place.clone())
            .collect();
        for place in places {
            self.examine(&place).await;
        }
    }

    async fn begin_from_committed(&mut self) {
        let unknown: Vec<Place> = self
            .positions
            .iter()
            .filter(|(place, position)| position.next.is_none() && !self.confirmed.contains_key(*place))
            .filter(|(_, position)| position.not_before.is_none())
            .map(|(place, _)| place.clone())
            .collect();
        if unknown.is_empty() {
            return;
        }
        let found = match self.coordinator().await {
            Ok(coordinator) => self.membership.committed(&coordinator, &unknown).await,
            Err(error) => Err(error),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.note(&format!("committed offsets: {error}"));
                if error.cure() == Cure::FindAgain {
                    self.lose_coordinator();
                }
                return;
            }
        };
        for place in unknown {
            let position = match found.get(&place) {
                Some((committed, note)) => {
                    if !note.starts_with(NOTE) {
                        self.error(&format!("{place:?}: metadata of the committed offset is {note:?}"));
                    }
                    self.confirmed.insert(place.clone(), committed.clone());
                    Position::at(Some(committed.offset), committed.epoch)
                }
                // Nothing committed: from the beginning, as soon as the leader says where that is.
                None => Position { not_before: Some(Instant::now()), ..Position::at(None, -1) },
            };
            self.positions.insert(place, position);
        }
    }

    async fn examine(&mut self, place: &Place) {
        let Some(position) = self.positions.get(place).copied() else { return };
        let Some(leader) = self.cluster.leader(&place.0, place.1) else {
            self.stale = true;
            return;
        };
        if position.next.is_none() && position.not_before.is_none() {
            return;
        }
        let reset = position.next.is_none();
        let unsure = position.epoch >= 0 && leader.epoch > position.sound_in;
        if !reset && !unsure {
            return;
        }
        let connection = match self.cluster.connection(leader.node).await {
            Ok(connection) => connection,
            Err(error) => return self.postpone(place, &error.to_string()),
        };
        let after = if reset {
            let answer = fetch::earliest(&connection, place, leader).await;
            answer.map(|answer| answer.map(|offset| Position::at(Some(offset), -1)))
        } else {
            let answer = fetch::end_of_epoch(&connection, place, leader, position.epoch).await;
            let ends = |end: Option<(i32, i64)>| end.map(|(_, offset)| offset);
            answer.map(|answer| answer.map(|end| self.judge_end(place, position, ends(end), leader.epoch)))
        };
        match after {
            Ok(Ok(after)) => drop(self.positions.insert(place.clone(), after)),
            Ok(Err(error)) if error.is_retriable() => self.postpone(place, &format!("{error:?}")),
            Ok(Err(error)) => {
                self.error(&format!("{place:?}: {error:?}"));
                self.postpone(place, "refused");
            }
            Err(error) => self.postpone(place, &error.to_string()),
        }
    }

    fn judge_end(&mut self, place: &Place, position: Position, end: Option<i64>, epoch: i32) -> Position {
        if end.is_none_or(|end| position.next.is_some_and(|next| end < next)) {
            self.error(&format!(
                "{place:?}: at {:?} of epoch {}, which ends at {end:?} for the leader of epoch {epoch}",
                position.next, position.epoch
            ));
        }
        Position { sound_in: epoch, not_before: None, ..position }
    }

    fn postpone(&mut self, place: &Place, why: &str) {
        self.stale = true;
        // Whatever it is, the leader is asked next.
        self.replicas.remove(place);
        self.note(&format!("{}-{}: {why}", place.0, place.1));
        if let Some(position) = self.positions.get_mut(place) {
            position.not_before = Some(Instant::now() + BACKOFF);
        }
    }

    async fn fetch_all(&mut self) {
        let now = Instant::now();
        let mut wanted: BTreeMap<i32, Vec<(Place, i64)>> = BTreeMap::new();
        for (place, position) in &self.positions {
            let Some(leader) = self.cluster.leader(&place.0, place.1) else { continue };
            let sound = position.epoch < 0 || position.sound_in >= leader.epoch;
            let due = position.not_before.is_none_or(|until| until <= now);
            let node = self.replicas.get(place).copied().unwrap_or(leader.node);
            let free = !position.flying && !self.fetching.contains(&node);
            if let Some(offset) = position.next.filter(|_| sound && due && free) {
                wanted.entry(node).or_default().push((place.clone(), offset));
            }
        }
        for (node, wanted) in wanted {
            self.fetch(node, wanted).await;
        }
    }

    async fn fetch(&mut self, node: i32, wanted: Vec<(Place, i64)>) {
        for (place, _) in &wanted {
            if let Some(position) = self.positions.get_mut(place) {
                position.flying = true;
                position.not_before = None;
            }
        }
        self.fetching.insert(node);
        let request = fetch::request(&self.cluster, &wanted);
        let connection = self.cluster.connection(node).await;
        let (turn, events) = (self.turn, self.events.clone());
        tokio::spawn(async move {
            let outcome = match connection {
                Ok(connection) => fetch::send(&connection, &request).await,
                Err(error) => Err(error),
            };
            let _ended = events.send(Event::Fetched { node, turn, wanted, outcome }).await;
        });
    }

    async fn take(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Fetched { node, turn, wanted, outcome } => {
                self.fetching.remove(&node);
                if turn == self.turn {
                    self.fetched(node, &wanted, outcome);
                }
                Ok(())
            }
            Event::Beat(outcome) => {
                self.beating = false;
                match outcome {
                    Err(error) if self.joined => self.heal("heartbeat", &error).await,
                    Ok(()) | Err(_) => Ok(()),
                }
            }
            Event::Committed(offsets, outcome) => {
                self.committing = false;
                match outcome {
                    Ok(()) => {
                        let owned = |(place, _): &(Place, Committed)| self.positions.contains_key(place);
                        self.confirmed.extend(offsets.into_iter().filter(owned).collect::<Vec<_>>());
                        Ok(())
                    }
                    Err(error) if self.joined => self.heal("commit", &error).await,
                    Err(_) => Ok(()),
                }
            }
        }
    }

    fn fetched(&mut self, node: i32, wanted: &[(Place, i64)], outcome: Result<FetchResponse, WireError>) {
        for (place, _) in wanted {
            if let Some(position) = self.positions.get_mut(place) {
                position.flying = false;
            }
        }
        let trouble = match outcome {
            Ok(answer) => match ResponseError::try_from_code(answer.error_code) {
                None => {
                    let shares = fetch::shares(&self.cluster, &answer, wanted);
                    return shares.into_iter().for_each(|share| self.read(node, wanted, share));
                }
                Some(error) => {
                    if !error.is_retriable() {
                        self.error(&format!("fetch: {error:?}"));
                    }
                    format!("{error:?}")
                }
            },
            Err(error) => {
                if !error.retriable() {
                    self.error(&format!("fetch: {error}"));
                }
                error.to_string()
            }
        };
        for (place, _) in wanted {
            self.postpone(place, &format!("fetch from node {node}: {trouble}"));
        }
    }

    fn read(&mut self, node: i32, wanted: &[(Place, i64)], share: Share) {
        let Some((place, from)) = wanted.iter().find(|(place, _)| *place == share.place).cloned() else {
            return;
        };
        if let Some(error) = share.error {
            return self.refused(node, &place, error, &share);
        }
        if let Some(replica) = share.replica {
            self.note(&format!("{}-{}: node {node} names node {replica} to read from", place.0, place.1));
            self.replicas.insert(place, replica);
            return;
        }
        let (seen, next) = match batch::decode(share.records, from) {
            Ok(decoded) => decoded,
            Err(error) => return self.error(&format!("{place:?} from {from}: {error}")),
        };
        let Some(position) = self.positions.get_mut(&place) else { return };
        position.next = Some(next);
        position.epoch = seen.last().map_or(position.epoch, |seen| seen.epoch);
        // A record of the present leader's epoch needs no further proof.
        position.sound_in = position.sound_in.max(position.epoch);
        for seen in seen {
            let value = match seen.value {
                None => continue,
                Some(Ok(value)) => value,
                Some(Err(damaged)) => {
                    self.error(&format!("{place:?} at {}: damaged value {damaged:?}", seen.offset));
                    damaged
                }
            };
            self.voice.say(&Line::Read {
                topic: place.0.clone(),
                group: self.spec.group.clone(),
                member: self.spec.member.clone(),
                partition: place.1,
                offset: seen.offset,
                value,
                t_ms: now_ms(),
            });
        }
    }

    fn refused(&mut self, node: i32, place: &Place, error: ResponseError, share: &Share) {
        self.replicas.remove(place);
        if let Some(hint) = &share.hint
            && self.cluster.follow(&place.0, place.1, hint)
        {
            return self.note(&format!("{}-{}: node {node} names a new leader", place.0, place.1));
        }
        if error == ResponseError::OffsetOutOfRange
            && let Some(position) = self.positions.get_mut(place)
        {
            // `auto.offset.reset=earliest`
            *position = Position::at(None, -1);
        } else if !error.is_retriable() {
            self.error(&format!("{place:?}: fetch: {error:?}"));
        }
        self.postpone(place, &format!("fetch from node {node}: {error:?}"));
    }
}

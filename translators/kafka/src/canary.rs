//! The canary: which consumers read from the kernel's copy while legacy leads (KIP-392), and what became of it.
//!
//! ```text
//!                 ┌─ not chosen, or in doubt ──► legacy's answer as it is
//!  legacy answers ┼─ has not seen the kernel's node ──► NOT_LEADER once: the client asks for metadata
//!  a consumer     └─ else ──► no records, but the kernel's node as preferred replica
//!                                              │
//!         kernel's node: copy up to what is confirmed ──► any doubt: the leader as preferred replica
//! ```
//!
//! The choice is a hash of client id and address: stable, without randomness, and a larger share only adds clients.
//! A client that is named the replica and goes on asking the leader gets legacy's answers again: brokers name a
//! replica only to those that say their rack, so not every client that knows the field follows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

/// First version of Fetch whose answer names a preferred replica.
pub const FOLLOWING_SINCE: i16 = 11;

/// No share is set: the unit is not in canary.
const OFF: u8 = u8::MAX;
/// Clients that are remembered.
const READERS_MAX: usize = 10_000;
/// Longest client id that is remembered, in characters.
const ID_CHARS_MAX: usize = 256;
/// How long a client that was sent back reads from legacy before it is named the kernel again.
const REST_AFTER_BACK: Duration = Duration::from_secs(2);
/// How often a client is made to ask for metadata, and how long it has for it.
const REFRESHES_MAX: u8 = 3;
const REFRESH_EVERY: Duration = Duration::from_secs(10);

/// Whether the kernel's copy of a partition may be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Legacy's leader, if it has one.
    pub leader: Option<i32>,
    /// Its epoch, as clients see it (−1: unknown).
    pub epoch: i32,
    /// Why the copy must not be read, if so; else it is followed closely.
    pub unfit: Option<String>,
}

/// A partition's part in the canary.
#[derive(Debug)]
pub struct Share {
    percent: AtomicU8,
    standing: ArcSwap<Standing>,
}

impl Default for Share {
    fn default() -> Self {
        let unfit = Some("nobody has looked yet".to_owned());
        let standing = ArcSwap::from_pointee(Standing { leader: None, epoch: -1, unfit });
        Self { percent: AtomicU8::new(OFF), standing }
    }
}

impl Share {
    /// Share of the consumers, 0 to 100; `None` outside canary.
    #[must_use]
    pub fn percent(&self) -> Option<u8> {
        Some(self.percent.load(Ordering::Acquire)).filter(|percent| *percent != OFF)
    }

    pub(crate) fn set_percent(&self, percent: Option<u8>) {
        self.percent.store(percent.map_or(OFF, |percent| percent.min(100)), Ordering::Release);
    }

    /// Whether the copy may be read.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    /// Says whether the copy may be read: whenever that is looked at, and at once when it may not.
    pub fn stand(&self, standing: Standing) {
        if *self.standing.load().as_ref() != standing {
            self.standing.store(Arc::new(standing));
        }
    }

    /// The copy must not be read from now on, until it is looked at again.
    pub fn close(&self, reason: &str) {
        let unfit = Some(reason.to_owned());
        self.stand(Standing { unfit, ..self.standing().as_ref().clone() });
    }

    /// Whether this consumer reads from the kernel's copy.
    #[must_use]
    pub fn chooses(&self, reader: &ReaderId) -> bool {
        self.percent().is_some_and(|percent| reader.place() < percent)
    }
}

/// A consumer, as far as it can be told from others: connections say neither group nor member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReaderId {
    /// Client id, cut to 256 characters.
    pub client_id: String,
    /// Address that it connects from, without port.
    pub host: String,
}

impl ReaderId {
    /// Names a consumer.
    #[must_use]
    pub fn new(client_id: &str, host: &str) -> Self {
        let client_id = client_id.chars().take(ID_CHARS_MAX).collect();
        Self { client_id, host: host.trim_start_matches('/').to_owned() }
    }

    /// Where it stands between 0 and 99: it is chosen by every share above.
    #[must_use]
    pub fn place(&self) -> u8 {
        // FNV-1a, and its high bits folded in: the low ones alone follow the last byte.
        let bytes = self.client_id.bytes().chain([0]).chain(self.host.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        u8::try_from((mixed >> 40) % 100).unwrap_or_default()
    }
}

/// What is known of one consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reader {
    /// Version of Fetch that it used last.
    pub fetch_version: i16,
    /// How often it was named the kernel's node.
    pub named: u64,
    /// Fetches that the kernel answered with its copy.
    pub served: u64,
    /// Bytes of records in them.
    pub served_bytes: u64,
    /// How often the kernel sent it back to legacy.
    pub sent_back: u64,
    /// Why it was sent back last.
    pub last_back: Option<String>,
    /// Why it cannot read from the kernel, if it was chosen and cannot.
    pub cannot: Option<String>,
    /// It was told of the kernel's node.
    told: bool,
    refreshes: u8,
    refresh_at: Duration,
    rest_until: Duration,
    seen: u64,
}

/// What to do with legacy's answer to a chosen consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It goes out as it is.
    Stay,
    /// The client must ask for metadata first.
    Refresh,
    /// The client is named the kernel's node.
    Kernel,
}

/// Sums over all consumers since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answers that named the kernel's node.
    pub named: u64,
    /// Fetches that the kernel answered with its copy.
    pub served: u64,
    /// Bytes of records in them.
    pub served_bytes: u64,
    /// Fetches that the kernel sent back.
    pub sent_back: u64,
    /// Consumers that are not remembered any more.
    pub forgotten: u64,
}

#[derive(Debug, Default)]
struct State {
    readers: BTreeMap<ReaderId, Reader>,
    totals: Totals,
    clock: u64,
}

/// The consumers of one cluster that the canary has met.
#[derive(Debug, Default)]
pub struct Readers(Mutex<State>);

impl Readers {
    fn state(&self) -> MutexGuard<'_, State> {
        // Figures and rests: whoever panicked left nothing half done that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &ReaderId, change: impl FnOnce(&mut Reader, &mut Totals) -> T) -> T {
        let mut state = self.state();
        let state = &mut *state;
        state.clock += 1;
        if state.readers.len() >= READERS_MAX && !state.readers.contains_key(id) {
            let oldest = state.readers.iter().min_by_key(|(_, reader)| reader.seen);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                state.readers.remove(&oldest);
                state.totals.forgotten += 1;
            }
        }
        let reader = state.readers.entry(id.clone()).or_default();
        reader.seen = state.clock;
        change(reader, &mut state.totals)
    }

    /// The consumer was answered Metadata with the kernel's node in it.
    pub fn told(&self, id: &ReaderId) {
        self.with(id, |reader, _| {
            reader.told = true;
            reader.refreshes = 0;
        });
    }

    /// Nobody has been told of the kernel's node: a canary begins.
    pub fn forget_told(&self) {
        for reader in self.state().readers.values_mut() {
            reader.told = false;
            reader.refreshes = 0;
        }
    }

    /// Whether the consumer was ever named the kernel's node.
    #[must_use]
    pub fn was_named(&self, id: &ReaderId) -> bool {
        self.state().readers.get(id).is_some_and(|reader| reader.named > 0)
    }

    /// Where a chosen consumer shall read next.
    pub fn direct(&self, id: &ReaderId, version: i16, now: Duration) -> Direction {
        self.with(id, |reader, totals| {
            reader.fetch_version = version;
            if now < reader.rest_until {
                return Direction::Stay;
            }
            if reader.told {
                reader.named += 1;
                totals.named += 1;
                return Direction::Kernel;
            }
            if now < reader.refresh_at {
                return Direction::Stay;
            }
            reader.refresh_at = now.saturating_add(REFRESH_EVERY);
            if reader.refreshes >= REFRESHES_MAX {
                reader.cannot = Some("it does not ask for metadata when it should".to_owned());
                return Direction::Stay;
            }
            reader.refreshes += 1;
            Direction::Refresh
        })
    }

    /// The consumer was chosen and its version of Fetch has no preferred replica.
    pub fn too_old(&self, id: &ReaderId, version: i16) {
        self.with(id, |reader, _| {
            if reader.fetch_version != version || reader.cannot.is_none() {
                reader.fetch_version = version;
                reader.cannot = Some(format!(
                    "Fetch version {version}: {FOLLOWING_SINCE} is the first that names a replica"
                ));
            }
        });
    }

    /// The consumer was chosen and does not say what software it is: nothing is known of how it would come back.
    pub fn nameless(&self, id: &ReaderId, version: i16) {
        self.with(id, |reader, _| {
            if reader.cannot.is_none() {
                reader.fetch_version = version;
                reader.cannot = Some(format!(
                    "Fetch version {version}: it does not name its software, as kafkajs, which holds on to a replica for \
                     minutes"
                ));
            }
        });
    }

    /// The consumer was named the kernel's node again and again and stays with the leader.
    pub fn stays(&self, id: &ReaderId, version: i16) {
        self.with(id, |reader, _| {
            if reader.served == 0 {
                reader.cannot =
                    Some(format!("Fetch version {version}: it does not follow the replica that it is named"));
            }
        });
    }

    /// The kernel answered a fetch with its copy.
    pub fn served(&self, id: &ReaderId, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.with(id, |reader, totals| {
            reader.served += 1;
            reader.served_bytes = reader.served_bytes.saturating_add(bytes);
            reader.cannot = None;
            totals.served += 1;
            totals.served_bytes = totals.served_bytes.saturating_add(bytes);
        });
    }

    /// The kernel sent a fetch back to legacy.
    pub fn sent_back(&self, id: &ReaderId, why: &str, now: Duration) {
        self.with(id, |reader, totals| {
            reader.sent_back += 1;
            reader.last_back = Some(why.to_owned());
            reader.rest_until = now.saturating_add(REST_AFTER_BACK);
            totals.sent_back += 1;
        });
    }

    /// Everybody, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(ReaderId, Reader)> {
        self.state().readers.iter().map(|(id, reader)| (id.clone(), reader.clone())).collect()
    }

    /// One consumer.
    #[must_use]
    pub fn get(&self, id: &ReaderId) -> Option<Reader> {
        self.state().readers.get(id).cloned()
    }

    /// The sums.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.state().totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(count: usize) -> Vec<ReaderId> {
        (0..count).map(|n| ReaderId::new(&format!("billing-{n}"), "192.0.2.7")).collect()
    }

    fn chosen(all: &[ReaderId], percent: u8) -> Vec<&ReaderId> {
        let share = Share::default();
        share.set_percent(Some(percent));
        all.iter().filter(|reader| share.chooses(reader)).collect()
    }

    #[test]
    fn a_share_chooses_about_so_many_and_a_larger_one_only_adds_some() {
        let all = readers(2_000);
        let mut before: Vec<&ReaderId> = Vec::new();
        for percent in 0..=100_u8 {
            let now = chosen(&all, percent);
            assert!(before.iter().all(|reader| now.contains(reader)), "{percent}");
            let wanted = usize::from(percent) * all.len() / 100;
            assert!(now.len().abs_diff(wanted) < 100, "{percent} %: {} of {}", now.len(), all.len());
            before = now;
        }
        assert_eq!((chosen(&all, 0).len(), chosen(&all, 100).len()), (0, 2_000));
    }

    #[test]
    fn the_address_tells_clients_of_one_name_apart_and_nothing_else_does() {
        let host = |n: u32| ReaderId::new("rdkafka", &format!("/10.0.{}.{}", n / 250, n % 250));
        let some = (0..500).filter(|n| host(*n).place() < 50).count();
        assert!(some.abs_diff(250) < 50, "{some}");
        assert_eq!(host(7), ReaderId::new("rdkafka", "10.0.0.7"));
        assert_eq!(host(7).place(), host(7).place());
    }

    #[test]
    fn outside_canary_nobody_is_chosen() {
        let share = Share::default();
        assert!(!readers(100).iter().any(|reader| share.chooses(reader)));
        share.set_percent(Some(100));
        share.set_percent(None);
        assert_eq!(share.percent(), None);
        assert!(!readers(100).iter().any(|reader| share.chooses(reader)));
    }

    #[test]
    fn a_client_is_named_the_kernel_only_after_it_was_told_of_it_and_rests_after_it_was_sent_back() {
        let (readers, id, s) = (Readers::default(), ReaderId::new("a", "::1"), Duration::from_secs);
        assert_eq!(readers.direct(&id, 12, s(1)), Direction::Refresh);
        assert_eq!(readers.direct(&id, 12, s(2)), Direction::Stay, "it has time to ask");
        readers.told(&id);
        assert_eq!(readers.direct(&id, 12, s(3)), Direction::Kernel);
        readers.served(&id, 100);
        readers.sent_back(&id, "behind", s(4));
        assert_eq!(readers.direct(&id, 12, s(5)), Direction::Stay);
        assert_eq!(readers.direct(&id, 12, s(6)), Direction::Kernel);
        let known = readers.get(&id).unwrap();
        assert_eq!((known.named, known.served, known.served_bytes, known.sent_back), (2, 1, 100, 1));
        assert_eq!(known.last_back.as_deref(), Some("behind"));
        readers.forget_told();
        assert_eq!(readers.direct(&id, 12, s(20)), Direction::Refresh);
    }

    #[test]
    fn a_client_that_never_asks_for_metadata_is_left_alone_and_named() {
        let (readers, id) = (Readers::default(), ReaderId::new("a", "::1"));
        let count = |wanted| {
            (0..1_000)
                .map(|n| readers.direct(&id, 11, Duration::from_secs(n)))
                .filter(|d| *d == wanted)
                .count()
        };
        assert_eq!(count(Direction::Refresh), usize::from(REFRESHES_MAX));
        assert!(readers.get(&id).unwrap().cannot.is_some());
    }

    #[test]
    fn those_that_cannot_are_named_with_their_version_until_they_can() {
        let (readers, id) = (Readers::default(), ReaderId::new("old", "::1"));
        readers.too_old(&id, 4);
        assert!(readers.get(&id).unwrap().cannot.unwrap().contains("version 4"));
        readers.served(&id, 1);
        assert_eq!(readers.get(&id).unwrap().cannot, None);
        readers.stays(&id, 12);
        assert_eq!(readers.get(&id).unwrap().cannot, None, "it has followed before");
    }

    #[test]
    fn the_list_of_clients_is_bounded() {
        let readers = Readers::default();
        for n in 0..READERS_MAX + 50 {
            readers.told(&ReaderId::new(&n.to_string(), "::1"));
        }
        assert_eq!((readers.all().len(), readers.totals().forgotten), (READERS_MAX, 50));
        assert!(readers.get(&ReaderId::new("0", "::1")).is_none());
        assert_eq!(ReaderId::new(&"x".repeat(5_000), "::1").client_id.len(), ID_CHARS_MAX);
    }
}

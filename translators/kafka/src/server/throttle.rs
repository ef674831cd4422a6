//! Clients above their quota: what they are told to wait, and until when nothing is read from them (KIP-219).

use std::collections::VecDeque;
use std::time::Duration;

use super::operation::Cx;
use crate::access::{QuotaKind, window_bytes};

/// Waits that are remembered until somebody asks for them.
const NOTED_MAX: usize = 64;

/// What one client was told to wait.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    until: Option<Duration>,
    noted: VecDeque<(QuotaKind, Duration)>,
}

impl Throttle {
    pub(super) fn until(&self) -> Option<Duration> {
        self.until
    }

    /// Time has passed.
    pub(super) fn ends(&mut self, now: Duration) {
        self.until.take_if(|until| *until <= now);
    }

    pub(super) fn poll(&mut self) -> Option<(QuotaKind, Duration)> {
        self.noted.pop_front()
    }

    fn begin(&mut self, now: Duration, kind: QuotaKind, wait: Duration) {
        self.until = self.until.max(now.checked_add(wait));
        if self.noted.len() < NOTED_MAX {
            self.noted.push_back((kind, wait));
        }
    }
}

impl Cx<'_> {
    /// Meters what a client writes or reads. Returns the milliseconds that it is to be told to wait, and sees to it
    /// that it does; and whether what it reads is to be left out of the answer.
    pub(super) fn meter(&mut self, kind: QuotaKind, client_id: &str, bytes: usize) -> (i32, bool) {
        let realm = &self.guard.realm;
        let user = self.guard.who.user().unwrap_or_default();
        let Some((entity, rate)) = kind.of(&realm.quotas, user, client_id) else { return (0, false) };
        let now = self.now.elapsed;
        let whose = (self.realm.to_owned(), kind, entity);
        let wait = self.settings.meters.note(now, whose.clone(), rate, bytes);
        // Waits are told in milliseconds; a shorter one is none.
        let told = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        if told == 0 {
            return (0, false);
        }
        self.throttle.begin(now, kind, wait);
        let left_out = kind == QuotaKind::Consume && self.settings.meters.take_back(now, &whose, bytes);
        (told, left_out)
    }

    /// Most bytes of records that this client is sent at once.
    pub(super) fn readable_bytes(&self, client_id: &str) -> usize {
        let user = self.guard.who.user().unwrap_or_default();
        let quota = QuotaKind::Consume.of(&self.guard.realm.quotas, user, client_id);
        quota.map_or(usize::MAX, |(_, rate)| window_bytes(rate))
    }
}

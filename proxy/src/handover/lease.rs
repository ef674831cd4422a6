//! The right to forward writes to legacy: a lease of seconds per forwarder.
//!
//! An unmodified legacy cannot fence a forwarder. So a forwarder may forward only while it can prove a fresh
//! lease; when it has run out the forwarder closes its connections to legacy. Whoever grants leases knows the
//! moment after which nothing from a silent forwarder can arrive any more: its lease's end plus the send
//! time-out. A grant is measured here from when it is given and at the forwarder from when it was asked for,
//! so the forwarder's always ends first.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;

use super::action::ForwarderId;

/// What a forwarder that asks for its lease is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Go on for this long, counted from when it asked.
    Granted(Duration),
    /// Its lease was lost or revoked, or it is unknown: close the connections to legacy, then join.
    MustJoin,
}

#[derive(Debug, Clone, Copy)]
struct Grant {
    until: Duration,
    revoked: bool,
    /// Writes of a life before this one can arrive until then.
    earlier_safe_at: Duration,
}

/// All leases of one cluster.
#[derive(Debug)]
pub struct Leases {
    lease: Duration,
    send_max: Duration,
    not_before: Duration,
    grants: BTreeMap<ForwarderId, Grant>,
}

impl Leases {
    /// Leases after a start of this process: whatever it granted before is not known any more, so every
    /// forwarder may hold one.
    #[must_use]
    pub fn after_start(now: Now, lease: Duration, send_max: Duration) -> Self {
        Self { lease, send_max, not_before: now.deadline(lease + send_max), grants: BTreeMap::new() }
    }

    /// The moment from which a fence may begin: leases of an earlier run are over.
    #[must_use]
    pub fn not_before(&self) -> Duration {
        self.not_before
    }

    /// A forwarder asks for its lease to go on.
    pub fn renew(&mut self, now: Now, forwarder: ForwarderId) -> Renewal {
        match self.grants.get_mut(&forwarder) {
            Some(grant) if !grant.revoked && now.elapsed < grant.until => {
                grant.until = now.deadline(self.lease);
                Renewal::Granted(self.lease)
            }
            _ => Renewal::MustJoin,
        }
    }

    /// A forwarder has closed its connections, takes the state of every unit, and begins anew. Answers the
    /// length of its lease and until when writes of its earlier life can arrive.
    pub fn join(&mut self, now: Now, forwarder: ForwarderId) -> (Duration, Option<Duration>) {
        let earlier = self.grants.get(&forwarder).map(|grant| {
            let last = grant.until.min(now.deadline(self.lease));
            grant.earlier_safe_at.max(last + self.send_max)
        });
        let grant = Grant {
            until: now.deadline(self.lease),
            revoked: false,
            earlier_safe_at: earlier.unwrap_or(Duration::ZERO),
        };
        self.grants.insert(forwarder, grant);
        (self.lease, earlier)
    }

    /// Renews no more; answers when nothing that it sent can arrive any more.
    pub fn revoke(&mut self, forwarder: ForwarderId) -> Duration {
        match self.grants.get_mut(&forwarder) {
            Some(grant) => {
                grant.revoked = true;
                grant.earlier_safe_at.max(grant.until + self.send_max)
            }
            None => self.not_before,
        }
    }

    /// Those from which something may still arrive: all that a handover has to stop.
    #[must_use]
    pub fn forwarders(&self, now: Now) -> Vec<ForwarderId> {
        let live = |grant: &Grant| now.elapsed < (grant.until + self.send_max).max(grant.earlier_safe_at);
        self.grants.iter().filter(|(_, grant)| live(grant)).map(|(&id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now::new(Duration::from_secs(seconds), 0)
    }

    #[test]
    fn a_revoked_lease_is_safe_after_its_end_and_the_send_time_out() {
        let mut leases = Leases::after_start(at(10), Duration::from_secs(3), Duration::from_secs(4));
        let id = ForwarderId(1);
        assert_eq!(leases.not_before(), Duration::from_secs(17));
        assert_eq!(leases.renew(at(10), id), Renewal::MustJoin);
        assert_eq!(leases.join(at(10), id), (Duration::from_secs(3), None));
        assert_eq!(leases.renew(at(12), id), Renewal::Granted(Duration::from_secs(3)));
        assert_eq!(leases.revoke(id), Duration::from_secs(19));
        assert_eq!(leases.renew(at(13), id), Renewal::MustJoin);
        // It joins again before its earlier writes are safe: the moment is not forgotten.
        assert_eq!(leases.join(at(13), id).1, Some(Duration::from_secs(19)));
        assert_eq!(leases.revoke(id), Duration::from_secs(20));
    }

    #[test]
    fn a_lease_that_ran_out_is_not_renewed_and_its_holder_counts_until_it_is_safe() {
        let mut leases = Leases::after_start(at(0), Duration::from_secs(3), Duration::from_secs(4));
        leases.join(at(0), ForwarderId(2));
        assert_eq!(leases.renew(at(3), ForwarderId(2)), Renewal::MustJoin);
        assert_eq!(leases.forwarders(at(6)), [ForwarderId(2)]);
        assert_eq!(leases.forwarders(at(7)), []);
    }
}

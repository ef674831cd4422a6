//! What every translator implements: sessions that perform no IO, and the gate that decides which side
//! serves a unit.
//!
//! A *session* is the protocol state of one client connection. It is fed with bytes and time, and polled for
//! bytes and requests. One generic driver (in `proxy`) owns the sockets, timers and channels; the simulation
//! drives the same code in virtual time.

pub mod gate;
mod session;

pub use gate::{Entry, Gate, Lease, Side, UnitId};
pub use session::{
    Administered, Answer, Event, Held, LegacyAction, LegacyEvent, LegacyNode, Progress, Request, RequestId,
    Session, Violation,
};

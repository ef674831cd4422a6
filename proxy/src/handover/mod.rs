//! The fenced change of primary of a bounded batch of units, and the migrations that ask for it.
//!
//! Everything here is deterministic: time is an argument, nothing is read or written. [`migration::Migrations`]
//! takes commands and facts and hands out [`migration::Order`]s; most of them are [`action::Action`]s of one
//! [`machine::Handover`]. Whoever executes them owns the ledger, the gates, the feeds and the shards.
//!
//! # The executor's contract
//!
//! | action | what the executor does | completes with |
//! |---|---|---|
//! | `Record` | appends the entries with **one** fsync, in the order in which orders came; nothing else writes the ledger between | `Done`; `Failed`: the process ends at once, gates stay as they are, the next start reads the ledger |
//! | `Ask(Source)`, to the kernel | asks *legacy itself*, now: per partition log end (or what bounds it from above), high watermark, leader epoch, topic id; per group the end of its offsets log and, if legacy says, hashes over its state | `Facts`, `Failed` if anything is not known |
//! | `Ask(Feed)` | position, the epoch under which it was reached, hash, records; a stopped feed is an obstacle that does not pass | `Facts` |
//! | `Ask(Target)`, to the kernel | `Describe` and `Producers` of each log; an open transaction and a rebalancing group are passing obstacles | `Facts` |
//! | `Fence`, `Count` | gate `fence()`, then the sum of `on_the_way()` | `OnTheWay` |
//! | `Revoke` | [`lease::Leases::revoke`] | `SafeAt` |
//! | `Ask(Source)`, to legacy | `Describe` and `Producers` of each log, after `Close` with an obstacle while it still takes writes; per group a hash over its offsets, and who has not joined again as a passing obstacle | `Facts` |
//! | `Ask(Feed)`, to legacy | the reverse feed's position, under the kernel's epoch; a closed way back is an obstacle that does not pass | `Facts` |
//! | `Ask(Target)`, to legacy | asks *legacy itself*, now, as above, with its own leader epoch beside; per group a hash over its offsets, and a member of it as a passing obstacle | `Facts` |
//! | `Gather` | to legacy only: members of groups are asked to join again, and wait; other groups' are left alone, here and in `Reopen` and `Switch`: their handovers run beside this one | `Done` |
//! | `Close` | to the kernel: nothing; to legacy: logs take no more appends, groups no more requests, and their offsets are committed on legacy | `Done` |
//! | `Reopen` | undoes `Gather` and `Close`; also called where neither ran | `Done` |
//! | `Switch` | to the kernel: `LogConfigure` to led under `target_epoch`, groups active; a log that is led under that epoch already is left as it is | `Done` |
//! | `Switch`, to legacy | `LogConfigure` to mirrored under `target_epoch`; groups follow, and who waits is sent to legacy | `Done` |
//! | `Publish` | metadata and coordinator lookups name the new side, with an epoch above the old one | `Done` |
//! | `Release` | gate `release(side)`; wakes what is held; at a commit, connections get what makes clients follow | `Done` |
//! | `Follow` | the legacy feed runs on from `cut`: what it finds is a divergence, on disk before it is counted | `Done` |
//!
//! - **Every action is idempotent** and may come again. Each completes once with its own ticket, or never: the
//!   machine asks again after [`limits::HandoverLimits::answer_max`]. Late and repeated completions are ignored.
//! - **Order of facts.** Questions of one round come one after the other; the executor must not answer from a
//!   reading that was taken before the question came. That is what makes the comparison hold.
//! - **A forwarder** checks its lease before it forwards a write *and* before it passes legacy's answer on to
//!   the client. When it has run out it closes its connections to legacy, and joins. A join (and each renewal)
//!   carries the side of every unit ([`recovery::gate_side`], with [`migration::Migrations::held`]): a lost
//!   `Release` heals there. A join is told to the control with `safe_at` from [`lease::Leases::join`].
//! - **Ahead of the feed.** Bytes that dual-write delivered and a new legacy leader does not have stay as a
//!   provisional tail, and no handover verifies over one. A feed that finds legacy's end (asked for after the
//!   kernel's) below the kernel's drops that tail.
//! - **A start** opens the ledger, compares each unit with the kernel ([`recovery::contradiction`]), restores
//!   the control, sets its gates by `gate_side`, and executes what the control orders. Leases of the earlier run
//!   are waited for.
//! - **Failpoints** are the edges of actions: before one is executed, after it, and after its completion was
//!   taken; [`action::ActionKind`] names them.

pub mod action;
pub mod command;
mod compare;
mod forwarders;
pub mod gate;
pub mod lease;
pub mod limits;
pub mod machine;
pub mod migration;
pub mod phase;
pub mod recovery;
pub mod resume;
pub mod status;
mod work;

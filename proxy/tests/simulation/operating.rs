//! An operator who goes to cutover, back, and there again; and what is answered to one who asks at a bad moment.

use proxy::handover::command::{Command, Refused};
use proxy::handover::migration::phase_of;
use proxy::handover::phase::Phase;
use proxy::ledger::{Book, Primary};

use crate::world::*;

/// How long the operator looks at a phase before going on.
const LOOK: T = 1_500 * MS;

fn all_on(book: &Book, side: Primary) -> bool {
    all_units().iter().all(|unit| book.owner(unit).side == side) && book.open().next().is_none()
}

impl World {
    pub fn operate(&mut self) {
        if self.now < self.sluice_paused_until {
            return;
        }
        let now = self.now();
        let Some(Sluice { control, ledger, .. }) = &mut self.sluice else { return };
        let shown = control.status(now, ledger.book());
        if serde_json::to_string(&shown).is_err() {
            self.judge.fail("G10", "the status cannot be shown".to_owned());
        }
        let book = ledger.book();
        let phase = phase_of(book, NAME);
        let (there, back) = (all_on(book, Primary::Kernel), all_on(book, Primary::Legacy));
        let next = match self.stage {
            Stage::There if there && phase == Phase::Cutover => {
                let goals = [Phase::Observe, Phase::Mirror, Phase::DualWrite];
                Some(Stage::Back(goals[self.rng.between(0, 3) as usize]))
            }
            Stage::Back(goal) if back && phase == goal => {
                self.rolled_back += 1;
                Some(Stage::Again)
            }
            Stage::Again if there && phase == Phase::Cutover => Some(Stage::Done),
            _ => None,
        };
        if let Some(next) = next {
            self.trace(|| format!("the operator goes on to {next:?}"));
            (self.stage, self.stage_since) = (next, self.now);
        }
        let rested = self.now > self.stage_since + LOOK;
        match self.stage {
            Stage::There | Stage::Again => self.go_there(phase),
            Stage::Back(goal) if rested => self.go_back(goal),
            Stage::Back(_) | Stage::Done => {}
        }
        self.drive();
    }

    fn go_there(&mut self, phase: Phase) {
        let now = self.now();
        let Some(Sluice { control, ledger, .. }) = &mut self.sluice else { return };
        // Dual-write shall be seen for a while.
        if phase < Phase::Cutover && (phase != Phase::DualWrite || self.now > 2 * S) {
            let to = if phase == Phase::Observe { Phase::DualWrite } else { Phase::Cutover };
            let by = "ada".to_owned();
            let command = Command::Advance {
                migration: NAME.to_owned(),
                to: Some(to),
                percent: None,
                force: false,
                by,
            };
            let _ = control.handle_command(now, ledger.book(), command);
        }
    }

    fn go_back(&mut self, goal: Phase) {
        let now = self.now();
        let Some(Sluice { control, ledger, .. }) = &mut self.sluice else { return };
        let by = "ada".to_owned();
        let command = Command::Rollback { migration: NAME.to_owned(), to: Some(goal), by };
        let refused = control.handle_command(now, ledger.book(), command).err();
        self.trace(|| format!("rollback: {refused:?}"));
        if let Some(Refused::WayBackClosed(reason)) = refused
            && !reason.contains("not known")
        {
            self.check_closed(&reason);
            // Nothing leads back: whatever went back already goes there again.
            (self.stage, self.stage_since) = (Stage::Again, self.now);
        }
    }

    /// A way back may only be closed for a reason.
    fn check_closed(&mut self, reason: &str) {
        let cause = (0..PARTITIONS).any(|partition| {
            let cut = self.durable_owner(&partition_unit(partition)).cut;
            self.judge.may_be_closed(partition, cut.unwrap_or(u64::MAX))
        });
        if !cause && self.poison.is_none() {
            self.judge.fail("G10", format!("the way back is closed without a cause: {reason}"));
        }
    }

    /// Somebody asks for the way back at any moment: in the middle of a step it is refused.
    pub fn ask_rollback(&mut self) {
        let now = self.now();
        let Some(Sluice { control, ledger, .. }) = &mut self.sluice else { return };
        let before = phase_of(ledger.book(), NAME);
        let busy = ledger.book().open().next().is_some();
        let command = Command::Rollback { migration: NAME.to_owned(), to: None, by: "eve".to_owned() };
        match control.handle_command(now, ledger.book(), command) {
            Ok(accepted) if busy => {
                self.judge
                    .fail("G10", format!("rollback in the middle of a handover accepted: {accepted:?}"));
            }
            Err(Refused::Busy(_) | Refused::WayBackClosed(_) | Refused::NotBack { .. }) | Ok(_) => {
                self.refused_rollbacks += 1;
            }
            Err(other) => self.judge.fail("G10", format!("rollback in {before} is answered: {other}")),
        }
    }
}

//! Commands of operators: what is refused, and what is begun.

use kernel_model::Now;

use super::Migrations;
use crate::handover::command::{Accepted, Command, Refused};
use crate::handover::gate::WayBack;
use crate::handover::phase::Phase;
use crate::handover::work::{back_path, forward_path, furthest_phase, phase_of};
use crate::ledger::{Book, Decider};

/// What is told where a path passes over canary.
const PASSED_OVER: &str = "canary is passed over: it is entered with `advance MIGRATION canary --percent N`";

impl Migrations {
    /// An operator's command.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why nothing was begun, and what to do.
    pub fn handle_command(&mut self, now: Now, book: &Book, command: Command) -> Result<Accepted, Refused> {
        if let Some(reason) = &self.stopped {
            return Err(Refused::Stopped(reason.clone()));
        }
        let accepted = match command {
            Command::Advance { migration, to, percent, force, by } => {
                self.advance(book, &migration, (to, percent), force, by)
            }
            Command::Rollback { migration, to, by } => self.rollback(book, &migration, to, by),
        };
        self.collect(now);
        accepted
    }

    fn advance(
        &mut self,
        book: &Book,
        name: &str,
        (to, percent): (Option<Phase>, Option<u8>),
        force: bool,
        by: String,
    ) -> Result<Accepted, Refused> {
        let limits = self.limits;
        let from = phase_of(book, name);
        let work = self.works.get_mut(name).ok_or_else(|| Refused::Unknown(name.to_owned()))?;
        work.idle()?;
        match (to, percent) {
            (Some(Phase::Canary), None) => return Err(Refused::ShareMissing),
            (Some(Phase::Canary), Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(Refused::ShareMeansNothing(to)),
        }
        let to = to.or_else(|| from.next()).ok_or(Refused::Retired)?;
        // In canary another share may be set.
        if to <= from && (to, from) != (Phase::Canary, Phase::Canary) {
            return Err(Refused::NotForward { from, to });
        }
        let path = forward_path(from, to);
        let first = path.front().copied().unwrap_or(to);
        let report = work.ask_gate(first, limits.gate);
        // Fewer consumers on the kernel are never refused.
        let share = book.migrations().get(name).and_then(|recorded| recorded.percent);
        let eases = from == Phase::Canary && to == from && percent <= share;
        if !report.green() && !force && !eases {
            return Err(Refused::GateRed(report));
        }
        let closing = work.ways_that_close();
        let skips_canary = from < Phase::Canary && to > Phase::Canary;
        work.begin(path.clone(), false, force, Decider::Operator(by));
        work.percent = percent;
        self.enter_step(book, name);
        let mut notes = if to >= Phase::Cutover { closing } else { Vec::new() };
        if skips_canary {
            notes.push(PASSED_OVER.to_owned());
        }
        Ok(Accepted { from, to, steps: path.into(), notes })
    }

    fn rollback(
        &mut self,
        book: &Book,
        name: &str,
        to: Option<Phase>,
        by: String,
    ) -> Result<Accepted, Refused> {
        let from = furthest_phase(book, name);
        let work = self.works.get_mut(name).ok_or_else(|| Refused::Unknown(name.to_owned()))?;
        work.interruptible()?;
        if from == Phase::Retired {
            return Err(Refused::Retired);
        }
        if to == Some(Phase::Canary) {
            return Err(Refused::NoRollbackToCanary);
        }
        let to = to.unwrap_or(Phase::Observe);
        // Before cutover legacy is the primary: nothing has to lead back to it.
        if from >= Phase::Cutover
            && let WayBack::Closed(reason) = work.ways_back(book)
        {
            return Err(Refused::WayBackClosed(reason));
        }
        if to >= from {
            return Err(Refused::NotBack { from, to });
        }
        let path = back_path(from, to);
        work.begin(path.clone(), true, false, Decider::Operator(by));
        self.enter_step(book, name);
        Ok(Accepted { from, to, steps: path.into(), notes: Vec::new() })
    }
}

//! Canary: entered with a share, changed, left, and taken up by a start.

use super::*;

fn to_canary(percent: Option<u8>) -> Command {
    Command::Advance {
        migration: "orders".to_owned(),
        to: Some(Phase::Canary),
        percent,
        force: false,
        by: "ada".to_owned(),
    }
}

impl Desk {
    fn canary(&mut self, percent: Option<u8>) -> Result<Accepted, Refused> {
        self.control.handle_command(self.now(), self.ledger.book(), to_canary(percent))
    }

    fn share(&self) -> Option<u8> {
        self.control.status(self.now(), self.ledger.book())[0].percent
    }
}

#[test]
fn canary_is_entered_with_a_share_changed_and_left_in_both_directions() {
    let mut desk = Desk::open(MemoryStore::default());
    assert_eq!(desk.canary(None), Err(Refused::ShareMissing));
    let share = Command::Advance {
        migration: "orders".to_owned(),
        to: Some(Phase::Cutover),
        percent: Some(5),
        force: false,
        by: "ada".to_owned(),
    };
    let refused = desk.control.handle_command(desk.now(), desk.ledger.book(), share);
    assert_eq!(refused, Err(Refused::ShareMeansNothing(Some(Phase::Cutover))));
    let accepted = desk.canary(Some(50)).unwrap();
    assert_eq!(accepted.steps, [Phase::Mirror, Phase::DualWrite, Phase::Canary]);
    desk.run(200);
    assert_eq!((desk.phase(), desk.share()), (Phase::Canary, Some(50)));
    desk.applied.clear();
    assert_eq!(desk.canary(Some(0)).unwrap().steps, [Phase::Canary]);
    desk.run(100);
    assert_eq!((desk.phase(), desk.share()), (Phase::Canary, Some(0)));
    assert_eq!(desk.applied, [(Phase::Canary, 4)], "it is applied anew");
    assert_eq!(desk.rollback(Some(Phase::Canary)), Err(Refused::NoRollbackToCanary));
    desk.rollback(Some(Phase::DualWrite)).unwrap();
    desk.run(100);
    assert_eq!((desk.phase(), desk.share()), (Phase::DualWrite, None));
    desk.canary(Some(100)).unwrap();
    desk.run(100);
    let accepted = desk.advance(None, false).unwrap();
    assert_eq!((accepted.steps, accepted.notes), (vec![Phase::Cutover], vec![]));
    desk.run(4_000);
    assert_eq!((desk.phase(), desk.share()), (Phase::Cutover, None));
    let shares: Vec<u8> = desk
        .ledger
        .entries()
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.what {
            What::CanaryShare { percent, .. } => Some(percent),
            _ => None,
        })
        .collect();
    assert_eq!(shares, [50, 0, 100]);
}

#[test]
fn a_red_gate_keeps_consumers_from_the_kernel_and_never_on_it() {
    let mut desk = Desk::open(MemoryStore::default());
    desk.canary(Some(50)).unwrap();
    desk.run(200);
    let red = Situation { kernel_trouble: Some("stopped".to_owned()), ..good() };
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", red);
    assert!(matches!(desk.canary(Some(51)), Err(Refused::GateRed(_))));
    desk.canary(Some(49)).unwrap();
    desk.run(100);
    assert_eq!((desk.phase(), desk.share()), (Phase::Canary, Some(49)));
}

#[test]
fn a_canary_survives_a_restart_with_its_share() {
    let mut desk = Desk::open(MemoryStore::default());
    desk.canary(Some(30)).unwrap();
    desk.run(200);
    let (book, now) = (desk.ledger.book(), desk.now());
    let spec = MigrationSpec { name: "orders".to_owned(), cluster: "events".to_owned() };
    let mut again = Migrations::restore(now, book, vec![spec], limits(), &[ForwarderId(0)]);
    let shown = again.status(now, book).remove(0);
    assert_eq!((shown.phase, shown.percent), (Phase::Canary, Some(30)));
    let applied = std::iter::from_fn(|| again.poll_order())
        .any(|order| matches!(order, Order::Apply { phase: Phase::Canary, units, .. } if units.len() == 4));
    assert!(applied, "its units are put into canary again");
}

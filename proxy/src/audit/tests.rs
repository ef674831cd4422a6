//! What is written, what is read back, and what happens where nothing can be written.

use super::*;

fn act(what: &str, done: bool) -> Act<'_> {
    Act { via: "kafka", who: "User:ada", proved: true, from: "192.0.2.1", what, outcome: "ok", done }
}

fn told(audit: &Audit, count: usize) -> Vec<String> {
    audit.last(count).unwrap().iter().map(|act| act["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn acts_are_read_back_in_order_over_files_restarts_and_a_cut_line() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
    audit.note(act("1", true));
    audit.note(act("2", true));
    audit.state.lock().file = None;
    rotate(folder.path()).unwrap();
    audit.note(act("3", true));
    let mut file = OpenOptions::new().append(true).open(path(folder.path(), 0)).unwrap();
    file.write_all(b"{\"at_ms\": 4, \"wh").unwrap();
    assert_eq!(told(&audit, 10), ["1", "2", "3"]);
    assert_eq!(told(&audit, 2), ["2", "3"]);
    let again = Audit::new(Some(folder.path().to_owned()), Clock::start());
    again.note(act("5", true));
    assert_eq!(told(&again, 10), ["1", "2", "3", "5"], "the cut line takes no other with it");
    for _ in 0..10 {
        rotate(folder.path()).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the oldest go");
}

#[test]
fn a_full_file_is_followed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
    audit.note(act("1", true));
    audit.state.lock().file.as_mut().unwrap().1 = FILE_BYTES_MAX;
    audit.note(act("2", true));
    assert!(path(folder.path(), 1).exists());
    assert_eq!(told(&audit, 10), ["1", "2"]);
}

#[test]
fn refusals_do_not_push_out_what_was_done_and_are_counted() {
    let mut refusals = Refusals::default();
    let written = (0..1000).filter(|_| refusals.take(5000).0).count();
    assert_eq!(written, REFUSALS_MAX as usize);
    assert_eq!(refusals.take(6000), (true, 1000 - u64::from(REFUSALS_MAX)));
    assert_eq!(refusals.take(6001), (true, 0));
}

#[test]
fn a_long_text_is_cut_and_a_strange_one_stays_on_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
    let what = format!("CreateTopics \n\u{1b}[2J{}", "x".repeat(100_000));
    audit.note(act(&what, true));
    let text = std::fs::read_to_string(path(folder.path(), 0)).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(text.len() < 2000 && !text.contains('\u{1b}'));
}

#[test]
fn what_a_disk_does_not_take_is_kept_and_written_once_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
    audit.note(act("1", true));
    audit.state.lock().file = None;
    // A folder in the place of the file: nothing can be written there.
    let (at, aside) = (path(folder.path(), 0), folder.path().join("aside"));
    std::fs::rename(&at, &aside).unwrap();
    std::fs::create_dir(&at).unwrap();
    let more = 3;
    for number in 2..2 + WAITING_MAX + more {
        audit.note(act(&number.to_string(), true));
    }
    let condition = audit.condition();
    assert_eq!((condition.waiting, condition.left_out), (WAITING_MAX, more as u64));
    assert!(condition.trouble.is_some(), "{condition:?}");
    std::fs::remove_dir(&at).unwrap();
    std::fs::rename(&aside, &at).unwrap();
    assert_eq!(audit.condition(), Condition { waiting: 0, left_out: 0, trouble: None });
    let told = told(&audit, 10_000);
    assert_eq!(told.len(), 1 + WAITING_MAX + 1);
    assert_eq!(told.last().unwrap(), "3 acts while the disk took nothing");
    let on_disk = std::fs::read_to_string(&at).unwrap();
    assert_eq!(on_disk.lines().count(), told.len());
}

#[test]
fn a_gap_in_the_numbers_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
    audit.note(act("1", true));
    audit.state.lock().file = None;
    std::fs::rename(path(folder.path(), 0), path(folder.path(), 2)).unwrap();
    audit.note(act("2", true));
    assert_eq!(told(&audit, 10), ["1", "2"]);
}

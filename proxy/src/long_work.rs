//! Work that takes a thread for long (inflating a large batch), kept from the connections that share the threads: a
//! few pieces run at a time, some wait, what comes beyond that is told to come again.

use std::sync::{Condvar, Mutex, PoisonError};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Pieces that may wait for their turn. Each keeps a thread; the runtime has several times as many.
const WAITING_MAX: usize = 64;

static TURNS: Turns = Turns { taken: Mutex::new(Taken { running: 0, waiting: 0 }), freed: Condvar::new() };

struct Turns {
    taken: Mutex<Taken>,
    freed: Condvar,
}

struct Taken {
    running: usize,
    waiting: usize,
}

/// Runs `work` on this thread when its turn comes; other connections go on meanwhile. `false`, without running it,
/// when too much waits already.
pub(crate) fn run(work: &mut dyn FnMut()) -> bool {
    let hands_over =
        Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    let mut in_turn = || TURNS.take(running_max()).map(|_turn| work()).is_some();
    if hands_over { tokio::task::block_in_place(in_turn) } else { in_turn() }
}

/// Half of the machine: the other half is for what is short.
fn running_max() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

impl Turns {
    fn take(&self, running_max: usize) -> Option<Turn<'_>> {
        // Counters that a panic elsewhere cannot have left half changed.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.running >= running_max && taken.waiting >= WAITING_MAX {
            return None;
        }
        taken.waiting += 1;
        let is_full = |taken: &mut Taken| taken.running >= running_max;
        let mut taken = self.freed.wait_while(taken, is_full).unwrap_or_else(PoisonError::into_inner);
        taken.waiting -= 1;
        taken.running += 1;
        Some(Turn(self))
    }
}

struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// Two threads, each taken by work that ends only once a third task has run.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_tasks_go_on_while_every_thread_works_long() {
        let (release, released) = channel::<()>();
        let mut released = Some(released);
        let long = [released.take(), None].map(|wait| {
            tokio::spawn(async move {
                let mut ran = false;
                let taken = super::run(&mut || {
                    ran = true;
                    if let Some(wait) = &wait {
                        wait.recv_timeout(Duration::from_secs(20)).unwrap();
                    }
                });
                assert!(taken && ran);
            })
        });
        // One works and one waits for its turn, or will: this task needs a thread all the same.
        tokio::spawn(async move { release.send(()).unwrap() }).await.unwrap();
        for task in long {
            task.await.unwrap();
        }
    }

    #[test]
    fn what_comes_beyond_the_places_is_turned_away() {
        let turns = super::Turns {
            taken: std::sync::Mutex::new(super::Taken { running: 1, waiting: super::WAITING_MAX }),
            freed: std::sync::Condvar::new(),
        };
        assert!(turns.take(1).is_none());
        assert!(turns.take(2).is_some());
        assert_eq!(turns.taken.lock().unwrap().running, 1, "given back");
    }
}

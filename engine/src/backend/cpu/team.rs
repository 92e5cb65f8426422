//! Workers that walk the stages of a step together.

use super::super::BackendError;
use super::pool::{self, Pool};
use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Turns of the waiting loop before a worker sleeps: some tens of microseconds, longer than a stage's ends lie apart.
const SPINS: usize = 1_000;

/// The same where there are more workers than cores: whoever is waited for may need this one's.
const CROWDED_SPINS: usize = 200;

/// The worker threads of a back end; with one, the caller works itself.
pub(super) struct Team {
    pool: Option<Pool>,
    /// Turns of the waiting loop before a worker sleeps.
    spins: usize,
}

/// Whether so many workers are more than there are cores.
fn is_crowded(workers: usize) -> bool {
    workers > pool::cores()
}

/// Where the workers of one step wait for parts of it that others have.
struct Meeting {
    spins: usize,
    failed: AtomicBool,
    /// A worker is gone: the parts that it had will never be done.
    deserted: AtomicBool,
    sleepers: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
}

/// One worker in a step.
pub(super) struct Member<'m> {
    /// 0 and up.
    pub(super) index: usize,
    meeting: &'m Meeting,
}

impl Team {
    /// A team of `threads`.
    pub(super) fn new(threads: usize) -> Result<Self, BackendError> {
        let pool = match threads {
            1 => None,
            _ => Some(Pool::new(threads)?),
        };
        let spins = if is_crowded(threads) {
            CROWDED_SPINS
        } else {
            SPINS
        };
        Ok(Self { pool, spins })
    }

    /// Runs `work` on every worker; whether none failed.
    pub(super) fn run(&self, work: impl Fn(&Member<'_>) + Sync) -> bool {
        let Some(pool) = &self.pool else {
            return Self::alone(work);
        };
        let meeting = Meeting::new(self.spins);
        pool.broadcast(|index| {
            let member = Member {
                index,
                meeting: &meeting,
            };
            let guard = Unwinding(&meeting);
            work(&member);
            std::mem::forget(guard);
        });
        !meeting.failed.load(Ordering::Acquire)
    }

    /// Runs `work` on the calling thread; whether it did not fail.
    pub(super) fn alone(work: impl Fn(&Member<'_>)) -> bool {
        let meeting = Meeting::new(SPINS);
        work(&Member {
            index: 0,
            meeting: &meeting,
        });
        !meeting.failed.load(Ordering::Acquire)
    }
}

/// Frees the others if a worker panics: they must not wait for it.
struct Unwinding<'m>(&'m Meeting);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Release);
        self.0.deserted.store(true, Ordering::SeqCst);
        self.0.wake();
    }
}

impl Meeting {
    fn new(spins: usize) -> Self {
        Self {
            spins,
            failed: AtomicBool::new(false),
            deserted: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Wakes those who wait; what they wait for has come before.
    fn wake(&self) {
        // One who is about to sleep has counted itself before it looks a last time.
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.asleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }

    /// Spins for a while, then sleeps, until `come`.
    fn wait(&self, come: impl Fn() -> bool) {
        for _ in 0..self.spins {
            if come() {
                return;
            }
            spin_loop();
        }
        let mut guard = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !come() {
            guard = self
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Member<'_> {
    /// Says that the step cannot be finished; all stop at the end of a stage.
    pub(super) fn fail(&self) {
        self.meeting.failed.store(true, Ordering::Release);
    }

    /// Does parts of a stage of `count` until there are no more, then waits for those that others have;
    /// false if the step is to end here.
    ///
    /// Nobody waits for a worker that has no part: where there are more of them than cores, one that the system
    /// keeps waiting finds its stages done by the others.
    pub(super) fn share(
        &self,
        counters: &Counters,
        count: usize,
        take: Take,
        mut work: impl FnMut(Range<usize>),
    ) -> bool {
        let meeting = self.meeting;
        while let Some(parts) = counters.next(self.index, count, take) {
            let more = parts.len();
            work(parts);
            if counters.done.0.fetch_add(more, Ordering::SeqCst) + more == count {
                meeting.wake();
            }
        }
        meeting.wait(|| {
            counters.done.0.load(Ordering::SeqCst) == count
                || meeting.deserted.load(Ordering::SeqCst)
        });
        // Whoever sees the failure of a later stage already ends here, and leaves that stage's rest to the others.
        !meeting.failed.load(Ordering::Acquire) && !meeting.deserted.load(Ordering::Acquire)
    }
}

/// Hands out the parts of a stage.
///
/// Every worker has a span of neighbouring parts, so that it reads memory onwards, and helps the others
/// when it is done with its own.
pub(super) struct Counters {
    /// Parts that were taken of each worker's span.
    taken: Vec<Counter>,
    /// Parts that are done, of all spans.
    done: Counter,
}

/// Alone on its cache line: each worker counts on its own.
#[derive(Default)]
#[repr(align(64))]
struct Counter(AtomicUsize);

/// How many parts a worker takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// One.
    One,
    /// Most of those left in a span, or all if nobody waits for them: few interruptions at first, little to wait for
    /// at the end.
    Most,
}

impl Take {
    /// Of `left` parts, at least 1; `alone`: nobody waits for the rest.
    fn of(self, left: usize, alone: bool) -> usize {
        match self {
            Self::One => 1,
            Self::Most if alone => left,
            Self::Most => (left * 5).div_ceil(8),
        }
    }
}

impl Counters {
    /// Counters of a stage for so many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            taken: (0..workers).map(|_| Counter::default()).collect(),
            done: Counter::default(),
        }
    }

    /// The next parts below `count` for `worker`, at least one.
    fn next(&self, worker: usize, count: usize, take: Take) -> Option<Range<usize>> {
        let workers = self.taken.len();
        (worker..worker + workers).find_map(|owner| {
            let owner = owner % workers;
            let span = count * owner / workers..count * (owner + 1) / workers;
            let after = |taken: usize| {
                let left = span.len().checked_sub(taken).filter(|&left| left > 0)?;
                Some(taken + take.of(left, workers == 1))
            };
            let counter = &self.taken[owner].0;
            let taken = counter
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after)
                .ok()?;
            after(taken).map(|end| span.start + taken..span.start + end)
        })
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        for counter in self.taken.iter_mut().chain([&mut self.done]) {
            *counter.0.get_mut() = 0;
        }
    }
}

#[cfg(all(test, feature = "threads"))]
mod tests {
    use super::{Counters, Take, Team};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    #[test]
    fn a_worker_that_panics_leaves_nobody_waiting() {
        let team = Team::new(3).expect("threads");
        for early in [true, false] {
            let counters = Counters::new(3);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                team.run(|member| {
                    member.share(&counters, 3, Take::One, |parts| {
                        // The others wait before, or come after.
                        let start = Instant::now();
                        while (parts.start == 1) == early
                            && start.elapsed() < Duration::from_millis(20)
                        {
                            std::hint::spin_loop();
                        }
                        assert_ne!(parts.start, 1, "on purpose");
                    });
                })
            }));
            assert!(ended.is_err(), "the panic is passed on");
        }
    }

    #[test]
    fn nobody_goes_on_before_every_part_is_done_and_nobody_waits_for_the_idle() {
        let team = Team::new(5).expect("threads");
        let stages: Vec<Counters> = (0..200).map(|_| Counters::new(5)).collect();
        let done: Vec<AtomicUsize> = stages.iter().map(|_| AtomicUsize::new(0)).collect();
        let late = AtomicUsize::new(0);
        assert!(team.run(|member| {
            if member.index == 4 {
                while late.load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
            }
            for (counters, done) in stages.iter().zip(&done) {
                let go_on = member.share(counters, 7, Take::One, |parts| {
                    done.fetch_add(parts.len(), Ordering::Relaxed);
                });
                assert!(go_on);
                assert_eq!(done.load(Ordering::Relaxed), 7);
            }
            // The fifth is let in when another has walked every stage.
            late.store(1, Ordering::Release);
        }));
    }

    #[test]
    fn a_failure_ends_the_step_for_all() {
        let team = Team::new(3).expect("threads");
        let stages: Vec<Counters> = (0..9).map(|_| Counters::new(3)).collect();
        let reached = AtomicUsize::new(0);
        assert!(!team.run(|member| {
            for (index, counters) in stages.iter().enumerate() {
                let go_on = member.share(counters, 5, Take::One, |_| {
                    reached.fetch_max(index, Ordering::Relaxed);
                    if index == 4 {
                        member.fail();
                    }
                });
                if !go_on {
                    return;
                }
            }
        }));
        assert_eq!(reached.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn every_part_is_handed_out_once() {
        for take in [Take::One, Take::Most] {
            for (workers, count) in [(1, 0), (1, 7), (2, 1), (3, 10), (5, 4), (16, 100)] {
                let counters = Counters::new(workers);
                let mut taken: Vec<usize> = (0..workers)
                    .cycle()
                    .map_while(|worker| counters.next(worker, count, take))
                    .inspect(|parts| assert!(!parts.is_empty()))
                    .flatten()
                    .collect();
                taken.sort_unstable();
                assert_eq!(taken, (0..count).collect::<Vec<_>>(), "{workers} workers");
                assert!((0..workers).all(|worker| counters.next(worker, count, take).is_none()));
            }
        }
    }
}

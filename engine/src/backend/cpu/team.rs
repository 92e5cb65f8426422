//! Workers that walk the stages of a step together.

use super::super::BackendError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::hint::spin_loop;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Turns of the waiting loop before a worker sleeps: some tens of microseconds.
const SPINS: usize = 4_000;

/// The worker threads of a back end; with one, the caller works itself.
pub(super) struct Team {
    pool: Option<ThreadPool>,
    threads: usize,
}

/// Where the workers of one step meet.
pub(super) struct Meeting {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    failed: AtomicBool,
    stop: AtomicBool,
    /// A worker is gone: nobody can wait for all any more.
    deserted: AtomicBool,
    sleepers: Mutex<()>,
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
        let build = |threads| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|i| format!("fidelis-{i}"))
                .build()
        };
        let pool = match threads {
            1 => None,
            _ => Some(build(threads).map_err(|source| BackendError::Threads { threads, source })?),
        };
        Ok(Self { pool, threads })
    }

    /// Runs `work` on every worker; whether none failed.
    pub(super) fn run(&self, work: impl Fn(&Member<'_>) + Sync) -> bool {
        let Some(pool) = &self.pool else {
            return Self::alone(work);
        };
        let meeting = Meeting::new(self.threads);
        pool.broadcast(|context| {
            let member = Member {
                index: context.index(),
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
        let meeting = Meeting::new(1);
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
        self.0.deserted.store(true, Ordering::Release);
        self.0.release();
    }
}

impl Meeting {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            deserted: AtomicBool::new(false),
            sleepers: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Begins the next round.
    fn release(&self) {
        let guard = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        self.round.fetch_add(1, Ordering::Release);
        drop(guard);
        self.wake.notify_all();
    }
}

impl Member<'_> {
    /// Whether there are others.
    pub(super) fn is_alone(&self) -> bool {
        self.meeting.threads == 1
    }

    /// Says that the step cannot be finished; all stop at the next barrier.
    pub(super) fn fail(&self) {
        self.meeting.failed.store(true, Ordering::Release);
    }

    /// Waits for all; false if the step is to end here.
    ///
    /// The last to arrive decides for all, so that they decide alike.
    pub(super) fn barrier(&self) -> bool {
        let meeting = self.meeting;
        let round = meeting.round.load(Ordering::Acquire);
        if meeting.arrived.fetch_add(1, Ordering::AcqRel) + 1 == meeting.threads {
            meeting.arrived.store(0, Ordering::Relaxed);
            meeting
                .stop
                .store(meeting.failed.load(Ordering::Acquire), Ordering::Release);
            if self.is_alone() {
                meeting.round.store(round + 1, Ordering::Release);
            } else {
                meeting.release();
            }
        } else {
            self.wait_for_round_after(round);
        }
        !meeting.stop.load(Ordering::Acquire) && !meeting.deserted.load(Ordering::Acquire)
    }

    /// Spins for a while, then sleeps.
    fn wait_for_round_after(&self, round: usize) {
        let begun = || {
            self.meeting.round.load(Ordering::Acquire) != round
                || self.meeting.deserted.load(Ordering::Acquire)
        };
        for _ in 0..SPINS {
            if begun() {
                return;
            }
            spin_loop();
        }
        let mut guard = self
            .meeting
            .sleepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !begun() {
            guard = self
                .meeting
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Hands out the parts of a stage.
///
/// Every worker has a span of neighbouring parts, so that it reads memory onwards, and helps the others
/// when it is done with its own.
pub(super) struct Counters(Vec<Counter>);

/// Alone on its cache line: each worker counts on its own.
#[derive(Default)]
#[repr(align(64))]
struct Counter(AtomicUsize);

/// How many parts a worker takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// One.
    One,
    /// Most of those left in a span: few interruptions at first, little to wait for at the end.
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
        Self((0..workers).map(|_| Counter::default()).collect())
    }

    /// The next parts below `count` for `worker`, at least one.
    pub(super) fn next(&self, worker: usize, count: usize, take: Take) -> Option<Range<usize>> {
        let workers = self.0.len();
        (worker..worker + workers).find_map(|owner| {
            let owner = owner % workers;
            let span = count * owner / workers..count * (owner + 1) / workers;
            let after = |taken: usize| {
                let left = span.len().checked_sub(taken).filter(|&left| left > 0)?;
                Some(taken + take.of(left, workers == 1))
            };
            let counter = &self.0[owner].0;
            let taken = counter
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after)
                .ok()?;
            after(taken).map(|end| span.start + taken..span.start + end)
        })
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        for counter in &mut self.0 {
            *counter.0.get_mut() = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Take, Team};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::{Duration, Instant};

    #[test]
    fn a_worker_that_panics_leaves_nobody_waiting() {
        let team = Team::new(3).expect("threads");
        for early in [true, false] {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                team.run(|member| {
                    if member.index == 1 {
                        // The others arrive at the barrier before, and after.
                        let start = Instant::now();
                        while early && start.elapsed() < Duration::from_millis(20) {
                            std::hint::spin_loop();
                        }
                        panic!("on purpose");
                    }
                    let start = Instant::now();
                    while !early && start.elapsed() < Duration::from_millis(20) {
                        std::hint::spin_loop();
                    }
                    while member.barrier() {}
                })
            }));
            assert!(ended.is_err(), "the panic is passed on");
        }
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

//! Callbacks of the application that are read at each scrape.
//!
//! A callback may block, so callbacks run on a thread that the scrape starts for them. If one takes too long, the scrape goes on without
//! it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Acquire, Release},
        },
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::diagnostics::Diagnostics;
use crate::support::panics::{catch_message, catch_panic};

/// How long a scrape waits for one callback.
const LONGEST: Duration = Duration::from_secs(1);
/// How long it waits for all of them.
const LONGEST_TOGETHER: Duration = Duration::from_secs(2);

/// One callback.
pub(crate) struct Observation {
    /// Where it was registered, for the log.
    name: String,
    /// Reads the value, and returns a function that sets it. That is called only if the observation has not ended meanwhile.
    read: Mutex<Read>,
    /// Whether it runs now, perhaps for a scrape that has given up waiting.
    is_running: AtomicBool,
    has_ended: AtomicBool,
}

type Read = Box<dyn FnMut() -> Box<dyn FnOnce()> + Send>;

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Observation {
    /// Reads the value and sets it. The error is the message of a panic.
    fn run(&self) -> Result<(), String> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_ended.load(Acquire) {
            return Ok(());
        }
        catch_message(|| {
            let set = read();
            if !self.has_ended.load(Acquire) {
                set();
            }
        })
    }
}

/// The callbacks of one store.
#[derive(Debug, Default)]
pub(crate) struct Observations(Mutex<Vec<Arc<Observation>>>);

/// The callbacks that one scrape has still to run, and the number of the thread that runs them.
struct Round {
    left: VecDeque<Arc<Observation>>,
    thread: u32,
}

impl Observations {
    pub(crate) fn add(&self, name: String, read: Read) -> Arc<Observation> {
        let new = Arc::new(Observation {
            name,
            read: Mutex::new(read),
            is_running: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(new.clone());
        new
    }

    /// Ends one, at once: a value that is read now is not set any more.
    pub(crate) fn remove(&self, one: &Arc<Observation>) {
        one.has_ended.store(true, Release);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|known| Arc::ptr_eq(known, one));
        let removed = at.map(|at| all.swap_remove(at));
        // What the callback holds is the application's, and is dropped outside of the lock.
        drop(all);
        catch_panic(|| drop(removed));
    }

    /// Reads all of them, in the order in which they were added. One that does not return in time is named in the log, its series
    /// keeps its value, and it is not called again until it has returned.
    pub(crate) fn read(&self, diagnostics: &Diagnostics) {
        let left: VecDeque<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        if left.is_empty() {
            return;
        }
        let until = Instant::now().checked_add(LONGEST_TOGETHER);
        let round = Arc::new(Mutex::new(Round { left, thread: 0 }));
        let mut number = 0_u32;
        // One thread runs all callbacks. If one hangs, a new thread runs those behind it.
        loop {
            let (sender, answers) = channel();
            let thread = {
                let round = round.clone();
                move || work(&round, number, &sender)
            };
            if thread::Builder::new().name("compozy-observe".to_owned()).spawn(thread).is_err() {
                diagnostics.fault("observe", "no thread can be started to read values");
                return;
            }
            loop {
                let longest =
                    until.map_or(LONGEST, |until| until.saturating_duration_since(Instant::now()).min(LONGEST));
                let answer = match answers.recv_timeout(longest) {
                    Ok(answer) => Some(answer),
                    Err(RecvTimeoutError::Disconnected) => return,
                    // Under the lock no answer can come. So the callback in front is the one that hangs.
                    Err(RecvTimeoutError::Timeout) => {
                        let mut round = round.lock().unwrap_or_else(PoisonError::into_inner);
                        let answer = answers.try_recv().ok();
                        if answer.is_none() {
                            number = number.wrapping_add(1);
                            round.thread = number;
                            let hangs = round.left.pop_front();
                            if until.is_some_and(|until| Instant::now() >= until) {
                                round.left.clear();
                            }
                            let is_done = round.left.is_empty();
                            drop(round);
                            if let Some(hangs) = hangs {
                                diagnostics.fault(&hangs.name, "does not answer: the scrape went on without it");
                            }
                            if is_done {
                                return;
                            }
                            break;
                        }
                        answer
                    }
                };
                if let Some((observation, Err(message))) = answer {
                    diagnostics.fault(&observation.name, &format!("panic: {message}"));
                }
            }
        }
    }
}

/// Runs the callbacks that are left, one after the other. The one that runs stays in front, so that the scrape knows which one
/// hangs.
fn work(round: &Mutex<Round>, number: u32, answers: &Sender<(Arc<Observation>, Result<(), String>)>) {
    let mine = || {
        let round = round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.thread == number { round.left.front().cloned() } else { None }
    };
    while let Some(observation) = mine() {
        let mut result = Ok(());
        if !observation.is_running.swap(true, AcqRel) {
            result = observation.run();
            observation.is_running.store(false, Release);
        }
        let mut round = round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.thread != number {
            return;
        }
        round.left.pop_front();
        let _ = answers.send((observation, result));
    }
}

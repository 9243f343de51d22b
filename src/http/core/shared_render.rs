//! One render for all scrapes that arrive before it starts.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::{
    runtime::Handle,
    sync::{OnceCell, oneshot},
};

use crate::{
    exposition::{Format, render},
    storage::store::Store,
    support::panics::whole_after_a_panic,
};

/// What scrapes share.
#[derive(Debug, Default)]
pub(crate) struct SharedRender {
    /// For each format the render that has not started yet: scrapes that arrive now join it.
    waiting: Mutex<Waiting>,
    /// Held while one runs, so that no more than one core is busy with it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

whole_after_a_panic!(SharedRender);

type Waiting = [Option<Arc<Slot>>; Format::COUNT];

#[derive(Debug, Default)]
struct Slot(OnceCell<Option<Arc<Rendered>>>);

/// The answer in one format, and its compressed form once it was asked for.
#[derive(Debug)]
pub(crate) struct Rendered {
    body: Bytes,
    gzip: OnceCell<Option<Bytes>>,
}

impl SharedRender {
    /// A render that starts after this call; `None` if it failed, which is logged.
    ///
    /// Cancel-safe: when the scrape that drives a render is dropped, another one that waits takes over.
    pub(crate) async fn render(&self, store: &Arc<Store>, format: Format) -> Option<Arc<Rendered>> {
        let slot = self.waiting(|waiting| waiting.get_or_insert_default().clone(), format)?;
        let rendered = slot.0.get_or_init(async || {
            // The turn goes with the work: a scrape that is given up leaves its render running.
            let turn = self.turn.clone().lock_owned().await;
            self.start(&slot, format);
            let store = store.clone();
            let render = move || {
                let body = store.diagnostics.catch_and_report("render", || render(&store, format));
                drop(turn);
                body
            };
            let body = off_the_runtime(render).await.flatten()?;
            Some(Arc::new(Rendered { body: body.into(), gzip: OnceCell::new() }))
        });
        rendered.await.clone()
    }

    /// Closes a slot: from here on, scrapes that arrive get the next one.
    fn start(&self, slot: &Arc<Slot>, format: Format) {
        self.waiting(|waiting| _ = waiting.take_if(|waiting| Arc::ptr_eq(waiting, slot)), format);
    }

    /// Asks or changes what waits in this format; each has its place.
    fn waiting<R>(&self, run: impl FnOnce(&mut Option<Arc<Slot>>) -> R, format: Format) -> Option<R> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get_mut(format as usize).map(run)
    }
}

impl Rendered {
    pub(crate) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Compressed once for all scrapes that share the render.
    pub(crate) async fn gzip(&self) -> Option<Bytes> {
        let body = self.body.clone();
        let zip = move || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
            encoder.write_all(&body).and_then(|()| encoder.finish()).ok().map(Bytes::from)
        };
        self.gzip.get_or_init(async || off_the_runtime(zip).await.flatten()).await.clone()
    }
}

/// Runs work on a thread of its own, which ends with it. Not on Tokio's blocking pool: the application may have filled that, and
/// that is when a scrape must be answered. Nothing waits for the thread, so it does not hold up a runtime that shuts down.
/// Nothing comes back from work that panicked.
async fn off_the_runtime<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    #[cfg(test)]
    if tests::is_staged() {
        return tests::staged(run).await;
    }
    let (done, result) = oneshot::channel();
    // Shared, because a thread that cannot be started does not give its work back.
    let work = Arc::new(Mutex::new(Some(run)));
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (theirs, runtime) = (work.clone(), Handle::try_current().ok());
    let thread = builder().spawn(move || {
        // For what is read of the runtime at a scrape (feature `tokio-runtime`).
        let _entered = runtime.as_ref().map(Handle::enter);
        if let Some(run) = take(&theirs) {
            let _ = done.send(run());
        }
    });
    match thread {
        Ok(_) => result.await.ok(),
        // The machine has no thread left: better late than not at all.
        Err(_) => take(&work).map(|run| run()),
    }
}

fn builder() -> thread::Builder {
    let builder = thread::Builder::new().name("compozy-scrape".to_owned());
    #[cfg(test)]
    let builder = if tests::has_no_threads() { builder.stack_size(1 << 60) } else { builder };
    builder
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        collections::VecDeque,
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use metrics::Key;

    use super::*;
    use crate::{
        MonitoringService,
        storage::counter::{CounterCell, CounterOp},
        support::failpoint,
    };

    type Job = Box<dyn FnOnce()>;

    thread_local! {
        static STAGED: Cell<bool> = const { Cell::new(false) };
        static NO_THREADS: Cell<bool> = const { Cell::new(false) };
        /// The threads of a play: their jobs run when the play says so.
        static JOBS: RefCell<VecDeque<Job>> = const { RefCell::new(VecDeque::new()) };
    }

    pub(crate) fn is_staged() -> bool {
        STAGED.get()
    }

    /// A machine without a thread to spare: no address space has room for the stack that is asked for.
    pub(crate) fn has_no_threads() -> bool {
        NO_THREADS.get()
    }

    /// As on a thread: the job runs whether or not somebody waits for it.
    pub(crate) async fn staged<R: 'static>(run: impl FnOnce() -> R + 'static) -> Option<R> {
        let (done, wait) = tokio::sync::oneshot::channel();
        let job = move || _ = done.send(run());
        JOBS.with_borrow_mut(|jobs| jobs.push_back(Box::new(job)));
        wait.await.ok()
    }

    /// What can happen next.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        /// A scrape arrives, or is polled again.
        Poll(usize),
        /// Its client goes.
        Drop(usize),
        /// The thread of a render runs.
        Work,
    }

    type Scrape<'a> = Pin<Box<dyn Future<Output = Option<Arc<Rendered>>> + 'a>>;

    /// Three scrapes, one after the other with any steps between.
    struct Play<'a> {
        shared: &'a SharedRender,
        store: &'a Arc<Store>,
        scrapes: [Option<Scrape<'a>>; 3],
        /// How much was counted when each arrived: what it sees is no less.
        arrived: [Option<u64>; 3],
        seen: [Option<Option<u64>>; 3],
        dropped: [bool; 3],
        counted: u64,
        faulty: bool,
        formats: [Format; 3],
    }

    impl Play<'_> {
        fn possible(&self) -> Vec<Step> {
            let mut steps = Vec::new();
            for i in 0..3 {
                let has_come = self.arrived[i].is_some();
                if !has_come && (i == 0 || self.arrived[i - 1].is_some()) || self.scrapes[i].is_some() {
                    steps.push(Step::Poll(i));
                }
                // One that leaves is enough: of two, the third does what the second did.
                if self.scrapes[i].is_some() && !self.dropped.contains(&true) {
                    steps.push(Step::Drop(i));
                }
            }
            if JOBS.with_borrow(|jobs| !jobs.is_empty()) {
                steps.push(Step::Work);
            }
            steps
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Poll(i) => {
                    if self.arrived[i].is_none() {
                        let counter = self.store.resolve::<CounterCell>(&Key::from_name("compozy_play_total"));
                        counter.apply(CounterOp::Increment(1));
                        self.counted += 1;
                        self.arrived[i] = Some(self.counted);
                        let (shared, store) = (self.shared, self.store);
                        self.scrapes[i] = Some(Box::pin(shared.render(store, self.formats[i])));
                    }
                    self.poll(i);
                }
                Step::Drop(i) => {
                    self.scrapes[i] = None;
                    self.dropped[i] = true;
                }
                Step::Work => {
                    let job = JOBS.with_borrow_mut(VecDeque::pop_front).expect("possible");
                    if std::mem::take(&mut self.faulty) { failpoint::armed("render", job) } else { job() }
                }
            }
        }

        fn poll(&mut self, i: usize) {
            let Some(scrape) = &mut self.scrapes[i] else { return };
            if let Poll::Ready(rendered) = scrape.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.scrapes[i] = None;
                self.seen[i] = Some(rendered.map(|rendered| {
                    let text = String::from_utf8(rendered.body().to_vec()).expect("UTF-8");
                    assert_eq!(text.ends_with("# EOF\n"), self.formats[i] == Format::OpenMetrics);
                    let line = text.lines().find_map(|line| line.strip_prefix("compozy_play_total "));
                    line.map_or(0, |value| value.parse().expect("a number"))
                }));
            }
        }

        /// Polls and works until nobody waits; whether that came.
        fn ends(&mut self) -> bool {
            for _ in 0..20 {
                (0..3).for_each(|i| self.poll(i));
                if JOBS.with_borrow(|jobs| !jobs.is_empty()) {
                    self.take(Step::Work);
                }
            }
            self.scrapes.iter().all(Option::is_none)
        }
    }

    /// Plays these choices, then lets everything end; how many choices there were at each step.
    fn play(choices: &[usize], faulty: bool, formats: [Format; 3]) -> Vec<usize> {
        const LONGEST: usize = 7;
        JOBS.with_borrow_mut(VecDeque::clear);
        // With nothing in it but one counter: what it takes to render is not the question.
        let (store, shared) = (Store::new(1), SharedRender::default());
        let mut play = Play {
            shared: &shared,
            store: &store,
            scrapes: [None, None, None],
            arrived: [None; 3],
            seen: [None; 3],
            dropped: [false; 3],
            counted: 0,
            faulty,
            formats,
        };
        let (mut widths, mut steps) = (Vec::new(), Vec::new());
        while widths.len() < LONGEST {
            let possible = play.possible();
            if possible.is_empty() {
                break;
            }
            let step = possible[choices.get(widths.len()).copied().unwrap_or(0)];
            widths.push(possible.len());
            steps.push(step);
            play.take(step);
        }
        assert!(play.ends(), "somebody hangs: {steps:?}");
        let mut failed = 0;
        for i in 0..3 {
            match (play.arrived[i], play.dropped[i], play.seen[i]) {
                (Some(at_least), false, Some(Some(seen))) => {
                    assert!(seen >= at_least, "{i} saw {seen}, which is older than its arrival: {steps:?}");
                }
                (Some(_), false, Some(None)) => failed += 1,
                (Some(_), false, None) => panic!("{i} got no answer: {steps:?}"),
                (None, ..) | (Some(_), true, _) => {}
            }
        }
        assert!(faulty || failed == 0, "a render failed for no reason: {steps:?}");
        // Whoever comes after all this is served.
        let mut late: Scrape<'_> = Box::pin(shared.render(&store, formats[0]));
        let served = (0..3).any(|_| {
            let is_ready = late.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            if let Some(job) = JOBS.with_borrow_mut(VecDeque::pop_front) {
                job();
            }
            is_ready
        });
        assert!(served, "a later scrape hangs: {steps:?}");
        widths
    }

    /// Every order of up to seven steps of three scrapes, a client that goes and the thread.
    fn every_order(faulty: bool, formats: [Format; 3]) -> usize {
        STAGED.set(true);
        let (mut choices, mut plays) = (Vec::new(), 0);
        loop {
            let widths = play(&choices, faulty, formats);
            plays += 1;
            choices.resize(widths.len(), 0);
            // The next one, as a counter whose digits have these bases.
            let Some(last) = (0..widths.len()).rev().find(|i| choices[*i] + 1 < widths[*i]) else { break };
            choices[last] += 1;
            choices.truncate(last + 1);
        }
        STAGED.set(false);
        plays
    }

    #[test]
    fn in_every_order_each_scrape_sees_a_render_that_began_after_it_arrived_and_nobody_hangs() {
        let plays = every_order(false, [Format::Text; 3]);
        assert!(plays > 1_000, "{plays}");
    }

    #[test]
    fn in_every_order_each_scrape_gets_its_own_format() {
        for formats in
            [[Format::Text, Format::OpenMetrics, Format::Text], [Format::OpenMetrics, Format::Text, Format::Text]]
        {
            let plays = every_order(false, formats);
            assert!(plays > 1_000, "{plays}");
        }
    }

    #[test]
    fn in_every_order_a_render_that_panics_leaves_nobody_hanging() {
        let plays = every_order(true, [Format::Text; 3]);
        assert!(plays > 1_000, "{plays}");
    }

    #[test]
    fn where_no_thread_can_be_started_the_scrape_is_rendered_all_the_same() {
        let (service, shared) = (MonitoringService::for_test(), SharedRender::default());
        let store = service.store().expect("on").clone();
        NO_THREADS.set(true);
        assert!(builder().spawn(|| ()).is_err(), "the machine has so much memory");
        let mut scrape = std::pin::pin!(async {
            let rendered = shared.render(&store, Format::Text).await.expect("rendered");
            (rendered.body(), rendered.gzip().await.expect("zipped"))
        });
        let Poll::Ready((text, gzip)) = scrape.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("nobody is waited for")
        };
        NO_THREADS.set(false);
        assert!(text.starts_with(b"# HELP") && gzip.starts_with(&[0x1f, 0x8b]));
    }

    #[test]
    fn work_that_panics_gives_nothing_and_the_runtime_is_there_for_what_reads_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            assert_eq!(off_the_runtime(|| Handle::try_current().is_ok()).await, Some(true));
            let quiet = off_the_runtime(|| std::panic::resume_unwind(Box::new("on purpose")));
            assert_eq!(quiet.await, None::<()>);
        });
    }
}

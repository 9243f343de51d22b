//! Workers, and the comparison of the two ledgers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use compozy_monitoring::MonitoringService;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, Url, WorkflowCountOptions, WorkflowGetResultOptions,
    WorkflowHandle, WorkflowStartOptions,
};
use temporalio_sdk::{Runtime, Worker, WorkerOptions, runtime::RuntimeOptions};
use tokio::sync::oneshot;

use crate::{
    common::{is_long, samples, size},
    play::{Act, Activities, Child, Play},
    server::Server,
};

/// A client of the server.
async fn client(server: &Server, namespace: &str) -> Client {
    let target = Url::parse(&format!("http://{}", server.address)).expect("an address");
    let connection = Connection::connect(ConnectionOptions::new(target).build()).await.expect("a server");
    Client::new(connection, ClientOptions::new(namespace).build()).expect("a client")
}

/// One scenario: a task queue and a service of its own.
pub struct Stage {
    pub service: MonitoringService,
    pub queue: String,
    pub namespace: String,
    pub client: Client,
    pub server: &'static Server,
    started: AtomicU32,
}

/// What a worker is made with.
#[derive(Clone, Copy)]
pub struct Halves {
    pub meter: bool,
    pub interceptor: bool,
}

pub const BOTH: Halves = Halves { meter: true, interceptor: true };

/// A worker on a thread of its own.
pub struct RunningWorker {
    stop: Option<oneshot::Sender<()>>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningWorker {
    /// Stops it as an operator would, and waits for that.
    pub fn stop(mut self) {
        self.end();
    }

    /// Drops it in the middle of what it does, with its runtime.
    pub fn kill(mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking(), "the worker panicked");
        }
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        self.end();
    }
}

/// The one scenario that needs the whole server takes it alone.
static LOAD: RwLock<()> = RwLock::new(());

/// Runs a scenario to its end, with a limit.
pub fn play<F: Future<Output = ()>>(name: &str, scenario: impl FnOnce(Arc<Stage>) -> F) {
    let _beside_others = LOAD.read().unwrap_or_else(PoisonError::into_inner);
    act_out(name, "default", scenario);
}

/// The same, in a namespace that this makes.
pub fn play_in<F: Future<Output = ()>>(namespace: &str, name: &str, scenario: impl FnOnce(Arc<Stage>) -> F) {
    let _beside_others = LOAD.read().unwrap_or_else(PoisonError::into_inner);
    Server::get().cli(&["operator", "namespace", "create", "--namespace", namespace]);
    act_out(name, namespace, scenario);
}

/// The same, with nothing beside it in the long form, in which it needs the whole server.
pub fn play_alone<F: Future<Output = ()>>(name: &str, scenario: impl FnOnce(Arc<Stage>) -> F) {
    if !is_long() {
        return play(name, scenario);
    }
    let _alone = LOAD.write().unwrap_or_else(PoisonError::into_inner);
    act_out(name, "default", scenario);
}

fn act_out<F: Future<Output = ()>>(name: &str, namespace: &str, scenario: impl FnOnce(Arc<Stage>) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("Tokio");
    runtime.block_on(async {
        let server = Server::get();
        let stage = Stage {
            service: MonitoringService::for_test(),
            queue: name.to_owned(),
            namespace: namespace.to_owned(),
            client: client(server, namespace).await,
            server,
            started: AtomicU32::new(0),
        };
        // For a machine with much else to do.
        let limit = Duration::from_secs(400);
        tokio::time::timeout(limit, scenario(Arc::new(stage))).await.unwrap_or_else(|_| panic!("{name} took too long"));
    });
}

impl Stage {
    /// A worker with this many runs in its cache.
    pub fn worker(&self, cache: usize) -> RunningWorker {
        self.worker_with(cache, BOTH)
    }

    pub fn worker_with(&self, cache: usize, halves: Halves) -> RunningWorker {
        self.worker_of(self.worker_options(cache, halves), halves.meter)
    }

    /// What a worker is made of. A clone of it makes another one.
    pub fn worker_options(&self, cache: usize, halves: Halves) -> WorkerOptions {
        let mut options = WorkerOptions::new(&self.queue).max_cached_workflows(cache).build();
        if halves.interceptor {
            self.service.instrument_worker(&mut options);
        }
        register(&mut options);
        options
    }

    pub fn worker_of(&self, options: WorkerOptions, has_meter: bool) -> RunningWorker {
        let (service, server) = (self.service.clone(), self.server);
        let namespace = self.namespace.clone();
        let (stop, stopped) = oneshot::channel();
        let (kill, killed) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            tokio.expect("Tokio").block_on(async move {
                let runtime_options =
                    if has_meter { service.temporal_runtime_options() } else { RuntimeOptions::default() };
                let runtime = Runtime::from_current_tokio(runtime_options).expect("a runtime");
                let mut worker = Worker::new(&runtime, client(server, &namespace).await, options).expect("a worker");
                let _running = service.track_worker();
                let shut_down = worker.shutdown_handle();
                tokio::spawn(async move {
                    let _ = stopped.await;
                    shut_down();
                });
                let _ = ready.send(());
                tokio::select! {
                    ended = worker.run() => ended.expect("the worker ends well"),
                    Ok(()) = killed => {}
                }
            });
        });
        is_ready.recv_timeout(Duration::from_secs(60)).expect("the worker starts");
        RunningWorker { stop: Some(stop), kill: Some(kill), thread: Some(thread) }
    }

    /// A workflow id that nobody else has.
    pub fn id(&self) -> String {
        format!("{}-{}", self.queue, self.started.fetch_add(1, Ordering::Relaxed))
    }

    pub fn options(&self) -> WorkflowStartOptions {
        WorkflowStartOptions::new(&self.queue, self.id()).build()
    }

    pub async fn start(&self, act: Act) -> WorkflowHandle<Client, Play> {
        self.start_with(act, self.options()).await
    }

    /// Starts a run that no worker will take.
    pub async fn start_on_nobodys_queue(&self, act: Act) -> WorkflowHandle<Client, Play> {
        let queue = format!("{}-nobody", self.queue);
        self.start_with(act, WorkflowStartOptions::new(queue, self.id()).build()).await
    }

    pub async fn start_with(&self, act: Act, options: WorkflowStartOptions) -> WorkflowHandle<Client, Play> {
        let started = self.client.start_workflow(Play::run, act, options).await.expect("started");
        self.client.get_workflow_handle(started.info().workflow_id.clone())
    }

    /// Starts a run and waits for the end of its chain.
    pub async fn run(&self, act: Act) {
        finish(&self.start(act).await).await;
    }

    /// What the server has, by workflow type and status.
    async fn server_counts(&self, types: &[&str]) -> Counts {
        let mut counts = Counts::new();
        for workflow_type in types {
            // One look at all of them: a query for each status costs the server more than the runs do.
            let query =
                format!("TaskQueue = '{}' AND WorkflowType = '{workflow_type}' GROUP BY ExecutionStatus", self.queue);
            let count = self.client.count_workflows(query, WorkflowCountOptions::default()).await.expect("visibility");
            for group in count.groups() {
                let status = group.get::<String>(0).expect("a status");
                let status = STATUSES.into_iter().find(|known| *known == status).expect("a known status");
                counts.insert(((*workflow_type).to_owned(), status), group.count() as f64);
            }
        }
        counts
    }

    /// The ledger: compares with the server until both agree and stay so. `never_started` runs are in no counter.
    pub async fn settle(&self, never_started: usize) {
        self.settle_types(&["Play"], never_started).await;
    }

    pub async fn settle_types(&self, types: &[&str], never_started: usize) {
        let deadline = Instant::now() + Duration::from_secs(45);
        loop {
            let server = self.server_counts(types).await;
            let first = self.difference(&server, types, never_started);
            if first.is_empty() {
                tokio::time::sleep(Duration::from_millis(size(300, 1_000))).await;
                let server = self.server_counts(types).await;
                if self.difference(&server, types, never_started).is_empty() {
                    return;
                }
            }
            assert!(
                Instant::now() < deadline,
                "{}: {first:#?}\nserver: {server:#?}\n{}",
                self.queue,
                self.service.render().lines().filter(|l| l.starts_with("compozy_")).collect::<Vec<_>>().join("\n")
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn difference(&self, server: &Counts, types: &[&str], mut never_started: usize) -> Vec<String> {
        let text = self.service.render();
        let ours = samples(&text);
        let mut differences = Vec::new();
        for workflow_type in types {
            let of = |family: &str| {
                let series = format!("compozy_temporal_workflow_{family}{{workflow_type=\"{workflow_type}\"}}");
                ours.get(&series).copied().unwrap_or(0.0)
            };
            let theirs =
                |status: &'static str| server.get(&((*workflow_type).to_owned(), status)).copied().unwrap_or(0.0);
            let mut compare = |what: &str, ours: f64, theirs: f64| {
                if ours != theirs {
                    differences.push(format!("{workflow_type} {what}: ours {ours}, the server's {theirs}"));
                }
            };
            compare("completed", of("completed_total"), theirs("Completed"));
            compare("failed", of("failed_total"), theirs("Failed"));
            compare("canceled", of("canceled_total"), theirs("Canceled"));
            compare("continued as new", of("continued_as_new_total"), theirs("ContinuedAsNew"));
            let all: f64 = STATUSES.iter().map(|status| theirs(status)).sum();
            compare("started", of("started_total"), all - std::mem::take(&mut never_started) as f64);
            let closed = theirs("Completed") + theirs("Failed") + theirs("Canceled") + theirs("ContinuedAsNew");
            compare("durations", of("duration_seconds_count"), closed);
        }
        differences
    }

    /// The value of one of our families without labels.
    #[track_caller]
    pub fn value(&self, name: &str) -> f64 {
        samples(&self.service.render()).get(name).copied().unwrap_or(0.0)
    }

    /// The sum over the series of a family.
    pub fn sum(&self, name: &str) -> f64 {
        crate::common::sum(&self.service.render(), name)
    }
}

type Counts = BTreeMap<(String, &'static str), f64>;

const STATUSES: [&str; 7] = ["Running", "Completed", "Failed", "Canceled", "Terminated", "ContinuedAsNew", "TimedOut"];

/// Waits for the end of a run's chain, whatever it is.
pub async fn finish(handle: &WorkflowHandle<Client, Play>) {
    let _ = handle.get_result(WorkflowGetResultOptions::default()).await;
}

fn register(options: &mut WorkerOptions) {
    options.register_activities(Activities);
    options.register_workflow::<Play>().expect("registered");
    options.register_workflow::<Child>().expect("registered");
}

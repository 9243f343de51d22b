//! What monitoring costs a Temporal worker: updates of the meter with kept attributes, and a whole workflow with the
//! interceptor and the meter and without them, as a replay of a recorded history (feature `temporal` of this package).
//!
//! A replay is the least that a worker does for a workflow: no network, no server, no waiting. So what the interceptor
//! adds weighs more here than it does in service. `-- --server` runs a dev server instead (`temporal` on the path, or
//! named by TEMPORAL_CLI) and two workers, one with monitoring and one without, which run the same workflows in turns;
//! what is compared is the CPU that the kernel counted for the worker. Ends with lines `ratio NAME VALUE TARGET ok|short|inconclusive`.

use std::{alloc::System, process::ExitCode, time::Duration};

use compozy_monitoring::{Config, MonitoringService};
use compozy_monitoring_benches::{Round, Target, allocations::Counting};
use temporalio_client::WorkflowHistory;
use temporalio_common::telemetry::metrics::{
    CoreMeter, CounterBase, GaugeBase, HistogramBase, HistogramDurationBase, MetricAttributable, MetricAttributes,
    MetricKeyValue, MetricParameters, NewAttributes,
};
use temporalio_sdk::{
    WorkflowContext, WorkflowResult,
    workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions},
    workflows::{workflow, workflow_methods},
};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

const HISTORY: &[u8] = include_bytes!("../../tests/fixtures/history.json");
/// Of a workflow's CPU in the worker.
const MOST: f64 = 1.01;

compozy_monitoring::families! {
    /// Steps of the workflow, muted in a replay.
    counter STEPS = "compozy_bench_steps_total";
}

/// Two timers, as in the history.
#[workflow]
#[derive(Default)]
struct Play;

#[workflow_methods]
impl Play {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, _: serde_json::Value) -> WorkflowResult<()> {
        for _ in 0..2 {
            STEPS.increment(1);
            ctx.timer(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, address, queue, monitored] = args.as_slice()
        && flag == server::WORKER
    {
        return server::exit(server::work(address, queue, monitored == "true"));
    }
    if args.iter().any(|arg| arg == "--server") {
        return server::exit(server::compare(&args));
    }
    compozy_monitoring_benches::run(|round| {
        let Ok(service) = MonitoringService::new(Config::default().enabled(true)) else { return };
        assert!(service.is_enabled(), "something else is the process's recorder");
        meter(round, &service);
        workflows(round, &service);
    })
}

/// Instruments as SDK core keeps them: bound to the attributes of a task queue or a run.
fn meter(round: &Round, service: &MonitoringService) {
    let meter = service.temporal_meter();
    let named = |name: &str| MetricParameters::builder().name(name.to_owned()).description("").unit("").build();
    // label-lint: allow(unresolved-label) both are on this line
    let pairs = ["task_queue", "workflow_type"].map(|name| MetricKeyValue::new(name, "T"));
    let own: MetricAttributes = meter.new_attributes(NewAttributes::from(pairs));
    let (Ok(counter), Ok(gauge), Ok(histogram), Ok(latency)) = (
        meter.counter(named("temporal_c")).with_attributes(&own),
        meter.gauge(named("temporal_g")).with_attributes(&own),
        meter.histogram(named("temporal_h")).with_attributes(&own),
        meter.histogram_duration(named("temporal_workflow_task_execution_latency")).with_attributes(&own),
    ) else {
        return;
    };
    let target = Target::none().without_allocations();
    round.added("meter/counter", target, |_| counter.adds(1), |_| ());
    round.added("meter/gauge", target, |i| gauge.records(i as u64), |_| ());
    round.added("meter/histogram", target, |i| histogram.records(i as u64 % 2_000), |_| ());
    round.added("meter/latency", target, |i| latency.records(Duration::from_micros(i as u64 * 997)), |_| ());
    round.instructions("meter/counter/instructions", Target::none(), 10_000, |_| counter.adds(1), |_| ());
}

/// One workflow from its history.
struct Replay {
    tokio: tokio::runtime::Runtime,
    options: Box<dyn Fn() -> WorkflowReplayerOptions>,
}

impl Replay {
    fn new(service: Option<&MonitoringService>) -> Option<Self> {
        let interceptor = service.map(MonitoringService::temporal_interceptor);
        let options = move || {
            let options = WorkflowReplayerOptions::new();
            let options = match &interceptor {
                Some(interceptor) => options.workflow_interceptor(interceptor.clone()),
                None => options,
            };
            options.register_workflow::<Play>().expect("the workflow can be registered").build()
        };
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        Some(Self { tokio, options: Box::new(options) })
    }

    fn one(&self) {
        self.tokio.block_on(async {
            let history = WorkflowHistory::from_json(HISTORY).expect("a history");
            let replayer = WorkflowReplayer::new((self.options)()).expect("a replayer");
            replayer.replay_workflow(history).await.expect("replays");
        });
    }
}

fn workflows(round: &Round, service: &MonitoringService) {
    let (Some(with), Some(without)) = (Replay::new(Some(service)), Replay::new(None)) else { return };
    let pairs = if round.is_smoke() { 1 } else { 60 };
    round.slow_pair("replay/interceptor", Target::most(MOST), pairs, || with.one(), || without.one());
    let nothing = |_: usize| ();
    round.instructions_overhead(
        "replay/interceptor/instructions",
        Target::most(MOST),
        20,
        (|_: usize| with.one(), nothing),
        (|_: usize| without.one(), nothing),
    );
}

/// With a real server.
mod server {
    use std::{
        env,
        error::Error,
        net::TcpListener,
        process::{Child, Command, ExitCode, Stdio},
        time::{Duration, Instant},
    };

    use compozy_monitoring::{Config, MonitoringService};
    use compozy_monitoring_benches::{Target, report_pairs};
    use temporalio_client::{
        Client, ClientOptions, Connection, ConnectionOptions, Url, WorkflowGetResultOptions, WorkflowStartOptions,
    };
    use temporalio_sdk::{Runtime, Worker, WorkerOptions};

    use super::{MOST, Play};

    type Done = Result<(), Box<dyn Error>>;

    /// The argument that makes this program a worker: the server's address, the task queue and `true` or `false` follow.
    pub(super) const WORKER: &str = "--worker";
    /// Workflows of one turn, and how many of them at once: the dev server takes seconds for their timers, however few
    /// they are.
    const WORKFLOWS: usize = 200;
    const AT_ONCE: usize = 100;

    pub(super) fn exit(done: Done) -> ExitCode {
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Ended with this program, however it ends.
    struct Process(Child);

    impl Drop for Process {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Process {
        /// Nanoseconds on a processor, of all threads.
        fn cpu(&self) -> f64 {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id()));
            let paths = tasks.into_iter().flatten().flatten().map(|task| task.path().join("schedstat"));
            let texts = paths.filter_map(|path| std::fs::read_to_string(path).ok());
            texts.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum()
        }
    }

    async fn client(address: &str) -> Result<Client, Box<dyn Error>> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let options = ConnectionOptions::new(Url::parse(&format!("http://{address}"))?).build();
            match Connection::connect(options).await {
                Ok(connection) => return Ok(Client::new(connection, ClientOptions::new("default").build())?),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    fn tokio() -> Result<tokio::runtime::Runtime, std::io::Error> {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    }

    /// A worker until it is killed.
    pub(super) fn work(address: &str, queue: &str, monitored: bool) -> Done {
        let service = MonitoringService::new(Config::default().enabled(monitored))?;
        tokio()?.block_on(async {
            let runtime = Runtime::from_current_tokio(service.temporal_runtime_options())?;
            let mut options = WorkerOptions::new(queue).build();
            service.instrument_worker(&mut options);
            options.register_workflow::<Play>()?;
            let mut worker = Worker::new(&runtime, client(address).await?, options)?;
            let _running = service.track_worker();
            worker.run().await?;
            Ok(())
        })
    }

    /// CPU a workflow of a worker with monitoring, over one without.
    pub(super) fn compare(args: &[String]) -> Done {
        let quick = args.iter().any(|arg| arg == "--quick");
        let pairs = if quick { 6 } else { 25 };
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cli = env::var_os("TEMPORAL_CLI").unwrap_or_else(|| "temporal".into());
        let mut command = Command::new(cli);
        command.args(["server", "start-dev", "--headless", "--log-level", "error", "--port", &port.to_string()]);
        let _server = Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let address = format!("127.0.0.1:{port}");
        tokio()?.block_on(async {
            let client = client(&address).await?;
            let mut sides = Vec::new();
            for (queue, monitored) in [("with", "true"), ("without", "false")] {
                let mut command = Command::new(env::current_exe()?);
                sides.push((queue, Process(command.args([WORKER, &address, queue, monitored]).spawn()?)));
            }
            let mut all = Vec::new();
            for pair in 0..=pairs {
                let mut cpu = [0.0; 2];
                for place in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
                    let (queue, worker) = &sides[place];
                    let before = worker.cpu();
                    run(&client, queue, pair).await?;
                    cpu[place] = (worker.cpu() - before) / WORKFLOWS as f64 / 1_000.0;
                }
                // The first turn warms.
                if pair > 0 {
                    all.push(cpu);
                }
            }
            report_pairs("server/worker-cpu", "microseconds", Target::most(MOST), &all);
            Ok(())
        })
    }

    async fn run(client: &Client, queue: &str, turn: usize) -> Done {
        for first in (0..WORKFLOWS).step_by(AT_ONCE) {
            let mut handles = Vec::new();
            for number in first..first + AT_ONCE {
                let id = format!("{queue}-{turn}-{number}");
                let options = WorkflowStartOptions::new(queue, id).build();
                handles.push(client.start_workflow(Play::run, serde_json::Value::Null, options).await?);
            }
            for handle in handles {
                handle.get_result(WorkflowGetResultOptions::default()).await?;
            }
        }
        Ok(())
    }
}

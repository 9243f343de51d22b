//! A dev server for as long as the test process lives.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child as Process, ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The Temporal CLI: what the variable names, else what `scripts/setup` installs.
pub fn cli() -> PathBuf {
    std::env::var_os("TEMPORAL_CLI").map_or_else(|| crate::common::tool("temporal"), PathBuf::from)
}

/// A dev server in memory, which ends when this process does.
pub struct Server {
    pub address: String,
    /// The shell that holds the server waits for the end of this.
    _stdin: ChildStdin,
    _shell: Process,
}

impl Server {
    /// The one server of this process.
    pub fn get() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let version = Command::new(cli()).arg("--version").stdout(Stdio::null()).status();
        assert!(
            version.is_ok_and(|status| status.success()),
            "no Temporal CLI at {:?}: `scripts/setup python` installs one; TEMPORAL_CLI names another",
            cli()
        );
        let port = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("bound").port()
        };
        let address = format!("127.0.0.1:{}", port());
        let (_, port) = address.rsplit_once(':').expect("made so");
        let log = format!("{}/temporal-server-{port}.log", env!("CARGO_TARGET_TMPDIR"));
        let script = r#""$1" server start-dev --headless --log-level warn --port "$2" >"$3" 2>&1 & pid=$!
                        read -r _; kill $pid"#;
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(cli())
            .args([port, &log])
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let server = Self { address: address.clone(), _stdin: shell.stdin.take().expect("piped"), _shell: shell };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.run(&["operator", "namespace", "describe", "default"]) {
            assert!(Instant::now() < deadline, "no Temporal server came up at {address}: see {log}");
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    fn run(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(cli());
        command.args(arguments).args(["--address", &self.address]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Runs the CLI; it has to succeed.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) {
        let mut command = Command::new(cli());
        command.args(arguments).args(["--address", &self.address, "--command-timeout", "60s"]);
        let output = command.output().expect("the CLI runs");
        if !output.status.success() {
            panic!("temporal {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

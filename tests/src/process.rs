//! A child process whose output is kept and which never outlives its test.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use fanline_test_redis::{DEADLINE, within};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running child. Dropping it kills it (SIGKILL), and only it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: watch::Receiver<Vec<String>>,
    stderr: watch::Receiver<Vec<String>>,
    /// Read the two pipes to their ends; aborted with the process.
    readers: JoinSet<()>,
}

impl Process {
    /// Starts `command` without standard input.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}: {command:?}"));
        let mut readers = JoinSet::new();
        let stdout = collect(&mut readers, child.stdout.take());
        let stderr = collect(&mut readers, child.stderr.take());
        Self { name: name.to_owned(), child, stdout, stderr, readers }
    }

    /// Runs a line as it was printed, in the folder where it was printed.
    pub fn pasted(line: &str) -> Self {
        let mut command = Command::new("sh");
        // `exec`: the process that is killed at the end is the client itself, not a shell around it.
        command.arg("-c").arg(format!("exec {line}"));
        Self::spawn(line, command)
    }

    /// The process id, while it runs.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("{} has ended\n{}", self.name, self.output()))
    }

    /// The first line of standard output that `wanted` accepts, whenever it comes.
    pub async fn stdout_line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.line(self.stdout.clone(), what, wanted).await
    }

    /// The first line of standard error that `wanted` accepts, whenever it comes.
    pub async fn stderr_line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.line(self.stderr.clone(), what, wanted).await
    }

    async fn line(
        &self,
        mut output: watch::Receiver<Vec<String>>,
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        let lines = within(
            DEADLINE,
            &format!("{what} from {}", self.name),
            output.wait_for(|lines| lines.iter().any(|line| wanted(line))),
        )
        .await;
        match lines {
            Ok(lines) => {
                lines.iter().find(|line| wanted(line)).expect("wait_for has just found it").clone()
            }
            Err(_) => panic!("{} ended without {what}\n{}", self.name, self.output()),
        }
    }

    /// The line of standard output at an index, whenever it comes.
    pub async fn stdout_line_at(&mut self, what: &str, index: usize) -> String {
        let mut stdout = self.stdout.clone();
        let arrived = stdout.wait_for(|lines| lines.len() > index);
        match within(DEADLINE, &format!("{what} from {}", self.name), arrived).await {
            Ok(lines) => lines[index].clone(),
            Err(_) => panic!("{} ended without {what}\n{}", self.name, self.output()),
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by its short name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`, because a signal to another process takes `unsafe` or a dependency.
        let status = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.id()))
            .status()
            .expect("sh is there");
        assert!(status.success(), "{} takes no signal", self.name);
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    pub async fn kill(&mut self) {
        let what = format!("the end of {}", self.name);
        let killed = within(DEADLINE, &what, self.child.kill()).await;
        killed.expect("our own child can be killed");
    }

    /// Waits for the end of the process and of its output.
    pub async fn exit(&mut self) -> ExitStatus {
        self.exit_within(DEADLINE).await
    }

    /// Like [`Process::exit`], with its own deadline.
    pub async fn exit_within(&mut self, limit: Duration) -> ExitStatus {
        let exit = async {
            let status = self.child.wait().await.expect("our own child can be waited for");
            while self.readers.join_next().await.is_some() {}
            status
        };
        match tokio::time::timeout(limit, exit).await {
            Ok(status) => status,
            Err(_) => panic!("{} runs on after {limit:?}\n{}", self.name, self.output()),
        }
    }

    /// What standard output held so far.
    pub fn stdout(&self) -> String {
        self.stdout.borrow().join("\n")
    }

    /// What standard error held so far.
    pub fn stderr(&self) -> String {
        self.stderr.borrow().join("\n")
    }

    /// Both, for the message of a failure.
    pub fn output(&self) -> String {
        format!(
            "--- stdout of {name}\n{}\n--- stderr of {name}\n{}\n---",
            self.stdout(),
            self.stderr(),
            name = self.name
        )
    }
}

impl Drop for Process {
    /// What the process said belongs to the failure of its test.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.output());
        }
    }
}

fn collect(
    readers: &mut JoinSet<()>,
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
) -> watch::Receiver<Vec<String>> {
    let (sender, receiver) = watch::channel(Vec::new());
    let pipe = pipe.expect("spawn piped it");
    readers.spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|all| all.push(line));
        }
    });
    receiver
}

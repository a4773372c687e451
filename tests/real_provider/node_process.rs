use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// A provider that is written for Node.js, as a process; dropped, it ends.
///
/// Its `server.mjs` prints its issuer once it listens. It reads a command from each line, and answers
/// each with a line of JSON.
pub struct NodeProcess {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl NodeProcess {
    /// Starts the process of a folder here. Returns its issuer too.
    pub async fn start(folder: &str, environment: &[(&str, &str)]) -> (Self, String) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/real_provider")
            .join(folder);
        assert!(
            directory.join("node_modules").exists(),
            "run `npm ci` in {} first",
            directory.display()
        );
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(directory)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("node: {error}; install Node.js 20.12 or newer"));
        let mut process = Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        };
        let ready = process.answer().await;
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        (process, issuer)
    }

    pub async fn ask(&mut self, command: &str, input: &Value) -> Value {
        let line = format!("{}\n", json!({ command: input }));
        self.commands.write_all(line.as_bytes()).await.unwrap();
        let answer = self.answer().await;
        assert_eq!(answer["error"], Value::Null, "{command}");
        answer
    }

    /// Ends the process.
    pub async fn stop(&mut self) {
        self.child.kill().await.unwrap();
    }

    async fn answer(&mut self) -> Value {
        let line = self.answers.next_line().await.unwrap();
        let line = line.expect("the provider has ended; what it said stands above");
        serde_json::from_str(&line).unwrap()
    }
}

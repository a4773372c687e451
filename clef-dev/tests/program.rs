//! The program, as `cargo run -p clef-dev` starts it.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::Command,
};

fn program(address: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clef-dev"));
    command
        .env("CLEF_ADDR", address)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn the_program_prints_its_urls_and_serves_them() {
    let mut program = program("127.0.0.1:0").spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    for label in ["Clef:", "The phone:", "The button:"] {
        let line = lines.next_line().await.unwrap().unwrap();
        let url = line.strip_prefix(label).unwrap().trim();
        assert_eq!(reqwest::get(url).await.unwrap().status(), 200, "{url}");
    }
}

#[tokio::test]
async fn what_is_in_the_way_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (value, says) in [
        (&*address, "it is taken"),
        ("somewhere", "write it like 127.0.0.1:5050"),
        ("0.0.0.0:0", "not a loopback address"),
    ] {
        let mut program = program(value);
        let output = program.stderr(Stdio::piped()).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{value}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(
            error.contains("CLEF_ADDR") && error.contains(says),
            "{error}"
        );
    }
}

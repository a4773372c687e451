//! A Clef on its own, to develop several sites against at once: `cargo run -p clef-dev`.
//!
//! `CLEF_ADDR` says where it listens, by default on 127.0.0.1:5050.

use std::{env, io, net::SocketAddr, process::ExitCode};

use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(clef) => {
            introduce(&clef);
            // It serves until it is dropped; Ctrl-C ends it.
            std::future::pending().await
        }
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<ClefService, String> {
    let text = env::var("CLEF_ADDR").unwrap_or_else(|_| "127.0.0.1:5050".to_owned());
    let address: SocketAddr = text.parse().map_err(|_| {
        format!(
            "CLEF_ADDR is {text:?}; write it like 127.0.0.1:5050, with an IP address and a port"
        )
    })?;
    ClefService::start(address).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "it is taken; stop whoever has it, or set",
            _ => "the system refuses it; set",
        };
        format!("cannot listen on {address}: {advice} CLEF_ADDR to another address ({error})")
    })
}

fn introduce(clef: &ClefService) {
    let url = clef.url();
    println!("Clef:       {url}");
    println!("The phone:  {url}/phone");
    println!("The button: {url}/v3/clef.js");
    println!();
    for application in &TEST_APPLICATIONS {
        println!(
            "App id {}, secret {}",
            application.id(),
            application.secret()
        );
    }
    let people: Vec<String> = PEOPLE.iter().map(|person| person.name()).collect();
    println!(
        "For any site on this machine. The people: {}.",
        people.join(", ")
    );
    println!();
    println!("For development, never for production: whoever reaches it can be anybody.");
    println!("Stop with Ctrl-C.");
}

use std::process::ExitCode;

use axum_clef::BoxError;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Runs a load program, which returns whether everything was as it must be. Logs what `RUST_LOG`
/// names to standard error, by default errors alone.
pub async fn run_program(run: impl Future<Output = Result<bool, BoxError>>) -> ExitCode {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::ERROR.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .init();
    match run.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

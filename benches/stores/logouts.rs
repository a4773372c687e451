//! What a logout costs a user with more and more sessions.

use std::{ops::Range, time::Instant};

use axum::http::header;
use axum_clef::{UserStore as _, stores::PostgresUserStore};
use tower_sessions_redis_store::fred::{
    prelude::{KeysInterface as _, Pool},
    types::Expiration,
};

use crate::{
    measure::median,
    servers::Servers,
    shared::{Route, Site},
};

const LOGOUTS: usize = 101;
/// So many sessions are written or taken away at once.
const BATCH: usize = 1_000;
/// What is left behind if the bench is stopped is gone soon, in seconds.
const LIFETIME: i64 = 600;

/// The user is logged in at the site, by the session that is copied.
pub async fn measure(servers: &Servers, users: &PostgresUserStore, site: &Site, user_id: &str) {
    println!("A logout of a user with so many sessions in Redis: µs (median of {LOGOUTS})\n");
    let redis = servers.sessions(1).await;
    let session: Vec<u8> = redis.get(session_id(site)).await.unwrap();
    let mut sessions = 0;
    for more in (0..=6).map(|zeros| 10_usize.pow(zeros)) {
        copy(&redis, &session, sessions..more, &servers.name).await;
        sessions = more;
        let mut times = Vec::new();
        for _ in 0..LOGOUTS {
            let start = Instant::now();
            assert!(users.log_out(user_id).await.unwrap());
            times.push(start.elapsed().as_secs_f64());
        }
        println!("{sessions:>10}{:>10.0}", median(times) * 1e6);
    }
    let response = site.answer(site.request(Route::User)).await;
    assert_eq!(response.status(), 401);

    let start = Instant::now();
    take_away(&redis, 0..sessions, &servers.name).await;
    let seconds = start.elapsed().as_secs_f64();
    println!("\nTaking these {sessions} out of Redis, {BATCH} at once: {seconds:.1} seconds\n");
}

/// Under which key the session of whoever is logged in at a site stands in Redis.
fn session_id(site: &Site) -> String {
    let request = site.request(Route::User);
    let cookies = request.headers()[header::COOKIE].to_str().unwrap();
    let mut cookies = cookies.split("; ");
    let login = cookies.find_map(|cookie| cookie.strip_prefix("auth-3000="));
    let (id, _secret) = login.unwrap().split_once('.').unwrap();
    id.to_owned()
}

async fn copy(redis: &Pool, session: &[u8], numbers: Range<usize>, prefix: &str) {
    for batch in batches(numbers) {
        let pipeline = redis.next().pipeline();
        for number in batch {
            let (key, expiry) = (key(prefix, number), Expiration::EX(LIFETIME));
            // They are only queued yet.
            let set = pipeline.set::<(), _, _>(key, session, Some(expiry), None, false);
            set.await.unwrap();
        }
        pipeline.last::<()>().await.unwrap();
    }
}

async fn take_away(redis: &Pool, numbers: Range<usize>, prefix: &str) {
    for batch in batches(numbers) {
        let keys: Vec<_> = batch.map(|number| key(prefix, number)).collect();
        redis.unlink::<(), _>(keys).await.unwrap();
    }
}

fn batches(numbers: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let starts = numbers.clone().step_by(BATCH);
    starts.map(move |start| start..numbers.end.min(start + BATCH))
}

fn key(prefix: &str, number: usize) -> String {
    format!("{prefix}:{number}")
}

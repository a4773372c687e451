//! Asks one site, as a server would.

use axum::body::to_bytes;
use tokio::task::coop::unconstrained;

use crate::shared::{Route, Site};

/// As axum serves them. Unconstrained, because a server polls each request anew, and tokio would make
/// a long row of them pause now and then.
pub async fn ask(site: &Site, route: Route, requests: usize) {
    let asked = async {
        for _ in 0..requests {
            let request = site.request(route);
            let response = site.answer(request).await;
            drop(to_bytes(response.into_body(), 1_000).await.unwrap());
        }
    };
    unconstrained(asked).await;
}

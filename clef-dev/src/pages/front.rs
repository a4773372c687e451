//! The front page: what to write into a site.

use axum::response::{IntoResponse, Response};
use maud::html;

use super::page;
use crate::TEST_APPLICATIONS;

/// Shows the addresses of the service at this base URL, and the published applications.
pub(crate) fn front(base: &str) -> Response {
    let addresses = [
        (
            "https://clef.io/api",
            "/api",
            "the API, in the settings of your library",
        ),
        (
            "https://clef.io/iframes/qr",
            "/iframes/qr",
            "the login page, to send a browser to",
        ),
        (
            "https://clef.io/v3/clef.js",
            "/v3/clef.js",
            "the script of the login button",
        ),
    ];
    let content = html! {
        h1 { "The local Clef is running" }
        p.lead {
            "Point a site on this machine at it. Open the phone in a second window: it approves a login, \
             and ends it at every site."
        }
        p { a.action href="/phone" target="_blank" { "Open the phone" } }
        div.sheet {
            table {
                thead { tr { th scope="col" { "Instead of" } th scope="col" { "Write" } } }
                tbody {
                    @for (hosted, path, what) in addresses {
                        tr {
                            th scope="row" { (hosted) span.url { (what) } }
                            td { code { (base) (path) } }
                        }
                    }
                }
            }
        }
        div.sheet {
            table {
                thead { tr { th scope="col" { "App id, for any site on this machine" } th scope="col" { "App secret" } } }
                tbody {
                    @for application in &TEST_APPLICATIONS {
                        tr {
                            th scope="row" { code { (application.id()) } }
                            td { code { (application.secret()) } }
                        }
                    }
                }
            }
        }
        p.hint {
            "The README of clef-dev has whole sites in Python and in Go, and a login and a logout by curl."
        }
    };
    page("Local service", None, &content).into_response()
}

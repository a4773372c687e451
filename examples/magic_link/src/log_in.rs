//! Requesting a link, and logging in with it.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{
    BoxError, IdentityStore as _, NewLogin, Profile, SameOrigin, Subject, User as _, UserStore as _,
};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use crate::{
    Address, Link, LinkToken, Mail, Problem, Site, address::ADDRESS_RULE, attempts::Attempt,
    mail::MAIL_LIMIT, pages, requesting_browser::RequestingBrowser,
};

/// The issuer of the members: who reads an address's mail is its user. It stays the same if the site
/// moves.
const MAILBOXES: &str = "mailto:";

/// Where the login leads, in the address of the form. The form has no `action`, so it posts to the
/// address of its page.
#[derive(Deserialize)]
pub struct FormQuery {
    #[serde(default)]
    next: String,
}

/// The form that requests a link.
#[derive(Deserialize)]
pub struct AddressForm {
    email: String,
}

/// What is in the address of a link.
#[derive(Deserialize)]
pub struct LinkQuery {
    token: LinkToken,
}

/// The form on the page of a link.
#[derive(Deserialize)]
pub struct LogInForm {
    /// There if the box is ticked.
    remember: Option<String>,
}

/// The form that requests a link.
pub async fn address_page() -> Html<String> {
    pages::address("", None)
}

/// Sends a link. Nothing here reads the members, so neither the answer nor its time depends on
/// whether the address is one: the first link to an address signs up.
///
/// An address with [`MOST_OPEN_LINKS`](crate::MOST_OPEN_LINKS) gets no further mail, and the page is
/// the same: a link that works is in the mailbox.
pub async fn send_link(
    _: SameOrigin,
    _: Attempt,
    State(site): State<Site>,
    browser: RequestingBrowser,
    Query(query): Query<FormQuery>,
    Form(form): Form<AddressForm>,
) -> Result<Response, Problem> {
    let Some(address) = Address::parse(&form.email) else {
        let page = pages::address(&form.email, Some(ADDRESS_RULE));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let cookie = browser.cookie(site.url.scheme() == "https");
    let link = Link {
        address,
        requested_at: site.users.now().await?,
        requested_in: browser.name,
        requested_by: browser.id,
        next: query.next,
    };
    if let Some(token) = site.links.add(&link).await? {
        // To its end, also if the client hangs up: a link without its mail would count as open.
        let sent = tokio::spawn(send(site, link, token)).await;
        sent.map_err(|error| Problem::Failed(error.into()))??;
    }
    let cookies = CookieJar::new().add(cookie);
    Ok((cookies, Redirect::to("/log-in/sent")).into_response())
}

/// Sends the mail with a link, or deletes the link.
async fn send(site: Site, link: Link, token: LinkToken) -> Result<(), BoxError> {
    let mut url = site.url.join("/log-in/link")?;
    url.query_pairs_mut().append_pair("token", token.expose());
    let sent = site.mailer.send(Mail::with_link(&link, &url));
    let sent = tokio::time::timeout(MAIL_LIMIT, sent).await;
    let sent = sent.unwrap_or_else(|elapsed| Err(elapsed.into()));
    if sent.is_err() {
        site.links.spend(&token, link.requested_at).await?;
    }
    sent
}

/// What to do next, the same for every address.
pub async fn sent_page() -> Html<String> {
    pages::sent()
}

/// The page of a link: which address it logs in, and which browser requested it. It spends nothing,
/// as mail scanners and browsers open links ahead of time.
pub async fn link_page(
    State(site): State<Site>,
    browser: RequestingBrowser,
    Query(query): Query<LinkQuery>,
) -> Result<Response, Problem> {
    let now = site.users.now().await?;
    Ok(match site.links.find(&query.token, now).await? {
        Some(link) => pages::link(&link, link.requested_by == browser.id).into_response(),
        None => invalid(),
    })
}

/// Logs in with a link. `NewLogin` stands first: it reads the time before the link is spent, so a
/// logout that comes in between ends this login. It also refuses forms of other sites.
pub async fn log_in(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Query(query): Query<LinkQuery>,
    Form(form): Form<LogInForm>,
) -> Result<Response, Problem> {
    let now = site.users.now().await?;
    let Some(link) = site.links.spend(&query.token, now).await? else {
        return Ok(invalid());
    };
    let mut profile = Profile::new(Subject::new(MAILBOXES, link.address.as_str()));
    profile.email = Some(link.address.as_str().to_owned());
    profile.email_verified = Some(true);
    let member = site.users.find_or_create(&profile).await?;
    // A logout ends the links that were requested before it, too.
    let member = member.filter(|member| link.requested_at.outlives(member.logged_out_at()));
    let Some(member) = member else {
        return Ok(invalid());
    };
    let login = login.next(&link.next).remember(form.remember.is_some());
    Ok(login.begin(&member.id()).await?.into_response())
}

/// One answer for links that are spent, expired or made up.
fn invalid() -> Response {
    (StatusCode::GONE, pages::link_is_invalid()).into_response()
}

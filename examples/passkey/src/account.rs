//! What a member does with their account.

use axum::{
    Form, Json,
    extract::State,
    response::{Html, Redirect},
};
use axum_clef::{
    LoggedIn, Login, LogoutCause, Logouts, RecentLogin, SameOrigin, User as _, UserStore as _,
    stores::Account,
};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use webauthn_rs::prelude::{CreationChallengeResponse, RegisterPublicKeyCredential};

use crate::{
    Problem, Site,
    attempts::Attempt,
    ceremonies::Ceremony,
    log_in::{AnswerForm, NameForm, discoverable, name},
    pages,
};

/// For how many minutes a login may add and remove passkeys.
const RECENT: u32 = 10;

/// Which passkey is removed.
#[derive(Deserialize)]
pub struct Removal {
    number: i64,
}

/// Guarded: the extractor is the guard.
pub async fn account(
    LoggedIn(member): LoggedIn<Account>,
    login: Login,
    State(site): State<Site>,
) -> Result<Html<String>, Problem> {
    let passkeys = site.passkeys.of_user(&member.id()).await?;
    Ok(pages::account(&member, &login, &passkeys))
}

/// The form to add a passkey, for a login that is recent: who finds a browser that is logged in makes
/// no passkey of their own.
pub async fn add_page(_: RecentLogin<RECENT>) -> Html<String> {
    pages::add()
}

/// Begins to add a passkey. The script hears 401 if the login is no longer recent.
pub async fn start_add(
    _: SameOrigin,
    _: RecentLogin<RECENT>,
    LoggedIn(member): LoggedIn<Account>,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<NameForm>,
) -> Result<(CookieJar, Json<CreationChallengeResponse>), Problem> {
    let passkey_name = name(&form.name)?;
    let user_id = member.id();
    let passkeys = site.passkeys.of_user(&user_id).await?;
    let handle = passkeys.first().ok_or(Problem::NotAdded)?.handle;
    let others = passkeys
        .iter()
        .map(|stored| stored.passkey.cred_id().clone());
    let member_name = member.profile().name().unwrap_or_default();
    let started = site.webauthn.start_passkey_registration(
        handle,
        &member_name,
        &member_name,
        Some(others.collect()),
    );
    let (options, state) = started.map_err(|error| Problem::Failed(error.into()))?;
    let ceremony = Ceremony::Add {
        user_id,
        handle,
        name: passkey_name,
        state,
    };
    Ok((site.begin(ceremony).await?, Json(discoverable(options))))
}

/// Adds a passkey.
pub async fn add(
    _: SameOrigin,
    login: RecentLogin<RECENT>,
    _: Attempt,
    State(site): State<Site>,
    cookies: CookieJar,
    Form(form): Form<AnswerForm>,
) -> Result<Redirect, Problem> {
    let Ceremony::Add {
        user_id,
        handle,
        name,
        state,
    } = site.take(&cookies).await?
    else {
        return Err(Problem::Expired);
    };
    // The user may be another one by now.
    if user_id != login.user_id() {
        return Err(Problem::Expired);
    }
    let answer: RegisterPublicKeyCredential = form.read()?;
    let made = site.webauthn.finish_passkey_registration(&answer, &state);
    let passkey = made.map_err(Problem::Refused)?;
    let now = site.users.now().await?;
    let added = site.passkeys.add(&user_id, handle, &name, &passkey, now);
    match added.await? {
        true => Ok(Redirect::to("/account")),
        false => Err(Problem::NotAdded),
    }
}

/// Removes a passkey, and ends every login of the member, this one too: any of them may have begun
/// with it.
///
/// The passkey is removed first. A login that has read it before has an earlier time than the logout,
/// and ends with the others.
pub async fn remove(
    _: SameOrigin,
    login: RecentLogin<RECENT>,
    logouts: Logouts,
    State(site): State<Site>,
    Form(form): Form<Removal>,
) -> Result<Redirect, Problem> {
    let user_id = login.user_id().to_owned();
    // To its end, also if the client hangs up: a removal without the logout would be half of it.
    let removed = tokio::spawn(async move {
        if !site.passkeys.remove(&user_id, form.number).await? {
            return Err(Problem::LastPasskey);
        }
        let logouts = logouts.with_cause(LogoutCause::CredentialsChanged);
        logouts.log_out_user(&user_id).await?;
        Ok(())
    });
    removed
        .await
        .unwrap_or_else(|error| Err(Problem::Failed(error.into())))?;
    Ok(Redirect::to("/log-in?next=/account"))
}

/// Ends every login of the member, this one included.
pub async fn log_out_everywhere(
    _: SameOrigin,
    login: Login,
    logouts: Logouts,
) -> Result<Redirect, Problem> {
    let logouts = logouts.with_cause(LogoutCause::User);
    logouts.log_out_user(login.user_id()).await?;
    Ok(Redirect::to("/"))
}

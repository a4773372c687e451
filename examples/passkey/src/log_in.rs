//! Signing up and logging in.

use axum::{
    Form, Json,
    extract::{Query, State},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{
    BoxError, IdentityStore as _, NewLogin, Profile, SameOrigin, Subject, User as _, UserStore as _,
};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, PublicKeyCredential,
    RegisterPublicKeyCredential, RequestChallengeResponse, Uuid,
};
use webauthn_rs_proto::ResidentKeyRequirement;

use crate::{Problem, Site, StoredPasskey, attempts::Attempt, ceremonies::Ceremony, pages};

/// The issuer of the members: an authenticator knows them by a random id.
const AUTHENTICATORS: &str = "urn:webauthn";

/// The longest name of a member or a passkey, in bytes.
const LONGEST_NAME: usize = 64;

/// What the address of a form says. The forms have no `action`, so they post to the address of their
/// page, with where the login leads in it.
#[derive(Deserialize)]
pub struct FormQuery {
    next: Option<String>,
    #[serde(default)]
    failed: bool,
    /// There if a page asks for a login that is more recent.
    max_age: Option<String>,
}

/// The form of a name, for a member or a passkey.
#[derive(Deserialize)]
pub struct NameForm {
    pub name: String,
}

/// The answer of an authenticator, as the script writes it into the form.
#[derive(Deserialize)]
pub struct AnswerForm {
    credential: String,
}

impl AnswerForm {
    /// Reads the answer. An error of the client.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Problem> {
        serde_json::from_str(&self.credential).map_err(|_| Problem::NoAnswer)
    }
}

/// The form to sign up.
pub async fn sign_up_page(Query(query): Query<FormQuery>) -> Html<String> {
    pages::sign_up(query.next.as_deref(), query.failed)
}

/// Begins to sign up. Nothing is stored until the passkey is there.
pub async fn start_sign_up(
    _: SameOrigin,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<NameForm>,
) -> Result<(CookieJar, Json<CreationChallengeResponse>), Problem> {
    let name = name(&form.name)?;
    let handle = Uuid::from_bytes(rand::random());
    let started = site
        .webauthn
        .start_passkey_registration(handle, &name, &name, None);
    let (options, state) = started.map_err(|error| Problem::Failed(error.into()))?;
    let ceremony = Ceremony::SignUp {
        name,
        handle,
        state,
    };
    Ok((site.begin(ceremony).await?, Json(discoverable(options))))
}

/// Signs up, and logs in.
pub async fn sign_up(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    cookies: CookieJar,
    Form(form): Form<AnswerForm>,
) -> Result<Response, Problem> {
    let Ceremony::SignUp {
        name,
        handle,
        state,
    } = site.take(&cookies).await?
    else {
        return Err(Problem::Expired);
    };
    let answer: RegisterPublicKeyCredential = form.read()?;
    let made = site.webauthn.finish_passkey_registration(&answer, &state);
    let passkey = made.map_err(Problem::Refused)?;

    let mut profile = Profile::new(Subject::new(AUTHENTICATORS, handle.to_string()));
    profile.first_name = Some(name);
    // To its end, also if the client hangs up: a member without a passkey could never log in.
    let added = tokio::spawn(async move {
        let member = site.users.find_or_create(&profile).await?;
        let id = member.ok_or("the store turns the member away")?.id();
        let now = site.users.now().await?;
        let added = site
            .passkeys
            .add(&id, handle, "First passkey", &passkey, now);
        Ok::<_, BoxError>(added.await?.then_some(id))
    });
    let added = added.await.map_err(|error| Problem::Failed(error.into()))?;
    let id = added?.ok_or(Problem::NotAdded)?;
    Ok(login.begin(&id).await?.into_response())
}

/// The form to log in: a button alone.
pub async fn log_in_page(Query(query): Query<FormQuery>) -> Html<String> {
    pages::log_in(query.next.as_deref(), query.failed, query.max_age.is_some())
}

/// Begins to log in. No name is asked for: the authenticator knows its members of this site.
pub async fn start_log_in(
    _: SameOrigin,
    _: Attempt,
    State(site): State<Site>,
) -> Result<(CookieJar, Json<RequestChallengeResponse>), Problem> {
    let started = site.webauthn.start_discoverable_authentication();
    let (mut options, state) = started.map_err(|error| Problem::Failed(error.into()))?;
    options.mediation = None; // by a button, and not by a field that fills in passkeys
    Ok((site.begin(Ceremony::LogIn(state)).await?, Json(options)))
}

/// Logs in. `NewLogin` stands first: it reads the time before the passkey is read and verified, so a
/// removal of the passkey that comes in between ends this login. It also refuses forms of other sites.
pub async fn log_in(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    cookies: CookieJar,
    Form(form): Form<AnswerForm>,
) -> Result<Redirect, Problem> {
    let Ceremony::LogIn(state) = site.take(&cookies).await? else {
        return Err(Problem::Expired);
    };
    match site.verify(&form.read()?, state).await? {
        Some(passkey) => Ok(login.begin(&passkey.user_id).await?),
        None => Ok(login.try_again()),
    }
}

impl Site {
    /// Begins a ceremony in this browser.
    pub async fn begin(&self, ceremony: Ceremony) -> Result<CookieJar, Problem> {
        let now = self.users.now().await?;
        Ok(self.ceremonies.begin(ceremony, now, self.is_https()))
    }

    /// The ceremony of this browser, once.
    pub async fn take(&self, cookies: &CookieJar) -> Result<Ceremony, Problem> {
        let now = self.users.now().await?;
        self.ceremonies.take(cookies, now).ok_or(Problem::Expired)
    }

    /// The passkey that has answered the challenge. `None` for one that is unknown, not verified, or
    /// whose counter is not higher than the last one, as that of a copy.
    async fn verify(
        &self,
        answer: &PublicKeyCredential,
        state: DiscoverableAuthentication,
    ) -> Result<Option<StoredPasskey>, Problem> {
        let identified = self.webauthn.identify_discoverable_authentication(answer);
        let Ok((handle, id)) = identified else {
            return Ok(None);
        };
        let stored = self.passkeys.find(id).await?;
        let Some(mut stored) = stored.filter(|stored| stored.handle == handle) else {
            return Ok(None);
        };
        let finished =
            self.webauthn
                .finish_discoverable_authentication_v2(answer, state, &stored.passkey);
        let verified = match finished {
            Ok(verified) => verified,
            Err(error) => {
                tracing::info!(%error, "a passkey was refused");
                return Ok(None);
            }
        };
        stored.passkey.update_credential(&verified);
        let now = self.users.now().await?;
        let noted = self.passkeys.note_use(&stored, now).await?;
        Ok(noted.then_some(stored))
    }
}

/// Asks for a passkey that the authenticator finds without a name. webauthn-rs leaves that to the
/// authenticator.
pub fn discoverable(mut options: CreationChallengeResponse) -> CreationChallengeResponse {
    let selection = options
        .public_key
        .authenticator_selection
        .get_or_insert_default();
    selection.resident_key = Some(ResidentKeyRequirement::Required);
    selection.require_resident_key = true;
    options
}

/// A name as it is stored.
pub fn name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    let is_name = matches!(name.len(), 1..=LONGEST_NAME) && !name.contains(char::is_control);
    is_name.then(|| name.to_owned()).ok_or(Problem::Name)
}

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::State,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Application,
    fault::misbehave,
    fetch_site::refuse_other_sites,
    fields::Fields,
    logins::{Exchange, ExchangeError},
    service::Service,
};

/// The calls that sites make, server to server.
pub(super) fn routes(service: &Service) -> Router<Service> {
    Router::new()
        .route("/api/v1/authorize", post(authorize))
        .route("/api/v1/info", get(info))
        .route("/api/v1/logout", post(logout))
        .route_layer(from_fn_with_state(service.clone(), misbehave))
        // The test applications' secrets are public, and servers are no browsers.
        .route_layer(from_fn(refuse_other_sites))
}

async fn authorize(State(service): State<Service>, form: Fields) -> Result<Json<Value>, ApiError> {
    // Each field in Clef's spelling and in that of OAuth 2.
    let id = form.get("app_id").or(form.get("client_id"));
    let secret = form.get("app_secret").or(form.get("client_secret"));
    let application = id
        .and_then(|id| service.directory().application(id))
        .ok_or(ApiError::AppId)?;
    if secret != Some(application.secret()) {
        return Err(ApiError::AppSecret);
    }
    if form
        .get("grant_type")
        .is_some_and(|grant| grant != "authorization_code")
    {
        return Err(ApiError::Code);
    }
    let exchange = Exchange {
        application,
        code: form.get("code").unwrap_or_default(),
        redirect_uri: form.get("redirect_uri"),
        logout_hook: form.get("logout_hook"),
    };
    let access_token = service.change(|state| state.exchange_code(&exchange, Instant::now()))?;
    Ok(Json(
        json!({ "success": true, "access_token": access_token }),
    ))
}

async fn info(State(service): State<Service>, query: Fields) -> Result<Json<Value>, ApiError> {
    let access_token = query.get("access_token").unwrap_or_default();
    let person = service
        .read(|state| {
            state
                .logins
                .person_of(access_token, Instant::now())
                .cloned()
        })
        .ok_or(ApiError::AccessToken)?;
    let mut info = json!({
        "id": person.id_on_the_wire(),
        "first_name": person.first_name(),
        "last_name": person.last_name(),
    });
    // What a person has not got is not told, as if the application had not asked for it.
    let optional = [
        ("email", person.email()),
        ("phone_number", person.phone_number()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            info[name] = value.into();
        }
    }
    Ok(Json(json!({ "success": true, "info": info })))
}

async fn logout(State(service): State<Service>, form: Fields) -> Result<Json<Value>, ApiError> {
    let application = authenticate(&service, &form).ok_or(ApiError::App)?;
    let token = form.get("logout_token").unwrap_or_default();
    let exchanged = service.change(|state| {
        let logins = &mut state.logins;
        logins.exchange_logout_token(token, &application, Instant::now())
    });
    let person = exchanged.ok_or(ApiError::LogoutToken)?;
    Ok(Json(
        json!({ "success": true, "clef_id": person.id_on_the_wire() }),
    ))
}

fn authenticate(service: &Service, form: &Fields) -> Option<Arc<Application>> {
    let application = service.directory().application(form.get("app_id")?)?;
    (form.get("app_secret")? == application.secret()).then(|| Arc::clone(application))
}

/// A refusal, in the exact words that Clef used.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("Invalid App ID.")]
    AppId,
    #[error("Invalid App Secret.")]
    AppSecret,
    #[error("Invalid OAuth Code.")]
    Code,
    #[error("Invalid logout hook URL.")]
    LogoutHook,
    #[error("Invalid token.")]
    AccessToken,
    #[error("Invalid App.")]
    App,
    #[error("Invalid Logout Token.")]
    LogoutToken,
}

impl From<ExchangeError> for ApiError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Code => Self::Code,
            ExchangeError::LogoutHook => Self::LogoutHook,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::LogoutHook => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

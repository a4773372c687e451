use std::time::Instant;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    applications::{self, Application},
    fields::Fields,
    logins::{Exchange, ExchangeError},
    service::Service,
};

/// The calls that sites make, server to server.
pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/api/v1/authorize", post(authorize))
        .route("/api/v1/info", get(info))
        .route("/api/v1/logout", post(logout))
}

async fn authorize(State(service): State<Service>, form: Fields) -> Result<Json<Value>, ApiError> {
    // Each field in Clef's spelling and in that of OAuth 2.
    let id = form.get("app_id").or(form.get("client_id"));
    let secret = form.get("app_secret").or(form.get("client_secret"));
    let application = id.and_then(applications::find).ok_or(ApiError::AppId)?;
    if secret != Some(application.secret) {
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
    let access_token = service.logins().exchange_code(&exchange, Instant::now())?;
    Ok(Json(
        json!({ "success": true, "access_token": access_token }),
    ))
}

async fn info(State(service): State<Service>, query: Fields) -> Result<Json<Value>, ApiError> {
    let access_token = query.get("access_token").unwrap_or_default();
    let person = service
        .logins()
        .person_of(access_token, Instant::now())
        .ok_or(ApiError::AccessToken)?;
    Ok(Json(json!({
        "success": true,
        "info": {
            "id": person.id_on_the_wire(),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "phone_number": person.phone_number,
        },
    })))
}

async fn logout(State(service): State<Service>, form: Fields) -> Result<Json<Value>, ApiError> {
    let application = authenticate(&form).ok_or(ApiError::App)?;
    let token = form.get("logout_token").unwrap_or_default();
    let person = service
        .logins()
        .exchange_logout_token(token, application, Instant::now())
        .ok_or(ApiError::LogoutToken)?;
    Ok(Json(
        json!({ "success": true, "clef_id": person.id_on_the_wire() }),
    ))
}

fn authenticate(form: &Fields) -> Option<&'static Application> {
    let application = applications::find(form.get("app_id")?)?;
    (form.get("app_secret")? == application.secret).then_some(application)
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

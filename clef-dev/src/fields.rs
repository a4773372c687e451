use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
};
use http::{HeaderMap, Method, header};
use url::form_urlencoded;

/// The fields that a request carries: the query of a GET, the form of a POST.
///
/// Reading never fails on what is inside. The API answers a missing field like a wrong one, in its
/// own words, so a body that is no form is one without fields.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The field of this name; the first if it comes more than once.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = BytesRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if request.method() == Method::GET || request.method() == Method::HEAD {
            let query = request.uri().query().unwrap_or_default();
            return Ok(Self::parse(query.as_bytes()));
        }
        if !is_form(request.headers()) {
            return Ok(Self(Vec::new()));
        }
        let body = Bytes::from_request(request, state).await?;
        Ok(Self::parse(&body))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_fields() {
        let fields = Fields::parse(b"a=1&a=2&b&c=%ff&=x&&d=%20+%");
        assert_eq!(fields.get("a"), Some("1"));
        assert_eq!(fields.get("b"), Some(""));
        assert_eq!(fields.get("c"), Some("\u{fffd}"));
        assert_eq!(fields.get("d"), Some("  %"));
        assert_eq!(fields.get("e"), None);
    }
}

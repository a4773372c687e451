use http::{HeaderMap, header};

/// Whether the caller would rather see a page than JSON: a browser, not a script.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let accept: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    quality(&accept, "text", "html") > quality(&accept, "application", "json")
}

/// How much a media type is wanted, by the most exact of the ranges that cover it.
fn quality(accept: &[&str], kind: &str, subkind: &str) -> f32 {
    let mut best = (0, 0.0);
    for range in accept {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let exactness = match name.split_once('/') {
            Some((k, s)) if k == kind && s == subkind => 3,
            Some((k, "*")) if k == kind => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if exactness > best.0 {
            best = (exactness, quality);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        prefers_html(&headers)
    }

    #[test]
    fn browsers_get_pages() {
        assert!(asks(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(asks("text/html"));
        assert!(asks("application/json;q=0.5, text/*"));
    }

    #[test]
    fn scripts_get_json() {
        assert!(!prefers_html(&HeaderMap::new()));
        assert!(!asks("*/*"));
        assert!(!asks("application/json"));
        assert!(!asks("application/json, text/html;q=0.9"));
        assert!(!asks("text/html;q=0, */*"));
        assert!(!asks("text/html;q=x"));
        assert!(!asks(",;,/"));
    }
}

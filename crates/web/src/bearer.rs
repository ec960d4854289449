use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use cgcg_core::Denied;

/// Longest header value that is looked at.
const LONGEST: usize = 8 * 1024;

/// The one door for credentials: `Authorization: Bearer …`, the scheme in any case. Never the query string.
///
/// Source: RFC 6750, section 2.1.
pub(crate) fn bearer(request: &HttpRequest) -> Result<&str, Denied> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let value = values.next().ok_or(Denied::Missing)?;
    if values.next().is_some() || value.len() > LONGEST {
        return Err(Denied::Invalid);
    }
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or(Denied::Invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Denied::Invalid);
    }
    Ok(token)
}

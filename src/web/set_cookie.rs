//! Cookies that are set (RFC 6265 §4.1 and draft-ietf-httpbis-rfc6265bis).

use core::fmt::{self, Write as _};
use core::time::Duration;

use crate::http::is_token;

/// A cookie to be set, checked. Made by [`SetCookie::named`] and [`build`](CookieBuilder::build); sent by
/// [`cookie`](super::Respond::cookie).
///
/// ```
/// use core::time::Duration;
/// use edgeloop::web::{SameSite, SetCookie};
///
/// # fn main() -> Result<(), edgeloop::web::CookieError> {
/// let session = SetCookie::named("__Host-session", "31d4d96e")
///     .path("/")
///     .secure()
///     .http_only()
///     .same_site(SameSite::Lax)
///     .max_age(Duration::from_secs(3600))
///     .build()?;
/// assert_eq!(
///     session.as_str(),
///     "__Host-session=31d4d96e; Path=/; Max-Age=3600; SameSite=Lax; Secure; HttpOnly"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie(String);

impl SetCookie {
    /// Begins a cookie. Without more it lasts until the browser is closed, and goes to this host only, for paths beside and
    /// below that of the request.
    pub fn named<'c>(name: &'c str, value: &'c str) -> CookieBuilder<'c> {
        CookieBuilder {
            name,
            value,
            path: None,
            domain: None,
            max_age: None,
            same_site: None,
            secure: false,
            http_only: false,
        }
    }

    /// The value of the field Set-Cookie.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A cookie that is being made.
#[derive(Clone, Copy, Debug)]
pub struct CookieBuilder<'c> {
    name: &'c str,
    value: &'c str,
    path: Option<&'c str>,
    domain: Option<&'c str>,
    max_age: Option<Duration>,
    same_site: Option<SameSite>,
    secure: bool,
    http_only: bool,
}

/// Whether a cookie goes along with requests that other sites cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// With none of them.
    Strict,
    /// When the user follows a link, and not with forms or images.
    Lax,
    /// With all of them. It has to be [`secure`](CookieBuilder::secure).
    None,
}

/// Why a cookie can't be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieError {
    /// The name is no token.
    Name,
    /// The value has a control character, a space, a quote, a comma, a semicolon, a backslash, or an octet beyond ASCII.
    Value,
    /// Name and value are longer than 4096 bytes together, or an attribute is longer than 1024: browsers drop both.
    Length,
    /// The path does not begin with a slash, or has a semicolon or a control character.
    Path,
    /// The domain has something else than letters, digits, hyphens and dots.
    Domain,
    /// `SameSite=None` and the prefix `__Secure-` need Secure.
    Insecure,
    /// The prefix `__Host-` needs Secure, `Path=/` and no domain.
    HostPrefix,
}

impl<'c> CookieBuilder<'c> {
    /// It goes to this path and those below it.
    #[must_use]
    pub fn path(self, path: &'c str) -> Self {
        let path = Some(path);
        CookieBuilder { path, ..self }
    }

    /// It goes to this domain and those below it, rather than to this host alone.
    #[must_use]
    pub fn domain(self, domain: &'c str) -> Self {
        let domain = Some(domain);
        CookieBuilder { domain, ..self }
    }

    /// It lasts so long, in whole seconds, rounded up. Zero removes it, if name, path and domain are the same.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        let max_age = Some(max_age);
        CookieBuilder { max_age, ..self }
    }

    /// Says which requests of other sites it goes along with. Browsers that are told nothing take [`Lax`](SameSite::Lax).
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self {
        let same_site = Some(same_site);
        CookieBuilder { same_site, ..self }
    }

    /// It goes over TLS only.
    #[must_use]
    pub fn secure(self) -> Self {
        let secure = true;
        CookieBuilder { secure, ..self }
    }

    /// Scripts don't see it.
    #[must_use]
    pub fn http_only(self) -> Self {
        let http_only = true;
        CookieBuilder { http_only, ..self }
    }

    /// Checks it.
    pub fn build(self) -> Result<SetCookie, CookieError> {
        self.check()?;
        let mut line = format!("{}={}", self.name, self.value);
        // A String takes everything.
        let _ = self.write_attributes(&mut line);
        Ok(SetCookie(line))
    }

    fn check(&self) -> Result<(), CookieError> {
        let is_attribute = |text: &str| {
            !text
                .bytes()
                .any(|byte| byte == b';' || byte.is_ascii_control())
        };
        if !is_token(self.name.as_bytes()) {
            return Err(CookieError::Name);
        }
        if !self.value.bytes().all(is_cookie_octet) {
            return Err(CookieError::Value);
        }
        let attributes = [self.path, self.domain].into_iter().flatten();
        if self.name.len() + self.value.len() > 4096
            || attributes.into_iter().any(|text| text.len() > 1024)
        {
            return Err(CookieError::Length);
        }
        if self
            .path
            .is_some_and(|path| !path.starts_with('/') || !path.is_ascii() || !is_attribute(path))
        {
            return Err(CookieError::Path);
        }
        if self.domain.is_some_and(|domain| !is_domain(domain)) {
            return Err(CookieError::Domain);
        }
        // Browsers compare the prefixes whatever their case.
        let has_prefix = |prefix: &str| {
            let begin = self.name.get(..prefix.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
        };
        if has_prefix("__Host-")
            && !(self.secure && self.path == Some("/") && self.domain.is_none())
        {
            return Err(CookieError::HostPrefix);
        }
        let needs_secure = has_prefix("__Secure-") || self.same_site == Some(SameSite::None);
        if needs_secure && !self.secure {
            return Err(CookieError::Insecure);
        }
        Ok(())
    }

    fn write_attributes(&self, line: &mut String) -> fmt::Result {
        if let Some(path) = self.path {
            write!(line, "; Path={path}")?;
        }
        if let Some(domain) = self.domain {
            write!(line, "; Domain={domain}")?;
        }
        if let Some(max_age) = self.max_age {
            let more = u64::from(max_age.subsec_nanos() > 0);
            write!(line, "; Max-Age={}", max_age.as_secs().saturating_add(more))?;
        }
        if let Some(same_site) = self.same_site {
            write!(line, "; SameSite={same_site:?}")?;
        }
        if self.secure {
            line.push_str("; Secure");
        }
        if self.http_only {
            line.push_str("; HttpOnly");
        }
        Ok(())
    }
}

/// RFC 6265 §4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn is_domain(domain: &str) -> bool {
    let labels = domain.strip_prefix('.').unwrap_or(domain).split('.');
    labels.into_iter().all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CookieError::Name => "the cookie's name is no token",
            CookieError::Value => "the cookie's value has an octet that no cookie has",
            CookieError::Length => "the cookie is longer than browsers take",
            CookieError::Path => "the cookie's path is no path",
            CookieError::Domain => "the cookie's domain is no host name",
            CookieError::Insecure => "SameSite=None and __Secure- need Secure",
            CookieError::HostPrefix => "__Host- needs Secure, Path=/ and no domain",
        })
    }
}

impl core::error::Error for CookieError {}

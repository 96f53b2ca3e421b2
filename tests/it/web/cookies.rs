//! Cookies, both ways, beside the crate `cookie`.

use core::time::Duration;

use edgeloop::web::{self, CookieError, Respond, SameSite, SetCookie};
use edgeloop::{Request, ResponseWriter};

use super::{ask, of_head};

fn read(fields: &[&str]) -> Vec<(String, String)> {
    of_head("GET /", fields, |head| {
        let cookies = web::cookies(head);
        cookies
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    })
}

fn check(value: &str, expected: &[(&str, &str)]) {
    let found = read(&[&format!("Cookie: {value}")]);
    let found: Vec<_> = found
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(found, expected, "{value}");
}

#[test]
fn cookies_are_names_and_values() {
    check("a=1", &[("a", "1")]);
    check(
        "a=1; b=2;c=3 ;\td=4",
        &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")],
    );
    check("a=", &[("a", "")]);
    check("a=b=c", &[("a", "b=c")]);
    check(
        "a=\"b c\"; d=\"; e=\"\"",
        &[("a", "b c"), ("d", "\""), ("e", "")],
    );
    check("a=1; a=2", &[("a", "1"), ("a", "2")]);
    check("$Version=1; a=é", &[("$Version", "1"), ("a", "é")]);
}

#[test]
fn what_has_no_name_is_left_out() {
    check(";; ; =1; a; b c=2; é=3; d=4", &[("d", "4")]);
    check("", &[]);
}

#[test]
fn several_fields_are_one_list() {
    assert_eq!(
        read(&["Cookie: a=1; b=2", "Accept: */*", "cookie: c=3"]).len(),
        3
    );
    of_head("GET /", &["Cookie: a=1; A=2; a=3"], |head| {
        assert_eq!(web::cookies(head).get("a"), Some("1"));
        assert_eq!(web::cookies(head).get("A"), Some("2"));
        assert_eq!(web::cookies(head).get("b"), None);
    });
}

#[test]
fn cookies_are_those_that_the_crate_cookie_reads() {
    let words = [
        "a", "b=", "c=1", " d = 2 ", "e=\"f\"", "", "g=h=i", "\"j\"=k", "l=m n",
    ];
    for first in words {
        for second in words {
            let value = format!("{first};{second}");
            let theirs: Vec<(String, String)> = cookie::Cookie::split_parse(value.as_str())
                .filter_map(Result::ok)
                // It takes names that are no tokens.
                .filter(|it| !it.name().contains('"'))
                .map(|it| (it.name().to_owned(), it.value_trimmed().to_owned()))
                .collect();
            assert_eq!(read(&[&format!("Cookie: {value}")]), theirs, "{value}");
        }
    }
}

#[test]
fn a_cookie_that_is_set_is_read_by_the_crate_cookie() {
    for same_site in [SameSite::Strict, SameSite::Lax, SameSite::None] {
        for http_only in [false, true] {
            let mut builder = SetCookie::named("id", "a=b/+")
                .path("/x")
                .domain("example.org")
                .max_age(Duration::from_millis(90_500))
                .same_site(same_site)
                .secure();
            if http_only {
                builder = builder.http_only();
            }
            let built = builder.build().expect("a cookie");
            let theirs = cookie::Cookie::parse(built.as_str()).expect("a cookie");
            assert_eq!(theirs.name_value(), ("id", "a=b/+"));
            assert_eq!(
                (theirs.path(), theirs.domain()),
                (Some("/x"), Some("example.org"))
            );
            assert!(built.as_str().contains("; Max-Age=91;"));
            let age = theirs.max_age().expect("an age");
            assert_eq!(age.whole_seconds(), 91);
            assert_eq!(theirs.secure(), Some(true));
            assert_eq!(theirs.http_only().unwrap_or(false), http_only);
            let named = theirs.same_site().map(|it| it.to_string());
            assert_eq!(named, Some(format!("{same_site:?}")));
        }
    }
    let plain = SetCookie::named("a", "").build().expect("a cookie");
    assert_eq!(plain.as_str(), "a=");
}

#[test]
fn a_cookie_that_browsers_would_drop_or_misread_is_not_built() {
    let new = SetCookie::named;
    let long = "x".repeat(4096);
    let error = |builder: web::CookieBuilder<'_>| builder.build().expect_err("no cookie");
    for name in ["", "a b", "a=b", "a;b", "é", "a\r\nb"] {
        assert_eq!(error(new(name, "x")), CookieError::Name, "{name}");
    }
    for value in [
        "a b",
        "a;b",
        "a,b",
        "\"a\"",
        "a\\b",
        "é",
        "a\r\nSet-Cookie: b=c",
        "\0",
    ] {
        assert_eq!(error(new("a", value)), CookieError::Value, "{value}");
    }
    assert_eq!(error(new("a", &long)), CookieError::Length);
    assert!(new("a", &long[1..]).build().is_ok());
    assert_eq!(error(new("a", "b").domain(&long)), CookieError::Length);
    for path in ["", "a", "/a;b", "/a\r\nb", "/é"] {
        assert_eq!(error(new("a", "b").path(path)), CookieError::Path, "{path}");
    }
    for domain in ["", ".", "a..b", "a b", "a;b", "a/b", "é"] {
        assert_eq!(
            error(new("a", "b").domain(domain)),
            CookieError::Domain,
            "{domain}"
        );
    }
    assert_eq!(
        error(new("a", "b").same_site(SameSite::None)),
        CookieError::Insecure
    );
    assert_eq!(error(new("__secure-a", "b")), CookieError::Insecure);
    let host = new("__Host-a", "b").secure();
    assert_eq!(error(host), CookieError::HostPrefix);
    assert_eq!(error(host.path("/a")), CookieError::HostPrefix);
    assert_eq!(error(host.path("/").domain("a")), CookieError::HostPrefix);
    assert_eq!(
        error(new("__host-a", "b").path("/")),
        CookieError::HostPrefix
    );
    assert!(host.path("/").build().is_ok());
}

#[test]
fn an_answer_sets_several_cookies() {
    let handler = |_: &Request<'_>, res: ResponseWriter<'_>| {
        let one = SetCookie::named("a", "1").build().expect("a cookie");
        let other = SetCookie::named("b", "2").max_age(Duration::ZERO).build();
        let other = other.expect("a cookie");
        res.status(200).cookie(&one).cookie(&other).empty()
    };
    let answer = ask(handler, "GET /", &[], b"");
    assert_eq!(answer.fields("Set-Cookie"), ["a=1", "b=2; Max-Age=0"]);
}

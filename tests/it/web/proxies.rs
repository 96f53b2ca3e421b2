//! Whose word is taken for where a client is.

use std::net::{IpAddr, SocketAddr};

use edgeloop::sys::PeerAddress;
use edgeloop::web::{ForwardedBy, TrustedProxies};

use super::of_head;

fn proxies(said_by: ForwardedBy) -> TrustedProxies {
    let networks = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"];
    TrustedProxies::new(said_by, networks).expect("networks")
}

fn peer(text: &str) -> PeerAddress {
    match text {
        "unix" => PeerAddress::UNIX,
        text => SocketAddr::new(text.parse().expect(text), 1234).into(),
    }
}

fn check_at(proxies: &TrustedProxies, from: &str, fields: &[&str], expected: Option<&str>) {
    let expected = expected.map(|text| text.parse::<IpAddr>().expect(text));
    let found = of_head("GET /", fields, |head| {
        proxies.client(peer(from), head.fields())
    });
    assert_eq!(found, expected, "{from} {fields:?}");
}

/// From a trusted peer, a value of X-Forwarded-For.
fn check(value: &str, expected: Option<&str>) {
    let field = format!("X-Forwarded-For: {value}");
    check_at(
        &proxies(ForwardedBy::XForwardedFor),
        "10.0.0.1",
        &[&field],
        expected,
    );
}

/// The same of Forwarded.
fn check_forwarded(value: &str, expected: Option<&str>) {
    let field = format!("Forwarded: {value}");
    check_at(
        &proxies(ForwardedBy::Forwarded),
        "10.0.0.1",
        &[&field],
        expected,
    );
}

#[test]
fn nobody_is_believed_who_is_not_trusted() {
    let said = ["X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4"];
    for by in [ForwardedBy::XForwardedFor, ForwardedBy::Forwarded] {
        for from in ["198.51.100.7", "192.0.2.2", "2001:db9::1"] {
            check_at(&proxies(by), from, &said, Some(from));
        }
        check_at(&proxies(by), "unix", &said, None);
        let nobody = TrustedProxies::new(by, []).expect("no networks");
        check_at(&nobody, "10.0.0.1", &said, Some("10.0.0.1"));
    }
}

#[test]
fn a_trusted_proxy_is_believed_and_only_in_its_own_field() {
    for from in ["10.0.0.1", "192.0.2.1", "2001:db8::7", "::ffff:10.1.2.3"] {
        let (by, other) = (ForwardedBy::XForwardedFor, ForwardedBy::Forwarded);
        let said = ["X-Forwarded-For: 1.2.3.4", "Forwarded: for=5.6.7.8"];
        check_at(&proxies(by), from, &said, Some("1.2.3.4"));
        check_at(&proxies(other), from, &said, Some("5.6.7.8"));
    }
    check_at(
        &proxies(ForwardedBy::XForwardedFor),
        "10.0.0.1",
        &[],
        Some("10.0.0.1"),
    );
    let unix = TrustedProxies::new(ForwardedBy::XForwardedFor, ["unix"]).expect("unix");
    check_at(
        &unix,
        "unix",
        &["X-Forwarded-For: 1.2.3.4"],
        Some("1.2.3.4"),
    );
    check_at(&unix, "unix", &[], None);
    check_at(
        &unix,
        "1.1.1.1",
        &["X-Forwarded-For: 1.2.3.4"],
        Some("1.1.1.1"),
    );
}

#[test]
fn the_last_address_that_is_no_proxys_is_the_clients() {
    check("1.2.3.4", Some("1.2.3.4"));
    check("9.9.9.9, 1.2.3.4", Some("1.2.3.4"));
    check("9.9.9.9, 1.2.3.4, 10.0.0.2, 192.0.2.1", Some("1.2.3.4"));
    check("10.0.0.9, 1.2.3.4,10.0.0.2", Some("1.2.3.4"));
    check("10.0.0.3, 10.0.0.2", Some("10.0.0.3"));
    let two = [
        "X-Forwarded-For: 9.9.9.9",
        "x-forwarded-for: 1.2.3.4, 10.0.0.2",
    ];
    check_at(
        &proxies(ForwardedBy::XForwardedFor),
        "10.0.0.1",
        &two,
        Some("1.2.3.4"),
    );
}

#[test]
fn addresses_are_written_in_many_ways() {
    check("1.2.3.4:56", Some("1.2.3.4"));
    check("[::1]", Some("::1"));
    check("[::1]:56", Some("::1"));
    check("2001:db9::1", Some("2001:db9::1"));
    check("::ffff:1.2.3.4", Some("1.2.3.4"));
    check("1.2.3.4, ::ffff:10.0.0.1", Some("1.2.3.4"));
}

#[test]
fn what_is_no_address_is_nobodys() {
    for value in [
        "unknown",
        "",
        "1.2.3",
        "1.2.3.4.5",
        "_x",
        "1.2.3.4,",
        "[1.2.3.4]",
        "a\"b",
    ] {
        check(value, None);
        check(&format!("1.2.3.4, {value}, 10.0.0.2"), None);
        // What a client puts before the proxy's own word changes nothing.
        check(&format!("{value}, 1.2.3.4"), Some("1.2.3.4"));
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    check_forwarded("for=1.2.3.4", Some("1.2.3.4"));
    check_forwarded(
        "For=\"[2001:db9:cafe::17]:4711\"",
        Some("2001:db9:cafe::17"),
    );
    check_forwarded("for=1.2.3.4;proto=http;by=203.0.113.43", Some("1.2.3.4"));
    check_forwarded("proto=http; for=1.2.3.4 ;by=\"a,b;c\"", Some("1.2.3.4"));
    check_forwarded("for=9.9.9.9, for=1.2.3.4, for=10.0.0.2", Some("1.2.3.4"));
    check_forwarded("for=1.2.3.4:56", Some("1.2.3.4"));
    check_forwarded("for=\"_x\"", None);
    check_forwarded("for=unknown, for=10.0.0.2", None);
    check_forwarded("proto=http", None);
    let two = ["Forwarded: for=9.9.9.9", "Forwarded: for=1.2.3.4"];
    check_at(
        &proxies(ForwardedBy::Forwarded),
        "10.0.0.1",
        &two,
        Some("1.2.3.4"),
    );
}

/// A quote that a client leaves open takes the proxy's word in: then nobody is believed, and least of all the client.
#[test]
fn a_forwarded_that_cannot_be_read_is_nobodys() {
    for value in [
        "for=\"9.9.9.9, for=1.2.3.4",
        "for=9.9.9.9;x=\", for=1.2.3.4",
        "for=\"9.9.9.9\\\", for=1.2.3.4",
        "for 9.9.9.9, for=1.2.3.4",
        "for=9.9.9.9 x, for=1.2.3.4",
        "=, for=1.2.3.4",
    ] {
        check_forwarded(value, None);
    }
}

#[test]
fn networks_that_are_none_are_told_when_they_are_given() {
    for (text, why) in [
        ("", "no IP address"),
        ("10.0.0.0/33", "no IP address"),
        ("10.0.0/8", "no IP address"),
        ("localhost", "no IP address"),
        ("10.0.0.1/8", "bits behind its prefix"),
        ("2001:db8::1/32", "bits behind its prefix"),
        ("::ffff:10.0.0.0/104", "write it as IPv4"),
    ] {
        let error = TrustedProxies::new(ForwardedBy::Forwarded, ["::1", text]);
        let error = error.expect_err(text).to_string();
        assert!(error.contains(why) && error.contains(text), "{error}");
    }
    let all = ["0.0.0.0/0", "::/0", "10.0.0.1/32"];
    assert!(TrustedProxies::new(ForwardedBy::Forwarded, all).is_ok());
}

//! What is asked: a URL, taken apart.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use edgeloop::sys::Address;

/// Where the requests go, and what stands in them because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it was given.
    pub(crate) url: String,
    pub(crate) address: Address,
    /// The value of Host.
    pub(crate) authority: String,
    /// Path and query: the target of the request (RFC 9112 §3.2.1).
    pub(crate) path: String,
}

const EXAMPLE: &str = "write one such as 'http://127.0.0.1:8080/' or 'unix:/run/app.sock:/'";

impl Target {
    /// Reads `http://HOST[:PORT][/PATH]` with an IP address or `localhost`, or `unix:/SOCKET[:/PATH]`. The error says what is
    /// wrong with it.
    pub(crate) fn parse(url: &str) -> Result<Target, String> {
        let (begin, path) = match (url.strip_prefix("http://"), url.strip_prefix("unix:")) {
            (Some(rest), _) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
            (None, Some(rest)) => match rest.find(":/") {
                Some(colon) => (&rest[..colon], &rest[colon + 1..]),
                None => (rest, ""),
            },
            (None, None) if url.starts_with("https://") => {
                return Err(format!("'{url}' asks for TLS, which is not spoken here"));
            }
            (None, None) => return Err(format!("'{url}' is no URL; {EXAMPLE}")),
        };
        let (address, authority) = if url.starts_with("unix:") {
            let address = format!("unix:{begin}")
                .parse()
                .map_err(|why| format!("{why}"))?;
            (address, "localhost".to_owned())
        } else {
            (
                Address::Ip(ip(begin).ok_or_else(|| unknown(begin))?),
                begin.to_owned(),
            )
        };
        Ok(Target {
            url: url.to_owned(),
            address,
            authority,
            path: origin_form(path)?,
        })
    }

    /// Whether what is sent there stays on this machine. To the address of nobody in particular, it does (ip(7)).
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.address {
            Address::Ip(address) => {
                let ip = address.ip().to_canonical();
                ip.is_loopback() || ip.is_unspecified()
            }
            Address::Unix(_) => true,
            Address::Host(..) | Address::Inherited(_) => false,
        }
    }
}

/// An address with a port, or with that of HTTP. `localhost` is one (RFC 6761 §6.3).
fn ip(authority: &str) -> Option<SocketAddr> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        Some(_) | None => (authority, 80),
    };
    let ip = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(host) => IpAddr::V6(host.parse().ok()?),
        None if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        None => IpAddr::V4(host.parse().ok()?),
    };
    Some((ip, port).into())
}

fn unknown(authority: &str) -> String {
    format!(
        "'{authority}' is neither an IP address nor 'localhost', and names are not looked up; {EXAMPLE}"
    )
}

/// What of it is sent: no fragment, and a path that is not empty.
fn origin_form(path: &str) -> Result<String, String> {
    let path = path.split('#').next().unwrap_or_default();
    if let Some(wrong) = path.chars().find(|char| !char.is_ascii_graphic()) {
        return Err(format!(
            "{wrong:?} can't stand in a path; write it percent-encoded"
        ));
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("{slash}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, address, authority, path) in [
            (
                "http://127.0.0.1:8080/a?b#c",
                "127.0.0.1:8080",
                "127.0.0.1:8080",
                "/a?b",
            ),
            ("http://[::1]", "[::1]:80", "[::1]", "/"),
            ("http://[::1]:81?a=:", "[::1]:81", "[::1]:81", "/?a=:"),
            ("http://LocalHost:1/", "127.0.0.1:1", "LocalHost:1", "/"),
            ("unix:/run/a.sock", "unix:/run/a.sock", "localhost", "/"),
            (
                "unix:/run/a.sock:/b:/c",
                "unix:/run/a.sock",
                "localhost",
                "/b:/c",
            ),
        ] {
            let target = Target::parse(url).expect(url);
            assert_eq!(
                target.address,
                address.parse().expect("an address"),
                "{url}"
            );
            assert_eq!((&*target.authority, &*target.path), (authority, path));
        }
    }

    #[test]
    fn what_is_no_url_says_why() {
        for (url, why) in [
            ("127.0.0.1:8080", "is no URL; write one such as"),
            ("https://127.0.0.1/", "TLS"),
            ("http://example.org/", "names are not looked up"),
            ("http://user@127.0.0.1/", "neither an IP address"),
            ("http://127.0.0.1:99999/", "neither an IP address"),
            ("http://", "neither an IP address"),
            ("http://127.0.0.1/a b", "' ' can't stand in a path"),
            ("http://127.0.0.1/\u{e4}", "percent-encoded"),
            ("unix:", "the path is empty"),
        ] {
            let said = Target::parse(url).expect_err(url);
            assert!(said.contains(why), "{url}: {said}");
        }
    }

    #[test]
    fn what_stays_on_the_machine_is_known() {
        for (url, stays) in [
            ("http://127.1.2.3/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://[::]:80/", true),
            ("unix:/a", true),
            ("http://192.0.2.1/", false),
            ("http://[2001:db8::1]/", false),
        ] {
            assert_eq!(Target::parse(url).expect(url).is_loopback(), stays, "{url}");
        }
    }
}

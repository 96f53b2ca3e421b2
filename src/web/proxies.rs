//! The client's address where requests come through proxies.

use core::fmt;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::content_type::{Escapes, unquote};
use crate::http::{Fields, is_token};
use crate::sys::PeerAddress;

/// Proxies that are believed when they say whom they ask for. Nobody else is: a field like X-Forwarded-For can be sent by
/// anyone, with anything in it.
///
/// ```
/// use edgeloop::web::{ForwardedBy, TrustedProxies};
/// use edgeloop::{Reply, Request, ResponseWriter};
///
/// # fn main() -> Result<(), edgeloop::web::ProxyError> {
/// let proxies = TrustedProxies::new(ForwardedBy::XForwardedFor, ["10.0.0.0/8", "::1"])?;
/// let handler = move |req: &Request, res: ResponseWriter| -> Reply {
///     match proxies.client(req.peer(), req.fields()) {
///         Some(ip) => res.status(200).text(format!("{ip}\n")),
///         None => res.status(200).text("over a Unix socket\n"),
///     }
/// };
/// # let _ = handler;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    said_by: ForwardedBy,
    networks: Vec<IpNet>,
    trusts_unix: bool,
}

/// Where proxies say whom they ask for. It is one field, the one that they write: another one would be the client's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For: client, proxy, proxy`
    XForwardedFor,
    /// `Forwarded: for=client;proto=https, for=proxy` (RFC 7239)
    Forwarded,
}

/// Why something is no network of proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyError {
    text: String,
    why: &'static str,
}

impl TrustedProxies {
    /// Believes peers in these networks: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`; or `unix` for all that come over Unix
    /// sockets. Errors: what is none of these, a network with bits behind its prefix, an IPv4 network written as IPv6.
    pub fn new<'t>(
        said_by: ForwardedBy,
        networks: impl IntoIterator<Item = &'t str>,
    ) -> Result<TrustedProxies, ProxyError> {
        let mut proxies = TrustedProxies {
            said_by,
            networks: Vec::new(),
            trusts_unix: false,
        };
        for text in networks {
            if text == "unix" {
                proxies.trusts_unix = true;
            } else {
                proxies.networks.push(network(text)?);
            }
        }
        Ok(proxies)
    }

    /// The address of the client behind a connection's peer: the peer itself unless it is trusted, else the last address in
    /// the field that is not a trusted proxy's. If all of them are, or there is no field, it is the first of them. `None`:
    /// a trusted proxy names somebody without an address, or it can't be read; or it is a Unix socket, and nothing else is
    /// known.
    pub fn client(&self, peer: PeerAddress, fields: Fields<'_>) -> Option<IpAddr> {
        let is_trusted = match peer.ip() {
            Some(ip) => self.trusts(ip),
            None => self.trusts_unix,
        };
        if !is_trusted {
            return peer.ip();
        }
        let mut seen = Seen::Peer;
        match self.said_by {
            ForwardedBy::XForwardedFor => {
                for value in fields.get_all("x-forwarded-for") {
                    for member in value.split(|byte| *byte == b',') {
                        seen = self.step(seen, address(&String::from_utf8_lossy(member)));
                    }
                }
            }
            ForwardedBy::Forwarded => {
                for value in fields.get_all("forwarded") {
                    let mut rest = core::str::from_utf8(value).unwrap_or("=");
                    while !rest.is_empty() {
                        let node;
                        (node, rest) = element(rest);
                        seen = self.step(seen, node);
                    }
                }
            }
        }
        match seen {
            Seen::Peer => peer.ip(),
            Seen::Somebody => None,
            Seen::Proxy(ip) | Seen::Client(ip) => Some(ip),
        }
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&ip))
    }

    /// One more address to the right. Only proxies behind it make the one before it believed.
    fn step(&self, seen: Seen, ip: Option<IpAddr>) -> Seen {
        match (ip, seen) {
            (None, _) => Seen::Somebody,
            (Some(ip), _) if !self.trusts(ip) => Seen::Client(ip),
            (Some(ip), Seen::Peer) => Seen::Proxy(ip),
            (Some(_), Seen::Somebody | Seen::Proxy(_) | Seen::Client(_)) => seen,
        }
    }
}

/// What the addresses so far come to, if those to the right of them are all trusted.
#[derive(Clone, Copy)]
enum Seen {
    /// There are none.
    Peer,
    /// One that is no address.
    Somebody,
    /// Trusted proxies only: the first of them.
    Proxy(IpAddr),
    /// Who asked the first of the trusted proxies to its right.
    Client(IpAddr),
}

fn network(text: &str) -> Result<IpNet, ProxyError> {
    let error = |why| ProxyError {
        text: text.to_owned(),
        why,
    };
    let network = match text.parse::<IpAddr>() {
        Ok(ip) => IpNet::from(ip),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            error("it is no IP address, no network as address/prefix, and not `unix`")
        })?,
    };
    if network.addr().to_canonical() != network.addr() {
        return Err(error("IPv4 clients have IPv4 addresses: write it as IPv4"));
    }
    if network.network() != network.addr() {
        return Err(error("it has bits behind its prefix"));
    }
    Ok(network)
}

/// An address with a port or without, IPv6 in brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => match text.parse::<SocketAddr>() {
            Ok(address) => address.ip(),
            Err(_) => text.parse().ok()?,
        },
    };
    Some(ip.to_canonical())
}

/// Whom the first element of a Forwarded names, and the elements behind it. What can't be read names nobody, and nothing is
/// behind it.
fn element(text: &str) -> (Option<IpAddr>, &str) {
    let (mut rest, mut node) = (text, None);
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return (node, rest);
        }
        if let Some(behind) = rest.strip_prefix(',') {
            return (node, behind);
        }
        if let Some(behind) = rest.strip_prefix(';') {
            rest = behind;
            continue;
        }
        let Some((name, value, behind)) = pair(rest) else {
            return (None, "");
        };
        if name.eq_ignore_ascii_case("for") {
            node = address(&value);
        }
        rest = behind.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with([',', ';'])) {
            return (None, "");
        }
    }
}

fn pair(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (name, value) = text.split_once('=')?;
    if !is_token(name.as_bytes()) {
        return None;
    }
    if let Some(quoted) = value.strip_prefix('"') {
        let (value, rest) = unquote(quoted, Escapes::All)?;
        return Some((name, value, rest));
    }
    // An address with a port needs quotes, and does not always get them.
    let end = value
        .find([',', ';', ' ', '\t', '"'])
        .unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    Some((name, Cow::Borrowed(value), rest))
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProxyError { text, why } = self;
        write!(f, "`{text}` can't be trusted as a proxy: {why}")
    }
}

impl core::error::Error for ProxyError {}

//! Where a connection comes from.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address of a connection's other end, in 19 bytes: an IP address with its port, or a Unix socket, whose clients have
/// no address.
///
/// An IPv4 client of a socket that listens on IPv6 has its IPv4 address (RFC 4291 §2.5.5.2). A link-local address comes
/// without its scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// An IPv4 address stands in the first four.
    octets: [u8; 16],
    /// As bytes, so that the whole finds room anywhere.
    port: [u8; 2],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    V4,
    V6,
    Unix,
}

impl PeerAddress {
    /// A client of a Unix socket; also one of which nothing is known.
    pub const UNIX: PeerAddress = PeerAddress {
        octets: [0; 16],
        port: [0; 2],
        kind: Kind::Unix,
    };

    /// Its IP address. `None` on a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.kind {
            Kind::V4 => {
                let [a, b, c, d, ..] = self.octets;
                Some(Ipv4Addr::new(a, b, c, d).into())
            }
            Kind::V6 => Some(Ipv6Addr::from(self.octets).into()),
            Kind::Unix => None,
        }
    }

    /// Its IP address and port. `None` on a Unix socket.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.port);
        self.ip().map(|ip| SocketAddr::new(ip, port))
    }

    /// Whether it came in on a Unix socket.
    pub fn is_unix(&self) -> bool {
        self.kind == Kind::Unix
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> PeerAddress {
        let mut octets = [0; 16];
        let kind = match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                octets[..4].copy_from_slice(&ip.octets());
                Kind::V4
            }
            IpAddr::V6(ip) => {
                octets = ip.octets();
                Kind::V6
            }
        };
        PeerAddress {
            octets,
            port: address.port().to_be_bytes(),
            kind,
        }
    }
}

/// `127.0.0.1:49152`, `[::1]:49152`, or `unix`.
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket_address() {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_went_in() {
        for text in ["1.2.3.4:5", "0.0.0.0:0", "[::1]:65535", "[2001:db8::7]:80"] {
            let address: SocketAddr = text.parse().expect(text);
            let peer = PeerAddress::from(address);
            assert_eq!(peer.socket_address(), Some(address));
            assert_eq!(peer.ip(), Some(address.ip()));
            assert_eq!(peer.to_string(), text);
            assert!(!peer.is_unix());
        }
        assert_eq!(PeerAddress::UNIX.socket_address(), None);
        assert_eq!(PeerAddress::UNIX.to_string(), "unix");
        assert!(PeerAddress::UNIX.is_unix());
        assert_eq!(size_of::<PeerAddress>(), 19);
    }

    #[test]
    fn an_ipv4_address_in_an_ipv6_one_is_an_ipv4_address() {
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:8080".parse().expect("an address");
        let plain: SocketAddr = "10.0.0.1:8080".parse().expect("an address");
        assert_eq!(PeerAddress::from(mapped).socket_address(), Some(plain));
        assert_eq!(PeerAddress::from(mapped), PeerAddress::from(plain));
    }
}

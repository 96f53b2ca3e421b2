//! Where a connection comes from.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The address of a connection's other end, in 24 bytes: an IP address with its port, or a Unix socket, whose clients have
/// no address.
///
/// An IPv4 client of a socket that listens on IPv6 has its IPv4 address (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// An IPv4 address stands in the first four.
    octets: [u8; 16],
    /// Of a link-local address.
    scope: u32,
    port: u16,
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
        scope: 0,
        port: 0,
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
        self.ip().map(|ip| match ip {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.scope).into(),
        })
    }

    /// Whether it came in on a Unix socket.
    pub fn is_unix(&self) -> bool {
        self.kind == Kind::Unix
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> PeerAddress {
        let mut octets = [0; 16];
        let (scope, kind) = match address {
            SocketAddr::V4(address) => {
                octets[..4].copy_from_slice(&address.ip().octets());
                (0, Kind::V4)
            }
            SocketAddr::V6(address) => match address.ip().to_ipv4_mapped() {
                Some(mapped) => {
                    octets[..4].copy_from_slice(&mapped.octets());
                    (0, Kind::V4)
                }
                None => {
                    octets = address.ip().octets();
                    (address.scope_id(), Kind::V6)
                }
            },
        };
        PeerAddress {
            octets,
            scope,
            port: address.port(),
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
        let scoped = SocketAddrV6::new("fe80::1".parse().expect("an address"), 7, 0, 3);
        let peer = PeerAddress::from(SocketAddr::from(scoped));
        assert_eq!(peer.socket_address(), Some(scoped.into()));
        assert_eq!(PeerAddress::UNIX.socket_address(), None);
        assert_eq!(PeerAddress::UNIX.to_string(), "unix");
        assert!(PeerAddress::UNIX.is_unix());
        assert!(size_of::<PeerAddress>() <= 24);
    }

    #[test]
    fn an_ipv4_address_in_an_ipv6_one_is_an_ipv4_address() {
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:8080".parse().expect("an address");
        let plain: SocketAddr = "10.0.0.1:8080".parse().expect("an address");
        assert_eq!(PeerAddress::from(mapped).socket_address(), Some(plain));
        assert_eq!(PeerAddress::from(mapped), PeerAddress::from(plain));
    }
}

//! Where a server listens.

use core::fmt;
use core::str::FromStr;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// An address to listen on, as an operator writes it:
///
/// | text | meaning |
/// |---|---|
/// | `127.0.0.1:8080`, `[::1]:0`, `localhost:8080` | an IP address or the first one of a host name; port 0 is any free one |
/// | `:8080` | all addresses of the machine, IPv6 and IPv4 |
/// | `unix:/run/app.sock` | a Unix stream socket |
/// | `fd:3` | a listening socket that the process has inherited |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Ip(SocketAddr),
    /// TCP, at the first address of a host name, which is looked up when it is bound.
    Host(String, u16),
    /// A path in the file system.
    Unix(PathBuf),
    /// The number of a listening socket that the process was started with. Binding it gives it away: from then on it is
    /// closed with what was bound, and nobody else may use the number.
    Inherited(i32),
}

/// Why a text is no address.
#[derive(Debug)]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no address to listen on: {}; write host:port, :port, unix:/path or fd:N",
            self.text, self.why
        )
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let error = |why| AddressError {
            text: text.to_owned(),
            why,
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err(error("the path is empty")),
                // sun_path has 108 bytes, the last of them NUL (unix(7)).
                1..108 => Ok(Address::Unix(path.into())),
                _ => Err(error("the path is longer than 107 bytes")),
            };
        }
        if let Some(number) = text.strip_prefix("fd:") {
            return match number.parse() {
                Ok(number @ 0..) => Ok(Address::Inherited(number)),
                Ok(_) | Err(_) => Err(error("a descriptor is a number from 0 on")),
            };
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| error("it has no port"))?;
        let port: u16 = port
            .parse()
            .map_err(|_| error("the port is no number from 0 to 65535"))?;
        if host.is_empty() {
            return Ok(Address::Ip((Ipv6Addr::UNSPECIFIED, port).into()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Address::Ip(address));
        }
        Ok(Address::Host(host.to_owned(), port))
    }
}

/// A TCP address as the URL of its root, the others as they are written.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => write!(f, "http://{address}/"),
            Address::Host(name, port) => write!(f, "http://{name}:{port}/"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Inherited(number) => write!(f, "fd:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_write_is_understood() {
        for (text, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("[::1]:0", "http://[::1]:0/"),
            (":80", "http://[::]:80/"),
            ("localhost:0", "http://localhost:0/"),
            // Nobody is asked for it.
            ("host.invalid:80", "http://host.invalid:80/"),
            ("unix:/run/a", "unix:/run/a"),
            ("fd:3", "fd:3"),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), url);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("8080", "no port"),
            ("a:b", "no number"),
            ("127.0.0.1:65536", "no number"),
            ("unix:", "empty"),
            ("fd:x", "descriptor"),
            ("fd:-1", "descriptor"),
            (&format!("unix:/{}", "a".repeat(107)), "107"),
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

//! From addresses to workers that could run.

use core::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use super::accept::{Accepting, Listener, Origin};
use super::defer::Message;
use super::drain::Control;
use super::event_loop::EventLoop;
use super::handler::Handler;
use super::limits::{Limits, connections_within};
use super::local::Local;
use super::observer::Observer;
use super::preamble::Settings;
use super::serving::{Handle, Serving};
use super::shared::Shared;
use super::worker::{LISTENERS, Worker};
use crate::reactor::{Mailbox, Reactor, Token};
use crate::sys::signal::Signals;
use crate::sys::socket::{self, BACKLOG, Sharing};
use crate::sys::{Address, Fd, SocketFile, process};

/// How many addresses a server may have: each takes a fixed token, of which there are 65,000.
const LISTENERS_MAX: usize = 1000;

/// A server that has its addresses and does not serve yet.
///
/// ```no_run
/// use edgeloop::{Reply, Request, ResponseWriter, Server};
///
/// fn hello(req: &Request, res: ResponseWriter) -> Reply {
///     match (req.method(), req.path()) {
///         ("GET", "/") => res.status(200).text("Hello, world!\n"),
///         ("POST", "/echo") => res.status(200).body(req.body()),
///         _ => res.status(404).text("not found\n"),
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// Server::bind("[::]:8080")?.cores(4).serve_fn(hello)?.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    bound: Vec<Bound>,
    cores: usize,
    pinned: bool,
    limits: Limits,
    settings: Settings,
    signals: Option<Signals>,
}

/// An address that it has.
#[derive(Debug)]
struct Bound {
    /// What the socket says, which need not be what it was asked for.
    address: Address,
    /// Dropped before `fd`, as in [`Listener`].
    origin: Origin,
    fd: Fd,
}

/// Why a server can't start.
#[derive(Debug)]
pub enum StartError {
    /// The text is no address.
    Address(crate::sys::AddressError),
    /// The address can't be had.
    Bind(Address, io::Error),
    /// The [name](Server::name) can't be a field's value.
    Name(String),
    /// The system refuses something else: what, and why.
    System(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Address(error) => error.fmt(f),
            StartError::Bind(address, error) => {
                write!(f, "cannot listen on {address}: {error}")?;
                f.write_str(match error.kind() {
                    io::ErrorKind::AddrInUse => "; stop who listens there, or choose another port",
                    io::ErrorKind::PermissionDenied => {
                        "; ports below 1024 need CAP_NET_BIND_SERVICE, paths a writable directory"
                    }
                    io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
                    _ => "",
                })
            }
            StartError::Name(name) => {
                write!(
                    f,
                    "{name:?} is no name of a server: it has control characters"
                )
            }
            StartError::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Address(error) => Some(error),
            StartError::Bind(_, error) | StartError::System(_, error) => Some(error),
            StartError::Name(_) => None,
        }
    }
}

impl Server {
    /// Takes an address: `host:port`, `:port` for all addresses of the machine, `unix:/path`, or `fd:N` for a listening
    /// socket that was inherited, which is given away ([`Address::Inherited`]). Port 0 is any free one.
    ///
    /// It is taken for this server alone, so one that somebody listens on is an error; nobody can connect before it
    /// serves. Errors: a text that is no address, and an address that can't be had.
    pub fn bind(address: &str) -> Result<Server, StartError> {
        Server::unbound().and_bind(address)
    }

    /// A server without an address. It serves what it is [given](Handle::adopt).
    pub fn unbound() -> Server {
        Server {
            bound: Vec::new(),
            cores: 1,
            pinned: false,
            limits: Limits::default(),
            settings: Settings {
                server: Some("edgeloop".to_owned()),
                date: true,
            },
            signals: None,
        }
    }

    /// Takes one more address. Errors: as [`bind`](Server::bind), and more than 1000 addresses.
    pub fn and_bind(mut self, address: &str) -> Result<Server, StartError> {
        if self.bound.len() == LISTENERS_MAX {
            let error = io::Error::other("a server has at most so many");
            return Err(StartError::System(
                "listen on more than 1000 addresses",
                error,
            ));
        }
        let asked: Address = address.parse().map_err(StartError::Address)?;
        let failed = |error| StartError::Bind(asked.clone(), error);
        if let Address::Inherited(number) = asked
            && self.has(number)
        {
            return Err(failed(io::Error::other("this server has it already")));
        }
        let fd = socket::bind(&asked, Sharing::Alone).map_err(failed)?;
        // First of all, so that the socket's file goes if anything fails from here on.
        let origin = match &asked {
            Address::Ip(_) | Address::Host(..) => Origin::Tcp,
            Address::Unix(path) => {
                Origin::Unix(Some(Arc::new(SocketFile::at(path).map_err(failed)?)))
            }
            Address::Inherited(_) => Origin::Inherited,
        };
        let address = socket::local_address(&fd).map_err(failed)?;
        self.bound.push(Bound {
            address,
            origin,
            fd,
        });
        Ok(self)
    }

    /// Whether it owns the descriptor of this number.
    fn has(&self, number: i32) -> bool {
        self.bound
            .iter()
            .any(|bound| bound.fd.as_fd().as_raw_fd() == number)
    }

    /// Serves on so many threads, each with a loop and a listener of its own; the kernel spreads connections over them
    /// (`SO_REUSEPORT`). One unless said otherwise; zero is one.
    #[must_use]
    pub fn cores(mut self, cores: usize) -> Server {
        self.cores = cores.max(1);
        self
    }

    /// Keeps each worker's thread on a processor of its own. One of them is the thread that runs the server.
    #[must_use]
    pub fn pinned(mut self) -> Server {
        self.pinned = true;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Server {
        self.limits = limits;
        self
    }

    /// Sets what answers say of themselves in `Server`: `edgeloop` unless said otherwise. `None` leaves the field out. With
    /// control characters in it the server does not start.
    #[must_use]
    pub fn name(mut self, name: Option<&str>) -> Server {
        self.settings.server = name.map(str::to_owned);
        self
    }

    /// Leaves out `Date`, for a machine without a clock (RFC 9110 §6.6.1).
    #[must_use]
    pub fn without_date(mut self) -> Server {
        self.settings.date = false;
        self
    }

    /// Drains when one of these signals comes, and stops at once when a second one does.
    #[must_use]
    pub fn drain_on(mut self, signals: Signals) -> Server {
        self.signals = Some(signals);
        self
    }

    /// The addresses that it has, with the ports that the system chose.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.bound.iter().map(|bound| &bound.address)
    }

    /// Serves with a function, or with a handler that can be cloned. Errors: as [`serve`](Server::serve).
    pub fn serve_fn<H: Handler + Clone + Send + Sync>(
        self,
        handler: H,
    ) -> Result<Serving<impl Fn(&Local) -> (H, ()) + Send + Sync>, StartError> {
        self.serve_local(move |_| (handler.clone(), ()))
    }

    /// Serves with a handler for each core, made on its thread by a factory that is told its number: it need not be
    /// `Send`. It listens from now on. Errors: an address that can't be had on several cores, no more descriptors, a name
    /// with control characters.
    pub fn serve<H: Handler>(
        self,
        factory: impl Fn(usize) -> H + Send + Sync,
    ) -> Result<Serving<impl Fn(&Local) -> (H, ()) + Send + Sync>, StartError> {
        self.serve_local(move |local| (factory(local.core()), ()))
    }

    /// Serves with a handler and an [`Observer`] for each core. Errors: as [`serve`](Server::serve).
    pub fn serve_with<H: Handler, O: Observer>(
        self,
        factory: impl Fn(usize) -> (H, O) + Send + Sync,
    ) -> Result<Serving<impl Fn(&Local) -> (H, O) + Send + Sync>, StartError> {
        self.serve_local(move |local| factory(local.core()))
    }

    /// Serves with a handler and an [`Observer`] for each core, made by a factory that is given the core's loop: it can set
    /// timers, watch descriptors and take mail before the first client comes. Errors: as [`serve`](Server::serve).
    ///
    /// ```no_run
    /// use core::cell::Cell;
    /// use core::time::Duration;
    /// use std::rc::Rc;
    /// use edgeloop::{Local, Request, ResponseWriter, Server};
    ///
    /// let server = Server::bind("[::]:8080")?.cores(4).serve_local(|local: &Local| {
    ///     let seconds = Rc::new(Cell::new(0));
    ///     let counts = Rc::clone(&seconds);
    ///     local.every(Duration::from_secs(1), move || counts.set(counts.get() + 1));
    ///     let handler = move |_: &Request, res: ResponseWriter| {
    ///         res.status(200).text(format!("up for {} s\n", seconds.get()))
    ///     };
    ///     (handler, ())
    /// })?;
    /// server.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve_local<H: Handler, O: Observer, F: Fn(&Local) -> (H, O) + Send + Sync>(
        self,
        factory: F,
    ) -> Result<Serving<F>, StartError> {
        let (pinned, addresses) = (self.pinned, self.addresses().cloned().collect());
        let parts = self.listen()?;
        Ok(Serving {
            handle: Handle::new(parts.iter().map(|it| it.reactor.mailbox()).collect()),
            addresses,
            factory,
            parts,
            pinned,
        })
    }

    /// One loop, for a thread of one's own or to be nested in another loop. It listens from now on. Errors: as
    /// [`serve`](Server::serve).
    pub fn event_loop<H: Handler, O: Observer>(
        self,
        handler: H,
        observer: O,
    ) -> Result<EventLoop<H, O>, StartError> {
        let addresses = self.addresses().cloned().collect();
        let mut parts = self.cores(1).listen()?;
        let parts = parts.pop().expect("one core has one part");
        let mut event_loop = parts
            .build(0, |_| (handler, observer))
            .map_err(|error| StartError::System("watch the listener", error))?;
        event_loop.addresses = addresses;
        Ok(event_loop)
    }

    /// Everything that can fail, before any thread is started.
    fn listen(self) -> Result<Vec<Parts>, StartError> {
        let control = |byte: u8| byte != b'\t' && byte.is_ascii_control();
        if let Some(name) = self.settings.server.as_ref()
            && name.bytes().any(control)
        {
            return Err(StartError::Name(name.clone()));
        }
        let system = |what| move |error| StartError::System(what, error);
        let descriptors = process::descriptors_max().map_err(system("read RLIMIT_NOFILE"))?;
        let connections_max = self
            .limits
            .connections_max
            .unwrap_or_else(|| connections_within(descriptors));
        let mut reactors = Vec::new();
        for _ in 0..self.cores {
            reactors.push(Reactor::new().map_err(system("create an event loop"))?);
        }
        let others: Vec<Mailbox<Message>> = reactors.iter().skip(1).map(Reactor::mailbox).collect();
        let mut parts: Vec<Parts> = reactors
            .into_iter()
            .map(|reactor| Parts {
                reactor,
                listeners: Vec::new(),
                limits: self.limits.clone(),
                settings: self.settings.clone(),
                connections_max: (connections_max / self.cores).max(1),
                control: Control::default(),
            })
            .collect();
        for (number, bound) in (LISTENERS..).zip(self.bound) {
            let Bound {
                address,
                origin,
                fd,
            } = bound;
            let fds = replicate(&address, &origin, fd, self.cores)
                .map_err(|error| StartError::Bind(address, error))?;
            for (fd, part) in fds.into_iter().zip(&mut parts) {
                part.listeners.push(Listener {
                    origin: origin.clone(),
                    fd,
                    token: Token::fixed(number),
                    state: Accepting::Idle,
                    lost: 0,
                });
            }
        }
        parts[0].control = Control {
            signals: self.signals,
            waits_for: others.len(),
            others,
        };
        Ok(parts)
    }
}

/// A listening socket for each core. On TCP each has a queue of its own; others are shared, and so is one that was
/// inherited.
fn replicate(address: &Address, origin: &Origin, fd: Fd, cores: usize) -> io::Result<Vec<Fd>> {
    let mut listeners = Vec::with_capacity(cores);
    match origin {
        Origin::Tcp if cores > 1 => {
            drop(fd); // it has shown that nobody else is there
            for _ in 0..cores {
                listeners.push(socket::bind(address, Sharing::Shared)?);
            }
        }
        Origin::Tcp | Origin::Unix(_) | Origin::Inherited => {
            for _ in 1..cores {
                listeners.push(socket::duplicate(&fd)?);
            }
            listeners.push(fd);
        }
    }
    for fd in &listeners {
        socket::listen(fd, BACKLOG)?;
    }
    Ok(listeners)
}

/// What a worker is made of, on the thread that will run it.
pub(super) struct Parts {
    pub(super) reactor: Reactor<Message>,
    listeners: Vec<Listener>,
    limits: Limits,
    settings: Settings,
    connections_max: usize,
    control: Control,
}

impl Parts {
    pub(super) fn build<H: Handler, O: Observer>(
        self,
        core: usize,
        make: impl FnOnce(&Local) -> (H, O),
    ) -> io::Result<EventLoop<H, O>> {
        let shared = Shared::new(self.limits, self.settings, self.reactor.mailbox());
        shared.local.attach(core, self.reactor.registry());
        let (handler, observer) = make(&shared.local);
        let worker = Worker::new(
            handler,
            observer,
            shared,
            self.listeners,
            self.connections_max,
            self.control,
        );
        EventLoop::new(self.reactor, worker)
    }
}

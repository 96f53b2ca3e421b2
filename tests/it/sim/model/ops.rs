//! The steps that scripts are made of.

use edgeloop::sys::Interest;
use edgeloop::sys::at_hand::{Waiting, Wanted};
use nix::sys::signal::Signal;

/// A script has so many connections at most.
pub(super) const CONNECTIONS: usize = 3;

/// A step. Connections are told apart by their numbers, on the server's side and on the client's. One that can't be taken
/// (there is no such connection) is left out in both worlds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    // What a client does.
    Connect(usize),
    ClientSends(usize, usize),
    /// Until there is no room any more.
    ClientFills(usize),
    /// All there is, until nothing more comes.
    ClientReceives(usize),
    ClientFinishes(usize),
    ClientCloses(usize),
    ClientResets(usize),
    // What the server does with a connection.
    Accept,
    Recv(usize, usize),
    RecvAll(usize),
    Send(usize, usize),
    /// Until there is no room any more.
    Fill(usize),
    /// In one call, more than there is room for.
    SendTooMuch(usize),
    SendFile(usize, u64, usize),
    Shutdown(usize),
    Linger(usize),
    Unread(usize),
    Unacknowledged(usize),
    LocalAddress(usize),
    Adopt(usize),
    Close(usize),
    // And with the listener.
    Backlog(u16),
    Duplicate,
    DropNew,
    CloseListener,
    CloseDuplicate,
    /// What is asked of a listener that is for connections.
    Misuse,
    // Readiness.
    Add(What, Ask),
    Modify(What, Ask),
    Delete(What),
    /// Events of one wait, at most so many.
    Wait(usize),
    WaitInner(usize),
    AddInner(What, Ask),
    Notify,
    // Files.
    Open(&'static str),
    Resize(u64),
    ReadAt(u64, usize),
    Length,
    /// Without a link on the way.
    OpenPlain(&'static str, Wanted, Waiting),
    /// What is in a directory, at most so many names.
    Names(&'static str, usize),
    /// What is in memory.
    ReadAtHand(u64, usize),
    /// Whether all of these bytes are.
    Cached(u64, u64),
    /// In place, with so many bytes.
    Rewrite(usize),
    /// By another one of this name.
    Replace(&'static str),
    Create(&'static str),
    Remove(&'static str),
    /// The first one's descriptor.
    CloseFile,
    // What becomes of them.
    Watch(Told),
    Forget(Told),
    /// All notices, equal neighbours once.
    Notices,
    /// Whether the file system tells all.
    TellsAll,
    // Signals.
    Block,
    BlockUrgent,
    Raise(Signal),
    NextSignal,
    NextUrgent,
    /// A thread that has so many pieces of work, rests, has so many more, and rests until it is over.
    Work(u32, u32),
}

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Listener,
    Duplicate,
    Connection(usize),
    Event,
    Inner,
    Outer,
    File,
    Directory,
    Signals,
    Notices,
}

/// What is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The names in the root.
    Root,
    /// The names in a directory below.
    Directory,
    /// What the file has in it.
    File,
    /// The names in a file.
    Nonsense,
}

/// What is asked of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    In,
    Out,
    InEdge,
    OutEdge,
    /// Only the end of the peer's stream.
    EndEdge,
    NothingEdge,
    /// What the reactor asks of a connection first.
    Stream,
    /// And then.
    StreamOut,
}

impl Ask {
    pub(super) fn interest(self) -> Interest {
        match self {
            Ask::In => Interest::READ,
            Ask::Out => Interest::WRITE,
            Ask::InEdge => Interest::READ | Interest::EDGE,
            Ask::OutEdge => Interest::WRITE | Interest::EDGE,
            Ask::EndEdge => Interest::PEER_CLOSED | Interest::EDGE,
            Ask::NothingEdge => Interest::NONE | Interest::EDGE,
            Ask::Stream => Interest::STREAM,
            Ask::StreamOut => Interest::STREAM | Interest::WRITE,
        }
    }
}

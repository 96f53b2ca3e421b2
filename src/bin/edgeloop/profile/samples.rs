//! Samples of a server's stacks, as `perf script` prints them: which phase each was in, and where exactly.
//!
//! A phase is a function that has its name in every build (see `edgeloop::server`, "Phases"). A sample belongs to the
//! innermost phase on its stack. The kernel's side of a system call belongs to the phase that makes it, whether the stack
//! above it is whole or not.

use std::collections::BTreeMap;

/// What a server may be busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Wait,
    Accept,
    Receive,
    Parse,
    Handle,
    Route,
    Encode,
    Send,
    Expire,
    /// The loop and the sessions themselves, between the others.
    Loop,
    /// No function of the server is on the stack.
    Elsewhere,
}

impl Phase {
    pub(crate) const ALL: [Phase; 11] = [
        Phase::Wait,
        Phase::Accept,
        Phase::Receive,
        Phase::Parse,
        Phase::Handle,
        Phase::Route,
        Phase::Encode,
        Phase::Send,
        Phase::Expire,
        Phase::Loop,
        Phase::Elsewhere,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Phase::Wait => "wait",
            Phase::Accept => "accept",
            Phase::Receive => "receive",
            Phase::Parse => "parse",
            Phase::Handle => "handle",
            Phase::Route => "route",
            Phase::Encode => "encode",
            Phase::Send => "send",
            Phase::Expire => "expire",
            Phase::Loop => "loop",
            Phase::Elsewhere => "elsewhere",
        }
    }

    /// The phase that a function of the program is.
    fn of_function(symbol: &str) -> Option<Phase> {
        let (of, name) = symbol.rsplit_once("::")?;
        let of_type = |name: &str| of.contains(name);
        match name {
            _ if !is_ours(symbol) => None,
            "accept_ready" if of_type("::Worker<") => Some(Phase::Accept),
            "recv_ready" if of_type("::Transport") => Some(Phase::Receive),
            "parse_head" if of_type("::http::") => Some(Phase::Parse),
            "handle" if of_type("::Session<") => Some(Phase::Handle),
            "route" if of_type("::Router") => Some(Phase::Route),
            "encode" if of_type("::Conn") => Some(Phase::Encode),
            "send_ready" if of_type("::Transport") => Some(Phase::Send),
            "expire" if of_type("::Session<") => Some(Phase::Expire),
            _ => None,
        }
    }

    /// The phase that makes a system call, by the kernel's function or by that of libc.
    fn of_call(symbol: &str) -> Option<Phase> {
        let name = match symbol.split_once("sys_") {
            Some((_, call)) => call,
            None => symbol.trim_start_matches('_').trim_start_matches("libc_"),
        };
        match name {
            "accept4" => Some(Phase::Accept),
            "recv" | "recvfrom" => Some(Phase::Receive),
            "send" | "sendto" | "sendfile" | "sendfile64" => Some(Phase::Send),
            "epoll_wait" | "epoll_pwait" => Some(Phase::Wait),
            _ => None,
        }
    }
}

fn is_ours(symbol: &str) -> bool {
    let begin = symbol.trim_start_matches('<');
    begin.starts_with("edgeloop::") || symbol.contains(" edgeloop::")
}

/// A function on a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame<'s> {
    symbol: &'s str,
    /// Addresses of the kernel are in the upper half.
    is_kernel: bool,
}

/// How often it was somewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

impl Seen {
    pub(crate) fn all(self) -> u64 {
        self.user + self.system
    }
}

/// All samples, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Samples {
    phases: BTreeMap<Phase, Seen>,
    /// By the innermost function, and whether it is the kernel's.
    symbols: BTreeMap<(String, bool), u64>,
}

impl Samples {
    /// Reads what `perf script -F comm,tid,ip,sym` prints: for each sample a line, its stack from the innermost function
    /// outwards on lines that are indented, and a line with nothing.
    pub(crate) fn parse(script: &str) -> Samples {
        let mut samples = Samples::default();
        let mut stack = Vec::new();
        for line in script.lines().chain([""]) {
            match frame(line) {
                Some(frame) => stack.push(frame),
                None => samples.add(&std::mem::take(&mut stack)),
            }
        }
        samples
    }

    fn add(&mut self, stack: &[Frame<'_>]) {
        let Some(inner) = stack.first() else {
            return;
        };
        let seen = self.phases.entry(phase(stack)).or_default();
        if inner.is_kernel {
            seen.system += 1;
        } else {
            seen.user += 1;
        }
        let symbol = (inner.symbol.to_owned(), inner.is_kernel);
        *self.symbols.entry(symbol).or_default() += 1;
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.phases.values().map(|seen| seen.all()).sum()
    }

    /// By phase, those that were seen.
    pub(crate) fn phases(&self) -> impl Iterator<Item = (Phase, Seen)> {
        let seen = |phase: Phase| Some((phase, *self.phases.get(&phase)?));
        Phase::ALL.into_iter().filter_map(seen)
    }

    /// The functions that were seen most often, whether each is the kernel's, and how often.
    pub(crate) fn top(&self, most: usize) -> Vec<(&str, bool, u64)> {
        let mut symbols: Vec<_> = (self.symbols.iter())
            .map(|((name, is_kernel), count)| (&**name, *is_kernel, *count))
            .collect();
        symbols.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        symbols.truncate(most);
        symbols
    }
}

/// An address and a name, on a line that is indented.
fn frame(line: &str) -> Option<Frame<'_>> {
    if !line.starts_with([' ', '\t']) {
        return None;
    }
    let (address, symbol) = line.trim().split_once(' ')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    Some(Frame {
        symbol: symbol.trim(),
        is_kernel: address >= 1 << 63 && symbol != "[unknown]",
    })
}

fn phase(stack: &[Frame<'_>]) -> Phase {
    let of_frame = |frame: &Frame<'_>| {
        let function = Phase::of_function(frame.symbol);
        function.or_else(|| Phase::of_call(frame.symbol))
    };
    let is_ours = |frame: &Frame<'_>| is_ours(frame.symbol);
    match stack.iter().find_map(of_frame) {
        Some(phase) => phase,
        None if stack.iter().any(is_ours) => Phase::Loop,
        None => Phase::Elsewhere,
    }
}

#[cfg(test)]
mod tests;

//! What a server has done, in numbers: always counted, never printed unless somebody asks.

use core::fmt;
use core::iter::Sum;
use core::ops::{AddAssign, Sub};

use crate::reactor;

/// Makes the record and the list of its names from one table, so that neither can lack what the other has. `sum` is a number
/// that grows by what happens; `peak` is the most that there was of something at a time.
macro_rules! counters {
    ($(#[$about:meta])* $($kind:ident $name:ident $doc:literal;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $(#[doc = $doc] pub $name: u64,)*
        }

        impl Counters {
            /// All of them, each with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        /// Of two loops together: sums, and the higher one of two peaks.
        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Counters) {
                $(self.$name = counters!(@add $kind self.$name, other.$name);)*
            }
        }

        /// What has happened since an earlier reading of the same loop. Peaks stay those of its whole life.
        impl Sub for Counters {
            type Output = Counters;

            fn sub(self, earlier: Counters) -> Counters {
                Counters {
                    $($name: counters!(@sub $kind self.$name, earlier.$name),)*
                }
            }
        }
    };
    (@add sum $all:expr, $other:expr) => { $all.saturating_add($other) };
    (@add peak $all:expr, $other:expr) => { $all.max($other) };
    (@sub sum $later:expr, $earlier:expr) => { $later.saturating_sub($earlier) };
    (@sub peak $later:expr, $earlier:expr) => { $later };
}

counters! {
    /// What a loop has done since it was made, or several loops together. Plain integers of the loop's own thread, counted
    /// where the thing happens: no lock, no clock, a handful of instructions for a request.
    ///
    /// Read by [`EventLoop::counters`](super::EventLoop::counters), by
    /// [`Handle::counters`](super::Handle::counters) from any thread, and from the [`Report`](super::Report) at the end.
    /// How many system calls a request makes is part of what this server promises, so a difference between two readings is
    /// something to put into a test:
    ///
    /// ```
    /// # use std::io::{Read, Write};
    /// # use edgeloop::{Request, ResponseWriter, Server};
    /// let hello = |_: &Request, res: ResponseWriter| res.status(200).text("hello\n");
    /// let mut server = Server::bind("127.0.0.1:0")?.event_loop(hello, ())?;
    /// # let edgeloop::sys::Address::Ip(address) = server.addresses()[0].clone() else { unreachable!() };
    /// # let mut client = std::net::TcpStream::connect(address)?;
    /// # while server.connections() == 0 { server.turn(None)?; }
    /// let before = server.counters();
    /// # client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    /// // A client asks once, and the loop turns …
    /// # while server.counters().answers == before.answers { server.turn(None)?; }
    /// let cost = server.counters() - before;
    /// assert_eq!((cost.requests, cost.recvs, cost.sends), (1, 1, 1));
    /// assert_eq!(cost.epoll_ctls, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Not counted are the calls that a connection makes once or twice in its life, or only when it is slow: shutdown(2),
    /// setsockopt(2), ioctl(2); nor what handlers do.
    sum turns "Turns of the loop: one epoll_wait(2) each.";
    sum waits "Those of the turns that were allowed to sleep. The others had work left from the turn before, or something was due.";
    sum events "Events that the kernel had.";
    sum epoll_ctls "Calls of epoll_ctl(2).";
    sum mail "Messages of other threads that were taken: late answers, what is sent to a `Local::mailbox`, orders of a `Handle`.";
    peak run_queue_peak "The most connections that have waited for a next turn, with work left, at a time.";
    sum budget_stops "How often a connection with work left had to wait for a next turn: a budget of its own or of the turn was spent, or a signal came between.";
    sum accepts "Calls of accept4(2), those included that found nobody.";
    sum opened "Connections that have begun: accepted, or adopted.";
    sum closed "Connections that have ended, those included that were taken out.";
    sum recvs "Calls of recv(2) on connections.";
    sum recvs_again "Those that said `EAGAIN`: nothing had come.";
    sum bytes_in "Bytes that were received.";
    sum sends "Calls of send(2) on connections.";
    sum sends_short "Those that took less than they were given.";
    sum sendfiles "Calls of sendfile(2).";
    sum sends_again "Calls of send(2) and sendfile(2) that said `EAGAIN`: there was no room.";
    sum bytes_out "Bytes that were sent, by either.";
    sum requests "Requests whose heads are whole and sound.";
    sum answers "Answers that have begun, refusals of what was no request included. An answer that was taken back counts, and so does the 500 in its place.";
    sum allocations "How often the loop's thread has asked for memory within its turns, handlers included, growing what it had included. Zero unless the program's global allocator is a [`CountingAllocator`](crate::sys::CountingAllocator).";
}

impl Counters {
    /// A line of JSON: an object of all numbers by their names, in the order of [`iter`](Counters::iter).
    pub fn to_json(&self) -> String {
        let pairs: Vec<_> = self
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", pairs.join(","))
    }
}

/// Of all loops of a server.
impl Sum for Counters {
    fn sum<I: Iterator<Item = Counters>>(all: I) -> Counters {
        all.fold(Counters::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// A table: a line for each number, with its share of a request where there were requests.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, "{name:<16}{value:>16}")?;
            if self.requests > 0 && !name.ends_with("_peak") {
                // Exact enough for a figure with four digits behind its point.
                #[expect(clippy::cast_precision_loss)]
                let share = value as f64 / self.requests as f64;
                write!(f, "{share:>14.4}")?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// What the reactor counts is part of it.
impl From<reactor::Counters> for Counters {
    fn from(its: reactor::Counters) -> Counters {
        Counters {
            turns: its.turns,
            waits: its.waits,
            events: its.events,
            epoll_ctls: its.epoll_ctls,
            mail: its.mail,
            run_queue_peak: its.run_queue_peak,
            ..Counters::default()
        }
    }
}

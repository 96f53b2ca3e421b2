//! What the server grants its clients.

use core::time::Duration;

use crate::http;

/// Every bound of the server, all on by default. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bounds on heads, chunks and trailers.
    pub http: http::Limits,
    /// A request body that is buffered for its handler (1 MiB): beyond it 413. [`Handler::intake`] may say otherwise.
    ///
    /// [`Handler::intake`]: super::Handler::intake
    pub body_bytes_max: usize,
    /// All buffers of one worker together (256 MiB): bodies that need more get 503, and a client that leaves more of its
    /// answers unread is cut.
    pub buffers_bytes_max: usize,
    /// Connections of all workers together. `None`: the limit of open descriptors less a reserve of max(64, a
    /// sixteenth), the reserve being at most a quarter.
    pub connections_max: Option<usize>,

    /// From the first byte of a head, or from the connection if none came, to the head's end (10 s): 408.
    pub head_time: Duration,
    /// Between an answer and the next request (75 s): closed.
    pub idle_time: Duration,
    /// From a whole request to its answer, when the handler answers later (60 s): 503. [`ResponseWriter::deadline`] says
    /// otherwise for one request.
    ///
    /// [`ResponseWriter::deadline`]: super::ResponseWriter::deadline
    pub handler_time: Duration,
    /// How slowly bodies may come and answers may be read.
    pub progress: Progress,
    /// How long a closing connection is read so that the client can read its answer.
    pub linger: Linger,

    /// Bytes that one connection may receive before it is others' turn (256 KiB).
    pub receive_budget: usize,
    /// Bytes that one connection may send before it is others' turn (256 KiB).
    pub send_budget: usize,
    /// Requests that one connection may have answered before it is others' turn (256).
    pub request_budget: usize,
    /// Bytes that all connections of a worker may send in one turn of the loop (1 MiB). One that owes nothing may send
    /// 16 KiB all the same.
    pub turn_send_budget: usize,
    /// Connections that are accepted in one turn (64).
    pub accept_budget: usize,
    /// Answers that were put off, wakes of streams, messages and connections from elsewhere that are taken in one turn (512).
    pub message_budget: usize,
    /// Messages that wait for one function of [`Local::mailbox`](super::Local::mailbox) (4,096).
    pub mailbox_messages_max: usize,

    /// From the start of a drain to the end of the TCP listeners (200 ms). No handshake begins any more, but a client
    /// whose round trip is shorter than this has finished the one that it believes to be over.
    pub last_calls: Duration,
    /// From the start of a drain to the FIN on idle connections (1 s): requests on their way are still served.
    pub drain_grace: Duration,
    /// From the start of a drain to its end, when what is left is cut (25 s).
    pub drain_time: Duration,
}

/// The stall rule of bodies and answers: the deadline starts at now + `start`, and n bytes of progress move it to
/// min(deadline + n / `bytes_per_second`, now + `most`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What a transfer starts with (10 s).
    pub start: Duration,
    /// The least rate that keeps a transfer alive (256).
    pub bytes_per_second: u32,
    /// The most that a transfer can have in store (30 s).
    pub most: Duration,
}

/// Bounds on reading from a client that has got its last answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linger {
    /// Without a byte (2 s).
    pub silence: Duration,
    /// In all (5 s).
    pub time: Duration,
    /// In all (16 MiB).
    pub bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            http: http::Limits::default(),
            body_bytes_max: 1 << 20,
            buffers_bytes_max: 256 << 20,
            connections_max: None,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            handler_time: Duration::from_secs(60),
            progress: Progress {
                start: Duration::from_secs(10),
                bytes_per_second: 256,
                most: Duration::from_secs(30),
            },
            linger: Linger {
                silence: Duration::from_secs(2),
                time: Duration::from_secs(5),
                bytes_max: 16 << 20,
            },
            receive_budget: 256 << 10,
            send_budget: 256 << 10,
            request_budget: 256,
            turn_send_budget: 1 << 20,
            accept_budget: 64,
            message_budget: 512,
            mailbox_messages_max: 4096,
            last_calls: Duration::from_millis(200),
            drain_grace: Duration::from_secs(1),
            drain_time: Duration::from_secs(25),
        }
    }
}

impl Limits {
    /// With budgets of at least one: with none, there would be work left for ever, and none of it done.
    pub(super) fn with_budgets(mut self) -> Limits {
        for budget in [
            &mut self.receive_budget,
            &mut self.send_budget,
            &mut self.request_budget,
            &mut self.turn_send_budget,
            &mut self.accept_budget,
            &mut self.message_budget,
            &mut self.mailbox_messages_max,
        ] {
            *budget = (*budget).max(1);
        }
        self
    }
}

/// How many connections `descriptors` open files allow: some are kept for files, logs and whatever else the process
/// opens.
pub(super) fn connections_within(descriptors: u64) -> usize {
    let reserve = (descriptors / 16).max(64).min(descriptors / 4);
    usize::try_from(descriptors - reserve).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::connections_within;

    #[test]
    fn the_reserve_is_a_sixteenth_at_least_64_and_at_most_a_quarter() {
        for (descriptors, connections) in
            [(64, 48), (256, 192), (1024, 960), (20_000, 18_750), (0, 0)]
        {
            assert_eq!(connections_within(descriptors), connections);
        }
    }
}

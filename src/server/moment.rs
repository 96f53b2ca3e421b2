//! What the loop knows of when a request has come.

/// A moment by which the first byte of a request had surely come: the end of the loop's last wait, or a later receive. Of
/// two, the later one is greater. Had from [`ResponseWriter::moment`](super::ResponseWriter::moment).
///
/// It is for handlers that remember what they have looked up elsewhere, and must not answer with what is older than the
/// request. What was looked up for a request holds for every request whose moment is not later: each of those had begun to
/// come before the look. For one with a later moment it has to be looked up again.
///
/// It costs nothing. Requests that come one at a time on many connections share the moments of the turns in which they are
/// answered; one behind another in the same bytes, or in bytes that no event of this turn has announced, may have been sent
/// after the wait, and has a moment of its own, shared with those that came in the same receive.
///
/// ```
/// use edgeloop::server::Moment;
/// use edgeloop::{Reply, Request, ResponseWriter};
///
/// struct Prices {
///     looked: Option<Moment>,
///     text: String,
/// }
///
/// impl edgeloop::Handler for Prices {
///     fn on_request(&mut self, _: &Request, res: ResponseWriter) -> Reply {
///         let moment = res.moment();
///         if self.looked < Some(moment) {
///             self.text = std::env::temp_dir().display().to_string(); // whatever may have changed
///             self.looked = Some(moment);
///         }
///         res.status(200).text(&self.text)
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// Gives each request of a worker its moment.
#[derive(Debug)]
pub(super) struct Moments {
    last: Moment,
    /// The end of this turn's wait.
    waited: Moment,
    /// A session was driven in this turn by other things than its event, and may have received what its event tells of.
    resumed: bool,
    /// The next receive is the one that an event of this turn has announced.
    announced: bool,
    /// By which the next byte to be looked at had come, and by which all had that were received.
    first: Moment,
    rest: Moment,
    /// Of the request that is about to be answered. `None`: nobody has said.
    of_request: Option<Moment>,
}

/// How a session comes to be driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driven {
    /// An event of this turn says that there is something to receive, and nothing is held of what came before.
    ByArrival,
    /// Whatever else.
    Otherwise,
}

impl Moments {
    pub(super) fn new() -> Moments {
        let begin = Moment(0);
        Moments {
            last: begin,
            waited: begin,
            resumed: false,
            announced: false,
            first: begin,
            rest: begin,
            of_request: None,
        }
    }

    #[inline]
    fn next(&mut self) -> Moment {
        self.last = Moment(self.last.0 + 1);
        self.last
    }

    /// The loop has waited.
    #[inline]
    pub(super) fn begin_turn(&mut self) {
        self.waited = self.next();
        self.resumed = false;
    }

    /// The run queue goes on.
    pub(super) fn resume(&mut self) {
        self.resumed = true;
    }

    /// A session is driven.
    #[inline]
    pub(super) fn drive(&mut self, driven: Driven) {
        self.announced = driven == Driven::ByArrival && !self.resumed;
        if !self.announced {
            // It may hold what came in this turn.
            self.first = self.next();
            self.rest = self.first;
        }
        self.of_request = None;
    }

    /// Something was received.
    #[inline]
    pub(super) fn receive(&mut self) {
        self.rest = self.next();
        self.first = if self.announced {
            self.waited
        } else {
            self.rest
        };
        self.announced = false;
    }

    /// So many bytes were looked at: by when the first of them had come.
    #[inline]
    pub(super) fn pass(&mut self, bytes: usize) -> Moment {
        let moment = self.first;
        if bytes > 0 {
            self.first = self.rest;
        }
        moment
    }

    /// A request is about to be answered whose first byte had come by then.
    #[inline]
    pub(super) fn begin_request(&mut self, moment: Moment) {
        self.of_request = Some(moment);
    }

    /// That of the request that is answered; if nobody has said, the present.
    #[inline]
    pub(super) fn of_request(&mut self) -> Moment {
        match self.of_request.take() {
            Some(moment) => moment,
            None => self.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of so many requests, one behind the other.
    fn asked(moments: &mut Moments, requests: usize) -> Vec<Moment> {
        let ask = |_| {
            let moment = moments.pass(40);
            moments.begin_request(moment);
            moments.of_request()
        };
        (0..requests).map(ask).collect()
    }

    #[test]
    fn the_first_request_of_an_announced_receive_is_of_the_wait_and_all_others_are_later() {
        let mut moments = Moments::new();
        moments.begin_turn();
        let waited = moments.waited;
        let mut later = Vec::new();
        for _ in 0..2 {
            moments.drive(Driven::ByArrival);
            moments.receive();
            let seen = asked(&mut moments, 3);
            assert_eq!(seen[0], waited);
            assert_eq!(seen[1], seen[2], "one receive");
            later.push(seen[1]);
            // Received again, and received by somebody who was not announced.
            for driven in [None, Some(Driven::Otherwise)] {
                if let Some(driven) = driven {
                    moments.drive(driven);
                }
                moments.receive();
                later.extend(asked(&mut moments, 1));
            }
            // Not received in this turn, or not in this drive: held.
            moments.drive(Driven::Otherwise);
            later.extend(asked(&mut moments, 1));
        }
        assert!(later.iter().all(|it| *it > waited), "{later:?}");
        assert!(later.is_sorted(), "{later:?}");
        let last = *later.last().expect("some");
        moments.begin_turn();
        assert!(moments.waited > last);
    }

    /// The end of a body, and then a request: its bytes are not the first.
    #[test]
    fn a_request_behind_other_bytes_is_later() {
        let mut moments = Moments::new();
        moments.begin_turn();
        moments.drive(Driven::ByArrival);
        moments.receive();
        assert_eq!(moments.pass(0), moments.waited, "a head that is not whole");
        assert_eq!(moments.pass(5), moments.waited);
        assert!(asked(&mut moments, 1)[0] > moments.waited);
    }

    #[test]
    fn what_the_run_queue_may_have_received_is_announced_to_nobody() {
        let mut moments = Moments::new();
        moments.begin_turn();
        let waited = moments.waited;
        moments.resume();
        moments.drive(Driven::ByArrival);
        moments.receive();
        assert!(asked(&mut moments, 1)[0] > waited);
    }

    #[test]
    fn an_answer_that_nobody_has_vouched_for_is_of_now() {
        let mut moments = Moments::new();
        moments.begin_turn();
        let (one, other) = (moments.of_request(), moments.of_request());
        assert!(moments.waited < one && one < other);
    }
}

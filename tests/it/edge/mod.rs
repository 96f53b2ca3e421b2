//! The rules of edge-triggered epoll, on real sockets: each test is named as the sentence that it proves.
//!
//! Most servers here are turned by hand, in the thread of the test, so what happens in a turn can be counted. What could
//! hang a turn is served by another thread. `tests/break_edge_rules.py` breaks the rules one at a time and shows that these
//! tests notice.

mod client;
mod serve;

mod budgets;
mod chaos;
mod endings;
mod exhausted;
mod faults;
mod reactor;
mod readiness;

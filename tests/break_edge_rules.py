#!/usr/bin/env python3
"""Breaks the rules of edge-triggered epoll in a copy of the tree, one at a time, and shows that the tests notice.

    tests/break_edge_rules.py [RULE…]        a RULE is a number, `loop` for the reactor's own promises, or `wake` for
                                       that of a session: someone wakes it

Each mutation replaces a text that has to be there exactly once; then the tests that are named for it have to fail.
Exits with 1 when one of them does not, and when a text is not found any more. The work tree is left alone.
"""

import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import breaking  # noqa: E402

BUILD_SECONDS, RUN_SECONDS = 600, 40
# Of the integration tests only these: a mutation is built in seconds.
ONLY = "//! The rules of edge-triggered epoll.\n\nmod edge;\n"

SESSION, WORKER, ACCEPT = "src/server/session.rs", "src/server/worker.rs", "src/server/accept.rs"
ADVANCE = "            match self.parse_held(cx, budget) {\n"
NOTE = "        self.note(ready);\n        let arrival = "

# Rule, what is broken, file, text, what stands in its place, tests of which one at least has to fail.
MUTATIONS = [
    ("1", "connections are level-triggered", "src/sys/epoll.rs",
     "Interest(Self::READ.0 | Self::PEER_CLOSED.0 | Self::EDGE.0);",
     "Interest(Self::READ.0 | Self::PEER_CLOSED.0);",
     ["rule_1_what_nobody_reads"]),
    ("1", "OUT is armed from birth", ACCEPT,
     "reactor.register(&session.transport.0, token, Interest::STREAM)",
     "reactor.register(&session.transport.0, token, Interest::STREAM | Interest::WRITE)",
     ["rule_1_a_connection_is_registered_once"]),
    ("2", "a short read is a drained one, even before an end", SESSION,
     "if received < input.len() && !self.ready.intersects(Ready::END) {",
     "if received < input.len() {",
     ["rule_2_a_request_and_the_end"]),
    ("2", "RDHUP is not asked for", "src/sys/epoll.rs",
     "Interest(Self::READ.0 | Self::PEER_CLOSED.0 | Self::EDGE.0);",
     "Interest(Self::READ.0 | Self::EDGE.0);",
     ["rule_2_a_request_and_the_end"]),
    ("2", "a read that fills the buffer is a drained one", SESSION,
     "if received < input.len() && !self.ready.intersects(Ready::END) {",
     "if !self.ready.intersects(Ready::END) {",
     ["rule_2_sizes_around_the_receive_buffer"]),
    ("3", "OUT is never armed", WORKER,
     "if session.watched == Watched::Reading && !session.ready.contains(Ready::WRITE) {",
     "if false {",
     ["rule_3_a_slow_reader", "rule_3_room_that_comes"]),
    ("3", "OUT that is told is not noted", SESSION,
     "        self.ready.insert(ready);\n",
     "        let mut ready = ready;\n        ready.remove(Ready::WRITE);\n        self.ready.insert(ready);\n",
     ["rule_3_a_slow_reader"]),
    ("4", "listeners are edge-triggered", WORKER,
     "reactor.register(&listener.fd, listener.token, Interest::READ)?;",
     "reactor.register(&listener.fd, listener.token, Interest::READ | Interest::EDGE)?;",
     ["rule_4_more_connections"]),
    ("4", "accepting has no budget", WORKER,
     "self.accept_ready(reactor, self.shared.limits.accept_budget);",
     "self.accept_ready(reactor, usize::MAX);",
     ["rule_4_more_connections"]),
    ("5", "without descriptors, accepting does not pause", ACCEPT,
     "        listener.state = Accepting::Paused;\n",
     "        listener.state = Accepting::Idle;\n        if true {\n            return;\n        }\n",
     ["rule_5_without_descriptors"]),
    ("5", "a pause has no end", ACCEPT,
     "            if listener.state == Accepting::Paused {\n",
     "            if false {\n",
     ["rule_5_without_descriptors"]),
    ("5", "a broken listener is tried again", ACCEPT,
     "                listener.state = Accepting::Broken;\n                let _ = reactor.deregister(&listener.fd);\n",
     "                listener.state = Accepting::Idle;\n",
     ["rule_5_a_listener_that_breaks"]),
    ("6", "HUP and ERR close at once", SESSION, NOTE,
     "        if ready.intersects(Ready::HANGUP | Ready::ERROR) {\n            return Next::Close(CloseReason::Reset);\n        }\n" + NOTE,
     ["rule_6_what_was_sent_before_a_reset", "rule_6_what_was_sent_before_a_hang_up"]),
    ("6", "RDHUP is an abort", SESSION, NOTE,
     "        if ready.intersects(Ready::PEER_CLOSED) {\n            return Next::Close(CloseReason::Reset);\n        }\n" + NOTE,
     ["rule_6_a_client_that_has_only_finished", "rule_6_a_late_answer_reaches"]),
    ("6", "a late answer outlives its client", SESSION,
     "                if self.ready.intersects(Ready::HANGUP | Ready::ERROR) {\n                    return Err(CloseReason::Reset);\n                }\n",
     "",
     ["rule_6_a_late_answer_is_given_up"]),
    ("7", "no lingering", "src/server/closing.rs",
     "        if self.ended {\n            return done;\n        }\n        let limits = &shared.limits.linger;\n",
     "        if true {\n            return done;\n        }\n        let limits = &shared.limits.linger;\n",
     ["rule_7_a_client_that_sends", "rule_7_bytes_that_come_after"]),
    ("7", "lingering without a FIN", "src/server/closing.rs",
     "self.transport.finish().is_err()",
     "false",
     ["rule_7_bytes_that_come_after"]),
    ("7", "lingering counts no bytes", "src/server/closing.rs",
     "Some(left) if !self.ended => *bytes_left = left,",
     "Some(_) if !self.ended => {}",
     ["rule_7_lingering_ends_after_its_bytes"]),
    ("8", "what is held waits for an edge", SESSION, ADVANCE,
     "            if matches!(self.held, Held::Raw(_)) && !self.ready.contains(Ready::READ) {\n                return Ok(Next::Wait);\n            }\n" + ADVANCE,
     ["rule_8_what_stands_behind_a_late_answer"]),
    ("8", "what a budget left over waits for an edge", SESSION,
     "                Parsed::Enough => return Ok(Next::Again),\n",
     "                Parsed::Enough => return Ok(Next::Wait),\n",
     ["rule_8_pipelined_requests"]),
    ("9", "no budget of requests", SESSION,
     "self.requests == 0 || self.send == 0",
     "self.send == 0",
     ["rule_9_a_greedy_pipeliner"]),
    ("9", "no budget of bytes in", SESSION,
     "budget.receive == 0 || budget.answers_are_spent()",
     "budget.answers_are_spent()",
     ["rule_9_a_greedy_sender"]),
    ("9", "no budget of bytes out", "src/server/flush.rs",
     "budget.send = budget.send.saturating_sub(bytes);",
     "let _ = (budget, bytes);",
     ["rule_9_a_connection_sends"]),
    ("9", "no budget of a turn", "src/server/shared.rs",
     "self.send_budget = self.send_budget.saturating_sub(bytes);",
     "let _ = bytes;",
     ["rule_9_all_connections_together"]),
    ("9", "a spent budget does not end the run queue", WORKER,
     "        self.shared.send_budget > 0\n",
     "        true\n",
     ["the_budget_of_a_turn_goes_round"]),
    ("10", "send without MSG_NOSIGNAL", "src/sys/socket.rs",
     "        More::No => MsgFlags::MSG_NOSIGNAL,\n",
     "        More::No => MsgFlags::empty(),\n",
     ["rule_10_a_client_that_goes_away"]),
    ("10", "sendfile although SIGPIPE would end the process", "src/server/shared.rs",
     "sendfile: !signal::sigpipe_is_default(),",
     "sendfile: signal::sigpipe_is_default() || true,",
     ["rule_10_a_client_that_goes_away"]),
    ("10", "accepted descriptors are not close-on-exec", "src/sys/socket.rs",
     "    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;\n    let mut storage",
     "    let flags = libc::SOCK_NONBLOCK;\n    let mut storage",
     ["rule_10_descriptors"]),
    ("10", "accepted descriptors block", "src/sys/socket.rs",
     "    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;\n    let mut storage",
     "    let flags = libc::SOCK_CLOEXEC;\n    let mut storage",
     ["rule_10_descriptors"]),
    ("loop", "a waiting loop counts as awake", "src/reactor/mailbox.rs",
     "self.0.state.swap(0, Ordering::AcqRel) & MAIL != 0",
     "self.0.state.swap(AWAKE, Ordering::AcqRel) & MAIL != 0",
     ["mail_wakes_a_waiting_loop", "two_loops_wake", "a_reactor_nests"]),
    ("loop", "every post writes the eventfd", "src/reactor/mailbox.rs",
     "if self.0.state.fetch_or(MAIL, Ordering::AcqRel) == 0 {",
     "if self.0.state.fetch_or(MAIL, Ordering::AcqRel) < 4 {",
     ["a_post_within_a_turn"]),
    ("loop", "waits are rounded down", "src/sys/epoll.rs",
     "time.as_nanos().div_ceil(1_000_000)",
     "(time.as_nanos() / 1_000_000)",
     ["deadlines_are_met_in_order"]),
    ("loop", "stale tokens find what has their slot", "src/reactor/table.rs",
     "        match self.slots.get(token.index()) {\n            Some(slot) if slot.token == token => Some(&slot.value),\n            Some(_) | None => None,\n",
     "        match self.slots.get(token.index()) {\n            Some(slot) => Some(&slot.value),\n            None => None,\n",
     ["a_stale_token_finds_nothing"]),
    ("wake", "a budget ends inside a request", SESSION,
     "            if matches!(self.conn.stage(), Stage::Head { .. })\n                && (",
     "            if true\n                && (",
     ["a_budget_of_requests_that_ends", "a_loop_at_rest"]),
    ("wake", "a late tail takes the place of what is unsent", "src/server/answer.rs",
     "                    Pending::Output(output) => output.follow(tail, wakes),\n",
     "                    Pending::Output(output) => {\n                        **output = Output::default();\n"
     "                        output.follow(tail, wakes);\n                    }\n",
     ["a_late_answer_from_memory", "a_loop_at_rest"]),
    ("wake", "an answer that was encoded is not sent on", "src/server/flush.rs",
     "            Ok(Flushed::Blocked | Flushed::Enough) | Err(_) => {\n",
     "            Ok(Flushed::Enough) => drop(output),\n            Ok(Flushed::Blocked) | Err(_) => {\n",
     ["a_loop_at_rest"]),
]


def main():
    wanted = sys.argv[1:]
    mutations = [one for one in MUTATIONS if not wanted or one[0] in wanted]
    if not mutations:
        sys.exit(f"no such rule: {' '.join(wanted)}")
    with tempfile.TemporaryDirectory(prefix="edgeloop-rules-") as scratch:
        scratch = Path(scratch)
        breaking.copy_tree(scratch)
        (scratch / "tests/it/main.rs").write_text(ONLY)
        environment = breaking.environment(CARGO_PROFILE_TEST_DEBUG="0", CARGO_INCREMENTAL="1")
        tests = sorted({test for one in mutations for test in one[5]})
        if run(scratch, environment, tests, verbose=True) != "passes":
            sys.exit("the tests do not pass on the tree as it is")
        rows = [(*one[:2], " ".join(one[5]), attempt(scratch, environment, one)) for one in mutations]
    breaking.print_table(("rule", "mutation", "test", "caught"), rows)
    missed = [row for row in rows if not row[3].startswith("yes")]
    print(f"{len(rows) - len(missed)} of {len(rows)} caught")
    sys.exit(1 if missed else 0)


def attempt(scratch, environment, mutation):
    rule, what, name, text, instead, tests = mutation
    result = breaking.with_changes(scratch, [(name, text, instead)], lambda: run(scratch, environment, tests))
    print(f"rule {rule}, {what}: {result}", file=sys.stderr)
    return {"fails": "yes", "hangs": "yes, hangs", "passes": "NO"}.get(result, f"NO: {result.removeprefix('NO: ')}")


def run(scratch, environment, tests, verbose=False):
    """Whether the tests pass, fail, hang, or can't be built. Ends everything that it starts."""
    command = ["cargo", "test", "--quiet", "--no-default-features", "--test", "it"]
    built, output = breaking.bounded(command + ["--no-run"], scratch, environment, BUILD_SECONDS)
    if built != 0:
        print(output, file=sys.stderr)
        return "it does not build"
    filters = [f"edge::{module}::{test}" for test in tests for module in MODULES]
    status, output = breaking.bounded(command + ["--", *filters], scratch, environment, RUN_SECONDS)
    if status is None:
        return "hangs"
    if status == 0 and "running 0 tests" in output:
        return "there is no such test"
    if status != 0 and verbose:
        print(output, file=sys.stderr)
    return "passes" if status == 0 else "fails"


MODULES = ["budgets", "chaos", "endings", "exhausted", "faults", "reactor", "readiness"]


if __name__ == "__main__":
    main()

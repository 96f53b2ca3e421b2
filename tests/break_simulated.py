#!/usr/bin/env python3
"""Breaks the server in a copy of the tree, one slip at a time, and shows that the simulation notices.

    tests/break_simulated.py [WORD…]         only mutations that have one of the words in their name or their file
    SEEDS=n tests/break_simulated.py         seeds for each of them at most, 2,000 unless said

Each mutation replaces texts that have to be there exactly once; then whole servers run in simulated worlds, from seed 1
on, until one goes wrong, and after them the other tests of the simulation. Nothing else is built or run. Exits with 1
when a mutation survives, and when a text is not found any more. The work tree is left alone.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import breaking  # noqa: E402

BUILD_SECONDS, RUN_SECONDS = 900, 500
SEEDS = os.environ.get("SEEDS", "2000")
# Without the binary, and of the integration tests only these: a mutation is built in seconds.
COMMAND = ["cargo", "test", "--quiet", "--no-default-features", "--features", "sim,web", "--test", "it"]
# Whatever of the other tests the simulation uses stands here too; a name that is missing does not build.
ONLY = "//! The simulation, and what it needs of the rest.\n\nmod alloc;\nmod http;\nmod sim;\nmod source;\n"
ALL_SEEDS = "sim::seeds::"

REACTOR, WORKER, ACCEPT = "src/reactor/turn.rs", "src/server/worker.rs", "src/server/accept.rs"
DEADLINES, PATIENCE, CLOSING = "src/reactor/deadlines.rs", "src/server/patience.rs", "src/server/closing.rs"
SESSION, ANSWER, FLUSH = "src/server/session.rs", "src/server/answer.rs", "src/server/flush.rs"
INFLOW, OUTPUT, DRAIN, CONN = "src/server/inflow.rs", "src/server/output.rs", "src/server/drain.rs", "src/http/conn.rs"
DECODE, ENCODE = "src/http/decode.rs", "src/http/encode.rs"
FILES, AHEAD, RANGES = "src/web/files/disk.rs", "src/web/files/ahead.rs", "src/web/files/answer.rs"
POOL, QUEUE = "src/server/pool.rs", "src/server/pool/queue.rs"

# What is broken, file, text, what stands in its place; further texts of the same file may follow.
MUTATIONS = [
    # The reactor.
    ("the run queue loses whoever the budget stops at", REACTOR,
     "            if !driver.may_resume() {\n                break;\n            }\n"
     "            if let Some(token) = self.run_queue.pop_front() {\n",
     "            let first = self.run_queue.pop_front();\n            if !driver.may_resume() {\n"
     "                break;\n            }\n            if let Some(token) = first {\n"),
    ("the run queue is run until it is empty", REACTOR,
     "        for _ in 0..leftover {\n", "        let _ = leftover;\n        while !self.run_queue.is_empty() {\n"),
    ("the run queue keeps its last one", REACTOR,
     "for _ in 0..leftover {", "for _ in 1..leftover {"),
    ("a loop with work left waits", REACTOR,
     "let until_due = if self.has_leftover() {\n            Some(Duration::ZERO)\n",
     "let until_due = if self.has_leftover() {\n            None\n"),
    ("what a turn leaves of its mail waits for an event", REACTOR,
     "!self.run_queue.is_empty() || !self.mail.is_empty()\n", "!self.run_queue.is_empty()\n"),
    ("mail is looked at only when there were events", REACTOR,
     "let has_mail = self.mailbox.last_look();", "let has_mail = count > 0 && self.mailbox.last_look();"),
    ("one message a turn, the others are lost", REACTOR,
     "            driver.on_message(self, message);\n        }\n",
     "            driver.on_message(self, message);\n            self.mail.clear();\n        }\n"),
    ("a waiting loop counts as awake", "src/reactor/mailbox.rs",
     "self.0.state.swap(0, Ordering::AcqRel) & MAIL != 0", "self.0.state.swap(AWAKE, Ordering::AcqRel) & MAIL != 0"),
    ("a deadline that was moved is not put back", DEADLINES,
     "                self.heap.push(Reverse((slot.at, index)));\n", ""),
    ("an earlier deadline is not put into the heap", DEADLINES,
     "if at < slot.armed {", "if slot.armed == Instant::NEVER {"),
    ("stale tokens find what has their slot", "src/reactor/table.rs",
     "            Some(slot) if slot.token == token => Some(&mut slot.value),\n            Some(_) | None => None,\n",
     "            Some(slot) => Some(&mut slot.value),\n            None => None,\n"),
    ("the wait is rounded down", "src/sys/epoll.rs",
     "time.as_nanos().div_ceil(1_000_000)", "(time.as_nanos() / 1_000_000)"),
    # Readiness.
    ("a short read clears readiness although an end is near", SESSION,
     "if received < input.len() && !self.ready.intersects(Ready::END) {", "if received < input.len() {"),
    ("EAGAIN of a receive leaves it ready", SESSION,
     "                io::ErrorKind::WouldBlock => {\n                    self.ready.remove(Ready::READ);\n",
     "                io::ErrorKind::WouldBlock => {\n"),
    ("EAGAIN of a send leaves it ready", FLUSH,
     "io::ErrorKind::WouldBlock => self.ready.remove(Ready::WRITE),", "io::ErrorKind::WouldBlock => {}"),
    ("EINTR of a send waits for an edge", FLUSH,
     "io::ErrorKind::Interrupted => budget.send = 0,", "io::ErrorKind::Interrupted => self.ready.remove(Ready::WRITE),"),
    ("EINTR of a receive breaks the connection", SESSION,
     "io::ErrorKind::Interrupted => {", "io::ErrorKind::InvalidInput => {"),
    ("OUT is not asked for when a send was short", WORKER,
     "let interest = Interest::STREAM | Interest::WRITE;", "let interest = Interest::STREAM;"),
    ("readiness that comes while it is queued is forgotten", WORKER,
     "                    session.note(ready);\n", "                    let _ = ready;\n"),
    ("who was queued once counts as queued for ever", WORKER,
     "            session.queued = false;\n", ""),
    ("a hang-up does not end who waits for a late answer", SESSION,
     "                if self.ready.intersects(Ready::HANGUP | Ready::ERROR) {\n"
     "                    return Err(CloseReason::Reset);\n                }\n", ""),
    # Accepting.
    ("a listener that was paused is not watched again", ACCEPT,
     "            if listener.state == Accepting::Paused {\n", "            if false {\n"),
    ("a pause ends only when a connection does", ACCEPT,
     "        reactor.set_deadline(RESUME, reactor.now() + PAUSE);\n        self.observer.trouble(trouble);\n",
     "        self.observer.trouble(trouble);\n"),
    ("listeners are edge-triggered", WORKER,
     "reactor.register(&listener.fd, listener.token, Interest::READ)?;",
     "reactor.register(&listener.fd, listener.token, Interest::READ | Interest::EDGE)?;"),
    ("a new connection has no deadline", ACCEPT,
     "            session.wait(&self.shared);\n            reactor.set_deadline(token, session.patience.until());\n",
     "            session.wait(&self.shared);\n"),
    ("whoever waits for anything makes room", ACCEPT,
     "matches!(waiting, Waiting::FirstByte | Waiting::Idle) && !session.queued", "!session.queued"),
    ("a request that has come does not keep from being evicted", ACCEPT,
     "                && session.has_unread() == Some(false)\n", ""),
    # Budgets.
    ("requests cost no budget", SESSION, "budget.requests -= 1;", "budget.requests -= 0;"),
    ("bytes cost a connection no budget", FLUSH,
     "    budget.send = budget.send.saturating_sub(bytes);\n", "    let _ = budget;\n"),
    ("the budget of a turn is not renewed", "src/server/shared.rs",
     "        self.send_budget = self.limits.turn_send_budget;\n", ""),
    ("a spent budget waits for an edge", SESSION,
     "                Parsed::Enough => return Ok(Next::Again),\n", "                Parsed::Enough => return Ok(Next::Wait),\n"),
    # Sending.
    ("answers go on while earlier ones are unread", SESSION,
     "                Flushed::Blocked => return Ok(Next::Wait),\n                Flushed::Enough",
     "                Flushed::Blocked if cx.shared.out.is_empty() && matches!(self.conn.stage(), Stage::Head { .. }) => {}\n"
     "                Flushed::Blocked => return Ok(Next::Wait),\n                Flushed::Enough",
     "None => !self.awaits.is_nobody() || !matches!(self.pending, Pending::Nothing),",
     "None => !self.awaits.is_nobody() || matches!(self.pending, Pending::Linger { .. }),"),
    ("a connection closes although output pends", SESSION,
     "                Flushed::Blocked => return Ok(Next::Wait),\n                Flushed::Enough",
     "                Flushed::Blocked if matches!(self.conn.stage(), Stage::Closing(_)) => {}\n"
     "                Flushed::Blocked => return Ok(Next::Wait),\n                Flushed::Enough"),
    ("what was sent of an answer is kept too", FLUSH,
     "self.keep(&shared.out[sent..], &mut shared.pool)?;", "self.keep(&shared.out, &mut shared.pool)?;"),
    ("what one send did not take is dropped", FLUSH,
     "                    output.keep(&shared.out[sent..], &mut shared.pool);\n", ""),
    ("a sendfile that was short does not move the offset", OUTPUT,
     "                *at += sent as u64;\n                *left", "                *at += if sent == part { sent as u64 } else { 0 };\n                *left"),
    ("a file that ends before its time is tried again", OUTPUT,
     "                    Ok(0) => return Err(Failed::Content),\n                    Ok(sent)", "                    Ok(sent)"),
    ("a file that is read moves as far as was asked for", OUTPUT,
     "                *at += read as u64;\n", "                *at += part as u64;\n"),
    ("an answer that is cut ends in a FIN", CLOSING,
     "            let _ = self.transport.reset(); // one that is broken needs none\n", ""),
    ("a source that fails is one that ends", OUTPUT,
     "(Pull::End, false) => {", "(Pull::End | Pull::Failed, false) => {"),
    ("a late tail takes the place of what is unsent", ANSWER,
     "                    Pending::Output(output) => output.follow(tail, wakes),\n",
     "                    Pending::Output(output) => {\n                        **output = Output::default();\n"
     "                        output.follow(tail, wakes);\n                    }\n"),
    # Answers.
    ("a completer answers whatever exchange it finds", ANSWER,
     "        if self.conn.serial() != exchange {\n            return None;\n        }\n        let mut deferred",
     "        if exchange == 0 {\n            return None;\n        }\n        let mut deferred"),
    ("who was answered late still waits", ANSWER,
     "        drop(deferred);\n        let begin", "        self.awaits.set(Party::Answer(deferred));\n        let begin"),
    ("a completer that is too late answers again", ANSWER,
     "        self.forget_deferred(cx.shared);\n        self.give_up_sink", "        self.give_up_sink"),
    ("a request has the time of all others", SESSION,
     "                    self.patience.set(until);\n", "                    let _ = until;\n"),
    ("an answer that is put off again has more time", ANSWER,
     "        cx.shared.added.begin(deferred.added.take());\n",
     "        cx.shared.added.begin(deferred.added.take());\n        cx.shared.added.set_answer_by(crate::sys::Instant::NEVER);\n"),
    ("a continuation outlives its request", ANSWER,
     "        self.forget_deferred(cx.shared);\n        self.give_up_sink",
     "        std::mem::forget(self.awaits.take_deferred());\n        self.give_up_sink"),
    # The pool.
    ("jobs are run for nobody", POOL,
     "let waits = client.get() != Client::Gone;", "let waits = true;"),
    ("a job that was given up counts as one whose client has gone", POOL,
     "match (client.settle(), waits) {", "match (client.settle() || !waits, waits) {"),
    ("who finds no thread is not told", POOL, "job.task.into_inner().refuse()", "drop(job)"),
    ("a thread that goes is counted on", POOL, "                queue.leave();\n", ""),
    ("a thread that did not start is counted on", QUEUE,
     "        self.leave();\n        self.failed_starts += 1;\n", "        self.failed_starts += 1;\n"),
    ("the queue is full before it is", QUEUE,
     "jobs < lane.running_max.saturating_add(lane.queue_max)", "jobs + 1 < lane.running_max.saturating_add(lane.queue_max)"),
    ("a handler's panic is the loop's", ANSWER,
     "let answered = contain(move || answer(handler, writer));", "let answered = Some(answer(handler, writer));"),
    ("a connection goes on after a handler's panic", ANSWER,
     "        } else if matches!(trouble, Trouble::HandlerPanicked) {\n            self.conn.close_after_answer();\n        }\n",
     "        }\n"),
    ("what was begun of a bad answer is sent with the 500", ANSWER,
     "        cx.observer.trouble(trouble);\n        cx.shared.out.truncate(begin);\n",
     "        cx.observer.trouble(trouble);\n        let _ = begin;\n"),
    ("a body takes what stands behind it along", ANSWER,
     "        self.handle(cx, &Request::new(head, body, Fields::default(), self.peer));\n        used\n",
     "        self.handle(cx, &Request::new(head, body, Fields::default(), self.peer));\n        used.max(rest.len())\n"),
    ("what came behind a request with a late answer is dropped", SESSION,
     "        if used < received.len() {\n            self.held", "        if used < received.len() && self.awaits.deferred().is_none() {\n            self.held"),
    ("what is held behind an answer is forgotten", SESSION,
     "            bytes.drain(..used);\n            self.held = Held::Raw(bytes);\n",
     "            bytes.drain(..used);\n            if self.awaits.deferred().is_none() {\n                self.held = Held::Raw(bytes);\n            }\n"),
    ("a body that is not finished counts as whole", SESSION,
     "            self.answer_reject(cx, reject);\n        }\n        self.finish_duplex(cx)",
     "            let whole = matches!(reject, crate::http::Reject::UnfinishedBody);\n            if whole {\n"
     "                self.answer_held(cx);\n            } else {\n                self.answer_reject(cx, reject);\n            }\n"
     "        }\n        self.finish_duplex(cx)"),
    ("the Date stands still", "src/server/preamble.rs", "if now >= self.until {", "if self.bytes.is_empty() {"),
    ("buffers that come back stay on the account", "src/server/buffers.rs",
     "        self.lent_bytes -= buffer.capacity();\n", ""),
    # Time.
    ("deadlines are rounded down", PATIENCE,
     "self.until.round_up(GRANULARITY)",
     "Instant::from_nanos(self.until.as_nanos() / 100_000_000 * 100_000_000)"),
    ("a head has its time from the connection on", PATIENCE,
     "let begins = waiting != self.waiting || exchange != self.exchange;",
     "let begins = waiting != self.waiting && waiting != Waiting::Head || exchange != self.exchange;"),
    ("a next request does not move the idle deadline", PATIENCE,
     "let begins = waiting != self.waiting || exchange != self.exchange;", "let begins = waiting != self.waiting;"),
    ("a body earns no time", PATIENCE,
     "            self.extend(self.progress, &limits.progress, now);\n", ""),
    ("what a reader has taken earns no time", PATIENCE,
     "        self.extend(bytes, &limits.progress, now);\n        self.until > now", "        let _ = (bytes, limits);\n        self.until > now"),
    ("a reader that takes nothing is waited for", CLOSING,
     "        if self.patience.forgive(progress, &shared.limits, shared.now) {\n",
     "        if self.patience.forgive(progress.max(1 << 10), &shared.limits, shared.now) {\n"),
    # The end.
    ("no lingering", CLOSING,
     "        if self.ended {\n            return done;\n        }\n        let limits = &shared.limits.linger;\n",
     "        if true {\n            return done;\n        }\n        let limits = &shared.limits.linger;\n"),
    ("lingering has no end", CLOSING,
     "until: shared.now + limits.time,", "until: shared.now + limits.time * 1000,"),
    ("a client that asked for the end is kept", CONN,
     "(Reading::Done, Writing::Done, Persist::KeepAlive) => BETWEEN,",
     "(Reading::Done, Writing::Done, Persist::KeepAlive | Persist::PeerCloses) => BETWEEN,"),
    ("a refused request does not end the connection", CONN,
     "            writing: Writing::Head,\n            persist: Persist::WeClose,\n            content,\n            version: Version::Http11,\n",
     "            writing: Writing::Head,\n            persist: Persist::KeepAlive,\n            content,\n            version: Version::Http11,\n"),
    ("an answer that ends with its connection does not end it", CONN,
     "        if encoder == Encoder::UntilClose && !bodiless {\n            exchange.persist = Persist::WeClose;\n        }\n", ""),
    ("a drain leaves idle connections alone", CLOSING,
     "            self.patience\n                .not_after(shared.now + shared.limits.drain_grace);\n", ""),
    ("a drain cuts whatever is open", DRAIN,
     "                reactor.set_deadline(DRAIN, end);\n                self.stop_when_done(reactor);\n",
     "                let _ = end;\n                self.stop(reactor);\n"),
    ("a drained server stops while connections are open", DRAIN,
     "            && self.sessions.is_empty()\n", ""),
    ("connections that wait when a drain begins are lost", DRAIN,
     "                self.accept_ready(reactor, queued);\n", "                let _ = queued;\n"),
    # Bytes.
    ("a size has one digit too few", ENCODE,
     "(usize::BITS - data.len().leading_zeros()).div_ceil(4)", "(usize::BITS - data.len().leading_zeros()) / 4"),
    ("HEAD is answered with content", CONN,
     "(Some(_), Content::Sent, Some(content)) =>", "(Some(_), _, Some(content)) =>"),
    ("a body is never all there", DECODE,
     "                *left -= data.len() as u64;\n                let piece", "                let piece"),
    ("a chunk's size forgets its first digits", DECODE, "size: size << 4 | u64::from(digit),", "size: (size << 4 | u64::from(digit)) & 0xff,"),
    ("a trailer's line ends the body", DECODE, "(Line::Lf, b'\\n') => Line::Begin,", "(Line::Lf, b'\\n') => Line::LastLf,"),
    ("an empty line that ends with the first new byte is not seen", CONN,
     "    (begin..input.len())\n", "    (begin + 1..input.len())\n"),
    ("a head that is held is looked at from where it began", CONN,
     "        if input.len() >= limits.head_bytes_max || has_empty_line(input, scanned as usize) {",
     "        if input.len() >= limits.head_bytes_max || has_empty_line(&input[scanned as usize..], 0) {"),
    ("100 Continue is sent whether asked for or not", CONN,
     "            && let (Reading::AwaitContinue(decoder), Writing::Head) =\n",
     "            && let (Reading::AwaitContinue(decoder) | Reading::Body(decoder), Writing::Head) =\n"),
    ("100 Continue is never sent", ANSWER,
     "        self.conn.want_body(&mut cx.shared.out);\n        if length", "        if length"),
    # Streams.
    ("a sink's client is never told to go on", ANSWER,
     "        self.conn.want_body(&mut cx.shared.out);\n        self.begin_sink", "        self.begin_sink"),
    ("a source that is woken is not asked", INFLOW,
     "waits |= std::mem::take(&mut output.asleep);", "waits |= output.asleep;"),
    ("a sink that is woken is not asked", INFLOW,
     "waits |= std::mem::take(&mut inflow.stalled);", "waits |= inflow.stalled;"),
    ("what a sink has no room for is lost", INFLOW,
     "            inflow.unread = cx.shared.pool.keep(&data[bytes..]);\n", ""),
    ("a sink without room is offered more", INFLOW, "            inflow.stalled = true;\n", ""),
    ("a duplex that has taken something is not pulled", INFLOW,
     "        if bytes > 0\n", "        if bytes > usize::MAX - 1\n"),
    ("a duplex that has given something is offered nothing", "src/server/flush.rs",
     "                        if !shared.out.is_empty() {\n                            self.resume_body();\n                        }\n", ""),
    ("earlier answers that are sent take the sink of a body with them", INFLOW,
     "        if let Some(Taker::Duplex(_)) = taker {\n            self.drop_inflow(shared);",
     "        if taker.is_some() {\n            self.drop_inflow(shared);"),
    ("the end of a body that was taken late is not told", SESSION,
     "            Held::Nothing if self.awaits.inflow().is_some() => Vec::new(),\n", ""),
    ("what was taken of a body is given back with the next event", SESSION,
     " || self.can_send() =>", " =>"),
    ("a body that goes wrong ends its duplex in order", SESSION,
     "                Event::Closed if self.awaits.inflow().is_some() => return (at, Parsed::Broken),\n", ""),
    # Files.
    ("a range ends one byte early", RANGES, "(say_all(answer), part.first..part.last + 1)", "(say_all(answer), part.first..part.last)"),
    ("a range begins at the beginning", RANGES, "(say_all(answer), part.first..part.last + 1)", "(say_all(answer), 0..part.last + 1)"),
    ("a file of the very date counts as newer", "src/web/precondition.rs",
     "modified.secs <= since", "modified.secs < since"),
    ("a lookup that was disturbed is not repeated", FILES, "Err(error) if tries < TRIES", "Err(error) if tries > TRIES"),
    ("cold pieces are read by the loop", AHEAD,
     "if reading == Reading::UNTOLD || is_at_hand(&self.file, &bytes) {", "if reading == Reading::UNTOLD || !bytes.is_empty() {"),
    ("only the ends of a piece are looked at", AHEAD, "Ok(is_cached) => is_cached,", "Ok(is_cached) => is_cached || true,"),
    ("cold files are opened by the loop", "src/web/files/serve.rs", "Some(_) => Waiting::Refused,", "Some(_) => Waiting::Allowed,"),
]


def main():
    words = sys.argv[1:]
    mutations = [one for one in MUTATIONS if not words or any(word in one[0] or word in one[1] for word in words)]
    if not mutations:
        sys.exit(f"no mutation has {' or '.join(words)}")
    with tempfile.TemporaryDirectory(prefix="edgeloop-simulated-") as scratch:
        scratch = Path(scratch)
        breaking.copy_tree(scratch)
        (scratch / "tests/it/main.rs").write_text(ONLY)
        environment = breaking.environment(CARGO_PROFILE_TEST_DEBUG="0", CARGO_INCREMENTAL="1", SEEDS=SEEDS, FAILURES="1")
        sound = attempt(scratch, environment)
        if sound != SURVIVES:
            sys.exit(f"the tests do not pass on the tree as it is: {sound}")
        rows = []
        for what, name, *texts in mutations:
            begun = time.monotonic()
            changes = [(name, *texts[at:at + 2]) for at in range(0, len(texts), 2)]
            caught, seed, seen = result(breaking.with_changes(scratch, changes, lambda: attempt(scratch, environment)))
            rows.append((what, name.removeprefix("src/"), caught, seed, f"{time.monotonic() - begun:.0f}", seen))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    breaking.print_table(("mutation", "file", "caught", "seed", "seconds", "what was seen"), rows)
    missed = [row for row in rows if row[2] == "NO"]
    print(f"{len(rows) - len(missed)} of {len(rows)} caught")
    sys.exit(1 if missed else 0)


SURVIVES = ("NO", "", "it survives")


def result(attempted):
    """With what the texts themselves are at fault for."""
    return ("NO", "", attempted) if isinstance(attempted, str) else attempted


def attempt(scratch, environment):
    """Builds, runs the seeds and then the rest: whether something was seen, at which seed, and what."""
    built, output = breaking.bounded(COMMAND + ["--no-run"], scratch, environment, BUILD_SECONDS)
    if built != 0:
        print(output, file=sys.stderr)
        return "NO", "", "it does not build"
    slow = ["sim::faults::", "sim::cuts::"]
    others = ["sim::", *(word for name in [ALL_SEEDS, *slow] for word in ("--skip", name))]
    for which in [[ALL_SEEDS], others, slow]:
        status, output = breaking.bounded(COMMAND + ["--", *which], scratch, environment, RUN_SECONDS)
        if status != 0 or "running 0 tests" in output:
            return seen(which, status, output)
    return SURVIVES


def seen(which, status, output):
    if status is None:
        return "hangs", "", f"not done in {RUN_SECONDS} s"
    failures = re.findall(r"^seed (\d+): (.*)$", output, re.MULTILINE)
    if failures:
        seed, what = min(failures, key=lambda failure: int(failure[0]))
        return "seed", seed, what[:150]
    tests = re.findall(r"^test (\S+) \.\.\. FAILED|^(\S+) --- FAILED|^---- (\S+) stdout", output, re.MULTILINE)
    if tests:
        return "test", "", next(name for name in tests[0] if name)
    if status < 0 or "SIGABRT" in output:
        panics = re.findall(r"panicked at .*\n(.*)", output)
        return "dies", "", panics[0] if panics else "the process ends"
    return "NO", "", f"{' '.join(which)}: status {status}, and nothing that says why"


if __name__ == "__main__":
    main()

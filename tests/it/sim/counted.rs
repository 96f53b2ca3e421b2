//! What a server counts is what the kernel was asked, and what its observer was told.

use edgeloop::Counters;
use edgeloop::sys::sim::{Call, World};

use super::run::{Run, Said};

impl Run {
    /// Of a server that has stopped.
    pub(super) fn check_counters(&self) -> Said<()> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        let counted = server.counters();
        let told = self.watch.sums();
        let mut rows = calls(&self.world, &counted).to_vec();
        rows.extend([
            ("connections begun", counted.opened, told.accepted),
            ("connections ended", counted.closed, told.closed),
            ("requests", counted.requests, told.heads),
            ("answers", counted.answers, told.answered),
        ]);
        let wrong = rows.iter().filter(|(_, ours, theirs)| ours != theirs);
        let wrong: Vec<_> = wrong
            .map(|(what, ours, theirs)| format!("{what}: {ours} counted, and there were {theirs}"))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// What the loop counts of calls, beside what the world has counted.
pub(super) fn calls(world: &World, counted: &Counters) -> [(&'static str, u64, u64); 6] {
    [
        ("epoll_wait", counted.turns, world.calls(Call::EpollWait)),
        (
            "epoll_ctl",
            counted.epoll_ctls,
            world.calls(Call::EpollControl),
        ),
        ("accept4", counted.accepts, world.calls(Call::Accept)),
        ("recv", counted.recvs, world.calls(Call::Recv)),
        ("send", counted.sends, world.calls(Call::Send)),
        ("sendfile", counted.sendfiles, world.calls(Call::SendFile)),
    ]
}

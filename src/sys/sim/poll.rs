//! epoll: who is woken by what, and what a wait says.

use std::collections::VecDeque;
use std::os::fd::RawFd;

use nix::errno::Errno;

use super::Random;
use super::kernel::{EDGE, Kernel, Object, PAST, place};
use super::link::{ERR, HUP, IN, OUT};

#[derive(Default)]
pub(super) struct EpollState {
    pub(super) watches: Vec<Option<Watch>>,
    ready: VecDeque<usize>,
    /// What was registered last, and is no more.
    past: VecDeque<(u64, u32)>,
}

pub(super) struct Watch {
    number: RawFd,
    pub(super) description: usize,
    interest: u32,
    data: u64,
    /// It stands in the list of what may be ready.
    queued: bool,
}

impl Kernel {
    /// Something has become so: whoever watches for it looks at it in its next wait. A key of zero is for everybody.
    pub(super) fn wake(&mut self, description: usize, key: u32) {
        let Some(Some(known)) = self.descriptions.get(description) else {
            return;
        };
        // Who watches last is told first.
        for (epoll, at) in known.watchers.clone().into_iter().rev() {
            if let Some(Object::Epoll(state)) = self.object_at(epoll)
                && let Some(watch) = &mut state.watches[at]
                && (key == 0 || key & (watch.interest | ERR | HUP) != 0)
            {
                if !watch.queued {
                    watch.queued = true;
                    state.ready.push_back(at);
                }
                // For who watches the epoll it is an edge all the same.
                self.wake(epoll, IN);
            }
        }
    }

    pub(super) fn poll(&mut self, description: usize) -> u32 {
        let stream = match self.object_at(description) {
            None => return 0,
            Some(Object::Stream(link, side)) => (*link, *side),
            Some(Object::Epoll(_)) => return self.poll_epoll(description),
            Some(Object::Event(count)) => return OUT | if *count > 0 { IN } else { 0 },
            Some(Object::Signals(asked)) => {
                let asked = asked.clone();
                return if asked.is_disjoint(&self.signals) {
                    0
                } else {
                    IN
                };
            }
            Some(Object::Inotify(queue)) => return if queue.is_empty() { 0 } else { IN },
            Some(Object::Listener(it)) => return if it.queue.is_empty() { 0 } else { IN },
            Some(Object::Socket(_)) => return OUT | HUP,
            Some(Object::File(_) | Object::Directory(_)) => return IN | OUT,
        };
        self.link(stream.0).map_or(0, |link| link.poll(stream.1))
    }

    /// Whether a wait would say something. What is found not to be ready is no longer in the list.
    fn poll_epoll(&mut self, epoll: usize) -> u32 {
        loop {
            let Some(Object::Epoll(state)) = self.object_at(epoll) else {
                return 0;
            };
            let Some(at) = state.ready.front().copied() else {
                return 0;
            };
            if let Some(watch) = &state.watches[at] {
                let (watched, interest) = (watch.description, watch.interest);
                if self.poll(watched) & (interest | ERR | HUP) != 0 {
                    return IN;
                }
            }
            if let Some(Object::Epoll(state)) = self.object_at(epoll) {
                state.ready.pop_front();
                if let Some(watch) = &mut state.watches[at] {
                    watch.queued = false;
                }
            }
        }
    }

    /// Whether one epoll watches another one, or one that does.
    fn reaches(&mut self, from: usize, epoll: usize) -> bool {
        let Some(Object::Epoll(state)) = self.object_at(from) else {
            return false;
        };
        let watched: Vec<_> = state.watches.iter().flatten().collect();
        let watched: Vec<_> = watched.iter().map(|watch| watch.description).collect();
        watched
            .into_iter()
            .any(|it| it == epoll || self.reaches(it, epoll))
    }

    fn epoll(&mut self, number: RawFd) -> Result<(usize, &mut EpollState), Errno> {
        let description = self.description(number)?;
        match self.object_at(description) {
            Some(Object::Epoll(state)) => Ok((description, state)),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn watch(
        &mut self,
        epoll: RawFd,
        op: i32,
        number: RawFd,
        interest: u32,
        data: u64,
    ) -> Result<(), Errno> {
        let known = self.description(epoll)?;
        let description = self.description(number)?;
        if matches!(self.object(number)?, Object::File(_) | Object::Directory(_)) {
            return Err(Errno::EPERM);
        }
        if known == description {
            return Err(Errno::EINVAL);
        }
        if op == libc::EPOLL_CTL_ADD && self.reaches(description, known) {
            return Err(Errno::ELOOP);
        }
        let (epoll, state) = self.epoll(epoll)?;
        let known = |watch: &Watch| watch.number == number && watch.description == description;
        let found = state
            .watches
            .iter()
            .position(|it| it.as_ref().is_some_and(known));
        let at = match (op, found) {
            (libc::EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST),
            (libc::EPOLL_CTL_ADD, None) => place(&mut state.watches),
            (_, None) => return Err(Errno::ENOENT),
            (libc::EPOLL_CTL_DEL, Some(at)) => {
                self.forget_watch(epoll, at);
                if let Some(watched) = &mut self.descriptions[description] {
                    watched.watchers.retain(|it| *it != (epoll, at));
                }
                return Ok(());
            }
            (_, Some(at)) => at,
        };
        let queued = state.watches[at].as_ref().is_some_and(|it| it.queued);
        state.watches[at] = Some(Watch {
            number,
            description,
            interest,
            data,
            queued,
        });
        if found.is_none()
            && let Some(watched) = &mut self.descriptions[description]
        {
            watched.watchers.push((epoll, at));
        }
        // What is so already is told.
        if self.poll(description) & (interest | ERR | HUP) != 0
            && let Some(Object::Epoll(state)) = self.object_at(epoll)
            && let Some(watch) = &mut state.watches[at]
            && !watch.queued
        {
            watch.queued = true;
            state.ready.push_back(at);
            self.wake(epoll, IN);
        }
        Ok(())
    }

    pub(super) fn forget_watch(&mut self, epoll: usize, at: usize) {
        if let Some(Object::Epoll(state)) = self.object_at(epoll)
            && let Some(watch) = state.watches[at].take()
        {
            state.ready.retain(|it| *it != at);
            if state.past.len() == PAST {
                state.past.pop_front();
            }
            state.past.push_back((watch.data, watch.interest));
        }
    }

    /// The events of one wait.
    pub(super) fn collect(
        &mut self,
        epoll: RawFd,
        events: &mut [libc::epoll_event],
    ) -> Result<usize, Errno> {
        let (description, state) = self.epoll(epoll)?;
        let mut count = 0;
        for _ in 0..state.ready.len() {
            if count == events.len() {
                break;
            }
            let Some(Object::Epoll(state)) = self.object_at(description) else {
                break;
            };
            let Some(at) = state.ready.pop_front() else {
                break;
            };
            let Some(watch) = &mut state.watches[at] else {
                continue;
            };
            watch.queued = false;
            let (watched, interest, data) = (watch.description, watch.interest, watch.data);
            let ready = self.poll(watched) & (interest | ERR | HUP);
            if ready == 0 {
                continue;
            }
            events[count] = libc::epoll_event {
                events: ready,
                u64: data,
            };
            count += 1;
            if interest & EDGE == 0
                && let Some(Object::Epoll(state)) = self.object_at(description)
                && let Some(watch) = &mut state.watches[at]
            {
                watch.queued = true;
                state.ready.push_back(at);
            }
        }
        Ok(count)
    }

    /// An event that nothing has caused.
    pub(super) fn spurious(
        &mut self,
        epoll: RawFd,
        random: &mut Random,
    ) -> Option<libc::epoll_event> {
        let (_, state) = self.epoll(epoll).ok()?;
        let edges: Vec<_> = state
            .watches
            .iter()
            .flatten()
            .filter(|watch| watch.interest & EDGE != 0)
            .collect();
        let watch = edges.get(random.index(edges.len()))?;
        let bits = watch.interest & (IN | OUT);
        let one = if random.below(2) == 0 { IN } else { OUT };
        Some(libc::epoll_event {
            events: if bits & one == 0 { bits } else { one },
            u64: watch.data,
        })
    }

    /// An event of a registration that is no more.
    pub(super) fn stale(&mut self, epoll: RawFd, random: &mut Random) -> Option<libc::epoll_event> {
        let (_, state) = self.epoll(epoll).ok()?;
        let past = state.past.len();
        let (data, interest) = *state.past.get(random.index(past))?;
        Some(libc::epoll_event {
            events: interest & (IN | OUT) | if random.below(2) == 0 { HUP } else { 0 },
            u64: data,
        })
    }
}

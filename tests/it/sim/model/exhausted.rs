//! Accepting without descriptors, in a process of its own: the limit is the process's.

use std::os::fd::{AsFd, AsRawFd};

use edgeloop::sys::socket;
use edgeloop::sys::{Address, Epoll, Events, Fd, Interest};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::on_one_processor;
use super::places::{Place, Real, Simulated};
use crate::sim::child::child;

/// What is said while there is no descriptor left, and then.
fn observe<P: Place>(place: &mut P, limit: impl Fn(&P, Option<&Fd>)) -> Vec<String> {
    let listener = socket::listen_on(&"127.0.0.1:0".parse().expect("an address"));
    let listener = listener.expect("a free port");
    let Ok(Address::Ip(address)) = socket::local_address(&listener) else {
        panic!("it is TCP");
    };
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&listener, Interest::READ, 7).expect("a listener");
    let mut events = Events::with_capacity(4);
    let mut ready = || {
        let count = epoll.wait(&mut events, Some(std::time::Duration::ZERO));
        format!("{count:?}")
    };
    let mut said = Vec::new();
    let accept = |said: &mut Vec<String>| match socket::accept(&listener) {
        Ok(fd) => {
            said.push("accepted".to_owned());
            Some(fd)
        }
        Err(error) => {
            said.push(format!("{error:?}"));
            None
        }
    };
    accept(&mut said);
    // The number that comes next is one too many.
    let spare = socket::duplicate(&listener).expect("a descriptor");
    limit(place, Some(&spare));
    drop(spare);
    accept(&mut said);
    said.push(ready());
    limit(place, None);
    let client = place.connect(address.port());
    let spare = socket::duplicate(&listener).expect("a descriptor");
    limit(place, Some(&spare));
    drop(spare);
    accept(&mut said);
    said.push(ready());
    said.push(ready());
    limit(place, None);
    let accepted = accept(&mut said);
    said.push(ready());
    assert!(client.is_some() && accepted.is_some());
    said
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn without_descriptors() {
    on_one_processor(accept_without_descriptors);
}

fn accept_without_descriptors() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
    let real = observe(&mut Real::new(), |_, spare| {
        let limit = spare.map_or(soft, |fd| u64::from(fd.as_fd().as_raw_fd().unsigned_abs()));
        setrlimit(Resource::RLIMIT_NOFILE, limit, hard).expect("less is allowed");
    });
    let mut place = Simulated::at_once();
    let inside = place.enter();
    let simulated = observe(&mut place, Simulated::limit);
    drop(inside);
    assert_eq!(real, simulated);
    let exhausted = |said: &String| said.starts_with("Exhausted(Os { code: 24");
    assert_eq!(real[0], "NobodyWaits");
    assert!(exhausted(&real[1]) && exhausted(&real[3]), "{real:?}");
    assert_eq!(real[2], "Ok(0)");
    assert_eq!(real[4..], ["Ok(1)", "Ok(1)", "accepted", "Ok(0)"]);
}

#[test]
fn without_descriptors_both_kernels_say_so_before_they_look_who_waits() {
    let ended = child("sim::model::exhausted::without_descriptors");
    assert!(ended.success(), "{ended}");
}

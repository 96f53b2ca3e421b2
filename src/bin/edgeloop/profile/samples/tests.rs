use super::*;

/// Recorded: `perf record -e cpu-clock --call-graph dwarf` of a release build, most of the kernel's lines left out.
const SCRIPT: &str = "\
edgeloop 28627 
\tffffffff8202258c tcp_rcv_established
\tffffffff81e31462 __sys_sendto
\tffffffff81e314b0 __x64_sys_sendto
\t          10aba4 __send
\t          1325ff <edgeloop::server::transport::Socket as edgeloop::server::transport::Transport>::send_ready
\t           a6205 edgeloop::server::flush::<impl edgeloop::server::session::Session<T>>::flush
\t           c002f edgeloop::server::session::Session<T>::drive
\t           9a0fa edgeloop::serve::serve
\tffffffffffffffff [unknown]

edgeloop 28627 
\tffffffff813a4413 finish_task_switch.isra.0
\tffffffff81000e06 asm_sysvec_apic_timer_interrupt
\t           ae1be edgeloop::server::answer::<impl edgeloop::server::session::Session<T>>::take
\t           b06a8 edgeloop::server::answer::<impl edgeloop::server::session::Session<T>>::handle
\t           c2258 edgeloop::server::session::Session<T>::parse

edgeloop 28627 
\tffffffff8201c1e0 tcp_rcv_space_adjust
\tffffffff81e31750 __x64_sys_recvfrom
\t          10a974 __libc_recv

edgeloop 28627 
\t           f9e4c httparse::parse_headers_iter_uninit
\t           f9102 edgeloop::http::request::parse_head
\t           c2f17 edgeloop::http::conn::Conn::next
\t           c1c63 edgeloop::server::session::Session<T>::parse

edgeloop 28627 
\t           dfd90 edgeloop::http::conn::Conn::encode
\t           b02f0 edgeloop::server::answer::<impl edgeloop::server::session::Session<T>>::handle
\t           c1c63 edgeloop::server::session::Session<T>::parse

edgeloop 28627 
\tffffffff816f2a21 ep_poll
\tffffffff816f3c1a __x64_sys_epoll_wait
\t          10a3b6 epoll_wait

edgeloop 28627 
\t           c0100 edgeloop::server::session::Session<T>::drive

edgeloop 28627 
\t           90000 edgeloop::web::router::Router<H>::route
\t           b02f0 edgeloop::server::answer::<impl edgeloop::server::session::Session<T>>::handle

edgeloop 28627 
\t           ab1c0 edgeloop::server::accept::<impl edgeloop::server::worker::Worker<H,O>>::accept_ready

edgeloop 28627 
\t           b8110 edgeloop::server::closing::<impl edgeloop::server::session::Session<T>>::expire

edgeloop 28627 
\tffffffff81000000 clear_page
\t          100000 somebody::else::handle
";

#[test]
fn a_sample_belongs_to_the_innermost_phase_of_its_stack() {
    let samples = Samples::parse(SCRIPT);
    let phases: Vec<_> = (samples.phases())
        .map(|(phase, seen)| (phase.name(), seen.user, seen.system))
        .collect();
    assert_eq!(
        phases,
        [
            ("wait", 0, 1),
            ("accept", 1, 0),
            ("receive", 0, 1),
            ("parse", 1, 0),
            ("handle", 0, 1),
            ("route", 1, 0),
            ("encode", 1, 0),
            ("send", 0, 1),
            ("expire", 1, 0),
            ("loop", 1, 0),
            ("elsewhere", 0, 1),
        ]
    );
    assert_eq!(samples.count(), 11);
}

#[test]
fn functions_are_told_by_how_often_they_were_the_innermost() {
    let twice = SCRIPT.repeat(2) + "edgeloop 1 \n\tffffffff8202258c tcp_rcv_established\n";
    let samples = Samples::parse(&twice);
    let top = samples.top(1);
    assert_eq!(top, [("tcp_rcv_established", true, 3)]);
    assert_eq!(samples.top(usize::MAX).len(), 11);
}

#[test]
fn what_is_no_stack_is_no_sample() {
    for script in ["", "\n\n", "edgeloop 1\n\n", "perf: no such file\n\tx y\n"] {
        assert_eq!(Samples::parse(script).count(), 0, "{script:?}");
    }
}

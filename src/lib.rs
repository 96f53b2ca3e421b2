//! edgeloop

#[cfg(not(target_os = "linux"))]
compile_error!("edgeloop is built on epoll, and so runs on Linux only");

pub mod http;
pub mod reactor;
pub mod server;
pub mod sys;

pub use server::{
    Client, Completer, EventLoop, Handle, Handler, HeadWriter, Intake, Limits, Observer, Reply,
    Request, ResponseWriter, Server, Serving,
};
pub use sys::signal::Signals;

//! edgeloop

#[cfg(not(target_os = "linux"))]
compile_error!("edgeloop is built on epoll, and so runs on Linux only");

pub mod http;
pub mod reactor;
pub mod sys;

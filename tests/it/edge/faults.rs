//! Faults that were found by reading, each in its smallest form.

use core::cell::Cell;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::rc::Rc;

use edgeloop::http::{Head, Length};
use edgeloop::server::{BodyWriter, CloseReason, Intake, Pull, Source};
use edgeloop::sys::Fd;
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter, Server};

use super::client::{Client, End, get, post, post_chunked};
use super::serve::{
    CONTENT, Hand, Happened, PATIENCE, Waiting, Watch, app, deferring, hand, running, wait_until,
    watched,
};



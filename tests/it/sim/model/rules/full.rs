//! Clients that have sent all there is room for.

use super::Rule;
use crate::sim::model::ops::{
    Ask,
    Op::{
        Accept, Add, ClientCloses, ClientFills, ClientResets, ClientSends, Connect, Recv, RecvAll,
        Send, Wait,
    },
    What,
};

pub(super) const RULES: &[Rule] = &[
    (
        "a full client is told of nothing and loses nothing",
        &[
            (Connect(0), "connected"),
            (Accept, "0"),
            (Add(What::Connection(0), Ask::Stream), "()"),
            (ClientFills(0), "full, took some: true"),
            (Wait(8), "0:IN"),
            (RecvAll(0), "some: true, EAGAIN"),
            (Wait(8), ""),
            (ClientSends(0, 5), "5"),
            (Wait(8), "0:IN"),
            (RecvAll(0), "some: true, EAGAIN"),
        ],
    ),
    (
        "a full client that closes",
        &[
            (Connect(0), "connected"),
            (Accept, "0"),
            (Add(What::Connection(0), Ask::Stream), "()"),
            (ClientFills(0), "full, took some: true"),
            (ClientCloses(0), ""),
            (Wait(8), "0:IN"),
            (RecvAll(0), "some: true, the end"),
            (Send(0, 1), "1"),
        ],
    ),
    (
        "a full client that resets",
        &[
            (Connect(0), "connected"),
            (Accept, "0"),
            (Add(What::Connection(0), Ask::Stream), "()"),
            (ClientFills(0), "full, took some: true"),
            (ClientResets(0), ""),
            (Wait(8), "0:IN|RDHUP|HUP|ERR"),
            (Recv(0, 10), "10"),
            (Send(0, 1), "ECONNRESET"),
        ],
    ),
];

//! Static probes at the phases of a request, for perf, bpftrace, SystemTap and gdb.
//!
//! With the feature `usdt` each of them is one `nop` where it happens, and a note in the binary (`.note.stapsdt`) that says
//! where, under the provider `edgeloop`; without the feature it is nothing. A connection is told by the bits of its token,
//! as observers have it.
//!
//! | probe | arguments |
//! |---|---|
//! | `accept_ready` | connection: it has begun |
//! | `recv_ready` | connection, bytes that have come: none at the end, and when there was nothing |
//! | `parse_head` | connection, bytes of the head |
//! | `handle` | connection, number of the exchange: its handler is asked |
//! | `route` | connection, number of the route, in the order of its router |
//! | `encode` | connection, status of the answer |
//! | `send_ready` | connection, bytes that were sent |
//! | `expire` | connection: its deadline is over |
//!
//! ```text
//! $ readelf -n target/release/edgeloop
//! $ bpftrace -e 'usdt:target/release/edgeloop:edgeloop:encode { @[arg1] = count(); }'
//! ```

/// Makes the functions from the table. They stand here because what they expand to is `asm!`, which is unsafe code.
macro_rules! probes {
    ($($name:ident($($argument:ident),*) $about:literal;)*) => {
        $(
            #[doc = $about]
            #[inline]
            pub fn $name($($argument: u64),*) {
                #[cfg(feature = "usdt")]
                ::probe::probe!(edgeloop, $name, $($argument),*);
                #[cfg(not(feature = "usdt"))]
                let _ = ($($argument),*);
            }
        )*
    };
}

probes! {
    accept_ready(connection) "A connection has begun.";
    recv_ready(connection, bytes) "Bytes have been received.";
    parse_head(connection, bytes) "A head is whole.";
    handle(connection, exchange) "A handler is asked for an answer.";
    route(connection, route) "A route takes a request.";
    encode(connection, status) "The head of an answer is encoded.";
    send_ready(connection, bytes) "Bytes have been sent.";
    expire(connection) "A deadline is over.";
}

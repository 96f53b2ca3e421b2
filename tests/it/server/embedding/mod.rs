//! Their loop hosts ours, ours hosts theirs, and connections that come from elsewhere or go there.

mod adopt;
mod again;
mod bounded;
mod foreign;
mod local;
mod mail;
mod outbound;
mod take_out;

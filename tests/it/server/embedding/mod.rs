//! Their loop hosts ours, ours hosts theirs, and connections that come from elsewhere or go there.

mod take_out;

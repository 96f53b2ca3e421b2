//! What is told of files that change, and what is at hand.

use edgeloop::sys::at_hand::{Waiting, Wanted};

use super::Rule;
use crate::sim::model::ops::{
    Ask,
    Op::{
        Add, Cached, CloseFile, Create, Forget, Length, Notices, OpenPlain, ReadAt, ReadAtHand,
        Remove, Replace, Resize, Rewrite, TellsAll, Wait, Watch,
    },
    Told, What,
};

pub(super) const RULES: &[Rule] = &[
    (
        "a directory tells of its names",
        &[
            (Create("before"), ""),
            (Watch(Told::Root), "false"),
            (Watch(Told::Root), "true"),
            (Notices, "EAGAIN"),
            (Create("new"), ""),
            (Notices, "Root new, EAGAIN"),
            (Create("d/new"), ""),
            (Notices, "EAGAIN"),
            (Replace("before"), ""),
            (Remove("new"), ""),
            (Notices, "Root before, Root new, EAGAIN"),
            (Watch(Told::Directory), "false"),
            (Remove("d/new"), ""),
            (Create("d/third"), ""),
            (Create("fourth"), ""),
            (
                Notices,
                "Directory new, Directory third, Root fourth, EAGAIN",
            ),
            (Watch(Told::Nonsense), "ENOTDIR"),
        ],
    ),
    (
        "a file tells of its content, and its directory does not",
        &[
            (Watch(Told::Root), "false"),
            (Watch(Told::File), "false"),
            (Rewrite(100), ""),
            (Notices, "File changed, EAGAIN"),
            (Length, "100"),
            (Resize(50), ""),
            (Notices, "File changed, EAGAIN"),
            (ReadAt(0, 10), "10, sum 1475"),
            (Notices, "EAGAIN"),
        ],
    ),
    (
        "a file that another one has taken the name of, or that has none, tells so, and ends with its last descriptor",
        &[
            (Watch(Told::Root), "false"),
            (Watch(Told::File), "false"),
            (Replace("file"), ""),
            (Notices, "Root file, File changed, EAGAIN"),
            (Length, "5000"),
            (CloseFile, ""),
            (Notices, "File ended, EAGAIN"),
            (Forget(Told::File), "EINVAL"),
        ],
    ),
    (
        "a file without a name",
        &[
            (Watch(Told::Root), "false"),
            (Watch(Told::File), "false"),
            (Remove("file"), ""),
            (Notices, "File changed, Root file, EAGAIN"),
            (CloseFile, ""),
            (Notices, "File ended, EAGAIN"),
        ],
    ),
    (
        "a watch that is taken away says so, and nothing more",
        &[
            (Watch(Told::File), "false"),
            (Rewrite(10), ""),
            (Forget(Told::File), "()"),
            (Rewrite(20), ""),
            (Notices, "File changed, File ended, EAGAIN"),
            (Forget(Told::File), "EINVAL"),
            (Watch(Told::File), "false"),
            (Rewrite(30), ""),
            (Notices, "File changed, EAGAIN"),
        ],
    ),
    (
        "notices are edges",
        &[
            (Watch(Told::File), "false"),
            (Add(What::Notices, Ask::InEdge), "()"),
            (Wait(8), ""),
            (Rewrite(10), ""),
            (Wait(8), "Notices:IN"),
            (Wait(8), ""),
            (Resize(5), ""),
            (Wait(8), "Notices:IN"),
            (Notices, "File changed, EAGAIN"),
            (Wait(8), ""),
        ],
    ),
    (
        "notices that were there before they are watched for",
        &[
            (Watch(Told::Root), "false"),
            (Create("new"), ""),
            (Add(What::Notices, Ask::In), "()"),
            (Wait(8), "Notices:IN"),
            (Wait(8), "Notices:IN"),
            (Notices, "Root new, EAGAIN"),
            (Wait(8), ""),
        ],
    ),
    (
        "what is known is opened without waiting",
        &[
            (OpenPlain("file", Wanted::File, Waiting::Refused), "File"),
            (OpenPlain("d/e", Wanted::File, Waiting::Allowed), "File"),
            (OpenPlain("d/e", Wanted::File, Waiting::Refused), "File"),
            (
                OpenPlain("d", Wanted::Directory, Waiting::Refused),
                "Directory",
            ),
            (OpenPlain("d", Wanted::File, Waiting::Refused), "Directory"),
            (
                OpenPlain("", Wanted::Directory, Waiting::Refused),
                "Directory",
            ),
            (
                OpenPlain("file", Wanted::Directory, Waiting::Refused),
                "ENOTDIR",
            ),
            (
                OpenPlain("file/x", Wanted::File, Waiting::Refused),
                "EAGAIN",
            ),
            (OpenPlain("../x", Wanted::File, Waiting::Allowed), "EXDEV"),
            // Only who has looked in vain knows that there is nothing.
            (OpenPlain("none", Wanted::File, Waiting::Allowed), "ENOENT"),
            (OpenPlain("none", Wanted::File, Waiting::Refused), "ENOENT"),
        ],
    ),
    (
        "what was written is at hand",
        &[
            (ReadAtHand(4990, 100), "10, sum 22683"),
            (ReadAtHand(5000, 10), "0, sum 2380"),
            (Cached(0, 5000), "Some(true)"),
            (Cached(4100, 4101), "Some(true)"),
            (Cached(7, 7), "Some(true)"),
            // Behind the end there is no page.
            (Cached(0, 9000), "Some(false)"),
            (TellsAll, "true"),
        ],
    ),
];

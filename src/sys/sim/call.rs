//! The calls that `sys` makes, and what can be said to them.

use libc::{
    E2BIG, EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF, EBUSY,
    ECONNABORTED, ECONNREFUSED, ECONNRESET, EDQUOT, EEXIST, EFAULT, EFBIG, EHOSTDOWN, EHOSTUNREACH,
    EILSEQ, EINPROGRESS, EINTR, EINVAL, EIO, EISCONN, EISDIR, ELOOP, EMFILE, EMSGSIZE,
    ENAMETOOLONG, ENETDOWN, ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOMEM, ENONET,
    ENOPROTOOPT, ENOSPC, ENOSYS, ENOTCONN, ENOTDIR, ENOTSOCK, ENOTTY, ENXIO, EOPNOTSUPP, EOVERFLOW,
    EPERM, EPIPE, EPROTO, EPROTONOSUPPORT, EPROTOTYPE, EROFS, ESPIPE, ESRCH, ETIMEDOUT, ETXTBSY,
    EXDEV,
};

/// Makes the enumeration and the table from one list, so that neither can lack what the other has.
macro_rules! calls {
    ($($variant:ident $site:ident $page:literal: $($errno:ident)*;)*) => {
        /// A call to the kernel: one for each function of `sys` that makes one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Call {
            $(#[doc = $page] $variant,)*
        }

        impl Call {
            /// All of them.
            pub const ALL: &'static [Call] = &[$(Call::$variant),*];

            /// The name of its function in the seam.
            pub const fn site(self) -> &'static str {
                match self {
                    $(Call::$variant => stringify!($site),)*
                }
            }

            /// The man page.
            pub const fn page(self) -> &'static str {
                match self {
                    $(Call::$variant => $page,)*
                }
            }

            /// Whether it opens a file below a root, looks at it or reads it.
            pub const fn is_about_files(self) -> bool {
                matches!(
                    self,
                    Call::OpenResolved
                        | Call::OpenPlain
                        | Call::Metadata
                        | Call::ReadAt
                        | Call::ReadAtHand
                        | Call::CachedPages
                        | Call::SendFile
                )
            }

            /// Whether it says `EAGAIN` when there is nothing yet, and readiness tells when there is.
            pub const fn waits(self) -> bool {
                matches!(
                    self,
                    Call::Accept | Call::Recv | Call::Send | Call::SendFile | Call::ReadSignal
                )
            }

            /// The errors that the man page lists, and those of its protocol.
            pub const fn errnos(self) -> &'static [i32] {
                match self {
                    $(Call::$variant => &[$($errno),*],)*
                }
            }
        }
    };
}

calls! {
    Close close "close(2)": EBADF EINTR EIO ENOSPC EDQUOT;
    Socket socket "socket(2)": EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT;
    SetOption set_option "setsockopt(2)": EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK ENOMEM EPERM;
    GetOption get_option "getsockopt(2)": EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK;
    PeerName peer_name "getpeername(2)": EBADF EFAULT EINVAL ENOBUFS ENOTCONN ENOTSOCK;
    SetFlags set_flags "fcntl(2), F_GETFL, F_SETFL and F_SETFD": EBADF EPERM;
    BindIp bind_ip "bind(2), ip(7)": EACCES EADDRINUSE EBADF EINVAL ENOTSOCK EADDRNOTAVAIL;
    BindUnix bind_unix "bind(2), unix(7)": EACCES EADDRINUSE EBADF EINVAL ENOTSOCK EADDRNOTAVAIL EFAULT ELOOP ENAMETOOLONG
        ENOENT ENOMEM ENOTDIR EROFS;
    ConnectUnix connect_unix "connect(2), unix(7)": EACCES EPERM EAFNOSUPPORT EAGAIN EBADF ECONNREFUSED EFAULT EINPROGRESS
        EINTR ENOTSOCK EPROTOTYPE ETIMEDOUT ENOENT;
    ConnectIp connect_ip "connect(2), ip(7), tcp(7)": EACCES EPERM EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF
        ECONNREFUSED EFAULT EINPROGRESS EINTR EISCONN ENETUNREACH ENOTSOCK EPROTOTYPE ETIMEDOUT;
    Listen listen "listen(2)": EADDRINUSE EBADF ENOTSOCK EOPNOTSUPP;
    Duplicate duplicate "fcntl(2), F_DUPFD_CLOEXEC": EBADF EINVAL EMFILE;
    LocalAddress local_address "getsockname(2)": EBADF EFAULT EINVAL ENOBUFS ENOTSOCK;
    Accept accept "accept4(2)": EAGAIN EBADF ECONNABORTED EFAULT EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM ENOTSOCK
        EOPNOTSUPP EPERM EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH ENETUNREACH ETIMEDOUT;
    Recv recv "recv(2), tcp(7)": EAGAIN EBADF ECONNREFUSED EFAULT EINTR EINVAL ENOMEM ENOTCONN ENOTSOCK ECONNRESET ETIMEDOUT
        EHOSTUNREACH;
    Send send "send(2), tcp(7)": EACCES EAGAIN EBADF ECONNRESET EFAULT EINTR EINVAL EMSGSIZE ENOBUFS ENOMEM ENOTCONN ENOTSOCK
        EOPNOTSUPP EPIPE ETIMEDOUT EHOSTUNREACH;
    SendFile send_file "sendfile(2)": EAGAIN EBADF EFAULT EINVAL EIO ENOMEM EOVERFLOW ESPIPE EINTR EPIPE ECONNRESET;
    ShutdownWrite shutdown_write "shutdown(2)": EBADF EINVAL ENOTCONN ENOTSOCK;
    AskCount ask_count "ioctl(2), SIOCINQ and SIOCOUTQ": EBADF EFAULT EINVAL ENOTTY;
    Pair pair "socketpair(2)": EAFNOSUPPORT EFAULT EMFILE ENFILE EOPNOTSUPP EPROTONOSUPPORT;
    Resolve resolve "getaddrinfo(3), EAI_SYSTEM": EIO ENOMEM;
    Look look "lstat(2)": EACCES EBADF EFAULT ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EOVERFLOW;
    Remove remove "unlink(2)": EACCES EBUSY EFAULT EIO EISDIR ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS;
    OpenRoot open_root "open(2)": EACCES EINTR EINVAL ELOOP EMFILE ENAMETOOLONG ENFILE ENOENT ENOMEM ENOTDIR;
    OpenResolved open_resolved "openat2(2)": EACCES EBADF EBUSY EFBIG EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV
        ENOENT ENOMEM ENOSPC ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY EAGAIN E2BIG EXDEV EIO EILSEQ ENOSYS;
    OpenIn open_in "openat(2)": EACCES EBADF EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV ENOENT ENOMEM ENOTDIR
        ENXIO EOVERFLOW EPERM EAGAIN EIO;
    Metadata metadata "fstat(2)": EBADF EFAULT ENOMEM EOVERFLOW EIO;
    OpenPlain open_plain "openat2(2), RESOLVE_NO_SYMLINKS and RESOLVE_CACHED": EACCES EBADF EBUSY EFBIG EINTR EINVAL EISDIR ELOOP
        EMFILE ENAMETOOLONG ENFILE ENODEV ENOENT ENOMEM ENOSPC ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY EAGAIN
        E2BIG EXDEV EIO EILSEQ ENOSYS;
    ReadAtHand read_at_hand "preadv2(2), RWF_NOWAIT": EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR ENOSYS ENXIO EOPNOTSUPP EOVERFLOW
        ESPIPE;
    CachedPages cached_pages "cachestat(2)": EBADF EFAULT EINVAL ENOSYS EOPNOTSUPP EPERM;
    Names names "getdents64(2)": EBADF EFAULT EINVAL ENOENT ENOTDIR EIO;
    FileSystem file_system "fstatfs(2)": EBADF EFAULT EINTR EIO ENOMEM ENOSYS EOVERFLOW;
    InotifyInit inotify_init "inotify_init1(2)": EINVAL EMFILE ENFILE ENOMEM;
    InotifyAdd inotify_add "inotify_add_watch(2)": EACCES EBADF EEXIST EFAULT EINVAL ENAMETOOLONG ENOENT ENOMEM ENOSPC ENOTDIR;
    InotifyRemove inotify_remove "inotify_rm_watch(2)": EBADF EINVAL;
    ReadNotices read_notices "inotify(7), read(2)": EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR;
    ReadAt read_at "pread(2)": EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR ENXIO EOVERFLOW ESPIPE;
    EpollCreate epoll_create "epoll_create1(2)": EINVAL EMFILE ENFILE ENOMEM;
    EpollControl epoll_control "epoll_ctl(2)": EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM;
    EpollWait epoll_wait "epoll_wait(2)": EBADF EFAULT EINTR EINVAL;
    EventFd eventfd "eventfd(2)": EINVAL EMFILE ENFILE ENODEV ENOMEM;
    WriteEvent write_event "eventfd(2), write(2)": EAGAIN EBADF EFAULT EINTR EINVAL EIO;
    BlockSignals block_signals "sigprocmask(2)": EFAULT EINVAL;
    SignalFd signalfd "signalfd(2)": EBADF EINVAL EMFILE ENFILE ENODEV ENOMEM;
    ReadSignal read_signal "signalfd(2), read(2)": EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR;
    Kill kill "kill(2)": EINVAL EPERM ESRCH;
    PerfEventOpen perf_event_open "perf_event_open(2)": E2BIG EACCES EBADF EBUSY EFAULT EINTR EINVAL EMFILE ENODEV ENOENT ENOSPC
        ENOSYS EOPNOTSUPP EOVERFLOW EPERM ESRCH;
    SigpipeIsDefault sigpipe_is_default "sigaction(2)": EFAULT EINVAL;
    Monotonic monotonic "clock_gettime(2), CLOCK_MONOTONIC":;
    Realtime realtime "clock_gettime(2), CLOCK_REALTIME":;
    DescriptorsMax descriptors_max "getrlimit(2)": EFAULT EINVAL EPERM;
    Processors processors "sched_getaffinity(2)": EFAULT EINVAL ESRCH;
    Pin pin "sched_setaffinity(2)": EFAULT EINVAL ESRCH EPERM;
    Spawn spawn "pthread_create(3)": EAGAIN EINVAL EPERM;
    StartThread start_thread "pthread_sigmask(3), pthread_create(3)": EFAULT EINVAL EAGAIN EPERM;
}

/**
 * Numbers and layouts of the Linux system-call interface, for x86-64 and arm64.
 *
 * Place: the only file of this folder that knows them. The values are those of glibc's and musl's headers and of
 * the kernel's uapi; all but `epoll_event` are the same on both architectures.
 */

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_ACCEPTCONN = 30;
/** Which buffers have a size of their own, and do not grow (since Linux 5.16). */
export const SO_BUF_LOCK = 72;
export const SOCK_SNDBUF_LOCK = 1;
export const SOCK_RCVBUF_LOCK = 2;
export const IPPROTO_IP = 0;
export const IP_TOS = 1;
export const IP_FREEBIND = 15;
export const IP_TRANSPARENT = 19;
/** A socket that is bound to an address alone gets its port with the connect, when the peer is known. */
export const IP_BIND_ADDRESS_NO_PORT = 24;
/** Since Linux 6.3: the port comes from this range, as far as it lies within that of the system. */
export const IP_LOCAL_PORT_RANGE = 51;
/** The whole range of the system: both ends, 1 and 65535, lie beyond it. */
export const ANY_LOCAL_PORT = 0xffff0001 | 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_MPTCP = 262;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_INFO = 11;
export const TCP_USER_TIMEOUT = 18;
export const TCP_FASTOPEN = 23;
export const TCP_REPAIR = 19;
export const IP_TTL = 2;
/** `tcpi_state` of a connection that is over. */
export const TCP_CLOSE = 7;
/** The same of one whose peer has sent its FIN, while this side has not. */
export const TCP_CLOSE_WAIT = 8;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_TCLASS = 67;
export const IPV6_TRANSPARENT = 75;
export const IPV6_FREEBIND = 78;
export const IPV6_UNICAST_HOPS = 16;

export const MSG_NOSIGNAL = 0x4000;
/** More follows in this very step, be it a FIN: the kernel holds back the last segment, for 200 ms at most. */
export const MSG_MORE = 0x8000;
export const SHUT_RD = 0;
export const SHUT_WR = 1;

/** Classic BPF (uapi/linux/bpf_common.h): load a byte, and with a constant, jump if equal to one, return one. */
export const BPF_LD_BYTE = 0x30;
export const BPF_AND = 0x54;
export const BPF_JUMP_EQUAL = 0x15;
export const BPF_RETURN = 0x06;

/** The kernel's list of sockets (uapi/linux/sock_diag.h, inet_diag.h). */
export const NETLINK_SOCK_DIAG = 4;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_DUMP = 0x300;
export const SOCK_DIAG_BY_FAMILY = 20;
export const NLMSG_DONE = 3;
export const TCP_SYN_RECV = 3;
export const TCP_TIME_WAIT = 6;
export const TCP_LISTEN = 10;

export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 1 << 28;
export const EPOLLET = 1 << 31;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CLOEXEC = 0o2000000;

export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_NONBLOCK = 0o4000;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;

/** Bytes received and not yet read. */
export const SIOCINQ = 0x541b;
/** Bytes written and not yet acknowledged by the peer; on a unix socket, not yet read by it. */
export const SIOCOUTQ = 0x5411;

/** `tcpi_bytes_acked`, a u64 (uapi/linux/tcp.h, since Linux 4.1): bytes of ours the peer's system has acknowledged. */
export const TCP_INFO_BYTES_ACKED = 120;
export const TCP_INFO_BYTES = 128;
/** Where `tcpi_sacked` is, 32 bits: of a listening socket, the length of its queue. */
export const TCP_INFO_BACKLOG = 28;
/** Where `tcpi_last_data_sent` is: milliseconds, 32 bits. */
export const TCP_INFO_LAST_DATA_SENT = 44;

export interface EpollLayout {
  /** Size of one `struct epoll_event` in 32-bit words: packed on x86-64, padded elsewhere. */
  readonly words: number;
  /** Word at which the 64 bits of user data begin; `events` is word 0. */
  readonly dataWord: number;
}

const LAYOUTS: Readonly<Record<string, EpollLayout>> = {
  x64: { words: 3, dataWord: 1 },
  arm64: { words: 4, dataWord: 2 },
};

/** The layout of `struct epoll_event`; undefined for an architecture this engine was not written for. */
export function epollLayout(arch: string): EpollLayout | undefined {
  return LAYOUTS[arch];
}

/** The action of signal(2) that ignores a signal. */
export const SIG_IGN = 1;

/** `struct timex`, with room to spare, and what adjtimex(2) returns for a clock that nothing keeps right. */
export const TIMEX_BYTES = 256;
export const TIME_ERROR = 5;

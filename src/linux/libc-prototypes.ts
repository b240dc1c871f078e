/**
 * The functions of the C library that lb4 calls, as C declares them.
 *
 * Place: what both ways to a `Libc` are made of: koffi reads C, the types of node:ffi are derived from it.
 * fcntl and ioctl are variadic in C; on Linux the registers are the same.
 */
export const PROTOTYPES = [
  'int socket(int, int, int)',
  'int socketpair(int, int, int, void *)',
  'int bind(int, void *, uint32_t)',
  'int listen(int, int)',
  'int accept4(int, void *, void *, int)',
  'int connect(int, void *, uint32_t)',
  'int getsockname(int, void *, void *)',
  'int getpeername(int, void *, void *)',
  'int setsockopt(int, int, int, void *, uint32_t)',
  'int getsockopt(int, int, int, void *, void *)',
  'ssize_t recv(int, void *, size_t, int)',
  'ssize_t send(int, void *, size_t, int)',
  'ssize_t splice(int, void *, int, void *, size_t, unsigned int)',
  'int shutdown(int, int)',
  'int close(int)',
  'int epoll_create1(int)',
  'int epoll_ctl(int, int, int, void *)',
  'int epoll_wait(int, void *, int, int)',
  'int eventfd(unsigned int, int)',
  'int pipe2(void *, int)',
  'int fcntl(int, int, int)',
  'int flock(int, int)',
  'int ioctl(int, unsigned long, void *)',
  'ssize_t read(int, void *, size_t)',
  'ssize_t write(int, void *, size_t)',
  'int64_t signal(int, int64_t)',
  'int adjtimex(void *)',
  'void _exit(int)',
] as const;

export function nameOf(prototype: string): string {
  return prototype.slice(prototype.indexOf(' ') + 1, prototype.indexOf('('));
}

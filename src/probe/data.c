// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways to send on a socket and to receive from it. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "probe/internal.h"

#define ZEROCOPY_BUFFER 4096

static char payload[SEND_LENGTH] = "a probe of porthold";

static long send_messages(int fd, int flags)
{
	struct iovec part = { .iov_base = payload, .iov_len = SEND_LENGTH };
	struct mmsghdr messages[3] = {};

	for (size_t i = 0; i < 3; i++) {
		messages[i].msg_hdr.msg_iov = &part;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(fd, messages, 3, flags | MSG_NOSIGNAL);
}

static long send_message(int fd)
{
	struct iovec part = { .iov_base = payload, .iov_len = SEND_LENGTH };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static long send_file(int fd)
{
	int file = memfd_create("payload", MFD_CLOEXEC);
	off_t offset = 0;

	if (file < 0 || write(file, payload, SEND_LENGTH) != SEND_LENGTH)
		return -1;
	return sendfile(fd, file, &offset, SEND_LENGTH);
}

static long send_pipe(int fd, bool by_vmsplice)
{
	struct iovec part = { .iov_base = payload, .iov_len = SEND_LENGTH };
	int ends[2];
	long n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	n = by_vmsplice ? vmsplice(ends[1], &part, 1, 0) : write(ends[1], payload, SEND_LENGTH);
	if (n != SEND_LENGTH)
		return -1;
	return splice(ends[0], NULL, fd, NULL, SEND_LENGTH, 0);
}

static long send_zerocopy(int fd)
{
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, SOCKOPT_ON) < 0)
		return -1;
	return send(fd, payload, SEND_LENGTH, MSG_NOSIGNAL | MSG_ZEROCOPY);
}

/* Kernel AIO, the old interface: the error comes as the event's result. */
static long transfer_aio(int fd, uint16_t opcode)
{
	static char received[SEND_LENGTH];
	aio_context_t context = 0;
	struct iocb request = { .aio_fildes = (uint32_t)fd,
				.aio_lio_opcode = opcode,
				.aio_buf =
					(uintptr_t)(opcode == IOCB_CMD_PWRITE ? payload : received),
				.aio_nbytes = SEND_LENGTH };
	struct io_event event = {};
	struct timespec timeout = { .tv_sec = 1 };

	if (syscall(SYS_io_setup, 1, &context) < 0 ||
	    syscall(SYS_io_submit, context, 1, (struct iocb *[]){ &request }) != 1)
		return -1;
	errno = ETIMEDOUT;
	if (syscall(SYS_io_getevents, context, 1, 1, &event, &timeout) != 1)
		return -1;
	errno = event.res < 0 ? (int)-event.res : 0;
	return event.res < 0 ? -1 : event.res;
}

long probe_send(int fd, enum probe_send how)
{
	struct iovec part = { .iov_base = payload, .iov_len = SEND_LENGTH };

	switch (how) {
	case SEND_WRITE:
		return write(fd, payload, SEND_LENGTH);
	case SEND_WRITEV:
		return writev(fd, &part, 1);
	case SEND_SEND:
		return send(fd, payload, SEND_LENGTH, MSG_NOSIGNAL);
	case SEND_SENDTO:
		return sendto(fd, payload, SEND_LENGTH, MSG_NOSIGNAL, NULL, 0);
	case SEND_SENDMSG:
		return send_message(fd);
	case SEND_SENDMMSG:
		return send_messages(fd, 0);
	case SEND_SENDFILE:
		return send_file(fd);
	case SEND_SPLICE:
		return send_pipe(fd, false);
	case SEND_VMSPLICE:
		return send_pipe(fd, true);
	case SEND_ZEROCOPY:
		return send_zerocopy(fd);
	case SEND_AIO:
		return transfer_aio(fd, IOCB_CMD_PWRITE);
	case SEND_MORE:
		if (send(fd, payload, SEND_LENGTH / 2, MSG_NOSIGNAL | MSG_MORE) < 0)
			return -1;
		return send(fd, payload, SEND_LENGTH / 2, MSG_NOSIGNAL);
	case SEND_OOB:
		return send(fd, payload, 1, MSG_NOSIGNAL | MSG_OOB);
	}
	errno = EINVAL;
	return -1;
}

static long receive_messages(int fd, char *buffer, bool several)
{
	struct iovec part = { .iov_base = buffer, .iov_len = SEND_LENGTH };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } };

	if (several)
		return recvmmsg(fd, &message, 1, 0, NULL);
	return recvmsg(fd, &message.msg_hdr, 0);
}

static long receive_splice(int fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	return splice(fd, NULL, ends[1], NULL, SEND_LENGTH, 0);
}

/*
 * TCP_ZEROCOPY_RECEIVE copies what does not fill a page into the caller's buffer: a receive that
 * passes no receive hook.
 */
static long receive_zerocopy(int fd)
{
	static char copy[ZEROCOPY_BUFFER];
	struct tcp_zerocopy_receive receive = { .length = ZEROCOPY_BUFFER,
						.copybuf_address = (uintptr_t)copy,
						.copybuf_len = sizeof(copy) };
	socklen_t length = sizeof(receive);
	void *window = mmap(NULL, ZEROCOPY_BUFFER, PROT_READ, MAP_SHARED, fd, 0);

	if (window == MAP_FAILED)
		return -1;
	receive.address = (uintptr_t)window;
	if (getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &receive, &length) < 0)
		return -1;
	errno = EOPNOTSUPP;
	return receive.copybuf_len > 0 ? receive.copybuf_len : -1;
}

long probe_receive(int fd, enum probe_receive how)
{
	char buffer[SEND_LENGTH];
	struct iovec part = { .iov_base = buffer, .iov_len = sizeof(buffer) };

	switch (how) {
	case RECEIVE_READ:
		return read(fd, buffer, sizeof(buffer));
	case RECEIVE_READV:
		return readv(fd, &part, 1);
	case RECEIVE_RECV:
		return recv(fd, buffer, sizeof(buffer), 0);
	case RECEIVE_PEEK:
		return recv(fd, buffer, sizeof(buffer), MSG_PEEK);
	case RECEIVE_RECVFROM:
		return recvfrom(fd, buffer, sizeof(buffer), 0, NULL, NULL);
	case RECEIVE_RECVMSG:
		return receive_messages(fd, buffer, false);
	case RECEIVE_RECVMMSG:
		return receive_messages(fd, buffer, true);
	case RECEIVE_SPLICE:
		return receive_splice(fd);
	case RECEIVE_AIO:
		return transfer_aio(fd, IOCB_CMD_PREAD);
	case RECEIVE_ZEROCOPY:
		return receive_zerocopy(fd);
	}
	errno = EINVAL;
	return -1;
}

static const char *const send_names[] = {
	[SEND_WRITE] = "write",	      [SEND_WRITEV] = "writev",
	[SEND_SEND] = "send",	      [SEND_SENDTO] = "sendto",
	[SEND_SENDMSG] = "sendmsg",   [SEND_SENDMMSG] = "sendmmsg",
	[SEND_SENDFILE] = "sendfile", [SEND_SPLICE] = "splice",
	[SEND_VMSPLICE] = "splice",   [SEND_ZEROCOPY] = "send(MSG_ZEROCOPY)",
	[SEND_AIO] = "io_submit",     [SEND_MORE] = "send(MSG_MORE)",
	[SEND_OOB] = "send(MSG_OOB)",
};

static const char *const receive_names[] = {
	[RECEIVE_READ] = "read",	 [RECEIVE_READV] = "readv",
	[RECEIVE_RECV] = "recv",	 [RECEIVE_PEEK] = "recv(MSG_PEEK)",
	[RECEIVE_RECVFROM] = "recvfrom", [RECEIVE_RECVMSG] = "recvmsg",
	[RECEIVE_RECVMMSG] = "recvmmsg", [RECEIVE_SPLICE] = "splice",
	[RECEIVE_AIO] = "io_submit",	 [RECEIVE_ZEROCOPY] = "getsockopt(TCP_ZEROCOPY_RECEIVE)",
};

const char *probe_send_name(enum probe_send how)
{
	return send_names[how];
}

const char *probe_receive_name(enum probe_receive how)
{
	return receive_names[how];
}

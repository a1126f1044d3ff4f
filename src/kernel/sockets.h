/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_SOCKETS_H
#define PH_SOCKETS_H
/*
 * Sockets that processes had open before a policy came and that the policy refuses: found, and kept
 * or destroyed. Every use of them is judged anyway; this is for those who want to know, and for
 * peers that should hear of it.
 *
 * A socket is looked at through a copy of its descriptor (pidfd_getfd), so what counts is the live
 * socket in the network namespace that it belongs to, whatever the process has become since. Not
 * seen: sockets that no descriptor of a process stands for (on their way in a message, registered
 * with io_uring, not accepted yet), and those of threads with descriptors of their own.
 *
 * Keeping. The mark lies on the socket (PH_SOCK_EXEMPT in ph_socks) and counts under generations
 * with PH_FEATURE_KEEP. It goes with the socket, and when the socket connects, disconnects or
 * listens anew. What a kept listener accepts is kept as well, or it would serve nobody; a kept
 * datagram socket without a peer may send to everybody.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include "kernel/decide.h"
#include "kernel/labels.h"

/* What becomes of open sockets that are refused from now on. */
enum ph_existing {
	PH_EXISTING_REPORT,
	PH_EXISTING_KEEP,
	PH_EXISTING_KILL,
};

/* One descriptor of one process. */
struct ph_socket {
	pid_t pid;
	int fd;
	uint64_t inode; /* the same for all descriptors of a socket */
	uint64_t policy; /* that refuses it, and no other allows it */
	struct ph_flow flow;
	uint16_t family;
	uint16_t type;
	uint16_t protocol;
	uint8_t state; /* of TCP, as the kernel counts them; else 0 */
	char comm[PH_COMM_LEN];
	pid_t sharer; /* a process that has it too and may use it; 0: none */
	bool exempt; /* kept by an earlier generation, see sockets_find_exempt() */
	int error; /* 0 or -errno: why it was not kept or killed */
};

/* In the order of their inodes, then pids and descriptors. */
struct ph_sockets {
	struct ph_socket *v;
	size_t n;
	size_t unseen; /* which could not be looked at */
};

void sockets_done(struct ph_sockets *sockets);

/* What labelled tasks have open and the policies refuse them. */
int sockets_refused(const struct ph_image *image, const struct ph_labels *labels,
		    struct ph_sockets *ret);

/* The labels that processes will have under the image: what it knows of theirs, and by name. */
int labels_expect(const struct ph_image *image, struct ph_labels *ret);

/* Exempts them until they close; each that could not be has its error set. 0 or -errno. */
int sockets_keep(struct ph_sockets *sockets);

/* Finds out which of them are kept already, so that their policy refuses them nothing. */
void sockets_find_exempt(struct ph_sockets *sockets);

/* Takes the exemption back. */
void sockets_unkeep(const struct ph_sockets *sockets);

/*
 * Destroys those that nobody else may use: their peers and their processes hear of it at once. Each
 * that could not be has its error set.
 */
void sockets_kill(struct ph_sockets *sockets);

/* How many kept sockets labelled processes have open. */
int sockets_count_kept(const struct ph_labels *labels, size_t *ret);

/* --- For the two files that are this module */

/* A copy of another process's descriptor, if it is still that socket; -errno. */
int socket_borrow(pid_t pid, int fd, uint64_t inode);

/* Its own address and its peer's, even one that it is still connecting to. */
struct ph_socket_names {
	struct sockaddr_storage local;
	struct sockaddr_storage remote; /* AF_UNSPEC: none */
};

void socket_names(int fd, struct ph_socket_names *ret);

/* Calls `each` for every socket of a process until it returns nonzero, which is returned. */
typedef int (*ph_socket_fn)(pid_t pid, int fd, uint64_t inode, void *data);
int sockets_of(pid_t pid, ph_socket_fn each, void *data);

/* The same for every labelled process, each once. */
int sockets_of_labelled(const struct ph_labels *labels, ph_socket_fn each, void *data);

#endif

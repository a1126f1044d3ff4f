// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as the address of bind, connect and sendmsg, and as what stands beside a message: the hooks of
 * bpf/lsm.bpf.c as they are, without a kernel. An address has just the bytes that the call says; what lies
 * behind them is nobody's, and the sanitizer sees who reads it. Where the kernel itself would refuse the
 * address, the answer is its error or none; else it is what the policies in words say of the address that
 * the kernel would take.
 */
#define PH_CLAIM_BPF_H /* porthold's own calls have nothing to do with it */
static inline _Bool claim(unsigned address, unsigned short port)
{
	return 0;
}
#include "../../bpf/lsm.bpf.c"

#include "draw.h"
#include "kernel.h"
#include "words.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	REFUSED = -1, /* EPERM */
	INVALID = -22, /* EINVAL */
	NO_FAMILY = -97, /* EAFNOSUPPORT */
	ANYTHING = 1, /* nothing comes of it, whatever is said */
};

struct setting {
	__u8 call, udp, v6, kind, further, labelled, named, state, route, bound, has_name, fastopen;
	__u8 family, length, controls, last;
	__u16 port, local_port, remote_port;
	__u8 address[16], local[16], remote[16];
	__u8 control[12], control_length[12];
};

/* --- What the kernel makes of an address */

struct name {
	const __u8 *bytes;
	int length;
	unsigned family;
};

static struct name name_of(const __u8 *bytes, int length)
{
	struct name name = { bytes, length, 0 };

	if (length >= 2)
		name.family = bytes[0] | bytes[1] << 8;
	return name;
}

static unsigned port_in(const struct name *name)
{
	return name->bytes[2] << 8 | name->bytes[3];
}

static struct where address_in(const struct name *name)
{
	return name->family == PH_AF_INET6 ? where_of(6, name->bytes + 8) :
					     where_of(4, name->bytes + 4);
}

/* inet_bind(), inet6_bind(): 0: it is taken. */
static int kernel_binds(const struct name *name, bool v6)
{
	if (name->length < (v6 ? 24 : 16))
		return INVALID;
	if (v6)
		return name->family == PH_AF_INET6 ? 0 : NO_FAMILY;
	if (name->family == PH_AF_INET)
		return 0;
	return name->family == 0 && !memcmp(name->bytes + 4, "\0\0\0\0", 4) ? 0 : NO_FAMILY;
}

/* tcp_v4_connect(), tcp_v6_connect(), and those of datagrams. */
static int kernel_connects(const struct name *name, bool v6, bool udp)
{
	if (name->length < (v6 && !(udp && name->family == PH_AF_INET) ? 24 : 16))
		return INVALID;
	if (name->family == PH_AF_INET)
		return v6 && !udp ? NO_FAMILY : 0;
	return v6 && name->family == PH_AF_INET6 ? 0 : NO_FAMILY;
}

/* udp_sendmsg(), udpv6_sendmsg(). */
static int kernel_sends(const struct name *name, bool v6)
{
	if (!v6)
		return name->length < 16			  ? INVALID :
		       name->family && name->family != PH_AF_INET ? NO_FAMILY :
								    0;
	if (name->length < 2)
		return INVALID;
	if (name->family == PH_AF_INET6)
		return name->length < 24 ? INVALID : 0;
	if (name->family == PH_AF_INET)
		return name->length < 16 ? INVALID : 0;
	return name->family ? INVALID : 0;
}

/* Whom it reaches by the address of nobody: itself. */
static struct where reached(struct where remote, const struct where *local, const __u8 *source)
{
	static const __u8 loopback[16] = { 127, 0, 0, 1 }, v6_loopback[16] = { [15] = 1 };

	if (!is_nobody(&remote))
		return remote;
	if (remote.family == 6)
		return local->family == 6 ? where_of(6, v6_loopback) : where_of(4, loopback);
	return local->family == 4 && memcmp(source, "\0\0\0\0", 4) ? where_of(4, source) :
								     where_of(4, loopback);
}

/* --- One call */

struct call {
	const struct setting *setting;
	struct inet_sock inet;
	struct socket sock;
	struct ip_options_rcu options;
	struct ipv6_pinfo v6;
	struct name name;
	bool udp, is_v6, other;
	struct where local, remote;
	unsigned local_port, remote_port;
	__u8 *controls;
	size_t controls_size;
	bool routed, controls_refused; /* by what stands beside the message */
};

static struct where of_sock(bool v6, const __u8 *drawn)
{
	__u8 bytes[16];

	draw_address(bytes, 16, drawn);
	return where_of(v6 ? 6 : 4, bytes);
}

static void make_sock(struct call *call)
{
	const struct setting *setting = call->setting;
	struct sock *sk = &call->inet.sk;

	call->udp = setting->udp & 1;
	call->is_v6 = setting->v6 & 1;
	call->other = !(setting->kind & 15);
	call->local_port = port_of(setting->local_port);
	call->remote_port = port_of(setting->remote_port);
	call->local = of_sock(call->is_v6, setting->local);
	call->remote = of_sock(call->is_v6, setting->remote);
	sk->__sk_common.skc_family = call->is_v6 ? PH_AF_INET6 : PH_AF_INET;
	sk->__sk_common.skc_num = call->local_port;
	sk->__sk_common.skc_dport = __builtin_bswap16(call->remote_port);
	sk->__sk_common.skc_state = setting->state & 1 ? STATE_LISTEN : STATE_CLOSE;
	sk->__sk_common.skc_bound_dev_if = !(setting->bound & 7);
	draw_address((__u8 *)&sk->__sk_common.skc_rcv_saddr, 4, setting->local);
	draw_address((__u8 *)&sk->__sk_common.skc_daddr, 4, setting->remote);
	draw_address((__u8 *)&sk->__sk_common.skc_v6_rcv_saddr, 16, setting->local);
	draw_address((__u8 *)&sk->__sk_common.skc_v6_daddr, 16, setting->remote);
	call->inet.inet_saddr = sk->__sk_common.skc_rcv_saddr;
	sk->sk_type = call->other ? PH_RAW : call->udp ? PH_DGRAM : PH_STREAM;
	sk->sk_protocol = call->udp ? PH_UDP : PH_TCP;
	sk->sk_userlocks = setting->named;
	call->inet.inet_opt = &call->options;
	call->inet.pinet6 = &call->v6;
	call->options.opt.srr = !(setting->route & 7);
	call->sock.sk = sk;
}

/* A rule with addresses covers nothing that goes by way of somebody else. */
static int judged(const struct call *call, struct wish *wish, struct where remote)
{
	if (call->options.opt.srr || call->routed)
		remote.family = 0;
	wish->udp = call->udp;
	wish->further = call->setting->further & 1;
	wish->local = wish->local ? wish->local : &call->local;
	wish->remote = &remote;
	wish->from = wish->from ? &remote : NULL;
	return may(wish) ? 0 : REFUSED;
}

static int expect_bind(const struct call *call)
{
	struct where where, nobody = { .family = 4 };
	struct wish wish = { .serves = true, .local = &where };
	int kernel = kernel_binds(&call->name, call->is_v6);

	if (kernel)
		return kernel;
	where = address_in(&call->name);
	wish.local_port = port_in(&call->name);
	if (!wish.local_port)
		return 0;
	wish.udp = call->udp;
	wish.further = call->setting->further & 1;
	wish.remote = &nobody;
	return may(&wish) ? 0 : REFUSED;
}

/* To the address of a name. */
static int expect_reach(const struct call *call, struct wish *wish)
{
	struct where named = address_in(&call->name);
	struct where where = reached(named, &call->local, (const __u8 *)&call->inet.inet_saddr);

	if (is_nobody(&named) &&
	    (call->inet.sk.__sk_common.skc_bound_dev_if || call->controls_size))
		where.family = 0;
	wish->connects = true;
	wish->remote_port = port_in(&call->name);
	return wish->remote_port ? judged(call, wish, where) : ANYTHING;
}

static int expect_connect(const struct call *call)
{
	struct wish wish = { 0 };

	if (call->name.length >= 2 && call->name.family == 0)
		return 0; /* dissolves what there is */
	if (kernel_connects(&call->name, call->is_v6, call->udp))
		return ANYTHING;
	if (call->udp && call->setting->labelled & 1)
		return 0; /* it sends nothing, and what is sent later the second line sees */
	return expect_reach(call, &wish);
}

static int expect_data(const struct call *call)
{
	struct wish wish = { .connects = call->remote_port,
			     .serves = call->local_port,
			     .from = &call->remote,
			     .local_port = call->local_port,
			     .remote_port = call->remote_port };

	return judged(call, &wish, call->remote);
}

/* Without a peer a listener has to be one that may be, and anything else is nothing yet. */
static int expect_use(const struct call *call)
{
	struct wish wish = { .serves = call->local_port, .local_port = call->local_port };

	if (call->remote_port)
		return expect_data(call);
	if (call->udp)
		return ANYTHING;
	if (call->inet.sk.__sk_common.skc_state != STATE_LISTEN)
		return 0;
	return judged(call, &wish, call->remote);
}

static int expect_send(const struct call *call)
{
	struct wish wish = { .serves = call->local_port,
			     .from = &call->remote,
			     .local_port = call->local_port };

	if (!(call->setting->has_name & 1))
		return expect_use(call);
	if (!call->udp)
		return call->setting->fastopen & 1 ? expect_connect(call) : expect_use(call);
	if (kernel_sends(&call->name, call->is_v6))
		return ANYTHING;
	/* To the peer, whatever the name says; or, in another thread's hands, to what it says. */
	if (call->is_v6 && call->name.family == 0)
		return !call->remote_port || expect_data(call) == 0 ? ANYTHING : REFUSED;
	return expect_reach(call, &wish);
}

/* A disconnect is refused by the kernel in a message. */
static int expected(const struct call *call)
{
	int expect;

	if (call->other)
		return REFUSED;
	if (call->setting->call % 3 == 0)
		return expect_bind(call);
	if (call->setting->call % 3 == 1)
		return expect_connect(call);
	expect = expect_send(call);
	return call->controls_refused || (!call->udp &&
					  call->setting->fastopen & call->setting->has_name & 1 &&
					  call->name.family == 0) ?
		       ANYTHING :
		       expect;
}

static int made(struct call *call)
{
	const struct setting *setting = call->setting;
	struct msghdr msg = { .msg_name = setting->has_name & 1 ? (void *)call->name.bytes : NULL,
			      .msg_namelen = call->name.length,
			      .msg_flags = setting->fastopen & 1 ? MSG_NAME_FASTOPEN :
								   setting->fastopen,
			      .msg_control = call->controls,
			      .msg_controllen = call->controls_size };
	unsigned long long of_name[] = { (__u64)&call->sock, (__u64)call->name.bytes,
					 (__u64)call->name.length };
	unsigned long long of_message[] = { (__u64)&call->sock, (__u64)&msg, 0 };

	if (setting->call % 3 == 0)
		return ph_bind(of_name);
	return setting->call % 3 == 1 ? ph_connect(of_name) : ph_sendmsg(of_message);
}

/* What the kernel refuses after us need not be refused. */
static bool is_right(int expect, int verdict)
{
	if (expect == ANYTHING)
		return true;
	return verdict == expect || (expect != REFUSED && verdict == 0);
}

static void try_call(struct call *call)
{
	unsigned before = n_denials;
	int expect = expected(call), verdict = made(call);

	assert(n_denials - before == (verdict == REFUSED));
	assert(verdict == 0 || verdict == REFUSED || verdict == INVALID || verdict == NO_FAMILY);
	if (is_right(expect, verdict))
		return;
	fprintf(stderr, "call %d: family %u, length %d: %d, not %d\n", call->setting->call % 3,
		call->name.family, call->name.length, verdict, expect);
	abort();
}

/* --- What comes with it */

static __u8 *make_name(struct call *call, struct input *input)
{
	static const __u8 lengths[] = { 0, 1, 2, 3, 4, 8, 15, 16, 17, 23, 24, 27, 28, 29, 128, 16 };
	static const __u8 families[] = { 0, 1, 2, 10, 10, 2, 17, 40 };
	const struct setting *setting = call->setting;
	__u8 bytes[128] = { 0 }, *alone;
	struct input whole = { bytes, sizeof(bytes) };
	bool v6 = families[setting->family & 7] == PH_AF_INET6;

	take(input, bytes + 8, sizeof(bytes) - 8);
	bytes[0] = families[setting->family & 7];
	bytes[1] = setting->family >> 4 == 15;
	bytes[2] = port_of(setting->port) >> 8;
	bytes[3] = port_of(setting->port);
	draw_address(bytes + (v6 ? 8 : 4), v6 ? 16 : 4, setting->address);
	call->name.length = setting->length & 16 ? (v6 ? 28 : 16) : lengths[setting->length & 15];
	alone = take_alone(&whole, call->name.length);
	call->name = name_of(alone, call->name.length);
	return alone;
}

static const struct control kinds_of_controls[] = {
	{ .level = 0, .type = 8 },    { .level = 41, .type = 50 }, { .level = 1, .type = 1 },
	{ .level = 17, .type = 103 }, { .level = 0, .type = 7 },   { .level = 41, .type = 57 },
	{ .level = 41, .type = 5 },   { .level = 0, .type = 57 },
};

/* As the kernel walks through them: a length that does not fit ends the call. */
static void read_controls(struct call *call)
{
	struct control control;
	size_t left = call->controls_size, at = 0;
	unsigned n = 0;

	for (; left >= 16 && !call->routed; n++) {
		memcpy(&control, call->controls + at, 16);
		call->routed = n == CONTROLS_MAX || (control.level == 0 && control.type == 7) ||
			       (control.level == 41 && (control.type == 57 || control.type == 5));
		if (call->routed)
			break;
		if (control.length < 16 || control.length > left) {
			call->controls_refused = true;
			return;
		}
		if (((control.length + 7) & ~7ul) >= left)
			return;
		at += (control.length + 7) & ~7ul;
		left -= (control.length + 7) & ~7ul;
	}
}

static void make_controls(struct call *call)
{
	const struct setting *setting = call->setting;
	__u8 bytes[12 * 40] = { 0 };
	struct input whole = { bytes, sizeof(bytes) };
	size_t at = 0;

	for (unsigned i = 0; i < setting->controls % 16u && i < 12; i++) {
		struct control control =
			kinds_of_controls[setting->control[i] < 0x80 ? setting->control[i] & 7 :
								       setting->control[i] & 3];

		control.length = 16 + setting->control_length[i] % 17;
		if (setting->control_length[i] == 255)
			control.length = setting->last;
		memcpy(bytes + at, &control, 16);
		at += 16 + (setting->control_length[i] % 17 + 7) / 8 * 8;
	}
	call->controls_size = setting->last & 64 ? at - at / 8 * (setting->last & 7) / 8 : at;
	call->controls = take_alone(&whole, call->controls_size);
	read_controls(call);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	tables_open(POLICIES);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct setting setting;
	struct call call = { .setting = &setting };
	__u8 *name;

	take(&input, &setting, sizeof(setting));
	boot(PH_BACKEND_LSM);
	make_sock(&call);
	name = make_name(&call, &input);
	if (setting.call % 3 == 2)
		make_controls(&call);
	socket_is_labelled = setting.labelled & 1;
	/* Of whom nothing confines nothing is asked. */
	task.bpf_storage = NULL;
	assert(made(&call) == 0 && !n_denials);
	task.bpf_storage = &label_of_task;
	confine(&label_of_task.policies, setting.further & 1);
	confine(&label_of_socket.policies, setting.further & 1);
	try_call(&call);
	try_call(&call);
	free(name);
	free(call.controls);
	return 0;
}

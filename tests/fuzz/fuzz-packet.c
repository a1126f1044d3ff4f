// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a packet of a labelled socket: bpf/packet.bpf.c as it is, without a kernel. What it lets
 * pass is what the policies in words grant to the peer that the packet has by the RFCs of IP; what cannot
 * be read goes nowhere that is known. A drop is counted once, a packet that passes is not, and the same
 * packet gets the same verdict when it comes again.
 *
 * Of packets in this kernel's hands that much is taken for granted: they are whole (what is sent is cut
 * into fragments later, what comes is put together before), and their IPv4 header has its 20 bytes.
 */
#include "../../bpf/packet.bpf.c"

#include "draw.h"
#include "kernel.h"
#include "words.h"

#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	NONE_OF_THESE = 256, /* where a packet has no byte */
	OPTIONS_READ = 4, /* headers between those of IPv6 and UDP or TCP */
	ROUTES_READ = 5,
	V4_OPTIONS_READ = 16,
};

/* What a packet says, for one who knows the RFCs. */
struct said {
	bool readable; /* the peer */
	bool routed; /* by way of somebody else */
	bool odd; /* the options cannot be told: any answer will do */
	struct where peer;
	unsigned port;
};

static const __u8 *packet;
static size_t packet_size;

static unsigned byte_at(size_t at)
{
	return at < packet_size ? packet[at] : NONE_OF_THESE;
}

static bool has_bytes(size_t at, size_t n)
{
	return at + n <= packet_size;
}

/* RFC 791: a kind of one byte, or a kind and a length that counts both. */
static void read_v4_options(struct said *said, size_t end)
{
	unsigned n = 0;

	for (size_t at = 20; at < end; n++) {
		unsigned kind = byte_at(at), length = byte_at(at + 1);

		if (n == V4_OPTIONS_READ || kind == NONE_OF_THESE || length == NONE_OF_THESE) {
			said->routed = true;
			return;
		}
		if (kind == 0)
			return;
		if (kind == 131 || kind == 137) {
			said->routed = true;
			return;
		}
		if (kind != 1 && (length < 2 || at + length > end)) {
			said->odd = true;
			return;
		}
		at += kind == 1 ? 1 : length;
	}
}

static size_t read_v4(struct said *said, unsigned protocol)
{
	size_t end = (packet[0] & 15) * 4;

	read_v4_options(said, end);
	return byte_at(9) == protocol ? end : 0;
}

/* RFC 8200: the header's kind stands in the one before, its length counts 8 bytes beyond the first 8. */
static size_t read_v6(struct said *said, unsigned protocol)
{
	unsigned next = byte_at(6), n;
	size_t at = 40;

	for (n = 0; next != protocol; n++) {
		if (n == ROUTES_READ || (next != 0 && next != 43 && next != 60) ||
		    !has_bytes(at, 2))
			return 0;
		said->routed |= next == 43;
		next = byte_at(at);
		at += 8 + 8 * byte_at(at + 1);
	}
	return n <= OPTIONS_READ ? at : 0;
}

static struct said read_packet(unsigned protocol, bool out)
{
	struct said said = { 0 };
	bool v4 = packet_size && packet[0] >> 4 == 4;
	size_t transport, address, size = v4 ? 4 : 16;

	if (!has_bytes(v4 ? 9 : 6, 1))
		return said;
	transport = v4 ? read_v4(&said, protocol) : read_v6(&said, protocol);
	address = v4 ? (out ? 16 : 12) : (out ? 24 : 8);
	if (!transport || !has_bytes(transport, 4) || !has_bytes(address, size))
		return said;
	said.readable = true;
	said.peer = where_of(v4 ? 4 : 6, packet + address);
	said.port = byte_at(transport + 2 * out) << 8 | byte_at(transport + 2 * out + 1);
	return said;
}

/* --- Packets that look like some; random bytes are none that anybody reads far */

struct drawn {
	__u8 v4, protocol, headers, header[6], length[6], cut;
	__u16 port[2];
	__u8 address[2][16];
};

static const __u8 header_kinds[] = { 0, 43, 60, 44, 51 };
static const __u8 option_kinds[] = { 1, 1, 7, 131, 137, 0, 68, 148 };

static size_t put_v4_options(__u8 *bytes, const struct drawn *drawn)
{
	size_t at = 20;

	for (unsigned i = 0; i < drawn->headers % 7u && i < 6; i++) {
		bytes[at++] = option_kinds[drawn->header[i] & 7];
		if (bytes[at - 1] < 2)
			continue;
		bytes[at] = 2 + drawn->length[i] % 5;
		at += 1 + drawn->length[i] % 5;
	}
	while (at % 4)
		bytes[at++] = 1;
	return at;
}

static size_t draw_v4(__u8 *bytes, const struct drawn *drawn)
{
	size_t end = put_v4_options(bytes, drawn);

	bytes[0] = 0x40 | end / 4;
	bytes[9] = drawn->protocol & 7 ? (drawn->protocol & 8 ? 17 : 6) : drawn->protocol;
	draw_address(bytes + 12, 4, drawn->address[0]);
	draw_address(bytes + 16, 4, drawn->address[1]);
	return end;
}

static size_t draw_v6(__u8 *bytes, const struct drawn *drawn)
{
	__u8 *next = &bytes[6];
	size_t at = 40;

	bytes[0] = 0x60;
	draw_address(bytes + 8, 16, drawn->address[0]);
	draw_address(bytes + 24, 16, drawn->address[1]);
	for (unsigned i = 0; i < drawn->headers % 7u && i < 6; i++) {
		*next = header_kinds[drawn->header[i] < 0xf0 ? drawn->header[i] % 3 :
							       3 + drawn->header[i] % 2];
		next = &bytes[at];
		bytes[at + 1] = drawn->length[i] & 3;
		at += 8 + 8 * (drawn->length[i] & 3);
	}
	*next = drawn->protocol & 7 ? (drawn->protocol & 8 ? 17 : 6) : drawn->protocol;
	return at;
}

static size_t draw_packet(__u8 *bytes, const struct drawn *drawn)
{
	size_t at = drawn->v4 & 1 ? draw_v4(bytes, drawn) : draw_v6(bytes, drawn);

	for (unsigned i = 0; i < 2; i++) {
		bytes[at++] = port_of(drawn->port[i]) >> 8;
		bytes[at++] = port_of(drawn->port[i]);
	}
	at += 4; /* of the header as much as UDP has */
	return drawn->cut < 0xc0 ? at : at * (drawn->cut & 63) / 64;
}

static __u8 *make_packet(struct input *input, bool raw)
{
	__u8 bytes[512] = { 0 };
	struct drawn drawn;
	struct input whole = { bytes, sizeof(bytes) };

	if (raw) {
		packet_size = input->left;
		return take_alone(input, packet_size);
	}
	take(input, &drawn, sizeof(drawn));
	packet_size = draw_packet(bytes, &drawn);
	return take_alone(&whole, packet_size);
}

/* --- The socket */

struct setting {
	__u8 out, cgroup_backend, further, udp, v6, state, kind, raw;
	__u16 local_port, remote_port;
	__u8 local[16], remote[16];
};

static const __u8 states[] = { 1, 2, 7, 10 };

static struct bpf_sock make_sock(const struct setting *setting)
{
	struct bpf_sock sk = {
		.family = setting->v6 & 1 ? PH_AF_INET6 : PH_AF_INET,
		.type = setting->udp & 1 ? PH_DGRAM : PH_STREAM,
		.protocol = setting->udp & 1 ? PH_UDP : PH_TCP,
		.state = setting->udp & 1 ? 7 : states[setting->state & 3],
		.src_port = port_of(setting->local_port),
		.dst_port = __builtin_bswap16(port_of(setting->remote_port)),
	};

	if (!(setting->kind & 15)) /* one whose packets no rule is about */
		sk.type = PH_RAW;
	draw_address((__u8 *)&sk.src_ip4, 4, setting->local);
	draw_address((__u8 *)&sk.dst_ip4, 4, setting->remote);
	draw_address((__u8 *)sk.src_ip6, 16, setting->local);
	draw_address((__u8 *)sk.dst_ip6, 16, setting->remote);
	return sk;
}

/* The peer that counts: a datagram's own, and that of what is on its way to a listener. */
static struct said find_peer(const struct bpf_sock *sk, bool udp, bool out)
{
	struct said said = read_packet(udp ? 17 : 6, out);
	struct said of_socket = {
		.routed = said.routed,
		.odd = said.odd,
		.peer = where_of(sk->family == PH_AF_INET6 ? 6 : 4,
				 sk->family == PH_AF_INET6 ? (const __u8 *)sk->dst_ip6 :
							     (const __u8 *)&sk->dst_ip4),
		.port = __builtin_bswap16(sk->dst_port),
	};

	if (said.readable && (udp || !of_socket.port))
		return said;
	if (!of_socket.port)
		of_socket.peer.family = 0;
	/* What is wrapped (IPsec) has no route that could be seen: the socket's own was judged. */
	if (udp)
		of_socket.routed = of_socket.odd = false;
	return of_socket;
}

static bool passes(const struct bpf_sock *sk, const struct setting *setting, bool *ret_odd)
{
	bool out = setting->out & 1, udp = setting->udp & 1, v6 = setting->v6 & 1;
	struct said peer = find_peer(sk, udp, out);
	struct where local = v6 ? where_of(6, (const __u8 *)sk->src_ip6) :
				  where_of(4, (const __u8 *)&sk->src_ip4);
	struct wish wish = {
		.udp = udp,
		.further = setting->further & 1,
		.connects = sk->state != 10 && peer.port,
		.serves = sk->src_port,
		.local = &local,
		.remote = &peer.peer,
		.from = &peer.peer,
		.local_port = sk->src_port,
		.remote_port = peer.port,
	};

	*ret_odd = out && peer.odd;
	if (out && peer.routed)
		peer.peer.family = 0;
	return sk->type != PH_RAW && may(&wish);
}

/* --- One after another */

static void try_packet(struct __sk_buff *skb, const struct setting *setting)
{
	bool odd, right = passes(skb->sk, setting, &odd);
	unsigned before = n_denials;
	int verdict = setting->out & 1 ? ph_egress(skb) : ph_ingress(skb);

	assert(verdict == PACKET_PASS || verdict == PACKET_DROP);
	assert(odd || verdict == (right ? PACKET_PASS : PACKET_DROP));
	assert(n_denials - before == (verdict == PACKET_DROP));
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
	struct __sk_buff skb;
	struct bpf_sock sk;
	__u8 *bytes;

	take(&input, &setting, sizeof(setting));
	sk = make_sock(&setting);
	bytes = make_packet(&input, !(setting.raw & 7));
	packet = bytes;
	skb = (struct __sk_buff){ .len = packet_size, .sk = &sk, .bytes = bytes };
	boot(setting.cgroup_backend & 1 ? PH_BACKEND_CGROUP : PH_BACKEND_LSM);
	if (packet_size && bytes[0] >> 4 == 4 && (bytes[0] & 15) < 5)
		bytes[0] = 0x45;

	/* Of a socket without a label nothing is asked. */
	assert(ph_egress(&skb) == PACKET_PASS && ph_ingress(&skb) == PACKET_PASS && !n_denials);
	socket_is_labelled = true;
	confine(&label_of_socket.policies, setting.further & 1);
	try_packet(&skb, &setting);
	try_packet(&skb, &setting);
	socket_is_labelled = false;
	free(bytes);
	return 0;
}

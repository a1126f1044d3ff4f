/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READERS_BPF_CORE_READ_H
#define READERS_BPF_CORE_READ_H
/* Reads by pointers: what hangs on none is 0, as where the kernel is probed. */

#define READ_FIELD(from, field)                                 \
	({                                                      \
		typeof(from) from_ = (from);                    \
		from_ ? from_->field : (typeof(from_->field))0; \
	})
#define READ_1(from, a) READ_FIELD(from, a)
#define READ_2(from, a, b) READ_FIELD(READ_FIELD(from, a), b)
#define READ_PICK(a, b, name, ...) name
#define BPF_CORE_READ(from, ...) READ_PICK(__VA_ARGS__, READ_2, READ_1)(from, __VA_ARGS__)
#define BPF_CORE_READ_BITFIELD(from, field) ((from)->field)
#define BPF_CORE_READ_BITFIELD_PROBED(from, field) ((from)->field)

/* Newest names alone: of these only where the type of an iterator stands has another place here. */
#define bpf_core_field_exists(...) (#__VA_ARGS__[0] == 'n' || #__VA_ARGS__[0] == 's')
#define bpf_core_enum_value(type, value) ((__u32)(value))
#define bpf_core_enum_value_exists(type, value) 1
#define bpf_core_field_offset(...) READ_PICK(__VA_ARGS__, OFFSET_IN, OFFSET_OF_COMM)(__VA_ARGS__)
#define OFFSET_IN(type, field) __builtin_offsetof(type, field)
#define OFFSET_OF_COMM(field) __builtin_offsetof(struct task_struct, comm)

#endif

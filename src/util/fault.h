/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_FAULT_H
#define PH_FAULT_H
/*
 * Why something could not be done, for the person who asked: what is wrong, what would help, and
 * the exit status that says which kind of no it is. Filled by the function that knows; printed by
 * the command alone.
 */
#include <stdarg.h>
#include <stdio.h>

/* Exit statuses of every verb. */
enum ph_exit {
	PH_EXIT_OK = 0, /* yes, or done */
	PH_EXIT_NO = 1, /* the answer is no: invalid, denied, a promised door open */
	PH_EXIT_USAGE = 2,
	PH_EXIT_IMPOSSIBLE = 3, /* not possible here: no permission, no BPF, busy */
	PH_EXIT_REFUSED =
		4, /* enforcement would be weaker than asked, or would lock somebody out */
	PH_EXIT_CANARY = 5,
};

struct ph_fault {
	enum ph_exit status;
	char text[1024];
};

/* Returns error, so that a function can end with `return fault(f, -EPERM, …)`. */
static inline int __attribute__((format(printf, 4, 5)))
fault(struct ph_fault *fault, int error, enum ph_exit status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(fault->text, sizeof(fault->text), format, arguments);
	va_end(arguments);
	fault->status = status;
	return error;
}

#endif

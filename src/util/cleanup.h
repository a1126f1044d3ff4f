/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PH_CLEANUP_H
#define PH_CLEANUP_H
/*
 * Ownership that is visible at the declaration:
 *
 *	cleanup_free char *text = NULL;		freed when it goes out of scope
 *	cleanup_close int fd = -1;		closed likewise; errno is kept
 *	cleanup_fclose FILE *f = NULL;
 *	cleanup_closedir DIR *dir = NULL;
 *	cleanup_(policy_donep) struct ph_policy policy = {};
 *
 * An owned thing leaves the scope only through TAKE_PTR or TAKE_FD. Always initialise: to NULL, -1
 * or {}.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup_(function) __attribute__((cleanup(function)))

#define TAKE_(var, empty)                       \
	({                                      \
		__typeof__(var) *_var = &(var); \
		__typeof__(var) _taken = *_var; \
		*_var = (empty);                \
		_taken;                         \
	})
#define TAKE_PTR(ptr) TAKE_(ptr, NULL)
#define TAKE_FD(fd) TAKE_(fd, -1)

/* DEFINE_CLEANUP(struct bpf_object *, bpf_object__close) makes cleanup_(bpf_object__closep). */
#define DEFINE_CLEANUP(type, function)               \
	static inline void function##p(type *object) \
	{                                            \
		if (*object)                         \
			function(*object);           \
	}                                            \
	struct cleanup_needs_a_semicolon

/* For objects that live in the scope: DEFINE_CLEANUP_DONE(struct ph_policy, policy_done). */
#define DEFINE_CLEANUP_DONE(type, function)          \
	static inline void function##p(type *object) \
	{                                            \
		function(object);                    \
	}                                            \
	struct cleanup_needs_a_semicolon

/* close() may not change errno that a caller still wants to report. */
static inline void fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static inline void cleanup_freep(void *object)
{
	free(*(void **)object);
}

static inline void cleanup_closep(int *fd)
{
	fd_close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose);
DEFINE_CLEANUP(DIR *, closedir);

#define cleanup_free cleanup_(cleanup_freep)
#define cleanup_close cleanup_(cleanup_closep)
#define cleanup_fclose cleanup_(fclosep)
#define cleanup_closedir cleanup_(closedirp)

#endif

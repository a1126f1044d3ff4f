// SPDX-License-Identifier: GPL-2.0-or-later
#include "apply.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "backend.h"
#include "canary.h"
#include "guard.h"
#include "kernel/attached.h"
#include "kernel/bpffs.h"
#include "kernel/decide.h"
#include "kernel/generation.h"
#include "kernel/maps.h"
#include "kernel/places.h"
#include "kernel/programs.h"
#include "kernel/rewriters.h"
#include "policy/pending.h"
#include "policy/resolve.h"
#include "sources.h"
#include "trial.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"

#define LOCK_PATH PH_RUN_DIR "/lock"
#define LOCK_TRIES 100 /* of 100 ms */
#define RESOLV_CONF "/etc/resolv.conf"

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

int apply_lock_only(struct ph_fault *f)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	cleanup_close int fd = lock_file_open(LOCK_PATH);

	if (fd < 0)
		return fault(f, fd, PH_EXIT_IMPOSSIBLE, "cannot open " LOCK_PATH ": %s",
			     strerror(-fd));
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return TAKE_FD(fd);
		(void)nanosleep(&pause, NULL);
	}
	return fault(f, -EBUSY, PH_EXIT_IMPOSSIBLE,
		     "another porthold is at work (" LOCK_PATH " is locked); try again");
}

int apply_lock(struct ph_fault *f)
{
	cleanup_close int fd = apply_lock_only(f);
	int r = fd < 0 ? fd : trial_settle(f);

	return r ? r : TAKE_FD(fd);
}

/* --- What */

int policies_compile(const struct ph_policy_set *set, struct ph_image *ret,
		     struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(policy_set_donep) struct ph_policy_set resolved = {};
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	int r = resolvers_read(RESOLV_CONF, &resolvers);

	owned = resolvers.v;
	if (!r)
		r = policy_set_resolve(set, &resolvers, &resolved);
	if (!r)
		r = canary_add_policy(&resolved);
	if (!r)
		r = image_compile(&resolved, ret, problems);
	if (r == -EINVAL)
		return fault(f, r, PH_EXIT_NO, "the policies cannot be put in force");
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot compile the policies: %s",
			     strerror(-r));
	return 0;
}

/* What only audit policies match is watched, and free. */
static bool is_confined(const struct ph_image *image, const struct ph_labelled *label)
{
	for (size_t i = 0; i < PH_LABEL_MAX; i++) {
		uint64_t id = label->policies.id[i];
		const struct ph_grant *grant = id ? image_find_grant(image, id) : NULL;

		if (grant && grant->mode == PH_MODE_ENFORCE)
			return true;
	}
	return false;
}

static void count_confined(const struct ph_image *image, const struct ph_labels *labels,
			   struct ph_applied *applied)
{
	struct ph_holder holder;

	applied->confined = applied->holders = 0;
	for (size_t i = 0; i < labels->n; i++) {
		const struct ph_labelled *label = &labels->v[i];

		if (label->pid != label->tgid || !is_confined(image, label))
			continue;
		applied->confined++;
		if (!holder_is(label, &holder))
			continue;
		if (applied->holders < PH_HOLDERS_SHOWN)
			applied->holder[applied->holders] = holder;
		applied->holders++;
	}
}

/* Twice: a fork can straddle the first pass. */
static int label_running(const struct ph_image *image, struct ph_applied *applied,
			 struct ph_fault *f)
{
	for (int pass = 0; pass < 2; pass++) {
		cleanup_(labels_donep) struct ph_labels labels = {};
		int r = labels_pass(&labels);

		if (r == -ENOENT)
			return 0;
		if (r)
			return fault(f, r, PH_EXIT_IMPOSSIBLE,
				     "cannot label the running processes: %s", strerror(-r));
		count_confined(image, &labels, applied);
	}
	return 0;
}

/* --- Sockets that are open */

/* What is kept stays so under later generations: whether this one must be made for it. */
static bool carry_keep(const struct ph_kernel *kernel, struct ph_image *image,
		       const struct ph_apply_options *options)
{
	bool keep = options->existing == PH_EXISTING_KEEP, kept = false;
	struct ph_header current;

	if (!generation_current(kernel, &current))
		kept = current.features & PH_FEATURE_KEEP;
	if (keep || kept)
		image->header.features |= PH_FEATURE_KEEP;
	return keep && !kept;
}

/* Before the generation, so that no call on them fails meanwhile; what this misses comes after. */
static void keep_early(const struct ph_image *image, const struct ph_apply_options *options,
		       struct ph_sockets *ret)
{
	cleanup_(labels_donep) struct ph_labels labels = {};

	if (options->existing == PH_EXISTING_KEEP && !labels_expect(image, &labels) &&
	    !sockets_refused(image, &labels, ret))
		(void)sockets_keep(ret);
}

static int treat_existing(const struct ph_image *image, const struct ph_apply_options *options,
			  struct ph_fault *f)
{
	cleanup_(sockets_donep) struct ph_sockets sockets = {};
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r;

	if (options->existing == PH_EXISTING_REPORT && !options->refused)
		return 0;
	r = labels_pass(&labels);
	if (r == -ENOENT)
		r = labels_expect(image, &labels);
	if (!r)
		r = sockets_refused(image, &labels, &sockets);
	if (!r && options->existing == PH_EXISTING_KEEP)
		r = sockets_keep(&sockets);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "the policies are in force, but the open "
			     "sockets cannot be listed: %s",
			     strerror(-r));
	if (options->existing == PH_EXISTING_KILL)
		sockets_kill(&sockets);
	if (options->refused) {
		*options->refused = sockets;
		sockets = (struct ph_sockets){};
	}
	return 0;
}

/* --- Step by step */

static bool same_cover(const struct ph_state *state, enum ph_backend backend, const char *attach)
{
	return state->backend == backend && !strcmp(state->attach, attach);
}

/* Whether the programs of this binary are attached as planned, every one of them. */
static bool is_attached(const struct ph_kernel *kernel, const struct ph_state *state,
			enum ph_backend backend, const char *attach)
{
	char amiss[128];

	return same_cover(state, backend, attach) && state->code == kernel_code() &&
	       !attached_check(kernel, state, amiss, sizeof(amiss));
}

static int record_state(const struct ph_kernel *kernel, enum ph_backend backend, uint64_t accepted,
			const char *attach, struct ph_fault *f)
{
	struct ph_state state;
	int r = kernel_state_read(kernel, &state);

	if (!r) {
		state.backend = backend;
		state.accepted = accepted;
		(void)snprintf(state.attach, sizeof(state.attach), "%s", attach);
		(void)snprintf(state.version, sizeof(state.version), "%s", PH_VERSION);
		r = kernel_state_write(kernel, &state);
	}
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot record the state: %s", strerror(-r));
	return 0;
}

/* The new files, ready for this generation. */
static int lay_ready(const struct ph_edits *edits, uint64_t generation, struct ph_fault *f)
{
	int r = edits->n ? pending_write(edits, generation) : 0;

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "cannot write the policy files: %s; nothing was changed",
			     strerror(-r));
	return 0;
}

/* Once more, for what came while the generation was put in force, or since. */
static int tell_surroundings(const struct ph_kernel *kernel, const struct ph_image *image,
			     struct ph_applied *applied, struct ph_fault *f)
{
	struct ph_header current;
	int r;

	r = generation_current(kernel, &current);
	if (!r)
		r = rewriters_tell(kernel);
	if (!r)
		r = places_tell(kernel, image, current.slot);
	if (!r && image->n_programs)
		r = programs_tell(kernel, image, current.slot, &applied->missing);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "the policies are in force, but cgroups and programs cannot be "
			     "listed: %s",
			     strerror(-r));
	return 0;
}

static int move_in_place(const struct ph_edits *edits, struct ph_fault *f)
{
	int r = edits->n ? pending_finish() : 0;

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "the policies are in force, but their files cannot be put in place: "
			     "%s; the next porthold command tries again",
			     strerror(-r));
	return 0;
}

static int make_generation(const struct ph_kernel *kernel, struct ph_image *image,
			   const struct ph_apply_options *options, struct ph_fault *f)
{
	cleanup_(sockets_donep) struct ph_sockets kept = {};
	int r;

	keep_early(image, options, &kept);
	if (options->confirm)
		image->header.deadline = boot_now() + options->confirm * PH_SECOND;
	r = generation_install(kernel, image, f);
	if (r)
		sockets_unkeep(&kept);
	return r;
}

static int put_in_force(const struct ph_kernel *kernel, struct ph_image *image,
			const struct ph_apply_options *options, const struct ph_edits *edits,
			struct ph_applied *applied, struct ph_fault *f)
{
	bool anew = carry_keep(kernel, image, options);
	struct ph_header current = {};
	struct ph_state state;
	int r = kernel_state_read(kernel, &state);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot read the state: %s", strerror(-r));
	anew |= generation_current(kernel, &current) || !generation_holds(kernel, image);
	r = lay_ready(edits, anew ? state.generation + 1 : current.generation, f);
	if (r)
		return r;
	if (anew)
		r = make_generation(kernel, image, options, f);
	if (r) {
		pending_discard();
		return r;
	}
	applied->changed = anew;
	applied->trial = anew && options->confirm;
	applied->generation = anew ? image->header.generation : current.generation;
	(void)sources_keep(kernel, image, applied->generation);
	if (!applied->trial)
		r = move_in_place(edits, f);
	if (!r)
		r = tell_surroundings(kernel, image, applied, f);
	return r ? r : label_running(image, applied, f);
}

/* Which sockets are kept under the old maps is not asked: that some may be costs little. */
static int fill_maps(const struct ph_kernel *kernel, void *policies, struct ph_fault *f)
{
	struct ph_image *image = policies;
	int r = labels_adopt(kernel);

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot take over the labels: %s",
			     strerror(-r));
	image->header.features |= PH_FEATURE_KEEP;
	return generation_install(kernel, image, f);
}

static int forget_labels(struct ph_fault *f)
{
	int r = labels_forget();

	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot remove old labels: %s",
			     strerror(-r));
	return 0;
}

static int enforce(struct ph_image *image, const struct ph_plan *plan, uint64_t accepted,
		   const struct ph_apply_options *options, const struct ph_edits *edits,
		   struct ph_applied *applied, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	bool fresh = !kernel_attached();
	struct ph_state state = {};
	int r = kernel_open(&kernel, f);

	if (r && r != -ENOENT && r != -ESTALE)
		return r;
	if (!r)
		r = kernel_state_read(&kernel, &state);
	if (r == -ESTALE && options->confirm)
		return fault(f, r, PH_EXIT_REFUSED,
			     "--confirm takes back policies, not another version of porthold; "
			     "apply once without");
	if (!r && !fresh && options->confirm && !same_cover(&state, plan->backend, applied->attach))
		return fault(f, -EINVAL, PH_EXIT_USAGE,
			     "--confirm takes back policies, not another backend or cgroup; change "
			     "that first, with an apply of its own");
	if (r || fresh || !is_attached(&kernel, &state, plan->backend, applied->attach)) {
		kernel_close(&kernel);
		r = fresh ? forget_labels(f) : 0;
		if (!r)
			r = kernel_attach(plan, f);
		if (!r)
			r = kernel_open(&kernel, f);
		if (r)
			return r;
	}
	r = record_state(&kernel, plan->backend, accepted, applied->attach, f);
	if (!r)
		r = put_in_force(&kernel, image, options, edits, applied, f);
	/* Once the generation is in force it stays so, whatever else failed. */
	if (r && fresh && !applied->changed)
		(void)kernel_detach(&(struct ph_fault){});
	return r;
}

/* No policy: the programs go, the counters and events stay. */
static int release(const struct ph_edits *edits, struct ph_applied *applied, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	int r = kernel_open(&kernel, f);
	bool installed = !r;

	if (r && r != -ENOENT && r != -ESTALE)
		return r;
	r = lay_ready(edits, 0, f);
	if (r)
		return r;
	if (installed)
		r = generation_clear(&kernel, f);
	if (r) {
		pending_discard();
		return r;
	}
	canary_forget();
	applied->changed = true;
	r = move_in_place(edits, f);
	return r ? r : kernel_detach(f);
}

/* What was put in force stays there, whatever the canary says: some of it may hold. */
static int verify(const struct ph_image *image, struct ph_fault *f)
{
	struct ph_canary canary;
	char failed[512];

	canary_run(image, &canary);
	if (canary_ok(&canary))
		return 0;
	canary_text(&canary, failed, sizeof(failed));
	return fault(f, -EIO, PH_EXIT_CANARY,
		     "THE CANARY FAILED: the policies were put in force and do not hold: %s",
		     failed);
}

static void read_recorded(struct ph_state *ret)
{
	*ret = (struct ph_state){};
	(void)state_peek(ret);
}

bool apply_in_force(void)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header header;

	return !kernel_open(&kernel, &(struct ph_fault){}) && !generation_current(&kernel, &header);
}

/* What would be refused, is; *ret says how it would be done. */
static int make_ready(const struct ph_apply_options *options, const struct ph_features *features,
		      struct ph_plan *plan, uint64_t *ret_accepted, struct ph_applied *ret,
		      struct ph_fault *f)
{
	struct ph_state recorded;
	int r;

	read_recorded(&recorded);
	r = backend_choose(options, features, &recorded, &plan->backend, ret_accepted, f);
	if (!r)
		r = attach_choose(options, features, &recorded, ret->attach, f);
	if (r)
		return r;
	plan->features = features;
	plan->cgroup = cgroup_open(ret->attach, f);
	if (plan->cgroup < 0)
		return plan->cgroup;
	ret->backend = plan->backend;
	ret->open = doors_open(plan->backend, features);
	ret->in_force = true;
	return 0;
}

/* What cannot be found out at a call where the kernel takes no tracing programs. */
static int check_matches(const struct ph_image *image, const struct ph_features *features,
			 struct ph_fault *f)
{
	if (features->tracing_programs ||
	    !(image->header.features & (PH_FEATURE_BY_CGROUP | PH_FEATURE_EXE)))
		return 0;
	return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
		     "a policy matches by exe, cgroup or unit, and this kernel takes no tracing "
		     "programs, without which new ones are not seen; match by comm or uid");
}

int apply_policies(const struct ph_policy_set *set, const struct ph_apply_options *options,
		   const struct ph_edits *edits, struct ph_applied *ret,
		   struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_applied applied = {};
	struct ph_plan plan = { .cgroup = -1, .fill = fill_maps, .policies = &image };
	struct ph_features features;
	cleanup_close int cgroup = -1;
	uint64_t accepted = 0;
	int r = 0;

	/* On trial, the programs stay for what may come back. */
	if (!set->n && !(options->confirm && apply_in_force())) {
		r = options->dry_run ? 0 : release(edits, &applied, f);
		if (!r)
			*ret = applied;
		return r;
	}
	r = policies_compile(set, &image, problems, f);
	if (!r && !options->force)
		r = guard_check(set, f);
	if (!r && !options->dry_run)
		r = bpffs_ready(f);
	if (r)
		return r;
	features_probe(&features);
	r = check_matches(&image, &features, f);
	if (!r)
		r = make_ready(options, &features, &plan, &accepted, &applied, f);
	if (r)
		return r;
	cgroup = plan.cgroup;
	if (!options->dry_run)
		r = enforce(&image, &plan, accepted, options, edits, &applied, f);
	if (r)
		return r;
	if (!strcmp(applied.attach, features.cgroup_root))
		*applied.attach = 0;
	*ret = applied;
	if (options->dry_run)
		return 0;
	r = treat_existing(&image, options, f);
	return r ? r : verify(&image, f);
}

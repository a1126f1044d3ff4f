// SPDX-License-Identifier: GPL-2.0-or-later
#include "apply.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "backend.h"
#include "canary.h"
#include "confined.h"
#include "covered.h"
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

	if (r)
		return r;
	store_tidy();
	(void)pins_remove(PH_FRESH_DIR);
	return TAKE_FD(fd);
}

/* --- What */

int policies_compile(const struct ph_policy_set *set, struct ph_image *ret, const char **ret_none,
		     struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(policy_set_donep) struct ph_policy_set resolved = {};
	cleanup_free struct ph_cidr *owned = NULL;
	struct ph_cidrs resolvers = {};
	int r = resolvers_read(PH_RESOLV_CONF, &resolvers, ret_none);

	owned = resolvers.v;
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, PH_RESOLV_CONF " cannot be read: %s",
			     strerror(-r));
	r = policy_set_resolve(set, &resolvers, &resolved);
	if (!r)
		r = canary_add_policy(&resolved);
	if (!r)
		r = image_compile(&resolved, ret, problems);
	if (r == -EINVAL)
		return fault(f, r, PH_EXIT_NO,
			     "the policies cannot be put in force; what was in force stays");
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
static int label_running(const struct ph_kernel *kernel, const struct ph_image *image,
			 struct ph_applied *applied)
{
	for (int pass = 0; pass < 2; pass++) {
		cleanup_(labels_donep) struct ph_labels labels = {};
		int r = labels_pass(&labels);

		if (r)
			return r == -ENOENT ? 0 : r;
		cover_labels(&applied->cover, &labels);
		count_confined(image, &labels, applied);
	}
	generation_tell_labelled(kernel, true);
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
		       const struct ph_cover *cover, struct ph_sockets *ret)
{
	cleanup_(labels_donep) struct ph_labels labels = {};

	if (options->existing != PH_EXISTING_KEEP || labels_expect(image, &labels))
		return;
	cover_labels(cover, &labels);
	if (!sockets_refused(image, &labels, ret))
		(void)sockets_keep(ret);
}

/* Of whom the policies confine now, by the numbers that this process knows them by. */
static int find_refused(const struct ph_image *image, const struct ph_cover *cover,
			struct ph_sockets *ret)
{
	cleanup_(labels_donep) struct ph_labels labels = {};
	int r = labels_know_pid() ? labels_pass(&labels) : -ENOENT;

	if (r == -ENOENT)
		r = labels_expect(image, &labels);
	if (r)
		return r;
	cover_labels(cover, &labels);
	return sockets_refused(image, &labels, ret);
}

static int treat_existing(const struct ph_image *image, const struct ph_apply_options *options,
			  const struct ph_cover *cover)
{
	cleanup_(sockets_donep) struct ph_sockets sockets = {};
	int r;

	if (options->existing == PH_EXISTING_REPORT && !options->refused)
		return 0;
	r = find_refused(image, cover, &sockets);
	if (!r && options->existing == PH_EXISTING_KEEP)
		r = sockets_keep(&sockets);
	if (!r && options->existing == PH_EXISTING_REPORT &&
	    image->header.features & PH_FEATURE_KEEP)
		sockets_find_exempt(&sockets);
	if (r)
		return r;
	if (options->existing == PH_EXISTING_KILL)
		sockets_kill(&sockets);
	if (options->refused) {
		*options->refused = sockets;
		sockets = (struct ph_sockets){};
	}
	return 0;
}

/* --- Step by step */

/* Nothing that fails once the set is in force stops the rest: the first of it is told. */
static void note(struct ph_applied *applied, struct ph_fault *f, int r, const char *what)
{
	if (!r || applied->outcome != PH_DONE)
		return;
	applied->outcome = PH_UNFINISHED;
	(void)fault(f, r, PH_EXIT_IMPOSSIBLE, "%s, but %s%s%s; porthold %s",
		    applied->trial    ? "the policies are in force on trial" :
		    applied->in_force ? "the policies are in force" :
					"nothing is enforced any more",
		    what, r < 0 ? ": " : "", r < 0 ? strerror(-r) : "",
		    applied->trial ? "confirm makes it stay" : "apply does the rest");
}

static void note_unsettled(struct ph_applied *applied, struct ph_fault *f, int r)
{
	note(applied, f, r == PH_UNSETTLED ? r : 0,
	     "calls that had begun may still go by what was in force before");
}

void apply_keep(const struct ph_problems *problems, struct ph_applied *applied, struct ph_fault *f)
{
	if (outcome_in_force(applied->outcome) && !applied->trial)
		note(applied, f, store_keep(problems),
		     "no copy of their files could be kept for the next boot, at which a bad file "
		     "would count as an older copy says, or not at all");
}

static bool same_cover(const struct ph_state *state, enum ph_backend backend, const char *attach)
{
	return state->backend == backend && !strcmp(state->attach, attach);
}

/* Whether the programs of this binary are attached as planned, every one of them; and what they have missed. */
static bool is_attached(const struct ph_kernel *kernel, const struct ph_state *state,
			enum ph_backend backend, const char *attach, struct ph_missed *ret_missed)
{
	char amiss[128];

	return same_cover(state, backend, attach) && state->code == kernel_code() &&
	       !attached_check(kernel, state, amiss, sizeof(amiss), ret_missed);
}

/* A name that was taken unseen must not look like one that the next generation asks for first. */
static void label_unseen(const struct ph_missed *missed)
{
	cleanup_(labels_donep) struct ph_labels labels = {};

	if (missed->labels)
		(void)labels_pass(&labels);
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
			     struct ph_applied *applied)
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
	return r;
}

static void move_in_place(const struct ph_edits *edits, struct ph_applied *applied,
			  struct ph_fault *f)
{
	note(applied, f, edits->n ? trial_finish_files() : 0, "their files cannot be put in place");
}

/* What comes after the swap. */
static void finish(const struct ph_kernel *kernel, const struct ph_image *image,
		   const struct ph_edits *edits, struct ph_applied *applied, struct ph_fault *f)
{
	if (!applied->trial)
		move_in_place(edits, applied, f);
	note(applied, f, sources_keep(kernel, image, applied->generation),
	     "events cannot name their policies");
	note(applied, f, tell_surroundings(kernel, image, applied),
	     "cgroups and programs cannot be listed");
	note(applied, f, label_running(kernel, image, applied),
	     "processes that run already cannot be labelled");
}

static int make_generation(const struct ph_kernel *kernel, struct ph_image *image,
			   const struct ph_apply_options *options, const struct ph_cover *cover,
			   struct ph_fault *f)
{
	cleanup_(sockets_donep) struct ph_sockets kept = {};
	int r;

	/* Whom a policy shuts in that was forced can neither look afterwards nor say that it could not. */
	r = options->force ? canary_forget() : 0;
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "cannot forget what the canary found: %s; nothing was changed",
			     strerror(-r));
	keep_early(image, options, cover, &kept);
	for (size_t i = 0; options->force && i < image->n_programs; i++)
		image->programs[i].withheld = false;
	if (options->confirm)
		image->header.deadline = boot_now() + options->confirm * PH_SECOND;
	r = generation_install(kernel, image, f);
	if (r < 0)
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
		r = make_generation(kernel, image, options, &applied->cover, f);
	if (r < 0) {
		(void)pending_discard();
		return r;
	}
	applied->outcome = PH_DONE;
	applied->changed = anew;
	applied->trial = anew && options->confirm;
	applied->generation = anew ? image->header.generation : current.generation;
	note_unsettled(applied, f, r);
	finish(kernel, image, edits, applied, f);
	return 0;
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
	r = generation_install(kernel, image, f);
	return r == PH_UNSETTLED ? 0 : r; /* no call looks at these maps as yet */
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
	struct ph_missed missed = {};
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
	if (r || fresh || !is_attached(&kernel, &state, plan->backend, applied->attach, &missed)) {
		kernel_close(&kernel);
		r = fresh ? forget_labels(f) : 0;
		if (!r)
			r = kernel_attach(plan, f);
		if (!r)
			r = kernel_open(&kernel, f);
		if (r)
			return r;
		generation_tell_labelled(&kernel, false);
	}
	label_unseen(&missed);
	r = record_state(&kernel, plan->backend, accepted, applied->attach, f);
	if (!r)
		r = put_in_force(&kernel, image, options, edits, applied, f);
	if (r && fresh)
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
	r = canary_forget(); /* before: what is missed later was not taken away */
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "cannot forget what the canary found: %s; nothing was changed",
			     strerror(-r));
	r = lay_ready(edits, 0, f);
	if (r)
		return r;
	if (installed)
		r = generation_clear(&kernel, f);
	if (r < 0) {
		(void)pending_discard();
		return r;
	}
	applied->outcome = PH_DONE;
	applied->changed = true;
	note_unsettled(applied, f, r);
	move_in_place(edits, applied, f);
	note(applied, f, kernel_detach(&(struct ph_fault){}), "programs stay attached");
	return 0;
}

/* Whatever else failed comes of this. */
static void note_shut_in(struct ph_applied *applied, struct ph_fault *f)
{
	applied->outcome = PH_UNFINISHED;
	(void)fault(f, -EPERM, PH_EXIT_IMPOSSIBLE,
		    "the policies are in force%s, and confine this command, too: it cannot look "
		    "whether they hold, nor see to what runs already. From a process that none of "
		    "them holds porthold status --check looks, and porthold %s",
		    applied->trial ? " on trial" : "",
		    applied->trial ? "confirm makes it stay" : "apply does the rest");
}

/* What was put in force stays there, whatever the canary says: some of it may hold. */
static void verify(const struct ph_image *image, struct ph_applied *applied, struct ph_fault *f)
{
	struct ph_canary canary = {};
	bool shut_in = confined_now();
	char failed[512];

	if (!shut_in) {
		canary_run(image, &canary);
		shut_in = !canary_ok(&canary) && confined_now();
		if (shut_in)
			(void)canary_forget();
	}
	if (shut_in)
		note_shut_in(applied, f);
	if (shut_in || canary_ok(&canary))
		return;
	canary_text(&canary, failed, sizeof(failed));
	applied->outcome = PH_ILL;
	(void)fault(f, -EIO, PH_EXIT_CANARY,
		    "THE CANARY FAILED: the policies were put in force and do not hold: %s",
		    failed);
}

/* How that was put there which is in force; nothing, if nothing is. */
static int read_recorded(struct ph_state *ret, struct ph_fault *f)
{
	int r = state_find(ret, f);

	return r == -ENOENT ? 0 : r;
}

/* What a newer one has put there an older one may not know how to hold. */
static int refuse_older(const struct ph_state *recorded, struct ph_fault *f)
{
	char version[sizeof(recorded->version) + 1] = "";

	memcpy(version, recorded->version, sizeof(recorded->version));
	if (strverscmp(version, PH_VERSION) <= 0)
		return 0;
	return fault(f, -EPROTONOSUPPORT, PH_EXIT_REFUSED,
		     "what is in force was put there by porthold %s, and this is the older %s; use "
		     "that one, or let it stop first; nothing was changed",
		     version, PH_VERSION);
}

bool apply_would_lose(const struct ph_lost *lost, struct ph_fault *f)
{
	for (size_t i = 0; i < lost->n; i++) {
		if (!sources_hold(lost->paths[i]) || !apply_in_force())
			continue;
		(void)fault(f, -EINVAL, PH_EXIT_NO,
			    "what is in force of %s would end, since nothing of it can be read; "
			    "nothing was changed, mend that file first",
			    lost->paths[i]);
		return true;
	}
	return false;
}

bool apply_in_force(void)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct ph_header header;
	int r = kernel_open(&kernel, &(struct ph_fault){});

	if (!r)
		r = generation_current(&kernel, &header);
	return r != -ENOENT;
}

/*
 * In a pid namespace the guard and whatever lists or counts processes see those of the namespace alone:
 * only a cgroup that holds no others may be covered.
 */
static int check_sight(const struct ph_apply_options *options, const struct ph_plan *plan,
		       const struct ph_cover *cover, struct ph_fault *f)
{
	int strangers = 1;

	if (labels_know_pid())
		return 0;
	if (!cover->whole)
		strangers = cgroup_has_strangers(plan->cgroup);
	if (strangers < 0)
		return fault(f, strangers, PH_EXIT_IMPOSSIBLE,
			     "cannot look who is in the cgroup: %s; nothing was changed",
			     strerror(-strangers));
	if (strangers)
		return fault(f, -EXDEV, PH_EXIT_REFUSED,
			     "this is a pid namespace, and the policy would confine processes "
			     "that cannot be seen from here, so that it could lock you out: run "
			     "in that of the host (podman or docker run --pid host), or cover a "
			     "cgroup that holds only what runs here (--backend cgroup --attach)");
	if (options->existing != PH_EXISTING_REPORT)
		return fault(f, -EXDEV, PH_EXIT_IMPOSSIBLE,
			     "--existing %s: not in a pid namespace: whose the sockets are is told "
			     "by the process numbers of the whole machine; nothing was changed",
			     options->existing == PH_EXISTING_KEEP ? "keep" : "kill");
	return 0;
}

static int find_cover(const struct ph_plan *plan, struct ph_cover *ret, struct ph_fault *f)
{
	struct stat st;

	if (fstat(plan->cgroup, &st))
		return fault(f, -errno, PH_EXIT_IMPOSSIBLE, "cannot look at the cgroup: %s",
			     strerror(errno));
	cover_find(plan->backend, st.st_ino, ret);
	return 0;
}

/* What would be refused, is; *ret says how it would be done. */
static int make_ready(const struct ph_apply_options *options, const struct ph_features *features,
		      struct ph_plan *plan, uint64_t *ret_accepted, struct ph_applied *ret,
		      struct ph_fault *f)
{
	struct ph_state recorded;
	int r = read_recorded(&recorded, f);

	if (!r)
		r = refuse_older(&recorded, f);
	if (!r)
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
	ret->open = doors_open_at(plan->backend, features, ret->attach);
	ret->accept_idle = options->accept && *options->accept &&
			   plan->backend == PH_BACKEND_CGROUP;
	ret->in_force = true;
	r = find_cover(plan, &ret->cover, f);
	return r ? r : check_sight(options, plan, &ret->cover, f);
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

/* What is wrong with the policies themselves. */
static int check_fit(const struct ph_policy_set *set, const struct ph_apply_options *options,
		     const struct ph_edits *edits, struct ph_image *image,
		     struct ph_applied *applied, struct ph_problems *problems, struct ph_fault *f)
{
	enum ph_guard guard = options->force ? PH_GUARD_FORCED :
			      options->spare ? PH_GUARD_PATHS :
					       PH_GUARD_NEWS;
	int r = policies_compile(set, image, &applied->no_resolvers, problems, f);
	bool unfit = r == -EINVAL;

	if (!r) {
		r = guard_check(set, guard, edits, image, problems, f);
		unfit = r == -EPERM;
	}
	if (unfit)
		applied->outcome = PH_UNFIT;
	return r;
}

/* 0: it is in force, or would be. */
static int put_set_in_force(const struct ph_policy_set *set, struct ph_image *image,
			    const struct ph_apply_options *options, const struct ph_edits *edits,
			    struct ph_applied *applied, struct ph_problems *problems,
			    struct ph_fault *f)
{
	struct ph_plan plan = { .cgroup = -1, .fill = fill_maps, .policies = image };
	struct ph_features features;
	cleanup_close int cgroup = -1;
	uint64_t accepted = 0;
	int r = check_fit(set, options, edits, image, applied, problems, f);

	if (!r && !options->dry_run)
		r = bpffs_ready(f);
	if (r)
		return r;
	r = features_probe(&features, f);
	if (!r)
		r = check_matches(image, &features, f);
	if (!r)
		r = make_ready(options, &features, &plan, &accepted, applied, f);
	if (r)
		return r;
	cgroup = plan.cgroup;
	if (!options->dry_run)
		r = enforce(image, &plan, accepted, options, edits, applied, f);
	else
		applied->outcome = PH_DONE;
	if (attach_is_whole(applied->attach, features.cgroup_root))
		*applied->attach = 0;
	return r;
}

static int apply_set(const struct ph_policy_set *set, const struct ph_apply_options *options,
		     const struct ph_edits *edits, struct ph_applied *applied,
		     struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(image_donep) struct ph_image image = {};
	int r;

	r = put_set_in_force(set, &image, options, edits, applied, problems, f);
	if (r || options->dry_run)
		return r;
	note(applied, f, treat_existing(&image, options, &applied->cover),
	     "the open sockets cannot be listed");
	verify(&image, applied, f);
	return 0;
}

int apply_policies(const struct ph_policy_set *set, const struct ph_apply_options *options,
		   const struct ph_edits *edits, struct ph_applied *ret,
		   struct ph_problems *problems, struct ph_fault *f)
{
	struct ph_applied applied = {};
	int r = 0;

	/* Of pins of its own, which nobody makes in a private mount namespace, something else is told. */
	if (!options->dry_run && !(set->n && bpffs_is_private()))
		r = covered_fault(f);
	if (r) {
		*ret = applied;
		return r;
	}
	/* On trial, the programs stay for what may come back. */
	if (set->n || (options->confirm && apply_in_force()))
		r = apply_set(set, options, edits, &applied, problems, f);
	else if (options->dry_run)
		applied.outcome = PH_DONE;
	else
		r = release(edits, &applied, f);
	*ret = r ? (struct ph_applied){ .outcome = applied.outcome } : applied;
	return r || applied.outcome == PH_DONE ? r : -EIO;
}

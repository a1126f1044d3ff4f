// SPDX-License-Identifier: GPL-2.0-or-later
#include "apply.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "canary.h"
#include "guard.h"
#include "kernel/attached.h"
#include "kernel/bpffs.h"
#include "kernel/cgroups.h"
#include "kernel/generation.h"
#include "policy/resolve.h"
#include "policy/store.h"
#include "sources.h"
#include "util/cleanup.h"
#include "util/file.h"

#define LOCK_PATH PH_RUN_DIR "/lock"
#define LOCK_TRIES 100 /* of 100 ms */
#define RESOLV_CONF "/etc/resolv.conf"
#define INITIAL_CGROUP_NAMESPACE 0xeffffffbul

DEFINE_CLEANUP_DONE(struct ph_policy_set, policy_set_done);
DEFINE_CLEANUP_DONE(struct ph_image, image_done);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);
DEFINE_CLEANUP_DONE(struct ph_sockets, sockets_done);
DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);

int apply_lock(struct ph_fault *f)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	cleanup_close int fd = -1;
	int r = mkdir_parents(PH_RUN_POLICIES, 0755);

	if (!r) {
		fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		r = fd < 0 ? -errno : 0;
	}
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot open " LOCK_PATH ": %s",
			     strerror(-r));
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return TAKE_FD(fd);
		(void)nanosleep(&pause, NULL);
	}
	return fault(f, -EBUSY, PH_EXIT_IMPOSSIBLE,
		     "another porthold is at work (" LOCK_PATH " is locked); try again");
}

/* --- Which backend */

static int lsm_missing(const struct ph_features *features, struct ph_fault *f)
{
	const char *list = features->lsm_list;

	if (!features->lsm_programs)
		return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
			     "this kernel refuses BPF LSM programs (CONFIG_BPF_LSM); boot a kernel "
			     "that has them, or accept the weaker cgroup hooks: --backend best");
	return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
		     "the BPF LSM is not active: %s%s. LSM programs would load and do nothing. "
		     "Add lsm=%s%sbpf to the kernel's command line and boot; "
		     "until then accept the weaker cgroup hooks: --backend best",
		     *list ? "the active list is " : "/sys/kernel/security/lsm cannot be read",
		     list, list, *list ? "," : "");
}

static void name_doors(uint64_t doors, char *ret, size_t size)
{
	size_t used = 0;

	*ret = 0;
	for (size_t i = 0; i < ph_promises_n && used < size; i++)
		if (doors >> i & 1)
			used += snprintf(ret + used, size - used, "%s%s", used ? "," : "",
					 ph_promises[i].name);
}

static enum ph_backend_choice recorded_choice(const struct ph_state *recorded)
{
	switch (recorded->backend) {
	case PH_BACKEND_LSM:
		return PH_CHOICE_LSM;
	case PH_BACKEND_CGROUP:
		return PH_CHOICE_CGROUP;
	default:
		return PH_CHOICE_AUTO;
	}
}

int backend_choose(const struct ph_apply_options *options, const struct ph_features *features,
		   const struct ph_state *recorded, enum ph_backend *ret, uint64_t *ret_accepted,
		   struct ph_fault *f)
{
	enum ph_backend_choice choice = options->backend;
	bool lsm = features->lsm_programs && features->lsm_active;
	uint64_t accepted = recorded->accepted, open;
	char names[256];

	if (!features->cgroup_programs)
		return fault(f, -EOPNOTSUPP, PH_EXIT_IMPOSSIBLE,
			     "this kernel refuses BPF programs to us (not root, a container, or no "
			     "CONFIG_CGROUP_BPF); see porthold doctor");
	if (!features->btf)
		return fault(f, -EOPNOTSUPP, PH_EXIT_IMPOSSIBLE,
			     "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing); "
			     "boot one with CONFIG_DEBUG_INFO_BTF");
	if (options->accept && doors_parse(options->accept, &accepted, names, sizeof(names)))
		return fault(f, -EINVAL, PH_EXIT_USAGE, "no door is called %s; see porthold doctor",
			     names);
	if (choice == PH_CHOICE_RECORDED)
		choice = recorded_choice(recorded);
	if (choice == PH_CHOICE_CGROUP || (choice == PH_CHOICE_BEST && !lsm)) {
		*ret = PH_BACKEND_CGROUP;
		*ret_accepted = doors_open(*ret, features);
		return 0;
	}
	if (!lsm)
		return lsm_missing(features, f);
	open = doors_open(PH_BACKEND_LSM, features) & ~doors_optional();
	if (choice == PH_CHOICE_BEST)
		accepted |= open;
	if (open & ~accepted) {
		name_doors(open & ~accepted, names, sizeof(names));
		return fault(f, -EOPNOTSUPP, PH_EXIT_REFUSED,
			     "this kernel leaves doors open: %s; to accept that: "
			     "--accept-degraded=%s",
			     names, names);
	}
	*ret = PH_BACKEND_LSM;
	*ret_accepted = accepted;
	return 0;
}

/* --- Where */

int cgroup_open(const char *path, struct ph_fault *f)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return fault(f, -errno, PH_EXIT_USAGE,
			     "%s: %s; name a directory of the cgroup2 "
			     "hierarchy",
			     path, strerror(errno));
	if (fstatfs(fd, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		return fault(f, -EINVAL, PH_EXIT_USAGE,
			     "%s is no cgroup; name a directory of the "
			     "cgroup2 hierarchy",
			     path);
	return TAKE_FD(fd);
}

/* The cgroup namespace shows only a part of the hierarchy: nothing system-wide starts there. */
static bool sees_root_cgroup(void)
{
	struct stat st;

	return stat("/proc/self/ns/cgroup", &st) || st.st_ino == INITIAL_CGROUP_NAMESPACE;
}

static int choose_attach(const struct ph_apply_options *options, const struct ph_features *features,
			 const struct ph_state *recorded, char ret[PH_PATH_LEN], struct ph_fault *f)
{
	const char *path = options->attach;

	if (!path && *recorded->attach)
		path = recorded->attach;
	if (!path && !*features->cgroup_root)
		return fault(
			f, -ENOENT, PH_EXIT_IMPOSSIBLE,
			"no cgroup2 hierarchy is mounted; mount -t cgroup2 none /sys/fs/cgroup");
	if (!path && !sees_root_cgroup())
		return fault(f, -EXDEV, PH_EXIT_REFUSED,
			     "this is a cgroup namespace: a policy made here would cover only its "
			     "part of the machine; say so with --attach %s",
			     features->cgroup_root);
	if (!path)
		path = features->cgroup_root;
	if (strlen(path) >= PH_PATH_LEN)
		return fault(f, -ENAMETOOLONG, PH_EXIT_USAGE, "%s: the path is too long", path);
	(void)snprintf(ret, PH_PATH_LEN, "%s", path);
	return 0;
}

/* --- What */

static int resolve_set(const struct ph_policy_set *set, struct ph_policy_set *ret)
{
	cleanup_(policy_set_donep) struct ph_policy_set resolved = {};
	struct ph_cidrs resolvers = {};
	int r = resolvers_read(RESOLV_CONF, &resolvers);

	for (size_t i = 0; !r && i < set->n; i++) {
		struct ph_policy policy = {};

		r = policy_resolve(&set->policies[i], &resolvers, &policy);
		if (!r)
			r = policy_set_add(&resolved, &policy);
		policy_done(&policy);
	}
	free(resolvers.v);
	if (!r)
		r = canary_add_policy(&resolved);
	if (r)
		return r;
	*ret = resolved;
	resolved = (struct ph_policy_set){};
	return 0;
}

int policies_compile(const struct ph_policy_set *set, struct ph_image *ret,
		     struct ph_problems *problems, struct ph_fault *f)
{
	cleanup_(policy_set_donep) struct ph_policy_set resolved = {};
	int r = resolve_set(set, &resolved);

	if (!r)
		r = image_compile(&resolved, ret, problems);
	if (r == -EINVAL)
		return fault(f, r, PH_EXIT_NO, "the policies cannot be put in force");
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot compile the policies: %s",
			     strerror(-r));
	return 0;
}

/* --- Doing it */

struct undo {
	const struct ph_edit *edit;
	char *before; /* NULL: there was no file */
	size_t length;
};

static int edit_make(const struct ph_edit *edit, struct undo *undo, struct ph_fault *f)
{
	int r = 0;

	if (!edit->path)
		return 0;
	if (!file_read(edit->path, PH_FILE_SIZE_MAX, &undo->before, &undo->length))
		undo->edit = edit;
	if (edit->text)
		r = file_write_atomic(edit->path, edit->text, strlen(edit->text), 0644);
	else if (unlink(edit->path) && errno != ENOENT)
		r = -errno;
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot write %s: %s", edit->path,
			     strerror(-r));
	undo->edit = edit;
	return 0;
}

static void edit_revert(struct undo *undo)
{
	if (!undo->edit)
		return;
	if (undo->before)
		(void)file_write_atomic(undo->edit->path, undo->before, undo->length, 0644);
	else
		(void)unlink(undo->edit->path);
}

/* Twice: a fork can straddle the first pass. */
static int label_running(struct ph_applied *applied, struct ph_fault *f)
{
	for (int pass = 0; pass < 2; pass++) {
		cleanup_(labels_donep) struct ph_labels labels = {};
		int r = labels_pass(&labels);

		if (r == -ENOENT)
			return 0;
		if (r)
			return fault(f, r, PH_EXIT_IMPOSSIBLE,
				     "cannot label the running processes: %s", strerror(-r));
		applied->confined = 0;
		for (size_t i = 0; i < labels.n; i++)
			applied->confined += labels.v[i].pid == labels.v[i].tgid;
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

/* Whether the programs of this binary are attached as planned, every one of them. */
static bool is_attached(const struct ph_kernel *kernel, const struct ph_state *state,
			enum ph_backend backend, const char *attach)
{
	char amiss[128];

	return state->backend == backend && state->code == kernel_code() &&
	       !strcmp(state->attach, attach) &&
	       !attached_check(kernel, state, amiss, sizeof(amiss));
}

static int record_state(const struct ph_kernel *kernel, enum ph_backend backend, uint64_t accepted,
			const char *attach, struct ph_fault *f)
{
	struct ph_state state;
	int r = kernel_state_read(kernel, &state);

	if (!r) {
		state.abi = PH_ABI_VERSION;
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

static int put_in_force(const struct ph_kernel *kernel, struct ph_image *image,
			const struct ph_apply_options *options, const struct ph_edit *edit,
			struct ph_applied *applied, struct ph_fault *f)
{
	cleanup_(sockets_donep) struct ph_sockets kept = {};
	bool anew = carry_keep(kernel, image, options);
	struct undo undo = {};
	struct ph_state state = {};
	int r = edit_make(edit, &undo, f);

	if (!r && kernel_state_read(kernel, &state))
		r = fault(f, -EIO, PH_EXIT_IMPOSSIBLE, "cannot read the state");
	if (!r && (anew || !generation_holds(kernel, image))) {
		keep_early(image, options, &kept);
		r = generation_install(kernel, image, f);
		applied->changed = !r;
	}
	if (r) {
		sockets_unkeep(&kept);
		edit_revert(&undo);
	}
	free(undo.before);
	if (r)
		return r;
	applied->generation = applied->changed ? image->header.generation : state.generation;
	(void)sources_keep(kernel, image, applied->generation);
	return label_running(applied, f);
}

static int enforce(struct ph_image *image, const struct ph_plan *plan, uint64_t accepted,
		   const struct ph_apply_options *options, const struct ph_edit *edit,
		   struct ph_applied *applied, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	bool fresh = !kernel_attached();
	struct ph_state state = {};
	int r = kernel_open(&kernel, f);

	if (r && r != -ENOENT)
		return r;
	if (!r)
		r = kernel_state_read(&kernel, &state);
	if (r || fresh || !is_attached(&kernel, &state, plan->backend, applied->attach)) {
		kernel_close(&kernel);
		r = kernel_attach(plan, f);
		if (!r)
			r = kernel_open(&kernel, f);
		if (r)
			return r;
	}
	r = record_state(&kernel, plan->backend, accepted, applied->attach, f);
	if (!r && image->header.features & PH_FEATURE_CGROUP &&
	    cgroups_tell(&kernel, plan->features->cgroup_root))
		r = fault(f, -EIO, PH_EXIT_IMPOSSIBLE, "cannot read the cgroups below %s",
			  plan->features->cgroup_root);
	if (!r)
		r = put_in_force(&kernel, image, options, edit, applied, f);
	/* Once the generation is in force it stays so, whatever else failed. */
	if (r && fresh && !applied->changed)
		(void)kernel_detach(&(struct ph_fault){});
	return r;
}

/* No policy: the programs go, the counters and events stay. */
static int release(const struct ph_edit *edit, struct ph_applied *applied, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct undo undo = {};
	int r = edit_make(edit, &undo, f);

	if (!r) {
		r = kernel_open(&kernel, f);
		if (r == -ENOENT)
			r = 0;
		else if (!r)
			r = generation_clear(&kernel, f);
	}
	if (!r)
		r = kernel_detach(f);
	if (r)
		edit_revert(&undo);
	else
		canary_forget();
	free(undo.before);
	applied->changed = !r;
	return r;
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
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;

	*ret = (struct ph_state){};
	if (!kernel_open(&kernel, &(struct ph_fault){}))
		(void)kernel_state_read(&kernel, ret);
}

int apply_policies(const struct ph_policy_set *set, const struct ph_apply_options *options,
		   const struct ph_edit *edit, struct ph_applied *ret, struct ph_problems *problems,
		   struct ph_fault *f)
{
	cleanup_(image_donep) struct ph_image image = {};
	struct ph_applied applied = {};
	struct ph_features features;
	cleanup_close int cgroup = -1;
	struct ph_state recorded;
	struct ph_plan plan = { .features = &features };
	uint64_t accepted = 0;
	int r;

	if (!set->n) {
		r = release(edit, &applied, f);
		if (!r)
			*ret = applied;
		return r;
	}
	r = policies_compile(set, &image, problems, f);
	if (!r)
		r = guard_check(set, f);
	if (!r)
		r = bpffs_ready(f);
	if (r)
		return r;
	features_probe(&features);
	read_recorded(&recorded);
	r = backend_choose(options, &features, &recorded, &plan.backend, &accepted, f);
	if (!r)
		r = choose_attach(options, &features, &recorded, applied.attach, f);
	if (r)
		return r;
	cgroup = plan.cgroup = cgroup_open(applied.attach, f);
	if (cgroup < 0)
		return cgroup;
	r = enforce(&image, &plan, accepted, options, edit, &applied, f);
	if (r)
		return r;
	applied.backend = plan.backend;
	applied.open = doors_open(plan.backend, &features);
	applied.in_force = true;
	if (!strcmp(applied.attach, features.cgroup_root))
		*applied.attach = 0;
	*ret = applied;
	r = treat_existing(&image, options, f);
	return r ? r : verify(&image, f);
}

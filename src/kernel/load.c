// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.skel.h"
#include "guard.skel.h"
#include "identity.skel.h"
#include "kernel/around.h"
#include "kernel/attached.h"
#include "kernel/bpffs.h"
#include "kernel/compile.h"
#include "kernel/labels.h"
#include "kernel/maps.h"
#include "lsm.skel.h"
#include "packet.skel.h"
#include "protect.skel.h"
#include "sysctl.skel.h"
#include "util/cleanup.h"
#include "util/namespace.h"
#include "util/progress.h"

DEFINE_CLEANUP_DONE(struct ph_kernel, kernel_close);
DEFINE_CLEANUP_DONE(struct ph_labels, labels_done);

/* --- Objects: open, configure, load, attach */

enum {
	OBJECTS = 7,
	KEEPERS = 2, /* the first of them keep labels, which the others judge by */
};

struct objects {
	struct lsm_bpf *lsm;
	struct guard_bpf *guard;
	struct protect_bpf *protect;
	struct identity_bpf *identity;
	struct cgroup_bpf *cgroup;
	struct packet_bpf *packet;
	struct sysctl_bpf *sysctl;
};

static void objects_done(struct objects *objects)
{
	lsm_bpf__destroy(objects->lsm);
	guard_bpf__destroy(objects->guard);
	protect_bpf__destroy(objects->protect);
	identity_bpf__destroy(objects->identity);
	cgroup_bpf__destroy(objects->cgroup);
	packet_bpf__destroy(objects->packet);
	sysctl_bpf__destroy(objects->sysctl);
}

/* The last complaint of libbpf, to be told with a failure. */
static char complaint[512];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (getenv("PORTHOLD_DEBUG"))
		return vfprintf(stderr, format, arguments);
	if (level == LIBBPF_WARN && !*complaint) {
		(void)vsnprintf(complaint, sizeof(complaint), format, arguments);
		complaint[strcspn(complaint, "\n")] = 0;
	}
	return 0;
}

/* Without one, what is folded together could be chosen: events alone depend on it. */
static uint64_t make_seed(void)
{
	uint64_t seed = 0;

	(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	return seed;
}

#define CONFIGURE(skeleton, plan, storage, typed, lock)                                         \
	do {                                                                                    \
		(skeleton)->rodata->ph_has_task_storage = (storage);                            \
		(skeleton)->rodata->ph_has_task_btf = (typed);                                  \
		(skeleton)->rodata->ph_has_spin_lock = (lock);                                  \
		(skeleton)->rodata->ph_has_sock_from_file = (plan)->features->socket_from_file; \
		(skeleton)->rodata->ph_has_functions = (plan)->features->global_functions;      \
		(skeleton)->rodata->ph_tracepoints_preempted =                                  \
			(plan)->features->tracepoints_preempted;                                \
		(skeleton)->rodata->ph_backend = (plan)->backend;                               \
		(skeleton)->rodata->ph_seed = make_seed();                                      \
	} while (0)

#define CONFIGURE_LSM(skeleton, plan)                                                             \
	CONFIGURE(skeleton, plan, (plan)->features->task_storage, (plan)->features->lsm_task_btf, \
		  (plan)->features->lsm_spin_lock)

/* Task storage cannot be read in the cgroup hooks before 7.x: the mirror serves them all. */
#define CONFIGURE_CGROUP(skeleton, plan) \
	CONFIGURE(skeleton, plan, false, (plan)->features->cgroup_task_btf, true)

/* What this kernel does not need, or cannot have. */
static void choose_hooks(struct objects *objects, const struct ph_features *features)
{
	bpf_program__set_autoload(objects->lsm->progs.ph_splice, !features->splice_sends);
	bpf_program__set_autoload(objects->protect->progs.ph_prog_load, features->load_hook);
	/* Without task storage the tracing programs keep the labels, in the mirror. */
	bpf_program__set_autoload(objects->guard->progs.ph_task_alloc, features->task_storage);
	/* Where every end is seen there is nothing to look for, and every end would pay. */
	bpf_program__set_autoload(objects->guard->progs.ph_task_free,
				  features->task_storage && features->tracepoints_preempted);
	bpf_program__set_autoload(objects->guard->progs.ph_exec_check, features->task_storage);
	bpf_program__set_autoload(objects->guard->progs.ph_committed, features->task_storage);
	bpf_program__set_autoload(objects->protect->progs.ph_f_setattr, features->setattr_map);
	bpf_program__set_autoload(objects->protect->progs.ph_f_setattr0, !features->setattr_map);
}

/* What keeps confined processes away from the enforcement itself. */
static int open_protection(struct objects *objects, const struct ph_plan *plan)
{
	struct ph_around around;
	int r = around_find(plan->backend == PH_BACKEND_LSM, &around);

	if (r)
		return r;
	if (plan->backend == PH_BACKEND_LSM) {
		objects->protect = protect_bpf__open();
		if (!objects->protect)
			return -errno;
		CONFIGURE_LSM(objects->protect, plan);
		memcpy((void *)&objects->protect->rodata->ph_around, &around, sizeof(around));
	}
	if (plan->features->sysctl_programs) {
		objects->sysctl = sysctl_bpf__open();
		if (!objects->sysctl)
			return -errno;
		CONFIGURE_CGROUP(objects->sysctl, plan);
		memcpy((void *)&objects->sysctl->rodata->ph_around, &around, sizeof(around));
	}
	return 0;
}

/* The first process's; of a container's, where that is what one sees, nothing would be learnt. */
static __u32 first_mount_namespace(void)
{
	return namespace_number("/proc/1/ns/mnt");
}

/* Opens the objects that the plan needs; those it does not need stay NULL. */
static int objects_open(struct objects *objects, const struct ph_plan *plan)
{
	const struct ph_features *features = plan->features;
	int r = open_protection(objects, plan);

	if (r)
		return r;
	if (plan->backend == PH_BACKEND_LSM) {
		objects->lsm = lsm_bpf__open();
		objects->guard = guard_bpf__open();
		if (!objects->lsm || !objects->guard)
			return -errno;
		CONFIGURE_LSM(objects->lsm, plan);
		CONFIGURE_LSM(objects->guard, plan);
		objects->guard->rodata->ph_mount_namespace = first_mount_namespace();
		choose_hooks(objects, features);
	}
	if (features->tracing_programs) {
		objects->identity = identity_bpf__open();
		if (!objects->identity)
			return -errno;
		/* Without LSM hooks nobody copies what lies in task storage. */
		CONFIGURE(objects->identity, plan,
			  features->task_storage && plan->backend == PH_BACKEND_LSM,
			  features->lsm_task_btf, features->lsm_spin_lock);
		bpf_program__set_autoload(objects->identity->progs.ph_move, features->cgroup_moves);
		bpf_program__set_autoload(objects->identity->progs.ph_move_ended,
					  features->cgroup_moves && !features->global_functions);
		objects->identity->rodata->ph_mount_namespace = first_mount_namespace();
	}
	objects->cgroup = cgroup_bpf__open();
	objects->packet = packet_bpf__open();
	if (!objects->cgroup || !objects->packet)
		return -errno;
	CONFIGURE_CGROUP(objects->cgroup, plan);
	CONFIGURE_CGROUP(objects->packet, plan);
	return 0;
}

/* Labels have a map only where the kernel knows its type. */
static bool is_shared(const struct bpf_map *map, const struct ph_plan *plan)
{
	const char *name = map_name(map);

	return name && (strcmp(name, "ph_labels") || plan->features->task_storage);
}

/* Each of the maps is made once, by the first object that is loaded. */
static int share_maps(struct bpf_object *object, const struct ph_plan *plan, bool anew)
{
	char path[PH_PATH_LEN];
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		const char *name = map_name(map);
		bool fresh;

		if (!is_shared(map, plan)) {
			if (!bpf_map__is_internal(map))
				bpf_map__set_autocreate(map, false);
			continue;
		}
		fresh = anew && (map_is_derived(name) || !map_fits(map));
		pin_path(path, sizeof(path), fresh ? PH_FRESH_DIR : PH_MAPS_DIR, name);
		/* libbpf takes the pinned map if it fits, else makes and pins one. */
		if (bpf_map__set_pin_path(map, path))
			return -errno;
	}
	return 0;
}

/* Whether what is pinned is of an older version, or does not fit the programs. */
static bool is_outdated(struct bpf_object *const all[OBJECTS], const struct ph_plan *plan)
{
	struct ph_state state;
	struct bpf_map *map;
	int r = state_peek(&state);

	if (r ? r != -ENOENT : state.abi && state.abi < PH_ABI_VERSION)
		return true;
	for (int i = 0; i < OBJECTS; i++) {
		if (!all[i])
			continue;
		bpf_object__for_each_map(map, all[i]) {
			if (is_shared(map, plan) && !map_fits(map))
				return true;
		}
	}
	return false;
}

/* PORTHOLD_DEBUG: what libbpf says, and what each program cost the verifier. */
static void ask_statistics(struct bpf_object *object)
{
	enum {
		VERIFIER_STATISTICS = 4
	};
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
		(void)bpf_program__set_log_level(program, VERIFIER_STATISTICS);
}

static bool takes_pointer(const struct btf *btf, const struct btf_type *function)
{
	const struct btf_type *prototype = btf__type_by_id(btf, function->type);

	for (__u32 i = 0; i < btf_vlen(prototype); i++)
		if (btf_is_ptr(btf__type_by_id(btf, btf_params(prototype)[i].type)))
			return true;
	return false;
}

/* What bpf/state.bpf.h has as PH_FUNCTION is verified with its callers, as what it says of itself. */
static void make_functions_local(struct bpf_object *object)
{
	struct btf *btf = bpf_object__btf(object);

	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		struct btf_type *type = (struct btf_type *)btf__type_by_id(btf, id);

		if (btf_is_func(type) && btf_vlen(type) == BTF_FUNC_GLOBAL &&
		    takes_pointer(btf, type))
			type->info = type->info & ~0xffffU; /* BTF_FUNC_STATIC */
	}
}

static int load_object(struct bpf_object *object, const struct ph_plan *plan, bool anew,
		       struct ph_fault *f)
{
	int r;

	if (!object)
		return 0;
	if (getenv("PORTHOLD_DEBUG"))
		ask_statistics(object);
	if (!plan->features->global_functions)
		make_functions_local(object);
	r = share_maps(object, plan, anew);
	if (!r)
		r = bpf_object__load(object);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "the kernel refuses the %s programs: %s%s%s",
			     bpf_object__name(object), strerror(-r), *complaint ? ": " : "",
			     complaint);
	return 0;
}

static bool is_of_cgroup(const struct bpf_program *program)
{
	switch (bpf_program__type(program)) {
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_CGROUP_SYSCTL:
		return true;
	default:
		return false;
	}
}

static struct bpf_link *attach_program(struct bpf_program *program, const struct ph_plan *plan)
{
	if (is_of_cgroup(program))
		return bpf_program__attach_cgroup(program, plan->cgroup);
	if (bpf_program__expected_attach_type(program) == BPF_TRACE_ITER)
		return bpf_program__attach_iter(program, NULL);
	return bpf_program__attach(program);
}

/*
 * A link of a cgroup takes another program at once: with both attached for a moment, a call would
 * be counted twice. The others cannot; of two LSM programs the second is not asked about a refusal.
 */
static int replace_program(const char *path, const struct bpf_program *program,
			   const struct ph_plan *plan)
{
	cleanup_close int link = is_of_cgroup(program) ? bpf_obj_get(path) : -1;
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	struct stat cgroup;

	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &size) || fstat(plan->cgroup, &cgroup))
		return -ENOENT;
	if (info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id != cgroup.st_ino ||
	    info.cgroup.attach_type != bpf_program__expected_attach_type(program))
		return -ENOENT;
	if (bpf_link_update(link, bpf_program__fd(program), NULL))
		return -errno;
	return TAKE_FD(link);
}

/* The old program goes when the new one has its place, in one step: a crash leaves one of them. */
static int attach_and_pin(struct bpf_program *program, const char *path, const struct ph_plan *plan)
{
	struct bpf_link *link = attach_program(program, plan);
	char fresh[PH_PATH_LEN];
	int fd = -1, r;

	if (!link)
		return -errno;
	pin_path(fresh, sizeof(fresh), PH_FRESH_DIR, bpf_program__name(program));
	r = bpf_link__pin(link, fresh);
	if (!r && rename(fresh, path))
		r = -errno;
	if (!r)
		fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0);
	if (!r && fd < 0)
		r = -errno;
	(void)bpf_link__disconnect(link);
	(void)bpf_link__destroy(link);
	return r ? r : fd;
}

static int put_in_place(struct bpf_program *program, const struct ph_plan *plan,
			const struct ph_kernel *kernel, struct ph_fault *f)
{
	const char *name = bpf_program__name(program);
	cleanup_close int link = -1;
	char path[PH_PATH_LEN];
	int r;

	pin_path(path, sizeof(path), PH_LINKS_DIR, name);
	link = replace_program(path, program, plan);
	if (link < 0)
		link = attach_and_pin(program, path, plan);
	r = link < 0 ? link : attached_record(kernel, name, link);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot attach %s: %s", name, strerror(-r));
	return 0;
}

static int attach_object(struct bpf_object *object, const struct ph_plan *plan,
			 const struct ph_kernel *kernel, struct ph_fault *f)
{
	struct bpf_program *program;
	int r = 0;

	if (!object)
		return 0;
	bpf_object__for_each_program(program, object) {
		if (!r && bpf_program__autoload(program))
			r = put_in_place(program, plan, kernel, f);
	}
	return r;
}

/* --- Labels, when their layout is another */

/* It stays attached when the pin gets another, and after a crash. */
static int keep_beside(const struct bpf_program *program)
{
	char path[PH_PATH_LEN], name[PH_PATH_LEN / 2];
	cleanup_close int link = -1;
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	pin_path(path, sizeof(path), PH_LINKS_DIR, bpf_program__name(program));
	link = bpf_obj_get(path);
	if (link < 0)
		return errno == ENOENT ? 0 : -errno;
	if (bpf_obj_get_info_by_fd(link, &info, &size))
		return -errno;
	(void)snprintf(name, sizeof(name), "%s-%u", bpf_program__name(program), info.id);
	pin_path(path, sizeof(path), PH_OLD_DIR, name);
	return bpf_obj_pin(link, path) && errno != EEXIST ? -errno : 0;
}

static int keep_all_beside(struct bpf_object *object)
{
	struct bpf_program *program;
	int r = 0;

	if (!object)
		return 0;
	bpf_object__for_each_program(program, object)
		if (!r)
			r = keep_beside(program);
	return r;
}

/* Twice: a fork can straddle the first pass. */
static int label_anew(void)
{
	int r = 0;

	for (int pass = 0; !r && pass < 2; pass++) {
		cleanup_(labels_donep) struct ph_labels labels = {};

		r = labels_pass(&labels);
	}
	return r == -ENOENT ? 0 : r;
}

static int carried(int r, struct ph_fault *f)
{
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot take over the labels: %s",
			     strerror(-r));
	return 0;
}

/*
 * Over new maps of labels, the old keepers go on beside the new ones until nobody judges by what they
 * keep any more, and whoever takes another's place is attached after every task has its new label.
 */
static int attach_keepers(struct bpf_object *const all[OBJECTS], const struct ph_plan *plan,
			  const struct ph_kernel *kernel, struct ph_fault *f)
{
	bool fresh = labels_are_fresh();
	int r = fresh ? carried(labels_carry(), f) : 0;

	for (int i = 0; !r && i < KEEPERS; i++) {
		if (fresh)
			r = carried(keep_all_beside(all[i]), f);
		if (!r)
			r = attach_object(all[i], plan, kernel, f);
	}
	if (!r && fresh)
		r = carried(labels_carry(), f);
	if (!r && fresh)
		r = carried(label_anew(), f);
	return r;
}

/* The order of loading and of attaching; NULL: the plan does not need it. */
static void objects_list(const struct objects *objects, struct bpf_object *ret[OBJECTS])
{
	struct bpf_object *const all[OBJECTS] = {
		objects->identity ? objects->identity->obj : NULL,
		objects->guard ? objects->guard->obj : NULL,
		objects->lsm ? objects->lsm->obj : NULL,
		objects->cgroup->obj,
		objects->packet->obj,
		objects->protect ? objects->protect->obj : NULL,
		objects->sysctl ? objects->sysctl->obj : NULL,
	};

	memcpy(ret, all, sizeof(all));
}

static bool is_planned(const char *name, const void *of)
{
	struct bpf_object *const *all = of;

	for (int i = 0; i < OBJECTS; i++) {
		struct bpf_program *program = NULL;

		if (all[i])
			program = bpf_object__find_program_by_name(all[i], name);
		if (program && bpf_program__autoload(program))
			return true;
	}
	return false;
}

/* What there is to attach is attached: whatever else is pinned is of another plan or version. */
static int settle(const struct ph_kernel *kernel, struct bpf_object *const all[OBJECTS],
		  const struct ph_plan *plan)
{
	struct ph_state state;
	struct stat cgroup;
	int r = attached_keep(kernel, is_planned, all), n;

	if (r)
		return r;
	n = attached_count(kernel);
	if (n < 0)
		return n;
	if (fstat(plan->cgroup, &cgroup))
		return -errno;
	r = kernel_state_read(kernel, &state);
	if (r)
		return r;
	state.abi = PH_ABI_VERSION;
	state.attached = n;
	state.attach_id = cgroup.st_ino;
	state.code = kernel_code();
	return kernel_state_write(kernel, &state);
}

/* The new maps get the state and the policies of the old before a program looks into them. */
static int fill(const struct ph_kernel *kernel, const struct ph_plan *plan, struct ph_fault *f)
{
	struct ph_state state;
	int r = state_find(&state, f);

	if (r && r != -ENOENT)
		return r;
	state.abi = PH_ABI_VERSION;
	if (kernel_state_write(kernel, &state))
		return fault(f, -EIO, PH_EXIT_IMPOSSIBLE, "cannot write the state");
	r = plan->fill(kernel, plan->policies, f);
	if (r)
		return r;
	r = kernel_state_read(kernel, &state);
	if (!r)
		r = state_count(state.generation);
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot count the generation: %s",
			     strerror(-r));
	return 0;
}

static int load_objects(struct bpf_object *const all[OBJECTS], const struct ph_plan *plan,
			bool anew, struct ph_kernel *ret, struct ph_fault *f)
{
	struct ph_progress progress = PROGRESS_AT_ONCE("loading the programs");
	int r = 0;

	progress.total = OBJECTS;
	for (int i = 0; !r && i < OBJECTS; i++) {
		progress_show(&progress, i);
		r = load_object(all[i], plan, anew, f);
	}
	progress_end(&progress);
	if (!r)
		r = maps_open_fresh(ret, f);
	return r || !anew ? r : fill(ret, plan, f);
}

static int load_and_attach(struct objects *objects, const struct ph_plan *plan, struct ph_fault *f)
{
	cleanup_(kernel_closep) struct ph_kernel kernel = PH_KERNEL_NULL;
	struct bpf_object *all[OBJECTS];
	bool anew;
	int r;

	objects_list(objects, all);
	anew = is_outdated(all, plan);
	r = load_objects(all, plan, anew, &kernel, f);
	if (!r)
		r = attach_keepers(all, plan, &kernel, f);
	for (int i = KEEPERS; !r && i < OBJECTS; i++)
		r = attach_object(all[i], plan, &kernel, f);
	if (r)
		return r;
	r = settle(&kernel, all, plan);
	if (!r)
		r = maps_promote();
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot record what is attached: %s",
			     strerror(-r));
	return 0;
}

uint64_t kernel_code(void)
{
	const void *(*const code[OBJECTS])(size_t * size) = {
		identity_bpf__elf_bytes, guard_bpf__elf_bytes,	lsm_bpf__elf_bytes,
		cgroup_bpf__elf_bytes,	 packet_bpf__elf_bytes, protect_bpf__elf_bytes,
		sysctl_bpf__elf_bytes,
	};
	uint64_t hash = 0;

	for (int i = 0; i < OBJECTS; i++) {
		size_t size;
		const void *bytes = code[i](&size);

		hash = hash_more(hash, bytes, size);
	}
	return hash;
}

int kernel_attach(const struct ph_plan *plan, struct ph_fault *f)
{
	cleanup_(objects_done) struct objects objects = {};
	libbpf_print_fn_t print = libbpf_set_print(keep_complaint);
	bool attached = kernel_attached();
	int r;

	*complaint = 0;
	r = pins_make(f);
	if (!r) {
		r = objects_open(&objects, plan);
		if (r)
			(void)fault(f, r, PH_EXIT_IMPOSSIBLE, "cannot open the programs: %s",
				    strerror(-r));
	}
	if (!r)
		r = load_and_attach(&objects, plan, f);
	if (r && !attached)
		(void)pins_remove(PH_LINKS_DIR);
	(void)pins_remove(PH_FRESH_DIR);
	libbpf_set_print(print);
	return r;
}

bool kernel_attached(void)
{
	return pins_count(PH_LINKS_DIR) > 0;
}

static int removed(int r, struct ph_fault *f)
{
	if (r)
		return fault(f, r, PH_EXIT_IMPOSSIBLE,
			     "cannot remove the pins below " PH_PIN_DIR ": %s", strerror(-r));
	return 0;
}

int kernel_detach(struct ph_fault *f)
{
	int r = pins_remove(PH_LINKS_DIR);

	return removed(r ?: pins_remove(PH_OLD_DIR), f);
}

int kernel_remove(struct ph_fault *f)
{
	return removed(pins_remove_all(), f);
}

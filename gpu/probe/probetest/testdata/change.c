/* What a program changes by these calls is kept beside the description, in a file of
 * its name and ".state", as a driver keeps it while no program is there. Its lines:
 *
 *   mig GPU MODE
 *   gi GPU ID PROFILE START SIZE
 *   ci GPU GI ID
 *   clocks GPU MEMORY GRAPHICS
 *
 * A gpu with cut=1 can be cut into instances as an A100 with 80 GB can. With die=N
 * the process is killed when it makes the Nth instance; with stuck=1 a change of the
 * mode wants a reset that this machine cannot do; with clocks=1 they can be set.
 */
static const struct profile { unsigned number, id, slices, count, size, step; unsigned long long mib; const char *name; } profiles[] = {
	{ NVML_GPU_INSTANCE_PROFILE_1_SLICE, 19, 1, 7, 1, 1, 9728, "1g.10gb" },
	{ NVML_GPU_INSTANCE_PROFILE_2_SLICE, 14, 2, 3, 2, 2, 19968, "2g.20gb" },
	{ NVML_GPU_INSTANCE_PROFILE_3_SLICE, 9, 3, 2, 4, 4, 40192, "3g.40gb" },
	{ NVML_GPU_INSTANCE_PROFILE_4_SLICE, 5, 4, 1, 4, 4, 40192, "4g.40gb" },
	{ NVML_GPU_INSTANCE_PROFILE_7_SLICE, 0, 7, 1, 8, 8, 80896, "7g.80gb" },
	{ NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1, 20, 1, 1, 1, 1, 9728, "1g.10gb+me" },
	{ NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV2, 15, 1, 4, 2, 2, 19968, "1g.20gb" },
};
enum { PROFILES = sizeof profiles / sizeof *profiles };

struct nvmlGpuInstance_st { int used, gpu, id; const struct profile *profile; unsigned start, size; };
struct nvmlComputeInstance_st { int used, gpu, gi, id; };

static struct nvmlGpuInstance_st made[INSTANCES];
static struct nvmlComputeInstance_st computing[INSTANCES];
static int mig_made;

static const struct profile *profile_of(unsigned id)
{
	for (int i = 0; i < PROFILES; i++)
		if (profiles[i].id == id)
			return &profiles[i];
	return NULL;
}

static FILE *state_file(const char *mode, const char *suffix)
{
	char path[4096];
	snprintf(path, sizeof path, "%s.state%s", getenv("NVML_DESCRIPTION"), suffix);
	return fopen(path, mode);
}

/* restore reads what was changed; lock is held. */
static void restore(void)
{
	memset(made, 0, sizeof made);
	memset(computing, 0, sizeof computing);
	FILE *f = state_file("r", "");
	if (!f)
		return;
	char line[256];
	int n_made = 0, n_computing = 0, g, a, b;
	unsigned u, v, w;
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "mig %d %d", &g, &a) == 2 && g < GPUS)
			gpus[g].mig = a;
		else if (sscanf(line, "clocks %d %u %u", &g, &u, &v) == 3 && g < GPUS) {
			gpus[g].memory_clock = u;
			gpus[g].graphics_clock = v;
		} else if (sscanf(line, "gi %d %d %u %u %u", &g, &a, &u, &v, &w) == 5 && g < GPUS && n_made < INSTANCES && profile_of(u))
			made[n_made++] = (struct nvmlGpuInstance_st){ 1, g, a, profile_of(u), v, w };
		else if (sscanf(line, "ci %d %d %d", &g, &a, &b) == 3 && g < GPUS && n_computing < INSTANCES)
			computing[n_computing++] = (struct nvmlComputeInstance_st){ 1, g, a, b };
	}
	fclose(f);
}

/* show_made puts the instances that were made among those programs see. */
static void show_made(void)
{
	int kept = 0;
	for (int i = 0; i < n_instances; i++)
		if (!instances[i].made)
			instances[kept++] = instances[i];
	n_instances = kept;
	for (int i = 0; i < INSTANCES; i++) {
		struct nvmlComputeInstance_st *c = &computing[i];
		for (int k = 0; c->used && k < INSTANCES && n_instances < INSTANCES; k++) {
			struct nvmlGpuInstance_st *g = &made[k];
			if (!g->used || g->gpu != c->gpu || g->id != c->gi)
				continue;
			struct nvmlDevice_st *m = &instances[n_instances++];
			*m = (struct nvmlDevice_st){ .known = 1, .made = 1, .index = n_instances, .minor = -1, .numa = -1, .parent = &gpus[c->gpu], .gi = c->gi, .ci = c->id, .memory = g->profile->mib << 20 };
			snprintf(m->uuid, sizeof m->uuid, "MIG-made-%d-%d-%d", c->gpu, c->gi, c->id);
			snprintf(m->profile, sizeof m->profile, "%s", g->profile->name);
		}
	}
}

/* keep writes down what was changed; lock is held. */
static void keep(void)
{
	char from[4096], to[4096];
	FILE *f = state_file("w", ".new");
	if (!f)
		return;
	for (int i = 0; i < n_gpus; i++) {
		if (gpus[i].cut)
			fprintf(f, "mig %d %d\n", i, gpus[i].mig);
		if (gpus[i].graphics_clock)
			fprintf(f, "clocks %d %u %u\n", i, gpus[i].memory_clock, gpus[i].graphics_clock);
	}
	for (int i = 0; i < INSTANCES; i++)
		if (made[i].used)
			fprintf(f, "gi %d %d %u %u %u\n", made[i].gpu, made[i].id, made[i].profile->id, made[i].start, made[i].size);
	for (int i = 0; i < INSTANCES; i++)
		if (computing[i].used)
			fprintf(f, "ci %d %d %d\n", computing[i].gpu, computing[i].gi, computing[i].id);
	fclose(f);
	snprintf(from, sizeof from, "%s.state.new", getenv("NVML_DESCRIPTION"));
	snprintf(to, sizeof to, "%s.state", getenv("NVML_DESCRIPTION"));
	rename(from, to);
	show_made();
}

static int any_made(int gpu)
{
	for (int i = 0; i < INSTANCES; i++)
		if (made[i].used && made[i].gpu == gpu)
			return 1;
	return 0;
}

nvmlReturn_t nvmlDeviceSetMigMode(nvmlDevice_t d, unsigned mode, nvmlReturn_t *activation)
{
	WHOLE(d);
	if (!d->cut)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	*activation = NVML_SUCCESS;
	if (d->stuck && (int)mode != d->mig) {
		*activation = NVML_ERROR_RESET_REQUIRED;
		LEAVE(NVML_SUCCESS);
	}
	for (int i = 0; i < n_processes; i++)
		if (processes[i].gpu == d->index) {
			*activation = NVML_ERROR_IN_USE;
			LEAVE(NVML_SUCCESS);
		}
	if (!mode && any_made(d->index))
		LEAVE(NVML_ERROR_IN_USE);
	d->mig = (int)mode;
	keep();
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t d, unsigned number, nvmlGpuInstanceProfileInfo_t *info)
{
	WHOLE(d);
	if (number >= NVML_GPU_INSTANCE_PROFILE_COUNT)
		LEAVE(NVML_ERROR_INVALID_ARGUMENT);
	for (int i = 0; d->cut && i < PROFILES; i++)
		if (profiles[i].number == number) {
			memset(info, 0, sizeof *info);
			info->id = profiles[i].id;
			info->sliceCount = profiles[i].slices;
			info->instanceCount = profiles[i].count;
			info->memorySizeMB = profiles[i].mib;
			LEAVE(NVML_SUCCESS);
		}
	LEAVE(NVML_ERROR_NOT_SUPPORTED);
}

nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t d, unsigned number, nvmlGpuInstanceProfileInfo_v2_t *info)
{
	WHOLE(d);
	for (int i = 0; d->cut && i < PROFILES; i++)
		if (profiles[i].number == number) {
			info->id = profiles[i].id;
			info->sliceCount = profiles[i].slices;
			info->instanceCount = profiles[i].count;
			info->memorySizeMB = profiles[i].mib;
			snprintf(info->name, sizeof info->name, "MIG %s", profiles[i].name);
			LEAVE(NVML_SUCCESS);
		}
	LEAVE(number < NVML_GPU_INSTANCE_PROFILE_COUNT ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT);
}

nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements_v2(nvmlDevice_t d, unsigned id, nvmlGpuInstancePlacement_t *list, unsigned *n)
{
	WHOLE(d);
	const struct profile *p = profile_of(id);
	if (!d->cut || !p)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	unsigned have = p->count == 1 && p->size == 1 ? 7 : p->count;
	for (unsigned i = 0; list && i < have && i < *n; i++)
		list[i] = (nvmlGpuInstancePlacement_t){ i * p->step, p->size };
	*n = have;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceCreateGpuInstanceWithPlacement(nvmlDevice_t d, unsigned id, const nvmlGpuInstancePlacement_t *at, nvmlGpuInstance_t *out)
{
	WHOLE(d);
	const struct profile *p = profile_of(id);
	if (!d->mig)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	if (!p || at->size != p->size || at->start % p->step || at->start + at->size > 8)
		LEAVE(NVML_ERROR_INVALID_ARGUMENT);
	if (d->die && ++mig_made == d->die)
		_exit(137);
	struct nvmlGpuInstance_st *spare = NULL;
	int number = 1;
	for (int i = 0; i < INSTANCES; i++) {
		if (!made[i].used) {
			spare = spare ? spare : &made[i];
			continue;
		}
		if (made[i].gpu != d->index)
			continue;
		if (at->start < made[i].start + made[i].size && made[i].start < at->start + at->size)
			LEAVE(NVML_ERROR_INSUFFICIENT_RESOURCES);
		if (made[i].id >= number)
			number = made[i].id + 1;
	}
	if (!spare)
		LEAVE(NVML_ERROR_INSUFFICIENT_RESOURCES);
	*spare = (struct nvmlGpuInstance_st){ 1, d->index, number, p, at->start, at->size };
	*out = spare;
	keep();
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t d, unsigned id, nvmlGpuInstance_t *list, unsigned *n)
{
	WHOLE(d);
	unsigned have = 0;
	for (int i = 0; i < INSTANCES; i++)
		if (made[i].used && made[i].gpu == d->index && made[i].profile->id == id)
			list[have++] = &made[i];
	*n = have;
	LEAVE(d->mig ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED);
}

nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t d, unsigned id, nvmlGpuInstance_t *out)
{
	WHOLE(d);
	for (int i = 0; i < INSTANCES; i++)
		if (made[i].used && made[i].gpu == d->index && made[i].id == (int)id) {
			*out = &made[i];
			LEAVE(NVML_SUCCESS);
		}
	LEAVE(NVML_ERROR_NOT_FOUND);
}

nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t g, nvmlGpuInstanceInfo_t *info)
{
	ENTER;
	memset(info, 0, sizeof *info);
	info->device = &gpus[g->gpu];
	info->id = (unsigned)g->id;
	info->profileId = g->profile->id;
	info->placement = (nvmlGpuInstancePlacement_t){ g->start, g->size };
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlGpuInstanceDestroy(nvmlGpuInstance_t g)
{
	ENTER;
	for (int i = 0; i < INSTANCES; i++)
		if (computing[i].used && computing[i].gpu == g->gpu && computing[i].gi == g->id)
			LEAVE(NVML_ERROR_IN_USE);
	g->used = 0;
	keep();
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfo(nvmlGpuInstance_t g, unsigned number, unsigned engine, nvmlComputeInstanceProfileInfo_t *info)
{
	ENTER;
	static const unsigned sizes[] = { 1, 2, 3, 4, 7, 8, 6, 1 };
	if (number >= NVML_COMPUTE_INSTANCE_PROFILE_COUNT || engine)
		LEAVE(NVML_ERROR_INVALID_ARGUMENT);
	if (number >= 7 || sizes[number] > g->profile->slices)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	memset(info, 0, sizeof *info);
	info->id = number;
	info->sliceCount = sizes[number];
	info->instanceCount = g->profile->slices / sizes[number];
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlGpuInstanceCreateComputeInstance(nvmlGpuInstance_t g, unsigned id, nvmlComputeInstance_t *out)
{
	ENTER;
	(void)id;
	for (int i = 0; i < INSTANCES; i++)
		if (!computing[i].used) {
			computing[i] = (struct nvmlComputeInstance_st){ 1, g->gpu, g->id, 0 };
			*out = &computing[i];
			keep();
			LEAVE(NVML_SUCCESS);
		}
	LEAVE(NVML_ERROR_INSUFFICIENT_RESOURCES);
}

nvmlReturn_t nvmlGpuInstanceGetComputeInstances(nvmlGpuInstance_t g, unsigned id, nvmlComputeInstance_t *list, unsigned *n)
{
	ENTER;
	unsigned have = 0;
	static const unsigned sizes[] = { 1, 2, 3, 4, 7, 8, 6, 1 };
	for (int i = 0; i < INSTANCES; i++)
		if (computing[i].used && computing[i].gpu == g->gpu && computing[i].gi == g->id && id < 8 && sizes[id] == g->profile->slices)
			list[have++] = &computing[i];
	*n = have;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlComputeInstanceDestroy(nvmlComputeInstance_t c)
{
	ENTER;
	for (int i = 0; i < n_processes; i++)
		if (processes[i].gpu == c->gpu && processes[i].gi == c->gi)
			LEAVE(NVML_ERROR_IN_USE);
	c->used = 0;
	keep();
	LEAVE(NVML_SUCCESS);
}

/* The clocks of an A100: one of the memory, and a few of the processors. */
static const unsigned graphics_clocks[] = { 1410, 1395, 1380, 1095, 810, 510, 210 };
enum { CLOCKS = sizeof graphics_clocks / sizeof *graphics_clocks };

nvmlReturn_t nvmlDeviceGetSupportedMemoryClocks(nvmlDevice_t d, unsigned *n, unsigned *list)
{
	WHOLE(d);
	if (!d->clocks)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	if (*n < 2) {
		*n = 2;
		LEAVE(NVML_ERROR_INSUFFICIENT_SIZE);
	}
	*n = 2;
	list[0] = 1593;
	list[1] = 877;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t d, unsigned memory, unsigned *n, unsigned *list)
{
	WHOLE(d);
	if (!d->clocks || memory != 1593 && memory != 877)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	if (*n < CLOCKS) {
		*n = CLOCKS;
		LEAVE(NVML_ERROR_INSUFFICIENT_SIZE);
	}
	*n = CLOCKS;
	memcpy(list, graphics_clocks, sizeof graphics_clocks);
	LEAVE(NVML_SUCCESS);
}

static nvmlReturn_t set_clocks(nvmlDevice_t d, unsigned memory, unsigned graphics)
{
	if (!d->clocks)
		return NVML_ERROR_NOT_SUPPORTED;
	d->memory_clock = memory;
	d->graphics_clock = graphics;
	keep();
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceSetApplicationsClocks(nvmlDevice_t d, unsigned memory, unsigned graphics) { WHOLE(d); LEAVE(set_clocks(d, memory, graphics)); }
nvmlReturn_t nvmlDeviceResetApplicationsClocks(nvmlDevice_t d) { WHOLE(d); LEAVE(set_clocks(d, 0, 0)); }

nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t d, nvmlClockType_t type, unsigned *mhz)
{
	WHOLE(d);
	if (!d->clocks)
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	if (type == NVML_CLOCK_MEM)
		*mhz = d->graphics_clock ? d->memory_clock : 1593;
	else
		*mhz = d->graphics_clock ? d->graphics_clock : 1410;
	LEAVE(NVML_SUCCESS);
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t d, nvmlGpuFabricInfoV_t *info)
{
	WHOLE(d);
	if (!d->fabric[0])
		LEAVE(NVML_ERROR_NOT_SUPPORTED);
	for (int i = 0; i < 16; i++) {
		unsigned byte = 0;
		sscanf(d->fabric + 2 * i, "%2x", &byte);
		info->clusterUuid[i] = byte;
	}
	info->status = NVML_SUCCESS;
	info->cliqueId = (unsigned)d->clique;
	info->state = NVML_GPU_FABRIC_STATE_COMPLETED;
	LEAVE(NVML_SUCCESS);
}
